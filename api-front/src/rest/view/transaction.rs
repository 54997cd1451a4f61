//! A transaction as the gateway document shows it: the union of the fields of all its samples, and fields of ours.
//!
//! An answer is rendered from the version that answered and is never changed: a replay years of versions later renders
//! the same version, verb and settings, and so the same bytes.

use super::{SUCCESS, SUCCESS_NULL};
use crate::rest::json::Writer;
use crate::rest::request::ADDRESSES;
use crate::switch::directory::{Compat, Processor, ProcessorTable};
use protocol::calendar::Micros;
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
const TAGS: usize = tag::RETURN_TEXT as usize + 1;

/// A version and all that its rendering depends on.
pub(crate) struct Shown<'a> {
    pub(super) transaction: &'a Transaction,
    pub(super) sent: Sent<'a>,
    verb: Verb,
    compat: Compat,
    processor: Option<&'a Processor>,
}

/// What an operation came to: the code, and the exchange whose words belong to it.
pub(super) struct Outcome<'a> {
    pub(super) code: ResponseCode,
    pub(super) exchange: &'a Exchange,
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

    /// The transaction alone, a JSON object.
    pub(crate) fn object(&self) -> Vec<u8> {
        let mut out = Writer::starting("", USUAL_BYTES);
        self.write(&mut out);
        out.finish()
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
        out.object("response_body", |out| self.write_response(out, &outcome));
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
        out.sent_text("user_id", self.sent.bytes(tag::USER_ID));
        out.sent_text("user_name", self.sent.bytes(tag::USER_NAME));
        out.sent_text("idempotency_key", self.sent.bytes(tag::IDEMPOTENCY_KEY));
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

    pub(super) fn processor_id(&self) -> Xid {
        self.processor.map_or(Xid::NONE, |processor| processor.id)
    }

    pub(super) fn processor_type(&self) -> &'static str {
        self.processor.map_or("", |processor| processor.kind.word())
    }

    fn write_order(&self, out: &mut Writer) {
        let sent = &self.sent;
        out.number("tax_amount", sent.number(tag::TAX_AMOUNT));
        out.flag("tax_exempt", sent.flag(tag::TAX_EXEMPT));
        out.number("shipping_amount", sent.number(tag::SHIPPING_AMOUNT));
        out.number("surcharge", sent.number(tag::SURCHARGE));
        out.number("discount_amount", sent.number(tag::DISCOUNT_AMOUNT));
        out.sent_text("payment_adjustment_type", sent.bytes(tag::PAYMENT_ADJUSTMENT_TYPE));
        out.number("payment_adjustment_value", sent.number(tag::PAYMENT_ADJUSTMENT_VALUE));
        out.word("currency", lower(&mut [0; 3], self.transaction.currency().code()));
        out.sent_text("description", sent.bytes(tag::DESCRIPTION));
        out.sent_text("order_id", sent.bytes(tag::ORDER_ID));
        out.sent_text("po_number", sent.bytes(tag::PO_NUMBER));
        out.sent_text("ip_address", sent.bytes(tag::IP_ADDRESS));
        out.word("transaction_source", self.transaction.source().word());
        out.flag("email_receipt", sent.flag(tag::EMAIL_RECEIPT));
        out.sent_text("email_address", sent.bytes(tag::EMAIL_ADDRESS));
        self.write_customer(out);
        out.id("referenced_transaction_id", &self.transaction.parent);
    }

    /// The vault's customer. A record that this payment made is known by the payment's own id.
    fn write_customer(&self, out: &mut Writer) {
        if self.makes_vault_record() {
            out.id("customer_id", &self.transaction.id);
        } else {
            out.sent_text("customer_id", self.sent.bytes(tag::CUSTOMER_ID));
        }
    }

    fn makes_vault_record(&self) -> bool {
        let sent = &self.sent;
        let has_instrument = [tag::SEALED_CARD, tag::SEALED_ACCOUNT].iter().any(|tag| !sent.bytes(*tag).is_empty());
        let approved = self.transaction.response_code().category() == Category::Approval;
        let is_new = sent.flag(tag::CREATE_VAULT_RECORD) && sent.text(tag::CUSTOMER_ID).is_empty();
        is_new && has_instrument && approved && self.transaction.verb() != Verb::Refund
    }

    fn write_addresses(&self, out: &mut Writer) {
        for (name, _, first_tag) in ADDRESSES {
            out.object(name, |out| {
                for (field, tag) in ADDRESS_FIELDS.iter().zip(first_tag..) {
                    out.sent_text(field, self.sent.bytes(tag));
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
        out.sent_text("vendor_id", sent.bytes(tag::VENDOR_ID));
        out.sent_text("group_name", sent.bytes(tag::GROUP_NAME));
        out.sent_text("card_on_file_indicator", sent.bytes(tag::CARD_ON_FILE_INDICATOR));
        out.sent_text("initiated_by", sent.bytes(tag::INITIATED_BY));
        out.sent_text("initial_transaction_id", sent.bytes(tag::INITIAL_TRANSACTION_ID));
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
pub(super) fn was_made(exchange: &Exchange) -> bool {
    exchange.stan.get() != 0
}

pub(super) fn created(transaction: &Transaction) -> Micros {
    Micros(transaction.created_at.get())
}

fn lower<'a>(buffer: &'a mut [u8; 3], code: &str) -> &'a str {
    buffer.iter_mut().zip(code.bytes()).for_each(|(place, letter)| *place = letter.to_ascii_lowercase());
    std::str::from_utf8(buffer).unwrap_or("")
}

/// The fields of a tail by tag: the tail is walked once, not once for each of sixty fields.
pub(super) struct Sent<'a>([&'a [u8]; TAGS]);

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

    pub(super) fn bytes(&self, tag: u16) -> &'a [u8] {
        self.0[usize::from(tag)]
    }

    pub(super) fn text(&self, tag: u16) -> &'a str {
        // Most of sixty fields are not there.
        match self.0[usize::from(tag)] {
            [] => "",
            bytes => std::str::from_utf8(bytes).unwrap_or(""),
        }
    }

    pub(super) fn number(&self, tag: u16) -> u64 {
        self.0[usize::from(tag)].try_into().map_or(0, u64::from_le_bytes)
    }

    pub(super) fn flag(&self, tag: u16) -> bool {
        self.0[usize::from(tag)] == [1]
    }
}
