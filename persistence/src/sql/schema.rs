//! The tables, as a numbered list of steps that only grows. A step that has run anywhere is never changed.
//!
//! `{int}`, `{blob}` and `{keyed}` are the words that differ: SQLite's INTEGER has 64 bits, PostgreSQL's has 32; PostgreSQL
//! calls a blob BYTEA; SQLite can keep a table's rows in its primary key, which saves the second tree. Times are microseconds since 1970, amounts minor units, ids their twelve bytes.

use sqlx::{AnyConnection, Connection, Executor, Row};

use super::Dialect;
use crate::error::PersistenceError;

/// Two processes that start at once must not both migrate; the number is ours, nothing else locks it.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(721900411)";

/// The steps; the version of a database is how many of them it has.
const STEPS: &[&[&str]] = &[
    FIRST_TABLES,
    SEARCHES,
    CONFIGURATION,
    DIGEST,
    ACCOUNTS,
    VAULT,
    TERMINALS,
    RECURRING,
    INVOICES,
    EVENTS,
    PAYABLES,
    LEDGER,
    VAULT_WISHES,
    ORDER_SEARCH,
    WEBHOOKS,
    CHANGED_BY,
    RESENDING,
    TRANSACTIONS_ANEW,
    CORRECTIONS,
];

const FIRST_TABLES: &[&str] = &[
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE merchants (id {blob} PRIMARY KEY, name TEXT NOT NULL, settings TEXT NOT NULL, active {int} NOT NULL)",
    "CREATE TABLE api_keys (id {blob} PRIMARY KEY, hash {blob} NOT NULL UNIQUE, kind {int} NOT NULL, \
     merchant {blob} NOT NULL, name TEXT NOT NULL, created_at {int} NOT NULL)",
    "CREATE INDEX api_keys_merchant ON api_keys (merchant)",
    "CREATE TABLE processors (number {int} PRIMARY KEY, id {blob} NOT NULL UNIQUE, name TEXT NOT NULL, kind TEXT NOT NULL)",
    // One row: how far the tables below have come, of which journal they are, and when its newest record was decided.
    "CREATE TABLE projection (one {int} PRIMARY KEY CHECK (one = 1), applied_lsn {int} NOT NULL, newest_at {int} NOT NULL, \
     journal_id TEXT NOT NULL)",
    // The newest version of each transaction. Every index is paid for by every payment, so there is one for each question
    // that is asked today and no other: a search by order, retrieval number or merchant brings its own, and a rebuild
    // fills it. What is NULL in an index's condition stays out of the index.
    "CREATE TABLE transactions (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, parent {blob}, verb {int} NOT NULL, \
     status {int} NOT NULL, version {int} NOT NULL, lsn {int} NOT NULL, kind {int} NOT NULL, response_code {int} NOT NULL, \
     amount {int} NOT NULL, amount_authorized {int} NOT NULL, amount_captured {int} NOT NULL, \
     amount_settled {int} NOT NULL, amount_refunded {int} NOT NULL, currency {int} NOT NULL, processor {int} NOT NULL, \
     batch {blob}, batch_share {int}, is_open {int} NOT NULL, created_at {int} NOT NULL, updated_at {int} NOT NULL, captured_at {int}, \
     settled_at {int}, order_id TEXT, first_six {int} NOT NULL, last_four {int} NOT NULL, rrn TEXT, body {blob} NOT NULL){keyed}",
    "CREATE INDEX transactions_created ON transactions (created_at, id)",
    "CREATE INDEX transactions_open ON transactions (id) WHERE is_open = 1",
    // Pages of a batch's members, and all that its totals need, so that recovery reads no row for them.
    "CREATE INDEX transactions_batch ON transactions (batch, id, verb, batch_share) WHERE batch IS NOT NULL",
    "CREATE INDEX transactions_parent ON transactions (parent) WHERE parent IS NOT NULL",
    // What transactions were before: answers are repeated from it, and an operator reads a transaction's story in it. The
    // newest version stands in transactions only. Intents are left out: see the projection's `Version::is_kept`.
    "CREATE TABLE versions (transaction_id {blob} NOT NULL, lsn {int} NOT NULL, version {int} NOT NULL, \
     kind {int} NOT NULL, body {blob} NOT NULL, PRIMARY KEY (transaction_id, lsn)){keyed}",
    // A use of a key is its hash and its expiry. The expiry comes first: uses are written and purged in about that order, so
    // they touch few pages, where hashes alone would touch one each.
    "CREATE TABLE idempotency (expires_at {int} NOT NULL, key_hash {blob} NOT NULL, request_hash {blob} NOT NULL, \
     transaction_id {blob} NOT NULL, verb {int} NOT NULL, answer_version {int} NOT NULL, \
     PRIMARY KEY (expires_at, key_hash)){keyed}",
    "CREATE TABLE batches (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, processor {int} NOT NULL, \
     number {int} NOT NULL, state {int} NOT NULL, lsn {int} NOT NULL, currency {int} NOT NULL, \
     capture_count {int} NOT NULL, credit_count {int} NOT NULL, captured {int} NOT NULL, credited {int} NOT NULL, \
     opened_at {int} NOT NULL, closed_at {int}, answered_at {int}, body {blob} NOT NULL)",
    "CREATE INDEX batches_number ON batches (merchant, processor, number)",
    "CREATE INDEX batches_unfinished ON batches (id) WHERE state <> 5",
];

