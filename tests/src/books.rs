//! The auditor: our book is the journal, theirs is the host's ledger, and the two must agree to the cent.

use crate::host::{Control, Entry};
use crate::patience::eventually;
use persistence::journal::Reader;
use protocol::id::Xid;
use protocol::record::{Body, Record};
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalState, Status, Verb};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

/// Every transaction, as its newest record has it.
#[derive(Debug)]
pub struct Books {
    transactions: BTreeMap<Xid, Transaction>,
    /// Records read.
    pub records: u64,
}

impl Books {
    /// Reads a journal from its first record. One that is being written is read up to its present end.
    #[track_caller]
    pub fn read(journal: &Path) -> Books {
        let mut books = Books { transactions: BTreeMap::new(), records: 0 };
        let mut reader = Reader::open(journal, 1).expect("the journal can be read");
        while let Some((lsn, bytes)) = reader.next(u64::MAX).expect("the journal is sound") {
            let record = Record::parse(bytes).unwrap_or_else(|error| panic!("LSN {lsn}: {error}"));
            books.records += 1;
            if let Body::Transaction(transaction, _) = record.body {
                books.transactions.insert(transaction.id, *transaction);
            }
        }
        books
    }

    /// All transactions, oldest first.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.transactions.values()
    }

    /// What is still under way, in words.
    pub fn undecided(&self) -> Vec<String> {
        let under_way = self.transactions().filter(|transaction| {
            matches!(transaction.status(), Status::Pending | Status::Unknown)
                || transaction.step.state() == ExchangeState::InFlight
                || transaction.reversal.state() == ReversalState::Queued
        });
        under_way.map(described).collect()
    }

    /// Where the host's ledger says something else, in words.
    pub fn differences(&self, ledger: &[Entry]) -> Vec<String> {
        let mut standing: HashMap<&str, Vec<(&str, u64)>> = HashMap::new();
        for entry in ledger.iter().filter(|entry| entry.stands()) {
            standing.entry(&entry.rrn).or_default().push((&entry.kind, entry.amount));
        }
        let mut differences = Vec::new();
        for transaction in self.transactions() {
            let mut theirs = standing.remove(transaction.rrn()).unwrap_or_default();
            theirs.sort_unstable();
            let ours = claims(transaction);
            if ours != theirs {
                differences.push(format!("{}: ours {ours:?}, the host's {theirs:?}", described(transaction)));
            }
        }
        let orphans = standing.iter().map(|(rrn, entries)| format!("no transaction of ours: rrn {rrn} {entries:?}"));
        differences.extend(orphans);
        differences
    }
}

/// Waits until nothing is under way, then until both books agree. Gives our book.
#[track_caller]
pub fn reconcile(journal: &Path, control: Control, patience: Duration) -> Books {
    let mut agreed = None;
    eventually(patience, || {
        let books = Books::read(journal);
        none("under way", &books.undecided())?;
        none("different", &books.differences(&control.ledger()))?;
        agreed = Some(books);
        Ok(())
    });
    agreed.expect("reading the books has succeeded")
}

fn none(what: &str, list: &[String]) -> Result<(), String> {
    let shown = list.iter().take(10).map(|line| format!("\n  {line}"));
    if list.is_empty() { Ok(()) } else { Err(format!("{} {what}:{}", list.len(), shown.collect::<String>())) }
}

/// What stands for a transaction: kinds and minor units, sorted.
pub(crate) type Standing = Vec<(&'static str, u64)>;

/// What the host must have standing for a transaction.
pub(crate) fn claims(transaction: &Transaction) -> Standing {
    let (authorized, captured) = (transaction.amount_authorized.get(), transaction.amount_captured.get());
    match transaction.status() {
        Status::Pending | Status::Unknown | Status::Declined | Status::Voided | Status::Reversed | Status::Returned => Vec::new(),
        Status::Authorized => vec![("authorization", authorized)],
        Status::PendingSettlement | Status::Settled | Status::PartiallyRefunded | Status::Refunded => match transaction.verb() {
            Verb::Authorize => vec![("authorization", authorized), ("capture", captured)],
            Verb::Sale => vec![("sale", captured)],
            Verb::Refund => vec![("refund", captured)],
            Verb::Credit => vec![("credit", captured)],
            Verb::Verification | Verb::Capture | Verb::Void => Vec::new(),
        },
    }
}

fn described(transaction: &Transaction) -> String {
    let (verb, status) = (transaction.verb().word(), transaction.status().word());
    let (id, rrn, reversal) = (transaction.id, transaction.rrn(), transaction.reversal.state().word());
    let (amount, captured) = (transaction.amount.get(), transaction.amount_captured.get());
    format!("{verb} {id} rrn {rrn} {status} amount {amount} captured {captured} reversal {reversal}")
}
