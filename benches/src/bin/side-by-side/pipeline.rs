//! Multi-command frames at a processor that answers at once in this process: what the switch itself can carry when no host is in its way.
//! Both journal gates are on: the intent is durable before the processor is asked, the outcome before the client is answered.
//!
//! In it: the frame's checksum and checks, each command's layout, idempotency keys, duplicates, settlement totals, both records of each
//! payment through the journal to the disk, answers in frames. Charges of stored cards: the seal travels as the vault keeps it. Left out:
//! sockets, rules, and the projection into SQL. The baseline is what TigerBeetle was measured at on such a machine in batches of 8,189
//! transfers; it is a quoted figure and is not measured here.

use crate::Effort;
use crate::table::{Row, median};
use anyhow::Context;
use benches::payments::{BUNCH_PAYMENTS, Stream};
use persistence::journal::{Batch, Journal, Log, LogOptions, OsDisk, Refused, WriterOptions};
use protocol::binary::answer::{code_for, push_answer};
use protocol::binary::limits::FRAME_MAX_BYTES;
use protocol::binary::request::push_command;
use protocol::binary::{AnswerHeader, AnswerKind, FrameKind, FrameWriter, OpenFrame, Requests, next_frame};
use protocol::command::Command;
use protocol::frame::Durable;
use protocol::outcome::Outcome;
use protocol::tail::Tail;
use protocol::words::{Source, Verb};
use std::hint::black_box;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use switch_core::input::Token;
use switch_core::output::{Effects, Reply};
use zerocopy::IntoBytes;

/// Commands of a frame: as many as its size lets be.
const FRAME_COMMANDS: u64 = 400;
/// Frames whose payments are under way at a time: some are decided while others are written.
const FRAMES_UNDER_WAY: u64 = 8;
const TIGERBEETLE_PER_S: f64 = 400_000.0;
/// The journal that one round may fill, bytes: rounds end there, or with their time.
const JOURNAL_BYTES_MAX: u64 = 3 << 30;

/// What a shard decided in one turn.
struct Turn(Effects);

impl Batch for Turn {
    fn records(&self) -> &[u8] {
        self.0.records()
    }

    fn record_count(&self) -> u32 {
        self.0.record_count()
    }
}

/// A shard before its journal.
struct Pipeline {
    stream: Stream,
    journal: Journal<Turn>,
    back: Receiver<(Effects, Durable)>,
    /// A frame of requests, as a client sends it.
    requests: Vec<u8>,
    under_way: u64,
    turns_written: u32,
    answered: u64,
    written_bytes: u64,
    _folder: tempfile::TempDir,
}

impl Pipeline {
    fn new() -> anyhow::Result<Pipeline> {
        let folder = tempfile::tempdir_in(".")?;
        let options = LogOptions { free_bytes_min: 0, segments_ahead: 4, ..LogOptions::default() };
        let (mut log, _) = Log::open(OsDisk::open(folder.path())?, options, |_, _| {})?;
        log.prepare_ahead()?;
        let (done, back) = channel();
        let sink = move |turn: Turn, result: Result<Durable, Refused>| {
            // Refused only when the disk is full; the run then waits in vain, and says so.
            if let Ok(durable) = result {
                // The last ones come back after the measurement has ended.
                let _ = done.send((turn.0, durable));
            }
        };
        let journal = Journal::start(log, WriterOptions::default(), sink)?;
        let stream = Stream::new(Verb::Sale);
        let requests = frame_of(stream.tail());
        let (under_way, turns_written, answered, written_bytes) = (0, 0, 0, 0);
        Ok(Pipeline { stream, journal, back, requests, under_way, turns_written, answered, written_bytes, _folder: folder })
    }

    /// Payments answered a second.
    fn run(&mut self, time: Duration) -> anyhow::Result<f64> {
        let (begun, answered_before, written_before) = (Instant::now(), self.answered, self.written_bytes);
        let (mut answers, mut elapsed) = (Vec::new(), Duration::ZERO);
        while elapsed < time && self.written_bytes - written_before < JOURNAL_BYTES_MAX {
            while self.under_way < FRAMES_UNDER_WAY * FRAME_COMMANDS {
                self.take_frame()?;
            }
            self.write()?;
            self.answer(&mut answers)?;
            elapsed = begun.elapsed();
        }
        let rate = (self.answered - answered_before) as f64 / begun.elapsed().as_secs_f64();
        while self.under_way > 0 {
            self.write()?;
            self.answer(&mut answers)?;
        }
        Ok(rate)
    }

