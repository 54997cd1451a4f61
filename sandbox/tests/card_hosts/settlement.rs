//! Batches: the host compares with its own open items, whole or not at all.

use protocol::calendar::Micros;
use protocol::iso8583::FRAME_HEADER_BYTES;
use sandbox::faults::Faults;
use sandbox::ledger::{Entry, Kind, Marks, ROW_BYTES, Row};
use sandbox::shell::Host as _;
use sandbox::tsys::{ConnectionId, Host, Replies};

use crate::client::{Answer, Hosts, Request};

/// A host as a value, with a clock that the test turns.
struct Bare {
    host: Host,
    now: Micros,
    rows: Vec<Row>,
}

impl Bare {
    fn signed_on() -> Bare {
        let mut bare = Bare { host: Host::new(100), now: Micros::from_date(2026, 11, 21), rows: Vec::new() };
        bare.ask(&Request::network("001"));
        bare
    }

    fn ask(&mut self, request: &Request) -> Answer {
        let mut replies = Replies::default();
        self.host.accept(self.now, ConnectionId(1), &request.frame()[FRAME_HEADER_BYTES..], &mut replies);
        let rows = self.host.unwritten().chunks(ROW_BYTES).map(|row| Row::open(row).unwrap());
        self.rows.extend(rows);
        self.host.rows_written();
        assert!(!replies.cut && replies.late.is_empty());
        Answer::parse(&replies.bytes[FRAME_HEADER_BYTES..]).unwrap()
    }

    fn after_days(&mut self, days: u32) {
        self.now = self.now.plus_s(days * 86_400);
    }

    /// Open debits and credits by the plainest of means: the rows, one after another.
    fn open_by_hand(&self) -> ((u64, u64), (u64, u64)) {
        let mut marks = Marks::default();
        self.rows.iter().for_each(|row| marks.note(row));
        let entries = self.rows.iter().filter_map(|row| Entry::of(row, &marks));
        let open: Vec<Entry<'_>> =
            entries.filter(|e| e.approved && !e.reversed && e.kind.moves_money() && e.batch.is_none()).collect();
        let sum = |kinds: [Kind; 2]| {
            let amounts: Vec<u64> = open.iter().filter(|e| kinds.contains(&e.kind)).map(|e| e.amount).collect();
            (amounts.len() as u64, amounts.iter().sum())
        };
        (sum([Kind::Sale, Kind::Capture]), sum([Kind::Refund, Kind::Credit]))
    }
}

#[test]
fn a_batch_in_balance_is_accepted_and_closes() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let (authorization, gone) = (Request::authorization(1000, 1), Request::sale(9999, 2));
    let requests = [
        authorization.clone(),
        gone.clone(),
        authorization.capture(600, 3),
        gone.reversal(4),
        Request::sale(400, 5),
        Request::refund(150, 6, "RRN000000005"),
        Request::credit(50, 7),
        Request::authorization(77, 8),
    ];
    requests.iter().for_each(|request| assert_eq!(client.ask(request).action(), "00"));
    let totals = Request::totals(10, 1, (2, 1000), (2, 200));
    let answer = client.ask(&totals);
    assert_eq!((answer.mti.as_str(), answer.action(), answer.get(60)), ("0510", "00", "000001"));
    assert_eq!(answer.get(63), "GB000001 ACCEPT ");
    assert_eq!(client.ask(&totals), answer, "the same totals once more get the first answer");
    assert_eq!(client.ask(&Request::totals(11, 2, (0, 0), (0, 0))).action(), "00", "nothing is open any more");
    let listing = hosts.get("/ledger");
    let batches: Vec<Option<u64>> = listing["entries"].as_array().unwrap().iter().map(|entry| entry["batch"].as_u64()).collect();
    assert_eq!(batches, [None, None, Some(1), None, Some(1), Some(1), Some(1), None]);
    let accepted: Vec<bool> =
        listing["batches"].as_array().unwrap().iter().map(|batch| batch["accepted"].as_bool().unwrap()).collect();
    assert_eq!(accepted, [true, true]);
    assert_eq!(client.ask(&Request::sale(400, 5).void(12)).action(), "25", "what is settled can't be voided");
}

