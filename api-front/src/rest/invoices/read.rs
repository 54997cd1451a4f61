//! Bodies of the invoice calls, read and validated. What only we compute (sums, ids of our own, status, times) is passed over.

use crate::invoices::{Discount, InvoiceTerms, ItemTerms, ItemWords, Party, Percent, SendVia};
use crate::rest::json::{Document, Scope};
use crate::rest::limits::{
    ADDRESS_LINE_MAX_CHARS, DESCRIPTION_MAX_CHARS, NAME_MAX_CHARS, SEARCH_LIMIT, SEARCH_LIMIT_MAX, SEARCH_OFFSET_MAX,
    WORD_MAX_CHARS,
};
use crate::rest::problem::Problem;
use crate::rest::request::{address_fields, checks, dates};
use crate::rest::users::text;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use persistence::stores::{AmountIs, InvoiceSearch};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::limits::AMOUNT_MAX_MINOR;
use protocol::money::Currency;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Items of an invoice.
const ITEMS_MAX: usize = 200;
/// Words to whoever pays.
const MESSAGE_MAX_CHARS: usize = 2_000;
/// Address of a picture.
const URL_MAX_CHARS: usize = 500;
/// Most of an item: more is a slip.
const QUANTITY_MAX: u64 = 1_000_000_000;
const PERCENT_WORDS: &str = "must be a percentage such as 7.25, at most 100, with at most 3 decimals";

/// The fields of [`Lists`].
const LISTS: [&str; 4] = ["items", "payment_methods", "adjustment", "tax_percent"];

/// The lists of a body, and its numbers that may be below zero or have decimals. All else is read by its path.
#[derive(Deserialize)]
struct Lists {
    items: Option<Vec<TypedItem>>,
    payment_methods: Option<Vec<String>>,
    adjustment: Option<i64>,
    tax_percent: Option<Rate>,
}

/// A percentage as it was sent: the document writes it as a text, some write a number. Its digits are kept, never a float.
struct Rate(String);

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        let raw: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        let digits = if raw.get().starts_with('"') { serde_json::from_str(raw.get()) } else { Ok(raw.get().to_owned()) };
        digits.map(Rate).map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
struct TypedItem {
    id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    quantity: Option<u64>,
    quantity_shipped: Option<u64>,
    unit_of_measure: Option<String>,
    unit_price: Option<u64>,
    discount: Option<u64>,
    discount_type: Option<String>,
    taxable: Option<bool>,
    local_tax: Option<Rate>,
    national_tax: Option<Rate>,
    tax_rate: Option<Rate>,
}

/// What an invoice is made or changed to.
pub(super) fn terms(bytes: &[u8]) -> Result<InvoiceTerms, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    // A field that was sent twice is told as that, whichever of the two the reader did not like.
    let lists = lists(bytes).map_err(|problem| match document.sent_twice(&LISTS) {
        Some(name) => Problem::invalid(name.to_owned(), "must be sent once in an object"),
        None => problem,
    })?;
    let word = |name| text(body, name, WORD_MAX_CHARS, checks::printable, "printable characters");
    Ok(InvoiceTerms {
        currency: currency(body)?,
        company_name: text(body, "company_name", NAME_MAX_CHARS, checks::printable, "printable characters")?,
        company_logo_url: text(body, "company_logo_url", URL_MAX_CHARS, is_https, "an address that begins with https://")?,
        customer_number: word("customer_number")?,
        payable_to: party(body, "payable_to", "payable_to.")?,
        bill_to: party(body, "bill_to", "bill_to.")?,
        date_due: moment(body, "date_due")?,
        items: lists.items.map(items).transpose()?,
        advanced_fields: body.flag("advanced_fields")?,
        tax_percent: lists.tax_percent.map_or(Ok(None), tax_percent)?,
        adjustment: lists.adjustment.map(adjustment).transpose()?,
        message: text(body, "message", MESSAGE_MAX_CHARS, checks::lines, "text without control characters")?,
        send_via: send_via(body)?,
        payment_methods: lists.payment_methods.map(payment_methods).transpose()?,
        card_processor_id: word("card_processor_id")?,
        ach_processor_id: word("ach_processor_id")?,
    })
}

fn lists(bytes: &[u8]) -> Result<Lists, Problem> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Lists { items: None, payment_methods: None, adjustment: None, tax_percent: None });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let reason = error.inner().to_string();
        if let Some((name, _)) = reason.strip_prefix("duplicate field `").and_then(|rest| rest.split_once('`')) {
            return Problem::invalid(name.to_owned(), "must be sent once in an object");
        }
        let wanted = reason.rsplit_once("expected ").map_or("", |(_, wanted)| wanted);
        Problem::invalid(error.path().to_string(), format!("must be {}", accepted(wanted)))
    })
}

