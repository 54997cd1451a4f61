//! The tail: what the core need not read, behind a command or a transaction, as tag, length and value.
//!
//! A field is `tag: u16 LE, length: u16 LE, value`. Tags ascend strictly, so that one content has one form. The whole is
//! bounded by [`crate::limits::TAIL_MAX_BYTES`]. Unknown tags survive: a tail is copied and merged without being understood.

use crate::limits::{TAIL_FIELD_MAX_BYTES, TAIL_MAX_BYTES};
use core::fmt;

/// The tags. Numbers are frozen.
pub mod tag {
    /// The sealed card: key id, nonce, ciphertext and authentication tag. See FORMATS.md "Sealed card".
    pub const SEALED_CARD: u16 = 1;
    /// Free text, 0–255 characters.
    pub const DESCRIPTION: u16 = 2;
    /// The merchant's order number.
    pub const ORDER_ID: u16 = 3;
    /// The merchant's purchase order number.
    pub const PO_NUMBER: u16 = 4;
    /// The shopper's address, IPv4 or IPv6, as text.
    pub const IP_ADDRESS: u16 = 5;
    /// Where a receipt goes.
    pub const EMAIL_ADDRESS: u16 = 6;
    /// The idempotency key as sent in the body.
    pub const IDEMPOTENCY_KEY: u16 = 7;
    /// The idempotency window as sent in the body, u64 seconds.
    pub const IDEMPOTENCY_TIME: u16 = 8;
    /// Id of the user whose key or session sent the request.
    pub const USER_ID: u16 = 9;
    /// Name of that user.
    pub const USER_NAME: u16 = 10;
    /// Vault customer.
    pub const CUSTOMER_ID: u16 = 11;
    /// What the cardholder's statement shows.
    pub const DESCRIPTOR: u16 = 12;
    /// As sent.
    pub const VENDOR_ID: u16 = 13;
    /// As sent.
    pub const GROUP_NAME: u16 = 14;
    /// As sent, JSON.
    pub const CUSTOM_FIELDS: u16 = 15;
    /// As sent, JSON.
    pub const LINE_ITEMS: u16 = 16;
    /// As sent.
    pub const CARD_ON_FILE_INDICATOR: u16 = 17;
    /// As sent.
    pub const INITIATED_BY: u16 = 18;
    /// As sent.
    pub const INITIAL_TRANSACTION_ID: u16 = 19;
    /// `flat` or `percentage`.
    pub const PAYMENT_ADJUSTMENT_TYPE: u16 = 20;
    /// Name of the rule that denied the payment or flagged it.
    pub const RULE_NAME: u16 = 21;
    /// The sealed bank account: routing number and account number. See FORMATS.md "Sealed account".
    pub const SEALED_ACCOUNT: u16 = 22;
    /// How the account holder agreed: `web`, `ccd`, `ppd` or `tel`.
    pub const SEC_CODE: u16 = 23;
    /// `checking` or `savings`.
    pub const ACCOUNT_TYPE: u16 = 24;
    /// Number of the check that a telephone payment stands for.
    pub const CHECK_NUMBER: u16 = 25;
    /// State that issued the driver's licence, two letters.
    pub const DL_STATE: u16 = 26;
    /// The driver's licence number, sealed like an account.
    pub const SEALED_DL_NUMBER: u16 = 27;
    /// Routing number of the account's bank, nine digits.
    pub const ROUTING_NUMBER: u16 = 28;
    /// The account number with its middle in stars, for views.
    pub const MASKED_ACCOUNT: u16 = 29;
    /// u64 minor units.
    pub const TAX_AMOUNT: u16 = 30;
    /// u64 minor units.
    pub const SHIPPING_AMOUNT: u16 = 31;
    /// u64 minor units.
    pub const DISCOUNT_AMOUNT: u16 = 32;
    /// u64 minor units.
    pub const TIP_AMOUNT: u16 = 33;
    /// u64 minor units.
    pub const SURCHARGE: u16 = 34;
    /// u64 minor units.
    pub const BASE_AMOUNT: u16 = 35;
    /// u64: minor units when flat, thousandths of a percent when percentage.
    pub const PAYMENT_ADJUSTMENT_VALUE: u16 = 36;
    /// One byte, 0 or 1.
    pub const TAX_EXEMPT: u16 = 40;
    /// One byte, 0 or 1.
    pub const EMAIL_RECEIPT: u16 = 41;
    /// One byte, 0 or 1.
    pub const CREATE_VAULT_RECORD: u16 = 42;
    /// One byte, 0 or 1: the terminal asks for a signature.
    pub const SIGNATURE_REQUIRED: u16 = 43;
    /// 3-D Secure: electronic commerce indicator.
    pub const ECI: u16 = 50;
    /// 3-D Secure: cardholder authentication verification value.
    pub const CAVV: u16 = 51;
    /// 3-D Secure: transaction identifier.
    pub const XID: u16 = 52;
    /// 3-D Secure: condition.
    pub const CONDITION: u16 = 53;
    /// Id of the terminal that takes the payment, as text.
    pub const TERMINAL_ID: u16 = 54;
    /// Which receipts the terminal prints: `no`, `customer`, `merchant` or `both`.
    pub const PRINT_RECEIPT: u16 = 55;
    /// The payable that it pays, twelve bytes: set by the switch's own pages, never by a request.
    pub const PAYABLE: u16 = 56;
    /// First of the twelve fields of the billing address; the others follow in the order of [`ADDRESS_FIELDS`](super::ADDRESS_FIELDS).
    pub const BILLING: u16 = 64;
    /// First of the twelve fields of the shipping address.
    pub const SHIPPING: u16 = 80;
    /// From here on a tail tells what processors and banks have said, and no request can.
    pub const FACTS: u16 = 96;
    /// Of an answer: the processor's text, where it is longer than its field in the exchange.
    pub const PROCESSOR_TEXT: u16 = 96;
    /// Of an answer: a list of the processor's result codes.
    pub const RESULT_CODES: u16 = 97;
    /// Of an answer: a list of the processor's type codes.
    pub const TYPE_CODES: u16 = 98;
    /// Of an answer: pairs of name and value, as the processor gave them.
    pub const PROCESSOR_FIELDS: u16 = 99;
    /// Of an answer: how the terminal read the card.
    pub const ENTRY_TYPE_TEXT: u16 = 100;
    /// Of an answer: `credit`, `debit` and the like.
    pub const PAYMENT_TYPE: u16 = 101;
    /// Of an answer: the brand of the card that the terminal read.
    pub const CARD_TYPE: u16 = 102;
    /// Of an answer: first four digits of that card.
    pub const FIRST_FOUR: u16 = 103;
    /// Of an answer: last four digits of that card.
    pub const LAST_FOUR: u16 = 104;
    /// Of an answer: name of that card's holder.
    pub const CARDHOLDER_NAME: u16 = 105;
    /// Of an answer: EMV application identifier.
    pub const EMV_AID: u16 = 106;
    /// Of an answer: EMV application name.
    pub const EMV_APP_NAME: u16 = 107;
    /// Of an answer: EMV terminal verification results.
    pub const EMV_TVR: u16 = 108;
    /// Of an answer: EMV transaction status information.
    pub const EMV_TSI: u16 = 109;
    /// Of an answer: the signature as base64, as it came; at most 12 KiB.
    pub const SIGNATURE_DATA: u16 = 110;
    /// Of an answer: the authorization code, where it is longer than its field in the exchange.
    pub const AUTH_CODE_TEXT: u16 = 111;
    /// Of a returned entry: the bank's code, `R01` to `R85`.
    pub const RETURN_CODE: u16 = 112;
    /// Of a returned entry: when the return came, u64 microseconds since 1970.
    pub const RETURNED_AT: u16 = 113;
    /// Of a notification of change: its code, `C01` to `C13`.
    pub const CHANGE_CODE: u16 = 114;
    /// Of a notification of change: the corrected data, sealed like an account.
    pub const SEALED_CHANGE: u16 = 115;
    /// Of a returned entry or a notification of change: the bank's reason in words.
    pub const RETURN_TEXT: u16 = 116;
}