/// Merchants' searches: by time and by their order number; batches by the day on which they were closed.
const SEARCHES: &[&str] = &[
    "CREATE INDEX transactions_merchant ON transactions (merchant, created_at, id)",
    "CREATE INDEX transactions_order ON transactions (merchant, order_id) WHERE order_id IS NOT NULL",
    "CREATE INDEX batches_closed ON batches (merchant, closed_at) WHERE closed_at IS NOT NULL",
];

/// Changes of the configuration at run time, each in its parts.
const CONFIGURATION: &[&str] = &[
    "CREATE TABLE changes (version {int} NOT NULL, part {int} NOT NULL, parts {int} NOT NULL, lsn {int} NOT NULL, at {int} NOT NULL, \
     area {int} NOT NULL, subject {blob}, id {blob} NOT NULL, undoes {int} NOT NULL, text {blob} NOT NULL, PRIMARY KEY (version, part))",
];

/// Who made a change; empty for those that were written down before names were.
const CHANGED_BY: &[&str] = &["ALTER TABLE changes ADD COLUMN changed_by TEXT NOT NULL DEFAULT ''"];

/// The state digest, as text, of the records from `digest_from` on. Rows that were applied before this step was are not in it.
const DIGEST: &[&str] = &[
    "ALTER TABLE projection ADD COLUMN digest TEXT NOT NULL DEFAULT '00000000000000000000000000000000'",
    "ALTER TABLE projection ADD COLUMN digest_from {int} NOT NULL DEFAULT 1",
    "UPDATE projection SET digest_from = applied_lsn + 1",
];

/// Who may log in, how often it went wrong, and which tokens count no more.
const ACCOUNTS: &[&str] = &[
    "ALTER TABLE api_keys ADD COLUMN user_id {blob}",
    "ALTER TABLE api_keys ADD COLUMN hint TEXT NOT NULL DEFAULT ''",
    // `log_in` is the name in lower case: two users whose names differ in case only would be taken for one another.
    "CREATE TABLE users (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, username TEXT NOT NULL, log_in TEXT NOT NULL UNIQUE, \
     name TEXT NOT NULL, phone TEXT NOT NULL, email TEXT NOT NULL, timezone TEXT NOT NULL, password TEXT NOT NULL, \
     active {int} NOT NULL, role {int} NOT NULL, tokens_from {int} NOT NULL, created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE INDEX users_merchant ON users (merchant, id)",
    "CREATE INDEX users_email ON users (email) WHERE email <> ''",
    "CREATE TABLE log_in_attempts (log_in_hash {blob} PRIMARY KEY, wrong {int} NOT NULL, since {int} NOT NULL)",
    "CREATE INDEX log_in_attempts_since ON log_in_attempts (since)",
    "CREATE TABLE revoked_tokens (id {blob} PRIMARY KEY, expires_at {int} NOT NULL)",
    "CREATE TABLE reset_codes (user_id {blob} PRIMARY KEY, hash {blob} NOT NULL, expires_at {int} NOT NULL)",
];

