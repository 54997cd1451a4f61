//! A shard against the naive model: any sequence of requests, answers, faults, delays and crashes.
//!
//! After each step every transaction and batch that the shard has written is as the model has it. What is sent and said is
//! checked against the journal when it leaves. In the end faults stop, everything drains in bounded time, and the host's
//! ledger is ours. Every sequence runs twice, and both journals hold the same bytes.

mod support;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::record::Body;
use protocol::refusal::Refusal;
use protocol::tail::{self, Tail};
use protocol::words::{Status, Verb};
use reference_model::{Expect, Fold, Lasting, Model, Operation, RouteTable, RuleTable, Terms, Version};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::driver::{Beginning, Driver, Order, ROOMY, Said, TINY, Told, answer};
use support::host::{Host, Mood};
use support::journal::split;
use support::tables::{route_tables, rule_tables};
use support::{Ask, PROCESSOR, SECOND, THIRD, merchant, merchants, processor};
use switch_core::input::{Input, ProcessorState, ProcessorTerms, Sent, Token, Verdict};
use switch_core::limits::Limits;
use switch_core::routing::{Breaker, Outcome};
use switch_core::{routing, rules};

/// Virtual time in which everything has drained once faults have stopped, seconds: a few times the longest wait of all.
const DRAINED_WITHIN_S: u32 = 60;
/// The processors that payments are routed to.
const PROCESSORS: [u16; 3] = [PROCESSOR, SECOND, THIRD];
/// When a circuit opens and closes: soon.
const BREAKER: Breaker = Breaker {
    window_s: 30,
    results_min: 4,
    timeouts_percent: 30,
    failures_percent: 50,
    in_a_row_max: 2,
    open_ms: 3_000,
    open_max_ms: 20_000,
    probes: 2,
};
/// E-mail addresses of those who pay, to be counted.
const EMAILS: [&str; 3] = ["", "ann@example.com", "Bob@example.com"];
/// How often a command whose transaction is not in memory is tried again.
const TRIES_MAX: u32 = 4;

/// What becomes of a request on the wire.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered(Mood),
    AnsweredTwice,
    /// The host takes it, the answer comes later or never.
    Held,
    /// It never arrives, and nobody is told.
    Dropped,
    NotSent,
    NotTaken,
    LostBeforeTheHost,
    LostAfterTheHost,
    /// An answer with another trace number comes first; then nothing.
    Unmatched,
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Ask { verb: Verb, merchant: u8, amount: Option<u64>, which: u8, key: Option<u8>, flags: u32, card: u8, processor: u16 },
    Deliver { which: u8, fate: Fate },
    AnswerHeld { which: u8 },
    Advance { ms: u32 },
    Sync,
    LinkUp { processor: u16 },
    LinkDown { processor: u16 },
    State { processor: u16, state: ProcessorState },
    Rules { which: u8 },
    Routes { which: u8 },
    Close,
    Settle,
    Crash { kept: u8 },
}

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The answer of an operation; true when it was begun before.
    Answer(Operation, bool),
    /// Nothing was begun: a refusal, or to be told that the transaction is not in memory.
    Nothing(Expect),
}

struct World {
    driver: Driver,
    hosts: BTreeMap<u16, Host>,
    /// Counts the tables.
    versions: u32,
    model: Model,
    expected: BTreeMap<Token, (Awaited, Command, u32)>,
    closing: BTreeMap<Token, u32>,
    wire: Vec<Order>,
    held: Vec<(Sent, Verdict)>,
    latest: BTreeMap<Xid, Version>,
    latest_batches: BTreeMap<Xid, Batch>,
    ids: Vec<Xid>,
    is_tiny: bool,
    batches_max: usize,
    has_crashed: bool,
}

