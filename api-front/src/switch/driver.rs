//! The thread around a shard's [`Desk`]: takes what waits, tells the desk the time, gives the journal its groups, and sleeps
//! until the shard's next deadline when nothing waits.

use crate::limits::{SHARD_GROUPS_MAX, SHARD_TURN_INPUTS};
use crate::metrics::{Stage, Tally};
use crate::switch::clock::Clock;
use crate::switch::desk::{Around, Desk};
use crate::switch::door::{CommandMessage, Inside, Return};
use crate::switch::group::Group;
use crossbeam_channel::{RecvTimeoutError, never, select};
use persistence::journal::{Batch, SubmitRefusal, Submitter};
use protocol::calendar::Micros;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use switch_core::Shard;

/// Longest sleep while the shard has no deadline.
const IDLE_SLEEP: Duration = Duration::from_secs(3600);

/// What a shard's thread works with.
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
    /// When the turn began whose records are gathered; none while there is none.
    turn_began: Micros,
    /// When the groups that the journal has were given to it, and their records. They come back in this order.
    submitted: VecDeque<(Micros, u64)>,
}

impl Driver {
    /// A driver for a shard that has been given all that lasted.
    pub fn new(shard: Shard, surroundings: Surroundings) -> Driver {
        let Surroundings { clock, inside, journal, around } = surroundings;
        let (tally, submitted) = (Arc::clone(&around.tally), VecDeque::with_capacity(SHARD_GROUPS_MAX));
        Driver { desk: Desk::new(shard, around), clock, inside, journal, tally, turn_began: Micros::NONE, submitted }
    }

    /// Runs until [`Return::Stop`].
    pub fn run(mut self) {
        self.desk.begin(self.clock.now());
        while !self.desk.is_over() {
            self.submit();
            self.desk.tell_drained();
            if !self.take_waiting() {
                self.sleep();
            }
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

    /// Takes what waits, returns first, up to one turn. False when nothing did.
    fn take_waiting(&mut self) -> bool {
        let mut taken = 0;
        while taken < SHARD_TURN_INPUTS {
            if let Ok(returned) = self.inside.returns.try_recv() {
                self.take_return(returned);
            } else if let Some(message) = self.next_command() {
                self.take_command(message);
            } else {
                break;
            }
            taken += 1;
        }
        taken > 0
    }

    fn next_command(&self) -> Option<CommandMessage> {
        if self.desk.has_room_for_commands() { self.inside.commands.try_recv().ok() } else { None }
    }

    /// Sleeps until something comes or the shard's next deadline, and takes it.
    fn sleep(&mut self) {
        let until = self.desk.next_deadline().map(|deadline| self.clock.until(deadline));
        let timeout = until.unwrap_or(IDLE_SLEEP).min(IDLE_SLEEP);
        if !self.desk.has_room_for_commands() {
            match self.inside.returns.recv_timeout(timeout) {
                Ok(returned) => self.take_return(returned),
                Err(RecvTimeoutError::Timeout) => self.desk.tick(self.clock.now()),
                Err(RecvTimeoutError::Disconnected) => self.desk.stop(),
            }
            return;
        }
        let inside = &self.inside;
        select! {
            recv(inside.returns) -> returned => match returned {
                Ok(returned) => self.take_return(returned),
                Err(_) => self.desk.stop(),
            },
            recv(inside.commands) -> message => match message {
                Ok(message) => self.take_command(message),
                Err(_) => self.inside.commands = never(),
            },
            default(timeout) => self.desk.tick(self.clock.now()),
        }
    }

    fn take_command(&mut self, message: CommandMessage) {
        let now = self.begin_turn();
        self.tally.passed(Stage::Queue, message.at, now, 1);
        self.desk.take_command(now, message);
    }

    fn take_return(&mut self, returned: Return) {
        let now = self.begin_turn();
        if let (Return::Durable(..), Some((at, records))) = (&returned, self.submitted.front()) {
            self.tally.passed(Stage::Journal, *at, now, *records);
            self.submitted.pop_front();
        }
        self.desk.take_return(now, returned);
    }

    /// What is taken now belongs to the turn that is open, or opens one.
    fn begin_turn(&mut self) -> Micros {
        let now = self.clock.now();
        if self.turn_began.is_none() {
            self.turn_began = now;
        }
        now
    }
}
