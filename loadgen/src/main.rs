//! The `loadgen` command: arguments in, one plan run, a table and files out.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use loadgen::binary::{Mix, Shape};
use loadgen::overload::{Aim, Overload};
use loadgen::target::{AMOUNTS_DEFAULT, SandboxFile, Target, loopback};
use loadgen::{Arrivals, Load, Plan, Report, Show, Verdict};

/// Exit code for a run whose times are not to be believed.
const EXIT_SATURATED: u8 = 3;

/// Load for Switchyard with honest latency histograms.
///
/// Exit codes: 0 measured; 1 the run failed or nothing was answered; 2 bad arguments; 3 the generator could not keep its own
/// schedule, and no latencies were printed.
#[derive(Parser)]
#[command(name = "loadgen")]
struct Cli {
    #[command(subcommand)]
    load: LoadKind,
}

#[derive(Subcommand)]
enum LoadKind {
    /// Card sales over REST, POST /api/transaction.
    ///
    /// Send times are fixed before the run (open loop) and latency counts from them, so a stall of the target shows at
    /// its true size. Each request has its own idempotency key, RUN-ID-SEQUENCE; cards and amounts are drawn from the seed. The generator runs on
    /// one thread and reports its CPU per request, because it shares the machine with what it measures.
    Rest(Rest),
    /// Payments over the binary protocol: many in flight on each connection, many in a frame.
    ///
    /// The same schedule, keys and report as over REST. One thread, which waits in the kernel.
    Binary(Binary),
    /// Finds the capacity for such sales by a ladder of rates, then offers a multiple of it and shows what is still answered.
    ///
    /// The switch should run in a process of its own (give --pid). Exit code 1 when less than --goodput-min of the capacity is answered.
    Overload(Over),
}

#[derive(Args)]
struct Over {
    #[command(flatten)]
    place: Place,
    /// First rung of the ladder, requests per second; each asks for a fifth more.
    #[arg(long, default_value_t = 500)]
    from_rate: u32,
    /// Length of a rung.
    #[arg(long, default_value = "1s", value_parser = span)]
    rung: Duration,
    /// What is offered in the end, in hundredths of the capacity.
    #[arg(long, default_value_t = 300)]
    factor_percent: u32,
    /// For so long.
    #[arg(long, default_value = "20s", value_parser = span)]
    duration: Duration,
    /// Keep-alive connections, each with one request in flight.
    #[arg(long, default_value_t = 1_024)]
    connections: usize,
    /// Process id of the switch: shows its CPU and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// How late the generator itself may be at p99.
    #[arg(long, default_value = "20ms", value_parser = span)]
    send_lag_max: Duration,
    /// Goodput over capacity, of the capacity, percent, below which the exit code is 1.
    #[arg(long, default_value_t = 90)]
    goodput_min: u32,
    /// Seed of arrivals, cards and amounts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes what was found as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct Place {
    /// The switch's DATA/sandbox.json: gives address and API key.
    #[arg(long, default_value = "data/sandbox.json", conflicts_with_all = ["url", "api_key"])]
    sandbox: PathBuf,
    /// Target instead of --sandbox; loopback only.
    #[arg(long, requires = "api_key")]
    url: Option<String>,
    /// API key for --url.
    #[arg(long, requires = "url")]
    api_key: Option<String>,
}