impl World {
    fn new(limits: Limits) -> World {
        let processors = PROCESSORS.map(|index| ProcessorTerms { index, ..processor() }).to_vec();
        let terms = Terms::of(&merchants(), &processors);
        let driver = Driver::beginning_with(limits, Beginning { processors, ..Beginning::default() });
        let mut model = Model::new(terms);
        model.tick(driver.now);
        World {
            driver,
            hosts: BTreeMap::new(),
            versions: 0,
            model,
            expected: BTreeMap::new(),
            closing: BTreeMap::new(),
            wire: Vec::new(),
            held: Vec::new(),
            latest: BTreeMap::new(),
            latest_batches: BTreeMap::new(),
            ids: Vec::new(),
            is_tiny: limits == TINY,
            batches_max: limits.batches_max as usize,
            has_crashed: false,
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Ask { verb, merchant: owner, amount, which, key, flags, card, processor } => {
                let target = if makes_payment(verb) { Xid::NONE } else { self.pick(which) };
                let amount = match verb {
                    Verb::Verification => Some(0),
                    // The front takes no payment of nothing.
                    _ if makes_payment(verb) => amount.filter(|amount| *amount > 0).or(Some(500)),
                    _ => amount,
                };
                let base = Ask::pay(verb, merchant(owner), 0);
                let processor = if makes_payment(verb) { processor } else { 0 };
                let ask = Ask { amount, target, key, flags, card, processor, ..base };
                let command = ask.command(self.driver.draw_id());
                self.give(&command, 1);
            }
            Op::Deliver { which, fate } => {
                if !self.wire.is_empty() {
                    let order = self.wire.remove(usize::from(which) % self.wire.len());
                    self.deliver(order, fate);
                }
            }
            Op::AnswerHeld { which } => {
                if !self.held.is_empty() {
                    let (sent, verdict) = self.held.remove(usize::from(which) % self.held.len());
                    self.answer(sent, verdict);
                }
            }
            Op::Advance { ms } => self.advance_ms(ms),
            Op::Sync => self.sync(),
            Op::LinkUp { processor } => {
                self.tick();
                self.model.link_up(processor);
                self.accept_unchanged(Input::LinkUp { processor });
            }
            Op::LinkDown { processor } => {
                self.tick();
                self.model.link_down(processor);
                self.accept_unchanged(Input::LinkDown { processor });
            }
            Op::State { processor, state } => self.set_state(processor, state),
            Op::Rules { which } => self.set_rules(which),
            Op::Routes { which } => self.set_routes(which),
            Op::Close => self.close(),
            Op::Settle => self.settle(),
            Op::Crash { kept } => self.crash(usize::from(kept)),
        }
    }

    fn pick(&self, which: u8) -> Xid {
        if self.ids.is_empty() { Xid::NONE } else { self.ids[usize::from(which) % self.ids.len()] }
    }

    /// What time has brought comes before what follows.
    fn tick(&mut self) {
        self.accept_unchanged(Input::Tick);
    }

    fn set_state(&mut self, processor: u16, state: ProcessorState) {
        let terms = self.model.terms.processors.get_mut(&processor).expect("the tests' processors are known");
        terms.state = state;
        let terms = *terms;
        self.driver.beginning.processors = self.model.terms.processors.values().copied().collect();
        self.accept_unchanged(Input::Processor(terms));
    }

    fn set_rules(&mut self, which: u8) {
        self.versions += 1;
        let mut tables = rule_tables();
        let rules = tables.swap_remove(usize::from(which) % tables.len());
        let compiled = Arc::new(rules::Table::compile(self.versions, &rules).expect("a sound table"));
        self.model.rules = RuleTable { version: self.versions, rules };
        self.driver.beginning.rules = Arc::clone(&compiled);
        self.accept_unchanged(Input::Rules(compiled));
    }

    fn set_routes(&mut self, which: u8) {
        self.versions += 1;
        let mut tables = route_tables();
        let routes = tables.swap_remove(usize::from(which) % tables.len());
        let compiled = routing::Table::compile(self.versions, &routes, BREAKER, |id| id.parse().ok());
        let compiled = Arc::new(compiled.expect("a sound table"));
        let indexes = PROCESSORS.map(|index| (index.to_string(), index)).into();
        self.model.routes = RouteTable { version: self.versions, routes, breaker: BREAKER, indexes };
        self.driver.beginning.routes = Arc::clone(&compiled);
        self.accept_unchanged(Input::Routes(compiled));
    }

    fn give(&mut self, command: &Command, tries: u32) {
        self.tick();
        let turns = self.driver.unsynced();
        let tail = tail_of(command);
        let (token, records) = self.driver.give(command, &tail);
        let expect = self.model.expect(command, Tail::trusted(&tail));
        let awaited = match expect {
            Expect::Begins(begun) if records > 0 => {
                self.ids.push(command.id);
                Awaited::Answer(self.model.begin(command, Tail::trusted(&tail), begun), false)
            }
            Expect::Replays(operation) => Awaited::Answer(operation, true),
            Expect::Begins(_) | Expect::Refused(_) => Awaited::Nothing(expect),
        };
        let is_begun = matches!(awaited, Awaited::Answer(_, false));
        assert_eq!(records > 0, is_begun, "only what is begun is written: {expect:?}");
        self.expected.insert(token, (awaited, *command, tries));
        self.note_turns(turns);
    }

