//! The processor's side, naive: a ledger by RRN, first answers kept for duplicates, totals added up from scratch.

use super::driver::{Order, Told};
use protocol::batch::Batch;
use protocol::id::Xid;
use protocol::response_code::ResponseCode;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use std::collections::{BTreeMap, BTreeSet};
use switch_core::input::{Leg, Verdict};

/// What the host makes of a request that it may approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Approve,
    Decline,
    Half,
}

/// One transaction as the host has it.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    pub merchant: Xid,
    pub pays_out: bool,
    pub held: u64,
    pub captured: u64,
    pub batch: u32,
    /// Reversed or voided: nothing of it stands.
    pub taken_back: bool,
    /// Requests of it that had an effect: by key, at most one may.
    pub effects: Vec<[u8; 16]>,
}

/// Message type, trace number, second, merchant: what tells a duplicate.
type Identity = (u8, u32, i64, Xid);

/// The host.
#[derive(Debug, Default)]
pub struct Host {
    pub entries: BTreeMap<[u8; 12], Entry>,
    /// Originals that were reversed before they came.
    reversed_unseen: BTreeSet<[u8; 12]>,
    answered: BTreeMap<Identity, Verdict>,
    batches_accepted: BTreeSet<(Xid, u32)>,
}

impl Host {
    /// Takes a request and answers it.
    pub fn receive(&mut self, order: &Order, mood: Mood) -> Verdict {
        let identity = identity(order);
        if let Some(first) = self.answered.get(&identity) {
            return *first;
        }
        let verdict = match &order.subject {
            Told::Batch(batch) => self.totals(batch, mood),
            Told::Transaction(version) => self.transaction(order.sent.leg, &version.0, mood),
        };
        if verdict != Verdict::TryLater {
            self.answered.insert(identity, verdict);
        }
        verdict
    }

    fn transaction(&mut self, leg: Leg, transaction: &Transaction, mood: Mood) -> Verdict {
        match leg {
            Leg::Original => self.original(transaction, mood),
            Leg::Step => self.step(transaction, mood),
            Leg::Reversal if mood == Mood::Decline => Verdict::TryLater,
            Leg::Reversal => {
                match self.entries.get_mut(&transaction.rrn) {
                    Some(entry) => entry.taken_back = true,
                    None => drop(self.reversed_unseen.insert(transaction.rrn)),
                }
                Verdict::Receipt
            }
            Leg::Totals => unreachable!("totals are about a batch"),
        }
    }

    fn original(&mut self, transaction: &Transaction, mood: Mood) -> Verdict {
        let asked = transaction.amount.get();
        let (amount, verdict) = match mood {
            Mood::Decline => return Verdict::Declined(ResponseCode::DO_NOT_HONOR),
            _ if self.reversed_unseen.contains(&transaction.rrn) => {
                return Verdict::Declined(ResponseCode::INVALID_TRANSACTION);
            }
            Mood::Half if asked > 1 => (asked / 2, Verdict::Partial { approved: asked / 2 }),
            Mood::Approve | Mood::Half => (asked, Verdict::Approved),
        };
        let takes = matches!(transaction.verb(), Verb::Sale | Verb::Credit | Verb::Refund);
        let entry = Entry {
            merchant: transaction.merchant,
            pays_out: transaction.verb().pays_out(),
            held: amount,
            captured: if takes { amount } else { 0 },
            batch: transaction.batch_number.get(),
            taken_back: false,
            effects: vec![transaction.key.hash],
        };
        assert!(self.entries.insert(transaction.rrn, entry).is_none(), "an original is never sent twice with other numbers");
        verdict
    }

    fn step(&mut self, transaction: &Transaction, mood: Mood) -> Verdict {
        let stands = self.entries.get_mut(&transaction.rrn).filter(|entry| !entry.taken_back);
        let Some(entry) = stands.filter(|_| mood != Mood::Decline) else {
            return Verdict::Declined(ResponseCode::INVALID_TRANSACTION);
        };
        entry.effects.push(transaction.key.hash);
        match transaction.step.verb() {
            Some(Verb::Capture) => {
                assert!(entry.captured == 0 && transaction.step.amount.get() <= entry.held, "I5 at the host");
                (entry.captured, entry.batch) = (transaction.step.amount.get(), transaction.batch_number.get());
            }
            _ => entry.taken_back = true,
        }
        Verdict::Approved
    }

    fn totals(&mut self, batch: &Batch, mood: Mood) -> Verdict {
        let ours = self.fold(batch.merchant, batch.members_number.get());
        let theirs = (batch.capture_count.get(), batch.captured.get(), batch.credit_count.get(), batch.credited.get());
        assert_eq!(theirs, ours, "I5: totals of batch {} of {}", batch.members_number.get(), batch.merchant);
        if mood == Mood::Decline {
            return Verdict::Declined(ResponseCode::DECLINE);
        }
        let is_new = self.batches_accepted.insert((batch.merchant, batch.number.get()));
        assert!(is_new, "batch number {} comes twice", batch.number.get());
        Verdict::Approved
    }

    /// Debits and credits that stand under a batch number: counts and sums.
    pub fn fold(&self, merchant: Xid, number: u32) -> (u32, u64, u32, u64) {
        let mut totals = (0, 0, 0, 0);
        for entry in self.entries.values().filter(|entry| entry.merchant == merchant && entry.batch == number) {
            match entry {
                Entry { taken_back: true, .. } | Entry { captured: 0, .. } => {}
                Entry { pays_out: false, captured, .. } => totals = (totals.0 + 1, totals.1 + captured, totals.2, totals.3),
                Entry { pays_out: true, captured, .. } => totals = (totals.0, totals.1, totals.2 + 1, totals.3 + captured),
            }
        }
        totals
    }
}

fn identity(order: &Order) -> Identity {
    let second = |micros: i64| micros / 1_000_000;
    match (&order.subject, order.sent.leg) {
        (Told::Batch(batch), _) => (5, order.sent.stan, second(batch.closed_at.get()), batch.merchant),
        (Told::Transaction(version), leg) => {
            let transaction = &version.0;
            let (message, sent_at) = match leg {
                Leg::Reversal => (4, transaction.reversal.queued_at.get()),
                Leg::Step if transaction.step.verb() == Some(Verb::Void) => (3, transaction.step.sent_at.get()),
                Leg::Step => (2, transaction.step.sent_at.get()),
                Leg::Original if matches!(transaction.verb(), Verb::Authorize | Verb::Verification) => {
                    (0, transaction.original.sent_at.get())
                }
                Leg::Original | Leg::Totals => (1, transaction.original.sent_at.get()),
            };
            (message, order.sent.stan, second(sent_at), transaction.merchant)
        }
    }
}
