//! Merchants' clients: they ask, wait, lose patience, ask again under the same key or give up, and remember what they were told.
//!
//! What they remember is the truth of I2 and I4 as seen from outside: a key has one answer, and it never changes.

use crate::simulator::event::Event;
use crate::simulator::stage::Stage;
use crate::simulator::switch::{Asked, Heard};
use api_front::switch::version::Version;
use bytes::Bytes;
use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::words::{Status, Verb};
use std::collections::{BTreeMap, VecDeque};
use zerocopy::IntoBytes;

/// Transactions of one merchant that its clients remember.
const KNOWN_MAX: usize = 48;
/// Wait before a call is made again, microseconds.
const RETRY_US: [u64; 2] = [10_000, 2_000_000];

/// Something that happens to a client.
#[derive(Debug)]
pub enum ClientEvent {
    /// It makes a call.
    Calls {
        /// For this errand.
        errand: u64,
    },
    /// A call arrives at the switch.
    Arrives {
        /// The call.
        call: u64,
    },
    /// It hears of a call.
    Hears {
        /// The call.
        call: u64,
        /// What it hears.
        heard: Box<Heard>,
    },
    /// It has waited long enough for a call.
    Impatient {
        /// The call.
        call: u64,
    },
}

/// What a client wants, and how it goes about it.
#[derive(Debug, Clone)]
pub struct Errand {
    /// What it asks.
    pub asked: Asked,
    /// Calls that it makes at most.
    pub calls_max: u32,
    /// How long it waits for each, microseconds.
    pub patience_us: u64,
}

/// An errand under way.
struct Running {
    errand: Errand,
    calls: u32,
}

/// A transaction as a client knows it.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its id.
    pub id: Xid,
    /// Its type.
    pub verb: Verb,
    /// Where it stood when the client last heard of it.
    pub status: Status,
    /// What it is about, minor units.
    pub amount: u64,
}

/// An answer to a key.
struct Truth {
    began: Micros,
    ends: Micros,
    command: Command,
    tail: Bytes,
    version: Version,
}

/// How an errand has ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// With this answer.
    Answered(Heard),
    /// The client has given up.
    GivenUp,
}

/// All clients.
#[derive(Default)]
pub struct Clients {
    running: BTreeMap<u64, Running>,
    calls: BTreeMap<u64, Call>,
    drawn: u64,
    known: BTreeMap<Xid, VecDeque<Known>>,
    truths: BTreeMap<[u8; 16], Vec<Truth>>,
    newest: BTreeMap<Xid, u32>,
    ended: BTreeMap<u64, Ended>,
    /// Whether ended errands are kept, for whoever wants to look at each.
    pub keeps_ended: bool,
}

#[derive(Debug, Clone)]
struct Call {
    errand: u64,
    asked: Asked,
    /// The newest version of the shown transaction that any client had heard of when this call was made.
    floor: u32,
}

impl Clients {
    /// A client sets out. Returns the errand's number.
    pub fn begin(&mut self, stage: &mut Stage, errand: Errand, after_us: u64) -> u64 {
        self.drawn += 1;
        self.running.insert(self.drawn, Running { errand, calls: 0 });
        stage.after(after_us, ClientEvent::Calls { errand: self.drawn });
        self.drawn
    }

    /// Errands that have not ended.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// How an errand has ended, if it has and ends are kept.
    pub fn ended(&self, errand: u64) -> Option<&Ended> {
        self.ended.get(&errand)
    }

    /// Transactions that a merchant's clients know, oldest first.
    pub fn known(&self, merchant: Xid) -> &VecDeque<Known> {
        static NONE: VecDeque<Known> = VecDeque::new();
        self.known.get(&merchant).unwrap_or(&NONE)
    }

    /// Keyed requests whose answer still holds at `now`: the same request must get the same answer.
    pub fn answered_until(&self, now: Micros) -> Vec<(Command, Bytes)> {
        let truths = self.truths.values().flatten().filter(|truth| truth.ends > now);
        truths.map(|truth| (truth.command, truth.tail.clone())).collect()
    }

    /// What a call asks; `None` when its client has forgotten it.
    pub fn asked(&self, call: u64) -> Option<Asked> {
        self.calls.get(&call).map(|call| call.asked.clone())
    }

    /// Makes the next call of an errand.
    pub fn call(&mut self, stage: &mut Stage, errand: u64) {
        let Some(running) = self.running.get_mut(&errand) else { return };
        running.calls += 1;
        let (asked, patience_us) = (running.errand.asked.clone(), running.errand.patience_us);
        self.drawn += 1;
        let call = self.drawn;
        let floor = match &asked {
            Asked::Show { id, .. } => self.newest.get(id).copied().unwrap_or(0),
            Asked::Command { .. } => 0,
        };
        self.calls.insert(call, Call { errand, asked, floor });
        let wait_us = stage.dice.between(50, 3_000);
        stage.after(wait_us, ClientEvent::Arrives { call });
        stage.after(patience_us, ClientEvent::Impatient { call });
    }

