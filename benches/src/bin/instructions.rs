//! Instructions of one sale, counted by valgrind's callgrind, thread by thread.
//!
//! What the kernel does is not in it, and neither is waiting. The switch is started whole, as its users have it, and counted while
//! sales come over a few connections; the host that answers it is another process. The count of the thread of payments depends on no
//! machine's speed. Those of the journal, the projection and SQLite do: what they do once a group or a commit is shared by the sales
//! of the same moment, which are few under valgrind, and fewer the slower the machine is.
#![allow(clippy::float_arithmetic, reason = "instructions per payment for people; no money here")]
#![allow(clippy::print_stdout, reason = "the table is the program's result")]

use anyhow::Context;
use benches::server::Server;
use benches::stage::{API_KEY, Stage};
use loadgen::binary::Shape;
use loadgen::plan::{Load, Plan};
use loadgen::report::Report;
use loadgen::target::{AMOUNTS_DEFAULT, Target};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const CONNECTIONS: usize = 16;
const WARM_UP: Duration = Duration::from_secs(2);
const COUNTED: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    if !is_there("valgrind") {
        println!("valgrind is not installed: no instructions were counted");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("switch.counts");
    let file = format!("--callgrind-out-file={}", counts.display());
    let runner = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", &file].map(OsStr::new);
    let stage = Stage::set_under(&runner)?;
    let switch = &stage.switch;
    println!("instructions of the whole switch, user mode, each sale, and of it by threads:");
    let (http, binary) = (switch.address("http")?, switch.address("binary")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let over_rest = |run_id: &str, time| Ok(runtime.block_on(loadgen::rest::run(plan(http, run_id, time)?))?);
    println!("{}", sales(switch, &counts, 1, over_rest)?.shown("over REST"));
    let over_binary = |run_id: &str, time| Ok(loadgen::binary::run(&plan(binary, run_id, time)?, &Shape::default())?);
    println!("{}", sales(switch, &counts, 2, over_binary)?.shown("over the binary protocol"));
    Ok(())
}

fn is_there(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// A closed loop of sales whose idempotency keys begin with `run_id`.
fn plan(address: SocketAddr, run_id: &str, duration: Duration) -> anyhow::Result<Plan> {
    let closed = Plan::new(Target::sale(address, API_KEY, run_id, 1, AMOUNTS_DEFAULT)?, Load::Closed);
    Ok(Plan { connections: CONNECTIONS, warmup: Duration::ZERO, duration, ..closed })
}

/// Instructions for each sale, by the name of the thread.
struct BySale(BTreeMap<String, f64>);

impl BySale {
    /// One line: the sum, and threads from the most to the least. What takes less than a hundredth is in the sum only.
    fn shown(&self, how: &str) -> String {
        let sum: f64 = self.0.values().sum();
        let mut threads: Vec<_> = self.0.iter().filter(|(_, count)| **count >= sum / 100.0).collect();
        threads.sort_by(|one, other| other.1.total_cmp(one.1));
        let threads: Vec<_> = threads.iter().map(|(name, count)| format!("{name} {count:.0}")).collect();
        format!("{sum:>9.0}  {how}: {}", threads.join(", "))
    }
}

/// Counts a load after a warm-up; what was counted is written out as the process's `nth` files.
fn sales(
    switch: &Server,
    counts: &Path,
    nth: u32,
    load: impl Fn(&str, Duration) -> anyhow::Result<Report>,
) -> anyhow::Result<BySale> {
    load(&format!("warm-up-{nth}"), WARM_UP)?;
    let threads = threads(switch)?;
    control(switch, "--instr=on")?;
    let report = load(&format!("counted-{nth}"), COUNTED)?;
    control(switch, "--instr=off")?;
    control(switch, "--dump")?;
    let answered = report.answered_per_s * COUNTED.as_secs_f64();
    anyhow::ensure!(answered > 0.0, "nothing was answered: {}", report.table());
    let files: Vec<_> = (1..).map(|number| file_of(counts, nth, number)).take_while(|file| file.exists()).collect();
    anyhow::ensure!(files.len() == threads.len(), "{} threads were counted, and {} are there", files.len(), threads.len());
    let mut by_sale = BTreeMap::new();
    for (file, name) in files.iter().zip(threads) {
        *by_sale.entry(name).or_insert(0.0) += total(file)? as f64 / answered;
    }
    Ok(BySale(by_sale))
}

/// Where valgrind writes what a thread did until the process's `nth` dump.
fn file_of(counts: &Path, nth: u32, thread: u32) -> PathBuf {
    PathBuf::from(format!("{}.{nth}-{thread:02}", counts.display()))
}

/// Names of the process's threads in the order in which they were started: as valgrind numbers them, since the switch's threads stay.
fn threads(switch: &Server) -> anyhow::Result<Vec<String>> {
    let tasks = Path::new("/proc").join(switch.id().to_string()).join("task");
    let ids = std::fs::read_dir(&tasks)?.map(|task| Ok(task?.file_name().to_string_lossy().parse::<u32>()?));
    let mut ids = ids.collect::<anyhow::Result<Vec<_>>>()?;
    ids.sort_unstable();
    ids.iter().map(|id| Ok(std::fs::read_to_string(tasks.join(id.to_string()).join("comm"))?.trim().to_owned())).collect()
}

fn control(switch: &Server, what: &str) -> anyhow::Result<()> {
    let mut command = Command::new("callgrind_control");
    let ended = command.arg(what).arg(switch.id().to_string()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    anyhow::ensure!(ended.success(), "{command:?}: {ended}");
    Ok(())
}

/// What a file of callgrind's says was counted.
fn total(counts: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(counts).with_context(|| counts.display().to_string())?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals:"));
    Ok(total.with_context(|| format!("{}: no totals", counts.display()))?.trim().parse()?)
}
