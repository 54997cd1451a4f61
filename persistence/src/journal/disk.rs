//! What the journal asks of a disk. The real one is [`OsDisk`](super::OsDisk); a simulated one can lose, tear, reorder
//! and rot what was not synced, fill up, and fail a sync.

use std::io;

/// What a file is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading only.
    Read,
    /// Overwriting blocks that exist; each write is followed by [`DiskFile::sync`] before it counts.
    Commit,
    /// A new file, filled with zeros from its start; fails if the name is taken.
    Create,
}

/// A folder of files with whole-block writes. Names are flat.
pub trait Disk: Send + Sync + 'static {
    /// An open file.
    type File: DiskFile;
    /// Held as long as this process may write; dropping it lets another in.
    type Lock: Send + 'static;

    /// Takes the folder for writing; `None` if another holds it.
    fn lock(&self) -> io::Result<Option<Self::Lock>>;
    /// Names of all files, in any order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens or creates `name`.
    fn open(&self, name: &str, access: Access) -> io::Result<Self::File>;
    /// Renames a file; durable after [`sync_folder`](Self::sync_folder).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; durable after [`sync_folder`](Self::sync_folder).
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_folder(&self) -> io::Result<()>;
    /// Bytes that this process could still write.
    fn free_bytes(&self) -> io::Result<u64>;
    /// Ends the process over a failed write or sync, after saying why. A test's disk may unwind instead.
    fn abort(&self, report: &str) -> !;
}

/// One file of a [`Disk`].
pub trait DiskFile: Send + 'static {
    /// Bytes in the file.
    fn size(&self) -> io::Result<u64>;
    /// Fills `bytes` from `offset`; an error if the file ends before.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes whole blocks at a block's offset, from memory aligned to a block.
    fn write_at(&self, blocks: &[u8], offset: u64) -> io::Result<()>;
    /// Returns when all writes to this file are on stable storage. Never called again after it failed.
    fn sync(&self) -> io::Result<()>;
}