/// Fields of an address in the order of their tags, counted from [`tag::BILLING`] and [`tag::SHIPPING`].
pub const ADDRESS_FIELDS: [&str; 12] = [
    "first_name",
    "last_name",
    "company",
    "address_line_1",
    "address_line_2",
    "city",
    "state",
    "postal_code",
    "country",
    "phone",
    "fax",
    "email",
];

/// Offset of `company` from an address's first tag.
pub const COMPANY: u16 = 2;
/// Offset of `address_line_1` from an address's first tag.
pub const ADDRESS_LINE_1: u16 = 3;
/// Offset of `postal_code` from an address's first tag.
pub const POSTAL_CODE: u16 = 7;
/// Offset, behind the twelve fields, of the id of the customer's stored address that was taken, as text; absent where it came with the
/// request.
pub const ADDRESS_ID: u16 = 12;

/// Bytes of a field before its value: tag and length.
pub(crate) const FIELD_HEADER_BYTES: usize = 4;

/// Why bytes are not a tail, or a field can't be added to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailError {
    /// The bytes end inside a field.
    Truncated {
        /// Byte at which the field begins.
        at: usize,
    },
    /// A tag is not above the one before it.
    NotAscending {
        /// The tag.
        tag: u16,
    },
    /// A value is longer than a field may be.
    FieldTooLong {
        /// The tag.
        tag: u16,
        /// Its length in bytes.
        length: usize,
    },
    /// The whole is longer than a tail may be.
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

