//! Where load goes, what each request holds, and what kind of answer is expected.
//!
//! Requests are drawn once, head and body, as templates with holes of fixed width for the amount
//! and the sequence number: a request then costs one copy and two patches. What a request holds is
//! a pure function of seed and sequence number, so a test can tell afterwards what was sent under
//! any key. No sockets here.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use crate::error::LoadError;
use crate::plan::RUN_ID_BYTES_MAX;
use crate::schedule::SplitMix;

/// Width of the sequence number in keys and bodies.
pub const SEQUENCE_DIGITS: usize = 12;
/// Stands in a body where the sequence number goes: twelve digits.
pub const SEQUENCE_HOLE: &str = "<sequence>";
/// Stands in a body where the amount goes: as many digits as the amounts have.
pub const AMOUNT_HOLE: &str = "<amount>";
/// Test cards that the sandbox approves: all brands and lengths of the gateway's own test data.
pub const APPROVED_CARDS: [&str; 10] = [
    "4111111111111111",
    "4005519200000004",
    "4012000098765439",
    "5555555555554444",
    "2223000048400011",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "30569309025904",
    "3530111333300000",
];
/// Sale amounts unless told otherwise, minor units: five digits, far from the low amounts which
/// sandboxes use as triggers.
pub const AMOUNTS_DEFAULT: (u64, u64) = (10_000, 99_999);

const HEADER_BYTES_MAX: usize = 1_024;

/// What an answer must look like to count as answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// 200 with a gateway transaction: `data.id`, `data.status`, `data.response_code`.
    Sale,
    /// Any 200; it counts as approved. For baselines such as a bare echo.
    Status200,
}

/// A request to be drawn: the parts that one kind of load fixes.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Absolute path.
    pub path: &'a str,
    /// Further headers; host, content type and length are added.
    pub headers: &'a [(&'a str, &'a str)],
    /// JSON bodies with [`AMOUNT_HOLE`] and [`SEQUENCE_HOLE`]; each request takes one of them at
    /// random.
    pub bodies: &'a [String],
    /// Lowest and highest amount, minor units, same number of digits.
    pub amounts: (u64, u64),
    /// How answers are judged.
    pub check: Check,
}

/// A place on this machine and the requests that it gets.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    path: String,
    templates: Vec<Template>,
    amounts: (u64, u64),
    check: Check,
    run_id: String,
    seed: u64,
}

/// Hand-written because the templates hold the API key.
impl std::fmt::Debug for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Target(http://{}{}, run {})", self.address, self.path, self.run_id)
    }
}

impl Target {
    /// Draws the templates of any JSON POST. Refuses an address that is not loopback.
    pub fn new(address: SocketAddr, run_id: &str, seed: u64, request: &Request<'_>) -> Result<Self, LoadError> {
        if !address.ip().is_loopback() {
            return Err(LoadError::NotLoopback(address));
        }
        visible_ascii("run id", run_id, RUN_ID_BYTES_MAX)?;
        visible_ascii("path", request.path, HEADER_BYTES_MAX)?;
        let (low, high) = request.amounts;
        if low > high || digits(low) != digits(high) {
            return Err(LoadError::Amounts { low, high });
        }
        let head = head(address, request)?;
        let template = |body: &String| Template::draw(&head, body, digits(low));
        Ok(Target {
            address,
            path: request.path.to_owned(),
            templates: request.bodies.iter().map(template).collect(),
            amounts: request.amounts,
            check: request.check,
            run_id: run_id.to_owned(),
            seed,
        })
    }

    /// Card sales of the gateway API over all of [`APPROVED_CARDS`], each under an idempotency key
    /// of its own.
    pub fn sale(address: SocketAddr, api_key: &str, run_id: &str, seed: u64, amounts: (u64, u64)) -> Result<Self, LoadError> {
        visible_ascii("API key", api_key, HEADER_BYTES_MAX)?;
        let bodies = sale_bodies(run_id);
        let request = Request {
            path: "/api/transaction",
            headers: &[("authorization", api_key)],
            bodies: &bodies,
            amounts,
            check: Check::Sale,
        };
        Target::new(address, run_id, seed, &request)
    }

    /// Where the requests go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The target as a URL, for reports.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.path)
    }

    /// How answers are judged.
    pub fn check(&self) -> Check {
        self.check
    }

    /// Prefix of all keys of this run.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// From which amounts and cards are drawn.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The idempotency key of request number `sequence`.
    pub fn key(&self, sequence: u64) -> String {
        format!("{}-{sequence:0width$}", self.run_id, width = SEQUENCE_DIGITS)
    }

    /// The amount of request number `sequence`, minor units.
    pub fn amount(&self, sequence: u64) -> u64 {
        self.drawn(sequence).1
    }

    /// Writes request number `sequence`, head and body, over what `into` held.
    pub fn render(&self, sequence: u64, into: &mut Vec<u8>) {
        let (template, amount) = self.drawn(sequence);
        into.clear();
        into.extend_from_slice(&template.bytes);
        for hole in &template.amounts {
            patch(&mut into[hole.clone()], amount);
        }
        for hole in &template.sequences {
            patch(&mut into[hole.clone()], sequence);
        }
    }

    fn drawn(&self, sequence: u64) -> (&Template, u64) {
        let mut random = SplitMix(self.seed ^ sequence.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let template = &self.templates[(random.next() % self.templates.len() as u64) as usize];
        let (low, high) = self.amounts;
        (template, low + random.next() % (high - low + 1))
    }
}

