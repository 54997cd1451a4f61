//! What the terminal host remembers: transactions by reference, open totals by register, currency and batch number, numbers in use.
//!
//! The book changes by [`Book::apply`] only, from a row of the ledger: the same way when the row is new and when it is read back after
//! a restart. What no row holds, the invoice number and whether somebody signed, is noted beside and forgotten at a restart.

use std::collections::{HashMap, VecDeque};

use protocol::calendar::Micros;

use super::wire::Reference;
use crate::ledger::{Kind, Members, NO_ORDINAL, Row, TerminalCurrency};
use crate::limits::{BATCH_NUMBER_REST_DAYS, SETTLEMENTS_HELD_MAX, TERMINAL_TRANSACTIONS_HELD_MAX, TILLS_MAX};
use crate::tsys::book::{Standing, Totals, Verdict};

/// What a row does not hold.
#[derive(Debug, Clone, Default)]
pub struct Note {
    /// As sent.
    pub invoice: String,
    /// Somebody signed.
    pub signed: bool,
}

/// A transaction as it was booked, and what became of it.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its row.
    pub row: Row,
    /// How it stands.
    pub standing: Standing,
    /// Beside the row.
    pub note: Note,
    /// The row of its capture.
    pub capture: Option<Row>,
    /// Which open batch of its till it counts in, and its capture likewise.
    epoch: u32,
    capture_epoch: u32,
}

impl Held {
    /// What it is.
    pub fn kind(&self) -> Kind {
        self.row.kind().unwrap_or(Kind::Sale)
    }

    /// Ordinal of its capture's row, or [`NO_ORDINAL`].
    pub fn capture_ordinal(&self) -> u64 {
        self.capture.map_or(NO_ORDINAL, |row| row.ordinal)
    }
}

/// A batch that was presented.
#[derive(Debug)]
struct Settlement {
    reference: [u8; 12],
    number: u32,
    at: Micros,
    verdict: Verdict,
}

/// What one register has open in one currency under one batch number.
#[derive(Debug, Default)]
struct Till {
    open: Totals,
    /// Counts accepted batches, so that an item knows whether it is still in the open one.
    epoch: u32,
}

/// The host's memory.
#[derive(Debug, Default)]
pub struct Book {
    held: HashMap<Reference, Held>,
    /// The same, oldest first.
    order: VecDeque<Reference>,
    tills: HashMap<Members, Till>,
    settlements: HashMap<TerminalCurrency, VecDeque<Settlement>>,
    /// Rows applied: the ordinal of the next.
    rows: u64,
}

impl Book {
    /// Ordinal of the next row.
    pub fn next_ordinal(&self) -> u64 {
        self.rows
    }

    /// A transaction by its reference.
    pub fn find(&self, reference: &Reference) -> Option<&Held> {
        self.held.get(reference)
    }

    /// Whether money of it was settled in an accepted batch.
    pub fn is_settled(&self, held: &Held) -> bool {
        let closed = |row: &Row, epoch| self.tills.get(&members(row)).is_some_and(|till| till.epoch != epoch);
        let own = held.kind().moves_money() && closed(&held.row, held.epoch);
        own || held.capture.is_some_and(|capture| closed(&capture, held.capture_epoch))
    }

    /// Whether totals of their own can be kept for these members.
    pub fn has_room_for(&self, members: Members) -> bool {
        self.tills.len() < TILLS_MAX || self.tills.contains_key(&members)
    }

    /// Open totals of what carried one batch number.
    pub fn open_totals(&self, members: Members) -> Totals {
        self.tills.get(&members).map_or(Totals::default(), |till| till.open)
    }

    /// The answer already given to a settlement with this reference, and the number of its batch.
    pub fn settlement(&self, of: TerminalCurrency, reference: [u8; 12]) -> Option<(Verdict, u32)> {
        let settlements = self.settlements.get(&of)?;
        settlements.iter().rev().find(|done| done.reference == reference).map(|done| (done.verdict, done.number))
    }

