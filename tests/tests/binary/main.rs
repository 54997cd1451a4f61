//! The binary front over real sockets: what a merchant's server may rely on, and what a stranger can't do to it.

mod peer;
mod plain;

use client::{Client, ClientError, Payment, Query, Reply, Step};
use loadgen::binary::Shape;
use loadgen::{Arrivals, Kind, Load, Mix, Plan, Target};
use plain::{ANSWERS, BUSY, GO_AWAY, PING, PONG, Plain, REQUESTS, frame, hello, request, sale};
use protocol::binary::{AnswerKind, GoAwayCode, InvalidCode};
use protocol::card::Expiry;
use protocol::command::flag;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::refusal::Refusal;
use protocol::secret::{Cvv, Pan};
use protocol::tail::tag;
use protocol::words::{Status, Verb};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use tests::payment::{DECLINED, VISA};
use tests::switch::{keys, shared};
use tests::{Books, HostProcess, Options, Switch, books, eventually};

const PATIENCE: Duration = Duration::from_secs(20);
const CARD: &str = "4111111111111111";

fn payment(verb: Verb, cents: u64, card: &str) -> Payment {
    let (pan, expiry) = (Pan::new(card).unwrap(), Expiry::parse("12/40").unwrap());
    Payment::keyed(verb, cents, Currency::USD, &pan, expiry, Cvv::new("999").as_ref())
}

fn connect(switch: &Switch) -> Client {
    Client::connect(switch.binary(), keys::API).expect("a good key is welcome")
}

#[track_caller]
fn approved(reply: &Reply) -> Xid {
    assert_eq!((reply.kind, reply.code), (AnswerKind::Outcome, 100), "{reply:?}");
    reply.outcome().expect("one outcome").id
}

#[track_caller]
fn refused(reply: &Reply, code: u16, words: &str) {
    assert_eq!((reply.kind, reply.code), (AnswerKind::Refused, code), "{reply:?}");
    assert!(reply.text.contains(words), "{reply:?}");
}

#[test]
fn a_payment_lives_its_life_and_can_be_found_by_all_its_names() {
    let switch = shared();
    let mut client = connect(&switch);
    let authorization = payment(Verb::Authorize, 12_00, VISA).order_id("binary-life").key("life-1").into();
    let authorized = client.call(&authorization).unwrap();
    let id = approved(&authorized);
    assert_eq!(authorized.outcomes[0].status, Status::Authorized.number());

    let again = client.call(&authorization).unwrap();
    assert_eq!((again.replayed, again.outcomes), (true, authorized.outcomes.clone()));
    let other = payment(Verb::Authorize, 13_00, VISA).order_id("binary-life").key("life-1").into();
    refused(&client.call(&other).unwrap(), Refusal::KeyReused.number(), "idempotency_key");

    let captured = client.call(&Step::capture(id).amount(10_00).key("life-2").into()).unwrap();
    assert_eq!((approved(&captured), captured.outcomes[0].amount_captured.get()), (id, 10_00));
    let refund = client.call(&Step::refund(id).into()).unwrap();
    assert_eq!(refund.kind, AnswerKind::Refused, "not settled yet: {refund:?}");

    for (query, status) in [
        (Query::Id(id), Status::PendingSettlement),
        (Query::OrderId("binary-life".into()), Status::PendingSettlement),
        (Query::Key("life-2".into()), Status::PendingSettlement),
        (Query::Key("life-1".into()), Status::Authorized),
    ] {
        let found = client.call(&query.clone().into()).unwrap();
        assert_eq!((found.found, approved(&found)), (1, id), "{query:?}");
        assert_eq!(found.outcomes[0].status, status.number(), "{query:?}: an answer once given stays");
    }
    for query in [Query::Id(Xid::from_parts(1, [9; 5], 4)), Query::OrderId("no-such".into()), Query::Key("no-such".into())] {
        refused(&client.call(&query.into()).unwrap(), Refusal::NotFound.number(), "not found");
    }
    let voided = client.call(&Step::void(id).into()).unwrap();
    assert_eq!(voided.outcomes[0].status, Status::Voided.number(), "{voided:?}");

    let shown = switch.client().call("GET", &format!("/api/transaction/{id}"), &[], b"").json();
    let shown = &shown["data"][0];
    let facts = [&shown["status"], &shown["transaction_source"], &shown["order_id"], &shown["idempotency_key"]];
    assert_eq!(facts, [&json!("voided"), &json!("binary"), &json!("binary-life"), &json!("life-1")]);
}

