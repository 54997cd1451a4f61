//! The journal: what was decided, in order, before anybody hears of it.
//!
//! Lives here: segments on disk, group commit, the threads that write and pre-write, recovery, and the reader that the
//! projection tails. Must not live here: what a record means (it is opaque bytes behind a size), SQL, the shard.
//!
//! Two layers, so that the same code runs under a simulated disk and under real threads:
//! - [`Log`] is the synchronous core over a [`Disk`]: framing, placement, recovery. It starts no thread and reads no clock.
//! - [`Journal`] is a thin set of threads over a `Log`: it merges what waits into one frame, syncs once, and hands every
//!   batch back in the order of submission with a [`Durable`](protocol::frame::Durable) token.
//!
//! Three rules hold it together. One write is in flight at a time, so only the last frame can be torn. A failed write or
//! sync ends the process, for a retried sync may report success over lost data. A damaged frame that a whole one follows
//! was acknowledged once, so recovery refuses instead of cutting.

mod archive;
mod block;
mod chain;
mod disk;
mod draft;
mod error;
mod framer;
mod log;
mod names;
mod os_disk;
mod reader;
mod recent;
mod recovery;
#[cfg(any(test, feature = "simulated-disk"))]
pub mod simulated;
mod sleeper;
mod supply;
mod tail;
mod verify;
mod walk;
mod watch;
mod window;
mod writer;

#[cfg(test)]
mod tests;

pub use archive::{Archivist, Retired};
pub use disk::{Access, Disk, DiskFile};
pub use error::{AppendError, DiskFault, Found, JournalError};
pub use log::{Log, LogOptions};
pub use os_disk::{OsDisk, OsFile};
pub use reader::Reader;
pub use recent::{Recent, RecentFirst, RecentFirstFile};
pub use recovery::{Cut, Recovered};
pub use verify::{Report, extent, verify, verify_with};
pub use watch::{DurableWatch, Space, SpaceGauge};
pub use writer::{Batch, Journal, Refused, SubmitError, SubmitRefusal, Submitter, WriterOptions};
