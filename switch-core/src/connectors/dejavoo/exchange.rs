//! The life of one request to a terminal, sans I/O. What did not come is asked for by reference: nothing is charged twice, and nothing is
//! called lost that the terminal can still tell.
//!
//! | of | asks | when that is lost |
//! |---|---|---|
//! | payment | `Sale`, `Auth`, `Return` | `Status` until it is decided; a reference that is not known stays unknown (I6) |
//! | capture, void | `Capture`, `Void` | `Status`; when it was not done, the same again |
//! | reversal | `Status`; then `Void` of what stands, `Cancel` of what is not decided or not known | lost: the shard repeats it |
//! | totals | `Settle` | lost: the shard repeats it |

use super::code_map::response_code;
use super::decode::{Told, read};
use super::encode::{Header, Outgoing, Unwritable};
use crate::connectors::exchange::{Came, EXCHANGE_REQUESTS_MAX, HttpRequest, Next};
use crate::input::{Answer, Leg, Sent, Verdict};
use crate::output::Subject;
use protocol::words::Verb;

/// Wait before the first status question that is not the first; doubled each time. Milliseconds.
const QUESTION_AFTER_MS: u32 = 250;
/// Bound of that doubling, milliseconds.
const QUESTION_AFTER_MAX_MS: u32 = 8_000;
/// `RespMSG` of a status: the person is not done.
const IN_PROGRESS: &str = "IN PROGRESS";
/// `RespMSG`: the reference is not known.
const NOT_FOUND: &str = "NOT FOUND";
/// `RespMSG` of a cancellation that comes too late.
const ALREADY_APPROVED: &str = "ALREADY APPROVED";

/// What an exchange is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Payment { minor: u64, pays_out: bool },
    Capture { minor: u64, batch: u32 },
    Void,
    Reversal,
    Totals,
}

/// What was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// What the exchange is for; of a reversal the void.
    Itself,
    Status,
    Cancel,
}

/// One request to a terminal and all that it takes to have its answer.
#[derive(Debug)]
pub struct Exchange {
    header: Header,
    sent: Sent,
    purpose: Purpose,
    asked: Asked,
    requests: u8,
    /// Something of it was written, or may have been.
    written: bool,
}

impl Exchange {
    /// Begins: the first request.
    pub fn begin(outgoing: &Outgoing<'_>) -> Result<(Exchange, HttpRequest), Unwritable> {
        let header = Header::of(outgoing)?;
        let sent = outgoing.request.sent;
        let (purpose, asked, first) = match (sent.leg, outgoing.request.subject) {
            (_, Subject::Batch(batch)) => (Purpose::Totals, Asked::Itself, header.settle(batch)),
            (Leg::Reversal | Leg::Totals, Subject::Transaction(..)) => (Purpose::Reversal, Asked::Status, header.bare("Status")),
            (Leg::Original, Subject::Transaction(transaction, tail)) => {
                let (minor, pays_out) = (transaction.amount.get(), transaction.verb().pays_out());
                (Purpose::Payment { minor, pays_out }, Asked::Itself, header.payment(transaction, tail, outgoing.cvv)?)
            }
            (Leg::Step, Subject::Transaction(transaction, _)) => match transaction.step.verb() {
                Some(Verb::Capture) => {
                    let (minor, batch) = (transaction.step.amount.get(), transaction.batch_number.get());
                    (Purpose::Capture { minor, batch }, Asked::Itself, header.capture(minor, batch))
                }
                _ => (Purpose::Void, Asked::Itself, header.void(Leg::Step)),
            },
        };
        Ok((Exchange { header, sent, purpose, asked, requests: 1, written: false }, first))
    }

    /// What came of the last request, and so what is next.
    pub fn came(&mut self, came: Came<'_>) -> Next {
        let told = match came {
            Came::NotSent if !self.written => return Next::NotSent,
            Came::NotSent | Came::Lost => None,
            Came::Answer { status: 200, body } => read(body, &self.header.reference),
            Came::Answer { .. } => None,
        };
        self.written = true;
        match (told, self.asked) {
            (None, _) => self.nothing_came(),
            (Some(told), Asked::Itself) => self.answered(&told),
            (Some(told), Asked::Status) => self.status_came(&told),
            (Some(told), Asked::Cancel) => match told.result_code {
                0 => self.decided(&told, Verdict::Receipt),
                _ if told.text.starts_with(ALREADY_APPROVED) => self.ask_itself(),
                _ => self.decided(&told, Verdict::TryLater),
            },
        }
    }

    /// No answer, or bytes that are none.
    fn nothing_came(&mut self) -> Next {
        match self.purpose {
            Purpose::Reversal | Purpose::Totals => Next::Lost,
            Purpose::Payment { .. } | Purpose::Capture { .. } | Purpose::Void => self.ask_status(),
        }
    }

