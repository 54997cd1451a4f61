//! The client's side of a conversation as a value: requests in, bytes out; bytes in, answers out.

use crate::asks::Ask;
use crate::error::ClientError;
use protocol::binary::frame::push_frame;
use protocol::binary::limits::FRAME_MAX_BYTES;
use protocol::binary::{
    Answer, AnswerKind, Answers, Busy, FrameKind, FrameWriter, GoAway, Hello, OpenFrame, VERSION, Welcome, capability, next_frame,
};
use protocol::limits::TAIL_MAX_BYTES;
use protocol::outcome::Outcome;
use protocol::refusal::Refusal;
use zeroize::Zeroize;

/// Room for the largest request.
const REQUEST_MAX_BYTES: usize = TAIL_MAX_BYTES + 512;

/// The client's number for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the switch said, borrowed from what was received.
#[derive(Debug)]
pub enum Heard<'a> {
    /// Requests may be asked.
    Welcome(Welcome),
    /// Answers, in no order.
    Answers(Answers<'a>),
    /// Requests that were not taken.
    Busy(Busy<'a>),
    /// The conversation ends; answers that are missing may still come.
    GoAway(GoAway<'a>),
    /// The answer to a Ping.
    Pong,
}

/// An answer to one request, on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// To which request.
    pub request_id: RequestId,
    /// What it is.
    pub kind: AnswerKind,
    /// A response code with an outcome; else why there is none: see [`AnswerKind`].
    pub code: u16,
    /// True when the key was answered before.
    pub replayed: bool,
    /// How many transactions match a query.
    pub found: u32,
    /// The transactions, newest first; one for a command.
    pub outcomes: Vec<Outcome>,
    /// For people, where there is no outcome.
    pub text: String,
}

impl Reply {
    /// Copies an answer out of its frame.
    pub fn of(answer: &Answer<'_>) -> Reply {
        Reply {
            request_id: RequestId(answer.request_id()),
            kind: answer.kind(),
            code: answer.header.code.get(),
            replayed: answer.header.replayed == 1,
            found: answer.header.found.get(),
            outcomes: answer.outcomes().to_vec(),
            text: answer.text().to_owned(),
        }
    }

    /// What a Busy frame says of one request.
    pub fn busy(request_id: u64) -> Reply {
        Reply {
            request_id: RequestId(request_id),
            kind: AnswerKind::Refused,
            code: Refusal::Busy.number(),
            replayed: false,
            found: 0,
            outcomes: Vec::new(),
            text: String::new(),
        }
    }

    /// The transaction, of a command's outcome.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcomes.first()
    }
}

/// The conversation. It numbers requests from 1 and keeps to its credits.
#[derive(Debug)]
pub struct Talk {
    out: Vec<u8>,
    requests: Option<OpenFrame>,
    input: Vec<u8>,
    understood: usize,
    next_request_id: u64,
    credits: u32,
    unanswered: u32,
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.out.zeroize();
    }
}

impl Talk {
    /// Begins with a Hello in [`Talk::output`]. Requests may be asked once the Welcome was heard.
    pub fn new(api_key: &str) -> Talk {
        let mut out = Vec::new();
        Hello { version_min: VERSION, version_max: VERSION, capabilities: capability::ALL, api_key }.write(&mut out);
        Talk { out, requests: None, input: Vec::new(), understood: 0, next_request_id: 1, credits: 0, unanswered: 0 }
    }

    /// Adds a request to the frame that is sent next.
    pub fn ask(&mut self, ask: &Ask) -> Result<RequestId, ClientError> {
        self.ask_with(|request_id, frame| ask.push(request_id, frame))
    }

    /// The same for who writes the request itself: exactly one, under the number that is given, of 32 KiB at most.
    pub fn ask_with(&mut self, push: impl FnOnce(u64, &mut FrameWriter<'_>)) -> Result<RequestId, ClientError> {
        if self.unanswered >= self.credits {
            return Err(ClientError::NoCredit { credits: self.credits });
        }
        let mut frame = match self.requests.take() {
            Some(open) => open.resume(&mut self.out),
            None => FrameWriter::begin(FrameKind::Requests, &mut self.out),
        };
        if frame.size() + REQUEST_MAX_BYTES > FRAME_MAX_BYTES {
            self.requests = Some(frame.pause());
            return Err(ClientError::FrameFull);
        }
        let request_id = self.next_request_id;
        push(request_id, &mut frame);
        self.requests = Some(frame.pause());
        (self.next_request_id, self.unanswered) = (request_id + 1, self.unanswered + 1);
        Ok(RequestId(request_id))
    }

    /// Asks whether the switch is there, which also keeps an idle connection.
    pub fn ping(&mut self) {
        self.close_frame();
        push_frame(FrameKind::Ping, &[0; 8], &mut self.out);
    }

    /// Bytes that are to be sent, frames finished. Give them back with [`Talk::sent`].
    pub fn output(&mut self) -> &[u8] {
        self.close_frame();
        &self.out
    }

    /// So many of them were sent. They held card numbers, so they are wiped.
    pub fn sent(&mut self, count: usize) {
        if count == self.out.len() {
            self.out.as_mut_slice().zeroize();
            self.out.clear();
        } else {
            self.out.drain(..count);
        }
    }

    /// What is asked next goes into a frame of its own.
    pub fn close_frame(&mut self) {
        if let Some(open) = self.requests.take() {
            open.resume(&mut self.out).finish();
        }
    }

    /// Takes bytes that were received.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.understood == self.input.len() {
            self.input.clear();
            self.understood = 0;
        } else if self.understood > FRAME_MAX_BYTES {
            self.input.drain(..self.understood);
            self.understood = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// The next thing that the switch said; `None` when more bytes are needed.
    pub fn hear(&mut self) -> Result<Option<Heard<'_>>, ClientError> {
        let Some(frame) = next_frame(&self.input[self.understood..], FRAME_MAX_BYTES)? else { return Ok(None) };
        self.understood += frame.size();
        let heard = match frame.kind {
            FrameKind::Welcome => {
                let welcome = Welcome::parse(frame.body)?;
                self.credits = welcome.credits.get();
                Heard::Welcome(welcome)
            }
            FrameKind::Answers => Heard::Answers(Answers::check(frame.body, frame.count)?),
            FrameKind::Busy => Heard::Busy(Busy::parse(frame.body, frame.count)?),
            FrameKind::GoAway => Heard::GoAway(GoAway::parse(frame.body)?),
            FrameKind::Pong => Heard::Pong,
            other @ (FrameKind::Hello | FrameKind::Requests | FrameKind::Ping | FrameKind::Other(_)) => {
                return Err(ClientError::Unexpected { kind: other.number() });
            }
        };
        if matches!(heard, Heard::Answers(_) | Heard::Busy(_)) {
            self.unanswered = self.unanswered.saturating_sub(frame.count.into());
        }
        Ok(Some(heard))
    }

    /// Requests without an answer.
    pub fn unanswered(&self) -> u32 {
        self.unanswered
    }

    /// Requests that may be asked now.
    pub fn credits_left(&self) -> u32 {
        self.credits - self.unanswered.min(self.credits)
    }
}
