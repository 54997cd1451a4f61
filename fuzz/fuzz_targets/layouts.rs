//! See `outside_bytes::layouts::any_bytes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::layouts::any_bytes(input));