    /// Gives an input that decides nothing.
    fn accept_unchanged(&mut self, input: Input<'_>) {
        let turns = self.driver.unsynced();
        let records = self.driver.accept(input);
        assert_eq!(records, 0, "nothing was to be decided");
        self.note_turns(turns);
    }

    fn accept(&mut self, input: Input<'_>) -> u32 {
        let turns = self.driver.unsynced();
        let records = self.driver.accept(input);
        self.note_turns(turns);
        records
    }

    fn advance_ms(&mut self, ms: u32) {
        self.driver.now = self.driver.now.plus_ms(ms);
        self.model.tick(self.driver.now);
        self.accept(Input::Tick);
    }

    /// Compares what was just written with the model.
    fn note_turns(&mut self, turns_before: usize) {
        for records in self.driver.unsynced_records().skip(turns_before) {
            note_records(records, &mut self.latest, &mut self.latest_batches);
        }
        self.latest.values().for_each(|(transaction, _)| self.model.observe(transaction));
        self.latest_batches.values().for_each(|batch| self.model.observe_batch(batch));
        let differences = self.model.all_differences(&self.latest, &self.latest_batches);
        assert!(differences.is_empty(), "{}", differences[0]);
    }

    fn sync(&mut self) {
        let said = self.driver.sync();
        for said in said {
            self.hear(said);
        }
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Version { token, version, replayed, .. } => {
                let written = self.driver.journal.version(version.0.id, version.0.version.get());
                assert_eq!(written, Some(&*version), "I2: what is said is what was written");
                self.told(token, version.0.id, version.0.version.get(), replayed);
            }
            Said::Stored { token, id, version, .. } => self.told(token, id, version, true),
            Said::Refused(token, refusal) => {
                let (awaited, ..) = self.expected.remove(&token).expect("a reply to somebody");
                let fits = awaited == Awaited::Nothing(Expect::Refused(refusal)) || (self.is_tiny && refusal == Refusal::Busy);
                assert!(fits, "{refusal:?} where {awaited:?} was expected");
            }
            Said::Absent(token, id) => self.absent(token, id),
            Said::Closed(token, count) => assert_eq!(self.closing.remove(&token), Some(count)),
            Said::Send(order) => self.sent(order),
            Said::BatchMoved(_) => {}
        }
    }

    fn told(&mut self, token: Token, id: Xid, version: u32, replayed: bool) {
        let (awaited, ..) = self.expected.remove(&token).expect("a reply to somebody");
        let Awaited::Answer(operation, is_replay) = awaited else { panic!("{id} was answered where {awaited:?} was expected") };
        assert_eq!((id, replayed), (operation.transaction, is_replay));
        assert_eq!(self.model.answers.get(&operation), Some(&version), "I2, I4: the answer of {operation:?}");
    }

    /// Not in memory: for the front that is "not found" unless the history has it; then it is read back and asked again.
    fn absent(&mut self, token: Token, id: Xid) {
        let (awaited, command, tries) = self.expected.remove(&token).expect("a reply to somebody");
        let owned = self.driver.journal.newest(id).is_some_and(|(transaction, _)| transaction.merchant == command.merchant);
        if !owned {
            assert_eq!(awaited, Awaited::Nothing(Expect::Refused(Refusal::NotFound)));
            return;
        }
        assert!(self.is_tiny || self.has_crashed, "nothing leaves a roomy table");
        // What is not durable yet is in memory, so the journal's newest version is the newest.
        if tries < TRIES_MAX {
            self.hydrate(id);
            self.give(&command, tries + 1);
            self.sync();
        }
    }

    fn hydrate(&mut self, id: Xid) {
        assert_eq!(self.driver.hydrate(id), 0, "reading back writes nothing");
    }

    fn sent(&mut self, order: Order) {
        match &order.subject {
            Told::Transaction(version) => {
                let written = self.driver.journal.version(version.0.id, version.0.version.get());
                assert_eq!(written, Some(&**version), "I1: what is sent is durable");
            }
            Told::Batch(batch) => assert!(self.driver.journal.has_batch(batch), "I1: totals that are sent are durable"),
        }
        self.wire.push(order);
    }

    fn deliver(&mut self, order: Order, fate: Fate) {
        let sent = order.sent;
        match fate {
            Fate::Answered(mood) => {
                let verdict = self.receive(&order, mood);
                self.answer(sent, verdict);
            }
            Fate::AnsweredTwice => {
                for _ in 0..2 {
                    let verdict = self.receive(&order, Mood::Approve);
                    self.answer(sent, verdict);
                }
            }
            Fate::Held => {
                let verdict = self.receive(&order, Mood::Approve);
                self.held.push((sent, verdict));
            }
            Fate::Dropped => {}
            Fate::NotSent => {
                let has_room = self.model.batches.len() < self.batches_max;
                self.model.not_sent(sent, Outcome::NotSent, has_room);
                self.accept(Input::NotSent(sent));
            }
            Fate::NotTaken => {
                let has_room = self.model.batches.len() < self.batches_max;
                self.model.not_sent(sent, Outcome::NotTaken, has_room);
                self.accept(Input::NotTaken(sent));
            }
            Fate::LostBeforeTheHost => self.lose(sent),
            Fate::LostAfterTheHost => {
                self.receive(&order, Mood::Approve);
                self.lose(sent);
            }
            Fate::Unmatched => self.answer(Sent { stan: sent.stan + 1_000_000, ..sent }, Verdict::Approved),
        }
    }

    fn lose(&mut self, sent: Sent) {
        self.model.lost(sent);
        self.accept(Input::Lost(sent));
    }

    fn receive(&mut self, order: &Order, mood: Mood) -> Verdict {
        let processor = match &order.subject {
            Told::Transaction(version) => version.0.processor.get(),
            Told::Batch(batch) => batch.processor.get(),
        };
        self.hosts.entry(processor).or_default().receive(order, mood)
    }

    fn answer(&mut self, sent: Sent, verdict: Verdict) {
        let answer = answer(sent, verdict);
        self.model.heard(&answer);
        self.accept(Input::Answer { answer, facts: Tail::trusted(&[]) });
    }

    fn close(&mut self) {
        self.tick();
        for processor in PROCESSORS {
            let token = self.driver.draw_token();
            let count = self.model.close_batches(processor, Micros::NEVER);
            self.closing.insert(token, count);
            self.accept(Input::CloseBatches { token, processor, before: Micros::NEVER });
        }
    }

    fn settle(&mut self) {
        self.sync();
        let accepted = self.model.batches.iter().filter(|(_, batch)| batch.state == BatchState::Accepted);
        let accepted: Vec<Xid> = accepted.map(|(id, _)| *id).collect();
        for batch in accepted {
            for member in self.driver.journal.unsettled_members(batch) {
                self.settle_member(member);
            }
            self.model.complete(batch);
            self.accept(Input::CompleteBatch { batch });
        }
        self.sync();
    }

    fn settle_member(&mut self, member: Xid) {
        self.accept_unchanged(Input::Tick);
        self.hydrate(member);
        let turns = self.driver.unsynced();
        match self.driver.accept(Input::SettleMember { transaction: member }) {
            0 => assert!(self.is_tiny, "a roomy table has a place for every member"),
            _ if self.model.may_settle(member) => self.model.settle(member),
            _ => panic!("{member} was settled outside an accepted batch"),
        }
        self.note_turns(turns);
    }

    fn crash(&mut self, kept: usize) {
        self.has_crashed = true;
        // Nobody waits any more, and what the links still had to write is gone with them.
        self.expected.clear();
        self.closing.clear();
        self.wire.clear();
        self.held.clear();
        self.driver.crash(kept);
        let mut fold = Fold::default();
        split(self.driver.journal.bytes()).iter().for_each(|record| fold.take(record));
        let (terms, rules, routes) = (self.model.terms.clone(), self.model.rules.clone(), self.model.routes.clone());
        let lasting = Lasting { terms, rules, routes, ..Lasting::default() };
        self.model = Model::restarted(&fold, |_| true, lasting, self.driver.now);
        self.model.recovery_done(self.driver.now);
        self.latest = fold.versions().map(|(transaction, tail)| (transaction.id, (*transaction, tail.to_vec()))).collect();
        self.latest_batches = fold.batches().map(|batch| (batch.id, *batch)).collect();
        self.ids.retain(|id| self.model.payments.contains_key(id));
        self.note_turns(0);
    }

    /// Faults stop: the link is up, the host takes and answers everything.
    fn drain(&mut self) {
        self.sync();
        for processor in PROCESSORS {
            self.step(Op::LinkUp { processor });
        }
        for _ in 0..DRAINED_WITHIN_S {
            self.answer_everything();
            let quiet = self.driver.shard.in_flight() == 0 && self.driver.shard.reversals_queued() == 0;
            if quiet && self.model.batches.values().all(|batch| batch.state != BatchState::Closing) {
                return;
            }
            self.advance_ms(1_000);
        }
        panic!("not drained within {DRAINED_WITHIN_S} s");
    }

    fn answer_everything(&mut self) {
        self.sync();
        while let Some(order) = self.wire.pop() {
            self.deliver(order, Fate::Answered(Mood::Approve));
            self.sync();
        }
        while let Some((sent, verdict)) = self.held.pop() {
            self.answer(sent, verdict);
            self.sync();
        }
    }

    fn settle_everything(&mut self) {
        for _ in 0..40 {
            self.close();
            self.drain();
            self.settle();
            if self.model.batches.values().all(|batch| batch.state == BatchState::Open && batch.members.is_empty()) {
                return;
            }
            // A tiny table has room for more members once these have rested.
            self.advance_ms(11_000);
        }
        panic!("batches are not complete: {:?}", self.model.batches);
    }

    fn finish(&mut self) {
        self.drain();
        assert!(self.expected.is_empty(), "every caller was told: {:?}", self.expected.keys());
        self.compare_ledgers();
        self.settle_everything();
        self.compare_ledgers();
    }

    /// I3, I4, I5: the host has what we have, to the cent, and each key had one effect.
    fn compare_ledgers(&self) {
        let mut effects: BTreeMap<[u8; 16], u32> = BTreeMap::new();
        let entries = self.hosts.values().flat_map(|host| host.entries.values());
        for key in entries.flat_map(|entry| &entry.effects).filter(|key| **key != [0; 16]) {
            *effects.entry(*key).or_default() += 1;
        }
        assert!(effects.values().all(|count| *count == 1), "I4: {effects:?}");
        for ours in self.driver.journal.all_newest() {
            let standing = self.hosts.iter().filter_map(|(processor, host)| Some((*processor, host.entries.get(&ours.rrn)?)));
            let standing: Vec<_> = standing.filter(|(_, entry)| !entry.taken_back).collect();
            assert!(standing.iter().all(|(processor, _)| *processor == ours.processor.get()), "I4: {} stands elsewhere", ours.id);
            let held = standing.first().map(|(_, entry)| (entry.held, entry.captured));
            match ours.status() {
                Status::Declined | Status::Voided | Status::Reversed => assert_eq!(held, None, "I3: {} stands", ours.id),
                Status::Authorized => assert_eq!(held, Some((ours.amount_authorized.get(), 0)), "I5: {}", ours.id),
                Status::PendingSettlement | Status::Settled | Status::PartiallyRefunded | Status::Refunded => {
                    assert_eq!(held, Some((ours.amount_authorized.get(), ours.amount_captured.get())), "I5: {}", ours.id);
                }
                status @ (Status::Pending | Status::Unknown | Status::Returned) => panic!("{} is {status:?} in the end", ours.id),
            }
        }
    }
}

