//! What a restart needs of the past, read at one moment: everything that is still under way or still remembered.

use std::collections::HashMap;

use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::Verb;
use sqlx::AnyConnection;

use super::IdempotencyKey;
use super::queries::{Queries, StoredTransaction, UNFINISHED_BATCHES, read_batch};
use crate::error::PersistenceError;
use crate::sql::{Dialect, Fields, unsigned};

/// How far back a restart looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryScope {
    /// Keys that expire before this are forgotten.
    pub now: Micros,
    /// Payments that were made before this are outside every merchant's duplicate window.
    pub recent_since: Micros,
    /// Recent payments at most, the newest of them.
    pub recent_max: u32,
}

/// One thing that a restart needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryItem {
    /// A transaction with something under way.
    Open(StoredTransaction),
    /// An idempotency key inside its window, and whose it is. Should two uses of one key come, the first holds.
    Key {
        /// The merchant.
        merchant: Xid,
        /// The key.
        key: IdempotencyKey,
    },
    /// A payment made lately, newest version; it may be an open one, too.
    Recent(StoredTransaction),
    /// A batch that is not complete. When its totals are not final yet they are those of its members; when it is accepted, it says
    /// how many of them are settled.
    Batch(Batch),
    /// The highest number that a merchant's batches have had at a processor.
    BatchNumber {
        /// The merchant.
        merchant: Xid,
        /// Index of the processor.
        processor: u16,
        /// The number.
        number: u32,
    },
}

/// Rows that are read at once.
const PAGE_ROWS: u32 = 4_096;
const OPERATION: &str = "read what recovery needs";

/// Totals of the members of one batch that are captured and not settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MemberTotals {
    capture_count: u32,
    credit_count: u32,
    captured: u64,
    credited: u64,
}

impl MemberTotals {
    pub(super) fn add(&mut self, pays_out: bool, members: u32, amount: u64) {
        let (count, money) =
            if pays_out { (&mut self.credit_count, &mut self.credited) } else { (&mut self.capture_count, &mut self.captured) };
        *count += members;
        *money += amount;
    }
}

impl Queries {
    /// Gives everything that a restart needs to `take`, all of it as of one moment: batches first, because open transactions
    /// refer to them, then transactions, then keys. Returns the LSN of that moment: the
    /// journal is to be replayed after it.
    pub async fn recover(&self, scope: RecoveryScope, mut take: impl FnMut(RecoveryItem)) -> Result<u64, PersistenceError> {
        let begun = self.database.pool.begin_with(self.database.dialect.begin_snapshot()).await;
        let mut snapshot = begun.map_err(PersistenceError::sql(OPERATION))?;
        let row =
            sqlx::query("SELECT COALESCE(MAX(applied_lsn), 0) AS applied_lsn FROM projection").fetch_one(&mut *snapshot).await;
        let row = row.map_err(PersistenceError::sql(OPERATION))?;
        let applied = unsigned(Fields::of(&row, "projection").integer("applied_lsn")?);
        batches(&mut snapshot, &mut take).await?;
        batch_numbers(&mut snapshot, &mut take).await?;
        open_transactions(&mut snapshot, &mut take).await?;
        recent_transactions(&mut snapshot, scope, &mut take).await?;
        keys(&mut snapshot, self.database.dialect, scope.now, &mut take).await?;
        snapshot.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(applied)
    }
}

async fn open_transactions(snapshot: &mut AnyConnection, take: &mut impl FnMut(RecoveryItem)) -> Result<(), PersistenceError> {
    let mut after = Xid::NONE;
    loop {
        let select = sqlx::query("SELECT lsn, body FROM transactions WHERE is_open = 1 AND id > $1 ORDER BY id LIMIT $2");
        let rows = select.bind(&after.0[..]).bind(i64::from(PAGE_ROWS)).fetch_all(&mut *snapshot).await;
        let rows = rows.map_err(PersistenceError::sql(OPERATION))?;
        for row in &rows {
            let stored = StoredTransaction::read(row, "transactions")?;
            after = stored.transaction().id;
            take(RecoveryItem::Open(stored));
        }
        if rows.len() < PAGE_ROWS as usize {
            return Ok(());
        }
    }
}

