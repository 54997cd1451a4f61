//! From a transaction to the bytes of its request.

use crate::connectors::exchange::HttpRequest;
use crate::input::Leg;
use crate::output::{Request, Subject};
use crate::rrn_of;
use protocol::batch::Batch;
use protocol::money::Currency;
use protocol::nacha::SecCode;
use protocol::secret::{AccountNumber, LicenceNumber};
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::Verb;
use protocol::xml::Writer;
use zeroize::Zeroizing;

/// Where requests go.
pub const PATH: &str = "/webservices/AuthGateway.asmx";
/// Namespace of the gateway's methods.
const NAMESPACE: &str = "http://tempuri.org/GETI.eMagnus.WebServices/AuthGateway";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Room for a request, in bytes: enough that no copy of an account number is left behind by growing.
const REQUEST_BYTES: usize = 16 * 1024;

/// The merchant as the gateway knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Originator {
    /// `UserName`, up to eight characters: the merchant's terminal.
    pub user_name: String,
    /// What proves it.
    pub password: Zeroizing<String>,
}

impl core::fmt::Debug for Originator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Originator").field("user_name", &self.user_name).finish_non_exhaustive()
    }
}

/// What only the link may see, for as long as it writes.
#[derive(Debug, Clone, Copy)]
pub struct AccountData<'a> {
    /// Routing number of the account's bank.
    pub routing: &'a str,
    /// The account.
    pub number: &'a AccountNumber,
    /// The holder's driving licence, when one was given.
    pub licence: Option<&'a LicenceNumber>,
}

/// A request with all that it needs.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// What the shard asks to send.
    pub request: Request<'a>,
    /// For whom.
    pub originator: &'a Originator,
    /// The account; totals have none.
    pub account: Option<AccountData<'a>>,
}

/// Why a request can't be written. Nothing of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritable {
    /// A request about an account came without it.
    NoAccount,
    /// Its entry class is none of those that are taken here.
    NoEntryClass,
    /// Bank accounts do not do this.
    Verb(Verb),
    /// Banks clear dollars only.
    Currency(u16),
}

impl core::fmt::Display for Unwritable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Unwritable::NoAccount => f.write_str("an ACH request without its account"),
            Unwritable::NoEntryClass => f.write_str("an ACH request without its SEC code"),
            Unwritable::Verb(verb) => write!(f, "no {} of a bank account", verb.word()),
            Unwritable::Currency(currency) => write!(f, "an ACH request in currency {currency:03}"),
        }
    }
}

/// A request that was written: its bytes, and what its answer must name.
pub(super) struct Written {
    pub http: HttpRequest,
    /// `REQUEST_ID`.
    pub request_id: String,
    /// `TRANSACTION_ID`; of totals empty.
    pub transaction_id: String,
}

/// Writes a request.
pub(super) fn write(outgoing: &Outgoing<'_>) -> Result<Written, Unwritable> {
    match outgoing.request.subject {
        Subject::Batch(batch) => write_totals(outgoing, batch),
        Subject::Transaction(transaction, tail) => {
            let account = outgoing.account.ok_or(Unwritable::NoAccount)?;
            let sec = SecCode::from_word(tail.text(tag::SEC_CODE)).ok_or(Unwritable::NoEntryClass)?;
            dollars(transaction.currency.get())?;
            Packet { outgoing, transaction, tail, account, sec }.write()
        }
    }
}

fn dollars(currency: u16) -> Result<(), Unwritable> {
    if currency == Currency::USD.numeric() { Ok(()) } else { Err(Unwritable::Currency(currency)) }
}

/// All that a packet is written from.
struct Packet<'a> {
    outgoing: &'a Outgoing<'a>,
    transaction: &'a Transaction,
    tail: Tail<'a>,
    account: AccountData<'a>,
    sec: SecCode,
}

