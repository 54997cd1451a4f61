//! What makes the ACH host do something else than approve, and the answers that it gives: two tables. The first are the guide's
//! certification cases.
//!
//! Rows are tried from the top; the first that fits counts. A refund is approved whatever its amount and account, so that any
//! debit can be paid back.

use protocol::nacha::{ChangeReason, ReturnReason};
use protocol::response_code::ResponseCode;

use crate::ledger::Kind;
use crate::triggers::Mishap;
use crate::triggers::page::PageRow;

/// An answer of the gateway. The number is the `verdict` of the ledger's rows; never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Case {
    /// Approved.
    Approved = 1,
    /// Above the limit of the account.
    LimitExceeded = 2,
    /// The account holder owes for earlier checks.
    Unpaid = 3,
    /// A person would have to look at it.
    TooLarge = 4,
    /// The check was presented before.
    Represented = 5,
    /// The bank takes no electronic entries.
    NoAch = 6,
    /// The account could not be verified.
    MicrError = 7,
    /// Declined for no stated reason.
    Declined = 8,
    /// An entry was taken back by the merchant.
    VoidAccepted = 9,
    /// An entry was taken back because its outcome was unknown.
    ReversalAccepted = 10,
    /// There is nothing to take back.
    NoOriginal = 11,
    /// A payment whose reversal came first.
    Forestalled = 12,
    /// The gateway itself has failed.
    SystemError = 13,
    /// The transaction is known under another request.
    Duplicate = 14,
}

/// How an answer is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wording {
    /// `RESPONSE_TYPE`.
    pub response_type: &'static str,
    /// `RESPONSE_TYPE_TEXT`.
    pub response_type_text: &'static str,
    /// `RESULT_CODE`, a sum of bits.
    pub result: u32,
    /// `TYPE_CODE`, a sum of bits.
    pub type_code: u32,
    /// `CODE`: lines of sixteen columns as a terminal shows them. Of an approval the authorization number takes its place.
    pub code: &'static str,
    /// `MESSAGE`.
    pub message: &'static str,
}

impl Case {
    const ALL: [Case; 14] = [
        Case::Approved,
        Case::LimitExceeded,
        Case::Unpaid,
        Case::TooLarge,
        Case::Represented,
        Case::NoAch,
        Case::MicrError,
        Case::Declined,
        Case::VoidAccepted,
        Case::ReversalAccepted,
        Case::NoOriginal,
        Case::Forestalled,
        Case::SystemError,
        Case::Duplicate,
    ];

    /// From the number in a row.
    pub fn from_number(number: u8) -> Option<Case> {
        Case::ALL.into_iter().find(|case| *case as u8 == number)
    }

    /// Whether it says yes.
    pub fn is_approval(self) -> bool {
        self.wording().response_type == "A"
    }

    /// How it is worded.
    pub const fn wording(self) -> Wording {
        match self {
            Case::Approved => wording("A", "APPROVED", 0, 4096, "", "APPROVAL"),
            Case::LimitExceeded => declined(136, 256, "DECLINE CHECK   CHECK LIMIT EXCEEDED", "DECLINE CHECK LIMIT EXCEEDED"),
            Case::Unpaid => declined(520, 4100, UNPAID, "DECLINE CHECK 5 UNPAID (ALL) AMT=$5478 GLOBAL eTELECOM 888-481-0757"),
            Case::TooLarge => warning(132, 4100, "MANAGER NEEDED  CHECK TOO LARGE", "MANAGER NEEDED CHECK TOO LARGE"),
            Case::Represented => warning(4, 4228, "MANAGER NEEDED  REPRESENTED CHECK", "MANAGER NEEDED REPRESENTED CHECK"),
            Case::NoAch => declined(8, 512, "DECLINE, NO ACH", "DECLINE, NO ACH"),
            Case::MicrError => wording("VE", "Verification Error", 2, 0, "MICR ERROR", "MICR ERROR"),
            Case::Declined => declined(8, 0, "DECLINE CHECK", "DECLINE CHECK"),
            Case::VoidAccepted => wording("A", "APPROVED", 0, 5120, "VOID ACCEPTED", "VOID ACCEPTED"),
            Case::ReversalAccepted => wording("A", "APPROVED", 0, 5120, "REVERSAL ACCEPTED", "REVERSAL ACCEPTED"),
            Case::NoOriginal => declined(8, 0, "NO SUCH ORIGINAL", "NO SUCH ORIGINAL"),
            Case::Forestalled => declined(8, 1024, "DECLINE CHECK   REVERSED BEFORE", "DECLINE CHECK REVERSED BEFORE"),
            Case::SystemError => wording("", "", 0, 0, "SYSTEM ERROR", "System error"),
            Case::Duplicate => wording("", "", 0, 0, "DUPLICATE", "Duplicate transaction"),
        }
    }
}