/// One request's bytes, with the places that differ from request to request.
#[derive(Clone)]
struct Template {
    bytes: Vec<u8>,
    amounts: Vec<std::ops::Range<usize>>,
    sequences: Vec<std::ops::Range<usize>>,
}

impl Template {
    /// Holes are widened first, so that the content length is right for every request drawn from
    /// this template.
    fn draw(head: &str, body: &str, amount_digits: usize) -> Self {
        let mut drawn = Template { bytes: Vec::new(), amounts: Vec::new(), sequences: Vec::new() };
        let mut rest = body;
        while let Some((at, hole)) = next_hole(rest) {
            drawn.bytes.extend_from_slice(&rest.as_bytes()[..at]);
            let start = drawn.bytes.len();
            let width = if hole == AMOUNT_HOLE { amount_digits } else { SEQUENCE_DIGITS };
            drawn.bytes.resize(start + width, b'0');
            let holes = if hole == AMOUNT_HOLE { &mut drawn.amounts } else { &mut drawn.sequences };
            holes.push(start..start + width);
            rest = &rest[at + hole.len()..];
        }
        drawn.bytes.extend_from_slice(rest.as_bytes());
        let head = format!("{head}content-length: {}\r\n\r\n", drawn.bytes.len());
        drawn.behind(&head)
    }

    fn behind(mut self, head: &str) -> Self {
        for hole in self.amounts.iter_mut().chain(&mut self.sequences) {
            *hole = hole.start + head.len()..hole.end + head.len();
        }
        self.bytes.splice(..0, head.bytes());
        self
    }
}

fn next_hole(body: &str) -> Option<(usize, &'static str)> {
    let found = [AMOUNT_HOLE, SEQUENCE_HOLE].map(|hole| body.find(hole).map(|at| (at, hole)));
    found.into_iter().flatten().min()
}

fn head(address: SocketAddr, request: &Request<'_>) -> Result<String, LoadError> {
    let mut head = format!("POST {} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n", request.path);
    for (name, value) in request.headers {
        visible_ascii("header name", name, HEADER_BYTES_MAX)?;
        let words = value.split(' ');
        words.into_iter().try_for_each(|word| visible_ascii("header value", word, HEADER_BYTES_MAX))?;
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    Ok(head)
}

/// One sale of the gateway API; besides the holes, card, CVC and run id are filled in once per run.
const SALE_BODY: &str = concat!(
    r#"{"type":"sale","amount":<amount>,"currency":"USD","order_id":"load-<sequence>","#,
    r#""idempotency_key":"<run>-<sequence>","payment_method":{"card":{"entry_type":"keyed","#,
    r#""number":"<card>","expiration_date":"12/30","cvc":"<cvc>"}},"billing_address":{"#,
    r#""first_name":"Load","last_name":"Test","address_line_1":"123 Some St","city":"Wheaton","#,
    r#""state":"IL","postal_code":"55555","country":"US"}}"#,
);

fn sale_bodies(run_id: &str) -> Vec<String> {
    let body = |card: &&str| {
        // American Express, the only brand here with 15 digits, prints four.
        let cvc = if card.len() == 15 { "9997" } else { "999" };
        SALE_BODY.replace("<card>", card).replace("<cvc>", cvc).replace("<run>", run_id)
    };
    APPROVED_CARDS.iter().map(body).collect()
}

fn digits(value: u64) -> usize {
    value.checked_ilog10().unwrap_or(0) as usize + 1
}

fn patch(hole: &mut [u8], mut value: u64) {
    for digit in hole.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn visible_ascii(what: &'static str, value: &str, bytes_max: usize) -> Result<(), LoadError> {
    let visible = value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if visible && (1..=bytes_max).contains(&value.len()) { Ok(()) } else { Err(LoadError::NotVisibleAscii { what, bytes_max }) }
}

/// Understands `http://127.0.0.1:8080`, `127.0.0.1:8080`, `localhost:8080`, with or without a final
/// slash.
pub fn loopback(given: &str) -> Result<SocketAddr, LoadError> {
    let bad = || LoadError::BadTarget { given: given.to_owned() };
    let place = given.strip_prefix("http://").unwrap_or(given).trim_end_matches('/');
    let place = place.strip_prefix("localhost:").map_or(place.to_owned(), |port| format!("127.0.0.1:{port}"));
    let address: SocketAddr = place.parse().map_err(|_| bad())?;
    if address.ip().is_loopback() { Ok(address) } else { Err(LoadError::NotLoopback(address)) }
}

/// The two lines of the switch's `sandbox.json` that load needs; the others are left alone.
#[derive(Deserialize)]
pub struct SandboxFile {
    /// Bound REST address, with or without `http://`.
    pub http: String,
    /// Bound address of the binary protocol.
    #[serde(default)]
    pub binary: String,
    /// Key of the sandbox merchant.
    pub api_key: String,
}

impl SandboxFile {
    /// Reads what the switch wrote at its last start.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read(path)?;
        serde_json::from_slice(&text).map_err(std::io::Error::from)
    }
}

#[cfg(test)]
mod tests;
