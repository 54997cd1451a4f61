//! The page `TRIGGERS.md`: every trigger of every host of the sandbox, and of the gateway's own rules, written from their tables.

use std::fmt::Write as _;

use protocol::response_code::ResponseCode;

use super::{ActionCode, DENIED_AMOUNTS, Mishap, TABLE, Then, When};

/// One line of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// What makes it happen: `amount 900051`.
    pub request: String,
    /// What the host does: ``answers `51` ``.
    pub host: String,
    /// The gateway's code for it; `None` where it varies.
    pub code: Option<ResponseCode>,
}

/// The rows of one host, under their heading.
struct Section {
    heading: &'static str,
    words: &'static str,
    rows: Vec<PageRow>,
}

/// One section a host, then the gateway's.
fn sections() -> Vec<Section> {
    vec![
        Section {
            heading: "Cards",
            words: "Amounts are in minor units (900051 is $9,000.51) and work for authorizations, sales and credits; cards for these and \
                    for verifications.",
            rows: card_rows(),
        },
        Section {
            heading: "Bank accounts",
            words: "Routing numbers count before amounts; both for sales and credits. Other valid routing numbers approve any amount.",
            rows: crate::sage::triggers::trigger_rows(),
        },
        Section {
            heading: "Terminals",
            words: "The four terminals of the sandbox's merchant, and amounts of sales, authorizations and credits at any of them.",
            rows: crate::spin::triggers::trigger_rows(),
        },
        Section {
            heading: "Rules of the gateway",
            words: "These reach no host: rules deny them to the sandbox's merchant.",
            rows: denied_rows(),
        },
    ]
}

/// All of it, in Markdown.
pub fn markdown() -> String {
    let mut page = String::from(
        "# What the sandbox does\n\nEverything is approved unless a row of these tables says otherwise; the first row that fits counts.\n\
         The page is written from the tables in `src/triggers` and in the hosts' own rooms.\n",
    );
    for Section { heading, words, rows } in sections() {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {heading}\n\n{words}\n\n| request | host | response code |\n| --- | --- | --- |\n");
        for PageRow { request, host, code } in rows {
            let code = code.map_or(String::new(), |code| format!("{} {}", code.0, code.text()));
            let _ = writeln!(page, "| {request} | {host} | {code} |");
        }
    }
    page
}

fn card_rows() -> Vec<PageRow> {
    TABLE.iter().map(|row| PageRow { request: row.when.words(), host: row.then.words(), code: row.code }).collect()
}

fn denied_rows() -> Vec<PageRow> {
    let row =
        |&(minor, code)| PageRow { request: When::Amount(minor).words(), host: "is not asked".to_owned(), code: Some(code) };
    DENIED_AMOUNTS.iter().map(row).collect()
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
            When::ClaimWithoutProof => "ECI 02 or 05 without a CAVV".to_owned(),
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
            Then::Cvv(letter) => format!("approves, CVV letter `{}`", char::from(letter)),
            Then::Avs(letter) => format!("approves, AVS letter `{}`", char::from(letter)),
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
