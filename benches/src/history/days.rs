//! The days, lived in simulated time: a shard that decides, a host that answers, a journal that keeps.

use std::collections::{HashMap, VecDeque};

use persistence::journal::{Log, OsDisk};
use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::id::{Xid, mix};
use protocol::response_code::ResponseCode;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{PaymentMethod, Status, Verb};
use switch_core::input::{
    Answer, Input, Leg, MerchantTerms, OwnProcessors, ProcessorState, ProcessorTerms, Sent, Token, Verdict,
};
use switch_core::limits::Limits;
use switch_core::output::{Output, Released, Reply};
use switch_core::{Shard, ShardOptions};

use super::cast::Cast;
use super::{Made, Plan};

/// Commands of one rush; between rushes nobody buys.
const RUSH: u32 = 512;
/// From one command of a rush to the next, microseconds.
const GAP_MICROS: i64 = 2_000;
/// A host's time-out, milliseconds; a rush is over long before.
const TIMEOUT_MS: u32 = 30_000;
const DAY_MICROS: i64 = 86_400_000_000;
/// How long the reversals that stay queued have been waiting at the end, seconds: longer than the time-out.
const LAST_REVERSALS_S: i64 = 40;

const _: () = assert!(RUSH as i64 * GAP_MICROS < TIMEOUT_MS as i64 * 1_000 / 2);

/// What the host says to a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    /// Answers, and now and then loses a payment.
    Answers,
    /// Has gone away.
    Silent,
}

/// What comes of one turn of the shard.
#[derive(Default)]
struct Heard {
    sent: Vec<(Sent, Verb)>,
    told: Vec<Told>,
    moved: Vec<Batch>,
}

/// What a client was told of a transaction.
#[derive(Clone, Copy)]
struct Told {
    id: Xid,
    merchant: Xid,
    verb: Verb,
    status: Status,
    batch: Xid,
}

/// A past under way.
pub(super) struct Days {
    cast: Cast,
    log: Log<OsDisk>,
    shard: Shard,
    now: Micros,
    /// Captures, voids and refunds that clients will ask for.
    plans: VecDeque<(Verb, Xid, Xid)>,
    /// Members of the batches that are not settled, by batch.
    members: HashMap<Xid, Vec<Told>>,
    settled: Vec<(Xid, Xid)>,
    transactions: u64,
}

impl Days {
    /// The days that end at `until`.
    pub(super) fn new(cast: Cast, log: Log<OsDisk>, plan: &Plan, until: Micros) -> Days {
        let now = Micros(until.0 - i64::from(plan.days) * DAY_MICROS - LAST_REVERSALS_S * 1_000_000);
        // Nothing may leave memory: there is no history behind this shard to read it back from.
        let transactions_max = (plan.transactions + plan.open) * 2 + 1_024;
        let limits = Limits { transactions_max, tails_max_bytes: 1 << 31, ..Limits::default() };
        let mut shard = Shard::new(ShardOptions { index: 0, count: 1, limits });
        let (reversal_retry_ms, reversal_retry_max_ms) = (60_000, 60_000);
        let index = cast.processor;
        let terms = ProcessorTerms {
            method: PaymentMethod::Card,
            index,
            state: ProcessorState::Enabled,
            timeout_ms: TIMEOUT_MS,
            reversal_retry_ms,
            reversal_retry_max_ms,
        };
        shard.accept(now, Input::Processor(terms));
        for id in cast.merchants.iter().copied() {
            let (duplicate_window_s, processors) = (plan.duplicate_window_s, OwnProcessors::for_cards(index));
            shard.accept(now, Input::Merchant(MerchantTerms { id, active: true, duplicate_window_s, processors }));
        }
        Days { cast, log, shard, now, plans: VecDeque::new(), members: HashMap::new(), settled: Vec::new(), transactions: 0 }
    }

