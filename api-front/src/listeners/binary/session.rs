//! One connection's conversation as a value: bytes in, what was said out. No socket, no clock.
//!
//! A client says Hello and waits for its Welcome, then asks as much as it has credits for. Whatever else it says ends the
//! conversation, with the reason.

use protocol::binary::limits::{FRAME_MAX_BYTES, HELLO_MAX_BYTES};
use protocol::binary::{BodyFault, Frame, FrameFault, FrameKind, GoAwayCode, Hello, Requests, next_frame};
use std::borrow::Cow;

/// Bytes of a Ping's body, repeated in its Pong.
const PING_BYTES: usize = 8;

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was said yet.
    Strange,
    /// A Hello was said and is being looked at.
    Introduced,
    /// Requests are welcome.
    Open,
    /// It is over: nothing that comes is heard.
    Over,
}

/// The conversation, as the switch must know it.
#[derive(Debug)]
pub struct Session {
    stage: Stage,
    credits: u32,
    unanswered: u32,
}

/// What a client said.
#[derive(Debug)]
pub enum Said<'a> {
    /// Who it is. [`Session::welcome`] or [`Session::end`] must follow before it is heard again.
    Hello(Hello<'a>),
    /// What it wants. Each costs a credit until [`Session::answered`].
    Requests(Requests<'a>),
    /// It is there. The eight bytes go back in a Pong.
    Ping(&'a [u8]),
}

/// Why the switch ends a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// As the client is told.
    pub code: GoAwayCode,
    /// For people.
    pub why: Cow<'static, str>,
}

impl Ending {
    /// An ending with its reason.
    pub fn new(code: GoAwayCode, why: impl Into<Cow<'static, str>>) -> Ending {
        Ending { code, why: why.into() }
    }
}

impl From<FrameFault> for Ending {
    fn from(fault: FrameFault) -> Ending {
        let code = match fault {
            FrameFault::Version(_) => GoAwayCode::Version,
            FrameFault::Size { .. } | FrameFault::Crc | FrameFault::Reserved => GoAwayCode::Malformed,
        };
        Ending::new(code, fault.to_string())
    }
}

impl From<BodyFault> for Ending {
    fn from(fault: BodyFault) -> Ending {
        Ending::new(GoAwayCode::Malformed, fault.to_string())
    }
}

impl Session {
    /// A conversation that has not begun, with so many credits.
    pub fn new(credits: u32) -> Session {
        Session { stage: Stage::Strange, credits, unanswered: 0 }
    }

    /// The first thing said in a stream, and the bytes that it takes. `Ok(None)` when more bytes are needed, or when nothing is
    /// heard at the moment.
    pub fn hear<'a>(&mut self, stream: &'a [u8]) -> Result<Option<(Said<'a>, usize)>, Ending> {
        let max_bytes = match self.stage {
            Stage::Strange => HELLO_MAX_BYTES,
            Stage::Open => FRAME_MAX_BYTES,
            Stage::Introduced | Stage::Over => return Ok(None),
        };
        let Some(frame) = next_frame(stream, max_bytes)? else { return Ok(None) };
        let size = frame.size();
        Ok(Some((self.understand(frame)?, size)))
    }

    fn understand<'a>(&mut self, frame: Frame<'a>) -> Result<Said<'a>, Ending> {
        match (self.stage, frame.kind) {
            (Stage::Strange, FrameKind::Hello) => {
                let hello = Hello::parse(frame.body)?;
                if !hello.speaks_ours() {
                    return Err(Ending::new(GoAwayCode::Version, "version 1 is spoken here"));
                }
                self.stage = Stage::Introduced;
                Ok(Said::Hello(hello))
            }
            (Stage::Strange, _) => Err(Ending::new(GoAwayCode::Unexpected, "the first frame must be a Hello")),
            (_, FrameKind::Requests) => self.ask(frame),
            (_, FrameKind::Ping) if frame.body.len() == PING_BYTES => Ok(Said::Ping(frame.body)),
            (_, FrameKind::Ping) => Err(BodyFault::Size { at: frame.body.len() }.into()),
            (_, other) => Err(Ending::new(GoAwayCode::Unexpected, format!("a frame of kind {} is not expected", other.number()))),
        }
    }

    fn ask<'a>(&mut self, frame: Frame<'a>) -> Result<Said<'a>, Ending> {
        let requests = Requests::check(frame.body, frame.count)?;
        let unanswered = self.unanswered + u32::from(frame.count);
        if unanswered > self.credits {
            return Err(Ending::new(GoAwayCode::NoCredit, format!("at most {} requests may be unanswered", self.credits)));
        }
        self.unanswered = unanswered;
        Ok(Said::Requests(requests))
    }

    /// The client is who it says.
    pub fn welcome(&mut self) {
        if self.stage == Stage::Introduced {
            self.stage = Stage::Open;
        }
    }

    /// True while the client is welcome.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// True while nothing that comes can be heard, so that there is no use in reading it.
    pub fn is_deaf(&self) -> bool {
        matches!(self.stage, Stage::Introduced | Stage::Over)
    }

    /// True once it is over.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Nothing more is heard; what was asked may still be answered.
    pub fn end(&mut self) {
        self.stage = Stage::Over;
    }

    /// So many answers have left: their credits are the client's again.
    pub fn answered(&mut self, count: u32) {
        self.unanswered = self.unanswered.saturating_sub(count);
    }

    /// Requests whose answers have not left.
    pub fn unanswered(&self) -> u32 {
        self.unanswered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::binary::frame::push_frame;
    use protocol::binary::request::push_query;
    use protocol::binary::{FrameWriter, RequestKind, capability};

    fn hello(version: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let hello = Hello { version_min: version, version_max: version, capabilities: capability::ALL, api_key: "api_x" };
        hello.write(&mut out);
        out
    }

    fn queries(count: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut frame = FrameWriter::begin(FrameKind::Requests, &mut out);
        (0..count).for_each(|number| push_query(&mut frame, number, RequestKind::FindById, &[1; 12]));
        frame.finish();
        out
    }

    fn opened(credits: u32) -> Session {
        let mut session = Session::new(credits);
        assert!(matches!(session.hear(&hello(1)), Ok(Some((Said::Hello(_), _)))));
        session.welcome();
        session
    }

    fn ending(session: &mut Session, bytes: &[u8]) -> GoAwayCode {
        session.hear(bytes).unwrap_err().code
    }

    #[test]
    fn a_client_is_heard_only_once_it_is_known() {
        let mut session = Session::new(4);
        assert_eq!(ending(&mut session, &queries(1)), GoAwayCode::Unexpected);
        let (first, both) = (hello(1), [hello(1), queries(2)].concat());
        let Ok(Some((Said::Hello(said), taken))) = session.hear(&both) else { panic!("a Hello") };
        assert_eq!((said.api_key, taken, session.is_deaf()), ("api_x", first.len(), true));
        assert!(matches!(session.hear(&both[taken..]), Ok(None)), "what comes before the Welcome waits");
        session.welcome();
        let Ok(Some((Said::Requests(requests), _))) = session.hear(&both[taken..]) else { panic!("requests") };
        assert_eq!((requests.count(), session.unanswered()), (2, 2));
    }

    #[test]
    fn credits_come_back_with_answers_and_no_more_are_lent() {
        let mut session = opened(3);
        assert!(session.hear(&queries(2)).is_ok());
        session.answered(1);
        assert!(session.hear(&queries(2)).is_ok());
        assert_eq!(ending(&mut session, &queries(1)), GoAwayCode::NoCredit);
        assert_eq!(session.unanswered(), 3, "what was refused is not waited for");
    }

    #[test]
    fn what_cannot_be_understood_ends_it_with_the_reason() {
        let mut ping = Vec::new();
        push_frame(FrameKind::Ping, b"8 bytes!", &mut ping);
        assert!(matches!(opened(1).hear(&ping), Ok(Some((Said::Ping(b"8 bytes!"), 24)))));
        let mut short = Vec::new();
        push_frame(FrameKind::Ping, b"7 bytes", &mut short);
        let mut of_ours = Vec::new();
        push_frame(FrameKind::Answers, b"", &mut of_ours);
        for (bytes, code) in [
            (short, GoAwayCode::Malformed),
            (of_ours, GoAwayCode::Unexpected),
            (hello(1), GoAwayCode::Unexpected),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), GoAwayCode::Malformed),
        ] {
            assert_eq!(ending(&mut opened(1), &bytes), code);
        }
        assert_eq!(ending(&mut Session::new(1), &hello(2)), GoAwayCode::Version);
        let mut session = opened(1);
        session.end();
        assert!(matches!(session.hear(&queries(1)), Ok(None)));
    }
}
