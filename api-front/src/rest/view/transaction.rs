//! A transaction as the gateway document shows it: the union of the fields of all its samples, and fields of ours.
//!
//! An answer is rendered from the version that answered and is never changed: a replay years of versions later renders
//! the same version, verb and settings, and so the same bytes.

use super::{SUCCESS, SUCCESS_NULL};
use crate::rest::json::Writer;
use crate::rest::request::ADDRESSES;
use crate::switch::directory::{Compat, Processor, ProcessorTable};
use protocol::calendar::Micros;
use protocol::card::{Expiry, last_digits};
use protocol::command::flag;
use protocol::exchange::Exchange;
use protocol::id::Xid;
use protocol::response_code::{Category, ResponseCode};
use protocol::tail::{ADDRESS_FIELDS, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, Status, Verb};

/// Bytes that a rendered transaction without long texts fits in.
const USUAL_BYTES: usize = 3 * 1024;
/// One above the highest tag that is shown.
const TAGS: usize = tag::SHIPPING as usize + ADDRESS_FIELDS.len();

/// A version and all that its rendering depends on.
pub(crate) struct Shown<'a> {
    transaction: &'a Transaction,
    sent: Sent<'a>,
    verb: Verb,
    compat: Compat,
    processor: Option<&'a Processor>,
}

/// What an operation came to: the code, and the exchange whose words belong to it.
struct Outcome<'a> {
    code: ResponseCode,
    exchange: &'a Exchange,
}

