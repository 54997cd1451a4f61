//! What an invoice is: what a merchant asks for, and what is made of it.

use super::totals::{Percent, SumError, item_amount, item_tax, total};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::ADDRESS_FIELDS;
use serde::{Deserialize, Serialize};

/// An invoice as a merchant asks for it, checked. What is `None` stays as it is, or is empty in a new one.
#[derive(Debug, Default)]
pub struct InvoiceTerms {
    /// ISO 4217, as it was sent.
    pub currency: Option<String>,
    /// The merchant's name on it.
    pub company_name: Option<String>,
    /// The merchant's picture on it.
    pub company_logo_url: Option<String>,
    /// The merchant's own number of the customer.
    pub customer_number: Option<String>,
    /// Who is paid.
    pub payable_to: Option<Party>,
    /// Who pays.
    pub bill_to: Option<Party>,
    /// When it is due.
    pub date_due: Option<Micros>,
    /// What is paid for; all of it.
    pub items: Option<Vec<ItemTerms>>,
    /// Whether items have taxes of their own.
    pub advanced_fields: Option<bool>,
    /// Tax on all taxable items, as it was sent.
    pub tax_percent: Option<(String, Percent)>,
    /// Added to the total, or taken off it, minor units.
    pub adjustment: Option<i64>,
    /// Words to whoever pays.
    pub message: Option<String>,
    /// How it is sent.
    pub send_via: Option<SendVia>,
    /// How it may be paid.
    pub payment_methods: Option<Vec<String>>,
    /// Which processor takes cards, as it was sent.
    pub card_processor_id: Option<String>,
    /// Which processor takes bank accounts, as it was sent.
    pub ach_processor_id: Option<String>,
}

/// An item as a merchant asks for it.
#[derive(Debug, Clone, Default)]
pub struct ItemTerms {
    /// The item of the invoice that it is, if it is one.
    pub id: Xid,
    /// All that comes back as sent.
    pub said: ItemWords,
    /// How many.
    pub quantity: u64,
    /// Of those, how many have been shipped.
    pub quantity_shipped: u64,
    /// Minor units.
    pub unit_price: u64,
    /// Minor units, or a percentage.
    pub discount: Discount,
    /// Whether taxes are laid on it.
    pub taxable: bool,
    /// Its own taxes, summed: local, national and general.
    pub taxes: Percent,
}

/// What comes back of an item as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemWords {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// `lb`, `kg`, …
    pub unit_of_measure: String,
    /// Percent.
    pub local_tax: String,
    /// Percent.
    pub national_tax: String,
    /// Percent.
    pub tax_rate: String,
}

/// What is taken off an item's price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discount {
    /// Minor units.
    Amount(u64),
    /// A part of it: so many whole percent, and what that is.
    Percent(u64, Percent),
}

impl Default for Discount {
    fn default() -> Discount {
        Discount::Amount(0)
    }
}

/// The words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DiscountKind {
    /// Minor units.
    #[default]
    #[serde(rename = "$")]
    Amount,
    /// Whole percent.
    #[serde(rename = "%")]
    Percent,
}

/// How an invoice is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SendVia {
    /// By mail.
    Email,
    /// As a short message, which the merchant's own system sends: we have none.
    Text,
    /// By mail, and as a short message.
    Both,
    /// Not at all.
    #[default]
    None,
}

/// Who pays or is paid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The stored address that it was taken from, as it was sent.
    pub id: String,
    /// In the order of [`ADDRESS_FIELDS`].
    pub fields: [String; ADDRESS_FIELDS.len()],
}

impl Party {
    /// Its e-mail address, which is the last of the fields.
    pub fn email(&self) -> &str {
        self.fields.last().map_or("", String::as_str)
    }

    /// Takes from a stored address what is not said.
    pub(super) fn fill(&mut self, stored: [String; ADDRESS_FIELDS.len()]) {
        for (field, stored) in self.fields.iter_mut().zip(stored).filter(|(field, _)| field.is_empty()) {
            *field = stored;
        }
    }
}

/// An item of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its id, as text.
    pub id: String,
    /// What comes back as sent.
    pub said: ItemWords,
    /// How many.
    pub quantity: u64,
    /// Of those, shipped.
    pub quantity_shipped: u64,
    /// Minor units.
    pub unit_price: u64,
    /// Minor units, or whole percent.
    pub discount: u64,
    /// Which of the two.
    pub discount_kind: DiscountKind,
    /// Whether taxes are laid on it.
    pub taxable: bool,
    /// Its own taxes, minor units.
    pub tax_amount: u64,
    /// Quantity times price less discount, minor units.
    pub amount: u64,
}

