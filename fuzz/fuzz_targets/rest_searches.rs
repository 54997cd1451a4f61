//! See `outside_bytes::rest::requests::any_search`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::rest::requests::any_search(input));
