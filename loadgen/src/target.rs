//! Where load goes, what each request holds, and what kind of answer is expected.
//!
//! Requests are drawn once, head and body, as templates with holes of fixed width: a request then costs one copy and some patches.
//! What a payment holds is a pure function of seed and sequence number, so a test can tell afterwards what was sent under any
//! key. No sockets here.

mod gateway;
mod template;

use std::net::SocketAddr;
use std::path::Path;

use protocol::id::Xid;
use serde::Deserialize;

use crate::error::LoadError;
use crate::plan::RUN_ID_BYTES_MAX;
use crate::schedule::SplitMix;
use crate::work::{Drawn, Kind};
pub use gateway::{APPROVED_CARDS, DECLINED_CARD};
use template::{Filling, Template, Widths};

/// Width of the sequence number in keys and bodies.
pub const SEQUENCE_DIGITS: usize = 12;
/// Stands in a body where the sequence number goes: twelve digits.
pub const SEQUENCE_HOLE: &str = "<sequence>";
/// Stands in a body where the amount goes: as many digits as the amounts have.
pub const AMOUNT_HOLE: &str = "<amount>";
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

/// A request that changes nothing and is the same each time.
#[derive(Clone, Debug)]
pub struct Read {
    /// Method.
    pub method: &'static str,
    /// Absolute path.
    pub path: String,
    /// JSON; empty for none.
    pub body: String,
}

/// A place on this machine and the requests that it gets.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    path: String,
    /// By [`Kind`]; each request takes one of its kind at random.
    templates: [Vec<Template>; Kind::ALL.len()],
    amounts: (u64, u64),
    check: Check,
    run_id: String,
    seed: u64,
    /// One for each merchant.
    api_keys: Vec<String>,
}

/// Hand-written because an API key is a secret.
impl std::fmt::Debug for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Target(http://{}{}, run {})", self.address, self.path, self.run_id)
    }
}

impl Target {
    /// Draws the templates of any JSON POST. Refuses an address that is not loopback.
    pub fn new(address: SocketAddr, run_id: &str, seed: u64, request: &Request<'_>) -> Result<Self, LoadError> {
        let mut target = Target::empty(address, run_id, seed, request.amounts)?;
        visible_ascii("path", request.path, HEADER_BYTES_MAX)?;
        let head = head(address, ("POST", request.path), request.headers)?;
        let widths = target.widths();
        let template = |body: &String| Template::draw(&head, body, widths);
        target.templates[Kind::Sale as usize] = request.bodies.iter().map(template).collect();
        (target.path, target.check) = (request.path.to_owned(), request.check);
        Ok(target)
    }

    /// Requests that are asked as they stand, one of them at random each time; any 200 is a good answer.
    pub fn reads(address: SocketAddr, api_key: &str, run_id: &str, seed: u64, reads: &[Read]) -> Result<Self, LoadError> {
        let mut target = Target::empty(address, run_id, seed, AMOUNTS_DEFAULT)?;
        let widths = target.widths();
        for Read { method, path, body } in reads {
            visible_ascii("path", path, HEADER_BYTES_MAX)?;
            let head = head(address, (method, path), &[("authorization", api_key)])?;
            target.templates[Kind::Sale as usize].push(Template::draw(&head, body, widths));
        }
        target.path = reads.first().map_or(String::new(), |read| read.path.clone());
        target.check = Check::Status200;
        Ok(target)
    }

    /// Card sales of the gateway API over all of [`APPROVED_CARDS`], each under an idempotency key
    /// of its own, and whatever else a mix may ask.
    pub fn sale(address: SocketAddr, api_key: &str, run_id: &str, seed: u64, amounts: (u64, u64)) -> Result<Self, LoadError> {
        Target::gateway(address, vec![api_key.to_owned()], run_id, seed, amounts)
    }

    /// The same of several merchants, each with its API key; the keys are of one length.
    pub fn gateway(
        address: SocketAddr,
        api_keys: Vec<String>,
        run_id: &str,
        seed: u64,
        amounts: (u64, u64),
    ) -> Result<Self, LoadError> {
        let mut target = Target::empty(address, run_id, seed, amounts)?;
        api_keys.iter().try_for_each(|key| visible_ascii("API key", key, HEADER_BYTES_MAX))?;
        let width = api_keys.first().map_or(0, String::len);
        if api_keys.is_empty() || api_keys.iter().any(|key| key.len() != width) {
            return Err(LoadError::ApiKeys);
        }
        target.api_keys = api_keys;
        target.path = gateway::PAYMENT_PATH.to_owned();
        let widths = target.widths();
        for kind in Kind::ALL {
            let request = gateway::request(kind);
            let head = head(address, ("POST", request.path), request.headers)?;
            let bodies = gateway::bodies(kind, run_id);
            target.templates[kind as usize] = bodies.iter().map(|body| Template::draw(&head, body, widths)).collect();
        }
        Ok(target)
    }

