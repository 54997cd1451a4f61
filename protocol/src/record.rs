//! Journal records: a header that says what happened, and the thing's new version whole.
//!
//! A record is a fact, not a command: replay needs no old code and no old rules. The newest record of an id is its state.

use crate::batch::Batch;
use crate::calendar::Micros;
use crate::change::Change;
use crate::limits::RECORD_MAX_BYTES;
use crate::tail::Tail;
use crate::transaction::Transaction;
use crate::words::Verb;
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Layout number of [`RecordHeader`].
pub const RECORD_LAYOUT: u8 = 1;

/// What happened. Numbers are frozen. All but the batch kinds and the last carry a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A request is about to be sent (I1).
    Intent = 1,
    /// Its outcome: an explicit answer, a gateway decline, or provably not sent (I2).
    Outcome = 2,
    /// A capture or void is about to be sent (I1).
    StepIntent = 3,
    /// Its outcome (I2).
    StepOutcome = 4,
    /// No explicit answer: the outcome is unknown and a reversal is queued (I3, I6).
    ReversalQueued = 5,
    /// The processor has acknowledged the reversal.
    ReversalDone = 6,
    /// A refund of this transaction changed what is left to refund.
    RefundsChanged = 7,
    /// Its settlement batch was accepted.
    Settled = 8,
    /// Its bank has sent the entry back.
    Returned = 9,
    /// Its bank says that the account's data have changed.
    ChangeNotified = 10,
    /// A batch was opened by its first transaction.
    BatchOpened = 16,
    /// A batch was closed; with a trace number, its totals are final and about to be sent.
    BatchClosed = 17,
    /// The processor answered the totals.
    BatchAnswered = 18,
    /// Every member of an accepted batch is settled.
    BatchComplete = 19,
    /// Rules, routes, a processor or a merchant were changed.
    ConfigurationChanged = 24,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 15] = [
        Kind::Intent,
        Kind::Outcome,
        Kind::StepIntent,
        Kind::StepOutcome,
        Kind::ReversalQueued,
        Kind::ReversalDone,
        Kind::RefundsChanged,
        Kind::Settled,
        Kind::Returned,
        Kind::ChangeNotified,
        Kind::BatchOpened,
        Kind::BatchClosed,
        Kind::BatchAnswered,
        Kind::BatchComplete,
        Kind::ConfigurationChanged,
    ];

    /// From the number in the header.
    pub fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The word that tools print.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Intent => "intent",
            Kind::Outcome => "outcome",
            Kind::StepIntent => "step intent",
            Kind::StepOutcome => "step outcome",
            Kind::ReversalQueued => "reversal queued",
            Kind::ReversalDone => "reversal done",
            Kind::RefundsChanged => "refunds changed",
            Kind::Settled => "settled",
            Kind::Returned => "returned",
            Kind::ChangeNotified => "change notified",
            Kind::BatchOpened => "batch opened",
            Kind::BatchClosed => "batch closed",
            Kind::BatchAnswered => "batch answered",
            Kind::BatchComplete => "batch complete",
            Kind::ConfigurationChanged => "configuration changed",
        }
    }
}

/// The first 32 bytes of every record, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RecordHeader {
    /// Bytes of the whole record, this field and the padding included; a multiple of eight.
    pub size: U32,
    /// [`Kind`].
    pub kind: u8,
    /// [`RECORD_LAYOUT`].
    pub layout: u8,
    /// The shard that decided.
    pub shard: U16,
    /// Counts the shard's records since it started, from 1: a gap is a loss.
    pub sequence: U64,
    /// When it was decided. Microseconds since 1970.
    pub at: I64,
    /// Zero.
    pub reserved: U64,
}

const _: () = assert!(size_of::<RecordHeader>() == 32);

/// A record, taken apart.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its header.
    pub header: &'a RecordHeader,
    /// What happened.
    pub kind: Kind,
    /// The new version.
    pub body: Body<'a>,
}

/// What a record carries.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// A transaction and its tail.
    Transaction(&'a Transaction, Tail<'a>),
    /// A settlement batch.
    Batch(&'a Batch),
    /// A part of a change of the configuration, and its text.
    Change(&'a Change, &'a [u8]),
}