impl<'a> Shown<'a> {
    /// The version that answers `verb`.
    pub(crate) fn answer(
        transaction: &'a Transaction,
        tail: Tail<'a>,
        verb: Verb,
        compat: Compat,
        processors: &'a ProcessorTable,
    ) -> Shown<'a> {
        let processor = processors.by_index(transaction.processor.get());
        Shown { transaction, sent: Sent::of(tail), verb, compat, processor }
    }

    /// The present, for whoever reads it.
    pub(crate) fn present(
        transaction: &'a Transaction,
        tail: Tail<'a>,
        compat: Compat,
        processors: &'a ProcessorTable,
    ) -> Shown<'a> {
        Shown::answer(transaction, tail, transaction.verb(), compat, processors)
    }

    /// The body of the answer. `represent`: the client prefers the transaction where the document shows `null`.
    pub(crate) fn body(&self, represent: bool) -> Vec<u8> {
        let terse = match self.verb {
            Verb::Capture | Verb::Void | Verb::Refund => !(represent || self.compat.live) && self.is_approved(),
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => false,
        };
        if terse {
            return SUCCESS_NULL.into();
        }
        let mut out = Writer::starting(SUCCESS, USUAL_BYTES);
        self.write(&mut out);
        out.verbatim("}");
        out.finish()
    }

    fn is_approved(&self) -> bool {
        self.outcome().code.category() == Category::Approval
    }

    /// A capture or void is answered by its own exchange; its approval keeps the words of the authorization, for its own
    /// has no authorization code.
    fn outcome(&self) -> Outcome<'a> {
        let transaction = self.transaction;
        match self.verb {
            Verb::Capture | Verb::Void => step_outcome(transaction),
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification | Verb::Refund => {
                let pending = transaction.status() == Status::Pending;
                let code = if pending { ResponseCode::UNKNOWN } else { transaction.response_code() };
                Outcome { code, exchange: &transaction.original }
            }
        }
    }

    fn write(&self, out: &mut Writer) {
        let outcome = self.outcome();
        out.verbatim("{");
        self.write_identity(out);
        self.write_amounts(out);
        self.write_processor(out);
        self.write_order(out);
        out.object("response_body", |out| out.object("card", |out| self.write_card(out, &outcome)));
        out.word("status", self.transaction.status().word());
        out.word("response", outcome.code.word());
        out.number("response_code", outcome.code.0.into());
        self.write_addresses(out);
        self.write_moments(out);
        self.write_extras(out);
        out.verbatim("}");
    }

    fn write_identity(&self, out: &mut Writer) {
        out.id("id", &self.transaction.id);
        out.text("user_id", self.sent.text(tag::USER_ID));
        out.text("user_name", self.sent.text(tag::USER_NAME));
        out.text("idempotency_key", self.sent.text(tag::IDEMPOTENCY_KEY));
        out.number("idempotency_time", self.sent.number(tag::IDEMPOTENCY_TIME));
        let voided = self.compat.live && self.verb == Verb::Void;
        out.word("type", if voided { Verb::Void.word() } else { self.transaction.verb().word() });
    }

    fn write_amounts(&self, out: &mut Writer) {
        let transaction = self.transaction;
        out.number("amount", transaction.amount.get());
        out.number("base_amount", self.sent.number(tag::BASE_AMOUNT));
        out.number("amount_authorized", transaction.amount_authorized.get());
        out.number("amount_captured", transaction.amount_captured.get());
        out.number("amount_settled", transaction.amount_settled.get());
        out.number("amount_refunded", transaction.amount_refunded.get());
        out.number("tip_amount", self.sent.number(tag::TIP_AMOUNT));
    }

    fn write_processor(&self, out: &mut Writer) {
        out.id("processor_id", &self.processor_id());
        out.word("processor_type", self.processor_type());
        out.text("processor_name", self.processor.map_or("", |processor| &processor.name));
        out.word("payment_method", self.transaction.payment_method().word());
        out.word("payment_type", self.transaction.payment_method().word());
    }

    fn processor_id(&self) -> Xid {
        self.processor.map_or(Xid::NONE, |processor| processor.id)
    }

    fn processor_type(&self) -> &'static str {
        self.processor.map_or("", |processor| processor.kind.word())
    }

    fn write_order(&self, out: &mut Writer) {
        let sent = &self.sent;
        out.number("tax_amount", sent.number(tag::TAX_AMOUNT));
        out.flag("tax_exempt", sent.flag(tag::TAX_EXEMPT));
        out.number("shipping_amount", sent.number(tag::SHIPPING_AMOUNT));
        out.number("surcharge", sent.number(tag::SURCHARGE));
        out.number("discount_amount", sent.number(tag::DISCOUNT_AMOUNT));
        out.text("payment_adjustment_type", sent.text(tag::PAYMENT_ADJUSTMENT_TYPE));
        out.number("payment_adjustment_value", sent.number(tag::PAYMENT_ADJUSTMENT_VALUE));
        out.word("currency", lower(&mut [0; 3], self.transaction.currency().code()));
        out.text("description", sent.text(tag::DESCRIPTION));
        out.text("order_id", sent.text(tag::ORDER_ID));
        out.text("po_number", sent.text(tag::PO_NUMBER));
        out.text("ip_address", sent.text(tag::IP_ADDRESS));
        out.word("transaction_source", self.transaction.source().word());
        out.flag("email_receipt", sent.flag(tag::EMAIL_RECEIPT));
        out.text("email_address", sent.text(tag::EMAIL_ADDRESS));
        out.text("customer_id", sent.text(tag::CUSTOMER_ID));
        out.id("referenced_transaction_id", &self.transaction.parent);
    }

    fn write_card(&self, out: &mut Writer, outcome: &Outcome<'_>) {
        let transaction = self.transaction;
        let exchange = outcome.exchange;
        out.id("id", &transaction.id.sibling(Xid::CARD_RESPONSE));
        out.word("card_type", transaction.brand().word());
        out.word("first_six", &format!("{:06}", transaction.first_six.get()));
        out.word("last_four", &last_digits(transaction.last_four.get(), transaction.pan_digits));
        out.word("masked_card", &transaction.masked_card());
        let expiry = Expiry::from_yymm(transaction.expiry.get());
        out.word("expiration_date", &expiry.map(|expiry| expiry.to_string()).unwrap_or_default());
        out.word("entry_type", transaction.entry_type().word());
        out.word("status", outcome.code.word());
        out.word("response", outcome.code.word());
        out.number("response_code", outcome.code.0.into());
        out.text("auth_code", exchange.auth_code());
        out.text("processor_response_code", exchange.processor_code());
        out.text("processor_response_text", self.response_text(outcome));
        out.word("processor_type", self.processor_type());
        out.id("processor_id", &self.processor_id());
        // The address verification of a request that made no exchange was not done either.
        out.text("avs_response_code", letter(&[exchange.avs], "0"));
        out.text("cvv_response_code", letter(&[exchange.cvv], ""));
        out.object("processor_specific", |out| {
            if transaction.rrn != [0; 12] {
                out.text("rrn", transaction.rrn());
            }
        });
        out.moment("created_at", if was_made(exchange) { exchange.sent_at() } else { created(transaction) });
        out.moment("updated_at", transaction.updated_at());
    }

    /// The processor's text; where no request was made, the definition of the gateway's own decline.
    fn response_text(&self, outcome: &Outcome<'a>) -> &'a str {
        if was_made(outcome.exchange) { outcome.exchange.text() } else { outcome.code.text() }
    }

    fn write_addresses(&self, out: &mut Writer) {
        for (name, _, first_tag) in ADDRESSES {
            out.object(name, |out| {
                for (field, tag) in ADDRESS_FIELDS.iter().zip(first_tag..) {
                    out.text(field, self.sent.text(tag));
                }
            });
        }
    }

    fn write_moments(&self, out: &mut Writer) {
        let transaction = self.transaction;
        out.moment("created_at", created(transaction));
        out.moment("updated_at", transaction.updated_at());
        out.moment("captured_at", Micros(transaction.captured_at.get()));
        out.moment("settled_at", Micros(transaction.settled_at.get()));
    }

    /// Fields that no sample of the document shows: some are in use by its clients, some are ours.
    fn write_extras(&self, out: &mut Writer) {
        let (transaction, sent) = (self.transaction, &self.sent);
        out.id("settlement_batch_id", &transaction.batch);
        if !transaction.duplicate_of.is_none() {
            out.id("duplicate_of", &transaction.duplicate_of);
        }
        out.flag("allow_partial_payment", transaction.has(flag::ALLOW_PARTIAL));
        out.flag("allow_duplicate", transaction.has(flag::ALLOW_DUPLICATE));
        out.flag("bypass_rule_engine", transaction.has(flag::BYPASS_RULES));
        out.flag("create_vault_record", sent.flag(tag::CREATE_VAULT_RECORD));
        out.text("vendor_id", sent.text(tag::VENDOR_ID));
        out.text("group_name", sent.text(tag::GROUP_NAME));
        out.text("card_on_file_indicator", sent.text(tag::CARD_ON_FILE_INDICATOR));
        out.text("initiated_by", sent.text(tag::INITIATED_BY));
        out.text("initial_transaction_id", sent.text(tag::INITIAL_TRANSACTION_ID));
        for (name, tag) in
            [("descriptor", tag::DESCRIPTOR), ("custom_fields", tag::CUSTOM_FIELDS), ("line_items", tag::LINE_ITEMS)]
        {
            let json = sent.text(tag);
            if !json.is_empty() {
                out.name(name);
                out.verbatim(json);
            }
        }
    }
}

