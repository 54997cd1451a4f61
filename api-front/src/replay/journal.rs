//! `switchyard replay`: the payments of a journal decided anew, offline. The same journal and the same tables give the same bytes.
//!
//! Lives here: reading a journal up to a moment, and comparing what was decided with what would be. Must not live here: how it is shown
//! (`shown`), and what a table decides ([`super::Replay`]).

use super::{Decision, Ground, Proposal, Replay};
use crate::operator::typed::Routes;
use crate::operator::{Compiled, ConfiguredTables, TableKind};
use crate::start::processor_numbers::known_beside;
use crate::switch::directory::Processor;
use crate::switch::version::Version;
use persistence::digest;
use persistence::journal::{JournalError, Reader, extent};
use protocol::calendar::Micros;
use protocol::digest::StateDigest;
use protocol::id::Xid;
use protocol::record::{Body, Record, RecordError};
use protocol::response_code::Category;
use protocol::transaction::Transaction;
use protocol::words::{Basis, PaymentMethod};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

/// Hundredths of a percent in a whole.
const WHOLE_BP: u64 = 10_000;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The journal's folder.
    pub journal: PathBuf,
    /// Rules, as `PUT /operator/rules` takes them; without them rules decide as they did.
    pub rules: Option<PathBuf>,
    /// Routes, as `PUT /operator/routing` takes them; without them payments go where they went.
    pub routing: Option<PathBuf>,
    /// What processors cost, by name.
    pub costs: Option<PathBuf>,
    /// The last record that is read; none for all.
    pub until: Option<u64>,
}

/// Why a journal was not replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal is damaged, or can't be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record of a verified frame is not one of ours.
    #[error("LSN {lsn}: {error}")]
    Record {
        /// Where.
        lsn: u64,
        /// Why.
        error: RecordError,
    },
    /// There is no journal, or it has lost its beginning to the archive.
    #[error("{}: {fault}", folder.display())]
    NotWhole {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A file can't be read.
    #[error("read {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file says what is not accepted.
    #[error("{}: {fault}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
}

/// What a processor takes for an approved payment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Minor units, of whatever currency, for each.
    #[serde(default)]
    pub per_payment: u64,
    /// Hundredths of a percent of the amount.
    #[serde(default)]
    pub bp: u64,
}

/// Sums of payments. Of what would be, approvals and what follows from them are expectations, in hundredths of a percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Payments.
    pub payments: u64,
    /// Approvals, each counted 10,000 times.
    pub approved_bp: u64,
    /// What was approved, minor units times 10,000.
    pub amount_bp: u128,
    /// What it costs, minor units times 10,000.
    pub cost_bp: u128,
}

/// Payments that went one way in one currency: as it was, and as it would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    /// As it was.
    pub was: Sum,
    /// As it would be.
    pub would_be: Sum,
}

/// Where a payment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// At this processor.
    Processor(u16),
    /// Denied by a rule.
    Denied,
    /// No processor would take it, or none was asked.
    Nowhere,
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The last record that was read.
    pub last_lsn: u64,
    /// State digest of all that was read.
    pub state: StateDigest,
    /// Payments that were decided anew.
    pub payments: u64,
    /// Those that were decided otherwise.
    pub changed: u64,
    /// By way and currency.
    pub lines: BTreeMap<(Way, u16), Line>,
    /// Names of processors by their indexes.
    pub names: BTreeMap<u16, String>,
}

/// Replays a journal.
pub fn replay(wish: &Wish) -> Result<Replayed, ReplayError> {
    let history = History::read(&wish.journal, wish.until)?;
    let processors = known_beside(&wish.journal).map_err(|source| ReplayError::File { path: wish.journal.clone(), source })?;
    let costs = Costs::read(wish.costs.as_deref(), &processors)?;
    let mut rules = table(TableKind::Rules, wish.rules.as_deref(), &processors, &history)?;
    let mut routes = table(TableKind::Routes, wish.routing.as_deref(), &processors, &history)?;
    let rates = Rates::of(&history);
    let (mut lines, mut changed) = (BTreeMap::<(Way, u16), Line>::new(), 0);
    for version in history.payments.values() {
        let (payment, tail) = (version.transaction(), version.tail());
        let verdict = rules.as_mut().map(|rules| rules.decide(payment, tail));
        let route = routes.as_mut().map(|routes| routes.decide(payment, tail));
        let was = way_of(payment);
        let would_be = would_go(payment, verdict.map(|(_, to)| to), route.map(|(_, to)| to));
        changed += u64::from(was != would_be);
        let (currency, amount) = (payment.currency.get(), payment.amount.get());
        let approved_bp = u64::from(is_approved(payment)) * WHOLE_BP;
        lines.entry((was, currency)).or_default().was.add(approved_bp, amount, costs.of(was));
        let expected_bp = if was == would_be { approved_bp } else { rates.expected(payment, was, would_be) };
        lines.entry((would_be, currency)).or_default().would_be.add(expected_bp, amount, costs.of(would_be));
    }
    let names = processors.into_iter().map(|processor| (processor.index, processor.name)).collect();
    let payments = history.payments.len() as u64;
    Ok(Replayed { last_lsn: history.last_lsn, state: history.state, payments, changed, lines, names })
}

