//! A client in another language, written from the formats' page alone: what it is told is what REST says.

use crate::{DECLINED, VISA, Verb, approved, payment};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tests::binary::switchyard;
use tests::switch::keys;
use tests::{Options, Switch};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/binary/peer.py");

/// Has it ask, step by step, and returns each ask's answer.
#[track_caller]
fn ask(switch: &Switch, ca_file: Option<&Path>, steps: &Value) -> Vec<Value> {
    let mut python = Command::new("python3");
    python.arg(PROGRAM).arg(switch.binary().to_string()).arg(keys::API).args(ca_file);
    let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 is there");
    let written = python.stdin.take().expect("its input").write_all(steps.to_string().as_bytes());
    let output = python.wait_with_output().expect("it ends");
    assert!(written.is_ok() && output.status.success(), "{}", output.status);
    let answered: Vec<Vec<Value>> = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    answered.concat()
}

#[test]
fn what_the_page_says_is_enough_for_a_payments_whole_life() {
    let switch = Switch::sandboxed();
    let steps = json!([
        [
            { "verb": "sale", "amount": 12_99, "card": VISA, "key": "peer-sale", "order_id": "peer-1" },
            { "verb": "authorize", "amount": 40_00, "card": VISA, "key": "peer-auth", "order_id": "peer-2" },
            { "verb": "sale", "amount": 10_00, "card": DECLINED },
            { "verb": "verification", "card": VISA },
        ],
        [{ "verb": "capture", "target": 1, "amount": 30_00, "key": "peer-capture" }],
        [{ "verb": "authorize", "amount": 7_00, "card": VISA }],
        [{ "verb": "void", "target": 5 }],
        [
            { "target": 0 }, { "find_order_id": "peer-2" }, { "find_key": "peer-capture" }, { "find_key": "peer-none" },
            { "verb": "sale", "amount": 12_99, "card": VISA, "key": "peer-sale", "order_id": "peer-1" },
            { "verb": "sale", "amount": 0, "card": VISA },
        ],
    ]);
    let answers = ask(&switch, None, &steps);
    let told = |place: usize| (&answers[place]["code"], &answers[place]["outcomes"][0]["status"]);
    let pending = json!("pending_settlement");
    assert_eq!((told(0), told(1)), ((&json!(100), &pending), (&json!(100), &json!("authorized"))));
    assert_eq!(told(2).1, &json!("declined"));
    assert_eq!((told(4), &answers[4]["outcomes"][0]["captured"]), ((&json!(100), &pending), &json!(30_00)));
    assert_eq!(told(6), (&json!(100), &json!("voided")));
    assert_eq!((&answers[7]["outcomes"], &answers[8]["found"]), (&answers[0]["outcomes"], &json!(1)));
    assert_eq!((&answers[9]["outcomes"], &answers[10]["answer"]), (&answers[4]["outcomes"], &json!("refused")));
    assert_eq!((&answers[11]["replayed"], &answers[11]["outcomes"]), (&json!(true), &answers[0]["outcomes"]));
    assert_eq!((&answers[12]["answer"], &answers[12]["code"]), (&json!("invalid"), &json!(4)));
    for (place, order_id) in [(0, "peer-1"), (4, "peer-2")] {
        assert_rest_agrees(&switch, &answers[place]["outcomes"][0], order_id);
    }

    switch.operator().settle();
    let sale = &answers[0]["outcomes"][0]["id"];
    let refund = json!({ "verb": "refund", "target": sale, "amount": 2_99, "key": "peer-refund" });
    let answers = ask(&switch, None, &json!([[refund, { "target": sale }], [{ "target": sale }]]));
    let refund = &answers[0]["outcomes"][0];
    assert_eq!((&answers[0]["code"], &refund["parent"], &refund["amount"]), (&json!(100), sale, &json!(2_99)));
    assert_eq!(answers[2]["outcomes"][0]["refunded"], json!(2_99));
}

