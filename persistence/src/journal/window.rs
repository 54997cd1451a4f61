//! A file seen through a buffer that moves forward: few large reads, and the caller slices what it needs.

use std::io;

use super::disk::DiskFile;

/// First read after [`Window::forget`], bytes. Behind the newest frame of a journal that is being written lie megabytes of zeros; whoever
/// follows it comes for a few frames at a time.
const FRESH_READ_BYTES: usize = 16 * 1024;

/// The part of a file that is in memory.
pub(super) struct Window<F> {
    file: F,
    file_bytes: u64,
    /// The most that is read at once, unless a caller needs more in one piece.
    read_bytes_max: usize,
    /// What is read next: it doubles with each read that goes on forward.
    read_bytes: usize,
    start: u64,
    filled: usize,
    bytes: Vec<u8>,
}

impl<F: DiskFile> Window<F> {
    /// Reads `read_bytes` at a time, or more where a caller needs more in one piece.
    pub(super) fn new(file: F, read_bytes: usize) -> io::Result<Self> {
        let file_bytes = file.size()?;
        Ok(Self { file, file_bytes, read_bytes_max: read_bytes, read_bytes, start: 0, filled: 0, bytes: Vec::new() })
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The bytes from `offset` on: at least `need` of them, fewer only where the file ends. Callers bound `need` by the
    /// format's limits.
    pub(super) fn at(&mut self, offset: u64, need: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.file_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let need = need.min(left);
        let end = self.start + self.filled as u64;
        if offset < self.start || offset + need as u64 > end {
            self.fill(offset, need.max(self.read_bytes).min(left))?;
        }
        let from = usize::try_from(offset - self.start).map_or(self.filled, |from| from.min(self.filled));
        Ok(&self.bytes[from..self.filled])
    }

    /// Drops what was read: the next call sees the file as it is then.
    pub(super) fn forget(&mut self) {
        self.filled = 0;
        self.read_bytes = self.read_bytes_max.min(FRESH_READ_BYTES);
    }

    fn fill(&mut self, offset: u64, bytes: usize) -> io::Result<()> {
        self.filled = 0;
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes, 0);
        }
        self.file.read_at(&mut self.bytes[..bytes], offset)?;
        (self.start, self.filled) = (offset, bytes);
        self.read_bytes = (self.read_bytes * 2).min(self.read_bytes_max);
        Ok(())
    }
}
