//! What the journal's threads do: merge what waits into one frame, write and sync it, hand every group back with its part of
//! the LSNs. One write is in flight at a time. Around each there are the points at which the switch can die.

use super::{Death, Scene, Switch, Task};
use crate::simulator::faults::{CommitFate, Fault};
use crate::simulator::stage::Stage;
use api_front::switch::door::Return;
use api_front::switch::group::Group;
use persistence::journal::simulated::SimulatedDisk;
use persistence::journal::{AppendError, Batch as _, Log, Space};
use protocol::frame::Durable;
use std::collections::VecDeque;

/// How often the room on the disk is looked at while there is too little, microseconds.
const SPACE_CHECK_US: u64 = 2_000_000;

/// The journal at work.
pub(super) struct Scribe {
    pub(super) log: Log<SimulatedDisk>,
    /// Groups that wait, in the order of submission.
    pub(super) waiting: VecDeque<Group>,
    pub(super) durable_lsn: u64,
    is_busy: bool,
    is_preparing: bool,
    /// The disk was full once: every later group is refused, so that the journal has no hole.
    refuses: bool,
    /// The switch dies as soon as a shard has been told of the group that is being written.
    pub(super) dies_after_told: bool,
}

impl Scribe {
    pub(super) fn new(log: Log<SimulatedDisk>) -> Scribe {
        let durable_lsn = log.last_lsn();
        Scribe {
            log,
            waiting: VecDeque::new(),
            durable_lsn,
            is_busy: false,
            is_preparing: false,
            refuses: false,
            dies_after_told: false,
        }
    }

    pub(super) fn space(&self) -> Space {
        if self.refuses { Space::Exhausted } else { self.log.space().get() }
    }

    /// As much of what waits as one frame may hold, one group at least.
    fn next_frame(&mut self) -> Vec<Group> {
        let (mut groups, mut bytes) = (Vec::new(), 0);
        while let Some(group) = self.waiting.front() {
            bytes += group.records().len();
            if !groups.is_empty() && bytes > self.log.batch_bytes_max() {
                break;
            }
            groups.extend(self.waiting.pop_front());
        }
        groups
    }
}

impl Switch {
    /// Lets the journal begin when something waits and nothing is being written.
    pub(super) fn wake_scribe(&mut self, stage: &mut Stage) {
        if !self.scribe.is_busy && !self.scribe.waiting.is_empty() {
            self.scribe.is_busy = true;
            let wait_us = stage.step_us();
            self.plan(stage, wait_us, Task::Commit);
        }
    }

    pub(super) fn commit(&mut self, scene: &mut Scene<'_>) -> Result<(), Death> {
        let groups = self.scribe.next_frame();
        if self.scribe.refuses {
            self.refuse(scene, groups);
            return Ok(());
        }
        let fate = scene.stage.fates.commit(&mut scene.stage.dice);
        if fate == CommitFate::DiesBefore {
            scene.stage.struck(Fault::CrashBeforeWrite);
            return Err(Death::Killed);
        }
        let parts: Vec<(&[u8], u32)> = groups.iter().map(|group| (group.records(), group.record_count())).collect();
        scene.checks.appending(&groups.iter().collect::<Vec<_>>());
        scene.home.arm(fate);
        let appended = self.scribe.log.append_group(&parts);
        scene.home.disarm();
        match appended {
            Ok(durable) => self.synced(scene, groups, durable, fate),
            Err(AppendError::Full) => {
                scene.stage.tell(format_args!("the journal is full: a group is refused"));
                scene.checks.append_failed();
                self.scribe.refuses = true;
                self.refuse(scene, groups);
                Ok(())
            }
            Err(AppendError::Disk(fault)) => Err(died_writing(scene.stage, fate, &fault.to_string())),
            Err(error @ (AppendError::TooLarge { .. } | AppendError::Failed)) => {
                panic!("a turn's records fit one frame: {error}")
            }
        }
    }

    fn synced(&mut self, scene: &mut Scene<'_>, groups: Vec<Group>, all: Durable, fate: CommitFate) -> Result<(), Death> {
        scene.checks.durable(all);
        let records = all.last_lsn() + 1 - all.first_lsn();
        scene.stage.counts.records += records;
        scene.stage.tell(format_args!("journal: {records} records up to LSN {} are durable", all.last_lsn()));
        let mut next = all.first_lsn();
        let parts = groups.into_iter().map(|group| {
            let first = next;
            next += u64::from(group.record_count());
            (group, Durable::after_sync(first, next - 1))
        });
        let parts: Vec<(Group, Durable)> = parts.collect();
        if fate == CommitFate::DiesAfterSync {
            scene.stage.struck(Fault::CrashAfterSync);
            return Err(Death::Killed);
        }
        let [shortest, longest] = self.setup.sync_us;
        let wait_us = scene.stage.dice.between(shortest, longest);
        self.plan(scene.stage, wait_us, Task::Committed(parts));
        self.scribe.dies_after_told = fate == CommitFate::DiesAfterTold;
        Ok(())
    }

    /// The disk has answered: every group goes back to its shard.
    pub(super) fn committed(&mut self, scene: &mut Scene<'_>, groups: Vec<(Group, Durable)>) {
        self.scribe.is_busy = false;
        if let Some((_, last)) = groups.last() {
            self.scribe.durable_lsn = self.scribe.durable_lsn.max(last.last_lsn());
        }
        for (group, durable) in groups {
            self.give(scene.stage, group.shard, Return::Durable(group.effects, durable));
        }
        self.plan_preparing(scene.stage, 1_000);
        self.plan_following(scene);
        self.wake_scribe(scene.stage);
    }

    fn refuse(&mut self, scene: &mut Scene<'_>, groups: Vec<Group>) {
        for group in groups {
            self.give(scene.stage, group.shard, Return::Refused);
        }
        self.scribe.is_busy = false;
        self.wake_scribe(scene.stage);
    }

    pub(super) fn plan_preparing(&mut self, stage: &mut Stage, wait_us: u64) {
        if !self.scribe.is_preparing {
            self.scribe.is_preparing = true;
            self.plan(stage, wait_us, Task::Prepare);
        }
    }

    /// Writes segments ahead, and looks again while there is too little room.
    pub(super) fn prepare(&mut self, scene: &mut Scene<'_>) -> Result<(), Death> {
        self.scribe.is_preparing = false;
        let operation = scene.stage.dice.between(0, 20) as u32;
        let stage = &mut *scene.stage;
        let power_goes = stage.fates.strikes(Fault::CrashInWrite, &mut stage.dice);
        let fate = if power_goes { CommitFate::PowerGoes { operation } } else { CommitFate::Lives };
        scene.home.arm(fate);
        let prepared = self.scribe.log.prepare_ahead();
        scene.home.disarm();
        prepared.map_err(|error| died_writing(scene.stage, fate, &error.to_string()))?;
        if self.scribe.space() != Space::Ample {
            self.plan_preparing(scene.stage, SPACE_CHECK_US);
        }
        Ok(())
    }
}

fn died_writing(stage: &mut Stage, fate: CommitFate, why: &str) -> Death {
    stage.tell(format_args!("{why}"));
    match fate {
        CommitFate::PowerGoes { .. } => {
            stage.struck(Fault::CrashInWrite);
            Death::PowerLost
        }
        CommitFate::Fails { .. } => {
            stage.struck(Fault::DiskError);
            Death::DiskFailed
        }
        CommitFate::Lives | CommitFate::DiesBefore | CommitFate::DiesAfterSync | CommitFate::DiesAfterTold => {
            panic!("the disk failed without a fault: {why}")
        }
    }
}
