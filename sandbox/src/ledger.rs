//! A host's ledger: one fixed row for every effect, in order, and what a reader of it sees.
//!
//! Lives here: the row's layout and checksum, and the view of `GET /ledger`. The file is in [`mod@file`]; what a row does to a
//! host's state is that host's business. There is no place for a card number in a row.

pub mod file;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::mem::offset_of;

use protocol::calendar::Micros;
use serde::Serialize;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of a row.
pub const ROW_BYTES: usize = size_of::<Row>();
/// [`Row::original`] of a row that refers to no other.
pub const NO_ORDINAL: u64 = u64::MAX;
/// [`Row::auth`] of a row without an authorization code.
pub const NO_AUTH: u16 = u16::MAX;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Money was put aside, or with amount 0 a card was verified.
    Authorization,
    /// Money was taken at once.
    Sale,
    /// Money that was put aside was taken.
    Capture,
    /// Money of a sale was given back.
    Refund,
    /// Money was given without a sale.
    Credit,
    /// A person took a transaction back.
    Void,
    /// A time-out took a transaction back.
    Reversal,
    /// A batch was presented. Not an effect on a card: it is listed apart.
    Batch,
    /// A bank has sent an entry back. Shown with the entry.
    Return,
    /// A bank asks for a correction of an account's data. It moves nothing, and is not shown.
    Change,
}

impl Kind {
    const ALL: [Kind; 10] = [
        Kind::Authorization,
        Kind::Sale,
        Kind::Capture,
        Kind::Refund,
        Kind::Credit,
        Kind::Void,
        Kind::Reversal,
        Kind::Batch,
        Kind::Return,
        Kind::Change,
    ];

    /// The byte in the row; never renumbered.
    pub const fn code(self) -> u8 {
        self as u8 + 1
    }

    /// The kind of a row's byte.
    pub fn from_code(code: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether an approved row of this kind moves money at settlement.
    pub const fn moves_money(self) -> bool {
        match self {
            Kind::Sale | Kind::Capture | Kind::Refund | Kind::Credit => true,
            Kind::Authorization | Kind::Void | Kind::Reversal | Kind::Batch | Kind::Return | Kind::Change => false,
        }
    }
}

/// One row, as it lies in the file: little-endian, 128 bytes, CRC-32C over all but itself.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Row {
    /// When the host decided, in microseconds since 1970.
    pub at_us: i64,
    /// Number of the row in its ledger, from 0.
    pub ordinal: u64,
    /// Minor units: approved amount, or of a decline the amount asked for. Batch: the debits presented.
    pub amount: u64,
    /// Ordinal of the transaction that this row captures or takes back, or [`NO_ORDINAL`].
    pub original: u64,
    /// Ordinal of the capture that is taken back together with its authorization, or [`NO_ORDINAL`].
    pub original_capture: u64,
    /// Batch: the credits presented, in minor units. Payment at a terminal: the tip in its amount.
    pub credits_amount: u64,
    /// DE7 of the message, MMDDhhmmss as a number. Payment at a terminal: the terminal's number.
    pub transmitted: u32,
    /// DE7 of the original. Batch with a used number: MMDD of its first use.
    pub original_transmitted: u32,
    /// DE11 of the message.
    pub stan: u32,
    /// DE11 of the original, 0 for none.
    pub original_stan: u32,
    /// Batch: the number under which it was presented. Payment, capture: the number of the batch that it belongs to, DE60; 0 none.
    pub batch: u32,
    /// Batch: number of debits presented.
    pub debits_count: u32,
    /// Batch: number of credits presented.
    pub credits_count: u32,
    /// CRC-32C of all other bytes.
    pub crc: u32,
    /// DE37, of a batch blanks.
    pub rrn: [u8; 12],
    /// DE41, filled up with blanks.
    pub terminal: [u8; 8],
    /// DE49, three digits.
    pub currency: [u8; 3],
    /// [`Kind::code`].
    pub kind: u8,
    /// Message type without the repeat bit, four BCD digits.
    pub mti: u16,
    /// Message type of the original, 0 for none.
    pub original_mti: u16,
    /// Authorization code: the digits after `TAS`, or [`NO_AUTH`].
    pub auth: u16,
    /// DE39 of the answer.
    pub action: [u8; 2],
    /// AVS letter of the answer, 0 when the answer has none.
    pub avs: u8,
    /// CVV letter of the answer, 0 when the answer has none.
    pub cvv: u8,
    /// 1 when it was approved or accepted, else 0.
    pub approved: u8,
    /// Batch: the verdict's code, else 0.
    pub verdict: u8,
    /// Batch: the number that its members carried.
    pub members: u32,
    /// Zero.
    pub reserved: [u8; 8],
}

