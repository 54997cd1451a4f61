//! Payments that are no cards: entries that banks send back, tips at terminals, what an answer says beside the money, and who takes what.

mod support;

use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::limits::{AMOUNT_MAX_MINOR, TAIL_FIELD_MAX_BYTES};
use protocol::record::Kind;
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{Brand, PaymentMethod, SkipReason, Status, Verb};
use std::sync::Arc;
use support::driver::{Driver, Order, ROOMY, Said, Told, answer};
use support::{Ask, PROCESSOR, merchant};
use switch_core::input::{Input, MerchantTerms, OwnProcessors, ProcessorTerms, Sent, Verdict};
use switch_core::routing;
use switch_core::routing::typed::{Route, Share};

const ACH: u16 = 2;
const TERMINAL: u16 = 3;
const RETURNED_AT: Micros = Micros(1_796_000_000_000_000);

/// A shard whose first merchant has a processor for each means of payment; the second takes cards only.
fn driver() -> Driver {
    let mut driver = Driver::new(ROOMY);
    introduce(&mut driver);
    driver
}

fn introduce(driver: &mut Driver) {
    for (index, method) in [(ACH, PaymentMethod::Ach), (TERMINAL, PaymentMethod::Terminal)] {
        driver.accept(Input::Processor(ProcessorTerms { index, method, ..support::processor() }));
    }
    let processors = OwnProcessors { card: PROCESSOR, ach: ACH, terminal: TERMINAL };
    let [terms, _] = &support::merchants()[..] else { panic!("there are two") };
    driver.accept(Input::Merchant(MerchantTerms { processors, ..*terms }));
}

fn sale(amount: u64) -> Ask {
    Ask::pay(Verb::Sale, merchant(0), amount)
}

/// Asks for a payment by some means.
fn ask_by(driver: &mut Driver, method: PaymentMethod, ask: &Ask, tail: &[u8]) -> Vec<Said> {
    let mut command = ask.command(driver.draw_id());
    command.payment_method = method.number();
    if method == PaymentMethod::Terminal {
        command.fingerprint = [0; 16];
    }
    driver.give(&command, tail);
    driver.sync()
}

fn order(said: &[Said]) -> &Order {
    let mut orders = said.iter().filter_map(|said| if let Said::Send(order) = said { Some(order) } else { None });
    orders.next().unwrap_or_else(|| panic!("something is sent: {said:?}"))
}

fn reply(said: &[Said]) -> (Transaction, Vec<u8>) {
    let mut replies = said.iter().filter_map(|said| if let Said::Version { version, .. } = said { Some(version) } else { None });
    (**replies.next().unwrap_or_else(|| panic!("somebody is answered: {said:?}"))).clone()
}

fn refusal(said: &[Said]) -> Refusal {
    match said {
        [Said::Refused(_, refusal)] => *refusal,
        other => panic!("nothing but a refusal was to be said: {other:?}"),
    }
}

/// An entry that its processor has taken.
fn entry(driver: &mut Driver, amount: u64) -> Xid {
    let sent = order(&ask_by(driver, PaymentMethod::Ach, &sale(amount), &[])).sent;
    driver.answer(sent, Verdict::Approved);
    sent.id
}

fn give_back(driver: &mut Driver, id: Xid, facts: &[u8]) -> Vec<Said> {
    let token = driver.draw_token();
    let facts = Tail::parse(facts).unwrap();
    driver.accept(Input::Returned { token, transaction: id, code: *b"R01", returned_at: RETURNED_AT, facts });
    driver.sync()
}

/// Closes the batches of ACH and gives the totals as they are sent.
fn close(driver: &mut Driver) -> (Sent, Batch) {
    let token = driver.draw_token();
    driver.accept(Input::CloseBatches { token, processor: ACH, before: Micros::NEVER });
    let said = driver.sync();
    let order = order(&said);
    match &order.subject {
        Told::Batch(batch) => (order.sent, **batch),
        Told::Transaction(_) => panic!("totals"),
    }
}