    /// The answer to what the exchange is for.
    fn answered(&mut self, told: &Told) -> Next {
        let declined = Verdict::Declined(response_code(told.result_code, &told.text));
        match (self.purpose, told.result_code) {
            (Purpose::Payment { minor, pays_out }, _) => match told.verdict(minor, pays_out, self.header.currency) {
                Some(verdict) => self.decided(told, verdict),
                None => Next::Lost,
            },
            (Purpose::Reversal, 0) => self.decided(told, Verdict::Receipt),
            (Purpose::Reversal, _) => self.decided(told, Verdict::TryLater),
            (Purpose::Capture { .. } | Purpose::Void | Purpose::Totals, 0) => self.decided(told, Verdict::Approved),
            (Purpose::Totals, 2..) => self.decided(told, Verdict::TryLater),
            (Purpose::Capture { .. } | Purpose::Void | Purpose::Totals, _) => self.decided(told, declined),
        }
    }

    /// The answer to a question of status.
    fn status_came(&mut self, told: &Told) -> Next {
        let tells = told.trans_type != "Status";
        match self.purpose {
            _ if !tells && told.text.starts_with(IN_PROGRESS) && self.purpose != Purpose::Reversal => self.ask_status(),
            Purpose::Payment { .. } if tells => self.answered(told),
            // It may yet arrive: not known is not declined (I6).
            Purpose::Payment { .. } => Next::Lost,
            Purpose::Capture { minor, .. } if tells => {
                let amount = self.header.currency.parse_major(told.ext("Amount"));
                let is_done = told.trans_type == "Capture" && amount == Ok(minor) && !told.voided;
                if is_done { self.decided(told, Verdict::Approved) } else { self.ask_itself() }
            }
            Purpose::Void if tells && told.voided => self.decided(told, Verdict::Approved),
            Purpose::Void if tells => self.ask_itself(),
            Purpose::Capture { .. } | Purpose::Void => self.answered(told),
            Purpose::Reversal if tells && (told.voided || told.result_code != 0) => self.decided(told, Verdict::Receipt),
            Purpose::Reversal if tells => self.ask_itself(),
            Purpose::Reversal if told.text.starts_with(IN_PROGRESS) || told.text.starts_with(NOT_FOUND) => {
                self.asked = Asked::Cancel;
                self.ask(self.header.bare("Cancel"))
            }
            Purpose::Reversal => self.decided(told, Verdict::TryLater),
            // Totals have no status.
            Purpose::Totals => Next::Lost,
        }
    }

    fn ask(&mut self, request: HttpRequest) -> Next {
        self.requests += 1;
        if self.requests > EXCHANGE_REQUESTS_MAX { Next::Lost } else { Next::Ask(request) }
    }

    /// The first question at once, the others with more and more time between them.
    fn ask_status(&mut self) -> Next {
        let is_first = self.asked != Asked::Status;
        self.asked = Asked::Status;
        let doubled = QUESTION_AFTER_MS.saturating_mul(1 << self.requests.min(10));
        match self.ask(self.header.bare("Status")) {
            Next::Ask(request) if !is_first => Next::AskAfter { wait_ms: doubled.min(QUESTION_AFTER_MAX_MS), request },
            next => next,
        }
    }

    /// Asks for what the exchange is for, once more. A payment is never asked for twice.
    fn ask_itself(&mut self) -> Next {
        self.asked = Asked::Itself;
        match self.purpose {
            Purpose::Capture { minor, batch } => self.ask(self.header.capture(minor, batch)),
            Purpose::Void => self.ask(self.header.void(Leg::Step)),
            Purpose::Reversal => self.ask(self.header.void(Leg::Reversal)),
            Purpose::Payment { .. } | Purpose::Totals => Next::Lost,
        }
    }

    fn decided(&self, told: &Told, verdict: Verdict) -> Next {
        let answer = Answer {
            sent: self.sent,
            verdict,
            processor_code: [b'0' + told.result_code % 10, 0],
            auth_code: if told.auth_code.is_empty() { [0; 6] } else { characters(&told.auth_code) },
            text: characters(&told.text),
            avs: b'0',
            cvv: 0,
        };
        let facts = match self.purpose {
            Purpose::Payment { .. } => told.facts(),
            Purpose::Capture { .. } | Purpose::Void | Purpose::Reversal | Purpose::Totals => Vec::new(),
        };
        Next::Answered { answer, facts }
    }
}

/// Text in a fixed width, space-filled; what is too long is cut, what is not ASCII is a question mark.
fn characters<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [b' '; N];
    for (place, character) in bytes.iter_mut().zip(text.chars()) {
        *place = if character.is_ascii_graphic() || character == ' ' { character as u8 } else { b'?' };
    }
    bytes
}
