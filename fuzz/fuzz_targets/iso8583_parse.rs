//! See `outside_bytes::iso8583::parse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::iso8583::parse(input));
