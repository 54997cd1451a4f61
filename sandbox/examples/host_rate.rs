//! What a card host alone costs: sales on one connection over loopback, closed loop, so many in flight.
//!
//! `cargo run --release -p sandbox --example host_rate -- [sales] [in flight]`. The client shares the machine; the host's own
//! CPU is read from its thread (Linux).
#![allow(clippy::print_stdout, reason = "it is run by hand, for its output")]
#![allow(clippy::float_arithmetic, reason = "rates")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use protocol::calendar::Micros;
use protocol::iso8583::{EncodeError, Encoder, Frames, Mti, TSYS, append_frame};
use sandbox::shell::Host as _;
use sandbox::tsys::{ConnectionId, Host, Replies};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default| arguments.next().map_or(Ok(default), |text| text.parse::<u32>());
    let (sales, in_flight) = (argument(600_000)?, argument(64)?);
    value(sales)?;
    sockets(sales, in_flight)
}

/// The host as a value: no sockets, no file.
fn value(sales: u32) -> Result<(), Box<dyn Error>> {
    let mut host = Host::new(0);
    let mut replies = Replies::default();
    let mut requests = sign_on()?;
    for number in 1..=sales {
        append_sale(&mut requests, number)?;
    }
    let before = thread_cpu_us(OWN_THREAD)?;
    let started = Instant::now();
    let mut frames = Frames::new(&requests);
    while let Some(frame) = frames.next_message()? {
        host.accept(Micros(1), ConnectionId(0), frame, &mut replies);
        if replies.bytes.len() > 8192 {
            replies.bytes.clear();
            host.rows_written();
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu = thread_cpu_us(OWN_THREAD)? - before;
    println!("value:   {:>9.0} sales/s, {:.2} us of CPU each", f64::from(sales) / seconds, cpu / f64::from(sales));
    Ok(())
}

fn sockets(sales: u32, in_flight: u32) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let running = sandbox::start(sandbox::Options::new(folder.path()))?;
    let mut client = Client::connect(running.card.addr)?;
    client.stream.write_all(&sign_on()?)?;
    client.receive()?;
    let before = thread_cpu_us(HOST_THREAD)?;
    let started = Instant::now();
    let (mut sent, mut answered) = (0, 0);
    let mut burst = Vec::new();
    while answered < sales {
        burst.clear();
        while sent < sales && sent - answered < in_flight {
            sent += 1;
            append_sale(&mut burst, sent)?;
        }
        client.stream.write_all(&burst)?;
        answered += client.receive()?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu = thread_cpu_us(HOST_THREAD)? - before;
    println!(
        "sockets: {:>9.0} sales/s with {in_flight} in flight, {:.2} us of the host's CPU each",
        f64::from(sales) / seconds,
        cpu / f64::from(sales)
    );
    running.shutdown();
    Ok(())
}

struct Client {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Client {
    fn connect(addr: std::net::SocketAddr) -> Result<Client, Box<dyn Error>> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, input: Vec::new() })
    }

    /// Counts the answers that one read brings.
    fn receive(&mut self) -> Result<u32, Box<dyn Error>> {
        let mut bytes = [0; 65_536];
        let count = self.stream.read(&mut bytes)?;
        if count == 0 {
            return Err("the host has closed the connection".into());
        }
        self.input.extend_from_slice(&bytes[..count]);
        let mut frames = Frames::new(&self.input);
        let mut answers = 0;
        while frames.next_message()?.is_some() {
            answers += 1;
        }
        let consumed = frames.consumed();
        self.input.drain(..consumed);
        Ok(answers)
    }
}

fn sign_on() -> Result<Vec<u8>, EncodeError> {
    let mut frame = Vec::new();
    append_frame(&mut frame, |buffer| {
        let mut encoder = Encoder::begin(&TSYS, Mti::NETWORK_REQUEST, buffer)?;
        encoder.text(7, "1121010203")?.number(11, 1)?.text(12, "010203")?.text(13, "1121")?.text(70, "001")?;
        encoder.finish()
    })?;
    Ok(frame)
}

fn append_sale(out: &mut Vec<u8>, number: u32) -> Result<usize, EncodeError> {
    let second = number / 1_000_000;
    append_frame(out, |buffer| {
        let mut encoder = Encoder::begin(&TSYS, Mti::FINANCIAL_REQUEST, buffer)?;
        encoder.text(2, "4012000098765439")?.text(3, "000000")?.number(4, 1112)?;
        encoder.number(7, 1_121_010_200 + u64::from(second))?.number(11, u64::from(number % 1_000_000))?;
        encoder.text(12, "010203")?.text(13, "1121")?.text(14, "2912")?.text(18, "5999")?;
        encoder.text(22, "012")?.text(25, "59")?.text(32, "000001")?;
        encoder.text(37, &format!("RRN{number:09}"))?.text(41, "TERM01")?.text(42, "MERCHANT0000001")?;
        encoder.text(48, "AD01012 Main StZP00560601CV003999")?.text(49, "840")?;
        encoder.finish()
    })
}

/// Threads as the kernel names them.
const OWN_THREAD: &str = "host_rate";
const HOST_THREAD: &str = "sandbox";

/// User and system time of a thread, in microseconds; the kernel counts it in ticks of 10 ms.
fn thread_cpu_us(wanted: &str) -> Result<f64, Box<dyn Error>> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        let (name, rest) = stat.rsplit_once(") ").ok_or("no thread name")?;
        if name.ends_with(&format!("({wanted}")) {
            let field = |index| rest.split(' ').nth(index).unwrap_or("0").parse::<f64>();
            return Ok((field(11)? + field(12)?) * 10_000.0);
        }
    }
    Err(format!("no thread {wanted}").into())
}
