//! No card data at rest in clear (I9): after a busy run with all test cards, nothing that the switch has written or answered holds
//! a full card number, a verification value, a track or a key.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tests::client::id;
use tests::http::{Connection, Response};
use tests::payment::{APPROVED, DECLINED, EXPIRED, HALF, INSUFFICIENT, REFUND_DECLINED, VISA, amount, payment, with};
use tests::switch::keys;
use tests::{HostProcess, Options, Switch};

/// Four digits with a leading zero: no counter, port or fraction of a second looks like them.
const CVVS: [&str; 3] = ["0731", "0942", "0517"];
const TRACK_2: &str = "4012000098765439=40121015432112345678";

/// Every file below a folder with its bytes, but for the zeros with which segments are written ahead.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder can be listed") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.append(&mut files(&path)),
            false => {
                let mut bytes = fs::read(&path).expect("a file can be read");
                bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
                found.insert(path, bytes);
            }
        }
    }
    found
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    let first = wanted[0];
    bytes.windows(wanted.len()).any(|window| window[0] == first && window == wanted)
}

/// The value as a word of its own, not as a part of a longer number.
fn holds_word(bytes: &[u8], word: &str) -> bool {
    let word = word.as_bytes();
    let is_end = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_alphanumeric);
    let at =
        |place: usize| is_end(place.checked_sub(1).and_then(|before| bytes.get(before))) && is_end(bytes.get(place + word.len()));
    bytes.windows(word.len()).enumerate().any(|(place, window)| window == word && at(place))
}

