//! One connection of a run: what is in flight on it, and since when.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use client::{Client, ClientError, Heard, Talk};
use mio::net::TcpStream;
use protocol::binary::{AnswerKind, FrameWriter};
use protocol::id::Xid;

use crate::answer::{Outcome, meaning};
use crate::error::LoadError;
use crate::record::{Exchange, Slot};
use crate::work::Drawn;

/// A request that is not answered yet.
#[derive(Clone, Copy)]
pub(super) struct InFlight {
    pub(super) slot: Slot,
    pub(super) drawn: Drawn,
    pub(super) sent: Instant,
}

impl InFlight {
    pub(super) fn ended(&self, free_since: Instant, done: Instant) -> Exchange {
        Exchange { slot: self.slot, kind: self.drawn.kind, free_since, sent: self.sent, done }
    }
}

/// How one request ended.
pub(super) struct Ended {
    pub(super) in_flight: InFlight,
    pub(super) outcome: Outcome,
    /// Of a transaction.
    pub(super) response_code: Option<u16>,
    /// The transaction.
    pub(super) id: Option<Xid>,
}

/// The connection.
pub(super) struct Seat {
    /// Whose API key it was opened with.
    pub(super) merchant: u32,
    stream: TcpStream,
    talk: Talk,
    /// By request number, from `first` on; answered ones are taken out.
    in_flight: VecDeque<Option<InFlight>>,
    first: u64,
    count: u32,
}

impl Seat {
    /// Connects and is welcomed.
    pub(super) fn connect(address: SocketAddr, merchant: u32, api_key: &str) -> Result<Seat, LoadError> {
        let fault = |error| LoadError::Connect { address, source: io::Error::other(error) };
        let (stream, talk) = Client::connect(address, api_key).map_err(fault)?.into_parts();
        stream.set_nonblocking(true).map_err(|source| LoadError::Connect { address, source })?;
        Ok(Seat { merchant, stream: TcpStream::from_std(stream), talk, in_flight: VecDeque::new(), first: 1, count: 0 })
    }

    pub(super) fn stream_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Requests in flight.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Adds a request to the frame that is sent next.
    pub(super) fn ask(
        &mut self,
        slot: Slot,
        drawn: Drawn,
        now: Instant,
        push: impl FnOnce(u64, &mut FrameWriter<'_>),
    ) -> Result<(), ClientError> {
        self.talk.ask_with(push)?;
        self.in_flight.push_back(Some(InFlight { slot, drawn, sent: now }));
        self.count += 1;
        Ok(())
    }

    /// What is asked next goes into a frame of its own.
    pub(super) fn close_frame(&mut self) {
        self.talk.close_frame();
    }

    /// Sends what the kernel takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        loop {
            let output = self.talk.output();
            if output.is_empty() {
                return Ok(());
            }
            match self.stream.write(output) {
                Ok(count) => self.talk.sent(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads what is there. Answers go to `ended`.
    pub(super) fn read(&mut self, buffer: &mut [u8], ended: &mut Vec<Ended>) -> Result<(), ClientError> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ClientError::Closed { unanswered: self.count }),
                Ok(count) => {
                    self.talk.receive(&buffer[..count]);
                    self.understand(ended)?;
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(ClientError::Socket { operation: "receive", source }),
            }
        }
    }

    fn understand(&mut self, ended: &mut Vec<Ended>) -> Result<(), ClientError> {
        let Seat { talk, in_flight, first, count, .. } = self;
        while let Some(heard) = talk.hear()? {
            let mut end = |request_id: u64, outcome, response_code, id| {
                if let Some(taken) = take(in_flight, *first, request_id) {
                    *count -= 1;
                    ended.push(Ended { in_flight: taken, outcome, response_code, id });
                }
            };
            match heard {
                Heard::Answers(answers) => answers.for_each(|answer| {
                    let code = answer.header.code.get();
                    let (outcome, response_code) = match answer.kind() {
                        AnswerKind::Outcome => (meaning(code), Some(code)),
                        AnswerKind::Unavailable => (Outcome::Refused, None),
                        AnswerKind::Refused | AnswerKind::Invalid | AnswerKind::Other(_) => (Outcome::HttpError, None),
                    };
                    end(answer.request_id(), outcome, response_code, answer.outcomes().first().map(|outcome| outcome.id));
                }),
                Heard::Busy(busy) => busy.request_ids.iter().for_each(|id| end(id.get(), Outcome::Refused, None, None)),
                Heard::GoAway(away) => {
                    let (code, retry_after_ms, text) = (away.code, away.retry_after_ms, away.text.to_owned());
                    return Err(ClientError::GoAway { code, retry_after_ms, text });
                }
                Heard::Welcome(_) | Heard::Pong => {}
            }
            while in_flight.pop_front_if(|place| place.is_none()).is_some() {
                *first += 1;
            }
        }
        Ok(())
    }

    /// What never was answered.
    pub(super) fn give_up(&mut self) -> impl Iterator<Item = InFlight> + '_ {
        self.count = 0;
        self.in_flight.drain(..).flatten()
    }
}

fn take(in_flight: &mut VecDeque<Option<InFlight>>, first: u64, request_id: u64) -> Option<InFlight> {
    let place = usize::try_from(request_id.checked_sub(first)?).ok()?;
    in_flight.get_mut(place)?.take()
}
