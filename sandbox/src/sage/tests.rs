//! The tables and the book at its bounds. What the host answers is tested from outside, in `tests/ach_host`.

use protocol::calendar::Micros;

use super::book::{Book, Plan, Standing, Totals};
use super::triggers::{Case, TABLE, Then, When, payment};
use super::wire::{RequestId, read, terminal_of};
use crate::ledger::{Kind, Row};
use crate::triggers::DENIED_AMOUNTS;

const MERCHANT: [u8; 8] = *b"TERM01  ";

fn transaction(number: u64) -> [u8; 12] {
    format!("{number:012}").as_bytes().try_into().unwrap()
}

fn sale(ordinal: u64, plan: Plan) -> Row {
    let named = Row { ordinal, rrn: transaction(ordinal), terminal: MERCHANT, mti: u16::from(b'A'), ..Row::blank(Kind::Sale) };
    Row { amount: 100, approved: 1, verdict: Case::Approved as u8, debits_count: plan.number(), batch: 1, ..named }
}

#[test]
fn every_row_of_the_table_is_reached_by_what_it_looks_for() {
    for row in TABLE {
        let then = match row.when {
            When::Routing(number) => payment(Kind::Credit, 100, number),
            When::RoutingAbove(number, limit) => {
                assert_eq!(payment(Kind::Sale, limit, number), Then::Answer(Case::Approved));
                assert_eq!(payment(Kind::Credit, limit + 1, number), Then::Answer(Case::Approved));
                payment(Kind::Sale, limit + 1, number)
            }
            When::Amount(minor) => payment(Kind::Sale, minor, "011000015"),
            When::Hundred(first) => payment(Kind::Sale, first + 1, "011000015"),
            When::Anything => payment(Kind::Sale, 910_148, "011000015"),
        };
        assert_eq!(then, row.then, "{:?}", row.when);
    }
    assert_eq!(payment(Kind::Refund, 900_006, "490000034"), Then::Answer(Case::Approved), "any debit can be paid back");
    assert!(DENIED_AMOUNTS.iter().all(|(minor, _)| !TABLE.iter().any(|row| row.when == When::Amount(*minor))));
}

#[test]
fn cases_keep_their_numbers_and_only_a_says_yes() {
    let approved: Vec<u8> = (0..=20).filter(|n| Case::from_number(*n).is_some_and(Case::is_approval)).collect();
    let known = (0..=255).filter(|n| Case::from_number(*n).is_some()).count();
    assert_eq!((approved, known), (vec![1, 9, 10], 14));
}

#[test]
fn the_oldest_entries_are_forgotten_and_stay_in_their_totals() {
    let mut book = Book::holding(3);
    (0..5).for_each(|ordinal| book.apply(&sale(ordinal, Plan::Keep)));
    let known: Vec<bool> = (0..5).map(|number| book.find(&(MERCHANT, transaction(number))).is_some()).collect();
    assert_eq!(known, [false, false, true, true, true]);
    let wanted = Totals { debits: 5, debits_amount: 500, credits: 0, credits_amount: 0 };
    assert_eq!((book.open_totals(MERCHANT, 1), book.held()), (wanted, 3));
    let reversal = Row { kind: Kind::Reversal.code(), ..sale(0, Plan::Keep) };
    book.apply(&Row { ordinal: 5, ..reversal });
    assert_eq!(book.open_totals(MERCHANT, 1), wanted, "what is forgotten is not taken back");
}

#[test]
fn banks_act_when_it_is_due_and_never_on_what_was_taken_back() {
    let mut book = Book::default();
    book.apply(&sale(0, Plan::Return(1)));
    book.apply(&sale(1, Plan::Correct(2)));
    book.apply(&sale(2, Plan::ReturnLate(10)));
    let void = Row { ordinal: 3, rrn: transaction(0), kind: Kind::Void.code(), ..sale(0, Plan::Keep) };
    book.apply(&void);
    assert!(book.next_due(Micros(1_999_999)).is_none(), "two seconds are soon");
    let (key, held, plan) = book.next_due(Micros(2_000_000)).unwrap();
    assert_eq!((key.1, held.standing, plan), (transaction(1), Standing::Approved, Plan::Correct(2)));
    assert!(book.next_due(Micros(i64::MAX)).is_none(), "what is late waits for settlement");
    let batch = Row { ordinal: 4, terminal: MERCHANT, members: 1, batch: 7, verdict: 1, approved: 1, ..Row::blank(Kind::Batch) };
    book.apply(&batch);
    assert!(book.next_due(Micros(86_399_999_999)).is_none());
    assert_eq!(book.next_due(Micros(86_400_000_000)).unwrap().2, Plan::ReturnLate(10));
    assert!(book.next_due(Micros(i64::MAX)).is_none());
}

#[test]
fn totals_are_known_by_their_number_and_trace_number_together() {
    let mut book = Book::default();
    let presented = Row { terminal: MERCHANT, stan: 499_999, batch: 7, verdict: 1, approved: 1, ..Row::blank(Kind::Batch) };
    book.apply(&presented);
    assert!(book.settlement(MERCHANT, 7, 499_999).is_some(), "a repeat");
    assert!(book.settlement(MERCHANT, 8, 499_999).is_none(), "a later batch, whose trace number has come again");
}

#[test]
fn a_correction_that_was_asked_for_is_not_asked_for_again_after_a_restart() {
    let rows = [sale(0, Plan::Correct(1)), Row { ordinal: 1, kind: Kind::Change.code(), action: *b"01", ..sale(0, Plan::Keep) }];
    let mut book = Book::default();
    rows.iter().for_each(|row| book.apply(row));
    assert!(book.next_due(Micros(i64::MAX)).is_none());
    assert_eq!(book.notice_count(), 1);
}

#[test]
fn a_request_is_named_by_transaction_trace_and_letter() {
    let id = RequestId::parse("632501000007-000012-A").unwrap();
    assert_eq!((id.transaction, id.trace, id.identifier), (*b"632501000007", 12, b'A'));
    for text in
        ["", "632501000007", "632501000007-12-A", "632501000007-000012-", "632501000007-000012-A-", "632501000007-+00012-A"]
    {
        assert_eq!(RequestId::parse(text), None, "{text}");
    }
    assert!(RequestId::parse("6325010000071-000012-A").is_none() && RequestId::parse("x-000012-a").is_none());
}

#[test]
fn each_entry_class_has_two_terminals() {
    let known: Vec<String> = (0..10_000).map(|number| format!("{number:04}")).filter(|id| terminal_of(id).is_some()).collect();
    assert_eq!(known, ["2010", "2011", "2210", "2211", "2310", "2311", "2710", "2711"]);
    assert!(known.iter().all(|id| terminal_of(id).unwrap().1 == id.ends_with('1')));
}

#[test]
fn no_bytes_are_too_strange_to_be_refused() {
    for body in
        [&b""[..], b"\xff", b"<a/>", b"<Envelope><Body/></Envelope>", b"<Envelope><Body><ProcessSingleCheck/></Body></Envelope>"]
    {
        assert!(read(body).is_err());
    }
}
