//! See `outside_bytes::journal::frames::any_bytes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::journal::frames::any_bytes(input));
