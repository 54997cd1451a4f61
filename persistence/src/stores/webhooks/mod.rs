//! Webhooks: the outbox of what could not be told at once.

/// Where a delivery stands. Numbers are stored, so they are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DeliveryState {
    /// It is tried again when its time has come, and everything of its lane waits behind it.
    Pending = 1,
    /// The receiver has said that it has it.
    Delivered = 2,
    /// Given up.
    Dead = 3,
}
