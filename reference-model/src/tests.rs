//! The model's own rules, as facts.

use crate::{Begun, Expect, Fold, Lasting, Model, Operation, Terms};
use protocol::calendar::Micros;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::record::{Decided, Kind, Record, write_transaction};
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, PaymentMethod, ReversalReason, ReversalState, Status, Verb};
use switch_core::input::{Answer, Leg, MerchantTerms, OwnProcessors, ProcessorState, ProcessorTerms, Sent, Verdict};

mod tables;

const SHOP: Xid = Xid([1; 12]);
const NOW: Micros = Micros(1_795_000_000_000_000);
const TIMEOUT_MS: u32 = 2_000;

fn terms() -> Terms {
    let merchant = MerchantTerms { id: SHOP, active: true, duplicate_window_s: 60, processors: OwnProcessors::for_cards(1) };
    let (reversal_retry_ms, reversal_retry_max_ms) = (500, 8_000);
    let processor = ProcessorTerms {
        method: PaymentMethod::Card,
        index: 1,
        state: ProcessorState::Enabled,
        timeout_ms: TIMEOUT_MS,
        reversal_retry_ms,
        reversal_retry_max_ms,
    };
    Terms::of(&[merchant], &[processor])
}

fn model() -> Model {
    let mut model = Model::new(terms());
    model.tick(NOW);
    model
}

fn command(verb: Verb, number: u32, amount: u64) -> Command {
    let mut command = Command::new(verb);
    command.id = Xid::from_parts(NOW.seconds() as u32, [2; 5], number * Xid::STRIDE);
    (command.merchant, command.amount, command.currency) = (SHOP, amount.into(), 840.into());
    command.flags = (flag::AMOUNT_GIVEN).into();
    command.fingerprint = [number as u8; 16];
    command
}

fn on(target: Xid, command: Command) -> Command {
    Command { target, ..command }
}

fn expect(model: &Model, command: &Command) -> Expect {
    model.expect(command, Tail::trusted(&[]))
}

fn begin(model: &mut Model, command: &Command) -> Operation {
    let Expect::Begins(begun) = expect(model, command) else { panic!("it begins: {:?}", expect(model, command)) };
    model.begin(command, Tail::trusted(&[]), begun)
}

fn answer(sent: Sent, verdict: Verdict) -> Answer {
    Answer { sent, verdict, processor_code: *b"00", auth_code: [0; 6], text: [0; 16], avs: b'N', cvv: b'M' }
}

fn heard(model: &mut Model, id: Xid, leg: Leg, verdict: Verdict) {
    model.heard(&answer(Sent { id, leg, stan: 0 }, verdict));
}

/// Begins something, and gives the host's verdict on it. Trace numbers are those that no record has told yet.
fn decided(model: &mut Model, command: &Command, leg: Leg, verdict: Verdict) -> Xid {
    let operation = begin(model, command);
    heard(model, operation.transaction, leg, verdict);
    operation.transaction
}

fn settled_sale(model: &mut Model, number: u32, amount: u64) -> Xid {
    let id = decided(model, &command(Verb::Sale, number, amount), Leg::Original, Verdict::Approved);
    model.close_batches(1, Micros::NEVER);
    let batch = model.payments[&id].batch.expect("a sale is in a batch");
    heard(model, batch, Leg::Totals, Verdict::Approved);
    model.settle(id);
    model.complete(batch);
    id
}

#[test]
fn refunds_that_are_not_decided_count() {
    let mut model = model();
    let sale = settled_sale(&mut model, 1, 1_000);
    begin(&mut model, &on(sale, command(Verb::Refund, 2, 600)));
    let too_much = expect(&model, &on(sale, command(Verb::Refund, 3, 401)));
    assert_eq!(too_much, Expect::Refused(Refusal::AmountTooLarge { status: Status::Settled, max: 400 }));
    assert_eq!(expect(&model, &on(sale, command(Verb::Refund, 3, 400))), Expect::Begins(Begun::Refund(400)));
}

#[test]
fn a_refund_that_is_declined_is_free_again() {
    let mut model = model();
    let sale = settled_sale(&mut model, 1, 1_000);
    let refund = on(sale, command(Verb::Refund, 2, 1_000));
    decided(&mut model, &refund, Leg::Original, Verdict::Declined(ResponseCode::DO_NOT_HONOR));
    assert_eq!((model.payments[&sale].refunded, model.payments[&sale].refund_pending), (0, 0));
    decided(&mut model, &on(sale, command(Verb::Refund, 3, 1_000)), Leg::Original, Verdict::Approved);
    assert_eq!(model.payments[&sale].status, Status::Refunded);
}

