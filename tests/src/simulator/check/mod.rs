//! The checkers: what must never break is looked at after every step of a simulated world.
//!
//! - `watch`: each shard beside the naive model, input by input (I5, I6, and all that is decided).
//! - `callers`: what callers are told (I2, I4).
//! - `journal`: what lasts, what must last, what a crash left (I2); the fold of it.
//! - `steering`: what the operator has changed, and what of it is in force (I1, I2).
//! - `wire`: what leaves for a processor (I1, I3, I9).
//! - `web`: what reaches one that is asked by HTTP (I1, I4, I6).
//! - `ledgers`: what the hosts hold (I1, I4, I5, I6).
//! - `projection`: the SQL home beside the fold.
//! - `at_rest`: every byte that is stored (I9).
//!
//! A broken invariant panics with its number, its name and the facts. Nothing in here steers a world, and nothing draws.

mod at_rest;
mod callers;
mod journal;
mod ledgers;
mod projection;
mod records;
mod steering;
#[cfg(test)]
mod tests;
mod watch;
mod web;
mod wire;

use api_front::links::order::Order;
use api_front::switch::desk::Desk;
use api_front::switch::door::{Closed, CommandMessage, Return, Told};
use api_front::switch::group::Group;
use callers::Callers;
use journal::Journal;
use ledgers::Ledgers;
use persistence::projection::Queries;
use protocol::calendar::Micros;
use protocol::change::Area;
use protocol::frame::Durable;
use protocol::id::Xid;
use protocol::transaction::Transaction;
use reference_model::{Fold, Invariant, Lasting, Model, Terms};
use sandbox::ledger::Row;
use sandbox::web::Asked;
use std::collections::BTreeMap;
use std::fmt;
use switch_core::input::{MerchantTerms, ProcessorTerms};
use switch_core::limits::Limits;
use switch_core::shard_of;
use watch::{NewTable, Watch};
use wire::Wire;

/// What the checkers must know beforehand.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Shards.
    pub shards: u16,
    /// How large each may grow.
    pub limits: Limits,
    /// Merchants at the beginning.
    pub merchants: Vec<MerchantTerms>,
    /// Processors at the beginning.
    pub processors: Vec<ProcessorTerms>,
    /// Their indexes, by their ids.
    pub processor_ids: BTreeMap<String, u16>,
    /// Card numbers in use, digits.
    pub pans: Vec<String>,
    /// The longest duplicate window that a start looks back, seconds.
    pub window_s_max: u32,
}

/// What is there in the end.
pub struct Finish<'a> {
    /// Now.
    pub now: Micros,
    /// The desks.
    pub desks: &'a [Desk],
    /// Every file: its name, and its bytes.
    pub files: &'a [(&'a str, &'a [u8])],
    /// Card verification values that still wait.
    pub sensitive_left: u32,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Inputs of shards that were compared with the model.
    pub inputs: u64,
    /// Versions that were compared with the model.
    pub versions: u64,
    /// Replies that were compared.
    pub replies: u64,
    /// Requests looked at when they left a shard.
    pub orders: u64,
    /// Messages looked at when they reached a host.
    pub messages: u64,
    /// Rows of the hosts' ledgers.
    pub rows: u64,
    /// Starts whose journal was compared with what was written.
    pub starts: u64,
    /// Payments that a rule has denied.
    pub denials: u64,
    /// Attempts at another processor.
    pub fail_overs: u64,
    /// Notices of banks that were brought to their shards.
    pub notices: u64,
}

impl Counts {
    /// Adds another's.
    pub fn add(&mut self, other: &Counts) {
        self.inputs += other.inputs;
        self.versions += other.versions;
        self.replies += other.replies;
        self.orders += other.orders;
        self.messages += other.messages;
        self.rows += other.rows;
        self.starts += other.starts;
        self.denials += other.denials;
        self.fail_overs += other.fail_overs;
        self.notices += other.notices;
    }

    /// All of them.
    pub fn sum(&self) -> u64 {
        self.inputs + self.versions + self.replies + self.orders + self.messages + self.rows + self.starts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { inputs, versions, replies, orders, messages, rows, starts, denials, fail_overs, notices } = self;
        write!(f, "{inputs} inputs, {versions} versions, {replies} replies, {orders} requests, ")?;
        write!(f, "{messages} messages, {rows} ledger rows, {starts} starts, {denials} denials, {fail_overs} fail-overs, ")?;
        write!(f, "{notices} notices of banks")
    }
}

/// The checkers of one world.
pub struct Checks {
    setup: Setup,
    terms: Terms,
    watches: Vec<Watch>,
    callers: Callers,
    journal: Journal,
    wire: Wire,
    ledgers: Ledgers,
    counts: Counts,
}

/// An invariant is broken: the run ends with the facts.
#[track_caller]
fn broken(invariant: Invariant, what: fmt::Arguments<'_>) -> ! {
    panic!("{invariant}: {what}")
}

