//! An order as it is sent: checked, summed, and what its page shows.

use crate::payables::{Line, Page};
use crate::rest::limits::{ORDER_ID_MAX_CHARS, REFERENCE_MAX_CHARS, WORD_MAX_CHARS};
use crate::rest::problem::Problem;
use crate::rest::sent::Sent;
use protocol::money::Currency;
use serde_json::{Map, Value};

/// An order, checked.
pub(super) struct Order {
    /// The merchant's id of it.
    pub(super) id: String,
    /// All of it, minor units.
    pub(super) amount: u64,
    pub(super) currency: Currency,
    pub(super) page: Page,
    /// What was sent, with what the total has beyond its parts.
    pub(super) body: Map<String, Value>,
}

/// What an order sums up from; nothing where a part was not said.
struct Parts {
    subtotal: Option<u64>,
    shipping: Option<u64>,
    taxes: Option<Vec<(String, Option<u64>)>>,
}

/// Reads an order.
pub(super) fn order(sent: Sent<'_>) -> Result<Order, Problem> {
    let id = sent.required_text("id", REFERENCE_MAX_CHARS)?.to_owned();
    let amount = sent.cents("total_cents")?.ok_or_else(|| Problem::invalid("total_cents", "is required"))?;
    if amount == 0 {
        return Err(Problem::invalid("total_cents", "must be at least 1"));
    }
    let currency = currency(&sent)?;
    let items = sent.lines("items")?.unwrap_or_default();
    let parts = Parts {
        subtotal: sent.cents("sub_total_cents")?,
        shipping: sent.cents("shipping_amount_cents")?,
        taxes: sent.lines("taxes")?,
    };
    let adjustment = parts.adjustment(amount)?;
    let page = Page {
        title: format!("Order {id}"),
        order_id: id.chars().take(ORDER_ID_MAX_CHARS).collect(),
        lines: items.into_iter().map(line).collect(),
        sums: parts.sums(adjustment),
        takes_accounts: true,
        ..Page::default()
    };
    let mut body = sent.into_object();
    body.insert("adjustment_cents".to_owned(), adjustment.unwrap_or(0).into());
    Ok(Order { id, amount, currency, page, body })
}

fn currency(sent: &Sent<'_>) -> Result<Currency, Problem> {
    let Some(code) = sent.text("currency", WORD_MAX_CHARS)? else { return Ok(Currency::USD) };
    Currency::from_code(code).ok_or_else(|| Problem::invalid("currency", "must be a code of ISO 4217 such as USD"))
}

impl Parts {
    /// What the total has beyond the parts, when all of them are there. The document's own sample has more in its total than in its
    /// parts; less is a mistake.
    fn adjustment(&self, total: u64) -> Result<Option<u64>, Problem> {
        let (Some(subtotal), Some(shipping), Some(taxes)) = (self.subtotal, self.shipping, &self.taxes) else { return Ok(None) };
        let tax: u64 = taxes.iter().filter_map(|(_, amount)| *amount).sum();
        let sum = subtotal + shipping + tax;
        let words = || format!("must be at least sub_total_cents + shipping_amount_cents + taxes, which is {sum}");
        total.checked_sub(sum).map(Some).ok_or_else(|| Problem::invalid("total_cents", words()))
    }

    fn sums(&self, adjustment: Option<u64>) -> Vec<Line> {
        let named = |label: &str, amount: Option<u64>| amount.map(|amount| line((label.to_owned(), Some(amount))));
        let taxes = self.taxes.iter().flatten().cloned().map(line);
        let first = [named("Subtotal", self.subtotal), named("Shipping", self.shipping)];
        let last = named("Adjustment", adjustment.filter(|amount| *amount > 0));
        first.into_iter().flatten().chain(taxes).chain(last).collect()
    }
}

fn line((label, amount): (String, Option<u64>)) -> Line {
    let label = if label.is_empty() { "Item".to_owned() } else { label };
    Line { label, detail: String::new(), amount: amount.and_then(|amount| i64::try_from(amount).ok()) }
}

/// A text as one segment of a path.
pub(super) fn path_segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
