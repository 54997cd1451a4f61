//! Trouble that strikes by the second: hosts that go away, crashes, a full disk, jumping clocks, and what operators change meanwhile.

use super::World;
use crate::simulator::event::Turn;
use crate::simulator::faults::Fault;
use crate::simulator::switch::{Death, Steer, Switch};
use crate::simulator::tables;
use protocol::transaction::Transaction;
use protocol::words::ReversalState;
use switch_core::input::ProcessorState;

impl World {
    /// Trouble that strikes by the second.
    pub(super) fn second(&mut self) {
        if self.acts_left == 0 {
            return;
        }
        for at in 0..self.hosts.len() {
            self.trouble_host(at);
        }
        if self.stage.strikes(Fault::Crash) {
            self.die(Death::Killed);
        }
        if self.stage.strikes(Fault::DiskFull) {
            self.home.disk.set_quota(Some(self.home.disk.used_bytes()));
            let wait_us = self.stage.dice.between(1_000_000, 30_000_000);
            self.stage.after(wait_us, Turn::Room);
        }
        if self.stage.strikes(Fault::ClockJump) {
            self.jump();
        }
        if self.stage.strikes(Fault::TermsChanged) {
            self.change_terms();
        }
        if self.stage.strikes(Fault::Stopped) {
            self.with_switch(|switch, scene| {
                switch.stop(scene.stage);
                Ok(())
            });
        }
        if !self.home.sql_is_away.get() && self.stage.strikes(Fault::SqlAway) {
            self.home.sql_is_away.set(true);
            let wait_us = self.stage.dice.between(100_000, 60_000_000);
            self.stage.after(wait_us, Turn::SqlBack);
        }
        if self.stage.strikes(Fault::Steered) {
            self.steer();
        }
        if self.stage.fates.strikes(Fault::TakenOver, &mut self.stage.dice) {
            self.take_over();
        }
        self.stage.after(1_000_000, Turn::Second);
    }

    fn trouble_host(&mut self, at: usize) {
        let is_up = self.hosts[at].reachable().is_up;
        let goes = is_up && self.stage.strikes(Fault::HostDown);
        let dies = is_up && !goes && self.stage.strikes(Fault::HostCrash);
        if goes {
            self.hosts[at].go_down(&mut self.stage, &mut self.wires);
        }
        if dies {
            self.hosts[at].crash(&mut self.stage, &mut self.wires);
        }
        if goes || dies {
            let wait_us = self.stage.dice.between(100_000, 30_000_000);
            self.stage.after(wait_us, Turn::HostBack(at));
        }
    }

    /// Forward only: the switch reads its wall clock once, and goes on by one that never steps. The next life begins where the world is,
    /// which after a jump is a clock that was set back.
    fn jump(&mut self) {
        let far_us = *self.stage.dice.one_of(&[1_000_000, 30_000_000, 600_000_000]);
        let by_us = self.stage.dice.between(0, far_us) as i64;
        self.with_switch(|switch, scene| {
            switch.jump(scene.stage, by_us);
            Ok(())
        });
    }

    fn change_terms(&mut self) {
        let dice = &mut self.stage.dice;
        let terms = self.checks.terms();
        let merchant = dice.one_of(&self.setup.merchants).id;
        let mut changed = terms.merchants[&merchant];
        changed.active = !dice.hits(250_000);
        changed.duplicate_window_s = *dice.one_of(&[0, 3, 20]);
        self.with_switch(|switch, scene| {
            switch.merchant_changed(scene.stage, changed);
            Ok(())
        });
    }

    /// The operator changes something, while payments are under way.
    pub(super) fn steer(&mut self) {
        let setup = self.configured();
        let dice = &mut self.stage.dice;
        let steer = match dice.between(0, 9) {
            0..=3 => Steer::Rules(tables::draw_rules(dice, &setup)),
            4..=7 => Steer::Routes(tables::draw_routes(dice, &setup)),
            _ => {
                let states =
                    [ProcessorState::Enabled, ProcessorState::Enabled, ProcessorState::Draining, ProcessorState::Disabled];
                Steer::Processor(dice.one_of(&setup.processors).index, *dice.one_of(&states))
            }
        };
        self.with_switch(|switch, scene| {
            switch.steer(scene, steer);
            Ok(())
        });
    }

    /// The operator sees to it that a host holds nothing of a transaction, and tells the switch.
    fn take_over(&mut self) {
        let is_queued = |transaction: &&Transaction| transaction.reversal.state() == ReversalState::Queued;
        let queued: Vec<Transaction> = self.checks.fold().transactions().filter(is_queued).copied().collect();
        let Some(last) = queued.len().checked_sub(1) else { return };
        let Transaction { id, merchant, rrn, processor, .. } = queued[self.stage.dice.between(0, last as u64) as usize];
        let host = &mut self.hosts[usize::from(processor.get()) - 1];
        if host.takes_back(&mut self.stage, &mut self.checks, rrn) {
            self.stage.struck(Fault::TakenOver);
            self.with_switch(|switch, scene| {
                switch.take_over(scene.stage, merchant, id);
                Ok(())
            });
        }
    }

    /// The operator makes room; a switch whose journal has refused is restarted.
    pub(super) fn make_room(&mut self) {
        self.home.disk.set_quota(None);
        if self.switch.as_ref().is_some_and(Switch::has_failed) {
            self.die(Death::Killed);
        }
    }
}
