//! Payment links: their own envelope, forms and JSON alike, amounts in euros with decimals.

use super::call::{Call, FORM, FORM_IN_PARTS, Gives, JSON, Shape, Who, of};
use serde_json::Value;
use std::marker::PhantomData;
use utoipa::ToSchema;

pub(super) const CALLS: &[Call] = &[
    call("/api/v2/createLink", "Create a new payment link", of::<LinkAnswer>, any_body::<NewLink>()),
    call(
        "/api/v2/createSplitLink",
        "Create a new payment link whose payment is shared",
        of::<LinkAnswer>,
        any_body::<NewSplitLink>(),
    ),
    call("/api/v2/getMyUnusedLinks", "Links that were not paid yet", of::<LinkList>, any_body::<Listed>()),
    call("/api/v2/getMyUsedLinks", "Links that were paid", of::<LinkList>, any_body::<Listed>()),
    call("/api/v2/deleteLink", "Delete an unused link", of::<LinkAnswer>, any_body::<NamedLink>()),
    call("/api/v2/getPayInTransactions", "Today's payments, or another day's", of::<PayInList>, any_body::<Searched>()),
    call("/api/v2/getPayOutTransactions", "Payouts of each night", of::<PayoutList>, any_body::<Searched>()),
    call("/api/v2/refundPayment", "Give a payment back, or a part of it", of::<RefundAnswer>, any_body::<NewLinkRefund>()),
    call("/api/v2/getTaxInvoiceList", "Each month's invoice of service fees", of::<FeeInvoiceList>, any_body::<Listed>()),
    Call::new("GET", "/operator/books", "What the books behind payment links say", Gives::One(of::<Books>)).by(Who::Operator),
    Call::new("GET", "/payment", "From a link to the page on which it is paid", Gives::Page)
        .by(Who::Anybody)
        .query(&[("link_id", "the link's number, base64"), ("key", "what nobody can guess")]),
    Call::new("GET", "/qr/{picture}", "A link's QR code", Gives::Media("image/png")).by(Who::Anybody),
];

/// The kinds of body that a call of this API takes.
struct Bodies<T>(PhantomData<T>);

impl<T: ToSchema> Bodies<T> {
    const ALL: &'static [(&'static str, Shape)] = &[(FORM, of::<T>), (FORM_IN_PARTS, of::<T>), (JSON, of::<T>)];
}

const fn any_body<T: ToSchema>() -> &'static [(&'static str, Shape)] {
    Bodies::<T>::ALL
}

const fn call(path: &'static str, does: &'static str, gives: Shape, takes: &'static [(&'static str, Shape)]) -> Call {
    Call::new("POST", path, does, Gives::Bare(gives)).takes(takes).by(Who::LinkMerchant).refused_with(of::<LinkRefused>)
}

