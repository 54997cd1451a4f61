//! See `outside_bytes::iso8583::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::iso8583::frames(input));
