//! From a transaction to the bytes of its request.

use crate::connectors::exchange::HttpRequest;
use crate::input::Leg;
use crate::output::{Request, Subject};
use crate::rrn_of;
use protocol::batch::Batch;
use protocol::money::Currency;
use protocol::secret::Cvv;
use protocol::tail::{Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::Verb;
use protocol::xml::Writer;
use zeroize::Zeroizing;

/// Where requests go.
pub const PATH: &str = "/spin/cgi.html";
/// Longest invoice number that is sent, in characters.
const INVOICE_MAX_CHARACTERS: usize = 50;

/// A terminal and the register that it answers to.
#[derive(Clone, PartialEq, Eq)]
pub struct Register {
    /// Number of the register, 1 to 8 letters and digits: one for all terminals of a merchant.
    pub id: String,
    /// What proves it.
    pub auth_key: Zeroizing<String>,
    /// Terminal profile number.
    pub tpn: String,
}

impl core::fmt::Debug for Register {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Register").field("id", &self.id).field("tpn", &self.tpn).finish_non_exhaustive()
    }
}

/// A request with all that it needs.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// What the shard asks to send.
    pub request: Request<'a>,
    /// The terminal; for totals any of the merchant's.
    pub register: &'a Register,
    /// The verification value, when one came with the request.
    pub cvv: Option<&'a Cvv>,
}

/// Why a request can't be written. Nothing of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritable {
    /// A terminal does not do this.
    Verb(Verb),
    /// The retrieval reference number is none.
    NoReference,
}

impl core::fmt::Display for Unwritable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Unwritable::Verb(verb) => write!(f, "no {} at a terminal", verb.word()),
            Unwritable::NoReference => f.write_str("a transaction without its retrieval reference number"),
        }
    }
}

/// What all requests of one exchange have in common.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub register: Register,
    /// `RefId`.
    pub reference: String,
    pub currency: Currency,
}

impl Header {
    /// Of a request about a transaction, or about a batch.
    pub fn of(outgoing: &Outgoing<'_>) -> Result<Header, Unwritable> {
        let (reference, currency) = match outgoing.request.subject {
            Subject::Transaction(transaction, _) => (transaction.rrn().to_owned(), transaction.currency()),
            Subject::Batch(batch) => {
                let currency = Currency::from_numeric(batch.currency.get()).unwrap_or(Currency::USD);
                // A repeat carries the same trace number, a try under the next number another one.
                (format!("{:06}{:06}", batch.number.get(), outgoing.request.sent.stan), currency)
            }
        };
        let is_reference = reference.len() == 12 && reference.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_reference.then(|| Header { register: outgoing.register.clone(), reference, currency }).ok_or(Unwritable::NoReference)
    }

    /// A question or a command that needs nothing else.
    pub fn bare(&self, trans_type: &str) -> HttpRequest {
        self.request(trans_type, |_| {})
    }

    /// Takes the transaction back.
    pub fn void(&self, leg: Leg) -> HttpRequest {
        self.request("Void", |xml| {
            if leg == Leg::Reversal {
                xml.element("VoidReason", "Timeout");
            }
        })
    }

    /// Takes what was put aside.
    pub fn capture(&self, minor: u64, batch: u32) -> HttpRequest {
        self.request("Capture", |xml| {
            xml.element("Amount", &self.currency.major(minor));
            self.write_booking(xml, batch);
        })
    }

    /// The request that makes a transaction.
    pub fn payment(&self, transaction: &Transaction, tail: Tail<'_>, cvv: Option<&Cvv>) -> Result<HttpRequest, Unwritable> {
        let trans_type = match transaction.verb() {
            Verb::Sale => "Sale",
            Verb::Authorize => "Auth",
            Verb::Credit | Verb::Refund => "Return",
            verb @ (Verb::Verification | Verb::Capture | Verb::Void) => return Err(Unwritable::Verb(verb)),
        };
        Ok(self.request(trans_type, |xml| {
            xml.element("PaymentType", "Card").element("Amount", &self.currency.major(transaction.amount.get()));
            xml.element("Tip", &self.currency.major(0)).element("InvNum", &invoice(tail));
            xml.element("PrintReceipt", print_receipt(tail.text(tag::PRINT_RECEIPT)));
            xml.element("SigCapture", if tail.flag(tag::SIGNATURE_REQUIRED) { "Yes" } else { "No" });
            if transaction.expiry.get() != 0 {
                let (year, month) = (transaction.expiry.get() / 100, transaction.expiry.get() % 100);
                xml.element("ExpDate", &format!("{month:02}{year:02}"));
            }
            if let Some(cvv) = cvv {
                xml.element("CVV", cvv.expose());
            }
            if !transaction.parent.is_none() {
                let sale = rrn_of(transaction.parent);
                xml.element("OriginalRefId", core::str::from_utf8(&sale).unwrap_or(""));
            }
            self.write_booking(xml, transaction.batch_number.get());
        }))
    }

    /// A batch's totals.
    pub fn settle(&self, batch: &Batch) -> HttpRequest {
        self.request("Settle", |xml| {
            xml.element("Param", "Close").element("MembersBatchNum", &batch.members_number.get().to_string());
            xml.element("DebitCount", &batch.capture_count.get().to_string());
            xml.element("DebitAmount", &self.currency.major(batch.captured.get()));
            xml.element("CreditCount", &batch.credit_count.get().to_string());
            xml.element("CreditAmount", &self.currency.major(batch.credited.get()));
            self.write_booking(xml, batch.number.get());
        })
    }

    fn write_booking(&self, xml: &mut Writer<'_>, batch: u32) {
        xml.element("CurrencyCode", &format!("{:03}", self.currency.numeric()));
        if batch != 0 {
            xml.element("BatchNum", &batch.to_string());
        }
    }

    fn request(&self, trans_type: &str, fields: impl FnOnce(&mut Writer<'_>)) -> HttpRequest {
        // Roomy, so that no copy of a key is left behind by growing.
        let mut plain = Zeroizing::new(Vec::with_capacity(2048));
        let mut xml = Writer::new(&mut plain);
        xml.open("request", &[]).element("TransType", trans_type);
        xml.element("RefId", &self.reference).element("RegisterId", &self.register.id).element("TPN", &self.register.tpn);
        xml.element("AuthKey", &self.register.auth_key);
        fields(&mut xml);
        xml.close("request");
        HttpRequest {
            path: PATH.to_owned(),
            content_type: "application/x-www-form-urlencoded",
            soap_action: None,
            body: form_field("TerminalTransaction", &plain),
        }
    }
}

/// The merchant's order number; a terminal has room for so much of it.
fn invoice(tail: Tail<'_>) -> String {
    tail.text(tag::ORDER_ID).chars().take(INVOICE_MAX_CHARACTERS).collect()
}

/// `No`, unless the request says otherwise.
fn print_receipt(word: &str) -> &'static str {
    match word {
        "customer" => "Customer",
        "merchant" => "Merchant",
        "both" => "Both",
        _ => "No",
    }
}

/// A form of one field, percent-encoded.
fn form_field(name: &str, value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut form = Zeroizing::new(Vec::with_capacity(name.len() + 1 + 3 * value.len()));
    form.extend_from_slice(name.as_bytes());
    form.push(b'=');
    for &byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            form.push(byte);
        } else {
            let digit = |half: u8| b"0123456789ABCDEF"[usize::from(half & 15)];
            form.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte)]);
        }
    }
    form
}
