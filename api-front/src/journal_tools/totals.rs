//! What a journal comes to: how many transactions of which kind stand where, and how much money that is.

use persistence::digest;
use protocol::batch::{Batch, BatchState};
use protocol::digest::StateDigest;
use protocol::id::Xid;
use protocol::record::{Body, Kind, Record};
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalState, Status, Verb};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

/// Folded record by record; the newest version of each thing counts.
#[derive(Default)]
pub(super) struct Totals {
    digest: StateDigest,
    records: BTreeMap<u8, u64>,
    transactions: HashMap<Xid, Standing>,
    batches: HashMap<Xid, Batch>,
}

/// What is counted of a transaction.
struct Standing {
    verb: Verb,
    status: Status,
    currency: &'static str,
    money: [u64; AMOUNTS.len()],
    /// Asked of a processor and not answered.
    in_flight: Option<u64>,
    reversal: ReversalState,
}

/// The amounts of a transaction, as columns.
const AMOUNTS: [&str; 5] = ["requested", "authorized", "captured", "settled", "refunded"];

/// How many, and the sums of so many columns, in minor units.
struct Sum<const N: usize> {
    count: u64,
    money: [u128; N],
}

impl<const N: usize> Default for Sum<N> {
    fn default() -> Self {
        Sum { count: 0, money: [0; N] }
    }
}

impl<const N: usize> Sum<N> {
    fn add(&mut self, money: [u64; N]) {
        self.count += 1;
        for (sum, part) in self.money.iter_mut().zip(money) {
            *sum += u128::from(part);
        }
    }
}

impl Standing {
    fn of(transaction: &Transaction) -> Standing {
        let [original, step] = [&transaction.original, &transaction.step];
        let in_flight = [original, step].into_iter().find(|exchange| exchange.state() == ExchangeState::InFlight);
        Standing {
            verb: transaction.verb(),
            status: transaction.status(),
            currency: transaction.currency().code(),
            money: [
                transaction.amount.get(),
                transaction.amount_authorized.get(),
                transaction.amount_captured.get(),
                transaction.amount_settled.get(),
                transaction.amount_refunded.get(),
            ],
            in_flight: in_flight.map(|exchange| exchange.amount.get()),
            reversal: transaction.reversal.state(),
        }
    }

    fn requested(&self) -> u64 {
        self.money[0]
    }
}

impl Totals {
    pub(super) fn take(&mut self, record: &Record<'_>, bytes: &[u8]) {
        self.digest = self.digest.plus(digest::of_record(record, bytes));
        *self.records.entry(record.kind as u8).or_default() += 1;
        match record.body {
            Body::Transaction(transaction, _) => _ = self.transactions.insert(transaction.id, Standing::of(transaction)),
            Body::Batch(batch) => _ = self.batches.insert(batch.id, *batch),
            Body::Change(..) => {}
        }
    }

    pub(super) fn digest(&self) -> StateDigest {
        self.digest
    }

    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let kinds = self.records.iter().filter_map(|(kind, count)| Some((Kind::from_number(*kind)?, count)));
        let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{} {count}", kind.word())).collect();
        writeln!(out, "kinds     {}", kinds.join(", "))?;
        self.print_transactions(out)?;
        self.print_work(out)?;
        self.print_batches(out)
    }

    fn print_transactions(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows: BTreeMap<(u8, &str, u8), Sum<5>> = BTreeMap::new();
        for standing in self.transactions.values() {
            let key = (standing.verb.number(), standing.currency, standing.status.number());
            rows.entry(key).or_default().add(standing.money);
        }
        writeln!(out, "payments  {}, by their newest versions; money in minor units", self.transactions.len())?;
        heading(&["type", "currency", "status"], &AMOUNTS, out)?;
        for ((verb, currency, status), sum) in &rows {
            let words = [
                Verb::from_number(*verb).map_or("", Verb::word),
                currency,
                Status::from_number(*status).map_or("", Status::word),
            ];
            row(&words, sum, out)?;
        }
        Ok(())
    }

    /// What is not finished, and what was taken back.
    fn print_work(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows: BTreeMap<(u8, &str), Sum<1>> = BTreeMap::new();
        for standing in self.transactions.values() {
            if let Some(amount) = standing.in_flight {
                rows.entry((0, standing.currency)).or_default().add([amount]);
            }
            if standing.reversal != ReversalState::None {
                rows.entry((standing.reversal.number(), standing.currency)).or_default().add([standing.requested()]);
            }
        }
        if rows.is_empty() {
            return writeln!(out, "work      nothing in flight, no reversals");
        }
        writeln!(out, "work      requests without an answer, and reversals")?;
        heading(&["what", "currency", "state"], &["requested"], out)?;
        for ((state, currency), sum) in &rows {
            let (what, state) = match ReversalState::from_number(*state).filter(|_| *state > 0) {
                None => ("request", ExchangeState::InFlight.word()),
                Some(state) => ("reversal", state.word()),
            };
            row(&[what, currency, state], sum, out)?;
        }
        Ok(())
    }

    fn print_batches(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows: BTreeMap<(&str, u8), Sum<4>> = BTreeMap::new();
        for batch in self.batches.values() {
            let currency = protocol::money::Currency::from_numeric(batch.currency.get()).map_or("", |currency| currency.code());
            let counts = [u64::from(batch.capture_count.get()), u64::from(batch.credit_count.get())];
            let money = [counts[0], batch.captured.get(), counts[1], batch.credited.get()];
            rows.entry((currency, batch.state)).or_default().add(money);
        }
        if rows.is_empty() {
            return writeln!(out, "batches   none");
        }
        writeln!(out, "batches   {}", self.batches.len())?;
        heading(&["", "currency", "state"], &["captures", "captured", "credits", "credited"], out)?;
        for ((currency, state), sum) in &rows {
            row(&["batch", currency, BatchState::from_number(*state).map_or("", BatchState::word)], sum, out)?;
        }
        Ok(())
    }
}

fn heading(words: &[&str; 3], columns: &[&str], out: &mut impl Write) -> io::Result<()> {
    write!(out, "          {:<13} {:<8} {:<18} {:>9}", words[0], words[1], words[2], "count")?;
    columns.iter().try_for_each(|column| write!(out, " {column:>15}"))?;
    writeln!(out)
}

fn row<const N: usize>(words: &[&str; 3], sum: &Sum<N>, out: &mut impl Write) -> io::Result<()> {
    write!(out, "          {:<13} {:<8} {:<18} {:>9}", words[0], words[1], words[2], sum.count)?;
    sum.money.iter().try_for_each(|money| write!(out, " {money:>15}"))?;
    writeln!(out)
}
