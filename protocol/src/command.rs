//! The command: what a front hands to a shard, and what the binary protocol carries, in one layout.

use crate::id::Xid;
use crate::words::{EntryType, PaymentMethod, Source, Verb};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Layout number of [`Command`].
pub const COMMAND_LAYOUT: u16 = 1;

/// Bits of [`Command::flags`] and of a transaction's flags. Numbers are frozen.
pub mod flag {
    /// The duplicate window does not hold for this request.
    pub const ALLOW_DUPLICATE: u32 = 1;
    /// A partial approval is welcome.
    pub const ALLOW_PARTIAL: u32 = 1 << 1;
    /// Capture, refund: an amount was given. Without it: all that is possible.
    pub const AMOUNT_GIVEN: u32 = 1 << 2;
    /// The rule engine is passed by.
    pub const BYPASS_RULES: u32 = 1 << 3;
    /// A CVV or track 2 came with the request and waits in the memory-only side table.
    pub const HAS_SENSITIVE_DATA: u32 = 1 << 4;
    /// The card's month is over: the gateway declines it with 223 and nothing is sent.
    pub const EXPIRED_CARD: u32 = 1 << 5;
    /// Of a transaction: a rule has marked it.
    pub const FLAGGED: u32 = 1 << 6;
}

/// The fixed part of a command, 128 bytes, little-endian. A [`crate::tail::Tail`] follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Command {
    /// Bytes of this part and the tail together.
    pub size: U32,
    /// [`COMMAND_LAYOUT`].
    pub layout: U16,
    /// [`Verb`].
    pub verb: u8,
    /// [`Source`].
    pub source: u8,
    /// Drawn by the front: the id of the transaction that this command makes, or of this step.
    pub id: Xid,
    /// The merchant account that asks.
    pub merchant: Xid,
    /// Capture, void, refund: the transaction acted upon. Else none.
    pub target: Xid,
    /// Bits of [`flag`].
    pub flags: U32,
    /// Requested, minor units. Capture and refund: only with [`flag::AMOUNT_GIVEN`].
    pub amount: U64,
    /// ISO 4217 numeric code.
    pub currency: U16,
    /// [`PaymentMethod`].
    pub payment_method: u8,
    /// [`EntryType`].
    pub entry_type: u8,
    /// [`crate::words::Brand`].
    pub brand: u8,
    /// Digits of the card number.
    pub pan_digits: u8,
    /// Index of the processor that was asked for; 0 routes by table.
    pub processor: U16,
    /// First six digits of the card.
    pub first_six: U32,
    /// Last four digits of the card; three of 13, two of 12.
    pub last_four: U16,
    /// Expiry, `YYMM`.
    pub expiry: U16,
    /// Keyed hash of the card number: equal for equal cards, useless without the key.
    pub fingerprint: [u8; 16],
    /// Hash of merchant and idempotency key; zeros when there is none.
    pub key_hash: [u8; 16],
    /// Hash of what was asked, without ids, times and CVV: tells a replay from a key reused.
    pub request_hash: [u8; 16],
    /// How long the idempotency key holds, seconds.
    pub key_window_s: U32,
    /// Zero.
    pub reserved: U32,
}

const _: () = assert!(size_of::<Command>() == 128);
const _: () = assert!(core::mem::offset_of!(Command, amount) == 48 && core::mem::offset_of!(Command, fingerprint) == 72);

/// Why bytes are not a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError {
    /// Shorter than its fixed part, or not as long as it says.
    Size,
    /// A layout that this version does not know.
    Layout(u16),
    /// A verb, method, source or entry type that this version does not know.
    Word(&'static str),
    /// Reserved bytes are not zero.
    Reserved,
    /// The tail is malformed.
    Tail(crate::tail::TailError),
}

