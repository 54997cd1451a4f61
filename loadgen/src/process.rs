//! What a process on this machine has used, as the kernel tells it: the target's side of a measurement. Linux.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LoadError;

const SAMPLE_PERIOD: Duration = Duration::from_millis(50);
/// Ticks of proc(5) in a second, on every Linux that this runs on.
const TICKS_PER_S: u64 = 100;

/// CPU and memory of a process at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU since it began, user and system, ms.
    pub cpu_ms: u64,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
}

/// What a process used during something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// CPU, ms.
    pub cpu_ms: u64,
    /// Resident memory before it, bytes.
    pub rss_before_bytes: u64,
    /// The highest that was seen, bytes.
    pub rss_max_bytes: u64,
}

impl Usage {
    /// Of a process, now.
    pub fn of(process: u32) -> Result<Usage, LoadError> {
        let file = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}"));
        let read = || -> std::io::Result<Option<Usage>> { Ok(Usage::parse(&file("stat")?, &file("status")?)) };
        let fault = |source| LoadError::Process { process, source };
        read().map_err(fault)?.ok_or_else(|| fault(std::io::ErrorKind::InvalidData.into()))
    }

    fn parse(stat: &str, status: &str) -> Option<Usage> {
        // Fields 14 and 15, counted behind the command's closing parenthesis: a command may hold spaces.
        let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
        let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let rss_kib: u64 = rss.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(Usage { cpu_ms: ticks * 1_000 / TICKS_PER_S, rss_bytes: rss_kib * 1_024 })
    }
}

/// Watches a process from a thread of its own.
pub struct Watch {
    process: u32,
    before: Usage,
    over: Arc<AtomicBool>,
    sampler: JoinHandle<u64>,
}

impl Watch {
    /// Begins now.
    pub fn begin(process: u32) -> Result<Watch, LoadError> {
        let before = Usage::of(process)?;
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let sample = move || {
            let mut rss_max_bytes = before.rss_bytes;
            while !told.load(Ordering::Relaxed) {
                std::thread::sleep(SAMPLE_PERIOD);
                // A process that has ended is told by whoever asks for the end.
                rss_max_bytes = Usage::of(process).map_or(rss_max_bytes, |now| rss_max_bytes.max(now.rss_bytes));
            }
            rss_max_bytes
        };
        let sampler = std::thread::Builder::new().name("watch".into()).spawn(sample).map_err(LoadError::Start)?;
        Ok(Watch { process, before, over, sampler })
    }

    /// What it used since.
    pub fn end(self) -> Result<Used, LoadError> {
        self.over.store(true, Ordering::Relaxed);
        let rss_max_bytes = self.sampler.join().map_err(|_| LoadError::Lost)?;
        let cpu_ms = Usage::of(self.process)?.cpu_ms - self.before.cpu_ms;
        Ok(Used { cpu_ms, rss_before_bytes: self.before.rss_bytes, rss_max_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_command_and_memory_is_in_kib() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        let usage = Usage::parse(stat, "Name:\ta b) c\nVmRSS:\t   1234 kB\n");
        assert_eq!(usage, Some(Usage { cpu_ms: 2_000, rss_bytes: 1_263_616 }));
        assert_eq!(Usage::parse(stat, "Name:\ta\n"), None);
    }

    #[test]
    fn memory_that_is_taken_and_given_back_was_seen() {
        let watch = Watch::begin(std::process::id()).unwrap();
        let taken = std::hint::black_box(vec![1u8; 64 << 20]);
        std::thread::sleep(SAMPLE_PERIOD * 3);
        drop(taken);
        let used = watch.end().unwrap();
        assert!(used.rss_max_bytes >= used.rss_before_bytes + (60 << 20), "{used:?}");
        assert!(matches!(Usage::of(u32::MAX), Err(LoadError::Process { .. })));
    }
}
