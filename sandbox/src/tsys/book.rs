//! What a card host remembers: transactions by key, open totals by terminal, currency and batch number, numbers in use.
//!
//! The book changes by [`Book::apply`] only, from a row of the ledger: the same way when the row is new and when it is read
//! back after a restart, so that the two cannot differ.

use std::collections::{HashMap, VecDeque};

use hashbrown::HashTable;
use protocol::calendar::Micros;

use super::upload::{Culprit, Reason};
use super::wire::{Answer, Key, text_of};
use crate::ledger::{Kind, Members, NO_AUTH, NO_ORDINAL, Row, TerminalCurrency};
use crate::limits::{BATCH_NUMBER_REST_DAYS, SETTLEMENTS_HELD_MAX, TILLS_MAX, TRANSACTIONS_HELD_MAX};
use crate::triggers::ActionCode;

/// How a remembered message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Refused; it has no effect.
    Declined,
    /// Approved and in effect.
    Approved,
    /// Taken back.
    Reversed,
    /// Never seen, but its reversal was: it is to be declined should it still come.
    Forestalled,
}

/// A message that was answered: enough to answer it again and to act on it later.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Its name.
    pub key: Key,
    /// DE37.
    pub rrn: [u8; 12],
    /// Approved amount, or of a decline the amount asked for, in minor units.
    pub amount: u64,
    /// Its row in the ledger.
    pub ordinal: u64,
    /// What it was.
    pub kind: Kind,
    /// How it stands.
    pub standing: Standing,
    action: ActionCode,
    auth: u16,
    letters: [u8; 2],
    till: u32,
    /// Which open batch of its till it counts in.
    epoch: u32,
    /// The capture of an authorization, by its place in the ring.
    capture: Option<u32>,
}

impl Held {
    /// The answer that was given. A partial approval names its amount; every other answer repeats the request's.
    pub fn answer(&self) -> Answer {
        let partial = self.action == ActionCode::PARTIAL && self.standing != Standing::Declined;
        Answer {
            action: self.action,
            auth: self.auth,
            letters: self.letters,
            amount: partial.then_some(self.amount),
            batch: None,
            text: Some(text_of(self.action, self.auth)),
        }
    }

    /// The authorization code's digits, or [`NO_AUTH`].
    pub fn auth(&self) -> u16 {
        self.auth
    }

    /// Whether a capture of it stands or stood.
    pub fn is_captured(&self) -> bool {
        self.capture.is_some()
    }
}

/// Number and amount of debits (sales, captures) and credits (refunds, credits). Wide enough that no sum overflows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sales and captures.
    pub debits: u64,
    /// Their sum in minor units.
    pub debits_amount: u128,
    /// Refunds and credits.
    pub credits: u64,
    /// Their sum in minor units.
    pub credits_amount: u128,
}

impl Totals {
    fn side(&mut self, kind: Kind) -> Option<(&mut u64, &mut u128)> {
        match kind {
            Kind::Sale | Kind::Capture => Some((&mut self.debits, &mut self.debits_amount)),
            Kind::Refund | Kind::Credit => Some((&mut self.credits, &mut self.credits_amount)),
            Kind::Authorization | Kind::Void | Kind::Reversal | Kind::Batch | Kind::Return | Kind::Change => None,
        }
    }

    pub(crate) fn add(&mut self, kind: Kind, amount: u64) {
        if let Some((count, sum)) = self.side(kind) {
            *count += 1;
            *sum += u128::from(amount);
        }
    }

    pub(crate) fn remove(&mut self, kind: Kind, amount: u64) {
        if let Some((count, sum)) = self.side(kind) {
            *count -= 1;
            *sum -= u128::from(amount);
        }
    }
}

/// What the host says to a batch. Codes are the rows' `verdict`; never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 1: `GB`.
    Accepted,
    /// 2: `QD` and the day (MMDD) on which the number was used.
    NumberUsed(u32),
    /// 3 to 7: `RB`, all or nothing; the first total that differs.
    OutOfBalance(Difference),
    /// 8 to 10: `RB`, all or nothing; the first member that differs.
    Culprit(Culprit),
    /// 11: `RB`; the host holds members that did not come.
    MoreHeld,
}

/// Which total of a batch is not the host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// 3: DE76.
    DebitCount,
    /// 4: DE88.
    DebitAmount,
    /// 5: DE74.
    CreditCount,
    /// 6: DE86.
    CreditAmount,
    /// 7: DE97 is not the difference of the sums.
    NetAmount,
}

