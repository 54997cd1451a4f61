//! A small client of the ACH host, written by hand from the guide: it shares no writer and no reader with the host.

use serde_json::Value;

use crate::host::{self, Host, NoAnswer, http};

impl Host {
    pub fn control(&self, method: &str, path: &str, body: &str) -> Value {
        host::control(self.running.ach.control, method, path, body)
    }

    pub fn entries(&self) -> Vec<Value> {
        self.control("GET", "/ledger", "")["entries"].as_array().unwrap().clone()
    }

    /// Kind, amount, approved, reversed, returned of every entry.
    pub fn shape(&self) -> Vec<(String, u64, bool, bool, String)> {
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let shape = |entry: &Value| {
            let (approved, reversed) = (entry["approved"] == true, entry["reversed"] == true);
            (text(entry, "kind"), entry["amount"].as_u64().unwrap(), approved, reversed, text(entry, "returned"))
        };
        self.entries().iter().map(shape).collect()
    }

    pub fn advance(&self, seconds: u32) {
        self.control("POST", "/clock", &format!("{{\"advance_seconds\":{seconds}}}"));
    }

    pub fn post(&self, body: &str) -> Result<(u16, String), NoAnswer> {
        http(self.running.ach.addr, "POST", "/webservices/AuthGateway.asmx", body, 60)
    }

    /// Sends a packet; the answer is unescaped.
    pub fn ask(&self, check: &Check) -> Answer {
        Answer::of(self.post(&check.envelope()).unwrap())
    }

    pub fn returns(&self, after: u64) -> String {
        let (status, text) = http(self.running.ach.addr, "GET", &format!("/returns?after={after}"), "", 5_000).unwrap();
        assert_eq!(status, 200, "{text}");
        text
    }
}

/// A packet. Fields are as the guide writes them.
#[derive(Clone)]
pub struct Check {
    pub user: &'static str,
    pub terminal: &'static str,
    pub identifier: &'static str,
    pub transaction: String,
    pub trace: u32,
    pub routing: &'static str,
    pub account_number: &'static str,
    pub check_number: &'static str,
    pub licence: &'static str,
    pub amount: &'static str,
    pub batch: u32,
    pub pays_back: Option<String>,
}

impl Check {
    /// A payment by internet.
    pub fn sale(number: u32, amount: &'static str) -> Check {
        Check {
            user: "TERM01",
            terminal: "2310",
            identifier: "A",
            transaction: format!("RRN{number:09}"),
            trace: number,
            routing: "011000015",
            account_number: "24413815",
            check_number: "",
            licence: "",
            amount,
            batch: 1,
            pays_back: None,
        }
    }

    pub fn at(self, routing: &'static str) -> Check {
        Check { routing, ..self }
    }

    /// The same with another letter and trace number: a void or a reversal.
    pub fn again_as(&self, identifier: &'static str, trace: u32) -> Check {
        Check { identifier, trace, ..self.clone() }
    }

    pub fn request_id(&self) -> String {
        format!("{}-{:06}-{}", self.transaction, self.trace, self.identifier)
    }

    pub fn packet(&self) -> String {
        let pays_back = self.pays_back.as_ref().map(|id| format!("<ORIGINAL_TRANSACTION_ID>{id}</ORIGINAL_TRANSACTION_ID>"));
        format!(
            "<AUTH_GATEWAY REQUEST_ID=\"{}\"><TRANSACTION><TRANSACTION_ID>{}</TRANSACTION_ID><MERCHANT><TERMINAL_ID>{}</TERMINAL_ID></MERCHANT>\
             <PACKET><IDENTIFIER>{}</IDENTIFIER><ACCOUNT><ROUTING_NUMBER>{}</ROUTING_NUMBER><ACCOUNT_NUMBER>{}</ACCOUNT_NUMBER>\
             <CHECK_NUMBER>{}</CHECK_NUMBER><ACCOUNT_TYPE>Checking</ACCOUNT_TYPE></ACCOUNT><CONSUMER><FIRST_NAME>J</FIRST_NAME>\
             <DL_STATE>{}</DL_STATE><DL_NUMBER>{}</DL_NUMBER></CONSUMER><CHECK><CHECK_AMOUNT>{}</CHECK_AMOUNT></CHECK>\
             <BATCH_NUMBER>{}</BATCH_NUMBER>{}</PACKET></TRANSACTION></AUTH_GATEWAY>",
            self.request_id(),
            self.transaction,
            self.terminal,
            self.identifier,
            self.routing,
            self.account_number,
            self.check_number,
            if self.licence.is_empty() { "" } else { "IL" },
            self.licence,
            self.amount,
            self.batch,
            pays_back.unwrap_or_default(),
        )
    }

    pub fn envelope(&self) -> String {
        envelope(
            self.user,
            self.terminal,
            &format!("<ProcessSingleCheck><DataPacket>{}</DataPacket></ProcessSingleCheck>", escaped(&self.packet())),
        )
    }
}

pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub fn envelope(user: &str, terminal: &str, call: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Header>\
         <AuthGatewayHeader xmlns=\"http://tempuri.org/GETI.eMagnus.WebServices/AuthGateway\"><UserName>{user}</UserName><Password>x</Password>\
         <TerminalID>{terminal}</TerminalID></AuthGatewayHeader></soap:Header><soap:Body>{call}</soap:Body></soap:Envelope>"
    )
}

/// What the host answered: HTTP status, and the text of elements by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    pub fn of((status, text): (u16, String)) -> Answer {
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        Answer { status, text }
    }

    /// The text of the first element of this name.
    pub fn get(&self, name: &str) -> &str {
        let opened = self.text.split_once(&format!("<{name}>")).map_or("", |(_, rest)| rest);
        opened.split('<').next().unwrap_or_default()
    }

    /// `RESPONSE_TYPE`, `RESULT_CODE`, `TYPE_CODE`, `CODE` with its blanks collapsed.
    pub fn decision(&self) -> (&str, &str, &str, String) {
        let code = self.get("CODE").split_whitespace().collect::<Vec<_>>().join(" ");
        (self.get("RESPONSE_TYPE"), self.get("RESULT_CODE"), self.get("TYPE_CODE"), code)
    }
}
