//! From the bytes of an answer to what it says. Any bytes may come; what is not an answer to the request is none.

use super::code_map::response_code;
use crate::input::Verdict;
use protocol::facts::Facts;
use protocol::money::Currency;
use protocol::tail::tag;
use protocol::xml::{Document, Node};

/// Names in `processor_specific`, as the gateway's document has them, and those of `ExtData`.
const PROCESSOR_FIELDS: [(&str, &str); 26] = [
    ("BatchNum", "BatchNum"),
    ("CashBack", "CashBack"),
    ("ClerkID", "clerk_id"),
    ("DISC", "DISC"),
    ("EBTCashAvailBalance", "EBTCashAvailBalance"),
    ("EBTCashBeginBalance", "EBTCashBeginBalance"),
    ("EBTCashLedgerBalance", "EBTCashLedgerBalance"),
    ("EBTFSAvailBalance", "EBTFSAvailBalance"),
    ("EBTFSBeginBalance", "EBTFSBeginBalance"),
    ("EBTFSLedgerBalance", "EBTFSLedgerBalance"),
    ("Fee", "Fee"),
    ("InvNum", "InvNum"),
    ("Language", "Language"),
    ("ProcessData", "ProcessData"),
    ("RefNo", "RefNo"),
    ("RewardCode", "RewardCode"),
    ("RewardQR", "RewardQR"),
    ("RwdBalance", "RwdBalance"),
    ("RwdIssued", "RwdIssued"),
    ("RwdPoints", "RwdPoints"),
    ("SHFee", "SHFee"),
    ("SVC", "SVC"),
    ("TableNum", "table_num"),
    ("TicketNum", "ticket_num"),
    ("Tip", "Tip"),
    ("TotalAmt", "TotalAmt"),
];
/// How a card came in: the terminal's words, and the gateway's.
const ENTRY_TYPES: [(&str, &str); 5] = [
    ("Swipe", "swiped"),
    ("Manual", "keyed"),
    ("CHIP", "chip"),
    ("CHIP Contactless", "contactless"),
    ("Contactless", "contactless"),
];
/// Longest drawing of a signature that is kept, base64 characters.
const SIGNATURE_MAX_CHARACTERS: usize = 12 * 1024;
/// Longest text of any other part that is kept, bytes.
const PART_MAX_BYTES: usize = 255;
/// Parts of `ExtData` and of `EMVData` that are read, each.
const PARTS_MAX: usize = 128;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// 0 success, 1 declined, 2 the terminal could not do it.
    pub result_code: u8,
    /// `RespMSG`, its percent-encoding undone.
    pub text: String,
    /// `AuthCode`; empty when none.
    pub auth_code: String,
    /// Of the transaction that is told of; `Status`, `Cancel`, … when none is.
    pub trans_type: String,
    /// It was taken back.
    pub voided: bool,
    payment_type: String,
    signature: String,
    ext: Vec<(String, String)>,
    emv: Vec<(String, String)>,
}

/// Reads an answer. `None` when the bytes are none, or answer another reference than this.
pub fn read(body: &[u8], reference: &str) -> Option<Told> {
    let document = Document::parse(body).ok()?;
    let root = document.root();
    let response = if root.name() == "response" { root } else { root.child("response")? };
    if response.child_text("RefId") != reference {
        return None;
    }
    Some(Told {
        result_code: response.child_text("ResultCode").parse().ok()?,
        text: part(&plain(response.child_text("RespMSG"))),
        auth_code: part(&plain(response.child_text("AuthCode"))),
        trans_type: part(response.child_text("TransType")),
        voided: response.child_text("Voided") == "true",
        payment_type: part(response.child_text("PaymentType")).to_ascii_lowercase(),
        signature: signature(response),
        ext: parts(response.child_text("ExtData")),
        emv: parts(response.child_text("EMVData")),
    })
}

impl Told {
    /// A part of `ExtData`; empty when it is not there.
    pub fn ext(&self, name: &str) -> &str {
        value_of(&self.ext, name)
    }

