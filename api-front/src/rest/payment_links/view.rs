//! Links, pay-ins, payouts and fee invoices as the links' document shows them. Amounts are texts in one place and numbers in another.

use super::envelope::Fault;
use crate::payment_links::{Body, PaymentLinks, percent};
use crate::payouts::{Standing, day_of};
use crate::rest::problem::Problem;
use persistence::stores::{FeeInvoice, LinkRefund, Payable, PayableState, Payout, RefundState};
use protocol::calendar::Micros;
use protocol::id::Xid;
use serde::Serialize;
use serde_json::value::RawValue;

/// A link.
#[derive(Serialize)]
pub(super) struct LinkShown {
    user_id: String,
    amount: String,
    recipient_note: String,
    status: &'static str,
    #[serde(rename = "paymentEndpoint")]
    payment_endpoint: String,
    callback_url: String,
    service_fee: String,
    recipient: Option<String>,
    created_at: String,
    id: u64,
    pay_link: String,
    qr_img: String,
    transaction_type: &'static str,
}

impl LinkShown {
    /// A link as it stands. Tokens are keys: they are shown in the answer to whoever has just sent them, and hinted at later.
    pub(super) fn of(links: &PaymentLinks, link: &Payable, tokens: Option<&[String]>) -> Result<LinkShown, Fault> {
        let body = Body::of(link)?;
        let recipient = body.recipients.as_ref().map(|recipients| {
            let token =
                |place: usize, hint: &str| tokens.and_then(|sent| sent.get(place)).map_or(hint, String::as_str).to_owned();
            let shown = recipients.iter().enumerate().map(|(place, recipient)| RecipientShown {
                token: token(place, &recipient.token_hint),
                share: decimal(percent(recipient.share_bp)),
            });
            // Texts and numbers: it can't fail.
            serde_json::to_string(&shown.collect::<Vec<_>>()).unwrap_or_default()
        });
        Ok(LinkShown {
            user_id: user_id(&link.merchant),
            amount: link.currency.major(link.amount),
            recipient_note: body.note,
            status: match link.state {
                PayableState::Open | PayableState::Paying => "Unused",
                PayableState::Paid | PayableState::PartiallyRefunded | PayableState::Refunded => "Used",
                PayableState::Cancelled | PayableState::Expired => "Deleted",
            },
            payment_endpoint: if body.payment_endpoint.is_empty() { links.payment_url() } else { body.payment_endpoint },
            callback_url: body.callback_url,
            service_fee: percent(body.service_fee_bp),
            transaction_type: if recipient.is_some() { "Split" } else { "Basic" },
            recipient,
            created_at: moment(link.created_at),
            id: number(link)?,
            pay_link: links.pay_link(link),
            qr_img: links.qr_url(link),
        })
    }
}

/// A recipient in the text of a link's `recipient`.
#[derive(Serialize)]
struct RecipientShown {
    token: String,
    share: Box<RawValue>,
}

/// A payment of a link.
#[derive(Serialize)]
pub(super) struct PayInShown {
    id: u64,
    user_id: String,
    amount: Box<RawValue>,
    recipient_note: String,
    status: &'static str,
    #[serde(rename = "paymentEndpoint")]
    payment_endpoint: String,
    pay_link: String,
    qr_img: String,
    created_at: String,
    paid_at: String,
    refunded_amount: Box<RawValue>,
    transaction_id: String,
    transaction_type: &'static str,
}

impl PayInShown {
    /// A link that was paid, or that may be.
    pub(super) fn of(links: &PaymentLinks, link: &Payable) -> Result<PayInShown, Fault> {
        let LinkShown { user_id, recipient_note, payment_endpoint, created_at, id, pay_link, qr_img, transaction_type, .. } =
            LinkShown::of(links, link, None)?;
        Ok(PayInShown {
            id,
            user_id,
            amount: decimal(link.currency.major(link.amount)),
            recipient_note,
            status: match link.state {
                PayableState::Paid => "Paid",
                PayableState::PartiallyRefunded => "PartiallyRefunded",
                PayableState::Refunded => "Refunded",
                PayableState::Open | PayableState::Paying => "Unpaid",
                PayableState::Cancelled | PayableState::Expired => "Deleted",
            },
            payment_endpoint,
            pay_link,
            qr_img,
            created_at,
            paid_at: moment(link.paid_at),
            refunded_amount: decimal(link.currency.major(link.amount_refunded)),
            transaction_id: link.transaction.to_string(),
            transaction_type,
        })
    }
}

