//! Bodies of payments, and the test cards that they use.

use serde_json::{Value, json};

/// The gateway document's own card, approved.
pub const VISA: &str = "4012000098765439";
/// The sandbox declines it with action code 05.
pub const DECLINED: &str = "4000000000000002";
/// The sandbox declines it with action code 51.
pub const INSUFFICIENT: &str = "4000000000009995";
/// The sandbox declines it with action code 54.
pub const EXPIRED: &str = "4000000000000069";
/// The sandbox approves half of what is asked.
pub const HALF: &str = "4000000000000051";
/// The sandbox approves it and declines its refund.
pub const REFUND_DECLINED: &str = "4000000000000010";
/// Cards that the sandbox approves: all brands and lengths of the gateway's test data.
pub const APPROVED: [&str; 10] = [
    "4111111111111111",
    "4005519200000004",
    VISA,
    "5555555555554444",
    "2223000048400011",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "30569309025904",
    "3530111333300000",
];

/// Amounts, minor units, that make the sandbox's host misbehave.
pub mod amount {
    /// The request is lost: nothing is done.
    pub const REQUEST_LOST: u64 = 900_201;
    /// Done, and the answer is lost.
    pub const ANSWER_LOST: u64 = 900_202;
    /// Done, and the answer comes after the time-out.
    pub const ANSWER_LATE: u64 = 900_203;
    /// Done, and garbage comes in place of the answer.
    pub const GARBAGE: u64 = 900_204;
    /// Done, and the connection is cut.
    pub const CUT: u64 = 900_205;
    /// Done, and an oversized length comes in place of the answer.
    pub const OVERSIZED: u64 = 900_206;
}

/// A payment in dollars by a card that expires far ahead.
pub fn payment(verb: &str, amount: u64, card: &str) -> Value {
    json!({
        "type": verb,
        "amount": amount,
        "currency": "USD",
        "payment_method": {"card": {"number": card, "expiration_date": "12/40", "cvc": "999"}},
    })
}

/// The same with more fields of the body, or others in their place.
pub fn with(mut body: Value, fields: &Value) -> Value {
    lay_over(&mut body, fields);
    body
}

fn lay_over(body: &mut Value, fields: &Value) {
    match (body, fields) {
        (Value::Object(body), Value::Object(fields)) => {
            fields.iter().for_each(|(name, value)| lay_over(body.entry(name).or_insert(Value::Null), value));
        }
        (body, other) => *body = other.clone(),
    }
}
