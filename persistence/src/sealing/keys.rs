//! The key folder: which keys there are, how they are made, and what is refused.
//!
//! ```text
//! DATA/keys/               0700
//!   seal-1.key …           0600, one per key id; the highest id seals, every one opens
//!   fingerprint.key        0600, never rotated: equal cards must stay equal
//!   idempotency.key        0600
//! ```
//! A key file is 32 bytes of key and 8 bytes of its BLAKE3 hash: a damaged fingerprint key would otherwise work silently
//! and make every known card a stranger.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::PersistenceError;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const KEY_BYTES: usize = 32;
const CHECK_BYTES: usize = 8;
const FILE_BYTES: usize = KEY_BYTES + CHECK_BYTES;
const FINGERPRINT_FILE: &str = "fingerprint.key";
const IDEMPOTENCY_FILE: &str = "idempotency.key";
const FIRST_SEAL_KEY: u32 = 1;

/// A key in memory; zeroized on drop.
pub(super) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// All keys of a folder.
pub(super) struct Keys {
    /// By key id, ascending; at least one.
    pub seal: Vec<(u32, Key)>,
    pub fingerprint: Key,
    pub idempotency: Key,
}

/// Reads every key. Nothing is made: a missing key is an error, for what it sealed would be lost silently.
pub(super) fn load(folder: &Path) -> Result<Keys, PersistenceError> {
    check_mode(folder, fs::metadata(folder).map_err(fault("look at", folder))?.permissions().mode(), FOLDER_MODE)?;
    let ids = seal_key_ids(folder)?;
    if ids.is_empty() {
        return Err(PersistenceError::KeyMissing { path: seal_key_path(folder, FIRST_SEAL_KEY) });
    }
    let seal = ids.into_iter().map(|id| Ok((id, read(&seal_key_path(folder, id))?))).collect::<Result<_, _>>()?;
    let fingerprint = read(&folder.join(FINGERPRINT_FILE))?;
    let idempotency = read(&folder.join(IDEMPOTENCY_FILE))?;
    Ok(Keys { seal, fingerprint, idempotency })
}

/// Makes a folder with fresh keys, all or nothing: it is filled under another name first, so that a crash in between
/// leaves no folder that lacks a key.
pub(super) fn create(folder: &Path) -> Result<(), PersistenceError> {
    let draft = folder.with_extension("draft");
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(fault("remove", &draft))?;
    }
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&draft).map_err(fault("create", &draft))?;
    for name in [&format!("seal-{FIRST_SEAL_KEY}.key"), FINGERPRINT_FILE, IDEMPOTENCY_FILE] {
        write_fresh(&draft.join(name))?;
    }
    sync_folder(&draft)?;
    fs::rename(&draft, folder).map_err(fault("create", folder))?;
    sync_parent(folder)
}

/// Adds a seal key with the next id, which seals from the next start on. Returns the id.
pub(super) fn add_seal_key(folder: &Path) -> Result<u32, PersistenceError> {
    let newest = load(folder)?.seal.last().map_or(0, |(id, _)| *id);
    let id = newest + 1;
    let (path, draft) = (seal_key_path(folder, id), folder.join("seal.draft"));
    if draft.exists() {
        fs::remove_file(&draft).map_err(fault("remove", &draft))?;
    }
    write_fresh(&draft)?;
    fs::rename(&draft, &path).map_err(fault("create", &path))?;
    sync_folder(folder)?;
    Ok(id)
}

fn seal_key_path(folder: &Path, id: u32) -> PathBuf {
    folder.join(format!("seal-{id}.key"))
}

fn seal_key_ids(folder: &Path) -> Result<Vec<u32>, PersistenceError> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault("list", folder))? {
        let name = entry.map_err(fault("list", folder))?.file_name();
        let id: Option<u32> = name.to_str().and_then(|name| name.strip_prefix("seal-")?.strip_suffix(".key")?.parse().ok());
        ids.extend(id);
    }
    ids.sort_unstable();
    Ok(ids)
}

fn read(path: &Path) -> Result<Key, PersistenceError> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PersistenceError::KeyMissing { path: path.to_owned() });
        }
        opened => opened.map_err(fault("open", path))?,
    };
    check_mode(path, file.metadata().map_err(fault("look at", path))?.permissions().mode(), FILE_MODE)?;
    let damaged = |fault| PersistenceError::KeyDamaged { path: path.to_owned(), fault };
    let mut bytes = Zeroizing::new([0; FILE_BYTES]);
    file.read_exact(&mut bytes[..]).map_err(|_| damaged("shorter than 40 bytes"))?;
    if file.read(&mut [0]).map_err(fault("read", path))? != 0 {
        return Err(damaged("longer than 40 bytes"));
    }
    let mut key = Key::default();
    key.copy_from_slice(&bytes[..KEY_BYTES]);
    if bytes[KEY_BYTES..] != check(&key) {
        return Err(damaged("its check value does not match"));
    }
    Ok(key)
}

fn write_fresh(path: &Path) -> Result<(), PersistenceError> {
    let mut key = Key::default();
    aws_lc_rs::rand::fill(&mut key[..]).map_err(|_| PersistenceError::Cryptography { operation: "draw a key" })?;
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(FILE_MODE).open(path).map_err(fault("create", path))?;
    let written = file.write_all(&key[..]).and_then(|()| file.write_all(&check(&key))).and_then(|()| file.sync_all());
    written.map_err(fault("write", path))
}

fn check(key: &Key) -> [u8; CHECK_BYTES] {
    let hash = blake3::hash(&key[..]);
    core::array::from_fn(|place| hash.as_bytes()[place])
}

fn check_mode(path: &Path, mode: u32, right: u32) -> Result<(), PersistenceError> {
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(PersistenceError::KeyExposed { path: path.to_owned(), mode: mode & 0o7777, right })
}

fn sync_folder(folder: &Path) -> Result<(), PersistenceError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault("sync", folder))
}

fn sync_parent(folder: &Path) -> Result<(), PersistenceError> {
    match folder.parent() {
        Some(parent) if parent != Path::new("") => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

fn fault(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PersistenceError {
    let path = path.to_owned();
    move |source| PersistenceError::KeyFolder { operation, path, source }
}
