//! Runs a plan over HTTP/1.1: one thread of its own, one task per connection, one that paces.
//!
//! A thread of its own keeps the generator apart from a caller that runs the target in the same
//! process, and lets its CPU time be stated in the report. Another protocol is another file like
//! this one over the same [`Target`] and feed.
//!
//! [`Target`]: crate::target::Target

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, LocalSet};

use crate::answer::{Ledger, judge};
use crate::cost::Meter;
use crate::error::LoadError;
use crate::feed::{Feed, Window};
use crate::http::{Connection, Fault};
use crate::plan::{Load, Plan};
use crate::progress;
use crate::record::{Exchange, Recorder};
use crate::report::Report;
use crate::schedule::Schedule;
use crate::timer::FineTimer;
use crate::work::{Drawn, Work};

/// After a failed connect a connection pauses, so that a dead target costs no spinning.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);
/// Between the last connection's opening and the first scheduled request.
const START_MARGIN: Duration = Duration::from_millis(20);

/// Drives the plan's target and reports. Sends to loopback only, within the plan's limits.
pub async fn run(plan: Plan) -> Result<Report, LoadError> {
    plan.check()?;
    let (tell, told) = tokio::sync::oneshot::channel();
    let body = move || {
        // The caller may have gone away; then nobody is interested in the report.
        let _ = tell.send(run_here(plan));
    };
    std::thread::Builder::new().name("loadgen".into()).spawn(body).map_err(LoadError::Start)?;
    told.await.map_err(|_| LoadError::Lost)?
}

fn run_here(plan: Plan) -> Result<Report, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Start)?;
    LocalSet::new().block_on(&runtime, drive(plan))
}

/// What the tasks of one run share.
struct Shared {
    plan: Plan,
    feed: Feed,
    work: RefCell<Work>,
    recorder: RefCell<Recorder>,
    ledger: RefCell<Option<Ledger>>,
    /// A ledger that can't be written ends the run: its reader would take a missing line for a
    /// missing answer.
    failed: Cell<Option<LoadError>>,
}

async fn drive(plan: Plan) -> Result<Report, LoadError> {
    let ledger = plan.answers.as_deref().map(Ledger::open).transpose()?;
    let connections = connect(&plan).await?;
    let timer = FineTimer::new().map_err(LoadError::Start)?;
    let window = Window::new(&plan, Instant::now() + START_MARGIN);
    let shared = Rc::new(Shared {
        feed: Feed::new(&plan, window),
        work: RefCell::new(Work::new(plan.mix, plan.skew.clone(), plan.target.seed(), &plan.settled)),
        recorder: RefCell::new(Recorder::new(window, plan.show != crate::plan::Show::Silent)),
        ledger: RefCell::new(ledger),
        failed: Cell::new(None),
        plan,
    });
    let meter = Meter::start();
    exercise(&shared, connections, &timer).await.map_err(LoadError::Start)?;
    let cost = meter.read();
    if let Some(error) = shared.failed.take() {
        return Err(error);
    }
    shared.settle();
    Ok(Report::new(&shared.plan, &shared.recorder.borrow(), &cost))
}

/// All connections stand before the schedule begins, so that no request of an intact target pays
/// for a handshake.
async fn connect(plan: &Plan) -> Result<Vec<Connection>, LoadError> {
    let address = plan.target.address();
    let mut connections = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        let mut connection = Connection::new(address);
        connection.open().await.map_err(|source| LoadError::Connect { address, source })?;
        connections.push(connection);
    }
    Ok(connections)
}

async fn exercise(shared: &Rc<Shared>, connections: Vec<Connection>, timer: &FineTimer) -> std::io::Result<()> {
    let mut workers = JoinSet::new();
    timer.until(shared.feed.window().start - START_MARGIN / 2).await?;
    for connection in connections {
        workers.spawn_local(work(Rc::clone(shared), connection));
    }
    let display = tokio::task::spawn_local(display(Rc::clone(shared)));
    if let Load::Open { rate_per_s, arrivals } = shared.plan.load {
        let length = shared.plan.warmup + shared.plan.duration;
        let schedule = Schedule::new(rate_per_s, arrivals, shared.plan.seed, length);
        shared.feed.pace(schedule, timer).await?;
    }
    let drained = async { while workers.join_next().await.is_some() {} };
    let give_up = tokio::time::Instant::from_std(shared.feed.window().give_up);
    if tokio::time::timeout_at(give_up, drained).await.is_err() {
        shared.feed.give_up();
        // Those in flight end by their own time-out.
        while workers.join_next().await.is_some() {}
    }
    display.abort();
    Ok(())
}

async fn display(shared: Rc<Shared>) {
    let mut display = progress::Display::new(&shared.plan);
    let Some(period) = display.period() else {
        return;
    };
    loop {
        tokio::time::sleep(period).await;
        display.show(shared.feed.window(), shared.feed.waiting(), &mut shared.recorder.borrow_mut());
    }
}

/// One connection, one request in flight at a time, until the feed ends.
async fn work(shared: Rc<Shared>, mut connection: Connection) {
    let mut request = Vec::new();
    let mut free_since = Instant::now();
    while let Some(slot) = shared.feed.next().await {
        let drawn = shared.work.borrow_mut().draw(slot.sequence);
        shared.plan.target.render_drawn(&drawn, &mut request);
        let sent = Instant::now();
        let result = tokio::time::timeout(shared.plan.timeout, connection.exchange(&request)).await;
        let done = Instant::now();
        let timed_out = result.is_err();
        let judged = judge(result.unwrap_or(Err(Fault::Timeout)), shared.plan.target.check());
        shared.recorder.borrow_mut().exchange(&Exchange { slot, kind: drawn.kind, free_since, sent, done }, &judged);
        let no_connection = judged.outcome == crate::answer::Outcome::Failed(Fault::Connect);
        shared.learn(&drawn, &judged);
        shared.keep(&drawn, &judged);
        if timed_out {
            connection.drop_stream();
        }
        if no_connection {
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
        free_since = if no_connection { Instant::now() } else { done };
    }
}

impl Shared {
    fn learn(&self, drawn: &Drawn, judged: &crate::answer::Judged<'_>) {
        if judged.outcome != crate::answer::Outcome::Approved {
            return;
        }
        // A step's answer may name nothing: what it acted upon is known.
        let made = judged.sale.as_ref().and_then(|sale| sale.id.parse().ok());
        if let Some(id) = made.or((!drawn.target.is_none()).then_some(drawn.target)) {
            self.work.borrow_mut().learn(drawn, id);
        }
    }

    fn keep(&self, drawn: &Drawn, judged: &crate::answer::Judged<'_>) {
        let mut ledger = self.ledger.borrow_mut();
        let Some(open) = ledger.as_mut() else {
            return;
        };
        let target = &self.plan.target;
        if let Err(error) = open.append(&target.key(drawn.sequence), target.amount_of(drawn), judged) {
            *ledger = None;
            self.failed.set(Some(error));
            self.feed.give_up();
        }
    }

    /// Carries the feed's counts over once every task has ended.
    fn settle(&self) {
        let counts = &mut self.recorder.borrow_mut().counts;
        counts.scheduled = self.feed.scheduled.get();
        counts.unsent = self.feed.unsent.get();
    }
}