/// Customers, what they pay with, and tokens that stand for a card until they are used. `used_by` is the hash of what has used one.
const VAULT: &[&str] = &[
    "CREATE TABLE customers (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, description TEXT NOT NULL, payment_method {blob}, \
     billing_address {blob}, shipping_address {blob}, created_at {int} NOT NULL, updated_at {int} NOT NULL, deleted_at {int})",
    "CREATE INDEX customers_created ON customers (merchant, created_at, id) WHERE deleted_at IS NULL",
    "CREATE TABLE addresses (id {blob} PRIMARY KEY, customer {blob} NOT NULL, first_name TEXT NOT NULL, last_name TEXT NOT NULL, \
     company TEXT NOT NULL, address_line_1 TEXT NOT NULL, address_line_2 TEXT NOT NULL, city TEXT NOT NULL, state TEXT NOT NULL, \
     postal_code TEXT NOT NULL, country TEXT NOT NULL, phone TEXT NOT NULL, fax TEXT NOT NULL, email TEXT NOT NULL, \
     created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE INDEX addresses_customer ON addresses (customer, id)",
    "CREATE TABLE payment_methods (id {blob} PRIMARY KEY, customer {blob} NOT NULL, kind {int} NOT NULL, key_id {int} NOT NULL, \
     sealed {blob} NOT NULL, fingerprint {blob} NOT NULL, first_six {int} NOT NULL, last_four {int} NOT NULL, digits {int} NOT NULL, \
     expiry {int} NOT NULL, routing_number TEXT NOT NULL, masked_account TEXT NOT NULL, account_type TEXT NOT NULL, \
     sec_code TEXT NOT NULL, created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE INDEX payment_methods_customer ON payment_methods (customer, id)",
    "CREATE INDEX payment_methods_key ON payment_methods (key_id, id)",
    "CREATE TABLE card_tokens (hash {blob} PRIMARY KEY, merchant {blob} NOT NULL, sealed {blob} NOT NULL, fingerprint {blob} NOT NULL, \
     first_six {int} NOT NULL, last_four {int} NOT NULL, digits {int} NOT NULL, expiry {int} NOT NULL, expires_at {int} NOT NULL, \
     used_by {blob})",
    "CREATE INDEX card_tokens_expiry ON card_tokens (expires_at)",
];

/// The devices at which merchants' shoppers present cards.
const TERMINALS: &[&str] = &[
    "CREATE TABLE terminals (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, manufacturer TEXT NOT NULL, model TEXT NOT NULL, \
     serial_number TEXT NOT NULL, tpn TEXT NOT NULL, description TEXT NOT NULL, active {int} NOT NULL, auth_key TEXT NOT NULL, \
     register_id TEXT NOT NULL, auto_settle {int} NOT NULL, settle_at_s {int} NOT NULL, created_at {int} NOT NULL, \
     updated_at {int} NOT NULL)",
    "CREATE INDEX terminals_merchant ON terminals (merchant, id)",
];

/// Add-ons and discounts, plans, subscriptions, and each attempt at a bill. An attempt is unique: see the stores' `begin_bill`.
const RECURRING: &[&str] = &[
    "CREATE TABLE adjustments (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, kind {int} NOT NULL, name TEXT NOT NULL, \
     description TEXT NOT NULL, amount {int} NOT NULL, percentage {int} NOT NULL, duration {int} NOT NULL, \
     created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE INDEX adjustments_merchant ON adjustments (merchant, kind, created_at, id)",
    "CREATE TABLE plans (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL, \
     amount {int} NOT NULL, billing_interval {int} NOT NULL, frequency TEXT NOT NULL, days TEXT NOT NULL, duration {int} NOT NULL, \
     add_ons TEXT NOT NULL, discounts TEXT NOT NULL, created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE INDEX plans_merchant ON plans (merchant, created_at, id)",
    "CREATE TABLE subscriptions (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, plan {blob}, customer {blob} NOT NULL, \
     description TEXT NOT NULL, amount {int} NOT NULL, billing_interval {int} NOT NULL, frequency TEXT NOT NULL, days TEXT NOT NULL, \
     duration {int} NOT NULL, add_ons TEXT NOT NULL, discounts TEXT NOT NULL, standing {int} NOT NULL, next_bill_at {int} NOT NULL, \
     next_attempt_at {int} NOT NULL, billed {int} NOT NULL, attempts {int} NOT NULL, last_transaction {blob}, \
     created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE INDEX subscriptions_merchant ON subscriptions (merchant, created_at, id)",
    "CREATE INDEX subscriptions_due ON subscriptions (next_attempt_at, id)",
    "CREATE TABLE subscription_bills (transaction_id {blob} PRIMARY KEY, subscription {blob} NOT NULL, number {int} NOT NULL, \
     attempt {int} NOT NULL, due_at {int} NOT NULL, amount {int} NOT NULL, begun_at {int} NOT NULL, response_code {int} NOT NULL, \
     UNIQUE (subscription, number, attempt))",
];