impl Checks {
    /// Nothing has happened yet.
    pub fn new(setup: Setup) -> Checks {
        Checks {
            terms: Terms::of(&setup.merchants, &setup.processors),
            setup,
            watches: Vec::new(),
            callers: Callers::default(),
            journal: Journal::default(),
            wire: Wire::default(),
            ledgers: Ledgers::default(),
            counts: Counts::default(),
        }
    }

    /// The newest durable versions of everything.
    pub fn fold(&self) -> &Fold {
        self.journal.fold()
    }

    /// What was looked at.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The terms that are in force.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// These processors are what the configuration names from now on. What an operator has said of them comes later.
    pub fn configured(&mut self, processors: &[ProcessorTerms]) {
        self.terms.processors = processors.iter().map(|terms| (terms.index, *terms)).collect();
    }

    /// A life of the switch begins: its shards have recovered, and have not begun. Whoever waited in the life before waits no more.
    /// `looks_back_s`: what was paid within so many seconds counts again, though no table in force asks so far back.
    pub fn started(&mut self, now: Micros, desks: &[Desk], looks_back_s: u32) {
        self.callers.forget();
        self.watches.clear();
        let lasting = self.lasting(now, looks_back_s);
        for (desk, index) in desks.iter().zip(0..) {
            let is_ours = |merchant| shard_of(merchant, self.setup.shards) == index;
            let model = Model::restarted(self.journal.fold(), is_ours, lasting.clone(), now);
            self.watches.push(Watch::of(desk, model, self.setup.limits));
        }
    }

    fn lasting(&self, now: Micros, looks_back_s: u32) -> Lasting {
        let rules = steering::newest_rules(self.journal.fold());
        let routes = steering::newest_routes(self.journal.fold(), &self.setup.processor_ids);
        let window_s = steering::longest_window_s(&rules, &routes).max(u64::from(self.setup.window_s_max.max(looks_back_s)));
        let counted_since = Micros(now.0 - window_s as i64 * 1_000_000);
        Lasting { terms: self.terms.clone(), rules, routes, counted_since }
    }

    /// After a start what the operator had said of the processors is in force again.
    pub fn steered(&self) {
        for (id, index) in &self.setup.processor_ids {
            let Some(terms) = self.terms.processors.get(index) else { continue };
            let id = id.parse().expect("an id of ours");
            let lasts = steering::state(self.journal.fold(), id, &self.setup.processors[usize::from(*index) - 1]);
            if terms.state != lasts {
                broken(Invariant::OutcomeFirst, format_args!("processor {index} is {:?}, and was left {lasts:?}", terms.state));
            }
        }
    }

    /// A recovered desk begins.
    pub fn begin(&mut self, desk: &mut Desk, shard: u16, now: Micros) {
        self.counts.inputs += 1;
        self.counts.versions += self.watches[usize::from(shard)].begin(desk, now);
    }

    /// Gives a desk a command. `call` names the client's call for ever; a call that was told [`Told::Absent`] comes again.
    pub fn take_command(&mut self, desk: &mut Desk, shard: u16, now: Micros, call: u64, message: CommandMessage) {
        self.counts.inputs += 1;
        let command = message.command;
        let (awaited, versions) = self.watches[usize::from(shard)].take_command(desk, now, message);
        self.counts.versions += versions;
        self.callers.called(call, shard, command, awaited);
    }

    /// Gives a desk what came back to it.
    pub fn take_return(&mut self, desk: &mut Desk, shard: u16, now: Micros, returned: Return) {
        self.counts.inputs += 1;
        match &returned {
            Return::Merchant(terms) => drop(self.terms.merchants.insert(terms.id, *terms)),
            Return::Processor(terms) => drop(self.terms.processors.insert(terms.index, *terms)),
            Return::Answer { answer, .. } if answer.verdict.is_approval() => {
                self.ledgers.check_approval(answer.sent, &self.journal);
            }
            _ => {}
        }
        let news = self.table_of(&returned);
        self.counts.versions += self.watches[usize::from(shard)].take_return(desk, now, returned, news);
    }

    /// The table that is put in force, as its change reads.
    fn table_of(&self, returned: &Return) -> Option<NewTable> {
        let fold = self.journal.fold();
        match returned {
            Return::Rules(table) => {
                let version = table.version();
                Some(NewTable::Rules(steering::rules(version, steering::durable(fold, Area::Rules, version))))
            }
            Return::Routes(table) => {
                let (version, ids) = (table.version(), &self.setup.processor_ids);
                Some(NewTable::Routes(steering::routes(version, steering::durable(fold, Area::Routes, version), ids)))
            }
            _ => None,
        }
    }

