//! A disk in memory that can lose, tear and trash what was not synced, rot, fill up, fail a sync, and lose power at any
//! operation.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::journal::{Access, Disk, DiskFile};

const SECTOR: usize = 512;

#[derive(Clone, Default)]
struct Inode {
    live: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    locked: bool,
    quota_bytes: Option<u64>,
    /// Operations that change the disk until the power goes.
    power_left: Option<u64>,
    sync_fails: bool,
}

/// The disk; clones are views of the same.
#[derive(Clone, Default)]
pub(in super::super) struct FakeDisk(Arc<Mutex<State>>);

/// Splitmix64: small, seeded, good enough to choose sectors.
pub(in super::super) struct Dice(pub u64);

impl Dice {
    pub(in super::super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

impl FakeDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A disk of its own with the same content, unlocked.
    pub(in super::super) fn copy(&self) -> Self {
        let state = State { locked: false, ..self.state().clone() };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(in super::super) fn set_quota(&self, bytes: Option<u64>) {
        self.state().quota_bytes = bytes;
    }

    pub(in super::super) fn cut_power_after(&self, operations: u64) {
        self.state().power_left = Some(operations);
    }

    pub(in super::super) fn fail_syncs(&self) {
        self.state().sync_fails = true;
    }

    pub(in super::super) fn has(&self, name: &str) -> bool {
        self.state().names.contains_key(name)
    }

    /// Bytes of a file, to be looked at or spoiled.
    pub(in super::super) fn with_file<T>(&self, name: &str, change: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut state = self.state();
        let number = state.names[name];
        let inode = &mut state.inodes[number];
        let result = change(&mut inode.live);
        inode.synced = inode.live.clone();
        result
    }

    /// Power is back: of what was not synced each sector stayed old, became new, or is trash.
    pub(in super::super) fn restart(&self, dice: &mut Dice) {
        let mut state = self.state();
        (state.power_left, state.locked) = (None, false);
        if dice.roll(2) == 0 {
            state.names = state.synced_names.clone();
        }
        state.synced_names = state.names.clone();
        for inode in &mut state.inodes {
            for (offset, bytes) in std::mem::take(&mut inode.unsynced) {
                tear(&mut inode.synced, offset, &bytes, dice);
            }
            inode.live = inode.synced.clone();
        }
    }
}

fn tear(synced: &mut Vec<u8>, offset: usize, bytes: &[u8], dice: &mut Dice) {
    // A write may also have been lost or done as a whole.
    let whole = dice.roll(4);
    for (index, sector) in bytes.chunks(SECTOR).enumerate() {
        let start = offset + index * SECTOR;
        let fate = if whole < 2 { whole } else { dice.roll(5) };
        if fate == 0 {
            continue;
        }
        if synced.len() < start + sector.len() {
            synced.resize(start + sector.len(), 0);
        }
        let place = &mut synced[start..start + sector.len()];
        place.copy_from_slice(sector);
        if fate == 4 {
            place.iter_mut().for_each(|byte| *byte = dice.roll(256) as u8);
        }
    }
}

impl State {
    fn spend(&mut self) -> io::Result<()> {
        match &mut self.power_left {
            None => Ok(()),
            Some(0) => Err(io::Error::other("no power")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|number| self.inodes[*number].live.len() as u64).sum()
    }

    fn number(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or(io::ErrorKind::NotFound.into())
    }
}

/// Unlocks when dropped.
pub(in super::super) struct FakeLock(FakeDisk);

impl Drop for FakeLock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

impl Disk for FakeDisk {
    type File = FakeFile;
    type Lock = FakeLock;

    fn lock(&self) -> io::Result<Option<FakeLock>> {
        let mut state = self.state();
        if std::mem::replace(&mut state.locked, true) {
            return Ok(None);
        }
        Ok(Some(FakeLock(self.clone())))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn open(&self, name: &str, access: Access) -> io::Result<FakeFile> {
        let mut state = self.state();
        if access == Access::Create {
            state.spend()?;
            assert!(!state.names.contains_key(name), "{name} is created twice");
            state.inodes.push(Inode::default());
            let number = state.inodes.len() - 1;
            state.names.insert(name.to_owned(), number);
        }
        let number = state.number(name)?;
        Ok(FakeFile { disk: self.clone(), number, writable: access != Access::Read })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.spend()?;
        let number = state.number(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.spend()?;
        state.names.remove(name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.state();
        state.spend()?;
        state.synced_names = state.names.clone();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        Ok(state.quota_bytes.map_or(u64::MAX, |quota| quota.saturating_sub(state.used_bytes())))
    }

    fn abort(&self, report: &str) -> ! {
        panic!("aborted: {report}");
    }
}

pub(in super::super) struct FakeFile {
    disk: FakeDisk,
    number: usize,
    writable: bool,
}

impl DiskFile for FakeFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state().inodes[self.number].live.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.state();
        let from = offset as usize;
        let part = state.inodes[self.number].live.get(from..from + bytes.len());
        bytes.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, blocks: &[u8], offset: u64) -> io::Result<()> {
        assert!(self.writable, "written though opened to read");
        assert_eq!((blocks.as_ptr() as usize % 4096, blocks.len() % 4096, offset % 4096), (0, 0, 0), "O_DIRECT would refuse");
        let mut state = self.disk.state();
        state.spend()?;
        let end = offset as usize + blocks.len();
        let growth = end.saturating_sub(state.inodes[self.number].live.len()) as u64;
        if state.quota_bytes.is_some_and(|quota| growth > 0 && state.used_bytes() + growth > quota) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inode = &mut state.inodes[self.number];
        if inode.live.len() < end {
            inode.live.resize(end, 0);
        }
        inode.live[offset as usize..end].copy_from_slice(blocks);
        inode.unsynced.push((offset as usize, blocks.to_vec()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.spend()?;
        if state.sync_fails {
            return Err(io::Error::other("the medium failed"));
        }
        let inode = &mut state.inodes[self.number];
        inode.synced = inode.live.clone();
        inode.unsynced.clear();
        Ok(())
    }
}