/// Closes the batches and has them accepted and settled.
fn settle(driver: &mut Driver) {
    let (sent, batch) = close(driver);
    driver.answer(sent, Verdict::Approved);
    for member in driver.journal.unsettled_members(batch.id) {
        driver.accept(Input::SettleMember { transaction: member });
    }
    driver.accept(Input::CompleteBatch { batch: batch.id });
    driver.sync();
}

fn newest(driver: &Driver, id: Xid) -> Transaction {
    driver.journal.newest(id).expect("it was written").0
}

fn text_fact(tag: u16, text: &str) -> Vec<u8> {
    let mut facts = Vec::new();
    tail::push(&mut facts, tag, text.as_bytes());
    facts
}

#[test]
fn an_entry_that_comes_back_before_its_settlement_leaves_its_batch() {
    let mut driver = driver();
    let (first, second) = (entry(&mut driver, 500), entry(&mut driver, 700));
    let (returned, tail) = reply(&give_back(&mut driver, first, &text_fact(tag::RETURN_TEXT, "Insufficient Funds")));
    assert_eq!((returned.status(), returned.amount_captured.get(), returned.batch), (Status::Returned, 0, Xid::NONE));
    let tail = Tail::parse(&tail).unwrap();
    assert_eq!((tail.text(tag::RETURN_CODE), tail.text(tag::RETURN_TEXT)), ("R01", "Insufficient Funds"));
    assert_eq!(tail.number(tag::RETURNED_AT), Some(RETURNED_AT.0 as u64));
    let records = driver.journal.kinds.len();
    let (again, _) = reply(&give_back(&mut driver, first, &[]));
    assert_eq!((again.version.get(), driver.journal.kinds.len()), (returned.version.get(), records), "a second time is nothing");
    assert_eq!(driver.journal.kinds.last(), Some(&Kind::Returned));
    driver.crash(0);
    introduce(&mut driver);
    let (_, batch) = close(&mut driver);
    assert_eq!((batch.capture_count.get(), batch.captured.get()), (1, 700), "also after a restart");
    assert_eq!(newest(&driver, second).status(), Status::PendingSettlement);
}

#[test]
fn while_the_totals_are_on_their_way_a_return_waits() {
    let mut driver = driver();
    let (first, _) = (entry(&mut driver, 500), entry(&mut driver, 700));
    let (sent, batch) = close(&mut driver);
    assert_eq!(batch.captured.get(), 1_200);
    assert_eq!(refusal(&give_back(&mut driver, first, &[])), Refusal::BatchClosing);
    // The host has taken the entry out on its side: out of balance.
    driver.answer(sent, Verdict::Declined(ResponseCode::DO_NOT_HONOR));
    assert_eq!(reply(&give_back(&mut driver, first, &[])).0.status(), Status::Returned);
    let (sent, batch) = close(&mut driver);
    assert_eq!((batch.captured.get(), batch.capture_count.get()), (700, 1));
    driver.answer(sent, Verdict::Approved);
    let waiting = driver.journal.unsettled_members(batch.id);
    assert_eq!(refusal(&give_back(&mut driver, waiting[0], &[])), Refusal::BatchClosing, "accepted, and not settled yet");
}

#[test]
fn a_batch_whose_last_undecided_member_comes_back_is_sent_or_done() {
    let mut driver = driver();
    let first = entry(&mut driver, 500);
    let undecided = order(&ask_by(&mut driver, PaymentMethod::Ach, &sale(700), &[])).sent;
    let token = driver.draw_token();
    driver.accept(Input::CloseBatches { token, processor: ACH, before: Micros::NEVER });
    driver.sync();
    assert_eq!(reply(&give_back(&mut driver, first, &[])).0.status(), Status::Returned, "its totals are not final yet");
    let said = driver.answer(undecided, Verdict::Declined(ResponseCode::DO_NOT_HONOR));
    let moved = said.iter().find_map(|said| if let Said::BatchMoved(batch) = said { Some(batch.state()) } else { None });
    assert_eq!(moved, Some(BatchState::Complete), "nothing is left in it");
}