#[test]
fn a_batch_out_of_balance_is_rejected_whole_and_names_the_total() {
    let mut host = Bare::signed_on();
    host.ask(&Request::sale(400, 1));
    host.ask(&Request::credit(50, 2));
    let wrong = [
        ((2, 400), (1, 50), "RB DEBIT COUNT  "),
        ((1, 401), (1, 50), "RB DEBIT AMOUNT "),
        ((1, 400), (0, 50), "RB CREDIT COUNT "),
        ((1, 400), (1, 49), "RB CREDIT AMOUNT"),
    ];
    for (stan, (debits, credits, text)) in (10..).zip(wrong) {
        let answer = host.ask(&Request::totals(stan, 1, debits, credits));
        assert_eq!((answer.action(), answer.get(63)), ("95", text));
    }
    let right = Request::totals(20, 1, (1, 400), (1, 50));
    let net = host.ask(&right.clone().with(11, "000021").with(97, "D0000000000000351"));
    assert_eq!((net.action(), net.get(63)), ("95", "RB NET AMOUNT   "));
    assert_eq!(host.ask(&right).action(), "00", "a rejected number is free");
}

#[test]
fn totals_are_of_the_payments_that_carried_their_members_number() {
    let mut host = Bare::signed_on();
    let authorization = Request::authorization(70, 3);
    host.ask(&Request::sale(400, 1).with(60, "000001"));
    host.ask(&Request::sale(900, 2).with(60, "000002"));
    host.ask(&authorization);
    host.ask(&authorization.capture(70, 4).with(60, "000001"));
    let totals = |stan, numbers: &str, debits| Request::totals(stan, 0, debits, (0, 0)).with(60, numbers);
    assert_eq!(host.ask(&totals(10, "000001000001", (3, 1370))).action(), "95", "the next batch's sale does not count");
    assert_eq!(host.ask(&totals(11, "000003000001", (2, 470))).action(), "00", "a rejected batch comes again under a new number");
    assert_eq!(host.ask(&totals(12, "000003000002", (1, 900))).action(), "94", "the number was used");
    assert_eq!(host.ask(&totals(13, "000004000002", (1, 900))).action(), "00");
    assert_eq!(host.ask(&totals(14, "00000400000x", (0, 0))).action(), "30");
    assert_eq!(host.ask(&Request::sale(1, 15).with(60, "12")).action(), "30");
}

#[test]
fn a_batch_number_rests_for_five_days() {
    let mut host = Bare::signed_on();
    let empty = |stan, batch| Request::totals(stan, batch, (0, 0), (0, 0));
    assert_eq!(host.ask(&empty(1, 7)).action(), "00");
    host.after_days(4);
    let again = host.ask(&empty(2, 7));
    assert_eq!((again.action(), again.get(63)), ("94", "QD1121 000007   "));
    assert_eq!(host.ask(&empty(3, 8)).action(), "00");
    host.after_days(1);
    assert_eq!(host.ask(&empty(4, 7)).action(), "00");
    assert_eq!(host.ask(&empty(5, 8)).get(63), "QD1125 000008   ");
}

