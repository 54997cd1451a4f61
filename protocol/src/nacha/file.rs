//! A NACHA file: what an originator gives to its bank. Records of 94 characters: a file's header and control, around batches of a header,
//! entries and a control.
//!
//! Amounts of a file are dollars' cents. Texts are cut at their width; letters with marks are written without them, and what then is no
//! visible ASCII is a blank. The bytes hold account numbers: they are wiped when dropped, and are for the bank only.

use super::SecCode;
use crate::calendar::{Civil, Micros};
use crate::secret::AccountNumber;
use core::fmt;
use zeroize::Zeroizing;

/// Characters of a record.
pub const RECORD_CHARACTERS: usize = 94;
/// Records of a block; the last block is filled up.
const BLOCK_RECORDS: usize = 10;
/// Largest amount of an entry: ten digits.
pub const ENTRY_AMOUNT_MAX_MINOR: u64 = 9_999_999_999;
/// Most entries of a file: their trace numbers have seven digits.
pub const ENTRIES_MAX: usize = 9_999_999;
/// Characters of an entry's addendum.
pub const ADDENDUM_CHARACTERS: usize = 80;

/// The two ends of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader<'a> {
    /// Routing number of the bank that is given the file, nine digits.
    pub destination: &'a str,
    /// Its name, 23 characters.
    pub destination_name: &'a str,
    /// Identification of whoever gives it, ten characters. A shorter one, such as a routing number, gets blanks in front.
    pub origin: &'a str,
    /// Its name, 23 characters.
    pub origin_name: &'a str,
    /// When it is made, UTC.
    pub created: Micros,
    /// Tells the files of a day apart: `A` to `Z`, `0` to `9`.
    pub modifier: char,
}

/// Entries of one company and class.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// Who originates them, 16 characters: what account holders see.
    pub company_name: &'a str,
    /// Its identification, ten characters.
    pub company_id: &'a str,
    /// Their class. Account holders agree to debits by internet or telephone only, so credits of those classes are refused.
    pub sec: SecCode,
    /// What they are for, ten characters: what account holders see.
    pub description: &'a str,
    /// The day on which they are to be settled.
    pub effective: Micros,
    /// First eight digits of the routing number of the originator's bank.
    pub odfi: &'a str,
    /// The entries.
    pub entries: Vec<Entry<'a>>,
}

/// One payment.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Whether money is paid to the account; else it is taken from it.
    pub is_credit: bool,
    /// Whether it is a savings account; else a checking account.
    pub is_savings: bool,
    /// Routing number of the account's bank, nine digits.
    pub routing: &'a str,
    /// The account.
    pub account: &'a AccountNumber,
    /// Cents.
    pub amount: u64,
    /// The originator's number of it, 15 characters.
    pub id: &'a str,
    /// Name of the account holder, 22 characters.
    pub name: &'a str,
    /// Whether it is one of a series; written for entries by internet and telephone.
    pub is_recurring: bool,
    /// Words for the account holder, 80 characters; entries by telephone have none.
    pub addendum: Option<&'a str>,
}

/// Why a file can't be written. Entries are counted from 1 through the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritable {
    /// A routing number is not nine digits, or a bank's identification not eight.
    Routing {
        /// The entry, or 0 in a header.
        entry: usize,
    },
    /// An amount is zero or above [`ENTRY_AMOUNT_MAX_MINOR`].
    Amount {
        /// The entry.
        entry: usize,
        /// Cents.
        amount: u64,
    },
    /// A credit in a class of debits.
    Credit {
        /// The entry.
        entry: usize,
        /// The class.
        sec: SecCode,
    },
    /// An addendum where there may be none.
    Addendum {
        /// The entry.
        entry: usize,
    },
    /// A batch without entries, or a file without batches.
    Empty,
    /// More than [`ENTRIES_MAX`] entries, or totals wider than their fields.
    TooMuch,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unwritable::Routing { entry } => write!(f, "NACHA file: routing number of entry {entry} is not one"),
            Unwritable::Amount { entry, amount } => {
                write!(f, "NACHA file: entry {entry} is of {amount} cents, 1 to {ENTRY_AMOUNT_MAX_MINOR} is possible")
            }
            Unwritable::Credit { entry, sec } => write!(f, "NACHA file: entry {entry} is a credit in a {} batch", sec.letters()),
            Unwritable::Addendum { entry } => write!(f, "NACHA file: entry {entry} may not have an addendum"),
            Unwritable::Empty => f.write_str("NACHA file: nothing to write"),
            Unwritable::TooMuch => f.write_str("NACHA file: more entries or money than a file can hold"),
        }
    }
}

impl core::error::Error for Unwritable {}