/// What the reader's name for a type means to whoever sent another one.
fn accepted(wanted: &str) -> &'static str {
    let (wanted, _) = wanted.split_once(" at line ").unwrap_or((wanted, ""));
    match wanted {
        "u64" => "an integer of at least 0",
        "i64" => "an integer",
        "a string" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "struct TypedItem" => "an object",
        _ => "of the type that the gateway's document shows",
    }
}

fn items(typed: Vec<TypedItem>) -> Result<Vec<ItemTerms>, Problem> {
    if typed.len() > ITEMS_MAX {
        return Err(Problem::invalid("items", format!("must be at most {ITEMS_MAX}")));
    }
    typed.into_iter().enumerate().map(|(place, item)| checked_item(place, item)).collect()
}

fn checked_item(place: usize, typed: TypedItem) -> Result<ItemTerms, Problem> {
    let invalid = |name: &str, reason: &str| Problem::invalid(format!("items[{place}].{name}"), reason.to_owned());
    let words = |name: &str, text: Option<String>, max_chars: usize| {
        let text = text.unwrap_or_default();
        let is_good = text.chars().count() <= max_chars && checks::lines(&text);
        if is_good {
            Ok(text)
        } else {
            Err(invalid(name, &format!("must be at most {max_chars} characters, no control characters")))
        }
    };
    let said = ItemWords {
        name: words("name", typed.name, ADDRESS_LINE_MAX_CHARS)?,
        description: words("description", typed.description, DESCRIPTION_MAX_CHARS)?,
        unit_of_measure: words("unit_of_measure", typed.unit_of_measure, NAME_MAX_CHARS)?,
        local_tax: typed.local_tax.map_or_else(String::new, |rate| rate.0),
        national_tax: typed.national_tax.map_or_else(String::new, |rate| rate.0),
        tax_rate: typed.tax_rate.map_or_else(String::new, |rate| rate.0),
    };
    let mut taxes = Percent::default();
    for (name, text) in [("local_tax", &said.local_tax), ("national_tax", &said.national_tax), ("tax_rate", &said.tax_rate)] {
        let tax = if text.is_empty() { Some(Percent::default()) } else { Percent::parse(text) };
        taxes = tax.and_then(|tax| taxes.plus(tax)).ok_or_else(|| invalid(name, PERCENT_WORDS))?;
    }
    let quantity = typed.quantity.unwrap_or(1);
    if quantity > QUANTITY_MAX {
        return Err(invalid("quantity", "must be at most 1000000000"));
    }
    let unit_price = typed.unit_price.unwrap_or(0);
    if unit_price > AMOUNT_MAX_MINOR {
        return Err(invalid("unit_price", &format!("must be at most {AMOUNT_MAX_MINOR}")));
    }
    Ok(ItemTerms {
        // An id that is none of ours is drawn anew.
        id: typed.id.and_then(|id| id.parse().ok()).unwrap_or(Xid::NONE),
        quantity,
        quantity_shipped: typed.quantity_shipped.unwrap_or(0),
        unit_price,
        discount: discount(typed.discount.unwrap_or(0), typed.discount_type.as_deref(), invalid)?,
        taxable: typed.taxable.unwrap_or(false),
        taxes,
        said,
    })
}

fn discount(discount: u64, kind: Option<&str>, invalid: impl Fn(&str, &str) -> Problem) -> Result<Discount, Problem> {
    match kind {
        None | Some("" | "$") if discount <= AMOUNT_MAX_MINOR => Ok(Discount::Amount(discount)),
        None | Some("" | "$") => Err(invalid("discount", &format!("must be at most {AMOUNT_MAX_MINOR}"))),
        Some("%") => {
            let percent =
                Percent::parse(&discount.to_string()).ok_or_else(|| invalid("discount", "must be at most 100 (percent)"))?;
            Ok(Discount::Percent(discount, percent))
        }
        Some(_) => Err(invalid("discount_type", "must be \"$\" or \"%\"")),
    }
}

fn currency(body: Scope<'_, '_>) -> Result<Option<String>, Problem> {
    let Some(code) = body.text("currency")? else { return Ok(None) };
    let known = Currency::from_code(code).map(|_| Some(code.to_owned()));
    known.ok_or_else(|| body.invalid("currency", "must be an ISO 4217 code such as USD"))
}

