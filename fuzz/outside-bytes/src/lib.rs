//! What must hold for any bytes from outside: one function for each parser or state machine that strangers can reach.
//!
//! A function takes bytes and panics when a promise is broken. It is run in two ways: by libFuzzer on inputs that it invents
//! (`fuzz/fuzz_targets`, one line each), and by `cargo test` on every input in `fuzz/corpus`. Must not live here: sockets,
//! files, clocks, randomness; the same bytes do the same everywhere.

pub mod binary;
pub mod iso8583;
pub mod journal;
pub mod layouts;
pub mod operator;
pub mod processors;
pub mod rest;
mod script;

/// A promise about any bytes, under the name of its fuzz target and its folder of inputs.
pub type Target = (&'static str, fn(&[u8]));

/// Every target there is.
pub const TARGETS: [Target; 22] = [
    ("ach_exchange", processors::accounts::any_answers),
    ("ach_feed", processors::accounts::any_feed),
    ("ach_host", processors::accounts::any_requests),
    ("binary_session", binary::session),
    ("binary_talk", binary::talk),
    ("card_host", processors::host::any_frames),
    ("configuration", operator::configuration),
    ("dejavoo_exchange", processors::terminals::any_answers),
    ("host_faults", operator::host_faults),
    ("iso8583_frames", iso8583::frames),
    ("iso8583_parse", iso8583::parse),
    ("journal_frames", journal::frames::any_bytes),
    ("journal_image", journal::image::damaged),
    ("layouts", layouts::any_bytes),
    ("ledger_rows", operator::ledger_rows),
    ("rest_bodies", rest::bodies::any_body),
    ("rest_headers", rest::headers::any_value),
    ("rest_json", rest::json::any_document),
    ("rest_requests", rest::requests::any_body),
    ("rest_searches", rest::requests::any_search),
    ("terminal_host", processors::terminals::any_requests),
    ("tsys_session", processors::session::any_answers),
];