/// Who pays says so in a tail.
fn tail_of(command: &Command) -> Vec<u8> {
    let mut tail = Vec::new();
    let email = EMAILS[command.id.counter() as usize / Xid::STRIDE as usize % EMAILS.len()];
    if makes_payment(command.verb().expect("a verb of ours")) && !email.is_empty() {
        tail::push(&mut tail, tail::tag::EMAIL_ADDRESS, email.as_bytes());
    }
    tail
}

fn makes_payment(verb: Verb) -> bool {
    verb.creates() && verb != Verb::Refund
}

fn note_records(records: &[u8], latest: &mut BTreeMap<Xid, Version>, batches: &mut BTreeMap<Xid, Batch>) {
    for record in split(records) {
        match record.body {
            Body::Transaction(transaction, tail) => drop(latest.insert(transaction.id, (*transaction, tail.bytes().to_vec()))),
            Body::Batch(batch) => drop(batches.insert(batch.id, *batch)),
            Body::Change(..) => {}
        }
    }
}

fn run(limits: Limits, ops: &[Op]) -> Vec<u8> {
    let mut world = World::new(limits);
    for op in ops {
        world.step(*op);
    }
    world.finish();
    world.driver.journal.bytes().to_vec()
}

fn ask() -> impl Strategy<Value = Op> {
    let verb = prop_oneof![
        4 => Just(Verb::Sale),
        3 => Just(Verb::Authorize),
        1 => Just(Verb::Credit),
        1 => Just(Verb::Verification),
        4 => Just(Verb::Refund),
        4 => Just(Verb::Capture),
        3 => Just(Verb::Void),
    ];
    let amount = prop_oneof![2 => Just(None), 6 => (1u64..=4).prop_map(|hundreds| Some(hundreds * 100)), 1 => Just(Some(0))];
    let flags = prop_oneof![
        8 => Just(0),
        2 => Just(flag::ALLOW_PARTIAL),
        2 => Just(flag::ALLOW_DUPLICATE),
        1 => Just(flag::EXPIRED_CARD),
        1 => Just(flag::BYPASS_RULES)
    ];
    let key = prop_oneof![2 => Just(None), 1 => (0u8..6).prop_map(Some)];
    // Mostly one merchant, so that steps find a transaction of their own; the other is a stranger to them.
    let owner = prop_oneof![3 => Just(0u8), 2 => Just(1)];
    let named = prop_oneof![8 => Just(0), 1 => processor_index(), 1 => Just(9)];
    (verb, owner, amount, any::<u8>(), key, flags, 1u8..3, named).prop_map(
        |(verb, merchant, amount, which, key, flags, card, processor)| Op::Ask {
            verb,
            merchant,
            amount,
            which,
            key,
            flags,
            card,
            processor,
        },
    )
}

