//! The command line: words, flags, and what they say in the library's values.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use loadgen::binary::Shape;
use loadgen::ladder::{Ladder, Over};
use loadgen::prepare::Preparation;
use loadgen::target::{AMOUNTS_DEFAULT, SandboxFile, Target, loopback};
use loadgen::{Arrivals, Kind, Load, Mix, Plan, Show, Skew};

/// Load for Switchyard with honest latency histograms.
///
/// Exit codes: 0 measured; 1 the run failed or nothing was answered; 2 bad arguments; 3 the generator could not keep its own
/// schedule, and no latencies were printed.
#[derive(Parser)]
#[command(name = "loadgen")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) word: Word,
}

#[derive(Subcommand)]
pub(crate) enum Word {
    /// Payments over REST.
    ///
    /// Send times are fixed before the run (open loop) and latency counts from them, so a stall of the target shows at
    /// its true size. Each request has its own idempotency key, RUN-ID-SEQUENCE; cards and amounts are drawn from the seed. The generator runs on
    /// one thread and reports its CPU per request, because it shares the machine with what it measures.
    Rest(Rest),
    /// Payments over the binary protocol: many in flight on each connection, many in a frame.
    ///
    /// The same schedule, keys and report as over REST. One thread, which waits in the kernel.
    Binary(Binary),
    /// Finds the knee by a ladder of rates: the highest rate of which nearly all is answered in time.
    Ladder(Climb),
    /// Finds the capacity by a ladder of rates, then offers a multiple of it and shows what is still answered.
    ///
    /// The switch should run in a process of its own (give --pid). Exit code 1 when less than --goodput-min of the capacity is answered.
    Overload(Overdo),
    /// Two results, written by --json, beside each other.
    Compare {
        /// The earlier one.
        before: PathBuf,
        /// The later one.
        after: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct Rest {
    #[command(flatten)]
    pub(crate) pace: Pace,
    #[command(flatten)]
    pub(crate) asked: Asked,
    #[command(flatten)]
    pub(crate) files: Files,
    /// Appends a JSON line for each answer as it arrives (key, id, status, response code, amount, HTTP status): what a client was told, for crash tests.
    #[arg(long)]
    pub(crate) answers: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Binary {
    #[command(flatten)]
    pub(crate) pace: Pace,
    #[command(flatten)]
    pub(crate) frames: Frames,
    #[command(flatten)]
    pub(crate) asked: Asked,
    #[command(flatten)]
    pub(crate) files: Files,
}

#[derive(Args)]
pub(crate) struct Climb {
    /// The protocol.
    #[arg(value_enum)]
    pub(crate) over: Protocol,
    #[command(flatten)]
    pub(crate) rungs: Rungs,
    #[command(flatten)]
    pub(crate) frames: Frames,
    #[command(flatten)]
    pub(crate) asked: Asked,
    #[command(flatten)]
    pub(crate) files: Files,
}

#[derive(Args)]
pub(crate) struct Overdo {
    #[command(flatten)]
    pub(crate) rungs: Rungs,
    /// What is offered in the end, in hundredths of the capacity.
    #[arg(long, default_value_t = 300)]
    pub(crate) factor_percent: u32,
    /// For so long.
    #[arg(long, default_value = "20s", value_parser = span)]
    pub(crate) duration: Duration,
    /// Goodput over capacity, of the capacity, percent, below which the exit code is 1.
    #[arg(long, default_value_t = 90)]
    pub(crate) goodput_min: u32,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Writes what was found as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

/// When requests leave.
#[derive(Args)]
pub(crate) struct Pace {
    /// Requests due per second, whether or not the target keeps up (1 to 500000).
    #[arg(long, default_value_t = 1_000, conflicts_with = "closed")]
    rate: u32,
    /// Measured window after the warm-up, like 10s, 500ms or 2m (at most 10m).
    #[arg(long, default_value = "10s", value_parser = span)]
    duration: Duration,
    /// Load before the measured window; sent, in no figure.
    #[arg(long, default_value = "1s", value_parser = span)]
    warmup: Duration,
    /// Connections; a due request waits for one that has room, and that wait is part of its latency.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Spread of the send times: grid is even, poisson is bursty as independent callers are.
    #[arg(long, value_enum, default_value_t = Spread::Grid, conflicts_with = "closed")]
    arrivals: Spread,
    /// Closed loop instead of a rate: each connection sends again when answered. For the highest throughput; says nothing about latency under load.
    #[arg(long)]
    closed: bool,
    /// One request, from its first byte sent to its last byte read; over the binary protocol, how long answers are waited for in the end.
    #[arg(long, default_value = "5s", value_parser = span)]
    timeout: Duration,
    /// Due requests that may wait for a connection; past it they are counted as unsent.
    #[arg(long, default_value_t = 100_000)]
    backlog: usize,
    /// How late the generator itself may be at p99 while connections have room; above it the run is refused as saturated.
    #[arg(long, default_value = "5ms", value_parser = span)]
    send_lag_max: Duration,
}

/// How much travels together over the binary protocol.
#[derive(Args, Clone, Copy)]
pub(crate) struct Frames {
    /// Requests in flight on each connection at most.
    #[arg(long, default_value_t = 1)]
    in_flight: u32,
    /// Requests of one frame; a request that is due waits half a millisecond at most for its frame to fill.
    #[arg(long, default_value_t = 1)]
    batch: u16,
}

/// A ladder.
#[derive(Args)]
pub(crate) struct Rungs {
    /// First rung of the ladder, requests per second; each asks for a fifth more.
    #[arg(long, default_value_t = 500)]
    from_rate: u32,
    /// Length of a rung.
    #[arg(long, default_value = "1s", value_parser = span)]
    rung: Duration,
    /// Connections.
    #[arg(long, default_value_t = 1_024)]
    connections: usize,
    /// Process id of the switch: shows its CPU and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// How late the generator itself may be at p99.
    #[arg(long, default_value = "20ms", value_parser = span)]
    send_lag_max: Duration,
}

/// What is asked, where, and by whom.
#[derive(Args)]
pub(crate) struct Asked {
    /// Shares of the requests in hundredths, like authorize=20,capture=20,retry=5: authorize, capture, void, refund, verification, declined, ach
    /// (over REST only), retry. The rest are sales. A step that finds nothing to act upon makes something instead.
    #[arg(long, default_value = "")]
    mix: Mix,
    /// Merchants that share the load; more than one are made by the operator's API before the run. Over the binary protocol they share the connections.
    #[arg(long, default_value_t = 1)]
    merchants: u32,
    /// Skew among them: the share of the merchant of rank R goes with 1/R^ZIPF; 0 for all alike.
    #[arg(long, default_value_t = 1.0)]
    zipf: f64,
    /// Lowest-highest sale amount in minor units, same number of digits. The sandbox answers some low amounts with declines.
    #[arg(long, default_value_t = format!("{}-{}", AMOUNTS_DEFAULT.0, AMOUNTS_DEFAULT.1))]
    amounts: String,
    /// Seed of Poisson gaps, kinds, merchants, cards and amounts: same seed, same load.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prefix of this run's idempotency keys (at most 40 visible ASCII). Default: one from the clock; repeat one to replay its keys.
    #[arg(long)]
    run_id: Option<String>,
    /// The switch's DATA/sandbox.json: gives addresses and keys.
    #[arg(long, default_value = "data/sandbox.json", conflicts_with_all = ["url", "api_key"])]
    sandbox: PathBuf,
    /// Target instead of --sandbox; loopback only. One merchant, and no refunds.
    #[arg(long, requires = "api_key")]
    url: Option<String>,
    /// API key for --url.
    #[arg(long, requires = "url")]
    api_key: Option<String>,
}

/// What is written besides the table.
#[derive(Args)]
pub(crate) struct Files {
    /// Writes the result and the load's shape as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Writes the whole latency distribution for HdrHistogram plotters, in ms.
    #[arg(long)]
    pub(crate) hgrm: Option<PathBuf>,
    /// Writes one self-contained page with plots.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Spread {
    Grid,
    Poisson,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    Rest,
    Binary,
}

impl Pace {
    /// Puts the pace into what is asked.
    pub(crate) fn plan(&self, asked: Plan) -> Plan {
        let arrivals = match self.arrivals {
            Spread::Grid => Arrivals::Grid,
            Spread::Poisson => Arrivals::Poisson,
        };
        Plan {
            load: if self.closed { Load::Closed } else { Load::Open { rate_per_s: self.rate, arrivals } },
            connections: self.connections,
            warmup: self.warmup,
            duration: self.duration,
            timeout: self.timeout,
            backlog_max: self.backlog,
            send_lag_p99_max: self.send_lag_max,
            ..asked
        }
    }
}

impl Frames {
    pub(crate) fn shape(self) -> Shape {
        Shape { in_flight: self.in_flight, batch: self.batch }
    }
}

impl Rungs {
    pub(crate) fn ladder(&self, over: Over, asked: Plan) -> Ladder {
        let plan = Plan { connections: self.connections, send_lag_p99_max: self.send_lag_max, ..asked };
        Ladder { plan, over, process: self.pid, rate_per_s_first: self.from_rate, rung: self.rung }
    }
}

impl Asked {
    /// A plan of what is asked, with what it needs made.
    pub(crate) async fn prepare(&self, over: Protocol) -> Result<Plan> {
        let run_id = self.run_id.clone().unwrap_or_else(fresh_run_id);
        let (amounts, skew) = (amounts(&self.amounts)?, Skew::zipf(self.merchants, self.zipf)?);
        let place = self.place(over)?;
        let mut preparation = place.preparation;
        let api_keys = match (self.merchants, &mut preparation) {
            (1, _) => vec![place.api_key],
            (merchants, Some((_, preparation))) => preparation.merchants(&run_id, merchants).await?,
            (_, None) => bail!("several merchants are made by the operator's API: give --sandbox in place of --url"),
        };
        let target = |address| Target::gateway(address, api_keys.clone(), &run_id, self.seed, amounts);
        let settled = match (self.mix.has(Kind::Refund), preparation) {
            (false, _) => Vec::new(),
            (true, Some((address, mut preparation))) => preparation.settled(&target(address)?).await?,
            (true, None) => bail!("refunds need settled sales, which the operator's API makes: give --sandbox in place of --url"),
        };
        let show = if std::io::IsTerminal::is_terminal(&std::io::stderr()) { Show::Bar } else { Show::Lines };
        Ok(Plan { mix: self.mix, skew, settled, show, ..Plan::new(target(place.address)?, Load::Closed) })
    }

    fn place(&self, over: Protocol) -> Result<Place> {
        if let (Some(url), Some(api_key)) = (&self.url, &self.api_key) {
            return Ok(Place { address: loopback(url)?, api_key: api_key.clone(), preparation: None });
        }
        let path = self.sandbox.display();
        let sandbox = SandboxFile::read(&self.sandbox)
            .with_context(|| format!("read {path}: start the switch first, or give --url and --api-key"))?;
        let rest = loopback(&sandbox.http)?;
        let address = if over == Protocol::Rest { rest } else { loopback(&sandbox.binary)? };
        // A file without an operator's key is good enough for one merchant's sales.
        let preparation = Preparation::new(rest, &sandbox.operator_key).ok().map(|preparation| (rest, preparation));
        Ok(Place { address, api_key: sandbox.api_key, preparation })
    }
}

/// Where load goes.
struct Place {
    address: SocketAddr,
    api_key: String,
    /// Where the operator is asked.
    preparation: Option<(SocketAddr, Preparation)>,
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
