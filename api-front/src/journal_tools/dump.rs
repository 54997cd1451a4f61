//! One line per record: for people, or JSON for programs. Cards and accounts are masked; what else the tail carries (names,
//! addresses, what is sealed) is left out.

use super::ToolError;
use persistence::journal::{Reader, extent};
use protocol::batch::Batch;
use protocol::change::Change;
use protocol::id::Xid;
use protocol::record::{Body, Record};
use protocol::tail::{Tail, tag};
use protocol::transaction::Transaction;
use serde::Serialize;
use std::fmt;
use std::io::Write;
use std::path::Path;

/// Which records; all conditions hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Records that name this transaction or batch: itself, its refunds, its members.
    pub id: Option<Xid>,
    /// Records of the transaction with this retrieval reference number.
    pub rrn: Option<String>,
    /// Records of transactions with this order number.
    pub order: Option<String>,
    /// No record before this LSN.
    pub from: Option<u64>,
    /// No record behind this LSN.
    pub to: Option<u64>,
}

impl Filter {
    fn takes(&self, record: &Record<'_>) -> bool {
        let (ids, rrn, order) = match record.body {
            Body::Transaction(transaction, tail) => {
                let Transaction { id, parent, batch, duplicate_of, .. } = transaction;
                ([*id, *parent, *batch, *duplicate_of], transaction.rrn(), tail.text(tag::ORDER_ID))
            }
            Body::Batch(batch) => ([batch.id; 4], "", ""),
            Body::Change(change, _) => ([change.id, change.subject, change.id, change.id], "", ""),
        };
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        self.id.is_none_or(|id| ids.contains(&id)) && is(&self.rrn, rrn) && is(&self.order, order)
    }
}

