//! The naive model: what a shard should decide, written from the contract with plain maps, without limits, tails or timers.
//!
//! It is told the same things as the shard and says which answer to expect. It has no journal: whoever drives it keeps copies.

use super::{DUPLICATE_WINDOW_S, PROCESSOR, TIMEOUT_MS, merchant};
use protocol::batch::BatchState;
use protocol::calendar::Micros;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::words::{Status, Verb};
use std::collections::{BTreeMap, BTreeSet};
use switch_core::input::{Token, Verdict};

/// A request that is not decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// `None`: the request that makes the transaction.
    pub step: Option<Verb>,
    pub amount: u64,
    pub deadline: Micros,
    pub operation: Token,
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub verb: Verb,
    pub merchant: Xid,
    pub status: Status,
    pub version: u32,
    pub amount: u64,
    pub authorized: u64,
    pub captured: u64,
    pub settled: u64,
    pub refunded: u64,
    pub refund_pending: u64,
    pub parent: Xid,
    pub batch: Option<Xid>,
    pub flight: Option<Flight>,
    pub reversing: bool,
    /// What of the sale's pending refunds this refund stands for, while it is not decided.
    stands_for: u64,
    flags: u32,
    currency: u16,
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    pub merchant: Xid,
    pub currency: u16,
    pub number: u32,
    pub members_number: u32,
    pub state: BatchState,
    pub sent: bool,
    pub members: BTreeSet<Xid>,
    pub undecided: BTreeSet<Xid>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyUse {
    request: [u8; 16],
    verb: Verb,
    operation: Token,
}

type Likeness = (Xid, [u8; 16], u64, u16, Verb);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Recent {
    likeness: Likeness,
    id: Xid,
    until: Micros,
}

/// What a command should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Refused(Refusal),
    /// The answer of this operation, which may be one that was begun before.
    Answer(Token),
}

/// The model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub payments: BTreeMap<Xid, Payment>,
    pub batches: BTreeMap<Xid, Collected>,
    /// Operations that are answered: the transaction and the version that says so.
    pub answers: BTreeMap<Token, (Xid, u32)>,
    keys: BTreeMap<[u8; 16], KeyUse>,
    recent: Vec<Recent>,
    numbers: BTreeMap<Xid, u32>,
    now: Micros,
}

impl Model {
    /// Time passes: what was not answered becomes unknown.
    pub fn tick(&mut self, now: Micros) {
        self.now = now;
        self.recent.retain(|recent| recent.until > now);
        let is_late = |payment: &Payment| payment.flight.as_ref().is_some_and(|flight| flight.deadline <= now);
        let late: Vec<Xid> = self.payments.iter().filter(|(_, payment)| is_late(payment)).map(|(id, _)| *id).collect();
        late.into_iter().for_each(|id| self.unknown(id));
    }

    /// The process died and another took over: what was in flight is unknown.
    pub fn restart(&mut self, now: Micros) {
        self.now = now;
        self.recent.retain(|recent| recent.until > now);
        let in_flight = self.payments.iter().filter(|(_, payment)| payment.flight.is_some());
        let in_flight: Vec<Xid> = in_flight.map(|(id, _)| *id).collect();
        in_flight.into_iter().for_each(|id| self.unknown(id));
    }

    /// A merchant asks for something.
    pub fn command(&mut self, token: Token, command: &Command) -> Expect {
        let verb = command.verb().expect("tests ask in verbs");
        if let Some(used) = self.keys.get(&command.key_hash) {
            let same = used.request == command.request_hash && used.verb == verb;
            return if same { Expect::Answer(used.operation) } else { Expect::Refused(Refusal::KeyReused) };
        }
        let done = match verb {
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => self.create(token, command, verb),
            Verb::Refund => self.refund(token, command),
            Verb::Capture => self.capture(token, command),
            Verb::Void => self.void(token, command),
        };
        if let Err(refusal) = done {
            return Expect::Refused(refusal);
        }
        if command.has_key() {
            let key = KeyUse { request: command.request_hash, verb, operation: token };
            self.keys.insert(command.key_hash, key);
        }
        Expect::Answer(token)
    }

