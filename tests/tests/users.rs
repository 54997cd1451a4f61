//! Users, their tokens, passwords and API keys: each sample of the gateway document as printed, and what must not be possible.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tests::client::{Client, text};
use tests::http::Response;
use tests::payment::{VISA, payment};
use tests::smtp::MailServer;
use tests::switch::{keys, shared};
use tests::{Options, Switch, eventually};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");
/// The document's sample of a user that is to be made.
const NEW_USER: &str = r#"{"username": "testmerchant43", "name": "test merchant user", "phone": "6305555555",
    "email": "info@website.com", "timezone": "ETC/UTC", "password": "T@est12345678", "status": "active", "role": "admin"}"#;
const USER_FIELDS: [&str; 12] = [
    "id",
    "username",
    "name",
    "phone",
    "email",
    "timezone",
    "status",
    "role",
    "account_type",
    "account_type_id",
    "created_at",
    "updated_at",
];

/// A log-in as the document's curl sends it.
fn token_auth(client: &Client, username: &str, password: &str) -> Response {
    let body = format!("username={username}&password={}", password.replace('@', "%40"));
    client.stranger("POST", "/api/token-auth", &[FORM], body.as_bytes())
}

/// Whoever holds the token of a log-in that must work.
#[track_caller]
fn logged_in(client: &Client, username: &str, password: &str) -> Client {
    let response = token_auth(client, username, password);
    assert_eq!(response.status, 200, "{}", response.text());
    let answer = response.json();
    assert_eq!(answer["status"], "successful");
    Client { address: client.address, key: format!("Bearer {}", text(&answer, "token")) }
}

#[track_caller]
fn new_user(client: &Client, username: &str, changes: Value) -> Value {
    let mut body: Value = serde_json::from_str(NEW_USER).unwrap();
    body["username"] = username.into();
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    client.call("POST", "/api/user", &[], body.to_string().as_bytes()).data()
}

fn status(client: &Client, method: &str, path: &str) -> u16 {
    client.call(method, path, &[], b"").status
}

#[test]
fn the_sandbox_merchants_user_logs_in_and_the_token_works_as_a_key_does_until_it_is_revoked() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let file = switch.sandbox_json();
    let user = logged_in(&client, text(&file, "username"), text(&file, "password"));
    let sale = user.pay(&payment("sale", 1_112, VISA)).data();
    assert_eq!((text(&sale, "status"), text(&sale, "user_name")), ("pending_settlement", text(&file, "username")));
    assert_eq!(user.get(text(&sale, "id")), client.get(text(&sale, "id")));
    let me = user.call("GET", "/api/user", &[], b"").data();
    assert_eq!((&me["id"], &me["account_type_id"]), (&sale["user_id"], &file["merchant_id"]));
    assert_eq!(client.call("GET", "/api/user", &[], b"").data(), me, "the account's own key acts for its admin");
    let out = user.call("GET", "/api/logout", &[JSON], b"");
    assert_eq!(out.json(), json!({"status": "success", "msg": "Request processed successfully", "data": null}));
    assert_eq!((status(&user, "GET", "/api/user"), status(&user, "GET", "/api/logout")), (401, 401));
    let other = logged_in(&client, text(&file, "username"), text(&file, "password"));
    switch.kill9();
    switch.start_again();
    let address = switch.http();
    assert_eq!(status(&Client { address, ..user }, "GET", "/api/user"), 401, "revoked for good");
    assert_eq!(status(&Client { address, ..other }, "GET", "/api/user"), 200, "a token outlives a restart");
    assert_eq!(status(&switch.client(), "GET", "/api/logout"), 401, "a key is no token");
    switch.terminate();
}

