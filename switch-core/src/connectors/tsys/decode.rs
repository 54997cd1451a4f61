//! From an answer's message to what it says.

use super::code_map::{has_reversal, is_try_later, response_code};
use crate::input::{Answer, Leg, Sent, Verdict};
use protocol::iso8583::Message;
use protocol::response_code::{Category, ResponseCode};

/// Reads the answer to a request. `None` when it has no action code: such a message answers nothing.
pub(super) fn answer(message: &Message<'_>, sent: Sent) -> Option<Answer> {
    let action_code = message.text(39)?;
    let mut letters = message.text(44).unwrap_or("").bytes();
    let avs = letters.next().unwrap_or(b'0');
    let cvv = letters.next().filter(|letter| *letter != b' ').unwrap_or(0);
    Some(Answer {
        sent,
        verdict: verdict(message, sent.leg, action_code),
        processor_code: characters(action_code),
        auth_code: message.text(38).map_or([0; 6], characters),
        text: message.text(63).map_or([0; 16], characters),
        avs,
        cvv,
    })
}

fn verdict(message: &Message<'_>, leg: Leg, action_code: &str) -> Verdict {
    if leg == Leg::Reversal {
        // A reversal's answer is a receipt, not a decision: "original not found" answers it for good.
        return if has_reversal(action_code) { Verdict::Receipt } else { Verdict::TryLater };
    }
    let code = response_code(action_code);
    match code {
        ResponseCode::PARTIAL_APPROVAL => Verdict::Partial { approved: message.number(4).unwrap_or(0) },
        ResponseCode::APPROVED_PENDING_CUSTOMER if leg == Leg::Original => Verdict::AwaitsCustomer,
        _ if code.category() == Category::Approval => Verdict::Approved,
        _ if leg == Leg::Totals && is_try_later(action_code) => Verdict::TryLater,
        _ => Verdict::Declined(code),
    }
}

/// Text in a fixed width, space-filled; what is too long is cut.
fn characters<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [b' '; N];
    for (place, byte) in bytes.iter_mut().zip(text.bytes()) {
        *place = byte;
    }
    bytes
}
