//! Texts of a terminal's answers (`RespMSG`) and the gateway's codes: the only place where they meet.

use protocol::response_code::ResponseCode;

/// The text, as it begins, and the gateway's code. What is not here is a plain decline when the issuer spoke (`ResultCode` 1), and a
/// processor's error when the terminal did (2). Of two that begin alike the longer stands first.
pub const TEXTS: &[(&str, ResponseCode)] = &[
    ("CALL ISSUER", ResponseCode::REFER_TO_ISSUER),
    ("INVALID MERCHANT", ResponseCode::INVALID_MERCHANT_CONFIGURATION),
    ("INVALID TERMINAL", ResponseCode::INVALID_MERCHANT_CONFIGURATION),
    ("INVALID AUTH KEY", ResponseCode::INVALID_MERCHANT_CONFIGURATION),
    ("PICK UP CARD SPECIAL", ResponseCode::PICK_UP_CARD_SPECIAL),
    ("PICK UP CARD", ResponseCode::PICK_UP_CARD),
    ("DO NOT HONOR", ResponseCode::DO_NOT_HONOR),
    ("HOST ERROR", ResponseCode::PROCESSOR_ERROR),
    ("INVALID TRANSACTION", ResponseCode::INVALID_TRANSACTION),
    ("INVALID AMOUNT", ResponseCode::INVALID_AMOUNT),
    ("INVALID CARD", ResponseCode::NO_CREDIT_ACCOUNT),
    ("NO SUCH ISSUER", ResponseCode::NO_SUCH_ISSUER),
    ("FORMAT ERROR", ResponseCode::PROCESSOR_FORMAT_ERROR),
    ("LOST CARD", ResponseCode::LOST_CARD),
    ("STOLEN CARD", ResponseCode::STOLEN_CARD),
    ("INSUFFICIENT FUNDS", ResponseCode::INSUFFICIENT_FUNDS),
    ("EXPIRED CARD", ResponseCode::EXPIRED_CARD),
    ("EXCEEDS LIMIT", ResponseCode::EXCEEDS_WITHDRAWAL_LIMIT),
    ("CVV MISMATCH", ResponseCode::INVALID_CVC),
    ("PIN TRIES EXCEEDED", ResponseCode::CANNOT_VERIFY_PIN),
    ("NO REPLY", ResponseCode::COMMUNICATION_ERROR),
    ("TERMINAL TIMEOUT", ResponseCode::COMMUNICATION_ERROR),
    ("DUPLICATE", ResponseCode::DUPLICATE_AT_PROCESSOR),
    ("STOP RECURRING", ResponseCode::STOP_RECURRING),
    ("STOP ALL RECURRING", ResponseCode::STOP_ALL_RECURRING),
    ("TERMINAL ERROR", ResponseCode::PROCESSOR_ERROR),
    ("TERMINAL BUSY", ResponseCode::PROCESSOR_ERROR),
    ("NOT FOUND", ResponseCode::INVALID_TRANSACTION),
    ("ALREADY SETTLED", ResponseCode::INVALID_TRANSACTION),
    // A batch whose number was used: the shard tells a repeat of its own by this code.
    ("QD", ResponseCode::DUPLICATE_AT_PROCESSOR),
];

/// The gateway's code for an answer that is no approval.
pub fn response_code(result_code: u8, text: &str) -> ResponseCode {
    let row = TEXTS.iter().find(|(beginning, _)| text.starts_with(beginning));
    let unlisted = if result_code == 1 { ResponseCode::DECLINE } else { ResponseCode::PROCESSOR_ERROR };
    row.map_or(unlisted, |(_, code)| *code)
}
