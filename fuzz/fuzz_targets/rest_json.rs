//! See `outside_bytes::rest::json::any_document`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::rest::json::any_document(input));
