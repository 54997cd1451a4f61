//! What can be asked.

use protocol::binary::request::{push_command, push_query};
use protocol::binary::{CardBlock, FrameWriter, RequestKind};
use protocol::card::Expiry;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::secret::{Cvv, Pan, Track2};
use protocol::tail::{self, tag};
use protocol::words::{EntryType, Source, Verb};
use std::collections::BTreeMap;

/// Anything that can be asked.
#[derive(Debug, Clone)]
pub enum Ask {
    /// A sale, authorization, credit or verification.
    Payment(Payment),
    /// A capture, void or refund.
    Step(Step),
    /// What became of something.
    Query(Query),
}

/// A payment with a card.
#[derive(Debug, Clone)]
pub struct Payment {
    command: Command,
    card: CardBlock,
    travelling: Travelling,
}

/// A step on a transaction.
#[derive(Debug, Clone)]
pub struct Step {
    command: Command,
    travelling: Travelling,
}

/// A question that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The transaction with this id.
    Id(Xid),
    /// The newest transactions with this order number.
    OrderId(String),
    /// What the command with this idempotency key came to.
    Key(String),
}

impl From<Payment> for Ask {
    fn from(payment: Payment) -> Ask {
        Ask::Payment(payment)
    }
}

impl From<Step> for Ask {
    fn from(step: Step) -> Ask {
        Ask::Step(step)
    }
}

impl From<Query> for Ask {
    fn from(query: Query) -> Ask {
        Ask::Query(query)
    }
}

impl Payment {
    /// A payment with a card whose number was keyed in. `amount` is in minor units, 0 for a verification.
    pub fn keyed(verb: Verb, amount: u64, currency: Currency, pan: &Pan, expiry: Expiry, cvv: Option<&Cvv>) -> Payment {
        Payment::new(verb, amount, currency, CardBlock::keyed(pan, expiry, cvv), EntryType::Keyed)
    }

    /// A payment with a card whose stripe was read.
    pub fn swiped(verb: Verb, amount: u64, currency: Currency, track_2: &Track2) -> Payment {
        Payment::new(verb, amount, currency, CardBlock::swiped(track_2), EntryType::Swiped)
    }

    fn new(verb: Verb, amount: u64, currency: Currency, card: CardBlock, entry: EntryType) -> Payment {
        let mut command = empty(verb);
        (command.amount, command.currency) = (amount.into(), currency.numeric().into());
        command.entry_type = entry.number();
        Payment { command, card, travelling: Travelling::default() }
    }

    /// Asked again under the same key, it is answered again and not done again.
    #[must_use]
    pub fn key(mut self, key: &str) -> Payment {
        self.travelling.put(tag::IDEMPOTENCY_KEY, key.as_bytes());
        self
    }

    /// How long the key holds, seconds; without this the switch's default.
    #[must_use]
    pub fn key_window_s(mut self, window_s: u32) -> Payment {
        self.command.key_window_s = window_s.into();
        self
    }

    /// The merchant's order number.
    #[must_use]
    pub fn order_id(mut self, order_id: &str) -> Payment {
        self.travelling.put(tag::ORDER_ID, order_id.as_bytes());
        self
    }

    /// Sets bits of [`flag`].
    #[must_use]
    pub fn flags(mut self, flags: u32) -> Payment {
        self.command.flags = (self.command.flags.get() | flags).into();
        self
    }

    /// Any other field that travels along, by its [`tag`].
    #[must_use]
    pub fn field(mut self, tag: u16, value: &[u8]) -> Payment {
        self.travelling.put(tag, value);
        self
    }
}

impl Step {
    /// Captures an authorization, all of it if no amount is given.
    pub fn capture(target: Xid) -> Step {
        Step::new(Verb::Capture, target)
    }

    /// Cancels a transaction that is not settled.
    pub fn void(target: Xid) -> Step {
        Step::new(Verb::Void, target)
    }

    /// Pays back a settled transaction, all of it if no amount is given.
    pub fn refund(target: Xid) -> Step {
        Step::new(Verb::Refund, target)
    }

    fn new(verb: Verb, target: Xid) -> Step {
        let mut command = empty(verb);
        command.target = target;
        Step { command, travelling: Travelling::default() }
    }

    /// So much of it, in minor units.
    #[must_use]
    pub fn amount(mut self, amount: u64) -> Step {
        self.command.amount = amount.into();
        self.command.flags = (self.command.flags.get() | flag::AMOUNT_GIVEN).into();
        self
    }

    /// Asked again under the same key, it is answered again and not done again.
    #[must_use]
    pub fn key(mut self, key: &str) -> Step {
        self.travelling.put(tag::IDEMPOTENCY_KEY, key.as_bytes());
        self
    }
}

fn empty(verb: Verb) -> Command {
    Command { source: Source::Binary.number(), ..Command::new(verb) }
}

impl Ask {
    /// Appends the request to a frame.
    pub(crate) fn push(&self, request_id: u64, frame: &mut FrameWriter<'_>) {
        match self {
            Ask::Payment(Payment { command, card, travelling }) => {
                push_command(frame, request_id, command, Some(card), &travelling.tail());
            }
            Ask::Step(Step { command, travelling }) => push_command(frame, request_id, command, None, &travelling.tail()),
            Ask::Query(Query::Id(id)) => push_query(frame, request_id, RequestKind::FindById, &id.0),
            Ask::Query(Query::OrderId(text)) => push_query(frame, request_id, RequestKind::FindByOrderId, text.as_bytes()),
            Ask::Query(Query::Key(text)) => push_query(frame, request_id, RequestKind::FindByKey, text.as_bytes()),
        }
    }
}

/// Fields by their tags, which ascend in a tail.
#[derive(Debug, Clone, Default)]
struct Travelling(BTreeMap<u16, Vec<u8>>);

impl Travelling {
    fn put(&mut self, tag: u16, value: &[u8]) {
        self.0.insert(tag, value.to_vec());
    }

    fn tail(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.0.iter().for_each(|(tag, value)| tail::push(&mut out, *tag, value));
        out
    }
}
