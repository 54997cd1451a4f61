//! What shoppers are asked to pay: orders, payment requests and invoices, from the merchant's call through the page to the money.

mod accounts;
mod crash;
mod invoices;
mod orders;
mod paying;
mod requests;
