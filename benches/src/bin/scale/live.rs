//! What grows while the switch runs: merchants, connections, shards.

use crate::Extent;
use crate::table::Table;
use benches::server::{Server, switchyard};
use loadgen::binary::Shape;
use loadgen::ladder::Over;
use loadgen::plan::{Load, Plan};
use loadgen::prepare::Preparation;
use loadgen::target::{AMOUNTS_DEFAULT, SandboxFile, Target};
use loadgen::{Report, Skew};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const COLUMNS: [&str; 4] = ["payments/s", "CPU of the switch per payment, µs", "p50, µs", "p99, µs"];
const ANY: &str = "127.0.0.1:0";
pub const CONNECTIONS: usize = 64;
/// Merchants' shares go with 1 / rank.
const ZIPF: f64 = 1.0;

/// A switch with its sandbox.
pub struct Place {
    pub switch: Server,
    pub sandbox: SandboxFile,
    _folder: TempDir,
}

impl Place {
    pub fn start(shards: u16) -> anyhow::Result<Place> {
        let folder = tempfile::tempdir_in(".")?;
        let config = folder.path().join("scale.toml");
        std::fs::write(&config, format!("shards = {shards}\n"))?;
        let mut switch = Command::new(switchyard()?);
        switch.args(["--http", ANY, "--binary", ANY]).arg("--config").arg(&config).arg("--data").arg(folder.path());
        let switch = Server::start(&mut switch, None)?;
        let sandbox = SandboxFile::read(&folder.path().join("sandbox.json"))?;
        Ok(Place { switch, sandbox, _folder: folder })
    }

    pub fn target(&self, protocol: &str, api_keys: Vec<String>, run_id: &str) -> anyhow::Result<Target> {
        Ok(Target::gateway(self.switch.address(protocol)?, api_keys, run_id, 1, AMOUNTS_DEFAULT)?)
    }

    pub fn own_key(&self) -> Vec<String> {
        vec![self.sandbox.api_key.clone()]
    }

    /// A closed loop; what it says of this size.
    fn measure(&self, runtime: &Runtime, over: Over, plan: Plan) -> anyhow::Result<Vec<f64>> {
        let before = self.switch.cpu_centiseconds()?;
        let report = runtime.block_on(over.run(plan))?;
        let cpu_us = (self.switch.cpu_centiseconds()? - before) as f64 * 1e4;
        values(&report, cpu_us)
    }
}

fn values(report: &Report, cpu_us: f64) -> anyhow::Result<Vec<f64>> {
    let answered = report.counts.answered();
    anyhow::ensure!(answered > 0 && report.counts.errors() == 0, "not all were answered: {}", report.table());
    let of = |ns: Option<u64>| ns.unwrap_or(0) as f64 / 1e3;
    let [p50, p99] = [report.service.map(|times| times.p50_ns), report.service.map(|times| times.p99_ns)].map(of);
    Ok(vec![report.answered_per_s, cpu_us / answered as f64, p50, p99])
}

fn closed(target: Target, connections: usize, time: Duration) -> Plan {
    Plan { connections, warmup: Duration::ZERO, duration: time, ..Plan::new(target, Load::Closed) }
}

pub fn run_id(round: usize, size: impl std::fmt::Display) -> String {
    format!("scale-{}-{round}-{size}", std::process::id())
}

pub fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Merchants, over REST, where each request names its own.
pub fn by_merchants(extent: &Extent) -> anyhow::Result<Table> {
    let (place, runtime) = (Place::start(1)?, runtime()?);
    let most = extent.merchants.iter().copied().max().unwrap_or(1);
    let mut preparation = Preparation::new(place.switch.address("http")?, &place.sandbox.operator_key)?;
    let api_keys = runtime.block_on(preparation.merchants("scale", most))?;
    let how =
        format!("REST sales over {CONNECTIONS} connections, closed loop, shares by Zipf {ZIPF}; hosts in the switch's process.");
    let mut table = Table::new("merchants", how, &COLUMNS);
    for round in 0..extent.rounds {
        for count in &extent.merchants {
            let keys = api_keys[..*count as usize].to_vec();
            let plan = closed(place.target("http", keys, &run_id(round, count))?, CONNECTIONS, extent.time);
            let plan = Plan { skew: Skew::zipf(*count, ZIPF)?, ..plan };
            table.note(count, place.measure(&runtime, Over::Rest, plan)?);
        }
    }
    Ok(table)
}

/// Connections of the binary front, each with one sale at a time.
pub fn by_connections(extent: &Extent) -> anyhow::Result<Table> {
    let (place, runtime) = (Place::start(1)?, runtime()?);
    let how = "Binary sales, one at a time on each connection, closed loop; hosts in the switch's process.";
    let mut table = Table::new("connections", how, &COLUMNS);
    for round in 0..extent.rounds {
        for count in &extent.connections {
            let plan = closed(place.target("binary", place.own_key(), &run_id(round, count))?, *count, extent.time);
            table.note(count, place.measure(&runtime, Over::Binary(Shape::default()), plan)?);
        }
    }
    Ok(table)
}

/// Shard threads, each with a switch of its own.
pub fn by_shards(extent: &Extent) -> anyhow::Result<Table> {
    let runtime = runtime()?;
    let how = format!(
        "Binary sales of 16 merchants over {CONNECTIONS} connections with 16 in flight each, closed loop, on {} cores: a merchant is one \
         shard's whole.",
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    let mut table = Table::new("shards", how, &COLUMNS);
    for round in 0..extent.rounds {
        for count in &extent.shards {
            let place = Place::start(*count)?;
            let mut preparation = Preparation::new(place.switch.address("http")?, &place.sandbox.operator_key)?;
            let api_keys = runtime.block_on(preparation.merchants("scale", 16))?;
            let plan = closed(place.target("binary", api_keys, &run_id(round, count))?, CONNECTIONS, extent.time);
            let plan = Plan { skew: Skew::zipf(16, 0.0)?, ..plan };
            let over = Over::Binary(Shape { in_flight: 16, batch: 1 });
            table.note(count, place.measure(&runtime, over, plan)?);
        }
    }
    Ok(table)
}
