//! Requests against bytes written by hand from the table of the dialect; answers and the life of a connection, step by step.

mod network;
mod upload;

use super::*;
use crate::input::{Answer, Leg, Sent, Verdict};
use crate::output::{Request, Subject};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::exchange::{Exchange, Reversal};
use protocol::id::Xid;
use protocol::iso8583::{Encoder, FRAME_MAX_BYTES, Message, Mti, TSYS, append_frame};
use protocol::response_code::ResponseCode;
use protocol::secret::{Cvv, Pan};
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{EntryType, ReversalReason, ReversalState, Source, Verb};

const PAN: &str = "4012000098765439";
const TRACK_2: &str = "4012000098765439=28121011234";
/// 2026-11-21T01:30:42Z.
const SHARD: u16 = 3;
const NOW: Micros = Micros(1_795_224_642_000_000);

fn acceptor() -> Acceptor {
    Acceptor { terminal: "TERM0001".to_owned(), id: "MERCHANT-42".to_owned(), category: 5999 }
}

fn address() -> Vec<u8> {
    let mut bytes = Vec::new();
    tail::push(&mut bytes, tag::BILLING + tail::ADDRESS_LINE_1, b"4 Fleet St");
    tail::push(&mut bytes, tag::BILLING + tail::POSTAL_CODE, b"30328");
    bytes
}

fn transaction(verb: Verb) -> Transaction {
    let mut transaction = Transaction::empty();
    transaction.verb = verb.number();
    transaction.source = Source::Api.number();
    transaction.entry_type = EntryType::Keyed.number();
    transaction.id = Xid([1; 12]);
    transaction.rrn = *b"632501000007";
    transaction.amount = 1_112.into();
    transaction.amount_authorized = 1_112.into();
    transaction.currency = 840.into();
    transaction.expiry = 2812.into();
    transaction.original = Exchange::in_flight(verb, 7, 1_112, NOW, NOW.plus_s(30));
    transaction.original.auth_code = *b"TAS731";
    transaction.batch_number = 1.into();
    transaction
}

/// The same, with a step that was begun a minute later.
fn stepped(verb: Verb, step: Verb, amount: u64) -> Transaction {
    let mut transaction = transaction(verb);
    transaction.step = Exchange::in_flight(step, 8, amount, NOW.plus_s(60), NOW.plus_s(90));
    transaction
}

fn reversed(reason: ReversalReason) -> Transaction {
    let mut transaction = transaction(Verb::Sale);
    transaction.reversal = Reversal {
        stan: 7.into(),
        state: ReversalState::Queued.number(),
        reason: reason.number(),
        queued_at: NOW.plus_s(30).0.into(),
        original_stan: 7.into(),
        ..Reversal::none()
    };
    transaction
}

fn sent(leg: Leg, stan: u32) -> Sent {
    Sent { id: Xid([1; 12]), leg, stan }
}

/// A session that is signed on, with nothing to say and nothing to write.
fn signed_on() -> Session {
    let mut session = Session::new(SessionOptions::default());
    session.connected(NOW);
    drop(written(&mut session));
    session.received(&network_answer("00"), NOW);
    assert_eq!(events(&mut session), [Event::SignedOn]);
    session
}

fn written(session: &mut Session) -> Vec<u8> {
    let mut bytes = Vec::new();
    session.take_output(&mut bytes);
    bytes
}

fn events(session: &mut Session) -> Vec<Event> {
    core::iter::from_fn(|| session.poll()).collect()
}

fn submit_to(session: &mut Session, subject: Subject<'_>, sent: Sent, repeat: bool) -> Result<(), NotSubmitted> {
    let (pan, cvv, acceptor) = (Pan::new(PAN).unwrap(), Cvv::new("999").unwrap(), acceptor());
    let swiped = matches!(subject, Subject::Transaction(transaction, _) if transaction.entry_type() == EntryType::Swiped);
    let card = CardData { pan: &pan, track_2: swiped.then_some(TRACK_2), track_1: None, cvv: Some(&cvv) };
    let request = Request { processor: 1, sent, repeat, subject };
    session.submit(&Outgoing { request, shard: SHARD, acceptor: &acceptor, card: Some(card) }, NOW)
}

