//! What is on disk after whatever happened, and whether it may be continued.
//!
//! The survey only reads. It finds the journal's end, or refuses. Mending, which zeroes a torn tail, is a step of its own
//! that a writer takes and a verifier does not.
//!
//! A frame that can't be read is a torn tail only if no whole frame of this journal follows it anywhere. One write is in
//! flight at a time and each is synced before the next, so a whole frame further on proves that the bad one was durable
//! once and acknowledged; cutting it would lose answers that clients hold.

use protocol::frame::{
    BLOCK_BYTES, Chain, FRAME_MAGIC, FRAME_PAYLOAD_BYTES_MAX, FrameFault, FrameHeader, JournalId, SegmentFault, SegmentHeader,
};

use super::block::BlockBuffer;
use super::chain;
use super::disk::{Access, Disk, DiskFile};
use super::error::{DiskFault, Found, JournalError};
use super::framer::Position;
use super::names;
use super::walk::{Chained, Segment, is_zero};

const BLOCK: u64 = BLOCK_BYTES as u64;
/// Large enough that a window holds several of the largest usual groups.
const READ_BYTES: usize = FRAME_PAYLOAD_BYTES_MAX;

/// What opening found. `cut` is worth an operator's look; nothing in it was ever acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The journal's name.
    pub journal_id: JournalId,
    /// LSN of the oldest record kept here; `last_lsn + 1` if there is none.
    pub first_lsn: u64,
    /// LSN of the newest record; 0 in a journal that never had one.
    pub last_lsn: u64,
    /// Segments begun, the one in use included.
    pub segments: u32,
    /// Frames verified byte by byte; segments wholly before `replay_after` are checked by header and seal only.
    pub frames: u64,
    /// Records in those frames.
    pub records: u64,
    /// The chain's value at the end.
    pub chain: Chain,
    /// The torn tail, if there was one.
    pub cut: Option<Cut>,
}

/// A torn tail: a write that a crash interrupted before it was synced, so before anybody was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub name: String,
    /// Where the last whole frame ends.
    pub offset: u64,
    /// Bytes from there to the last one that is not zero, in whole blocks.
    pub bytes: u64,
    /// LSN that the torn frame would have begun with; it will be given out again.
    pub lsn: u64,
    /// What was found in place of a frame.
    pub found: String,
}

/// The journal's end as the survey sees it.
pub(super) struct Survey {
    pub(super) recovered: Recovered,
    /// Behind the last frame.
    pub(super) end: Position,
    /// Whether the segment at `end` is sealed; the next one then has no header yet.
    pub(super) sealed: bool,
    /// Segments written ahead with zeros, ascending.
    pub(super) prepared: Vec<u32>,
}

/// A segment with a header.
struct Begun {
    number: u32,
    header: SegmentHeader,
    seal: Result<FrameHeader, FrameFault>,
}

/// All numbers in the folder, ascending and without gaps.
pub(super) fn numbers<D: Disk>(disk: &D) -> Result<Vec<u32>, JournalError> {
    let listed = disk.list().map_err(DiskFault::of("list", "the folder"))?;
    let mut numbers: Vec<u32> = listed.iter().filter_map(|name| names::number(name)).collect();
    numbers.sort_unstable();
    match numbers.windows(2).find(|pair| pair[1] != pair[0] + 1) {
        None => Ok(numbers),
        Some(pair) => Err(JournalError::SegmentMissing { missing: names::segment(pair[0] + 1), next: names::segment(pair[1]) }),
    }
}

/// Reads the journal and finds its end; `None` if no segment was ever begun. Records after `replay_after` go to `replay`.
pub(super) fn survey<D: Disk>(
    disk: &D,
    replay_after: u64,
    mut replay: impl FnMut(u64, &[u8]),
) -> Result<Option<Survey>, JournalError> {
    let numbers = numbers(disk)?;
    let (begun, torn_header) = begun_segments(disk, &numbers)?;
    let prepared = numbers[begun.len()..].to_vec();
    let (Some(first), Some(last)) = (begun.first(), begun.last()) else {
        return Ok(None);
    };
    check_links(&begun)?;
    check_reach(first.header.first_lsn.get(), replay_after)?;
    let mut counted = Counted::default();
    let mut end = Position::start_of(&last.header);
    let mut cut = torn_header;
    for segment in &begun {
        let is_last = segment.number == last.number;
        let wanted = segment.seal.is_ok_and(|seal| seal.first_lsn.get() > replay_after.saturating_add(1));
        if !is_last && !wanted {
            continue;
        }
        let walked = walk(disk, segment, &prepared, &mut |lsn, record| {
            counted.records += 1;
            if lsn > replay_after {
                replay(lsn, record);
            }
        })?;
        counted.frames += walked.frames;
        end = walked.end;
        cut = walked.cut.or(cut);
    }
    let recovered = Recovered {
        journal_id: first.header.journal_id(),
        first_lsn: first.header.first_lsn.get(),
        last_lsn: end.next_lsn - 1,
        segments: begun.len() as u32,
        frames: counted.frames,
        records: counted.records,
        chain: end.chain,
        cut,
    };
    if recovered.last_lsn < replay_after {
        return Err(JournalError::Behind { last_lsn: recovered.last_lsn, known: replay_after });
    }
    Ok(Some(Survey { recovered, end, sealed: last.seal.is_ok(), prepared }))
}