/// Invoices. Whoever pays one names it by its public id.
const INVOICES: &[&str] = &[
    "CREATE TABLE invoices (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, public_id TEXT NOT NULL UNIQUE, \
     amount_due {int} NOT NULL, date_due {int}, body TEXT NOT NULL, created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE INDEX invoices_merchant ON invoices (merchant, created_at, id)",
];

/// What happened, numbered per merchant, and what could not be told at once. A row is an event with its body, or a run of transactions'
/// events, whose bodies are those versions; `sequence` is the number of a run's last. A delivery whose endpoint is the absent id goes to
/// an address that came with its object.
const EVENTS: &[&str] = &[
    "CREATE TABLE event_mark (one {int} PRIMARY KEY CHECK (one = 1), lsn {int} NOT NULL)",
    "CREATE TABLE events (merchant {blob} NOT NULL, sequence {int} NOT NULL, lsn {int} NOT NULL, run {blob}, kind {int}, \
     subject {blob}, at {int}, id {blob}, body TEXT, PRIMARY KEY (merchant, sequence)){keyed}",
    "CREATE TABLE webhook_deliveries (merchant {blob} NOT NULL, sequence {int} NOT NULL, endpoint {blob} NOT NULL, \
     subject {blob} NOT NULL, url TEXT, form {int}, body TEXT, state {int} NOT NULL, attempts {int} NOT NULL, \
     next_attempt_at {int} NOT NULL, first_attempt_at {int}, last_attempt_at {int}, status {int}, fault TEXT NOT NULL, \
     PRIMARY KEY (merchant, sequence, endpoint))",
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE state = 1",
    "CREATE INDEX webhook_deliveries_lane ON webhook_deliveries (endpoint, subject, sequence) WHERE state = 1",
];

/// What shoppers are asked to pay, each attempt at it, and what became of attempts since it was looked at. Only open payables expire, and
/// only attempts that are not decided are asked for: state 1 and code 0.
const PAYABLES: &[&str] = &[
    "CREATE TABLE payables (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, face {int} NOT NULL, reference TEXT NOT NULL, \
     public_id TEXT NOT NULL UNIQUE, amount {int} NOT NULL, currency {int} NOT NULL, state {int} NOT NULL, page TEXT NOT NULL, \
     body TEXT NOT NULL, expires_at {int}, attempts {int} NOT NULL, transaction_id {blob}, amount_paid {int} NOT NULL, \
     amount_refunded {int} NOT NULL, version {int} NOT NULL, created_at {int} NOT NULL, updated_at {int} NOT NULL, paid_at {int}, \
     UNIQUE (merchant, face, reference))",
    "CREATE INDEX payables_listed ON payables (merchant, face, created_at, id)",
    "CREATE INDEX payables_expiry ON payables (expires_at) WHERE state = 1 AND expires_at IS NOT NULL",
    "CREATE TABLE payable_attempts (transaction_id {blob} PRIMARY KEY, payable {blob} NOT NULL, number {int} NOT NULL, \
     amount {int} NOT NULL, begun_at {int} NOT NULL, response_code {int} NOT NULL, paid {int} NOT NULL, refunded {int} NOT NULL, \
     UNIQUE (payable, number))",
    "CREATE INDEX payable_attempts_open ON payable_attempts (begun_at) WHERE response_code = 0",
    "CREATE TABLE payable_news (lsn {int} PRIMARY KEY, transaction_id {blob} NOT NULL, payable {blob} NOT NULL)",
    "ALTER TABLE invoices ADD COLUMN amount_paid {int} NOT NULL DEFAULT 0",
];

