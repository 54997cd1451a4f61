//! What the process asks of the kernel: no core dumps, for one would hold card data (I9), and files that nobody else reads.

use std::io;

/// Turns core dumps off, and tracing by others of the same user with them.
pub fn forbid_core_dumps() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls take plain values; `none` outlives the call that reads it.
    let refused =
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) != 0 || libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 };
    if refused { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets the process have as many files and connections open as it may ask for, and says how many: the limit that a shell gives, mostly 1,024,
/// is one for programs that `select`, and fewer than the connections that the fronts take. A journal that can't open its next segment's file
/// holds all payments up, and ends the process in the end.
pub fn allow_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes the structure, which outlives the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let wished = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    // SAFETY: the kernel reads the structure, which outlives the call.
    let refused = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wished) != 0 };
    // As where the machine's own limit was lowered below what the process was once given.
    Ok(if refused { limit.rlim_cur } else { wished.rlim_cur })
}

/// Files and folders made from here on are the owner's alone, whoever makes them: journal, database, ledgers.
pub fn keep_files_private() {
    // SAFETY: changes a number of this process and can't fail.
    unsafe { libc::umask(0o077) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The soft and the hard limit of this name.
    fn limits(name: &str) -> Vec<String> {
        let all = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = all.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    }

    #[test]
    fn a_core_dump_has_no_room() {
        forbid_core_dumps().unwrap();
        assert_eq!(limits("Max core file size")[0], "0");
    }

    #[test]
    fn as_many_files_may_be_open_as_the_process_may_ask_for() {
        let allowed = allow_open_files().unwrap();
        assert_eq!(limits("Max open files"), [allowed.to_string(), allowed.to_string()]);
    }
}