fn submit_sale(session: &mut Session, stan: u32) -> Sent {
    let mut transaction = transaction(Verb::Sale);
    transaction.original.stan = stan.into();
    let sent = sent(Leg::Original, stan);
    submit_to(session, Subject::Transaction(&transaction, Tail::trusted(&[])), sent, false).unwrap();
    sent
}

/// The frame of one request.
fn frame(transaction: &Transaction, leg: Leg, stan: u32, repeat: bool) -> Vec<u8> {
    let mut session = signed_on();
    let tail = address();
    submit_to(&mut session, Subject::Transaction(transaction, Tail::trusted(&tail)), sent(leg, stan), repeat).unwrap();
    written(&mut session)
}

/// A frame by hand: message type, bitmap in hex, the fields one behind the other.
fn by_hand(mti: &str, bitmap: &str, fields: &[&str]) -> Vec<u8> {
    let bits = (0..bitmap.len()).step_by(2).map(|at| u8::from_str_radix(&bitmap[at..at + 2], 16).unwrap());
    let message: Vec<u8> = mti.bytes().chain(bits).chain(fields.concat().bytes()).collect();
    [&(message.len() as u16).to_be_bytes()[..], &message].concat()
}

fn host_frame(mti: Mti, stan: u64, fields: &[(u8, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = append_frame(&mut bytes, |buffer| {
        let mut encoder = Encoder::begin(&TSYS, mti, buffer)?;
        let stan_text = format!("{stan:06}");
        let mut all = [fields, &[(11, stan_text.as_str())]].concat();
        all.sort_unstable();
        for (field, text) in all {
            encoder.text(field, text)?;
        }
        encoder.finish()
    });
    written.unwrap();
    bytes
}

fn network_answer(action_code: &str) -> Vec<u8> {
    host_frame(Mti::NETWORK_RESPONSE, 1, &[(39, action_code), (70, "001")])
}

fn sale_answer(stan: u32, action_code: &str) -> Vec<u8> {
    let fields = [(4, "000000001112"), (39, action_code), (41, "TERM0001")];
    host_frame(Mti::FINANCIAL_RESPONSE, u64::from(stan), &fields)
}

fn only_answer(session: &mut Session) -> Answer {
    match events(session)[..] {
        [Event::Answer { shard: SHARD, answer, .. }] => answer,
        ref other => panic!("one answer: {other:?}"),
    }
}

const ORIGINAL_SALE: &str = "020000000711210130420000000000100000000000";
const ORIGINAL_AUTHORIZATION: &str = "010000000711210130420000000000100000000000";
const ACCEPTOR: &str = "TERM0001MERCHANT-42    ";

#[test]
fn a_sale_is_0200_with_its_batch_number() {
    let golden = by_hand(
        "0200",
        "723C448108C18010",
        &[
            "164012000098765439",
            "000000",
            "000000001112",
            "1121013042",
            "000007",
            "013042",
            "1121",
            "2812",
            "5999",
            "012",
            "59",
            "06000001",
            "632501000007",
            ACCEPTOR,
            "033AD0104 Fleet StZP00530328CV003999",
            "840",
            "006000001",
        ],
    );
    assert_eq!(show(&frame(&transaction(Verb::Sale), Leg::Original, 7, false)), show(&golden));
}

#[test]
fn an_authorization_is_0100_and_in_no_batch_and_a_stripe_adds_its_track() {
    let mut swiped = transaction(Verb::Authorize);
    swiped.entry_type = EntryType::Swiped.number();
    swiped.batch_number = 0.into();
    let golden = by_hand(
        "0100",
        "723C448128C18000",
        &[
            "164012000098765439",
            "000000",
            "000000001112",
            "1121013042",
            "000007",
            "013042",
            "1121",
            "2812",
            "5999",
            "022",
            "00",
            "06000001",
            "284012000098765439=28121011234",
            "632501000007",
            ACCEPTOR,
            "033AD0104 Fleet StZP00530328CV003999",
            "840",
        ],
    );
    assert_eq!(show(&frame(&swiped, Leg::Original, 7, false)), show(&golden));
}

#[test]
fn a_capture_is_0220_and_names_its_authorization() {
    let golden = by_hand(
        "0220",
        "F23C44810CC080100000004000000000",
        &[
            "164012000098765439",
            "000000",
            "000000000900",
            "1121013142",
            "000008",
            "013142",
            "1121",
            "2812",
            "5999",
            "012",
            "59",
            "06000001",
            "632501000007",
            "TAS731",
            ACCEPTOR,
            "840",
            "006000001",
            ORIGINAL_AUTHORIZATION,
        ],
    );
    assert_eq!(show(&frame(&stepped(Verb::Authorize, Verb::Capture, 900), Leg::Step, 8, false)), show(&golden));
}

#[test]
fn a_void_is_0400_and_names_its_sale() {
    let golden = by_hand(
        "0400",
        "F23C00010CC080000000004000000000",
        &[
            "164012000098765439",
            "000000",
            "000000001112",
            "1121013142",
            "000008",
            "013142",
            "1121",
            "2812",
            "06000001",
            "632501000007",
            "TAS731",
            ACCEPTOR,
            "840",
            ORIGINAL_SALE,
        ],
    );
    assert_eq!(show(&frame(&stepped(Verb::Sale, Verb::Void, 1_112), Leg::Step, 8, false)), show(&golden));
}

#[test]
fn a_reversal_is_0420_and_its_repeat_0421_with_the_same_numbers() {
    for (mti, repeat) in [("0420", false), ("0421", true)] {
        for (reason, code) in [
            (ReversalReason::Timeout, "68"),
            (ReversalReason::Lost, "68"),
            (ReversalReason::PartialNotAllowed, "17"),
            (ReversalReason::DeniedByRule, "17"),
        ] {
            let golden = by_hand(
                mti,
                "F23C00010AC080000000004000000000",
                &[
                    "164012000098765439",
                    "000000",
                    "000000001112",
                    "1121013112",
                    "000007",
                    "013112",
                    "1121",
                    "2812",
                    "06000001",
                    "632501000007",
                    code,
                    ACCEPTOR,
                    "840",
                    ORIGINAL_SALE,
                ],
            );
            assert_eq!(show(&frame(&reversed(reason), Leg::Reversal, 7, repeat)), show(&golden));
        }
    }
}

#[test]
fn totals_are_0500_under_both_numbers_with_the_net_from_the_acquirers_side() {
    for (credited, net) in [(300, "D0000000000001924"), (3_000, "C0000000000000776")] {
        let mut batch = Batch::empty();
        (batch.number, batch.members_number, batch.stan) = (12.into(), 9.into(), 31.into());
        (batch.capture_count, batch.captured) = (2.into(), 2_224.into());
        (batch.credit_count, batch.credited) = (1.into(), credited.into());
        (batch.currency, batch.closed_at) = (840.into(), NOW.0.into());
        let golden = by_hand(
            "0500",
            "82380001 00C04010 00500500 80000000".replace(' ', "").as_str(),
            &[
                "1121013042",
                "000031",
                "013042",
                "1121",
                "06000001",
                ACCEPTOR,
                "840",
                "012000012000009",
                "0000000001",
                "0000000002",
                &format!("{credited:016}"),
                "0000000000002224",
                net,
            ],
        );
        let mut session = signed_on();
        submit_to(&mut session, Subject::Batch(&batch), sent(Leg::Totals, 31), false).unwrap();
        assert_eq!(show(&written(&mut session)), show(&golden));
    }
}

#[test]
fn sign_on_is_the_first_message_and_sign_off_the_last() {
    let golden = |stan: &str, code: &str| {
        by_hand("0800", "82380000000000000400000000000000", &["1121013042", stan, "013042", "1121", code])
    };
    let mut session = Session::new(SessionOptions::default());
    session.connected(NOW);
    assert_eq!(show(&written(&mut session)), show(&golden("000001", "001")));
    session.received(&network_answer("00"), NOW);
    session.sign_off(NOW);
    assert_eq!(show(&written(&mut session)), show(&golden("000002", "002")));
    assert!(!session.is_up());
    session.received(&network_answer("00"), NOW);
    assert_eq!(events(&mut session), [Event::SignedOn, Event::Disconnect(DisconnectReason::SignedOff)]);
}

/// Bytes as a failure should show them: the length, then text, with bitmaps as hex.
fn show(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(
            |byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte).to_string() } else { format!("<{byte:02x}>") },
        )
        .collect()
}