#[test]
fn after_the_settlement_the_batch_stays_as_it_was() {
    let mut driver = driver();
    let id = entry(&mut driver, 500);
    settle(&mut driver);
    let settled = newest(&driver, id);
    let (returned, _) = reply(&give_back(&mut driver, id, &[]));
    let money = |version: &Transaction| (version.amount_captured, version.amount_settled, version.batch, version.settled_at);
    assert_eq!((returned.status(), money(&returned)), (Status::Returned, money(&settled)));
    let said = driver.ask(&Ask::step(Verb::Refund, merchant(0), id, None));
    assert_eq!(refusal(&said), Refusal::IllegalStep { verb: Verb::Sale, status: Status::Returned });
    let said = driver.ask(&Ask::step(Verb::Void, merchant(0), id, None));
    assert_eq!(refusal(&said), Refusal::IllegalStep { verb: Verb::Sale, status: Status::Returned });
}

#[test]
fn a_refund_that_comes_back_was_not_paid() {
    let mut driver = driver();
    let id = entry(&mut driver, 1_000);
    settle(&mut driver);
    let refund = order(&driver.ask(&Ask::step(Verb::Refund, merchant(0), id, Some(400)))).clone();
    let Told::Transaction(sent) = &refund.subject else { panic!("a refund") };
    assert_eq!((sent.0.processor.get(), sent.0.payment_method()), (ACH, PaymentMethod::Ach));
    driver.answer(refund.sent, Verdict::Approved);
    assert_eq!((newest(&driver, id).status(), newest(&driver, id).refundable()), (Status::PartiallyRefunded, 600));
    assert_eq!(reply(&give_back(&mut driver, refund.sent.id, &[])).0.status(), Status::Returned);
    assert_eq!((newest(&driver, id).status(), newest(&driver, id).refundable()), (Status::Settled, 1_000));
    let again = order(&driver.ask(&Ask::step(Verb::Refund, merchant(0), id, None))).sent;
    assert_eq!(reply(&give_back(&mut driver, id, &[])).0.status(), Status::Returned, "with a refund under way");
    driver.answer(again, Verdict::Approved);
    let sale = newest(&driver, id);
    assert_eq!(
        (sale.status(), sale.amount_refunded.get()),
        (Status::Returned, 1_000),
        "the money of both is gone, and both say so"
    );
}

#[test]
fn what_is_no_entry_at_rest_does_not_come_back() {
    let mut driver = driver();
    let illegal = |verb, status| Refusal::IllegalStep { verb, status };
    let card = order(&driver.ask(&sale(500))).sent;
    driver.answer(card, Verdict::Approved);
    assert_eq!(refusal(&give_back(&mut driver, card.id, &[])), illegal(Verb::Sale, Status::PendingSettlement));
    let asked = order(&ask_by(&mut driver, PaymentMethod::Ach, &sale(500), &[])).sent;
    assert_eq!(refusal(&give_back(&mut driver, asked.id, &[])), illegal(Verb::Sale, Status::Pending));
    driver.answer(asked, Verdict::Declined(ResponseCode::DO_NOT_HONOR));
    assert_eq!(refusal(&give_back(&mut driver, asked.id, &[])), illegal(Verb::Sale, Status::Declined));
    let taken = entry(&mut driver, 500);
    let void = order(&driver.ask(&Ask::step(Verb::Void, merchant(0), taken, None))).sent;
    assert_eq!(refusal(&give_back(&mut driver, taken, &[])), Refusal::StepInFlight { status: Status::PendingSettlement });
    driver.answer(void, Verdict::Approved);
    assert_eq!(refusal(&give_back(&mut driver, taken, &[])), illegal(Verb::Sale, Status::Voided));
    let stranger = driver.draw_id();
    assert!(matches!(give_back(&mut driver, stranger, &[])[..], [Said::Absent(_, id)] if id == stranger));
    assert_eq!(driver.shard.stats().returns, 0);
}

