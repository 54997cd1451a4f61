//! `response_body`: what the processor said, one object for each means of payment, as the gateway document's samples show it.

use super::transaction::{Outcome, Shown, created, was_made};
use crate::rest::json::Writer;
use protocol::calendar::Micros;
use protocol::card::{Expiry, last_digits};
use protocol::facts;
use protocol::id::Xid;
use protocol::tail::tag;
use protocol::words::{Brand, PaymentMethod};

/// Digits between the first and the last four of a card number of sixteen, and of one of American Express.
const HIDDEN_DIGITS: usize = 8;
const HIDDEN_DIGITS_AMEX: usize = 7;

impl<'a> Shown<'a> {
    pub(super) fn write_response(&self, out: &mut Writer, outcome: &Outcome<'a>) {
        match self.transaction.payment_method() {
            PaymentMethod::Card => out.object("card", |out| self.write_card(out, outcome)),
            PaymentMethod::Ach => out.object("ach", |out| self.write_account(out, outcome)),
            PaymentMethod::Terminal => out.object("terminal", |out| self.write_terminal(out, outcome)),
        }
    }

    fn write_card(&self, out: &mut Writer, outcome: &Outcome<'a>) {
        let transaction = self.transaction;
        let exchange = outcome.exchange;
        out.id("id", &transaction.id.sibling(Xid::CARD_RESPONSE));
        out.word("card_type", transaction.brand().word());
        out.padded("first_six", transaction.first_six.get(), 6);
        out.word("last_four", &last_digits(transaction.last_four.get(), transaction.pan_digits));
        out.word("masked_card", &transaction.masked_card());
        self.write_expiry(out);
        out.word("entry_type", transaction.entry_type().word());
        self.write_verdict(out, outcome);
        out.text("auth_code", exchange.auth_code());
        out.text("processor_response_code", exchange.processor_code());
        out.text("processor_response_text", self.response_text(outcome));
        self.write_processor_of_response(out);
        // The address verification of a request that made no exchange was not done either.
        out.text("avs_response_code", letter(&[exchange.avs], "0"));
        out.text("cvv_response_code", letter(&[exchange.cvv], ""));
        out.object("processor_specific", |out| self.write_rrn(out));
        self.write_response_moments(out, outcome);
    }

    fn write_account(&self, out: &mut Writer, outcome: &Outcome<'a>) {
        let sent = &self.sent;
        out.id("id", &self.transaction.id.sibling(Xid::CARD_RESPONSE));
        out.sent_text("sec_code", sent.bytes(tag::SEC_CODE));
        out.sent_text("account_type", sent.bytes(tag::ACCOUNT_TYPE));
        out.sent_text("masked_account_number", sent.bytes(tag::MASKED_ACCOUNT));
        out.sent_text("routing_number", sent.bytes(tag::ROUTING_NUMBER));
        out.sent_text("check_number", sent.bytes(tag::CHECK_NUMBER));
        out.text("auth_code", self.auth_code(outcome));
        self.write_verdict(out, outcome);
        out.text("processor_response_code", outcome.exchange.processor_code().trim_end());
        out.text("processor_response_text", self.response_text(outcome));
        self.write_processor_of_response(out);
        out.object("processor_specific", |out| {
            out.texts("result_codes", facts::items(sent.bytes(tag::RESULT_CODES)));
            out.texts("type_codes", facts::items(sent.bytes(tag::TYPE_CODES)));
            self.write_rrn(out);
        });
        self.write_return(out);
        self.write_response_moments(out, outcome);
    }

    /// What the bank has said since: an entry sent back, or data that should be different next time.
    fn write_return(&self, out: &mut Writer) {
        let sent = &self.sent;
        out.sent_text("return_code", sent.bytes(tag::RETURN_CODE));
        out.sent_text("return_text", sent.bytes(tag::RETURN_TEXT));
        let returned_at = sent.number(tag::RETURNED_AT);
        out.moment("returned_at", i64::try_from(returned_at).map_or(Micros::NONE, Micros));
        out.sent_text("change_code", sent.bytes(tag::CHANGE_CODE));
    }

