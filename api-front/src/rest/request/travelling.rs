//! Fields that only travel: validated here, carried in the tail, shown again as sent. One table says all of them.

mod sent_as_tail;

pub use sent_as_tail::{WrongField, check_sent_tail};

use super::means::Named;
use super::{account, checks, terminal};
use crate::rest::json::Scope;
use crate::rest::limits::{
    ADDRESS_LINE_MAX_CHARS, DESCRIPTION_MAX_CHARS, EMAIL_MAX_CHARS, NAME_MAX_CHARS, ORDER_ID_MAX_CHARS, PHONE_MAX_CHARS,
    POSTAL_CODE_MAX_CHARS, WORD_MAX_CHARS,
};
use crate::rest::problem::Problem;
use protocol::tail::{self, ADDRESS_FIELDS, Tail, tag};

/// What a field may hold.
#[derive(Clone, Copy)]
enum Rule {
    /// A text of at most so many characters that passes a check; the words say what is accepted.
    Text { max_chars: usize, check: fn(&str) -> bool, accepts: &'static str },
    /// Minor units, or thousandths of a percent: an integer of at least zero.
    Amount,
    /// Yes or no.
    Flag,
    /// JSON that begins with one of these characters, kept as sent.
    Json { openers: &'static str, accepts: &'static str },
}

/// A field of a body and the tag under which it travels.
struct Field {
    name: &'static str,
    tag: u16,
    rule: Rule,
}

const fn field(name: &'static str, tag: u16, rule: Rule) -> Field {
    Field { name, tag, rule }
}

const DESCRIPTION: Rule =
    Rule::Text { max_chars: DESCRIPTION_MAX_CHARS, check: checks::lines, accepts: "text without control characters" };
const ORDER_NUMBER: Rule =
    Rule::Text { max_chars: ORDER_ID_MAX_CHARS, check: checks::printable, accepts: "printable characters" };
const IP_ADDRESS: Rule = Rule::Text { max_chars: 45, check: checks::ip_address, accepts: "an IPv4 or IPv6 address" };
const EMAIL: Rule =
    Rule::Text { max_chars: EMAIL_MAX_CHARS, check: checks::email, accepts: "an e-mail address such as user@example.com" };
const WORD: Rule = Rule::Text { max_chars: WORD_MAX_CHARS, check: checks::printable, accepts: "printable characters" };
const AUTHENTICATION: Rule =
    Rule::Text { max_chars: WORD_MAX_CHARS, check: checks::visible_ascii, accepts: "visible ASCII characters" };
const NAME: Rule = Rule::Text { max_chars: NAME_MAX_CHARS, check: checks::printable, accepts: "printable characters" };
const ADDRESS_LINE: Rule =
    Rule::Text { max_chars: ADDRESS_LINE_MAX_CHARS, check: checks::printable, accepts: "printable characters" };
const STATE: Rule = Rule::Text { max_chars: 2, check: checks::state, accepts: "two letters such as IL" };
const COUNTRY: Rule = Rule::Text { max_chars: 2, check: checks::country, accepts: "two letters of ISO 3166-1 such as US" };
const POSTAL_CODE: Rule = Rule::Text {
    max_chars: POSTAL_CODE_MAX_CHARS,
    check: checks::postal_code,
    accepts: "letters, digits, spaces and hyphens such as 60187",
};
const PHONE: Rule =
    Rule::Text { max_chars: PHONE_MAX_CHARS, check: checks::phone, accepts: "up to 15 digits with spaces, brackets and hyphens" };
const ADJUSTMENT_TYPE: Rule =
    Rule::Text { max_chars: 10, check: |word| matches!(word, "flat" | "percentage"), accepts: "\"flat\" or \"percentage\"" };

/// Tags below those of the idempotency key, which stands between.
const TEXTS: &[Field] = &[
    field("description", tag::DESCRIPTION, DESCRIPTION),
    field("order_id", tag::ORDER_ID, ORDER_NUMBER),
    field("po_number", tag::PO_NUMBER, ORDER_NUMBER),
    field("ip_address", tag::IP_ADDRESS, IP_ADDRESS),
    field("email_address", tag::EMAIL_ADDRESS, EMAIL),
    field("descriptor", tag::DESCRIPTOR, Rule::Json { openers: "\"{", accepts: "a text or an object" }),
    field("vendor_id", tag::VENDOR_ID, WORD),
    field("group_name", tag::GROUP_NAME, WORD),
    field("custom_fields", tag::CUSTOM_FIELDS, Rule::Json { openers: "{[", accepts: "an object or a list" }),
    field("line_items", tag::LINE_ITEMS, Rule::Json { openers: "[", accepts: "a list" }),
    field("card_on_file_indicator", tag::CARD_ON_FILE_INDICATOR, WORD),
    field("initiated_by", tag::INITIATED_BY, WORD),
    field("initial_transaction_id", tag::INITIAL_TRANSACTION_ID, WORD),
];
const ADJUSTMENT_TYPES: &[Field] = &[field("type", tag::PAYMENT_ADJUSTMENT_TYPE, ADJUSTMENT_TYPE)];
const AMOUNTS: &[Field] = &[
    field("tax_amount", tag::TAX_AMOUNT, Rule::Amount),
    field("shipping_amount", tag::SHIPPING_AMOUNT, Rule::Amount),
    field("discount_amount", tag::DISCOUNT_AMOUNT, Rule::Amount),
    field("tip_amount", tag::TIP_AMOUNT, Rule::Amount),
    field("surcharge", tag::SURCHARGE, Rule::Amount),
    field("base_amount", tag::BASE_AMOUNT, Rule::Amount),
];
const ADJUSTMENT_VALUES: &[Field] = &[field("value", tag::PAYMENT_ADJUSTMENT_VALUE, Rule::Amount)];
const FLAGS: &[Field] = &[
    field("tax_exempt", tag::TAX_EXEMPT, Rule::Flag),
    field("email_receipt", tag::EMAIL_RECEIPT, Rule::Flag),
    field("create_vault_record", tag::CREATE_VAULT_RECORD, Rule::Flag),
];
/// Real clients misspell `email_receipt`.
const FLAGS_MISSPELT: &[Field] = &[
    field("tax_exempt", tag::TAX_EXEMPT, Rule::Flag),
    field("email_reciept", tag::EMAIL_RECEIPT, Rule::Flag),
    field("create_vault_record", tag::CREATE_VAULT_RECORD, Rule::Flag),
];
const AUTHENTICATION_VALUES: &[Field] = &[
    field("eci", tag::ECI, AUTHENTICATION),
    field("cavv", tag::CAVV, AUTHENTICATION),
    field("xid", tag::XID, AUTHENTICATION),
    field("condition", tag::CONDITION, AUTHENTICATION),
];

/// The addresses of a transaction: name, path of its fields, first tag.
pub(crate) const ADDRESSES: [(&str, &str, u16); 2] =
    [("billing_address", "billing_address.", tag::BILLING), ("shipping_address", "shipping_address.", tag::SHIPPING)];

/// Rules of an address's fields in the order of [`ADDRESS_FIELDS`].
const ADDRESS_RULES: [Rule; ADDRESS_FIELDS.len()] =
    [NAME, NAME, NAME, ADDRESS_LINE, ADDRESS_LINE, NAME, STATE, POSTAL_CODE, COUNTRY, PHONE, PHONE, EMAIL];

/// What may be sent anew with a capture, as the gateway document lists it.
const CAPTURE_TEXTS: &[Field] = &[
    field("order_id", tag::ORDER_ID, ORDER_NUMBER),
    field("po_number", tag::PO_NUMBER, ORDER_NUMBER),
    field("ip_address", tag::IP_ADDRESS, IP_ADDRESS),
];
const CAPTURE_AMOUNTS: &[Field] =
    &[field("tax_amount", tag::TAX_AMOUNT, Rule::Amount), field("shipping_amount", tag::SHIPPING_AMOUNT, Rule::Amount)];
const CAPTURE_FLAGS: &[Field] = &[field("tax_exempt", tag::TAX_EXEMPT, Rule::Flag)];

/// The travelling fields of a payment, tags ascending.
pub(super) fn of_create(body: Scope<'_, '_>, named: Named<'_, '_>) -> Result<Vec<u8>, Problem> {
    let adjustment = body.object("payment_adjustment", "payment_adjustment.")?;
    let flags = if body.has("email_receipt") { FLAGS } else { FLAGS_MISSPELT };
    let mut out = Vec::with_capacity(1024);
    take_all(body, TEXTS, &mut out)?;
    take_all(adjustment, ADJUSTMENT_TYPES, &mut out)?;
    if let Named::Account(account) = named {
        require_address(body)?;
        account::push_travelling(account, &mut out)?;
    }
    take_all(body, AMOUNTS, &mut out)?;
    take_all(adjustment, ADJUSTMENT_VALUES, &mut out)?;
    take_all(body, flags, &mut out)?;
    match named {
        Named::Card(card) => {
            let path = "payment_method.card.cardholder_authentication.";
            take_all(card.object("cardholder_authentication", path)?, AUTHENTICATION_VALUES, &mut out)?;
        }
        Named::Terminal(terminal) => {
            terminal::push_flags(terminal, &mut out)?;
            terminal::push_words(terminal, &mut out)?;
        }
        Named::Account(_) | Named::Customer(_) | Named::Token(_) => {}
    }
    for (name, prefix, first_tag) in ADDRESSES {
        take_address(body.object(name, prefix)?, first_tag, &mut out)?;
    }
    Ok(out)
}

/// An account's holder is who the billing address says.
fn require_address(body: Scope<'_, '_>) -> Result<(), Problem> {
    if body.has("billing_address") {
        return Ok(());
    }
    Err(Problem::invalid("billing_address", "is required when payment_method is ach"))
}

/// The travelling fields of a capture, tags ascending.
pub(super) fn of_capture(body: Scope<'_, '_>) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    for fields in [CAPTURE_TEXTS, CAPTURE_AMOUNTS, CAPTURE_FLAGS] {
        take_all(body, fields, &mut out)?;
    }
    Ok(out)
}

