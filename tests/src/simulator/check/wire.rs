//! What leaves for a processor: nothing that is not durable (I1), a request once and a reversal with the same numbers for ever (I3),
//! a card verification value with the first request only (I9).

use super::broken;
use super::journal::{Journal, Name};
use super::records::mark;
use api_front::links::order::Order;
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::iso8583::{Message, Mti, TSYS};
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalState};
use reference_model::Invariant;
use std::collections::{BTreeMap, BTreeSet};
use switch_core::input::{Leg, Sent};
use switch_core::output::Subject;

/// The numbers of a reversal that every repeat must carry: DE11, DE7, DE90.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbers {
    stan: u64,
    transmitted: u64,
    original: String,
}

/// What has left so far.
#[derive(Default)]
pub(super) struct Wire {
    /// Requests that left a shard, reversals and totals apart.
    ordered: BTreeSet<Name>,
    /// When the last reversal that left a shard for a processor for the first time was queued.
    last_queued: BTreeMap<(u16, u16), Micros>,
    /// Requests that reached a host.
    reached: BTreeSet<Name>,
    reversals: BTreeMap<[u8; 12], Numbers>,
}

impl Wire {
    pub(super) fn ordered(&mut self, processor: u16, order: &Order, journal: &Journal) {
        match order.subject() {
            Subject::Transaction(transaction, tail) => {
                check_durable(transaction, tail, journal);
                match order.sent.leg {
                    Leg::Original | Leg::Step => self.request_ordered(order, transaction),
                    Leg::Reversal => self.reversal_ordered((order.shard, processor), order, transaction),
                    Leg::Totals => broken(Invariant::IntentFirst, format_args!("totals of a transaction: {}", transaction.id)),
                }
            }
            Subject::Batch(batch) => check_batch(order.sent, batch, journal),
        }
    }

    fn request_ordered(&mut self, order: &Order, transaction: &Transaction) {
        let Sent { id, leg, stan } = order.sent;
        let exchange = if leg == Leg::Step { &transaction.step } else { &transaction.original };
        if exchange.stan.get() != stan || exchange.state() != ExchangeState::InFlight {
            broken(Invariant::IntentFirst, format_args!("a request of {id} with trace number {stan} is not in its record"));
        }
        if order.repeat || !self.ordered.insert(Name::of_exchange(transaction, exchange)) {
            broken(Invariant::OneEffectPerKey, format_args!("a request of {id} with trace number {stan} is sent twice"));
        }
    }

    fn reversal_ordered(&mut self, way: (u16, u16), order: &Order, transaction: &Transaction) {
        let (sent, reversal) = (order.sent, &transaction.reversal);
        if reversal.state() != ReversalState::Queued || reversal.stan.get() != sent.stan {
            broken(Invariant::NoOrphan, format_args!("a reversal of {} with number {} is not in its record", sent.id, sent.stan));
        }
        if order.repeat {
            return;
        }
        let last = self.last_queued.entry(way).or_insert(reversal.queued_at());
        if *last > reversal.queued_at() {
            broken(Invariant::NoOrphan, format_args!("the reversal of {} leaves behind one that was queued later", sent.id));
        }
        *last = reversal.queued_at();
    }

    pub(super) fn host_takes(&mut self, processor: u16, frame: &[u8], journal: &Journal) {
        let message =
            Message::parse(&TSYS, frame).unwrap_or_else(|error| panic!("the switch writes sound messages, but: {error}"));
        match message.mti() {
            Mti::AUTHORIZATION_REQUEST | Mti::FINANCIAL_REQUEST => {
                self.request_taken(processor, &message, Leg::Original, journal);
            }
            Mti::FINANCIAL_ADVICE | Mti::FINANCIAL_ADVICE_REPEAT | Mti::REVERSAL_REQUEST => {
                self.request_taken(processor, &message, Leg::Step, journal);
                check_no_secrets(&message);
            }
            Mti::REVERSAL_ADVICE | Mti::REVERSAL_ADVICE_REPEAT => {
                self.reversal_taken(&message, journal);
                check_no_secrets(&message);
            }
            Mti::RECONCILIATION_REQUEST => check_totals(processor, &message, journal),
            Mti::NETWORK_REQUEST => {}
            other => broken(Invariant::IntentFirst, format_args!("a message that no record accounts for: {other}")),
        }
    }

