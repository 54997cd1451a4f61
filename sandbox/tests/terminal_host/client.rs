//! A small client of the terminal host, written by hand from the makers' samples: it shares no writer and no reader with the host.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::host::{self, Host, NoAnswer, http};

impl Host {
    pub fn control(&self, method: &str, path: &str, body: &str) -> Value {
        host::control(self.running.terminal.control, method, path, body)
    }

    pub fn stat(&self, name: &str) -> u64 {
        self.control("GET", "/stats", "")[name].as_u64().unwrap()
    }

    /// Reference, kind, amount, approved, reversed of every entry.
    pub fn ledger(&self) -> Vec<(String, String, u64, bool, bool)> {
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
        let shape = |entry: &Value| {
            let (approved, reversed) = (entry["approved"] == true, entry["reversed"] == true);
            (text(entry, "rrn"), text(entry, "kind"), entry["amount"].as_u64().unwrap(), approved, reversed)
        };
        self.control("GET", "/ledger", "")["entries"].as_array().unwrap().iter().map(shape).collect()
    }

    pub fn try_ask(&self, request: &Request, patience_ms: u64) -> Result<Answer, NoAnswer> {
        let (status, text) = http(self.running.terminal.addr, "POST", "/spin/cgi.html", &request.xml(), patience_ms)?;
        assert_eq!(status, 200, "{text}");
        Ok(Answer(text))
    }

    pub fn ask(&self, request: &Request) -> Answer {
        self.try_ask(request, 5_000).unwrap()
    }

    /// Sends without waiting for what comes.
    pub fn begin(&self, request: &Request) -> TcpStream {
        host::begin(self.running.terminal.addr, "POST", "/spin/cgi.html", &request.xml()).unwrap()
    }

    /// Asks for the status until it is no more this.
    pub fn wait_while(&self, reference: &str, text: &str) -> Answer {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let answer = self.ask(&Request::of("Status", reference));
            if answer.text() != text {
                return answer;
            }
            assert!(Instant::now() < until, "still {text}");
        }
    }
}

/// A request: elements in the order in which they are written.
#[derive(Debug, Clone)]
pub struct Request(Vec<(&'static str, String)>);

impl Request {
    pub fn of(trans_type: &str, reference: &str) -> Request {
        let request = Request(Vec::new()).with("TransType", trans_type).with("RefId", reference);
        request.with("RegisterId", "R1").with("TPN", "000000000001").with("AuthKey", "wcR1c9o1")
    }

    fn booked(trans_type: &str, reference: &str, amount: &str) -> Request {
        let request = Request::of(trans_type, reference).with("PaymentType", "Card").with("Amount", amount);
        request.with("BatchNum", "1").with("InvNum", "order 7, A&amp;B")
    }

    pub fn sale(reference: &str, amount: &str) -> Request {
        Request::booked("Sale", reference, amount)
    }

    pub fn auth(reference: &str, amount: &str) -> Request {
        Request::booked("Auth", reference, amount)
    }

    pub fn credit(reference: &str, amount: &str) -> Request {
        Request::booked("Return", reference, amount)
    }

    pub fn refund(reference: &str, amount: &str, sale: &str) -> Request {
        Request::credit(reference, amount).with("OriginalRefId", sale)
    }

    pub fn capture(reference: &str, amount: &str) -> Request {
        Request::of("Capture", reference).with("Amount", amount).with("BatchNum", "1")
    }

    /// Totals of what carried batch number 1: debits and credits.
    pub fn settle(reference: &str, number: &str, debits: (&str, &str), credits: (&str, &str)) -> Request {
        let request =
            Request::of("Settle", reference).with("Param", "Close").with("BatchNum", number).with("MembersBatchNum", "1");
        let request = request.with("DebitCount", debits.0).with("DebitAmount", debits.1);
        request.with("CreditCount", credits.0).with("CreditAmount", credits.1)
    }

    /// With an element, in place of one of the same name.
    pub fn with(mut self, name: &'static str, text: &str) -> Request {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, text.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Request {
        self.0.retain(|(known, _)| *known != name);
        self
    }

    pub fn at(self, tpn: &str) -> Request {
        self.with("TPN", tpn)
    }

    pub fn xml(&self) -> String {
        let elements: String = self.0.iter().map(|(name, text)| format!("<{name}>{text}</{name}>")).collect();
        format!("<request>{elements}</request>")
    }
}

/// What the host answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(pub String);

impl Answer {
    pub fn get(&self, name: &str) -> &str {
        let behind = self.0.split_once(&format!("<{name}>")).map_or("", |(_, behind)| behind);
        behind.split_once('<').map_or("", |(text, _)| text)
    }

    /// A part of `ExtData`, as it is encoded.
    pub fn ext(&self, name: &str) -> &str {
        let pairs = self.get("ExtData").split(',').filter_map(|pair| pair.split_once('='));
        pairs.clone().find(|(known, _)| *known == name).map_or("-", |(_, value)| value)
    }

    /// `RespMSG` without the authorization code.
    pub fn text(&self) -> String {
        self.get("RespMSG").replace("%20", " ").split(" TAS").next().unwrap_or_default().to_owned()
    }

    /// Result code and text.
    pub fn said(&self) -> (String, String) {
        (self.get("ResultCode").to_owned(), self.text())
    }
}

/// A result code and a text, as [`Answer::said`] gives them.
pub fn said(result_code: &str, text: &str) -> (String, String) {
    (result_code.to_owned(), text.to_owned())
}
