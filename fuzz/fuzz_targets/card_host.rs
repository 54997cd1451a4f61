//! See `outside_bytes::processors::host::any_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::processors::host::any_frames(input));