    /// Reads a frame as the front does, and has its commands decided.
    fn take_frame(&mut self) -> anyhow::Result<()> {
        let frame = next_frame(black_box(&self.requests), FRAME_MAX_BYTES)?.context("a frame")?;
        let mut requests = Requests::check(frame.body, frame.count)?.peekable();
        while requests.peek().is_some() {
            let mut bunch = Vec::with_capacity(BUNCH_PAYMENTS);
            for request in requests.by_ref().take(BUNCH_PAYMENTS) {
                let (command, tail) = Command::parse(request.body)?;
                bunch.push((*command, tail));
            }
            self.under_way += bunch.len() as u64;
            self.stream.ask(bunch.into_iter());
        }
        Ok(())
    }

    /// Gives what was decided to the journal.
    fn write(&mut self) -> anyhow::Result<()> {
        while let Some(effects) = self.stream.take_effects() {
            self.written_bytes += effects.records().len() as u64;
            self.turns_written += 1;
            anyhow::ensure!(self.journal.submitter().submit(Turn(effects)).is_ok(), "the journal has stopped");
        }
        Ok(())
    }

    /// Waits until something is durable; asks the processor for what may be sent, and answers what is decided.
    fn answer(&mut self, answers: &mut Vec<u8>) -> anyhow::Result<()> {
        answers.clear();
        let (mut open, mut told) = (None, 0);
        let mut next = self.back.recv_timeout(Duration::from_secs(10)).ok();
        anyhow::ensure!(next.is_some() || self.turns_written == 0, "nothing becomes durable");
        while let Some((effects, durable)) = next {
            self.turns_written -= 1;
            self.stream.release(effects, durable, |token, reply| {
                told += u64::from(push(answers, &mut open, token, reply));
            });
            next = self.back.try_recv().ok();
        }
        if let Some(open) = open {
            open.resume(answers).finish();
        }
        black_box(&*answers);
        self.stream.answer_sent();
        self.answered += told;
        self.under_way -= told;
        Ok(())
    }
}

/// A client's frame of charges.
fn frame_of(tail: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut frame = FrameWriter::begin(FrameKind::Requests, &mut out);
    for number in 0..FRAME_COMMANDS {
        let command = Command { source: Source::Binary.number(), currency: 840.into(), ..Command::new(Verb::Sale) };
        push_command(&mut frame, number, &command, None, Tail::trusted(tail).bytes());
    }
    frame.finish();
    out
}

/// Appends the answer to a payment, in frames as large as those of the requests. False for anything but an outcome.
fn push(answers: &mut Vec<u8>, open: &mut Option<OpenFrame>, token: Token, reply: Reply<'_>) -> bool {
    let Reply::Version { transaction, verb, .. } = reply else { return false };
    let mut frame = match open.take() {
        Some(open) => open.resume(answers),
        None => FrameWriter::begin(FrameKind::Answers, answers),
    };
    let header = AnswerHeader::to(token.0, AnswerKind::Outcome, code_for(transaction, verb).0);
    push_answer(&mut frame, header, Outcome::of(transaction).as_bytes());
    if u64::from(frame.count()) < FRAME_COMMANDS {
        *open = Some(frame.pause());
    } else {
        frame.finish();
    }
    true
}

/// Throughput of a shard and its journal.
pub fn frames(effort: Effort) -> anyhow::Result<Row> {
    let mut rates = Vec::new();
    for _ in 0..effort.rounds {
        // Each on a journal of its own, which is gone before the next begins.
        let mut pipeline = Pipeline::new()?;
        rates.push(pipeline.run(effort.under_load / 2)?);
        pipeline.journal.stop();
    }
    Ok(Row {
        what: format!(
            "frames of {FRAME_COMMANDS} charges of stored cards, one shard, processor in process, both journal gates: payments against \
             TigerBeetle's transfers in batches of 8,189 (quoted, not measured here)"
        ),
        ours: format!("{:.0} k/s", median(&rates) / 1e3),
        baseline: format!("{:.0} k/s", TIGERBEETLE_PER_S / 1e3),
        ratios: rates.iter().map(|rate| rate / TIGERBEETLE_PER_S).collect(),
        must: "≥ 1",
    })
}
