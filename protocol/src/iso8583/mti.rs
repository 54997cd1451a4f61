//! The message type indicator: four digits that say version, class, function and origin. Open: a code that this switch
//! does not know survives parsing, answering and printing.

use std::fmt;
use std::str::FromStr;

/// A message type indicator (MTI), any four decimal digits.
///
/// The digits are kept as nibbles, so that `0x0420` reads like the wire's `0420`. Source: ISO 8583:1987, 4.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mti(u16);

/// What a message is about: the second digit of the MTI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageClass {
    /// x1xx: a question whether the card is good for an amount.
    Authorization,
    /// x2xx: a sale, refund or advice that moves money.
    Financial,
    /// x3xx: file update; here also the upload of a batch's detail.
    FileAction,
    /// x4xx: void, reversal, chargeback.
    Reversal,
    /// x5xx: totals of a batch or of a day.
    Reconciliation,
    /// x6xx: administrative text.
    Administrative,
    /// x8xx: sign-on, sign-off, echo, cut-over, keys.
    NetworkManagement,
    /// Any other digit.
    Other(u8),
}

/// What a message does in its exchange: the third digit of the MTI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFunction {
    /// xx0x: asks, and may be refused.
    Request,
    /// xx1x: answers a request.
    RequestResponse,
    /// xx2x: tells what has happened; it can only be taken note of.
    Advice,
    /// xx3x: answers an advice.
    AdviceResponse,
    /// xx4x: tells and wants no answer.
    Notification,
    /// Any other digit.
    Other(u8),
}

impl Mti {
    /// 0100: is this card good for this amount?
    pub const AUTHORIZATION_REQUEST: Mti = Mti(0x0100);
    /// 0110: answer to 0100.
    pub const AUTHORIZATION_RESPONSE: Mti = Mti(0x0110);
    /// 0120: an authorization that was given elsewhere (stand-in, voice).
    pub const AUTHORIZATION_ADVICE: Mti = Mti(0x0120);
    /// 0121: the same advice sent again.
    pub const AUTHORIZATION_ADVICE_REPEAT: Mti = Mti(0x0121);
    /// 0130: answer to 0120.
    pub const AUTHORIZATION_ADVICE_RESPONSE: Mti = Mti(0x0130);
    /// 0200: a sale, refund or credit, told apart by DE3.
    pub const FINANCIAL_REQUEST: Mti = Mti(0x0200);
    /// 0210: answer to 0200.
    pub const FINANCIAL_RESPONSE: Mti = Mti(0x0210);
    /// 0220: a capture of what was authorized before.
    pub const FINANCIAL_ADVICE: Mti = Mti(0x0220);
    /// 0221: a repeated 0220.
    pub const FINANCIAL_ADVICE_REPEAT: Mti = Mti(0x0221);
    /// 0230: answer to 0220 and 0221.
    pub const FINANCIAL_ADVICE_RESPONSE: Mti = Mti(0x0230);
    /// 0320: one transaction of a batch whose totals did not agree.
    pub const BATCH_UPLOAD_ADVICE: Mti = Mti(0x0320);
    /// 0330: answer to 0320.
    pub const BATCH_UPLOAD_ADVICE_RESPONSE: Mti = Mti(0x0330);
    /// 0400: a void, asked for by a person.
    pub const REVERSAL_REQUEST: Mti = Mti(0x0400);
    /// 0410: answer to 0400.
    pub const REVERSAL_RESPONSE: Mti = Mti(0x0410);
    /// 0420: an answer did not come or could not be delivered; what may have been approved is taken back.
    pub const REVERSAL_ADVICE: Mti = Mti(0x0420);
    /// 0421: a repeated 0420, with the same DE7, DE11 and DE37.
    pub const REVERSAL_ADVICE_REPEAT: Mti = Mti(0x0421);
    /// 0430: answer to 0420 and 0421.
    pub const REVERSAL_ADVICE_RESPONSE: Mti = Mti(0x0430);
    /// 0500: totals of a batch.
    pub const RECONCILIATION_REQUEST: Mti = Mti(0x0500);
    /// 0510: answer to 0500.
    pub const RECONCILIATION_RESPONSE: Mti = Mti(0x0510);
    /// 0520: totals, as an advice.
    pub const RECONCILIATION_ADVICE: Mti = Mti(0x0520);
    /// 0530: answer to 0520.
    pub const RECONCILIATION_ADVICE_RESPONSE: Mti = Mti(0x0530);
    /// 0800: sign-on, echo, cut-over or sign-off, told apart by DE70.
    pub const NETWORK_REQUEST: Mti = Mti(0x0800);
    /// 0810: answer to 0800.
    pub const NETWORK_RESPONSE: Mti = Mti(0x0810);

