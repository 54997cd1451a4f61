//! Restarts on a long past: the time from `kill -9` to `ready`, in parts, and what a transaction costs that has gone cold.
//!
//! A switch on a made history (see [`crate::history`]) is put under load, its host leaves thousands of payments without an answer,
//! and it is killed; then the next start is timed. The clock runs from the start of the process to the line `ready`: keys, SQL
//! home, journal, what the SQL home has not taken in, what is open, links up to their sign-on. The host is not killed.

mod client;

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use loadgen::plan::{Load, Plan as LoadPlan};
use loadgen::target::Target;
use persistence::sql::DatabaseUrl;
use protocol::id::Xid;

use crate::history::{self, Made, Plan};
use crate::server::{Server, switchyard};
use client::{Client, refund_path, sale};

const MERCHANTS: usize = 8;
/// The switch's default.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// The sandbox's host approves this amount, and its answer is lost.
const AMOUNT_WITHOUT_ANSWER: u64 = 900_202;
const AMOUNTS: (u64, u64) = (10_000, 99_999);
const LOAD_CONNECTIONS: usize = 64;
/// So long it may take until the switch has them all.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections kept open while payments without an answer are sent: fewer than a switch serves.
const SENDERS: usize = 512;
/// Time-out of the host, milliseconds: nothing times out before the kill.
const TIMEOUT_MS: u32 = 60_000;
/// The gate stays open for all payments that are left without an answer.
const IN_FLIGHT_MAX: u32 = 16_384;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Transactions of the past.
    pub transactions: u32,
    /// Transactions under way at each kill.
    pub open: u32,
    /// Days of the past; the last one's idempotency keys hold.
    pub days: u32,
    /// Records that the SQL home has not taken in at the first start.
    pub behind: u64,
    /// Kills.
    pub rounds: usize,
    /// Load before each kill.
    pub load: Duration,
    /// The SQL home; none for SQLite in the data folder.
    pub database: Option<String>,
    /// Refunds of cold transactions, each followed by a warm one.
    pub refunds: usize,
}

/// One start.
#[derive(Debug, Clone)]
pub struct Start {
    /// From the process's start to `ready`.
    pub ready: Duration,
    /// Its parts, as the switch says them.
    pub parts: String,
    /// Transactions that it found under way.
    pub open: u32,
    /// From the process's start to the first answered payment.
    pub first_payment: Duration,
    /// Memory of the process then, KiB.
    pub resident_kib: u64,
}

/// What was measured.
#[derive(Debug)]
pub struct Figures {
    /// The past.
    pub made: Made,
    /// Bytes of journal and SQLite file, and how long one takes to read them all in sequence.
    pub lasting: (u64, Duration),
    /// A start on an empty folder.
    pub empty: Start,
    /// The start that finds the SQL home behind.
    pub lagging: Start,
    /// The starts after the kills.
    pub killed: Vec<Start>,
    /// Refunds of transactions that have left memory, ascending.
    pub cold: Vec<Duration>,
    /// Refunds of the same transactions while they are in memory, ascending.
    pub warm: Vec<Duration>,
}

/// A switch's folder, its configuration, and its host.
struct Stage {
    folder: PathBuf,
    data: &'static str,
    database: Option<String>,
    host: Server,
    run: u32,
}

/// Makes the past, kills and restarts.
///
/// # Errors
/// When the switch does not do what it should, or the disk is full.
pub fn measure(folder: &Path, scene: &Scene) -> anyhow::Result<Figures> {
    let mut stage = Stage::set(folder, scene.database.clone())?;
    let (switch, empty) = stage.elsewhere("empty").timed_start()?;
    switch.kill()?;
    stage.elsewhere("switch").start()?.kill()?;
    let made = stage.make(scene)?;
    let lasting = read_all(&stage.data())?;
    let (mut switch, lagging) = stage.timed_start()?;
    let mut killed = Vec::new();
    for _ in 0..scene.rounds {
        stage.load(&switch, scene.load)?;
        stage.leave_open(&switch, scene.open)?;
        switch.kill()?;
        let (again, start) = stage.timed_start()?;
        anyhow::ensure!(start.open >= scene.open, "only {} were open at the kill, not {}", start.open, scene.open);
        switch = again;
        killed.push(start);
    }
    let (cold, warm) = stage.refund(&switch, &made.settled[..scene.refunds.min(made.settled.len())])?;
    switch.kill()?;
    Ok(Figures { made, lasting, empty, lagging, killed, cold, warm })
}

