//! A small client of the card host and of its control address.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use protocol::iso8583::{Encoder, Message, Mti, OriginalData, TSYS, append_frame};
use sandbox::{Listen, Options, Running};
use serde_json::Value;
use tempfile::TempDir;

pub const PAN: &str = "4012000098765439";
pub const TRANSMITTED: &str = "1121010203";
/// How late the hosts of these tests are when they are late.
pub const LATE_MS: u32 = 150;

/// Two hosts with a folder that goes away with them.
pub struct Hosts {
    pub running: Running,
    pub folder: TempDir,
}

impl Hosts {
    pub fn start() -> Hosts {
        Hosts::start_in(tempfile::tempdir().unwrap())
    }

    pub fn start_in(folder: TempDir) -> Hosts {
        let running = sandbox::start(options(&folder)).unwrap();
        Hosts { running, folder }
    }

    /// Stops the hosts and starts them on the same ledgers.
    pub fn restart(self) -> Hosts {
        self.running.shutdown();
        Hosts::start_in(self.folder)
    }

    pub fn client(&self) -> Client {
        let mut client = Client::connect(self.running.card.addr);
        assert_eq!(client.ask(&Request::network("001")).action(), "00");
        client
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, body) = http(self.running.card.control, "GET", path, "");
        assert_eq!(status, 200, "{body}");
        body
    }

    pub fn entries(&self) -> Vec<Value> {
        self.get("/ledger")["entries"].as_array().unwrap().clone()
    }

    pub fn set_faults(&self, faults: &str) -> (u16, Value) {
        http(self.running.card.control, "POST", "/faults", faults)
    }
}

pub fn options(folder: &TempDir) -> Options {
    Options { late_ms: LATE_MS, card_2: Listen::default(), ..Options::new(folder.path()) }
}

/// One exchange in HTTP/1.0: the body ends where the connection ends.
pub fn http(addr: SocketAddr, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// A message to the host: type and fields.
#[derive(Debug, Clone)]
pub struct Request {
    pub mti: Mti,
    pub fields: BTreeMap<u8, String>,
}

impl Request {
    fn new(mti: Mti, stan: u32, fields: &[(u8, &str)]) -> Request {
        let always = [(7, TRANSMITTED), (12, "010203"), (13, "1121")];
        let fields = always.iter().chain(fields).map(|(number, text)| (*number, (*text).to_owned()));
        Request { mti, fields: fields.collect() }.with(11, &format!("{stan:06}"))
    }

    pub fn with(mut self, number: u8, text: &str) -> Request {
        self.fields.insert(number, text.to_owned());
        self
    }

    pub fn without(mut self, number: u8) -> Request {
        self.fields.remove(&number);
        self
    }

    fn payment(mti: Mti, processing_code: &str, amount: u64, stan: u32) -> Request {
        let fields = [
            (2, PAN),
            (3, processing_code),
            (14, "2912"),
            (18, "5999"),
            (22, "012"),
            (25, "59"),
            (32, "000001"),
            (41, "TERM01"),
            (42, "MERCHANT0000001"),
            (49, "840"),
        ];
        Request::new(mti, stan, &fields).with(4, &format!("{amount:012}")).with(37, &format!("RRN{stan:09}"))
    }

    pub fn sale(amount: u64, stan: u32) -> Request {
        Request::payment(Mti::FINANCIAL_REQUEST, "000000", amount, stan)
    }

    pub fn authorization(amount: u64, stan: u32) -> Request {
        Request::payment(Mti::AUTHORIZATION_REQUEST, "000000", amount, stan)
    }

    pub fn credit(amount: u64, stan: u32) -> Request {
        Request::payment(Mti::FINANCIAL_REQUEST, "200000", amount, stan)
    }

    pub fn refund(amount: u64, stan: u32, sale_rrn: &str) -> Request {
        Request::credit(amount, stan).with(48, &format!("OR012{sale_rrn}"))
    }

    /// A message about this one, with the fields that all of them have.
    fn about(&self, mti: Mti, stan: u32) -> Request {
        let mut fields = self.fields.clone();
        fields.retain(|number, _| [2, 3, 4, 7, 12, 13, 14, 32, 37, 41, 42, 49].contains(number));
        let original = OriginalData {
            mti: self.mti,
            stan: self.fields[&11].parse().unwrap(),
            transmitted: self.fields[&7].parse().unwrap(),
            acquirer: 1,
            forwarder: 0,
        };
        let original = original.compose().unwrap().as_str().to_owned();
        Request { mti, fields }.with(11, &format!("{stan:06}")).with(90, &original)
    }

    pub fn capture(&self, amount: u64, stan: u32) -> Request {
        let capture = self.about(Mti::FINANCIAL_ADVICE, stan).with(4, &format!("{amount:012}"));
        capture.with(18, "5999").with(22, "012").with(25, "59").with(38, "TAS000")
    }

    pub fn void(&self, stan: u32) -> Request {
        self.about(Mti::REVERSAL_REQUEST, stan).with(38, "TAS000")
    }

    pub fn reversal(&self, stan: u32) -> Request {
        self.about(Mti::REVERSAL_ADVICE, stan).with(39, "68")
    }

    /// The member of a batch that this request made, for the batch's upload.
    pub fn detail(&self, record: u32, amount: u64, numbers: &str) -> Request {
        let detail = self.about(Mti::BATCH_UPLOAD_ADVICE, record).with(4, &format!("{amount:012}")).with(60, numbers);
        detail.without(2).without(14)
    }

    pub fn repeated(mut self) -> Request {
        self.mti = self.mti.repeat();
        self
    }

    /// Totals: number and amount of debits, then of credits.
    pub fn totals(stan: u32, batch: u32, debits: (u64, u64), credits: (u64, u64)) -> Request {
        let fields = [(32, "000001"), (41, "TERM01"), (42, "MERCHANT0000001"), (50, "840")];
        let sign = if debits.1 >= credits.1 { 'D' } else { 'C' };
        Request::new(Mti::RECONCILIATION_REQUEST, stan, &fields)
            .with(60, &format!("{batch:06}"))
            .with(74, &format!("{:010}", credits.0))
            .with(76, &format!("{:010}", debits.0))
            .with(86, &format!("{:016}", credits.1))
            .with(88, &format!("{:016}", debits.1))
            .with(97, &format!("{sign}{:016}", debits.1.abs_diff(credits.1)))
    }

    pub fn network(code: &str) -> Request {
        Request::new(Mti::NETWORK_REQUEST, 1, &[(70, code)])
    }

    /// With its length header.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = Vec::new();
        append_frame(&mut frame, |buffer| {
            let mut encoder = Encoder::begin(&TSYS, self.mti, buffer)?;
            for (number, text) in &self.fields {
                encoder.text(*number, text)?;
            }
            encoder.finish()
        })
        .unwrap();
        frame
    }
}