#[derive(Default)]
struct Counted {
    frames: u64,
    records: u64,
}

/// The records behind `replay_after` are wanted: they must not have been archived away.
fn check_reach(first_lsn: u64, replay_after: u64) -> Result<(), JournalError> {
    if first_lsn > replay_after.saturating_add(1) {
        return Err(JournalError::Archived { wanted: replay_after + 1, first_lsn });
    }
    Ok(())
}

/// The segments with headers, from the front, and the header that a crash tore, if one is.
fn begun_segments<D: Disk>(disk: &D, numbers: &[u32]) -> Result<(Vec<Begun>, Option<Cut>), JournalError> {
    let mut begun: Vec<Begun> = Vec::new();
    let mut torn = None;
    for (index, number) in numbers.iter().enumerate() {
        let mut file = Segment::open(disk, *number, BLOCK_BYTES)?;
        match file.header(*number)? {
            Ok(header) if begun.len() == index => {
                let seal = file.seal(&header)?;
                begun.push(Begun { number: *number, header, seal });
            }
            Ok(_) => return Err(refused(*number - 1, SegmentFault::Blank)),
            Err(fault) => torn = unbegun(disk, *number, begun.len() == index, begun.last(), fault)?.or(torn),
        }
    }
    match numbers.first() {
        // Only segment 1 begins a journal: the others had a header once, and what stood before them is gone.
        Some(first) if begun.is_empty() && *first != 1 => Err(refused(*first, SegmentFault::Blank)),
        _ => Ok((begun, torn)),
    }
}

fn refused(number: u32, fault: SegmentFault) -> JournalError {
    JournalError::SegmentHeader { name: names::segment(number), fault }
}

/// A segment without a header: pre-written and waiting, or torn while its header was written. The latter is possible only
/// next in line behind a sealed segment (or at the very start). Nothing may be behind it either way: nobody was told of
/// anything in a segment without a header, so bytes there mean that the header is lost.
fn unbegun<D: Disk>(
    disk: &D,
    number: u32,
    is_next: bool,
    last: Option<&Begun>,
    fault: SegmentFault,
) -> Result<Option<Cut>, JournalError> {
    let begins_with = match last {
        None => Some(1),
        Some(last) => last.seal.ok().map(|seal| seal.first_lsn.get()),
    };
    let torn = begins_with.filter(|_| is_next && fault != SegmentFault::Blank);
    let may_wait = fault == SegmentFault::Blank || torn.is_some();
    if !may_wait || !zeros_behind_header(disk, number, is_next)? {
        return Err(refused(number, fault));
    }
    Ok(torn.map(|lsn| Cut { name: names::segment(number), offset: 0, bytes: BLOCK, lsn, found: fault.to_string() }))
}

/// Whether a segment was never written behind its header block. Of a segment that is not next in line the first frame's block
/// says enough: it can only be written when all before it are.
fn zeros_behind_header<D: Disk>(disk: &D, number: u32, is_next: bool) -> Result<bool, JournalError> {
    if !is_next {
        let mut file = Segment::open(disk, number, BLOCK_BYTES)?;
        return Ok(file.bytes(BLOCK, BLOCK_BYTES)?.iter().all(|byte| *byte == 0));
    }
    let mut file = Segment::open(disk, number, READ_BYTES)?;
    Ok(last_written_block(&mut file, BLOCK)?.is_none())
}

/// Neighbours agree: one journal, every segment but the last sealed, LSNs and chain handed over.
fn check_links(begun: &[Begun]) -> Result<(), JournalError> {
    for pair in begun.windows(2) {
        let (old, new) = (&pair[0], &pair[1]);
        let name = names::segment(new.number);
        if new.header.journal_id != old.header.journal_id {
            let (found, expected) = (new.header.journal_id(), old.header.journal_id());
            return Err(JournalError::Foreign { name, found, expected });
        }
        let at = Position::start_of(&old.header);
        let corrupt = |found| {
            let (name, offset) = (names::segment(old.number), at.seal_offset());
            JournalError::Corrupt { name, offset, expected_lsn: new.header.first_lsn.get(), found }
        };
        let seal = old.seal.map_err(|fault| corrupt(Found::NoSeal(fault)))?;
        let (found, expected) = (new.header.first_lsn.get(), seal.first_lsn.get());
        if found != expected {
            return Err(JournalError::Misplaced { name, fact: "first LSN", found, expected });
        }
        if !chain::closes(new.header.chain, &seal) {
            return Err(corrupt(Found::Seal { next_lsn: expected }));
        }
    }
    Ok(())
}

struct Walked {
    frames: u64,
    end: Position,
    cut: Option<Cut>,
}

