//! What a shard's thread does: takes what waits, passes groups on to the journal, wakes at the shard's deadline.

use super::{Death, Scene, Switch, Task};
use crate::simulator::event::Event;
use crate::simulator::faults::Fault;
use crate::simulator::stage::Stage;
use api_front::switch::door::{CommandMessage, Return};
use protocol::calendar::Micros;
use switch_core::input::MerchantTerms;
use switch_core::shard_of;

impl Switch {
    /// Puts something on its way back to a shard.
    pub(super) fn give(&mut self, stage: &mut Stage, shard: u16, returned: Return) {
        let wait_us = stage.step_us();
        let task = Task::Give { shard, returned: Box::new(returned) };
        stage.through(&mut self.seats[usize::from(shard)].back, wait_us, Event::Switch(self.life, task));
    }

    /// A merchant's terms have changed: its shard is told.
    pub fn merchant_changed(&mut self, stage: &mut Stage, terms: MerchantTerms) {
        self.give(stage, shard_of(terms.id, self.setup.shards), Return::Merchant(terms));
    }

    /// Puts a command on its way to a shard. False when too many wait: the caller is refused at once.
    pub(super) fn hand_over(&mut self, stage: &mut Stage, shard: u16, call: u64, message: CommandMessage) -> bool {
        let seat = &mut self.seats[usize::from(shard)];
        if seat.coming + seat.commands.len() >= self.setup.queue_commands {
            return false;
        }
        seat.coming += 1;
        let wait_us = stage.step_us();
        let task = Task::Command { shard, call, message: Box::new(message) };
        stage.through(&mut self.seats[usize::from(shard)].toward, wait_us, Event::Switch(self.life, task));
        true
    }

    pub(super) fn command_came(&mut self, scene: &mut Scene<'_>, shard: u16, call: u64, message: CommandMessage) {
        let seat = &mut self.seats[usize::from(shard)];
        seat.coming -= 1;
        seat.commands.push_back((call, message));
        self.take_commands(scene, shard);
        self.after_desk(scene, shard);
    }

    pub(super) fn give_now(&mut self, scene: &mut Scene<'_>, shard: u16, returned: Return) -> Result<(), Death> {
        let now = self.now(scene.stage);
        let dies = self.scribe.dies_after_told && matches!(returned, Return::Durable(..));
        scene.stage.tell(format_args!("shard {shard} is given {}", word(&returned)));
        scene.checks.take_return(&mut self.desks[usize::from(shard)], shard, now, returned);
        if dies {
            scene.stage.struck(Fault::CrashAfterTold);
            return Err(Death::Killed);
        }
        self.take_commands(scene, shard);
        self.after_desk(scene, shard);
        Ok(())
    }

    pub(super) fn tick(&mut self, scene: &mut Scene<'_>, shard: u16) {
        self.seats[usize::from(shard)].ticks_at = None;
        let now = self.now(scene.stage);
        scene.checks.tick(&mut self.desks[usize::from(shard)], shard, now);
        self.take_commands(scene, shard);
        self.after_desk(scene, shard);
    }

    fn take_commands(&mut self, scene: &mut Scene<'_>, shard: u16) {
        let (now, at) = (self.now(scene.stage), usize::from(shard));
        while self.desks[at].has_room_for_commands() {
            let Some((call, message)) = self.seats[at].commands.pop_front() else { return };
            scene.checks.take_command(&mut self.desks[at], shard, now, call, message);
        }
    }

    /// A desk was told something: its groups go to the journal, its callers are looked after, its deadline is planned.
    pub(super) fn after_desk(&mut self, scene: &mut Scene<'_>, shard: u16) {
        while let Some(group) = self.desks[usize::from(shard)].next_group() {
            self.scribe.waiting.push_back(group);
        }
        self.wake_scribe(scene.stage);
        self.wake_links(scene.stage);
        self.wake_web_links(scene.stage);
        self.look_after_returns(scene);
        self.look_after_batches(scene);
        self.look_after_calls(scene);
        self.look_after_operator(scene);
        self.plan_tick(scene.stage, shard);
    }

    /// Plans a shard's next wake-up, unless an earlier one is planned: that one plans anew.
    pub(super) fn plan_tick(&mut self, stage: &mut Stage, shard: u16) {
        let at = usize::from(shard);
        let Some(deadline) = self.desks[at].next_deadline() else { return };
        // A thread can't wake up in the same instant again and again.
        let soonest = Micros(stage.now().0 + 1);
        let wakes_at = self.in_the_world(deadline).max(soonest);
        if self.seats[at].ticks_at.is_none_or(|planned| wakes_at < planned) {
            self.seats[at].ticks_at = Some(wakes_at);
            self.plan_at(stage, wakes_at, Task::Tick { shard });
        }
    }
}

fn word(returned: &Return) -> &'static str {
    match returned {
        Return::Durable(..) => "a durable group",
        Return::Refused => "a refusal of the journal",
        Return::Answer { .. } => "an answer",
        Return::NotSent(_) | Return::NotTaken(_) => "a request that was not sent",
        Return::Lost(_) => "a lost request",
        Return::LinkUp { .. } => "a link that is up",
        Return::LinkDown { .. } => "a link that is down",
        Return::Merchant(_) => "a merchant's terms",
        Return::Processor(_) => "a processor's terms",
        Return::CloseBatches { .. } => "the word to close batches",
        Return::SettleMembers { .. } => "members to settle",
        Return::Returned { .. } => "a returned entry",
        Return::ChangeNotified(_) => "a notification of change",
        Return::CompleteBatch { .. } => "a batch to complete",
        Return::Rules(_) | Return::Routes(_) => "a table",
        Return::TakeOver { .. } => "a reversal to take over",
        Return::Configure { .. } => "a change of the configuration",
        Return::Outbox { .. } => "a queue of a new link",
        Return::Report { .. } => "an operator's question",
        Return::Drain(_) => "the word to drain",
        Return::FindKey { .. } => "a question for a key",
        Return::Stop => "the word to stop",
    }
}
