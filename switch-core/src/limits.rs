//! Every bound of a shard (I8), in one place, unit last in the name.

/// How large a shard may grow. Tables are reserved at this size, memory is taken as it is first
/// used, and none grows past it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Transactions in memory: open ones, and those that were touched a short while ago.
    pub transactions_max: u32,
    /// Memory for the tails of those transactions, bytes.
    pub tails_max_bytes: u32,
    /// Idempotency keys inside their window.
    pub keys_max: u32,
    /// Payments inside their merchant's duplicate window.
    pub recent_max: u32,
    /// Callers that wait for a reply.
    pub waiters_max: u32,
    /// Settlement batches that are not complete.
    pub batches_max: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // At the shortest residency of two seconds: 196 k payments a second.
            transactions_max: 1 << 19,
            tails_max_bytes: 1 << 29,
            // At the default window of five minutes: 14 k keyed payments a second, about 100 bytes each.
            keys_max: 1 << 22,
            // At the default window of one minute: 17 k payments a second.
            recent_max: 1 << 20,
            waiters_max: 1 << 17,
            batches_max: 1 << 14,
        }
    }
}

/// A transaction with nothing under way stays in memory at least this long after it came in or changed, milliseconds.
pub const RESIDENCY_MIN_MS: u32 = 2_000;
/// A reading of a transaction that is older than this is not taken back into memory, milliseconds.
pub const HYDRATION_AGE_MAX_MS: u32 = 1_000;
/// Share of the transaction table, in percent, above which transactions with nothing under way leave it.
pub const EVICTION_ABOVE_PERCENT: u32 = 75;
/// Slots that one input's sweep may look at. A payment takes one slot and comes as two inputs, so that a few looks keep up.
pub const EVICTION_SWEEP_SLOTS: u32 = 4;
/// Bytes of one block of the tail pool.
pub const TAIL_BLOCK_BYTES: usize = 256;
/// A turn's records and views are put aside as a turn of their own past this, bytes. One operation more fits what the journal
/// writes at once.
pub const TURN_CLOSES_AT_BYTES: usize = 1 << 20;
/// Shards that a switch can have: their trace numbers share one range.
pub const SHARDS_MAX: u16 = 64;

/// Rules of one table.
pub const RULES_MAX: usize = 4096;
/// Routes of one table.
pub const ROUTES_MAX: usize = 4096;
/// Conditions of one rule or route.
pub const ENTRY_CONDITIONS_MAX: usize = 16;
/// Length of a rule's or a route's name, bytes.
pub const ENTRY_NAME_MAX_BYTES: usize = 64;
/// Values of one condition's list.
pub const CONDITION_VALUES_MAX: usize = 256;
/// Different velocities that a table may count for one merchant: each costs its payments a counter.
pub const TABLE_GAUGES_MAX: usize = 16;
/// A reversal that waits for so long, seconds, is told to the operator as stuck.
pub const REVERSAL_STUCK_AFTER_S: u32 = 60;
/// Longest window of a velocity: what recovery must count again, seconds.
pub const VELOCITY_WINDOW_MAX_S: u32 = 604_800;
/// Highest count that a velocity may be compared with, payments.
pub const VELOCITY_VALUE_MAX: u64 = 1_000_000;
/// Velocity counters of a shard, of about 110 bytes each; none is taken while no rule counts.
pub const VELOCITY_COUNTERS_MAX: u32 = 1 << 18;
/// Processors that a route may share its payments among, and as many that it may fail over to.
pub const ROUTE_PROCESSORS_MAX: usize = 8;
/// Highest weight of a processor in a route.
pub const ROUTE_WEIGHT_MAX: u32 = 10_000;
/// Processors that one payment may be offered to, one after the other.
pub const ROUTE_ATTEMPTS_MAX: usize = 3;

// A stale reading must be refused before the transaction that has lived again since can have left memory once more.
const _: () = assert!(HYDRATION_AGE_MAX_MS < RESIDENCY_MIN_MS);
const _: () = assert!(EVICTION_ABOVE_PERCENT < 100);
// A turn and the operation that made it large (at most a refund's record, its sale's and its batch's) are one frame of the journal.
const _: () = assert!(TURN_CLOSES_AT_BYTES + 4 * protocol::limits::RECORD_MAX_BYTES <= protocol::frame::FRAME_PAYLOAD_BYTES_MAX);
// A position in a table fits the two bytes that a transaction's record has for it.
const _: () = assert!(RULES_MAX < u16::MAX as usize);
const _: () = assert!(ROUTES_MAX < u16::MAX as usize);
// So are a turn that is nearly large and all parts of a change of the configuration.
const _: () = assert!(
    TURN_CLOSES_AT_BYTES + protocol::change::CHANGE_PARTS_MAX * (protocol::change::CHANGE_PART_MAX_BYTES + 128)
        <= protocol::frame::FRAME_PAYLOAD_BYTES_MAX
);
// Every shard has trace numbers for a few thousand requests in flight.
const _: () = assert!(protocol::limits::STAN_MAX / SHARDS_MAX as u32 > 10_000);