impl Line {
    /// Adds another.
    pub(super) fn add(&mut self, other: &Line) {
        self.was.add_sum(&other.was);
        self.would_be.add_sum(&other.would_be);
    }
}

impl Sum {
    fn add_sum(&mut self, other: &Sum) {
        self.payments += other.payments;
        self.approved_bp += other.approved_bp;
        self.amount_bp += other.amount_bp;
        self.cost_bp += other.cost_bp;
    }

    fn add(&mut self, approved_bp: u64, amount: u64, cost: Cost) {
        let amount_bp = u128::from(amount) * u128::from(approved_bp);
        self.payments += 1;
        self.approved_bp += approved_bp;
        self.amount_bp += amount_bp;
        self.cost_bp +=
            u128::from(cost.per_payment) * u128::from(approved_bp) + amount_bp * u128::from(cost.bp) / u128::from(WHOLE_BP);
    }
}

/// A journal's payments, each as it stood at the last record that is read, in the order in which they were made.
struct History {
    payments: BTreeMap<(Micros, Xid), Version>,
    state: StateDigest,
    last_lsn: u64,
}

impl History {
    fn read(folder: &Path, until: Option<u64>) -> Result<History, ReplayError> {
        let not_whole = |fault| ReplayError::NotWhole { folder: folder.to_owned(), fault };
        let found = extent(folder)?.found.ok_or_else(|| not_whole("there is no journal"))?;
        if found.first_lsn > 1 {
            return Err(not_whole("its first records are archived: put those segments back"));
        }
        let last_lsn = until.map_or(found.last_lsn, |until| until.min(found.last_lsn));
        let mut history = History { payments: BTreeMap::new(), state: StateDigest::default(), last_lsn };
        let mut reader = Reader::open(folder, 1)?;
        while let Some((lsn, bytes)) = reader.next(last_lsn)? {
            let record = Record::parse(bytes).map_err(|error| ReplayError::Record { lsn, error })?;
            history.take(&record, bytes);
        }
        Ok(history)
    }

    fn take(&mut self, record: &Record<'_>, bytes: &[u8]) {
        self.state = self.state.plus(digest::of_record(record, bytes));
        if let Body::Transaction(transaction, tail) = record.body
            && Replay::is_about(transaction)
        {
            let born = (Micros(transaction.created_at.get()), transaction.id);
            self.payments.insert(born, Version::copy_of(transaction, tail));
        }
    }

    /// Where payments go besides the routes, as far as history tells: each merchant's own processors are those that its payments had
    /// when no route matched them.
    fn ground(&self, processors: &[Processor]) -> Ground {
        let methods = processors.iter().map(|processor| (processor.index, processor.kind.method())).collect();
        let mut ground = Ground { methods, ..Ground::default() };
        for payment in
            self.payments.values().map(Version::transaction).filter(|payment| payment.choice.basis() == Basis::Merchant)
        {
            let own = ground.own.entry(payment.merchant).or_default();
            let place = match payment.payment_method() {
                PaymentMethod::Card => &mut own.card,
                PaymentMethod::Ach => &mut own.ach,
                PaymentMethod::Terminal => &mut own.terminal,
            };
            *place = payment.processor.get();
        }
        ground
    }
}