#[derive(Args)]
struct Rest {
    /// Requests due per second, whether or not the target keeps up (1 to 500000).
    #[arg(long, default_value_t = 1_000, conflicts_with = "closed")]
    rate: u32,
    /// Measured window after the warm-up, like 10s, 500ms or 2m (at most 10m).
    #[arg(long, default_value = "10s", value_parser = span)]
    duration: Duration,
    /// Load before the measured window; sent and kept in --answers, in no figure.
    #[arg(long, default_value = "1s", value_parser = span)]
    warmup: Duration,
    /// Keep-alive connections, each with one request in flight; a due request waits for a free one, and that wait is part of its latency.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Spread of the send times: grid is even, poisson is bursty as independent callers are.
    #[arg(long, value_enum, default_value_t = Spread::Grid, conflicts_with = "closed")]
    arrivals: Spread,
    /// Closed loop instead of a rate: each connection sends again when answered. For the highest throughput; says nothing about latency under load.
    #[arg(long)]
    closed: bool,
    /// One request, from its first byte sent to its last byte read; its connection is then opened anew.
    #[arg(long, default_value = "5s", value_parser = span)]
    timeout: Duration,
    /// Due requests that may wait for a connection; past it they are counted as unsent.
    #[arg(long, default_value_t = 100_000)]
    backlog: usize,
    /// How late the generator itself may be at p99 while connections are free; above it the run is refused as saturated.
    #[arg(long, default_value = "5ms", value_parser = span)]
    send_lag_max: Duration,
    /// Lowest-highest sale amount in minor units, same number of digits. The sandbox answers some low amounts with declines.
    #[arg(long, default_value_t = format!("{}-{}", AMOUNTS_DEFAULT.0, AMOUNTS_DEFAULT.1))]
    amounts: String,
    /// Seed of Poisson gaps, cards and amounts: same seed, same load.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prefix of this run's idempotency keys (at most 40 visible ASCII). Default: one from the clock; repeat one to replay its keys.
    #[arg(long)]
    run_id: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Writes the result and the load's shape as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Writes the whole latency distribution for HdrHistogram plotters, in ms.
    #[arg(long)]
    hgrm: Option<PathBuf>,
    /// Appends a JSON line for each answer as it arrives (key, id, status, response code, amount, HTTP status): what a client was told, for crash tests.
    #[arg(long)]
    answers: Option<PathBuf>,
}

