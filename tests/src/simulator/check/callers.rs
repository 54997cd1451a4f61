//! What callers are told: a durable version, the one that answers what they asked, the same for one key for ever (I2, I4).

use super::broken;
use super::journal::Journal;
use super::records::mark;
use super::watch::Watch;
use api_front::switch::door::Told;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use reference_model::{Expect, Invariant, Operation};
use std::collections::BTreeMap;

/// What a caller may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The answer of an operation; true when it was begun before.
    Answer(Operation, bool),
    /// Nothing was begun: a refusal, or that the transaction is not in memory.
    Nothing(Expect),
    /// Nothing: the shard decides nothing any more.
    Silence,
}

struct Call {
    shard: u16,
    command: Command,
    awaited: Awaited,
}

/// A use of a key: its hash, and when the window ends.
type KeyUse = ([u8; 16], i64);

/// All who wait, and what every key was told.
#[derive(Default)]
pub(super) struct Callers {
    calls: BTreeMap<u64, Call>,
    told_by_key: BTreeMap<KeyUse, (Xid, u32)>,
}

impl Callers {
    pub(super) fn called(&mut self, call: u64, shard: u16, command: Command, awaited: Awaited) {
        self.calls.insert(call, Call { shard, command, awaited });
    }

    /// Nobody waits any more.
    pub(super) fn forget(&mut self) {
        self.calls.clear();
    }

    pub(super) fn told(&mut self, number: u64, told: &Told, watches: &[Watch], journal: &Journal) {
        let call = match self.calls.get(&number) {
            Some(call) => call,
            None => broken(Invariant::OutcomeFirst, format_args!("call {number}, which nobody waits for, is told {told:?}")),
        };
        match told {
            Told::Version { version, verb, replayed } => {
                let transaction = version.transaction();
                check_answer(call, transaction.id, transaction.version.get(), (*verb, *replayed), watches);
                check_durable(transaction, version.tail(), journal);
                self.note_key(transaction);
            }
            Told::Stored { id, version, verb } => {
                check_answer(call, *id, *version, (*verb, true), watches);
                if journal.mark_of_version(*id, *version).is_none() {
                    broken(Invariant::OutcomeFirst, format_args!("version {version} of {id} is told and is not durable"));
                }
            }
            Told::Refused(refusal) => check_refusal(call, *refusal),
            Told::Absent(id) => check_absent(call, *id),
        }
    }

    pub(super) fn told_stored(&mut self, number: u64, transaction: &Transaction, journal: &Journal) {
        let (id, version) = (transaction.id, transaction.version.get());
        if self.calls.contains_key(&number) && journal.mark_of_version(id, version).is_none() {
            broken(Invariant::OutcomeFirst, format_args!("version {version} of {id} is shown and is not durable"));
        }
        self.note_key(transaction);
    }

    /// The same key is told the same as long as its window is open.
    fn note_key(&mut self, transaction: &Transaction) {
        if !transaction.key.is_some() {
            return;
        }
        let answer = (transaction.id, transaction.version.get());
        let key_use = (transaction.key.hash, transaction.key.expires_at.get());
        let first = *self.told_by_key.entry(key_use).or_insert(answer);
        if first != answer {
            broken(Invariant::OutcomeFirst, format_args!("a key was told {first:?} and is told {answer:?}"));
        }
    }
}

fn check_answer(call: &Call, id: Xid, version: u32, (verb, replayed): (Verb, bool), watches: &[Watch]) {
    let Awaited::Answer(operation, is_replay) = call.awaited else {
        let (command, awaited) = (call.command.verb(), call.awaited);
        broken(Invariant::OneEffectPerKey, format_args!("{command:?} is told version {version} of {id} instead of {awaited:?}"));
    };
    let answer = watches[usize::from(call.shard)].model.answers.get(&operation).copied();
    if (id, Some(version)) != (operation.transaction, answer) {
        let expected = operation.transaction;
        broken(
            Invariant::OutcomeFirst,
            format_args!("version {version} of {id} is told where the answer is version {answer:?} of {expected}"),
        );
    }
    if replayed != is_replay || Some(verb) != call.command.verb() {
        broken(Invariant::OneEffectPerKey, format_args!("{verb:?} of {id} is told with replayed={replayed}, not {is_replay}"));
    }
}

pub(super) fn check_durable(transaction: &Transaction, tail: Tail<'_>, journal: &Journal) {
    let (id, version) = (transaction.id, transaction.version.get());
    match journal.mark_of_version(id, version) {
        Some(durable) if durable == mark(transaction, tail) => {}
        Some(_) => {
            broken(Invariant::OutcomeFirst, format_args!("version {version} of {id} is told otherwise than it was written"))
        }
        None => broken(Invariant::OutcomeFirst, format_args!("version {version} of {id} is told and is not durable")),
    }
}

/// Past a limit a caller is refused, and nothing was done (I8): that nothing was begun is what `Awaited::Nothing` says. One who
/// waits for an operation that was begun before may find no room to wait.
fn check_refusal(call: &Call, refusal: Refusal) {
    let may_be = match (call.awaited, refusal) {
        (Awaited::Nothing(Expect::Begins(_)), Refusal::Busy | Refusal::TailTooLong) => true,
        // A step finds its room before it finds its processor.
        (Awaited::Nothing(Expect::Refused(Refusal::ProcessorNotAvailable)), Refusal::Busy) => true,
        (Awaited::Answer(_, is_replay), Refusal::Busy) => is_replay,
        (Awaited::Nothing(Expect::Refused(expected)), _) => expected == refusal,
        // A desk that has no room for one more caller does not ask its shard.
        (Awaited::Silence, Refusal::Busy) => true,
        (Awaited::Nothing(_) | Awaited::Answer(..) | Awaited::Silence, _) => false,
    };
    if !may_be {
        let (verb, awaited) = (call.command.verb(), call.awaited);
        let invariant = match refusal {
            Refusal::Busy | Refusal::TailTooLong => Invariant::Bounded,
            Refusal::AmountTooLarge { .. } | Refusal::AmountZero | Refusal::BatchClosing => Invariant::MoneyCloses,
            Refusal::KeyReused => Invariant::OneEffectPerKey,
            Refusal::MerchantNotActive
            | Refusal::ProcessorNotAvailable
            | Refusal::MethodNotTaken { .. }
            | Refusal::NotFound
            | Refusal::IllegalStep { .. }
            | Refusal::StepInFlight { .. } => Invariant::UnknownIsAState,
        };
        broken(invariant, format_args!("{verb:?} is refused with {refusal:?} instead of {awaited:?}"));
    }
}

fn check_absent(call: &Call, id: Xid) {
    let acts_on_one = call.command.verb().is_some_and(|verb| !verb.creates() || verb == Verb::Refund);
    if !acts_on_one || !matches!(call.awaited, Awaited::Nothing(_)) {
        broken(Invariant::OneEffectPerKey, format_args!("{id} is called absent instead of {:?}", call.awaited));
    }
}
