//! A disk in memory that behaves as badly as a real one may, and not worse.
//!
//! Lives here: what a power cut, a kill, a failing device, rot and a full disk do to files. Must not live here: randomness
//! (the caller's dice decide, so that a run can be repeated), time, anything that knows what a journal is.
//!
//! The rules are those of SQLite's crash tests. What was synced is safe. Of a write that was not, each sector is old, new,
//! torn inside or trash after a power cut; of creations, renames and removals that the folder was not synced after, any
//! part may be undone. A process that is killed loses its memory only: what it wrote stays, but is no safer than before.

mod content;
mod state;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::journal::{Access, Disk, DiskFile};
use content::Write;
use state::{Effect, FolderChange, State};

/// Where in an operation the power goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Nothing of it happened.
    Before,
    /// It was on its way to the medium: the dice of [`SimulatedDisk::crash`] say what of it arrived.
    Halfway,
    /// It happened, and whoever asked for it never heard so.
    After,
}

/// The disk. A clone is a view of the same disk, a [`copy`](Self::copy) is another.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    /// A disk of its own with the same content, synced and not; unlocked, and with nothing armed. It shares the blocks until
    /// one of the two is written, so it is cheap.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().copy())))
    }

    /// Lets the power go in an operation that changes the disk, `operations` later than the next one. From then on everything
    /// fails, until [`crash`](Self::crash).
    pub fn crash_after(&self, operations: u32) {
        self.crash_at(operations, Moment::Halfway);
    }

    /// The same, at a moment of that operation.
    pub fn crash_at(&self, operations: u32, moment: Moment) {
        self.state().arm(operations, state::Trouble::PowerGoes(moment));
    }

    /// Lets one operation fail, `operations` later than the next one; those behind it succeed. A sync that failed must not be
    /// tried again: that panics.
    pub fn fail_after(&self, operations: u32) {
        self.state().arm(operations, state::Trouble::Fails);
    }

    /// Lets every sync fail from now on, as a medium that is going does.
    pub fn fail_syncs(&self) {
        self.state().fail_syncs();
    }

    /// Takes back what was armed and has not struck.
    pub fn disarm(&self) {
        self.state().disarm();
    }

    /// Operations so far that change the disk or make it durable: what [`crash_at`](Self::crash_at) counts. A caller that
    /// wants every crash point of a piece of work counts them in a run without trouble.
    pub fn operations(&self) -> u64 {
        self.state().operations()
    }

    /// The power goes, if it has not gone yet, and comes back: un-synced writes and folder changes meet their fates by `draw`
    /// (64 random bits a call). Open files and locks of before are dead, nothing is armed.
    pub fn crash(&self, mut draw: impl FnMut() -> u64) {
        self.state().crash(&mut draw);
    }

    /// The process is killed: open files and locks of before are dead, what was written stays readable and what was not
    /// synced may still be lost in a later [`crash`](Self::crash).
    pub fn kill(&self) {
        self.state().kill();
    }

    /// Bytes that all files together may have; `None`: no bound. A write above it fails with
    /// [`StorageFull`](io::ErrorKind::StorageFull) and writes nothing.
    pub fn set_quota(&self, bytes: Option<u64>) {
        self.state().set_quota(bytes);
    }

    /// Bytes of all files.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Names of the files, ascending.
    pub fn names(&self) -> Vec<String> {
        self.state().names()
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.state().number(name).is_ok()
    }

    /// Bytes of a file as a process would read them; `None` if there is no such file.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        let number = state.number(name).ok()?;
        Some(state.inode(number).live().to_vec())
    }

    /// A stored byte rots: the bits of `mask` flip. The same call again restores it. Panics if there is no such file.
    pub fn rot(&self, name: &str, offset: u64, mask: u8) {
        self.state().named(name).flip(offset as usize, mask);
    }

    /// Changes a file behind everybody's back, durably. Panics if there is no such file.
    pub fn with_file<T>(&self, name: &str, change: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut state = self.state();
        let inode = state.named(name);
        let mut bytes = inode.live().to_vec();
        let result = change(&mut bytes);
        inode.replace(&bytes);
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by the one that writes; dropping it lets another in.
pub struct SimulatedLock {
    disk: SimulatedDisk,
    life: u64,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.state().unlock(self.life);
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;
    type Lock = SimulatedLock;

    fn lock(&self) -> io::Result<Option<SimulatedLock>> {
        let life = self.state().lock()?;
        Ok(life.map(|life| SimulatedLock { disk: self.clone(), life }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_power(state.life())?;
        Ok(state.names())
    }

    fn open(&self, name: &str, access: Access) -> io::Result<SimulatedFile> {
        let mut state = self.state();
        let life = state.life();
        state.check_power(life)?;
        if access == Access::Create {
            state.create(name)?;
        }
        let number = state.number(name)?;
        Ok(SimulatedFile { disk: self.clone(), life, number, is_writable: access != Access::Read })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state().change_folder(FolderChange::Rename { from: from.to_owned(), to: to.to_owned() })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state().change_folder(FolderChange::Remove { name: name.to_owned() })
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.state().sync_folder()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        state.check_power(state.life())?;
        Ok(state.free_bytes())
    }

    /// Unwinds, so that a test sees it. [`Log`](crate::journal::Log) never calls it: it says
    /// [`AppendError::Disk`](crate::journal::AppendError::Disk), and a simulator ends the process.
    fn abort(&self, report: &str) -> ! {
        panic!("aborted: {report}");
    }
}

/// An open file of a [`SimulatedDisk`]. It dies with the life of the disk in which it was opened.
pub struct SimulatedFile {
    disk: SimulatedDisk,
    life: u64,
    number: u64,
    is_writable: bool,
}

impl DiskFile for SimulatedFile {
    fn size(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.check_power(self.life)?;
        Ok(state.inode(self.number).live().size())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.state();
        state.check_power(self.life)?;
        state.inode(self.number).live().read(bytes, offset)
    }

    fn write_at(&self, blocks: &[u8], offset: u64) -> io::Result<()> {
        assert!(self.is_writable, "written though opened to read");
        assert!((blocks.as_ptr() as usize).is_multiple_of(4096), "O_DIRECT would refuse");
        let write = Write::of(blocks, offset);
        let mut state = self.disk.state();
        state.perform(self.life, Effect::Write, |state| state.write(self.number, write))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.perform(self.life, Effect::Sync { file: self.number }, |state| {
            state.sync(self.number);
            Ok(())
        })
    }
}
