//! What the hosts hold: no effect without an intent (I1), one for a key (I4), no approval that they did not give (I6), and in the end
//! what we hold, to the cent (I5).

use super::broken;
use super::journal::{Intent, Journal, Name};
use super::web::name_of_row;
use crate::books::{Standing, claims};
use protocol::batch::{Batch, BatchState};
use protocol::transaction::Transaction;
use protocol::words::PaymentMethod;
use reference_model::{Fold, Invariant};
use sandbox::ledger::{Kind, Marks, Row};
use std::collections::{BTreeMap, BTreeSet};
use switch_core::input::{Leg, Sent};

/// The ledgers, by processor.
#[derive(Default)]
pub(super) struct Ledgers {
    rows: BTreeMap<u16, Vec<Row>>,
    /// Retrieval reference and trace numbers of what was approved.
    approved: BTreeSet<([u8; 12], u32)>,
    /// The effect that each key has had last.
    effects: BTreeMap<[u8; 16], (Name, Intent)>,
}

impl Ledgers {
    pub(super) fn row(&mut self, (processor, method): (u16, PaymentMethod), row: &Row, journal: &Journal) {
        let is_effect = row.is_approved()
            && match row.kind() {
                Some(Kind::Authorization | Kind::Sale | Kind::Capture | Kind::Refund | Kind::Credit | Kind::Void) => true,
                Some(Kind::Reversal | Kind::Batch | Kind::Return | Kind::Change) | None => false,
            };
        self.rows.entry(processor).or_default().push(*row);
        if is_effect {
            let own = Name { rrn: row.rrn, stan: row.stan, transmitted: u64::from(row.transmitted) };
            let name = match method {
                PaymentMethod::Card => None,
                // A terminal's row has no trace number of ours.
                PaymentMethod::Ach | PaymentMethod::Terminal => {
                    name_of_row(journal, processor, row, method == PaymentMethod::Ach)
                }
            };
            self.effect(name.unwrap_or(own), journal);
        }
    }

    fn effect(&mut self, name: Name, journal: &Journal) {
        let Some(intent) = journal.intent(name).copied() else {
            broken(Invariant::IntentFirst, format_args!("the host has an effect of {name} that no durable intent names"));
        };
        self.approved.insert((name.rrn, name.stan));
        if intent.key == [0; 16] {
            return;
        }
        let before = self.effects.insert(intent.key, (name, intent));
        let Some((_, other)) = before.filter(|(other, _)| *other != name) else { return };
        // A late request may reach the host behind the one that came under the key after it.
        let (first, second) = if other.begun_at <= intent.begun_at { (other, intent) } else { (intent, other) };
        if first.expires_at > second.begun_at {
            let (first, second) = (first.id, second.id);
            broken(Invariant::OneEffectPerKey, format_args!("one key has an effect as {first} and one as {second}"));
        }
    }

    /// An approval that a shard is told of is one that the host has given.
    pub(super) fn check_approval(&self, sent: Sent, journal: &Journal) {
        if !matches!(sent.leg, Leg::Original | Leg::Step) {
            return;
        }
        let rrn = journal.fold().newest(sent.id).map(|(transaction, _)| transaction.rrn);
        if rrn.is_none_or(|rrn| !self.approved.contains(&(rrn, sent.stan))) {
            let Sent { id, stan, .. } = sent;
            broken(Invariant::UnknownIsAState, format_args!("{id} is approved under trace number {stan}, but not by the host"));
        }
    }

    /// A number that was found used was used by an earlier send of the same totals, or by somebody else: the host's ledger says which.
    pub(super) fn check_number_used(&self, batch: &Batch) {
        let (processor, number, stan) = (batch.processor.get(), batch.number.get(), batch.stan.get());
        let is_it = |row: &&Row| {
            let is_batch = row.kind() == Some(Kind::Batch) && row.is_approved();
            is_batch && row.batch == number && (row.stan == stan || stan_in_reference(row) == Some(stan))
        };
        let was_accepted = self.rows.get(&processor).into_iter().flatten().any(|row| is_it(&row));
        let is_wrong = match batch.state() {
            BatchState::Accepted => !was_accepted,
            BatchState::Rejected => was_accepted,
            BatchState::Open | BatchState::Closing | BatchState::Complete => false,
        };
        if is_wrong {
            let (id, state) = (batch.id, batch.state());
            broken(Invariant::MoneyCloses, format_args!("batch {id} number {number} is {state:?}; accepted: {was_accepted}"));
        }
    }

