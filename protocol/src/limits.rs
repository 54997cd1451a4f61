//! Every bound of the layouts, in one place, unit last in the name.

/// Largest amount of one transaction, in minor units: twelve digits, the width of ISO 8583 DE4.
pub const AMOUNT_MAX_MINOR: u64 = 999_999_999_999;
/// Largest tail of a command or a transaction, in bytes.
pub const TAIL_MAX_BYTES: usize = 32 * 1024;
/// Largest record in the journal, in bytes: header, transaction and tail, with room for layouts to grow.
pub const RECORD_MAX_BYTES: usize = 64 * 1024;
/// Largest value of one tail field, in bytes.
pub const TAIL_FIELD_MAX_BYTES: usize = 16 * 1024;
/// Longest idempotency window a request may ask for, in seconds.
pub const IDEMPOTENCY_WINDOW_MAX_S: u32 = 86_400;
/// Idempotency window when the request does not say, in seconds.
pub const IDEMPOTENCY_WINDOW_DEFAULT_S: u32 = 300;
/// Highest systems trace audit number: six digits, ISO 8583 DE11. Zero is never used.
pub const STAN_MAX: u32 = 999_999;

const _: () = assert!(TAIL_FIELD_MAX_BYTES < TAIL_MAX_BYTES);
const _: () = assert!(TAIL_FIELD_MAX_BYTES <= u16::MAX as usize);
const _: () = assert!(
    size_of::<crate::record::RecordHeader>() + size_of::<crate::transaction::Transaction>() + TAIL_MAX_BYTES + 8
        <= RECORD_MAX_BYTES
);
