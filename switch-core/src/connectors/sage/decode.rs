//! From an answer's body to what it says.

use super::code_map::{RESULT_BITS, TYPE_BITS, of_failure, of_response_type, words};
use crate::input::{Answer, Leg, Sent, Verdict};
use protocol::facts::Facts;
use protocol::response_code::ResponseCode;
use protocol::tail::tag;
use protocol::xml::{Document, Node};

/// Characters of an exchange's text.
const TEXT_CHARACTERS: usize = 16;
/// What begins the `CODE` of an approval; the authorization number follows.
const AUTHORIZATION: &str = "AUTH NUM ";

/// What an answer must name to be the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub sent: Sent,
    /// `REQUEST_ID`.
    pub request_id: String,
    /// `TRANSACTION_ID`; of totals empty.
    pub transaction_id: String,
}

/// Reads the answer to a request. `None` when it answers nothing, or something else: what became of the request is then unknown.
pub(super) fn answer(status: u16, body: &[u8], expected: &Expected) -> Option<(Answer, Vec<u8>)> {
    let envelope = Document::parse(body).ok()?;
    let inner = envelope.root().child("Body")?.children().next()?;
    match status {
        200 => {
            let result = inner.children().next().filter(|result| result.name().ends_with("Result"))?;
            let packet = Document::parse(result.text().as_bytes()).ok()?;
            let response = packet.root();
            let is_ours = response.name() == "RESPONSE" && response.attribute("REQUEST_ID") == Some(&expected.request_id);
            if is_ours { response_of(response, expected) } else { None }
        }
        500 if inner.name() == "Fault" && inner.child_text("faultcode").ends_with("Client") => {
            Some(refused(expected.sent, "soap:Client", inner.child_text("faultstring")))
        }
        _ => None,
    }
}

fn response_of(response: Node<'_>, expected: &Expected) -> Option<(Answer, Vec<u8>)> {
    if let Some(exception) = response.child("EXCEPTION") {
        return Some(refused(expected.sent, "EXCEPTION", exception.child_text("MESSAGE")));
    }
    if let Some(validation) = response.child("VALIDATION_MESSAGE").filter(|message| message.child_text("RESULT") == "Failed") {
        let element = validation.child_text("ELEMENT");
        return Some(refused(expected.sent, "VALIDATION_MESSAGE Failed", element));
    }
    if expected.sent.leg == Leg::Totals {
        return totals(response.child("SETTLEMENT_MESSAGE")?, expected.sent);
    }
    let message = response.child("AUTHORIZATION_MESSAGE")?;
    let is_ours = message.child_text("TRANSACTION_ID") == expected.transaction_id;
    if is_ours { authorization(message, expected.sent) } else { None }
}

/// The packet was not acted on. A reversal or totals are then sent again.
fn refused(sent: Sent, kind: &str, words: &str) -> (Answer, Vec<u8>) {
    let code = of_failure(kind, words);
    let verdict = match (sent.leg, code) {
        (Leg::Reversal, _) | (Leg::Totals, ResponseCode::PROCESSOR_ERROR) => Verdict::TryLater,
        (Leg::Original | Leg::Step | Leg::Totals, code) => Verdict::Declined(code),
    };
    let mut facts = Facts::new();
    let text = facts_of_text(&mut facts, words);
    (Answer { text, ..bare(sent, verdict, "X") }, facts.finish())
}

fn authorization(message: Node<'_>, sent: Sent) -> Option<(Answer, Vec<u8>)> {
    let response_type = message.child_text("RESPONSE_TYPE");
    let code = of_response_type(response_type)?;
    let verdict = match (sent.leg, code) {
        // A reversal's answer is a receipt, not a decision: "no such original" answers it for good.
        (Leg::Reversal, _) => Verdict::Receipt,
        (Leg::Original | Leg::Step | Leg::Totals, ResponseCode::APPROVED) => Verdict::Approved,
        (Leg::Original | Leg::Step | Leg::Totals, code) => Verdict::Declined(code),
    };
    let mut facts = Facts::new();
    let line = message.child_text("CODE");
    let number = line.strip_prefix(AUTHORIZATION);
    let text = facts_of_text(&mut facts, if number.is_some() { message.child_text("MESSAGE") } else { line });
    let result = words(message.child_text("RESULT_CODE").parse().ok()?, RESULT_BITS, Some("Approved"));
    let kind = words(message.child_text("TYPE_CODE").parse().ok()?, TYPE_BITS, None);
    facts.list(tag::RESULT_CODES, result.iter().map(String::as_str)).list(tag::TYPE_CODES, kind.iter().map(String::as_str));
    let mut answer = Answer { text, ..bare(sent, verdict, response_type) };
    if let Some(number) = number {
        answer.auth_code = characters(number);
        facts.text(tag::AUTH_CODE_TEXT, number);
    }
    Some((answer, facts.finish()))
}

/// `GB` accepted, `QD` the number was used before, `RB` rejected whole.
fn totals(message: Node<'_>, sent: Sent) -> Option<(Answer, Vec<u8>)> {
    let line = message.child_text("CODE");
    let verdict = match (message.child_text("RESPONSE_TYPE"), line.get(..2)) {
        ("A", Some("GB")) => Verdict::Approved,
        ("D", Some("QD")) => Verdict::Declined(ResponseCode::DUPLICATE_AT_PROCESSOR),
        ("D", Some("RB")) => Verdict::Declined(ResponseCode::DECLINE),
        _ => return None,
    };
    let response_type = message.child_text("RESPONSE_TYPE");
    Some((Answer { text: characters(line), ..bare(sent, verdict, response_type) }, Vec::new()))
}

fn bare(sent: Sent, verdict: Verdict, response_type: &str) -> Answer {
    let mut processor_code = [0; 2];
    processor_code.iter_mut().zip(response_type.bytes()).for_each(|(place, byte)| *place = byte);
    Answer { sent, verdict, processor_code, auth_code: [0; 6], text: [0; TEXT_CHARACTERS], avs: b'0', cvv: 0 }
}

/// The text's first sixteen characters; what is longer is a fact of its own.
fn facts_of_text(facts: &mut Facts, text: &str) -> [u8; TEXT_CHARACTERS] {
    if text.chars().count() > TEXT_CHARACTERS {
        facts.text(tag::PROCESSOR_TEXT, text);
    }
    characters(text)
}

/// Text in a fixed width, zeros behind it; what is too long is cut, what is no visible ASCII is a question mark.
fn characters<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (place, letter) in bytes.iter_mut().zip(text.chars()) {
        *place = if letter.is_ascii_graphic() || letter == ' ' { letter as u8 } else { b'?' };
    }
    bytes
}
