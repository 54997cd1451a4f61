//! Returns: what banks send back of ACH entries, days after they were answered.
//!
//! Lives here: reading a processor's feed, finding whose entry a notice is about, and giving it to that shard. Must not live here:
//! what a return does to a transaction, which is the shard's, and what the feed's bytes mean, which is the connector's.
//!
//! The feed is ordered and without gaps. Its position is kept in SQL once every notice before it is durable, so that a crash in
//! between brings some of them again, and a return that comes twice changes nothing. A notice that can't be taken now, for its
//! batch is being closed or its payment not answered, holds up those behind it: each has an end within the processor's time-outs.

mod fetch;

use crate::calendar::Calendar;
use crate::limits::{RETURNS_EVERY, RETURNS_EVERY_IN_SANDBOX, RETURNS_RETRY};
use crate::links::host::Host;
use crate::switch::clock::Clock;
use crate::switch::directory::Processor;
use crate::switch::door::{Door, FromBank, Hydration, Return, Told};
use crate::switch::handle::Unavailable;
use crate::switch::history::History;
use crate::switch::version::Version;
use crate::vault::{Vault, VaultError};
use parking_lot::Mutex;
use persistence::PersistenceError;
use persistence::projection::StoredTransaction;
use persistence::sealing::{Sealer, SecretKind};
use persistence::stores::Stores;
use protocol::id::Xid;
use protocol::nacha::Correction;
use protocol::refusal::Refusal;
use protocol::tail::tag;
use protocol::transaction::Transaction;
use protocol::words::Status;
use std::sync::Arc;
use switch_core::connectors::sage::feed::Notice;
use switch_core::{ids_of_rrn, shard_of};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// What all collectors share.
#[derive(Clone)]
pub struct Shared {
    /// Readings of transactions.
    pub history: History,
    /// The shards' doors.
    pub doors: Vec<Door>,
    /// The switch's clock: ids are drawn by it.
    pub clock: Clock,
    /// What day it is; a test that moves it wants to see what came of it.
    pub calendar: Calendar,
    /// Seals what a bank says an account's data should be.
    pub sealer: Arc<Sealer>,
    /// Keeps the position.
    pub stores: Stores,
}

/// Collectors at work, one for each processor of bank accounts. Clones are the same.
#[derive(Clone)]
pub struct Collectors {
    shared: Shared,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Collectors {
    /// None yet.
    pub fn new(shared: Shared) -> Collectors {
        Collectors { shared, tasks: Arc::default() }
    }

    /// Starts the collector of a processor, on the present runtime.
    pub fn start(&self, processor: &Processor, host: Host) {
        let Processor { index, id, .. } = *processor;
        let collector = Collector { processor: index, processor_id: id, host, shared: self.shared.clone() };
        self.tasks.lock().spawn(collector.run());
    }

    /// Stops all of them, wherever they are: what is not durable comes again.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
    }
}

/// Brings one processor's notices to their shards.
struct Collector {
    processor: u16,
    /// Its position in the feed is kept under it.
    processor_id: Xid,
    host: Host,
    shared: Shared,
}

/// Why a page was not brought in whole; it is begun again.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
    #[error(transparent)]
    History(#[from] Unavailable),
    #[error(transparent)]
    Sql(#[from] PersistenceError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("notice {sequence} can't be taken yet: {why}")]
    Waits { sequence: u64, why: Why },
    #[error("the kept position of the feed is no number")]
    Position,
}

/// Why a notice waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Refused(Refusal),
    NotInMemory,
    ShardFull,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::Refused(refusal) => write!(f, "{refusal}"),
            Why::NotInMemory => f.write_str("its transaction has left memory again"),
            Why::ShardFull => f.write_str("its shard has no room"),
        }
    }
}