impl fmt::Display for TailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TailError::Truncated { at } => write!(f, "tail ends inside the field at byte {at}"),
            TailError::NotAscending { tag } => write!(f, "tail tag {tag} is not above the one before it"),
            TailError::FieldTooLong { tag, length } => {
                write!(f, "tail field {tag} has {length} bytes, at most {TAIL_FIELD_MAX_BYTES} are accepted")
            }
            TailError::TooLong { length } => write!(f, "tail has {length} bytes, at most {TAIL_MAX_BYTES} are accepted"),
        }
    }
}

impl core::error::Error for TailError {}

/// A well-formed tail, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Tail<'a>(&'a [u8]);

impl<'a> Tail<'a> {
    /// Checks bytes from outside.
    pub fn parse(bytes: &'a [u8]) -> Result<Tail<'a>, TailError> {
        if bytes.len() > TAIL_MAX_BYTES {
            return Err(TailError::TooLong { length: bytes.len() });
        }
        let (mut at, mut last) = (0, 0);
        while at < bytes.len() {
            let (tag, length) = header(&bytes[at..]).ok_or(TailError::Truncated { at })?;
            if tag <= last {
                return Err(TailError::NotAscending { tag });
            }
            if length > TAIL_FIELD_MAX_BYTES {
                return Err(TailError::FieldTooLong { tag, length });
            }
            if bytes.len() - at - FIELD_HEADER_BYTES < length {
                return Err(TailError::Truncated { at });
            }
            (at, last) = (at + FIELD_HEADER_BYTES + length, tag);
        }
        Ok(Tail(bytes))
    }

    /// A tail that this process has checked before. Malformed bytes give no panic, only fields that are not found.
    pub fn trusted(bytes: &'a [u8]) -> Tail<'a> {
        Tail(bytes)
    }

    /// The bytes as they stand in a record.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// All fields, tags ascending.
    pub fn fields(self) -> Fields<'a> {
        Fields(self.0)
    }

    /// The value of a tag.
    pub fn get(self, tag: u16) -> Option<&'a [u8]> {
        // Tags ascend: one that is absent is known to be at the first above it.
        self.fields().find(|(found, _)| *found >= tag).filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// The values of several tags as texts, in one walk; empty where a tag is absent or its value not UTF-8. The tags ascend.
    pub fn texts<const N: usize>(self, tags: [u16; N]) -> [&'a str; N] {
        let mut fields = self.fields().peekable();
        tags.map(|tag| {
            while fields.next_if(|(found, _)| *found < tag).is_some() {}
            let value = fields.next_if(|(found, _)| *found == tag).map_or(&[][..], |(_, value)| value);
            core::str::from_utf8(value).unwrap_or("")
        })
    }

    /// The value of a tag as text; empty when it is absent or not UTF-8.
    pub fn text(self, tag: u16) -> &'a str {
        self.get(tag).and_then(|value| core::str::from_utf8(value).ok()).unwrap_or("")
    }

    /// The value of a tag as a u64; `None` when it is absent or not eight bytes.
    pub fn number(self, tag: u16) -> Option<u64> {
        Some(u64::from_le_bytes(self.get(tag)?.try_into().ok()?))
    }

    /// The value of a tag as yes or no; no when it is absent.
    pub fn flag(self, tag: u16) -> bool {
        self.get(tag) == Some(&[1])
    }
}

