//! From what the switch said to the bytes of an answer.

use super::wrong::Wrong;
use crate::switch::handle::{Answered, Unavailable};
use crate::switch::mailbox::Cut;
use protocol::binary::answer::{push_answer, short};
use protocol::binary::{AnswerHeader, AnswerKind, FrameWriter, UnavailableCode};
use protocol::outcome::Outcome;
use protocol::refusal::Refusal;
use protocol::words::Verb;
use zerocopy::IntoBytes;

/// Transactions that a query found: all that match, and the newest of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// How many match.
    pub(super) total: u32,
    /// The newest, newest first.
    pub(super) shown: Vec<Outcome>,
    /// The response code of what was asked for: of a command that is looked for by its key, else of the transaction.
    pub(super) code: u16,
}

/// What is answered to one request.
#[derive(Debug)]
pub(super) enum Answer {
    /// A command's outcome.
    Outcome(Cut),
    /// A query's.
    Found(Found),
    /// There is none.
    None(NoOutcome),
}

/// Why there is no outcome.
#[derive(Debug)]
pub(super) enum NoOutcome {
    /// Nothing was done.
    Refused(Refusal),
    /// The request is wrong.
    Wrong(Wrong),
    /// Nobody knows at the moment.
    Unavailable(Unavailable),
}

impl From<NoOutcome> for Answer {
    fn from(why: NoOutcome) -> Answer {
        Answer::None(why)
    }
}

impl From<Answered> for Answer {
    fn from(answered: Answered) -> Answer {
        match answered {
            Answered::Version { version, verb, replayed } => Answer::Outcome(Cut::of(version.transaction(), verb, replayed)),
            Answered::Refused(refusal) => NoOutcome::Refused(refusal).into(),
            Answered::Unavailable(unavailable) => NoOutcome::Unavailable(unavailable).into(),
        }
    }
}

impl Answer {
    /// Appends it. `verb` is what was asked, of a command; texts are for those who want them.
    pub(super) fn write(&self, request_id: u64, verb: Option<Verb>, with_text: bool, frame: &mut FrameWriter<'_>) {
        let header = |kind, code| AnswerHeader { verb: verb.map_or(0, Verb::number), ..AnswerHeader::to(request_id, kind, code) };
        match self {
            Answer::Outcome(cut) => {
                let header = AnswerHeader {
                    replayed: cut.replayed.into(),
                    found: 1.into(),
                    verb: cut.verb.number(),
                    ..header(AnswerKind::Outcome, cut.code.0)
                };
                push_answer(frame, header, cut.outcome.as_bytes());
            }
            Answer::Found(found) => {
                let header = AnswerHeader { found: found.total.into(), ..header(AnswerKind::Outcome, found.code) };
                push_answer(frame, header, found.shown.as_bytes());
            }
            Answer::None(NoOutcome::Refused(refusal)) => {
                push_text(frame, header(AnswerKind::Refused, refusal.number()), refusal, with_text);
            }
            Answer::None(NoOutcome::Wrong(wrong)) => {
                push_text(frame, header(AnswerKind::Invalid, wrong.code as u16), &wrong.text, with_text)
            }
            Answer::None(NoOutcome::Unavailable(why)) => {
                let code = unavailable_code(*why);
                push_text(frame, header(AnswerKind::Unavailable, code as u16), why, with_text);
            }
        }
    }
}

fn push_text(frame: &mut FrameWriter<'_>, header: AnswerHeader, text: &impl ToString, with_text: bool) {
    let text = if with_text { text.to_string() } else { String::new() };
    push_answer(frame, header, short(&text).as_bytes());
}

fn unavailable_code(why: Unavailable) -> UnavailableCode {
    match why {
        Unavailable::Draining => UnavailableCode::Draining,
        Unavailable::JournalFull => UnavailableCode::Journal,
        Unavailable::History => UnavailableCode::History,
    }
}