#[test]
fn what_each_verb_says_by_its_codes() {
    let field = |transaction: &Transaction, number: u8| {
        let frame = frame(transaction, Leg::Original, 7, false);
        Message::parse(&TSYS, &frame[2..]).unwrap().text(number).unwrap_or("").to_owned()
    };
    for (verb, processing_code, condition) in [
        (Verb::Sale, "000000", "59"),
        (Verb::Authorize, "000000", "59"),
        (Verb::Verification, "000000", "51"),
        (Verb::Credit, "200000", "59"),
        (Verb::Refund, "200000", "59"),
    ] {
        let transaction = transaction(verb);
        assert_eq!((field(&transaction, 3).as_str(), field(&transaction, 25).as_str()), (processing_code, condition), "{verb:?}");
    }
    let mut refund = transaction(Verb::Refund);
    refund.parent = Xid::from_parts(1_795_224_000, [1; 5], 8);
    let sale = crate::rrn_of(refund.parent);
    let said = field(&refund, 48);
    assert!(said.ends_with(&format!("OR012{}", core::str::from_utf8(&sale).unwrap())), "{said}");
    let mut partial = transaction(Verb::Sale);
    partial.flags = protocol::command::flag::ALLOW_PARTIAL.into();
    assert!(field(&partial, 48).ends_with("PA0011"));
}

