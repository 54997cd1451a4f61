//! See `outside_bytes::journal::image::damaged`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::journal::image::damaged(input));