#[test]
fn only_what_is_authorized_can_be_captured() {
    let mut model = model();
    let held = decided(&mut model, &command(Verb::Authorize, 1, 500), Leg::Original, Verdict::Approved);
    let capture = |amount| on(held, command(Verb::Capture, 2, amount));
    assert_eq!(expect(&model, &capture(501)), Expect::Refused(Refusal::AmountTooLarge { status: Status::Authorized, max: 500 }));
    begin(&mut model, &capture(500));
    assert_eq!(
        expect(&model, &on(held, command(Verb::Void, 3, 0))),
        Expect::Refused(Refusal::StepInFlight { status: Status::Authorized })
    );
}

#[test]
fn no_answer_is_unknown_and_a_late_one_changes_nothing() {
    let mut model = model();
    let sale = begin(&mut model, &command(Verb::Sale, 1, 500)).transaction;
    model.tick(NOW.plus_ms(TIMEOUT_MS));
    let unknown = model.payments[&sale].clone();
    assert_eq!((unknown.status, unknown.reversal.state), (Status::Unknown, ReversalState::Queued));
    heard(&mut model, sale, Leg::Original, Verdict::Approved);
    assert_eq!(model.payments[&sale], unknown);
    heard(&mut model, sale, Leg::Reversal, Verdict::Receipt);
    assert_eq!((model.payments[&sale].status, model.reversals_queued()), (Status::Reversed, 0));
}

#[test]
fn a_key_replays_until_its_window_is_over() {
    let mut model = model();
    let mut keyed = command(Verb::Sale, 1, 500);
    (keyed.key_hash, keyed.request_hash, keyed.key_window_s) = ([9; 16], [8; 16], 10.into());
    let operation = begin(&mut model, &keyed);
    assert_eq!(expect(&model, &keyed), Expect::Replays(operation));
    let other = Command { request_hash: [7; 16], ..keyed };
    assert_eq!(expect(&model, &other), Expect::Refused(Refusal::KeyReused));
    heard(&mut model, keyed.id, Leg::Original, Verdict::Approved);
    model.tick(NOW.plus_s(10));
    let again = Command { id: command(Verb::Sale, 2, 0).id, ..keyed };
    let duplicate = Expect::Begins(Begun::Payment(Some(ResponseCode::DUPLICATE_TRANSACTION)));
    assert_eq!(expect(&model, &again), duplicate, "the key is free, the duplicate window is not over");
    model.tick(NOW.plus_s(60));
    assert_eq!(expect(&model, &again), Expect::Begins(Begun::Payment(None)));
}

#[test]
fn a_payment_that_came_to_nothing_is_in_nobodys_way() {
    let mut model = model();
    decided(&mut model, &command(Verb::Sale, 1, 500), Leg::Original, Verdict::Declined(ResponseCode::DO_NOT_HONOR));
    let alike = Command { id: command(Verb::Sale, 2, 0).id, ..command(Verb::Sale, 1, 500) };
    assert_eq!(expect(&model, &alike), Expect::Begins(Begun::Payment(None)));
}

fn record_of(transaction: &Transaction, kind: Kind) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_transaction(&mut bytes, kind, Decided { shard: 0, sequence: 1, at: NOW }, transaction, &[]);
    bytes
}

#[test]
fn what_was_in_flight_when_the_process_died_is_unknown() {
    let mut sale = Transaction::empty();
    (sale.verb, sale.status) = (Verb::Sale.number(), Status::Pending.number());
    (sale.id, sale.merchant, sale.processor) = (Xid([3; 12]), SHOP, 1.into());
    (sale.amount, sale.version) = (500.into(), 1.into());
    sale.original = protocol::exchange::Exchange::in_flight(Verb::Sale, 17, 500, NOW, NOW.plus_ms(TIMEOUT_MS));
    let mut fold = Fold::default();
    fold.take(&Record::parse(&record_of(&sale, Kind::Intent)).expect("a sound record"));
    let mut model = Model::restarted(&fold, |merchant| merchant == SHOP, Lasting { terms: terms(), ..Lasting::default() }, NOW);
    assert_eq!(model.in_flight(), 1);
    model.recovery_done(NOW);
    let payment = &model.payments[&sale.id];
    assert_eq!((payment.status, payment.original, payment.version), (Status::Unknown, ExchangeState::Unknown, 2));
    assert_eq!((payment.reversal.stan, payment.reversal.reason), (17, ReversalReason::Lost));
    assert_eq!(model.answers[&Operation { transaction: sale.id, began: 1 }], 2);
}

#[test]
#[should_panic(expected = "I2 outcome first")]
fn a_fold_refuses_a_gap() {
    let mut sale = Transaction::empty();
    (sale.verb, sale.status, sale.version) = (Verb::Sale.number(), Status::Pending.number(), 2.into());
    Fold::default().take(&Record::parse(&record_of(&sale, Kind::Outcome)).expect("a sound record"));
}