/// A refund that was asked for, and the payment as it is after it.
#[derive(Serialize)]
pub(super) struct RefundShown {
    refund_id: String,
    refund_amount: String,
    refund_status: &'static str,
    refund_message: String,
    requested_at: String,
    #[serde(flatten)]
    pay_in: PayInShown,
}

impl RefundShown {
    pub(super) fn of(links: &PaymentLinks, refund: &LinkRefund, link: &Payable) -> Result<RefundShown, Fault> {
        Ok(RefundShown {
            refund_id: refund.id.to_string(),
            refund_amount: link.currency.major(refund.amount),
            refund_status: match refund.state {
                RefundState::Waiting => "InProgress",
                RefundState::Done => "Refunded",
                RefundState::Refused => "Declined",
            },
            refund_message: refund.note.clone(),
            requested_at: moment(refund.created_at),
            pay_in: PayInShown::of(links, link)?,
        })
    }
}

/// A payout.
#[derive(Serialize)]
pub(super) struct PayoutShown {
    payout_id: String,
    user_id: String,
    transaction_id: String,
    payout_amount: String,
    service_fee: Box<RawValue>,
    net_amount: Box<RawValue>,
    payout_status: &'static str,
    request_date: String,
    created_at: String,
}

impl PayoutShown {
    pub(super) fn of(payout: &Payout) -> PayoutShown {
        let major = |minor: i64| payout.currency.major(minor.unsigned_abs());
        PayoutShown {
            payout_id: payout.number.to_string(),
            user_id: user_id(&payout.merchant),
            transaction_id: payout.name.clone(),
            payout_amount: major(payout.amount),
            service_fee: decimal(payout.currency.major(payout.fee)),
            net_amount: decimal(major(payout.net())),
            payout_status: Standing::of(payout).word(),
            request_date: day_of(payout.night),
            created_at: rfc3339(payout.created_at),
        }
    }
}

/// A month's invoice of service fees.
#[derive(Serialize)]
pub(super) struct FeeInvoiceShown {
    invoice_id: String,
    invoice_number: String,
    user_id: String,
    month: String,
    service_fee: Box<RawValue>,
    currency: &'static str,
    payments: u64,
    status: &'static str,
    created_at: String,
}

impl FeeInvoiceShown {
    /// Fees were kept of the payments, so that their invoice is paid when it is made.
    pub(super) fn of(invoice: &FeeInvoice) -> FeeInvoiceShown {
        let civil = invoice.month.civil();
        FeeInvoiceShown {
            invoice_id: invoice.number.to_string(),
            invoice_number: format!("{:04}{:02}-sf-{}", civil.year, civil.month, invoice.id),
            user_id: user_id(&invoice.merchant),
            month: format!("{:04}-{:02}", civil.year, civil.month),
            service_fee: decimal(invoice.currency.major(invoice.fees)),
            currency: invoice.currency.code(),
            payments: invoice.payments,
            status: "Paid",
            created_at: rfc3339(invoice.created_at),
        }
    }
}

fn number(link: &Payable) -> Result<u64, Fault> {
    link.reference.parse().map_err(|_| Fault::Other(Problem::Internal))
}

/// A decimal text as a JSON number with all its digits.
fn decimal(text: String) -> Box<RawValue> {
    // Digits with a point between are JSON.
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// `2024-10-26 16:18:01`, in the zone that the envelope names.
fn moment(at: Micros) -> String {
    let civil = at.civil();
    let (year, month, day) = (civil.year, civil.month, civil.day);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", civil.hour, civil.minute, civil.second)
}

/// `2024-10-13T01:58:04Z`
fn rfc3339(at: Micros) -> String {
    moment(at).replace(' ', "T") + "Z"
}

/// An account in the document's form, a UUID (RFC 9562 version 8) that follows from its id.
fn user_id(merchant: &Xid) -> String {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&merchant.0[..6]);
    bytes[10..].copy_from_slice(&merchant.0[6..]);
    bytes[6] = 0x80;
    bytes[8] = 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_accounts_have_the_documents_forms() {
        let at = Micros(Micros::from_date(2024, 10, 13).0 + 7_084_999_999);
        assert_eq!((moment(at), rfc3339(at)), ("2024-10-13 01:58:04".to_owned(), "2024-10-13T01:58:04Z".to_owned()));
        assert_eq!(user_id(&Xid([0xab; 12])), "abababab-abab-8000-8000-abababababab");
        assert_eq!(decimal("1.10".to_owned()).get(), "1.10");
    }
}
