//! ISO 8583: a 0100 of twenty fields, by our codec and by the crate `iso8583_rs`, each from the same values to bytes and back.

use crate::Effort;
use crate::table::{Row, median};
use benches::authorization::{encode, peer_message, peer_table};
use protocol::iso8583::{Message, TSYS};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Mean time of one call, over as many calls as fit.
fn time(effort: Duration, mut call: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut calls = 0u32;
    while begun.elapsed() < effort {
        for _ in 0..64 {
            call();
        }
        calls += 64;
    }
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

/// Encode and parse. In the peer's favour its table has only the twenty fields. Must run before any thread does.
pub fn both_ways(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let table = peer_table();
    let assemble = || peer_message(table).assemble().map_err(|_| anyhow::anyhow!("the peer can't assemble its message"));
    let mut frame = Vec::with_capacity(1024);
    encode(&TSYS, &mut frame)?;
    anyhow::ensure!(frame == assemble()?, "both must write the same bytes, or they are not comparable");

    let mut out = Vec::with_capacity(1024);
    let (mut ours, mut theirs) = ([vec![], vec![]], [vec![], vec![]]);
    for _ in 0..effort.rounds {
        ours[0].push(time(effort.in_process, || {
            out.clear();
            let _ = black_box(encode(&TSYS, &mut out));
        }));
        theirs[0].push(time(effort.in_process, || {
            let _ = black_box(assemble());
        }));
        ours[1].push(time(effort.in_process, || {
            let _ = black_box(Message::parse(&TSYS, black_box(&frame)));
        }));
        theirs[1].push(time(effort.in_process, || {
            let mut bytes = frame.clone();
            let _ = black_box(table.parse(&mut bytes));
        }));
    }
    let row = |way: usize, what: &str| Row {
        what: format!("ISO 8583 0100 with 20 fields, {what}: speed against iso8583_rs"),
        ours: format!("{:.0} ns", median(&ours[way])),
        baseline: format!("{:.0} ns", median(&theirs[way])),
        ratios: ours[way].iter().zip(&theirs[way]).map(|(ours, theirs)| theirs / ours).collect(),
        must: "≥ 10",
    };
    Ok(vec![row(0, "values to bytes"), row(1, "bytes to fields")])
}
