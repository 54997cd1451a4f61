//! A checker that is told a lie says so, with the number of what it breaks.

use super::{Checks, Finish, Setup};
use api_front::links::order::{Order, Outboxes};
use api_front::switch::desk::{Around, Desk};
use api_front::switch::door::{CommandMessage, Return, Told};
use api_front::switch::sensitive_table::SensitiveTable;
use api_front::switch::version::Version;
use bytes::Bytes;
use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::frame::Durable;
use protocol::id::Xid;
use protocol::iso8583::{Encoder, Mti, TSYS};
use protocol::record::Record;
use protocol::response_code::ResponseCode;
use protocol::words::{PaymentMethod, Verb};
use sandbox::ledger::{Kind, Row};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use switch_core::input::{Answer, Input, MerchantTerms, OwnProcessors, ProcessorState, ProcessorTerms, Sent, Verdict};
use switch_core::limits::Limits;
use switch_core::{Shard, ShardOptions};
use tokio::sync::{mpsc, oneshot};

const NOW: Micros = Micros(1_795_000_000_000_000);
const MERCHANT: Xid = Xid([7; 12]);
const LIMITS: Limits =
    Limits { transactions_max: 64, tails_max_bytes: 65_536, keys_max: 64, recent_max: 64, waiters_max: 64, batches_max: 8 };

fn merchant() -> MerchantTerms {
    MerchantTerms { id: MERCHANT, active: true, duplicate_window_s: 0, processors: OwnProcessors::for_cards(1) }
}

fn processor() -> ProcessorTerms {
    let (timeout_ms, reversal_retry_ms, reversal_retry_max_ms) = (2_000, 500, 8_000);
    ProcessorTerms {
        index: 1,
        method: PaymentMethod::Card,
        state: ProcessorState::Enabled,
        timeout_ms,
        reversal_retry_ms,
        reversal_retry_max_ms,
    }
}

/// A desk that is watched, and all that is around it.
struct Bench {
    checks: Checks,
    desk: Desk,
    orders: mpsc::Receiver<Order>,
    last_lsn: u64,
    records: Vec<Vec<u8>>,
}

impl Bench {
    fn new() -> Bench {
        let (merchants, processors) = (vec![merchant()], vec![processor()]);
        let (pans, window_s_max) = (Vec::new(), 0);
        let processor_ids = BTreeMap::new();
        let setup = Setup { shards: 1, limits: LIMITS, merchants, processors, processor_ids, pans, window_s_max };
        let mut checks = Checks::new(setup);
        let mut shard = Shard::new(ShardOptions { index: 0, count: 1, limits: LIMITS });
        shard.accept(NOW, Input::Processor(processor()));
        shard.accept(NOW, Input::Merchant(merchant()));
        let (queue, orders) = mpsc::channel(8);
        let mut outboxes = Outboxes::default();
        outboxes.put(1, queue);
        let (sensitive, journal_writable) = (Arc::new(SensitiveTable::new(8)), Arc::new(AtomicBool::new(true)));
        let moved = mpsc::unbounded_channel().0;
        let mut desk = Desk::new(shard, Around { index: 0, outboxes, sensitive, moved, journal_writable, tally: Arc::default() });
        checks.reopened(NOW, 0);
        checks.started(NOW, std::slice::from_ref(&desk), 0);
        checks.begin(&mut desk, 0, NOW);
        Bench { checks, desk, orders, last_lsn: 0, records: Vec::new() }
    }

    /// A sale of 5.00, not durable yet.
    fn ask(&mut self, call: u64) -> oneshot::Receiver<Told> {
        let mut command = Command::new(Verb::Sale);
        command.id = Xid::from_parts(NOW.seconds() as u32, [1; 5], call as u32 * Xid::STRIDE);
        (command.merchant, command.amount, command.currency) = (MERCHANT, 500.into(), 840.into());
        let (reply, told) = oneshot::channel();
        let message = CommandMessage { command, tail: Bytes::new(), hydration: None, reply: reply.into(), at: Micros::NONE };
        self.checks.take_command(&mut self.desk, 0, NOW, call, message);
        told
    }

    fn sync(&mut self) {
        while let Some(group) = self.desk.next_group() {
            self.checks.appending(&[&group]);
            self.records.extend(super::records::split(group.effects.records()).map(<[u8]>::to_vec));
            let first = self.last_lsn + 1;
            self.last_lsn += u64::from(group.effects.record_count());
            let durable = || Durable::after_sync(first, self.last_lsn);
            self.checks.durable(durable());
            self.checks.take_return(&mut self.desk, 0, NOW, Return::Durable(group.effects, durable()));
        }
    }

    /// The request that waits for its link.
    fn order(&mut self) -> Order {
        let order = self.orders.try_recv().expect("a durable intent leaves");
        self.checks.ordered(1, &order);
        order
    }

    fn answer(&mut self, sent: Sent, verdict: Verdict) {
        let (processor_code, auth_code, text) = (*b"00", *b"TAS001", *b"APPROVAL TAS001 ");
        let answer = Answer { sent, verdict, processor_code, auth_code, text, avs: 0, cvv: 0 };
        self.checks.take_return(&mut self.desk, 0, NOW, Return::Answer { answer, facts: Vec::new() });
        self.sync();
    }