    /// An operator who has taken a reversal over is told.
    pub fn taken_over(&mut self, shard: u16, told: &Told) {
        self.watches[usize::from(shard)].taken_over(told);
        if let Told::Version { version, .. } = told {
            callers::check_durable(version.transaction(), version.tail(), &self.journal);
        }
    }

    /// Time passes at a desk.
    pub fn tick(&mut self, desk: &mut Desk, shard: u16, now: Micros) {
        self.counts.inputs += 1;
        self.counts.versions += self.watches[usize::from(shard)].tick(desk, now);
    }

    /// A caller is told.
    pub fn told(&mut self, call: u64, told: &Told) {
        self.counts.replies += 1;
        self.callers.told(call, told, &self.watches, &self.journal);
    }

    /// A caller who was told [`Told::Stored`] is shown what the history has.
    pub fn told_stored(&mut self, call: u64, transaction: &Transaction) {
        self.callers.told_stored(call, transaction, &self.journal);
    }

    /// Whoever closed batches is told how many.
    pub fn closed(&mut self, shard: u16, closed: &Closed) {
        self.watches[usize::from(shard)].closed(closed.count);
    }

    /// These groups are about to be appended to the journal, as one frame.
    pub fn appending(&mut self, groups: &[&Group]) {
        self.journal.appending(groups);
    }

    /// They were not written, and the process lives on.
    pub fn append_failed(&mut self) {
        self.journal.append_failed();
    }

    /// They are durable.
    pub fn durable(&mut self, durable: Durable) {
        self.journal.durable(durable);
        self.wire.were_not_sent(&self.journal.take_newly_not_sent());
        self.journal.take_numbers_used().iter().for_each(|batch| self.ledgers.check_number_used(batch));
        (self.counts.denials, self.counts.fail_overs) = (self.journal.denials, self.journal.fail_overs);
    }

    /// The process is gone, with all that was in memory.
    pub fn crashed(&mut self) {
        self.callers.forget();
        self.watches.clear();
    }

    /// A record that a start found in the journal.
    pub fn replayed(&mut self, lsn: u64, record: &[u8]) {
        self.journal.replayed(lsn, record);
    }

    /// The journal is open again, and ends with this LSN.
    pub fn reopened(&mut self, _now: Micros, last_lsn: u64) {
        self.counts.starts += 1;
        self.journal.reopened(last_lsn);
    }

    /// A request has left its shard and comes to its link.
    pub fn ordered(&mut self, processor: u16, order: &Order) {
        self.counts.orders += 1;
        self.wire.ordered(processor, order, &self.journal);
    }

    /// A whole message of ours has reached a host.
    pub fn host_takes(&mut self, processor: u16, _now: Micros, frame: &[u8]) {
        self.counts.messages += 1;
        self.wire.host_takes(processor, frame, &self.journal);
    }

    /// A request by HTTP of ours has reached a host.
    pub fn web_host_takes(&mut self, processor: u16, asked: &Asked<'_>) {
        self.counts.messages += 1;
        self.wire.web_host_takes(processor, asked, &self.journal);
    }

    /// Whoever brings a bank's notices is told what a shard made of one.
    pub fn bank_told(&mut self, shard: u16, id: Xid, told: &Told) {
        self.counts.notices += 1;
        self.watches[usize::from(shard)].bank_told(id, told);
        if let Told::Version { version, .. } = told {
            callers::check_durable(version.transaction(), version.tail(), &self.journal);
        }
    }

    /// A bank sends an entry back that no processor of ours has taken.
    pub fn entry_of_nobody(&self, rrn: [u8; 12]) {
        broken(
            Invariant::NoOrphan,
            format_args!("nobody knows the entry that is sent back: rrn {}", String::from_utf8_lossy(&rrn)),
        );
    }

    /// Returned entries and notifications of change in a processor's ledger.
    pub fn notices(&self, processor: u16) -> u64 {
        self.ledgers.notices(processor)
    }

    /// A host has written a row.
    pub fn host_row(&mut self, processor: u16, row: &Row) {
        self.counts.rows += 1;
        let method = self.setup.processors[usize::from(processor) - 1].method;
        self.ledgers.row((processor, method), row, &self.journal);
    }

    /// The projection has caught up: it must equal the fold of the journal.
    pub async fn projected(&self, queries: &Queries) {
        projection::compare(&self.journal, &self.setup, &self.watches, queries).await;
    }

    /// Faults have stopped, and everything has drained.
    pub fn finish(&self, finish: &Finish<'_>) {
        for (watch, desk) in self.watches.iter().zip(finish.desks) {
            watch.finish(desk, self.journal.fold());
        }
        self.ledgers.finish(self.journal.fold());
        at_rest::search(finish.files, &self.setup.pans);
        if finish.sensitive_left > 0 {
            broken(Invariant::NoCardDataAtRest, format_args!("{} card verification values are left", finish.sensitive_left));
        }
    }
}
