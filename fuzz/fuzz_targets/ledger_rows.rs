//! See `outside_bytes::operator::ledger_rows`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| outside_bytes::operator::ledger_rows(input));
