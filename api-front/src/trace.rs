//! A payment's way in the log: a line at each door that it passes, all with its id, so that one id finds them all. They are of the target
//! `payment` and silent unless `SWITCHYARD_LOG` asks for it; silent, a line costs a look at a flag.
//!
//! Ids, numbers and words only: nothing here may take what a shopper has typed.

use protocol::command::Command;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use switch_core::input::{Answer, Sent};

/// The front gives a command to its shard. A request's name is around it, where it came by REST.
pub fn handed_over(command: &Command) {
    let verb = Verb::from_number(command.verb);
    // A capture or void is a step of the transaction that it names; a refund is one of its own.
    let id = match verb {
        Some(Verb::Capture | Verb::Void) => command.target,
        _ => command.id,
    };
    tracing::debug!(target: "payment", %id, verb = verb.map(Verb::word), merchant = %command.merchant, "to its shard");
}

/// The shard gives a request to a link: its intent is durable.
pub fn to_link(shard: u16, processor: u16, sent: &Sent) {
    tracing::debug!(target: "payment", id = %sent.id, shard, processor, leg = ?sent.leg, stan = sent.stan, "to its link");
}

/// The link writes a request to the host, which knows it by its trace number.
pub fn to_host(link: &str, sent: &Sent) {
    tracing::debug!(target: "payment", id = %sent.id, link, leg = ?sent.leg, stan = sent.stan, "to the host");
}

/// The host has answered.
pub fn from_host(link: &str, answer: &Answer, waited_us: u64) {
    let Answer { sent, verdict, .. } = answer;
    tracing::debug!(target: "payment", id = %sent.id, link, leg = ?sent.leg, stan = sent.stan, ?verdict, waited_us, "the host answers");
}

/// The shard tells its caller: the outcome is durable.
pub fn told(shard: u16, transaction: &Transaction, replayed: bool) {
    let (status, code) = (transaction.status().word(), transaction.response_code.get());
    tracing::debug!(target: "payment", id = %transaction.id, shard, status, code, replayed, "answered");
}