/// Loses the SQL home of a folder on which [`measure`] has run, and times the start that fills it again.
///
/// # Errors
/// When the switch does not start, or the SQL home is not a file.
pub fn rebuild(folder: &Path) -> anyhow::Result<Start> {
    let mut stage = Stage::set(folder, None)?;
    for name in ["switchyard.db", "switchyard.db-wal", "switchyard.db-shm"] {
        let path = stage.data().join(name);
        if path.exists() {
            std::fs::remove_file(path)?;
        }
    }
    Ok(stage.timed_start()?.1)
}

impl Stage {
    fn set(folder: &Path, database: Option<String>) -> anyhow::Result<Stage> {
        let host = Server::start(Command::new(switchyard()?).arg("sandbox").arg("--data").arg(folder.join("host")), None)?;
        let stage = Stage { folder: folder.to_owned(), data: "switch", database, host, run: std::process::id() };
        std::fs::write(stage.config(), config(stage.host.address("card")?))?;
        Ok(stage)
    }

    fn elsewhere(&mut self, data: &'static str) -> &mut Stage {
        self.data = data;
        self
    }

    fn data(&self) -> PathBuf {
        self.folder.join(self.data)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("recovery.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("switch.log")
    }

    fn start(&self) -> anyhow::Result<Server> {
        let any = "127.0.0.1:0";
        let mut command = Command::new(switchyard()?);
        command.args(["--no-sandbox", "--http", any, "--binary", any, "--config"]).arg(self.config());
        command.arg("--data").arg(self.data()).env("SWITCHYARD_LOG", "info");
        // The empty folder has a SQL home of its own: one holds the rows of one journal.
        if let Some(database) = self.database.as_ref().filter(|_| self.data == "switch") {
            command.args(["--database", database]);
        }
        Server::start(&mut command, Some(&self.log()))
    }

    fn timed_start(&mut self) -> anyhow::Result<(Server, Start)> {
        let began = Instant::now();
        let switch = self.start()?;
        self.run += 1;
        let (status, body) = self.client(&switch, 0)?.post("/api/transaction", &sale(1_234, &format!("first-{}", self.run)))?;
        let first_payment = began.elapsed();
        anyhow::ensure!(status == 200, "the first payment after a restart: {status} {body}");
        let log = std::fs::read_to_string(self.log())?;
        let parts = log.lines().find_map(|line| line.split_once("start took ")).context("the parts in the switch's log")?.1;
        let open = log.split_once(" recovered ").and_then(|(_, line)| line.split_once("open=")?.1.split_whitespace().next());
        let open = open.context("what was open in the switch's log")?.parse()?;
        let (ready, resident_kib) = (switch.ready_after(), switch.resident_kib()?);
        let start = Start { ready, parts: parts.to_owned(), open, first_payment, resident_kib };
        Ok((switch, start))
    }

    fn make(&self, scene: &Scene) -> anyhow::Result<Made> {
        let Scene { transactions, open, days, behind, .. } = *scene;
        let (duplicate_window_s, spared, segment_bytes) = (3_600, None, SEGMENT_BYTES);
        let plan = Plan { transactions, open, days, duplicate_window_s, spared, segment_bytes, behind };
        history::write(&self.data(), &self.url()?, &plan)
    }

    fn url(&self) -> anyhow::Result<DatabaseUrl> {
        Ok(match &self.database {
            Some(text) => DatabaseUrl::parse(text)?,
            None => DatabaseUrl::sqlite_in(&self.data().canonicalize()?),
        })
    }

    fn client(&self, switch: &Server, merchant: usize) -> anyhow::Result<Client> {
        Client::connect(switch.address("http")?, &api_key(merchant))
    }

    fn load(&mut self, switch: &Server, time: Duration) -> anyhow::Result<()> {
        self.run += 1;
        let run_id = format!("recovery-{}", self.run);
        let target = Target::sale(switch.address("http")?, &api_key(1), &run_id, u64::from(self.run), AMOUNTS)?;
        let plan = LoadPlan {
            connections: LOAD_CONNECTIONS,
            warmup: Duration::ZERO,
            duration: time,
            ..LoadPlan::new(target, Load::Closed)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(loadgen::rest::run(plan))?;
        Ok(())
    }

    /// Sends payments that the host never answers, and leaves them in flight: their clients have gone.
    fn leave_open(&mut self, switch: &Server, open: u32) -> anyhow::Result<()> {
        let mut senders = VecDeque::new();
        let (mut watcher, mut sent, began) = (self.client(switch, 2)?, 0, Instant::now());
        loop {
            // A client that leaves may take its request with it before it was read: the switch says how many it has.
            let missing = u64::from(open).saturating_sub(watcher.in_flight()?);
            if missing == 0 {
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < PATIENCE, "{missing} of {open} payments without an answer are not in flight");
            for number in sent..sent + missing {
                let mut client = self.client(switch, 2)?;
                let key = format!("open-{}-{number}", self.run);
                client.send("/api/transaction", &sale(AMOUNT_WITHOUT_ANSWER, &key))?;
                senders.push_back(client);
                if senders.len() > SENDERS {
                    senders.pop_front();
                }
            }
            sent += missing;
            // One that came behind them all and is answered: the switch has taken the others.
            let key = format!("behind-{}-{sent}", self.run);
            let (status, body) = self.client(switch, 2)?.post("/api/transaction", &sale(1_234, &key))?;
            anyhow::ensure!(status == 200, "the payment behind those without an answer: {status} {body}");
        }
    }

    /// Refunds each transaction twice: it is read back for the first, and in memory for the second.
    fn refund(&self, switch: &Server, settled: &[(Xid, Xid)]) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        let mut clients = Vec::new();
        for merchant in 0..MERCHANTS {
            clients.push((history::merchant_named(&self.url()?, &name(merchant))?, merchant));
        }
        for (merchant, id) in settled {
            let (_, number) = clients.iter().find(|(known, _)| known == merchant).context("one of the merchants")?;
            let mut client = self.client(switch, *number)?;
            for times in [&mut cold, &mut warm] {
                let began = Instant::now();
                let (status, body) = client.post(&refund_path(*id), "{\"amount\":1}")?;
                times.push(began.elapsed());
                anyhow::ensure!(status == 200, "the refund of {id}: {status} {body}");
            }
        }
        cold.sort_unstable();
        warm.sort_unstable();
        Ok((cold, warm))
    }
}

fn name(merchant: usize) -> String {
    format!("shop {merchant}")
}

fn api_key(merchant: usize) -> String {
    format!("recovery_key_of_shop_{merchant}")
}

fn config(card: SocketAddr) -> String {
    let mut text = format!(
        "[[processor]]\nname = \"card\"\ntype = \"tsys_sierra\"\naddr = \"{card}\"\ntimeout_ms = {TIMEOUT_MS}\n\
         [journal]\nsegment_bytes = {SEGMENT_BYTES}\n[limits]\nin_flight_max = {IN_FLIGHT_MAX}\n"
    );
    for merchant in 0..MERCHANTS {
        let (name, key) = (name(merchant), api_key(merchant));
        // The window is off: the load's cards and amounts repeat.
        text += &format!("[[merchant]]\nname = \"{name}\"\napi_key = \"{key}\"\nduplicate_window_s = 0\nsandbox = true\n");
    }
    text
}

/// Reads everything that a restart could read, once, in sequence.
fn read_all(data: &Path) -> anyhow::Result<(u64, Duration)> {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in [data.to_owned(), data.join("journal")] {
        for entry in std::fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    let (began, mut bytes, mut buffer) = (Instant::now(), 0, vec![0; 1 << 20]);
    for path in files.iter().filter(|path| path.is_file()) {
        let mut file = File::open(path)?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => bytes += count as u64,
            }
        }
    }
    Ok((bytes, began.elapsed()))
}
