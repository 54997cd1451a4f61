//! SQLite lets others in in the midst of a statement.
//!
//! A statement of many rows, or a search that no index helps, keeps a core for as long as it takes, and a payment that wakes there meanwhile
//! may wait for milliseconds. SQLite can call back every so many of its operations, but sqlx has no way to ask for it on a connection of
//! its `Any` kind: it is asked for on each connection that this process opens, when it opens.

use crate::precedence::let_others_in;
use libsqlite3_sys::{SQLITE_OK, sqlite3, sqlite3_api_routines, sqlite3_auto_extension, sqlite3_progress_handler};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Once;

/// Operations of SQLite's machine from one look up to the next: some 50 to 100 µs, whatever the statement.
const OPERATIONS_BETWEEN: c_int = 500;

/// From now on each SQLite connection of this process lets others in while it works.
pub(super) fn let_others_in_between() {
    static ONCE: Once = Once::new();
    // SAFETY: the entry point has the signature that SQLite calls it by, and lives as long as the process. It fails for want of memory only, and then
    // statements keep their core, as they would without.
    ONCE.call_once(|| _ = unsafe { sqlite3_auto_extension(Some(on_open)) });
}

unsafe extern "C" fn on_open(connection: *mut sqlite3, _fault: *mut *mut c_char, _api: *const sqlite3_api_routines) -> c_int {
    // SAFETY: SQLite hands its entry points a connection that is open. The call back takes nothing, and can't end before the process.
    unsafe { sqlite3_progress_handler(connection, OPERATIONS_BETWEEN, Some(on_progress), ptr::null_mut()) };
    SQLITE_OK
}

unsafe extern "C" fn on_progress(_nothing: *mut c_void) -> c_int {
    const GO_ON: c_int = 0;
    let_others_in();
    #[cfg(test)]
    tests::LOOKED_UP.set(tests::LOOKED_UP.get() + 1);
    GO_ON
}

#[cfg(test)]
mod tests {
    use super::*;
    use libsqlite3_sys::{sqlite3_close, sqlite3_exec, sqlite3_open};
    use std::cell::Cell;

    thread_local! {
        pub(super) static LOOKED_UP: Cell<u32> = const { Cell::new(0) };
    }

    /// By SQLite itself: its statements run on the thread that calls it, where nobody else looks up.
    #[test]
    fn a_long_statement_looks_up_again_and_again() {
        let_others_in_between();
        let mut connection = ptr::null_mut();
        let count = c"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT count(*) FROM n";
        // SAFETY: texts end with a zero byte, and the connection is used between its opening and its closing.
        let done = unsafe {
            assert_eq!(sqlite3_open(c":memory:".as_ptr(), &mut connection), SQLITE_OK);
            let done = sqlite3_exec(connection, count.as_ptr(), None, ptr::null_mut(), ptr::null_mut());
            assert_eq!(sqlite3_close(connection), SQLITE_OK);
            done
        };
        assert_eq!(done, SQLITE_OK);
        // A row takes several operations.
        assert!(LOOKED_UP.get() > 10_000 / OPERATIONS_BETWEEN as u32, "{}", LOOKED_UP.get());
    }
}