fn take_all(scope: Scope<'_, '_>, fields: &[Field], out: &mut Vec<u8>) -> Result<(), Problem> {
    fields.iter().filter(|field| scope.has(field.name)).try_for_each(|field| take(scope, field, out))
}

/// The fields of an address that stands by itself, in the order of [`ADDRESS_FIELDS`].
pub(in crate::rest) fn address_fields(address: Scope<'_, '_>) -> Result<[String; ADDRESS_FIELDS.len()], Problem> {
    let mut taken = Vec::new();
    take_address(address, tag::BILLING, &mut taken)?;
    let taken = Tail::trusted(&taken);
    Ok(std::array::from_fn(|place| taken.text(tag::BILLING + place as u16).to_owned()))
}

fn take_address(address: Scope<'_, '_>, first_tag: u16, out: &mut Vec<u8>) -> Result<(), Problem> {
    let named = ADDRESS_FIELDS.iter().zip(&ADDRESS_RULES).zip(first_tag..);
    let mut sent = named.filter(|((name, _), _)| address.has(name));
    sent.try_for_each(|((name, rule), tag)| take(address, &field(name, tag, *rule), out))
}

fn take(scope: Scope<'_, '_>, field: &Field, out: &mut Vec<u8>) -> Result<(), Problem> {
    let Field { name, tag, rule } = *field;
    match rule {
        Rule::Text { max_chars, check, accepts } => {
            let Some(text) = scope.text(name)? else { return Ok(()) };
            if too_long(text, max_chars) {
                return Err(scope.invalid(name, format!("must be at most {max_chars} characters")));
            }
            if !check(text) {
                return Err(scope.invalid(name, format!("must be {accepts}")));
            }
            tail::push(out, tag, text.as_bytes());
        }
        Rule::Amount => {
            if let Some(amount) = scope.amount(name)? {
                tail::push(out, tag, &amount.to_le_bytes());
            }
        }
        Rule::Flag => {
            if let Some(flag) = scope.flag(name)? {
                tail::push(out, tag, &[flag.into()]);
            }
        }
        Rule::Json { openers, accepts } => {
            if let Some(json) = scope.raw(name, openers, accepts)? {
                tail::push(out, tag, json.as_bytes());
            }
        }
    }
    Ok(())
}