#[test]
fn a_request_without_its_card_is_not_written() {
    let mut session = signed_on();
    let (transaction, acceptor) = (transaction(Verb::Sale), acceptor());
    let subject = Subject::Transaction(&transaction, Tail::trusted(&[]));
    let request = Request { processor: 1, sent: sent(Leg::Original, 7), repeat: false, subject };
    let refused = session.submit(&Outgoing { request, shard: SHARD, acceptor: &acceptor, card: None }, NOW);
    assert!(matches!(refused, Err(NotSubmitted::Unwritable(_))));
    assert_eq!((written(&mut session), session.pending_count()), (vec![], 0));
}

/// Every action code that has a meaning of its own, and what the gateway calls it.
#[rustfmt::skip]
const ACTION_CODES_BY_HAND: [(&str, u16); 33] = [
    ("00", 100), ("85", 100), ("10", 110), ("01", 240), ("02", 240), ("03", 410), ("04", 250), ("05", 201),
    ("06", 400), ("96", 400), ("07", 253), ("12", 204), ("13", 220), ("14", 222), ("39", 222), ("15", 221),
    ("30", 440), ("41", 251), ("43", 252), ("51", 202), ("54", 223), ("61", 203), ("65", 203), ("82", 225),
    ("N7", 225), ("86", 226), ("91", 421), ("94", 430), ("R0", 261), ("R1", 261), ("R3", 262),
    ("08", 101), ("1A", 205),
];

#[test]
fn every_action_code_has_its_row_and_any_other_is_a_plain_decline() {
    assert_eq!(ACTION_CODES.len(), ACTION_CODES_BY_HAND.len());
    for (action_code, gateway) in ACTION_CODES_BY_HAND {
        let code = response_code(action_code);
        assert_eq!(code, ResponseCode(gateway), "{action_code}");
        assert!(code.row().is_some(), "{action_code} is in the gateway's table");
        let mut session = signed_on();
        submit_sale(&mut session, 7);
        session.received(&sale_answer(7, action_code), NOW);
        let expected = match gateway {
            100 => Verdict::Approved,
            101 => Verdict::AwaitsCustomer,
            110 => Verdict::Partial { approved: 1_112 },
            _ => Verdict::Declined(code),
        };
        assert_eq!(only_answer(&mut session).verdict, expected, "{action_code}");
    }
    for other in ["", "99", "n7", "ZZ", "000"] {
        assert_eq!(response_code(other), ResponseCode::DECLINE, "{other:?}");
    }
}

