//! The journal without threads: open, append, sync. A simulator drives it step by step; [`Journal`](super::Journal) drives
//! the same parts from threads.

use std::sync::Arc;

use protocol::frame::{
    BLOCK_BYTES, Durable, FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, JournalId, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN,
    SegmentHeader,
};

use super::chain;
use super::disk::{Access, Disk, DiskFile};
use super::draft::Draft;
use super::error::{AppendError, DiskFault, JournalError};
use super::framer::{Framer, Position};
use super::names;
use super::recovery::{self, Recovered, Survey};
use super::supply::Supply;
use super::tail::{Tail, append_error};
use super::walk::Segment;
use super::watch::SpaceGauge;

/// How a journal is opened.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Size of new segments in bytes: a multiple of 4096 from [`SEGMENT_BYTES_MIN`] to [`SEGMENT_BYTES_MAX`].
    pub segment_bytes: u64,
    /// Segments kept pre-written behind the one in use, 1 to 16. They are the reserve when the disk is nearly full: outcomes
    /// and reversals of all open transactions must fit in them.
    pub segments_ahead: u32,
    /// Below this much free space, in bytes, nothing more is pre-written and [`Space`](super::Space) is nearly full.
    pub free_bytes_min: u64,
    /// LSN up to which the caller has everything (the projection's); records behind it are replayed. Opening refuses if the
    /// journal ends before it or begins after it.
    pub replay_after: u64,
    /// Name for a journal that is created; drawn at random if `None`. A simulator gives one.
    pub new_journal_id: Option<JournalId>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            segments_ahead: 2,
            free_bytes_min: 256 * 1024 * 1024,
            replay_after: 0,
            new_journal_id: None,
        }
    }
}

impl LogOptions {
    fn check(&self) -> Result<(), JournalError> {
        let bytes = self.segment_bytes;
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) || !bytes.is_multiple_of(BLOCK_BYTES as u64) {
            let bound = "a multiple of 4096 from 81920 to 1073741824";
            return Err(JournalError::Option { option: "segment_bytes", value: bytes, bound });
        }
        if !(1..=16).contains(&self.segments_ahead) {
            let value = u64::from(self.segments_ahead);
            return Err(JournalError::Option { option: "segments_ahead", value, bound: "from 1 to 16" });
        }
        Ok(())
    }

    /// The largest batch that has room in a segment of its own.
    fn batch_bytes_max(&self) -> usize {
        let between = self.segment_bytes as usize - 2 * BLOCK_BYTES - FRAME_HEADER_BYTES;
        between.min(FRAME_PAYLOAD_BYTES_MAX)
    }
}

/// An open journal, its owner the only one to write it.
pub struct Log<D: Disk> {
    pub(super) framer: Framer,
    pub(super) tail: Tail<D>,
    pub(super) lock: D::Lock,
    pub(super) batch_bytes_max: usize,
    draft: Draft,
}

impl<D: Disk> Log<D> {
    /// Takes the lock, verifies what is there, cuts a torn tail, and stands ready behind the last record. A folder without a
    /// journal gets a new one. `replay` sees every record after `options.replay_after` with its LSN, in order; when it has
    /// seen some and an error follows, nothing of it holds.
    pub fn open(disk: D, options: LogOptions, replay: impl FnMut(u64, &[u8])) -> Result<(Self, Recovered), JournalError> {
        options.check()?;
        let disk = Arc::new(disk);
        let lock = disk.lock().map_err(DiskFault::of("lock", "the folder"))?.ok_or(JournalError::Locked)?;
        remove_unfinished(&*disk)?;
        // A killed process may have renamed a segment into place without syncing the folder; a record put there must not be
        // lost with the name.
        disk.sync_folder().map_err(DiskFault::of("sync", "the folder"))?;
        let opened = match recovery::survey(&*disk, options.replay_after, replay)? {
            Some(survey) => resume(disk, &options, survey)?,
            None if options.replay_after > 0 => {
                return Err(JournalError::Behind { last_lsn: 0, known: options.replay_after });
            }
            None => create(disk, &options)?,
        };
        let (tail, at, recovered) = opened;
        let framer = Framer::new(recovered.journal_id, options.segment_bytes, at);
        let batch_bytes_max = options.batch_bytes_max();
        let draft = Draft::with_room_for(0);
        Ok((Self { framer, tail, lock, batch_bytes_max, draft }, recovered))
    }

    /// Appends batches of whole records, each with its count, as one frame, and syncs it. One LSN range for all. Panics if a
    /// batch is not exactly its count of records, for that is a bug of the caller's and must not reach the disk.
    pub fn append_group(&mut self, batches: &[(&[u8], u32)]) -> Result<Durable, AppendError> {
        let bytes = batches.iter().map(|(records, _)| records.len()).sum();
        if bytes > self.batch_bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max: self.batch_bytes_max });
        }
        self.draft.clear();
        for (records, count) in batches {
            assert_records(records, *count);
            self.framer.push(&mut self.draft, records, *count);
        }
        if self.draft.is_empty() {
            return Ok(Durable::after_sync(self.framer.next_lsn(), self.framer.next_lsn() - 1));
        }
        if self.framer.must_roll(&self.draft) {
            // Before the framer moves on, so that a full disk leaves it where it is.
            self.tail.supply().obtain(self.framer.segment() + 1).map_err(append_error)?;
        }
        let placed = self.framer.close(&mut self.draft);
        self.tail.commit(&placed, self.draft.blocks())?;
        Ok(Durable::after_sync(placed.first_lsn, self.framer.next_lsn() - 1))
    }

    /// Pre-writes segments until the reserve is whole or the disk nearly full. A [`Journal`](super::Journal) has a thread for
    /// it; a caller without one calls this now and then, or pays for the next segment when it is needed.
    pub fn prepare_ahead(&mut self) -> Result<(), AppendError> {
        self.tail.supply().replenish(false).map_err(append_error)
    }

    /// Room left, as last seen.
    pub fn space(&self) -> SpaceGauge {
        self.tail.supply().space().clone()
    }

    /// LSN of the newest record, durable; 0 if there is none.
    pub fn last_lsn(&self) -> u64 {
        self.framer.next_lsn() - 1
    }

    /// Largest group that [`append_group`](Self::append_group) takes, in bytes.
    pub fn batch_bytes_max(&self) -> usize {
        self.batch_bytes_max
    }
}

