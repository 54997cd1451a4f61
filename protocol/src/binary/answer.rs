//! What the switch answers: outcomes, and why there is none.

use super::BodyFault;
use super::frame::FrameWriter;
use super::limits::TEXT_MAX_BYTES;
use crate::outcome::Outcome;
use crate::response_code::ResponseCode;
use crate::transaction::Transaction;
use crate::words::{ExchangeState, Status, Verb};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

const _: () = assert!(size_of::<AnswerHeader>() == 24);

/// Head of every answer of an Answers frame, 24 bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AnswerHeader {
    /// Bytes of the whole answer, this header included.
    pub size: U32,
    /// AnswerKind.
    pub kind: u8,
    /// 1: the idempotency key was answered before, this is the same answer again. Else 0.
    pub replayed: u8,
    /// Outcome: the response code of what was asked. Refused, invalid, unavailable: why.
    pub code: U16,
    /// As the client chose it.
    pub request_id: U64,
    /// Transactions that a query found, shown here or not; 1 for a command's outcome; else 0.
    pub found: U32,
    /// Verb of the command that was answered; 0 for a query.
    pub verb: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// What an answer is. Open: a number that this version does not know survives; it is never taken for an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// Outcomes follow, newest first.
    Outcome,
    /// Nothing was done: the code is a [`crate::refusal::Refusal`]'s number.
    Refused,
    /// Nothing was done: the request itself is wrong; the code is an [`InvalidCode`].
    Invalid,
    /// Whether anything was done is not known here; the same idempotency key will tell. The code is an [`UnavailableCode`].
    Unavailable,
    /// A kind of a later version.
    Other(u8),
}

impl AnswerKind {
    /// From the number in the header.
    pub const fn from_number(number: u8) -> AnswerKind {
        match number {
            1 => AnswerKind::Outcome,
            2 => AnswerKind::Refused,
            3 => AnswerKind::Invalid,
            4 => AnswerKind::Unavailable,
            other => AnswerKind::Other(other),
        }
    }

    /// The number in the header.
    pub const fn number(self) -> u8 {
        match self {
            AnswerKind::Outcome => 1,
            AnswerKind::Refused => 2,
            AnswerKind::Invalid => 3,
            AnswerKind::Unavailable => 4,
            AnswerKind::Other(other) => other,
        }
    }
}

/// What is wrong with a request. Frozen numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum InvalidCode {
    /// Its kind is not known.
    Kind = 1,
    /// Its bytes are no command, no id, no text.
    Layout = 2,
    /// A field that the switch fills in is not zero.
    NotYours = 3,
    /// The verb takes no such amount, or it is too large.
    Amount = 4,
    /// No ISO 4217 number.
    Currency = 5,
    /// The card is missing, or not acceptable.
    Card = 6,
    /// No such processor.
    Processor = 7,
    /// A field of the tail is not acceptable, or not for clients to send.
    Tail = 8,
    /// The idempotency key or its window is not acceptable.
    Key = 9,
    /// The API key may not do this.
    Forbidden = 10,
    /// The means of payment is not available on this account.
    Method = 11,
}

impl InvalidCode {
    /// All of them, in the order of their numbers.
    pub const ALL: [InvalidCode; 11] = [
        InvalidCode::Kind,
        InvalidCode::Layout,
        InvalidCode::NotYours,
        InvalidCode::Amount,
        InvalidCode::Currency,
        InvalidCode::Card,
        InvalidCode::Processor,
        InvalidCode::Tail,
        InvalidCode::Key,
        InvalidCode::Forbidden,
        InvalidCode::Method,
    ];
}

/// Why the switch can't answer now. Frozen numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum UnavailableCode {
    /// It is being shut down and takes no more commands.
    Draining = 1,
    /// Its journal can't be written.
    Journal = 2,
    /// The history can't be read.
    History = 3,
}

impl UnavailableCode {
    /// All of them, in the order of their numbers.
    pub const ALL: [UnavailableCode; 3] = [UnavailableCode::Draining, UnavailableCode::Journal, UnavailableCode::History];
}

