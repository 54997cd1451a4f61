//! How changes become rows: statements, values, and what happens to a row that is already there.

use protocol::batch::Batch;
use protocol::id::Xid;
use protocol::record::Kind;
use protocol::tail::tag;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalState, Status};
use sqlx::AnyConnection;
use sqlx::Arguments;
use sqlx::any::AnyArguments;
use sqlx::error::BoxDynError;
use zerocopy::IntoBytes;

use super::changes::{Changes, ConfigurationPart, IdempotencyKey, KeyUse, Newest, Version};
use super::events;
use crate::error::PersistenceError;
use crate::sql::{BulkStatement, BulkWriter, id_or_null, signed, text_or_null, time_or_null};

/// Versions that this SQL transaction brings and supersedes. One is written once: a second one under its LSN is an error.
static VERSIONS: BulkStatement =
    BulkStatement::of_new_rows("write versions", "INTO versions (transaction_id, lsn, version, kind, body) VALUES", 5);

/// Versions that were the newest until now. The numbers are the intents': what `Version::is_kept` says.
static SUPERSEDED: BulkStatement = BulkStatement::new(
    "keep superseded versions",
    "INSERT INTO versions (transaction_id, lsn, version, kind, body) \
     SELECT id, lsn, version, kind, body FROM transactions WHERE kind NOT IN (1, 3) AND id IN (",
    1,
    ")",
);
const _: () = assert!(Kind::Intent as u8 == 1 && Kind::StepIntent as u8 == 3);

/// Transactions whose first version is among these records: nearly all, when payments are many.
static NEW_TRANSACTIONS: BulkStatement = BulkStatement::of_new_rows(
    "write new transactions",
    "INTO transactions (id, merchant, parent, verb, status, version, lsn, kind, amount, amount_authorized, amount_captured, \
     amount_settled, processor, batch, batch_share, is_open, created_at, captured_at, settled_at, order_id, customer_id, last_four, \
     rrn, body) VALUES",
    24,
);

/// What a transaction never changes (merchant, parent, type, birth) is left alone, and its indexes with it.
static TRANSACTIONS: BulkStatement = BulkStatement::new(
    "write transactions",
    "INSERT INTO transactions (id, merchant, parent, verb, status, version, lsn, kind, amount, amount_authorized, amount_captured, \
     amount_settled, processor, batch, batch_share, is_open, created_at, captured_at, settled_at, order_id, customer_id, last_four, \
     rrn, body) VALUES",
    24,
    "ON CONFLICT (id) DO UPDATE SET status = excluded.status, version = excluded.version, lsn = excluded.lsn, \
     kind = excluded.kind, amount = excluded.amount, amount_authorized = excluded.amount_authorized, \
     amount_captured = excluded.amount_captured, amount_settled = excluded.amount_settled, processor = excluded.processor, \
     batch = excluded.batch, batch_share = excluded.batch_share, is_open = excluded.is_open, \
     captured_at = excluded.captured_at, settled_at = excluded.settled_at, order_id = excluded.order_id, \
     customer_id = excluded.customer_id, rrn = excluded.rrn, body = excluded.body",
);

/// Uses of keys that begin with these records.
static NEW_IDEMPOTENCY: BulkStatement = BulkStatement::of_new_rows(
    "write new idempotency keys",
    "INTO idempotency (expires_at, key_hash, request_hash, transaction_id, verb, answer_version) VALUES",
    6,
);

/// The same rule as `IdempotencyKey::then`.
static IDEMPOTENCY: BulkStatement = BulkStatement::new(
    "write idempotency keys",
    "INSERT INTO idempotency (expires_at, key_hash, request_hash, transaction_id, verb, answer_version) VALUES",
    6,
    "ON CONFLICT (expires_at, key_hash) DO UPDATE SET request_hash = excluded.request_hash, \
     transaction_id = excluded.transaction_id, verb = excluded.verb, answer_version = excluded.answer_version \
     WHERE idempotency.answer_version = 0",
);

