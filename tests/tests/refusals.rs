//! What is refused: wrong bodies, keys, methods, sizes and manners. Each refusal says why, and nothing is left behind in the
//! journal or at the host.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tests::books::Books;
use tests::client::id;
use tests::http::{Connection, Response, exchange};
use tests::payment::{VISA, payment, with};
use tests::switch::{keys, shared};
use tests::{Options, Switch};

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn key(key: &str) -> (&'static str, &str) {
    ("Authorization", key)
}

fn card(fields: &Value) -> Value {
    with(payment("sale", 5_001, VISA), &json!({"payment_method": {"card": fields}}))
}

fn sale(fields: &Value) -> Value {
    with(payment("sale", 5_002, VISA), fields)
}

fn without(name: &str) -> Value {
    let mut body = payment("sale", 5_003, VISA);
    body.as_object_mut().expect("an object").remove(name);
    body
}

/// Bodies that must be refused, with the words that the message must hold: the field that is wrong.
fn wrong_bodies() -> Vec<(Value, &'static str)> {
    let number = "payment_method.card.number";
    let expiry = "payment_method.card.expiration_date";
    let mut rows = vec![
        (without("type"), "type"),
        (sale(&json!({"type": "charge"})), "type"),
        (sale(&json!({"type": 5})), "type"),
        (sale(&json!({"type": "refund"})), "type"),
        (without("amount"), "amount"),
        (without("payment_method"), "payment_method"),
        (sale(&json!({"payment_method": "card"})), "payment_method"),
        (sale(&json!({"payment_method": {"token": "tok_1"}})), "payment_method"),
        (sale(&json!({"payment_method": {"card": null}})), "payment_method"),
        (payment("verification", 5, VISA), "amount"),
        (card(&json!({"number": null})), number),
        (card(&json!({"number": "4012000098765438"})), number),
        (card(&json!({"number": "4012 0000 9876 5439"})), number),
        (card(&json!({"number": 4_012_000_098_765_439_u64})), number),
        (card(&json!({"number": ""})), number),
        (card(&json!({"number": "4".repeat(20)})), number),
        (card(&json!({"expiration_date": "13/30"})), expiry),
        (card(&json!({"expiration_date": "2030-12"})), expiry),
        (card(&json!({"expiration_date": null})), expiry),
        (card(&json!({"cvc": "12"})), "payment_method.card.cvc"),
        (card(&json!({"cvc": "12a"})), "payment_method.card.cvc"),
        (card(&json!({"cvc": 999})), "payment_method.card.cvc"),
        (card(&json!({"entry_type": "dipped"})), "payment_method.card.entry_type"),
        (card(&json!({"entry_type": "swiped", "track_2": "x"})), "payment_method.card.track_2"),
        (card(&json!({"cardholder_authentication": []})), "cardholder_authentication"),
    ];
    let amounts =
        ["-1", "0", "1.5", "\"1e3\"", "\"ten\"", "true", "[]", "1000000000000", "18446744073709551616", "-0.0", "1e400"];
    rows.extend(amounts.map(|amount| {
        let amount: Value = serde_json::from_str(amount).unwrap_or_else(|_| json!("out of any range"));
        (sale(&json!({ "amount": amount })), "amount")
    }));
    let fields = [
        ("currency", json!("ZZZ")),
        ("currency", json!(840)),
        ("ip_address", json!("999.1.1.1")),
        ("email_address", json!("nobody")),
        ("order_id", json!("x".repeat(51))),
        ("description", json!("x".repeat(256))),
        ("description", json!({})),
        ("tax_amount", json!(-1)),
        ("tax_exempt", json!("yes")),
        ("email_receipt", json!(1)),
        ("billing_address", json!("Wheaton")),
        ("billing_address.state", json!({"state": "Illinois"})),
        ("billing_address.country", json!({"country": "USA"})),
        ("shipping_address.postal_code", json!({"postal_code": "6018712345678"})),
        ("shipping_address.email", json!({"email": "a@b"})),
        ("processor_id", json!("nowhere")),
        ("idempotency_key", json!("two words")),
        ("idempotency_key", json!("x".repeat(65))),
        ("line_items", json!("one")),
        ("payment_adjustment.type", json!({"type": "generous"})),
    ];
    rows.extend(fields.map(|(path, value)| (sale(&json!({ path.split('.').next().unwrap_or(path): value })), path)));
    rows.push((sale(&json!({"idempotency_key": "k", "idempotency_time": 0})), "idempotency_time"));
    rows.push((sale(&json!({"idempotency_key": "k", "idempotency_time": 86_401})), "idempotency_time"));
    rows
}

