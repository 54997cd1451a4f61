//! All that a shard can say, withheld until the records before it are durable (I1, I2).
//!
//! A shard collects records and outputs in [`Effects`]. The records can be read by anyone, the outputs by nobody: they come out of
//! [`Effects::release`] only, which wants the journal's [`Durable`]. So the order "durable first" is not a rule to remember.

use crate::input::{Leg, Sent, Token};
use protocol::batch::Batch;
use protocol::change::Change;
use protocol::frame::Durable;
use protocol::id::Xid;
use protocol::record::{self, Decided, Kind};
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use zerocopy::{FromBytes, IntoBytes};

/// One output of a shard.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    /// For the caller who waits under this token.
    Reply(Token, Reply<'a>),
    /// For a processor's link.
    Send(Request<'a>),
    /// For whoever drives settlement: a batch was answered or completed.
    BatchMoved(&'a Batch),
}

/// The reply to a command.
#[derive(Debug, Clone, Copy)]
pub enum Reply<'a> {
    /// The answer is this version of the transaction.
    Version {
        /// The version.
        transaction: &'a Transaction,
        /// Its tail.
        tail: Tail<'a>,
        /// What was asked.
        verb: Verb,
        /// True when this key was answered before.
        replayed: bool,
    },
    /// The answer was given before and is a version that has left memory: read it from the history.
    Stored {
        /// The transaction.
        id: Xid,
        /// The version that answered.
        version: u32,
        /// What was asked.
        verb: Verb,
    },
    /// Nothing was done.
    Refused(Refusal),
    /// The transaction is not in memory: read it back, give it as [`crate::input::Input::Hydrate`] and ask again.
    Absent(Xid),
    /// The change of the configuration is journaled.
    Configured,
    /// So many batches were closed; each is announced as [`Output::BatchMoved`] once answered.
    BatchesClosed {
        /// How many.
        count: u32,
    },
}

/// A request to a processor.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Index of the processor.
    pub processor: u16,
    /// What the answer must name.
    pub sent: Sent,
    /// True when it, or an earlier repeat, may have been written before.
    pub repeat: bool,
    /// What to send.
    pub subject: Subject<'a>,
}

/// What a request is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A transaction in the version whose record made this request durable.
    Transaction(&'a Transaction, Tail<'a>),
    /// A batch whose totals are to be sent.
    Batch(&'a Batch),
}

/// Where a body begins in the bytes of an [`Effects`].
#[derive(Debug, Clone, Copy)]
enum Place {
    Record(usize),
    View(usize),
}

#[derive(Debug, Clone, Copy)]
enum Withheld {
    Version { token: Token, at: Place, verb: Verb, replayed: bool },
    Stored { token: Token, id: Xid, version: u32, verb: Verb },
    Refused { token: Token, refusal: Refusal },
    Absent { token: Token, id: Xid },
    BatchesClosed { token: Token, count: u32 },
    Configured { token: Token },
    Send { processor: u16, sent: Sent, repeat: bool, at: Place },
    BatchMoved { at: Place },
}

/// A version that has just been written as a record: outputs of the same input may show it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written(usize);

/// Records of one turn, and the outputs that wait for them.
#[derive(Debug, Default)]
pub struct Effects {
    records: Vec<u8>,
    record_count: u32,
    last_sequence: u64,
    views: Vec<u8>,
    outputs: Vec<Withheld>,
}

impl Effects {
    /// The records, one behind the other, for the journal.
    pub fn records(&self) -> &[u8] {
        &self.records
    }

    /// How many records.
    pub fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Bytes of records and of views together.
    pub(crate) fn bytes_held(&self) -> usize {
        self.records.len() + self.views.len()
    }

    /// True when there is nothing to write and nothing to say.
    pub fn is_empty(&self) -> bool {
        self.record_count == 0 && self.outputs.is_empty()
    }

    /// Gives the outputs out, for the journal has made all records of this and of earlier turns durable.
    pub fn release(self, durable: Durable) -> Released {
        let covered = durable.last_lsn() + 1 - durable.first_lsn();
        assert_eq!(covered, u64::from(self.record_count), "the journal made other records durable than this turn's");
        Released(self)
    }

    pub(crate) fn write_transaction(&mut self, kind: Kind, decided: Decided, transaction: &Transaction, tail: &[u8]) -> Written {
        self.note_record(decided);
        Written(record::write_transaction(&mut self.records, kind, decided, transaction, tail))
    }

    pub(crate) fn write_batch(&mut self, kind: Kind, decided: Decided, batch: &Batch) {
        self.note_record(decided);
        record::write_batch(&mut self.records, kind, decided, batch);
    }

    pub(crate) fn write_change(&mut self, decided: Decided, change: &Change, text: &[u8]) {
        self.note_record(decided);
        record::write_change(&mut self.records, decided, change, text);
    }

    fn note_record(&mut self, decided: Decided) {
        self.record_count += 1;
        self.last_sequence = decided.sequence;
    }

    pub(crate) fn reply_written(&mut self, token: Token, written: Written, verb: Verb, replayed: bool) {
        self.outputs.push(Withheld::Version { token, at: Place::Record(written.0), verb, replayed });
    }