/// Writes the records of the journal in `folder` that the filter takes, each frame of them verified as it is read. The journal
/// may begin later than asked for, and may be in use: it is read as far as it went when this began.
pub fn dump(folder: &Path, filter: &Filter, json: bool, out: &mut impl Write) -> Result<(), ToolError> {
    let Some(found) = extent(folder)?.found else { return Ok(()) };
    let until = filter.to.map_or(found.last_lsn, |to| to.min(found.last_lsn));
    let mut reader = Reader::open(folder, filter.from.unwrap_or(1).max(found.first_lsn))?;
    while let Some((lsn, bytes)) = reader.next(until)? {
        let record = Record::parse(bytes).map_err(|error| ToolError::Record { lsn, error })?;
        if !filter.takes(&record) {
            continue;
        }
        let line = Line::of(lsn, &record);
        if json {
            serde_json::to_writer(&mut *out, &line).map_err(|error| ToolError::Write(error.into()))?;
            writeln!(out)?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// A record as it is shown.
#[derive(Serialize)]
struct Line<'a> {
    lsn: u64,
    at: String,
    shard: u16,
    sequence: u64,
    kind: &'static str,
    #[serde(flatten)]
    body: Shown<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Shown<'a> {
    Transaction(Box<ShownTransaction<'a>>),
    Batch(ShownBatch),
    Change(ShownChange),
}

#[derive(Serialize)]
struct ShownTransaction<'a> {
    id: String,
    version: u32,
    #[serde(rename = "type")]
    verb: &'static str,
    status: &'static str,
    merchant: String,
    parent: Option<String>,
    currency: &'static str,
    amount: u64,
    amount_authorized: u64,
    amount_captured: u64,
    amount_settled: u64,
    amount_refunded: u64,
    method: &'static str,
    /// Masked, as the next.
    card: String,
    account: Option<&'a str>,
    return_code: Option<&'a str>,
    response_code: u16,
    processor: u16,
    rrn: &'a str,
    stan: u32,
    original: &'static str,
    step: &'static str,
    reversal: &'static str,
    batch: Option<String>,
}

#[derive(Serialize)]
struct ShownBatch {
    id: String,
    number: u32,
    state: &'static str,
    merchant: String,
    processor: u16,
    capture_count: u32,
    captured: u64,
    credit_count: u32,
    credited: u64,
    settled_count: u32,
    response_code: u16,
}

#[derive(Serialize)]
struct ShownChange {
    id: String,
    version: u32,
    area: &'static str,
    by: String,
    part: u16,
    parts: u16,
}

impl<'a> Line<'a> {
    fn of(lsn: u64, record: &Record<'a>) -> Line<'a> {
        let body = match record.body {
            Body::Transaction(transaction, tail) => Shown::Transaction(Box::new(ShownTransaction::of(transaction, tail))),
            Body::Batch(batch) => Shown::Batch(ShownBatch::of(batch)),
            Body::Change(change, _) => Shown::Change(ShownChange::of(change)),
        };
        let (shard, sequence) = (record.header.shard.get(), record.header.sequence.get());
        Line { lsn, at: record.at().to_string(), shard, sequence, kind: record.kind.word(), body }
    }
}

/// An id, where there is one.
fn named(id: &Xid) -> Option<String> {
    (!id.is_none()).then(|| id.to_string())
}

impl<'a> ShownTransaction<'a> {
    fn of(transaction: &'a Transaction, tail: Tail<'a>) -> ShownTransaction<'a> {
        let text = |tag| Some(tail.text(tag)).filter(|text| !text.is_empty());
        ShownTransaction {
            id: transaction.id.to_string(),
            version: transaction.version.get(),
            verb: transaction.verb().word(),
            status: transaction.status().word(),
            merchant: transaction.merchant.to_string(),
            parent: named(&transaction.parent),
            currency: transaction.currency().code(),
            amount: transaction.amount.get(),
            amount_authorized: transaction.amount_authorized.get(),
            amount_captured: transaction.amount_captured.get(),
            amount_settled: transaction.amount_settled.get(),
            amount_refunded: transaction.amount_refunded.get(),
            method: transaction.payment_method().word(),
            card: transaction.masked_card(),
            account: text(tag::MASKED_ACCOUNT),
            return_code: text(tag::RETURN_CODE),
            response_code: transaction.response_code.get(),
            processor: transaction.processor.get(),
            rrn: transaction.rrn(),
            stan: transaction.original.stan.get(),
            original: transaction.original.state().word(),
            step: transaction.step.state().word(),
            reversal: transaction.reversal.state().word(),
            batch: named(&transaction.batch),
        }
    }
}

impl ShownBatch {
    fn of(batch: &Batch) -> ShownBatch {
        ShownBatch {
            id: batch.id.to_string(),
            number: batch.number.get(),
            state: batch.state().word(),
            merchant: batch.merchant.to_string(),
            processor: batch.processor.get(),
            capture_count: batch.capture_count.get(),
            captured: batch.captured.get(),
            credit_count: batch.credit_count.get(),
            credited: batch.credited.get(),
            settled_count: batch.settled_count.get(),
            response_code: batch.response_code.get(),
        }
    }
}

impl ShownChange {
    fn of(change: &Change) -> ShownChange {
        let (part, parts) = (change.part.get() + 1, change.parts.get());
        let (id, by) = (change.id.to_string(), change.by.name().to_owned());
        ShownChange { id, version: change.version.get(), area: change.area().word(), by, part, parts }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { lsn, at, shard, sequence: _, kind, body } = self;
        write!(f, "{lsn} {at} shard={shard} {kind}: ")?;
        match body {
            Shown::Transaction(transaction) => write!(f, "{transaction}"),
            Shown::Batch(batch) => write!(f, "{batch}"),
            Shown::Change(change) => write!(f, "{change}"),
        }
    }
}

impl fmt::Display for ShownTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShownTransaction { id, version, verb, status, currency, amount, card, account, response_code, rrn, stan, .. } = self;
        write!(f, "{id} v{version} {verb} {status} amount={amount} {currency} authorized={} ", self.amount_authorized)?;
        write!(f, "captured={} settled={} ", self.amount_captured, self.amount_settled)?;
        write!(f, "refunded={} ", self.amount_refunded)?;
        match account {
            Some(account) => write!(f, "account={account} ")?,
            None => write!(f, "card={card} ")?,
        }
        write!(f, "code={response_code} rrn={rrn} stan={stan} ")?;
        write!(f, "original={} step={} reversal={}", self.original, self.step, self.reversal)?;
        self.return_code.map_or(Ok(()), |code| write!(f, " returned={code}"))
    }
}

impl fmt::Display for ShownBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShownBatch { id, number, state, capture_count, captured, credit_count, credited, .. } = self;
        write!(f, "batch {id} number={number} {state} captures={capture_count}/{captured} credits={credit_count}/{credited} ")?;
        write!(f, "settled={} code={}", self.settled_count, self.response_code)
    }
}

impl fmt::Display for ShownChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShownChange { id, version, area, by, part, parts } = self;
        write!(f, "{id} version={version} {area} by={by:?} part {part} of {parts}")
    }
}