/// Verifies every frame of one segment.
fn walk<D: Disk>(disk: &D, begun: &Begun, prepared: &[u32], visit: &mut dyn FnMut(u64, &[u8])) -> Result<Walked, JournalError> {
    let mut file = Segment::open(disk, begun.number, READ_BYTES)?;
    let journal_id = begun.header.journal_id();
    let mut at = Position::start_of(&begun.header);
    let mut frames = 0;
    loop {
        if let Ok(seal) = begun.seal
            && seal.first_lsn.get() == at.next_lsn
        {
            let found = Found::Seal { next_lsn: at.next_lsn };
            return if chain::closes(at.chain, &seal) {
                Ok(Walked { frames, end: at, cut: None })
            } else {
                Err(file.corrupt(&at, found))
            };
        }
        if begun.seal.is_err() && at.offset == at.seal_offset() {
            let cut = tail(disk, &mut file, &at, FrameFault::Blank, journal_id, prepared)?;
            return Ok(Walked { frames, end: at, cut });
        }
        match file.step(&at, journal_id, Chained::Proven)? {
            Ok((frame, next)) => {
                for (lsn, record) in (at.next_lsn..).zip(frame.records().flatten()) {
                    visit(lsn, record);
                }
                (at, frames) = (next, frames + 1);
            }
            Err(Found::Fault(fault)) if begun.seal.is_err() => {
                let cut = tail(disk, &mut file, &at, fault, journal_id, prepared)?;
                return Ok(Walked { frames, end: at, cut });
            }
            Err(found) => return Err(file.corrupt(&at, found)),
        }
    }
}

/// Decides over bytes at the end that are not a whole frame: clean (all zero), torn (a cut), or corrupt.
fn tail<D: Disk>(
    disk: &D,
    file: &mut Segment<D::File>,
    at: &Position,
    fault: FrameFault,
    journal_id: JournalId,
    prepared: &[u32],
) -> Result<Option<Cut>, JournalError> {
    let Some(last) = last_written_block(file, at.offset)? else {
        return Ok(None);
    };
    let mut later = whole_frame_behind(file, at.offset + BLOCK, at.next_lsn, journal_id)?;
    for number in prepared {
        if later.is_none() {
            let mut next = Segment::open(disk, *number, READ_BYTES)?;
            later = whole_frame_behind(&mut next, BLOCK, at.next_lsn, journal_id)?;
        }
    }
    if let Some((name, offset, lsn)) = later {
        return Err(file.corrupt(at, Found::FaultBeforeFrame { fault, name, offset, lsn }));
    }
    let (name, bytes) = (file.name.clone(), last + BLOCK - at.offset);
    Ok(Some(Cut { name, offset: at.offset, bytes, lsn: at.next_lsn, found: fault.to_string() }))
}

/// Offset of the last block from `from` on that is not all zero.
fn last_written_block<F: DiskFile>(file: &mut Segment<F>, from: u64) -> Result<Option<u64>, JournalError> {
    let mut last = None;
    let mut offset = from;
    while offset < file.file_bytes() {
        let bytes = file.bytes(offset, 1)?;
        for block in bytes.chunks(BLOCK_BYTES) {
            if !is_zero(block) {
                last = Some(offset);
            }
            offset += block.len() as u64;
        }
    }
    Ok(last)
}

/// The first whole frame of this journal on any block from `from` on, with an LSN that is not from the past.
fn whole_frame_behind<F: DiskFile>(
    file: &mut Segment<F>,
    from: u64,
    lsn_min: u64,
    journal_id: JournalId,
) -> Result<Option<(String, u64, u64)>, JournalError> {
    let mut offset = from;
    while offset + BLOCK <= file.file_bytes() {
        if file.bytes(offset, BLOCK_BYTES)?.starts_with(&FRAME_MAGIC)
            && let Ok(frame) = file.frame_at(offset, journal_id)?
            && frame.header.first_lsn.get() >= lsn_min
        {
            let lsn = frame.header.first_lsn.get();
            return Ok(Some((file.name.clone(), offset, lsn)));
        }
        offset += BLOCK;
    }
    Ok(None)
}

/// Zeroes a torn tail, so that the bytes of an interrupted write can never be taken for a frame later.
pub(super) fn mend<D: Disk>(disk: &D, cut: &Cut) -> Result<(), JournalError> {
    tracing::warn!(file = %cut.name, offset = cut.offset, bytes = cut.bytes, lsn = cut.lsn, found = %cut.found, "torn tail cut");
    let file = disk.open(&cut.name, Access::Commit).map_err(DiskFault::of("open", &cut.name))?;
    let piece_max = cut.bytes.min(READ_BYTES as u64);
    let zeros = BlockBuffer::zeroed(piece_max as usize);
    let mut done = 0;
    while done < cut.bytes {
        let piece = (cut.bytes - done).min(piece_max);
        let written = file.write_at(&zeros.bytes()[..piece as usize], cut.offset + done);
        written.map_err(DiskFault::of("zero the torn tail of", &cut.name))?;
        done += piece;
    }
    Ok(file.sync().map_err(DiskFault::of("sync", &cut.name))?)
}
