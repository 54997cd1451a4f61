//! SPIn's XML as requests to the terminal host, and its answers as XML. Values only; nothing is decided here.

use std::fmt::Write as _;

use protocol::money::Currency;
use protocol::xml::{Document, Node, Writer};

use super::PATH;
use crate::ledger::{Kind, NO_AUTH};
use crate::tsys::wire::auth_text;
use crate::web::{Asked, WebAnswer};

/// The form field, or the query's, that holds the request.
const FIELD: &str = "TerminalTransaction=";
/// Longest register number, in characters: the width of a ledger row's terminal.
const REGISTER_MAX_CHARACTERS: usize = 8;
/// Longest reference, in characters: the width of a ledger row's retrieval reference number.
const REFERENCE_MAX_CHARACTERS: usize = 12;
/// Largest batch number.
const BATCH_MAX: u64 = 999_999;
/// A drawing of a signature: a BMP of 32 by 8 points in black and white.
const SIGNATURE: &str =
    "Qk1eAAAAAAAAAD4AAAAoAAAAIAAAAAgAAAABAAEAAAAAACAAAADEDgAAxA4AAAAAAAAAAAAAAAAAAP///wAP////8P////8P////8P////8P////8P////8A==";

/// What names a transaction: its register, filled up with blanks, and its reference, likewise.
pub type Reference = ([u8; 8], [u8; 12]);

/// What is asked for, by `TransType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A payment of this kind.
    Payment(Kind),
    /// Takes what was put aside.
    Capture,
    /// Takes a transaction back; `true` when a time-out is the reason.
    Void(bool),
    /// What a reference was answered.
    Status,
    /// Ends what a person is at.
    Cancel,
    /// Closes a batch.
    Settle(Totals),
}

/// What a register says of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The number that its members carried.
    pub members: u32,
    /// Sales and captures.
    pub debits: u64,
    /// Their sum, minor units.
    pub debits_amount: u64,
    /// Refunds and credits.
    pub credits: u64,
    /// Their sum, minor units.
    pub credits_amount: u64,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub ask: Ask,
    /// The register and the reference.
    pub reference: Reference,
    /// Number of the terminal.
    pub tpn: u32,
    /// Whether the key is the register's.
    pub has_key: bool,
    /// Minor units; 0 where none is asked for.
    pub amount: u64,
    /// The currency.
    pub currency: Currency,
    /// The batch that it is booked into, or the number under which one is presented; 0 none.
    pub batch: u32,
    /// The sale that a return pays back.
    pub original: Option<[u8; 12]>,
    /// As sent.
    pub invoice: String,
    /// Whether a signature is to be drawn.
    pub wants_signature: bool,
}

/// Why there is no request to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Nothing is served at this path, or by this method.
    NotHere,
    /// Not the XML of a request.
    NotRequest,
    /// An element is missing, or is not what it should be.
    Field(&'static str),
}

/// Reads a request.
pub fn read(asked: &Asked<'_>) -> Result<Request, Unreadable> {
    if asked.path != PATH {
        return Err(Unreadable::NotHere);
    }
    let xml = match asked.method {
        "GET" => form_field(asked.query.as_bytes()).ok_or(Unreadable::NotRequest)?,
        "POST" => form_field(asked.body).unwrap_or_else(|| asked.body.to_vec()),
        _ => return Err(Unreadable::NotHere),
    };
    let document = Document::parse(&xml).map_err(|_| Unreadable::NotRequest)?;
    let root = document.root();
    if root.name() != "request" { Err(Unreadable::NotRequest) } else { request_of(root) }
}

