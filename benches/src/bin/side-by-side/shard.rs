//! The shard alone: authorizations through idempotency, duplicate window, routing, records and release, no I/O.

use crate::Effort;
use crate::table::{Row, median};
use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::frame::Durable;
use protocol::id::Xid;
use protocol::tail::{self, Tail, tag};
use protocol::words::Verb;
use std::time::Instant;
use switch_core::input::{Answer, Input, Leg, MerchantTerms, ProcessorTerms, Sent, Token, Verdict};
use switch_core::limits::Limits;
use switch_core::output::{Output, Reply};
use switch_core::{Shard, ShardOptions};

/// What the design asks for, applies per second.
const MUST_PER_S: f64 = 2_000_000.0;
/// Payments whose inputs one turn takes together, as the driver does under load.
const PAYMENTS_PER_TURN: u32 = 64;
const MERCHANT: Xid = Xid([7; 12]);

/// A shard with one merchant and one processor, driven as the front drives it, but with a journal that is always done.
struct Rig {
    shard: Shard,
    now: Micros,
    payments: u32,
    lsn: u64,
    tail: Vec<u8>,
    sent: Vec<Sent>,
}

impl Rig {
    fn new() -> Rig {
        let mut shard = Shard::new(ShardOptions { index: 0, count: 1, limits: Limits::default() });
        let now = Micros(1_790_000_000_000_000);
        let processor =
            ProcessorTerms { index: 1, enabled: true, timeout_ms: 2000, reversal_retry_ms: 1000, reversal_retry_max_ms: 60_000 };
        shard.accept(now, Input::Processor(processor));
        shard
            .accept(now, Input::Merchant(MerchantTerms { id: MERCHANT, active: true, duplicate_window_s: 1, card_processor: 1 }));
        shard.accept(now, Input::RecoveryDone);
        let mut tail = Vec::new();
        tail::push(&mut tail, tag::SEALED_CARD, &[9; 50]);
        tail::push(&mut tail, tag::ORDER_ID, b"someOrderID");
        Rig { shard, now, payments: 0, lsn: 0, tail, sent: Vec::new() }
    }

    fn command(&mut self) -> Command {
        self.payments += 1;
        let number = self.payments;
        let mut command = Command::new(Verb::Authorize);
        command.id = Xid::from_parts(self.now.seconds() as u32, [1; 5], number.wrapping_mul(Xid::STRIDE));
        command.merchant = MERCHANT;
        command.amount = u64::from(number % 90_000 + 1).into();
        command.currency = 840.into();
        command.fingerprint = [(number % 251) as u8; 16];
        command.key_hash[..4].copy_from_slice(&(number + 1).to_le_bytes());
        command.key_hash[8] = 1;
        command.key_window_s = 1.into();
        command
    }

    /// One turn: payments in, their intents durable and sent, their answers in, their outcomes durable and told.
    fn turn(&mut self) -> u32 {
        self.now = self.now.plus_ms(1);
        for payment in 0..PAYMENTS_PER_TURN {
            let command = self.command();
            let tail = std::mem::take(&mut self.tail);
            let token = Token(u64::from(payment));
            self.shard.accept(self.now, Input::Command { token, command: &command, tail: Tail::trusted(&tail) });
            self.tail = tail;
        }
        self.release();
        for sent in std::mem::take(&mut self.sent) {
            self.shard.accept(self.now, Input::Answer(approval(sent)));
        }
        self.release()
    }

    /// Releases the turn's effects; gives back how many final answers were told.
    fn release(&mut self) -> u32 {
        let Some(effects) = self.shard.take_effects() else { return 0 };
        let first = self.lsn + 1;
        self.lsn += u64::from(effects.record_count());
        let released = effects.release(Durable::after_sync(first, self.lsn));
        let mut told = 0;
        for output in released.outputs() {
            match output {
                Output::Send(request) => self.sent.push(request.sent),
                Output::Reply(_, Reply::Version { .. }) => told += 1,
                Output::Reply(_, other) => panic!("the bench's payments are all answered: {other:?}"),
                Output::BatchMoved(_) => {}
            }
        }
        self.shard.recycle(released);
        told
    }
}

fn approval(sent: Sent) -> Answer {
    assert_eq!(sent.leg, Leg::Original);
    Answer {
        sent,
        verdict: Verdict::Approved,
        processor_code: *b"00",
        auth_code: *b"TAS731",
        text: *b"APPROVAL TAS731 ",
        avs: b'0',
        cvv: b'M',
    }
}

/// Authorizations per second: each is a command and an answer, two records, all outputs released.
pub fn apply(effort: Effort) -> Row {
    let mut rig = Rig::new();
    let per_s: Vec<f64> = (0..effort.rounds)
        .map(|_| {
            let begun = Instant::now();
            let mut done = 0u64;
            while begun.elapsed() < effort.in_process {
                done += u64::from(rig.turn());
            }
            done as f64 / begun.elapsed().as_secs_f64()
        })
        .collect();
    Row {
        what: "shard: authorization whole (command, answer, 2 records), no rules yet, one core".into(),
        ours: format!("{:.2} M/s", median(&per_s) / 1e6),
        baseline: "the budget, 2 M/s".into(),
        ratios: per_s.iter().map(|rate| rate / MUST_PER_S).collect(),
        must: "≥ 1",
    }
}