/// The class in which a payment of this class is written: credits to those who agreed by internet or telephone go as prearranged ones.
pub const fn class_of(sec: SecCode, is_credit: bool) -> SecCode {
    match (sec, is_credit) {
        (SecCode::Web | SecCode::Tel, true) => SecCode::Ppd,
        (SecCode::Web | SecCode::Tel | SecCode::Ppd | SecCode::Ccd, _) => sec,
    }
}

/// Writes a file, each record with a line feed behind it.
pub fn write(header: &FileHeader<'_>, batches: &[Batch<'_>]) -> Result<Zeroizing<Vec<u8>>, Unwritable> {
    let entry_count: usize = batches.iter().map(|batch| batch.entries.len()).sum();
    if batches.is_empty() || batches.iter().any(|batch| batch.entries.is_empty()) {
        return Err(Unwritable::Empty);
    }
    if entry_count > ENTRIES_MAX {
        return Err(Unwritable::TooMuch);
    }
    check_digits(header.destination, 9, 0)?;
    let records = 2 + 2 * batches.len() + 2 * entry_count + BLOCK_RECORDS;
    let bytes = Zeroizing::new(Vec::with_capacity(records * (RECORD_CHARACTERS + 1)));
    let mut file = File { bytes, records: 0, entry: 0, sums: Sums::default() };
    file.header(header);
    for (number, batch) in (1..).zip(batches) {
        file.batch(number, batch)?;
    }
    file.control(batches.len() as u64)?;
    Ok(file.bytes)
}

/// What a control record adds up. The hash is the sum of the banks' eight digits, of which ten are written.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    records: u64,
    hash: u64,
    debits: u64,
    credits: u64,
}

impl Sums {
    fn add(&mut self, other: &Sums) -> Result<(), Unwritable> {
        self.records += other.records;
        self.hash += other.hash;
        self.debits = self.debits.checked_add(other.debits).ok_or(Unwritable::TooMuch)?;
        self.credits = self.credits.checked_add(other.credits).ok_or(Unwritable::TooMuch)?;
        // Twelve digits.
        if self.debits.max(self.credits) > 999_999_999_999 { Err(Unwritable::TooMuch) } else { Ok(()) }
    }
}

/// A file that is being written.
struct File {
    bytes: Zeroizing<Vec<u8>>,
    records: usize,
    /// Entries so far.
    entry: usize,
    sums: Sums,
}

impl File {
    fn header(&mut self, header: &FileHeader<'_>) {
        let Civil { hour, minute, .. } = header.created.civil();
        let modifier =
            if header.modifier.is_ascii_uppercase() || header.modifier.is_ascii_digit() { header.modifier } else { 'A' };
        let mut record = self.record(b"101");
        record.text(" ", 1).text(header.destination, 9).text(&format!("{:>10}", header.origin), 10).date(header.created);
        record.number(u64::from(hour), 2).number(u64::from(minute), 2).text(modifier.encode_utf8(&mut [0; 4]), 1);
        record.text("094101", 6).text(header.destination_name, 23).text(header.origin_name, 23).end();
    }

    fn batch(&mut self, number: u64, batch: &Batch<'_>) -> Result<(), Unwritable> {
        check_digits(batch.odfi, 8, 0)?;
        let has = |is_credit: bool| batch.entries.iter().any(|entry| entry.is_credit == is_credit);
        let service_class = match (has(false), has(true)) {
            (true, true) => "200",
            (false, _) => "220",
            (true, false) => "225",
        };
        let mut record = self.record(b"5");
        record.text(service_class, 3).text(batch.company_name, 16).text("", 20).text(batch.company_id, 10);
        record.text(batch.sec.letters(), 3).text(batch.description, 10).date(batch.effective).date(batch.effective);
        record.text("", 3).text("1", 1).text(batch.odfi, 8).number(number, 7).end();
        let mut sums = Sums::default();
        for entry in &batch.entries {
            sums.add(&self.entry(batch, entry)?)?;
        }
        // Six digits.
        if sums.records > 999_999 {
            return Err(Unwritable::TooMuch);
        }
        let mut record = self.record(b"8");
        record.text(service_class, 3).number(sums.records, 6).number(sums.hash % 10_000_000_000, 10);
        record.number(sums.debits, 12).number(sums.credits, 12).text(batch.company_id, 10).text("", 25);
        record.text(batch.odfi, 8).number(number, 7).end();
        self.sums.add(&sums)
    }