/// The field of a form, its percent-encoding undone.
fn form_field(form: &[u8]) -> Option<Vec<u8>> {
    let value = form.split(|byte| *byte == b'&').find_map(|pair| pair.strip_prefix(FIELD.as_bytes()))?;
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value.iter();
    while let Some(&byte) = rest.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(*rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    Some(plain)
}

fn request_of(root: Node<'_>) -> Result<Request, Unreadable> {
    let field = |name| root.child_text(name);
    let register = padded(field("RegisterId"), REGISTER_MAX_CHARACTERS).ok_or(Unreadable::Field("RegisterId"))?;
    let reference = padded(field("RefId"), REFERENCE_MAX_CHARACTERS).ok_or(Unreadable::Field("RefId"))?;
    let original = match field("OriginalRefId") {
        "" => None,
        text => Some(padded(text, REFERENCE_MAX_CHARACTERS).ok_or(Unreadable::Field("OriginalRefId"))?),
    };
    let currency = currency_of(field("CurrencyCode"))?;
    let ask = ask_of(root, original.is_some(), currency)?;
    let amount = match ask {
        Ask::Payment(_) | Ask::Capture => amount(root, "Amount", currency)?,
        Ask::Void(_) | Ask::Status | Ask::Cancel | Ask::Settle(_) => 0,
    };
    Ok(Request {
        ask,
        reference: (register, reference),
        tpn: field("TPN").parse().map_err(|_| Unreadable::Field("TPN"))?,
        has_key: field("AuthKey") == super::AUTH_KEY,
        amount,
        currency,
        batch: number(root, "BatchNum", BATCH_MAX)? as u32,
        original,
        invoice: field("InvNum").to_owned(),
        wants_signature: field("SigCapture") == "Yes",
    })
}

fn ask_of(root: Node<'_>, names_original: bool, currency: Currency) -> Result<Ask, Unreadable> {
    match root.child_text("TransType") {
        "Sale" => Ok(Ask::Payment(Kind::Sale)),
        "Auth" => Ok(Ask::Payment(Kind::Authorization)),
        "Return" if names_original => Ok(Ask::Payment(Kind::Refund)),
        "Return" => Ok(Ask::Payment(Kind::Credit)),
        "Capture" => Ok(Ask::Capture),
        "Void" => Ok(Ask::Void(root.child_text("VoidReason") == "Timeout")),
        "Status" => Ok(Ask::Status),
        "Cancel" => Ok(Ask::Cancel),
        "Settle" if root.child_text("Param") == "Close" => Ok(Ask::Settle(Totals {
            members: number(root, "MembersBatchNum", BATCH_MAX)? as u32,
            debits: number(root, "DebitCount", u64::MAX)?,
            debits_amount: amount(root, "DebitAmount", currency)?,
            credits: number(root, "CreditCount", u64::MAX)?,
            credits_amount: amount(root, "CreditAmount", currency)?,
        })),
        _ => Err(Unreadable::Field("TransType")),
    }
}

/// Letters and digits, filled up with blanks.
fn padded<const N: usize>(text: &str, characters_max: usize) -> Option<[u8; N]> {
    let fits = (1..=characters_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let mut bytes = [b' '; N];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    fits.then_some(bytes)
}

fn currency_of(text: &str) -> Result<Currency, Unreadable> {
    let refused = Unreadable::Field("CurrencyCode");
    match text {
        "" => Ok(Currency::USD),
        code => Currency::from_numeric(code.parse().map_err(|_| refused)?).ok_or(refused),
    }
}

fn amount(root: Node<'_>, name: &'static str, currency: Currency) -> Result<u64, Unreadable> {
    currency.parse_major(root.child_text(name)).map_err(|_| Unreadable::Field(name))
}

/// A number; 0 when the element is missing.
fn number(root: Node<'_>, name: &'static str, max: u64) -> Result<u64, Unreadable> {
    match root.child_text(name) {
        "" => Ok(0),
        text => text.parse().ok().filter(|number| *number <= max).ok_or(Unreadable::Field(name)),
    }
}

/// A card that a person presents. Public test numbers, of no account.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    brand: &'static str,
    payment_type: &'static str,
    first_six: &'static str,
    last_four: &'static str,
    name: &'static str,
    entry: &'static str,
    /// Application identifier and label; none when the stripe was read.
    chip: Option<(&'static str, &'static str)>,
}

/// The cards: which one is presented follows from the amount, so that an answer can be given again from the ledger alone.
const CARDS: [Card; 5] = [
    Card {
        brand: "MASTERCARD",
        payment_type: "Credit",
        first_six: "542418",
        last_four: "3333",
        name: "FDCS TEST CARD /MASTERCARD",
        entry: "Swipe",
        chip: None,
    },
    Card {
        brand: "VISA",
        payment_type: "Credit",
        first_six: "402321",
        last_four: "8679",
        name: "CARDHOLDER/VISA",
        entry: "CHIP Contactless",
        chip: Some(("A0000000031010", "VISA CREDIT")),
    },
    Card {
        brand: "AMEX",
        payment_type: "Credit",
        first_six: "371449",
        last_four: "8431",
        name: "CARDHOLDER/AMEX",
        entry: "CHIP",
        chip: Some(("A000000025010801", "AMERICAN EXPRESS")),
    },
    Card {
        brand: "DISCOVER",
        payment_type: "Credit",
        first_six: "601111",
        last_four: "1117",
        name: "",
        entry: "Manual",
        chip: None,
    },
    Card {
        brand: "VISA",
        payment_type: "Debit",
        first_six: "400551",
        last_four: "0004",
        name: "CARDHOLDER/DEBIT",
        entry: "CHIP",
        chip: Some(("A0000000980840", "US DEBIT")),
    },
];

/// The card that is presented for this amount, minor units.
pub fn card_for(minor: u64) -> &'static Card {
    &CARDS[(minor % CARDS.len() as u64) as usize]
}

/// What a transaction was answered.
#[derive(Debug, Clone, Copy)]
pub struct Booked<'a> {
    /// `Sale`, `Auth`, `Return`, or `Capture` once captured.
    pub trans_type: &'static str,
    /// Without the tip, minor units.
    pub amount: u64,
    /// Minor units.
    pub tip: u64,
    /// The card; none was presented when the terminal refused by itself.
    pub card: Option<&'static Card>,
    /// Taken back since.
    pub voided: bool,
    /// As sent.
    pub invoice: &'a str,
    /// The batch that it was booked into.
    pub batch: u32,
    /// Whether a signature was drawn.
    pub signed: bool,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// 0 success, 1 declined, 2 the terminal could not do it.
    pub result_code: u8,
    /// `RespMSG`.
    pub text: String,
    /// `TransType` where no transaction is told of.
    pub trans_type: &'static str,
    /// Number of the row in the ledger.
    pub trans_num: u64,
    /// Digits of the authorization code, or [`NO_AUTH`].
    pub auth: u16,
    /// The transaction that it tells of.
    pub booked: Option<Booked<'a>>,
}

