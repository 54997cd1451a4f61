//! What the front does for a call: lets it in or not, hands its command to the shard, reads the past back when the shard asks for
//! it, answers. The order of steps is that of the product's handle, which is made of futures and can't run on a schedule.

use super::home::{Found, Reading, Wanted};
use super::{Scene, Switch};
use crate::simulator::clients::ClientEvent;
use crate::simulator::faults::Fault;
use api_front::switch::door::{CommandMessage, Hydration, Told};
use api_front::switch::version::Version;
use bytes::Bytes;
use persistence::journal::Space;
use protocol::calendar::Micros;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::secret::{Cvv, SensitiveData};
use protocol::words::Verb;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use switch_core::shard_of;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// How often a transaction is read back for one command, as in the product's handle.
const HYDRATIONS_MAX: u32 = 3;
/// The value that a client sends when it sends one: the sandbox finds it right.
const CVV: &str = "999";

/// What a client asks.
#[derive(Debug, Clone)]
pub enum Asked {
    /// Something is to be done. The id is drawn by the front.
    Command {
        /// Without an id.
        command: Box<Command>,
        /// What travels along.
        tail: Bytes,
    },
    /// A transaction is to be shown.
    Show {
        /// Whose.
        merchant: Xid,
        /// Which.
        id: Xid,
    },
}

/// What a client hears.
#[derive(Debug, Clone)]
pub enum Heard {
    /// The answer is this version.
    Version {
        /// The version.
        version: Version,
        /// What was asked.
        verb: Verb,
        /// Whether the key was answered before.
        replayed: bool,
    },
    /// Nothing was done.
    Refused(Refusal),
    /// Not now; whether anything was done the key will tell.
    Unavailable,
    /// The transaction as it stands; none of this merchant's.
    Shown(Option<Version>),
    /// The connection broke.
    Broken,
}

/// Calls under way.
#[derive(Default)]
pub(super) struct Front {
    calls: BTreeMap<u64, Call>,
}

struct Call {
    command: Command,
    tail: Bytes,
    rounds: u32,
    waits: Waits,
}

enum Waits {
    ForShard(oneshot::Receiver<Told>),
    ForPast,
}

impl Switch {
    /// A call has come in.
    pub fn call(&mut self, scene: &mut Scene<'_>, call: u64, asked: Asked) {
        match asked {
            Asked::Command { command, tail } => self.take_command_call(scene, call, *command, tail),
            Asked::Show { merchant, id } => self.read_newest(scene, Wanted::Shown { call, merchant, id }),
        }
    }

    /// Everybody who waits hears that the connection broke: the process is gone.
    pub fn break_calls(&mut self, scene: &mut Scene<'_>) {
        let calls = std::mem::take(&mut self.front.calls);
        for call in calls.into_keys() {
            tell(scene, call, Heard::Broken);
        }
    }

    /// What this call's client does not wait for any more: the payment stands.
    pub(super) fn look_after_calls(&mut self, scene: &mut Scene<'_>) {
        let mut told = Vec::new();
        for (number, call) in &mut self.front.calls {
            let Waits::ForShard(answer) = &mut call.waits else { continue };
            match answer.try_recv() {
                Ok(what) => told.push((*number, Some(what))),
                Err(TryRecvError::Closed) => told.push((*number, None)),
                Err(TryRecvError::Empty) => {}
            }
        }
        for (call, what) in told {
            self.shard_told(scene, call, what);
        }
    }

    fn take_command_call(&mut self, scene: &mut Scene<'_>, call: u64, mut command: Command, tail: Bytes) {
        scene.stage.counts.commands += 1;
        if !self.takes_calls() || !self.journal_writable.load(Ordering::Acquire) {
            return tell(scene, call, Heard::Unavailable);
        }
        if self.scribe.space() != Space::Ample {
            return tell(scene, call, Heard::Refused(Refusal::Busy));
        }
        command.id = self.ids.draw(self.now(scene.stage));
        if command.has(flag::HAS_SENSITIVE_DATA) {
            let data = SensitiveData::of(Cvv::new(CVV), None).expect("a value was given");
            if !self.sensitive.put(command.id, data) {
                return tell(scene, call, Heard::Refused(Refusal::Busy));
            }
        }
        let waiting = Call { command, tail, rounds: 0, waits: Waits::ForPast };
        self.front.calls.insert(call, waiting);
        self.hand_over_call(scene, call, None);
    }

