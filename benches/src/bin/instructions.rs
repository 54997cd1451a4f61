//! Instructions of one sale, counted by valgrind's callgrind: a number that does not depend on how busy or how fast the machine is.
//!
//! What the kernel does is not in it, and neither is waiting. The switch is started whole, as its users have it, and counted while
//! sales come over a few connections; the host that answers it is another process.
#![allow(clippy::float_arithmetic, reason = "instructions per payment for people; no money here")]
#![allow(clippy::print_stdout, reason = "the table is the program's result")]

use anyhow::Context;
use benches::server::Server;
use benches::stage::{API_KEY, Stage};
use loadgen::binary::Shape;
use loadgen::plan::{Load, Plan};
use loadgen::report::Report;
use loadgen::target::{AMOUNTS_DEFAULT, Target};
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
    let runner = ["valgrind", "--tool=callgrind", "--instr-atstart=no", &file].map(OsStr::new);
    let stage = Stage::set_under(&runner)?;
    let switch = &stage.switch;
    println!("instructions of the whole switch, user mode, each sale:");
    let (http, binary) = (switch.address("http")?, switch.address("binary")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let over_rest = |run_id: &str, time| Ok(runtime.block_on(loadgen::rest::run(plan(http, run_id, time)?))?);
    println!("{:>9.0}  over REST", sales(switch, &counts, 1, over_rest)?);
    let over_binary = |run_id: &str, time| Ok(loadgen::binary::run(&plan(binary, run_id, time)?, &Shape::default())?);
    println!("{:>9.0}  over the binary protocol", sales(switch, &counts, 2, over_binary)?);
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

/// Instructions for each sale of a load after a warm-up: counted in between, and written out as the process's `nth` file.
fn sales(
    switch: &Server,
    counts: &Path,
    nth: u32,
    load: impl Fn(&str, Duration) -> anyhow::Result<Report>,
) -> anyhow::Result<f64> {
    load(&format!("warm-up-{nth}"), WARM_UP)?;
    control(switch, "--instr=on")?;
    let report = load(&format!("counted-{nth}"), COUNTED)?;
    control(switch, "--instr=off")?;
    control(switch, "--dump")?;
    let answered = report.answered_per_s * COUNTED.as_secs_f64();
    anyhow::ensure!(answered > 0.0, "nothing was answered: {}", report.table());
    Ok(total(&PathBuf::from(format!("{}.{nth}", counts.display())))? as f64 / answered)
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
