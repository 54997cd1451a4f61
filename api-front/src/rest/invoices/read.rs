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

/// Items of an invoice.
const ITEMS_MAX: usize = 200;
/// Words to whoever pays.
const MESSAGE_MAX_CHARS: usize = 2_000;
/// Address of a picture.
const URL_MAX_CHARS: usize = 500;
/// Most of an item: more is a slip.
const QUANTITY_MAX: u64 = 1_000_000_000;
const PERCENT_WORDS: &str = "must be a percentage such as 7.25, at most 100, with at most 3 decimals";

/// What an invoice is made or changed to.
pub(super) fn terms(bytes: &[u8]) -> Result<InvoiceTerms, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let word = |name| text(body, name, WORD_MAX_CHARS, checks::printable, "printable characters");
    Ok(InvoiceTerms {
        currency: currency(body)?,
        company_name: text(body, "company_name", NAME_MAX_CHARS, checks::printable, "printable characters")?,
        company_logo_url: text(body, "company_logo_url", URL_MAX_CHARS, is_https, "an address that begins with https://")?,
        customer_number: word("customer_number")?,
        payable_to: party(body, "payable_to", "payable_to.")?,
        bill_to: party(body, "bill_to", "bill_to.")?,
        date_due: moment(body, "date_due")?,
        items: items(body)?,
        advanced_fields: body.flag("advanced_fields")?,
        tax_percent: percent(body, "tax_percent")?,
        adjustment: adjustment(body)?,
        message: text(body, "message", MESSAGE_MAX_CHARS, checks::lines, "text without control characters")?,
        send_via: send_via(body)?,
        payment_methods: payment_methods(body)?,
        card_processor_id: word("card_processor_id")?,
        ach_processor_id: word("ach_processor_id")?,
    })
}

fn items(body: Scope<'_, '_>) -> Result<Option<Vec<ItemTerms>>, Problem> {
    let Some(items) = body.objects("items", "items[#].", ITEMS_MAX)? else { return Ok(None) };
    items.into_iter().map(item).collect::<Result<_, _>>().map(Some)
}

fn item(item: Scope<'_, '_>) -> Result<ItemTerms, Problem> {
    let words = |name: &str, max_chars: usize| -> Result<String, Problem> {
        Ok(text(item, name, max_chars, checks::lines, "text without control characters")?.unwrap_or_default())
    };
    let rate = |name: &str| -> Result<(String, Percent), Problem> { Ok(percent(item, name)?.unwrap_or_default()) };
    let [(local_tax, local), (national_tax, national), (tax_rate, rest)] =
        [rate("local_tax")?, rate("national_tax")?, rate("tax_rate")?];
    let taxes = local.plus(national).and_then(|both| both.plus(rest));
    let quantity = item.integer("quantity")?.unwrap_or(1);
    if quantity > QUANTITY_MAX {
        return Err(item.invalid("quantity", format!("must be at most {QUANTITY_MAX}")));
    }
    Ok(ItemTerms {
        // An id that is none of ours is drawn anew.
        id: item.text("id")?.and_then(|id| id.parse().ok()).unwrap_or(Xid::NONE),
        quantity,
        quantity_shipped: item.integer("quantity_shipped")?.unwrap_or(0),
        unit_price: item.amount("unit_price")?.unwrap_or(0),
        discount: discount(item)?,
        taxable: item.flag("taxable")?.unwrap_or(false),
        taxes: taxes
            .ok_or_else(|| item.invalid("tax_rate", "must be, with local_tax and national_tax, at most 100 (percent)"))?,
        said: ItemWords {
            name: words("name", ADDRESS_LINE_MAX_CHARS)?,
            description: words("description", DESCRIPTION_MAX_CHARS)?,
            unit_of_measure: words("unit_of_measure", NAME_MAX_CHARS)?,
            local_tax,
            national_tax,
            tax_rate,
        },
    })
}

fn discount(item: Scope<'_, '_>) -> Result<Discount, Problem> {
    match item.text("discount_type")? {
        None | Some("$") => Ok(Discount::Amount(item.amount("discount")?.unwrap_or(0))),
        Some("%") => {
            let discount = item.integer("discount")?.unwrap_or(0);
            let percent = Percent::parse(&discount.to_string());
            let percent = percent.ok_or_else(|| item.invalid("discount", "must be at most 100 (percent)"))?;
            Ok(Discount::Percent(discount, percent))
        }
        Some(_) => Err(item.invalid("discount_type", "must be \"$\" or \"%\"")),
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

/// A percentage, and its digits.
fn percent(scope: Scope<'_, '_>, name: &str) -> Result<Option<(String, Percent)>, Problem> {
    let Some(digits) = scope.digits(name)? else { return Ok(None) };
    let percent = Percent::parse(&digits).ok_or_else(|| scope.invalid(name, PERCENT_WORDS))?;
    Ok(Some((digits.into_owned(), percent)))
}

fn adjustment(body: Scope<'_, '_>) -> Result<Option<i64>, Problem> {
    let sent = body.signed("adjustment")?;
    if sent.is_some_and(|sent| sent.unsigned_abs() > AMOUNT_MAX_MINOR) {
        return Err(body.invalid("adjustment", format!("must be at most {AMOUNT_MAX_MINOR}, above or below zero")));
    }
    Ok(sent)
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

fn payment_methods(body: Scope<'_, '_>) -> Result<Option<Vec<String>>, Problem> {
    const METHODS: [&str; 3] = ["card", "ach", "mail"];
    let Some(methods) = body.texts("payment_methods", METHODS.len())? else { return Ok(None) };
    if !methods.iter().all(|method| METHODS.contains(method)) {
        return Err(body.invalid("payment_methods", "must be a list of \"card\", \"ach\" and \"mail\""));
    }
    Ok(Some(methods.into_iter().map(str::to_owned).collect()))
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