#[derive(Args)]
struct Binary {
    /// Requests due per second, whether or not the target keeps up (1 to 500000).
    #[arg(long, default_value_t = 1_000, conflicts_with = "closed")]
    rate: u32,
    /// Measured window after the warm-up, like 10s, 500ms or 2m (at most 10m).
    #[arg(long, default_value = "10s", value_parser = span)]
    duration: Duration,
    /// Load before the measured window; sent, in no figure.
    #[arg(long, default_value = "1s", value_parser = span)]
    warmup: Duration,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Requests in flight on each connection at most.
    #[arg(long, default_value_t = 1)]
    in_flight: u32,
    /// Requests of one frame; a request that is due waits half a millisecond at most for its frame to fill.
    #[arg(long, default_value_t = 1)]
    batch: u16,
    /// Shares of the requests in hundredths, like authorize=20,retry=5: authorize, verification, declined, retry. The rest are sales.
    #[arg(long, default_value = "", value_parser = mix)]
    mix: Mix,
    /// Spread of the send times: grid is even, poisson is bursty as independent callers are.
    #[arg(long, value_enum, default_value_t = Spread::Grid, conflicts_with = "closed")]
    arrivals: Spread,
    /// Closed loop instead of a rate: each connection keeps as many in flight as it may. For the highest throughput.
    #[arg(long)]
    closed: bool,
    /// How long answers are waited for when the window is over.
    #[arg(long, default_value = "5s", value_parser = span)]
    timeout: Duration,
    /// How late the generator itself may be at p99 while connections have room; above it the run is refused as saturated.
    #[arg(long, default_value = "5ms", value_parser = span)]
    send_lag_max: Duration,
    /// Seed of Poisson gaps, cards and amounts: same seed, same load.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prefix of this run's idempotency keys (at most 40 visible ASCII). Default: one from the clock; repeat one to replay its keys.
    #[arg(long)]
    run_id: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Writes the result and the load's shape as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Writes the whole latency distribution for HdrHistogram plotters, in ms.
    #[arg(long)]
    hgrm: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Spread {
    Grid,
    Poisson,
}

fn main() -> ExitCode {
    let done = match Cli::parse().load {
        LoadKind::Rest(rest) => measure(&rest).map(|report| exit_code(&report)),
        LoadKind::Binary(binary) => measure_binary(&binary).map(|report| exit_code(&report)),
        LoadKind::Overload(over) => overload(&over),
    };
    done.unwrap_or_else(|error| {
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(std::io::stderr(), "loadgen: {error:#}");
        ExitCode::FAILURE
    })
}

fn overload(over: &Over) -> Result<ExitCode> {
    let (address, api_key) = over.place.found()?;
    let aim = Aim { address, api_key, run_id: fresh_run_id(), seed: over.seed, amounts: AMOUNTS_DEFAULT };
    let asked = Overload {
        aim,
        process: over.pid,
        rate_per_s_first: over.from_rate,
        rung: over.rung,
        factor_percent: over.factor_percent,
        duration: over.duration,
        connections: over.connections,
        send_lag_p99_max: over.send_lag_max,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().context("start the runtime")?;
    // A closed stderr is no reason to end a measurement.
    let borne = runtime.block_on(asked.run(|rung| drop(std::io::stderr().write_all(rung.as_bytes()))))?;
    std::io::stdout().write_all(borne.table().as_bytes()).context("print the result")?;
    if let Some(path) = &over.json {
        std::fs::write(path, serde_json::to_vec_pretty(&borne)?).with_context(|| format!("write {}", path.display()))?;
    }
    let enough = borne.goodput_percent() >= over.goodput_min;
    Ok(match exit_code(&borne.report) {
        code if code != ExitCode::SUCCESS => code,
        _ if enough => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn measure(rest: &Rest) -> Result<Report> {
    let plan = plan(rest)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().context("start the runtime")?;
    let report = runtime.block_on(loadgen::rest::run(plan))?;
    tell(&report, rest.json.as_deref(), rest.hgrm.as_deref())?;
    Ok(report)
}

fn measure_binary(binary: &Binary) -> Result<Report> {
    let (address, api_key) = binary.place.found_binary()?;
    let run_id = binary.run_id.clone().unwrap_or_else(fresh_run_id);
    let target = Target::sale(address, &api_key, &run_id, binary.seed, AMOUNTS_DEFAULT)?;
    let plan = Plan {
        connections: binary.connections,
        warmup: binary.warmup,
        duration: binary.duration,
        timeout: binary.timeout,
        send_lag_p99_max: binary.send_lag_max,
        ..Plan::new(target, load(binary.closed, binary.rate, binary.arrivals))
    };
    let shape = Shape { mix: binary.mix, in_flight: binary.in_flight, batch: binary.batch, ..Shape::new(&api_key) };
    let report = loadgen::binary::run(&plan, &shape)?;
    tell(&report, binary.json.as_deref(), binary.hgrm.as_deref())?;
    Ok(report)
}

fn load(closed: bool, rate_per_s: u32, arrivals: Spread) -> Load {
    let arrivals = match arrivals {
        Spread::Grid => Arrivals::Grid,
        Spread::Poisson => Arrivals::Poisson,
    };
    if closed { Load::Closed } else { Load::Open { rate_per_s, arrivals } }
}

/// Prints the result and writes the files that were asked for.
fn tell(report: &Report, json: Option<&Path>, hgrm: Option<&Path>) -> Result<()> {
    std::io::stdout().write_all(report.table().as_bytes()).context("print the result")?;
    if let Some(path) = json {
        let rendered = serde_json::to_vec_pretty(report).context("render the result")?;
        std::fs::write(path, rendered).with_context(|| format!("write {}", path.display()))?;
    }
    if let (Some(path), Some(distribution)) = (hgrm, report.distribution()) {
        std::fs::write(path, distribution).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn exit_code(report: &Report) -> ExitCode {
    match report.verdict {
        Verdict::GeneratorSaturated { .. } | Verdict::GeneratorBusy { .. } => ExitCode::from(EXIT_SATURATED),
        Verdict::Valid if report.counts.answered() + report.counts.refused == 0 => ExitCode::FAILURE,
        Verdict::Valid => ExitCode::SUCCESS,
    }
}

fn plan(rest: &Rest) -> Result<Plan> {
    let (address, api_key) = rest.place.found()?;
    let run_id = rest.run_id.clone().unwrap_or_else(fresh_run_id);
    let target = Target::sale(address, &api_key, &run_id, rest.seed, amounts(&rest.amounts)?)?;
    let load = load(rest.closed, rest.rate, rest.arrivals);
    Ok(Plan {
        connections: rest.connections,
        warmup: rest.warmup,
        duration: rest.duration,
        timeout: rest.timeout,
        backlog_max: rest.backlog,
        send_lag_p99_max: rest.send_lag_max,
        answers: rest.answers.clone(),
        show: if std::io::stderr().is_terminal() { Show::Bar } else { Show::Lines },
        ..Plan::new(target, load)
    })
}

impl Place {
    fn found(&self) -> Result<(SocketAddr, String)> {
        if let (Some(url), Some(api_key)) = (&self.url, &self.api_key) {
            return Ok((loopback(url)?, api_key.clone()));
        }
        let path = self.sandbox.display();
        let sandbox = SandboxFile::read(&self.sandbox)
            .with_context(|| format!("read {path}: start the switch first, or give --url and --api-key"))?;
        Ok((loopback(&sandbox.http)?, sandbox.api_key))
    }

    /// The same for the binary protocol; `--url` names its address.
    fn found_binary(&self) -> Result<(SocketAddr, String)> {
        if self.url.is_some() {
            return self.found();
        }
        let path = self.sandbox.display();
        let sandbox = SandboxFile::read(&self.sandbox)
            .with_context(|| format!("read {path}: start the switch first, or give --url and --api-key"))?;
        Ok((loopback(&sandbox.binary)?, sandbox.api_key))
    }
}

/// Two runs never share a key: the clock in ns, and the process, in hexadecimal.
fn fresh_run_id() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("lg{:x}{:x}", now.as_nanos(), std::process::id())
}

fn amounts(given: &str) -> Result<(u64, u64)> {
    let bounds = given.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    bounds.with_context(|| format!("amounts {given:?}: expected LOW-HIGH in minor units, like 10000-99999"))
}

/// `authorize=20,retry=5`
fn mix(given: &str) -> Result<Mix> {
    let mut mix = Mix::default();
    for part in given.split(',').filter(|part| !part.is_empty()) {
        let (name, share) = part.split_once('=').with_context(|| format!("{part:?}: expected NAME=HUNDREDTHS"))?;
        let share = share.parse().with_context(|| format!("{part:?}: expected NAME=HUNDREDTHS"))?;
        match name {
            "authorize" => mix.authorize = share,
            "verification" => mix.verification = share,
            "declined" => mix.declined = share,
            "retry" => mix.retry = share,
            _ => bail!("{name:?}: the mix has authorize, verification, declined and retry"),
        }
    }
    if mix.fits() { Ok(mix) } else { bail!("{given:?}: the shares are more than 100") }
}

fn span(given: &str) -> Result<Duration> {
    let digits = given.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = given.split_at(digits);
    let count: u32 = count.parse().with_context(|| format!("{given:?}: expected a whole number and ms, s or m"))?;
    match unit {
        "us" => Ok(Duration::from_micros(count.into())),
        "ms" => Ok(Duration::from_millis(count.into())),
        "s" => Ok(Duration::from_secs(count.into())),
        "m" => Ok(Duration::from_secs(u64::from(count) * 60)),
        _ => bail!("{given:?}: the unit must be us, ms, s or m"),
    }
}