#[test]
fn the_documents_samples_of_users_are_answered_as_printed() {
    let switch = shared();
    let client = switch.client();
    let made = client.call("POST", "/api/user", &[], NEW_USER.as_bytes()).data();
    for field in USER_FIELDS {
        assert!(made[field].is_string(), "{field} of {made}");
    }
    assert_eq!((text(&made, "account_type"), text(&made, "role"), text(&made, "status")), ("merchant", "admin", "active"));
    let path = format!("/api/user/{}", text(&made, "id"));
    assert_eq!(client.call("GET", &path, &[JSON], b"").data(), made);
    let change = br#"{"name": "test merchant user", "phone": "(674) 966-1211", "email": null, "role": "standard", "x": 1}"#;
    let changed = client.call("POST", &path, &[], change).data();
    assert_eq!(
        (&changed["phone"], &changed["email"], &changed["role"]),
        (&json!("(674) 966-1211"), &made["email"], &json!("standard"))
    );
    assert_eq!((&changed["username"], &changed["created_at"]), (&made["username"], &made["created_at"]));
    let all = client.call("GET", "/api/users", &[], b"").json();
    let listed = all["data"].as_array().unwrap();
    assert!(listed.contains(&changed) && all["total_count"] == listed.len() && all["count"] == listed.len(), "{all}");
    let taken = client.call("POST", "/api/user", &[], NEW_USER.to_uppercase().replace("USERNAME", "username").as_bytes());
    assert_eq!(taken.status, 400, "{}", taken.text());
    let user = logged_in(&client, "TestMerchant43", "T@est12345678");
    let body = br#"{"username": "testmerchant43", "current_password": "T@est12345678", "new_password": "another T@est1"}"#;
    let password = user.call("POST", "/api/user/change-password", &[], body);
    assert_eq!(password.json(), json!({"status": "success", "msg": "Request processed successfully", "data": null}));
    assert_eq!(status(&user, "GET", "/api/user"), 401, "tokens from before count no more");
    assert_eq!(token_auth(&client, "testmerchant43", "T@est12345678").status, 401);
    logged_in(&client, "testmerchant43", "another T@est1");
    let gone = client.call("DELETE", &path, &[JSON], b"");
    assert_eq!(gone.json(), json!({"status": "success", "msg": "successfully deleted", "data": null}));
    assert_eq!((status(&client, "GET", &path), status(&client, "DELETE", &path)), (404, 404));
    assert_eq!(token_auth(&client, "testmerchant43", "another T@est1").status, 401);
}