#[test]
fn every_wrong_body_is_refused_by_the_field_that_is_wrong_and_leaves_nothing() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let held = client.authorize(5_000, VISA);
    let (records, entries) = (Books::read(&switch.journal()).records, switch.control().ledger());
    for (body, field) in wrong_bodies() {
        let (status, said) = client.pay(&body).refusal();
        assert_eq!(status, 400, "{said} for {body}");
        assert!(said.starts_with("bad request error") && said.contains(field), "{field} is not named in {said:?} for {body}");
        assert!(!said.contains("40120000"), "the card number is repeated: {said}");
    }
    for (verb, body, field) in [
        ("capture", json!({"amount": "much"}), "amount"),
        ("capture", json!({"amount": -5}), "amount"),
        ("capture", json!({"tax_amount": {}}), "tax_amount"),
        ("void", json!({"idempotency_key": "two words"}), "idempotency_key"),
        ("refund", json!({"amount": 1.25}), "amount"),
    ] {
        let (status, said) = client.step(id(&held), verb, &[], &body).refusal();
        assert_eq!(status, 400, "{verb} {body}: {said}");
        assert!(said.contains(field), "{verb} {body}: {said}");
    }
    assert_eq!(Books::read(&switch.journal()).records, records, "a refused body is in the journal");
    assert_eq!(switch.control().ledger(), entries, "a refused body reached the host");
}

#[test]
fn bodies_that_are_not_json_are_refused_and_nothing_breaks() {
    let switch = shared();
    let client = switch.client();
    let deep = format!("{{\"line_items\":{}", "[".repeat(200_000));
    let deep_and_closed = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let texts = [
        "",
        "{",
        "[]",
        "null",
        "\"sale\"",
        "7",
        "{\"type\":}",
        "{'type':'sale'}",
        "{\"type\":\"sale\"",
        "{}{}",
        &deep,
        &deep_and_closed,
    ];
    for text in texts {
        let (status, said) = client.call("POST", "/api/transaction", &[], text.as_bytes()).refusal();
        let shown: String = text.chars().take(40).collect();
        assert_eq!(status, 400, "{said} for {shown}");
    }
    for bytes in [&b"\xff\xfe{}"[..], b"{\"type\":\"sal\xc3\x28\"}", b"{\"type\":\"\\ud800\"}", b"{\"description\":\"a\x00b\"}"] {
        assert_eq!(client.call("POST", "/api/transaction", &[], bytes).refusal().0, 400, "{bytes:?}");
    }
    assert_eq!(client.sale(5_100, VISA)["response_code"], 100);
}

#[test]
fn only_known_keys_get_in_and_a_public_key_only_pays() {
    let switch = shared();
    let client = switch.client();
    let path = format!("/api/transaction/{}", id(&client.sale(5_200, VISA)));
    let body = payment("sale", 5_201, VISA).to_string();
    let strangers = ["nonsense", "Bearer", "Bearer nonsense", "Basic YXBpOg==", keys::OPERATOR, ""];
    for presented in strangers {
        for (method, path, body) in [("POST", "/api/transaction", body.as_str()), ("GET", path.as_str(), "")] {
            let refused = client.stranger(method, path, &[key(presented), JSON], body.as_bytes()).refusal();
            assert_eq!(refused, (401, "unauthorized".to_owned()), "{presented:?} {method}");
        }
    }
    assert_eq!(client.stranger("POST", "/api/transaction", &[JSON], body.as_bytes()).refusal().0, 401);
    assert_eq!(client.stranger("GET", &path, &[key(&format!("Bearer {}", keys::API))], b"").status, 200);
    let settle = "/operator/processors/card/settle";
    assert_eq!(client.call("POST", settle, &[], b"").refusal().0, 401, "a merchant is no operator");
    assert_eq!(client.stranger("POST", settle, &[], b"").refusal().0, 401);
    let public = switch.client_with(keys::PUBLIC);
    assert_eq!(public.sale(5_202, VISA)["response_code"], 100);
    assert_eq!(public.call("GET", &path, &[], b"").refusal().0, 403);
    for verb in ["capture", "void", "refund"] {
        assert_eq!(public.call("POST", &format!("{path}/{verb}"), &[], b"{}").refusal().0, 403, "{verb}");
    }
    let paid_out = |client: &tests::Client| client.pay(&payment("credit", 5_203, VISA));
    let (status, said) = paid_out(&public).refusal();
    assert_eq!(status, 403, "what a browser holds never pays out");
    assert!(said.starts_with("forbidden"), "{said}");
    assert!(!switch.control().ledger().iter().any(|entry| entry.amount == 5_203), "the credit reached the host");
    assert_eq!(paid_out(&client).data()["response_code"], 100);
}