    fn create(&mut self, token: Token, command: &Command, verb: Verb) -> Result<(), Refusal> {
        let likeness: Likeness = (command.merchant, command.fingerprint, command.amount.get(), command.currency.get(), verb);
        let has_window = command.merchant == merchant(1) && !command.has(flag::ALLOW_DUPLICATE);
        let is_repeated = has_window && self.recent.iter().any(|recent| recent.likeness == likeness);
        self.payments.insert(command.id, payment(command, verb, command.amount.get()));
        if command.has(flag::EXPIRED_CARD) || is_repeated {
            self.of(command.id).status = Status::Declined;
            self.answered(token, command.id);
            return Ok(());
        }
        if has_window {
            let until = self.now.plus_s(DUPLICATE_WINDOW_S);
            self.recent.push(Recent { likeness, id: command.id, until });
        }
        if verb == Verb::Sale || verb == Verb::Credit {
            self.enter_batch(command.id, command.id);
        }
        self.fly(command.id, None, command.amount.get(), token);
        Ok(())
    }

    fn refund(&mut self, token: Token, command: &Command) -> Result<(), Refusal> {
        let sale = self.target(command)?;
        let is_debit = matches!(sale.verb, Verb::Sale | Verb::Authorize);
        let settled = matches!(sale.status, Status::Settled | Status::PartiallyRefunded);
        if !is_debit || !settled {
            return Err(Refusal::IllegalStep { status: sale.status });
        }
        let max = sale.settled - sale.refunded - sale.refund_pending;
        let amount = if command.has(flag::AMOUNT_GIVEN) { command.amount.get() } else { max };
        if amount > max || max == 0 {
            return Err(Refusal::AmountTooLarge { max });
        }
        if amount == 0 {
            return Err(Refusal::AmountZero);
        }
        let mut refund = payment(command, Verb::Refund, amount);
        (refund.parent, refund.stands_for, refund.currency) = (command.target, amount, sale.currency);
        self.payments.insert(command.id, refund);
        let sale = self.of(command.target);
        sale.refund_pending += amount;
        sale.version += 1;
        self.enter_batch(command.id, command.id);
        self.fly(command.id, None, amount, token);
        Ok(())
    }

    fn capture(&mut self, token: Token, command: &Command) -> Result<(), Refusal> {
        let payment = self.target(command)?;
        if payment.flight.as_ref().is_some_and(|flight| flight.step.is_some()) {
            return Err(Refusal::StepInFlight);
        }
        if payment.status != Status::Authorized || payment.verb != Verb::Authorize {
            return Err(Refusal::IllegalStep { status: payment.status });
        }
        let max = payment.authorized;
        match if command.has(flag::AMOUNT_GIVEN) { command.amount.get() } else { max } {
            0 => Err(Refusal::AmountZero),
            amount if amount > max => Err(Refusal::AmountTooLarge { max }),
            amount => {
                self.enter_batch(command.target, command.id);
                self.fly(command.target, Some(Verb::Capture), amount, token);
                Ok(())
            }
        }
    }

    fn void(&mut self, token: Token, command: &Command) -> Result<(), Refusal> {
        let payment = self.target(command)?.clone();
        if payment.flight.as_ref().is_some_and(|flight| flight.step.is_some()) {
            return Err(Refusal::StepInFlight);
        }
        match payment.status {
            Status::Authorized => {}
            Status::PendingSettlement => {
                let batch = self.batches.get_mut(&payment.batch.expect("it waits in a batch")).expect("an unfinished one");
                if !matches!(batch.state, BatchState::Open | BatchState::Rejected) {
                    return Err(Refusal::BatchClosing);
                }
                batch.members.remove(&command.target);
                batch.undecided.insert(command.target);
            }
            status => return Err(Refusal::IllegalStep { status }),
        }
        if payment.verb == Verb::Refund {
            self.of(command.target).stands_for = payment.captured;
            let sale = self.of(payment.parent);
            sale.refunded -= payment.captured;
            sale.refund_pending += payment.captured;
            sale.version += 1;
        }
        self.fly(command.target, Some(Verb::Void), payment.captured, token);
        Ok(())
    }

    /// The host has answered the request that is in flight.
    pub fn answer(&mut self, id: Xid, verdict: Verdict) {
        let Flight { step, amount, .. } = self.of(id).flight.clone().expect("it is in flight");
        let requested = self.of(id).amount;
        let allows_part = self.of(id).flags & flag::ALLOW_PARTIAL != 0;
        match (step, verdict) {
            (None, Verdict::Approved) => self.approve(id, requested),
            (None, Verdict::Partial { approved }) if allows_part => self.approve(id, approved),
            (None, Verdict::Partial { .. }) => self.refuse_part(id),
            (None, Verdict::Declined(_)) => self.decline(id),
            (Some(Verb::Capture), Verdict::Approved) => {
                let payment = self.of(id);
                (payment.captured, payment.status) = (amount, Status::PendingSettlement);
                self.join_batch(id);
                self.conclude(id);
            }
            (Some(_), Verdict::Approved) => {
                let payment = self.of(id);
                (payment.captured, payment.status) = (0, Status::Voided);
                self.forget_recent(id);
                self.leave_batch(id);
                self.conclude(id);
                self.refund_decided(id, 0);
            }
            (Some(_), Verdict::Declined(_)) => self.fail_step(id),
            (_, Verdict::Receipt | Verdict::TryLater) | (Some(_), Verdict::Partial { .. }) => self.unknown(id),
        }
    }