#[test]
fn an_answer_is_read_whole() {
    let mut session = signed_on();
    let sent = submit_sale(&mut session, 7);
    let fields = [(4, "000000000556"), (38, "TAS731"), (39, "10"), (41, "TERM0001"), (44, "YM"), (63, "APPROVAL TAS731 ")];
    session.received(&host_frame(Mti::FINANCIAL_RESPONSE, 7, &fields), NOW);
    let expected = Answer {
        sent,
        verdict: Verdict::Partial { approved: 556 },
        processor_code: *b"10",
        auth_code: *b"TAS731",
        text: *b"APPROVAL TAS731 ",
        avs: b'Y',
        cvv: b'M',
    };
    assert_eq!(only_answer(&mut session), expected);
}

#[test]
fn a_reversals_answer_is_a_receipt_only_if_it_says_that_the_host_has_it() {
    for (action_code, verdict) in [
        ("00", Verdict::Receipt),
        ("25", Verdict::Receipt),
        ("94", Verdict::Receipt),
        ("12", Verdict::TryLater),
        ("30", Verdict::TryLater),
        ("58", Verdict::TryLater),
        ("91", Verdict::TryLater),
        ("96", Verdict::TryLater),
    ] {
        let mut session = signed_on();
        let reversal = reversed(ReversalReason::Timeout);
        let (sent, subject) = (sent(Leg::Reversal, 7), Subject::Transaction(&reversal, Tail::trusted(&[])));
        submit_to(&mut session, subject, sent, true).unwrap();
        let fields = [(39, action_code), (41, "TERM0001")];
        session.received(&host_frame(Mti::REVERSAL_ADVICE_RESPONSE, 7, &fields), NOW);
        assert_eq!(only_answer(&mut session).verdict, verdict, "{action_code}");
    }
}

#[test]
fn nothing_goes_before_the_host_has_signed_us_on() {
    let mut session = Session::new(SessionOptions::default());
    let transaction = transaction(Verb::Sale);
    let subject = Subject::Transaction(&transaction, Tail::trusted(&[]));
    let submit = |session: &mut Session| submit_to(session, subject, sent(Leg::Original, 7), false);
    assert_eq!(submit(&mut session), Err(NotSubmitted::NotSignedOn));
    session.connected(NOW);
    assert_eq!(submit(&mut session), Err(NotSubmitted::NotSignedOn));
    session.received(&network_answer("91"), NOW);
    assert_eq!(events(&mut session), [Event::Disconnect(DisconnectReason::SignOnRefused)]);
    assert_eq!(submit(&mut session), Err(NotSubmitted::NotSignedOn));
    session.disconnected();
    session.connected(NOW);
    session.tick(session.next_tick().unwrap());
    assert_eq!(events(&mut session), [Event::Disconnect(DisconnectReason::Silent)]);
}

#[test]
fn answers_come_in_any_order_late_and_twice_and_each_is_matched_once() {
    let mut session = signed_on();
    let requests: Vec<Sent> = (1..=3).map(|stan| submit_sale(&mut session, stan)).collect();
    let frames = [sale_answer(3, "00"), sale_answer(1, "05"), sale_answer(1, "05")].concat();
    // Byte by byte: a frame is read when it is whole.
    frames.iter().for_each(|byte| session.received(&[*byte], NOW));
    let answered: Vec<Event> = events(&mut session);
    let [Event::Answer { answer: first, .. }, Event::Answer { answer: second, .. }] = answered[..] else {
        panic!("two answers: {answered:?}")
    };
    assert_eq!((first.sent, second.sent, session.unmatched_count()), (requests[2], requests[0], 1));
    session.tick(NOW.plus_s(500));
    session.received(&sale_answer(2, "00"), NOW.plus_s(500));
    assert!(matches!(events(&mut session)[..], [Event::Answer { answer: late, .. }] if late.sent == requests[1]));
}

