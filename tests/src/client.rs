//! A merchant, or the operator: a key, and the calls of the gateway document.

use crate::http::{Connection, Response, exchange};
use crate::patience::until;
use crate::payment::payment;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a status may take that the books have already.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who calls.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where the switch is.
    pub address: SocketAddr,
    /// What `Authorization` says.
    pub key: String,
}

impl Client {
    /// One call on a connection of its own. An error means that no answer came.
    pub fn try_call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Response> {
        self.call_on(&mut Connection::open(self.address)?, method, path, headers, body)
    }

    /// One call on a connection that is kept.
    pub fn call_on(
        &self,
        connection: &mut Connection,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let own = [("Authorization", self.key.as_str()), ("Content-Type", "application/json")];
        connection.request(method, path, &[&own, headers].concat(), body)
    }

    /// One call that is answered.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.try_call(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// `POST /api/transaction`
    #[track_caller]
    pub fn pay(&self, body: &Value) -> Response {
        self.call("POST", "/api/transaction", &[], body.to_string().as_bytes())
    }

    /// The same under an idempotency key in the header.
    #[track_caller]
    pub fn pay_once(&self, key: &str, body: &Value) -> Response {
        self.call("POST", "/api/transaction", &[("Idempotency-Key", key)], body.to_string().as_bytes())
    }

    /// The transaction that a sale makes.
    #[track_caller]
    pub fn sale(&self, amount: u64, card: &str) -> Value {
        self.pay(&payment("sale", amount, card)).data()
    }

    /// The transaction that an authorization makes.
    #[track_caller]
    pub fn authorize(&self, amount: u64, card: &str) -> Value {
        self.pay(&payment("authorize", amount, card)).data()
    }

    /// `POST /api/transaction/{id}/{verb}`
    #[track_caller]
    pub fn step(&self, id: &str, verb: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        self.call("POST", &format!("/api/transaction/{id}/{verb}"), headers, body.to_string().as_bytes())
    }

    /// Captures a part.
    #[track_caller]
    pub fn capture(&self, id: &str, amount: u64) -> Response {
        self.step(id, "capture", &[], &json!({ "amount": amount }))
    }

    /// Cancels.
    #[track_caller]
    pub fn void(&self, id: &str) -> Response {
        self.step(id, "void", &[], &json!({}))
    }

    /// Pays a part back.
    #[track_caller]
    pub fn refund(&self, id: &str, amount: u64) -> Response {
        self.step(id, "refund", &[], &json!({ "amount": amount }))
    }

    /// The transaction as it stands.
    #[track_caller]
    pub fn get(&self, id: &str) -> Value {
        let response = self.call("GET", &format!("/api/transaction/{id}"), &[], b"");
        let mut list = response.data();
        assert_eq!((&list.as_array().map(Vec::len), &response.json()["total_count"]), (&Some(1), &json!(1)));
        list[0].take()
    }

    /// The transaction once it has a status. The journal's file, and a ledger, may say so a moment before the switch does: it waits for
    /// its disk.
    #[track_caller]
    pub fn get_when(&self, id: &str, status: &str) -> Value {
        let there = until(PATIENCE, || Some(self.get(id)).filter(|now| text(now, "status") == status));
        there.unwrap_or_else(|| panic!("not {status} within {PATIENCE:?}: {}", self.get(id)))
    }

    /// `POST /operator/processors/card/settle`: the batches that were closed.
    #[track_caller]
    pub fn settle(&self) -> Vec<Value> {
        let batches = self.call("POST", "/operator/processors/card/settle", &[], b"").data();
        batches.as_array().expect("a list of batches").clone()
    }

    /// A call without credentials.
    #[track_caller]
    pub fn stranger(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        exchange(self.address, method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }
}

/// A text field of a transaction.
#[track_caller]
pub fn text<'a>(transaction: &'a Value, name: &str) -> &'a str {
    transaction[name].as_str().unwrap_or_else(|| panic!("{name} of {transaction} is no text"))
}

/// The id of a transaction.
#[track_caller]
pub fn id(transaction: &Value) -> &str {
    text(transaction, "id")
}

/// The retrieval reference number of a card transaction.
#[track_caller]
pub fn rrn(transaction: &Value) -> &str {
    text(&transaction["response_body"]["card"]["processor_specific"], "rrn")
}
