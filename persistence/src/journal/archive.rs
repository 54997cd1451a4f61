//! Letting go of segments that nobody will read again: moved to an archive, or removed.
//!
//! The oldest goes first, and each step is durable before the next, so a crash leaves the segment in the archive, in the journal,
//! or in both, and never a gap in the journal's row.

use std::io;
use std::path::Path;
use std::time::Duration;

use protocol::frame::BLOCK_BYTES;

use super::block::BlockBuffer;
use super::disk::{Access, Disk, DiskFile};
use super::error::{DiskFault, JournalError};
use super::names;
use super::os_disk::OsDisk;
use super::recovery;
use super::walk::Segment;

/// Segments are copied in pieces, with a pause between them, so that commits on the same device get their turn.
const PIECE_BYTES: u64 = 512 * 1024;
/// That pause.
const PIECE_PAUSE: Duration = Duration::from_millis(2);

/// Takes old segments out of the folder of a journal that this process has open.
pub struct Archivist<D: Disk = OsDisk> {
    journal: D,
    archive: Option<D>,
    pause: Duration,
}

/// A segment that has left the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// Its file, in the archive as it was in the journal.
    pub name: String,
    /// LSN of its last record.
    pub last_lsn: u64,
}

/// A sealed segment whose records are no longer wanted.
struct Spent {
    number: u32,
    last_lsn: u64,
}

impl Archivist<OsDisk> {
    /// For the journal in `folder`. Segments are moved to the folder `archive`, which is made if need be and belongs to this
    /// journal alone; without one they are removed.
    pub fn open(folder: impl AsRef<Path>, archive: Option<&Path>) -> io::Result<Self> {
        let archive = archive.map(OsDisk::open).transpose()?;
        Ok(Self { journal: OsDisk::open_to_read(folder), archive, pause: PIECE_PAUSE })
    }
}

impl<D: Disk> Archivist<D> {
    /// The same on any disks, without pauses.
    pub fn on(journal: D, archive: Option<D>) -> Self {
        Self { journal, archive, pause: Duration::ZERO }
    }

    /// LSN of the last record that could leave now: of sealed segments that hold only records up to `lsn`, all but the newest
    /// `keep`. `None` when there is none.
    pub fn could_retire(&self, lsn: u64, keep: u32) -> Result<Option<u64>, JournalError> {
        let mut spent = self.spent(lsn)?;
        spent.truncate(spent.len().saturating_sub(keep as usize));
        Ok(spent.last().map(|segment| segment.last_lsn))
    }

    /// Takes out the oldest of them. `lsn` must be durable where the records have gone: what leaves is not replayed again.
    pub fn retire_one(&self, lsn: u64, keep: u32) -> Result<Option<Retired>, JournalError> {
        let spent = self.spent(lsn)?;
        let Some(oldest) = spent.first().filter(|_| spent.len() > keep as usize) else {
            return Ok(None);
        };
        let name = names::segment(oldest.number);
        if let Some(archive) = &self.archive {
            self.copy_to(archive, &name)?;
        }
        self.journal.remove(&name).map_err(DiskFault::of("remove", &name))?;
        self.journal.sync_folder().map_err(DiskFault::of("sync", "the folder"))?;
        Ok(Some(Retired { name, last_lsn: oldest.last_lsn }))
    }

    /// Oldest first. The newest segment begun is never among them: it names the journal and the LSN to go on with.
    fn spent(&self, lsn: u64) -> Result<Vec<Spent>, JournalError> {
        let mut spent = Vec::new();
        for number in recovery::numbers(&self.journal)? {
            let mut segment = Segment::open(&self.journal, number, BLOCK_BYTES)?;
            let Ok(header) = segment.header(number)? else { break };
            match segment.seal(&header)? {
                Ok(seal) if seal.first_lsn.get() <= lsn.saturating_add(1) => {
                    spent.push(Spent { number, last_lsn: seal.first_lsn.get() - 1 });
                }
                // It is followed by one that has a header, or it is the newest itself.
                Ok(_) | Err(_) => return Ok(spent),
            }
        }
        spent.pop();
        Ok(spent)
    }

    /// Under another name until it is whole and durable.
    fn copy_to(&self, archive: &D, name: &str) -> Result<(), JournalError> {
        let source = self.journal.open(name, Access::Read).map_err(DiskFault::of("open", name))?;
        let listed = archive.list().map_err(DiskFault::of("list", "the archive"))?;
        if listed.iter().any(|other| other == name) {
            let there = archive.open(name, Access::Read).map_err(DiskFault::of("open archived", name))?;
            return same_bytes(&source, &there, name);
        }
        let part = names::unfinished_copy(name);
        if listed.contains(&part) {
            archive.remove(&part).map_err(DiskFault::of("remove", &part))?;
        }
        self.copy(&source, archive, &part)?;
        archive.rename(&part, name).map_err(DiskFault::of("rename", &part))?;
        Ok(archive.sync_folder().map_err(DiskFault::of("sync", "the archive"))?)
    }

    fn copy(&self, source: &D::File, archive: &D, part: &str) -> Result<(), JournalError> {
        let target = archive.open(part, Access::Create).map_err(DiskFault::of("create", part))?;
        each_piece(source, part, |bytes, offset| {
            target.write_at(bytes, offset).map_err(DiskFault::of("write", part))?;
            if !self.pause.is_zero() {
                std::thread::sleep(self.pause);
            }
            Ok(())
        })?;
        Ok(target.sync().map_err(DiskFault::of("sync", part))?)
    }
}

fn each_piece<F: DiskFile>(
    file: &F,
    name: &str,
    mut take: impl FnMut(&[u8], u64) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let size = file.size().map_err(DiskFault::of("measure", name))?;
    let mut buffer = BlockBuffer::zeroed(PIECE_BYTES.min(size) as usize);
    let mut offset = 0;
    while offset < size {
        let piece = &mut buffer.bytes_mut()[..PIECE_BYTES.min(size - offset) as usize];
        file.read_at(piece, offset).map_err(DiskFault::of("read", name))?;
        take(piece, offset)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

/// A crash may have left the segment in both places. Anything else under its name is not ours to replace.
fn same_bytes<F: DiskFile>(source: &F, there: &F, name: &str) -> Result<(), JournalError> {
    let occupied = || JournalError::ArchiveOccupied { name: name.to_owned() };
    let sizes = (source.size(), there.size());
    if !matches!(sizes, (Ok(source), Ok(there)) if source == there) {
        return Err(occupied());
    }
    let mut other = Vec::new();
    each_piece(source, name, |bytes, offset| {
        other.resize(bytes.len(), 0);
        there.read_at(&mut other, offset).map_err(DiskFault::of("read archived", name))?;
        if other == bytes { Ok(()) } else { Err(occupied()) }
    })
}
