//! Payments through a shard, on one core, without I/O: command, intent record, request released, answer, outcome record, reply
//! released, buffers given back. One payment is two inputs and two records.
//!
//! In it: idempotency key (20 s window), duplicate window (10 s), a tail of 400 bytes, settlement totals, timers set, cancelled
//! and fired, transactions leaving memory. Left out: journal (a token stands for durability), links, routing tables.
//! Virtual time runs at 20,000 payments a second, so that tables are as full as they would be.

use std::hint::black_box;
use std::sync::Arc;

use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::frame::Durable;
use protocol::id::{Xid, mix};
use protocol::tail::{self, Tail};
use protocol::words::{PaymentMethod, Verb};
use switch_core::input::{Answer, Input, MerchantTerms, OwnProcessors, ProcessorState, ProcessorTerms, Sent, Token, Verdict};
use switch_core::limits::Limits;
use switch_core::output::{Effects, Output, Reply};
use switch_core::rules::Table;
use switch_core::rules::typed::Rule;
use switch_core::{Shard, ShardOptions};

/// Payments of one turn: what a busy shard takes between two writes of the journal.
pub const TURN_PAYMENTS: u64 = 256;
/// Payments that a shard is shown before it takes them one by one, as its task does.
pub const BUNCH_PAYMENTS: usize = 32;

const _: () = assert!(TURN_PAYMENTS.is_multiple_of(BUNCH_PAYMENTS as u64));
const MICROS_PER_PAYMENT: i64 = 50;
const MERCHANTS: u32 = 64;
/// Payments before anything is measured: the tables are in their steady state.
const WARM_UP_TURNS: u32 = 3_000;

/// A shard in its steady state, and what drives it.
pub struct Stream {
    shard: Shard,
    command: Command,
    tail: Vec<u8>,
    count: u64,
    last_lsn: u64,
    now: Micros,
    sent: Vec<Sent>,
}

impl Stream {
    /// Warm: tables and timers are as full as they stay.
    ///
    /// # Panics
    /// When the shard refuses a payment, which would make the figures something else.
    pub fn new(verb: Verb) -> Stream {
        let now = Micros(1_795_000_000_000_000);
        let mut shard = Shard::new(ShardOptions { index: 0, count: 1, limits: Limits::default() });
        let (timeout_ms, reversal_retry_ms, reversal_retry_max_ms) = (30_000, 1_000, 60_000);
        let processor = ProcessorTerms {
            index: 1,
            method: PaymentMethod::Card,
            state: ProcessorState::Enabled,
            timeout_ms,
            reversal_retry_ms,
            reversal_retry_max_ms,
        };
        shard.accept(now, Input::Processor(processor));
        for number in 0..MERCHANTS {
            let terms = MerchantTerms {
                id: merchant(number),
                active: true,
                duplicate_window_s: 10,
                processors: OwnProcessors::for_cards(1),
            };
            shard.accept(now, Input::Merchant(terms));
        }
        let mut tail = Vec::new();
        tail::push(&mut tail, tail::tag::SEALED_CARD, &[7; 96]);
        tail::push(&mut tail, tail::tag::ORDER_ID, b"someOrderID");
        tail::push(&mut tail, tail::tag::BILLING, &[b'x'; 280]);
        let command = Command { currency: 840.into(), ..Command::new(verb) };
        let mut stream = Stream { shard, command, tail, count: 0, last_lsn: 0, now, sent: Vec::new() };
        for _ in 0..WARM_UP_TURNS {
            stream.turn();
        }
        stream
    }

    /// The same, and `table` decides before each payment is sent.
    ///
    /// # Panics
    /// When the rules are none.
    pub fn with_rules(verb: Verb, typed: &[Rule]) -> Stream {
        let mut stream = Stream::new(verb);
        let table = Table::compile(1, typed).expect("rules of a bench");
        stream.shard.accept(stream.now, Input::Rules(Arc::new(table)));
        (0..WARM_UP_TURNS).for_each(|_| stream.turn());
        stream
    }

