//! The newest frames, kept in memory for whoever follows the journal.
//!
//! The journal is written past the page cache. Who follows it would have the disk read what has just been written, and the next
//! write wait behind that. What is no longer here is read from the file.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Access, Disk, DiskFile};
use super::names;

/// Bytes of frames that are kept: some hundred milliseconds of the most that a disk takes.
const RECENT_BYTES: usize = 16 << 20;
/// Bytes that are copied out at a time. The journal may come in between two such copies, and mostly does; a lock that is not fair promises
/// no more than that it need not wait for the whole.
const PIECE_BYTES: usize = 16 << 10;

/// The frames. Clones are the same.
#[derive(Clone)]
pub struct Recent(Arc<Mutex<Ring>>);

/// A ring of bytes. Positions count every byte that was ever put in.
struct Ring {
    bytes: Box<[u8]>,
    end: u64,
    frames: VecDeque<Kept>,
}

/// Where a frame is: in its segment, and in the ring. Frames of one segment stand in both behind each other.
struct Kept {
    segment: u32,
    offset: u64,
    position: u64,
}

impl Recent {
    pub(super) fn new() -> Recent {
        Recent::with_room_for(RECENT_BYTES)
    }

    fn with_room_for(bytes: usize) -> Recent {
        // Zeroed memory costs nothing until it is written.
        Recent(Arc::new(Mutex::new(Ring { bytes: vec![0; bytes].into(), end: 0, frames: VecDeque::new() })))
    }

    /// Takes a frame that is durable, before anybody is told so.
    pub(super) fn push(&self, segment: u32, offset: u64, blocks: &[u8]) {
        self.ring().push(segment, offset, blocks);
    }

    /// Copies what it has of a segment from `offset` on, in pieces; 0 when some of that is no longer, or nothing of it yet, here.
    fn copy(&self, segment: u32, offset: u64, into: &mut [u8]) -> usize {
        let mut copied = 0;
        for piece in into.chunks_mut(PIECE_BYTES) {
            let count = match self.ring().copy(segment, offset + copied as u64, piece) {
                Some(count) => count,
                None => return 0,
            };
            copied += count;
            // A frame that comes between two pieces is for the next call: it begins here, not where the next piece does.
            if count < piece.len() {
                break;
            }
        }
        copied
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, segment: u32, offset: u64, blocks: &[u8]) {
        if blocks.len() > self.bytes.len() {
            return self.frames.clear();
        }
        self.frames.push_back(Kept { segment, offset, position: self.end });
        let (start, size) = (self.place(self.end), self.bytes.len());
        let (head, tail) = blocks.split_at(blocks.len().min(size - start));
        self.bytes[start..start + head.len()].copy_from_slice(head);
        self.bytes[..tail.len()].copy_from_slice(tail);
        self.end += blocks.len() as u64;
        while self.frames.front().is_some_and(|oldest| self.end - oldest.position > size as u64) {
            self.frames.pop_front();
        }
    }

    /// None when it is no longer here.
    fn copy(&self, segment: u32, offset: u64, into: &mut [u8]) -> Option<usize> {
        let behind = self.frames.partition_point(|frame| (frame.segment, frame.offset) <= (segment, offset));
        let first = self.frames.get(behind.checked_sub(1)?).filter(|frame| frame.segment == segment)?;
        let beyond = self.frames.partition_point(|frame| frame.segment <= segment);
        let end = self.frames.get(beyond).map_or(self.end, |frame| frame.position);
        let position = first.position + (offset - first.offset);
        let count = into.len().min(usize::try_from(end.saturating_sub(position)).unwrap_or(usize::MAX));
        let (start, size) = (self.place(position), self.bytes.len());
        let (head, tail) = into[..count].split_at_mut(count.min(size - start));
        head.copy_from_slice(&self.bytes[start..start + head.len()]);
        tail.copy_from_slice(&self.bytes[..tail.len()]);
        Some(count)
    }

    fn place(&self, position: u64) -> usize {
        (position % self.bytes.len() as u64) as usize
    }
}

/// A disk on which the newest frames are read from memory.
pub struct RecentFirst<D> {
    disk: D,
    recent: Recent,
}