    /// Returned entries and notifications of change in a processor's ledger.
    pub(super) fn notices(&self, processor: u16) -> u64 {
        let rows = self.rows.get(&processor).into_iter().flatten();
        rows.filter(|row| matches!(row.kind(), Some(Kind::Return | Kind::Change))).count() as u64
    }

    /// Both ledgers, transaction by transaction.
    pub(super) fn finish(&self, fold: &Fold) {
        let mut standing = self.standing();
        let mut differences = Vec::new();
        for transaction in fold.transactions() {
            let theirs = standing.remove(&(transaction.processor.get(), transaction.rrn)).unwrap_or_default();
            let ours = claims(transaction);
            if ours != theirs {
                let (id, status) = (transaction.id, transaction.status());
                differences.push(format!("{id} is {status:?} with {ours:?}, the host has {theirs:?}"));
            }
        }
        let orphans = standing.iter().map(|((_, rrn), rows)| format!("rrn {}: {rows:?}", String::from_utf8_lossy(rrn)));
        differences.extend(orphans);
        if let Some(first) = differences.first() {
            broken(Invariant::MoneyCloses, format_args!("{} ledger entries differ, the first: {first}", differences.len()));
        }
        self.all_members_are_settled(fold);
    }

    fn standing(&self) -> BTreeMap<(u16, [u8; 12]), Standing> {
        let mut standing: BTreeMap<(u16, [u8; 12]), Standing> = BTreeMap::new();
        for (processor, rows) in &self.rows {
            let mut marks = Marks::default();
            rows.iter().for_each(|row| marks.note(row));
            let stands = |row: &&Row| row.is_approved() && !marks.is_reversed(row) && marks.return_of(row).is_none();
            for row in rows.iter().filter(stands) {
                if let Some(word) = word(row) {
                    standing.entry((*processor, row.rrn)).or_default().push((word, row.amount));
                }
            }
        }
        standing.values_mut().for_each(|entries| entries.sort_unstable());
        standing
    }

    /// What we call settled, a batch that the host has accepted has settled, and nothing else.
    fn all_members_are_settled(&self, fold: &Fold) {
        let theirs: BTreeSet<(u16, [u8; 12])> =
            self.rows.iter().flat_map(|(processor, rows)| settled(*processor, rows)).collect();
        let is_settled = |transaction: &&Transaction| transaction.amount_settled.get() > 0;
        let ours = fold.transactions().filter(is_settled).map(|transaction| (transaction.processor.get(), transaction.rrn));
        let ours: BTreeSet<(u16, [u8; 12])> = ours.collect();
        if let Some((processor, rrn)) = ours.symmetric_difference(&theirs).next() {
            let rrn = String::from_utf8_lossy(rrn);
            broken(Invariant::MoneyCloses, format_args!("rrn {rrn} is settled at one side of processor {processor} only"));
        }
    }
}

fn settled(processor: u16, rows: &[Row]) -> Vec<(u16, [u8; 12])> {
    let mut marks = Marks::default();
    rows.iter().for_each(|row| marks.note(row));
    rows.iter().filter(|row| marks.batch_of(row).is_some()).map(|row| (processor, row.rrn)).collect()
}

/// At a terminal the reference of totals is their number and their trace number, six digits each.
fn stan_in_reference(row: &Row) -> Option<u32> {
    std::str::from_utf8(&row.rrn[6..]).ok()?.parse().ok()
}

fn word(row: &Row) -> Option<&'static str> {
    match row.kind()? {
        Kind::Authorization => Some("authorization"),
        Kind::Sale => Some("sale"),
        Kind::Capture => Some("capture"),
        Kind::Refund => Some("refund"),
        Kind::Credit => Some("credit"),
        Kind::Void | Kind::Reversal | Kind::Batch | Kind::Return | Kind::Change => None,
    }
}