impl core::fmt::Display for CommandError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            CommandError::Size => f.write_str("command: size does not match its bytes"),
            CommandError::Layout(layout) => write!(f, "command: layout {layout} is not {COMMAND_LAYOUT}"),
            CommandError::Word(field) => write!(f, "command: {field} has an unknown number"),
            CommandError::Reserved => f.write_str("command: reserved bytes are not zero"),
            CommandError::Tail(error) => write!(f, "command: {error}"),
        }
    }
}

impl core::error::Error for CommandError {}

impl Command {
    /// An empty command of a verb.
    pub fn new(verb: Verb) -> Command {
        Command {
            size: (size_of::<Command>() as u32).into(),
            layout: COMMAND_LAYOUT.into(),
            verb: verb.number(),
            source: Source::Api.number(),
            payment_method: PaymentMethod::Card.number(),
            entry_type: EntryType::Keyed.number(),
            ..Command::new_zeroed()
        }
    }

    /// Reads a command and its tail from bytes of outside, and checks all that a layout can promise.
    pub fn parse(bytes: &[u8]) -> Result<(&Command, crate::tail::Tail<'_>), CommandError> {
        let (command, tail) = Command::ref_from_prefix(bytes).map_err(|_| CommandError::Size)?;
        if command.size.get() as usize != bytes.len() {
            return Err(CommandError::Size);
        }
        if command.layout.get() != COMMAND_LAYOUT {
            return Err(CommandError::Layout(command.layout.get()));
        }
        command.check_words()?;
        if command.reserved.get() != 0 {
            return Err(CommandError::Reserved);
        }
        let tail = crate::tail::Tail::parse(tail).map_err(CommandError::Tail)?;
        Ok((command, tail))
    }

    fn check_words(&self) -> Result<(), CommandError> {
        Verb::from_number(self.verb).ok_or(CommandError::Word("verb"))?;
        Source::from_number(self.source).ok_or(CommandError::Word("source"))?;
        PaymentMethod::from_number(self.payment_method).ok_or(CommandError::Word("payment_method"))?;
        EntryType::from_number(self.entry_type).ok_or(CommandError::Word("entry_type"))?;
        Ok(())
    }

    /// Writes the command with its tail behind it; `size` is set.
    pub fn write(&self, tail: &[u8], out: &mut Vec<u8>) {
        let mut header = *self;
        header.size = ((size_of::<Command>() + tail.len()) as u32).into();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(tail);
    }

    /// What is asked for; [`Command::parse`] has checked it.
    pub fn verb(&self) -> Option<Verb> {
        Verb::from_number(self.verb)
    }

    /// True when a bit of [`flag`] is set.
    pub fn has(&self, flag: u32) -> bool {
        self.flags.get() & flag != 0
    }

    /// True when an idempotency key came with it.
    pub fn has_key(&self) -> bool {
        self.key_hash != [0; 16]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_back_as_written() {
        let mut command = Command::new(Verb::Sale);
        command.amount = 1112.into();
        let mut tail = Vec::new();
        crate::tail::push(&mut tail, crate::tail::tag::ORDER_ID, b"someOrderID");
        let mut bytes = Vec::new();
        command.write(&tail, &mut bytes);
        let (read, read_tail) = Command::parse(&bytes).unwrap();
        assert_eq!(read.amount.get(), 1112);
        assert_eq!(read.size.get(), 128 + 15);
        assert_eq!(read_tail.text(crate::tail::tag::ORDER_ID), "someOrderID");
    }

    #[test]
    fn what_a_layout_cannot_promise_is_refused() {
        let mut bytes = Vec::new();
        Command::new(Verb::Sale).write(&[], &mut bytes);
        assert_eq!(Command::parse(&bytes[..127]).unwrap_err(), CommandError::Size);
        let with = |at: usize, value: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            Command::parse(&bytes).unwrap_err()
        };
        assert_eq!(with(0, 127), CommandError::Size);
        assert_eq!(with(4, 9), CommandError::Layout(9));
        assert_eq!(with(6, 99), CommandError::Word("verb"));
        assert_eq!(with(7, 99), CommandError::Word("source"));
        assert_eq!(with(127, 1), CommandError::Reserved);
    }
}
