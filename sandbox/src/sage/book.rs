//! What the ACH host remembers: entries by merchant and transaction, open totals by batch number, what is to be returned and when.
//!
//! The book changes by [`Book::apply`] only, from a row of the ledger: the same way when the row is new and when it is read back
//! after a restart, so that the two cannot differ. What the fields of a [`Row`] mean here:
//!
//! | field | meaning |
//! | --- | --- |
//! | `terminal`, `rrn` | the merchant's `UserName` and the `TRANSACTION_ID` |
//! | `stan`, `mti` | trace number and letter of the `REQUEST_ID` |
//! | `action` | `RESPONSE_TYPE`; of a return or change the digits of its code |
//! | `verdict` | the [`Case`] of the answer; of a batch the [`Verdict`] |
//! | `debits_count` of a payment | what its bank will do: [`Plan`] |
//! | `batch`, `members` | as for cards |

use std::collections::{BTreeSet, HashMap, VecDeque};

use protocol::calendar::Micros;
use protocol::nacha::{ChangeReason, ReturnReason};

use super::triggers::Case;
use super::wire::{Merchant, RequestId, TransactionId};
use crate::ledger::{Kind, Row};
use crate::limits::{BATCH_NUMBER_REST_DAYS, SETTLEMENTS_HELD_MAX, TILLS_MAX, TRANSACTIONS_HELD_MAX};

/// How long after an entry its bank returns it or asks for a correction, in seconds, when it does so soon.
pub const SOON_S: u32 = 2;
/// How long after settlement a bank returns what it returns late, in seconds.
pub const LATE_S: u32 = 86_400;
/// Returns and changes of one host; past it banks return nothing more.
pub const NOTICES_MAX: usize = 1 << 20;

/// Names an entry.
pub type Key = (Merchant, TransactionId);

/// How a remembered entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Refused; it has no effect.
    Declined,
    /// Approved and in effect.
    Approved,
    /// Taken back by the merchant.
    Voided,
    /// Taken back because its outcome was unknown.
    Reversed,
    /// Never seen, but its reversal was.
    Forestalled,
    /// Sent back by its bank.
    Returned,
}

/// What an entry's bank will do with it. The number in the row is 100 times the first figure and the reason's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// 0: nothing.
    Keep,
    /// 1: return it soon.
    Return(u8),
    /// 2: return it after settlement.
    ReturnLate(u8),
    /// 3: keep it and ask for a correction.
    Correct(u8),
}

impl Plan {
    /// The number in the row.
    pub const fn number(self) -> u32 {
        match self {
            Plan::Keep => 0,
            Plan::Return(reason) => 100 + reason as u32,
            Plan::ReturnLate(reason) => 200 + reason as u32,
            Plan::Correct(reason) => 300 + reason as u32,
        }
    }

    fn from_number(number: u32) -> Plan {
        let reason = (number % 100) as u8;
        match number / 100 {
            1 => Plan::Return(reason),
            2 => Plan::ReturnLate(reason),
            3 => Plan::Correct(reason),
            _ => Plan::Keep,
        }
    }
}

/// An entry that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Its row in the ledger.
    pub ordinal: u64,
    /// Debit, credit or refund.
    pub kind: Kind,
    /// Minor units.
    pub amount: u64,
    /// How it stands.
    pub standing: Standing,
    /// What it was answered.
    pub case: Case,
    /// Digits of its authorization number.
    pub auth: u16,
    /// Trace number of its request.
    pub trace: u32,
    /// Number of its batch.
    pub batch: u32,
    /// Whether an accepted batch had it.
    pub is_settled: bool,
    plan: Plan,
    /// Whether its bank has done so.
    is_plan_done: bool,
    /// Trace number of the void or reversal that took it back, and its letter.
    taken_back_by: Option<(u32, u8)>,
}

/// Number and amount of debits and credits. Wide enough that no sum overflows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Debits.
    pub debits: u64,
    /// Their sum in minor units.
    pub debits_amount: u128,
    /// Credits and refunds.
    pub credits: u64,
    /// Their sum in minor units.
    pub credits_amount: u128,
}

/// Which total of a batch is not the host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// 3.
    DebitCount,
    /// 4.
    DebitAmount,
    /// 5.
    CreditCount,
    /// 6.
    CreditAmount,
}

