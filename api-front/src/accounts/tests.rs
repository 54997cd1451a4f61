use super::mail::{FROM_DEFAULT, Mail, Outbox};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn a_mail_without_a_server_is_a_file_that_its_owner_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail");
    let outbox = Outbox::folder(&path, FROM_DEFAULT).unwrap();
    outbox.post(Mail { to: "user@domain.com".into(), subject: "Hello".into(), text: "code\n\n0123\n".into() });
    let file = loop {
        let found = fs::read_dir(&path).ok().and_then(|mut entries| entries.next()).and_then(Result::ok);
        match found.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "eml")) {
            Some(entry) => break entry.path(),
            None => tokio::task::yield_now().await,
        }
    };
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("To: user@domain.com") && text.contains("\n0123"), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn senders_and_servers_that_are_none_are_refused() {
    assert!(Outbox::folder("mail".as_ref(), "nobody").is_err());
    assert!(Outbox::server("http://mail.example.com", FROM_DEFAULT).is_err());
    assert!(Outbox::server("smtps://user:password@mail.example.com", FROM_DEFAULT).is_ok());
}
