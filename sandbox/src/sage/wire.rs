//! What envelopes and packets mean to the host, and how its answers are written.

use protocol::calendar::Micros;
use protocol::money::Currency;
use protocol::nacha::SecCode;
use protocol::xml::{Document, Node, Writer};

use super::book::{Difference, Notice, Totals, Verdict};
use super::triggers::{Case, Wording};
use crate::ledger::Kind;

/// Where requests are posted.
pub const PATH: &str = "/webservices/AuthGateway.asmx";
/// Where the feed of returns is read.
pub const RETURNS_PATH: &str = "/returns";
/// Namespace of the gateway's methods.
const NAMESPACE: &str = "http://tempuri.org/GETI.eMagnus.WebServices/AuthGateway";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// A merchant: the header's `UserName`, filled up with blanks.
pub type Merchant = [u8; 8];
/// `TRANSACTION_ID`, filled up with blanks.
pub type TransactionId = [u8; 12];

/// What a packet asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identifier {
    /// `A`, or of written agreements `R`: a payment.
    Payment,
    /// `V`: the merchant takes a payment back.
    Void,
    /// `F`: a payment's outcome is unknown, it is taken back.
    Reversal,
}

/// Names a request: what `REQUEST_ID` is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    /// The transaction.
    pub transaction: TransactionId,
    /// Its trace number.
    pub trace: u32,
    /// What was asked: a letter.
    pub identifier: u8,
}

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Names it.
    pub id: RequestId,
    /// What it asks for.
    pub identifier: Identifier,
    /// A debit, a credit or a refund.
    pub kind: Kind,
    /// Without its sign, in minor units.
    pub amount: u64,
    /// Nine digits.
    pub routing: [u8; 9],
    /// The batch that it belongs to; 0 none.
    pub batch: u32,
}

/// The totals of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// The number under which it is presented.
    pub number: u32,
    /// The number that its members carried.
    pub members: u32,
    /// The trace number of the message, which a repeat carries again.
    pub trace: u32,
    /// What its members add up to.
    pub totals: Totals,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `ProcessSingleCheck`.
    Check(Check),
    /// `GetArchivedResponse`.
    Archived(RequestId),
    /// `SettleBatch`.
    Settle(Settlement),
}

/// Why a request is not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// No envelope, no such method: a SOAP fault.
    Fault(&'static str),
    /// The header names no merchant.
    UnknownMerchant,
    /// An element of the packet is missing or wrong.
    Invalid(&'static str),
}

/// A request: who asks, under which name, and what, if that could be read.
#[derive(Debug)]
pub struct Request {
    /// Who asks.
    pub merchant: Merchant,
    /// `REQUEST_ID` as it came, to be echoed.
    pub request_id: String,
    /// Which method was called.
    pub method: Method,
    /// What is asked, or which element is at fault.
    pub call: Result<Call, Unfit>,
}

/// The methods, for their answers are named after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// One packet.
    ProcessSingleCheck,
    /// An earlier answer.
    GetArchivedResponse,
    /// A batch.
    SettleBatch,
}

impl Method {
    const ALL: [Method; 3] = [Method::ProcessSingleCheck, Method::GetArchivedResponse, Method::SettleBatch];

    const fn name(self) -> &'static str {
        match self {
            Method::ProcessSingleCheck => "ProcessSingleCheck",
            Method::GetArchivedResponse => "GetArchivedResponse",
            Method::SettleBatch => "SettleBatch",
        }
    }
}

/// Reads the body of a POST.
pub fn read(body: &[u8]) -> Result<Request, Unfit> {
    let envelope = Document::parse(body).map_err(|_| Unfit::Fault("the envelope can't be read"))?;
    let root = envelope.root();
    let call = root.child("Body").and_then(|body| body.children().next()).ok_or(Unfit::Fault("no Body"))?;
    let method = Method::ALL.into_iter().find(|method| method.name() == call.name()).ok_or(Unfit::Fault("no such method"))?;
    let header = root.descend(&["Header", "AuthGatewayHeader"]).ok_or(Unfit::Fault("no AuthGatewayHeader"))?;
    let merchant = merchant(header).ok_or(Unfit::UnknownMerchant)?;
    if method == Method::GetArchivedResponse {
        let text = call.child_text("RequestID");
        let id = RequestId::parse(text).map(Call::Archived).ok_or(Unfit::Invalid("RequestID"));
        return Ok(Request { merchant, request_id: text.to_owned(), method, call: id });
    }
    let packet =
        Document::parse(call.child_text("DataPacket").as_bytes()).map_err(|_| Unfit::Fault("the packet can't be read"))?;
    let packet = packet.root();
    let request_id = packet.attribute("REQUEST_ID").unwrap_or_default().to_owned();
    let call = match method {
        Method::SettleBatch => {
            packet.child("SETTLEMENT").ok_or(Unfit::Invalid("SETTLEMENT")).and_then(settlement).map(Call::Settle)
        }
        Method::ProcessSingleCheck | Method::GetArchivedResponse => check(packet, header, &request_id).map(Call::Check),
    };
    Ok(Request { merchant, request_id, method, call })
}

