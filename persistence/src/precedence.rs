//! Which threads go first where there are more of them than cores.
//!
//! Payments and the journal have threads of their own that wake often and work briefly. The projection, and the office's searches, vault and
//! pages, share what is left of the cores. Without a word to the kernel all take turns as equals, and a payment that has come waits for
//! the end of a search's turn. SQLite's threads are as late as the thread that opened them: see `Database::open`.
//!
//! That is not enough where the kernel does not let in at once who has woken, but at the next tick of its clock, some milliseconds later: who
//! works long looks up now and then ([`let_others_in`]).
//!
//! Nothing depends on it: where the kernel refuses, or is too old to know, threads are equals.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Niceness of what may be late: on a core that it shares with one thread of payments that has always something to do it still gets a
/// quarter, which is what the projection of those payments takes.
const MAY_BE_LATE: libc::c_int = 5;

/// A turn of what must not be late, nanoseconds: the shortest that Linux knows (from 6.12 on; three milliseconds otherwise). Whose turns are
/// shorter is let in when it wakes, in the midst of another's, and gets no more of the core in all.
const SHORT_TURN_NS: u64 = 100_000;

/// Whether the projection has more to do than it can put off. One for the process: SQLite's threads can't be told apart.
static IS_FAR_BEHIND: AtomicBool = AtomicBool::new(false);

/// Lets the calling thread, and those that it starts from now on, give way.
pub fn give_way() {
    // SAFETY: both calls take plain values. On Linux the priority is the calling thread's own.
    unsafe {
        if libc::getpriority(libc::PRIO_PROCESS, 0) < MAY_BE_LATE {
            let _ = libc::setpriority(libc::PRIO_PROCESS, 0, MAY_BE_LATE);
        }
    }
}

/// Lets the calling thread, and none that it starts, in as soon as it wakes. A thread that somebody has given another policy than the usual one
/// keeps it.
pub fn come_at_once() {
    if let Some(mut own) = own_attributes()
        && own.sched_policy == libc::SCHED_OTHER as u32
    {
        own.sched_runtime = SHORT_TURN_NS;
        own.sched_flags |= libc::SCHED_FLAG_RESET_ON_FORK as u64;
        // SAFETY: the kernel reads as many bytes as `size` says, which are the structure's. 0 is the calling thread.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const own, 0) };
    }
}

/// Lets whoever has woken for this core meanwhile have it, in the midst of long work: to be called every tenth of a millisecond or so. The caller's
/// turn ends by it, so that on busy cores it gets less than its share; nothing while the projection is [far behind](set_far_behind).
pub fn let_others_in() {
    if !IS_FAR_BEHIND.load(Ordering::Relaxed) {
        thread::yield_now();
    }
}

/// Says whether the projection is so far behind that what it has to do is put off no longer.
pub fn set_far_behind(is_far_behind: bool) {
    IS_FAR_BEHIND.store(is_far_behind, Ordering::Relaxed);
}

/// How the kernel treats the calling thread.
fn own_attributes() -> Option<libc::sched_attr> {
    let bytes = size_of::<libc::sched_attr>() as u32;
    // SAFETY: the structure is plain integers, for which all zeros is a value.
    let mut own: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes at most as many bytes as it is told there are. 0 is the calling thread.
    let answer = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut own, bytes, 0) };
    (answer == 0).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_a_thread(does: fn()) -> (libc::sched_attr, libc::sched_attr) {
        let thread = thread::spawn(move || {
            does();
            (own_attributes().unwrap(), thread::spawn(own_attributes).join().unwrap().unwrap())
        });
        thread.join().unwrap()
    }

    #[test]
    fn a_thread_gives_way_with_those_that_it_starts_and_no_other() {
        let before = own_attributes().unwrap().sched_nice;
        let (itself, started) = of_a_thread(give_way);
        assert!(itself.sched_nice >= MAY_BE_LATE, "{}", itself.sched_nice);
        assert_eq!(started.sched_nice, itself.sched_nice);
        assert_eq!(own_attributes().unwrap().sched_nice, before);
    }

    #[test]
    fn turns_are_short_where_the_kernel_knows_them_and_only_the_threads_own() {
        let usual = own_attributes().unwrap();
        let (itself, started) = of_a_thread(come_at_once);
        // Kernels before 6.12 say 0, whatever they were told.
        let expected = if usual.sched_runtime == 0 { 0 } else { SHORT_TURN_NS };
        assert_eq!(itself.sched_runtime, expected);
        assert_eq!((itself.sched_policy, itself.sched_nice), (usual.sched_policy, usual.sched_nice));
        assert_eq!((started.sched_runtime, started.sched_nice), (usual.sched_runtime, usual.sched_nice));
    }
}
