//! A durable sale, through ISO 8583 over TCP to a host, against what one would write first: a row per payment in a SQL database,
//! inserted before the processor is asked and updated with its answer, each a commit with default durability.
//!
//! In the baseline's favour: no HTTP or other front, no card sealed, no idempotency key, and no processor between the two statements.

use crate::Effort;
use crate::table::{Row, median};
use anyhow::Context;
use benches::postgres::Postgres;
use benches::stage::{API_KEY, Stage};
use loadgen::binary::Shape;
use loadgen::plan::{Load, Plan};
use loadgen::target::{AMOUNTS_DEFAULT, Target};
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{AnyPool, query};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: u32 = 64;
const TABLE: &str = "CREATE TABLE payment (id BIGINT PRIMARY KEY, merchant TEXT NOT NULL, idempotency_key TEXT NOT NULL UNIQUE, \
                     amount BIGINT NOT NULL, currency TEXT NOT NULL, card TEXT NOT NULL, status TEXT NOT NULL, response_code INT, \
                     auth_code TEXT, created_at BIGINT NOT NULL, updated_at BIGINT)";
const INSERT: &str = "INSERT INTO payment (id, merchant, idempotency_key, amount, currency, card, status, created_at) \
                      VALUES ($1, 'shop', $2, $3, 'USD', $4, 'pending', $5)";
const UPDATE: &str =
    "UPDATE payment SET status = 'approved', response_code = 100, auth_code = 'TAS731', updated_at = $1 WHERE id = $2";

/// A database with the table.
struct Database {
    pool: AnyPool,
    next: Arc<AtomicI64>,
    clients: u32,
}

impl Database {
    /// `clients` connections, each with a client that waits for its commits.
    async fn open(url: &str, clients: u32, settings: &[&'static str]) -> anyhow::Result<Database> {
        let pool = AnyPoolOptions::new().max_connections(clients).connect(url).await?;
        for statement in settings.iter().chain([&TABLE]) {
            query(*statement).execute(&pool).await?;
        }
        Ok(Database { pool, next: Arc::default(), clients })
    }

    /// Payments a second.
    async fn run(&self, time: Duration) -> anyhow::Result<f64> {
        let (begun, mut clients) = (Instant::now(), tokio::task::JoinSet::new());
        for _ in 0..self.clients {
            let (pool, next) = (self.pool.clone(), Arc::clone(&self.next));
            clients.spawn(async move {
                let mut done = 0_u64;
                while begun.elapsed() < time {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    let (key, amount, card) = (format!("row-{id:012}"), 10_000 + id % 90_000, "************1111".repeat(6));
                    query(INSERT).bind(id).bind(key).bind(amount).bind(card).bind(id).execute(&pool).await?;
                    query(UPDATE).bind(id).bind(id).execute(&pool).await?;
                    done += 1;
                }
                Ok::<u64, sqlx::Error>(done)
            });
        }
        let mut done = 0;
        while let Some(client) = clients.join_next().await {
            done += client.context("a client of the database")??;
        }
        Ok(done as f64 / begun.elapsed().as_secs_f64())
    }
}

/// Each database that is there, with its row.
pub fn sale_beside_rows(effort: Effort) -> anyhow::Result<Vec<Row>> {
    install_default_drivers();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stage = Stage::set()?;
    let folder = tempfile::tempdir_in(".")?;
    let file = format!("sqlite://{}?mode=rwc", folder.path().join("payments.db").display());
    // One writer at a time is all that SQLite has; 64 that wait for it would only measure the waiting.
    let settings = ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"];
    let sqlite = runtime.block_on(Database::open(&file, 1, &settings))?;
    let mut rows = vec![against(effort, &stage, &runtime, &sqlite, "SQLite, WAL, synchronous = FULL")?];
    if let Some(server) = Postgres::start()? {
        let postgres = runtime.block_on(Database::open(&server.url(), CLIENTS, &[]))?;
        rows.push(against(effort, &stage, &runtime, &postgres, "PostgreSQL, 64 clients, default durability")?);
        runtime.block_on(postgres.pool.close());
    }
    runtime.block_on(sqlite.pool.close());
    Ok(rows)
}

fn against(
    effort: Effort,
    stage: &Stage,
    runtime: &tokio::runtime::Runtime,
    database: &Database,
    words: &str,
) -> anyhow::Result<Row> {
    let (mut ours, mut theirs) = (vec![], vec![]);
    for round in 0..effort.rounds {
        let run_id = format!("rows-{}-{round}-{}", database.clients, std::process::id());
        theirs.push(runtime.block_on(database.run(effort.under_load))?);
        let target = Target::sale(stage.switch.address("binary")?, API_KEY, &run_id, 1, AMOUNTS_DEFAULT)?;
        let (connections, duration) = (CLIENTS as usize, effort.under_load);
        let plan = Plan { connections, warmup: Duration::ZERO, duration, ..Plan::new(target, Load::Closed) };
        ours.push(loadgen::binary::run(&plan, &Shape::default())?.answered_per_s);
    }
    Ok(Row {
        what: format!(
            "durable sale, 64 clients with one each, binary front to a host: throughput against a row per payment in {words}"
        ),
        ours: format!("{:.1} k/s", median(&ours) / 1e3),
        baseline: format!("{:.1} k/s", median(&theirs) / 1e3),
        ratios: ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect(),
        must: "",
    })
}
