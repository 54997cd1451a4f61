//! See `outside_bytes::operator::configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::operator::configuration(input));
