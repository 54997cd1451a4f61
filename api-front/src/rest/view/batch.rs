//! Settlement batches, with the fields of the gateway document's results and some of ours.

use super::SUCCESS;
use crate::rest::json::Writer;
use crate::switch::directory::{Processor, ProcessorTable};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;

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
    out.word("currency", &currency(batch));
    out.number("response_code", batch.response_code().0.into());
    out.text("response_message", batch.text());
    out.word("state", batch.state().word());
    out.number("num_settled", batch.settled_count.get().into());
    out.moment("opened_at", Micros(batch.opened_at.get()));
    out.moment("closed_at", Micros(batch.closed_at.get()));
    out.moment("answered_at", Micros(batch.answered_at.get()));
}

fn currency(batch: &Batch) -> String {
    Currency::from_numeric(batch.currency.get()).unwrap_or(Currency::USD).code().to_ascii_lowercase()
}
