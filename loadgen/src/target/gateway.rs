//! The gateway API's requests, one template each; card, CVC and run id are filled in once per run.

use super::template::API_KEY_HOLE;
use super::{AMOUNTS_DEFAULT, Check, Request};
use crate::work::Kind;

/// Test cards that the sandbox approves: all brands and lengths of the gateway's own test data.
pub const APPROVED_CARDS: [&str; 10] = [
    "4111111111111111",
    "4005519200000004",
    "4012000098765439",
    "5555555555554444",
    "2223000048400011",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "30569309025904",
    "3530111333300000",
];
/// The sandbox declines it.
pub const DECLINED_CARD: &str = "4000000000000002";
/// What a refund pays back, minor units: so little that many find something left.
pub(crate) const REFUND_AMOUNT: u64 = 1;

pub(super) const PAYMENT_PATH: &str = "/api/transaction";

const PAYMENT: &str = concat!(
    r#"{"type":"<type>","amount":<sum>,"currency":"USD","order_id":"load-<sequence>","#,
    r#""idempotency_key":"<run>-<sequence>","payment_method":<method>,"billing_address":{"#,
    r#""first_name":"Load","last_name":"Test","address_line_1":"123 Some St","city":"Wheaton","#,
    r#""state":"IL","postal_code":"55555","country":"US"}}"#,
);
const CARD: &str = r#"{"card":{"entry_type":"keyed","number":"<card>","expiration_date":"12/30","cvc":"<cvc>"}}"#;
/// A bank whose accounts the sandbox approves.
const ACCOUNT: &str =
    r#"{"ach":{"routing_number":"011000015","account_number":"998899","sec_code":"web","account_type":"checking"}}"#;
const STEP: &str = r#"{"idempotency_key":"<run>-<sequence>"}"#;
const REFUND: &str = r#"{"idempotency_key":"<run>-<sequence>","amount":1}"#;

/// Path and headers of a kind.
pub(super) fn request(kind: Kind) -> Request<'static> {
    let path = match kind {
        Kind::Sale | Kind::Authorize | Kind::Verification | Kind::Declined | Kind::Ach => PAYMENT_PATH,
        Kind::Capture => "/api/transaction/<target>/capture",
        Kind::Void => "/api/transaction/<target>/void",
        Kind::Refund => "/api/transaction/<target>/refund",
    };
    Request { path, headers: &[("authorization", API_KEY_HOLE)], bodies: &[], amounts: AMOUNTS_DEFAULT, check: Check::Sale }
}

/// Bodies of a kind, each with a card of its own.
pub(super) fn bodies(kind: Kind, run_id: &str) -> Vec<String> {
    let with_cards = |verb: &str, sum: &str| APPROVED_CARDS.iter().map(|card| payment(verb, sum, &keyed(card))).collect();
    let bodies: Vec<String> = match kind {
        Kind::Sale => with_cards("sale", "<amount>"),
        Kind::Authorize => with_cards("authorize", "<amount>"),
        Kind::Verification => with_cards("verification", "0"),
        Kind::Declined => vec![payment("sale", "<amount>", &keyed(DECLINED_CARD))],
        Kind::Ach => vec![payment("sale", "<amount>", ACCOUNT)],
        Kind::Capture | Kind::Void => vec![STEP.to_owned()],
        Kind::Refund => vec![REFUND.to_owned()],
    };
    bodies.into_iter().map(|body| body.replace("<run>", run_id)).collect()
}

fn payment(verb: &str, sum: &str, method: &str) -> String {
    PAYMENT.replace("<type>", verb).replace("<sum>", sum).replace("<method>", method)
}

fn keyed(card: &str) -> String {
    // American Express, the only brand here with 15 digits, prints four.
    let cvc = if card.len() == 15 { "9997" } else { "999" };
    CARD.replace("<card>", card).replace("<cvc>", cvc)
}