/// Reads, checks and compiles a table from a file. Processors may be named by their names.
fn table(
    kind: TableKind,
    path: Option<&Path>,
    processors: &[Processor],
    history: &History,
) -> Result<Option<Replay>, ReplayError> {
    let Some(path) = path else { return Ok(None) };
    let invalid = |fault: String| ReplayError::Invalid { path: path.to_owned(), fault };
    let mut text = read_text(path)?;
    if kind == TableKind::Routes {
        let names: Vec<&str> = processors.iter().map(|processor| processor.name.as_str()).collect();
        let routes: Routes = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        text = serde_json::to_string(&routes.with_ids(&[], &names)).map_err(|error| invalid(error.to_string()))?;
    }
    let index_of = |id: &Xid| processors.iter().find(|processor| processor.id == *id).map(|processor| processor.index);
    let (compiled, _) = ConfiguredTables::default().compile(kind, 1, &text, index_of).map_err(invalid)?;
    Ok(Some(Replay::of(match compiled {
        Compiled::Rules(table) => Proposal::Rules(table),
        Compiled::Routes(table) => Proposal::Routes(table, history.ground(processors)),
    })))
}

fn read_text(path: &Path) -> Result<String, ReplayError> {
    std::fs::read_to_string(path).map_err(|source| ReplayError::File { path: path.to_owned(), source })
}

fn is_approved(payment: &Transaction) -> bool {
    payment.response_code().category() == Category::Approval
}

fn way_of(payment: &Transaction) -> Way {
    match payment.processor.get() {
        _ if super::is_denied(payment) => Way::Denied,
        0 => Way::Nowhere,
        index => Way::Processor(index),
    }
}

/// A table that is not tried decides as it was decided.
fn would_go(payment: &Transaction, verdict: Option<Decision>, route: Option<Decision>) -> Way {
    let was = way_of(payment);
    match (verdict, route) {
        (Some(Decision::Deny), _) => Way::Denied,
        (None, _) if was == Way::Denied => Way::Denied,
        (_, Some(Decision::Processor(0))) => Way::Nowhere,
        (_, Some(Decision::Processor(index))) => Way::Processor(index),
        // Denied before a route was asked, and now let past: without routes it is not known where to.
        (Some(_), _) if was == Way::Denied && payment.processor.get() == 0 => Way::Nowhere,
        (Some(_), _) if was == Way::Denied => Way::Processor(payment.processor.get()),
        (_, _) => was,
    }
}

/// How many of a hundred payments each processor has approved.
struct Rates(HashMap<u16, (u64, u64)>);

impl Rates {
    fn of(history: &History) -> Rates {
        let mut rates = HashMap::<u16, (u64, u64)>::new();
        for payment in history.payments.values().map(Version::transaction) {
            if let Way::Processor(index) = way_of(payment) {
                let (approved, all) = rates.entry(index).or_default();
                *approved += u64::from(is_approved(payment));
                *all += 1;
            }
        }
        Rates(rates)
    }

    /// What may be expected of a payment at another processor: what that one approved of its own. One that had none is expected to do
    /// what was done.
    fn expected(&self, payment: &Transaction, was: Way, would_be: Way) -> u64 {
        let Way::Processor(index) = would_be else { return 0 };
        match (self.0.get(&index), was) {
            (Some((approved, all)), _) => approved * WHOLE_BP / all,
            (None, Way::Processor(_)) => u64::from(is_approved(payment)) * WHOLE_BP,
            (None, Way::Denied | Way::Nowhere) => WHOLE_BP,
        }
    }
}

/// Costs by processor.
struct Costs(HashMap<u16, Cost>);

impl Costs {
    fn read(path: Option<&Path>, processors: &[Processor]) -> Result<Costs, ReplayError> {
        let Some(path) = path else { return Ok(Costs(HashMap::new())) };
        let invalid = |fault: String| ReplayError::Invalid { path: path.to_owned(), fault };
        let named: BTreeMap<String, Cost> =
            serde_json::from_str(&read_text(path)?).map_err(|error| invalid(error.to_string()))?;
        let index_of = |name: &str| processors.iter().find(|processor| processor.name == name).map(|processor| processor.index);
        let of_index = |(name, cost): (String, Cost)| {
            index_of(&name)
                .map(|index| (index, cost))
                .ok_or_else(|| invalid(format!("{name}: this journal knows no such processor")))
        };
        named.into_iter().map(of_index).collect::<Result<_, _>>().map(Costs)
    }

    fn of(&self, way: Way) -> Cost {
        match way {
            Way::Processor(index) => self.0.get(&index).copied().unwrap_or_default(),
            Way::Denied | Way::Nowhere => Cost::default(),
        }
    }
}