/// What the host says to a batch. Numbers are the rows' `verdict`; never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 1: `GB`.
    Accepted,
    /// 2: `QD` and the day (MMDD) on which the number was used.
    NumberUsed(u32),
    /// 3 to 6: `RB`, all or nothing; the first total that differs.
    OutOfBalance(Difference),
}

impl Verdict {
    /// The number in the row.
    pub const fn number(self) -> u8 {
        match self {
            Verdict::Accepted => 1,
            Verdict::NumberUsed(_) => 2,
            Verdict::OutOfBalance(Difference::DebitCount) => 3,
            Verdict::OutOfBalance(Difference::DebitAmount) => 4,
            Verdict::OutOfBalance(Difference::CreditCount) => 5,
            Verdict::OutOfBalance(Difference::CreditAmount) => 6,
        }
    }

    fn of_row(row: &Row) -> Option<Verdict> {
        match row.verdict {
            1 => Some(Verdict::Accepted),
            2 => Some(Verdict::NumberUsed(row.original_transmitted)),
            3 => Some(Verdict::OutOfBalance(Difference::DebitCount)),
            4 => Some(Verdict::OutOfBalance(Difference::DebitAmount)),
            5 => Some(Verdict::OutOfBalance(Difference::CreditCount)),
            6 => Some(Verdict::OutOfBalance(Difference::CreditAmount)),
            _ => None,
        }
    }
}

impl Totals {
    /// The first total that another side sees differently.
    pub fn difference(&self, other: &Totals) -> Option<Difference> {
        let checks = [
            (self.debits == other.debits, Difference::DebitCount),
            (self.debits_amount == other.debits_amount, Difference::DebitAmount),
            (self.credits == other.credits, Difference::CreditCount),
            (self.credits_amount == other.credits_amount, Difference::CreditAmount),
        ];
        checks.into_iter().find(|(agrees, _)| !agrees).map(|(_, difference)| difference)
    }

    fn side(&mut self, kind: Kind) -> (&mut u64, &mut u128) {
        if kind == Kind::Sale {
            (&mut self.debits, &mut self.debits_amount)
        } else {
            (&mut self.credits, &mut self.credits_amount)
        }
    }
}

/// A batch that was presented.
#[derive(Debug, Clone, Copy)]
struct Presented {
    number: u32,
    trace: u32,
    at: Micros,
    verdict: Verdict,
}

/// A return or a notification of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Whose entry it was.
    pub merchant: Merchant,
    /// Which one.
    pub transaction: TransactionId,
    /// Minor units.
    pub amount: u64,
    /// When it came, microseconds since 1970.
    pub at_us: i64,
    kind: Kind,
    number: u8,
}

/// The data of the sandbox's corrections: no account's.
const CORRECTED: [(u8, &str); 11] = [
    (1, "1918171614"),
    (2, "011000015"),
    (3, "011000015 1918171614"),
    (4, "JANE Q SAMPLE"),
    (5, "37"),
    (6, "1918171614 37"),
    (7, "0110000151918171614 37"),
    (8, "011000015"),
    (9, "000000042"),
    (13, "05"),
    (14, "IAT"),
];

impl Notice {
    fn of(row: &Row) -> Notice {
        let kind = if row.kind() == Some(Kind::Change) { Kind::Change } else { Kind::Return };
        let number = (row.action[0].wrapping_sub(b'0')).wrapping_mul(10).wrapping_add(row.action[1].wrapping_sub(b'0'));
        Notice { merchant: row.terminal, transaction: row.rrn, amount: row.amount, at_us: row.at_us, kind, number }
    }

    /// Whether it asks for a correction; else the entry came back.
    pub fn is_change(&self) -> bool {
        self.kind == Kind::Change
    }

    /// `R01`, `C01`.
    pub fn code(&self) -> String {
        format!("{}{:02}", if self.is_change() { 'C' } else { 'R' }, self.number)
    }

    /// The reason in words.
    pub fn reason(&self) -> &'static str {
        let number = u64::from(self.number);
        if self.is_change() {
            ChangeReason::numbered(number).map_or("", |reason| reason.text)
        } else {
            ReturnReason::numbered(number).map_or("", |reason| reason.text)
        }
    }

    /// What a correction says to use from now on.
    pub fn corrected(&self) -> Option<&'static str> {
        let known = CORRECTED.iter().find(|(number, _)| self.is_change() && *number == self.number)?;
        Some(known.1)
    }
}

