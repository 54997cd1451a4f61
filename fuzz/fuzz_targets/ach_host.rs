//! See `outside_bytes::processors::accounts::any_requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::processors::accounts::any_requests(input));