fn party(body: Scope<'_, '_>, name: &str, prefix: &'static str) -> Result<Option<Party>, Problem> {
    if !body.has(name) {
        return Ok(None);
    }
    let scope = body.object(name, prefix)?;
    let id = text(scope, "id", WORD_MAX_CHARS, checks::printable, "printable characters")?.unwrap_or_default();
    Ok(Some(Party { id, fields: address_fields(scope)? }))
}

fn moment(body: Scope<'_, '_>, name: &str) -> Result<Option<Micros>, Problem> {
    let Some(text) = body.text(name)? else { return Ok(None) };
    let parsed: Option<Timestamp> = text.parse().ok().or_else(|| day_begins(text));
    let wrong = || body.invalid(name, "must be a moment in RFC 3339 such as 2030-02-13T06:00:00Z, or a date");
    parsed.map(|at| Some(Micros(at.as_microsecond()))).ok_or_else(wrong)
}

fn day_begins(text: &str) -> Option<Timestamp> {
    let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
    date.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
}

fn tax_percent(Rate(text): Rate) -> Result<Option<(String, Percent)>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let percent = Percent::parse(&text).ok_or_else(|| Problem::invalid("tax_percent", PERCENT_WORDS))?;
    Ok(Some((text, percent)))
}

fn adjustment(sent: i64) -> Result<i64, Problem> {
    let is_good = sent.unsigned_abs() <= AMOUNT_MAX_MINOR;
    if is_good { Ok(sent) } else { Err(Problem::invalid("adjustment", format!("must be at most {AMOUNT_MAX_MINOR}"))) }
}

fn send_via(body: Scope<'_, '_>) -> Result<Option<SendVia>, Problem> {
    match body.text("send_via")? {
        None => Ok(None),
        Some("email") => Ok(Some(SendVia::Email)),
        Some("text") => Ok(Some(SendVia::Text)),
        Some("both") => Ok(Some(SendVia::Both)),
        Some("none") => Ok(Some(SendVia::None)),
        Some(_) => Err(body.invalid("send_via", "must be \"email\", \"text\", \"both\" or \"none\"")),
    }
}

fn payment_methods(methods: Vec<String>) -> Result<Vec<String>, Problem> {
    let is_one = |method: &String| matches!(method.as_str(), "card" | "ach" | "mail");
    if methods.len() <= 3 && methods.iter().all(is_one) {
        return Ok(methods);
    }
    Err(Problem::invalid("payment_methods", "must be a list of \"card\", \"ach\" and \"mail\""))
}

fn is_https(text: &str) -> bool {
    text.starts_with("https://") && checks::visible_ascii(text)
}

/// `POST /api/invoices/search`
pub(super) fn search(bytes: &[u8], merchant: Xid) -> Result<InvoiceSearch, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let (due_from, due_to) = dates(body, ("date_due", "date_due."))?;
    Ok(InvoiceSearch {
        merchant,
        id: wanted_id(body)?,
        amount_due: wanted_amount(body)?,
        due_from,
        due_to,
        limit: bounded(body, "limit", SEARCH_LIMIT, SEARCH_LIMIT_MAX)?,
        offset: bounded(body, "offset", 0, SEARCH_OFFSET_MAX as u32)?,
    })
}

/// Without a value it is no condition, as in the search of payments; a value that is no id is nobody's.
fn wanted_id(body: Scope<'_, '_>) -> Result<Option<Xid>, Problem> {
    let condition = body.object("id", "id.")?;
    let Some(value) = condition.text("value")? else { return Ok(None) };
    if !matches!(condition.text("operator")?, None | Some("=" | "eq")) {
        return Err(condition.invalid("operator", "must be \"=\""));
    }
    Ok(Some(value.parse().unwrap_or(Xid::NONE)))
}

fn wanted_amount(body: Scope<'_, '_>) -> Result<Option<(AmountIs, u64)>, Problem> {
    let condition = body.object("amount_due", "amount_due.")?;
    let Some(amount) = condition.amount("value")? else { return Ok(None) };
    let comparison = match condition.text("operator")? {
        None | Some("=" | "eq") => AmountIs::Equal,
        Some("!=" | "ne") => AmountIs::Other,
        Some("<" | "lt") => AmountIs::Below,
        Some(">" | "gt") => AmountIs::Above,
        Some(_) => return Err(condition.invalid("operator", "must be \"=\", \"!=\", \"<\" or \">\"")),
    };
    Ok(Some((comparison, amount)))
}

fn bounded(body: Scope<'_, '_>, name: &str, unsaid: u32, max: u32) -> Result<u32, Problem> {
    let Some(number) = body.integer(name)? else { return Ok(unsaid) };
    u32::try_from(number).ok().filter(|number| *number <= max).ok_or_else(|| body.invalid(name, format!("must be at most {max}")))
}
