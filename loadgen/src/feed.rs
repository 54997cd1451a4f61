//! Which request leaves next: the backlog of due requests in an open loop, the clock alone in a
//! closed one.
//!
//! Lives on the generator's single thread, so it needs no lock.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::Notify;

use crate::plan::{Load, Plan};
use crate::record::Slot;
use crate::schedule::Schedule;
use crate::timer::FineTimer;

/// The window of one run.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    /// The first request is due here.
    pub(crate) start: Instant,
    /// The warm-up ends and the measurement begins.
    pub(crate) measured_from: Instant,
    /// Nothing is scheduled from here on.
    pub(crate) end: Instant,
    /// What still waits for a connection then is given up.
    pub(crate) give_up: Instant,
}

impl Window {
    pub(crate) fn new(plan: &Plan, start: Instant) -> Self {
        let measured_from = start + plan.warmup;
        let end = measured_from + plan.duration;
        Window { start, measured_from, end, give_up: end + plan.timeout }
    }

    pub(crate) fn measures(&self, when: Instant) -> bool {
        (self.measured_from..self.end).contains(&when)
    }
}

/// Hands slots to connections.
pub(crate) struct Feed {
    window: Window,
    closed_loop: bool,
    sequence: Cell<u64>,
    backlog: RefCell<VecDeque<Slot>>,
    backlog_max: usize,
    wake: Notify,
    over: Cell<bool>,
    /// Slots of the measured window so far.
    pub(crate) scheduled: Cell<u64>,
    /// Slots of the measured window that were given up.
    pub(crate) unsent: Cell<u64>,
}

impl Feed {
    pub(crate) fn new(plan: &Plan, window: Window) -> Self {
        Feed {
            window,
            closed_loop: plan.load == Load::Closed,
            sequence: Cell::new(0),
            backlog: RefCell::new(VecDeque::new()),
            backlog_max: plan.backlog_max,
            wake: Notify::new(),
            over: Cell::new(false),
            scheduled: Cell::new(0),
            unsent: Cell::new(0),
        }
    }

    /// The next request for a free connection, or `None` when the run is over.
    pub(crate) async fn next(&self) -> Option<Slot> {
        if self.closed_loop {
            let now = Instant::now();
            return (now < self.window.end && !self.over.get()).then(|| self.slot(now, now));
        }
        loop {
            if let Some(slot) = self.backlog.borrow_mut().pop_front() {
                return Some(slot);
            }
            if self.over.get() {
                return None;
            }
            self.wake.notified().await;
        }
    }

    /// Puts every slot into the backlog when it is due. Ends with the schedule.
    pub(crate) async fn pace(&self, schedule: Schedule, timer: &FineTimer) -> std::io::Result<()> {
        let mut now = Instant::now();
        for offset in schedule {
            let scheduled = self.window.start + offset;
            // The clock is read once per wake-up: what fell due meanwhile was noticed now.
            while scheduled > now {
                timer.until(scheduled).await?;
                now = Instant::now();
            }
            if self.over.get() {
                break;
            }
            self.push(scheduled, now);
        }
        self.finish();
        Ok(())
    }

    fn push(&self, scheduled: Instant, dispatched: Instant) {
        let slot = self.slot(scheduled, dispatched);
        let mut backlog = self.backlog.borrow_mut();
        if backlog.len() < self.backlog_max {
            backlog.push_back(slot);
            self.wake.notify_one();
        } else {
            self.unsent.set(self.unsent.get() + u64::from(slot.measured));
        }
    }

    fn slot(&self, scheduled: Instant, dispatched: Instant) -> Slot {
        let sequence = self.sequence.replace(self.sequence.get() + 1);
        let measured = scheduled >= self.window.measured_from;
        self.scheduled.set(self.scheduled.get() + u64::from(measured));
        Slot { sequence, scheduled, dispatched, measured }
    }

    /// Waiting connections leave; busy ones still take what is in the backlog.
    pub(crate) fn finish(&self) {
        self.over.set(true);
        self.wake.notify_waiters();
    }

    /// Counts what still waits as never sent.
    pub(crate) fn give_up(&self) {
        self.finish();
        let left = self.backlog.borrow_mut().drain(..).filter(|slot| slot.measured).count();
        self.unsent.set(self.unsent.get() + left as u64);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.backlog.borrow().len()
    }

    pub(crate) fn window(&self) -> Window {
        self.window
    }
}