#[test]
fn a_decline_is_an_outcome_and_what_is_wrong_is_named() {
    let switch = shared();
    let mut client = connect(&switch);
    let declined = client.call(&payment(Verb::Sale, 10_00, DECLINED).into()).unwrap();
    assert_eq!((declined.kind, declined.outcomes[0].status), (AnswerKind::Outcome, Status::Declined.number()));
    assert!((200..400).contains(&declined.code), "{declined:?}");
    for (ask, code, words) in [
        (payment(Verb::Sale, 0, VISA), InvalidCode::Amount, "amount"),
        (payment(Verb::Verification, 1, VISA), InvalidCode::Amount, "verification"),
        (payment(Verb::Sale, 1, "4111111111111112"), InvalidCode::Card, "check digit"),
        (payment(Verb::Sale, 1, VISA).flags(flag::BYPASS_RULES), InvalidCode::Forbidden, "rules"),
        (payment(Verb::Sale, 1, VISA).flags(flag::EXPIRED_CARD), InvalidCode::NotYours, "flags"),
        (payment(Verb::Sale, 1, VISA).field(tag::SEALED_CARD, b"x"), InvalidCode::Tail, "tag 1 "),
        (payment(Verb::Sale, 1, VISA).field(tag::CUSTOM_FIELDS, b"{}x"), InvalidCode::Tail, "JSON"),
        (payment(Verb::Sale, 1, VISA).key("with space"), InvalidCode::Key, "key"),
        (payment(Verb::Sale, 1, VISA).key_window_s(60), InvalidCode::Key, "key_window_s"),
        (payment(Verb::Refund, 1, VISA), InvalidCode::Card, "no card"),
    ] {
        let reply = client.call(&ask.into()).unwrap();
        assert_eq!((reply.kind, reply.code), (AnswerKind::Invalid, code as u16), "{reply:?}");
        assert!(reply.text.contains(words), "{reply:?}");
        assert!(!reply.text.contains("411111"), "{reply:?}");
    }
    let mut browser = Client::connect(switch.binary(), keys::PUBLIC).unwrap();
    approved(&browser.call(&payment(Verb::Sale, 10_00, VISA).into()).unwrap());
    for ask in [payment(Verb::Credit, 10_00, VISA).into(), Step::void(Xid::NONE).into(), Query::OrderId("x".into()).into()] {
        let reply = browser.call(&ask).unwrap();
        assert_eq!((reply.kind, reply.code), (AnswerKind::Invalid, InvalidCode::Forbidden as u16), "{reply:?}");
    }
}

#[test]
fn many_commands_in_one_frame_are_each_answered_once_and_books_agree() {
    let host = HostProcess::start();
    let switch = Switch::start(Options::with_host(host.addr));
    let mut client = connect(&switch);
    let mut asked = BTreeMap::new();
    for number in 0..200_u64 {
        let request_id = client.ask(&payment(Verb::Sale, 10_00 + number, CARD).key(&format!("many-{number}")).into()).unwrap();
        asked.insert(request_id, 10_00 + number);
    }
    client.send().unwrap();
    for _ in 0..200 {
        let reply = client.receive().unwrap();
        approved(&reply);
        assert_eq!(asked.remove(&reply.request_id), Some(reply.outcomes[0].amount.get()));
    }
    assert!(asked.is_empty() && client.unanswered() == 0);
    let books = books::reconcile(&switch.journal(), host.control, PATIENCE);
    assert_eq!(books.transactions().count(), 200);
    assert_no_card_at_rest(&switch.data());
}