/// A user name of up to eight visible characters, with some password.
fn merchant(header: Node<'_>) -> Option<Merchant> {
    let name = header.child_text("UserName");
    let is_known = name.bytes().all(|byte| byte.is_ascii_graphic()) && !header.child_text("Password").is_empty();
    padded(name).filter(|_| is_known)
}

fn check(packet: Node<'_>, header: Node<'_>, request_id: &str) -> Result<Check, Unfit> {
    let transaction = packet.child("TRANSACTION").ok_or(Unfit::Invalid("TRANSACTION"))?;
    let parts = transaction.child("PACKET").ok_or(Unfit::Invalid("PACKET"))?;
    let terminal = transaction.descend(&["MERCHANT", "TERMINAL_ID"]).map_or("", Node::text);
    let (sec, needs_licence) = terminal_of(terminal).ok_or(Unfit::Invalid("TERMINAL_ID"))?;
    if header.child_text("TerminalID") != terminal {
        return Err(Unfit::Invalid("TERMINAL_ID"));
    }
    let letter = parts.child_text("IDENTIFIER");
    let identifier = identifier(letter, sec).ok_or(Unfit::Invalid("IDENTIFIER"))?;
    let id =
        RequestId::parse(request_id).filter(|id| [id.identifier] == *letter.as_bytes()).ok_or(Unfit::Invalid("REQUEST_ID"))?;
    if padded(transaction.child_text("TRANSACTION_ID")) != Some(id.transaction) {
        return Err(Unfit::Invalid("TRANSACTION_ID"));
    }
    let routing = account(parts, sec)?;
    consumer(parts, needs_licence)?;
    let amount = parts.descend(&["CHECK", "CHECK_AMOUNT"]).map_or("", Node::text);
    let (is_credit, amount) = amount_of(amount).ok_or(Unfit::Invalid("CHECK_AMOUNT"))?;
    let kind = match (is_credit, parts.child("ORIGINAL_TRANSACTION_ID")) {
        (false, _) => Kind::Sale,
        (true, None) => Kind::Credit,
        (true, Some(_)) => Kind::Refund,
    };
    let batch = number(parts.child_text("BATCH_NUMBER")).ok_or(Unfit::Invalid("BATCH_NUMBER"))?;
    Ok(Check { id, identifier, kind, amount, routing, batch })
}

/// The gateway's terminals: one for each entry class, and one more where a driver's licence must be given.
pub fn terminal_of(id: &str) -> Option<(SecCode, bool)> {
    match id {
        "2010" => Some((SecCode::Ppd, false)),
        "2011" => Some((SecCode::Ppd, true)),
        "2210" => Some((SecCode::Tel, false)),
        "2211" => Some((SecCode::Tel, true)),
        "2310" => Some((SecCode::Web, false)),
        "2311" => Some((SecCode::Web, true)),
        "2710" => Some((SecCode::Ccd, false)),
        "2711" => Some((SecCode::Ccd, true)),
        _ => None,
    }
}

/// Payments by written agreement are `R`, others `A`.
fn identifier(letter: &str, sec: SecCode) -> Option<Identifier> {
    match (letter, sec) {
        ("A", SecCode::Web | SecCode::Tel) | ("R", SecCode::Ppd | SecCode::Ccd) => Some(Identifier::Payment),
        ("V", _) => Some(Identifier::Void),
        ("F", _) => Some(Identifier::Reversal),
        _ => None,
    }
}