const _: () = {
    assert!(cfg!(target_endian = "little"), "rows lie in the file as they lie in memory");
    assert!(size_of::<Row>() == 128);
    assert!(offset_of!(Row, crc) == 76);
    assert!(offset_of!(Row, rrn) == 80);
    assert!(offset_of!(Row, kind) == 103);
    assert!(offset_of!(Row, members) == 116);
};

impl Row {
    /// A row with nothing in it but its kind.
    pub fn blank(kind: Kind) -> Row {
        Row {
            at_us: 0,
            ordinal: 0,
            amount: 0,
            original: NO_ORDINAL,
            original_capture: NO_ORDINAL,
            credits_amount: 0,
            transmitted: 0,
            original_transmitted: 0,
            stan: 0,
            original_stan: 0,
            batch: 0,
            debits_count: 0,
            credits_count: 0,
            crc: 0,
            rrn: [b' '; 12],
            terminal: [b' '; 8],
            currency: *b"000",
            kind: kind.code(),
            mti: 0,
            original_mti: 0,
            auth: NO_AUTH,
            action: *b"00",
            avs: 0,
            cvv: 0,
            approved: 0,
            verdict: 0,
            members: 0,
            reserved: [0; 8],
        }
    }

    /// The kind, when this version knows it.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind)
    }

    /// Whether it was approved.
    pub fn is_approved(&self) -> bool {
        self.approved == 1
    }

    fn checksum(&self) -> u32 {
        let unsigned = Row { crc: 0, ..*self };
        crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, unsigned.as_bytes()) as u32
    }

    /// The row with its checksum, ready for the file.
    pub fn sealed(self) -> Row {
        Row { crc: self.checksum(), ..self }
    }

    /// Reads a row's bytes; the error says what is wrong with them.
    pub fn open(bytes: &[u8]) -> Result<Row, &'static str> {
        let row = Row::read_from_bytes(bytes).map_err(|_| "a row has 128 bytes")?;
        if row.crc != row.checksum() {
            return Err("checksum does not match");
        }
        if row.kind().is_none() {
            return Err("unknown kind of row");
        }
        Ok(row)
    }
}

/// A terminal (DE41) and a currency (DE49): what shares batch numbers.
pub type TerminalCurrency = ([u8; 8], [u8; 3]);

/// What is counted and settled together: a terminal's payments in a currency that carried one batch number (DE60).
pub type Members = (TerminalCurrency, u32);

/// What later rows of a ledger say about earlier ones: a first pass over the rows collects it, a second one shows the rows.
#[derive(Debug, Default)]
pub struct Marks {
    /// Ordinal of each transaction that was taken back, and of the row that did it.
    taken_back: HashMap<u64, u64>,
    /// Action of the row that sent a transaction back, by the transaction's ordinal.
    returned: HashMap<u64, [u8; 2]>,
    /// Accepted batches of the same members: ordinal and number under which they were presented, ascending.
    batches: HashMap<Members, Vec<(u64, u32)>>,
}

impl Marks {
    /// Notes one row. Rows come in order.
    pub fn note(&mut self, row: &Row) {
        match row.kind() {
            Some(Kind::Void | Kind::Reversal) if row.is_approved() => {
                for ordinal in [row.original, row.original_capture].into_iter().filter(|o| *o != NO_ORDINAL) {
                    self.taken_back.entry(ordinal).or_insert(row.ordinal);
                }
            }
            Some(Kind::Batch) if row.is_approved() => {
                self.batches.entry(((row.terminal, row.currency), row.members)).or_default().push((row.ordinal, row.batch));
            }
            Some(Kind::Return) => {
                self.taken_back.entry(row.original).or_insert(row.ordinal);
                self.returned.insert(row.original, row.action);
            }
            Some(_) | None => {}
        }
    }

