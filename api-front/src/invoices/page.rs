//! An invoice as whoever pays it sees it.

use super::terms::{Invoice, Item, Party};
use crate::payables::{Line, Page};

/// Those of an invoice's payment methods that pages take.
const CARD: &str = "card";
const ACH: &str = "ach";

impl Invoice {
    /// What its page shows.
    pub(super) fn page(&self) -> Page {
        Page {
            title: "Invoice".to_owned(),
            seller: self.company_name.clone(),
            logo_url: self.company_logo_url.clone(),
            message: self.message.clone(),
            lines: self.items.iter().map(line).collect(),
            sums: self.sums(),
            payer: self.bill_to.name(),
            due_at: (!self.date_due.is_none()).then_some(self.date_due.0),
            email: self.bill_to.email().to_owned(),
            order_id: self.id.to_string(),
            processor_id: self.card_processor_id.clone(),
            ach_processor_id: self.ach_processor_id.clone(),
            takes_no_cards: !self.is_paid_by(CARD),
            takes_accounts: self.is_paid_by(ACH),
            ..Page::default()
        }
    }

    fn is_paid_by(&self, method: &str) -> bool {
        self.payment_methods.iter().any(|known| known == method)
    }

    fn sums(&self) -> Vec<Line> {
        let sum = |label: &str, amount: i64| Line { label: label.to_owned(), detail: String::new(), amount: Some(amount) };
        let mut sums = vec![sum("Subtotal", signed(self.subtotal))];
        if self.tax > 0 {
            sums.push(sum("Tax", signed(self.tax)));
        }
        if self.adjustment != 0 {
            sums.push(sum("Adjustment", self.adjustment));
        }
        sums
    }
}

impl Party {
    /// How it is called: its company, else the person.
    fn name(&self) -> String {
        let [first, last, company, ..] = &self.fields;
        if company.is_empty() { format!("{first} {last}").trim().to_owned() } else { company.clone() }
    }
}

fn line(item: &Item) -> Line {
    let label = if item.said.name.is_empty() { "Item" } else { &item.said.name };
    let unit = item.said.unit_of_measure.as_str();
    let quantity = match (item.quantity, unit) {
        (1, "") => String::new(),
        (quantity, "") => format!("Quantity {quantity}"),
        (quantity, unit) => format!("{quantity} {unit}"),
    };
    let parts = [quantity.as_str(), item.said.description.as_str()];
    let detail: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Line { label: label.to_owned(), detail: detail.join(" · "), amount: Some(signed(item.amount)) }
}

/// Amounts have twelve digits at most.
fn signed(minor: u64) -> i64 {
    i64::try_from(minor).unwrap_or(i64::MAX)
}
