//! What makes the terminals do something else than approve: one table, from which the host's behaviour and its part of the page
//! `TRIGGERS.md` come. Rows are tried from the top; the first that fits counts.

use protocol::response_code::ResponseCode;

use crate::ledger::Kind;
use crate::triggers::Mishap;
use crate::triggers::page::PageRow;

/// What a terminal says: the two characters that the ledger keeps, and the text of `RespMSG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// As in DE39 of a card host where there is such a code; letters of our own where there is none.
    pub action: [u8; 2],
    /// The text; an approval's goes on with its authorization code.
    pub text: &'static str,
}

const fn word(action: &[u8; 2], text: &'static str) -> Word {
    Word { action: *action, text }
}

/// Approved.
pub const APPROVAL: Word = word(b"00", "APPROVAL");
/// Approved for a part of the amount.
pub const PARTIAL: Word = word(b"10", "PARTIAL APPROVAL");
/// Declined without a reason.
pub const DECLINED: Word = word(b"57", "DECLINED");
/// The terminal is broken.
pub const TERMINAL_ERROR: Word = word(b"TE", "TERMINAL ERROR");
/// Somebody has pressed the red key, or the register has called it off.
pub const CANCELED: Word = word(b"TC", "CANCELED");
/// Nobody did anything at the terminal.
pub const TIMED_OUT: Word = word(b"TT", "TERMINAL TIMEOUT");
/// The terminal is at work on something else.
pub const BUSY: Word = word(b"TB", "TERMINAL BUSY");
/// No transaction has this reference.
pub const NOT_FOUND: Word = word(b"25", "NOT FOUND");
/// The amount is zero or too large.
pub const AMOUNT_ERROR: Word = word(b"13", "INVALID AMOUNT");
/// The reference is another transaction's, or the capture is a second one.
pub const DUPLICATE: Word = word(b"94", "DUPLICATE TRANSACTION");

/// What the host says of a reference that is being worked on.
pub const IN_PROGRESS: &str = "IN PROGRESS";
/// What it says when something is to be cancelled that stands.
pub const ALREADY_APPROVED: &str = "ALREADY APPROVED";
/// What it says when something is to be taken back that is settled.
pub const ALREADY_SETTLED: &str = "ALREADY SETTLED";

/// What a row looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The terminal whose number ends in this digit.
    Terminal(u8),
    /// This amount, minor units, of a sale, an authorization or a credit.
    Amount(u64),
    /// Anything: the last row.
    Anything,
}

/// What happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Declines with this word.
    Decline(Word),
    /// Approves.
    Approve,
    /// Approves half of the amount, rounded down.
    ApproveHalf,
    /// Approves, and the person adds a fifth of the amount as a tip to a sale.
    ApproveWithTip,
    /// Approves; the person takes this long, milliseconds.
    ApproveAfter(u32),
    /// Nobody comes: the terminal gives up when nobody waits any more.
    NobodyComes,
    /// Does nothing and says nothing: the request was lost.
    Lost,
    /// Approves, but the answer goes wrong.
    Spoil(Mishap),
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Trigger {
    /// What it looks for.
    pub when: When,
    /// What happens.
    pub then: Then,
    /// The gateway's response code for it.
    pub code: ResponseCode,
}

const fn declines(minor: u64, action: &[u8; 2], text: &'static str, code: u16) -> Trigger {
    Trigger { when: When::Amount(minor), then: Then::Decline(word(action, text)), code: ResponseCode(code) }
}

const fn does(minor: u64, then: Then, code: u16) -> Trigger {
    Trigger { when: When::Amount(minor), then, code: ResponseCode(code) }
}

const fn terminal(digit: u8, then: Then, code: u16) -> Trigger {
    Trigger { when: When::Terminal(digit), then, code: ResponseCode(code) }
}

