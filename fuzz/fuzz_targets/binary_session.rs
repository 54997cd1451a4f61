//! See `outside_bytes::binary::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::binary::session(input));
