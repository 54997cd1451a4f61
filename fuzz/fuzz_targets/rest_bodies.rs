//! See `outside_bytes::rest::bodies::any_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::rest::bodies::any_body(input));