    /// Lives them all.
    pub(super) fn live(mut self, plan: &Plan) -> anyhow::Result<Made> {
        let ends_at = Micros(self.now.0 + i64::from(plan.days) * DAY_MICROS);
        let rushes = i64::from(plan.transactions.div_ceil(RUSH).max(1));
        let pause = i64::from(plan.days) * DAY_MICROS / rushes - i64::from(RUSH) * GAP_MICROS;
        let mut night = Micros(self.now.0 + DAY_MICROS / 2);
        while self.transactions < u64::from(plan.transactions) {
            self.rush(RUSH.min(plan.transactions - self.transactions as u32), Host::Answers)?;
            self.now.0 += pause.max(i64::from(TIMEOUT_MS) * 1_000);
            self.shard.accept(self.now, Input::Tick);
            self.exchange(Host::Answers)?;
            if self.now >= night {
                night.0 += DAY_MICROS;
                self.settle()?;
            }
        }
        self.now = self.now.max(ends_at);
        self.leave_open(plan.open)?;
        let open = u64::from(self.shard.in_flight() + self.shard.reversals_queued());
        let (last_lsn, ended_at) = (self.log.last_lsn(), self.now);
        Ok(Made { transactions: self.transactions, open, last_lsn, ended_at, settled: self.settled })
    }

    /// Clients come one behind the other, with what they had planned first.
    fn rush(&mut self, commands: u32, host: Host) -> anyhow::Result<()> {
        for _ in 0..commands {
            self.now.0 += GAP_MICROS;
            let (command, tail) = match self.plans.pop_front() {
                Some((verb, merchant, target)) => (self.cast.step(verb, self.now, merchant, target), Vec::new()),
                None => self.cast.payment(verb_of(self.transactions), self.now)?,
            };
            self.transactions += u64::from(command.verb().is_some_and(Verb::creates));
            let token = Token(u64::from(command.id.counter()));
            self.shard.accept(self.now, Input::Command { token, command: &command, tail: Tail::trusted(&tail) });
        }
        self.exchange(host)
    }

    /// Lets out what is decided and answers it, until there is nothing more to say.
    fn exchange(&mut self, host: Host) -> anyhow::Result<()> {
        loop {
            let heard = self.release()?;
            self.note(&heard.told);
            for (sent, verb) in &heard.sent {
                if let Some(answer) = answer(*sent, *verb, host) {
                    self.shard.accept(self.now, Input::Answer { answer, facts: Tail::trusted(&[]) });
                }
            }
            for batch in &heard.moved {
                self.settle_members(batch);
            }
            if !self.shard.has_effects() {
                return Ok(());
            }
        }
    }

    /// Writes all records, then hears what they let out.
    fn release(&mut self) -> anyhow::Result<Heard> {
        let mut heard = Heard::default();
        while let Some(effects) = self.shard.take_effects() {
            let durable = self.log.append_group(&[(effects.records(), effects.record_count())])?;
            let released = effects.release(durable);
            listen(&released, &mut heard)?;
            self.shard.recycle(released);
        }
        Ok(heard)
    }

    /// What clients have heard makes them do the next thing.
    fn note(&mut self, heard: &[Told]) {
        for told in heard {
            let Told { id, merchant, status, batch, .. } = *told;
            let chance = mix(id.hash64()) % 100;
            match status {
                Status::Authorized if chance < 70 => self.plans.push_back((Verb::Capture, merchant, id)),
                Status::Authorized if chance < 90 => self.plans.push_back((Verb::Void, merchant, id)),
                Status::PendingSettlement => {
                    self.members.entry(batch).or_default().push(*told);
                    if is_voided(id) {
                        self.plans.push_back((Verb::Void, merchant, id));
                    }
                }
                Status::Authorized
                | Status::Pending
                | Status::Unknown
                | Status::Settled
                | Status::Declined
                | Status::Voided
                | Status::Reversed
                | Status::PartiallyRefunded
                | Status::Refunded
                | Status::Returned => {}
            }
        }
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        self.shard
            .accept(self.now, Input::CloseBatches { token: Token(0), processor: self.cast.processor, before: Micros::NEVER });
        self.exchange(Host::Answers)
    }