    fn entry(&mut self, batch: &Batch<'_>, entry: &Entry<'_>) -> Result<Sums, Unwritable> {
        self.entry += 1;
        let place = self.entry;
        check_digits(entry.routing, 9, place)?;
        check_entry(batch.sec, entry, place)?;
        let series = match (batch.sec, entry.is_recurring) {
            (SecCode::Web | SecCode::Tel, false) => "S",
            (SecCode::Web | SecCode::Tel, true) => "R",
            (SecCode::Ppd | SecCode::Ccd, _) => "",
        };
        let addendum = entry.addendum.filter(|words| !words.is_empty());
        let mut record = self.record(b"6");
        record.text(transaction_code(entry), 2).text(entry.routing, 9).text(entry.account.expose(), 17);
        record.number(entry.amount, 10).text(entry.id, 15).text(entry.name, 22).text(series, 2);
        record.number(u64::from(addendum.is_some()), 1).text(batch.odfi, 8).number(place as u64, 7).end();
        if let Some(words) = addendum {
            self.record(b"705").text(words, ADDENDUM_CHARACTERS).number(1, 4).number(place as u64, 7).end();
        }
        let hash = entry.routing.bytes().take(8).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let (debits, credits) = if entry.is_credit { (0, entry.amount) } else { (entry.amount, 0) };
        Ok(Sums { records: 1 + u64::from(addendum.is_some()), hash, debits, credits })
    }

    fn control(&mut self, batches: u64) -> Result<(), Unwritable> {
        let blocks = (self.records + 1).div_ceil(BLOCK_RECORDS);
        let Sums { records, hash, debits, credits } = self.sums;
        if batches > 999_999 {
            return Err(Unwritable::TooMuch);
        }
        let mut record = self.record(b"9");
        record.number(batches, 6).number(blocks as u64, 6).number(records, 8).number(hash % 10_000_000_000, 10);
        record.number(debits, 12).number(credits, 12).end();
        while !self.records.is_multiple_of(BLOCK_RECORDS) {
            self.record(&[b'9'; RECORD_CHARACTERS]).end();
        }
        Ok(())
    }

    /// Begins a record with its first characters.
    fn record(&mut self, start: &[u8]) -> Record<'_> {
        self.records += 1;
        let from = self.bytes.len();
        self.bytes.extend_from_slice(start);
        Record { bytes: &mut self.bytes, from }
    }
}

fn check_digits(text: &str, length: usize, entry: usize) -> Result<(), Unwritable> {
    let is_right = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_right { Ok(()) } else { Err(Unwritable::Routing { entry }) }
}

fn check_entry(sec: SecCode, entry: &Entry<'_>, place: usize) -> Result<(), Unwritable> {
    if !(1..=ENTRY_AMOUNT_MAX_MINOR).contains(&entry.amount) {
        return Err(Unwritable::Amount { entry: place, amount: entry.amount });
    }
    if class_of(sec, entry.is_credit) != sec {
        return Err(Unwritable::Credit { entry: place, sec });
    }
    if sec == SecCode::Tel && entry.addendum.is_some() {
        return Err(Unwritable::Addendum { entry: place });
    }
    Ok(())
}

fn transaction_code(entry: &Entry<'_>) -> &'static str {
    match (entry.is_savings, entry.is_credit) {
        (false, true) => "22",
        (false, false) => "27",
        (true, true) => "32",
        (true, false) => "37",
    }
}

/// A letter as a bank's file may hold it.
fn plain(letter: char) -> u8 {
    match letter {
        'À'..='Å' => b'A',
        'à'..='å' => b'a',
        'Ç' => b'C',
        'ç' => b'c',
        'È'..='Ë' => b'E',
        'è'..='ë' => b'e',
        'Ì'..='Ï' => b'I',
        'ì'..='ï' => b'i',
        'Ñ' => b'N',
        'ñ' => b'n',
        'Ò'..='Ö' | 'Ø' => b'O',
        'ò'..='ö' | 'ø' => b'o',
        'Ù'..='Ü' => b'U',
        'ù'..='ü' => b'u',
        'Ý' => b'Y',
        'ý' | 'ÿ' => b'y',
        'ß' => b's',
        letter if letter.is_ascii_graphic() => letter as u8,
        _ => b' ',
    }
}

/// A record that is being written.
struct Record<'b> {
    bytes: &'b mut Vec<u8>,
    from: usize,
}

impl Record<'_> {
    /// Text in a fixed width, blanks behind it.
    fn text(&mut self, text: &str, width: usize) -> &mut Self {
        self.bytes.extend(text.chars().map(plain).chain(core::iter::repeat(b' ')).take(width));
        self
    }

    /// A number in a fixed width, zeros in front. The caller has seen to it that it fits.
    fn number(&mut self, number: u64, width: u32) -> &mut Self {
        self.bytes.extend((0..width).rev().map(|place| b'0' + (number / 10u64.pow(place) % 10) as u8));
        self
    }

    /// `YYMMDD`.
    fn date(&mut self, moment: Micros) -> &mut Self {
        let Civil { year, month, day, .. } = moment.civil();
        self.number(year.rem_euclid(100) as u64, 2).number(u64::from(month), 2).number(u64::from(day), 2)
    }

    /// Fills the record up with blanks.
    fn end(&mut self) {
        self.bytes.resize(self.from + RECORD_CHARACTERS, b' ');
        self.bytes.push(b'\n');
    }
}