/// The host's memory.
#[derive(Debug)]
pub struct Book {
    held_max: usize,
    held: HashMap<Key, Held>,
    /// Keys in the order in which they came, for the oldest to be forgotten.
    order: VecDeque<Key>,
    tills: HashMap<(Merchant, u32), Till>,
    presented: HashMap<Merchant, VecDeque<Presented>>,
    due: BTreeSet<(i64, Key)>,
    notices: Vec<Notice>,
    rows: u64,
}

/// What one merchant has under one batch number.
#[derive(Debug, Default)]
struct Till {
    open: Totals,
    members: Vec<TransactionId>,
}

impl Default for Book {
    fn default() -> Book {
        Book::holding(TRANSACTIONS_HELD_MAX)
    }
}

impl Book {
    /// An empty book that remembers so many entries.
    pub fn holding(held_max: usize) -> Book {
        Book {
            held_max,
            held: HashMap::new(),
            order: VecDeque::new(),
            tills: HashMap::new(),
            presented: HashMap::new(),
            due: BTreeSet::new(),
            notices: Vec::new(),
            rows: 0,
        }
    }

    /// Ordinal of the next row.
    pub fn next_ordinal(&self) -> u64 {
        self.rows
    }

    /// An entry.
    pub fn find(&self, key: &Key) -> Option<&Held> {
        self.held.get(key)
    }

    /// Entries remembered.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether totals of their own can be kept for this batch.
    pub fn has_room_for(&self, merchant: Merchant, batch: u32) -> bool {
        self.tills.len() < TILLS_MAX || self.tills.contains_key(&(merchant, batch))
    }

    /// Open totals of the entries that carried a batch number.
    pub fn open_totals(&self, merchant: Merchant, batch: u32) -> Totals {
        self.tills.get(&(merchant, batch)).map_or(Totals::default(), |till| till.open)
    }

    /// The answer already given to totals under this number with this trace number: another batch's totals may have the same one, for
    /// trace numbers come again.
    pub fn settlement(&self, merchant: Merchant, number: u32, trace: u32) -> Option<Verdict> {
        let presented = self.presented.get(&merchant)?;
        presented.iter().rev().find(|done| (done.number, done.trace) == (number, trace)).map(|done| done.verdict)
    }

    /// The day, MMDD, on which an accepted batch used this number within the last days.
    pub fn number_used(&self, merchant: Merchant, number: u32, now: Micros) -> Option<u32> {
        let used = |done: &&Presented| done.number == number && done.verdict == Verdict::Accepted;
        let done = self.presented.get(&merchant)?.iter().rev().find(used)?;
        let rested = done.at.plus_s(BATCH_NUMBER_REST_DAYS * 86_400) <= now;
        let day = done.at.civil();
        (!rested).then(|| u32::from(day.month) * 100 + u32::from(day.day))
    }

    /// The answer that a request was given, when its entry is remembered.
    pub fn archived(&self, merchant: Merchant, id: &RequestId) -> Option<(Case, u16)> {
        let held = self.find(&(merchant, id.transaction))?;
        match id.identifier {
            b'A' | b'R' if held.trace == id.trace && held.standing != Standing::Forestalled => Some((held.case, held.auth)),
            b'V' if held.taken_back_by == Some((id.trace, b'V')) => Some((Case::VoidAccepted, 0)),
            b'F' if held.taken_back_by == Some((id.trace, b'F')) => Some((Case::ReversalAccepted, 0)),
            _ => None,
        }
    }

    /// Notices after the n-th, with their numbers from 1.
    pub fn notices_after(&self, after: u64) -> impl Iterator<Item = (u64, &Notice)> {
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        (1..).zip(self.notices.iter()).skip(skipped)
    }

    /// How many notices there are.
    pub fn notice_count(&self) -> u64 {
        self.notices.len() as u64
    }

    /// Takes out the next entry whose bank acts by now, with what it does. Entries that were taken back are passed over.
    pub fn next_due(&mut self, now: Micros) -> Option<(Key, Held, Plan)> {
        while let Some((at, key)) = self.due.first().copied().filter(|(at, _)| *at <= now.0) {
            self.due.remove(&(at, key));
            let stands = self.held.get(&key).filter(|held| held.standing == Standing::Approved && !held.is_plan_done);
            if let Some(held) = stands.filter(|_| self.notices.len() < NOTICES_MAX) {
                return Some((key, *held, held.plan));
            }
        }
        None
    }

