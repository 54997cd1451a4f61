//! What a payable's page shows: kept as JSON in its row, written by its face when it is made.

use serde::{Deserialize, Serialize};

/// What a shopper sees of a payable beside its amount and state, and where it goes from there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    /// What it is, in the shopper's words: `Order 1234`.
    pub title: String,
    /// Who asks for the money, where that is another name than the account's.
    pub seller: String,
    /// Address of the seller's picture; only https is shown.
    pub logo_url: String,
    /// Words of the seller to the shopper.
    pub message: String,
    /// What is paid for.
    pub lines: Vec<Line>,
    /// What leads from the lines to the total: subtotal, shipping, taxes, adjustments.
    pub sums: Vec<Line>,
    /// Who is to pay, as the seller knows them.
    pub payer: String,
    /// When it is due, microseconds since 1970; none where nobody said.
    pub due_at: Option<i64>,
    /// Where the shopper's receipt goes.
    pub email: String,
    /// The seller's own number of it, which its transactions carry as `order_id`.
    pub order_id: String,
    /// Where the shopper goes when it has paid, as its face wants it called; empty: it stays.
    pub paid_url: String,
    /// Where the shopper goes when it does not want to pay, as its face wants it called; empty: it stays.
    pub cancel_url: String,
    /// Where the shopper sees how its order is coming along.
    pub status_url: String,
    /// True when it is not paid by card.
    pub takes_no_cards: bool,
    /// True when it may be paid from a bank account, where its merchant has a processor for that.
    pub takes_accounts: bool,
    /// Id of the processor that takes a card's payment, as text; empty: by the merchant's routes.
    pub processor_id: String,
    /// The same of a bank account's.
    pub ach_processor_id: String,
}

/// A line with an amount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// What it is.
    pub label: String,
    /// Smaller words below: a quantity, a description.
    pub detail: String,
    /// Minor units; below zero where something is taken off. None: it has none of its own.
    pub amount: Option<i64>,
}
