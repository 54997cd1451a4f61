//! ISO 8583: a 0100 of twenty fields, by our codec and by the crate `iso8583_rs`.

use crate::Effort;
use crate::table::{Row, median};
use iso8583_rs::iso8583::iso_spec::{self, IsoMsg};
use protocol::iso8583::{EncodeError, Encoder, Message, Mti, TSYS};
use std::hint::black_box;
use std::time::{Duration, Instant};

const PEER_TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/peer_0100.yaml");

const FIELDS: [(u8, &str); 20] = [
    (2, "4012000098765439"),
    (3, "000000"),
    (4, "000000001112"),
    (7, "1121013042"),
    (11, "000007"),
    (12, "203042"),
    (13, "1120"),
    (14, "2812"),
    (18, "5999"),
    (22, "012"),
    (25, "59"),
    (32, "400552"),
    (35, "4012000098765439=2812"),
    (37, "632501000007"),
    (41, "TERM0001"),
    (42, "MERCHANT-000042"),
    (43, "SWITCHYARD TEST STORE  ATLANTA      GAUS"),
    (48, "0102030405"),
    (49, "840"),
    (60, "TAX00000100"),
];

/// Tells the peer where its table is. Must be called before any thread runs.
pub fn name_peer_table() {
    // SAFETY: the program's first statement; no other thread can read the environment meanwhile.
    unsafe { std::env::set_var("SPEC_FILE", PEER_TABLE) };
}

fn encode(out: &mut Vec<u8>) -> Result<usize, EncodeError> {
    let mut message = Encoder::begin(&TSYS, Mti::AUTHORIZATION_REQUEST, out)?;
    for (number, text) in black_box(&FIELDS) {
        message.text(*number, text)?;
    }
    message.finish()
}

fn peer_message() -> anyhow::Result<IsoMsg> {
    let spec = iso_spec::spec("");
    let failed = |what: &str| anyhow::anyhow!("the peer can't {what} with {PEER_TABLE}");
    let segment = spec.get_message_from_header("0100").map_err(|_| failed("find 0100"))?;
    let mut message = iso_spec::new_msg(spec, segment);
    message.set("message_type", "0100").map_err(|_| failed("set the message type"))?;
    for (number, text) in FIELDS {
        message.set_on(u32::from(number), text).map_err(|_| failed("set a field"))?;
    }
    Ok(message)
}

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

/// Encode and parse. The peer's message object is filled outside the measured loop, in its favour.
pub fn both_ways(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let peer = peer_message()?;
    let mut frame = Vec::with_capacity(1024);
    encode(&mut frame)?;
    let peer_frame = peer.assemble().map_err(|_| anyhow::anyhow!("the peer can't assemble its message"))?;
    anyhow::ensure!(frame == peer_frame, "both must write the same bytes, or they are not comparable");

    let mut out = Vec::with_capacity(1024);
    let (mut ours, mut theirs) = ([vec![], vec![]], [vec![], vec![]]);
    for _ in 0..effort.rounds {
        ours[0].push(time(effort.in_process, || {
            out.clear();
            let _ = black_box(encode(&mut out));
        }));
        theirs[0].push(time(effort.in_process, || {
            let _ = black_box(peer.assemble());
        }));
        ours[1].push(time(effort.in_process, || {
            let _ = black_box(Message::parse(&TSYS, black_box(&frame)));
        }));
        theirs[1].push(time(effort.in_process, || {
            let mut bytes = frame.clone();
            let _ = black_box(iso_spec::spec("").parse(&mut bytes));
        }));
    }
    let row = |way: usize, what: &str| Row {
        what: format!("ISO 8583 0100 with 20 fields, {what}: speed against iso8583_rs"),
        ours: format!("{:.0} ns", median(&ours[way])),
        baseline: format!("{:.0} ns", median(&theirs[way])),
        ratios: ours[way].iter().zip(&theirs[way]).map(|(ours, theirs)| theirs / ours).collect(),
        must: "≥ 10",
    };
    Ok(vec![row(0, "encode"), row(1, "parse")])
}
