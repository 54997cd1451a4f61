//! What makes the card hosts do something else than approve: one table, from which the hosts' behaviour, the answers of
//! `GET /api/response-codes` and the page `TRIGGERS.md` come.
//!
//! Everything is approved unless a row says otherwise. Rows are tried from the top; the first that fits counts.

use std::fmt::Write as _;

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

    /// Whether the host approved, wholly or in part.
    pub fn is_approval(self) -> bool {
        [Self::APPROVED, Self::PARTIAL, Self::NO_REASON_TO_DECLINE].contains(&self)
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
    /// Approves, with CVV letter `N`.
    CvvMismatch,
    /// Approves, with AVS letter `N`.
    AvsMismatch,
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

/// Every trigger of the card hosts.
pub const TABLE: &[Trigger] = &[
    amount(900_001, b"01", 240),
    amount(900_002, b"02", 240),
    amount(900_003, b"03", 410),
    amount(900_004, b"04", 250),
    amount(900_005, b"05", 201),
    amount(900_006, b"06", 400),
    amount(900_007, b"07", 253),
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
    Trigger { when: When::Cvc("200"), then: Then::CvvMismatch, code: None },
    Trigger { when: When::PostalCode("20000"), then: Then::AvsMismatch, code: None },
    Trigger { when: When::Anything, then: Then::Answer(ActionCode::APPROVED), code: Some(ResponseCode::APPROVED) },
];

/// Lowest and highest amount that any row looks for, so that other amounts need not walk the table.
const AMOUNTS: (u64, u64) = (900_001, 900_206);
/// First digits of every card that any row looks for.
const CARD_PREFIX: &str = "400000000000";

/// What the host does with a payment of this kind, amount (minor units) and card. A refund is triggered by its card only,
/// so that a sale of any amount can be refunded.
pub fn payment(kind: Kind, minor: u64, pan: &str) -> Then {
    let by_amount = matches!(kind, Kind::Authorization | Kind::Sale | Kind::Credit);
    let paid_back = matches!(kind, Kind::Refund | Kind::Credit);
    let may_hit = (AMOUNTS.0..=AMOUNTS.1).contains(&minor) || pan.starts_with(CARD_PREFIX);
    let hit = |row: &&Trigger| match row.when {
        When::Amount(wanted) => by_amount && wanted == minor,
        When::AmountWithin(first, last) => by_amount && (first..=last).contains(&minor),
        When::Card(number) => by_amount && number == pan,
        When::CardPaidBack(number) => paid_back && number == pan,
        When::Cvc(_) | When::PostalCode(_) => false,
        When::Anything => true,
    };
    let row = if may_hit { TABLE.iter().find(hit) } else { None };
    row.map_or(Then::Answer(ActionCode::APPROVED), |row| row.then)
}

/// CVV letter for what came in the request: `M` match, `N` none, blank when none came.
pub fn cvv_letter(cvc: Option<&str>) -> u8 {
    match cvc {
        None => b' ',
        Some(cvc) if TABLE.iter().any(|row| matches!(row.when, When::Cvc(text) if text == cvc)) => b'N',
        Some(_) => b'M',
    }
}

/// AVS letter for what came in the request: `Y` both, `Z` postal code, `A` address, `N` none matches, `0` not done.
pub fn avs_letter(has_address: bool, postal_code: Option<&str>) -> u8 {
    let mismatch = |code| TABLE.iter().any(|row| matches!(row.when, When::PostalCode(text) if text == code));
    match (has_address, postal_code) {
        (_, Some(code)) if mismatch(code) => b'N',
        (true, Some(_)) => b'Y',
        (false, Some(_)) => b'Z',
        (true, None) => b'A',
        (false, None) => b'0',
    }
}

/// What to lay over a card sale's JSON so that the gateway answers with this code; `None` for a code that no card host
/// gives. The first row of the table with the code speaks for it; approval needs no trigger.
pub fn trigger_for(code: u16) -> Option<Value> {
    if code == ResponseCode::APPROVED.0 {
        return Some(json!({}));
    }
    let row = TABLE.iter().find(|row| row.code == Some(ResponseCode(code)))?;
    match row.when {
        When::Amount(minor) | When::AmountWithin(minor, _) => Some(json!({ "amount": minor })),
        When::Card(number) | When::CardPaidBack(number) => Some(json!({"payment_method": {"card": {"number": number}}})),
        When::Cvc(cvc) => Some(json!({"payment_method": {"card": {"cvc": cvc}}})),
        When::PostalCode(postal_code) => Some(json!({"billing_address": {"postal_code": postal_code}})),
        When::Anything => Some(json!({})),
    }
}

impl When {
    fn words(self) -> String {
        match self {
            When::Amount(minor) => format!("amount {minor}"),
            When::AmountWithin(first, last) => format!("any other amount {first} to {last}"),
            When::Card(number) => format!("card {number}"),
            When::CardPaidBack(number) => format!("refund or credit to card {number}"),
            When::Cvc(cvc) => format!("CVC {cvc}"),
            When::PostalCode(postal_code) => format!("postal code {postal_code}"),
            When::Anything => "anything else".to_owned(),
        }
    }
}

impl Then {
    fn words(self) -> String {
        match self {
            Then::Answer(ActionCode([a, b])) => format!("answers `{}{}`", char::from(a), char::from(b)),
            Then::ApproveHalf => "approves half of the amount (`10`)".to_owned(),
            Then::AnswerLastTwoDigits => "answers the last two digits".to_owned(),
            Then::Lost => "the request is lost: nothing is done, no answer".to_owned(),
            Then::Approve(mishap) => format!("approves; {}", mishap.words()),
            Then::CvvMismatch => "approves, CVV letter `N`".to_owned(),
            Then::AvsMismatch => "approves, AVS letter `N`".to_owned(),
        }
    }
}

impl Mishap {
    fn words(self) -> &'static str {
        match self {
            Mishap::AnswerLost => "the answer is lost",
            Mishap::Late => "the answer comes too late",
            Mishap::Garbage => "garbage is sent in place of the answer",
            Mishap::Cut => "the connection is cut before the answer",
            Mishap::Oversized => "an oversized length header is sent in place of the answer",
        }
    }
}