    /// A sale that its host has, approved.
    fn approved(&mut self) -> Told {
        let mut told = self.ask(1);
        self.sync();
        let order = self.order();
        self.checks.host_row(1, &row_of(&order, 500));
        self.answer(order.sent, Verdict::Approved);
        told.try_recv().expect("a durable answer is told")
    }

    fn finish(&self) {
        let desks = std::slice::from_ref(&self.desk);
        self.checks.finish(&Finish { now: NOW, desks, files: &[], sensitive_left: 0 });
    }
}

fn row_of(order: &Order, amount: u64) -> Row {
    let (transaction, _) = order.transaction().expect("it is about a transaction");
    let civil = transaction.original.sent_at().civil();
    let digits = [civil.month, civil.day, civil.hour, civil.minute, civil.second];
    let transmitted = digits.iter().fold(0, |number, two| number * 100 + u32::from(*two));
    Row { rrn: transaction.rrn, stan: order.sent.stan, transmitted, amount, approved: 1, ..Row::blank(Kind::Sale) }
}

/// The version that follows the one that was told.
fn altered(told: &Told) -> Told {
    let Told::Version { version, verb, replayed } = told else { panic!("a version") };
    let mut transaction = *version.transaction();
    transaction.response_code = ResponseCode::DECLINE.0.into();
    Told::Version { version: Version::copy_of(&transaction, version.tail()), verb: *verb, replayed: *replayed }
}

#[test]
fn what_is_as_it_should_be_passes() {
    let mut bench = Bench::new();
    let told = bench.approved();
    bench.checks.told(1, &told);
    bench.finish();
    assert!(bench.checks.counts().sum() > 0);
}

#[test]
#[should_panic(expected = "I1 intent first")]
fn an_effect_without_a_durable_intent() {
    let mut bench = Bench::new();
    let row = Row { approved: 1, ..Row::blank(Kind::Sale) };
    bench.checks.host_row(1, &row);
}

#[test]
#[should_panic(expected = "I2 outcome first")]
fn an_answer_that_is_not_what_was_written() {
    let mut bench = Bench::new();
    let told = bench.approved();
    bench.checks.told(1, &altered(&told));
}

#[test]
#[should_panic(expected = "I2 outcome first: records up to LSN 3 were durable")]
fn a_durable_record_that_a_crash_has_lost() {
    let mut bench = Bench::new();
    bench.approved();
    bench.checks.crashed();
    for (lsn, record) in (1..).zip(bench.records.iter().take(2)) {
        bench.checks.replayed(lsn, record);
    }
    bench.checks.reopened(NOW, 2);
}

#[test]
#[should_panic(expected = "I3 no orphan")]
fn a_reversal_that_is_repeated_with_other_numbers() {
    let mut bench = Bench::new();
    bench.ask(1);
    bench.sync();
    let sent = bench.order().sent;
    bench.checks.take_return(&mut bench.desk, 0, NOW, Return::Lost(sent));
    bench.sync();
    let order = bench.order();
    let (transaction, _) = order.transaction().expect("a reversal is of a transaction");
    for transmitted in [1_121_050_000, 1_121_050_001] {
        let mut frame = Vec::new();
        let mut encoder = Encoder::begin(&TSYS, Mti::REVERSAL_ADVICE, &mut frame).expect("it fits");
        encoder.number(7, transmitted).and_then(|encoder| encoder.number(11, u64::from(order.sent.stan))).expect("numbers fit");
        encoder.text(37, transaction.rrn()).expect("a reference number fits");
        encoder.finish().expect("it fits");
        bench.checks.host_takes(1, NOW, &frame);
    }
}

#[test]
#[should_panic(expected = "I5 money closes")]
fn a_host_that_has_taken_more() {
    let mut bench = Bench::new();
    bench.ask(1);
    bench.sync();
    let order = bench.order();
    bench.checks.host_row(1, &row_of(&order, 501));
    bench.answer(order.sent, Verdict::Approved);
    bench.finish();
}

#[test]
#[should_panic(expected = "I6 unknown is a state")]
fn an_approval_that_the_host_has_not_given() {
    let mut bench = Bench::new();
    bench.ask(1);
    bench.sync();
    let sent = bench.order().sent;
    bench.answer(sent, Verdict::Approved);
}

#[test]
#[should_panic(expected = "I3 no orphan: in the end 1 requests are in flight")]
fn something_that_is_never_decided() {
    let mut bench = Bench::new();
    bench.ask(1);
    bench.sync();
    bench.finish();
}

#[test]
fn every_record_is_taken_apart_once() {
    let mut bench = Bench::new();
    bench.approved();
    let kinds: Vec<&str> = bench.records.iter().map(|record| Record::parse(record).expect("sound").kind.word()).collect();
    assert_eq!(kinds, ["batch opened", "intent", "outcome"]);
    assert_eq!(bench.checks.fold().records(), 3);
}