/// One answer, cut but not judged.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its head.
    pub header: &'a AnswerHeader,
    /// What follows: outcomes, or a text.
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// What it is.
    pub fn kind(&self) -> AnswerKind {
        AnswerKind::from_number(self.header.kind)
    }

    /// The client's number for the request.
    pub fn request_id(&self) -> u64 {
        self.header.request_id.get()
    }

    /// The outcomes, newest first; none when it is something else.
    pub fn outcomes(&self) -> &'a [Outcome] {
        match self.kind() {
            AnswerKind::Outcome => <[Outcome]>::ref_from_bytes(self.body).unwrap_or_default(),
            AnswerKind::Refused | AnswerKind::Invalid | AnswerKind::Unavailable | AnswerKind::Other(_) => &[],
        }
    }

    /// The text for people; empty when there is none.
    pub fn text(&self) -> &'a str {
        match self.kind() {
            AnswerKind::Outcome => "",
            AnswerKind::Refused | AnswerKind::Invalid | AnswerKind::Unavailable | AnswerKind::Other(_) => {
                core::str::from_utf8(self.body).unwrap_or_default()
            }
        }
    }
}

/// Cuts the body of an Answers frame, one answer after another.
#[derive(Debug, Clone)]
pub struct Answers<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Answers<'a> {
    /// The answers of a body that are all whole, or what is wrong with it.
    pub fn check(body: &'a [u8], announced: u16) -> Result<Answers<'a>, BodyFault> {
        let answers = Answers { body, at: 0 };
        let (mut rest, mut count) = (answers.clone(), 0_usize);
        while rest.at < body.len() {
            rest.cut()?;
            count += 1;
        }
        if count != usize::from(announced) {
            return Err(BodyFault::Count { announced });
        }
        Ok(answers)
    }

    fn cut(&mut self) -> Result<Answer<'a>, BodyFault> {
        let (at, rest) = (self.at, &self.body[self.at..]);
        let (header, behind) = AnswerHeader::ref_from_prefix(rest).map_err(|_| BodyFault::Size { at })?;
        let size = header.size.get() as usize;
        let body = size.checked_sub(size_of::<AnswerHeader>()).and_then(|length| behind.get(..length));
        let body = body.ok_or(BodyFault::Size { at })?;
        if header.reserved != [0; 3] {
            return Err(BodyFault::Reserved);
        }
        let answer = Answer { header, body };
        if answer.kind() == AnswerKind::Outcome && !body.len().is_multiple_of(size_of::<Outcome>()) {
            return Err(BodyFault::Size { at });
        }
        self.at += size;
        Ok(answer)
    }
}

impl<'a> Iterator for Answers<'a> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        if self.at < self.body.len() { self.cut().ok() } else { None }
    }
}

impl AnswerHeader {
    /// The head of an answer to a request; `size` is set when it is pushed.
    pub fn to(request_id: u64, kind: AnswerKind, code: u16) -> AnswerHeader {
        AnswerHeader { kind: kind.number(), code: code.into(), request_id: request_id.into(), ..AnswerHeader::new_zeroed() }
    }
}

/// Appends an answer to an Answers frame.
pub fn push_answer(frame: &mut FrameWriter<'_>, header: AnswerHeader, body: &[u8]) {
    let size = ((size_of::<AnswerHeader>() + body.len()) as u32).into();
    frame.body().extend_from_slice(AnswerHeader { size, ..header }.as_bytes());
    frame.body().extend_from_slice(body);
    frame.count_item();
}

/// The response code of an answer to `verb`: of a capture or void its own, while the transaction keeps that of what made it.
pub fn code_for(transaction: &Transaction, verb: Verb) -> ResponseCode {
    match verb {
        Verb::Capture | Verb::Void => match transaction.step.state() {
            ExchangeState::Approved => ResponseCode::APPROVED,
            ExchangeState::Declined => transaction.step.response_code(),
            ExchangeState::Unknown | ExchangeState::NotSent => ResponseCode::COMMUNICATION_ERROR,
            ExchangeState::None | ExchangeState::InFlight => ResponseCode::UNKNOWN,
        },
        Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification | Verb::Refund => {
            if transaction.status() == Status::Pending { ResponseCode::UNKNOWN } else { transaction.response_code() }
        }
    }
}

/// As much of a text as fits [`TEXT_MAX_BYTES`].
pub fn short(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
