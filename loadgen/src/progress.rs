//! The live view on stderr: a bar on a terminal, a line each second otherwise. Reads the recorder,
//! decides nothing.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::feed::Window;
use crate::plan::{Plan, Show};
use crate::record::Recorder;

const BAR_PERIOD: Duration = Duration::from_millis(250);
const LINE_PERIOD: Duration = Duration::from_secs(1);

pub(crate) struct Display {
    view: View,
    warmup: Duration,
    last: Instant,
}

enum View {
    Silent,
    Lines,
    Bar(ProgressBar),
}

impl Display {
    pub(crate) fn new(plan: &Plan) -> Self {
        let view = match plan.show {
            Show::Silent => View::Silent,
            Show::Lines => View::Lines,
            Show::Bar => View::Bar(bar(plan.warmup + plan.duration)),
        };
        Display { view, warmup: plan.warmup, last: Instant::now() }
    }

    /// How often it wants to be shown; never, when silent.
    pub(crate) fn period(&self) -> Option<Duration> {
        match self.view {
            View::Silent => None,
            View::Lines => Some(LINE_PERIOD),
            View::Bar(_) => Some(BAR_PERIOD),
        }
    }

    /// For a loop that comes by often. `waiting` requests are due and were not sent yet.
    pub(crate) fn show_if_due(&mut self, window: Window, waiting: usize, recorder: &mut Recorder) {
        if self.period().is_some_and(|period| self.last.elapsed() >= period) {
            self.show(window, waiting, recorder);
        }
    }

    pub(crate) fn show(&mut self, window: Window, waiting: usize, recorder: &mut Recorder) {
        let elapsed = window.start.elapsed();
        let line = self.line(elapsed, waiting, recorder);
        match &self.view {
            View::Silent => {}
            // A closed stderr is no reason to end a measurement.
            View::Lines => drop(writeln!(std::io::stderr(), "{:>4} s  {line}", elapsed.as_secs())),
            View::Bar(bar) => {
                bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
                bar.set_message(line);
            }
        }
    }

    fn line(&mut self, elapsed: Duration, waiting: usize, recorder: &mut Recorder) -> String {
        let (answered, p99_ns) = recorder.take_live();
        let rate = answered as f64 / self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        let phase = if elapsed < self.warmup { "warm-up  " } else { "" };
        let counts = &recorder.counts;
        format!(
            "{phase}{rate:.0}/s  p99 {:.2} ms  refused {}  errors {}  waiting {waiting}",
            p99_ns as f64 / 1e6,
            counts.refused,
            counts.errors(),
        )
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let View::Bar(bar) = &self.view {
            bar.finish_and_clear();
        }
    }
}

fn bar(length: Duration) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("[{bar:30}] {percent:>3}%  {msg}").expect("the template is a constant");
    bar.set_style(style.progress_chars("=> "));
    bar
}
