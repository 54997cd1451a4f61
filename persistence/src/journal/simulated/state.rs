//! Files and names of a simulated disk: what a process sees, what is safe, and what lies between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::Moment;
use super::content::{Content, Draw, Write};

/// What is armed: it strikes in one operation.
#[derive(Clone, Copy)]
pub(super) enum Trouble {
    PowerGoes(Moment),
    Fails,
}

/// What an operation does, as far as trouble in it matters.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    Write,
    Folder,
    /// Of a file, or of the folder.
    Sync {
        file: u64,
    },
    SyncFolder,
}

impl Effect {
    /// Whether it leaves something for the dice when the power goes while it runs. A sync does not: it moves nothing by
    /// itself, and what it was to make safe is with the dice already.
    fn is_left_when_cut(self) -> bool {
        matches!(self, Self::Write | Self::Folder)
    }

    /// Whether it happened nevertheless, in part, when the device reports a failure.
    fn is_left_when_failed(self) -> bool {
        matches!(self, Self::Write)
    }
}

/// A change of the folder that is not synced.
#[derive(Clone)]
pub(super) enum FolderChange {
    Create { name: String, number: u64 },
    Rename { from: String, to: String },
    Remove { name: String },
}

type Names = BTreeMap<String, u64>;

impl FolderChange {
    /// A change of a name that is not there, because the change that made it was lost, does nothing.
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Create { name, number } => _ = names.insert(name.clone(), *number),
            Self::Remove { name } => _ = names.remove(name),
            Self::Rename { from, to } => {
                if let Some(number) = names.remove(from) {
                    names.insert(to.clone(), number);
                }
            }
        }
    }
}

/// A file without its name.
#[derive(Clone, Default)]
pub(super) struct Inode {
    live: Content,
    synced: Content,
    unsynced: Vec<Write>,
    sync_failed: bool,
}

impl Inode {
    pub(super) fn live(&self) -> &Content {
        &self.live
    }

    pub(super) fn flip(&mut self, offset: usize, mask: u8) {
        self.live.flip(offset, mask);
        self.synced.flip(offset, mask);
    }

    pub(super) fn replace(&mut self, bytes: &[u8]) {
        self.live = Content::of(bytes);
        self.synced = self.live.clone();
        self.unsynced.clear();
    }

    fn sync(&mut self) {
        for write in self.unsynced.drain(..) {
            self.synced.put(&write);
        }
    }

    fn survive(&mut self, draw: Draw<'_>) {
        for write in self.unsynced.drain(..) {
            write.survive(&mut self.synced, draw);
        }
        self.live = self.synced.clone();
        self.sync_failed = false;
    }
}

/// All of the disk.
#[derive(Clone, Default)]
pub(super) struct State {
    inodes: BTreeMap<u64, Inode>,
    inodes_made: u64,
    names: Names,
    synced_names: Names,
    unsynced_changes: Vec<FolderChange>,
    is_locked: bool,
    is_dark: bool,
    /// Counts crashes and kills: what was opened in another life is dead.
    life: u64,
    quota_bytes: Option<u64>,
    operations: u64,
    /// The operation that meets it, by its number.
    armed: Option<(u64, Trouble)>,
    syncs_fail: bool,
}

impl State {
    pub(super) fn copy(&self) -> Self {
        Self { is_locked: false, is_dark: false, armed: None, syncs_fail: false, ..self.clone() }
    }

    pub(super) fn arm(&mut self, operations: u32, trouble: Trouble) {
        self.armed = Some((self.operations + u64::from(operations), trouble));
    }

    pub(super) fn fail_syncs(&mut self) {
        self.syncs_fail = true;
    }

    pub(super) fn disarm(&mut self) {
        (self.armed, self.syncs_fail) = (None, false);
    }