#[test]
fn an_answer_of_another_terminal_type_or_number_matches_nothing() {
    let mut session = signed_on();
    submit_sale(&mut session, 7);
    session.received(&host_frame(Mti::FINANCIAL_RESPONSE, 7, &[(39, "00"), (41, "TERM0002")]), NOW);
    session.received(&host_frame(Mti::AUTHORIZATION_RESPONSE, 7, &[(39, "00"), (41, "TERM0001")]), NOW);
    session.received(&sale_answer(8, "00"), NOW);
    assert_eq!((events(&mut session), session.unmatched_count(), session.pending_count()), (vec![], 3, 1));
}

#[test]
fn a_request_that_was_never_answered_is_forgotten_in_the_end() {
    let mut session = signed_on();
    submit_sale(&mut session, 7);
    session.tick(NOW.plus_ms(SessionOptions::default().late_answer_ms));
    assert_eq!(session.pending_count(), 0);
}

#[test]
fn no_more_requests_are_remembered_than_there_is_room_for_and_reversals_find_some_longer() {
    let mut session = Session::new(SessionOptions { pending_max: 8, ..SessionOptions::default() });
    session.connected(NOW);
    session.received(&network_answer("00"), NOW);
    for stan in 1..=7 {
        submit_sale(&mut session, stan);
    }
    let transaction = transaction(Verb::Sale);
    let subject = Subject::Transaction(&transaction, Tail::trusted(&[]));
    let mut submit = |leg, stan| submit_to(&mut session, subject, sent(leg, stan), false);
    assert_eq!(submit(Leg::Original, 8), Err(NotSubmitted::Full));
    assert_eq!(submit(Leg::Reversal, 1), Ok(()));
    assert_eq!(submit(Leg::Reversal, 2), Err(NotSubmitted::Full));
}

#[test]
fn a_request_of_the_hosts_own_is_counted_and_costs_nothing() {
    let mut session = signed_on();
    let sent = submit_sale(&mut session, 3);
    let mut request = sale_answer(3, "00");
    request[4] = b'0';
    session.received(&request, NOW);
    assert_eq!((events(&mut session), session.unmatched_count()), (vec![], 1));
    session.received(&sale_answer(3, "00"), NOW);
    assert_eq!(only_answer(&mut session).sent, sent);
}

#[test]
fn an_answer_that_names_another_transaction_decides_nothing() {
    let mut session = signed_on();
    let sent = submit_sale(&mut session, 7);
    let fields = [(37, "000000000000"), (39, "00"), (41, "TERM0001")];
    session.received(&host_frame(Mti::FINANCIAL_RESPONSE, 7, &fields), NOW);
    assert_eq!((events(&mut session), session.unmatched_count(), session.pending_count()), (vec![], 1, 1));
    session.received(&sale_answer(7, "00"), NOW);
    assert_eq!(only_answer(&mut session).sent, sent);
}

#[test]
fn what_is_remembered_is_looked_over_each_second_however_much_the_host_talks() {
    let mut session = signed_on();
    submit_sale(&mut session, 7);
    session.tick(NOW);
    for second in 1..5 {
        let now = NOW.plus_ms(second * 900);
        session.received(&sale_answer(900, "00"), now);
        assert!(session.next_tick().is_some_and(|at| at <= NOW.plus_s(1)));
    }
}

#[test]
fn bytes_that_are_no_answer_end_the_connection_and_what_waits_is_lost_in_order() {
    let too_long = ((FRAME_MAX_BYTES + 1) as u16).to_be_bytes();
    let garbage: [&[u8]; 4] = [&[0, 0], &too_long, b"\x00\x04HTTP", b"\x00\x0c0210\xff\xff\xff\xff\xff\xff\xff\xff"];
    for bytes in garbage {
        let mut session = signed_on();
        let requests: Vec<Sent> = (1..=20).rev().map(|stan| submit_sale(&mut session, stan)).collect();
        session.received(bytes, NOW);
        session.received(&sale_answer(3, "00"), NOW);
        assert_eq!(events(&mut session), [Event::Disconnect(DisconnectReason::Garbage)], "{}", show(bytes));
        session.disconnected();
        let lost: Vec<Event> = requests.into_iter().rev().map(|sent| Event::Lost { shard: SHARD, sent }).collect();
        assert_eq!(events(&mut session), lost);
        assert_eq!((session.pending_count(), written(&mut session)), (0, vec![]));
    }
}

