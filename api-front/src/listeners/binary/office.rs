//! Where requests are taken and answers are brought back to the connections that asked.
//!
//! A command goes into its shard's queue at once and its answer comes by the mailbox. What only the SQL home can say is asked on
//! the runtime, and comes back by a channel of its own. Nothing here waits.

use super::answering::{Answer, Found, NoOutcome};
use super::caller::{Caller, KeyHash, LookedUp};
use super::connection::Connection;
use super::limits::{KEY_LOOKUPS_MAX, READINGS_MAX};
use super::past::find;
use super::reading::{Asked, Find, read};
use crate::intake::Built;
use crate::limits::CALLERS_MAX;
use crate::switch::door::Told;
use crate::switch::gate::Place;
use crate::switch::handle::{Answered, Switch, TurnedAway, Unavailable};
use crate::switch::mailbox::{Heard, Mailbox};
use crate::switch::waiting::Waiting;
use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use protocol::binary::{Request, RequestKind};
use protocol::command::Command;
use protocol::refusal::Refusal;
use protocol::words::Verb;
use std::collections::HashMap;
use std::sync::Arc;
use switch_core::input::Token;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use zerocopy::FromBytes;

/// The connections of one event loop, by a number that is never used twice.
pub(super) type Connections = HashMap<u64, Connection>;

/// A command that its shard has.
struct UnderWay {
    asked: Asking,
    /// Kept until the shard has answered, whether or not the client is still there.
    place: Place,
    /// What a step needs once more when its transaction has left memory.
    step: Option<Box<(Command, Bytes)>>,
}

/// Who asked what.
#[derive(Debug, Clone, Copy)]
struct Asking {
    connection: u64,
    request_id: u64,
    verb: Option<Verb>,
}

/// What comes back from the runtime.
enum Back {
    Answer(Asking, Answer),
    /// Who presents a key. The flag: it had been welcome before.
    Key {
        connection: u64,
        looked_up: LookedUp,
        was_known: bool,
    },
}

/// The office of one event loop.
pub(super) struct Office {
    switch: Switch,
    runtime: Handle,
    bell: Arc<Notify>,
    mailbox: Arc<Mailbox>,
    under_way: Waiting<UnderWay>,
    back: Receiver<Back>,
    bring_back: Sender<Back>,
    lookups: Arc<Semaphore>,
    readings: usize,
}

impl Office {
    pub(super) fn new(switch: Switch, runtime: Handle, bell: Arc<Notify>) -> Office {
        let (bring_back, back) = unbounded();
        let called = Arc::clone(&bell);
        let mailbox = Mailbox::new(move || called.notify_one());
        Office {
            switch,
            runtime,
            bell,
            mailbox,
            under_way: Waiting::new(CALLERS_MAX),
            back,
            bring_back,
            lookups: Arc::new(Semaphore::new(KEY_LOOKUPS_MAX)),
            readings: 0,
        }
    }

    /// Rings when something is there to deliver.
    pub(super) fn bell(&self) -> &Arc<Notify> {
        &self.bell
    }

    pub(super) fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Takes a request, or answers it at once. True when it was refused as busy.
    pub(super) fn take(&mut self, number: u64, connection: &mut Connection, request: &Request<'_>) -> bool {
        let verb = verb_of(request);
        let asking = Asking { connection: number, request_id: request.request_id, verb };
        let Err(why) = self.ask(asking, connection.caller.as_ref(), request) else { return false };
        let is_busy = matches!(why, NoOutcome::Refused(Refusal::Busy));
        connection.answer(request.request_id, verb, &why.into());
        is_busy
    }

    fn ask(&mut self, asking: Asking, caller: Option<&Caller>, request: &Request<'_>) -> Result<(), NoOutcome> {
        let account = caller.and_then(|caller| Some((caller, caller.account(&self.switch)?)));
        let Some((caller, merchant)) = account else { return Err(NoOutcome::Refused(Refusal::MerchantNotActive)) };
        match read(request, caller, &merchant, &self.switch).map_err(NoOutcome::Wrong)? {
            Asked::Command(built) => self.begin(asking, *built).map_err(turned_away),
            Asked::Find(what) => self.find(asking, caller, what),
        }
    }

    fn begin(&mut self, asked: Asking, built: Built) -> Result<(), TurnedAway> {
        let Built { command, tail, sensitive } = built;
        let (place, tail) = (self.switch.reserve(&command)?, Bytes::from(tail));
        let is_step = matches!(asked.verb, Some(Verb::Capture | Verb::Void | Verb::Refund));
        let step = is_step.then(|| Box::new((command, tail.clone())));
        let token = self.under_way.enter(UnderWay { asked, place, step }).map_err(|_| TurnedAway::Busy)?;
        let begun = self.switch.begin(&command, tail, sensitive, self.mailbox.ticket(token.0));
        if begun.is_err() {
            drop(self.under_way.leave(token));
        }
        begun
    }