    /// Takes in the next row of the ledger.
    pub fn apply(&mut self, row: &Row) {
        self.rows = row.ordinal + 1;
        let key = (row.terminal, row.rrn);
        match row.kind() {
            Some(Kind::Sale | Kind::Credit | Kind::Refund) => self.take_in(key, row),
            Some(Kind::Void) if row.is_approved() => self.take_back(&key, Standing::Voided, row),
            Some(Kind::Reversal) if row.is_approved() => self.take_back(&key, Standing::Reversed, row),
            Some(Kind::Reversal) => self.forestall(key, row),
            Some(Kind::Batch) => self.settle(row),
            Some(Kind::Return) => {
                self.take_back(&key, Standing::Returned, row);
                self.notices.push(Notice::of(row));
            }
            Some(Kind::Change) => {
                if let Some(held) = self.held.get_mut(&key) {
                    held.is_plan_done = true;
                }
                self.notices.push(Notice::of(row));
            }
            Some(Kind::Authorization | Kind::Capture | Kind::Void) | None => {}
        }
    }

    fn take_in(&mut self, key: Key, row: &Row) {
        let held = Held::of(row, if row.is_approved() { Standing::Approved } else { Standing::Declined });
        if held.standing == Standing::Approved {
            let till = self.tills.entry((row.terminal, row.batch)).or_default();
            let (count, sum) = till.open.side(held.kind);
            (*count, *sum) = (*count + 1, *sum + u128::from(row.amount));
            till.members.push(row.rrn);
            if matches!(held.plan, Plan::Return(_) | Plan::Correct(_)) {
                self.due.insert((Micros(row.at_us).plus_s(SOON_S).0, key));
            }
        }
        self.hold(key, held);
    }

    /// What was settled stays in the totals of its batch.
    fn take_back(&mut self, key: &Key, standing: Standing, row: &Row) {
        let Some(held) = self.held.get_mut(key) else { return };
        let was = std::mem::replace(&mut held.standing, standing);
        held.taken_back_by = Some((row.stan, row.mti as u8));
        let till = self.tills.get_mut(&(key.0, held.batch));
        if let Some(till) = till.filter(|_| was == Standing::Approved && !held.is_settled) {
            let (count, sum) = till.open.side(held.kind);
            (*count, *sum) = (count.saturating_sub(1), sum.saturating_sub(u128::from(held.amount)));
        }
    }

    fn forestall(&mut self, key: Key, row: &Row) {
        if !self.held.contains_key(&key) {
            self.hold(key, Held::of(row, Standing::Forestalled));
        }
    }

    fn settle(&mut self, row: &Row) {
        let Some(verdict) = Verdict::of_row(row) else { return };
        let presented = self.presented.entry(row.terminal).or_default();
        if presented.len() >= SETTLEMENTS_HELD_MAX {
            presented.pop_front();
        }
        presented.push_back(Presented { number: row.batch, trace: row.stan, at: Micros(row.at_us), verdict });
        if verdict == Verdict::Accepted {
            let till = self.tills.remove(&(row.terminal, row.members)).unwrap_or_default();
            let due_at = Micros(row.at_us).plus_s(LATE_S).0;
            for key in till.members.iter().map(|transaction| (row.terminal, *transaction)) {
                let Some(held) = self.held.get_mut(&key) else { continue };
                held.is_settled = true;
                if matches!(held.plan, Plan::ReturnLate(_)) {
                    self.due.insert((due_at, key));
                }
            }
        }
    }

    fn hold(&mut self, key: Key, held: Held) {
        if self.held.insert(key, held).is_none() {
            self.order.push_back(key);
        }
        if self.held.len() > self.held_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.held.remove(&oldest);
        }
    }
}

impl Held {
    fn of(row: &Row, standing: Standing) -> Held {
        Held {
            ordinal: row.ordinal,
            kind: row.kind().unwrap_or(Kind::Sale),
            amount: row.amount,
            standing,
            case: Case::from_number(row.verdict).unwrap_or(Case::Declined),
            auth: row.auth,
            trace: row.stan,
            batch: row.batch,
            is_settled: false,
            plan: Plan::from_number(row.debits_count),
            is_plan_done: false,
            taken_back_by: None,
        }
    }
}