/// A number as binary-coded decimals, as a host's record may hold it.
fn packed(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| byte - b'0';
    digits.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// What must be nowhere: a name for the complaint, and a test for bytes.
fn complaints(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for card in APPROVED.into_iter().chain([DECLINED, INSUFFICIENT, EXPIRED, HALF, REFUND_DECLINED]) {
        if holds(bytes, card.as_bytes()) || holds(bytes, &packed(card)) {
            found.push(format!("the card number {card}"));
        }
    }
    for cvv in CVVS {
        let in_context = format!("CV004{cvv}");
        if holds_word(bytes, cvv) || holds(bytes, in_context.as_bytes()) {
            found.push(format!("the verification value {cvv}"));
        }
    }
    let (discretionary, after_number) = (&TRACK_2[21..], &TRACK_2[16..26]);
    if holds(bytes, discretionary.as_bytes()) || holds(bytes, after_number.as_bytes()) {
        found.push("track 2".to_owned());
    }
    found
}

/// Payments, steps, faults and mistakes with all cards; gives every answer's bytes.
fn busy(switch: &Switch, host: &HostProcess) -> Vec<u8> {
    let client = switch.client();
    let mut heard = Vec::new();
    let mut hear = |response: Response| {
        heard.extend_from_slice(&response.body);
        response.headers.iter().for_each(|(_, value)| heard.extend_from_slice(value.as_bytes()));
        response
    };
    let cards = APPROVED.into_iter().chain([DECLINED, INSUFFICIENT, EXPIRED, HALF, REFUND_DECLINED]);
    for (number, card) in cards.enumerate() {
        let cvc =
            json!({"payment_method": {"card": {"cvc": CVVS[number % CVVS.len()]}}, "idempotency_key": format!("s{number}")});
        for verb in ["sale", "authorize", "credit"] {
            let body = with(payment(verb, 9_000 + number as u64, card), &cvc);
            let made = hear(client.pay(&body));
            if verb == "sale" && made.status == 200 {
                hear(client.pay(&body));
                hear(client.call("GET", &format!("/api/transaction/{}", id(&made.data())), &[], b""));
            }
        }
    }
    let swiped = json!({"payment_method": {"card": {"entry_type": "swiped", "track_2": TRACK_2, "number": null, "expiration_date": null}}});
    assert_eq!(hear(client.pay(&with(payment("sale", 9_100, VISA), &swiped))).data()["response_code"], 100);
    for minor in [amount::ANSWER_LOST, amount::GARBAGE, amount::CUT] {
        hear(client.pay(&with(payment("sale", minor, VISA), &json!({"payment_method": {"card": {"cvc": CVVS[0]}}}))));
    }
    for mistake in mistakes() {
        hear(client.call("POST", "/api/transaction", &[], mistake.as_bytes()));
    }
    hear(client.call("GET", &format!("/api/transaction/{VISA}"), &[], b""));
    hear(client.call("GET", &format!("/{VISA}?cvc={}", CVVS[1]), &[], b""));
    for garbage in [format!("{VISA} cvc={}\r\n\r\n", CVVS[2]), format!("GET /{VISA}\u{e9} HTTP/9\r\n{VISA}: {VISA}\r\n\r\n")] {
        let mut connection = Connection::open(client.address).expect("the switch listens");
        connection.send(garbage.as_bytes()).expect("it can be sent");
        hear(connection.receive(false).expect("an answer that says that this is no HTTP"));
    }
    let held = client.authorize(9_200, VISA);
    hear(client.capture(id(&held), 9_000));
    hear(switch.operator().call("POST", "/operator/processors/card/settle", &[], b""));
    hear(client.refund(id(&held), 100));
    drop(host.control.ledger());
    heard
}

/// Bodies that are refused with card data in them, also where it does not belong.
fn mistakes() -> Vec<String> {
    let misplaced = |fields: Value| with(payment("sale", 1, VISA), &fields).to_string();
    vec![
        format!("{{\"payment_method\":{{\"card\":{{\"number\":\"{VISA}\",\"cvc\":\"{}\"", CVVS[1]),
        misplaced(json!({"payment_method": {"card": {"number": format!("{VISA}0"), "cvc": CVVS[1]}}})),
        misplaced(json!({"payment_method": {"card": {"number": VISA.parse::<u64>().expect("digits")}}})),
        misplaced(json!({"payment_method": {"card": {"cvc": format!("{}x", CVVS[2])}}})),
        misplaced(json!({"type": VISA})),
        misplaced(json!({"currency": VISA})),
        misplaced(json!({"processor_id": VISA})),
        misplaced(json!({"payment_method": {"card": {"entry_type": "swiped", "track_2": format!("{TRACK_2}x")}}})),
        misplaced(json!({"amount": VISA})),
    ]
}

#[test]
fn nothing_written_or_answered_holds_card_data_or_keys() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { log: Some("trace"), timeout_ms: 300, ..Options::with_host(host.addr) });
    let heard = busy(&switch, &host);
    assert_eq!(complaints(&heard), Vec::<String>::new(), "in an answer");
    let while_it_runs = files(switch.data().as_path());
    switch.kill9();
    switch.start_again();
    let mut written = files(switch.folder().path());
    written.extend(files(host.folder().path()));
    written.extend(while_it_runs);
    assert!(written.keys().any(|path| path.ends_with("switch.log")) && written.len() > 6, "{:?}", written.keys());
    let trace = String::from_utf8_lossy(&written[&switch.log_file()]).into_owned();
    assert!(trace.contains("DEBUG"), "the log is as chatty as it can be");
    let mut found = Vec::new();
    for (path, bytes) in written.iter().filter(|(path, _)| !path.ends_with("switchyard.toml")) {
        found.extend(complaints(bytes).into_iter().map(|what| format!("{what} in {}", path.display())));
        for key in [keys::API, keys::PUBLIC, keys::OTHER, keys::OPERATOR] {
            let is_told = path.ends_with("sandbox.json");
            if holds(bytes, key.as_bytes()) && !is_told {
                found.push(format!("the key {key} in {}", path.display()));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
    assert_sealing_keys_are_only_where_they_belong(&switch, &written);
}

fn assert_sealing_keys_are_only_where_they_belong(switch: &Switch, written: &BTreeMap<PathBuf, Vec<u8>>) {
    let home = switch.data().join("keys");
    let sealing: Vec<&Vec<u8>> = written.iter().filter(|(path, _)| path.starts_with(&home)).map(|(_, bytes)| bytes).collect();
    assert!(!sealing.is_empty());
    for key in sealing {
        // A key file may begin with words; its last bytes are key in any case.
        let secret = &key[key.len() - 16..];
        for (path, bytes) in written.iter().filter(|(path, _)| !path.starts_with(&home)) {
            assert!(!holds(bytes, secret), "a sealing key is in {}", path.display());
        }
    }
}

#[test]
fn every_file_of_the_data_folder_is_its_owners_only() {
    let mut switch = Switch::sandboxed();
    switch.client().sale(9_300, VISA);
    switch.operator().settle();
    switch.kill9();
    switch.start_again();
    switch.client().sale(9_301, VISA);
    let mut open = Vec::new();
    let mut folders = vec![switch.data()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).expect("a folder can be listed").map(|entry| entry.expect("an entry").path()) {
            let mode = fs::metadata(&path).expect("a file has a mode").permissions().mode() & 0o777;
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            if mode != expected {
                open.push(format!("{} is {mode:o}", path.display()));
            }
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    assert_eq!(open, Vec::<String>::new());
    let mode = fs::metadata(switch.data()).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
}