#[test]
fn a_change_of_an_account_is_noted_once_and_moves_no_money() {
    let mut driver = driver();
    let id = entry(&mut driver, 500);
    let before = newest(&driver, id);
    let facts = text_fact(tag::CHANGE_CODE, "C01");
    let notify = |driver: &mut Driver| {
        let token = driver.draw_token();
        driver.accept(Input::ChangeNotified { token, transaction: id, facts: Tail::trusted(&facts) });
        reply(&driver.sync())
    };
    let (noted, tail) = notify(&mut driver);
    assert_eq!(Tail::trusted(&tail).text(tag::CHANGE_CODE), "C01");
    assert_eq!((noted.status, noted.amount_captured, noted.batch), (before.status, before.amount_captured, before.batch));
    assert_eq!(notify(&mut driver).0.version, noted.version);
    assert_eq!(driver.journal.kinds.last(), Some(&Kind::ChangeNotified));
}

#[test]
fn a_tip_at_the_terminal_is_part_of_the_payment() {
    let mut driver = driver();
    let mut own_tip = Vec::new();
    tail::push(&mut own_tip, tag::TIP_AMOUNT, &100u64.to_le_bytes());
    let sent = order(&ask_by(&mut driver, PaymentMethod::Terminal, &sale(1_000), &own_tip)).sent;
    let (paid, tail) = reply(&driver.answer(sent, Verdict::WithTip { tip: 150 }));
    let amounts = [paid.amount, paid.amount_authorized, paid.amount_captured].map(|amount| amount.get());
    assert_eq!((amounts, paid.status(), paid.response_code()), ([1_150; 3], Status::PendingSettlement, ResponseCode::APPROVED));
    assert_eq!(Tail::parse(&tail).unwrap().number(tag::TIP_AMOUNT), Some(250));
    assert_eq!(paid.requested(), 1_000);
    let void = order(&driver.ask(&Ask::step(Verb::Void, merchant(0), sent.id, None))).clone();
    let Told::Transaction(voided) = &void.subject else { panic!("a void") };
    assert_eq!(voided.0.step.amount.get(), 1_150);
}

#[test]
fn a_tip_that_no_payment_can_have_is_no_approval() {
    let mut driver = driver();
    let credit = Ask { verb: Verb::Credit, ..sale(1_000) };
    for (ask, tip) in [(sale(1_000), AMOUNT_MAX_MINOR), (sale(1_000), u64::MAX), (credit, 1)] {
        let sent = order(&ask_by(&mut driver, PaymentMethod::Terminal, &ask, &[])).sent;
        let said = driver.answer(sent, Verdict::WithTip { tip });
        let unknown = reply(&said).0;
        assert_eq!((unknown.status(), unknown.amount.get()), (Status::Unknown, 1_000), "{tip}");
        assert_eq!(order(&said).sent.id, sent.id, "it is taken back");
    }
}

#[test]
fn the_facts_of_an_answer_stand_in_its_record_and_say_which_card_it_was() {
    let mut driver = driver();
    let sent = order(&ask_by(&mut driver, PaymentMethod::Terminal, &sale(1_000), &text_fact(tag::ORDER_ID, "7"))).sent;
    let mut facts = text_fact(tag::PROCESSOR_TEXT, "Approved by the issuer");
    tail::push(&mut facts, tag::CARD_TYPE, b"visa");
    tail::push(&mut facts, tag::LAST_FOUR, b"0119");
    driver.accept(Input::Answer { answer: answer(sent, Verdict::Approved), facts: Tail::parse(&facts).unwrap() });
    let (paid, tail) = reply(&driver.sync());
    assert_eq!((paid.brand(), paid.last_four.get()), (Brand::Visa, 119));
    let tail = Tail::parse(&tail).unwrap();
    assert_eq!((tail.text(tag::ORDER_ID), tail.text(tag::PROCESSOR_TEXT)), ("7", "Approved by the issuer"));
    driver.accept(Input::Answer {
        answer: answer(sent, Verdict::Approved),
        facts: Tail::trusted(&text_fact(tag::EMV_AID, "late")),
    });
    driver.sync();
    assert_eq!(newest(&driver, sent.id), paid, "a late answer says nothing");
}

