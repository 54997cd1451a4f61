//! A past to restart on: payments of many days, made by a real shard in simulated time, as records in a real journal and rows in a
//! real SQL home. The `switchyard` binary opens the folder as if it had lived all that.
//!
//! Lives here: the making. Must not live here: claims and measurements, which are the benches' and the tests' own. A switch
//! must have been started on the folder once, so that its keys, merchants and processors are there, and must have stopped.
//!
//! Nine of ten commands are sales, the rest authorizations (captured, voided or left) and verifications. One in twenty is declined,
//! one in a hundred is lost and reversed; a batch is settled every night, and of what it settled a few are refunded. Each
//! command has an idempotency key that holds for a day. The days end at noon, so that the last half day is not settled.

mod cast;
mod days;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use persistence::journal::{Log, LogOptions, OsDisk, Reader};
use persistence::projection::Projection;
use persistence::sealing::Sealer;
use persistence::sql::{Database, DatabaseUrl};
use protocol::calendar::Micros;
use protocol::frame::JournalId;
use protocol::id::Xid;

use cast::Cast;
use days::Days;

/// What past is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Commands that make a transaction, refunds included, about; all but the open ones come to their end.
    pub transactions: u32,
    /// Transactions left under way at the end: one half in flight, one half unknown with the reversal queued.
    pub open: u32,
    /// Days over which they spread.
    pub days: u32,
    /// The merchants' duplicate window, seconds.
    pub duplicate_window_s: u32,
    /// Name of a merchant who has no past.
    pub spared: Option<&'static str>,
    /// Size of the journal's segments, as the switch has it.
    pub segment_bytes: u64,
    /// Records at the end that the SQL home has not taken in yet.
    pub behind: u64,
}

/// The past that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Transactions of all kinds, the open ones among them.
    pub transactions: u64,
    /// Transactions under way.
    pub open: u64,
    /// LSN of the newest record.
    pub last_lsn: u64,
    /// The moment of the newest record.
    pub ended_at: Micros,
    /// Some of the sales that are settled and not refunded: merchant and id, from all days.
    pub settled: Vec<(Xid, Xid)>,
}

/// Makes the past in a switch's data folder and SQL home.
///
/// # Errors
/// When the folder is not a switch's, is in use, has a past already, or can't be written.
pub fn write(data: &Path, url: &DatabaseUrl, plan: &Plan) -> anyhow::Result<Made> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sealer = Sealer::open(&data.join("keys")).context("the keys of a switch that was started on the folder")?;
    let cast = runtime.block_on(cast_of(url, sealer, plan.spared))?;
    let journal = data.join("journal");
    let options = LogOptions { segment_bytes: plan.segment_bytes, ..LogOptions::default() };
    let (log, recovered) = Log::open(OsDisk::open(&journal)?, options, |_, _| {})?;
    anyhow::ensure!(recovered.last_lsn == 0, "{} has a past of {} records", journal.display(), recovered.last_lsn);
    let made = Days::new(cast, log, plan, now()?).live(plan)?;
    let until = made.last_lsn.saturating_sub(plan.behind);
    runtime.block_on(project(&journal, url, recovered.journal_id, made.last_lsn, until))?;
    Ok(made)
}

/// Has a SQL home take in what a journal holds, and returns how long that took.
///
/// # Errors
/// When the folder has no journal, or the SQL home does not take its records.
pub fn projected(data: &Path, url: &DatabaseUrl, last_lsn: u64) -> anyhow::Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let journal = data.join("journal");
    let (log, recovered) = Log::open(OsDisk::open(&journal)?, LogOptions::default(), |_, _| {})?;
    drop(log);
    runtime.block_on(project(&journal, url, recovered.journal_id, last_lsn, last_lsn))
}

async fn project(
    journal: &Path,
    url: &DatabaseUrl,
    journal_id: JournalId,
    last_lsn: u64,
    until: u64,
) -> anyhow::Result<Duration> {
    let mut reader = Reader::open(journal, 1)?;
    let mut projection = Projection::open(url, journal_id, last_lsn).await?;
    let begun = Instant::now();
    projection.catch_up(&mut reader, until).await?;
    let took = begun.elapsed();
    projection.close().await?;
    Ok(took)
}

/// The account of a merchant that the switch knows by name.
///
/// # Errors
/// When it knows none, or its SQL home can't be read.
pub fn merchant_named(url: &DatabaseUrl, name: &str) -> anyhow::Result<Xid> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let database = Database::open(url).await?;
        let merchants = database.stores().merchants().await?;
        database.close().await;
        let found = merchants.into_iter().find(|merchant| merchant.name == name);
        Ok(found.with_context(|| format!("a merchant that is called {name}"))?.id)
    })
}

async fn cast_of(url: &DatabaseUrl, sealer: Sealer, spared: Option<&str>) -> anyhow::Result<Cast> {
    let database = Database::open(url).await?;
    let stores = database.stores();
    let merchants = stores.merchants().await?.into_iter().filter(|merchant| Some(&merchant.name[..]) != spared);
    let merchants = merchants.map(|merchant| merchant.id).collect();
    let processor = stores.processors().await?.first().map(|processor| processor.index);
    database.close().await;
    Cast::new(merchants, processor.context("a processor that the switch knows")?, sealer)
}

fn now() -> anyhow::Result<Micros> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock behind 1970")?;
    Ok(Micros(i64::try_from(since_1970.as_micros())?))
}