/// The account's parts are checked and its number forgotten. A check number is needed on the telephone.
fn account(parts: Node<'_>, sec: SecCode) -> Result<[u8; 9], Unfit> {
    let account = parts.child("ACCOUNT").ok_or(Unfit::Invalid("ACCOUNT"))?;
    let routing = account.child_text("ROUTING_NUMBER");
    let number = account.child_text("ACCOUNT_NUMBER");
    let is_number = (1..=17).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let check = account.child_text("CHECK_NUMBER");
    let checks = [
        (protocol::aba::is_acceptable(routing, true), "ROUTING_NUMBER"),
        (is_number, "ACCOUNT_NUMBER"),
        (matches!(account.child_text("ACCOUNT_TYPE"), "Checking" | "Savings"), "ACCOUNT_TYPE"),
        (check.bytes().all(|byte| byte.is_ascii_digit()) && (sec != SecCode::Tel || !check.is_empty()), "CHECK_NUMBER"),
    ];
    match checks.into_iter().find(|(is_right, _)| !is_right) {
        Some((_, element)) => Err(Unfit::Invalid(element)),
        None => routing.as_bytes().try_into().map_err(|_| Unfit::Invalid("ROUTING_NUMBER")),
    }
}

fn consumer(parts: Node<'_>, needs_licence: bool) -> Result<(), Unfit> {
    let consumer = parts.child("CONSUMER").ok_or(Unfit::Invalid("CONSUMER"))?;
    let missing = ["DL_STATE", "DL_NUMBER"].into_iter().find(|element| consumer.child_text(element).is_empty());
    match missing.filter(|_| needs_licence) {
        Some(element) => Err(Unfit::Invalid(element)),
        None => Ok(()),
    }
}

fn settlement(packet: Node<'_>) -> Result<Settlement, Unfit> {
    let figure = |element: &'static str| number::<u64>(packet.child_text(element)).ok_or(Unfit::Invalid(element));
    let small = |element: &'static str| number::<u32>(packet.child_text(element)).ok_or(Unfit::Invalid(element));
    let sum = |element: &'static str| match amount_of(packet.child_text(element)) {
        Some((false, minor)) => Ok(u128::from(minor)),
        _ => Err(Unfit::Invalid(element)),
    };
    let totals = Totals {
        debits: figure("DEBIT_COUNT")?,
        debits_amount: sum("DEBIT_AMOUNT")?,
        credits: figure("CREDIT_COUNT")?,
        credits_amount: sum("CREDIT_AMOUNT")?,
    };
    Ok(Settlement { number: small("BATCH_NUMBER")?, members: small("MEMBERS_NUMBER")?, trace: small("TRACE_NUMBER")?, totals })
}

impl RequestId {
    /// `632501000007-000012-A`.
    pub fn parse(text: &str) -> Option<RequestId> {
        let mut parts = text.split('-');
        let (transaction, trace, letter) = (padded(parts.next()?)?, parts.next()?, parts.next()?);
        let [identifier] = *letter.as_bytes() else { return None };
        let is_whole = trace.len() == 6 && parts.next().is_none() && identifier.is_ascii_uppercase();
        is_whole.then_some(RequestId { transaction, trace: number(trace)?, identifier })
    }
}

/// Digits only: no sign, no blanks.
fn number<N: core::str::FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)?.parse().ok()
}

/// `1.25`, and with a minus sign a credit. Sign and minor units.
fn amount_of(text: &str) -> Option<(bool, u64)> {
    let unsigned = text.strip_prefix('-');
    let (whole, cents) = unsigned.unwrap_or(text).split_once('.')?;
    let cents = (cents.len() == 2).then_some(cents)?;
    let minor = number::<u64>(whole)?.checked_mul(100)?.checked_add(number(cents)?)?;
    Some((unsigned.is_some(), minor))
}

fn padded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [b' '; N];
    if text.is_empty() || text.len() > N || !text.is_ascii() {
        return None;
    }
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    Some(bytes)
}

/// What the host says to a request that it could read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// An answer to a packet, and the digits of its authorization number.
    Case(Case, u16),
    /// An answer to totals, and the number of their batch.
    Batch(Verdict, u32),
    /// The packet has this element missing or wrong.
    Invalid(&'static str),
}

/// The body of an answer.
pub fn answer(request: &Request, says: Says) -> Vec<u8> {
    let mut packet = Vec::with_capacity(1024);
    let mut writer = Writer::new(&mut packet);
    writer.open("RESPONSE", &[("REQUEST_ID", &request.request_id)]);
    match says {
        Says::Case(case @ (Case::SystemError | Case::Duplicate), _) => exception(&mut writer, case.wording().message),
        Says::Case(case, auth) => authorization(&mut writer, request, case, auth),
        Says::Batch(verdict, number) => batch(&mut writer, verdict, number),
        Says::Invalid(element) => {
            writer
                .open("VALIDATION_MESSAGE", &[])
                .element("RESULT", "Failed")
                .element("ELEMENT", element)
                .close("VALIDATION_MESSAGE");
        }
    }
    writer.close("RESPONSE");
    enveloped(request.method, &packet)
}