    /// Nothing of the request in flight was ever written.
    pub fn not_sent(&mut self, id: Xid) {
        match self.of(id).flight.as_ref().and_then(|flight| flight.step) {
            None => self.decline(id),
            Some(_) => self.fail_step(id),
        }
    }

    /// The request in flight will not be answered.
    pub fn unknown(&mut self, id: Xid) {
        let payment = self.of(id);
        (payment.status, payment.reversing) = (Status::Unknown, true);
        self.forget_recent(id);
        self.conclude(id);
    }

    /// The host has acknowledged the reversal.
    pub fn reversed(&mut self, id: Xid) {
        let payment = self.of(id);
        payment.reversing = false;
        payment.captured = 0;
        payment.version += 1;
        if payment.status == Status::Unknown {
            payment.status = Status::Reversed;
        }
        self.leave_batch(id);
        self.refund_decided(id, 0);
    }

    fn approve(&mut self, id: Xid, amount: u64) {
        let payment = self.of(id);
        payment.authorized = amount;
        if matches!(payment.verb, Verb::Authorize | Verb::Verification) {
            payment.status = Status::Authorized;
        } else {
            (payment.captured, payment.status) = (amount, Status::PendingSettlement);
            self.join_batch(id);
        }
        self.conclude(id);
        self.refund_decided(id, amount);
    }

    fn decline(&mut self, id: Xid) {
        self.of(id).status = Status::Declined;
        self.forget_recent(id);
        self.leave_batch(id);
        self.conclude(id);
        self.refund_decided(id, 0);
    }

    fn refuse_part(&mut self, id: Xid) {
        let payment = self.of(id);
        (payment.status, payment.reversing) = (Status::Declined, true);
        self.forget_recent(id);
        self.conclude(id);
    }

    fn fail_step(&mut self, id: Xid) {
        let flight = self.of(id).flight.clone().expect("a step is in flight");
        if flight.step == Some(Verb::Capture) {
            self.leave_batch(id);
        } else {
            self.join_batch(id);
        }
        self.conclude(id);
        if flight.step == Some(Verb::Void) {
            self.refund_decided(id, flight.amount);
        }
    }

    fn refund_decided(&mut self, id: Xid, paid: u64) {
        let Payment { verb, parent, stands_for, .. } = *self.of(id);
        if verb != Verb::Refund {
            return;
        }
        let sale = self.of(parent);
        sale.refund_pending -= stands_for;
        sale.refunded += paid;
        sale.version += 1;
        sale.status = match sale.refunded {
            0 => Status::Settled,
            all if all == sale.settled => Status::Refunded,
            _ => Status::PartiallyRefunded,
        };
        self.of(id).stands_for = 0;
    }

    /// Closes what is open and has something in it, and what was rejected. Says how many.
    pub fn close_batches(&mut self) -> u32 {
        let is_closable = |batch: &Collected| match batch.state {
            BatchState::Open => !batch.members.is_empty() || !batch.undecided.is_empty(),
            state => state == BatchState::Rejected,
        };
        let closable = self.batches.iter().filter(|(_, batch)| is_closable(batch));
        let closable: Vec<Xid> = closable.map(|(id, _)| *id).collect();
        for id in &closable {
            let batch = &self.batches[id];
            if batch.state == BatchState::Rejected {
                let number = self.next_number(batch.merchant);
                self.batch(*id).number = number;
            }
            (self.batch(*id).state, self.batch(*id).sent) = (BatchState::Closing, false);
            self.send_totals_if_ready(*id);
        }
        closable.len() as u32
    }

    /// The host has answered a batch's totals.
    pub fn totals_answered(&mut self, id: Xid, accepted: bool) {
        self.batch(id).state = if accepted { BatchState::Accepted } else { BatchState::Rejected };
    }

    /// One member of an accepted batch is settled.
    pub fn settle(&mut self, id: Xid) {
        let payment = self.of(id);
        payment.status = Status::Settled;
        payment.settled = payment.captured;
        payment.version += 1;
    }