/// An invoice.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Invoice {
    /// Its id.
    #[serde(skip)]
    pub id: Xid,
    /// Whose it is.
    #[serde(skip)]
    pub merchant: Xid,
    /// The name under which whoever pays finds it.
    #[serde(skip)]
    pub public_id: String,
    /// ISO 4217.
    pub currency: String,
    /// The merchant's name on it.
    pub company_name: String,
    /// The merchant's picture on it.
    pub company_logo_url: String,
    /// The merchant's own number of the customer.
    pub customer_number: String,
    /// Who is paid.
    pub payable_to: Party,
    /// Who pays.
    pub bill_to: Party,
    /// When it is due.
    #[serde(skip)]
    pub date_due: Micros,
    /// What is paid for.
    pub items: Vec<Item>,
    /// Whether items have taxes of their own.
    pub advanced_fields: bool,
    /// Sum of the items' amounts, minor units.
    pub subtotal: u64,
    /// As it was sent.
    pub tax_percent: String,
    /// What `tax_percent` is, thousandths of a percent.
    pub tax_thousandths: u32,
    /// All taxes, minor units.
    pub tax: u64,
    /// Subtotal, tax and adjustment, minor units.
    pub total: u64,
    /// What has been paid, minor units.
    #[serde(skip)]
    pub amount_paid: u64,
    /// Added to the total, or taken off it, minor units.
    pub adjustment: i64,
    /// What is left to pay, minor units.
    #[serde(skip)]
    pub amount_due: u64,
    /// How it may be paid.
    pub payment_methods: Vec<String>,
    /// Which processor takes cards.
    pub card_processor_id: String,
    /// Which processor takes bank accounts.
    pub ach_processor_id: String,
    /// Words to whoever pays.
    pub message: String,
    /// How it is sent.
    pub send_via: SendVia,
    /// When it was mailed last, microseconds; 0 for never.
    pub last_sent_us: i64,
    /// When it was made.
    #[serde(skip)]
    pub created_at: Micros,
    /// When it was changed last.
    #[serde(skip)]
    pub updated_at: Micros,
}

impl Invoice {
    /// What an invoice says where nothing was said.
    pub(super) fn blank() -> Invoice {
        let (currency, tax_percent) = ("USD".to_owned(), "0.00".to_owned());
        Invoice { currency, tax_percent, payment_methods: vec!["card".to_owned()], ..Invoice::default() }
    }

    /// Takes what is sent over, and sums up anew. On an error it is half changed and must be dropped.
    pub(super) fn take(&mut self, terms: InvoiceTerms, draw: impl Fn() -> Xid) -> Result<(), SumError> {
        replace(&mut self.currency, terms.currency);
        replace(&mut self.company_name, terms.company_name);
        replace(&mut self.company_logo_url, terms.company_logo_url);
        replace(&mut self.customer_number, terms.customer_number);
        replace(&mut self.payable_to, terms.payable_to);
        replace(&mut self.bill_to, terms.bill_to);
        replace(&mut self.date_due, terms.date_due);
        replace(&mut self.advanced_fields, terms.advanced_fields);
        replace(&mut self.adjustment, terms.adjustment);
        replace(&mut self.message, terms.message);
        replace(&mut self.send_via, terms.send_via);
        replace(&mut self.payment_methods, terms.payment_methods);
        replace(&mut self.card_processor_id, terms.card_processor_id);
        replace(&mut self.ach_processor_id, terms.ach_processor_id);
        if let Some((words, percent)) = terms.tax_percent {
            (self.tax_percent, self.tax_thousandths) = (words, percent.thousandths());
        }
        if let Some(items) = terms.items {
            self.items = items.into_iter().map(|item| self.item(item, &draw)).collect::<Result<_, _>>()?;
        }
        self.sum_up()
    }

    fn item(&self, terms: ItemTerms, draw: impl Fn() -> Xid) -> Result<Item, SumError> {
        let amount = item_amount(terms.quantity, terms.unit_price, terms.discount)?;
        let known = self.items.iter().map(|item| &item.id).find(|id| **id == terms.id.to_string()).cloned();
        let is_taxed = terms.taxable && self.advanced_fields;
        let (discount, discount_kind) = match terms.discount {
            Discount::Amount(amount) => (amount, DiscountKind::Amount),
            Discount::Percent(whole, _) => (whole, DiscountKind::Percent),
        };
        Ok(Item {
            id: known.unwrap_or_else(|| draw().to_string()),
            said: terms.said,
            quantity: terms.quantity,
            quantity_shipped: terms.quantity_shipped,
            unit_price: terms.unit_price,
            discount,
            discount_kind,
            taxable: terms.taxable,
            tax_amount: if is_taxed { item_tax(amount, terms.taxes) } else { 0 },
            amount,
        })
    }

    fn sum_up(&mut self) -> Result<(), SumError> {
        let items = self.items.iter().map(|item| (item.amount, item.tax_amount, item.taxable));
        let sums = total(items, Percent::of_thousandths(self.tax_thousandths), self.adjustment)?;
        (self.subtotal, self.tax, self.total) = (sums.subtotal, sums.tax, sums.total);
        self.amount_due = self.total.saturating_sub(self.amount_paid);
        Ok(())
    }

    /// The word for how far it is paid.
    pub fn status(&self) -> &'static str {
        match (self.amount_paid, self.amount_due) {
            (0, _) => "pending",
            (_, 0) => "paid",
            (_, _) => "partially_paid",
        }
    }
}

fn replace<T>(known: &mut T, sent: Option<T>) {
    if let Some(sent) = sent {
        *known = sent;
    }
}