    fn write_terminal(&self, out: &mut Writer, outcome: &Outcome<'a>) {
        let sent = &self.sent;
        out.id("id", &self.transaction.id.sibling(Xid::CARD_RESPONSE));
        out.sent_text("terminal_id", sent.bytes(tag::TERMINAL_ID));
        out.sent_text("card_type", sent.bytes(tag::CARD_TYPE));
        out.sent_text("payment_type", sent.bytes(tag::PAYMENT_TYPE));
        out.sent_text("entry_type", sent.bytes(tag::ENTRY_TYPE_TEXT));
        out.sent_text("first_four", sent.bytes(tag::FIRST_FOUR));
        out.sent_text("last_four", sent.bytes(tag::LAST_FOUR));
        out.text("masked_card", &self.masked_at_terminal());
        self.write_expiry(out);
        out.sent_text("cardholder_name", sent.bytes(tag::CARDHOLDER_NAME));
        out.text("auth_code", self.auth_code(outcome));
        self.write_verdict(out, outcome);
        out.text("processor_response_code", outcome.exchange.processor_code().trim_end());
        out.text("processor_response_text", self.response_text(outcome).trim_end());
        self.write_processor_of_response(out);
        out.object("processor_specific", |out| {
            for (name, value) in facts::pairs(sent.bytes(tag::PROCESSOR_FIELDS)) {
                out.named_text(name, value);
            }
            self.write_rrn(out);
        });
        for (name, tag) in [
            ("emv_aid", tag::EMV_AID),
            ("emv_app_name", tag::EMV_APP_NAME),
            ("emv_tvr", tag::EMV_TVR),
            ("emv_tsi", tag::EMV_TSI),
            ("signature_data", tag::SIGNATURE_DATA),
        ] {
            out.sent_text(name, sent.bytes(tag));
        }
        self.write_response_moments(out, outcome);
    }

    fn write_verdict(&self, out: &mut Writer, outcome: &Outcome<'a>) {
        out.word("status", outcome.code.word());
        out.word("response", outcome.code.word());
        out.number("response_code", outcome.code.0.into());
    }

    fn write_processor_of_response(&self, out: &mut Writer) {
        out.word("processor_type", self.processor_type());
        out.id("processor_id", &self.processor_id());
    }

    fn write_rrn(&self, out: &mut Writer) {
        if self.transaction.rrn != [0; 12] {
            out.sent_text("rrn", &self.transaction.rrn);
        }
    }

    fn write_response_moments(&self, out: &mut Writer, outcome: &Outcome<'a>) {
        let (transaction, exchange) = (self.transaction, outcome.exchange);
        out.moment("created_at", if was_made(exchange) { exchange.sent_at() } else { created(transaction) });
        out.moment("updated_at", transaction.updated_at());
    }

    fn write_expiry(&self, out: &mut Writer) {
        let expiry = Expiry::from_yymm(self.transaction.expiry.get()).map(Expiry::to_text);
        out.sent_text("expiration_date", expiry.as_ref().map_or(&[], |text| text));
    }

    fn masked_at_terminal(&self) -> String {
        let (first, last) = (self.sent.text(tag::FIRST_FOUR), self.sent.text(tag::LAST_FOUR));
        if first.is_empty() && last.is_empty() {
            return String::new();
        }
        let hidden = if self.transaction.brand() == Brand::Amex { HIDDEN_DIGITS_AMEX } else { HIDDEN_DIGITS };
        format!("{first}{}{last}", "*".repeat(hidden))
    }

    /// The processor's authorization code, the whole of one that is longer than ISO 8583's six characters.
    fn auth_code(&self, outcome: &Outcome<'a>) -> &'a str {
        longer(self.sent.text(tag::AUTH_CODE_TEXT), outcome.exchange.auth_code())
    }

    /// The processor's text; where no request was made, the definition of the gateway's own decline.
    fn response_text(&self, outcome: &Outcome<'a>) -> &'a str {
        if was_made(outcome.exchange) {
            longer(self.sent.text(tag::PROCESSOR_TEXT), outcome.exchange.text())
        } else {
            outcome.code.text()
        }
    }
}

/// The whole text where it goes on from what an exchange has room for; else it is another exchange's.
fn longer<'a>(whole: &'a str, beginning: &'a str) -> &'a str {
    if !beginning.is_empty() && whole.starts_with(beginning) { whole } else { beginning }
}

/// A one-letter result; a zero byte means that nothing was checked.
fn letter<'a>(byte: &'a [u8; 1], absent: &'a str) -> &'a str {
    match byte {
        [0] | [b' '] => absent,
        letter => std::str::from_utf8(letter).unwrap_or(absent),
    }
}
