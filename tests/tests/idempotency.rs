//! One effect per key (I4): the first answer again, byte for byte, whatever happened in between.

use serde_json::{Value, json};
use tests::client::{id, rrn, text};
use tests::http::{Connection, Response};
use tests::payment::{VISA, amount, payment, with};
use tests::switch::{keys, shared};
use tests::{HostProcess, Options, Switch};

#[track_caller]
fn assert_replay(first: &Response, again: &Response) {
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    assert_eq!(again.header("location"), first.header("location"));
}

#[test]
fn the_same_key_and_request_is_answered_by_the_same_bytes() {
    let switch = shared();
    let client = switch.client();
    for body in [payment("sale", 3001, VISA), payment("authorize", 900_051, VISA)] {
        let keyed = with(
            body.clone(),
            &json!({"idempotency_key": format!("body-{}", body["type"]).replace('"', ""), "idempotency_time": 60}),
        );
        let first = client.pay(&keyed);
        assert_eq!(first.data()["idempotency_key"], keyed["idempotency_key"]);
        assert_eq!(first.data()["idempotency_time"], 60);
        assert_replay(&first, &client.pay(&keyed));
        assert_eq!(switch.control().entries_of(rrn(&first.data())).len(), 1);
    }
}

#[test]
fn the_same_key_with_another_request_is_422_and_does_nothing() {
    let switch = shared();
    let client = switch.client();
    let first = client.pay_once("reused", &payment("sale", 3101, VISA)).data();
    let others = [
        payment("sale", 3102, VISA),
        payment("authorize", 3101, VISA),
        payment("sale", 3101, tests::payment::APPROVED[0]),
        with(payment("sale", 3101, VISA), &json!({"order_id": "another"})),
    ];
    for other in others {
        let (status, said) = client.pay_once("reused", &other).refusal();
        assert_eq!(status, 422, "{other}");
        assert!(said.contains("idempotency_key"), "{said}");
    }
    let (status, _) = client.step(id(&first), "void", &[("Idempotency-Key", "reused")], &json!({})).refusal();
    assert_eq!(status, 422, "a key is a merchant's, not an endpoint's");
    assert_eq!(text(&client.get(id(&first)), "status"), "pending_settlement");
    assert!(!switch.control().ledger().iter().any(|entry| entry.amount == 3102));
}

#[test]
fn the_headers_key_wins_over_the_bodys() {
    let switch = shared();
    let client = switch.client();
    let body = |key: &str| with(payment("sale", 3201, VISA), &json!({ "idempotency_key": key }));
    let first = client.pay_once("from-header", &body("in-body-1"));
    assert_eq!(first.data()["idempotency_key"], "from-header");
    assert_replay(&first, &client.pay_once("from-header", &body("in-body-2")));
    assert_replay(&first, &client.pay_once("\"from-header\"", &body("in-body-3")));
    let under_body_key = client.pay(&body("in-body-1"));
    assert_eq!(under_body_key.header("idempotent-replayed"), None, "the body's key was never used");
    assert_ne!(id(&under_body_key.data()), id(&first.data()));
}

#[test]
fn a_key_belongs_to_its_merchant() {
    let host = HostProcess::start();
    let switch = Switch::start(Options::with_host(host.addr));
    let ours = switch.client().pay_once("everybodys", &payment("sale", 3301, VISA));
    let theirs = switch.client_with(keys::OTHER).pay_once("everybodys", &payment("sale", 3302, VISA));
    assert_eq!((theirs.status, theirs.header("idempotent-replayed")), (200, None));
    assert_ne!(id(&theirs.data()), id(&ours.data()));
}

#[test]
fn steps_replay_as_well_and_have_one_effect() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let (held, sale, settled) = (client.authorize(3401, VISA), client.sale(3402, VISA), client.sale(3403, VISA));
    let once = |client: &tests::Client, of: &Value, verb: &str, key: &str, body: Value| {
        client.step(id(of), verb, &[("Idempotency-Key", key)], &body)
    };
    let captured = once(&client, &held, "capture", "k-capture", json!({"amount": 3000}));
    let voided = once(&client, &sale, "void", "k-void", json!({}));
    assert_eq!(switch.operator().settle().len(), 1);
    let refunded = once(&client, &settled, "refund", "k-refund", json!({"amount": 1000}));
    assert_eq!((captured.status, voided.status, refunded.status), (200, 200, 200), "{}", refunded.text());
    for restart in [false, true] {
        if restart {
            switch.kill9();
            switch.start_again();
        }
        let client = switch.client();
        assert_replay(&captured, &once(&client, &held, "capture", "k-capture", json!({"amount": 3000})));
        assert_replay(&voided, &once(&client, &sale, "void", "k-void", json!({})));
        assert_replay(&refunded, &once(&client, &settled, "refund", "k-refund", json!({"amount": 1000})));
    }
    assert_eq!(switch.client().get(id(&settled))["amount_refunded"], 1000);
    let ledger = switch.control().ledger();
    let count = |kind: &str| ledger.iter().filter(|entry| entry.kind == kind).count();
    assert_eq!((count("capture"), count("void"), count("refund")), (1, 1, 1), "{ledger:?}");
    let (status, _) = once(&switch.client(), &settled, "refund", "k-refund", json!({"amount": 999})).refusal();
    assert_eq!(status, 422);
}