    /// A client hears of a call. Late answers are heard as well, and must be as true.
    pub fn hears(&mut self, stage: &mut Stage, call: u64, heard: Heard) {
        let Some(Call { errand, asked, floor }) = self.calls.remove(&call) else { return };
        stage.counts.answers += 1;
        stage.tell(format_args!("call {call} hears {}", in_words(&heard)));
        match (&asked, &heard) {
            (Asked::Command { command, tail }, Heard::Version { version, .. }) => self.believe(command, tail, version),
            (Asked::Show { merchant, id }, Heard::Shown(version)) => self.look(*merchant, *id, floor, version.as_ref()),
            _ => {}
        }
        match heard {
            Heard::Version { .. } | Heard::Shown(_) => self.end(errand, Ended::Answered(heard)),
            // Nothing was done: anybody may ask again.
            Heard::Refused(Refusal::Busy) => self.ask_again(stage, errand),
            Heard::Refused(_) => self.end(errand, Ended::Answered(heard)),
            // Something may have been done: only a key makes it safe to ask again.
            Heard::Unavailable | Heard::Broken if is_safe_to_repeat(&asked) => self.ask_again(stage, errand),
            Heard::Unavailable | Heard::Broken => self.end(errand, Ended::GivenUp),
        }
    }

    /// A client has waited long enough. It still hears an answer that comes later.
    pub fn impatient(&mut self, stage: &mut Stage, call: u64) {
        let Some(Call { errand, asked, .. }) = self.calls.get(&call).cloned() else { return };
        if is_safe_to_repeat(&asked) {
            self.ask_again(stage, errand);
        } else {
            self.end(errand, Ended::GivenUp);
        }
    }

    fn ask_again(&mut self, stage: &mut Stage, errand: u64) {
        let Some(running) = self.running.get(&errand) else { return };
        if running.calls >= running.errand.calls_max {
            return self.end(errand, Ended::GivenUp);
        }
        let [shortest, longest] = RETRY_US;
        let wait_us = stage.dice.between(shortest, longest);
        stage.after(wait_us, Event::Client(ClientEvent::Calls { errand }));
    }

    fn end(&mut self, errand: u64, how: Ended) {
        if self.running.remove(&errand).is_some() && self.keeps_ended {
            self.ended.insert(errand, how);
        }
    }

    /// I2, I4 as a client sees them: one key, one request, one answer, for as long as the key holds.
    fn believe(&mut self, command: &Command, tail: &Bytes, version: &Version) {
        let transaction = version.transaction();
        self.learn(command.merchant, version);
        if !command.has_key() {
            return;
        }
        let key = &transaction.key;
        let asked = (command.key_hash, command.request_hash);
        assert_eq!((key.hash, key.request), asked, "I4: the answer to a key is another request's: {}", transaction.id);
        let ends = Micros(key.expires_at.get());
        let began = Micros(ends.0 - i64::from(command.key_window_s.get()) * 1_000_000);
        let truths = self.truths.entry(command.key_hash).or_default();
        for truth in &*truths {
            let first = truth.version.transaction();
            if (first.id, first.version) == (transaction.id, transaction.version) {
                let same = first.as_bytes() == transaction.as_bytes() && truth.version.tail().bytes() == version.tail().bytes();
                assert!(same, "I2: version {} of {} was told with other bytes before", first.version, first.id);
                return;
            }
            let apart = truth.ends <= began || ends <= truth.began;
            assert!(
                apart,
                "I2: one key was answered by {} v{} and by {} v{}",
                first.id, first.version, transaction.id, transaction.version
            );
        }
        truths.push(Truth { began, ends, command: *command, tail: tail.clone(), version: version.clone() });
    }

    /// A reading sees at least what any client had heard before it was asked for.
    fn look(&mut self, merchant: Xid, id: Xid, floor: u32, version: Option<&Version>) {
        let shown = version.map_or(0, |version| version.transaction().version.get());
        assert!(shown >= floor, "I2: version {floor} of {id} was told, version {shown} is shown");
        if let Some(version) = version {
            assert_eq!(version.transaction().merchant, merchant, "another merchant's transaction is shown: {id}");
            self.learn(merchant, version);
        }
    }

    fn learn(&mut self, merchant: Xid, version: &Version) {
        let transaction = version.transaction();
        let newest = self.newest.entry(transaction.id).or_default();
        let is_news = *newest <= transaction.version.get();
        *newest = (*newest).max(transaction.version.get());
        let (id, verb, status, amount) =
            (transaction.id, transaction.verb(), transaction.status(), transaction.amount_authorized.get());
        let known = self.known.entry(merchant).or_default();
        match known.iter_mut().find(|known| known.id == id) {
            Some(older) if is_news => (older.status, older.amount) = (status, amount),
            Some(_) => {}
            None => known.push_back(Known { id, verb, status, amount }),
        }
        if known.len() > KNOWN_MAX {
            known.pop_front();
        }
    }
}

fn is_safe_to_repeat(asked: &Asked) -> bool {
    match asked {
        Asked::Command { command, .. } => command.has_key(),
        Asked::Show { .. } => true,
    }
}

fn in_words(heard: &Heard) -> String {
    match heard {
        Heard::Version { version, verb, replayed } => {
            let transaction = version.transaction();
            let again = if *replayed { " (again)" } else { "" };
            let (id, number) = (transaction.id, transaction.version);
            let (status, code) = (transaction.status().word(), transaction.response_code);
            format!("{}: {id} v{number} is {status}, code {code}{again}", verb.word())
        }
        Heard::Refused(refusal) => format!("refused: {refusal}"),
        Heard::Unavailable => "not now".to_owned(),
        Heard::Shown(Some(version)) => {
            let transaction = version.transaction();
            format!("shown: {} v{} is {}", transaction.id, transaction.version, transaction.status().word())
        }
        Heard::Shown(None) => "not found".to_owned(),
        Heard::Broken => "that the connection broke".to_owned(),
    }
}