/// Every trigger of the terminal host. Amounts have the meaning that they have at the card hosts.
pub const TABLE: &[Trigger] = &[
    terminal(2, Then::Decline(DECLINED), 200),
    terminal(3, Then::Decline(TERMINAL_ERROR), 400),
    declines(900_001, b"01", "CALL ISSUER", 240),
    declines(900_003, b"03", "INVALID MERCHANT", 410),
    declines(900_004, b"04", "PICK UP CARD", 250),
    declines(900_005, b"05", "DO NOT HONOR", 201),
    declines(900_006, b"06", "HOST ERROR", 400),
    declines(900_007, b"07", "PICK UP CARD SPECIAL", 253),
    does(900_010, Then::ApproveHalf, 110),
    declines(900_012, b"12", "INVALID TRANSACTION", 204),
    declines(900_013, b"13", "INVALID AMOUNT", 220),
    declines(900_014, b"14", "INVALID CARD", 222),
    declines(900_015, b"15", "NO SUCH ISSUER", 221),
    declines(900_030, b"30", "FORMAT ERROR", 440),
    declines(900_041, b"41", "LOST CARD", 251),
    declines(900_043, b"43", "STOLEN CARD", 252),
    declines(900_051, b"51", "INSUFFICIENT FUNDS", 202),
    declines(900_054, b"54", "EXPIRED CARD", 223),
    declines(900_057, b"57", "DECLINED", 200),
    declines(900_061, b"61", "EXCEEDS LIMIT", 203),
    declines(900_082, b"82", "CVV MISMATCH", 225),
    declines(900_086, b"86", "PIN TRIES EXCEEDED", 226),
    declines(900_091, b"91", "NO REPLY", 421),
    declines(900_094, b"94", "DUPLICATE TRANSACTION", 430),
    declines(900_102, b"R0", "STOP RECURRING", 261),
    declines(900_104, b"R3", "STOP ALL RECURRING", 262),
    does(900_201, Then::Lost, 421),
    does(900_202, Then::Spoil(Mishap::AnswerLost), 421),
    does(900_203, Then::Spoil(Mishap::Late), 421),
    does(900_204, Then::Spoil(Mishap::Garbage), 100),
    does(900_205, Then::Spoil(Mishap::Cut), 100),
    does(900_206, Then::Spoil(Mishap::Oversized), 100),
    does(900_401, Then::Decline(CANCELED), 200),
    does(900_402, Then::ApproveAfter(1_500), 100),
    does(900_403, Then::NobodyComes, 421),
    does(900_404, Then::Decline(BUSY), 400),
    terminal(4, Then::ApproveWithTip, 100),
    Trigger { when: When::Anything, then: Then::Approve, code: ResponseCode::APPROVED },
];

/// What the terminal with this number does with a payment. A refund goes by its terminal only, so that a sale of any amount can
/// be refunded.
pub fn payment(kind: Kind, tpn: u32, minor: u64) -> Then {
    let by_amount = matches!(kind, Kind::Authorization | Kind::Sale | Kind::Credit);
    let hit = |row: &&Trigger| match row.when {
        When::Terminal(digit) => u32::from(digit) == tpn % 10,
        When::Amount(wanted) => by_amount && wanted == minor,
        When::Anything => true,
    };
    TABLE.iter().find(hit).map_or(Then::Approve, |row| row.then)
}

/// The text of a word that the ledger kept.
pub fn text_of(action: [u8; 2]) -> &'static str {
    let ours = [APPROVAL, PARTIAL, DECLINED, TERMINAL_ERROR, CANCELED, TIMED_OUT, BUSY, NOT_FOUND, AMOUNT_ERROR, DUPLICATE];
    let listed = TABLE.iter().filter_map(|row| match row.then {
        Then::Decline(word) => Some(word),
        Then::Approve
        | Then::ApproveHalf
        | Then::ApproveWithTip
        | Then::ApproveAfter(_)
        | Then::NobodyComes
        | Then::Lost
        | Then::Spoil(_) => None,
    });
    ours.into_iter().chain(listed).find(|word| word.action == action).map_or("DECLINED", |word| word.text)
}

/// The table as rows of the page.
pub fn trigger_rows() -> Vec<PageRow> {
    TABLE.iter().map(|row| PageRow { request: row.when.words(), host: row.then.words(), code: Some(row.code) }).collect()
}

impl When {
    fn words(self) -> String {
        match self {
            When::Terminal(digit) => format!("terminal {digit:012}"),
            When::Amount(minor) => format!("amount {minor}"),
            When::Anything => "anything else".to_owned(),
        }
    }
}

impl Then {
    fn words(self) -> String {
        match self {
            Then::Decline(word) => format!("answers `{}`", word.text),
            Then::Approve => "approves".to_owned(),
            Then::ApproveHalf => "approves half of the amount".to_owned(),
            Then::ApproveWithTip => "approves; the shopper adds a fifth as a tip".to_owned(),
            Then::ApproveAfter(ms) => format!("approves; the shopper takes {ms} ms"),
            Then::NobodyComes => "nobody comes to the terminal".to_owned(),
            Then::Lost => "the request is lost: nothing is done, no answer".to_owned(),
            Then::Spoil(mishap) => format!("approves; {}", mishap_words(mishap)),
        }
    }
}

fn mishap_words(mishap: Mishap) -> &'static str {
    match mishap {
        Mishap::AnswerLost => "the answer is lost",
        Mishap::Late => "the answer comes too late",
        Mishap::Garbage => "garbage is sent in place of the answer",
        Mishap::Cut => "the connection is cut before the answer",
        Mishap::Oversized => "an answer larger than any is sent in its place",
    }
}
