//! A data folder that goes with its test, unless the test fails.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The folder.
#[derive(Debug)]
pub struct Folder(Option<TempDir>);

impl Folder {
    /// A fresh one.
    pub fn new() -> Folder {
        Folder(Some(tempfile::Builder::new().prefix("switchyard-test-").tempdir().expect("a temporary folder")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.as_ref().expect("it is there until it is dropped").path()
    }

    /// Something in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}

impl Drop for Folder {
    #[expect(clippy::print_stderr, reason = "cargo shows it when the test fails")]
    fn drop(&mut self) {
        if let Some(folder) = self.0.take_if(|_| std::thread::panicking()) {
            eprintln!("left for inspection: {}", folder.keep().display());
        }
    }
}