fn processor_index() -> impl Strategy<Value = u16> {
    prop::sample::select(PROCESSORS.to_vec())
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        10 => Just(Fate::Answered(Mood::Approve)),
        2 => Just(Fate::Answered(Mood::Decline)),
        2 => Just(Fate::Answered(Mood::Half)),
        1 => Just(Fate::AnsweredTwice),
        1 => Just(Fate::Held),
        1 => Just(Fate::Dropped),
        2 => Just(Fate::NotSent),
        1 => Just(Fate::NotTaken),
        1 => Just(Fate::LostBeforeTheHost),
        1 => Just(Fate::LostAfterTheHost),
        1 => Just(Fate::Unmatched),
    ]
}

fn state() -> impl Strategy<Value = ProcessorState> {
    use ProcessorState::{Disabled, Draining, Enabled};
    prop::sample::select(vec![Enabled, Enabled, Enabled, Draining, Disabled])
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => ask(),
        10 => (any::<u8>(), fate()).prop_map(|(which, fate)| Op::Deliver { which, fate }),
        2 => any::<u8>().prop_map(|which| Op::AnswerHeld { which }),
        3 => prop_oneof![Just(1u32), Just(500), Just(2_000), Just(13_000), Just(70_000)].prop_map(|ms| Op::Advance { ms }),
        10 => Just(Op::Sync),
        1 => processor_index().prop_map(|processor| Op::LinkUp { processor }),
        1 => processor_index().prop_map(|processor| Op::LinkDown { processor }),
        1 => (processor_index(), state()).prop_map(|(processor, state)| Op::State { processor, state }),
        1 => any::<u8>().prop_map(|which| Op::Rules { which }),
        2 => any::<u8>().prop_map(|which| Op::Routes { which }),
        2 => Just(Op::Close),
        2 => Just(Op::Settle),
        1 => (0u8..4).prop_map(|kept| Op::Crash { kept }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A failure prints its seed, to be put into this file's neighbour.
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_roomy_shard_decides_as_the_model(ops in prop::collection::vec(op(), 1..200)) {
        prop_assert!(run(ROOMY, &ops) == run(ROOMY, &ops), "I7: same inputs, same bytes");
    }

    #[test]
    fn a_tiny_shard_refuses_whole_and_loses_nothing(ops in prop::collection::vec(op(), 1..200)) {
        prop_assert!(run(TINY, &ops) == run(TINY, &ops), "I7: same inputs, same bytes");
    }
}
