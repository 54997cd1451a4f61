//! What makes the card hosts do something else than approve: one table, from which the hosts' behaviour, the answers of
//! `GET /api/response-codes` and the page `TRIGGERS.md` come.
//!
//! Everything is approved unless a row says otherwise. Rows are tried from the top; the first that fits counts. What other
//! hosts do is in their own rooms; [`page`] brings all of it together.

pub mod page;
#[cfg(test)]
mod tests;

use protocol::response_code::ResponseCode;
use serde_json::{Value, json};

use crate::ledger::Kind;

/// DE39: what the host decided, two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ActionCode(pub [u8; 2]);

impl ActionCode {
    /// Approved.
    pub const APPROVED: ActionCode = ActionCode(*b"00");
    /// Approved for a part of the amount.
    pub const PARTIAL: ActionCode = ActionCode(*b"10");
    /// No reason to decline.
    pub const NO_REASON_TO_DECLINE: ActionCode = ActionCode(*b"85");
    /// Approved; the customer has yet to be identified.
    pub const AWAITS_CUSTOMER: ActionCode = ActionCode(*b"08");
    /// Declined: the customer is to be authenticated first.
    pub const AUTHENTICATION_REQUIRED: ActionCode = ActionCode(*b"1A");

    /// Whether the host approved, wholly or in part.
    pub fn is_approval(self) -> bool {
        [Self::APPROVED, Self::PARTIAL, Self::NO_REASON_TO_DECLINE, Self::AWAITS_CUSTOMER].contains(&self)
    }
}