/// The books behind payment links, see the stores' `balances`, and what is made of them: payouts by night, fee invoices by month.
const LEDGER: &[&str] = &[
    "CREATE TABLE ledger (cause {blob} NOT NULL, kind {int} NOT NULL, number {int} NOT NULL, place {int} NOT NULL, \
     merchant {blob} NOT NULL, purpose {int} NOT NULL, amount {int} NOT NULL, currency {int} NOT NULL, at {int} NOT NULL, \
     taken_by {blob}, PRIMARY KEY (cause, kind, number, place)){keyed}",
    "CREATE INDEX ledger_open ON ledger (purpose, merchant, at) WHERE taken_by IS NULL",
    "CREATE INDEX ledger_taken ON ledger (taken_by, purpose, kind) WHERE taken_by IS NOT NULL",
    "CREATE INDEX ledger_merchant ON ledger (merchant, purpose)",
    "CREATE TABLE payouts (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, number {int} NOT NULL, name TEXT NOT NULL UNIQUE, \
     night {int} NOT NULL, amount {int} NOT NULL, fee {int} NOT NULL, currency {int} NOT NULL, created_at {int} NOT NULL, \
     paid_at {int}, UNIQUE (merchant, night), UNIQUE (merchant, number))",
    "CREATE INDEX payouts_in_progress ON payouts (night, id) WHERE paid_at IS NULL",
    "CREATE TABLE fee_invoices (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, number {int} NOT NULL, month {int} NOT NULL, \
     fees {int} NOT NULL, payments {int} NOT NULL, currency {int} NOT NULL, created_at {int} NOT NULL, \
     UNIQUE (merchant, month), UNIQUE (merchant, number))",
    // Numbers of links, which count for each merchant.
    "CREATE TABLE link_numbers (merchant {blob} PRIMARY KEY, last {int} NOT NULL)",
    // What a merchant has asked to be paid back: written before anything is, so that it is done once.
    "CREATE TABLE link_refunds (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, payable {blob} NOT NULL, amount {int} NOT NULL, \
     state {int} NOT NULL, note TEXT NOT NULL, created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE INDEX link_refunds_payable ON link_refunds (payable, id)",
    "CREATE INDEX link_refunds_waiting ON link_refunds (id) WHERE state = 1",
];

/// Payments that are to leave a customer behind, until they have.
const VAULT_WISHES: &[&str] =
    &["CREATE TABLE vault_wishes (transaction_id {blob} PRIMARY KEY, merchant {blob} NOT NULL, made_at {int} NOT NULL)"];

/// A search by order number is answered in the order of time. Where the index does not have that order, SQLite walks the merchant's whole
/// past to be spared a sort of a few rows. With it the search takes 0.3 milliseconds among ten million (`benches/SCALE.md`).
const ORDER_SEARCH: &[&str] = &[
    "DROP INDEX transactions_order",
    "CREATE INDEX transactions_order ON transactions (merchant, order_id, created_at, id) WHERE order_id IS NOT NULL",
];

/// Addresses that a merchant has named to be told of events. `told` is the number up to which an endpoint has been told, but for its
/// deliveries. Secrets are not here: they are derived, and `generation` says which.
const WEBHOOKS: &[&str] = &[
    "CREATE TABLE webhook_endpoints (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, url TEXT NOT NULL, description TEXT NOT NULL, \
     kinds TEXT NOT NULL, active {int} NOT NULL, reason TEXT NOT NULL, told {int} NOT NULL, failing_since {int}, \
     generation {int} NOT NULL, rotated_at {int}, created_at {int} NOT NULL, updated_at {int} NOT NULL)",
    "CREATE INDEX webhook_endpoints_merchant ON webhook_endpoints (merchant, created_at, id)",
];

/// What merchants ask to be sent again, by an event's own id, and what was delivered and is forgotten after a while. And orders by their
/// numbers, with no regard to case. `began` is the number behind which an endpoint was, or is to be, told.
const RESENDING: &[&str] = &[
    "ALTER TABLE webhook_endpoints ADD COLUMN began {int} NOT NULL DEFAULT 0",
    "CREATE INDEX events_id ON events (merchant, id) WHERE id IS NOT NULL",
    "CREATE INDEX webhook_deliveries_done ON webhook_deliveries (last_attempt_at) WHERE state = 2",
    "CREATE INDEX webhook_deliveries_given_up ON webhook_deliveries (endpoint, sequence) WHERE state = 3",
    "CREATE INDEX payables_folded ON payables (merchant, face, LOWER(reference))",
];
/// A bank's correction is for whoever has the account.
const CORRECTIONS: &[&str] = &["CREATE INDEX payment_methods_fingerprint ON payment_methods (fingerprint)"];