#[test]
fn what_is_not_there_is_404_and_what_can_not_be_done_there_405_with_allow() {
    let switch = shared();
    let client = switch.client();
    let made = client.sale(5_300, VISA);
    let path = format!("/api/transaction/{}", id(&made));
    for missing in [
        "/",
        "/api",
        "/api/transactions",
        "/nothing",
        "/api/transaction/",
        "/api/transaction/b7kgflt1tlv51er0fts0",
        "/api/transaction/x",
        "/api/transaction/%00",
        "/api/transaction/%ff",
    ] {
        assert_eq!(client.call("GET", missing, &[], b"").refusal().0, 404, "{missing}");
    }
    assert_eq!(client.step("b7kgflt1tlv51er0fts0", "void", &[], &json!({})).refusal().0, 404);
    let rows = [
        ("GET", "/api/transaction".to_owned(), "POST"),
        ("GET", format!("{path}/void"), "POST"),
        ("DELETE", path.clone(), "GET"),
        ("PUT", format!("{path}/capture"), "POST"),
        ("POST", "/healthz".to_owned(), "GET"),
    ];
    for (method, path, allowed) in rows {
        let refused = client.call(method, &path, &[], b"");
        assert_eq!(refused.refusal().0, 405, "{method} {path}");
        assert!(refused.header("allow").is_some_and(|allow| allow.contains(allowed)), "{method} {path}: {:?}", refused.headers);
    }
    let head = client.call("HEAD", &path, &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let options = client.call("OPTIONS", &path, &[], b"");
    assert!(matches!(options.status, 200 | 204 | 405) && options.header("allow").is_some(), "{options:?}");
}

#[test]
fn a_body_too_large_is_413_and_one_of_another_type_415() {
    let switch = shared();
    let client = switch.client();
    let padded = with(payment("sale", 5_400, VISA), &json!({"padding": "x".repeat(1 << 20)})).to_string();
    assert_eq!(client.call("POST", "/api/transaction", &[], padded.as_bytes()).refusal().0, 413);
    let mut chunked = Connection::open(switch.http()).expect("the switch listens");
    let head = format!(
        "POST /api/transaction HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        keys::API
    );
    chunked.send(head.as_bytes()).expect("a head can be sent");
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    // The switch may answer and close before all of it is sent.
    let _ = (0..20).try_for_each(|_| chunked.send(&chunk)).and_then(|()| chunked.send(b"0\r\n\r\n"));
    assert_eq!(chunked.receive(false).expect("an answer before the end of the body").status, 413);
    let body = payment("sale", 5_401, VISA).to_string();
    for wrong in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json"] {
        let headers = [key(keys::API), ("Content-Type", wrong)];
        assert_eq!(client.stranger("POST", "/api/transaction", &headers, body.as_bytes()).refusal().0, 415, "{wrong}");
    }
    for right in ["application/json; charset=UTF-8", "APPLICATION/JSON"] {
        let headers = [key(keys::API), ("Content-Type", right)];
        assert_eq!(client.stranger("POST", "/api/transaction", &headers, body.as_bytes()).status, 200, "{right}");
    }
}

