//! The gateway's answers and our codes: the only place where they meet.

use protocol::response_code::ResponseCode;

/// `RESPONSE_TYPE`, our code. Any other type is no answer: what it decided is unknown.
pub const RESPONSE_TYPES: &[(&str, ResponseCode)] = &[
    ("A", ResponseCode::APPROVED),
    ("D", ResponseCode::DECLINE),
    // A person at a counter would call the manager.
    ("W", ResponseCode::REFER_TO_ISSUER),
    // The account is good, the payment was not made.
    ("VA", ResponseCode::INVALID_TRANSACTION),
    ("VE", ResponseCode::NO_SUCH_ISSUER),
];

/// Why there is no `AUTHORIZATION_MESSAGE`, our code. The packet was not acted on.
pub const FAILURES: &[(&str, ResponseCode)] = &[
    ("EXCEPTION", ResponseCode::PROCESSOR_ERROR),
    ("EXCEPTION Duplicate transaction", ResponseCode::DUPLICATE_AT_PROCESSOR),
    ("VALIDATION_MESSAGE Failed", ResponseCode::PROCESSOR_FORMAT_ERROR),
    ("soap:Client", ResponseCode::PROCESSOR_FORMAT_ERROR),
    ("soap:Client unknown merchant", ResponseCode::INVALID_MERCHANT_CONFIGURATION),
];

/// Bits of `RESULT_CODE`.
pub const RESULT_BITS: &[(u32, &str)] = &[
    (2, "Verification Error"),
    (4, "Warning"),
    (8, "Decline Message"),
    (128, "Transaction Limit Exceeded"),
    (512, "Unpaid Check Limit Exceeded"),
];

/// Bits of `TYPE_CODE`.
pub const TYPE_BITS: &[(u32, &str)] = &[
    (4, "Business Check"),
    (128, "Represented Check"),
    (256, "Unknown Presentment"),
    (512, "Block for ACH"),
    (1024, "Voided Check"),
    (4096, "Internal Override"),
];

/// Our code for a `RESPONSE_TYPE`.
pub(super) fn of_response_type(response_type: &str) -> Option<ResponseCode> {
    RESPONSE_TYPES.iter().find(|(known, _)| *known == response_type).map(|(_, code)| *code)
}

/// Our code for a failure of this kind and wording.
pub(super) fn of_failure(kind: &str, words: &str) -> ResponseCode {
    let whole = format!("{kind} {words}");
    let row = FAILURES.iter().find(|(known, _)| *known == whole).or_else(|| FAILURES.iter().find(|(known, _)| *known == kind));
    row.map_or(ResponseCode::PROCESSOR_ERROR, |(_, code)| *code)
}

/// The words of a sum of bits, lowest first. A bit without a word keeps its number; no bit at all has the word for none.
pub(super) fn words(sum: u32, bits: &[(u32, &'static str)], none: Option<&'static str>) -> Vec<String> {
    if sum == 0 {
        return none.map(str::to_owned).into_iter().collect();
    }
    let set = (0..32).map(|place| 1u32 << place).filter(|bit| sum & bit != 0);
    set.map(|bit| bits.iter().find(|(known, _)| *known == bit).map_or_else(|| bit.to_string(), |(_, word)| (*word).to_owned()))
        .collect()
}
