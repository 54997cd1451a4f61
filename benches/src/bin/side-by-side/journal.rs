//! The journal: durable 512-byte records against raw `pwrite` and `fdatasync` of the same groups to a pre-written file.

use crate::Effort;
use crate::table::{Row, median};
use benches::records::{RECORD_BYTES, Records, batch};
use persistence::journal::{Journal, Log, LogOptions, OsDisk, Refused, WriterOptions};
use protocol::frame::Durable;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const BLOCK_BYTES: usize = 4096;
const RAW_BYTES: u64 = 64 * 1024 * 1024;
/// Groups under way at once: one is written while the next is filled.
const GROUPS_UNDER_WAY: usize = 4;

/// A folder on the disk that the switch would use: below the current one, not on a tmpfs.
fn folder() -> anyhow::Result<tempfile::TempDir> {
    Ok(tempfile::tempdir_in(".")?)
}

struct Ours {
    journal: Journal<Records>,
    back: Receiver<Records>,
    spare: Vec<Records>,
    _folder: tempfile::TempDir,
}

impl Ours {
    fn new(count: u32) -> anyhow::Result<Ours> {
        let folder = folder()?;
        let options = LogOptions { free_bytes_min: 0, segments_ahead: 4, ..LogOptions::default() };
        let (mut log, _) = Log::open(OsDisk::open(folder.path())?, options, |_, _| {})?;
        log.prepare_ahead()?;
        let (done, back) = channel();
        let sink = move |batch: Records, result: Result<Durable, Refused>| {
            assert!(result.is_ok(), "the bench's disk has no room");
            // The last groups come back after the measurement has ended.
            let _ = done.send(batch);
        };
        let writer = WriterOptions { group_bytes: count as usize * RECORD_BYTES, ..WriterOptions::default() };
        let journal = Journal::start(log, writer, sink)?;
        let spare = (0..GROUPS_UNDER_WAY).map(|_| batch(count)).collect();
        Ok(Ours { journal, back, spare, _folder: folder })
    }

    /// Durable records per second.
    fn run(&mut self, effort: Duration, count: u32) -> anyhow::Result<f64> {
        let submitter = self.journal.submitter();
        let begun = Instant::now();
        let (mut under_way, mut done) = (0, 0u64);
        loop {
            let over = begun.elapsed() >= effort;
            while !over && let Some(group) = self.spare.pop() {
                anyhow::ensure!(submitter.submit(group).is_ok(), "the journal has stopped");
                under_way += 1;
            }
            if under_way == 0 {
                return Ok(done as f64 / begun.elapsed().as_secs_f64());
            }
            self.spare.push(self.back.recv()?);
            under_way -= 1;
            done += u64::from(count);
        }
    }
}

struct Raw {
    file: File,
    bytes: Vec<u8>,
    offset: u64,
    _folder: tempfile::TempDir,
}

impl Raw {
    fn new(count: u32) -> anyhow::Result<Raw> {
        let folder = folder()?;
        let path = folder.path().join("raw");
        std::fs::write(&path, vec![0; RAW_BYTES as usize])?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        file.sync_all()?;
        Ok(Raw { file, bytes: batch(count).bytes, offset: 0, _folder: folder })
    }

    fn run(&mut self, effort: Duration, count: u32) -> anyhow::Result<f64> {
        let step = self.bytes.len().next_multiple_of(BLOCK_BYTES) as u64;
        let begun = Instant::now();
        let mut done = 0u64;
        while begun.elapsed() < effort {
            self.file.write_all_at(&self.bytes, self.offset)?;
            self.file.sync_data()?;
            self.offset = (self.offset + step) % (RAW_BYTES / 2);
            done += u64::from(count);
        }
        Ok(done as f64 / begun.elapsed().as_secs_f64())
    }
}

/// Small, middling and large groups.
pub fn appends(effort: Effort) -> anyhow::Result<Vec<Row>> {
    [1, 64, 1024].into_iter().map(|count| append(effort, count)).collect()
}

fn append(effort: Effort, count: u32) -> anyhow::Result<Row> {
    let (mut ours, mut raw) = (Ours::new(count)?, Raw::new(count)?);
    let (mut our_rates, mut raw_rates) = (vec![], vec![]);
    for _ in 0..effort.rounds {
        our_rates.push(ours.run(effort.in_process, count)?);
        raw_rates.push(raw.run(effort.in_process, count)?);
    }
    ours.journal.stop();
    let rate = |rates: &[f64]| format!("{:.1} k/s", median(rates) / 1e3);
    Ok(Row {
        what: format!("journal: durable 512-byte records, groups of {count}, against raw pwrite + fdatasync"),
        ours: rate(&our_rates),
        baseline: rate(&raw_rates),
        ratios: our_rates.iter().zip(&raw_rates).map(|(ours, raw)| ours / raw).collect(),
        must: if count == 1024 { "≥ 500 k/s" } else { "" },
    })
}
