//! Merchants at work from several threads: each sends payments and steps under keys of its own, asks again under the same key
//! until it is answered, and writes down every answer.

use crate::client::Client;
use crate::dice::Dice;
use crate::http::{Connection, Response};
use crate::payment::{APPROVED, payment};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two tries of one request while nobody listens or the switch is at its limit.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Tries after which the switch counts as gone: no test keeps it away for so long.
const TRIES_MAX: u32 = 2_000;

/// An operation and the answer to it.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Its idempotency key.
    pub key: String,
    /// Where it was sent.
    pub path: String,
    /// What was sent.
    pub body: String,
    /// The answer.
    pub response: Response,
    /// Tries that were not answered, or with 503.
    pub tries: u32,
}

impl Answered {
    /// Whether it made a transaction, which every payment and refund does and no capture or void.
    pub fn is_payment(&self) -> bool {
        self.path == "/api/transaction"
    }
}

/// Merchants at work.
#[derive(Debug)]
pub struct Load {
    address: Arc<Mutex<SocketAddr>>,
    stop: Arc<AtomicBool>,
    abandoned: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Vec<Answered>>>,
}

impl Load {
    /// Starts so many merchants' clients, all with this client's key.
    pub fn start(client: &Client, workers: usize, dice: &mut Dice) -> Load {
        let address = Arc::new(Mutex::new(client.address));
        let (stop, abandoned) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let workers = (0..workers).map(|number| {
            let worker = Worker {
                name: format!("w{number}-{:x}", dice.draw() & 0xFFFF_FFFF),
                dice: dice.split(),
                client: client.clone(),
                address: Arc::clone(&address),
                stop: Arc::clone(&stop),
                abandoned: Arc::clone(&abandoned),
                connection: None,
                sent: 0,
                answered: Vec::new(),
            };
            std::thread::spawn(move || worker.run())
        });
        let workers = workers.collect();
        Load { address, stop, abandoned, workers }
    }

    /// Tells the clients where the switch is now.
    pub fn moved(&self, address: SocketAddr) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// Stops when each client has its last answer, and gives all answers.
    pub fn stop(mut self) -> Vec<Answered> {
        self.stop.store(true, Ordering::Relaxed);
        let all = std::mem::take(&mut self.workers).into_iter().map(|worker| worker.join().expect("a client goes on"));
        all.flatten().collect()
    }
}

impl Drop for Load {
    /// A test that fails leaves no clients behind that ask on.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

struct Worker {
    name: String,
    dice: Dice,
    client: Client,
    address: Arc<Mutex<SocketAddr>>,
    stop: Arc<AtomicBool>,
    abandoned: Arc<AtomicBool>,
    connection: Option<Connection>,
    sent: u64,
    answered: Vec<Answered>,
}

impl Worker {
    fn run(mut self) -> Vec<Answered> {
        while !self.stop.load(Ordering::Relaxed) {
            match self.dice.between(0, 9) {
                0 => self.step_after("sale", "void"),
                1 | 2 => self.step_after("authorize", "capture"),
                3 => self.step_after("authorize", "void"),
                _ => drop(self.pay("sale")),
            }
        }
        self.answered
    }

    fn step_after(&mut self, verb: &str, step: &str) {
        let Some(made) = self.pay(verb) else { return };
        // What is known to have failed, or not known, can't be captured or voided.
        let stands = matches!(made["status"].as_str(), Some("authorized" | "pending_settlement"));
        if let Some(id) = made["id"].as_str().filter(|_| stands) {
            self.ask(format!("/api/transaction/{id}/{step}"), &json!({}));
        }
    }

    fn pay(&mut self, verb: &str) -> Option<Value> {
        let (amount, card) = (self.dice.between(1_000, 99_999), *self.dice.one_of(&APPROVED));
        let response = self.ask("/api/transaction".to_owned(), &payment(verb, amount, card))?;
        (response.status == 200).then(|| response.data())
    }

    /// Asks under a key of its own until there is an answer. None when the test has failed.
    fn ask(&mut self, path: String, body: &Value) -> Option<Response> {
        self.sent += 1;
        let (key, body) = (format!("{}-{}", self.name, self.sent), body.to_string());
        let mut tries = 0;
        loop {
            match self.attempt(&key, &path, &body) {
                Some(response) if response.status != 503 => {
                    self.answered.push(Answered { key, path, body, response: response.clone(), tries });
                    return Some(response);
                }
                Some(_) | None => tries += 1,
            }
            if self.abandoned.load(Ordering::Relaxed) {
                return None;
            }
            assert!(tries < TRIES_MAX, "no answer to {key} at {path} in {tries} tries");
            std::thread::sleep(RETRY_PAUSE);
        }
    }

    fn attempt(&mut self, key: &str, path: &str, body: &str) -> Option<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(*self.address.lock().unwrap_or_else(PoisonError::into_inner)).ok()?,
        };
        let headers = [("Idempotency-Key", key)];
        let response = self.client.call_on(&mut connection, "POST", path, &headers, body.as_bytes()).ok()?;
        self.connection = Some(connection);
        Some(response)
    }
}