    fn request_taken(&mut self, processor: u16, message: &Message<'_>, leg: Leg, journal: &Journal) {
        let name = name_of(message);
        if journal.intent(name).is_none_or(|intent| (intent.leg, intent.processor) != (leg, processor)) {
            broken(Invariant::IntentFirst, format_args!("host {processor} takes {name}, whose intent is not durable"));
        }
        if !self.reach(name) {
            broken(Invariant::OneEffectPerKey, format_args!("{name} was written twice"));
        }
        if journal.was_not_sent(name) {
            broken(Invariant::UnknownIsAState, format_args!("{name} was called not sent and reaches the host"));
        }
    }

    /// A request reaches a host. False when it has before.
    pub(super) fn reach(&mut self, name: Name) -> bool {
        self.reached.insert(name)
    }

    /// These were called not sent: none of them may have reached a host.
    pub(super) fn were_not_sent(&self, names: &[Name]) {
        if let Some(name) = names.iter().find(|name| self.reached.contains(*name)) {
            broken(Invariant::UnknownIsAState, format_args!("{name} is called not sent and has reached the host"));
        }
    }

    fn reversal_taken(&mut self, message: &Message<'_>, journal: &Journal) {
        let name = name_of(message);
        match journal.reversal(name.rrn) {
            Some(durable) if durable == name => {}
            Some(durable) => broken(Invariant::NoOrphan, format_args!("a reversal goes as {name}, and was queued as {durable}")),
            None => broken(Invariant::IntentFirst, format_args!("the host takes a reversal of {name} that is not durable")),
        }
        let numbers = Numbers {
            stan: message.number(11).unwrap_or(0),
            transmitted: message.number(7).unwrap_or(0),
            original: message.text(90).unwrap_or_default().to_owned(),
        };
        let first = self.reversals.entry(name.rrn).or_insert_with(|| numbers.clone());
        if *first != numbers {
            broken(Invariant::NoOrphan, format_args!("a reversal is repeated with {numbers:?} where it went with {first:?}"));
        }
    }
}

fn check_durable(transaction: &Transaction, tail: Tail<'_>, journal: &Journal) {
    let (id, version) = (transaction.id, transaction.version.get());
    if journal.mark_of_version(id, version) != Some(mark(transaction, tail)) {
        broken(Invariant::IntentFirst, format_args!("version {version} of {id} is sent and is not durable like that"));
    }
}

fn check_batch(sent: Sent, batch: &Batch, journal: &Journal) {
    if batch.stan.get() != sent.stan || !journal.has_batch(batch) {
        broken(Invariant::IntentFirst, format_args!("totals of batch {} are sent and are not durable like that", batch.id));
    }
}

fn check_totals(processor: u16, message: &Message<'_>, journal: &Journal) {
    let stan = message.number(11).unwrap_or(0) as u32;
    let number = message.text(60).and_then(|numbers| numbers.get(..6)?.parse().ok()).unwrap_or(0);
    if !journal.has_totals(processor, stan, number) {
        broken(Invariant::IntentFirst, format_args!("the host takes totals of batch {number} that are not durable"));
    }
}

/// Sensitive authentication data goes with the request that makes a transaction, and with no other.
fn check_no_secrets(message: &Message<'_>) {
    if message.has(35) || message.text(48).is_some() {
        let name = name_of(message);
        broken(Invariant::NoCardDataAtRest, format_args!("{} of {name} carries sensitive data", message.mti()));
    }
}

fn name_of(message: &Message<'_>) -> Name {
    let mut rrn = [b' '; 12];
    for (place, byte) in rrn.iter_mut().zip(message.text(37).unwrap_or_default().bytes()) {
        *place = byte;
    }
    let (stan, transmitted) = (message.number(11).unwrap_or(0) as u32, message.number(7).unwrap_or(0));
    Name { rrn, stan, transmitted }
}
