//! A request on its way from a shard to a link, copied out of the shard's effects.

use crate::switch::version::Version;
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use switch_core::input::{Leg, Sent};
use switch_core::output::{Request, Subject};
use tokio::sync::mpsc;

/// One request.
#[derive(Debug)]
pub struct Order {
    /// The shard that waits for the answer.
    pub shard: u16,
    /// What the answer must name.
    pub sent: Sent,
    /// True when it, or an earlier repeat, may have been written before.
    pub repeat: bool,
    subject: Owned,
}

#[derive(Debug)]
enum Owned {
    Transaction(Version),
    Batch(Box<Batch>),
}

impl Order {
    /// Copies a shard's request.
    pub fn copy_of(shard: u16, request: &Request<'_>) -> Order {
        let subject = match request.subject {
            Subject::Transaction(transaction, tail) => Owned::Transaction(Version::copy_of(transaction, tail)),
            Subject::Batch(batch) => Owned::Batch(Box::new(*batch)),
        };
        Order { shard, sent: request.sent, repeat: request.repeat, subject }
    }

    /// What it is about.
    pub fn subject(&self) -> Subject<'_> {
        match &self.subject {
            Owned::Transaction(version) => Subject::Transaction(version.transaction(), version.tail()),
            Owned::Batch(batch) => Subject::Batch(batch),
        }
    }

    /// Whose it is.
    pub fn merchant(&self) -> Xid {
        match self.subject() {
            Subject::Transaction(transaction, _) => transaction.merchant,
            Subject::Batch(batch) => batch.merchant,
        }
    }

    /// The transaction and its tail; `None` for a batch's totals.
    pub fn transaction(&self) -> Option<(&Transaction, Tail<'_>)> {
        match self.subject() {
            Subject::Transaction(transaction, tail) => Some((transaction, tail)),
            Subject::Batch(_) => None,
        }
    }

    /// When the shard has given up waiting: from then on sending it could only do harm. Reversals and totals are sent
    /// however late they are.
    pub fn deadline(&self) -> Micros {
        let deadline = self.transaction().map(|(transaction, _)| match self.sent.leg {
            Leg::Original => Micros(transaction.original.deadline.get()),
            Leg::Step => Micros(transaction.step.deadline.get()),
            Leg::Reversal | Leg::Totals => Micros::NEVER,
        });
        deadline.unwrap_or(Micros::NEVER)
    }
}

/// The shards' ends of all links' queues, by index of the processor.
#[derive(Debug, Clone, Default)]
pub struct Outboxes(Vec<Option<mpsc::Sender<Order>>>);

impl Outboxes {
    /// Adds a processor's queue.
    pub fn put(&mut self, processor: u16, queue: mpsc::Sender<Order>) {
        let at = usize::from(processor);
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at] = Some(queue);
    }

    /// Hands a request to its link. False when there is no link or its queue is full: it was not sent.
    #[must_use]
    pub fn hand(&self, shard: u16, request: &Request<'_>) -> bool {
        let queue = self.0.get(usize::from(request.processor)).and_then(Option::as_ref);
        queue.is_some_and(|queue| queue.try_reserve().map(|place| place.send(Order::copy_of(shard, request))).is_ok())
    }
}