    /// Whether the row was taken back by a later one.
    pub fn is_reversed(&self, row: &Row) -> bool {
        self.taken_back.contains_key(&row.ordinal) && !self.returned.contains_key(&row.ordinal)
    }

    /// The code with which its bank sent the row's entry back.
    pub fn return_of(&self, row: &Row) -> Option<String> {
        self.returned.get(&row.ordinal).map(|digits| format!("R{}", trimmed(digits)))
    }

    /// The batch that the row was settled in: the first one accepted after it, unless it was taken back before.
    pub fn batch_of(&self, row: &Row) -> Option<u32> {
        if !row.is_approved() || !row.kind().is_some_and(Kind::moves_money) {
            return None;
        }
        let batches = self.batches.get(&((row.terminal, row.currency), row.batch))?;
        let (closed, number) = *batches.get(batches.partition_point(|(ordinal, _)| *ordinal < row.ordinal))?;
        let gone = self.taken_back.get(&row.ordinal).is_some_and(|by| *by < closed);
        (!gone).then_some(number)
    }
}

/// An entry as `GET /ledger` shows it.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    /// Number of the row.
    pub ordinal: u64,
    /// DE37.
    pub rrn: &'a str,
    /// DE11.
    pub stan: u32,
    /// DE11 of the transaction captured or taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_stan: Option<u32>,
    /// What it is.
    pub kind: Kind,
    /// Minor units.
    pub amount: u64,
    /// DE49.
    pub currency: &'a str,
    /// Whether the host approved.
    pub approved: bool,
    /// Whether it was taken back later, by a reversal or a void.
    pub reversed: bool,
    /// DE39 of the answer.
    pub action: &'a str,
    /// DE41.
    pub terminal: &'a str,
    /// Number of the accepted batch that it was settled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// `R01` and the like: its bank sent it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned: Option<String>,
    /// When, RFC 3339.
    pub at: Moment,
}

/// A batch as `GET /ledger` shows it.
#[derive(Debug, Serialize)]
pub struct Batch<'a> {
    /// Number of the row.
    pub ordinal: u64,
    /// DE60.
    pub batch: u32,
    /// DE41.
    pub terminal: &'a str,
    /// DE50.
    pub currency: &'a str,
    /// Whether it was accepted.
    pub accepted: bool,
    /// DE39 of the answer.
    pub action: &'a str,
    /// DE76.
    pub debits: u32,
    /// DE88, minor units.
    pub debits_amount: u64,
    /// DE74.
    pub credits: u32,
    /// DE86, minor units.
    pub credits_amount: u64,
    /// When, RFC 3339.
    pub at: Moment,
}

/// A moment that is written as RFC 3339.
#[derive(Debug)]
pub struct Moment(Micros);

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

fn trimmed(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default().trim_end_matches(' ')
}

impl<'a> Entry<'a> {
    /// The row, with what later rows say of it; `None` for a batch.
    pub fn of(row: &'a Row, marks: &Marks) -> Option<Entry<'a>> {
        let kind = row.kind().filter(|kind| !matches!(kind, Kind::Batch | Kind::Return | Kind::Change))?;
        Some(Entry {
            ordinal: row.ordinal,
            rrn: trimmed(&row.rrn),
            stan: row.stan,
            original_stan: (row.original_mti != 0).then_some(row.original_stan),
            kind,
            amount: row.amount,
            currency: trimmed(&row.currency),
            approved: row.is_approved(),
            reversed: marks.is_reversed(row),
            action: trimmed(&row.action),
            terminal: trimmed(&row.terminal),
            batch: marks.batch_of(row),
            returned: marks.return_of(row),
            at: Moment(Micros(row.at_us)),
        })
    }
}

impl<'a> Batch<'a> {
    /// The row; `None` when it is no batch.
    pub fn of(row: &'a Row) -> Option<Batch<'a>> {
        (row.kind() == Some(Kind::Batch)).then(|| Batch {
            ordinal: row.ordinal,
            batch: row.batch,
            terminal: trimmed(&row.terminal),
            currency: trimmed(&row.currency),
            accepted: row.is_approved(),
            action: trimmed(&row.action),
            debits: row.debits_count,
            debits_amount: row.amount,
            credits: row.credits_count,
            credits_amount: row.credits_amount,
            at: Moment(Micros(row.at_us)),
        })
    }
}
