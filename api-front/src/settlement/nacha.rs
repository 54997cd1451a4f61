//! The file for the bank that goes with an accepted batch of bank accounts: `DATA/nacha/<processor>-<merchant>-<number>.ach`.
//!
//! Lives here: which members of a batch are entries, and the one place besides the link in which sealed account numbers are opened. Must
//! not live here: the file's records ([`protocol::nacha::file`]). A batch that is driven a second time writes the same bytes again.

use crate::config::NachaSettings;
use crate::data_folder::replace_private;
use crate::switch::directory::{MerchantTable, ProcessorKind, ProcessorTable};
use persistence::PersistenceError;
use persistence::sealing::Sealer;
use protocol::batch::Batch;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::nacha::file::{self, Entry, FileHeader, Unwritable, class_of};
use protocol::nacha::{SecCode, next_banking_day};
use protocol::secret::AccountNumber;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{Source, Status, Verb};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What account holders see that an entry is for.
const DESCRIPTION: &str = "PAYMENT";

/// Why a batch's file is not written.
#[derive(Debug, thiserror::Error)]
pub enum NoFile {
    /// A member is none that a file can hold. Trying again would not help.
    #[error("transaction {id}: {reason}")]
    Member {
        /// The transaction.
        id: Xid,
        /// What it lacks.
        reason: &'static str,
    },
    /// An account number can't be opened.
    #[error(transparent)]
    Sealed(#[from] PersistenceError),
    /// Its entries can't be written.
    #[error("{0}")]
    Unwritable(Unwritable),
    /// The disk does not take it. It is tried again.
    #[error("write {}: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes the files.
#[derive(Clone)]
pub struct BankFiles {
    /// Where they are put.
    pub folder: PathBuf,
    /// Their two ends.
    pub settings: NachaSettings,
    /// Opens account numbers.
    pub sealer: Arc<Sealer>,
    /// Which processors take bank accounts.
    pub processors: ProcessorTable,
    /// Originators' names.
    pub merchants: MerchantTable,
}

/// A member, opened.
struct Opened {
    class: SecCode,
    is_credit: bool,
    is_savings: bool,
    is_recurring: bool,
    routing: String,
    account: AccountNumber,
    amount: u64,
    id: String,
    name: String,
}

/// The entries of a batch while its members are read.
pub struct Draft {
    entries: Vec<Opened>,
}

impl BankFiles {
    /// A draft for a batch of bank accounts; `None` for any other batch.
    pub fn draft(&self, batch: &Batch) -> Option<Draft> {
        let processor = self.processors.by_index(batch.processor.get())?;
        let is_written = match processor.kind {
            ProcessorKind::SageAch => Currency::from_numeric(batch.currency.get()) == Some(Currency::USD),
            ProcessorKind::TsysSierra | ProcessorKind::Dejavoo => false,
        };
        is_written.then(|| Draft { entries: Vec::with_capacity(batch.member_count() as usize) })
    }

    /// Adds a member. One that dropped out of the batch is none of its entries.
    pub fn add(&self, draft: &mut Draft, transaction: &Transaction, tail: Tail<'_>) -> Result<(), NoFile> {
        let is_settled = transaction.status() == Status::PendingSettlement || transaction.settled_at.get() != 0;
        if is_settled {
            draft.entries.push(self.open(transaction, tail)?);
        }
        Ok(())
    }

    fn open(&self, transaction: &Transaction, tail: Tail<'_>) -> Result<Opened, NoFile> {
        let lacks = |reason| NoFile::Member { id: transaction.id, reason };
        let sealed = tail.get(tag::SEALED_ACCOUNT).ok_or_else(|| lacks("its account is not known"))?;
        let (routing, account) = self.sealer.open_account(sealed, &transaction.merchant, &transaction.fingerprint)?;
        let sec = SecCode::from_word(tail.text(tag::SEC_CODE)).ok_or_else(|| lacks("it has no standard entry class"))?;
        let is_credit = matches!(transaction.verb(), Verb::Credit | Verb::Refund);
        let class = class_of(sec, is_credit);
        Ok(Opened {
            class,
            is_credit,
            is_savings: tail.text(tag::ACCOUNT_TYPE) == "savings",
            is_recurring: transaction.source() == Source::Recurring,
            routing,
            account,
            amount: transaction.amount_captured.get(),
            id: transaction.rrn().to_owned(),
            name: holder(class, tail),
        })
    }

    /// Writes the file of a batch whose members are all in the draft. Nothing when it has none.
    pub async fn write(&self, batch: &Batch, draft: Draft) -> Result<(), NoFile> {
        if draft.entries.is_empty() {
            return Ok(());
        }
        let bytes = self.bytes(batch, &draft).map_err(NoFile::Unwritable)?;
        let path = self.path(batch);
        let written = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || put(&path, &bytes)).await.unwrap_or_else(|died| Err(io::Error::other(died)))
        };
        written.map_err(|source| NoFile::Disk { path, source })
    }

