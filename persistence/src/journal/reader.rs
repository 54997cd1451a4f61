//! Records in order, from any LSN, while the journal is being written or after.

use std::path::Path;

use protocol::frame::{FrameFault, JournalId, SegmentFault, SegmentHeader, records};

use super::chain;
use super::disk::Disk;
use super::error::{Found, JournalError};
use super::framer::Position;
use super::os_disk::OsDisk;
use super::recovery;
use super::walk::{Chained, Segment};

/// Read-ahead: large enough to make reads cheap, small enough not to read a megabyte of zeros behind every short frame.
const READ_BYTES: usize = 256 * 1024;

/// Reads forward and verifies as it goes: checksum, LSN, chain, seals and headers, as recovery does. Only a chain that this very
/// process is writing is taken at its word: see [`beside_writer_from`](Self::beside_writer_from).
pub struct Reader<D: Disk = OsDisk> {
    disk: D,
    journal_id: JournalId,
    header: SegmentHeader,
    segment: Segment<D::File>,
    /// Behind the frame that is being handed out.
    at: Position,
    /// Payload not handed out yet: its place in the segment, and the LSN it begins with.
    rest: Option<Rest>,
    from_lsn: u64,
    /// Frames that begin here or later are this process's own.
    own_from: u64,
}

/// A segment and the header it begins with.
type Started<D> = (Segment<<D as Disk>::File>, SegmentHeader);

#[derive(Clone, Copy)]
struct Rest {
    offset: u64,
    bytes: usize,
    lsn: u64,
}

impl Reader<OsDisk> {
    /// Opens the journal in `folder` to read from `from_lsn` (1: from the start). The record need not be there yet.
    pub fn open(folder: impl AsRef<Path>, from_lsn: u64) -> Result<Self, JournalError> {
        Reader::on(OsDisk::open_to_read(folder), from_lsn)
    }
}

/// The segment that record `from_lsn` is in, or will be in. They are looked at from the newest back: the oldest may be
/// leaving for the archive meanwhile.
fn segment_with<D: Disk>(disk: &D, from_lsn: u64) -> Result<Started<D>, JournalError> {
    let mut first_lsn = 0;
    for number in recovery::numbers(disk)?.into_iter().rev() {
        let mut segment = Segment::open(disk, number, READ_BYTES)?;
        // One without a header is waiting or being begun. If it is damaged, reading on into it says so.
        let Ok(header) = segment.header(number)? else { continue };
        first_lsn = header.first_lsn.get();
        if first_lsn <= from_lsn {
            return Ok((segment, header));
        }
    }
    Err(JournalError::Archived { wanted: from_lsn, first_lsn })
}

impl<D: Disk> Reader<D> {
    /// The same on any disk.
    pub fn on(disk: D, from_lsn: u64) -> Result<Self, JournalError> {
        let from_lsn = from_lsn.max(1);
        let (segment, header) = segment_with(&disk, from_lsn)?;
        let at = Position::start_of(&header);
        Ok(Self { disk, journal_id: header.journal_id(), header, segment, at, rest: None, from_lsn, own_from: u64::MAX })
    }

    /// From `lsn` on the frames are written by this process while it is read. Their links of the chain are not computed a second time;
    /// checksums, places and seals are looked at all the same.
    #[must_use]
    pub fn beside_writer_from(self, lsn: u64) -> Self {
        Self { own_from: lsn, ..self }
    }

    /// The next record with its LSN, if that is at most `until`; `None` otherwise, and it may be called again when more is
    /// durable. `until` must be durable: a missing or damaged frame at or below it is an error. With `u64::MAX` the clean end
    /// of a journal that nobody writes is `None` too.
    pub fn next(&mut self, until: u64) -> Result<Option<(u64, &[u8])>, JournalError> {
        loop {
            let Some(rest) = self.rest else {
                if self.at.next_lsn > until || !self.load(until)? {
                    return Ok(None);
                }
                continue;
            };
            if rest.lsn > until {
                return Ok(None);
            }
            let bytes = self.record_bytes(rest)?;
            let left = Rest { offset: rest.offset + bytes as u64, bytes: rest.bytes - bytes, lsn: rest.lsn + 1 };
            self.rest = Some(left).filter(|left| left.bytes > 0);
            if rest.lsn >= self.from_lsn {
                let record = &self.segment.bytes(rest.offset, bytes)?[..bytes];
                return Ok(Some((rest.lsn, record)));
            }
        }
    }

