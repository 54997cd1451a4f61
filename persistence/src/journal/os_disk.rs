//! The operating system's disk: a folder, written past the page cache where the file system allows it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use protocol::frame::BLOCK_BYTES;

use super::block::BlockBuffer;
use super::disk::{Access, Disk, DiskFile};
use super::names;

const PROBE: &str = "PROBE";
/// Records hold sealed cards and amounts: nobody but the owner reads them.
const FILE_MODE: u32 = 0o600;
/// How long a call waits for a file descriptor when none is left. Callers' connections have taken them, and some of those end any moment; an
/// error would end the process, or whoever follows the journal.
const DESCRIPTOR_PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(5);

/// A folder of the file system.
pub struct OsDisk {
    folder: PathBuf,
    direct: bool,
}

impl OsDisk {
    /// Opens the folder for a journal that is written, creates it if need be, and finds out whether the file system takes
    /// `O_DIRECT` (tmpfs may not).
    pub fn open(folder: impl AsRef<Path>) -> io::Result<Self> {
        let folder = folder.as_ref().to_path_buf();
        fs::create_dir_all(&folder)?;
        let mut disk = Self { folder, direct: true };
        disk.direct = disk.takes_direct_writes();
        Ok(disk)
    }

    /// Opens the folder for reading only; it is left as it is.
    pub fn open_to_read(folder: impl AsRef<Path>) -> Self {
        Self { folder: folder.as_ref().to_path_buf(), direct: false }
    }

    /// Writes through the page cache with `fdatasync` even where `O_DIRECT` would work.
    pub fn through_page_cache(mut self) -> Self {
        self.direct = false;
        self
    }

    /// Whether commits bypass the page cache.
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Some file systems accept the flag at open and refuse it at the first write, so one block is really written.
    fn takes_direct_writes(&self) -> bool {
        let _ = fs::remove_file(self.path(PROBE));
        let wrote = self.open(PROBE, Access::Create).and_then(|file| {
            let block = BlockBuffer::zeroed(BLOCK_BYTES);
            file.write_at(block.bytes(), 0)
        });
        let _ = fs::remove_file(self.path(PROBE));
        wrote.is_ok()
    }

    fn flags(&self, access: Access) -> i32 {
        match access {
            Access::Commit if self.direct => libc::O_DIRECT | libc::O_DSYNC,
            Access::Create if self.direct => libc::O_DIRECT,
            Access::Read | Access::Commit | Access::Create => 0,
        }
    }
}

impl Disk for OsDisk {
    type File = OsFile;
    type Lock = File;

    fn lock(&self) -> io::Result<Option<File>> {
        let path = self.path(names::LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(FILE_MODE).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        // Names that are not UTF-8 are not ours.
        let folder = with_a_descriptor(DESCRIPTOR_PATIENCE, || fs::read_dir(&self.folder))?;
        let entries = folder.collect::<Result<Vec<_>, _>>()?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn open(&self, name: &str, access: Access) -> io::Result<OsFile> {
        let mut options = OpenOptions::new();
        options.read(true).mode(FILE_MODE).custom_flags(self.flags(access));
        match access {
            Access::Read => {}
            Access::Commit => _ = options.write(true),
            Access::Create => _ = options.write(true).create_new(true),
        }
        let path = self.path(name);
        let file = with_a_descriptor(DESCRIPTOR_PATIENCE, || options.open(&path))?;
        Ok(OsFile { file, write_syncs: access == Access::Commit && self.direct })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        with_a_descriptor(DESCRIPTOR_PATIENCE, || File::open(&self.folder))?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let path = std::ffi::CString::new(self.folder.as_os_str().as_bytes())?;
        // SAFETY: statvfs is plain integers, for which all zeros is a value.
        let mut facts: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: `path` ends with a zero byte and `facts` outlives the call.
        if unsafe { libc::statvfs(path.as_ptr(), &mut facts) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
    }

    fn abort(&self, report: &str) -> ! {
        // Straight to stderr: a log layer might hold the line back in a buffer that dies with the process.
        let _ = writeln!(io::stderr(), "journal {}: {report}", self.folder.display());
        std::process::abort();
    }
}

/// Opens something, and tries again while the process, or the machine, may have no more files open.
fn with_a_descriptor<T>(patience: Duration, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let began = Instant::now();
    let mut is_told = false;
    loop {
        match open() {
            Err(error) if is_shortage(&error) && began.elapsed() < patience => {
                if !is_told {
                    tracing::warn!(%error, ?patience, "the journal waits for a file that it may open: raise the limit (ulimit -n)");
                    is_told = true;
                }
                thread::sleep(DESCRIPTOR_PAUSE);
            }
            opened => return opened,
        }
    }
}

/// True when the process, or the machine, may have no more files open.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// A file of an [`OsDisk`].
pub struct OsFile {
    file: File,
    write_syncs: bool,
}

impl DiskFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    fn write_at(&self, blocks: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(blocks, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // Under O_DSYNC the write itself returned only when the blocks were stable.
        if self.write_syncs { Ok(()) } else { self.file.sync_data() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn short_of(code: i32, tries: &Cell<u32>, until: u32) -> io::Result<File> {
        tries.set(tries.get() + 1);
        if tries.get() < until { Err(io::Error::from_raw_os_error(code)) } else { tempfile::tempfile() }
    }

    #[test]
    fn a_descriptor_that_is_given_up_is_waited_for() {
        for code in [libc::EMFILE, libc::ENFILE] {
            let tries = Cell::new(0);
            with_a_descriptor(DESCRIPTOR_PATIENCE, || short_of(code, &tries, 3)).unwrap();
            assert_eq!(tries.get(), 3);
        }
    }

    #[test]
    fn no_other_error_is_waited_for_and_patience_ends() {
        let tries = Cell::new(0);
        let error = with_a_descriptor(DESCRIPTOR_PATIENCE, || short_of(libc::EACCES, &tries, 3)).unwrap_err();
        assert_eq!((error.raw_os_error(), tries.get()), (Some(libc::EACCES), 1));
        let error = with_a_descriptor(Duration::ZERO, || short_of(libc::EMFILE, &tries, u32::MAX)).unwrap_err();
        assert_eq!((error.raw_os_error(), tries.get()), (Some(libc::EMFILE), 2));
    }
}