#[test]
fn a_standard_user_pays_and_reads_and_manages_nobody() {
    let switch = shared();
    let client = switch.client();
    let made = new_user(&client, "clerk", json!({"role": "standard"}));
    let clerk = logged_in(&client, "clerk", "T@est12345678");
    let sale = clerk.pay(&payment("sale", 1_113, VISA)).data();
    assert_eq!((&sale["user_id"], &sale["user_name"]), (&made["id"], &json!("clerk")));
    let own = format!("/api/user/{}", text(&made, "id"));
    let admin = client.call("GET", "/api/user", &[], b"").data();
    let admins = format!("/api/user/{}", text(&admin, "id"));
    assert_eq!(
        (status(&clerk, "GET", "/api/user"), status(&clerk, "GET", &own), status(&clerk, "GET", &admins)),
        (200, 200, 404)
    );
    for (method, path) in [("POST", "/api/user"), ("GET", "/api/users"), ("POST", own.as_str()), ("DELETE", admins.as_str())] {
        assert_eq!(status(&clerk, method, path), 403, "{method} {path}");
    }
    for (method, path) in [("POST", "/api/user/apikey"), ("GET", "/api/user/apikeys"), ("DELETE", "/api/user/apikey/x")] {
        assert_eq!(status(&clerk, method, path), 403, "{method} {path}");
    }
    let disabled = client.call("POST", &own, &[], br#"{"status": "disabled"}"#).data();
    assert_eq!((text(&disabled, "status"), status(&clerk, "GET", "/api/user")), ("disabled", 401), "at once");
    assert_eq!(token_auth(&client, "clerk", "T@est12345678").status, 401);
    assert_eq!(client.call("POST", &admins, &[], br#"{"role": "standard"}"#).status, 409, "nobody would be left");
    assert_eq!(status(&client, "DELETE", &admins), 409);
}

#[test]
fn keys_are_made_listed_and_deleted_as_clients_do() {
    let switch = shared();
    let client = switch.client();
    let sample = br#"{"name": "friendlyname", "type": "api"}"#;
    let made = client.call("POST", "/api/user/apikey", &[], sample).data();
    for field in ["id", "api_key", "name", "account_type", "account_type_id", "created_at", "updated_at"] {
        assert!(made[field].is_string(), "{field} of {made}");
    }
    let key = switch.client_with(text(&made, "api_key"));
    assert_eq!(key.sale(1_114, VISA)["response_code"], 100);
    for path in ["/api/user/apikeys", "/api/user/apikey"] {
        let list = client.call("GET", path, &[], b"").json();
        let listed = list["data"].as_array().unwrap();
        let ours = listed.iter().find(|listed| listed["id"] == made["id"]).unwrap_or_else(|| panic!("{list}"));
        assert_eq!((&list["total_count"], &list["count"]), (&json!(listed.len()), &json!(listed.len())));
        assert!(ours["api_key"].is_string() && !list.to_string().contains(text(&made, "api_key")), "shown once only");
    }
    let deleted = client.call("DELETE", &format!("/api/user/apikey/{}", text(&made, "api_key")), &[], b"{}");
    assert_eq!(deleted.json(), json!({"status": "success", "msg": "success", "data": null}));
    assert_eq!(key.pay(&payment("sale", 1_115, VISA)).status, 401, "at once");
    let bare = client.call("POST", "/api/user/apikey", &[], b"").data();
    let by_id = format!("/api/user/apikey/{}", text(&bare, "id"));
    assert_eq!((status(&client, "DELETE", &by_id), status(&client, "DELETE", &by_id)), (200, 404));
    let other = switch.client_with(keys::PUBLIC);
    for (method, path) in [("POST", "/api/user/apikey"), ("GET", "/api/user"), ("GET", "/api/users")] {
        assert_eq!(status(&other, method, path), 403, "a browser's key: {method} {path}");
    }
    let public = client.call("POST", "/api/user/apikey", &[], br#"{"type": "pub"}"#).data();
    let browser = switch.client_with(text(&public, "api_key"));
    let sale = browser.pay(&payment("sale", 1_116, VISA)).data();
    assert_eq!((&sale["response_code"], status(&browser, "GET", "/api/user/apikeys")), (&json!(100), 403));
    assert_eq!(client.call("POST", "/api/user/apikey", &[], br#"{"type": "root"}"#).status, 400);
}

#[test]
fn five_wrong_passwords_lock_a_name_out_whether_or_not_anybody_has_it() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    new_user(&client, "locked", json!({}));
    let mut answers = Vec::new();
    for username in ["locked", "nobody"] {
        let said: Vec<_> =
            (0..6).map(|_| token_auth(&client, username, "wrong")).map(|said| (said.status, said.text())).collect();
        assert_eq!(said.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [401, 401, 401, 401, 401, 429], "{said:?}");
        answers.push(
            said.into_iter()
                .map(|(status, text)| (status, text.replace(|digit: char| digit.is_ascii_digit(), "")))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(answers[0], answers[1]);
    let right = token_auth(&client, "locked", "T@est12345678");
    assert_eq!((right.status, right.header("retry-after").is_some()), (429, true));
    switch.kill9();
    switch.start_again();
    assert_eq!(token_auth(&switch.client(), "locked", "T@est12345678").status, 429, "a restart unlocks nobody");
    switch.terminate();
}

/// The mails in a data folder that were sent to an address, oldest first.
fn mails(data: &Path, to: &str) -> Vec<String> {
    let mut files: Vec<_> =
        fs::read_dir(data.join("mail")).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    files.retain(|path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    files.iter().filter_map(|path| fs::read_to_string(path).ok()).filter(|mail| mail.contains(to)).collect()
}

#[track_caller]
fn mail(data: &Path, to: &str, count: usize) -> String {
    let mut last = String::new();
    eventually(Duration::from_secs(5), || {
        let mut found = mails(data, to);
        last = found.pop().unwrap_or_default();
        if found.len() + 1 >= count && !last.is_empty() { Ok(()) } else { Err(format!("{} mails to {to}", found.len())) }
    });
    last
}

#[test]
fn a_forgotten_name_and_a_forgotten_password_come_by_mail() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    new_user(&client, "forgetful", json!({"email": "forgetful@website.com"}));
    let ask = |path: &str, body: Value| client.stranger("POST", path, &[JSON], body.to_string().as_bytes());
    let processed = json!({"status": "success", "msg": "Request processed successfully", "data": null});
    for address in ["forgetful@website.com", "nobody@website.com"] {
        assert_eq!(ask("/api/forgot-username", json!({"email": address})).json(), processed);
    }
    assert!(mail(&switch.data(), "forgetful@website.com", 1).contains("forgetful\r\n"));
    for username in ["forgetful", "nobody"] {
        assert_eq!(ask("/api/user/forgot-password", json!({"username": username})).json(), processed);
    }
    let letter = mail(&switch.data(), "forgetful@website.com", 2);
    let code = letter.lines().find(|line| line.len() == 32 && line.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let code = code.unwrap_or_else(|| panic!("a code in {letter}")).to_owned();
    let reset = |username: &str, code: &str| {
        ask("/api/forgot-password/reset", json!({"username": username, "reset_code": code, "password": "N3w password"}))
    };
    let (wrong, nobodys) = (reset("forgetful", "0123"), reset("nobody", "0123"));
    assert_eq!((wrong.status, wrong.text()), (400, nobodys.text()));
    let session = logged_in(&client, "forgetful", "T@est12345678");
    assert_eq!(reset("forgetful", &code).json(), processed);
    assert_eq!((status(&session, "GET", "/api/user"), token_auth(&client, "forgetful", "T@est12345678").status), (401, 401));
    logged_in(&client, "forgetful", "N3w password");
    assert_eq!(reset("forgetful", &code).status, 400, "a code works once");
    assert!(mails(&switch.data(), "nobody").is_empty());
    let asked: Vec<u16> = (0..10).map(|_| ask("/api/forgot-username", json!({"email": "x@website.com"})).status).collect();
    assert_eq!(asked.last(), Some(&429), "ten a minute: {asked:?}");
}

#[test]
fn mails_go_to_the_configured_server() {
    let server = MailServer::start();
    let switch = Switch::start(Options { smtp: Some(server.addr), ..Options::default() });
    let client = switch.client();
    new_user(&client, "by_mail", json!({"email": "by.mail@website.com"}));
    let ask = |path: &str, body: Value| client.stranger("POST", path, &[JSON], body.to_string().as_bytes()).status;
    assert_eq!(ask("/api/forgot-username", json!({"email": "by.mail@website.com"})), 200);
    assert_eq!(ask("/api/forgot-password", json!({"username": "by_mail"})), 200);
    let mut letters = Vec::new();
    eventually(Duration::from_secs(10), || {
        letters = server.letters_to("by.mail@website.com");
        if letters.len() == 2 { Ok(()) } else { Err(format!("{letters:?}")) }
    });
    for letter in &letters {
        assert_eq!((letter.from.as_str(), letter.to.len()), ("shop@example.com", 1), "{letter:?}");
        assert!(letter.text.contains("From: Shop <shop@example.com>\r\n"), "{}", letter.text);
    }
    assert!(letters.iter().any(|letter| letter.text.contains("\r\nby_mail\r\n")), "{letters:?}");
    let is_code = |line: &str| line.len() == 32 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code =
        letters.iter().find_map(|letter| letter.text.lines().find(|line| is_code(line)).map(str::to_owned)).expect("a code");
    let reset = json!({"username": "by_mail", "reset_code": code, "password": "N3w password"});
    assert_eq!(ask("/api/forgot-password/reset", reset), 200);
    logged_in(&client, "by_mail", "N3w password");
    assert!(!switch.data().join("mail").exists(), "none is left as a file");
}

#[test]
fn what_is_no_user_and_no_password_is_said_with_its_field() {
    let switch = shared();
    let client = switch.client();
    let bad = [
        (json!({"username": null}), "username"),
        (json!({"username": "two words"}), "username"),
        (json!({"password": "short"}), "password"),
        (json!({"email": "nobody"}), "email"),
        (json!({"phone": "call me"}), "phone"),
        (json!({"timezone": "Mars/Olympus_Mons"}), "timezone"),
        (json!({"role": "root"}), "role"),
        (json!({"status": 1}), "status"),
    ];
    for (changes, field) in bad {
        let mut body: Value = serde_json::from_str(NEW_USER).unwrap();
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = client.call("POST", "/api/user", &[], body.to_string().as_bytes());
        let said = answer.json();
        assert_eq!(answer.status, 400, "{said}");
        assert!(text(&said, "msg").starts_with(&format!("bad request error: invalid {field}: ")), "{said}");
    }
    let none = client.stranger("POST", "/api/token-auth", &[FORM], b"username=x");
    assert_eq!((none.status, text(&none.json(), "msg").contains("password")), (400, true));
    assert_eq!(client.stranger("GET", "/api/users", &[], b"").status, 401);
    assert_eq!(status(&switch.client_with("Bearer eyJh.eyJz.x"), "GET", "/api/user"), 401);
}

#[test]
fn another_merchants_users_and_keys_are_not_there() {
    let host = tests::HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let (client, other) = (switch.client(), switch.client_with(keys::OTHER));
    let user = new_user(&client, "ours", json!({}));
    let key = client.call("POST", "/api/user/apikey", &[], b"{}").data();
    let path = format!("/api/user/{}", text(&user, "id"));
    for method in ["GET", "POST", "DELETE"] {
        assert_eq!(status(&other, method, &path), 404, "{method}");
    }
    assert_eq!(status(&other, "DELETE", &format!("/api/user/apikey/{}", text(&key, "id"))), 404);
    let change = br#"{"username": "ours", "current_password": "T@est12345678", "new_password": "another one"}"#;
    assert_eq!(other.call("POST", "/api/user/change-password", &[], change).status, 400);
    assert_eq!(other.call("GET", "/api/users", &[], b"").json()["data"], json!([]));
    assert_eq!(client.call("GET", &path, &[], b"").data(), user);
    switch.terminate();
}