/// Transactions without the columns that no question asks for (each is paid for by every payment), and with the customer, by whom merchants
/// search. What a tail says can't be read in SQL, so the projection is emptied, and the next start fills it from the journal. Segments that were
/// archived must be back in its folder for that start, which says so.
const TRANSACTIONS_ANEW: &[&str] = &[
    "DROP TABLE transactions",
    "CREATE TABLE transactions (id {blob} PRIMARY KEY, merchant {blob} NOT NULL, parent {blob}, verb {int} NOT NULL, \
     status {int} NOT NULL, version {int} NOT NULL, lsn {int} NOT NULL, kind {int} NOT NULL, amount {int} NOT NULL, \
     amount_authorized {int} NOT NULL, amount_captured {int} NOT NULL, amount_settled {int} NOT NULL, processor {int} NOT NULL, \
     batch {blob}, batch_share {int}, is_open {int} NOT NULL, created_at {int} NOT NULL, captured_at {int}, settled_at {int}, \
     order_id TEXT, customer_id TEXT, last_four {int} NOT NULL, rrn TEXT, body {blob} NOT NULL){keyed}",
    "CREATE INDEX transactions_created ON transactions (created_at, id)",
    "CREATE INDEX transactions_open ON transactions (id) WHERE is_open = 1",
    "CREATE INDEX transactions_batch ON transactions (batch, id, verb, batch_share) WHERE batch IS NOT NULL",
    "CREATE INDEX transactions_parent ON transactions (parent) WHERE parent IS NOT NULL",
    // What is most asked of a range of time stands behind the time: rows that do not match are passed over without being read.
    "CREATE INDEX transactions_merchant ON transactions (merchant, created_at, id, status, verb, amount, processor)",
    "CREATE INDEX transactions_order ON transactions (merchant, order_id, created_at, id) WHERE order_id IS NOT NULL",
    "CREATE INDEX transactions_customer ON transactions (merchant, customer_id, created_at, id) WHERE customer_id IS NOT NULL",
    "DELETE FROM versions",
    "DELETE FROM idempotency",
    "DELETE FROM batches",
    "DELETE FROM changes",
    "DELETE FROM projection",
];

/// Brings the tables up to date, in one transaction: a crash in between leaves them as they were.
pub(super) async fn migrate(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), PersistenceError> {
    const OPERATION: &str = "bring the tables up to date";
    let mut transaction = connection.begin_with(dialect.begin_write()).await.map_err(PersistenceError::sql(OPERATION))?;
    if dialect == Dialect::Postgres {
        transaction.execute(POSTGRES_LOCK).await.map_err(PersistenceError::sql(OPERATION))?;
    }
    let found = version(&mut transaction, dialect).await.map_err(PersistenceError::sql(OPERATION))?;
    let known = STEPS.len() as i64;
    if found > known {
        return Err(PersistenceError::SchemaFromFuture { found, known });
    }
    for step in STEPS.iter().skip(found as usize) {
        for statement in *step {
            let statement = sqlx::AssertSqlSafe(in_words_of(dialect, statement));
            transaction.execute(statement).await.map_err(PersistenceError::sql(OPERATION))?;
        }
    }
    if found < known {
        let update = sqlx::query("UPDATE schema_version SET version = $1").bind(known);
        update.execute(&mut *transaction).await.map_err(PersistenceError::sql(OPERATION))?;
    }
    transaction.commit().await.map_err(PersistenceError::sql(OPERATION))
}

async fn version(connection: &mut AnyConnection, dialect: Dialect) -> Result<i64, sqlx::Error> {
    let table = in_words_of(dialect, "CREATE TABLE IF NOT EXISTS schema_version (version {int} NOT NULL)");
    connection.execute(sqlx::AssertSqlSafe(table)).await?;
    match connection.fetch_optional("SELECT version FROM schema_version").await? {
        Some(row) => row.try_get(0),
        None => {
            connection.execute("INSERT INTO schema_version (version) VALUES (0)").await?;
            Ok(0)
        }
    }
}

fn in_words_of(dialect: Dialect, statement: &str) -> String {
    let (int, blob, keyed) = match dialect {
        Dialect::Sqlite => ("INTEGER", "BLOB", " WITHOUT ROWID"),
        Dialect::Postgres => ("BIGINT", "BYTEA", ""),
    };
    statement.replace("{int}", int).replace("{blob}", blob).replace("{keyed}", keyed)
}

/// The statements that [`DIGEST`] runs, for a test that puts the table back to before them.
#[cfg(test)]
pub(crate) fn digest_step(dialect: Dialect) -> Vec<String> {
    DIGEST.iter().map(|statement| in_words_of(dialect, statement)).collect()
}
