//! The data folder: who may enter, and what is where.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A folder that nobody else may read.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// Creates the folder (0700) if it is not there; closes one that others could read.
    pub fn open(path: &Path) -> io::Result<DataFolder> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let mode = fs::metadata(path)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        }
        Ok(DataFolder(path.canonicalize()?))
    }

    /// Itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The journal's segments.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// The sealing keys.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// Mails, where no server is configured to send them.
    pub fn mail(&self) -> PathBuf {
        self.0.join("mail")
    }

    /// The copy of the stores, for a start without the SQL home.
    pub fn standby(&self) -> PathBuf {
        self.0.join("standby")
    }

    /// Files for the bank.
    pub fn nacha(&self) -> PathBuf {
        self.0.join("nacha")
    }

    /// How far the sandbox's test clock was moved.
    pub fn clock_json(&self) -> PathBuf {
        self.0.join("clock.json")
    }

    /// The same file, of the folder that a journal stands in.
    pub fn processors_json_beside(journal: &Path) -> PathBuf {
        journal.join("../processors.json")
    }

    /// Which number each processor has in the records.
    pub fn processors_json(&self) -> PathBuf {
        self.0.join("processors.json")
    }

    /// Addresses and keys of the sandbox.
    pub fn sandbox_json(&self) -> PathBuf {
        self.0.join("sandbox.json")
    }
}

/// Replaces a file as a whole, readable by its owner only: a crash leaves the old one or the new one.
pub fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    // An old unfinished file may have had another mode.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_and_its_private_files_are_the_owners_only() {
        let outer = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&outer.path().join("a/b")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        replace_private(&folder.sandbox_json(), b"one").unwrap();
        replace_private(&folder.sandbox_json(), b"two").unwrap();
        assert_eq!(mode(&folder.sandbox_json()), 0o600);
        assert_eq!(fs::read(folder.sandbox_json()).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