/// What came by this front lies on the disk sealed, as what comes by the other.
#[track_caller]
fn assert_no_card_at_rest(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_card_at_rest(&path);
        } else if let Ok(bytes) = fs::read(&path) {
            let found = bytes.windows(CARD.len()).any(|window| window == CARD.as_bytes());
            assert!(!found, "a card number in {}", path.display());
        }
    }
}

#[test]
fn a_mixed_load_is_counted_as_the_books_have_it() {
    let host = HostProcess::start();
    let switch = Switch::start(Options::with_host(host.addr));
    let target = Target::sale(switch.binary(), keys::API, "mixed", 8_583, (10_000, 99_999)).expect("a target on this machine");
    let plan = Plan {
        mix: Mix { authorize: 10, capture: 10, void: 10, verification: 10, declined: 20, ..Mix::default() },
        connections: 4,
        warmup: Duration::ZERO,
        duration: Duration::from_millis(400),
        timeout: PATIENCE,
        // What is judged is the counting; the generator may be late on a machine that does other things as well.
        send_lag_p99_max: Duration::from_secs(60),
        ..Plan::new(target, Load::Open { rate_per_s: 1_000, arrivals: Arrivals::Poisson })
    };
    let report = loadgen::binary::run(&plan, &Shape { in_flight: 32, batch: 8 }).expect("a run");
    let counts = report.counts;
    assert_eq!((counts.answered(), counts.errors(), counts.unsent), (counts.scheduled, 0, 0), "{}", report.table());
    let books = books::reconcile(&switch.journal(), host.control, PATIENCE);
    let declined = books.transactions().filter(|transaction| transaction.status() == Status::Declined).count();
    let steps = [Kind::Capture, Kind::Void].map(|kind| report.kinds[&kind].answered);
    let made = counts.scheduled - steps.iter().sum::<u64>();
    assert!(steps.iter().all(|count| *count > 5), "{}", report.table());
    assert_eq!((books.transactions().count() as u64, declined as u64), (made, counts.declined), "{}", report.table());
}

#[test]
fn a_quick_answer_overtakes_a_slow_one() {
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 5_000, ..Options::with_host(host.addr) });
    host.control.faults(&json!({ "delay_ms": [300, 300] }));
    let mut client = connect(&switch);
    let slow = client.ask(&payment(Verb::Sale, 10_00, VISA).into()).unwrap();
    let quick = client.ask(&Query::OrderId("nothing".into()).into()).unwrap();
    client.send().unwrap();
    let (first, second) = (client.receive().unwrap(), client.receive().unwrap());
    assert_eq!((first.request_id, second.request_id), (quick, slow));
    approved(&second);
}

#[test]
fn a_client_that_was_killed_off_asks_again_under_its_key_and_nothing_is_done_twice() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { timeout_ms: 5_000, ..Options::with_host(host.addr) });
    let mut client = connect(&switch);
    let done = payment(Verb::Sale, 11_00, VISA).key("before").into();
    let before = client.call(&done).unwrap();
    host.control.faults(&json!({ "delay_ms": [400, 400] }));
    let cut_off = payment(Verb::Sale, 12_00, VISA).key("cut-off").into();
    client.ask(&cut_off).unwrap();
    client.send().unwrap();
    eventually(PATIENCE, || {
        let begun = Books::read(&switch.journal()).transactions().count();
        if begun == 2 { Ok(()) } else { Err(format!("{begun} begun")) }
    });
    switch.kill9();
    assert!(matches!(client.receive(), Err(ClientError::Closed { unanswered: 1 } | ClientError::Socket { .. })));
    host.control.heal();
    switch.start_again();

    let mut client = connect(&switch);
    let after = client.call(&done).unwrap();
    assert_eq!((after.replayed, after.outcomes), (true, before.outcomes));
    let told = client.call(&cut_off).unwrap();
    assert!(told.replayed && told.code >= 400, "nobody knows, so it is reversed: {told:?}");
    let found = client.call(&Query::Key("cut-off".into()).into()).unwrap();
    assert_eq!(found.outcomes[0].id, told.outcomes[0].id);
    let books = books::reconcile(&switch.journal(), host.control, PATIENCE);
    assert_eq!(books.transactions().count(), 2);
}