    /// Every member was given.
    pub fn complete(&mut self, id: Xid) {
        let members = &self.batches[&id].members;
        if members.iter().all(|member| self.payments[member].status != Status::PendingSettlement) {
            self.batches.remove(&id);
        }
    }

    fn send_totals_if_ready(&mut self, id: Xid) {
        let batch = self.batch(id);
        if batch.state != BatchState::Closing || batch.sent || !batch.undecided.is_empty() {
            return;
        }
        batch.sent = true;
        if batch.members.is_empty() {
            self.batches.remove(&id);
        }
    }

    fn enter_batch(&mut self, id: Xid, command: Xid) {
        let (owner, currency) = (self.of(id).merchant, self.of(id).currency);
        let is_it = |batch: &Collected| batch.state == BatchState::Open && (batch.merchant, batch.currency) == (owner, currency);
        let open = self.batches.iter().find(|(_, batch)| is_it(batch)).map(|(id, _)| *id);
        let at = open.unwrap_or_else(|| {
            let at = command.sibling(Xid::BATCH);
            let number = self.next_number(owner);
            let (members, undecided) = (BTreeSet::new(), BTreeSet::new());
            let state = BatchState::Open;
            let batch =
                Collected { merchant: owner, currency, number, members_number: number, state, sent: false, members, undecided };
            assert!(self.batches.insert(at, batch).is_none(), "a batch's id is its own");
            at
        });
        self.batch(at).undecided.insert(id);
        self.of(id).batch = Some(at);
    }

    fn join_batch(&mut self, id: Xid) {
        if let Some(at) = self.of(id).batch {
            let batch = self.batch(at);
            batch.undecided.remove(&id);
            batch.members.insert(id);
            self.send_totals_if_ready(at);
        }
    }

    fn leave_batch(&mut self, id: Xid) {
        if let Some(at) = self.of(id).batch.take() {
            self.batch(at).undecided.remove(&id);
            self.send_totals_if_ready(at);
        }
    }

    fn next_number(&mut self, owner: Xid) -> u32 {
        let number = self.numbers.entry(owner).or_default();
        *number += 1;
        *number
    }

    fn fly(&mut self, id: Xid, step: Option<Verb>, amount: u64, operation: Token) {
        let deadline = self.now.plus_ms(TIMEOUT_MS);
        let payment = self.of(id);
        payment.flight = Some(Flight { step, amount, deadline, operation });
        payment.version += 1;
    }

    fn conclude(&mut self, id: Xid) {
        let flight = self.of(id).flight.take().expect("what is concluded was in flight");
        self.answered(flight.operation, id);
    }

    fn answered(&mut self, operation: Token, id: Xid) {
        let payment = self.of(id);
        payment.version += 1;
        let version = payment.version;
        self.answers.insert(operation, (id, version));
    }

    fn forget_recent(&mut self, id: Xid) {
        self.recent.retain(|recent| recent.id != id);
    }

    /// Money of a batch's members: counts and sums of debits and credits.
    pub fn totals(&self, id: Xid) -> (u32, u64, u32, u64) {
        let members = self.batches[&id].members.iter().map(|member| &self.payments[member]);
        members.fold((0, 0, 0, 0), |(debits, debited, credits, credited), member| {
            if member.verb.pays_out() {
                (debits, debited, credits + 1, credited + member.captured)
            } else {
                (debits + 1, debited + member.captured, credits, credited)
            }
        })
    }

    fn target(&mut self, command: &Command) -> Result<&Payment, Refusal> {
        let payment = self.payments.get(&command.target).filter(|payment| payment.merchant == command.merchant);
        payment.ok_or(Refusal::NotFound)
    }

    fn of(&mut self, id: Xid) -> &mut Payment {
        self.payments.get_mut(&id).expect("the model knows it")
    }

    fn batch(&mut self, id: Xid) -> &mut Collected {
        self.batches.get_mut(&id).expect("the model knows it")
    }
}

fn payment(command: &Command, verb: Verb, amount: u64) -> Payment {
    assert!(command.processor.get() == 0 || command.processor.get() == PROCESSOR);
    Payment {
        verb,
        merchant: command.merchant,
        status: Status::Pending,
        version: 0,
        amount,
        authorized: 0,
        captured: 0,
        settled: 0,
        refunded: 0,
        refund_pending: 0,
        parent: Xid::NONE,
        batch: None,
        flight: None,
        reversing: false,
        stands_for: 0,
        flags: command.flags.get(),
        currency: command.currency.get(),
    }
}
