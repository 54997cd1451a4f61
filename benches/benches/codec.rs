//! A 0100 of twenty fields, written and read by our codec and by the crate `iso8583_rs`, in one run on one core.
//!
//! The peer is measured twice when it writes: `assemble` alone, from a message object that was filled in outside the loop, and
//! from the same values as ours starts from. In its favour, its table has only the twenty fields. Ours checks every field.

use std::hint::black_box;

use benches::authorization::{encode, peer_message, peer_table};
use criterion::{Criterion, criterion_group, criterion_main};
use protocol::iso8583::{BCD_1987, EBCDIC_1987, EncodeError, Encoder, Message, Mti, TSYS};

/// The same message with the amount and the STAN as numbers, field by field as a connector writes it.
fn encode_as_connector(out: &mut Vec<u8>, amount: u64, stan: u64) -> Result<usize, EncodeError> {
    let mut message = Encoder::begin(&TSYS, Mti::AUTHORIZATION_REQUEST, out)?;
    message.text(2, black_box("4012000098765439"))?.text(3, "000000")?.number(4, amount)?;
    message.text(7, black_box("1121013042"))?.number(11, stan)?.text(12, black_box("203042"))?;
    message.text(13, black_box("1120"))?.text(14, black_box("2812"))?.text(18, black_box("5999"))?;
    message.text(22, "012")?.text(25, "59")?.text(32, black_box("400552"))?;
    message.text(35, black_box("4012000098765439=2812"))?.text(37, black_box("632501000007"))?;
    message.text(41, black_box("TERM0001"))?.text(42, black_box("MERCHANT-000042"))?;
    message.text(43, black_box("SWITCHYARD TEST STORE  ATLANTA      GAUS"))?.text(48, black_box("0102030405"))?;
    message.text(49, black_box("840"))?.text(60, black_box("TAX00000100"))?;
    message.finish()
}

fn codec(criterion: &mut Criterion) {
    let table = peer_table();
    let peer = peer_message(table);
    let mut frame = Vec::with_capacity(1024);
    encode(&TSYS, &mut frame).expect("the message is sound");
    let mut peer_frame = peer.assemble().expect("the message is sound");
    assert_eq!(frame, peer_frame, "both write the same bytes");

    let mut out = Vec::with_capacity(1024);
    let mut encoding = criterion.benchmark_group("iso8583 encode 0100, 20 fields");
    for spec in [&TSYS, &EBCDIC_1987, &BCD_1987] {
        encoding.bench_function(spec.name(), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(spec, &mut out).map(|_| black_box(out.as_slice()).len())
            })
        });
    }
    encoding.bench_function("tsys, field by field", |bencher| {
        bencher.iter(|| {
            out.clear();
            encode_as_connector(&mut out, black_box(1_112), black_box(7)).map(|_| black_box(out.as_slice()).len())
        })
    });
    encoding.bench_function("iso8583_rs, assemble only", |bencher| bencher.iter(|| peer.assemble().expect("it is sound")));
    encoding.bench_function("iso8583_rs", |bencher| bencher.iter(|| peer_message(table).assemble().expect("it is sound")));
    encoding.finish();

    let mut parsing = criterion.benchmark_group("iso8583 parse 0100, 20 fields");
    for spec in [&TSYS, &EBCDIC_1987, &BCD_1987] {
        let mut frame = Vec::new();
        encode(spec, &mut frame).expect("the message is sound");
        parsing.bench_function(spec.name(), |bencher| {
            bencher.iter(|| Message::parse(spec, black_box(&frame)).map(|m| black_box(&m).mti()))
        });
    }
    parsing.bench_function("tsys, and four fields read", |bencher| {
        bencher.iter(|| {
            let message = Message::parse(&TSYS, black_box(&frame)).expect("it is sound");
            (message.number(4), message.number(11), message.text(37), message.text(41).map(str::len))
                == black_box((Some(1_112), Some(7), Some("632501000007"), Some(8)))
        })
    });
    parsing.bench_function("iso8583_rs", |bencher| {
        bencher.iter(|| peer.spec().parse(black_box(&mut peer_frame)).expect("it is sound"))
    });
    parsing.finish();
}

criterion_group!(codecs, codec);
criterion_main!(codecs);