#[test]
fn what_finds_no_room_comes_back_busy_undone_and_can_be_asked_again() {
    let host = HostProcess::start();
    let options = Options { timeout_ms: 5_000, limits: "in_flight_max = 16", ..Options::with_host(host.addr) };
    let switch = Switch::start(options);
    host.control.faults(&json!({ "delay_ms": [100, 100] }));
    let (mut plain, _) = Plain::welcomed(switch.binary(), keys::API, 1);
    let sales: Vec<u8> = (0..64).flat_map(|number| sale(number, VISA, 10_00 + number, &format!("busy-{number}"))).collect();
    plain.send(&frame(REQUESTS, 64, &sales));
    let (mut done, mut busy) = (Vec::new(), Vec::new());
    while done.len() + busy.len() < 64 {
        let received = plain.receive().expect("all are answered");
        if received.kind == BUSY {
            assert!(received.u32(0) > 0, "a time to wait");
            busy.extend((0..usize::from(received.count)).map(|number| received.u64(8 + 8 * number)));
        } else {
            done.extend(received.answers().into_iter().map(|(kind, code, id, _)| {
                assert_eq!((kind, code), (1, 100));
                id
            }));
        }
    }
    assert_eq!(done.len(), 12, "six of eight parts of sixteen places");
    assert_eq!(Books::read(&switch.journal()).transactions().count(), 12, "what was busy left no record");
    let again = sale(99, VISA, 10_00 + busy[0], &format!("busy-{}", busy[0]));
    plain.send(&frame(REQUESTS, 1, &again));
    let answers = plain.receive().unwrap().answers();
    assert_eq!((answers[0].0, answers[0].1, answers[0].2), (1, 100, 99));
    let (mut unaware, _) = Plain::welcomed(switch.binary(), keys::API, 0);
    unaware.send(&frame(REQUESTS, 64, &sales));
    let frames = std::iter::from_fn(|| unaware.receive());
    let first = frames.flat_map(|received| received.answers()).find(|(kind, ..)| *kind == 2).expect("some are refused");
    assert_eq!((first.1, first.3.len()), (1, 0), "busy as an answer, without a text");
}

#[test]
fn a_client_written_from_the_page_alone_is_served() {
    let switch = shared();
    let (mut plain, welcome) = Plain::welcomed(switch.binary(), keys::API, 3);
    assert_eq!((welcome.body[0], welcome.body[1], welcome.u32(4)), (1, 1, 3));
    let order = [sale(7, VISA, 12_99, "plain-1"), request(4, 8, &[], b"plain-none")].concat();
    plain.send(&frame(REQUESTS, 2, &order));
    let mut answers = BTreeMap::new();
    while answers.len() < 2 {
        for (kind, code, id, rest) in plain.receive().unwrap().answers() {
            answers.insert(id, (kind, code, rest));
        }
    }
    let (kind, code, outcome) = &answers[&7];
    assert_eq!((*kind, *code, outcome.len()), (1, 100, 128));
    assert_eq!(u64::from_le_bytes(outcome[32..40].try_into().unwrap()), 12_99);
    assert_eq!(answers[&8], (2, 4, b"not found".to_vec()));
    plain.send(&frame(PING, 0, b"eight by"));
    let pong = plain.receive().unwrap();
    assert_eq!((pong.kind, pong.body.as_slice()), (PONG, &b"eight by"[..]));
    plain.send(&frame(REQUESTS, 1, &request(2, 9, &[], &outcome[..12])));
    let found = plain.receive().unwrap();
    assert_eq!((found.kind, found.answers()[0].3.len()), (ANSWERS, 128));
}