    /// What the answer to a payment of this amount, minor units, decides; only who pays may add a tip. `None` when its amounts
    /// contradict each other: then what became of the payment is not known.
    pub fn verdict(&self, requested: u64, pays_out: bool, currency: Currency) -> Option<Verdict> {
        if self.result_code != 0 {
            return Some(Verdict::Declined(response_code(self.result_code, &self.text)));
        }
        if self.voided {
            // It was approved, and somebody has taken it back since.
            return Some(Verdict::Declined(response_code(1, "CANCELED")));
        }
        let total = currency.parse_major(self.ext("TotalAmt")).ok()?;
        let tip = match self.ext("Tip") {
            "" => 0,
            text => currency.parse_major(text).ok()?,
        };
        match total {
            _ if total == requested => Some(Verdict::Approved),
            _ if total < requested => Some(Verdict::Partial { approved: total }),
            _ if total - requested == tip && !pays_out => Some(Verdict::WithTip { tip }),
            _ => None,
        }
    }

    /// What else it says of the transaction.
    pub fn facts(&self) -> Vec<u8> {
        let mut facts = Facts::new();
        facts.text(tag::PROCESSOR_TEXT, longer_than(16, &self.text)).text(tag::AUTH_CODE_TEXT, longer_than(6, &self.auth_code));
        if self.ext.is_empty() {
            return facts.finish();
        }
        facts.pairs(tag::PROCESSOR_FIELDS, PROCESSOR_FIELDS.iter().map(|(name, theirs)| (*name, self.ext(theirs))));
        let entry = ENTRY_TYPES.iter().find(|(theirs, _)| *theirs == self.ext("EntryType"));
        facts.text(tag::ENTRY_TYPE_TEXT, entry.map_or(self.ext("EntryType"), |(_, ours)| ours));
        facts.text(tag::PAYMENT_TYPE, &self.payment_type).text(tag::CARD_TYPE, &self.ext("CardType").to_ascii_lowercase());
        facts.text(tag::FIRST_FOUR, four_digits(self.ext("AcntFirst4"))).text(tag::LAST_FOUR, four_digits(self.ext("AcntLast4")));
        facts.text(tag::CARDHOLDER_NAME, self.ext("Name")).text(tag::SIGNATURE_DATA, &self.signature);
        for (tag, name) in [(tag::EMV_AID, "AID"), (tag::EMV_APP_NAME, "AppName"), (tag::EMV_TVR, "TVR"), (tag::EMV_TSI, "TSI")] {
            facts.text(tag, value_of(&self.emv, name));
        }
        facts.finish()
    }
}

/// A text where it is longer than its place in the record; else nothing.
fn longer_than(characters: usize, text: &str) -> &str {
    if text.len() > characters { text } else { "" }
}

/// Digits of a card number that may be shown. Anything else in their place is not kept: it could be more of the number.
fn four_digits(text: &str) -> &str {
    let is_four = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_four { text } else { "" }
}

/// The drawing, when it is one: base64 of a bearable length.
fn signature(response: Node<'_>) -> String {
    let drawing = response.child_text("Sign");
    let is_base64 = drawing.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    if is_base64 && drawing.len() <= SIGNATURE_MAX_CHARACTERS { drawing.to_owned() } else { String::new() }
}

/// `Name=value,Name=value`, the values' percent-encoding undone.
fn parts(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').take(PARTS_MAX).filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (part(name.trim()), part(&plain(value)))).collect()
}

fn value_of<'a>(parts: &'a [(String, String)], name: &str) -> &'a str {
    parts.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// Text without control characters, cut to what is kept.
fn part(text: &str) -> String {
    let mut kept = String::new();
    for character in text.chars().filter(|character| !character.is_control()) {
        if kept.len() + character.len_utf8() > PART_MAX_BYTES {
            break;
        }
        kept.push(character);
    }
    kept
}

/// Percent-encoding undone; what is no encoding stays as it is, what is no UTF-8 becomes question marks.
fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digit = |at: usize| behind.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).replace('\u{fffd}', "?")
}
