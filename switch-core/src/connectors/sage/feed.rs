//! What banks send back: a page of the processor's feed, `GET /returns?after=n`. Ours, for the gateway's guide has no such call.

use protocol::calendar::Micros;
use protocol::facts::Facts;
use protocol::money::Currency;
use protocol::tail::tag;
use protocol::xml::{Document, Node};
use zeroize::Zeroizing;

/// A page: its notices ascend without gaps.
#[derive(Debug)]
pub struct Page {
    /// Number of the newest notice that there is.
    pub last: u64,
    /// Those of this page.
    pub notices: Vec<Notice>,
}

/// A return or a notification of change.
#[derive(Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its number, from 1.
    pub sequence: u64,
    /// Retrieval reference number of the transaction.
    pub rrn: [u8; 12],
    /// Amount of the entry, minor units.
    pub amount: u64,
    /// `R01`, `C01`. Codes of a later rule book survive.
    pub code: [u8; 3],
    /// When the bank acted.
    pub at: Micros,
    /// The bank's words.
    pub reason: String,
    /// What to use from now on, when that is what it says.
    pub corrected: Option<Zeroizing<String>>,
}

/// Why a page can't be read. Nothing of it is acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no such document.
    NotAFeed,
    /// An element is missing or wrong.
    Element(&'static str),
    /// A number is not the one that follows.
    Gap {
        /// The number that was to come.
        expected: u64,
    },
}

impl core::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Unreadable::NotAFeed => f.write_str("no feed of returns"),
            Unreadable::Element(name) => write!(f, "feed of returns: {name} is missing or wrong"),
            Unreadable::Gap { expected } => write!(f, "feed of returns: notice {expected} is missing"),
        }
    }
}

impl core::error::Error for Unreadable {}

/// Path and query of the page that follows a notice.
pub fn path(after: u64) -> String {
    format!("/returns?after={after}")
}

/// Reads the page that was asked for with `after`.
pub fn read(body: &[u8], after: u64) -> Result<Page, Unreadable> {
    let document = Document::parse(body).map_err(|_| Unreadable::NotAFeed)?;
    let root = document.root();
    let last = root.attribute("LAST").filter(|_| root.name() == "RETURNS").ok_or(Unreadable::NotAFeed)?;
    let last = last.parse().map_err(|_| Unreadable::Element("LAST"))?;
    let mut notices = Vec::new();
    let mut expected = after;
    for node in root.children() {
        expected = expected.saturating_add(1);
        let notice = notice(node)?;
        if notice.sequence != expected {
            return Err(Unreadable::Gap { expected });
        }
        notices.push(notice);
    }
    Ok(Page { last, notices })
}

fn notice(node: Node<'_>) -> Result<Notice, Unreadable> {
    let letter = match node.name() {
        "RETURN" => b'R',
        "CHANGE" => b'C',
        _ => return Err(Unreadable::Element("RETURN")),
    };
    let sequence = node.attribute("SEQUENCE").and_then(|text| text.parse().ok()).ok_or(Unreadable::Element("SEQUENCE"))?;
    let rrn = node.child_text("TRANSACTION_ID").as_bytes().try_into().map_err(|_| Unreadable::Element("TRANSACTION_ID"))?;
    let code: [u8; 3] = node.child_text("CODE").as_bytes().try_into().map_err(|_| Unreadable::Element("CODE"))?;
    if code[0] != letter || !code[1..].iter().all(u8::is_ascii_digit) {
        return Err(Unreadable::Element("CODE"));
    }
    let amount = Currency::USD.parse_major(node.child_text("AMOUNT")).map_err(|_| Unreadable::Element("AMOUNT"))?;
    let at = moment(node.child_text("AT")).ok_or(Unreadable::Element("AT"))?;
    let corrected = node.child("CORRECTED").map(|node| Zeroizing::new(node.text().to_owned()));
    Ok(Notice { sequence, rrn, amount, code, at, reason: node.child_text("REASON").to_owned(), corrected })
}

/// `2017-10-19T20:15:19.560708Z`, as [`Micros`] writes it and no other way.
fn moment(text: &str) -> Option<Micros> {
    let part = |from: usize, to: usize| text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let number = |from: usize, to: usize| part(from, to)?.parse::<i64>().ok();
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    let midnight = Micros::from_date(number(0, 4)? as i32, month as u8, day as u8);
    let of_day = (number(11, 13)? * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    let moment = Micros(midnight.0 + of_day * 1_000_000 + number(20, 26)?);
    (moment.to_string() == text).then_some(moment)
}

impl Notice {
    /// Whether the entry came back; else its data are to be corrected.
    pub fn is_return(&self) -> bool {
        self.code[0] == b'R'
    }

    /// What it tells of the transaction, as fields of its tail. What was corrected is not among them: it has to be sealed first.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        facts.text(tag::RETURN_TEXT, &self.reason);
        if self.is_return() {
            facts.bytes(tag::RETURN_CODE, &self.code).number(tag::RETURNED_AT, self.at.0 as u64);
        } else {
            facts.bytes(tag::CHANGE_CODE, &self.code);
        }
        facts
    }
}