    /// From four ASCII digits; `None` when one of them is no digit.
    pub const fn from_ascii(digits: [u8; 4]) -> Option<Mti> {
        let word = u32::from_be_bytes(digits);
        if !crate::iso8583::content::four_digits(word) {
            return None;
        }
        let nibbles = word & 0x0f0f_0f0f;
        let pairs = (nibbles | nibbles >> 4) & 0x00ff_00ff;
        Some(Mti((pairs >> 8 | pairs & 0xff) as u16))
    }

    /// From two BCD bytes, the form of BCD dialects; `None` when a nibble is above nine.
    pub const fn from_bcd(bytes: [u8; 2]) -> Option<Mti> {
        let nibbles = u16::from_be_bytes(bytes);
        let mut shift = 0;
        while shift < 16 {
            if nibbles >> shift & 0xf > 9 {
                return None;
            }
            shift += 4;
        }
        Some(Mti(nibbles))
    }

    /// As four ASCII digits.
    pub const fn to_ascii(self) -> [u8; 4] {
        let n = self.0 as u32;
        let pairs = (n << 8 | n & 0xff) & 0x00ff_00ff;
        let nibbles = (pairs << 4 | pairs & 0x000f_000f) & 0x0f0f_0f0f;
        (nibbles | 0x3030_3030).to_be_bytes()
    }

    /// As two BCD bytes.
    pub const fn to_bcd(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    const fn digit(self, index: u32) -> u8 {
        (self.0 >> (12 - 4 * index) & 0xf) as u8
    }

    /// The version digit: 0 is ISO 8583:1987, 1 is 1993, 2 is 2003.
    pub const fn version(self) -> u8 {
        self.digit(0)
    }

    /// What the message is about.
    pub const fn class(self) -> MessageClass {
        match self.digit(1) {
            1 => MessageClass::Authorization,
            2 => MessageClass::Financial,
            3 => MessageClass::FileAction,
            4 => MessageClass::Reversal,
            5 => MessageClass::Reconciliation,
            6 => MessageClass::Administrative,
            8 => MessageClass::NetworkManagement,
            other => MessageClass::Other(other),
        }
    }

    /// What the message does in its exchange.
    pub const fn function(self) -> MessageFunction {
        match self.digit(2) {
            0 => MessageFunction::Request,
            1 => MessageFunction::RequestResponse,
            2 => MessageFunction::Advice,
            3 => MessageFunction::AdviceResponse,
            4 => MessageFunction::Notification,
            other => MessageFunction::Other(other),
        }
    }

    /// Whether this answers another message: 0110, 0210, 0230, 0430, 0810 …
    pub const fn is_response(self) -> bool {
        matches!(self.function(), MessageFunction::RequestResponse | MessageFunction::AdviceResponse)
    }

    /// Whether this is an advice: 0120, 0220, 0420, 0421 …
    pub const fn is_advice(self) -> bool {
        matches!(self.function(), MessageFunction::Advice)
    }

    /// Whether the sender has sent this before: the last digit is odd (0221, 0421).
    pub const fn is_repeat(self) -> bool {
        self.0 & 1 == 1
    }

    /// The type that repeats this one: 0420 → 0421. A repeat repeats as itself.
    pub const fn repeat(self) -> Mti {
        Mti(self.0 | 1)
    }

    /// The type that answers this one: 0100 → 0110, 0420 and 0421 → 0430. `None` for a response, a notification and a
    /// function that the standard of 1987 does not have.
    pub const fn response(self) -> Option<Mti> {
        match self.function() {
            MessageFunction::Request | MessageFunction::Advice => Some(Mti((self.0 & !1) + 0x10)),
            MessageFunction::RequestResponse
            | MessageFunction::AdviceResponse
            | MessageFunction::Notification
            | MessageFunction::Other(_) => None,
        }
    }
}

impl FromStr for Mti {
    type Err = NotAnMti;

    fn from_str(text: &str) -> Result<Mti, NotAnMti> {
        let digits = text.as_bytes().try_into().map_err(|_| NotAnMti)?;
        Mti::from_ascii(digits).ok_or(NotAnMti)
    }
}

/// The text is not four decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnMti;

impl fmt::Display for NotAnMti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message type is four decimal digits")
    }
}

impl std::error::Error for NotAnMti {}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mti({self})")
    }
}