    fn bytes(&self, batch: &Batch, draft: &Draft) -> Result<zeroize::Zeroizing<Vec<u8>>, Unwritable> {
        let NachaSettings { bank_routing, bank_name, origin_id, origin_name } = &self.settings;
        let merchant = self.merchants.get(&batch.merchant);
        let company = merchant.as_ref().map_or("", |merchant| merchant.name.as_str());
        let company_id = format!("{:010}", batch.merchant.hash64() % 10_000_000_000);
        // What happened, not what the clock says now: the same bytes in each run.
        let created = batch.closed_at();
        let effective = next_banking_day(created);
        let of_class = |class: SecCode| {
            let entries: Vec<Entry<'_>> = draft.entries.iter().filter(|entry| entry.class == class).map(Opened::entry).collect();
            (!entries.is_empty()).then(|| file::Batch {
                company_name: company,
                company_id: &company_id,
                sec: class,
                description: DESCRIPTION,
                effective,
                odfi: &bank_routing[..8],
                entries,
            })
        };
        let batches: Vec<_> = SecCode::ALL.into_iter().filter_map(of_class).collect();
        let header = FileHeader {
            destination: bank_routing,
            destination_name: bank_name,
            origin: origin_id,
            origin_name,
            created,
            modifier: modifier(batch),
        };
        file::write(&header, &batches)
    }

    fn path(&self, batch: &Batch) -> PathBuf {
        let processor = self.processors.by_index(batch.processor.get()).map_or("", |processor| processor.name.as_str());
        let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
        let processor: String = processor.chars().map(plain).collect();
        self.folder.join(format!("{processor}-{}-{:06}.ach", batch.merchant, batch.number.get()))
    }
}

impl Opened {
    fn entry(&self) -> Entry<'_> {
        Entry {
            is_credit: self.is_credit,
            is_savings: self.is_savings,
            routing: &self.routing,
            account: &self.account,
            amount: self.amount,
            id: &self.id,
            name: &self.name,
            is_recurring: self.is_recurring,
            addendum: None,
        }
    }
}

/// Whose account it is: of a corporate entry the company, where it is told.
fn holder(class: SecCode, tail: Tail<'_>) -> String {
    let company = tail.text(tag::BILLING + tail::COMPANY);
    if class == SecCode::Ccd && !company.is_empty() {
        return company.to_owned();
    }
    let names = [tail.text(tag::BILLING), tail.text(tag::BILLING + 1)];
    names.join(" ").trim().to_owned()
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    replace_private(path, bytes)
}

/// Tells the files of a day apart. Its merchant counts as well as its number: many merchants' first batches may be closed in one minute.
fn modifier(batch: &Batch) -> char {
    const MODIFIERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let place = (batch.merchant.hash64() % 36 + u64::from(batch.number.get())) % 36;
    char::from(MODIFIERS[place as usize])
}
