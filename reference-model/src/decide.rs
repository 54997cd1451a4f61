//! What a command should come to: refused, answered like before, or begun.

use crate::facts::Facts;
use crate::model::{Flight, KeyUse, Likeness, Model, Operation, Payment, Recent, Reversing};
use crate::tables::{Choice, Judgement};
use protocol::batch::BatchState;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::tail::Tail;
use protocol::words::{ExchangeState, Status, Verb};
use switch_core::input::ProcessorState;

/// What a command should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing is done.
    Refused(Refusal),
    /// The answer of this operation, which was begun before.
    Replays(Operation),
    /// It is begun, unless a limit is reached.
    Begins(Begun),
}

/// What is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// A payment; with a code it is declined at once.
    Payment(Option<ResponseCode>),
    /// A refund of so much, minor units.
    Refund(u64),
    /// A capture of so much, minor units.
    Capture(u64),
    /// A void.
    Void,
}

impl Model {
    /// A merchant asks for something. Nothing changes yet: whether a limit is reached is not the model's to know.
    pub fn expect(&self, command: &Command, tail: Tail<'_>) -> Expect {
        let verb = command.verb().expect("a front asks in verbs");
        if !self.terms.merchants.get(&command.merchant).is_some_and(|terms| terms.active) {
            return Expect::Refused(Refusal::MerchantNotActive);
        }
        if command.has_key()
            && let Some(used) = self.keys.get(&command.key_hash)
        {
            let same = used.request == command.request_hash && used.verb == verb;
            return if same { Expect::Replays(used.operation) } else { Expect::Refused(Refusal::KeyReused) };
        }
        let begun = match verb {
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => self.expect_payment(command, tail, verb),
            Verb::Refund => self.expect_refund(command).and_then(|begun| self.if_taken(command, begun)),
            Verb::Capture => self.expect_capture(command).and_then(|begun| self.if_taken(command, begun)),
            Verb::Void => self.expect_void(command).and_then(|begun| self.if_taken(command, begun)),
        };
        begun.map_or_else(Expect::Refused, Expect::Begins)
    }

    fn expect_payment(&self, command: &Command, tail: Tail<'_>, verb: Verb) -> Result<Begun, Refusal> {
        let facts = Facts::asked(command, tail, self.now);
        self.choose(command, &facts)?;
        let at_gateway = self.declined_at_gateway(command, verb);
        Ok(Begun::Payment(at_gateway.or_else(|| self.judged_before(command, &facts)?.denial())))
    }

    /// What is declined for its own sake; rules are not asked about it.
    fn declined_at_gateway(&self, command: &Command, verb: Verb) -> Option<ResponseCode> {
        let repeats = self.window_s(command) > 0 && self.recent.contains_key(&likeness_of(command, verb));
        match () {
            () if command.has(flag::EXPIRED_CARD) => Some(ResponseCode::EXPIRED_CARD),
            () if repeats => Some(ResponseCode::DUPLICATE_TRANSACTION),
            () => None,
        }
    }

