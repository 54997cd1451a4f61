//! Looking at a journal without changing it: for `switchyard journal verify`.

use std::path::Path;

use super::disk::Disk;
use super::error::JournalError;
use super::os_disk::OsDisk;
use super::recovery::{self, Recovered, Survey};

/// How often a journal that is being written is looked at before its damage counts as damage.
const TRIES_IN_USE: u32 = 5;

/// What verifying found. Damage that opening would refuse is an error instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Counts, LSNs, chain head and the cut that opening would make; `None` if no journal was begun here.
    pub found: Option<Recovered>,
    /// Segments waiting, written ahead.
    pub prepared: u32,
    /// A process had the journal open meanwhile: a cut may then be a write in progress.
    pub in_use: bool,
}

/// Verifies every byte of the journal in `folder`; nothing of it is changed. While it runs no writer can open the journal.
pub fn verify(folder: impl AsRef<Path>) -> Result<Report, JournalError> {
    verify_with(folder, |_, _| {})
}

/// The same, and every record with its LSN goes to `visit`, in order. When an error follows, what was seen before it was sound.
/// [`JournalError::Archived`] then says that a segment has left meanwhile: begin anew.
pub fn verify_with(folder: impl AsRef<Path>, mut visit: impl FnMut(u64, &[u8])) -> Result<Report, JournalError> {
    look(&OsDisk::open_to_read(folder), 0, &mut visit)
}

/// From where to where the journal in `folder` goes. Only the newest segment is read through, of the others header and seal.
pub fn extent(folder: impl AsRef<Path>) -> Result<Report, JournalError> {
    look(&OsDisk::open_to_read(folder), u64::MAX, &mut |_, _| {})
}

/// Reads what lies behind `after`, or as much of that as is here.
pub(super) fn look<D: Disk>(disk: &D, after: u64, visit: &mut dyn FnMut(u64, &[u8])) -> Result<Report, JournalError> {
    // A journal that was copied to a read-only place can't be locked, and nobody writes it either.
    let lock = disk.lock();
    let in_use = matches!(lock, Ok(None));
    let survey = survey(disk, after, visit, if in_use { TRIES_IN_USE } else { 1 })?;
    let prepared = survey.as_ref().map_or(0, |survey| survey.prepared.len() as u32);
    Ok(Report { found: survey.map(|survey| survey.recovered), prepared, in_use })
}

/// Beside a writer a segment may be begun, or leave for the archive, between two looks at it: what seems damaged then is sound at
/// the next try. Each record is visited once.
fn survey<D: Disk>(
    disk: &D,
    mut after: u64,
    visit: &mut dyn FnMut(u64, &[u8]),
    mut tries: u32,
) -> Result<Option<Survey>, JournalError> {
    let mut visited = 0;
    loop {
        let result = recovery::survey(disk, after, |lsn, record| {
            if lsn > visited {
                visited = lsn;
                visit(lsn, record);
            }
        });
        tries -= 1;
        match result {
            Err(JournalError::Archived { first_lsn, .. }) if visited == 0 => (after, tries) = (first_lsn - 1, tries + 1),
            Err(error @ JournalError::Archived { .. }) => return Err(error),
            Err(JournalError::Behind { last_lsn, .. }) if last_lsn < after => (after, tries) = (last_lsn, tries + 1),
            Err(_) if tries > 0 => {}
            other => return other,
        }
    }
}
