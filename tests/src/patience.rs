//! Waiting with a deadline, for what nobody announces.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(10);

/// Asks until the answer is there; `None` after the deadline.
pub fn until<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Asks until there is nothing to complain about; fails with the last complaint.
#[track_caller]
pub fn eventually(patience: Duration, mut complaint: impl FnMut() -> Result<(), String>) {
    let mut last = String::new();
    let fine = until(patience, || complaint().map_err(|said| last = said).ok());
    assert!(fine.is_some(), "not within {patience:?}: {last}");
}