    fn judged_before(&self, command: &Command, facts: &Facts) -> Option<Judgement<'_>> {
        self.judge("pre", facts, command.flags.get(), false)
    }

    /// A disabled processor takes no steps of old payments either.
    fn if_taken(&self, command: &Command, begun: Begun) -> Result<Begun, Refusal> {
        let terms = self.terms.processors.get(&self.target(command)?.processor);
        match terms.filter(|terms| terms.state != ProcessorState::Disabled) {
            Some(_) => Ok(begun),
            None => Err(Refusal::ProcessorNotAvailable),
        }
    }

    fn expect_refund(&self, command: &Command) -> Result<Begun, Refusal> {
        let sale = self.target(command)?;
        let is_debit = matches!(sale.verb, Verb::Sale | Verb::Authorize);
        if !is_debit || !matches!(sale.status, Status::Settled | Status::PartiallyRefunded) {
            return Err(Refusal::IllegalStep { verb: sale.verb, status: sale.status });
        }
        let (status, max) = (sale.status, sale.settled - sale.refunded - sale.refund_pending);
        let amount = if command.has(flag::AMOUNT_GIVEN) { command.amount.get() } else { max };
        if amount > max || max == 0 {
            return Err(Refusal::AmountTooLarge { status, max });
        }
        if amount == 0 { Err(Refusal::AmountZero) } else { Ok(Begun::Refund(amount)) }
    }

    fn expect_capture(&self, command: &Command) -> Result<Begun, Refusal> {
        let payment = self.target(command)?;
        if payment.flight.as_ref().is_some_and(|flight| flight.step.is_some()) {
            return Err(Refusal::StepInFlight { status: payment.status });
        }
        if payment.status != Status::Authorized || payment.verb != Verb::Authorize {
            return Err(Refusal::IllegalStep { verb: payment.verb, status: payment.status });
        }
        let max = payment.authorized;
        match if command.has(flag::AMOUNT_GIVEN) { command.amount.get() } else { max } {
            0 => Err(Refusal::AmountZero),
            amount if amount > max => Err(Refusal::AmountTooLarge { status: payment.status, max }),
            amount => Ok(Begun::Capture(amount)),
        }
    }

    fn expect_void(&self, command: &Command) -> Result<Begun, Refusal> {
        let payment = self.target(command)?;
        if payment.flight.as_ref().is_some_and(|flight| flight.step.is_some()) {
            return Err(Refusal::StepInFlight { status: payment.status });
        }
        let batch = payment.batch.and_then(|id| self.batches.get(&id));
        let may_leave = batch.is_some_and(|batch| matches!(batch.state, BatchState::Open | BatchState::Rejected));
        match payment.status {
            Status::Authorized => Ok(Begun::Void),
            Status::PendingSettlement if may_leave => Ok(Begun::Void),
            Status::PendingSettlement => Err(Refusal::BatchClosing),
            status => Err(Refusal::IllegalStep { verb: payment.verb, status }),
        }
    }

    /// It was begun: changes what that changes.
    pub fn begin(&mut self, command: &Command, tail: Tail<'_>, begun: Begun) -> Operation {
        let verb = command.verb().expect("a front asks in verbs");
        let operation = match begun {
            Begun::Payment(code) => self.begin_payment(command, tail, verb, code),
            Begun::Refund(amount) => self.begin_refund(command, amount),
            Begun::Capture(amount) => {
                self.enter_batch(command.target, command.id.sibling(Xid::BATCH));
                self.fly(command.target, Some(Verb::Capture), amount)
            }
            Begun::Void => self.begin_void(command.target),
        };
        if command.has_key() {
            let until = self.now.plus_s(command.key_window_s.get());
            self.remember_key(command.key_hash, KeyUse { request: command.request_hash, verb, operation, until });
        }
        operation
    }

    fn begin_payment(&mut self, command: &Command, tail: Tail<'_>, verb: Verb, code: Option<ResponseCode>) -> Operation {
        let facts = Facts::asked(command, tail, self.now);
        let (processor, choice) = self.choose(command, &facts).expect("one can take it");
        let mut payment = payment(command, verb, command.amount.get(), facts.clone());
        (payment.processor, payment.choice) = (processor, choice);
        if self.declined_at_gateway(command, verb).is_none()
            && let Some(judgement) = self.judged_before(command, &facts)
        {
            judgement.note(&mut payment, false);
        }
        let batch = payment.choice.batch_of(command.id);
        self.count(&facts);
        self.payments.insert(command.id, payment);
        if let Some(code) = code {
            let payment = self.touch(command.id);
            (payment.status, payment.response_code) = (Status::Declined, code.0);
            let operation = Operation { transaction: command.id, began: 1 };
            self.answered(operation);
            return operation;
        }
        let until = self.now.plus_s(self.window_s(command));
        self.remember_recent(likeness_of(command, verb), Recent { id: command.id, until });
        self.offer(command.id, batch)
    }

    /// Sends the request that makes a transaction to its processor.
    fn offer(&mut self, id: Xid, new_batch: Xid) -> Operation {
        let Payment { verb, amount, processor, .. } = self.payments[&id];
        if matches!(verb, Verb::Sale | Verb::Credit | Verb::Refund) {
            self.enter_batch(id, new_batch);
        }
        self.health.entry(processor).or_default().begin(id, self.now);
        self.fly(id, None, amount)
    }

    /// The processor provably got nothing of a payment: the next one of its route gets it, if there is one. What was begun goes on. False
    /// where it ends here; `has_room` says whether one more batch could be opened.
    pub(crate) fn fails_over(&mut self, id: Xid, has_room: bool) -> bool {
        let Some(next) = self.next_processor(id) else { return false };
        let new_batch = self.payments[&id].choice.batch_of(id);
        let may_open = has_room && !self.batches.contains_key(&new_batch);
        if !may_open && self.open_batch_of(&Payment { processor: next, ..self.payments[&id].clone() }).is_none() {
            return false;
        }
        let flight = self.of(id).flight.take().expect("what was not sent was in flight");
        self.flying.remove(&(flight.deadline, id));
        self.leave_batch(id);
        self.of(id).processor = next;
        self.offer(id, new_batch);
        let flying = self.of(id).flight.as_mut().expect("it was offered again");
        flying.operation = flight.operation;
        true
    }

    fn begin_refund(&mut self, command: &Command, amount: u64) -> Operation {
        let sale = self.touch(command.target);
        sale.refund_pending += amount;
        sale.version += 1;
        let (processor, currency, fingerprint) = (sale.processor, sale.currency, sale.fingerprint);
        let facts = sale.facts.clone();
        let refund = payment(command, Verb::Refund, amount, facts);
        let refund = Payment { processor, currency, fingerprint, parent: command.target, stands_for: amount, ..refund };
        self.payments.insert(command.id, refund);
        self.offer(command.id, command.id.sibling(Xid::BATCH))
    }

    fn begin_void(&mut self, id: Xid) -> Operation {
        let Payment { verb, status, batch, parent, captured, .. } = *self.of(id);
        if status == Status::PendingSettlement {
            let batch = self.batch(batch.expect("it waits in a batch"));
            batch.members.remove(&id);
            batch.undecided.insert(id);
        }
        if verb == Verb::Refund {
            self.of(id).stands_for = captured;
            let sale = self.touch(parent);
            sale.refunded -= captured;
            sale.refund_pending += captured;
            sale.version += 1;
        }
        self.fly(id, Some(Verb::Void), captured)
    }

    pub(crate) fn remember_recent(&mut self, likeness: Likeness, recent: Recent) {
        if recent.until > self.now {
            self.recent.entry(likeness).or_insert(recent);
        }
    }

    fn fly(&mut self, id: Xid, step: Option<Verb>, amount: u64) -> Operation {
        let timeout_ms = self.terms.processors[&self.payments[&id].processor].timeout_ms;
        let deadline = self.now.plus_ms(timeout_ms);
        let payment = self.touch(id);
        payment.version += 1;
        let operation = Operation { transaction: id, began: payment.version };
        payment.flight = Some(Flight { step, amount, deadline, operation, stan: 0 });
        match step {
            None => payment.original = ExchangeState::InFlight,
            Some(verb) => payment.step = Some((verb, ExchangeState::InFlight)),
        }
        self.flying.insert((deadline, id));
        operation
    }

    fn target(&self, command: &Command) -> Result<&Payment, Refusal> {
        let payment = self.payments.get(&command.target).filter(|payment| payment.merchant == command.merchant);
        payment.ok_or(Refusal::NotFound)
    }

    /// Where no card or account is known, nothing is alike.
    fn window_s(&self, command: &Command) -> u32 {
        let own = self.terms.merchants.get(&command.merchant).map_or(0, |terms| terms.duplicate_window_s);
        if command.has(flag::ALLOW_DUPLICATE) || command.fingerprint == [0; 16] { 0 } else { own }
    }
}

fn likeness_of(command: &Command, verb: Verb) -> Likeness {
    (command.merchant, command.fingerprint, command.amount.get(), command.currency.get(), verb)
}

fn payment(command: &Command, verb: Verb, amount: u64, facts: Facts) -> Payment {
    Payment {
        verb,
        merchant: command.merchant,
        processor: command.processor.get(),
        currency: command.currency.get(),
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
        original: ExchangeState::None,
        step: None,
        reversal: Reversing::NONE,
        response_code: 0,
        choice: Choice::NONE,
        rule_name: None,
        stands_for: 0,
        flags: command.flags.get() & !flag::FLAGGED,
        fingerprint: command.fingerprint,
        facts,
    }
}