shapes! {
    /// A link that is to be made.
    NewLink {
        /// Euros: `"100.00"` or a number.
        #[schema(example = "100.00")] amount: String,
        recipient_note: Option<String>,
        #[schema(rename = "paymentEndpoint")] payment_endpoint: Option<String>,
        callback_url: Option<String>,
    }
    /// A link whose payment is shared.
    NewSplitLink {
        #[schema(example = "100.00")] amount: String,
        recipient_note: Option<String>,
        /// `[{"token": "…", "share": 50}]`, in a form as a text. Shares are percentages with at most two decimals.
        recipients: Value,
    }
    /// Which link.
    NamedLink { link_id: u64 }
    /// What is to be given back; without an amount all that is left.
    NewLinkRefund { pay_id: u64, #[schema(example = "10.00")] amount: Option<String> }
    /// Which items of a list: behind a number, so many.
    Listed { since: Option<String>, limit: Option<u32> }
    /// The same, or those of a day.
    Searched { since: Option<String>, date: Option<String>, limit: Option<u32>, pay_id: Option<u64> }
    /// A payment link.
    PaymentLink {
        user_id: String,
        amount: String,
        recipient_note: String,
        status: String,
        #[schema(rename = "paymentEndpoint")] payment_endpoint: String,
        callback_url: String,
        service_fee: String,
        recipient: Option<String>,
        created_at: String,
        id: u64,
        pay_link: String,
        qr_img: String,
        transaction_type: String,
    }
    /// A payment of a link.
    PayIn {
        id: u64,
        user_id: String,
        amount: Value,
        recipient_note: String,
        status: String,
        #[schema(rename = "paymentEndpoint")] payment_endpoint: String,
        pay_link: String,
        qr_img: String,
        created_at: String,
        paid_at: String,
        refunded_amount: Value,
        transaction_id: String,
        transaction_type: String,
    }
    /// What of a day's payments went to the merchant.
    Payout {
        payout_id: String,
        user_id: String,
        transaction_id: String,
        payout_amount: String,
        service_fee: Value,
        net_amount: Value,
        #[schema(pattern = "^(InProgress|Paid)$")] payout_status: String,
        request_date: String,
        created_at: String,
    }
    /// A month's service fees.
    LinkFeeInvoice {
        invoice_id: String,
        invoice_number: String,
        user_id: String,
        month: String,
        service_fee: Value,
        currency: String,
        payments: u64,
        status: String,
        created_at: String,
    }
    /// One link.
    LinkAnswer {
        data: PaymentLink,
        #[schema(rename = "ResponseCode")] response_code: u8,
        #[schema(rename = "ResponseMsg")] response_msg: String,
        #[schema(rename = "Result")] result: String,
        #[schema(rename = "ServerTime")] server_time: String,
    }
    /// A refund and the payment as it is after it.
    RefundAnswer {
        data: Value,
        #[schema(rename = "ResponseCode")] response_code: u8,
        #[schema(rename = "ResponseMsg")] response_msg: String,
        #[schema(rename = "Result")] result: String,
        #[schema(rename = "ServerTime")] server_time: String,
    }
    /// Links.
    LinkList {
        data: Vec<PaymentLink>,
        #[schema(rename = "totalRecords")] total_records: u64,
        #[schema(rename = "ResponseCode")] response_code: u8,
        #[schema(rename = "ResponseMsg")] response_msg: String,
        #[schema(rename = "Result")] result: String,
        #[schema(rename = "ServerTime")] server_time: String,
    }
    /// Payments.
    PayInList {
        data: Vec<PayIn>,
        #[schema(rename = "totalRecords")] total_records: u64,
        #[schema(rename = "ResponseCode")] response_code: u8,
        #[schema(rename = "ResponseMsg")] response_msg: String,
        #[schema(rename = "Result")] result: String,
        #[schema(rename = "ServerTime")] server_time: String,
    }
    /// Payouts.
    PayoutList {
        data: Vec<Payout>,
        #[schema(rename = "totalRecords")] total_records: u64,
        #[schema(rename = "ResponseCode")] response_code: u8,
        #[schema(rename = "ResponseMsg")] response_msg: String,
        #[schema(rename = "Result")] result: String,
        #[schema(rename = "ServerTime")] server_time: String,
    }
    /// Fee invoices.
    FeeInvoiceList {
        data: Vec<LinkFeeInvoice>,
        #[schema(rename = "totalRecords")] total_records: u64,
        #[schema(rename = "ResponseCode")] response_code: u8,
        #[schema(rename = "ResponseMsg")] response_msg: String,
        #[schema(rename = "Result")] result: String,
        #[schema(rename = "ServerTime")] server_time: String,
    }
    /// The books, minor units.
    Books { currency: String, unbalanced_postings: u64, accounts: Vec<BookAccounts> }
    /// A merchant's accounts, credits positive.
    BookAccounts { merchant_id: String, shoppers: i64, balance: i64, fees: i64, in_transit: i64, paid_out: i64 }
    /// What went wrong.
    LinkRefused {
        data: Option<Value>,
        #[schema(rename = "ResponseCode")] response_code: u8,
        #[schema(rename = "ResponseMsg")] response_msg: String,
        #[schema(rename = "Result")] result: String,
        #[schema(rename = "ServerTime")] server_time: String,
        error: String,
        #[schema(rename = "errorMessage")] error_message: String,
    }
}
