//! A sale over the binary protocol, durable, through ISO 8583 over TCP to a sandbox host, against a bare mio server that answers the
//! same frames with frames of the same size and does nothing for it: same run, same load tool.

use crate::Effort;
use crate::table::{Row, median};
use benches::server::Server;
use benches::stage::{API_KEY, Stage};
use loadgen::binary::Shape;
use loadgen::plan::{Load, Plan};
use loadgen::target::{AMOUNTS_DEFAULT, Target};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use protocol::binary::answer::push_answer;
use protocol::binary::limits::{FRAME_ITEMS_MAX, FRAME_MAX_BYTES};
use protocol::binary::{AnswerHeader, AnswerKind, FrameKind, FrameWriter, Requests, VERSION, Welcome, next_frame};
use protocol::outcome::Outcome;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use zerocopy::{FromZeros, IntoBytes};

/// The argument that makes this program the baseline.
pub const ECHO_WORD: &str = "binary-echo-server";
const CREDITS: u32 = 1_024;
const APPROVED: u16 = 100;

/// A kind of client: connections, requests in flight on each, requests of a frame.
struct Client {
    words: &'static str,
    connections: usize,
    in_flight: u32,
    batch: u16,
}

const CLIENTS: [Client; 3] = [
    Client { words: "64 connections, one sale at a time on each", connections: 64, in_flight: 1, batch: 1 },
    Client { words: "256 connections, one sale at a time on each", connections: 256, in_flight: 1, batch: 1 },
    Client { words: "4 connections, 512 sales in flight on each, 64 in a frame", connections: 4, in_flight: 512, batch: 64 },
];

/// Serves the baseline until it is killed.
pub fn serve_echo() -> anyhow::Result<()> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(256));
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    let (listening, mut streams) = (Token(usize::MAX), Vec::new());
    poll.registry().register(&mut listener, listening, Interest::READABLE)?;
    println!("ready binary={}", listener.local_addr()?);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                token if token == listening => {
                    while let Ok((mut stream, _)) = listener.accept() {
                        stream.set_nodelay(true)?;
                        poll.registry().register(&mut stream, Token(streams.len()), Interest::READABLE | Interest::WRITABLE)?;
                        streams.push(Some(Echo { stream, input: Vec::new(), output: Vec::new() }));
                    }
                }
                Token(number) => {
                    if streams[number].as_mut().is_some_and(|echo| echo.turn().is_err()) {
                        streams[number] = None;
                    }
                }
            }
        }
    }
}

/// One connection of the baseline.
struct Echo {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Echo {
    fn turn(&mut self) -> std::io::Result<()> {
        let mut buffer = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let mut taken = 0;
        while let Some(frame) = next_frame(&self.input[taken..], FRAME_MAX_BYTES).map_err(std::io::Error::other)? {
            taken += frame.size();
            match frame.kind {
                FrameKind::Hello => welcome().write(&mut self.output),
                _ => approve_all(Requests::check(frame.body, frame.count).map_err(std::io::Error::other)?, &mut self.output),
            }
        }
        self.input.drain(..taken);
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn welcome() -> Welcome {
    let (version, frame_items_max, credits) = (VERSION, FRAME_ITEMS_MAX.into(), CREDITS.into());
    Welcome { version, frame_items_max, credits, ..Welcome::empty() }
}

fn approve_all(requests: Requests<'_>, out: &mut Vec<u8>) {
    let (outcome, mut frame) = (Outcome::new_zeroed(), FrameWriter::begin(FrameKind::Answers, out));
    for request in requests {
        push_answer(&mut frame, AnswerHeader::to(request.request_id, AnswerKind::Outcome, APPROVED), outcome.as_bytes());
    }
    frame.finish();
}

/// One side under load: answers per second, and CPU microseconds of the server per answer.
fn load(address: SocketAddr, run_id: &str, client: &Client, server: &Server, time: Duration) -> anyhow::Result<(f64, f64)> {
    let target = Target::sale(address, API_KEY, run_id, 1, AMOUNTS_DEFAULT)?;
    let plan =
        Plan { connections: client.connections, warmup: Duration::ZERO, duration: time, ..Plan::new(target, Load::Closed) };
    let shape = Shape { in_flight: client.in_flight, batch: client.batch };
    let before = server.cpu_centiseconds()?;
    let report = loadgen::binary::run(&plan, &shape)?;
    let cpu_s = (server.cpu_centiseconds()? - before) as f64 / 100.0;
    let answered = report.answered_per_s * time.as_secs_f64();
    anyhow::ensure!(answered > 0.0, "nothing was answered: {}", report.table());
    Ok((report.answered_per_s, cpu_s * 1e6 / answered))
}

/// Throughput of each kind of client, and CPU per sale.
pub fn sale_beside_echo(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::set()?;
    let switch = &stage.switch;
    let echo = Server::start(Command::new(std::env::current_exe()?).arg(ECHO_WORD), None)?;
    let mut rows = Vec::new();
    for client in &CLIENTS {
        let (mut sales, mut echoes) = (vec![], vec![]);
        for round in 0..effort.rounds {
            let run_id = format!("binary-{}-{round}-{}", client.connections, std::process::id());
            echoes.push(load(echo.address("binary")?, &run_id, client, &echo, effort.under_load)?);
            sales.push(load(switch.address("binary")?, &run_id, client, switch, effort.under_load)?);
        }
        let column = |side: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| side.iter().map(pick).collect::<Vec<f64>>();
        for (what, unit, must, pick, scale) in [
            ("throughput", "k/s", "60 k/s", (|side| side.0) as fn(&(f64, f64)) -> f64, 1e3),
            ("CPU of the server per request", "µs", "", |side| side.1, 1.0),
        ] {
            let (ours, theirs) = (column(&sales, pick), column(&echoes, pick));
            rows.push(Row {
                what: format!("binary sale, durable, over ISO 8583 to a host, {}: {what} against a bare mio echo", client.words),
                ours: format!("{:.1} {unit}", median(&ours) / scale),
                baseline: format!("{:.1} {unit}", median(&theirs) / scale),
                ratios: ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect(),
                must,
            });
        }
    }
    Ok(rows)
}