    pub(crate) fn reply_version(&mut self, token: Token, transaction: &Transaction, tail: &[u8], verb: Verb, replayed: bool) {
        let at = self.view_transaction(transaction, tail);
        self.outputs.push(Withheld::Version { token, at, verb, replayed });
    }

    pub(crate) fn reply_stored(&mut self, token: Token, id: Xid, version: u32, verb: Verb) {
        self.outputs.push(Withheld::Stored { token, id, version, verb });
    }

    pub(crate) fn refuse(&mut self, token: Token, refusal: Refusal) {
        self.outputs.push(Withheld::Refused { token, refusal });
    }

    pub(crate) fn reply_absent(&mut self, token: Token, id: Xid) {
        self.outputs.push(Withheld::Absent { token, id });
    }

    pub(crate) fn reply_batches_closed(&mut self, token: Token, count: u32) {
        self.outputs.push(Withheld::BatchesClosed { token, count });
    }

    pub(crate) fn reply_configured(&mut self, token: Token) {
        self.outputs.push(Withheld::Configured { token });
    }

    pub(crate) fn send_written(&mut self, processor: u16, sent: Sent, repeat: bool, written: Written) {
        self.outputs.push(Withheld::Send { processor, sent, repeat, at: Place::Record(written.0) });
    }

    /// Sends a version whose record is in an earlier turn: durable before this turn is, for turns become durable in order.
    pub(crate) fn send_version(&mut self, processor: u16, sent: Sent, repeat: bool, transaction: &Transaction, tail: &[u8]) {
        let at = self.view_transaction(transaction, tail);
        self.outputs.push(Withheld::Send { processor, sent, repeat, at });
    }

    pub(crate) fn send_totals(&mut self, sent: Sent, repeat: bool, batch: &Batch) {
        let at = self.view_batch(batch);
        self.outputs.push(Withheld::Send { processor: batch.processor.get(), sent, repeat, at });
    }

    pub(crate) fn batch_moved(&mut self, batch: &Batch) {
        let at = self.view_batch(batch);
        self.outputs.push(Withheld::BatchMoved { at });
    }

    fn view_transaction(&mut self, transaction: &Transaction, tail: &[u8]) -> Place {
        let at = self.views.len();
        self.views.extend_from_slice(transaction.as_bytes());
        self.views.extend_from_slice(tail);
        Place::View(at)
    }

    fn view_batch(&mut self, batch: &Batch) -> Place {
        let at = self.views.len();
        self.views.extend_from_slice(batch.as_bytes());
        Place::View(at)
    }

    fn bytes(&self, place: Place) -> &[u8] {
        match place {
            Place::Record(at) => &self.records[at..],
            Place::View(at) => &self.views[at..],
        }
    }

    fn transaction(&self, place: Place) -> (&Transaction, Tail<'_>) {
        let (transaction, rest) = Transaction::ref_from_prefix(self.bytes(place)).expect("the shard wrote it here");
        (transaction, Tail::trusted(&rest[..transaction.tail_length.get() as usize]))
    }

    fn batch(&self, place: Place) -> &Batch {
        Batch::ref_from_prefix(self.bytes(place)).expect("the shard wrote it here").0
    }

    fn output(&self, withheld: &Withheld) -> Output<'_> {
        match *withheld {
            Withheld::Version { token, at, verb, replayed } => {
                let (transaction, tail) = self.transaction(at);
                Output::Reply(token, Reply::Version { transaction, tail, verb, replayed })
            }
            Withheld::Stored { token, id, version, verb } => Output::Reply(token, Reply::Stored { id, version, verb }),
            Withheld::Refused { token, refusal } => Output::Reply(token, Reply::Refused(refusal)),
            Withheld::Absent { token, id } => Output::Reply(token, Reply::Absent(id)),
            Withheld::Configured { token } => Output::Reply(token, Reply::Configured),
            Withheld::BatchesClosed { token, count } => Output::Reply(token, Reply::BatchesClosed { count }),
            Withheld::Send { processor, sent, repeat, at } => {
                Output::Send(Request { processor, sent, repeat, subject: self.subject(sent, at) })
            }
            Withheld::BatchMoved { at } => Output::BatchMoved(self.batch(at)),
        }
    }

    fn subject(&self, sent: Sent, at: Place) -> Subject<'_> {
        match sent.leg {
            Leg::Totals => Subject::Batch(self.batch(at)),
            Leg::Original | Leg::Step | Leg::Reversal => {
                let (transaction, tail) = self.transaction(at);
                Subject::Transaction(transaction, tail)
            }
        }
    }
}

/// Effects whose records are durable.
#[derive(Debug)]
pub struct Released(Effects);

impl Released {
    /// The outputs, in the order in which they were decided.
    pub fn outputs(&self) -> impl Iterator<Item = Output<'_>> {
        self.0.outputs.iter().map(|withheld| self.0.output(withheld))
    }

    /// The shard's count of its last durable record; 0 when the turn had none.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.0.last_sequence
    }

    /// The emptied buffers, for another turn.
    pub(crate) fn into_empty(self) -> Effects {
        let Effects { mut records, mut views, mut outputs, .. } = self.0;
        records.clear();
        views.clear();
        outputs.clear();
        Effects { records, views, outputs, record_count: 0, last_sequence: 0 }
    }
}
