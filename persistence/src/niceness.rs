//! How threads that may be late give way to those that payments wait for.
//!
//! Payments and the journal have threads of their own. The projection, and the office's searches, vault and pages, share what is left of
//! the cores: without a word to the kernel each of them would take turns with a payment as its equal. SQLite's threads are as late as
//! whoever opened them.

/// Niceness of what may be late: on a core that it shares with one thread of payments that has always something to do it still gets a
/// quarter, which is what the projection of those payments takes.
const MAY_BE_LATE: libc::c_int = 5;

/// Lets the calling thread, and those that it starts from now on, give way. Where the kernel refuses, they are equals: nothing depends on it.
pub fn give_way() {
    // SAFETY: both calls take plain values. On Linux the priority is the calling thread's own.
    unsafe {
        if libc::getpriority(libc::PRIO_PROCESS, 0) < MAY_BE_LATE {
            let _ = libc::setpriority(libc::PRIO_PROCESS, 0, MAY_BE_LATE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn niceness() -> String {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let behind_the_name = stat.rsplit_once(") ").unwrap().1;
        behind_the_name.split(' ').nth(16).unwrap().to_owned()
    }

    #[test]
    fn a_thread_gives_way_with_those_that_it_starts_and_no_other() {
        let before = niceness();
        let late = thread::spawn(|| {
            give_way();
            (niceness(), thread::spawn(niceness).join().unwrap())
        });
        let (itself, started) = late.join().unwrap();
        assert!(itself.parse::<i32>().unwrap() >= MAY_BE_LATE, "{itself}");
        assert_eq!(started, itself);
        assert_eq!(niceness(), before);
    }
}