fn exception(writer: &mut Writer<'_>, message: &str) {
    writer.open("EXCEPTION", &[]).element("MESSAGE", message).close("EXCEPTION");
}

fn passed(writer: &mut Writer<'_>) {
    writer.open("VALIDATION_MESSAGE", &[]).element("RESULT", "Passed").close("VALIDATION_MESSAGE");
}

fn authorization(writer: &mut Writer<'_>, request: &Request, case: Case, auth: u16) {
    let Wording { response_type, response_type_text, result, type_code, code, message } = case.wording();
    let transaction = request.request_id.split('-').next().unwrap_or_default();
    let number = format!("AUTH NUM {}-{:03}", 272, auth);
    passed(writer);
    writer.open("AUTHORIZATION_MESSAGE", &[]).element("TRANSACTION_ID", transaction);
    writer.element("RESPONSE_TYPE", response_type).element("RESPONSE_TYPE_TEXT", response_type_text);
    writer.element("RESULT_CODE", &result.to_string()).element("TYPE_CODE", &type_code.to_string());
    writer.element("CODE", if case == Case::Approved { &number } else { code }).element("MESSAGE", message);
    writer.close("AUTHORIZATION_MESSAGE");
}

fn batch(writer: &mut Writer<'_>, verdict: Verdict, number: u32) {
    let text = match verdict {
        Verdict::Accepted => format!("GB{number:06} ACCEPT"),
        Verdict::NumberUsed(day) => format!("QD{day:04} {number:06}"),
        Verdict::OutOfBalance(difference) => format!("RB {}", difference.words()),
    };
    let letter = if verdict == Verdict::Accepted { "A" } else { "D" };
    passed(writer);
    writer.open("SETTLEMENT_MESSAGE", &[]).element("BATCH_NUMBER", &number.to_string());
    writer.element("RESPONSE_TYPE", letter).element("CODE", &text).close("SETTLEMENT_MESSAGE");
}

/// A packet goes as text into its envelope, as requests come.
fn enveloped(method: Method, packet: &[u8]) -> Vec<u8> {
    let packet = String::from_utf8_lossy(packet);
    let (response, result) = (format!("{}Response", method.name()), format!("{}Result", method.name()));
    let mut body = Vec::with_capacity(packet.len() * 2);
    let mut writer = Writer::new(&mut body);
    writer.declaration().open("soap:Envelope", &[("xmlns:soap", SOAP)]).open("soap:Body", &[]);
    writer.open(&response, &[("xmlns", NAMESPACE)]).element(&result, &packet).close(&response);
    writer.close("soap:Body").close("soap:Envelope");
    body
}

/// A SOAP fault. The client is to blame.
pub fn fault(reason: &str) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.declaration().open("soap:Envelope", &[("xmlns:soap", SOAP)]).open("soap:Body", &[]).open("soap:Fault", &[]);
    writer.element("faultcode", "soap:Client").element("faultstring", reason);
    writer.close("soap:Fault").close("soap:Body").close("soap:Envelope");
    body
}

/// A page of the feed. `last` is the number of the newest notice there is.
pub fn feed<'n>(notices: impl Iterator<Item = (u64, &'n Notice)>, last: u64) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.declaration().open("RETURNS", &[("LAST", &last.to_string())]);
    for (sequence, notice) in notices {
        let name = if notice.is_change() { "CHANGE" } else { "RETURN" };
        writer.open(name, &[("SEQUENCE", &sequence.to_string())]);
        writer.element("TRANSACTION_ID", trimmed(&notice.transaction)).element("USER_NAME", trimmed(&notice.merchant));
        writer
            .element("CODE", &notice.code())
            .element("AMOUNT", &Currency::USD.major(notice.amount))
            .element("AT", &Micros(notice.at_us).to_string());
        writer.element("REASON", notice.reason());
        if let Some(corrected) = notice.corrected() {
            writer.element("CORRECTED", corrected);
        }
        writer.close(name);
    }
    writer.close("RETURNS");
    body
}

fn trimmed(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default().trim_end_matches(' ')
}

impl Difference {
    /// What an answer calls it.
    const fn words(self) -> &'static str {
        match self {
            Difference::DebitCount => "DEBIT COUNT",
            Difference::DebitAmount => "DEBIT AMOUNT",
            Difference::CreditCount => "CREDIT COUNT",
            Difference::CreditAmount => "CREDIT AMOUNT",
        }
    }
}
