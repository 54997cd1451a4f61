//! `switchyard journal verify|dump`: a journal looked at from outside, nothing of it changed.
//!
//! Lives here: what an operator or an auditor asks a folder of segments: is it sound, what is in it, what happened to this payment.
//! Must not live here: card numbers, names and addresses (what is printed is masked), and mending.

mod dump;
mod moment;
mod totals;

#[cfg(test)]
mod tests;

use persistence::journal::{JournalError, Recovered, Report, verify_with};
use protocol::record::{Record, RecordError};
use std::io::{self, Write};
use std::path::Path;
use totals::Totals;

pub use dump::{Filter, dump};
pub use moment::{Until, last_lsn};

/// Why a journal can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The journal is damaged, or can't be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record of a verified frame is not one of ours.
    #[error("LSN {lsn}: {error}")]
    Record {
        /// Where.
        lsn: u64,
        /// Why.
        error: RecordError,
    },
    /// What was found can't be written.
    #[error("write what was found: {0}")]
    Write(#[from] io::Error),
}

/// Verifies every byte in one pass and says what is there: extent, totals, state digest. Memory grows with the number of
/// transactions, some 100 bytes each.
pub fn print_verified(folder: &Path, out: &mut impl Write) -> Result<(), ToolError> {
    let (report, totals) = loop {
        match count(folder) {
            // A segment has left for the archive meanwhile; that happens far more rarely than this takes.
            Err(ToolError::Journal(JournalError::Archived { .. })) => {}
            counted => break counted?,
        }
    };
    match &report.found {
        None => writeln!(out, "no journal in {}", folder.display())?,
        Some(found) => {
            print_extent(&report, found, out)?;
            writeln!(out, "digest    {} of LSN {}..={}", totals.digest(), found.first_lsn, found.last_lsn)?;
            totals.print(out)?;
        }
    }
    Ok(())
}

fn count(folder: &Path) -> Result<(Report, Totals), ToolError> {
    let mut totals = Totals::default();
    let mut unreadable = None;
    let report = verify_with(folder, |lsn, bytes| match Record::parse(bytes) {
        Ok(record) => totals.take(&record, bytes),
        Err(error) => _ = unreadable.get_or_insert(ToolError::Record { lsn, error }),
    })?;
    unreadable.map_or(Ok((report, totals)), Err)
}

fn print_extent(report: &Report, found: &Recovered, out: &mut impl Write) -> io::Result<()> {
    let Recovered { first_lsn, last_lsn, records, frames, .. } = found;
    writeln!(out, "journal   {}", found.journal_id)?;
    writeln!(out, "records   LSN {first_lsn}..={last_lsn}, {records} verified in {frames} frames")?;
    if *first_lsn > 1 {
        writeln!(out, "archived  LSN 1..={} is not here: totals and digest are those of the rest", first_lsn - 1)?;
    }
    writeln!(out, "segments  {} begun, {} ahead", found.segments, report.prepared)?;
    writeln!(out, "chain     {}", found.chain)?;
    if let Some(cut) = &found.cut {
        writeln!(out, "torn tail {} at byte {}: {} bytes of LSN {} ({})", cut.name, cut.offset, cut.bytes, cut.lsn, cut.found)?;
    }
    if report.in_use {
        writeln!(out, "in use    a switch has it open; a torn tail may be a write in progress")?;
    }
    Ok(())
}
