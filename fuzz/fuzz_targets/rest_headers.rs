//! See `outside_bytes::rest::headers::any_value`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::rest::headers::any_value(input));