/// Newest use first: where a clock that was set back makes two uses of one key look alive, the first to come is right.
async fn keys(
    snapshot: &mut AnyConnection,
    dialect: Dialect,
    now: Micros,
    take: &mut impl FnMut(RecoveryItem),
) -> Result<(), PersistenceError> {
    // Longer than any hash, so that it sorts behind all of them.
    let (mut before, mut before_hash) = (i64::MAX, vec![0xff; 17]);
    loop {
        let select = sqlx::query(packed_keys(dialect)).bind(now.0).bind(before).bind(&before_hash[..]);
        let row = select.bind(i64::from(PAGE_ROWS)).fetch_one(&mut *snapshot).await;
        let packed = Fields::of(&row.map_err(PersistenceError::sql(OPERATION))?, "idempotency").text("packed")?;
        let page = packed.as_bytes().chunks(PACKED_KEY_CHARS);
        let is_last = page.len() < PAGE_ROWS as usize;
        for packed in page {
            let fault = PersistenceError::StoredRow { table: "idempotency", fault: "a key can't be read" };
            let (merchant, key) = unpacked(packed).ok_or(fault)?;
            (before, before_hash) = (key.expires_at.0, key.hash.to_vec());
            take(RecoveryItem::Key { merchant, key });
        }
        if is_last {
            return Ok(());
        }
    }
}

/// A page of keys in one text: the driver carries each row and each value by itself, which for hundreds of thousands of small ones
/// costs more than all the rest of a restart. Two hashes, two ids, verb, version and expiry, hexadecimal.
const fn packed_keys(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT COALESCE(group_concat(packed, '' ORDER BY expires_at DESC, key_hash DESC), '') AS packed FROM (\
             SELECT expires_at, key_hash, hex(key_hash) || hex(request_hash) || hex(transaction_id) || hex(merchant) || \
             printf('%02x%08x%016x', idempotency.verb, answer_version, expires_at) AS packed \
             FROM idempotency JOIN transactions ON transactions.id = transaction_id \
             WHERE expires_at > $1 AND (expires_at, key_hash) < ($2, $3) ORDER BY expires_at DESC, key_hash DESC LIMIT $4) AS page"
        }
        Dialect::Postgres => {
            "SELECT COALESCE(string_agg(packed, '' ORDER BY expires_at DESC, key_hash DESC), '') AS packed FROM (\
             SELECT expires_at, key_hash, encode(key_hash, 'hex') || encode(request_hash, 'hex') || \
             encode(transaction_id, 'hex') || encode(merchant, 'hex') || lpad(to_hex(idempotency.verb), 2, '0') || \
             lpad(to_hex(answer_version), 8, '0') || lpad(to_hex(expires_at), 16, '0') AS packed \
             FROM idempotency JOIN transactions ON transactions.id = transaction_id \
             WHERE expires_at > $1 AND (expires_at, key_hash) < ($2, $3) ORDER BY expires_at DESC, key_hash DESC LIMIT $4) AS page"
        }
    }
}

const PACKED_KEY_CHARS: usize = 2 * (16 + 16 + 12 + 12 + 1 + 4 + 8);

fn unpacked(packed: &[u8]) -> Option<(Xid, IdempotencyKey)> {
    let bytes: [u8; PACKED_KEY_CHARS / 2] = from_hex(packed)?;
    let (hash, rest) = bytes.split_first_chunk()?;
    let (request, rest) = rest.split_first_chunk()?;
    let (transaction, rest) = rest.split_first_chunk()?;
    let (merchant, rest) = rest.split_first_chunk()?;
    let ([verb], rest) = rest.split_first_chunk()?;
    let (answer_version, rest) = rest.split_first_chunk()?;
    let (expires_at, _) = rest.split_first_chunk()?;
    let key = IdempotencyKey {
        hash: *hash,
        request: *request,
        transaction: Xid(*transaction),
        verb: Verb::from_number(*verb)?,
        answer_version: u32::from_be_bytes(*answer_version),
        expires_at: Micros(i64::from_be_bytes(*expires_at)),
    };
    Some((Xid(*merchant), key))
}

fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (char::from(*high).to_digit(16)? << 4 | char::from(*low).to_digit(16)?) as u8;
    }
    Some(bytes)
}