    fn find(&mut self, asking: Asking, caller: &Caller, what: Find) -> Result<(), NoOutcome> {
        if self.readings >= READINGS_MAX {
            return Err(NoOutcome::Refused(Refusal::Busy));
        }
        let (switch, merchant) = (self.switch.clone(), caller.merchant);
        self.spawn(async move {
            let found = find(&switch, merchant, what).await;
            Back::Answer(asking, found.map_or_else(|why| turned_away(why).into(), answer_of))
        });
        self.readings += 1;
        Ok(())
    }

    /// Looks at a key, once there is a turn for it.
    pub(super) fn look_up(&mut self, connection: u64, key: KeyHash, was_known: bool) {
        let (switch, lookups) = (self.switch.clone(), Arc::clone(&self.lookups));
        self.spawn(async move {
            let _turn = lookups.acquire().await;
            Back::Key { connection, looked_up: Caller::look_up(&switch, key).await, was_known }
        });
    }

    fn spawn(&self, work: impl Future<Output = Back> + Send + 'static) {
        let (bring_back, bell) = (self.bring_back.clone(), Arc::clone(&self.bell));
        self.runtime.spawn(async move {
            // An event loop that has ended needs it no more.
            if bring_back.send(work.await).is_ok() {
                bell.notify_one();
            }
        });
    }

    /// Brings back all answers that are there. `touched` gets the connections that have something to send.
    pub(super) fn deliver(&mut self, connections: &mut Connections, touched: &mut Vec<u64>, on_key: &mut dyn FnMut(KeyFound)) {
        let mailbox = Arc::clone(&self.mailbox);
        for (ticket, heard) in mailbox.take() {
            if let Some(under_way) = self.under_way.leave(Token(ticket)) {
                self.hear(under_way, heard, connections, touched);
            }
        }
        while let Ok(back) = self.back.try_recv() {
            match back {
                Back::Answer(asking, answer) => {
                    self.readings -= 1;
                    hand_out(asking, &answer, connections, touched);
                }
                Back::Key { connection, looked_up, was_known } => on_key(KeyFound { connection, looked_up, was_known }),
            }
        }
    }

    fn hear(&mut self, under_way: UnderWay, heard: Heard, connections: &mut Connections, touched: &mut Vec<u64>) {
        let answer = match heard {
            Heard::Version(cut) => Answer::Outcome(cut),
            Heard::Told(Told::Refused(refusal)) => NoOutcome::Refused(refusal).into(),
            Heard::Told(told) => return self.go_on(under_way, told),
            Heard::Gone => NoOutcome::Unavailable(Unavailable::JournalFull).into(),
        };
        hand_out(under_way.asked, &answer, connections, touched);
    }

    /// The shard has asked for something that only the history knows.
    fn go_on(&mut self, under_way: UnderWay, told: Told) {
        let UnderWay { asked, place, step } = under_way;
        let switch = self.switch.clone();
        // Counted so that it comes back like any reading; it was let in before and is not refused any more.
        self.readings += 1;
        self.spawn(async move {
            let answered = match step {
                Some(step) => switch.go_on(&step.0, &step.1, told, place).await,
                None => match asked.verb {
                    Some(verb) => switch.go_on(&Command::new(verb), &Bytes::new(), told, place).await,
                    None => Answered::Unavailable(Unavailable::History),
                },
            };
            Back::Answer(asked, answered.into())
        });
    }
}

/// What a look at a key came to, and for whom.
pub(super) struct KeyFound {
    pub(super) connection: u64,
    pub(super) looked_up: LookedUp,
    pub(super) was_known: bool,
}

fn hand_out(asking: Asking, answer: &Answer, connections: &mut Connections, touched: &mut Vec<u64>) {
    // A client that has gone hears nothing: the payment stands, and its key will tell.
    if let Some(connection) = connections.get_mut(&asking.connection) {
        connection.answer(asking.request_id, asking.verb, answer);
        touched.push(asking.connection);
    }
}

fn turned_away(turned_away: TurnedAway) -> NoOutcome {
    match turned_away {
        TurnedAway::Busy => NoOutcome::Refused(Refusal::Busy),
        TurnedAway::Unavailable(why) => NoOutcome::Unavailable(why),
    }
}

fn answer_of(found: Found) -> Answer {
    if found.total == 0 { NoOutcome::Refused(Refusal::NotFound).into() } else { Answer::Found(found) }
}

/// The verb of a command, as far as it can be read.
fn verb_of(request: &Request<'_>) -> Option<Verb> {
    let is_command = request.kind == RequestKind::Command;
    let (command, _) = Command::ref_from_prefix(request.body).ok().filter(|_| is_command)?;
    command.verb()
}
