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

/// Files and folders made from here on are the owner's alone, whoever makes them: journal, database, ledgers.
pub fn keep_files_private() {
    // SAFETY: changes a number of this process and can't fail.
    unsafe { libc::umask(0o077) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_dump_has_no_room() {
        forbid_core_dumps().unwrap();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    }
}
