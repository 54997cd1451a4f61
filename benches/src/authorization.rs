//! A 0100 of twenty fields, by our codec and by the crate `iso8583_rs`.

use std::hint::black_box;

use iso8583_rs::iso8583::iso_spec::{self, IsoMsg, Spec as PeerSpec};
use protocol::iso8583::{EncodeError, Encoder, Mti, Spec};

const PEER_TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/peer_0100.yaml");

/// Field numbers and values, ascending.
pub const FIELDS: [(u8, &str); 20] = [
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

/// Writes the message in a dialect, every field checked.
///
/// # Errors
/// The codec's, when a dialect does not take a value.
pub fn encode(spec: &'static Spec, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
    let mut message = Encoder::begin(spec, Mti::AUTHORIZATION_REQUEST, out)?;
    for (number, text) in black_box(&FIELDS) {
        message.text(*number, text)?;
    }
    message.finish()
}

/// The peer's table. Call it before any other thread runs: the peer reads where it is from the environment, once.
pub fn peer_table() -> &'static PeerSpec {
    // SAFETY: no other thread runs yet that could read the environment; the crate reads it once, in `spec`.
    unsafe { std::env::set_var("SPEC_FILE", PEER_TABLE) };
    iso_spec::spec("")
}

/// The peer's message object, filled with the same values.
///
/// # Panics
/// When its table lacks a field, which would make the figures something else.
pub fn peer_message(spec: &'static PeerSpec) -> IsoMsg {
    let segment = spec.get_message_from_header("0100").expect("the table has 0100");
    let mut message = iso_spec::new_msg(spec, segment);
    message.set("message_type", "0100").expect("the table has the message type");
    for (number, text) in black_box(&FIELDS) {
        message.set_on(u32::from(*number), text).expect("the table has the field");
    }
    message
}
