//! What can go wrong, with the facts an operator needs: which file, where in it, what was expected, what was found.

use std::io;

use protocol::frame::{FrameFault, JournalId, SegmentFault};

use super::os_disk::is_shortage;

/// A call to the disk that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {name}: {source}")]
pub struct DiskFault {
    /// What was tried, as a verb.
    pub operation: &'static str,
    /// The file, or `the folder`.
    pub name: String,
    /// What the system said.
    pub source: io::Error,
}

impl DiskFault {
    pub(super) fn of(operation: &'static str, name: &str) -> impl FnOnce(io::Error) -> Self {
        let name = name.to_owned();
        move |source| Self { operation, name, source }
    }
}

impl JournalError {
    /// True when no more files may be open: later there may be.
    pub fn lacks_a_descriptor(&self) -> bool {
        matches!(self, JournalError::Disk(fault) if is_shortage(&fault.source))
    }
}

/// Why the journal refuses to open or to be read. Nothing on disk was changed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk said no.
    #[error("journal: {0}")]
    Disk(#[from] DiskFault),
    /// Another process writes this journal.
    #[error("journal: another process has the journal open; stop it first")]
    Locked,
    /// An option outside its bounds.
    #[error("journal: option {option} is {value}; it must be {bound}")]
    Option {
        /// Its name.
        option: &'static str,
        /// As given.
        value: u64,
        /// What would be right.
        bound: &'static str,
    },
    /// A number is missing in the row of segments.
    #[error("journal: segment {missing} is missing, though {next} is there; put the file back from its archive or a copy")]
    SegmentMissing {
        /// File name of the gap's first segment.
        missing: String,
        /// The file behind the gap.
        next: String,
    },
    /// A segment whose header can't be trusted.
    #[error(
        "journal: {name} byte 0: {fault}; put the file back from a copy (do not edit or delete it: it may hold acknowledged records)"
    )]
    SegmentHeader {
        /// The file.
        name: String,
        /// What its header is.
        fault: SegmentFault,
    },
    /// A format of later code.
    #[error("journal: {name} has format version {version}, newer than this program; start the version that wrote it")]
    FutureVersion {
        /// The file.
        name: String,
        /// As read.
        version: u32,
    },
    /// A segment of some other journal.
    #[error(
        "journal: {name} belongs to journal {found}, the others to {expected}; move the stranger out and put the right file back"
    )]
    Foreign {
        /// The file.
        name: String,
        /// Its journal.
        found: JournalId,
        /// The first segment's journal.
        expected: JournalId,
    },
    /// A segment that is not what its name or its neighbours say.
    #[error(
        "journal: {name}: {fact} is {found}, expected {expected}; the file is not the one that belongs here, put it back from a copy"
    )]
    Misplaced {
        /// The file.
        name: String,
        /// Which fact.
        fact: &'static str,
        /// As read.
        found: u64,
        /// As it should be.
        expected: u64,
    },
    /// Damage that is not a torn tail.
    #[error(
        "journal: {name} byte {offset}: expected LSN {expected_lsn}, found {found}; records from there on were acknowledged, so nothing is cut: \
         put the file back from a copy, or restore the whole folder and let the projection tell what it had"
    )]
    Corrupt {
        /// The file.
        name: String,
        /// Where in it.
        offset: u64,
        /// LSN of the record that should begin there.
        expected_lsn: u64,
        /// What is there.
        found: Found,
    },
    /// The wanted records are in segments that were archived.
    #[error(
        "journal: LSN {wanted} is wanted, but the oldest segment here begins with {first_lsn}; put the archived segments back into the \
         journal's folder, or give the switch a database that has everything before {first_lsn}"
    )]
    Archived {
        /// First LSN wanted.
        wanted: u64,
        /// First LSN present.
        first_lsn: u64,
    },
    /// The archive has another file under a segment's name.
    #[error("journal: the archive has another {name} already; nothing was moved: give this journal an archive of its own")]
    ArchiveOccupied {
        /// The file.
        name: String,
    },
    /// The journal ends before a point that was already durable once.
    #[error(
        "journal: it ends with LSN {last_lsn}, but LSN {known} is known to have been durable; its newest segments are missing, put them back"
    )]
    Behind {
        /// Last LSN present.
        last_lsn: u64,
        /// As the caller knows (the projection's LSN).
        known: u64,
    },
    /// No room for the first segment.
    #[error("journal: no room for a segment of {segment_bytes} bytes; free space on the journal's disk")]
    NoRoom {
        /// Bytes of a segment.
        segment_bytes: u64,
    },
}

/// What stands where a frame should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Bytes that are not a whole frame.
    Fault(FrameFault),
    /// The same, and a whole frame behind it.
    FaultBeforeFrame {
        /// What is wrong with the bytes.
        fault: FrameFault,
        /// File of the whole frame.
        name: String,
        /// Its offset there.
        offset: u64,
        /// Its first LSN.
        lsn: u64,
    },
    /// A whole frame written for another segment.
    Segment(u32),
    /// A whole frame with other LSNs.
    Lsn(u64),
    /// A whole frame that does not continue the hash chain.
    Chain,
    /// A frame that runs into the seal's block.
    Overrun,
    /// The segment's seal, too early or off the chain.
    Seal {
        /// The LSN at which it says the segment ends.
        next_lsn: u64,
    },
    /// No seal, though the next segment has begun.
    NoSeal(FrameFault),
    /// The end of the journal, before the LSN that was said to be durable.
    End,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::FaultBeforeFrame { fault, name, offset, lsn } => {
                write!(f, "{fault}, and behind it a whole frame with LSN {lsn} ({name} byte {offset})")
            }
            Self::Segment(segment) => write!(f, "a frame written for segment {segment}"),
            Self::Lsn(lsn) => write!(f, "a frame with LSN {lsn}"),
            Self::Chain => write!(f, "a frame that breaks the hash chain"),
            Self::Overrun => write!(f, "a frame that runs into the seal's block"),
            Self::Seal { next_lsn } => write!(f, "a seal that ends the segment before LSN {next_lsn}"),
            Self::NoSeal(fault) => write!(f, "{fault} in place of the seal, though the next segment has begun"),
            Self::End => write!(f, "the end of the journal"),
        }
    }
}

/// Why a group was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is full and every pre-written segment is used. The log is as it was before the call: no byte of the group
    /// was written and no LSN taken, so the call may be made again once there is room.
    #[error("journal: the disk is full, nothing of the group was written")]
    Full,
    /// The group does not fit in one frame; nothing was written.
    #[error("journal: a group of {bytes} bytes is above the limit of {bytes_max}")]
    TooLarge {
        /// Of the group.
        bytes: usize,
        /// [`Log::batch_bytes_max`](super::Log::batch_bytes_max).
        bytes_max: usize,
    },
    /// A write or sync failed. What is on disk is unknown; the log refuses everything from here on, and the process should
    /// end: only recovery can tell.
    #[error("journal: {0}")]
    Disk(#[from] DiskFault),
    /// An earlier call failed with [`AppendError::Disk`].
    #[error("journal: an earlier write or sync failed")]
    Failed,
}