#[test]
fn a_host_that_forgets_its_answers_finds_the_number_used_by_the_same_totals() {
    let mut host = Bare::signed_on();
    let totals = Request::totals(1, 7, (0, 0), (0, 0));
    assert_eq!(host.ask(&totals).action(), "00");
    assert_eq!(host.ask(&totals).action(), "00", "what comes again is answered again");
    host.host.set_faults(Faults::from_json(br#"{"forget_totals":true}"#).unwrap());
    assert_eq!(host.ask(&totals).get(63), "QD1121 000007   ");
}

#[test]
fn terminals_and_currencies_are_settled_apart() {
    let mut host = Bare::signed_on();
    host.ask(&Request::sale(400, 1));
    host.ask(&Request::sale(500, 2).with(41, "TERM02"));
    host.ask(&Request::sale(600, 3).with(49, "978"));
    assert_eq!(host.ask(&Request::totals(10, 1, (1, 400), (0, 0))).action(), "00");
    assert_eq!(host.ask(&Request::totals(11, 1, (1, 500), (0, 0)).with(41, "TERM02")).action(), "00");
    assert_eq!(host.ask(&Request::totals(12, 2, (1, 600), (0, 0)).with(50, "978")).action(), "00");
}

#[test]
fn open_totals_follow_any_sequence_of_messages() {
    for seed in 1..=20 {
        let mut host = Bare::signed_on();
        walk(&mut host, seed);
        let (debits, credits) = host.open_by_hand();
        let answer = host.ask(&Request::totals(900_000, 900, debits, credits));
        assert_eq!(answer.action(), "00", "seed {seed}: {debits:?} {credits:?} answered {}", answer.get(63));
    }
}

/// Payments, captures, voids, reversals early and late, and batches now and then, drawn from a seed.
fn walk(host: &mut Bare, seed: u64) {
    let mut state = seed;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut payments = vec![Request::sale(10, 1)];
    for stan in 2..400 {
        let about = payments[draw(payments.len() as u64) as usize].clone();
        let amount = 1 + draw(500);
        let request = match draw(10) {
            0 | 1 => Request::sale(amount, stan),
            2 | 3 => Request::authorization(amount, stan),
            4 => Request::credit(amount, stan),
            5 | 6 => about.capture(amount, stan),
            7 => about.void(stan),
            8 => about.reversal(stan),
            _ if draw(5) == 0 => {
                let (debits, credits) = host.open_by_hand();
                Request::totals(stan, stan, debits, credits)
            }
            _ => Request::refund(amount, stan, "RRN000000001"),
        };
        if matches!(request.mti.to_string().as_str(), "0100" | "0200") {
            payments.push(request.clone());
        }
        // Some payments are known to the walk and not yet to the host: their reversals come first.
        if request.mti.to_string() != "0200" || draw(5) > 0 {
            host.ask(&request);
        }
    }
}

#[test]
fn running_totals_that_have_drifted_are_made_up_for_by_the_members() {
    let mut bare = Bare::signed_on();
    let (authorization, sale) = (Request::authorization(1000, 1), Request::sale(400, 2).with(60, "000007"));
    let capture = authorization.capture(600, 3).with(60, "000007");
    [&authorization, &sale, &capture].iter().for_each(|request| assert_eq!(bare.ask(request).action(), "00"));
    bare.host.set_faults(Faults { drift_totals: 1, ..Faults::default() });
    let totals = Request::totals(10, 7, (2, 1000), (0, 0)).with(60, "000007000007");
    let refused = bare.ask(&totals);
    assert_eq!((refused.action(), refused.get(63)), ("95", "RB DEBIT COUNT  "));
    for (record, request, amount) in [(1, &authorization, 600), (2, &sale, 400)] {
        let answer = bare.ask(&request.detail(record, amount, "000007000007"));
        let told = (answer.mti.as_str(), answer.action(), answer.get(11), answer.get(60));
        assert_eq!(told, ("0330", "00", format!("{record:06}").as_str(), "000007000007"));
    }
    let again = totals.clone().with(3, "960000");
    let accepted = bare.ask(&again);
    assert_eq!((accepted.action(), accepted.get(63)), ("00", "GB000007 ACCEPT "));
    assert_eq!(bare.ask(&again), accepted, "the same once more gets the same answer");
    assert_eq!(bare.ask(&totals).get(63), accepted.get(63), "and so do the first totals, should they be repeated");
}

#[test]
fn the_first_member_that_the_host_has_otherwise_is_named_with_the_reason() {
    let sale = |amount, stan, batch: &str| Request::sale(amount, stan).with(60, batch);
    let (one, two, elsewhere, unknown) =
        (sale(500, 1, "000007"), sale(300, 2, "000007"), sale(600, 3, "000008"), sale(100, 99, "000007"));
    let numbers = "000007000007";
    for (words, details) in [
        ("RB 000002 ABSENT", vec![one.detail(1, 500, numbers), unknown.detail(2, 100, numbers)]),
        ("RB 000001 AMOUNT", vec![one.detail(1, 501, numbers), unknown.detail(2, 300, numbers)]),
        ("RB 000002 BATCH ", vec![two.detail(1, 300, numbers), elsewhere.detail(2, 600, numbers)]),
        ("RB MORE HELD    ", vec![one.detail(1, 500, numbers)]),
        ("RB DEBIT COUNT  ", vec![one.detail(1, 500, numbers), two.detail(2, 300, numbers)]),
    ] {
        let mut bare = Bare::signed_on();
        [&one, &two, &elsewhere].iter().for_each(|request| assert_eq!(bare.ask(request).action(), "00"));
        let totals = Request::totals(10, 7, (3, 1400), (0, 0)).with(60, numbers);
        assert_eq!(bare.ask(&totals).action(), "95");
        details.iter().for_each(|detail| assert_eq!(bare.ask(detail).mti, "0330"));
        let refused = bare.ask(&totals.with(3, "960000"));
        assert_eq!((refused.action(), refused.get(63)), ("95", words));
        assert_eq!(bare.open_by_hand(), ((3, 1400), (0, 0)), "all or nothing");
    }
}