impl Answer<'_> {
    /// An answer that tells of no transaction.
    pub fn bare(trans_type: &'static str, result_code: u8, text: impl Into<String>) -> Answer<'static> {
        Answer { result_code, text: text.into(), trans_type, trans_num: 0, auth: NO_AUTH, booked: None }
    }

    /// The answer as bytes.
    pub fn render(&self, request: &Request) -> WebAnswer {
        let mut body = Vec::with_capacity(1024);
        self.write(request, &mut body);
        WebAnswer { status: 200, content_type: "text/xml", body }
    }

    fn write(&self, request: &Request, body: &mut Vec<u8>) {
        let (register, reference) = &request.reference;
        let card = self.booked.and_then(|booked| booked.card);
        let trans_type = self.booked.map_or(self.trans_type, |booked| booked.trans_type);
        let auth = if self.auth == NO_AUTH { String::new() } else { text(&auth_text(self.auth)).to_owned() };
        let voided = self.booked.is_some_and(|booked| booked.voided);
        let mut xml = Writer::new(body);
        xml.open("xmp", &[]).open("response", &[]);
        xml.element("RefId", text(reference)).element("RegisterId", text(register));
        xml.element("TransNum", &self.trans_num.to_string()).element("ResultCode", &self.result_code.to_string());
        xml.element("RespMSG", &encoded(&self.text)).element("Message", message(self.result_code));
        xml.element("AuthCode", &auth)
            .element("PNRef", &if voided || auth.is_empty() { String::new() } else { self.trans_num.to_string() });
        xml.element("PaymentType", card.map_or("", |card| card.payment_type))
            .element("Voided", if voided { "true" } else { "false" });
        xml.element("TransType", trans_type).element("SN", &format!("{:012}", request.tpn));
        if let Some(booked) = &self.booked {
            xml.element("ExtData", &ext_data(booked, request.currency)).element("EMVData", &emv_data(card));
            if booked.signed {
                xml.element("Sign", SIGNATURE);
            }
        }
        xml.close("response").close("xmp");
    }
}

fn message(result_code: u8) -> &'static str {
    match result_code {
        0 => "Approved",
        1 => "Declined",
        _ => "Error",
    }
}

/// `ExtData`: names and values, the values percent-encoded.
fn ext_data(booked: &Booked<'_>, currency: Currency) -> String {
    let money = |minor| currency.major(minor);
    let card = booked.card;
    let of_card = |part: fn(&'static Card) -> &'static str| card.map_or("", part).to_owned();
    let zero = money(0);
    let pairs = [
        ("Amount", money(booked.amount)),
        ("InvNum", booked.invoice.to_owned()),
        ("CardType", of_card(|card| card.brand)),
        ("BatchNum", booked.batch.to_string()),
        ("Tip", money(booked.tip)),
        ("CashBack", zero.clone()),
        ("Fee", zero.clone()),
        ("AcntLast4", of_card(|card| card.last_four)),
        ("BIN", of_card(|card| card.first_six)),
        ("Name", of_card(|card| card.name)),
        ("SVC", zero.clone()),
        ("TotalAmt", money(booked.amount + booked.tip)),
        ("DISC", zero.clone()),
        ("SHFee", zero),
        ("RwdPoints", "0".to_owned()),
        ("RwdBalance", "0".to_owned()),
        ("RwdIssued", String::new()),
        ("EBTFSLedgerBalance", String::new()),
        ("EBTFSAvailBalance", String::new()),
        ("EBTFSBeginBalance", String::new()),
        ("EBTCashLedgerBalance", String::new()),
        ("EBTCashAvailBalance", String::new()),
        ("EBTCashBeginBalance", String::new()),
        ("RewardCode", String::new()),
        ("RewardQR", String::new()),
        ("Language", "English".to_owned()),
        ("EntryType", of_card(|card| card.entry)),
        ("table_num", "0".to_owned()),
        ("clerk_id", String::new()),
        ("ticket_num", String::new()),
        ("ProcessData", String::new()),
        ("RefNo", String::new()),
        ("AcntFirst4", of_card(|card| &card.first_six[..4])),
    ];
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join(",")
}

fn emv_data(card: Option<&Card>) -> String {
    let chip = card.and_then(|card| card.chip);
    chip.map_or(String::new(), |(aid, name)| format!("AID={aid},AppName={},TVR=8000008000,TSI=6800", encoded(name)))
}

/// Percent-encoding as the terminals have it: lower-case digits, and whatever would part names and values.
fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02x}")),
        }
    }
    out
}

/// Letters, digits and the blanks behind them, without those.
pub fn text(padded: &[u8]) -> &str {
    std::str::from_utf8(padded).unwrap_or_default().trim_end_matches(' ')
}
