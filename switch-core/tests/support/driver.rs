//! A shard, its journal and its clock. Outputs come out once their records are durable; a crash keeps what is.

use super::journal::{Journal, Version};
use super::{Ask, BEGIN, merchants, processor};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use protocol::words::Verb;
use std::collections::VecDeque;
use std::sync::Arc;
use switch_core::input::{Answer, Input, ProcessorTerms, Sent, Token, Verdict};
use switch_core::limits::Limits;
use switch_core::output::{Effects, Output, Reply, Subject};
use switch_core::{Shard, ShardOptions, routing, rules};

/// What a shard has said, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Version { token: Token, version: Box<Version>, verb: Verb, replayed: bool },
    Stored { token: Token, id: Xid, version: u32, verb: Verb },
    Refused(Token, Refusal),
    Absent(Token, Xid),
    Closed(Token, u32),
    Send(Order),
    BatchMoved(Box<Batch>),
}

/// A request to the host, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub sent: Sent,
    pub repeat: bool,
    pub subject: Told,
}

/// What a request is about, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Transaction(Box<Version>),
    Batch(Box<Batch>),
}

/// Small limits: a handful of everything.
pub const TINY: Limits =
    Limits { transactions_max: 8, tails_max_bytes: 4096, keys_max: 6, recent_max: 4, waiters_max: 5, batches_max: 3 };

/// Limits that no test reaches, but quick to reserve.
pub const ROOMY: Limits = Limits {
    transactions_max: 1 << 10,
    tails_max_bytes: 1 << 18,
    keys_max: 1 << 10,
    recent_max: 1 << 10,
    waiters_max: 1 << 10,
    batches_max: 1 << 8,
};

/// Processors and tables that outlast a shard.
#[derive(Debug, Clone, Default)]
pub struct Beginning {
    pub processors: Vec<ProcessorTerms>,
    pub rules: Arc<rules::Table>,
    pub routes: Arc<routing::Table>,
}

/// A shard under test.
pub struct Driver {
    pub shard: Shard,
    pub journal: Journal,
    pub now: Micros,
    /// What every new shard is told besides the tests' merchants and processor.
    pub beginning: Beginning,
    limits: Limits,
    unsynced: VecDeque<Effects>,
    tokens: u64,
    ids: u32,
}

impl Driver {
    /// An empty shard that knows the tests' merchants and processor.
    pub fn new(limits: Limits) -> Driver {
        Driver::beginning_with(limits, Beginning::default())
    }

    /// One that knows more than those.
    pub fn beginning_with(limits: Limits, beginning: Beginning) -> Driver {
        let (journal, unsynced) = (Journal::default(), VecDeque::new());
        let shard = fresh_shard(limits, BEGIN, &beginning);
        Driver { shard, journal, now: BEGIN, beginning, limits, unsynced, tokens: 0, ids: 0 }
    }

    /// Draws an id as the front does.
    pub fn draw_id(&mut self) -> Xid {
        self.ids += Xid::STRIDE;
        Xid::from_parts((self.now.0 / 1_000_000) as u32, [1, 2, 3, 4, 5], self.ids)
    }

    /// Draws a token.
    pub fn draw_token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// Gives an input and takes what came of it. Returns how many records that are.
    pub fn accept(&mut self, input: Input<'_>) -> u32 {
        self.shard.accept(self.now, input);
        let before = self.unsynced.len();
        while let Some(effects) = self.shard.take_effects() {
            self.unsynced.push_back(effects);
        }
        self.unsynced.iter().skip(before).map(Effects::record_count).sum()
    }

    /// Gives a command with a tail.
    pub fn give(&mut self, command: &Command, tail: &[u8]) -> (Token, u32) {
        let token = self.draw_token();
        let records = self.accept(Input::Command { token, command, tail: Tail::trusted(tail) });
        (token, records)
    }

    /// Asks for something with an id of its own and no tail; everything becomes durable, and is said.
    pub fn ask(&mut self, ask: &Ask) -> Vec<Said> {
        let command = ask.command(self.draw_id());
        self.give(&command, &[]);
        self.sync()
    }