/// The host keeps the first waiting until all of a wave are in; the waves behind it are replays.
#[test]
#[expect(clippy::print_stdout, reason = "what the run has met, for whoever reads the log of all checks")]
fn ten_thousand_under_one_key_are_one_payment_and_one_answer() {
    const CALLERS: usize = 1_000;
    const WAVES: usize = 10;
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 20_000, ..Options::with_host(host.addr) });
    host.control.faults(&json!({"delay_ms": [3_000, 3_000]}));
    let (client, body) = (switch.client(), payment("sale", 35_001, VISA).to_string());
    let headers =
        [("Authorization", client.key.as_str()), ("Content-Type", "application/json"), ("Idempotency-Key", "all-at-once")];
    let open = |_| Connection::open(client.address).expect("the switch listens");
    let mut callers: Vec<Connection> = (0..CALLERS).map(open).collect();
    let (mut answers, mut refused) = (Vec::with_capacity(CALLERS * WAVES), 0);
    for _ in 0..WAVES {
        for caller in &mut callers {
            caller.ask("POST", "/api/transaction", &headers, body.as_bytes()).expect("a request is taken");
        }
        for caller in &mut callers {
            let mut answer = caller.receive(false).expect("a caller is answered");
            // At its limit the switch refuses, and a client asks again: under the same key.
            while answer.status == 503 {
                refused += 1;
                answer = caller.request("POST", "/api/transaction", &headers, body.as_bytes()).expect("a caller is answered");
            }
            answers.push(answer);
        }
    }
    println!("{refused} of them were refused first");
    let first: &Response = &answers[0];
    answers.iter().for_each(|answer| assert_eq!((answer.status, answer.text()), (200, first.text())));
    let originals = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
    assert_eq!((answers.len(), originals), (10_000, 1), "one of them was the first");
    assert_eq!(host.control.ledger().len(), 1, "one charge");
}

#[test]
fn a_request_that_comes_while_the_first_runs_waits_for_its_answer_and_another_one_is_told_so_at_once() {
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 20_000, ..Options::with_host(host.addr) });
    let client = switch.client();
    let (held, sale) = (client.authorize(3801, VISA), client.sale(3802, VISA));
    host.control.faults(&json!({"delay_ms": [1_500, 1_500]}));
    let sent = |path: String, body: Value| {
        let mut connection = Connection::open(client.address).expect("the switch listens");
        let headers =
            [("Authorization", client.key.as_str()), ("Content-Type", "application/json"), ("Idempotency-Key", path.as_str())];
        connection.ask("POST", &path, &headers, body.to_string().as_bytes()).expect("a request is taken");
        connection
    };
    let steps = [
        ("/api/transaction".to_owned(), payment("sale", 3803, VISA), payment("sale", 3804, VISA)),
        (format!("/api/transaction/{}/capture", id(&held)), json!({"amount": 3000}), json!({"amount": 2999})),
        (format!("/api/transaction/{}/void", id(&sale)), json!({}), json!({"idempotency_time": 77})),
    ];
    for (path, body, other) in steps {
        let rows = host.control.ledger().len();
        let mut first = sent(path.clone(), body.clone());
        let arrived = tests::until(std::time::Duration::from_secs(10), || (host.control.ledger().len() > rows).then_some(()));
        arrived.expect("the first is under way");
        let asked = std::time::Instant::now();
        if other["idempotency_time"].is_null() {
            let (status, _) = sent(path.clone(), other).receive(false).expect("another request is answered").refusal();
            assert_eq!(status, 422, "{path}");
            assert!(asked.elapsed() < std::time::Duration::from_millis(1_000), "a refusal waits for nobody");
        }
        let second = sent(path.clone(), body).receive(false).expect("the second is answered");
        let first = first.receive(false).expect("the first is answered");
        assert_replay(&first, &second);
        assert_eq!(first.status, 200, "{path}: {}", first.text());
    }
    let ledger = host.control.ledger();
    let count = |kind: &str| ledger.iter().filter(|entry| entry.kind == kind).count();
    assert_eq!((count("sale"), count("capture"), count("void")), (2, 1, 1), "{ledger:?}");
}

