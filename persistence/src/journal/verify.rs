//! Looking at a journal without changing it: for `switchyard journal verify`.

use std::path::Path;

use super::disk::Disk;
use super::error::JournalError;
use super::os_disk::OsDisk;
use super::recovery::{self, Recovered};

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
    let survey = match recovery::survey(disk, after, &mut *visit) {
        // Neither has visited anything.
        Err(JournalError::Archived { first_lsn, .. }) => recovery::survey(disk, first_lsn - 1, visit)?,
        Err(JournalError::Behind { last_lsn, .. }) => recovery::survey(disk, last_lsn, visit)?,
        other => other?,
    };
    let prepared = survey.as_ref().map_or(0, |survey| survey.prepared.len() as u32);
    Ok(Report { found: survey.map(|survey| survey.recovered), prepared, in_use })
}