/// Bytes are counted first: most texts are shorter than their bound even so.
fn too_long(text: &str, max_chars: usize) -> bool {
    text.len() > max_chars && text.chars().count() > max_chars
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::tail::Tail;

    #[test]
    fn the_tables_ascend_so_that_a_tail_is_well_formed() {
        let groups = [TEXTS, ADJUSTMENT_TYPES, AMOUNTS, ADJUSTMENT_VALUES, FLAGS, AUTHENTICATION_VALUES];
        let tags: Vec<u16> = groups.iter().flat_map(|group| group.iter().map(|field| field.tag)).collect();
        assert!(tags.windows(2).all(|pair| pair[0] < pair[1]), "{tags:?}");
        assert!(tags.last().is_some_and(|last| *last < tag::BILLING));
        let capture = [CAPTURE_TEXTS, CAPTURE_AMOUNTS, CAPTURE_FLAGS];
        let tags: Vec<u16> = capture.iter().flat_map(|group| group.iter().map(|field| field.tag)).collect();
        assert!(tags.windows(2).all(|pair| pair[0] < pair[1]), "{tags:?}");
    }

    #[test]
    fn a_key_and_a_card_find_their_places_in_a_tail() {
        let mut out = Vec::new();
        tail::push(&mut out, tag::DESCRIPTION, b"x");
        tail::push(&mut out, tag::BILLING, b"John");
        let mut patch = Vec::new();
        tail::push(&mut patch, tag::SEALED_CARD, b"sealed");
        tail::push(&mut patch, tag::IDEMPOTENCY_KEY, b"key");
        let mut merged = Vec::new();
        tail::merge(Tail::trusted(&out), Tail::trusted(&patch), &mut merged);
        assert!(Tail::parse(&merged).is_ok());
    }
}