#[test]
fn silence_is_probed_with_echoes_and_three_without_an_answer_end_the_connection() {
    let options = SessionOptions::default();
    let mut session = signed_on();
    let mut now = NOW.plus_ms(options.echo_after_ms);
    session.tick(Micros(now.0 - 1));
    assert_eq!(written(&mut session), []);
    session.tick(now);
    let echo = written(&mut session);
    assert_eq!(Message::parse(&TSYS, &echo[2..]).unwrap().text(70), Some("301"));
    session.received(&network_answer("00"), now);
    now = now.plus_ms(options.echo_after_ms);
    for _ in 0..options.missed_echoes_max {
        assert_eq!(events(&mut session), []);
        session.tick(now);
        now = now.plus_ms(options.network_timeout_ms);
    }
    session.tick(now);
    assert_eq!(events(&mut session), [Event::Disconnect(DisconnectReason::Silent)]);
}

#[test]
fn track_1_goes_with_the_request_and_never_with_what_follows() {
    let mut session = signed_on();
    let (pan, acceptor) = (Pan::new(PAN).unwrap(), acceptor());
    let track_1 = "B4012000098765439^DOE/JANE^28121011234";
    let card = CardData { pan: &pan, track_2: Some(TRACK_2), track_1: Some(track_1), cvv: None };
    let (sale, capture) = (transaction(Verb::Sale), stepped(Verb::Authorize, Verb::Capture, 500));
    for (transaction, leg, expected) in [(&sale, Leg::Original, Some(track_1)), (&capture, Leg::Step, None)] {
        let subject = Subject::Transaction(transaction, Tail::trusted(&[]));
        let request = Request { processor: 1, sent: sent(leg, 7), repeat: false, subject };
        session.submit(&Outgoing { request, shard: SHARD, acceptor: &acceptor, card: Some(card) }, NOW).unwrap();
        let bytes = written(&mut session);
        let message = Message::parse(&TSYS, &bytes[2..]).unwrap();
        assert_eq!(message.text(45), expected);
        assert!(!message.to_string().contains("DOE"), "{message}");
    }
}

#[test]
fn no_debug_output_shows_a_card() {
    let mut session = signed_on();
    submit_sale(&mut session, 7);
    session.received(b"\x00", NOW);
    let (pan, cvv, acceptor) = (Pan::new(PAN).unwrap(), Cvv::new("999").unwrap(), acceptor());
    let transaction = transaction(Verb::Sale);
    let subject = Subject::Transaction(&transaction, Tail::trusted(&[]));
    let request = Request { processor: 1, sent: sent(Leg::Original, 7), repeat: false, subject };
    let card = CardData { pan: &pan, track_2: Some(TRACK_2), track_1: Some("B4012000098765439^A/B^2812101"), cvv: Some(&cvv) };
    let outgoing = format!("{:?}", Outgoing { request, shard: SHARD, acceptor: &acceptor, card: Some(card) });
    let session = format!("{session:?}");
    // As text, and as a list of byte values.
    for shown in [outgoing, session] {
        assert!(!shown.contains("0098765"), "{shown}");
        assert!(!shown.contains("48, 48, 57, 56, 55, 54, 53"), "{shown}");
        assert!(!shown.contains("\"999\""), "{shown}");
    }
}

#[test]
fn a_buffer_that_was_written_is_wiped_when_it_comes_back() {
    let mut session = signed_on();
    submit_sale(&mut session, 7);
    let mut buffer = written(&mut session);
    let length = buffer.len();
    session.take_output(&mut buffer);
    submit_sale(&mut session, 8);
    // The session writes into the buffer that it was given: behind what it wrote now nothing of before is left.
    let mut back = Vec::new();
    session.take_output(&mut back);
    assert_eq!(back.len(), length);
    assert!(back.windows(PAN.len()).any(|window| window == PAN.as_bytes()));
    session.take_output(&mut back);
    assert_eq!(back, []);
}