    fn empty(address: SocketAddr, run_id: &str, seed: u64, amounts: (u64, u64)) -> Result<Self, LoadError> {
        if !address.ip().is_loopback() {
            return Err(LoadError::NotLoopback(address));
        }
        visible_ascii("run id", run_id, RUN_ID_BYTES_MAX)?;
        let (low, high) = amounts;
        if low > high || digits(low) != digits(high) {
            return Err(LoadError::Amounts { low, high });
        }
        let (templates, run_id) = (Default::default(), run_id.to_owned());
        Ok(Target { address, path: String::new(), templates, amounts, check: Check::Sale, run_id, seed, api_keys: Vec::new() })
    }

    fn widths(&self) -> Widths {
        Widths { amount: digits(self.amounts.0), api_key: self.api_keys.first().map_or(0, String::len) }
    }

    /// The gateway API's requests of the same merchants under another run id, so that none is taken for a repetition.
    pub fn under(&self, run_id: &str) -> Result<Self, LoadError> {
        Target::gateway(self.address, self.api_keys.clone(), run_id, self.seed, self.amounts)
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

    /// Merchants that it has API keys of; 0 where requests carry none.
    pub fn merchants(&self) -> usize {
        self.api_keys.len()
    }

    /// A merchant's API key.
    pub(crate) fn api_key(&self, merchant: usize) -> Option<&str> {
        self.api_keys.get(merchant).map(String::as_str)
    }

    /// True when it has requests of this kind.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        !self.templates[kind as usize].is_empty()
    }

    /// The idempotency key of request number `sequence`.
    pub fn key(&self, sequence: u64) -> String {
        format!("{}-{sequence:0width$}", self.run_id, width = SEQUENCE_DIGITS)
    }

    /// The amount of payment number `sequence`, minor units.
    pub fn amount(&self, sequence: u64) -> u64 {
        self.drawn(sequence).1
    }

    /// The amount that a request names: that of a payment, one unit of a refund, else none.
    pub(crate) fn amount_of(&self, drawn: &Drawn) -> u64 {
        match drawn.kind {
            Kind::Sale | Kind::Authorize | Kind::Declined | Kind::Ach => self.amount(drawn.sequence),
            Kind::Refund => gateway::REFUND_AMOUNT,
            Kind::Capture | Kind::Void | Kind::Verification => 0,
        }
    }

    /// Writes card sale number `sequence`, head and body, over what `into` held.
    pub fn render(&self, sequence: u64, into: &mut Vec<u8>) {
        self.render_drawn(&Drawn { kind: Kind::Sale, merchant: 0, sequence, target: Xid::NONE, is_retry: false }, into);
    }

    /// Writes a request, head and body, over what `into` held.
    pub(crate) fn render_drawn(&self, drawn: &Drawn, into: &mut Vec<u8>) {
        let (card, amount) = self.drawn(drawn.sequence);
        let templates = &self.templates[drawn.kind as usize];
        let place = card.checked_rem(templates.len() as u64).unwrap_or(0);
        let Some(template) = templates.get(place as usize) else { return into.clear() };
        let api_key = self.api_key(drawn.merchant as usize).unwrap_or("");
        template.fill(&Filling { amount, sequence: drawn.sequence, api_key, target: drawn.target }, into);
    }

    /// A number by which one of several cards is taken, and the amount.
    pub(crate) fn drawn(&self, sequence: u64) -> (u64, u64) {
        let mut random = SplitMix(self.seed ^ sequence.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let card = random.next();
        let (low, high) = self.amounts;
        (card, low + random.next() % (high - low + 1))
    }
}

fn head(address: SocketAddr, (method, path): (&str, &str), headers: &[(&str, &str)]) -> Result<String, LoadError> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
    for (name, value) in headers {
        visible_ascii("header name", name, HEADER_BYTES_MAX)?;
        let words = value.split(' ');
        words.into_iter().try_for_each(|word| visible_ascii("header value", word, HEADER_BYTES_MAX))?;
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    Ok(head)
}

fn digits(value: u64) -> usize {
    value.checked_ilog10().unwrap_or(0) as usize + 1
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

/// The lines of the switch's `sandbox.json` that load needs; the others are left alone.
#[derive(Deserialize)]
pub struct SandboxFile {
    /// Bound REST address, with or without `http://`.
    pub http: String,
    /// Bound address of the binary protocol.
    #[serde(default)]
    pub binary: String,
    /// Key of the sandbox merchant.
    pub api_key: String,
    /// Key of the operator's calls, by which more merchants are made.
    #[serde(default)]
    pub operator_key: String,
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
