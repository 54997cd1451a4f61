//! Which records are events for the merchant, and their rows: written in the SQL transaction that applies the record.
//!
//! An event is small: what happened, and the version that tells it, which is kept in any case. A row of their own would cost each payment a
//! third of its way into the tables, so a merchant's events of one SQL transaction go into one row. Numbers and events survive a rebuild of
//! the projection, so a record whose event is written is not told again: see [`told_until`].

use super::changes::Version;
use crate::error::PersistenceError;
use crate::sql::{BulkStatement, BulkWriter, Fields, signed, unsigned};
use crate::stores::events::{Became, EventKind, RunEntry, Subject, take_turn};
use protocol::id::Xid;
use protocol::record::Kind;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, Status};
use sqlx::any::AnyArguments;
use sqlx::error::BoxDynError;
use sqlx::{AnyConnection, Arguments, Executor};
use std::collections::BTreeMap;
use zerocopy::IntoBytes;

/// An event that a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Happened {
    pub lsn: u64,
    pub merchant: Xid,
    pub transaction: Xid,
    pub became: Became,
}

/// How a sale stood before its refunds changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refunds {
    pub status: Status,
    /// Minor units.
    pub refunded: u64,
}

impl Refunds {
    pub(super) fn of(transaction: &Transaction) -> Refunds {
        Refunds { status: transaction.status(), refunded: transaction.amount_refunded.get() }
    }

    /// What a change of the refunds means: beginning one changes neither status nor sum, and is nobody's news.
    pub(super) fn became(self, after: Refunds) -> Option<Became> {
        let paid_back = after.refunded > self.refunded || (after.status != self.status && after.status == Status::Refunded);
        match after.status {
            Status::Refunded if paid_back => Some(Became::Refunded),
            Status::PartiallyRefunded if paid_back => Some(Became::PartiallyRefunded),
            Status::PartiallyRefunded | Status::Settled if after.status != self.status => Some(Became::RefundUndone),
            _ => None,
        }
    }
}

/// What a version is to the merchant. A change of refunds is told by what was before: see [`Refunds`].
pub(super) fn became(kind: Kind, transaction: &Transaction) -> Option<Became> {
    let is_done = match kind {
        Kind::Outcome | Kind::ReversalQueued | Kind::Settled | Kind::Returned => true,
        Kind::StepOutcome => transaction.step.state() == ExchangeState::Approved,
        // What was declined, and reversed all the same, stays declined.
        Kind::ReversalDone => transaction.status() == Status::Reversed,
        Kind::ChangeNotified => return Some(Became::ChangeNotified),
        Kind::Intent
        | Kind::StepIntent
        | Kind::RefundsChanged
        | Kind::BatchOpened
        | Kind::BatchClosed
        | Kind::BatchAnswered
        | Kind::BatchComplete
        | Kind::ConfigurationChanged => false,
    };
    is_done.then_some(transaction.status()).and_then(word_of)
}

fn word_of(status: Status) -> Option<Became> {
    match status {
        Status::Pending => None,
        Status::Unknown => Some(Became::Unknown),
        Status::Authorized => Some(Became::Authorized),
        Status::PendingSettlement => Some(Became::Captured),
        Status::Settled => Some(Became::Settled),
        Status::Declined => Some(Became::Declined),
        Status::Voided => Some(Became::Voided),
        Status::Reversed => Some(Became::Reversed),
        Status::PartiallyRefunded => Some(Became::PartiallyRefunded),
        Status::Refunded => Some(Became::Refunded),
        Status::Returned => Some(Became::Returned),
    }
}

impl Happened {
    pub(super) fn of(lsn: u64, transaction: &Transaction, became: Became) -> Happened {
        Happened { lsn, merchant: transaction.merchant, transaction: transaction.id, became }
    }

    fn entry(&self) -> RunEntry {
        let kind = EventKind::new(Subject::Transaction, self.became).number();
        RunEntry { lsn: self.lsn.into(), transaction: self.transaction, kind: kind.into(), reserved: [0; 2] }
    }
}

/// A row for each merchant, no merchant twice: `sequence` counts on from the merchant's newest.
static EVENTS: BulkStatement = BulkStatement::new(
    "write events",
    "INSERT INTO events (merchant, sequence, lsn, run) \
     SELECT column1, COALESCE((SELECT MAX(sequence) FROM events WHERE merchant = column1), 0) + column2, column3, column4 FROM (VALUES",
    4,
    ") AS happened",
);

/// Numbers and writes events; they come in the order of their LSNs.
pub(super) async fn write(
    connection: &mut AnyConnection,
    writer: &mut BulkWriter,
    happened: &[Happened],
) -> Result<(), PersistenceError> {
    if happened.is_empty() {
        return Ok(());
    }
    let mut runs: BTreeMap<Xid, Vec<RunEntry>> = BTreeMap::new();
    happened.iter().for_each(|event| runs.entry(event.merchant).or_default().push(event.entry()));
    let runs: Vec<(Xid, Vec<RunEntry>)> = runs.into_iter().collect();
    take_turn(connection).await?;
    let written = writer.write(connection, &EVENTS, &runs, |(merchant, run), out| bind_run(merchant, run, out)).await;
    written.map_err(PersistenceError::sql(EVENTS.operation))
}

fn bind_run(merchant: &Xid, run: &[RunEntry], out: &mut AnyArguments) -> Result<(), BoxDynError> {
    out.add(&merchant.0[..])?;
    out.add(signed(run.len() as u64))?;
    out.add(signed(run.last().map_or(0, |last| last.lsn.get())))?;
    out.add(run.as_bytes())
}

/// What the changes of refunds are that the batch's own older versions could not say: the tables have what was before.
pub(super) async fn against_stored(
    connection: &mut AnyConnection,
    changed: &[(u64, Transaction)],
) -> Result<Vec<Happened>, PersistenceError> {
    const OPERATION: &str = "read what refunds were";
    let mut happened = Vec::new();
    for (lsn, after) in changed {
        let select = sqlx::query("SELECT lsn, kind, body FROM transactions WHERE id = $1").bind(&after.id.0[..]);
        let row = connection.fetch_optional(select).await.map_err(PersistenceError::sql(OPERATION))?;
        let Some(row) = row else { continue };
        let before = Version::read(&row)?;
        let became = Refunds::of(before.transaction().0).became(Refunds::of(after));
        happened.extend(became.map(|became| Happened::of(*lsn, after, became)));
    }
    Ok(happened)
}

/// The LSN up to which records have been told: a rebuild, which begins at nothing applied, takes it from the events themselves and keeps
/// it for as long as it lasts.
pub(super) async fn told_until(connection: &mut AnyConnection, applied: u64) -> Result<u64, PersistenceError> {
    const OPERATION: &str = "find the newest event";
    if applied == 0 {
        let keep = "INSERT INTO event_mark (one, lsn) SELECT 1, COALESCE(MAX(lsn), 0) FROM events WHERE lsn > 0 \
                    ON CONFLICT (one) DO UPDATE SET lsn = excluded.lsn";
        connection.execute(keep).await.map_err(PersistenceError::sql(OPERATION))?;
    }
    let row = connection.fetch_optional("SELECT lsn FROM event_mark").await.map_err(PersistenceError::sql(OPERATION))?;
    row.map_or(Ok(0), |row| Fields::of(&row, "event_mark").integer("lsn").map(unsigned))
}
