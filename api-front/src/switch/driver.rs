//! The task around a shard's [`Desk`]: takes what waits, tells the desk the time, gives the journal its groups, and sleeps
//! until the shard's next deadline when nothing waits.
//!
//! One turn of the task takes all that has come since the last one. Between two turns whoever shares the thread has its own, so
//! that what they hand in meanwhile is the next turn's.

use crate::limits::{SHARD_BUNCH_INPUTS, SHARD_GROUPS_MAX, SHARD_TURN_INPUTS};
use crate::metrics::{Stage, Tally};
use crate::switch::clock::Clock;
use crate::switch::desk::{Around, Desk};
use crate::switch::door::{CommandMessage, Inside, Return};
use crate::switch::group::Group;
use crossbeam_channel::TryRecvError;
use persistence::journal::{Batch, SubmitRefusal, Submitter};
use protocol::calendar::Micros;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use switch_core::Shard;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep};

/// Longest sleep while the shard has no deadline.
const IDLE_SLEEP: Duration = Duration::from_secs(3600);

/// What a shard's task works with.
pub struct Surroundings {
    /// The switch's clock.
    pub clock: Clock,
    /// The inside of the shard's door.
    pub inside: Inside,
    /// The way into the journal.
    pub journal: Submitter<Group>,
    /// What the desk hands things to.
    pub around: Around,
}

/// A desk and its way in and out.
pub struct Driver {
    desk: Desk,
    clock: Clock,
    inside: Inside,
    journal: Submitter<Group>,
    tally: Arc<Tally>,
    /// On their way from the door to the desk.
    asked: Vec<CommandMessage>,
    /// The same, of what came back.
    returned: Vec<Return>,
    /// When the turn began whose records are gathered; none while there is none.
    turn_began: Micros,
    /// When the groups that the journal has were given to it, and their records. They come back in this order.
    submitted: VecDeque<(Micros, u64)>,
    /// Rings at the shard's next deadline or before: it is moved only to ring earlier, and when it has rung.
    alarm: Pin<Box<Sleep>>,
    alarm_at: Micros,
}

impl Driver {
    /// A driver, on the present runtime, for a shard that has been given all that lasted.
    fn new(shard: Shard, surroundings: Surroundings) -> Driver {
        let Surroundings { clock, inside, journal, around } = surroundings;
        Driver {
            tally: Arc::clone(&around.tally),
            desk: Desk::new(shard, around),
            clock,
            inside,
            journal,
            asked: Vec::with_capacity(SHARD_BUNCH_INPUTS),
            returned: Vec::with_capacity(SHARD_BUNCH_INPUTS),
            turn_began: Micros::NONE,
            submitted: VecDeque::with_capacity(SHARD_GROUPS_MAX),
            alarm: Box::pin(sleep(IDLE_SLEEP)),
            alarm_at: Micros::NEVER,
        }
    }

    /// Drives a shard until [`Return::Stop`].
    pub async fn run(shard: Shard, surroundings: Surroundings) {
        let mut driver = Driver::new(shard, surroundings);
        driver.desk.begin(driver.clock.now());
        loop {
            driver.submit();
            driver.desk.tell_drained();
            if driver.desk.is_over() {
                return;
            }
            driver.rest().await;
            driver.take_waiting();
        }
    }

    fn submit(&mut self) {
        while let Some(group) = self.desk.next_group() {
            self.count_turn(group.record_count().into());
            if let Err(error) = self.journal.submit(group) {
                match error.why {
                    SubmitRefusal::Closed | SubmitRefusal::Busy => self.desk.fail(),
                    SubmitRefusal::TooLarge => panic!("a turn's records fit one frame: the shard bounds them"),
                }
            }
        }
        // What was taken had nothing to say: the next turn begins when something comes.
        if !self.desk.shard().has_effects() {
            self.turn_began = Micros::NONE;
        }
    }

    /// Two looks at the clock a turn, however many records it has.
    fn count_turn(&mut self, records: u64) {
        let now = self.clock.now();
        self.tally.passed(Stage::Apply, self.turn_began, now, records);
        self.turn_began = Micros::NONE;
        self.submitted.push_back((now, records));
    }

    /// Lets others have their turn; when nothing waits, until something comes or the shard's next deadline.
    async fn rest(&mut self) {
        if self.is_awaited() {
            return yield_now().await;
        }
        self.set_alarm();
        tokio::select! {
            biased;
            () = self.inside.bell.notified() => {}
            () = &mut self.alarm => {
                self.alarm_at = Micros::NEVER;
                self.alarm.as_mut().reset(Instant::now() + IDLE_SLEEP);
                self.desk.tick(self.clock.now());
            }
        }
    }

    /// True when a turn left something behind.
    fn is_awaited(&self) -> bool {
        !self.inside.returns.is_empty() || (self.desk.has_room_for_commands() && !self.inside.commands.is_empty())
    }

    fn set_alarm(&mut self) {
        let at = self.desk.next_deadline().unwrap_or(Micros::NEVER);
        if at < self.alarm_at {
            self.alarm_at = at;
            self.alarm.as_mut().reset(Instant::now() + self.clock.until(at).min(IDLE_SLEEP));
        }
    }

    /// Takes what waits, returns first, up to one turn. One look at the clock is the moment of them all.
    fn take_waiting(&mut self) {
        let now = self.clock.now();
        let mut room = SHARD_TURN_INPUTS;
        while room > 0 {
            match self.inside.returns.try_recv() {
                Ok(first) => self.returned.push(first),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return self.desk.stop(),
            }
            self.returned.extend(self.inside.returns.try_iter().take(room.min(SHARD_BUNCH_INPUTS) - 1));
            room -= self.returned.len();
            self.take_returned(now);
        }
        while room > 0 && self.desk.has_room_for_commands() {
            self.asked.extend(self.inside.commands.try_iter().take(room.min(SHARD_BUNCH_INPUTS)));
            if self.asked.is_empty() {
                return;
            }
            room -= self.asked.len();
            self.take_asked(now);
        }
    }

    fn take_asked(&mut self, now: Micros) {
        self.begin_turn(now);
        let mut bunch = std::mem::take(&mut self.asked);
        self.desk.shard().foresee(bunch.iter().map(|message| &message.command));
        for message in bunch.drain(..) {
            self.tally.passed(Stage::Queue, message.at, now, 1);
            self.desk.take_command(now, message);
        }
        self.asked = bunch;
    }

    fn take_returned(&mut self, now: Micros) {
        self.begin_turn(now);
        let mut bunch = std::mem::take(&mut self.returned);
        self.desk.shard().foresee_answers(bunch.iter().filter_map(Return::answered));
        for returned in bunch.drain(..) {
            self.take_return(now, returned);
        }
        self.returned = bunch;
    }

    fn take_return(&mut self, now: Micros, returned: Return) {
        if let (Return::Durable(..), Some((at, records))) = (&returned, self.submitted.front()) {
            self.tally.passed(Stage::Journal, *at, now, *records);
            self.submitted.pop_front();
        }
        self.desk.take_return(now, returned);
    }

    /// What is taken now belongs to the turn that is open, or opens one.
    fn begin_turn(&mut self, now: Micros) {
        if self.turn_began.is_none() {
            self.turn_began = now;
        }
    }
}