    /// What strikes in operation `number`.
    fn trouble(&mut self, number: u64, effect: Effect) -> Option<Trouble> {
        let armed = self.armed.take_if(|(at, _)| *at == number).map(|(_, trouble)| trouble);
        let is_sync = matches!(effect, Effect::Sync { .. } | Effect::SyncFolder);
        armed.or_else(|| (self.syncs_fail && is_sync).then_some(Trouble::Fails))
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn life(&self) -> u64 {
        self.life
    }

    pub(super) fn set_quota(&mut self, bytes: Option<u64>) {
        self.quota_bytes = bytes;
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.names.values().map(|number| self.inode(*number).live.size()).sum()
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.quota_bytes.map_or(u64::MAX, |quota| quota.saturating_sub(self.used_bytes()))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    pub(super) fn number(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or(io::ErrorKind::NotFound.into())
    }

    pub(super) fn inode(&self, number: u64) -> &Inode {
        &self.inodes[&number]
    }

    fn inode_mut(&mut self, number: u64) -> &mut Inode {
        self.inodes.get_mut(&number).expect("files are forgotten only when those who opened them are dead")
    }

    pub(super) fn named(&mut self, name: &str) -> &mut Inode {
        let number = self.number(name).unwrap_or_else(|_| panic!("no file {name} on the simulated disk"));
        self.inode_mut(number)
    }

    /// The life in which the lock was taken; `None` if another holds it.
    pub(super) fn lock(&mut self) -> io::Result<Option<u64>> {
        self.check_power(self.life)?;
        let was_locked = std::mem::replace(&mut self.is_locked, true);
        Ok((!was_locked).then_some(self.life))
    }

    pub(super) fn unlock(&mut self, life: u64) {
        if life == self.life {
            self.is_locked = false;
        }
    }

    pub(super) fn check_power(&self, life: u64) -> io::Result<()> {
        if self.is_dark || life != self.life { Err(io::Error::other("no power")) } else { Ok(()) }
    }

    /// Does an operation that counts, or lets the armed trouble strike in it.
    pub(super) fn perform(
        &mut self,
        life: u64,
        effect: Effect,
        change: impl FnOnce(&mut State) -> io::Result<()>,
    ) -> io::Result<()> {
        self.check_power(life)?;
        if let Effect::Sync { file } = effect {
            assert!(!self.inode(file).sync_failed, "a sync was tried again after it had failed");
        }
        let number = self.operations;
        self.operations += 1;
        let Some(trouble) = self.trouble(number, effect) else {
            return change(self);
        };
        let (is_left, why) = match trouble {
            Trouble::PowerGoes(Moment::Before) => (false, "no power"),
            Trouble::PowerGoes(Moment::Halfway) => (effect.is_left_when_cut(), "no power"),
            Trouble::PowerGoes(Moment::After) => (true, "no power"),
            Trouble::Fails => (effect.is_left_when_failed(), "the medium failed"),
        };
        if is_left {
            change(self)?;
        }
        self.is_dark = matches!(trouble, Trouble::PowerGoes(_));
        if let (Trouble::Fails, Effect::Sync { file }) = (trouble, effect) {
            self.inode_mut(file).sync_failed = true;
        }
        Err(io::Error::other(why))
    }

    pub(super) fn write(&mut self, number: u64, write: Write) -> io::Result<()> {
        let growth = write.end().saturating_sub(self.inode(number).live.size());
        if growth > 0 && self.free_bytes() < growth {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inode = self.inode_mut(number);
        inode.live.put(&write);
        inode.unsynced.push(write);
        Ok(())
    }

    pub(super) fn sync(&mut self, number: u64) {
        self.inode_mut(number).sync();
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<()> {
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.inodes_made += 1;
        let number = self.inodes_made;
        self.inodes.insert(number, Inode::default());
        self.change_folder(FolderChange::Create { name: name.to_owned(), number })
    }

    pub(super) fn change_folder(&mut self, change: FolderChange) -> io::Result<()> {
        if let FolderChange::Rename { from: name, .. } | FolderChange::Remove { name } = &change {
            self.number(name)?;
        }
        self.perform(self.life, Effect::Folder, |state| {
            change.apply(&mut state.names);
            state.unsynced_changes.push(change);
            Ok(())
        })
    }

    pub(super) fn sync_folder(&mut self) -> io::Result<()> {
        self.perform(self.life, Effect::SyncFolder, |state| {
            state.synced_names = state.names.clone();
            state.unsynced_changes.clear();
            Ok(())
        })
    }

    pub(super) fn kill(&mut self) {
        self.life += 1;
        (self.is_locked, self.is_dark) = (false, false);
        self.disarm();
    }

    pub(super) fn crash(&mut self, draw: Draw<'_>) {
        self.kill();
        self.lose_folder_changes(draw);
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.inodes.retain(|number, _| named.contains(number));
        for inode in self.inodes.values_mut() {
            inode.survive(draw);
        }
    }

    /// None of the changes arrived, all of them, those before some moment, or any of them: file systems differ.
    fn lose_folder_changes(&mut self, draw: Draw<'_>) {
        let changes = std::mem::take(&mut self.unsynced_changes);
        let fate = draw() % 4;
        let arrived_before = draw() % (changes.len() as u64 + 1);
        for (change, index) in changes.iter().zip(0..) {
            let arrived = match fate {
                0 => false,
                1 => true,
                2 => index < arrived_before,
                _ => draw() & 1 == 0,
            };
            if arrived {
                change.apply(&mut self.synced_names);
            }
        }
        self.names = self.synced_names.clone();
    }
}
