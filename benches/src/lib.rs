//! What the criterion benches and the side-by-side table measure alike: one message, one kind of payment, one kind of record.

pub mod authorization;
pub mod history;
pub mod payments;
pub mod postgres;
pub mod records;
pub mod recovery;
pub mod rules;
pub mod server;
pub mod stage;

/// The switch's own, for all that is measured in a process of these: it lays large tables in large pages, which the system's does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
