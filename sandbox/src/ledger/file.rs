//! The ledger's file: rows appended in one write for each burst of answers, read back on start.
//!
//! A row is in the operating system's hands before its answer leaves, so that it outlives a kill of the process. It is not
//! synced to the disk: a simulated processor need not survive the loss of its machine.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{ROW_BYTES, Row};
use crate::error::SandboxError;
use crate::limits::LEDGER_CHUNK_ROWS;

/// An open ledger, written at its end only.
#[derive(Debug)]
pub struct LedgerFile {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl LedgerFile {
    /// Opens or creates a ledger and gives every row that is in it to `each`, in order. A last row that was not written
    /// whole is cut off; any other damage is an error.
    pub fn open(path: &Path, each: impl FnMut(&Row)) -> Result<LedgerFile, SandboxError> {
        let fault = |operation| move |source| SandboxError::Ledger { operation, path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(fault("make the folder of"))?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(fault("open ledger"))?;
        let bytes = read_rows(&file, path, each)?;
        let length = file.metadata().map_err(fault("read ledger"))?.len();
        if length > bytes {
            tracing::warn!(path = %path.display(), cut_bytes = length - bytes, "ledger: last row incomplete, cut off");
            file.set_len(bytes).map_err(fault("cut ledger"))?;
        }
        file.seek(SeekFrom::End(0)).map_err(fault("read ledger"))?;
        Ok(LedgerFile { file, path: path.to_owned(), bytes })
    }

    /// Appends whole rows in one write. After an error the file's end is unknown, and the host must not answer any more.
    pub fn append(&mut self, rows: &[u8]) -> Result<(), SandboxError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.file.write_all(rows).map_err(|source| SandboxError::Ledger {
            operation: "append to ledger",
            path: self.path.clone(),
            source,
        })?;
        self.bytes += rows.len() as u64;
        Ok(())
    }

    /// A second door to the rows that are there now, for a reader beside the writer.
    pub fn reader(&self) -> Result<RowReader, SandboxError> {
        let fault = |source| SandboxError::Ledger { operation: "read ledger", path: self.path.clone(), source };
        Ok(RowReader { file: File::open(&self.path).map_err(fault)?, rows_left: self.bytes / ROW_BYTES as u64 })
    }
}

fn read_rows(file: &File, path: &Path, mut each: impl FnMut(&Row)) -> Result<u64, SandboxError> {
    let mut input = BufReader::with_capacity(LEDGER_CHUNK_ROWS * ROW_BYTES, file);
    let mut bytes = [0; ROW_BYTES];
    let mut offset = 0;
    loop {
        match input.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(offset),
            Err(source) => {
                return Err(SandboxError::Ledger { operation: "read ledger", path: path.to_owned(), source });
            }
        }
        let row = Row::open(&bytes).and_then(|row| match row.ordinal == offset / ROW_BYTES as u64 {
            true => Ok(row),
            false => Err("row is out of order"),
        });
        let row = row.map_err(|reason| SandboxError::LedgerDamaged { path: path.to_owned(), offset, reason })?;
        each(&row);
        offset += ROW_BYTES as u64;
    }
}

/// Reads the rows that a ledger had when the reader was made.
#[derive(Debug)]
pub struct RowReader {
    file: File,
    rows_left: u64,
}

impl RowReader {
    /// The next rows, some hundred at a time; empty at the end.
    pub fn next_rows(&mut self) -> io::Result<Vec<Row>> {
        let count = self.rows_left.min(LEDGER_CHUNK_ROWS as u64);
        let mut bytes = vec![0; count as usize * ROW_BYTES];
        self.file.read_exact(&mut bytes)?;
        self.rows_left -= count;
        let rows = bytes.chunks_exact(ROW_BYTES).map(|row| Row::open(row).map_err(io::Error::other));
        rows.collect()
    }

    /// Back to the first row, for a second pass over the same rows.
    pub fn rewind(&mut self, rows: u64) -> io::Result<()> {
        self.file.rewind()?;
        self.rows_left = rows;
        Ok(())
    }

    /// Rows not read yet.
    pub fn rows_left(&self) -> u64 {
        self.rows_left
    }
}