impl Difference {
    const ALL: [(Difference, &'static str); 5] = [
        (Difference::DebitCount, "DEBIT COUNT"),
        (Difference::DebitAmount, "DEBIT AMOUNT"),
        (Difference::CreditCount, "CREDIT COUNT"),
        (Difference::CreditAmount, "CREDIT AMOUNT"),
        (Difference::NetAmount, "NET AMOUNT"),
    ];
}

/// Verdict code of the first [`Difference`].
const DIFFERENCES_FROM: u8 = 3;
/// Verdict code of the first [`Reason`].
const REASONS_FROM: u8 = 8;
/// Verdict code of [`Verdict::MoreHeld`].
const MORE_HELD: u8 = 11;

const _: () = assert!(DIFFERENCES_FROM as usize + Difference::ALL.len() == REASONS_FROM as usize);
const _: () = assert!(REASONS_FROM as usize + Reason::ALL.len() == MORE_HELD as usize);

impl Verdict {
    /// The byte in the row.
    pub fn code(self) -> u8 {
        match self {
            Verdict::Accepted => 1,
            Verdict::NumberUsed(_) => 2,
            Verdict::OutOfBalance(difference) => DIFFERENCES_FROM + difference as u8,
            Verdict::Culprit(culprit) => REASONS_FROM + culprit.reason as u8,
            Verdict::MoreHeld => MORE_HELD,
        }
    }

    pub(crate) fn of_row(row: &Row) -> Option<Verdict> {
        match row.verdict {
            1 => Some(Verdict::Accepted),
            2 => Some(Verdict::NumberUsed(row.original_transmitted)),
            MORE_HELD => Some(Verdict::MoreHeld),
            code @ REASONS_FROM.. => {
                let (reason, _) = Reason::ALL.get(usize::from(code - REASONS_FROM))?;
                Some(Verdict::Culprit(Culprit { record: row.original_stan, reason: *reason }))
            }
            code => {
                let index = usize::from(code.checked_sub(DIFFERENCES_FROM)?);
                Difference::ALL.get(index).map(|(difference, _)| Verdict::OutOfBalance(*difference))
            }
        }
    }

    /// DE39.
    pub fn action(self) -> ActionCode {
        match self {
            Verdict::Accepted => ActionCode::APPROVED,
            Verdict::NumberUsed(_) => ActionCode(*b"94"),
            Verdict::OutOfBalance(_) | Verdict::Culprit(_) | Verdict::MoreHeld => ActionCode(*b"95"),
        }
    }

    /// The 0510's answer.
    pub fn answer(self, number: u32) -> Answer {
        let text = match self {
            Verdict::Accepted => format!("GB{number:06} ACCEPT"),
            Verdict::NumberUsed(day) => format!("QD{day:04} {number:06}"),
            Verdict::OutOfBalance(difference) => {
                let words = Difference::ALL.iter().find(|(known, _)| *known == difference).map_or("", |(_, words)| words);
                format!("RB {words}")
            }
            Verdict::Culprit(Culprit { record, reason }) => {
                let words = Reason::ALL.iter().find(|(known, _)| *known == reason).map_or("", |(_, words)| words);
                format!("RB {record:06} {words}")
            }
            Verdict::MoreHeld => "RB MORE HELD".to_owned(),
        };
        let mut field = [b' '; 16];
        field.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Answer { batch: Some(number), text: Some(field), ..Answer::bare(self.action()) }
    }
}

/// A batch that was presented.
#[derive(Debug, Clone, Copy)]
struct Settlement {
    number: u32,
    stan: u32,
    transmitted: u32,
    at: Micros,
    verdict: Verdict,
}

/// What one terminal has open in one currency under one batch number.
#[derive(Debug, Default)]
struct Till {
    open: Totals,
    /// Counts accepted batches, so that an item knows whether it is still in the open one.
    epoch: u32,
}

/// The host's memory.
#[derive(Debug)]
pub struct Book {
    held_max: usize,
    /// The newest `held_max` messages, oldest first; place `n` of the ring is `n - forgotten` in it.
    ring: VecDeque<Held>,
    forgotten: u32,
    /// Hash and place in the ring of every key. The hash is kept, so that growing does not walk the ring.
    index: HashTable<(u64, u32)>,
    tills: Vec<Till>,
    till_index: HashMap<Members, u32>,
    settlements: HashMap<TerminalCurrency, VecDeque<Settlement>>,
    /// Rows applied: the ordinal of the next.
    rows: u64,
}

impl Default for Book {
    fn default() -> Book {
        Book::holding(TRANSACTIONS_HELD_MAX)
    }
}

impl Book {
    /// An empty book that remembers so many messages.
    pub fn holding(held_max: usize) -> Book {
        Book {
            held_max,
            ring: VecDeque::new(),
            forgotten: 0,
            index: HashTable::new(),
            tills: Vec::new(),
            till_index: HashMap::new(),
            settlements: HashMap::new(),
            rows: 0,
        }
    }