#[test]
fn every_answer_carries_a_request_id_and_a_sane_one_is_the_callers() {
    let switch = shared();
    let client = switch.client();
    let path = format!("/api/transaction/{}", id(&client.sale(5_500, VISA)));
    let answers = [
        client.call("GET", &path, &[], b""),
        client.call("GET", "/nothing", &[], b""),
        client.call("DELETE", &path, &[], b""),
        client.call("POST", "/api/transaction", &[], b"{"),
        client.stranger("GET", &path, &[], b""),
        client.stranger("GET", "/healthz", &[], b""),
        client.stranger("GET", "/readyz", &[], b""),
    ];
    let mut seen: Vec<&str> = answers.iter().map(request_id).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), answers.len(), "an id was given twice");
    let named = client.call("GET", &path, &[("X-Request-Id", "from-the-caller.1")], b"");
    assert_eq!(request_id(&named), "from-the-caller.1");
    for insane in ["two words", &"x".repeat(1_000), "\u{e9}"] {
        let named = client.call("GET", &path, &[("X-Request-Id", insane)], b"");
        assert_ne!(request_id(&named), insane);
    }
}

fn request_id(response: &Response) -> &str {
    let id =
        response.header("x-request-id").unwrap_or_else(|| panic!("no X-Request-Id on {} {}", response.status, response.text()));
    assert_eq!(response.header("x-correlation-id"), Some(id));
    id
}

#[test]
fn a_stray_body_on_a_get_that_closes_is_answered_whole_without_a_reset() {
    let switch = shared();
    let path = format!("/api/transaction/{}", id(&switch.client().sale(5_600, VISA)));
    for method in ["GET", "DELETE"] {
        let mut connection = Connection::open(switch.http()).expect("the switch listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{{}}",
            keys::API
        );
        connection.send(request.as_bytes()).expect("the request can be sent");
        let answer = connection.receive(false).expect("a whole answer");
        assert_eq!(answer.status, if method == "GET" { 200 } else { 405 });
        assert!(answer.json().is_object());
        assert_eq!(connection.rest().expect("an end, no reset"), b"");
    }
}

#[test]
fn clients_that_stall_hold_nobody_up_and_are_closed_in_bounded_time() {
    const STALLED: usize = 50;
    const BOUND: Duration = Duration::from_secs(6);
    let limits = "head_timeout_ms = 1500\nbody_timeout_ms = 1500";
    let switch = Switch::start(Options { limits, ..Options::default() });
    let client = switch.client();
    let head = format!(
        "POST /api/transaction HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: 500\r\n\r\n{{\"type\"",
        keys::API
    );
    let parts: [&[u8]; 3] = [b"", b"POST /api/trans", head.as_bytes()];
    let started = Instant::now();
    let stalled: Vec<Connection> = (0..STALLED).flat_map(|_| parts.map(|part| stall(switch.http(), part))).collect();
    let before = Instant::now();
    for _ in 0..20 {
        assert_eq!(client.sale(5_700, VISA)["response_code"], 100);
    }
    assert!(before.elapsed() < Duration::from_secs(5), "twenty sales took {:?}", before.elapsed());
    for mut connection in stalled {
        let left = BOUND.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
        connection.patience(left);
        // A 408 or nothing comes, then the end; a time-out here is a connection that was kept.
        let end = connection.rest();
        let kept = end
            .as_ref()
            .is_err_and(|error| matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
        assert!(!kept, "still open after {:?}", started.elapsed());
    }
    assert_eq!(client.sale(5_701, VISA)["response_code"], 100);
}

fn stall(address: SocketAddr, part: &[u8]) -> Connection {
    let mut connection = Connection::open(address).expect("the switch listens");
    connection.send(part).expect("a part can be sent");
    connection
}

#[test]
fn garbage_instead_of_http_harms_nobody() {
    let switch = shared();
    for garbage in
        [&b"\x00\x01\x02\x03\r\n\r\n"[..], b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut connection = Connection::open(switch.http()).expect("the switch listens");
        connection.send(garbage).expect("it can be sent");
    }
    let long = format!("/api/transaction/{}", "x".repeat(100_000));
    let answered = exchange(switch.http(), "GET", &long, &[key(keys::API)], b"");
    assert!(answered.is_err() || answered.is_ok_and(|answer| (400..500).contains(&answer.status)));
    let twice = format!(
        "POST /api/transaction HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        keys::API
    );
    let mut smuggler = Connection::open(switch.http()).expect("the switch listens");
    smuggler.send(twice.as_bytes()).expect("it can be sent");
    let answer = smuggler.receive(false).expect("an answer");
    assert_eq!(answer.status / 100, 4, "two lengths for one body: {answer:?}");
    assert_eq!(switch.client().sale(5_800, VISA)["response_code"], 100);
}
