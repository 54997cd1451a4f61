//! Upload of a batch's members, one 0320 each, when its totals are not the host's (action code 95). The host compares them with its
//! own one by one; then the totals go once more, and its answer to those is final.

use super::encode::{
    ACQUIRER, ACQUIRER_NUMBER, Acceptor, Moment, Unwritable, currency_text, digits, original_mti, processing_code,
};
use protocol::batch::Batch;
use protocol::iso8583::{EncodeError, Encoder, MacKey, Mti, OriginalData, TSYS, append_frame};
use protocol::transaction::Transaction;

/// DE3 of totals that come again after their upload.
pub(super) const AFTER_UPLOAD: &str = "960000";

/// One member of a batch on its way to the host. It names the request that made it by numbers alone: no card goes along.
#[derive(Debug, Clone, Copy)]
pub struct Detail<'a> {
    /// The member.
    pub transaction: &'a Transaction,
    /// Its batch.
    pub batch: &'a Batch,
    /// Where its card was taken.
    pub acceptor: &'a Acceptor,
    /// Its place among the members, from 1; DE11 of its message, so that the host can name it.
    pub record: u32,
}

/// What the host says to a detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetailAnswer {
    /// [`Detail::record`].
    pub record: u32,
    /// DE60: the numbers of the batch that it belongs to.
    pub numbers: u64,
    /// DE41.
    pub terminal: [u8; 8],
    /// True when the host has the same.
    pub agrees: bool,
}

/// Both numbers of a batch, as DE60 of its totals and details carries them.
pub fn numbers_of(batch: &Batch) -> u64 {
    u64::from(batch.number.get()) * 1_000_000 + u64::from(batch.members_number.get())
}

/// Appends the framed message of a detail.
pub(super) fn write_detail(detail: &Detail<'_>, key: Option<&MacKey>, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    append_frame(out, |buffer| fields(Encoder::begin(&TSYS, Mti::BATCH_UPLOAD_ADVICE, buffer)?, detail, key))?;
    Ok(())
}

fn fields(mut encoder: Encoder<'_>, detail: &Detail<'_>, key: Option<&MacKey>) -> Result<usize, EncodeError> {
    let Detail { transaction, batch, acceptor, record } = *detail;
    let moment = Moment::of(batch.closed_at());
    encoder.text(3, processing_code(transaction.verb()))?.number(4, transaction.amount_captured.get())?;
    encoder.number(7, moment.month_to_second)?.number(11, u64::from(record))?;
    encoder.number(12, moment.time)?.number(13, moment.date)?.text(32, ACQUIRER)?;
    encoder.text(37, transaction.rrn())?.text(41, &acceptor.terminal)?.text(42, &acceptor.id)?;
    encoder.text(49, currency_text(transaction.currency.get(), &mut [0; 3]))?;
    encoder.text(60, digits(numbers_of(batch), &mut [0; 12]))?;
    let original = OriginalData {
        mti: original_mti(transaction.verb()),
        stan: transaction.original.stan.get(),
        transmitted: Moment::of(transaction.original.sent_at()).month_to_second,
        acquirer: ACQUIRER_NUMBER,
        forwarder: 0,
    };
    // Every part is below its width; the empty text is refused by the table.
    encoder.text(90, original.compose().as_ref().map_or("", |text| text.as_str()))?;
    encoder.finish_under(key)
}