static BATCHES: BulkStatement = BulkStatement::new(
    "write batches",
    "INSERT INTO batches (id, merchant, processor, number, state, lsn, currency, capture_count, credit_count, captured, \
     credited, opened_at, closed_at, answered_at, body) VALUES",
    15,
    "ON CONFLICT (id) DO UPDATE SET number = excluded.number, state = excluded.state, lsn = excluded.lsn, \
     capture_count = excluded.capture_count, credit_count = excluded.credit_count, captured = excluded.captured, \
     credited = excluded.credited, opened_at = excluded.opened_at, closed_at = excluded.closed_at, \
     answered_at = excluded.answered_at, body = excluded.body",
);

static CONFIGURATION: BulkStatement = BulkStatement::new(
    "write configuration changes",
    "INSERT INTO changes (version, part, parts, lsn, at, area, subject, id, undoes, text, changed_by) VALUES",
    11,
    "",
);

/// Writes all changes; the caller has begun a SQL transaction and moves the applied LSN in it. What was the newest version
/// until now is kept before the newer one takes its place.
pub(super) async fn write(
    connection: &mut AnyConnection,
    writer: &mut BulkWriter,
    changes: &Changes,
) -> Result<(), PersistenceError> {
    // While the rows still say what was before.
    let refunds = events::against_stored(connection, &changes.refunds_changed).await?;
    let stored: Vec<&Xid> = changes.newest.iter().filter(|(_, newest)| newest.is_stored_before).map(|(id, _)| id).collect();
    let (known, new): (Vec<&Newest>, Vec<&Newest>) = changes.newest.values().partition(|newest| newest.is_stored_before);
    let (known_keys, new_keys): (Vec<&KeyUse>, Vec<&KeyUse>) = changes.keys.values().partition(|used| used.is_stored_before);
    let batches: Vec<&(u64, Batch)> = changes.batches.values().collect();
    let written = writer.write(connection, &SUPERSEDED, &stored, |id, out| out.add(&id.0[..])).await;
    written.map_err(PersistenceError::sql(SUPERSEDED.operation))?;
    let written = writer.write(connection, &VERSIONS, &changes.superseded, bind_version).await;
    written.map_err(PersistenceError::sql(VERSIONS.operation))?;
    for (statement, rows) in [(&TRANSACTIONS, &known), (&NEW_TRANSACTIONS, &new)] {
        let written = writer.write(connection, statement, rows, |newest, out| bind_transaction(&newest.version, out)).await;
        written.map_err(PersistenceError::sql(statement.operation))?;
    }
    for (statement, rows) in [(&IDEMPOTENCY, &known_keys), (&NEW_IDEMPOTENCY, &new_keys)] {
        let written = writer.write(connection, statement, rows, |used, out| bind_key(&used.key, out)).await;
        written.map_err(PersistenceError::sql(statement.operation))?;
    }
    let written = writer.write(connection, &BATCHES, &batches, |(lsn, batch), out| bind_batch(*lsn, batch, out)).await;
    written.map_err(PersistenceError::sql(BATCHES.operation))?;
    let parts: Vec<&ConfigurationPart> = changes.configuration.iter().collect();
    let written = writer.write(connection, &CONFIGURATION, &parts, |part, out| bind_configuration(part, out)).await;
    written.map_err(PersistenceError::sql(CONFIGURATION.operation))?;
    let mut happened = changes.happened.clone();
    happened.extend(refunds);
    happened.sort_by_key(|event| event.lsn);
    events::write(connection, writer, &happened).await
}

fn bind_configuration(part: &ConfigurationPart, out: &mut AnyArguments) -> Result<(), BoxDynError> {
    let ConfigurationPart { lsn, at, change, text } = part;
    out.add(i64::from(change.version.get()))?;
    out.add(i64::from(change.part.get()))?;
    out.add(i64::from(change.parts.get()))?;
    out.add(signed(*lsn))?;
    out.add(at.0)?;
    out.add(i64::from(change.area))?;
    out.add(id_or_null(&change.subject))?;
    out.add(&change.id.0[..])?;
    out.add(i64::from(change.undoes.get()))?;
    out.add(&text[..])?;
    out.add(change.by.name())
}

