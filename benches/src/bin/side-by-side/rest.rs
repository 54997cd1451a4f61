//! A REST sale, durable, through ISO 8583 over TCP to a sandbox host, against a bare axum echo of JSON: same run, same load tool.
//!
//! Switch, host and echo are processes of their own, so that the CPU of the switch is its own. All share the machine with the load
//! generator, as they do on a developer's.

use crate::Effort;
use crate::table::{Row, median};
use axum::routing::post;
use axum::{Json, Router};
use benches::server::Server;
use benches::stage::{API_KEY, Stage};
use loadgen::plan::{Load, Plan};
use loadgen::target::{Check, Request, Target};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// The argument that makes this program the echo.
pub const ECHO_WORD: &str = "echo-server";
const CONNECTIONS: usize = 64;
const AMOUNTS: (u64, u64) = (10_000, 99_999);

/// Serves the baseline: a bare axum handler that parses JSON and writes it back, until it is killed.
pub fn serve_echo() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let echo = |Json(body): Json<serde_json::Value>| async move { Json(body) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("ready http={}", listener.local_addr()?);
        axum::serve(listener, Router::new().route("/api/transaction", post(echo))).await?;
        Ok(())
    })
}

/// One side under load: answers per second, and CPU microseconds of the server per answer.
fn load(runtime: &tokio::runtime::Runtime, target: Target, server: &Server, time: Duration) -> anyhow::Result<(f64, f64)> {
    let plan = Plan { connections: CONNECTIONS, warmup: Duration::ZERO, duration: time, ..Plan::new(target, Load::Closed) };
    let before = server.cpu_centiseconds()?;
    let report = runtime.block_on(loadgen::rest::run(plan))?;
    let cpu_s = (server.cpu_centiseconds()? - before) as f64 / 100.0;
    let answered = report.answered_per_s * time.as_secs_f64();
    anyhow::ensure!(answered > 0.0, "nothing was answered: {}", report.table());
    Ok((report.answered_per_s, cpu_s * 1e6 / answered))
}

/// Throughput and CPU per request.
pub fn sale_beside_echo(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::set()?;
    let switch = &stage.switch;
    let echo = Server::start(Command::new(std::env::current_exe()?).arg(ECHO_WORD), None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    let (mut sales, mut echoes) = (vec![], vec![]);
    for round in 0..effort.rounds {
        let run_id = format!("side-by-side-{round}-{}", std::process::id());
        echoes.push(load(&runtime, echo_target(echo.address("http")?, &run_id)?, &echo, effort.under_load)?);
        let sale = Target::sale(switch.address("http")?, API_KEY, &run_id, round as u64, AMOUNTS)?;
        sales.push(load(&runtime, sale, switch, effort.under_load)?);
    }
    let rates = |side: &[(f64, f64)]| side.iter().map(|(rate, _)| *rate).collect::<Vec<_>>();
    let cpus = |side: &[(f64, f64)]| side.iter().map(|(_, cpu)| *cpu).collect::<Vec<_>>();
    let ratios = |ours: Vec<f64>, theirs: Vec<f64>| ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    Ok(vec![
        Row {
            what: format!(
                "REST sale, durable, over ISO 8583 to a host: throughput at {CONNECTIONS} connections against a bare axum echo"
            ),
            ours: format!("{:.1} k/s", median(&rates(&sales)) / 1e3),
            baseline: format!("{:.1} k/s", median(&rates(&echoes)) / 1e3),
            ratios: ratios(rates(&sales), rates(&echoes)),
            must: "≥ 0.4",
        },
        Row {
            what: "REST sale: CPU of the switch per sale against the echo's per request".into(),
            ours: format!("{:.1} µs", median(&cpus(&sales))),
            baseline: format!("{:.1} µs", median(&cpus(&echoes))),
            ratios: ratios(cpus(&sales), cpus(&echoes)),
            must: "≤ 2.5",
        },
    ])
}

/// The same requests as the sale's, to a server that only echoes them.
fn echo_target(address: SocketAddr, run_id: &str) -> anyhow::Result<Target> {
    let body = format!(
        "{{\"type\":\"sale\",\"amount\":<amount>,\"currency\":\"USD\",\"order_id\":\"order-<sequence>\",\
         \"idempotency_key\":\"{run_id}-<sequence>\",\"payment_method\":{{\"card\":{{\"entry_type\":\"keyed\",\
         \"number\":\"4111111111111111\",\"expiration_date\":\"12/30\",\"cvc\":\"999\"}}}},\"billing_address\":\
         {{\"first_name\":\"John\",\"last_name\":\"Smith\",\"address_line_1\":\"123 Some St\",\"postal_code\":\"60187\",\"country\":\"US\"}}}}"
    );
    let request = Request { path: "/api/transaction", headers: &[], bodies: &[body], amounts: AMOUNTS, check: Check::Status200 };
    Ok(Target::new(address, run_id, 1, &request)?)
}
