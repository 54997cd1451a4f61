//! What every part of the world shares: time and what is planned, chance, fates, the story, and what was counted.

use crate::dice::Dice;
use crate::simulator::event::Event;
use crate::simulator::faults::{Fates, Fault, PerFault};
use crate::simulator::schedule::{Lane, Schedule};
use crate::simulator::story::Story;
use protocol::calendar::Micros;
use std::fmt;

/// What was counted in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands that the switch was given.
    pub commands: u64,
    /// Answers that clients heard: versions, refusals, and "not now".
    pub answers: u64,
    /// Records made durable.
    pub records: u64,
    /// Frames that hosts have taken.
    pub frames: u64,
    /// Starts of the switch, the first one too.
    pub starts: u64,
    /// Batches that were completed.
    pub batches: u64,
    /// Readings of the past that were made for a command.
    pub hydrations: u64,
    /// Segments that were archived.
    pub archived: u64,
}

impl Counts {
    /// Adds another's.
    pub fn add(&mut self, other: &Counts) {
        self.commands += other.commands;
        self.answers += other.answers;
        self.records += other.records;
        self.frames += other.frames;
        self.starts += other.starts;
        self.batches += other.batches;
        self.hydrations += other.hydrations;
        self.archived += other.archived;
    }
}

/// The stage.
pub struct Stage {
    /// Time.
    pub schedule: Schedule<Event>,
    /// Chance.
    pub dice: Dice,
    /// What goes wrong.
    pub fates: Fates,
    /// What went wrong.
    pub struck: PerFault,
    /// What was told.
    pub story: Story,
    /// What was counted.
    pub counts: Counts,
}

impl Stage {
    /// The present.
    pub fn now(&self) -> Micros {
        self.schedule.now()
    }

    /// Plans an event.
    pub fn after(&mut self, wait_us: u64, event: impl Into<Event>) {
        self.schedule.after(wait_us, event.into());
    }

    /// Plans an event behind all that went through the same lane.
    pub fn through(&mut self, lane: &mut Lane, wait_us: u64, event: impl Into<Event>) {
        let at = lane.through(self.now(), wait_us);
        self.schedule.at(at, event.into());
    }

    /// Whether a kind of trouble strikes now; then it is counted and told.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.fates.strikes(fault, &mut self.dice);
        if strikes {
            self.struck(fault);
        }
        strikes
    }

    /// Counts trouble whose fate was drawn elsewhere.
    pub fn struck(&mut self, fault: Fault) {
        self.struck.count(fault);
        self.tell(format_args!("** {fault}"));
    }

    /// How long a part of the switch takes for a step, microseconds.
    pub fn step_us(&mut self) -> u64 {
        if self.strikes(Fault::Hiccup) { self.dice.between(10_000, 3_000_000) } else { self.dice.between(1, 60) }
    }

    /// Tells what happens.
    pub fn tell(&mut self, what: fmt::Arguments<'_>) {
        self.story.tell(self.schedule.now(), what);
    }
}
