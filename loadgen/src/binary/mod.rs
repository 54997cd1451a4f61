//! Runs a plan over the binary protocol: one thread, many connections, many requests in flight on each.
//!
//! The thread waits in the kernel for answers and for a timer that is as fine as the schedule. All that is due at a wake-up
//! leaves at once, in frames of as many requests as the load says.

mod draw;
mod seat;

use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::answer::{Judged, Outcome, Sale};
use crate::cost::Meter;
use crate::error::LoadError;
use crate::feed::Window;
use crate::http::Fault;
use crate::plan::{Load, Plan, Show};
use crate::progress::Display;
use crate::record::{Recorder, Slot};
use crate::report::Report;
use crate::schedule::Schedule;
use crate::timer::KernelTimer;
use crate::work::{Kind, Work};
use draw::Pen;
use seat::{Ended, Seat};

/// Most requests in flight on one connection: what the switch gives credits for.
pub const IN_FLIGHT_MAX: u32 = 1_024;

const TIMER: Token = Token(usize::MAX);
const START_MARGIN: Duration = Duration::from_millis(20);
const READ_BYTES: usize = 64 * 1024;
/// How long a request that is due may wait for others to fill its frame.
const LINGER: Duration = Duration::from_micros(500);
/// Longest sleep, so that a run that is over is noticed.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// How a plan is carried out over this protocol.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Requests in flight on each connection at most.
    pub in_flight: u32,
    /// Requests of one frame.
    pub batch: u16,
}

/// One at a time on each connection.
impl Default for Shape {
    fn default() -> Shape {
        Shape { in_flight: 1, batch: 1 }
    }
}

impl Shape {
    fn check(&self) -> Result<(), LoadError> {
        let within = |what, value: u32, most: u32| match value {
            1.. if value <= most => Ok(()),
            _ => Err(LoadError::OutOfBounds { what, value: value.into(), least: 1, most: most.into() }),
        };
        within("requests in flight", self.in_flight, IN_FLIGHT_MAX)?;
        within("requests of a frame", self.batch.into(), self.in_flight)
    }
}

/// Drives the plan's target, which is the address of the binary protocol, and reports. Takes the calling thread for the run's
/// length.
pub fn run(plan: &Plan, shape: &Shape) -> Result<Report, LoadError> {
    plan.check()?;
    shape.check()?;
    if plan.mix.has(Kind::Ach) {
        return Err(LoadError::Kind { kind: Kind::Ach.name() });
    }
    let mut run = Run::prepare(plan, shape)?;
    let meter = Meter::start();
    run.drive().map_err(LoadError::Start)?;
    let cost = meter.read();
    run.settle();
    let mut report = Report::new(plan, &run.recorder, &cost);
    report.shape.in_flight_each = shape.in_flight;
    report.shape.batch = shape.batch;
    report.shape.target = format!("binary://{}", plan.target.address());
    Ok(report)
}

struct Run<'a> {
    plan: &'a Plan,
    shape: &'a Shape,
    poll: Poll,
    timer: KernelTimer,
    seats: Vec<Option<Seat>>,
    next_seat: usize,
    work: Work,
    pen: Pen,
    display: Display,
    window: Window,
    schedule: Option<std::iter::Peekable<Schedule>>,
    backlog: VecDeque<Slot>,
    sequence: u64,
    unsent: u64,
    scheduled: u64,
    /// Since when at least one connection has room.
    room_since: Instant,
    recorder: Recorder,
}