/// What a row looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// This amount, in minor units, of an authorization, sale or credit.
    Amount(u64),
    /// An amount from the first to the last, both included, of an authorization, sale or credit.
    AmountWithin(u64, u64),
    /// This card number. Public test numbers, of no account.
    Card(&'static str),
    /// This card number in a refund or credit.
    CardPaidBack(&'static str),
    /// This card verification value.
    Cvc(&'static str),
    /// This postal code.
    PostalCode(&'static str),
    /// An electronic commerce indicator that claims an authenticated customer (`02`, `05`), and no CAVV that proves it.
    ClaimWithoutProof,
    /// Anything: the last row.
    Anything,
}

/// What the host does then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Answers with this code.
    Answer(ActionCode),
    /// Approves half of the amount, rounded down.
    ApproveHalf,
    /// Declines with the last two digits of the amount as the code.
    AnswerLastTwoDigits,
    /// Does nothing and says nothing: the request was lost.
    Lost,
    /// Approves, but the answer goes wrong.
    Approve(Mishap),
    /// Approves, with this CVV letter.
    Cvv(u8),
    /// Approves, with this AVS letter.
    Avs(u8),
}

/// What happens to an answer on its way, after the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It is never sent.
    AnswerLost,
    /// It is sent when nobody waits for it any more.
    Late,
    /// Bytes that are no message are sent in its place.
    Garbage,
    /// The connection is cut in its place.
    Cut,
    /// A length header larger than any message is sent in its place.
    Oversized,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Trigger {
    /// What it looks for.
    pub when: When,
    /// What the host does.
    pub then: Then,
    /// The gateway's response code for it, as the card connector maps DE39; `None` where it is another row's or varies.
    pub code: Option<ResponseCode>,
}

const fn amount(minor: u64, action: &[u8; 2], code: u16) -> Trigger {
    Trigger { when: When::Amount(minor), then: Then::Answer(ActionCode(*action)), code: Some(ResponseCode(code)) }
}

const fn mishap(minor: u64, mishap: Mishap) -> Trigger {
    Trigger { when: When::Amount(minor), then: Then::Approve(mishap), code: Some(ResponseCode::COMMUNICATION_ERROR) }
}

const fn card(number: &'static str, then: Then, code: u16) -> Trigger {
    Trigger { when: When::Card(number), then, code: Some(ResponseCode(code)) }
}

const fn cvc(value: &'static str, letter: u8) -> Trigger {
    Trigger { when: When::Cvc(value), then: Then::Cvv(letter), code: None }
}

const fn postal_code(code: &'static str, letter: u8) -> Trigger {
    Trigger { when: When::PostalCode(code), then: Then::Avs(letter), code: None }
}

/// Amounts, minor units, that no host sees: rules of the gateway deny them to the sandbox's merchant, each with its own code.
pub const DENIED_AMOUNTS: &[(u64, ResponseCode)] = &[
    (900_300, ResponseCode::GATEWAY_DECLINE),
    (900_310, ResponseCode::RULE_ENGINE_DECLINE),
    (900_320, ResponseCode::CHARGEBACK_DECLINE),
    (900_321, ResponseCode::FRAUD_DECLINE),
    (900_322, ResponseCode::CLOSED_DECLINE),
    (900_323, ResponseCode::STOP_RECURRING_DECLINE),
];

/// Every trigger of the card hosts.
pub const TABLE: &[Trigger] = &[
    amount(900_001, b"01", 240),
    amount(900_002, b"02", 240),
    amount(900_003, b"03", 410),
    amount(900_004, b"04", 250),
    amount(900_005, b"05", 201),
    amount(900_006, b"06", 400),
    amount(900_007, b"07", 253),
    amount(900_008, b"08", 101),
    Trigger { when: When::Amount(900_010), then: Then::ApproveHalf, code: Some(ResponseCode::PARTIAL_APPROVAL) },
    amount(900_012, b"12", 204),
    amount(900_013, b"13", 220),
    amount(900_014, b"14", 222),
    amount(900_015, b"15", 221),
    amount(900_030, b"30", 440),
    amount(900_039, b"39", 222),
    amount(900_041, b"41", 251),
    amount(900_043, b"43", 252),
    amount(900_051, b"51", 202),
    amount(900_054, b"54", 223),
    amount(900_057, b"57", 200),
    amount(900_061, b"61", 203),
    amount(900_065, b"65", 203),
    amount(900_082, b"82", 225),
    amount(900_085, b"85", 100),
    amount(900_086, b"86", 226),
    amount(900_091, b"91", 421),
    amount(900_094, b"94", 430),
    amount(900_096, b"96", 400),
    Trigger { when: When::AmountWithin(900_001, 900_099), then: Then::AnswerLastTwoDigits, code: None },
    amount(900_101, b"N7", 225),
    amount(900_102, b"R0", 261),
    amount(900_103, b"R1", 261),
    amount(900_104, b"R3", 262),
    amount(900_105, b"1A", 205),
    Trigger { when: When::Amount(900_201), then: Then::Lost, code: Some(ResponseCode::COMMUNICATION_ERROR) },
    mishap(900_202, Mishap::AnswerLost),
    mishap(900_203, Mishap::Late),
    mishap(900_204, Mishap::Garbage),
    mishap(900_205, Mishap::Cut),
    mishap(900_206, Mishap::Oversized),
    card("4000000000000002", Then::Answer(ActionCode(*b"05")), 201),
    card("4000000000009995", Then::Answer(ActionCode(*b"51")), 202),
    card("4000000000000069", Then::Answer(ActionCode(*b"54")), 223),
    card("4000000000000051", Then::ApproveHalf, 110),
    Trigger { when: When::CardPaidBack("4000000000000010"), then: Then::Answer(ActionCode(*b"05")), code: None },
    Trigger {
        when: When::ClaimWithoutProof,
        then: Then::Answer(ActionCode::AUTHENTICATION_REQUIRED),
        code: Some(ResponseCode::CUSTOMER_AUTHENTICATION_REQUIRED),
    },
    cvc("200", b'N'),
    cvc("201", b'P'),
    cvc("202", b'S'),
    cvc("203", b'U'),
    postal_code("20000", b'N'),
    postal_code("00001", b'A'),
    postal_code("00002", b'B'),
    postal_code("00003", b'C'),
    postal_code("00004", b'D'),
    postal_code("00005", b'E'),
    postal_code("00006", b'F'),
    postal_code("00007", b'G'),
    postal_code("00008", b'I'),
    postal_code("00009", b'M'),
    postal_code("00010", b'P'),
    postal_code("00011", b'R'),
    postal_code("00012", b'S'),
    postal_code("00013", b'U'),
    postal_code("00014", b'W'),
    postal_code("00015", b'X'),
    postal_code("00016", b'Y'),
    postal_code("00017", b'Z'),
    postal_code("00018", b'0'),
    Trigger { when: When::Anything, then: Then::Answer(ActionCode::APPROVED), code: Some(ResponseCode::APPROVED) },
];

/// Lowest and highest amount that any row looks for, so that other amounts need not walk the table.
const AMOUNTS: (u64, u64) = (900_001, 900_206);
/// First digits of every card that any row looks for.
const CARD_PREFIX: &str = "400000000000";
/// First digits of every verification value that any row looks for.
const CVC_PREFIX: &str = "20";
/// First digits of every postal code that any row looks for. No post office has one of these.
const POSTAL_CODE_PREFIXES: [&str; 2] = ["000", "20000"];

/// What a host is told of a payment: all that a row may look at.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What it is.
    pub kind: Kind,
    /// Minor units.
    pub minor: u64,
    /// The card number.
    pub pan: &'a str,
    /// True when it claims an authenticated customer and brings no CAVV.
    pub claims_without_proof: bool,
}

/// What the host does with a payment. A refund is triggered by its card only, so that a sale of any amount can be refunded.
pub fn payment(seen: &Seen<'_>) -> Then {
    let &Seen { kind, minor, pan, claims_without_proof } = seen;
    let by_amount = matches!(kind, Kind::Authorization | Kind::Sale | Kind::Credit);
    let paid_back = matches!(kind, Kind::Refund | Kind::Credit);
    let may_hit = claims_without_proof || (AMOUNTS.0..=AMOUNTS.1).contains(&minor) || pan.starts_with(CARD_PREFIX);
    let hit = |row: &&Trigger| match row.when {
        When::Amount(wanted) => by_amount && wanted == minor,
        When::AmountWithin(first, last) => by_amount && (first..=last).contains(&minor),
        When::Card(number) => by_amount && number == pan,
        When::CardPaidBack(number) => paid_back && number == pan,
        When::ClaimWithoutProof => by_amount && claims_without_proof,
        When::Cvc(_) | When::PostalCode(_) => false,
        When::Anything => true,
    };
    let row = if may_hit { TABLE.iter().find(hit) } else { None };
    row.map_or(Then::Answer(ActionCode::APPROVED), |row| row.then)
}

/// CVV letter for what came in the request: a row's, `M` match, blank when none came.
pub fn cvv_letter(cvc: Option<&str>) -> u8 {
    let Some(cvc) = cvc else { return b' ' };
    let row = |row: &Trigger| match (row.when, row.then) {
        (When::Cvc(value), Then::Cvv(letter)) if value == cvc => Some(letter),
        _ => None,
    };
    let listed = cvc.starts_with(CVC_PREFIX).then(|| TABLE.iter().find_map(row)).flatten();
    listed.unwrap_or(b'M')
}

/// AVS letter for what came in the request: a row's, `Y` both match, `Z` the postal code, `A` the address, `0` not done.
pub fn avs_letter(has_address: bool, postal_code: Option<&str>) -> u8 {
    let row = |row: &Trigger| match (row.when, row.then) {
        (When::PostalCode(code), Then::Avs(letter)) if Some(code) == postal_code => Some(letter),
        _ => None,
    };
    let may_hit = postal_code.is_some_and(|code| POSTAL_CODE_PREFIXES.iter().any(|prefix| code.starts_with(prefix)));
    let listed = may_hit.then(|| TABLE.iter().find_map(row)).flatten();
    listed.unwrap_or(match (has_address, postal_code) {
        (true, Some(_)) => b'Y',
        (false, Some(_)) => b'Z',
        (true, None) => b'A',
        (false, None) => b'0',
    })
}

/// What to lay over a card sale's JSON so that the gateway answers with this code; `None` for a code that neither a card host
/// nor a rule of the sandbox gives. The first row of the table with the code speaks for it; approval needs no trigger.
pub fn trigger_for(code: u16) -> Option<Value> {
    if let Some((minor, _)) = DENIED_AMOUNTS.iter().find(|(_, denial)| denial.0 == code) {
        return Some(json!({ "amount": minor }));
    }
    if code == ResponseCode::APPROVED.0 {
        return Some(json!({}));
    }
    let row = TABLE.iter().find(|row| row.code == Some(ResponseCode(code)))?;
    match row.when {
        When::Amount(minor) | When::AmountWithin(minor, _) => Some(json!({ "amount": minor })),
        When::Card(number) | When::CardPaidBack(number) => Some(json!({"payment_method": {"card": {"number": number}}})),
        When::ClaimWithoutProof => {
            Some(json!({"payment_method": {"card": {"cardholder_authentication": {"eci": "05", "cavv": ""}}}}))
        }
        When::Cvc(cvc) => Some(json!({"payment_method": {"card": {"cvc": cvc}}})),
        When::PostalCode(postal_code) => Some(json!({"billing_address": {"postal_code": postal_code}})),
        When::Anything => Some(json!({})),
    }
}