impl Collector {
    /// Runs until it is dropped.
    async fn run(self) {
        let every = if self.shared.calendar.is_movable() { RETURNS_EVERY_IN_SANDBOX } else { RETURNS_EVERY };
        let mut diligence = self.shared.calendar.worked_by().await;
        loop {
            let now = diligence.now();
            let wait = match self.collect_page().await {
                Ok(true) => continue,
                Ok(false) => {
                    diligence.has_come_to(now);
                    every
                }
                Err(why @ Interrupted::Waits { .. }) => {
                    tracing::info!(processor = %self.processor_id, %why, "a return waits");
                    RETURNS_RETRY
                }
                Err(error) => {
                    tracing::warn!(processor = %self.processor_id, %error, "the feed of returns is not read");
                    diligence.has_come_to(now);
                    every
                }
            };
            let due = now.plus_ms(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
            diligence.wait_until(due).await;
        }
    }

    /// Brings the next page in. True when another follows at once.
    async fn collect_page(&self) -> Result<bool, Interrupted> {
        let position = self.position().await?;
        let page = fetch::page(&self.host, position).await?;
        let Some(last) = page.notices.last().map(|notice| notice.sequence) else { return Ok(false) };
        for notice in &page.notices {
            if let Err(why) = self.bring(notice).await {
                // What was brought before it is done, and need not come again.
                self.keep_position(notice.sequence - 1).await?;
                return Err(why);
            }
        }
        self.keep_position(last).await?;
        Ok(page.last > last)
    }

    async fn position(&self) -> Result<u64, Interrupted> {
        let kept = self.shared.stores.meta(&self.position_key()).await?;
        kept.map_or(Ok(0), |text| text.parse().map_err(|_| Interrupted::Position))
    }

    async fn keep_position(&self, sequence: u64) -> Result<(), PersistenceError> {
        self.shared.stores.put_meta(&self.position_key(), &sequence.to_string()).await
    }

    fn position_key(&self) -> String {
        format!("returns_{}", self.processor_id)
    }

    /// Gives a notice to its shard and waits until it is durable. One that can never be taken is named in the log and left.
    async fn bring(&self, notice: &Notice) -> Result<(), Interrupted> {
        let read_at = self.shared.clock.now();
        self.shared.history.catch_up().await?;
        let Some(entry) = self.entry_of(notice).await? else {
            tracing::error!(processor = %self.processor_id, rrn = %rrn(notice), code = %code(notice), "a return of no entry of ours");
            return Ok(());
        };
        let transaction = entry.transaction();
        let (id, merchant, parent) = (transaction.id, transaction.merchant, transaction.parent);
        let facts = self.facts(notice, &entry)?;
        let sale = if parent.is_none() { None } else { self.shared.history.queries().transaction_by_id(&parent).await? };
        let hydration = |stored: StoredTransaction| Hydration { version: version_of(&stored), read_at };
        let hydrations = [sale, Some(entry)].into_iter().flatten().map(hydration).collect();
        let (reply, told) = oneshot::channel();
        let news = FromBank { transaction: id, hydrations, facts, reply };
        self.shared.doors[usize::from(shard_of(merchant, self.shared.doors.len() as u16))].give(match notice.is_return() {
            true => Return::Returned { news, code: notice.code, returned_at: notice.at },
            false => Return::ChangeNotified(news),
        });
        let waits = |why| Interrupted::Waits { sequence: notice.sequence, why };
        match told.await {
            Ok(Told::Version { version, .. }) => {
                self.correct(notice, version.transaction()).await?;
                let status = version.transaction().status().word();
                tracing::info!(%id, code = %code(notice), status, "a bank has sent word of an entry");
                Ok(())
            }
            Ok(Told::Stored { .. }) => Ok(()),
            Ok(Told::Refused(refusal)) if is_passing(refusal) => Err(waits(Why::Refused(refusal))),
            Ok(Told::Refused(refusal)) => {
                tracing::error!(%id, code = %code(notice), %refusal, "a return that can't be taken");
                Ok(())
            }
            Ok(Told::Absent(_)) => Err(waits(Why::NotInMemory)),
            Err(_) => Err(waits(Why::ShardFull)),
        }
    }

    /// Corrects the account in the vault, wherever the merchant's customers have it. The journal has the notice by now; after a crash
    /// in between it comes again.
    async fn correct(&self, notice: &Notice, transaction: &Transaction) -> Result<(), VaultError> {
        let Some(corrected) = &notice.corrected else { return Ok(()) };
        let Some(correction) = Correction::read(&notice.code, corrected) else { return Ok(()) };
        let Shared { stores, sealer, clock, .. } = &self.shared;
        let (merchant, fingerprint) = (&transaction.merchant, &transaction.fingerprint);
        let methods = Vault::correct((stores, sealer), merchant, fingerprint, &correction, clock.now()).await?;
        tracing::info!(id = %transaction.id, code = %code(notice), methods, "accounts of the vault are corrected");
        Ok(())
    }

    /// The transaction that a notice is about, if this processor had it.
    async fn entry_of(&self, notice: &Notice) -> Result<Option<StoredTransaction>, PersistenceError> {
        let Some(ids) = ids_of_rrn(&notice.rrn, self.shared.clock.now()) else { return Ok(None) };
        let found = self.shared.history.queries().transaction_by_rrn(ids, &rrn(notice)).await?;
        Ok(found.filter(|stored| stored.transaction().processor.get() == self.processor))
    }

    /// What a notice tells, as a tail. Corrected data are sealed like the account that they belong to.
    fn facts(&self, notice: &Notice, entry: &StoredTransaction) -> Result<Vec<u8>, PersistenceError> {
        let mut facts = notice.facts();
        if let Some(corrected) = &notice.corrected {
            let transaction = entry.transaction();
            let mut sealed = Vec::new();
            let (merchant, fingerprint) = (&transaction.merchant, &transaction.fingerprint);
            self.shared.sealer.seal_text(SecretKind::Correction, &[corrected.as_str()], merchant, fingerprint, &mut sealed)?;
            facts.bytes(tag::SEALED_CHANGE, &sealed);
        }
        Ok(facts.finish())
    }
}

/// Whether a notice that a shard has refused so may be taken later.
pub fn is_passing(refusal: Refusal) -> bool {
    match refusal {
        Refusal::Busy | Refusal::BatchClosing | Refusal::StepInFlight { .. } => true,
        // Its answer is on the way. One whose outcome is unknown is being taken back: nothing of it is left to return.
        Refusal::IllegalStep { status, .. } => status == Status::Pending,
        Refusal::MerchantNotActive
        | Refusal::ProcessorNotAvailable
        | Refusal::NotFound
        | Refusal::AmountTooLarge { .. }
        | Refusal::AmountZero
        | Refusal::KeyReused
        | Refusal::TailTooLong
        | Refusal::MethodNotTaken { .. } => false,
    }
}

fn version_of(stored: &StoredTransaction) -> Version {
    let (transaction, tail) = stored.parts();
    Version::copy_of(transaction, tail)
}

fn rrn(notice: &Notice) -> String {
    String::from_utf8_lossy(&notice.rrn).into_owned()
}

fn code(notice: &Notice) -> String {
    String::from_utf8_lossy(&notice.code).into_owned()
}