    /// Three in a hundred of the sales that were settled are paid back.
    fn settle_members(&mut self, batch: &Batch) {
        if batch.state() != BatchState::Accepted {
            return;
        }
        for Told { id: transaction, merchant, verb, .. } in self.members.remove(&batch.id).unwrap_or_default() {
            self.shard.accept(self.now, Input::SettleMember { transaction });
            if verb == Verb::Refund {
                continue;
            }
            match mix(!transaction.hash64()) % 100 {
                0..3 => self.plans.push_back((Verb::Refund, merchant, transaction)),
                3..13 if !is_voided(transaction) => self.settled.push((merchant, transaction)),
                _ => {}
            }
        }
        self.shard.accept(self.now, Input::CompleteBatch { batch: batch.id });
    }

    /// The host falls silent: some payments become unknown, their reversals queued, and others are in flight when it all ends.
    fn leave_open(&mut self, open: u32) -> anyhow::Result<()> {
        self.plans.clear();
        let reversed = open / 2;
        for commands in rushes_of(reversed) {
            self.rush(commands, Host::Silent)?;
        }
        self.now.0 += LAST_REVERSALS_S * 1_000_000;
        self.shard.accept(self.now, Input::Tick);
        self.exchange(Host::Silent)?;
        for commands in rushes_of(open - reversed) {
            self.rush(commands, Host::Silent)?;
        }
        Ok(())
    }
}

/// One sale in a hundred.
fn is_voided(sale: Xid) -> bool {
    mix(sale.hash64()) % 100 == 99
}

fn rushes_of(mut commands: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let rush = commands.min(RUSH);
        commands -= rush;
        (rush > 0).then_some(rush)
    })
}

fn listen(released: &Released, heard: &mut Heard) -> anyhow::Result<()> {
    for output in released.outputs() {
        match output {
            Output::Send(request) => heard.sent.push((request.sent, verb_sent(&request.subject))),
            Output::Reply(_, Reply::Version { transaction, .. }) => heard.told.push(told(transaction)),
            Output::BatchMoved(batch) => heard.moved.push(*batch),
            Output::Reply(_, Reply::BatchesClosed { .. }) => {}
            // A sale that is void already when it is to be refunded, and the like: nothing was done.
            Output::Reply(_, Reply::Refused(refusal)) if refusal != protocol::refusal::Refusal::Busy => {}
            Output::Reply(_, reply) => anyhow::bail!("a past can't be made of {reply:?}"),
        }
    }
    Ok(())
}

fn verb_sent(subject: &switch_core::output::Subject<'_>) -> Verb {
    match subject {
        switch_core::output::Subject::Transaction(transaction, _) => transaction.verb(),
        switch_core::output::Subject::Batch(_) => Verb::Sale,
    }
}

fn told(transaction: &Transaction) -> Told {
    let (id, merchant, verb, batch) = (transaction.id, transaction.merchant, transaction.verb(), transaction.batch);
    Told { id, merchant, verb, status: transaction.status(), batch }
}

fn verb_of(number: u64) -> Verb {
    match mix(number) % 100 {
        0..90 => Verb::Sale,
        90..98 => Verb::Authorize,
        _ => Verb::Verification,
    }
}

/// The host's answer, if it gives one.
fn answer(sent: Sent, verb: Verb, host: Host) -> Option<Answer> {
    let chance = mix(sent.id.hash64() ^ u64::from(sent.stan)) % 100;
    let verdict = match (host, sent.leg) {
        (Host::Silent, _) => return None,
        (Host::Answers, Leg::Reversal) => Verdict::Receipt,
        (Host::Answers, Leg::Original) if verb != Verb::Refund && chance == 0 => return None,
        (Host::Answers, Leg::Original) if chance < 6 => Verdict::Declined(ResponseCode::INSUFFICIENT_FUNDS),
        (Host::Answers, Leg::Original | Leg::Step | Leg::Totals) => Verdict::Approved,
    };
    let processor_code = if verdict == Verdict::Approved { *b"00" } else { *b"51" };
    Some(Answer { sent, verdict, processor_code, auth_code: *b"TAS731", text: *b"APPROVAL TAS731 ", avs: b'Y', cvv: b'M' })
}