impl<D: Disk> RecentFirst<D> {
    /// `recent` is kept by the journal that is written to `disk`.
    pub fn new(disk: D, recent: Recent) -> RecentFirst<D> {
        RecentFirst { disk, recent }
    }
}

impl<D: Disk> Disk for RecentFirst<D> {
    type File = RecentFirstFile<D::File>;
    type Lock = D::Lock;

    fn lock(&self) -> io::Result<Option<D::Lock>> {
        self.disk.lock()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Self::File> {
        let file = self.disk.open(name, access)?;
        Ok(RecentFirstFile { file, segment: names::number(name), recent: self.recent.clone() })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.disk.sync_folder()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }

    fn abort(&self, report: &str) -> ! {
        self.disk.abort(report)
    }
}

/// A file of a [`RecentFirst`].
pub struct RecentFirstFile<F> {
    file: F,
    segment: Option<u32>,
    recent: Recent,
}

impl<F: DiskFile> DiskFile for RecentFirstFile<F> {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    /// Behind the newest frame that is in memory lies what no one has written yet: zeros.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self.segment.map_or(0, |segment| self.recent.copy(segment, offset, bytes)) {
            0 => self.file.read_at(bytes, offset),
            copied => {
                bytes[copied..].fill(0);
                Ok(())
            }
        }
    }

    fn write_at(&self, blocks: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(blocks, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    /// Frames of drawn sizes over drawn segments; whatever is still there is what was put in, and the newest always is.
    #[test]
    fn what_is_kept_is_what_was_written() {
        const ROOM: usize = 10_000;
        let recent = Recent::with_room_for(ROOM);
        let mut segments: Vec<Vec<u8>> = vec![Vec::new()];
        let mut drawn = 1_u64;
        let mut draw = |below: u64| {
            drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (drawn >> 33) % below
        };
        for round in 0..2_000_u64 {
            if draw(20) == 0 {
                segments.push(Vec::new());
            }
            let number = segments.len() as u32;
            let frame = vec![(round % 255) as u8 + 1; draw(3_000) as usize + 1];
            let segment = segments.last_mut().unwrap();
            recent.push(number, segment.len() as u64, &frame);
            let offset = segment.len();
            segment.extend(&frame);
            let mut read = vec![0; 5_000];
            assert_eq!(recent.copy(number, offset as u64, &mut read), frame.len(), "the newest is here");
            let (asked, from) = (draw(segments.len() as u64) as usize, draw(20_000));
            let copied = recent.copy(asked as u32 + 1, from, &mut read);
            let whole = &segments[asked];
            assert_eq!(&read[..copied], whole.get(from as usize..from as usize + copied).unwrap_or(&[]), "round {round}");
        }
        recent.push(9_999, 0, &vec![1; ROOM + 1]);
        assert_eq!(recent.copy(9_999, 0, &mut [0; 8]), 0, "a frame that is larger than the room is not kept");
    }

    /// A frame that comes while an earlier one is copied leaves no gap.
    #[test]
    fn what_is_copied_beside_the_writer_is_what_was_written() {
        const FRAME_BYTES: u64 = 4_096;
        const END: u64 = 8_000 * FRAME_BYTES;
        let at = |offset: u64| (offset % 251) as u8;
        let (recent, written) = (Recent::with_room_for(1 << 20), Arc::new(AtomicU64::new(0)));
        let (journal, end) = (recent.clone(), Arc::clone(&written));
        let writer = thread::spawn(move || {
            for offset in (0..END).step_by(FRAME_BYTES as usize) {
                let frame: Vec<u8> = (offset..offset + FRAME_BYTES).map(at).collect();
                journal.push(1, offset, &frame);
                end.store(offset + FRAME_BYTES, Ordering::Release);
            }
        });
        let (mut read, mut from) = (vec![0; 4 * PIECE_BYTES], 0);
        while from < END {
            let copied = recent.copy(1, from, &mut read);
            let as_written = read[..copied].iter().zip(from..).all(|(byte, offset)| *byte == at(offset));
            assert!(as_written, "{copied} bytes from {from} on");
            // Nothing yet, or no longer.
            from = if copied == 0 { written.load(Ordering::Acquire) } else { from + copied as u64 };
        }
        writer.join().unwrap();
    }
}
