//! Settlement batches, with the fields of the gateway document's results and some of ours.

use super::SUCCESS;
use crate::rest::json::Writer;
use crate::switch::directory::{Processor, ProcessorTable};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;
use std::collections::BTreeMap;

const USUAL_BYTES: usize = 768;

/// A list of batches.
pub(crate) fn batches(batches: &[Batch], processors: &ProcessorTable) -> Vec<u8> {
    let mut out = Writer::starting(SUCCESS, USUAL_BYTES * (batches.len() + 1));
    out.verbatim("[");
    for (position, batch) in batches.iter().enumerate() {
        out.verbatim(if position == 0 { "{" } else { ",{" });
        write(&mut out, batch, processors.by_index(batch.processor.get()));
        out.verbatim("}");
    }
    out.verbatim("]");
    out.number("total_count", batches.len() as u64);
    out.number("count", batches.len() as u64);
    out.verbatim("}");
    out.finish()
}

/// What a search of batches found: sums of all of them by day and processor, and one page of results.
pub(crate) fn found_batches(found: &[Batch], page: &[Batch], processors: &ProcessorTable) -> Vec<u8> {
    let mut out = Writer::starting(SUCCESS, USUAL_BYTES * (page.len() + 1));
    out.verbatim("{");
    out.name("summary");
    out.verbatim("[");
    for (position, (day, sums)) in days(found).iter().enumerate() {
        out.verbatim(if position == 0 { "{" } else { ",{" });
        write_day(&mut out, day, sums, processors.by_index(day.processor));
        out.verbatim("}");
    }
    out.verbatim("]");
    out.name("results");
    out.verbatim("[");
    for (position, batch) in page.iter().enumerate() {
        out.verbatim(if position == 0 { "{" } else { ",{" });
        write(&mut out, batch, processors.by_index(batch.processor.get()));
        out.verbatim("}");
    }
    out.verbatim("]}");
    out.number("total_count", found.len() as u64);
    out.number("count", found.len() as u64);
    out.verbatim("}");
    out.finish()
}

/// What is summed up together: batches of one day in UTC, one processor, one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Day {
    date: (i32, u8, u8),
    processor: u16,
    currency: u16,
    merchant: Xid,
}

/// Sums of a day's batches; amounts in minor units.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    transactions: u64,
    captured: u64,
    credited: u64,
}

/// Newest day first.
fn days(batches: &[Batch]) -> Vec<(Day, Sums)> {
    let mut days: BTreeMap<Day, Sums> = BTreeMap::new();
    for batch in batches {
        let at = batch.closed_at().civil();
        let (processor, currency) = (batch.processor.get(), batch.currency.get());
        let day = Day { date: (at.year, at.month, at.day), processor, currency, merchant: batch.merchant };
        let sums = days.entry(day).or_default();
        sums.transactions += u64::from(batch.member_count());
        sums.captured = sums.captured.saturating_add(batch.captured.get());
        sums.credited = sums.credited.saturating_add(batch.credited.get());
    }
    days.into_iter().rev().collect()
}

fn write_day(out: &mut Writer, day: &Day, sums: &Sums, processor: Option<&Processor>) {
    let (year, month, date) = day.date;
    out.id("merchant_id", &day.merchant);
    out.word("batch_date", &format!("{year:04}-{month:02}-{date:02}"));
    out.id("processor_id", &processor.map_or(Xid::NONE, |processor| processor.id));
    out.text("processor_name", processor.map_or("", |processor| &processor.name));
    out.number("num_transactions", sums.transactions);
    out.number("captured", sums.captured);
    out.number("credit", sums.credited);
    out.word("currency", &code(day.currency));
}

fn write(out: &mut Writer, batch: &Batch, processor: Option<&Processor>) {
    let (captured, credited) = (batch.captured.get(), batch.credited.get());
    out.id("id", &batch.id);
    out.id("merchant_id", &batch.merchant);
    out.moment("batch_date", Micros(batch.closed_at.get()));
    out.id("processor_id", &processor.map_or(Xid::NONE, |processor| processor.id));
    out.text("processor_name", processor.map_or("", |processor| &processor.name));
    out.word("processor_type", processor.map_or("", |processor| processor.kind.word()));
    out.number("batch_number", batch.number.get().into());
    out.number("num_transactions", batch.member_count().into());
    out.number("amount_captured", captured);
    out.number("amount_credit", credited);
    // Both are sums of amounts of twelve digits and stay far below 2^63.
    out.signed("net_deposit", (captured as i64).saturating_sub(credited as i64));
    out.word("currency", &code(batch.currency.get()));
    out.number("response_code", batch.response_code().0.into());
    out.text("response_message", batch.text());
    out.word("state", batch.state().word());
    out.number("num_settled", batch.settled_count.get().into());
    out.moment("opened_at", Micros(batch.opened_at.get()));
    out.moment("closed_at", Micros(batch.closed_at.get()));
    out.moment("answered_at", Micros(batch.answered_at.get()));
}

fn code(currency: u16) -> String {
    Currency::from_numeric(currency).unwrap_or(Currency::USD).code().to_ascii_lowercase()
}