    /// Ordinal of the next row.
    pub fn next_ordinal(&self) -> u64 {
        self.rows
    }

    /// Messages remembered.
    pub fn held(&self) -> usize {
        self.ring.len()
    }

    /// A message by its key.
    pub fn find(&self, key: &Key) -> Option<&Held> {
        self.at(self.place(key)?)
    }

    /// The capture of an authorization.
    pub fn capture_of(&self, held: &Held) -> Option<&Held> {
        self.at(held.capture?)
    }

    /// Whether money of this message was already settled in an accepted batch.
    pub fn is_settled(&self, held: &Held) -> bool {
        let till = self.tills.get(held.till as usize);
        held.kind.moves_money() && till.is_some_and(|till| till.epoch != held.epoch)
    }

    /// Whether totals of their own can be kept for these members.
    pub fn has_room_for(&self, members: Members) -> bool {
        self.tills.len() < TILLS_MAX || self.till_index.contains_key(&members)
    }

    /// Open totals of a terminal's payments in a currency that carried one batch number.
    pub fn open_totals(&self, members: Members) -> Totals {
        let till = self.till_index.get(&members).and_then(|till| self.tills.get(*till as usize));
        till.map_or(Totals::default(), |till| till.open)
    }

    /// Whether money of this message is in the open batch of these members.
    pub fn is_open_in(&self, held: &Held, members: Members) -> bool {
        self.till_index.get(&members) == Some(&held.till) && !self.is_settled(held)
    }

    /// The answer already given to a 0500 with this STAN and DE7, and the number of its batch.
    pub fn settlement(&self, key: &Key, currency: [u8; 3]) -> Option<(Verdict, u32)> {
        let settlements = self.settlements.get(&(key.terminal, currency))?;
        let same = |done: &&Settlement| (done.stan, done.transmitted) == (key.stan, key.transmitted);
        settlements.iter().rev().find(same).map(|done| (done.verdict, done.number))
    }

    /// The day, MMDD, on which an accepted batch used this number within the last days.
    pub fn number_used(&self, terminal: [u8; 8], currency: [u8; 3], number: u32, now: Micros) -> Option<u32> {
        let settlements = self.settlements.get(&(terminal, currency))?;
        let used = |done: &&Settlement| done.number == number && done.verdict == Verdict::Accepted;
        let done = settlements.iter().rev().find(used)?;
        let rested = done.at.plus_s(BATCH_NUMBER_REST_DAYS * 86_400) <= now;
        let day = done.at.civil();
        (!rested).then(|| u32::from(day.month) * 100 + u32::from(day.day))
    }

    fn place(&self, key: &Key) -> Option<u32> {
        let hash = key.hash();
        let same = |(_, place): &(u64, u32)| self.at(*place).is_some_and(|held| held.key == *key);
        self.index.find(hash, same).map(|(_, place)| *place)
    }

    fn at(&self, place: u32) -> Option<&Held> {
        self.ring.get(place.wrapping_sub(self.forgotten) as usize)
    }

    fn at_mut(&mut self, place: u32) -> Option<&mut Held> {
        self.ring.get_mut(place.wrapping_sub(self.forgotten) as usize)
    }

    /// Takes in the next row of the ledger.
    pub fn apply(&mut self, row: &Row) {
        self.rows = row.ordinal + 1;
        let Some(kind) = row.kind() else { return };
        let members = if kind == Kind::Batch { row.members } else { row.batch };
        let till = self.till_number(((row.terminal, row.currency), members));
        match kind {
            Kind::Batch => self.settle(till, row),
            // A card's bank sends nothing back.
            Kind::Return | Kind::Change => {}
            Kind::Authorization | Kind::Sale | Kind::Capture | Kind::Refund | Kind::Credit => self.take_in(kind, till, row),
            Kind::Void | Kind::Reversal => {
                self.hold(row_key(row), Held::of(row, kind, till, 0));
                if row.is_approved() {
                    self.take_back(&original_key(row));
                } else if kind == Kind::Reversal {
                    self.forestall(till, row);
                }
            }
        }
    }

    fn till_number(&mut self, members: Members) -> u32 {
        let next = self.tills.len() as u32;
        let number = *self.till_index.entry(members).or_insert(next);
        if number == next {
            self.tills.push(Till::default());
        }
        number
    }