    /// [`TURN_PAYMENTS`] commands become durable and are sent; their answers become durable and are told.
    ///
    /// # Panics
    /// When the shard refuses a payment.
    pub fn turn(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        for _ in 0..TURN_PAYMENTS / BUNCH_PAYMENTS as u64 {
            self.ask(std::iter::repeat_n((self.command, Tail::trusted(&tail)), BUNCH_PAYMENTS));
        }
        self.tail = tail;
        assert_eq!(self.release_at_once(), 0);
        assert_eq!(self.answer_sent(), TURN_PAYMENTS, "nothing is refused");
        assert_eq!(self.release_at_once(), TURN_PAYMENTS);
    }

    /// The tail that each payment has.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Has the shard take payments, [`BUNCH_PAYMENTS`] at most; what a front would fill in is filled in.
    pub fn ask<'a>(&mut self, payments: impl Iterator<Item = (Command, Tail<'a>)>) {
        let bunch: Vec<_> = payments.map(|(command, tail)| (self.draw(command), tail)).collect();
        self.shard.foresee(bunch.iter().map(|((_, command), _)| command));
        for ((token, command), tail) in &bunch {
            self.shard.accept(self.now, Input::Command { token: *token, command, tail: *tail });
        }
    }

    /// The next payment, a moment later.
    fn draw(&mut self, mut command: Command) -> (Token, Command) {
        self.count += 1;
        self.now.0 += MICROS_PER_PAYMENT;
        command.id = Xid::from_parts((self.now.0 / 1_000_000) as u32, [1; 5], self.count as u32 * Xid::STRIDE);
        command.merchant = merchant(self.count as u32 % MERCHANTS);
        command.amount = (100 + self.count % 10_000).into();
        command.fingerprint[..8].copy_from_slice(&mix(self.count).to_le_bytes());
        command.key_hash[..8].copy_from_slice(&mix(!self.count).to_le_bytes());
        command.request_hash = command.fingerprint;
        command.key_window_s = 20.into();
        (Token(self.count), command)
    }

    /// What the shard has decided since, if anything: its records are to be made durable.
    pub fn take_effects(&mut self) -> Option<Effects> {
        self.shard.take_effects()
    }

    /// Lets out what has become durable. What is sent waits for [`Stream::answer_sent`], replies go to `reply`.
    pub fn release(&mut self, effects: Effects, durable: Durable, mut reply: impl FnMut(Token, Reply<'_>)) {
        let released = effects.release(durable);
        for output in released.outputs() {
            match black_box(output) {
                Output::Send(request) => self.sent.push(request.sent),
                Output::Reply(token, told) => reply(token, told),
                Output::BatchMoved(_) => {}
            }
        }
        self.shard.recycle(released);
    }

    /// A processor that answers at once approves all that was sent. How many there were.
    pub fn answer_sent(&mut self) -> u64 {
        let mut sent = std::mem::take(&mut self.sent);
        for bunch in sent.chunks(BUNCH_PAYMENTS) {
            self.shard.foresee_answers(bunch);
            for sent in bunch {
                self.shard.accept(self.now, Input::Answer { answer: approval(*sent), facts: Tail::trusted(&[]) });
            }
        }
        let count = sent.len() as u64;
        sent.clear();
        self.sent = sent;
        count
    }

    /// Without a journal: all that is decided counts as durable. How many replies came out.
    fn release_at_once(&mut self) -> u64 {
        let mut replies = 0;
        while let Some(effects) = self.shard.take_effects() {
            let first = self.last_lsn + 1;
            self.last_lsn += u64::from(effects.record_count());
            black_box(effects.records());
            self.release(effects, Durable::after_sync(first, self.last_lsn), |_, _| replies += 1);
        }
        replies
    }
}

fn merchant(number: u32) -> Xid {
    Xid::from_parts(1_700_000_000, [9; 5], number * Xid::STRIDE)
}

fn approval(sent: Sent) -> Answer {
    let (verdict, processor_code) = (Verdict::Approved, *b"00");
    Answer { sent, verdict, processor_code, auth_code: *b"TAS731", text: *b"APPROVAL TAS731 ", avs: b'Y', cvv: b'M' }
}
