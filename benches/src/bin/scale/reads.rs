//! What payments notice of those who read beside them: the vault and searches, at fixed rates over connections of their own.

use crate::Extent;
use crate::live::{CONNECTIONS, Place, run_id, runtime};
use crate::table::Table;
use loadgen::prepare::Preparation;
use loadgen::target::{Read, Target};
use loadgen::{Arrivals, Load, Plan, Report};
use serde_json::{Value, json};
use std::time::Duration;

const COLUMNS: [&str; 3] = ["payments' p50, µs", "p90, µs", "p99, µs"];
/// Customers of the vault, and payments that are searched for.
const KEPT: usize = 100;
const READERS_CONNECTIONS: usize = 16;
/// How much longer a measurement is than in the other tables: what the SQL home writes at once every ten seconds must fall into each.
const LENGTHS: u32 = 4;

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
    for round in 0..extent.rounds {
        for (reads, found) in extent.reads_per_s {
            let id = run_id(round, reads);
            let payments = open(place.target("http", place.own_key(), &id)?, extent.payments_per_s, CONNECTIONS, time);
            let vault = reader(&place, &customers, reads, time)?;
            let search = reader(&place, &searches, found, time)?;
            let all = async { tokio::try_join!(kept_up(Some(payments)), kept_up(vault), kept_up(search)) };
            let (paid, ..) = runtime.block_on(all)?;
            // None where the generator itself was late: such a turn says nothing of the switch.
            if let Some(times) = paid.and_then(|report| report.latency) {
                let values = [times.p50_ns, times.p90_ns, times.p99_ns].map(|ns| ns as f64 / 1e3);
                table.note(format!("{reads} + {found}"), values.to_vec());
            }
        }
    }
    Ok(table)
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
