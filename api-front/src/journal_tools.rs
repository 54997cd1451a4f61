//! `switchyard journal verify|dump`: a journal looked at from outside, nothing of it changed.

use persistence::journal::{JournalError, Reader, Report, verify};
use protocol::batch::Batch;
use protocol::record::{Body, Record, RecordError};
use protocol::transaction::Transaction;
use std::io::{self, Write};
use std::path::Path;

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
    #[error("write what was found")]
    Write(#[from] io::Error),
}

/// Verifies every byte and says what is there.
pub fn print_verified(folder: &Path, out: &mut impl Write) -> Result<(), ToolError> {
    let Report { found, prepared, in_use } = verify(folder)?;
    let Some(found) = found else {
        writeln!(out, "no journal in {}", folder.display())?;
        return Ok(());
    };
    writeln!(out, "journal   {}", found.journal_id)?;
    writeln!(
        out,
        "records   LSN {}..={}, {} verified in {} frames",
        found.first_lsn, found.last_lsn, found.records, found.frames
    )?;
    writeln!(out, "segments  {} begun, {prepared} ahead", found.segments)?;
    writeln!(out, "chain     {}", found.chain)?;
    if let Some(cut) = &found.cut {
        writeln!(out, "torn tail {} at byte {}: {} bytes of LSN {} ({})", cut.name, cut.offset, cut.bytes, cut.lsn, cut.found)?;
    }
    if in_use {
        writeln!(out, "in use    a switch has it open; a torn tail may be a write in progress")?;
    }
    Ok(())
}

/// One line per record.
pub fn dump(folder: &Path, out: &mut impl Write) -> Result<(), ToolError> {
    let first_lsn = verify(folder)?.found.map_or(1, |found| found.first_lsn);
    let mut reader = Reader::open(folder, first_lsn)?;
    while let Some((lsn, bytes)) = reader.next(u64::MAX)? {
        let record = Record::parse(bytes).map_err(|error| ToolError::Record { lsn, error })?;
        write_record(lsn, &record, out)?;
    }
    Ok(())
}

fn write_record(lsn: u64, record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    let (shard, at, kind) = (record.header.shard.get(), record.at(), record.kind.word());
    write!(out, "{lsn} {at} shard={shard} {kind}: ")?;
    match record.body {
        Body::Transaction(transaction, _) => write_transaction(transaction, out),
        Body::Batch(batch) => write_batch(batch, out),
        Body::Change(change, _) => {
            let (version, area, part, parts) = (change.version.get(), change.area(), change.part.get() + 1, change.parts.get());
            writeln!(out, "{} version={version} {} part {part} of {parts}", change.id, area.word())
        }
    }
}

fn write_transaction(transaction: &Transaction, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{} v{} {} {} amount={} captured={} settled={} refunded={} card={} code={} rrn={} stan={} reversal={}",
        transaction.id,
        transaction.version.get(),
        transaction.verb().word(),
        transaction.status().word(),
        transaction.amount.get(),
        transaction.amount_captured.get(),
        transaction.amount_settled.get(),
        transaction.amount_refunded.get(),
        transaction.masked_card(),
        transaction.response_code.get(),
        transaction.rrn(),
        transaction.original.stan.get(),
        transaction.reversal.state().word(),
    )
}

fn write_batch(batch: &Batch, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "batch {} number={} {} captures={}/{} credits={}/{} settled={} code={}",
        batch.id,
        batch.number.get(),
        batch.state().word(),
        batch.capture_count.get(),
        batch.captured.get(),
        batch.credit_count.get(),
        batch.credited.get(),
        batch.settled_count.get(),
        batch.response_code.get(),
    )
}