/// The same transaction by the other front, found by the merchant's number for it.
#[track_caller]
fn assert_rest_agrees(switch: &Switch, outcome: &Value, order_id: &str) {
    let search = json!({ "order_id": { "operator": "=", "value": order_id } }).to_string();
    let found = switch.client().call("POST", "/api/transaction/search", &[], search.as_bytes()).json();
    let shown = &found["data"][0];
    for (ours, theirs) in [
        ("status", "status"),
        ("amount", "amount"),
        ("authorized", "amount_authorized"),
        ("captured", "amount_captured"),
        ("response_code", "response_code"),
    ] {
        assert_eq!(outcome[ours], shown[theirs], "{ours} of {order_id}: {shown}");
    }
}

#[test]
fn both_fronts_speak_tls_under_one_certificate_and_nothing_in_clear() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let fronts = format!("tls_certificate = {certificate:?}\ntls_key = {key:?}\nbinary_loops = 3\n");
    let switch = Switch::start(Options { fronts, ..Options::default() });

    let many: Vec<Value> = (0..300).map(|number| json!({ "verb": "sale", "amount": 10_00 + number, "card": VISA })).collect();
    let answers = ask(&switch, Some(&certificate), &json!([many, [{ "target": 7 }]]));
    assert_eq!(answers.len(), 301);
    assert!(answers.iter().all(|answer| answer["code"] == 100), "{answers:?}");
    let mut client = client::Client::over(under_tls(&switch, made.cert.der().clone()), keys::API).unwrap();
    approved(&client.call(&payment(Verb::Sale, 10_00, VISA).into()).unwrap());
    let (mut plain, mut cut_off) = (crate::Plain::connect(switch.binary()), [0; 64]);
    plain.send(&crate::hello(keys::API, 3));
    let heard = std::io::Read::read(&mut plain.0, &mut cut_off).unwrap_or(0);
    assert!(heard == 0 || cut_off[0] == 0x15, "an alert of TLS at most: {:?}", &cut_off[..heard]);

    let mut curl = Command::new("python3");
    curl.args(["-c", FETCH]).arg(switch.http().port().to_string()).arg(&certificate);
    let output = curl.output().expect("python3 is there");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "200 max-age=31536000", "{}", String::from_utf8_lossy(&output.stderr));
    rotates_its_keys(&switch, &certificate);
}

/// The operator's command goes over TLS too, and gives no key to whoever can't prove to be the switch.
fn rotates_its_keys(switch: &Switch, certificate: &Path) {
    let rotate = |proof: &[&str]| {
        let mut command = Command::new(switchyard());
        command.args(["keys", "rotate", "--http", &switch.http().to_string()]).args(proof);
        let output = command.env("SWITCHYARD_OPERATOR_KEY", keys::OPERATOR).output().expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let certificate = certificate.to_str().expect("a path");
    let (is_done, said) = rotate(&["--tls", "localhost", "--ca", certificate]);
    assert!(is_done && said.starts_with("key 2 seals"), "{said}");
    for proof in [&["--tls", "elsewhere.example", "--ca", certificate][..], &["--tls", "localhost"], &[]] {
        let (is_done, said) = rotate(proof);
        assert!(!is_done && said.contains("rotate the seal key at"), "{proof:?}: {said}");
    }
}

/// The library's blocking stream, which trusts this certificate only.
fn under_tls(switch: &Switch, certificate: CertificateDer<'static>) -> StreamOwned<ClientConnection, TcpStream> {
    let mut trusted = RootCertStore::empty();
    trusted.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(trusted).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(connection, TcpStream::connect(switch.binary()).unwrap())
}

/// Asks for the health over HTTPS, and prints the status and what the answer says of TLS from here on.
const FETCH: &str = r#"
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[2])
answer = urllib.request.urlopen(f"https://localhost:{sys.argv[1]}/healthz", context=context, timeout=20)
print(answer.status, answer.headers["strict-transport-security"])
"#;