const UNPAID: &str = "DECLINE CHECK   5 UNPAID (ALL)  AMT=$5478       GLOBAL eTELECOM 888-481-0757";

const fn declined(result: u32, type_code: u32, code: &'static str, message: &'static str) -> Wording {
    wording("D", "DECLINED", result, type_code, code, message)
}

const fn warning(result: u32, type_code: u32, code: &'static str, message: &'static str) -> Wording {
    wording("W", "Warning", result, type_code, code, message)
}

const fn wording(
    response_type: &'static str,
    response_type_text: &'static str,
    result: u32,
    type_code: u32,
    code: &'static str,
    message: &'static str,
) -> Wording {
    Wording { response_type, response_type_text, result, type_code, code, message }
}

/// What a row looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// This routing number.
    Routing(&'static str),
    /// This routing number, and a debit above so many minor units.
    RoutingAbove(&'static str, u64),
    /// This amount, in minor units.
    Amount(u64),
    /// An amount in this hundred: its last two digits say which.
    Hundred(u64),
    /// Anything: the last row.
    Anything,
}

/// What the host does then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Gives this answer.
    Answer(Case),
    /// Says that the packet is not valid.
    Invalid,
    /// Says that it does not know the merchant.
    UnknownMerchant,
    /// Does nothing and says nothing: the request was lost.
    Lost,
    /// Approves, but the answer goes wrong.
    Approve(Mishap),
    /// Approves; the bank returns the entry soon, before settlement unless that comes first. Without a number the last two digits
    /// of the amount say why.
    Returned(Option<u8>),
    /// Approves; the bank returns the entry after it was settled.
    ReturnedLate(Option<u8>),
    /// Approves; the bank asks for a correction. The last two digits of the amount say which.
    Corrected,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Trigger {
    /// What it looks for.
    pub when: When,
    /// What the host does.
    pub then: Then,
    /// The gateway's response code for it, as the ACH connector maps the answer.
    pub code: ResponseCode,
}

const fn routing(number: &'static str, then: Then, code: ResponseCode) -> Trigger {
    Trigger { when: When::Routing(number), then, code }
}

const fn amount(minor: u64, then: Then, code: ResponseCode) -> Trigger {
    Trigger { when: When::Amount(minor), then, code }
}

const fn hundred(first: u64, then: Then) -> Trigger {
    Trigger { when: When::Hundred(first), then, code: ResponseCode::APPROVED }
}

/// Amounts whose last two digits are the number of a return that comes soon: 910101 is R01.
const RETURNS_FROM: u64 = 910_100;
/// The same, after settlement: 910210 is R10.
const LATE_RETURNS_FROM: u64 = 910_200;
/// Amounts whose last two digits are the number of a notification of change: 910301 is C01.
const CHANGES_FROM: u64 = 910_300;

const _: () =
    assert!(RETURNS_FROM.is_multiple_of(100) && LATE_RETURNS_FROM.is_multiple_of(100) && CHANGES_FROM.is_multiple_of(100));

/// Every trigger of the ACH host.
pub const TABLE: &[Trigger] = &[
    routing("000000000", Then::Answer(Case::Declined), ResponseCode::DECLINE),
    routing("000000001", Then::Returned(Some(1)), ResponseCode::APPROVED),
    routing("000000002", Then::ReturnedLate(Some(10)), ResponseCode::APPROVED),
    Trigger {
        when: When::RoutingAbove("490000018", 2_500),
        then: Then::Answer(Case::LimitExceeded),
        code: ResponseCode::DECLINE,
    },
    routing("490000034", Then::Answer(Case::Unpaid), ResponseCode::DECLINE),
    routing("490000021", Then::Answer(Case::TooLarge), ResponseCode::REFER_TO_ISSUER),
    routing("490000047", Then::Answer(Case::Represented), ResponseCode::REFER_TO_ISSUER),
    routing("490000050", Then::Answer(Case::NoAch), ResponseCode::DECLINE),
    routing("490000015", Then::Answer(Case::MicrError), ResponseCode::NO_SUCH_ISSUER),
    amount(900_003, Then::UnknownMerchant, ResponseCode::INVALID_MERCHANT_CONFIGURATION),
    amount(900_006, Then::Answer(Case::SystemError), ResponseCode::PROCESSOR_ERROR),
    amount(900_030, Then::Invalid, ResponseCode::PROCESSOR_FORMAT_ERROR),
    amount(900_094, Then::Answer(Case::Duplicate), ResponseCode::DUPLICATE_AT_PROCESSOR),
    amount(900_201, Then::Lost, ResponseCode::COMMUNICATION_ERROR),
    amount(900_202, Then::Approve(Mishap::AnswerLost), ResponseCode::COMMUNICATION_ERROR),
    amount(900_203, Then::Approve(Mishap::Late), ResponseCode::COMMUNICATION_ERROR),
    amount(900_204, Then::Approve(Mishap::Garbage), ResponseCode::COMMUNICATION_ERROR),
    amount(900_205, Then::Approve(Mishap::Cut), ResponseCode::COMMUNICATION_ERROR),
    amount(900_206, Then::Approve(Mishap::Oversized), ResponseCode::COMMUNICATION_ERROR),
    hundred(RETURNS_FROM, Then::Returned(None)),
    hundred(LATE_RETURNS_FROM, Then::ReturnedLate(None)),
    hundred(CHANGES_FROM, Then::Corrected),
    Trigger { when: When::Anything, then: Then::Answer(Case::Approved), code: ResponseCode::APPROVED },
];

/// What the host does with a payment of this kind, amount (minor units) and routing number.
pub fn payment(kind: Kind, minor: u64, routing: &str) -> Then {
    let hit = |row: &&Trigger| match row.when {
        When::Routing(number) => number == routing,
        When::RoutingAbove(number, limit) => kind == Kind::Sale && number == routing && minor > limit,
        When::Amount(wanted) => wanted == minor,
        When::Hundred(first) => (first..first + 100).contains(&minor) && is_reason(row.then, minor - first),
        When::Anything => true,
    };
    let row = if kind == Kind::Refund { None } else { TABLE.iter().find(hit) };
    row.map_or(Then::Answer(Case::Approved), |row| row.then)
}

/// Whether the last two digits of an amount name a reason; else the row does not fit.
fn is_reason(then: Then, number: u64) -> bool {
    match then {
        Then::Returned(_) | Then::ReturnedLate(_) => ReturnReason::numbered(number).is_some(),
        Then::Corrected => ChangeReason::numbered(number).is_some(),
        Then::Answer(_) | Then::Invalid | Then::UnknownMerchant | Then::Lost | Then::Approve(_) => false,
    }
}

/// The table's rows for the page of triggers.
pub fn trigger_rows() -> Vec<PageRow> {
    let row = |row: &Trigger| PageRow { request: row.when.words(), host: row.then.words(), code: Some(row.code) };
    TABLE.iter().map(row).collect()
}

impl When {
    fn words(self) -> String {
        match self {
            When::Routing(number) => format!("routing number {number}"),
            When::RoutingAbove(number, limit) => format!("routing number {number}, a sale above {limit}"),
            When::Amount(minor) => format!("amount {minor}"),
            When::Hundred(first) => format!("amount {} to {}", first + 1, first + 99),
            When::Anything => "anything else".to_owned(),
        }
    }
}

impl Then {
    fn words(self) -> String {
        match self {
            Then::Answer(Case::Approved) => "answers `A`".to_owned(),
            Then::Answer(case @ (Case::SystemError | Case::Duplicate)) => {
                format!("answers with the exception `{}`", case.wording().message)
            }
            Then::Answer(case) => {
                let Wording { response_type, result, type_code, message, .. } = case.wording();
                format!("answers `{response_type}` {result}/{type_code}, {message}")
            }
            Then::Invalid => "answers that the packet is not valid".to_owned(),
            Then::UnknownMerchant => "answers that it does not know the merchant".to_owned(),
            Then::Lost => "the request is lost: nothing is done, no answer".to_owned(),
            Then::Approve(mishap) => format!("approves; {}", spoiled(mishap)),
            Then::Returned(Some(number)) => format!("approves; returned soon as R{number:02}"),
            Then::Returned(None) => "approves; returned soon, the last two digits are the reason (R01 to R85)".to_owned(),
            Then::ReturnedLate(Some(number)) => format!("approves; returned a day after settlement as R{number:02}"),
            Then::ReturnedLate(None) => {
                "approves; returned a day after settlement, the last two digits are the reason".to_owned()
            }
            Then::Corrected => "approves; a notification of change, the last two digits are the reason (C01 to C14)".to_owned(),
        }
    }
}

fn spoiled(mishap: Mishap) -> &'static str {
    match mishap {
        Mishap::AnswerLost => "the answer is lost",
        Mishap::Late => "the answer comes too late",
        Mishap::Garbage => "the answer's body is no XML",
        Mishap::Cut => "the connection is cut before the answer",
        Mishap::Oversized => "the answer's body is larger than any answer",
    }
}
