//! What payments notice of those who read beside them: the vault and searches, at fixed rates over connections of their own.

use crate::Extent;
use crate::live::{CONNECTIONS, Place, run_id, runtime};
use crate::table::Table;
use loadgen::prepare::Preparation;
use loadgen::target::{Read, Target};
use loadgen::{Arrivals, Load, Plan, Report};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

const COLUMNS: [&str; 3] = ["payments' p50, µs", "p90, µs", "p99, µs"];
/// Customers of the vault, and payments that are searched for.
const KEPT: usize = 100;
const READERS_CONNECTIONS: usize = 16;
/// How much longer a measurement is than in the other tables: a hundredth of the payments must be many.
const LENGTHS: u32 = 2;
/// Turns that may be made for each that counts: the others are lost to the machine.
const TURNS_PER_ROUND_MAX: usize = 3;
/// A turn in which other machines took more of the cores than this, percent, tells of them and does not count.
const STOLEN_PERCENT_MAX: u64 = 1;

/// Payments at one rate while the readers' grows.
pub fn beside_payments(extent: &Extent) -> anyhow::Result<Table> {
    let (place, runtime) = (Place::start(1)?, runtime()?);
    let (customers, searches) = runtime.block_on(questions(&place))?;
    let how = format!(
        "{} REST sales a second, open loop by independent callers, while customers are read from the vault and transactions \
         searched by id, by order number and by time; generators and hosts share the machine.",
        extent.payments_per_s
    );
    let mut table = Table::new("vault reads/s + searches/s", how, &COLUMNS);
    let time = extent.time * LENGTHS;
    let (mut turns, mut counted) = (0, 0);
    while counted < extent.rounds_with_readers && turns < extent.rounds_with_readers * TURNS_PER_ROUND_MAX {
        let mut turn = Vec::new();
        for (reads, found) in extent.reads_per_s {
            let id = run_id(turns, reads);
            let payments = open(place.target("http", place.own_key(), &id)?, extent.payments_per_s, CONNECTIONS, time);
            let vault = reader(&place, &customers, reads, time)?;
            let search = reader(&place, &searches, found, time)?;
            let all = async { tokio::try_join!(kept_up(Some(payments)), kept_up(vault), kept_up(search)) };
            let (paid, ..) = runtime.block_on(all)?;
            let size = format!("{reads} + {found}");
            let values = paid.and_then(|report| believed(&size, &report));
            turn.extend(values.map(|values| (size, values)));
        }
        // Whole turns only, so that both lines are of the same minutes.
        if turn.len() == extent.reads_per_s.len() {
            turn.into_iter().for_each(|(size, values)| table.note(size, values));
            counted += 1;
        }
        turns += 1;
    }
    anyhow::ensure!(counted >= extent.turns_needed, "in none of {turns} turns were the cores this machine's own");
    let _ = write!(table.how, " {counted} of {turns} turns count");
    table.how += match turns - counted {
        0 => ".",
        _ => ": in the others other machines had the cores, or the generator was late itself.",
    };
    Ok(table)
}

/// What a measurement says of the payments, unless it says more of the machine: where the generator was late itself, or others had the cores.
fn believed(size: &str, report: &Report) -> Option<Vec<f64>> {
    let stolen = report.machine.stolen_percent;
    let times = report.latency.filter(|_| stolen.is_none_or(|percent| percent <= STOLEN_PERCENT_MAX));
    let stolen = stolen.map_or_else(|| "unknown".to_owned(), |percent| format!("{percent} %"));
    let us = |ns: u64| ns as f64 / 1e3;
    match times {
        Some(times) => eprintln!("{size}: p50 {:.0} µs, p99 {:.0} µs, stolen {stolen}", us(times.p50_ns), us(times.p99_ns)),
        None => eprintln!("{size}: does not count, stolen {stolen}, {:?}", report.verdict),
    }
    times.map(|times| [times.p50_ns, times.p90_ns, times.p99_ns].map(us).to_vec())
}

/// Customers and payments that are there to be read, and how they are asked for.
async fn questions(place: &Place) -> anyhow::Result<(Vec<Read>, Vec<Read>)> {
    let mut preparation = Preparation::new(place.switch.address("http")?, &place.sandbox.operator_key)?;
    let (mut customers, mut searches) = (Vec::new(), Vec::new());
    let address = json!({"first_name": "Load", "last_name": "Test", "address_line_1": "123 Some St", "city": "Wheaton", "state": "IL",
        "postal_code": "55555", "country": "US"});
    let card = json!({"card": {"number": "4111111111111111", "expiration_date": "12/30"}});
    for number in 0..KEPT {
        let wish = json!({"description": format!("customer {number}"), "payment_method": card, "billing_address": address});
        let made = preparation.post_as(&place.sandbox.api_key, "make a customer", "/api/customer", &wish).await?;
        customers.push(Read { method: "GET", path: format!("/api/customer/{}", id_of(&made)?), body: String::new() });
        let wish =
            json!({"type": "sale", "amount": 10_000 + number, "order_id": format!("kept {number}"), "payment_method": card});
        let sold = preparation.post_as(&place.sandbox.api_key, "sell", "/api/transaction", &wish).await?;
        let at = sold["created_at"].as_str().unwrap_or_default();
        searches.extend([
            search(&json!({"transaction_id": {"operator": "=", "value": id_of(&sold)?}})),
            search(&json!({"order_id": {"operator": "=", "value": format!("kept {number}")}})),
            search(&json!({"created_at": {"start_date": at, "end_date": at}})),
        ]);
    }
    Ok((customers, searches))
}

fn search(body: &Value) -> Read {
    Read { method: "POST", path: "/api/transaction/search".to_owned(), body: body.to_string() }
}

fn id_of(made: &Value) -> anyhow::Result<&str> {
    made["id"].as_str().ok_or_else(|| anyhow::anyhow!("an answer without an id: {made}"))
}

/// Whoever asks such questions at a rate, if any.
fn reader(place: &Place, questions: &[Read], rate_per_s: u32, time: Duration) -> anyhow::Result<Option<Plan>> {
    if rate_per_s == 0 {
        return Ok(None);
    }
    let target = Target::reads(place.switch.address("http")?, &place.sandbox.api_key, "reads", 1, questions)?;
    Ok(Some(open(target, rate_per_s, READERS_CONNECTIONS, time)))
}

/// Carries a load out, which must be answered whole.
async fn kept_up(plan: Option<Plan>) -> anyhow::Result<Option<Report>> {
    let Some(plan) = plan else { return Ok(None) };
    let report = loadgen::rest::run(plan).await?;
    let is_whole = report.counts.errors() == 0 && report.counts.unsent == 0;
    anyhow::ensure!(is_whole, "not all were answered: {}", report.table());
    Ok(Some(report))
}

fn open(target: Target, rate_per_s: u32, connections: usize, time: Duration) -> Plan {
    let load = Load::Open { rate_per_s, arrivals: Arrivals::Poisson };
    Plan { connections, duration: time, ..Plan::new(target, load) }
}