/// Iterator over the fields of a tail.
#[derive(Debug, Clone)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, length) = header(self.0)?;
        let value = self.0.get(FIELD_HEADER_BYTES..FIELD_HEADER_BYTES + length)?;
        self.0 = &self.0[FIELD_HEADER_BYTES + length..];
        Some((tag, value))
    }
}

impl<'a> Fields<'a> {
    /// The bytes of the next fields, as long as their tags are wanted.
    fn bytes_while(&mut self, is_wanted: impl Fn(u16) -> bool) -> &'a [u8] {
        let all = self.0;
        let mut rest = self.clone();
        while rest.next().is_some_and(|(tag, _)| is_wanted(tag)) {
            self.0 = rest.0;
        }
        &all[..all.len() - self.0.len()]
    }
}

fn header(bytes: &[u8]) -> Option<(u16, usize)> {
    let header = bytes.get(..FIELD_HEADER_BYTES)?;
    Some((u16::from_le_bytes([header[0], header[1]]), u16::from_le_bytes([header[2], header[3]]) as usize))
}

/// Appends one field. The caller keeps tags ascending and lengths within the limits; both are checked by [`Tail::parse`].
///
/// # Panics
/// When the value is longer than a field can be: our own mistake, the edge bounds its fields before.
pub fn push(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    assert!(value.len() <= TAIL_FIELD_MAX_BYTES, "tail field {tag} is bounded at the edge");
    out.extend_from_slice(&tag.to_le_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
}

/// Writes `base` with the fields of `patch` in place of, or in addition to, its own.
pub fn merge(base: Tail<'_>, patch: Tail<'_>, out: &mut Vec<u8>) {
    let mut base = base.fields();
    for (tag, value) in patch.fields() {
        out.extend_from_slice(base.bytes_while(|found| found < tag));
        base.bytes_while(|found| found == tag);
        push(out, tag, value);
    }
    out.extend_from_slice(base.bytes_while(|_| true));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(fields: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (tag, value) in fields {
            push(&mut bytes, *tag, value);
        }
        bytes
    }

    #[test]
    fn a_field_is_tag_length_value_little_endian() {
        assert_eq!(tail(&[(3, b"ab")]), [3, 0, 2, 0, b'a', b'b']);
        let bytes = tail(&[(3, b"ab"), (30, &7u64.to_le_bytes()), (40, &[1])]);
        let read = Tail::parse(&bytes).unwrap();
        assert_eq!((read.text(3), read.number(30), read.flag(40)), ("ab", Some(7), true));
        assert_eq!((read.text(4), read.number(31), read.flag(41)), ("", None, false));
        assert_eq!(read.texts([1, 3, 4, 40, 41]), ["", "ab", "", "\u{1}", ""]);
    }

    #[test]
    fn malformed_tails_are_refused() {
        assert_eq!(Tail::parse(&[1, 0, 5]).unwrap_err(), TailError::Truncated { at: 0 });
        assert_eq!(Tail::parse(&[1, 0, 5, 0, 1]).unwrap_err(), TailError::Truncated { at: 0 });
        assert_eq!(Tail::parse(&tail(&[(2, b""), (2, b"")])).unwrap_err(), TailError::NotAscending { tag: 2 });
        assert_eq!(Tail::parse(&[0, 0, 0, 0]).unwrap_err(), TailError::NotAscending { tag: 0 });
        assert!(matches!(Tail::parse(&vec![0; TAIL_MAX_BYTES + 1]), Err(TailError::TooLong { .. })));
    }

    #[test]
    fn a_patch_replaces_and_adds() {
        let base = tail(&[(2, b"two"), (3, b"three"), (5, b"five")]);
        let patch = tail(&[(1, b"one"), (3, b"THREE"), (9, b"nine")]);
        let mut merged = Vec::new();
        merge(Tail::trusted(&base), Tail::trusted(&patch), &mut merged);
        assert_eq!(merged, tail(&[(1, b"one"), (2, b"two"), (3, b"THREE"), (5, b"five"), (9, b"nine")]));
        assert!(Tail::parse(&merged).is_ok());
        for (base, patch) in [(&base, &vec![]), (&vec![], &base), (&base, &base)] {
            merged.clear();
            merge(Tail::trusted(base), Tail::trusted(patch), &mut merged);
            assert_eq!(&merged, if base.is_empty() { patch } else { base });
        }
    }
}