    /// The day, MMDD, on which an accepted batch used this number within the last days.
    pub fn number_used(&self, of: TerminalCurrency, number: u32, now: Micros) -> Option<u32> {
        let used = |done: &&Settlement| done.number == number && done.verdict == Verdict::Accepted;
        let done = self.settlements.get(&of)?.iter().rev().find(used)?;
        let rested = done.at.plus_s(BATCH_NUMBER_REST_DAYS * 86_400) <= now;
        let day = done.at.civil();
        (!rested).then(|| u32::from(day.month) * 100 + u32::from(day.day))
    }

    /// Notes what the row of a transaction does not hold.
    pub fn note(&mut self, reference: &Reference, note: Note) {
        if let Some(held) = self.held.get_mut(reference) {
            held.note = note;
        }
    }

    /// Takes in the next row of the ledger.
    pub fn apply(&mut self, row: &Row) {
        self.rows = row.ordinal + 1;
        let Some(kind) = row.kind() else { return };
        match kind {
            Kind::Authorization | Kind::Sale | Kind::Refund | Kind::Credit => {
                let standing = if row.is_approved() { Standing::Approved } else { Standing::Declined };
                self.hold(row, standing);
            }
            Kind::Capture => self.capture(row),
            Kind::Void | Kind::Reversal if row.is_approved() => self.take_back(&reference(row)),
            Kind::Void | Kind::Reversal if self.find(&reference(row)).is_none() => self.hold(row, Standing::Forestalled),
            Kind::Void | Kind::Reversal => {}
            Kind::Batch => self.settle(row),
            // A card's bank sends nothing back.
            Kind::Return | Kind::Change => {}
        }
    }

    /// Counts an approved row in its till and says in which of its batches.
    fn count(&mut self, kind: Kind, row: &Row) -> u32 {
        let till = self.tills.entry(members(row)).or_default();
        if row.is_approved() {
            till.open.add(kind, row.amount);
        }
        till.epoch
    }

    fn hold(&mut self, row: &Row, standing: Standing) {
        let epoch = row.kind().filter(|kind| kind.moves_money()).map_or(0, |kind| self.count(kind, row));
        let held = Held { row: *row, standing, note: Note::default(), capture: None, epoch, capture_epoch: 0 };
        let reference = reference(row);
        if self.held.insert(reference, held).is_none() {
            self.order.push_back(reference);
        }
        if self.order.len() > TERMINAL_TRANSACTIONS_HELD_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.held.remove(&oldest);
        }
    }

    fn capture(&mut self, row: &Row) {
        if !row.is_approved() {
            return;
        }
        let epoch = self.count(Kind::Capture, row);
        if let Some(held) = self.held.get_mut(&reference(row)) {
            (held.capture, held.capture_epoch) = (Some(*row), epoch);
        }
    }

    /// Takes back a transaction and its capture. What was settled stays in the totals of its batch.
    fn take_back(&mut self, reference: &Reference) {
        let Some(held) = self.held.get_mut(reference) else { return };
        if std::mem::replace(&mut held.standing, Standing::Reversed) != Standing::Approved {
            return;
        }
        let own = (held.row.kind(), Some(held.row), held.epoch);
        for (kind, row, epoch) in [own, (Some(Kind::Capture), held.capture, held.capture_epoch)] {
            if let (Some(kind), Some(row)) = (kind, row)
                && let Some(till) = self.tills.get_mut(&members(&row))
                && till.epoch == epoch
            {
                till.open.remove(kind, row.amount);
            }
        }
    }

    fn settle(&mut self, row: &Row) {
        let Some(verdict) = Verdict::of_row(row) else { return };
        let settlements = self.settlements.entry((row.terminal, row.currency)).or_default();
        if settlements.len() >= SETTLEMENTS_HELD_MAX {
            settlements.pop_front();
        }
        settlements.push_back(Settlement { reference: row.rrn, number: row.batch, at: Micros(row.at_us), verdict });
        if verdict == Verdict::Accepted {
            let till = self.tills.entry(((row.terminal, row.currency), row.members)).or_default();
            till.open = Totals::default();
            till.epoch = till.epoch.wrapping_add(1);
        }
    }
}

fn reference(row: &Row) -> Reference {
    (row.terminal, row.rrn)
}

fn members(row: &Row) -> Members {
    ((row.terminal, row.currency), row.batch)
}