#[test]
fn facts_without_room_are_left_out_and_the_money_stands() {
    let mut driver = driver();
    let request = text_fact(tag::LINE_ITEMS, &"x".repeat(TAIL_FIELD_MAX_BYTES));
    let sent = order(&ask_by(&mut driver, PaymentMethod::Terminal, &sale(1_000), &request)).sent;
    let facts = text_fact(tag::SIGNATURE_DATA, &"y".repeat(TAIL_FIELD_MAX_BYTES));
    driver.accept(Input::Answer { answer: answer(sent, Verdict::Approved), facts: Tail::parse(&facts).unwrap() });
    let (paid, tail) = reply(&driver.sync());
    assert_eq!((paid.status(), tail), (Status::PendingSettlement, request));
    assert_eq!(driver.shard.stats().facts_left_out, 1);
}

#[test]
fn a_refund_does_not_repeat_what_was_said_of_its_sale() {
    let mut driver = driver();
    let sent = order(&ask_by(&mut driver, PaymentMethod::Ach, &sale(1_000), &text_fact(tag::ORDER_ID, "7"))).sent;
    let facts = text_fact(tag::PROCESSOR_TEXT, "of the sale");
    driver.accept(Input::Answer { answer: answer(sent, Verdict::Approved), facts: Tail::parse(&facts).unwrap() });
    settle(&mut driver);
    let order = order(&driver.ask(&Ask::step(Verb::Refund, merchant(0), sent.id, None))).clone();
    let Told::Transaction(refund) = &order.subject else { panic!("a refund") };
    let tail = Tail::trusted(&refund.1);
    assert_eq!((tail.text(tag::ORDER_ID), tail.text(tag::PROCESSOR_TEXT)), ("7", ""));
}

#[test]
fn two_payments_at_a_terminal_are_not_taken_for_one() {
    let mut driver = driver();
    let processors = OwnProcessors { card: PROCESSOR, ach: ACH, terminal: TERMINAL };
    let terms = support::merchants()[1];
    assert!(terms.duplicate_window_s > 0);
    driver.accept(Input::Merchant(MerchantTerms { processors, ..terms }));
    for _ in 0..2 {
        let ask = Ask { merchant: terms.id, ..sale(1_000) };
        let sent = order(&ask_by(&mut driver, PaymentMethod::Terminal, &ask, &[])).sent;
        assert_eq!(reply(&driver.answer(sent, Verdict::Approved)).0.response_code(), ResponseCode::APPROVED);
    }
}

#[test]
fn a_payment_goes_to_no_processor_that_does_not_take_its_means() {
    let mut driver = driver();
    let not_taken = |method| Refusal::MethodNotTaken { method };
    let cards_only = Ask { merchant: merchant(1), ..sale(500) };
    for method in [PaymentMethod::Ach, PaymentMethod::Terminal] {
        assert_eq!(refusal(&ask_by(&mut driver, method, &cards_only, &[])), not_taken(method));
    }
    let mut command = sale(500).command(driver.draw_id());
    command.processor = ACH.into();
    driver.give(&command, &[]);
    assert_eq!(refusal(&driver.sync()), not_taken(PaymentMethod::Card), "not even where the request names it");
    let share = |processor: u16| Share { processor_id: processor.to_string(), weight: 1 };
    let routes = |to: Vec<Share>| {
        let route = Route { name: "all".to_owned(), to, ..Route::default() };
        let table = routing::Table::compile(9, &[route], routing::Breaker::default(), |id| id.parse().ok());
        Input::Routes(Arc::new(table.unwrap()))
    };
    driver.accept(routes(vec![share(ACH), share(PROCESSOR)]));
    for amount in 1..=20 {
        let said = driver.ask(&sale(amount));
        let Told::Transaction(sent) = &order(&said).subject else { panic!("a sale") };
        assert_eq!(sent.0.processor.get(), PROCESSOR);
        assert!(sent.0.choice.skips().all(|skip| skip.reason == Some(SkipReason::OtherMethod)));
    }
    driver.accept(routes(vec![share(ACH), share(TERMINAL)]));
    assert_eq!(refusal(&driver.ask(&sale(500))), not_taken(PaymentMethod::Card));
}
