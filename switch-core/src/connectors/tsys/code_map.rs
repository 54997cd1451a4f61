//! Action codes (ISO 8583 DE39) and the gateway's codes: the only place where they meet.

use protocol::response_code::ResponseCode;

/// Action code, gateway code. What is not here is a plain decline.
pub const ACTION_CODES: &[(&str, ResponseCode)] = &[
    ("00", ResponseCode::APPROVED),
    ("85", ResponseCode::APPROVED),
    ("08", ResponseCode::APPROVED_PENDING_CUSTOMER),
    ("10", ResponseCode::PARTIAL_APPROVAL),
    ("01", ResponseCode::REFER_TO_ISSUER),
    ("02", ResponseCode::REFER_TO_ISSUER),
    ("03", ResponseCode::INVALID_MERCHANT_CONFIGURATION),
    ("04", ResponseCode::PICK_UP_CARD),
    ("05", ResponseCode::DO_NOT_HONOR),
    ("06", ResponseCode::PROCESSOR_ERROR),
    ("07", ResponseCode::PICK_UP_CARD_SPECIAL),
    ("12", ResponseCode::INVALID_TRANSACTION),
    ("13", ResponseCode::INVALID_AMOUNT),
    ("14", ResponseCode::NO_CREDIT_ACCOUNT),
    ("15", ResponseCode::NO_SUCH_ISSUER),
    ("30", ResponseCode::PROCESSOR_FORMAT_ERROR),
    ("39", ResponseCode::NO_CREDIT_ACCOUNT),
    ("41", ResponseCode::LOST_CARD),
    ("43", ResponseCode::STOLEN_CARD),
    ("51", ResponseCode::INSUFFICIENT_FUNDS),
    ("54", ResponseCode::EXPIRED_CARD),
    ("61", ResponseCode::EXCEEDS_WITHDRAWAL_LIMIT),
    ("65", ResponseCode::EXCEEDS_WITHDRAWAL_LIMIT),
    ("82", ResponseCode::INVALID_CVC),
    ("86", ResponseCode::CANNOT_VERIFY_PIN),
    ("91", ResponseCode::COMMUNICATION_ERROR),
    ("94", ResponseCode::DUPLICATE_AT_PROCESSOR),
    ("96", ResponseCode::PROCESSOR_ERROR),
    ("1A", ResponseCode::CUSTOMER_AUTHENTICATION_REQUIRED),
    ("N7", ResponseCode::INVALID_CVC),
    ("R0", ResponseCode::STOP_RECURRING),
    ("R1", ResponseCode::STOP_RECURRING),
    ("R3", ResponseCode::STOP_ALL_RECURRING),
];

/// The gateway's code for an action code.
pub fn response_code(action_code: &str) -> ResponseCode {
    let row = ACTION_CODES.iter().find(|(code, _)| *code == action_code);
    row.map_or(ResponseCode::DECLINE, |(_, gateway)| *gateway)
}

/// Action codes that say that the host has a reversal advice: reversed, no such original, reversed before. Any other, a format error
/// or a missing sign-on for example, leaves what was approved standing, so the advice is repeated.
pub(super) fn has_reversal(action_code: &str) -> bool {
    matches!(action_code, "00" | "25" | "94")
}

/// Action codes with which totals were not taken: the host is inoperative or malfunctions. They are repeated.
pub(super) fn is_try_later(action_code: &str) -> bool {
    matches!(action_code, "91" | "96")
}
