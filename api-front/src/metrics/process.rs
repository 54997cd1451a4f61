//! What the kernel says of this process.

use std::fs;

/// Kernel ticks in a second: `USER_HZ`, a constant of the Linux interface.
const TICKS_PER_S: u64 = 100;

/// Processor time and memory of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessReading {
    /// Time on a core, milliseconds.
    pub cpu_ms: u64,
    /// Memory that is resident, bytes.
    pub resident_bytes: u64,
}

impl ProcessReading {
    /// As it is now; zeros where there is no `/proc`.
    pub fn now() -> ProcessReading {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpu_ms = cpu_ticks(&read("/proc/self/stat")).unwrap_or(0) * (1_000 / TICKS_PER_S);
        let kilobytes = resident_kilobytes(&read("/proc/self/status")).unwrap_or(0);
        ProcessReading { cpu_ms, resident_bytes: kilobytes * 1024 }
    }
}

/// Ticks in user and kernel mode: the 14th and 15th field, counted behind the name, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks = [fields.next()?, fields.next()?].map(|field| field.parse::<u64>().ok());
    Some(ticks[0]? + ticks[1]?)
}

fn resident_kilobytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read_whatever_the_process_is_called() {
        let stat = "1 (a) b) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 1 1 1";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(resident_kilobytes("Name:\ta\nVmRSS:\t   1024 kB\n"), Some(1024));
        assert_eq!((cpu_ticks(""), resident_kilobytes("")), (None, None));
        assert!(ProcessReading::now().resident_bytes > 0);
    }
}