/// Our own invariant, checked where it can still stop the process instead of the next start.
pub(super) fn assert_records(records: &[u8], count: u32) {
    if let Err(fault) = protocol::frame::check_records(records, count) {
        panic!("batch of {} bytes is not {count} records: {fault}", records.len());
    }
}

type Opened<D> = (Tail<D>, Position, Recovered);

fn resume<D: Disk>(disk: Arc<D>, options: &LogOptions, survey: Survey) -> Result<Opened<D>, JournalError> {
    let Survey { recovered, end, sealed, prepared } = survey;
    sync_what_was_read(&*disk, end.segment)?;
    if let Some(cut) = &recovered.cut {
        recovery::mend(&*disk, cut)?;
    }
    let ready = keep_fitting(&*disk, options, &prepared)?.unwrap_or(end.segment);
    let supply = Arc::new(supply(&disk, options, end.segment, ready));
    if !sealed {
        return Ok((Tail::resume(disk, supply, end.segment)?, end, recovered));
    }
    let next = end.segment.checked_add(1).expect("segment numbers outlast any disk");
    let header = SegmentHeader::sealed_with(next, end.next_lsn, options.segment_bytes, recovered.journal_id, end.chain);
    Ok((begin(disk, supply, &header)?, Position::start_of(&header), recovered))
}

/// A process that was killed may have written its last frame and not synced it. It is whole, so it counts, and from here on
/// others act on it: it must not be lost to a power cut any more. Every earlier segment was synced before the last was begun.
fn sync_what_was_read<D: Disk>(disk: &D, segment: u32) -> Result<(), JournalError> {
    let name = names::segment(segment);
    // Not the file that is written later: its sync may rely on writes that are durable by themselves.
    let file = disk.open(&name, Access::Read).map_err(DiskFault::of("open", &name))?;
    Ok(file.sync().map_err(DiskFault::of("sync", &name))?)
}

fn create<D: Disk>(disk: Arc<D>, options: &LogOptions) -> Result<Opened<D>, JournalError> {
    let journal_id = match options.new_journal_id {
        Some(id) => id,
        None => draw_journal_id()?,
    };
    let ready = keep_fitting(&*disk, options, &recovery::numbers(&*disk)?)?.unwrap_or(0);
    let supply = Arc::new(supply(&disk, options, 0, ready));
    let header = SegmentHeader::sealed_with(1, 1, options.segment_bytes, journal_id, chain::genesis(journal_id));
    let at = Position::start_of(&header);
    let recovered =
        Recovered { journal_id, first_lsn: 1, last_lsn: 0, segments: 1, frames: 0, records: 0, chain: header.chain, cut: None };
    Ok((begin(disk, supply, &header)?, at, recovered))
}

fn supply<D: Disk>(disk: &Arc<D>, options: &LogOptions, begun: u32, ready: u32) -> Supply<D> {
    Supply::new(disk.clone(), options.segment_bytes, options.segments_ahead, options.free_bytes_min, begun, ready)
}

fn begin<D: Disk>(disk: Arc<D>, supply: Arc<Supply<D>>, header: &SegmentHeader) -> Result<Tail<D>, JournalError> {
    let segment_bytes = header.segment_bytes.get();
    Tail::begin(disk, supply, header).map_err(|error| match error {
        AppendError::Disk(fault) => JournalError::Disk(fault),
        AppendError::Full | AppendError::TooLarge { .. } | AppendError::Failed => JournalError::NoRoom { segment_bytes },
    })
}

fn draw_journal_id() -> Result<JournalId, JournalError> {
    let mut id = [0; 16];
    aws_lc_rs::rand::fill(&mut id)
        .map_err(|_| std::io::Error::other("the system gave no random bytes"))
        .map_err(DiskFault::of("draw a name for", "the journal"))?;
    Ok(JournalId(id))
}

/// Half-written segments of an earlier life hold nothing but zeros.
fn remove_unfinished<D: Disk>(disk: &D) -> Result<(), JournalError> {
    for name in disk.list().map_err(DiskFault::of("list", "the folder"))? {
        if names::is_unfinished(&name) {
            disk.remove(&name).map_err(DiskFault::of("remove", &name))?;
        }
    }
    Ok(())
}

/// Removes pre-written segments whose size is no longer the one asked for, from the last on, so that no gap appears. Gives
/// the highest number left among `prepared`.
fn keep_fitting<D: Disk>(disk: &D, options: &LogOptions, prepared: &[u32]) -> Result<Option<u32>, JournalError> {
    let mut misfit = prepared.len();
    for (index, number) in prepared.iter().enumerate().rev() {
        if Segment::open(disk, *number, BLOCK_BYTES)?.file_bytes() != options.segment_bytes {
            misfit = index;
        }
    }
    for number in prepared[misfit..].iter().rev() {
        let name = names::segment(*number);
        disk.remove(&name).map_err(DiskFault::of("remove", &name))?;
        // Each by itself: removals that reach the disk in another order would leave a gap.
        disk.sync_folder().map_err(DiskFault::of("sync", "the folder"))?;
    }
    Ok(prepared[..misfit].last().copied())
}
