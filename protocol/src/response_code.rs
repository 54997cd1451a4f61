//! Response codes: what a merchant is told of a payment, one frozen table.
//!
//! The gateway document's, and those that are in use beside it: 99, 205, 301 and 320–323. Below 100 nothing is decided yet; 100–199 approvals, 200–299 declines by the processor, 300–399 declines by the gateway, 400–499 errors of the
//! processor. A processor's own codes are mapped to these in its connector and nowhere else.

use core::fmt;

/// A response code, as layouts and APIs carry it. Open: a number that this version does not know survives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResponseCode(pub u16);

/// The group of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Below 100: no outcome yet.
    Unknown,
    /// 100–199.
    Approval,
    /// 200–299.
    ProcessorDecline,
    /// 300–399.
    GatewayDecline,
    /// 400–499.
    ProcessorError,
}

impl Category {
    /// The word in the APIs.
    pub const fn word(self) -> &'static str {
        match self {
            Category::Unknown => "unknown",
            Category::Approval => "approval",
            Category::ProcessorDecline => "processor_decline",
            Category::GatewayDecline => "gateway_decline",
            Category::ProcessorError => "processor_error",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The code.
    pub code: ResponseCode,
    /// The definition, as the gateway document words it.
    pub text: &'static str,
    /// True when the same request may succeed later without a change.
    pub retryable: bool,
}

macro_rules! response_codes {
    ($($name:ident = $number:literal, $text:literal, $retryable:literal;)+) => {
        impl ResponseCode { $(#[doc = $text] pub const $name: ResponseCode = ResponseCode($number);)+ }
        /// Every code there is, ascending.
        pub const TABLE: &[Row] = &[$(Row { code: ResponseCode($number), text: $text, retryable: $retryable },)+];
    };
}

response_codes! {
    UNKNOWN = 0, "Unknown", false;
    PENDING = 99, "Pending", false;
    APPROVED = 100, "Approved", false;
    APPROVED_PENDING_CUSTOMER = 101, "Approved, pending customer approval", false;
    PARTIAL_APPROVAL = 110, "Partial approval", false;
    DECLINE = 200, "Decline", false;
    DO_NOT_HONOR = 201, "Do not honor", false;
    INSUFFICIENT_FUNDS = 202, "Insufficient funds", true;
    EXCEEDS_WITHDRAWAL_LIMIT = 203, "Exceeds withdrawal limit", true;
    INVALID_TRANSACTION = 204, "Invalid Transaction", false;
    CUSTOMER_AUTHENTICATION_REQUIRED = 205, "Customer authentication required (SCA soft decline)", false;
    INVALID_AMOUNT = 220, "Invalid Amount", false;
    NO_SUCH_ISSUER = 221, "No such Issuer", false;
    NO_CREDIT_ACCOUNT = 222, "No credit Acct", false;
    EXPIRED_CARD = 223, "Expired Card", false;
    INVALID_CVC = 225, "Invalid CVC", false;
    CANNOT_VERIFY_PIN = 226, "Cannot Verify Pin", false;
    REFER_TO_ISSUER = 240, "Refer to issuer", false;
    PICK_UP_CARD = 250, "Pick up card (no fraud)", false;
    LOST_CARD = 251, "Lost card, pick up (fraud account)", false;
    STOLEN_CARD = 252, "Stolen card, pick up (fraud account)", false;
    PICK_UP_CARD_SPECIAL = 253, "Pick up card, special condition", false;
    STOP_RECURRING = 261, "Stop recurring", false;
    STOP_ALL_RECURRING = 262, "Stop recurring", false;
    GATEWAY_DECLINE = 300, "Gateway Decline", false;
    DUPLICATE_TRANSACTION = 301, "Duplicate transaction", false;
    RULE_ENGINE_DECLINE = 310, "Gateway Decline - Rule Engine", false;
    CHARGEBACK_DECLINE = 320, "Gateway Decline - Chargeback", false;
    FRAUD_DECLINE = 321, "Gateway Decline - Fraud", false;
    CLOSED_DECLINE = 322, "Gateway Decline - Closed", false;
    STOP_RECURRING_DECLINE = 323, "Gateway Decline - Stop recurring", false;
    PROCESSOR_ERROR = 400, "Transaction error returned by processor", true;
    INVALID_MERCHANT_CONFIGURATION = 410, "Invalid merchant configuration", false;
    COMMUNICATION_ERROR = 421, "Communication error with processor", true;
    DUPLICATE_AT_PROCESSOR = 430, "Duplicate transaction at processor", false;
    PROCESSOR_FORMAT_ERROR = 440, "Processor Format error", false;
}

/// What a deny rule may decline with; the first unless it says another.
pub const RULE_DECLINES: [ResponseCode; 6] = [
    ResponseCode::RULE_ENGINE_DECLINE,
    ResponseCode::GATEWAY_DECLINE,
    ResponseCode::CHARGEBACK_DECLINE,
    ResponseCode::FRAUD_DECLINE,
    ResponseCode::CLOSED_DECLINE,
    ResponseCode::STOP_RECURRING_DECLINE,
];

impl ResponseCode {
    /// The row of the table, if this version knows the code.
    pub fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.code == self)
    }

    /// The definition; empty for a code that this version does not know.
    pub fn text(self) -> &'static str {
        self.row().map_or("", |row| row.text)
    }

    /// The group, by the hundreds.
    pub fn category(self) -> Category {
        match self.0 {
            100..=199 => Category::Approval,
            200..=299 => Category::ProcessorDecline,
            300..=399 => Category::GatewayDecline,
            400..=499 => Category::ProcessorError,
            _ => Category::Unknown,
        }
    }

    /// The word of the field `response`: `approved`, `declined`, `error` or `unknown`.
    pub fn word(self) -> &'static str {
        match self.category() {
            Category::Approval => "approved",
            Category::ProcessorDecline | Category::GatewayDecline => "declined",
            Category::ProcessorError => "error",
            Category::Unknown => "unknown",
        }
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ascending_and_each_code_has_words() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        for row in TABLE {
            assert!(!row.text.is_empty(), "{:?}", row.code);
            assert_eq!(row.code.row().unwrap().code, row.code);
            assert_eq!(row.code.category() == Category::Unknown, row.code < ResponseCode::APPROVED);
        }
        assert_eq!(TABLE.len(), 36);
    }
}