impl Packet<'_> {
    fn write(&self) -> Result<Written, Unwritable> {
        let identifier = self.identifier()?;
        let transaction_id = self.transaction.rrn().to_owned();
        let request_id = format!("{transaction_id}-{:06}-{identifier}", self.outgoing.request.sent.stan);
        let terminal = terminal_id(self.sec, self.has_licence());
        let mut packet = Zeroizing::new(Vec::with_capacity(REQUEST_BYTES));
        let mut xml = Writer::new(&mut packet);
        xml.open("AUTH_GATEWAY", &[("REQUEST_ID", &request_id)]).open("TRANSACTION", &[]);
        xml.element("TRANSACTION_ID", &transaction_id);
        xml.open("MERCHANT", &[]).element("TERMINAL_ID", terminal).close("MERCHANT");
        xml.open("PACKET", &[]).element("IDENTIFIER", identifier);
        self.write_account(&mut xml);
        self.write_consumer(&mut xml);
        xml.open("CHECK", &[]).element("CHECK_AMOUNT", &self.amount()).close("CHECK");
        xml.element("BATCH_NUMBER", &self.transaction.batch_number.get().to_string());
        if !self.transaction.parent.is_none() {
            let debit = rrn_of(self.transaction.parent);
            xml.element("ORIGINAL_TRANSACTION_ID", core::str::from_utf8(&debit).unwrap_or(""));
        }
        xml.close("PACKET").close("TRANSACTION").close("AUTH_GATEWAY");
        let http = enveloped(self.outgoing.originator, terminal, PROCESS_SINGLE_CHECK, &packet);
        Ok(Written { http, request_id, transaction_id })
    }

    fn identifier(&self) -> Result<&'static str, Unwritable> {
        let verb = self.transaction.verb();
        match self.outgoing.request.sent.leg {
            Leg::Reversal => Ok("F"),
            Leg::Step | Leg::Totals => match self.transaction.step.verb() {
                Some(Verb::Void) => Ok("V"),
                other => Err(Unwritable::Verb(other.unwrap_or(verb))),
            },
            Leg::Original => match (verb, self.sec) {
                (Verb::Sale | Verb::Credit | Verb::Refund, SecCode::Web | SecCode::Tel) => Ok("A"),
                (Verb::Sale | Verb::Credit | Verb::Refund, SecCode::Ppd | SecCode::Ccd) => Ok("R"),
                (Verb::Authorize | Verb::Verification | Verb::Capture | Verb::Void, _) => Err(Unwritable::Verb(verb)),
            },
        }
    }

    fn has_licence(&self) -> bool {
        self.account.licence.is_some() && !self.tail.text(tag::DL_STATE).is_empty()
    }

    fn amount(&self) -> String {
        let sign = if self.transaction.verb().pays_out() { "-" } else { "" };
        format!("{sign}{}", Currency::USD.major(self.transaction.amount.get()))
    }

    fn write_account(&self, xml: &mut Writer<'_>) {
        let account_type = if self.tail.text(tag::ACCOUNT_TYPE) == "savings" { "Savings" } else { "Checking" };
        xml.open("ACCOUNT", &[]).element("ROUTING_NUMBER", self.account.routing);
        xml.element("ACCOUNT_NUMBER", self.account.number.expose());
        xml.element("CHECK_NUMBER", self.tail.text(tag::CHECK_NUMBER)).element("ACCOUNT_TYPE", account_type);
        xml.close("ACCOUNT");
    }

    fn write_consumer(&self, xml: &mut Writer<'_>) {
        xml.open("CONSUMER", &[]);
        for (element, offset) in CONSUMER {
            xml.element(element, self.tail.text(tag::BILLING + offset));
        }
        let licence = self.account.licence.filter(|_| self.has_licence());
        xml.element("DL_STATE", licence.map_or("", |_| self.tail.text(tag::DL_STATE)));
        xml.element("DL_NUMBER", licence.map_or("", |licence| licence.expose()));
        xml.close("CONSUMER");
    }
}