/// The table as a page of documentation.
pub fn markdown() -> String {
    let mut page = String::from(
        "# What the sandbox's card hosts do\n\nEverything is approved unless a row of this table says otherwise; the first row that fits counts.\n\
         Amounts are in minor units (900051 is $9,000.51) and work for authorizations, sales and credits; cards for these and for verifications.\n\
         The page is written from the table in `src/triggers.rs`.\n\n| request | host | response code |\n| --- | --- | --- |\n",
    );
    for row in TABLE {
        let code = row.code.map_or(String::new(), |code| format!("{} {}", code.0, code.text()));
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {} | {} | {code} |", row.when.words(), row.then.words());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_within_reach_of_the_short_cut() {
        for row in TABLE {
            match row.when {
                When::Amount(minor) => assert!((AMOUNTS.0..=AMOUNTS.1).contains(&minor)),
                When::AmountWithin(first, last) => assert!(AMOUNTS.0 <= first && last <= AMOUNTS.1),
                When::Card(number) | When::CardPaidBack(number) => assert!(number.starts_with(CARD_PREFIX)),
                When::Cvc(_) | When::PostalCode(_) | When::Anything => {}
            }
        }
    }

    #[test]
    fn rows_do_what_they_say() {
        let pan = "4012000098765439";
        for row in TABLE {
            match row.when {
                When::Amount(minor) => assert_eq!(payment(Kind::Sale, minor, pan), row.then),
                When::Card(number) => assert_eq!(payment(Kind::Sale, 1112, number), row.then),
                When::CardPaidBack(number) => {
                    assert_eq!(payment(Kind::Refund, 1112, number), row.then);
                    assert_eq!(payment(Kind::Sale, 1112, number), Then::Answer(ActionCode::APPROVED));
                }
                When::Cvc(cvc) => assert_eq!(cvv_letter(Some(cvc)), b'N'),
                When::PostalCode(code) => assert_eq!(avs_letter(true, Some(code)), b'N'),
                When::AmountWithin(..) => assert_eq!(payment(Kind::Credit, 900_099, pan), row.then),
                When::Anything => assert_eq!(payment(Kind::Sale, 1112, pan), row.then),
            }
        }
        assert_eq!(payment(Kind::Refund, 900_051, pan), Then::Answer(ActionCode::APPROVED), "a refund goes by its card");
        assert_eq!(cvv_letter(Some("20000")), b'M');
        assert_eq!(avs_letter(false, Some("200")), b'Z');
    }

    #[test]
    fn last_two_digits_and_named_rows_agree() {
        for row in TABLE {
            if let (When::Amount(minor @ 900_001..=900_099), Then::Answer(action)) = (row.when, row.then) {
                assert_eq!(action.0, *format!("{:02}", minor % 100).as_bytes(), "{minor}");
            }
        }
    }

    #[test]
    fn every_code_of_a_card_host_has_a_trigger() {
        let elsewhere = [0, 101, 300, 301, 310];
        for row in protocol::response_code::TABLE {
            assert_eq!(trigger_for(row.code.0).is_none(), elsewhere.contains(&row.code.0), "{:?}", row.code);
        }
        assert_eq!(trigger_for(202), Some(json!({"amount": 900_051})));
        assert_eq!(trigger_for(100), Some(json!({})));
    }

    #[test]
    fn the_page_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/TRIGGERS.md");
        if std::env::var_os("WRITE_TRIGGERS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(written, markdown(), "run WRITE_TRIGGERS=1 cargo test -p sandbox the_page_is_the_table");
    }
}