/// Why bytes are not a record of ours. The journal's checksum has passed, so this is a version or a programming error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// The size field does not match the bytes.
    Size {
        /// Bytes at hand.
        bytes: usize,
    },
    /// A layout that this version does not know.
    Layout(u8),
    /// A kind that this version does not know.
    Kind(u8),
    /// The body is not what the kind promises.
    Body(Kind),
}

impl core::fmt::Display for RecordError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            RecordError::Size { bytes } => write!(f, "record: size does not match its {bytes} bytes"),
            RecordError::Layout(layout) => write!(f, "record: layout {layout} is not {RECORD_LAYOUT}"),
            RecordError::Kind(kind) => write!(f, "record: kind {kind} is not known to this version"),
            RecordError::Body(kind) => write!(f, "record: the body is not that of kind {}", kind.word()),
        }
    }
}

impl core::error::Error for RecordError {}

impl<'a> Record<'a> {
    /// Takes one record apart.
    pub fn parse(bytes: &'a [u8]) -> Result<Record<'a>, RecordError> {
        let wrong_size = RecordError::Size { bytes: bytes.len() };
        let (header, body) = RecordHeader::ref_from_prefix(bytes).map_err(|_| wrong_size)?;
        if header.size.get() as usize != bytes.len() || !bytes.len().is_multiple_of(8) || bytes.len() > RECORD_MAX_BYTES {
            return Err(wrong_size);
        }
        if header.layout != RECORD_LAYOUT {
            return Err(RecordError::Layout(header.layout));
        }
        let kind = Kind::from_number(header.kind).ok_or(RecordError::Kind(header.kind))?;
        let body = read_body(kind, body).ok_or(RecordError::Body(kind))?;
        Ok(Record { header, kind, body })
    }

    /// When it was decided.
    pub fn at(&self) -> Micros {
        Micros(self.header.at.get())
    }

    /// The verb of the operation whose answer this record is, if it is one: the idempotency window is rebuilt from these.
    pub fn answered_verb(&self) -> Option<Verb> {
        let Body::Transaction(transaction, _) = self.body else { return None };
        (transaction.answers == 1).then_some(transaction)?;
        operation_verb(self.kind, transaction)
    }
}

/// The verb of the operation that a version's key belongs to.
pub fn operation_verb(kind: Kind, transaction: &Transaction) -> Option<Verb> {
    match kind {
        Kind::Intent | Kind::Outcome => Some(transaction.verb()),
        Kind::StepIntent | Kind::StepOutcome => transaction.step.verb(),
        Kind::ReversalQueued => transaction.step.verb().or(Some(transaction.verb())),
        Kind::ReversalDone | Kind::RefundsChanged | Kind::Settled | Kind::Returned | Kind::ChangeNotified => None,
        Kind::BatchOpened | Kind::BatchClosed | Kind::BatchAnswered | Kind::BatchComplete => None,
        Kind::ConfigurationChanged => None,
    }
}

fn read_body(kind: Kind, body: &[u8]) -> Option<Body<'_>> {
    match kind {
        Kind::BatchOpened | Kind::BatchClosed | Kind::BatchAnswered | Kind::BatchComplete => {
            Batch::ref_from_prefix(body).ok().map(|(batch, _)| Body::Batch(batch))
        }
        Kind::ConfigurationChanged => Change::parse(body).map(|(change, text)| Body::Change(change, text)),
        Kind::Intent
        | Kind::Outcome
        | Kind::StepIntent
        | Kind::StepOutcome
        | Kind::ReversalQueued
        | Kind::ReversalDone
        | Kind::RefundsChanged
        | Kind::Settled
        | Kind::Returned
        | Kind::ChangeNotified => Transaction::parse(body).map(|(transaction, tail)| Body::Transaction(transaction, tail)),
    }
}

/// Who decided, and when: the part of a record's header that its writer knows.
#[derive(Debug, Clone, Copy)]
pub struct Decided {
    /// The shard.
    pub shard: u16,
    /// Its count of records, from 1.
    pub sequence: u64,
    /// The moment of the input.
    pub at: Micros,
}