/// Elements of the consumer, and the field of the billing address that each is.
const CONSUMER: [(&str, u16); 9] = [
    ("FIRST_NAME", 0),
    ("LAST_NAME", 1),
    ("COMPANY_NAME", 2),
    ("ADDRESS1", tail::ADDRESS_LINE_1),
    ("ADDRESS2", tail::ADDRESS_LINE_1 + 1),
    ("CITY", 5),
    ("STATE", 6),
    ("ZIP", tail::POSTAL_CODE),
    ("PHONE_NUMBER", 9),
];

/// The gateway's terminal for an entry class. One that asks for a licence refuses packets without.
pub(super) const fn terminal_id(sec: SecCode, has_licence: bool) -> &'static str {
    match (sec, has_licence) {
        (SecCode::Ppd, false) => "2010",
        (SecCode::Ppd, true) => "2011",
        (SecCode::Tel, false) => "2210",
        (SecCode::Tel, true) => "2211",
        (SecCode::Web, false) => "2310",
        (SecCode::Web, true) => "2311",
        (SecCode::Ccd, false) => "2710",
        (SecCode::Ccd, true) => "2711",
    }
}

fn write_totals(outgoing: &Outgoing<'_>, batch: &Batch) -> Result<Written, Unwritable> {
    dollars(batch.currency.get())?;
    let trace = format!("{:06}", outgoing.request.sent.stan);
    let request_id = format!("{:06}-{trace}-B", batch.number.get());
    let dollars = |minor: u64| Currency::USD.major(minor);
    let mut packet = Zeroizing::new(Vec::with_capacity(REQUEST_BYTES));
    let mut xml = Writer::new(&mut packet);
    xml.open("AUTH_GATEWAY", &[("REQUEST_ID", &request_id)]).open("SETTLEMENT", &[]);
    xml.element("BATCH_NUMBER", &batch.number.get().to_string());
    xml.element("MEMBERS_NUMBER", &batch.members_number.get().to_string()).element("TRACE_NUMBER", &trace);
    xml.element("DEBIT_COUNT", &batch.capture_count.get().to_string()).element("DEBIT_AMOUNT", &dollars(batch.captured.get()));
    xml.element("CREDIT_COUNT", &batch.credit_count.get().to_string()).element("CREDIT_AMOUNT", &dollars(batch.credited.get()));
    xml.close("SETTLEMENT").close("AUTH_GATEWAY");
    let http = enveloped(outgoing.originator, "", SETTLE_BATCH, &packet);
    Ok(Written { http, request_id, transaction_id: String::new() })
}

/// A method of the gateway: its name, and the action that SOAP's header names.
struct Method {
    name: &'static str,
    action: &'static str,
}

const PROCESS_SINGLE_CHECK: Method =
    Method { name: "ProcessSingleCheck", action: "http://tempuri.org/GETI.eMagnus.WebServices/AuthGateway/ProcessSingleCheck" };
const SETTLE_BATCH: Method =
    Method { name: "SettleBatch", action: "http://tempuri.org/GETI.eMagnus.WebServices/AuthGateway/SettleBatch" };

/// The packet goes as text into its envelope.
fn enveloped(originator: &Originator, terminal: &str, method: Method, packet: &[u8]) -> HttpRequest {
    let packet = core::str::from_utf8(packet).unwrap_or("");
    let mut body = Zeroizing::new(Vec::with_capacity(2 * REQUEST_BYTES));
    let mut xml = Writer::new(&mut body);
    xml.declaration().open("soap:Envelope", &[("xmlns:soap", SOAP)]);
    xml.open("soap:Header", &[]).open("AuthGatewayHeader", &[("xmlns", NAMESPACE)]);
    xml.element("UserName", &originator.user_name).element("Password", &originator.password);
    xml.element("TerminalID", terminal).close("AuthGatewayHeader").close("soap:Header");
    xml.open("soap:Body", &[]).open(method.name, &[("xmlns", NAMESPACE)]).element("DataPacket", packet);
    xml.close(method.name).close("soap:Body").close("soap:Envelope");
    HttpRequest { path: PATH.to_owned(), content_type: "text/xml; charset=utf-8", soap_action: Some(method.action), body }
}