/// What the host answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub mti: String,
    pub fields: BTreeMap<u8, String>,
}

impl Answer {
    pub fn parse(message: &[u8]) -> Option<Answer> {
        let message = Message::parse(&TSYS, message).ok()?;
        let fields = message.iter().map(|value| (value.field_number(), value.text().unwrap_or_default().to_owned()));
        Some(Answer { mti: message.mti().to_string(), fields: fields.collect() })
    }

    pub fn get(&self, number: u8) -> &str {
        self.fields.get(&number).map_or("", String::as_str)
    }

    pub fn action(&self) -> &str {
        self.get(39)
    }
}

/// What came instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing, for as long as the client waits.
    Silence,
    /// The connection is closed.
    Closed,
    /// A frame that is no message.
    Garbage,
    /// A length header beyond all bounds.
    Oversized,
}

/// A connection to a card host.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Client {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Client { stream }
    }

    /// Waits only so long for what it expects not to come.
    pub fn patient_for(mut self, ms: u64) -> Client {
        self.wait(ms);
        self
    }

    pub fn wait(&mut self, ms: u64) {
        self.stream.set_read_timeout(Some(Duration::from_millis(ms))).unwrap();
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // The host may have closed already; what follows from that shows in `receive`.
        let _ = self.stream.write_all(bytes);
    }

    pub fn send(&mut self, request: &Request) {
        self.send_bytes(&request.frame());
    }

    pub fn receive(&mut self) -> Result<Answer, NoAnswer> {
        let mut header = [0; 2];
        self.read(&mut header)?;
        let length = usize::from(u16::from_be_bytes(header));
        if length > 4096 {
            return Err(NoAnswer::Oversized);
        }
        let mut message = vec![0; length];
        self.read(&mut message)?;
        Answer::parse(&message).ok_or(NoAnswer::Garbage)
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), NoAnswer> {
        use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            UnexpectedEof | ConnectionReset => NoAnswer::Closed,
            _ => NoAnswer::Silence,
        })
    }

    pub fn try_ask(&mut self, request: &Request) -> Result<Answer, NoAnswer> {
        self.send(request);
        self.receive()
    }

    pub fn ask(&mut self, request: &Request) -> Answer {
        self.try_ask(request).unwrap()
    }
}