/// Appends a transaction's record. Returns where the transaction begins in `out`.
///
/// # Panics
/// When the transaction's `tail_length` is not the tail's: what was written could not be read again.
pub fn write_transaction(out: &mut Vec<u8>, kind: Kind, decided: Decided, transaction: &Transaction, tail: &[u8]) -> usize {
    assert_eq!(transaction.tail_length.get() as usize, tail.len(), "a transaction knows its tail's length");
    let at = begin(out, kind, decided, size_of::<Transaction>() + tail.len());
    out.extend_from_slice(transaction.as_bytes());
    out.extend_from_slice(tail);
    pad(out);
    at
}

/// Appends a batch's record.
pub fn write_batch(out: &mut Vec<u8>, kind: Kind, decided: Decided, batch: &Batch) {
    begin(out, kind, decided, size_of::<Batch>());
    out.extend_from_slice(batch.as_bytes());
    pad(out);
}

/// Appends the record of one part of a change.
///
/// # Panics
/// When the part's `length` is not the text's: what was written could not be read again.
pub fn write_change(out: &mut Vec<u8>, decided: Decided, change: &Change, text: &[u8]) {
    assert_eq!(change.length.get() as usize, text.len(), "a part knows its text's length");
    begin(out, Kind::ConfigurationChanged, decided, size_of::<Change>() + text.len());
    out.extend_from_slice(change.as_bytes());
    out.extend_from_slice(text);
    pad(out);
}

fn begin(out: &mut Vec<u8>, kind: Kind, decided: Decided, body: usize) -> usize {
    let size = (size_of::<RecordHeader>() + body).next_multiple_of(8);
    assert!(size <= RECORD_MAX_BYTES, "a record is bounded by the tail's bound");
    let header = RecordHeader {
        size: (size as u32).into(),
        kind: kind as u8,
        layout: RECORD_LAYOUT,
        shard: decided.shard.into(),
        sequence: decided.sequence.into(),
        at: decided.at.0.into(),
        reserved: 0.into(),
    };
    out.extend_from_slice(header.as_bytes());
    out.len()
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(8), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Status;

    fn sale() -> Transaction {
        let mut transaction = Transaction::empty();
        transaction.verb = Verb::Sale.number();
        transaction.status = Status::Pending.number();
        transaction.tail_length = 5.into();
        transaction
    }

    #[test]
    fn a_transaction_reads_back_from_its_record() {
        let decided = Decided { shard: 1, sequence: 7, at: Micros(99) };
        let mut bytes = Vec::new();
        let at = write_transaction(&mut bytes, Kind::Intent, decided, &sale(), &[1, 0, 1, 0, 9]);
        assert_eq!((at, bytes.len()), (32, 488));
        let record = Record::parse(&bytes).unwrap();
        assert_eq!((record.kind, record.at(), record.header.sequence.get()), (Kind::Intent, Micros(99), 7));
        let Body::Transaction(transaction, tail) = record.body else { panic!("a transaction") };
        assert_eq!((transaction, tail.get(1)), (&sale(), Some(&[9][..])));
    }

    #[test]
    fn bytes_that_are_no_record_are_refused() {
        let decided = Decided { shard: 0, sequence: 1, at: Micros(0) };
        let mut bytes = Vec::new();
        write_transaction(&mut bytes, Kind::Intent, decided, &sale(), &[1, 0, 1, 0, 9]);
        let with = |at: usize, value: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            Record::parse(&bytes).unwrap_err()
        };
        assert_eq!(Record::parse(&bytes[..8]).unwrap_err(), RecordError::Size { bytes: 8 });
        assert_eq!(with(0, 1), RecordError::Size { bytes: 488 });
        assert_eq!(with(4, 200), RecordError::Kind(200));
        assert_eq!(with(5, 9), RecordError::Layout(9));
        assert_eq!(with(32, 9), RecordError::Body(Kind::Intent));
        assert_eq!(with(34, 99), RecordError::Body(Kind::Intent));
        assert_eq!(with(35, 99), RecordError::Body(Kind::Intent));
        assert_eq!(with(32 + 416, 99), RecordError::Body(Kind::Intent));
    }
}