    fn take_in(&mut self, kind: Kind, till_number: u32, row: &Row) {
        let Some(till) = self.tills.get_mut(till_number as usize) else { return };
        if row.is_approved() {
            till.open.add(kind, row.amount);
        }
        let held = Held::of(row, kind, till_number, till.epoch);
        let place = self.hold(row_key(row), held);
        if kind == Kind::Capture && row.is_approved() {
            let original = self.place(&original_key(row));
            if let Some(authorization) = original.and_then(|original| self.at_mut(original)) {
                authorization.capture = Some(place);
            }
        }
    }

    /// Takes back a transaction and its capture. What was settled stays in the totals of its batch.
    fn take_back(&mut self, original: &Key) {
        let Some(place) = self.place(original) else { return };
        let capture = self.at(place).and_then(|held| held.capture);
        for place in [Some(place), capture].into_iter().flatten() {
            let Some(held) = self.at_mut(place) else { continue };
            let was = std::mem::replace(&mut held.standing, Standing::Reversed);
            let held = *held;
            if let Some(till) = self.tills.get_mut(held.till as usize)
                && was == Standing::Approved
                && till.epoch == held.epoch
            {
                till.open.remove(held.kind, held.amount);
            }
        }
    }

    fn forestall(&mut self, till: u32, row: &Row) {
        let key = original_key(row);
        if self.place(&key).is_none() {
            let unseen = Held { key, standing: Standing::Forestalled, ..Held::of(row, Kind::Reversal, till, 0) };
            self.hold(key, unseen);
        }
    }

    fn settle(&mut self, till: u32, row: &Row) {
        let (Some(till), Some(verdict)) = (self.tills.get_mut(till as usize), Verdict::of_row(row)) else { return };
        let settlements = self.settlements.entry((row.terminal, row.currency)).or_default();
        if settlements.len() >= SETTLEMENTS_HELD_MAX {
            settlements.pop_front();
        }
        let (number, stan, transmitted) = (row.batch, row.stan, row.transmitted);
        settlements.push_back(Settlement { number, stan, transmitted, at: Micros(row.at_us), verdict });
        if verdict == Verdict::Accepted {
            till.open = Totals::default();
            till.epoch = till.epoch.wrapping_add(1);
        }
    }

    /// Remembers a message under its key, in the place of one that was forestalled under the same; returns its place.
    fn hold(&mut self, key: Key, held: Held) -> u32 {
        if self.ring.len() >= self.held_max {
            self.forget_oldest();
        }
        let place = self.forgotten.wrapping_add(self.ring.len() as u32);
        let hash = key.hash();
        let (ring, forgotten) = (&self.ring, self.forgotten);
        let same = |(_, place): &(u64, u32)| ring.get(place.wrapping_sub(forgotten) as usize).is_some_and(|held| held.key == key);
        match self.index.entry(hash, same, |(hash, _)| *hash) {
            hashbrown::hash_table::Entry::Occupied(mut known) => known.get_mut().1 = place,
            hashbrown::hash_table::Entry::Vacant(free) => {
                free.insert((hash, place));
            }
        }
        self.ring.push_back(held);
        place
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.ring.pop_front() else { return };
        let gone = self.forgotten;
        self.forgotten = gone.wrapping_add(1);
        if let Ok(entry) = self.index.find_entry(oldest.key.hash(), |(_, place)| *place == gone) {
            entry.remove();
        }
    }
}

impl Held {
    fn of(row: &Row, kind: Kind, till: u32, epoch: u32) -> Held {
        Held {
            key: row_key(row),
            rrn: row.rrn,
            amount: row.amount,
            ordinal: row.ordinal,
            kind,
            standing: if row.is_approved() { Standing::Approved } else { Standing::Declined },
            action: ActionCode(row.action),
            auth: row.auth,
            letters: [row.avs, row.cvv],
            till,
            epoch,
            capture: None,
        }
    }
}

fn row_key(row: &Row) -> Key {
    Key { terminal: row.terminal, stan: row.stan, transmitted: row.transmitted, mti: row.mti }
}

fn original_key(row: &Row) -> Key {
    Key { stan: row.original_stan, transmitted: row.original_transmitted, mti: row.original_mti, ..row_key(row) }
}

const _: () = assert!(NO_AUTH > 999 && NO_ORDINAL == u64::MAX);
const _: () = assert!(size_of::<Held>() <= 96, "TRANSACTIONS_HELD_MAX counts on about 90 bytes each");