#[test]
fn an_answer_of_unknown_is_never_changed_though_the_transaction_lives_on() {
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 300, ..Options::with_host(host.addr) });
    let client = switch.client();
    let first = client.pay_once("lost", &payment("sale", amount::ANSWER_LOST, VISA));
    assert_eq!((text(&first.data(), "status"), &first.data()["response_code"]), ("unknown", &json!(421)));
    tests::books::reconcile(&switch.journal(), host.control, std::time::Duration::from_secs(10));
    client.get_when(id(&first.data()), "reversed");
    assert_replay(&first, &client.pay_once("lost", &payment("sale", amount::ANSWER_LOST, VISA)));
    let (_, approved) = (client.sale(3601, VISA), client.pay_once("later-voided", &payment("sale", 3602, VISA)));
    client.void(id(&approved.data())).data();
    assert_replay(&approved, &client.pay_once("later-voided", &payment("sale", 3602, VISA)));
}

#[test]
fn a_key_is_free_again_after_its_window() {
    let switch = shared();
    let client = switch.client();
    let body = with(payment("sale", 3701, VISA), &json!({"idempotency_key": "short", "idempotency_time": 1}));
    let first = id(&client.pay(&body).data()).to_owned();
    let fresh = tests::until(std::time::Duration::from_secs(5), || {
        let again = client.pay(&body);
        (again.header("idempotent-replayed").is_none()).then(|| again.data())
    });
    assert_ne!(id(&fresh.expect("a second passes")), first);
}

#[test]
fn a_key_that_is_none_is_refused_by_the_name_of_its_header_and_does_nothing() {
    let switch = shared();
    let client = switch.client();
    let held = client.authorize(3_801, VISA);
    let (long, step) = ("x".repeat(65), format!("/api/transaction/{}", id(&held)));
    let calls = ["capture", "void", "refund"].map(|verb| (format!("{step}/{verb}"), json!({})));
    let calls = calls.into_iter().chain([("/api/transaction".to_owned(), payment("sale", 3_802, VISA))]);
    for (path, body) in calls {
        for key in ["", "two words", "\"\"", "\"two words\"", &long] {
            let refused = client.call("POST", &path, &[("Idempotency-Key", key)], body.to_string().as_bytes()).refusal();
            assert_eq!(refused.0, 400, "{path} {key:?}");
            assert!(refused.1.contains("Idempotency-Key"), "{path} {key:?}: {}", refused.1);
        }
    }
    assert_eq!(text(&client.get(id(&held)), "status"), "authorized");
    assert!(!switch.control().ledger().iter().any(|entry| entry.amount == 3_802));
}

#[test]
fn a_steps_key_replays_though_the_transaction_has_changed_since_and_is_free_after_its_window() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let (held, sale) = (client.authorize(3_901, VISA), client.sale(3_902, VISA));
    let capture = |client: &tests::Client| client.step(id(&held), "capture", &[("Idempotency-Key", "k-1")], &json!({}));
    let body = json!({"amount": 1_000, "idempotency_key": "k-2", "idempotency_time": 1});
    let refund = |client: &tests::Client| client.step(id(&sale), "refund", &[], &body);
    assert_eq!(refund(&client).refusal().0, 400, "it is not settled; what is refused uses no key");
    let captured = capture(&client);
    assert_eq!(client.void(id(&held)).status, 200);
    assert_replay(&captured, &capture(&client));
    switch.operator().settle();
    let refunded = refund(&client);
    assert_eq!((refunded.status, refunded.header("idempotent-replayed")), (200, None));
    let anew = tests::until(std::time::Duration::from_secs(5), || {
        let again = refund(&client);
        again.header("idempotent-replayed").is_none().then_some(again)
    });
    assert_ne!(anew.expect("a second passes").header("location"), refunded.header("location"));
    assert_eq!(client.get(id(&sale))["amount_refunded"], 2_000);
    switch.kill9();
    switch.start_again();
    assert_replay(&captured, &capture(&switch.client()));
    assert_eq!(text(&switch.client().get(id(&held)), "status"), "voided");
}
