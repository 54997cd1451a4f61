//! Members of batches that come one by one because the totals were not the host's: which of them the host has too, and the first one
//! that it has not. Kept in memory only: after a restart the totals are out of balance again, and the members come again.

use std::collections::{HashMap, HashSet};

use super::wire::BatchNumbers;
use crate::ledger::TerminalCurrency;
use crate::limits::UPLOADS_MAX;

/// Names a batch that is being uploaded.
pub type Uploaded = (TerminalCurrency, BatchNumbers);

/// What is wrong with a member. Codes are the rows' `verdict`; never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The host has no such transaction.
    Absent,
    /// It has another amount.
    Amount,
    /// It has it in another batch, or taken back.
    Batch,
}

impl Reason {
    /// Reasons and their words in DE63, in the order of their codes.
    pub const ALL: [(Reason, &'static str); 3] =
        [(Reason::Absent, "ABSENT"), (Reason::Amount, "AMOUNT"), (Reason::Batch, "BATCH")];
}

/// The first member that the host has otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Culprit {
    /// Its number among the members that came.
    pub record: u32,
    /// What is wrong with it.
    pub reason: Reason,
}

#[derive(Debug, Default)]
struct Upload {
    /// Ordinals of the host's own rows that were named.
    named: HashSet<u64>,
    culprit: Option<Culprit>,
}

/// The batches that are being uploaded.
#[derive(Debug, Default)]
pub struct Uploads(HashMap<Uploaded, Upload>);

impl Uploads {
    /// Whether one more member of this batch can be taken.
    pub fn has_room_for(&self, batch: &Uploaded) -> bool {
        self.0.len() < UPLOADS_MAX || self.0.contains_key(batch)
    }

    /// Whether members of this batch have come.
    pub fn has(&self, batch: &Uploaded) -> bool {
        self.0.contains_key(batch)
    }

    /// Takes a member: the ordinal of the host's own row, or what is wrong.
    pub fn take(&mut self, batch: Uploaded, record: u32, found: Result<u64, Reason>) {
        let upload = self.0.entry(batch).or_default();
        match found {
            Ok(ordinal) => drop(upload.named.insert(ordinal)),
            Err(reason) => drop(upload.culprit.get_or_insert(Culprit { record, reason })),
        }
    }

    /// Ends an upload: how many of the host's own rows were named, and the culprit. `None` when no member came.
    pub fn end(&mut self, batch: &Uploaded) -> Option<(u64, Option<Culprit>)> {
        self.0.remove(batch).map(|upload| (upload.named.len() as u64, upload.culprit))
    }
}