    /// LSN of the record that [`next`](Self::next) gives next.
    pub fn next_lsn(&self) -> u64 {
        self.rest.map_or(self.at.next_lsn, |rest| rest.lsn).max(self.from_lsn)
    }

    /// Size of the record at the start of `rest`. The frame was checked when it was loaded, so a fault here means that the
    /// file changed under us.
    fn record_bytes(&mut self, rest: Rest) -> Result<usize, JournalError> {
        let payload = self.segment.bytes(rest.offset, rest.bytes)?;
        let first = records(payload.get(..rest.bytes).unwrap_or(payload)).next();
        match first {
            Some(Ok(record)) => Ok(record.len()),
            Some(Err(fault)) => Err(self.corrupt(Found::Fault(FrameFault::Record(fault)))),
            None => Err(self.corrupt(Found::End)),
        }
    }

    /// Loads the next frame that holds a wanted record; false at the clean end when `until` has no bound.
    fn load(&mut self, until: u64) -> Result<bool, JournalError> {
        // What lies ahead in the buffer may be older than the frames written since: a fault counts on fresh bytes only.
        if self.try_load()?.is_ok() {
            return Ok(true);
        }
        self.segment.forget();
        match self.try_load()? {
            Ok(()) => Ok(true),
            Err(found) => self.cross_over(found, until),
        }
    }

    fn try_load(&mut self) -> Result<Result<(), Found>, JournalError> {
        if self.at.offset == self.at.seal_offset() {
            return Ok(Err(Found::Fault(FrameFault::Blank)));
        }
        let chained = if self.at.next_lsn < self.own_from { Chained::Proven } else { Chained::Taken };
        let (frame, next) = match self.segment.step(&self.at, self.journal_id, chained)? {
            Ok(step) => step,
            Err(found) => return Ok(Err(found)),
        };
        let offset = self.at.offset + (frame.header.frame_bytes() - frame.payload.len()) as u64;
        self.rest = Some(Rest { offset, bytes: frame.payload.len(), lsn: self.at.next_lsn });
        self.at = next;
        Ok(Ok(()))
    }

    /// No frame here: goes on in the next segment if a seal says that this one ends here.
    fn cross_over(&mut self, found: Found, until: u64) -> Result<bool, JournalError> {
        let seal = self.segment.seal(&self.header)?.ok().filter(|seal| seal.first_lsn.get() == self.at.next_lsn);
        let Some(seal) = seal else {
            let clean = found == Found::Fault(FrameFault::Blank) && until == u64::MAX;
            return if clean { Ok(false) } else { Err(self.corrupt(found)) };
        };
        if !chain::closes(self.at.chain, &seal) {
            return Err(self.corrupt(Found::Seal { next_lsn: seal.first_lsn.get() }));
        }
        let Some((segment, header)) = self.next_segment(until)? else {
            return Ok(false);
        };
        (self.segment, self.header, self.at) = (segment, header, Position::start_of(&header));
        self.load(until)
    }

    fn next_segment(&self, until: u64) -> Result<Option<Started<D>>, JournalError> {
        let number = self.at.segment + 1;
        if !recovery::numbers(&self.disk)?.contains(&number) {
            return if until == u64::MAX { Ok(None) } else { Err(self.corrupt(Found::End)) };
        }
        let mut segment = Segment::open(&self.disk, number, READ_BYTES)?;
        let header = match segment.header(number)? {
            Ok(header) => header,
            Err(SegmentFault::Blank) if until == u64::MAX => return Ok(None),
            Err(fault) => return Err(JournalError::SegmentHeader { name: segment.name, fault }),
        };
        if header.journal_id() != self.journal_id {
            let (found, expected) = (header.journal_id(), self.journal_id);
            return Err(JournalError::Foreign { name: segment.name, found, expected });
        }
        segment.expect("first LSN", header.first_lsn.get(), self.at.next_lsn)?;
        let start = Position::start_of(&header);
        let linked = start.chain == self.at.chain;
        if linked { Ok(Some((segment, header))) } else { Err(segment.corrupt(&start, Found::Chain)) }
    }

    fn corrupt(&self, found: Found) -> JournalError {
        self.segment.corrupt(&self.at, found)
    }
}