/// What a transaction adds to the totals of its batch, minor units; `None` when it does not count: not (yet) captured,
/// settled already, or undecided. A shard that recovers adds the undecided ones by itself, from the open transactions.
pub(super) fn batch_share(transaction: &Transaction) -> Option<u64> {
    let undecided = transaction.original.state() == ExchangeState::InFlight
        || transaction.step.state() == ExchangeState::InFlight
        || transaction.reversal.state() == ReversalState::Queued;
    let counts = !transaction.batch.is_none() && transaction.status() == Status::PendingSettlement && !undecided;
    counts.then(|| transaction.amount_captured.get())
}

fn bind_version(version: &Version, out: &mut AnyArguments) -> Result<(), BoxDynError> {
    let (transaction, _) = version.transaction();
    out.add(&transaction.id.0[..])?;
    out.add(signed(version.lsn))?;
    out.add(i64::from(transaction.version.get()))?;
    out.add(i64::from(version.kind as u8))?;
    out.add(&version.body[..])
}

fn bind_transaction(version: &Version, out: &mut AnyArguments) -> Result<(), BoxDynError> {
    let (transaction, tail) = version.transaction();
    out.add(&transaction.id.0[..])?;
    out.add(&transaction.merchant.0[..])?;
    out.add(id_or_null(&transaction.parent))?;
    out.add(i64::from(transaction.verb))?;
    out.add(i64::from(transaction.status))?;
    out.add(i64::from(transaction.version.get()))?;
    out.add(signed(version.lsn))?;
    out.add(i64::from(version.kind as u8))?;
    bind_amounts(transaction, out)?;
    out.add(i64::from(transaction.processor.get()))?;
    out.add(id_or_null(&transaction.batch))?;
    out.add(batch_share(transaction).map(signed))?;
    out.add(i64::from(transaction.is_open()))?;
    out.add(transaction.created_at.get())?;
    out.add(time_or_null(transaction.captured_at.get()))?;
    out.add(time_or_null(transaction.settled_at.get()))?;
    out.add(text_or_null(tail.text(tag::ORDER_ID)))?;
    out.add(text_or_null(tail.text(tag::CUSTOMER_ID)))?;
    out.add(i64::from(transaction.last_four.get()))?;
    out.add(text_or_null(transaction.rrn().trim_matches('\0')))?;
    out.add(&version.body[..])
}

fn bind_amounts(transaction: &Transaction, out: &mut AnyArguments) -> Result<(), BoxDynError> {
    out.add(signed(transaction.amount.get()))?;
    out.add(signed(transaction.amount_authorized.get()))?;
    out.add(signed(transaction.amount_captured.get()))?;
    out.add(signed(transaction.amount_settled.get()))
}

fn bind_key(key: &IdempotencyKey, out: &mut AnyArguments) -> Result<(), BoxDynError> {
    out.add(key.expires_at.0)?;
    out.add(&key.hash[..])?;
    out.add(&key.request[..])?;
    out.add(&key.transaction.0[..])?;
    out.add(i64::from(key.verb.number()))?;
    out.add(i64::from(key.answer_version))
}

fn bind_batch(lsn: u64, batch: &Batch, out: &mut AnyArguments) -> Result<(), BoxDynError> {
    out.add(&batch.id.0[..])?;
    out.add(&batch.merchant.0[..])?;
    out.add(i64::from(batch.processor.get()))?;
    out.add(i64::from(batch.number.get()))?;
    out.add(i64::from(batch.state))?;
    out.add(signed(lsn))?;
    out.add(i64::from(batch.currency.get()))?;
    out.add(i64::from(batch.capture_count.get()))?;
    out.add(i64::from(batch.credit_count.get()))?;
    out.add(signed(batch.captured.get()))?;
    out.add(signed(batch.credited.get()))?;
    out.add(batch.opened_at.get())?;
    out.add(time_or_null(batch.closed_at.get()))?;
    out.add(time_or_null(batch.answered_at.get()))?;
    out.add(batch.as_bytes())
}
