//! All that a shard can be told. Time and ids come in here; the shard has no other sense of the world.

use crate::{routing, rules};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::change::Change;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::response_code::ResponseCode;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{PaymentMethod, Verb};
use std::sync::Arc;

/// Names the caller who waits for a reply. Drawn by whoever drives the shard, unique while the caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// One input. Each is taken with the moment at which it arrived.
#[derive(Debug)]
pub enum Input<'a> {
    /// A merchant asks for something.
    Command {
        /// Who waits for the reply.
        token: Token,
        /// What is asked; [`Command::parse`] has passed, or a front of ours has built it.
        command: &'a Command,
        /// What travels along.
        tail: Tail<'a>,
    },
    /// A processor has answered.
    Answer {
        /// What it says.
        answer: Answer,
        /// What else it says: laid over the transaction's tail for views. No decision depends on it; empty for cards.
        facts: Tail<'a>,
    },
    /// A request was provably never written to the processor: it can't be reached.
    NotSent(Sent),
    /// A request was provably never written, for a reason of our own (a full queue, no time left): it says nothing of the processor.
    NotTaken(Sent),
    /// A request was written, or may have been, and its connection is gone: no answer can come on it.
    Lost(Sent),
    /// A processor's link is signed on: what waits in its store-and-forward queue may go.
    LinkUp {
        /// Index of the processor.
        processor: u16,
    },
    /// A processor's link is gone: nothing can be sent on it until it is up again.
    LinkDown {
        /// Index of the processor.
        processor: u16,
    },
    /// A transaction that had left memory, read back for the command that follows.
    Hydrate {
        /// Its newest version.
        transaction: &'a Transaction,
        /// Its tail.
        tail: Tail<'a>,
        /// When it was read: too old a reading is refused, because the transaction may have lived again since.
        read_at: Micros,
    },
    /// Asks what came of the command with an idempotency key. Changes nothing.
    FindKey {
        /// Who waits for the reply: the version that answered, or the newest one while none has; [`protocol::refusal::Refusal::NotFound`] when no key of
        /// this hash holds.
        token: Token,
        /// Hash of merchant and key.
        hash: &'a [u8; 16],
    },
    /// The operator, or the clock at cut-over, closes a processor's open batches.
    CloseBatches {
        /// Who waits for the reply.
        token: Token,
        /// Index of the processor.
        processor: u16,
        /// Only batches opened before this moment, and rejected ones last closed before it, so that a cut-over that is told again
        /// closes nothing more; [`Micros::NEVER`] closes all.
        before: Micros,
    },
    /// The bank of an ACH entry has sent it back. The transaction is in memory, and the sale of a refund as well, or
    /// [`Input::Hydrate`] came before.
    Returned {
        /// Who waits for the reply: the transaction as it stands then, or why it can't be returned now.
        token: Token,
        /// The transaction.
        transaction: Xid,
        /// Why: `R01` to `R85`.
        code: [u8; 3],
        /// When, as the processor says.
        returned_at: Micros,
        /// What else it says, for views.
        facts: Tail<'a>,
    },
    /// The bank of an ACH entry has taken it, and says that the account's data have changed. In memory as for [`Input::Returned`].
    ChangeNotified {
        /// Who waits for the reply.
        token: Token,
        /// The transaction.
        transaction: Xid,
        /// What it says, its code among it.
        facts: Tail<'a>,
    },
    /// One member of an accepted batch is to be marked settled. It is in memory, or a [`Input::Hydrate`] came before.
    SettleMember {
        /// The transaction.
        transaction: Xid,
    },
    /// Every member of an accepted batch has been given to [`Input::SettleMember`].
    CompleteBatch {
        /// The batch.
        batch: Xid,
    },
    /// An operator has seen to it that the processor holds nothing of a transaction: its reversal is repeated no more.
    TakeOver {
        /// Who waits for the reply.
        token: Token,
        /// The transaction whose reversal is queued.
        transaction: Xid,
    },
    /// Journals a change of the configuration; what it changes comes as inputs of their own, once it is durable.
    Configure {
        /// Who waits for that.
        token: Token,
        /// The parts of the change, in their order.
        parts: &'a [(Change, Vec<u8>)],
    },
    /// A merchant's terms, new or changed.
    Merchant(MerchantTerms),
    /// A processor's terms, new or changed.
    Processor(ProcessorTerms),
    /// The table of rules that holds from here on. A velocity that no table before it counted begins with the next payment.
    Rules(Arc<rules::Table>),
    /// The table of routes that holds from here on, for payments that are made and for those whose processor can't be reached.
    Routes(Arc<routing::Table>),
    /// What lasted from before a restart, before any other input but terms and tables.
    Recover(Recovered<'a>),
    /// All that lasted has been given: what was in flight is now unknown, what was queued is sent again.
    RecoveryDone,
    /// Nothing but time has passed.
    Tick,
}

/// Which of a transaction's requests is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leg {
    /// The request that made it.
    Original,
    /// The latest capture or void.
    Step,
    /// Its reversal.
    Reversal,
    /// A batch's totals; the id is the batch's.
    Totals,
}

