//! Receivers by https: they must prove who they are, to an authority that everybody trusts or to one that the operator names.

use super::{CARD, PATIENCE, advance, assert_all_arrive, hook, verify};
use tests::client::{id, text};
use tests::folder::Folder;
use tests::receiver::Receiver;
use tests::{Switch, eventually};

#[test]
fn a_receiver_is_told_once_it_proves_who_it_is() {
    let (folder, (receiver, authority)) = (Folder::new(), Receiver::start_with_tls());
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let made = hook(&client, &receiver);
    client.sale(1_100, CARD);
    let deliveries = format!("/api/webhooks/{}/deliveries", id(&made));
    eventually(PATIENCE, || {
        let deliveries = client.call("GET", &deliveries, &[], b"").data();
        let error = deliveries[0]["error"].as_str().unwrap_or("").to_owned();
        if error.starts_with("TLS: ") && error.contains("UnknownIssuer") { Ok(()) } else { Err(deliveries.to_string()) }
    });
    assert!(receiver.received().is_empty(), "nothing is told to whoever can't prove its name");
    let ca_file = folder.join("authority.pem");
    std::fs::write(&ca_file, authority).expect("a file can be written");
    switch.terminate();
    switch.reconfigure(|options| options.webhooks = format!("ca_file = {:?}", ca_file.display().to_string()));
    switch.start_again();
    let client = switch.client();
    advance(&client, 60);
    assert_all_arrive(&client, &receiver, 1);
    assert_eq!(verify(&receiver.taken()[0], text(&made, "secret")), Ok(()));
    switch.terminate();
    switch.reconfigure(|options| options.webhooks = "ca_file = \"/nowhere.pem\"".to_owned());
    let refused = switch.try_start_again().expect_err("an authority that is not there");
    assert!(refused.stderr.contains("webhooks: ca_file /nowhere.pem"), "{}", refused.stderr);
}
