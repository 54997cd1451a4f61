//! See `outside_bytes::operator::host_faults`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::operator::host_faults(input));