impl<'a> Run<'a> {
    fn prepare(plan: &'a Plan, shape: &'a Shape) -> Result<Run<'a>, LoadError> {
        let poll = Poll::new().map_err(LoadError::Start)?;
        let timer = KernelTimer::new().map_err(LoadError::Start)?;
        let watch = poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE);
        watch.map_err(LoadError::Start)?;
        let mut seats = Vec::with_capacity(plan.connections);
        for number in 0..plan.connections {
            // A connection is a merchant's: whoever has more of the load has more of them.
            let merchant = plan.skew.rank((number as f64 + 0.5) / plan.connections as f64);
            let api_key = plan.target.api_key(merchant as usize).ok_or(LoadError::ApiKeys)?;
            let mut seat = Seat::connect(plan.target.address(), merchant, api_key)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(seat.stream_mut(), Token(number), interest).map_err(LoadError::Start)?;
            seats.push(Some(seat));
        }
        let window = Window::new(plan, Instant::now() + START_MARGIN);
        let schedule = match plan.load {
            Load::Open { rate_per_s, arrivals } => {
                Some(Schedule::new(rate_per_s, arrivals, plan.seed, plan.warmup + plan.duration).peekable())
            }
            Load::Closed => None,
        };
        Ok(Run {
            plan,
            shape,
            poll,
            timer,
            seats,
            next_seat: 0,
            work: Work::new(plan.mix, plan.skew.clone(), plan.target.seed(), &plan.settled),
            pen: Pen::new(),
            display: Display::new(plan),
            window,
            schedule,
            backlog: VecDeque::new(),
            sequence: 0,
            unsent: 0,
            scheduled: 0,
            room_since: window.start,
            recorder: Recorder::new(window, plan.show != Show::Silent),
        })
    }

    fn drive(&mut self) -> std::io::Result<()> {
        std::thread::sleep(self.window.start.saturating_duration_since(Instant::now()));
        let (mut events, mut buffer, mut ended) = (Events::with_capacity(256), vec![0; READ_BYTES], Vec::new());
        loop {
            let now = Instant::now();
            let next_due = self.note_due(now);
            self.send(now, next_due);
            let waiting = self.backlog.len();
            self.display.show_if_due(self.window, waiting, &mut self.recorder);
            if self.is_over(now) {
                return Ok(());
            }
            self.timer.set(next_due.map_or(WAIT_MAX, |due| due.saturating_duration_since(now).min(WAIT_MAX)))?;
            match self.poll.poll(&mut events, Some(WAIT_MAX)) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error),
                Ok(()) | Err(_) => {}
            }
            for event in &events {
                match event.token() {
                    TIMER => self.timer.take()?,
                    Token(number) => self.serve(number, &mut buffer, &mut ended),
                }
            }
        }
    }

    /// Puts what is due into the backlog. When to look again: the next request's time, or that at which one has lingered.
    fn note_due(&mut self, now: Instant) -> Option<Instant> {
        let start = self.window.start;
        while let Some(schedule) = &mut self.schedule {
            let Some(offset) = schedule.next_if(|offset| start + *offset <= now) else { break };
            let slot = self.slot(start + offset, now);
            if self.backlog.len() < self.plan.backlog_max {
                self.backlog.push_back(slot);
            } else {
                self.unsent += u64::from(slot.measured);
            }
        }
        let lingers = self.backlog.front().map(|slot| slot.scheduled + LINGER).filter(|until| *until > now);
        let next = self.schedule.as_mut().and_then(|schedule| schedule.peek().map(|offset| start + *offset));
        lingers.into_iter().chain(next).min()
    }

    fn slot(&mut self, scheduled: Instant, dispatched: Instant) -> Slot {
        let sequence = self.sequence;
        self.sequence += 1;
        let measured = scheduled >= self.window.measured_from;
        self.scheduled += u64::from(measured);
        Slot { sequence, scheduled, dispatched, measured }
    }

    /// Sends as much as there is room for.
    fn send(&mut self, now: Instant, next_due: Option<Instant>) {
        let batch = usize::from(self.shape.batch);
        let is_closed = self.schedule.is_none();
        loop {
            let (has_lingered, more_come) =
                (self.backlog.front().is_some_and(|slot| slot.scheduled + LINGER <= now), next_due.is_some());
            let is_ready = match is_closed {
                true => now < self.window.end,
                false => self.backlog.len() >= batch || (!self.backlog.is_empty() && (has_lingered || !more_come)),
            };
            if !is_ready {
                return;
            }
            let Some(number) = self.seat_with_room() else { return };
            if is_closed {
                for _ in 0..batch {
                    let slot = self.slot(now, now);
                    self.backlog.push_back(slot);
                }
            }
            self.send_frame(number, now);
        }
    }

    /// The next connection that takes a whole frame.
    fn seat_with_room(&mut self) -> Option<usize> {
        let room = |seat: &Option<Seat>| {
            let taken = |seat: &Seat| seat.count() + u32::from(self.shape.batch) <= self.shape.in_flight;
            seat.as_ref().is_some_and(taken)
        };
        let count = self.seats.len();
        let number = (0..count).map(|step| (self.next_seat + step) % count).find(|number| room(&self.seats[*number]))?;
        self.next_seat = number + 1;
        Some(number)
    }

    fn send_frame(&mut self, number: usize, now: Instant) {
        let Some(seat) = &mut self.seats[number] else { return };
        for _ in 0..self.shape.batch {
            let Some(slot) = self.backlog.pop_front() else { break };
            let drawn = self.work.draw_of(seat.merchant, slot.sequence);
            let (pen, target) = (&mut self.pen, &self.plan.target);
            let asked = seat.ask(slot, drawn, now, |request_id, frame| pen.write(target, &drawn, request_id, frame));
            if asked.is_err() {
                self.backlog.push_front(slot);
                break;
            }
        }
        seat.close_frame();
        if seat.flush().is_err() {
            self.lose(number);
        }
    }

    fn serve(&mut self, number: usize, buffer: &mut [u8], ended: &mut Vec<Ended>) {
        let had_room = self.has_room();
        let Some(seat) = &mut self.seats[number] else { return };
        let read = seat.read(buffer, ended).is_ok() && seat.flush().is_ok();
        let now = Instant::now();
        for Ended { in_flight, outcome, response_code, id } in ended.drain(..) {
            if let (Outcome::Approved, Some(id)) = (outcome, id) {
                self.work.learn(&in_flight.drawn, id);
            }
            let sale = response_code.map(|response_code| Sale { id: "".into(), status: "".into(), response_code });
            self.recorder.exchange(&in_flight.ended(self.room_since, now), &Judged { outcome, http_status: None, sale });
        }
        if !read {
            self.lose(number);
        }
        if !had_room && self.has_room() {
            self.room_since = now;
        }
    }

    fn has_room(&self) -> bool {
        self.seats.iter().flatten().any(|seat| seat.count() + u32::from(self.shape.batch) <= self.shape.in_flight)
    }

    /// A connection is gone, and what was in flight on it has no answer.
    fn lose(&mut self, number: usize) {
        if let Some(mut seat) = self.seats[number].take() {
            self.fail(&mut seat, Fault::Closed);
        }
    }

    fn fail(&mut self, seat: &mut Seat, fault: Fault) {
        let now = Instant::now();
        for in_flight in seat.give_up() {
            let exchange = in_flight.ended(self.room_since, now);
            self.recorder.exchange(&exchange, &Judged { outcome: Outcome::Failed(fault), http_status: None, sale: None });
        }
    }

    fn is_over(&mut self, now: Instant) -> bool {
        let nobody_is_there = self.seats.iter().all(Option::is_none);
        let all_answered = self.backlog.is_empty() && self.seats.iter().flatten().all(|seat| seat.count() == 0);
        nobody_is_there || now >= self.window.give_up || (now >= self.window.end && all_answered)
    }

    /// What is left is counted: in flight as failed, in the backlog as never sent.
    fn settle(&mut self) {
        for number in 0..self.seats.len() {
            if let Some(mut seat) = self.seats[number].take() {
                self.fail(&mut seat, Fault::Timeout);
            }
        }
        self.unsent += self.backlog.iter().filter(|slot| slot.measured).count() as u64;
        let counts = &mut self.recorder.counts;
        (counts.scheduled, counts.unsent) = (self.scheduled, self.unsent);
    }
}