    /// Turns that are not durable.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Records of the turns that are not durable.
    pub fn unsynced_records(&self) -> impl Iterator<Item = &[u8]> {
        self.unsynced.iter().map(Effects::records)
    }

    /// Makes everything durable and lets it out.
    pub fn sync(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        while let Some(effects) = self.unsynced.pop_front() {
            let durable = self.journal.append(&effects);
            let released = effects.release(durable);
            said.extend(released.outputs().map(own));
            self.shard.recycle(released);
        }
        said
    }

    /// Lets time pass.
    pub fn advance_ms(&mut self, ms: u32) -> Vec<Said> {
        self.now = self.now.plus_ms(ms);
        self.accept(Input::Tick);
        self.sync()
    }

    /// Gives the host's answer; everything becomes durable, and is said.
    pub fn answer(&mut self, sent: Sent, verdict: Verdict) -> Vec<Said> {
        self.accept(Input::Answer { answer: answer(sent, verdict), facts: Tail::trusted(&[]) });
        self.sync()
    }

    /// Reads a transaction back for the command that follows.
    pub fn hydrate(&mut self, id: Xid) -> u32 {
        let Some((transaction, tail)) = self.journal.newest(id).cloned() else { return 0 };
        let read_at = self.now;
        self.accept(Input::Hydrate { transaction: &transaction, tail: Tail::trusted(&tail), read_at })
    }

    /// The process dies: the journal has the first `kept` turns that were with it, and nobody heard of them. Another one starts
    /// in the next second.
    pub fn crash(&mut self, kept: usize) {
        for effects in self.unsynced.drain(..).take(kept) {
            self.journal.append(&effects);
        }
        self.now = Micros((self.now.0 / 1_000_000 + 1) * 1_000_000);
        self.shard = fresh_shard(self.limits, self.now, &self.beginning);
        self.journal.recover(&mut self.shard, self.now);
        self.accept(Input::RecoveryDone);
    }
}

fn fresh_shard(limits: Limits, now: Micros, beginning: &Beginning) -> Shard {
    let mut shard = Shard::new(ShardOptions { index: 3, count: 64, limits });
    for terms in [&[processor()], &beginning.processors[..]].concat() {
        shard.accept(now, Input::Processor(terms));
    }
    for terms in merchants() {
        shard.accept(now, Input::Merchant(terms));
    }
    shard.accept(now, Input::Rules(Arc::clone(&beginning.rules)));
    shard.accept(now, Input::Routes(Arc::clone(&beginning.routes)));
    shard
}

/// An answer with plain details.
pub fn answer(sent: Sent, verdict: Verdict) -> Answer {
    let processor_code = *b"00";
    Answer { sent, verdict, processor_code, auth_code: *b"TAS001", text: *b"APPROVAL TAS001 ", avs: b'Y', cvv: b'M' }
}

fn own(output: Output<'_>) -> Said {
    match output {
        Output::Reply(token, Reply::Version { transaction, tail, verb, replayed }) => {
            Said::Version { token, version: Box::new((*transaction, tail.bytes().to_vec())), verb, replayed }
        }
        Output::Reply(token, Reply::Stored { id, version, verb }) => Said::Stored { token, id, version, verb },
        Output::Reply(token, Reply::Refused(refusal)) => Said::Refused(token, refusal),
        Output::Reply(token, Reply::Absent(id)) => Said::Absent(token, id),
        Output::Reply(token, Reply::BatchesClosed { count }) => Said::Closed(token, count),
        Output::Reply(_, Reply::Configured) => panic!("these drivers change no configuration"),
        Output::Send(request) => {
            let subject = match request.subject {
                Subject::Transaction(transaction, tail) => Told::Transaction(Box::new((*transaction, tail.bytes().to_vec()))),
                Subject::Batch(batch) => Told::Batch(Box::new(*batch)),
            };
            Said::Send(Order { sent: request.sent, repeat: request.repeat, subject })
        }
        Output::BatchMoved(batch) => Said::BatchMoved(Box::new(*batch)),
    }
}