#[test]
fn strangers_are_told_why_they_must_go_and_others_are_served_on() {
    let switch = shared();
    let mut neighbour = connect(&switch);
    let first = |bytes: &[u8]| {
        let mut plain = Plain::connect(switch.binary());
        plain.send(bytes);
        plain.go_away_code()
    };
    let mut damaged = hello(keys::API, 3);
    damaged[30] ^= 1;
    let cases = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), GoAwayCode::Malformed),
        (damaged, GoAwayCode::Malformed),
        (u32::MAX.to_le_bytes().repeat(4), GoAwayCode::Malformed),
        (frame(1, 0, &[&b"SWYDBIN\n"[..], &[2, 9, 0, 0, 0, 0, 0, 0], &[0; 8]].concat()), GoAwayCode::Version),
        (frame(PING, 0, b"eight by"), GoAwayCode::Unexpected),
        (hello("api_nobody", 3), GoAwayCode::Unauthorized),
    ];
    for (bytes, code) in cases {
        assert_eq!(first(&bytes), code.number(), "{code:?}");
    }
    for (bytes, code) in [
        (frame(REQUESTS, 2, &request(2, 1, &[], &[1; 12])), GoAwayCode::Malformed),
        (frame(REQUESTS, 0, &[]), GoAwayCode::Malformed),
        (frame(99, 0, &[]), GoAwayCode::Unexpected),
        (hello(keys::API, 3), GoAwayCode::Unexpected),
    ] {
        let (mut plain, _) = Plain::welcomed(switch.binary(), keys::API, 3);
        plain.send(&bytes);
        assert_eq!(plain.go_away_code(), code.number(), "{code:?}");
    }
    let (mut greedy, welcome) = Plain::welcomed(switch.binary(), keys::API, 3);
    let queries: Vec<u8> = (0..=u64::from(welcome.u32(20))).flat_map(|number| request(2, number, &[], &[1; 12])).collect();
    greedy.send(&frame(REQUESTS, welcome.u32(20) as u16 + 1, &queries));
    assert_eq!(greedy.go_away_code(), GoAwayCode::NoCredit.number());
    approved(&neighbour.call(&payment(Verb::Sale, 10_00, VISA).into()).unwrap());
}

#[test]
fn a_client_that_does_not_read_is_not_read_either_and_costs_no_more_memory() {
    let switch = Switch::sandboxed();
    let mut neighbour = connect(&switch);
    let (deaf, _) = Plain::welcomed(switch.binary(), keys::API, 3);
    deaf.0.set_nonblocking(true).unwrap();
    let pings = frame(PING, 0, b"eight by").repeat(4_096);
    let before = resident_kib(switch.process());
    let (mut sent, mut full_since) = (0_usize, None);
    let mut stream = &deaf.0;
    // Until the switch has taken nothing for a second: its kernel's buffers and its own are full.
    while full_since.is_none_or(|since: Instant| since.elapsed() < Duration::from_secs(1)) {
        match stream.write(&pings[sent % pings.len()..]) {
            Ok(count) => (sent, full_since) = (sent + count, None),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                full_since.get_or_insert_with(Instant::now);
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 64 << 20, "it is read on without end");
    }
    let grown = resident_kib(switch.process()).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more for {sent} bytes");
    approved(&neighbour.call(&payment(Verb::Sale, 10_00, VISA).into()).unwrap());
}

fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the kernel says how much");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
}

#[test]
fn a_switch_that_stops_answers_what_it_took_and_says_goodbye() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { timeout_ms: 5_000, ..Options::with_host(host.addr) });
    host.control.faults(&json!({ "delay_ms": [500, 500] }));
    let (mut plain, _) = Plain::welcomed(switch.binary(), keys::API, 3);
    plain.send(&frame(REQUESTS, 1, &sale(1, VISA, 10_00, "goodbye")));
    eventually(PATIENCE, || {
        let begun = Books::read(&switch.journal()).transactions().count();
        if begun == 1 { Ok(()) } else { Err(format!("{begun} begun")) }
    });
    switch.terminate();
    let frames: Vec<_> = std::iter::from_fn(|| plain.receive()).collect();
    let kinds: Vec<u8> = frames.iter().map(|received| received.kind).collect();
    assert_eq!(kinds, [GO_AWAY, ANSWERS], "{frames:?}");
    assert_eq!(frames[0].u16(0), GoAwayCode::ShuttingDown.number());
    assert_eq!(frames[1].answers()[0].1, 100);
}