/// Names one request to a processor, as the link has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sent {
    /// The transaction, or the batch when the leg is [`Leg::Totals`].
    pub id: Xid,
    /// Which of its requests.
    pub leg: Leg,
    /// The trace number that it carried.
    pub stan: u32,
}

/// A processor's explicit answer, decoded and mapped by its connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The request that it answers.
    pub sent: Sent,
    /// What it says.
    pub verdict: Verdict,
    /// ISO 8583 DE39, as it came.
    pub processor_code: [u8; 2],
    /// ISO 8583 DE38; zeros when none.
    pub auth_code: [u8; 6],
    /// The processor's text; zeros when none.
    pub text: [u8; 16],
    /// Address verification letter; `0` not done.
    pub avs: u8,
    /// Card verification letter; zero not done.
    pub cvv: u8,
}

/// What an answer says, in the gateway's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Approved in full; totals: accepted.
    Approved,
    /// Approved in full, and the customer has yet to agree at the processor's side: code 101. Only of a request that makes a transaction.
    AwaitsCustomer,
    /// Approved in full, and the shopper has added a tip at the terminal. Only of a sale or an authorization.
    WithTip {
        /// What was added, minor units.
        tip: u64,
    },
    /// Approved in part.
    Partial {
        /// The part, minor units.
        approved: u64,
    },
    /// Declined or refused; totals: rejected.
    Declined(ResponseCode),
    /// A reversal's receipt: it has arrived and is final, whatever its code says.
    Receipt,
    /// A reversal could not be taken now; it is repeated.
    TryLater,
}

impl Verdict {
    /// True when the processor has approved a payment, all of it or a part.
    pub fn is_approval(&self) -> bool {
        match self {
            Verdict::Approved | Verdict::AwaitsCustomer | Verdict::WithTip { .. } | Verdict::Partial { .. } => true,
            Verdict::Declined(_) | Verdict::Receipt | Verdict::TryLater => false,
        }
    }
}

/// What a shard must know of a merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MerchantTerms {
    /// The account.
    pub id: Xid,
    /// False refuses every command.
    pub active: bool,
    /// Duplicate window in seconds; 0 turns it off.
    pub duplicate_window_s: u32,
    /// The processors that take its payments when a request names none and no route matches.
    pub processors: OwnProcessors,
}

/// A merchant's own processors, by means of payment. Indexes; 0 takes none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnProcessors {
    /// Cards, keyed or swiped.
    pub card: u16,
    /// Bank accounts.
    pub ach: u16,
    /// Cards at a terminal.
    pub terminal: u16,
}

impl OwnProcessors {
    /// One that takes cards, and nothing else.
    pub fn for_cards(card: u16) -> OwnProcessors {
        OwnProcessors { card, ..OwnProcessors::default() }
    }

    /// The one for a means of payment.
    pub fn of(&self, method: PaymentMethod) -> u16 {
        match method {
            PaymentMethod::Card => self.card,
            PaymentMethod::Ach => self.ach,
            PaymentMethod::Terminal => self.terminal,
        }
    }
}

/// Which traffic a processor takes. Reversals and totals always go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessorState {
    /// All.
    Enabled,
    /// No new payments; captures, voids and refunds of old ones still go.
    Draining,
    /// Neither new payments nor steps of old ones.
    Disabled,
}

/// What a shard must know of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessorTerms {
    /// Its index, from 1.
    pub index: u16,
    /// The means of payment that it takes.
    pub method: PaymentMethod,
    /// Which traffic it takes.
    pub state: ProcessorState,
    /// How long an answer may take, milliseconds.
    pub timeout_ms: u32,
    /// Wait before the first repeat of an unanswered reversal, milliseconds; doubled at each repeat.
    pub reversal_retry_ms: u32,
    /// Bound of that doubling, milliseconds.
    pub reversal_retry_max_ms: u32,
}

/// What lasted from before a restart.
#[derive(Debug)]
pub enum Recovered<'a> {
    /// A transaction that was open, newest version.
    Transaction(&'a Transaction, Tail<'a>),
    /// An idempotency key inside its window.
    Key(RecoveredKey),
    /// A payment inside its merchant's duplicate window.
    Recent(&'a Transaction),
    /// A payment that a velocity counts yet, whatever became of it: each one, newest version, in any order.
    Counted(&'a Transaction, Tail<'a>),
    /// A batch that is not complete: open with the totals of its members, or on its way.
    Batch(&'a Batch),
    /// The highest batch number used by a merchant at a processor.
    BatchNumber {
        /// The merchant.
        merchant: Xid,
        /// Index of the processor.
        processor: u16,
        /// The number.
        number: u32,
    },
}

/// An idempotency key as it lasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveredKey {
    /// Hash of merchant and key.
    pub hash: [u8; 16],
    /// Hash of what was asked.
    pub request: [u8; 16],
    /// The transaction that the operation made or acted upon.
    pub transaction: Xid,
    /// What was asked.
    pub verb: Verb,
    /// The version that answered; 0 while none has.
    pub answer_version: u32,
    /// When the key may be used anew.
    pub expires_at: Micros,
}
