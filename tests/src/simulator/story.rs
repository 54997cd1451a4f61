//! The story of a run: every event as a line, the last of them kept for the day when a check fails, and one digest of all.

use protocol::calendar::Micros;
use protocol::id::mix;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;

/// Lines that are kept.
const LINES_KEPT: usize = 4_000;

/// The story.
pub struct Story {
    began: Micros,
    lines: u64,
    digest: u64,
    aloud: bool,
}

thread_local! {
    /// Outlives the world: an assertion inside the product fails in the middle of everything, and then this is all there is.
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

struct Last {
    replay: String,
    lines: VecDeque<String>,
}

impl Story {
    /// An empty story of a run that `replay` repeats. `aloud` prints every line as it happens.
    pub fn new(began: Micros, replay: String, aloud: bool) -> Story {
        LAST.set(Some(Last { replay, lines: VecDeque::new() }));
        Story { began, lines: 0, digest: 0, aloud }
    }

    /// Tells what happens.
    #[expect(clippy::print_stdout, reason = "the program was asked to print it")]
    pub fn tell(&mut self, now: Micros, what: fmt::Arguments<'_>) {
        let since = now.0 - self.began.0;
        let line = format!("{:>6}.{:06} {what}", since / 1_000_000, since % 1_000_000);
        self.lines += 1;
        for part in line.as_bytes().chunks(8) {
            let word = part.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.digest = mix(self.digest.rotate_left(23) ^ word);
        }
        if self.aloud {
            println!("{line}");
        }
        LAST.with_borrow_mut(|last| {
            let Some(Last { lines, .. }) = last else { return };
            if lines.len() == LINES_KEPT {
                lines.pop_front();
            }
            lines.push_back(line);
        });
    }

    /// Tells two runs apart that took different ways.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Lines told.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

/// The last lines of the story on this thread, oldest first.
pub fn last_lines(count: usize) -> Vec<String> {
    LAST.with_borrow(|last| {
        let lines = last.as_ref().map(|last| &last.lines);
        lines.map_or(Vec::new(), |lines| lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect())
    })
}

/// The command that repeats the run on this thread.
pub fn replay() -> Option<String> {
    LAST.with_borrow(|last| last.as_ref().map(|last| last.replay.clone()))
}