/// A list of one transaction, as the document answers a query for one.
pub(crate) fn list<'a>(shown: impl ExactSizeIterator<Item = Shown<'a>>, total: u64) -> Vec<u8> {
    let mut out = Writer::starting(SUCCESS, USUAL_BYTES * shown.len().max(1));
    out.verbatim("[");
    for (position, shown) in shown.enumerate() {
        if position > 0 {
            out.verbatim(",");
        }
        shown.write(&mut out);
    }
    out.verbatim("]");
    out.number("total_count", total);
    out.number("count", total);
    out.verbatim("}");
    out.finish()
}

fn step_outcome(transaction: &Transaction) -> Outcome<'_> {
    let step = &transaction.step;
    match step.state() {
        ExchangeState::Approved => Outcome { code: ResponseCode::APPROVED, exchange: &transaction.original },
        ExchangeState::Declined => Outcome { code: step.response_code(), exchange: step },
        ExchangeState::Unknown | ExchangeState::NotSent => Outcome { code: ResponseCode::COMMUNICATION_ERROR, exchange: step },
        ExchangeState::None | ExchangeState::InFlight => Outcome { code: ResponseCode::UNKNOWN, exchange: step },
    }
}

/// False where the gateway decided without asking the processor.
fn was_made(exchange: &Exchange) -> bool {
    exchange.stan.get() != 0
}

fn created(transaction: &Transaction) -> Micros {
    Micros(transaction.created_at.get())
}

/// A one-letter result; a zero byte means that nothing was checked.
fn letter<'a>(byte: &'a [u8; 1], absent: &'a str) -> &'a str {
    match byte {
        [0] | [b' '] => absent,
        letter => std::str::from_utf8(letter).unwrap_or(absent),
    }
}

fn lower<'a>(buffer: &'a mut [u8; 3], code: &str) -> &'a str {
    buffer.iter_mut().zip(code.bytes()).for_each(|(place, letter)| *place = letter.to_ascii_lowercase());
    std::str::from_utf8(buffer).unwrap_or("")
}

/// The fields of a tail by tag: the tail is walked once, not once for each of sixty fields.
struct Sent<'a>([&'a [u8]; TAGS]);

impl<'a> Sent<'a> {
    fn of(tail: Tail<'a>) -> Sent<'a> {
        let mut fields: [&[u8]; TAGS] = [&[]; TAGS];
        for (tag, value) in tail.fields() {
            if let Some(place) = fields.get_mut(usize::from(tag)) {
                *place = value;
            }
        }
        Sent(fields)
    }

    fn text(&self, tag: u16) -> &'a str {
        std::str::from_utf8(self.0[usize::from(tag)]).unwrap_or("")
    }

    fn number(&self, tag: u16) -> u64 {
        self.0[usize::from(tag)].try_into().map_or(0, u64::from_le_bytes)
    }

    fn flag(&self, tag: u16) -> bool {
        self.0[usize::from(tag)] == [1]
    }
}