    fn hand_over_call(&mut self, scene: &mut Scene<'_>, number: u64, hydration: Option<Hydration>) {
        let (reply, answer) = oneshot::channel();
        let Some(call) = self.front.calls.get_mut(&number) else { return };
        call.waits = Waits::ForShard(answer);
        let (command, tail) = (call.command, call.tail.clone());
        let shard = shard_of(command.merchant, self.setup.shards);
        let verb = command.verb().map_or("", Verb::word);
        scene.stage.tell(format_args!("call {number}: {verb} {} of {}", command.id, command.amount));
        let message = CommandMessage { command, tail, hydration, reply: reply.into(), at: Micros::NONE };
        if !self.hand_over(scene.stage, shard, number, message) {
            drop(self.sensitive.take(&command.id));
            self.front.calls.remove(&number);
            tell(scene, number, Heard::Refused(Refusal::Busy));
        }
    }

    fn shard_told(&mut self, scene: &mut Scene<'_>, number: u64, told: Option<Told>) {
        if let Some(told) = &told {
            scene.checks.told(number, told);
        }
        match told {
            Some(Told::Version { version, verb, replayed }) => {
                self.answer(scene, number, Heard::Version { version, verb, replayed })
            }
            Some(Told::Refused(refusal)) => self.answer(scene, number, Heard::Refused(refusal)),
            Some(Told::Stored { id, version, verb }) => {
                self.wait_for_past(number);
                self.read_newest(scene, Wanted::Answer { call: number, id, version, verb });
            }
            Some(Told::Absent(id)) => self.absent(scene, number, id),
            None => self.answer(scene, number, Heard::Unavailable),
        }
    }

    fn absent(&mut self, scene: &mut Scene<'_>, number: u64, id: Xid) {
        let Some(call) = self.front.calls.get_mut(&number) else { return };
        call.rounds += 1;
        let merchant = call.command.merchant;
        if call.rounds > HYDRATIONS_MAX {
            return self.answer(scene, number, Heard::Unavailable);
        }
        scene.stage.counts.hydrations += 1;
        self.wait_for_past(number);
        self.read_newest(scene, Wanted::Hydration { call: number, merchant, id });
    }

    fn wait_for_past(&mut self, number: u64) {
        if let Some(call) = self.front.calls.get_mut(&number) {
            call.waits = Waits::ForPast;
        }
    }

    /// A reading that must see all that is durable now.
    fn read_newest(&mut self, scene: &mut Scene<'_>, wanted: Wanted) {
        let read_at = self.now(scene.stage);
        let reading = Reading { wants_lsn: self.scribe.durable_lsn, read_at, wanted };
        self.read(scene, reading);
    }

    /// What was read for a call.
    pub(super) fn found_for_call(&mut self, scene: &mut Scene<'_>, found: Found) {
        match found {
            Found::Hydration { call, version: Some(version), read_at } => {
                self.hand_over_call(scene, call, Some(Hydration { version, read_at }));
            }
            Found::Hydration { call, version: None, .. } => {
                self.forget_sensitive(call);
                self.answer(scene, call, Heard::Refused(Refusal::NotFound));
            }
            Found::Answer { call, version, verb } => {
                scene.checks.told_stored(call, version.transaction());
                self.answer(scene, call, Heard::Version { version, verb, replayed: true });
            }
            Found::Shown { call, version } => tell(scene, call, Heard::Shown(version)),
            Found::Members { .. } | Found::Entry { .. } => {}
        }
    }

    /// A reading that was made for a call took too long.
    pub(super) fn past_is_away(&mut self, scene: &mut Scene<'_>, call: u64) {
        self.forget_sensitive(call);
        self.front.calls.remove(&call);
        tell(scene, call, Heard::Unavailable);
    }

    fn forget_sensitive(&self, call: u64) {
        if let Some(call) = self.front.calls.get(&call) {
            drop(self.sensitive.take(&call.command.id));
        }
    }

    fn answer(&mut self, scene: &mut Scene<'_>, call: u64, heard: Heard) {
        self.front.calls.remove(&call);
        tell(scene, call, heard);
    }
}

/// The way back to the client, on which an answer can be lost.
fn tell(scene: &mut Scene<'_>, call: u64, heard: Heard) {
    if !scene.stage.strikes(Fault::ClientDeaf) {
        let wait_us = scene.stage.dice.between(50, 3_000);
        scene.stage.after(wait_us, ClientEvent::Hears { call, heard: Box::new(heard) });
    }
}