/// Newest first, so that the bound leaves out the oldest: those fall out of the duplicate window first.
async fn recent_transactions(
    snapshot: &mut AnyConnection,
    scope: RecoveryScope,
    take: &mut impl FnMut(RecoveryItem),
) -> Result<(), PersistenceError> {
    let (mut before, mut before_id) = (i64::MAX, Xid([0xff; 12]));
    let mut left = scope.recent_max;
    while left > 0 {
        let page = left.min(PAGE_ROWS);
        let select = sqlx::query(
            "SELECT lsn, body FROM transactions WHERE created_at >= $1 AND (created_at, id) < ($2, $3) \
             ORDER BY created_at DESC, id DESC LIMIT $4",
        );
        let select = select.bind(scope.recent_since.0).bind(before).bind(&before_id.0[..]).bind(i64::from(page));
        let rows = select.fetch_all(&mut *snapshot).await.map_err(PersistenceError::sql(OPERATION))?;
        for row in &rows {
            let stored = StoredTransaction::read(row, "transactions")?;
            (before, before_id) = (stored.transaction().created_at.get(), stored.transaction().id);
            take(RecoveryItem::Recent(stored));
        }
        left = if rows.len() < page as usize { 0 } else { left - page };
    }
    Ok(())
}

async fn batches(snapshot: &mut AnyConnection, take: &mut impl FnMut(RecoveryItem)) -> Result<(), PersistenceError> {
    let totals = member_totals(snapshot).await?;
    let rows = sqlx::query(UNFINISHED_BATCHES).fetch_all(&mut *snapshot).await.map_err(PersistenceError::sql(OPERATION))?;
    for row in &rows {
        let batch = read_batch(row)?;
        take(RecoveryItem::Batch(with_members(batch, totals.get(&batch.id).copied().unwrap_or_default())));
    }
    Ok(())
}

/// A batch as a shard wants it back: see [`RecoveryItem::Batch`].
pub(super) fn with_members(mut batch: Batch, members: MemberTotals) -> Batch {
    if !totals_are_final(&batch) {
        fill_in(&mut batch, members);
    } else if batch.state() == BatchState::Accepted {
        // Journaled once, before the first member was settled: what is not captured any more is settled.
        batch.settled_count = batch.member_count().saturating_sub(members.capture_count + members.credit_count).into();
    }
    batch
}

/// Once the totals message has its trace number, its repeats must say the same: the journaled totals stand. A rejected batch
/// waits for its next try, and its members may be voided meanwhile.
fn totals_are_final(batch: &Batch) -> bool {
    match batch.state() {
        BatchState::Open | BatchState::Rejected => false,
        BatchState::Closing => batch.stan.get() != 0,
        BatchState::Accepted | BatchState::Complete => true,
    }
}

fn fill_in(batch: &mut Batch, totals: MemberTotals) {
    batch.capture_count = totals.capture_count.into();
    batch.credit_count = totals.credit_count.into();
    batch.captured = totals.captured.into();
    batch.credited = totals.credited.into();
}

async fn member_totals(snapshot: &mut AnyConnection) -> Result<HashMap<Xid, MemberTotals>, PersistenceError> {
    // A sum of BIGINT is NUMERIC in PostgreSQL; ours fit 64 bits by far.
    let select = sqlx::query(
        "SELECT batch, verb, COUNT(*) AS members, CAST(SUM(batch_share) AS BIGINT) AS amount FROM transactions \
         WHERE batch IN (SELECT id FROM batches WHERE state <> 5) AND batch_share IS NOT NULL GROUP BY batch, verb",
    );
    let rows = select.fetch_all(&mut *snapshot).await.map_err(PersistenceError::sql(OPERATION))?;
    let mut totals: HashMap<Xid, MemberTotals> = HashMap::new();
    for row in &rows {
        let fields = Fields::of(row, "transactions");
        let fault = PersistenceError::StoredRow { table: "transactions", fault: "the verb is unknown" };
        let verb = Verb::from_number(fields.narrow("verb")?).ok_or(fault)?;
        let (members, amount) = (fields.narrow::<u32>("members")?, unsigned(fields.integer("amount")?));
        totals.entry(fields.id("batch")?).or_default().add(verb.pays_out(), members, amount);
    }
    Ok(totals)
}

async fn batch_numbers(snapshot: &mut AnyConnection, take: &mut impl FnMut(RecoveryItem)) -> Result<(), PersistenceError> {
    let select = sqlx::query("SELECT merchant, processor, MAX(number) AS number FROM batches GROUP BY merchant, processor");
    let rows = select.fetch_all(&mut *snapshot).await.map_err(PersistenceError::sql(OPERATION))?;
    for row in &rows {
        let fields = Fields::of(row, "batches");
        let (merchant, processor, number) = (fields.id("merchant")?, fields.narrow("processor")?, fields.narrow("number")?);
        take(RecoveryItem::BatchNumber { merchant, processor, number });
    }
    Ok(())
}
