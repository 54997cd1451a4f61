//! What the tests drive a shard with: a journal in memory, a host with a ledger of its own, a clock that is told.
//!
//! Lives here: no expectation of any test. The naive model, which has expectations, is `reference-model`.

// Each test crate uses a part.
#![allow(dead_code)]

pub mod allocations;
pub mod driver;
pub mod host;
pub mod journal;
pub mod tables;

use protocol::calendar::Micros;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::words::{PaymentMethod, Verb};
use switch_core::input::{MerchantTerms, OwnProcessors, ProcessorState, ProcessorTerms};

/// The processor of every test.
pub const PROCESSOR: u16 = 1;
/// Processors of the tests that need more of them.
pub const SECOND: u16 = 2;
/// The last of those.
pub const THIRD: u16 = 3;
/// How long an answer may take, milliseconds.
pub const TIMEOUT_MS: u32 = 2_000;
/// Bound of the wait between repeats of a reversal, milliseconds.
pub const RETRY_MAX_MS: u32 = 8_000;
/// Duplicate window of the second merchant, seconds; the first has none.
pub const DUPLICATE_WINDOW_S: u32 = 60;
/// When the tests' time begins: a whole second of 2026.
pub const BEGIN: Micros = Micros(1_795_000_000_000_000);
/// Idempotency window of the tests' keys, seconds.
pub const KEY_WINDOW_S: u32 = 86_400;

/// A merchant by a small number.
pub fn merchant(number: u8) -> Xid {
    Xid::from_parts(1_700_000_000, [9; 5], u32::from(number) * Xid::STRIDE)
}

/// The terms of the tests' merchants: 0 without a duplicate window, 1 with one.
pub fn merchants() -> Vec<MerchantTerms> {
    let terms = |number: u8, duplicate_window_s| MerchantTerms {
        id: merchant(number),
        active: true,
        duplicate_window_s,
        processors: OwnProcessors::for_cards(PROCESSOR),
    };
    vec![terms(0, 0), terms(1, DUPLICATE_WINDOW_S)]
}

/// The terms of the tests' processor.
pub fn processor() -> ProcessorTerms {
    ProcessorTerms {
        method: PaymentMethod::Card,
        index: PROCESSOR,
        state: ProcessorState::Enabled,
        timeout_ms: TIMEOUT_MS,
        reversal_retry_ms: 1_000,
        reversal_retry_max_ms: RETRY_MAX_MS,
    }
}

/// What a merchant asks for, before it has an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub verb: Verb,
    pub merchant: Xid,
    pub amount: Option<u64>,
    pub target: Xid,
    pub key: Option<u8>,
    pub flags: u32,
    pub card: u8,
    pub currency: u16,
    pub key_window_s: u32,
    /// The processor that it names; 0 none.
    pub processor: u16,
}

impl Ask {
    /// A payment in dollars.
    pub fn pay(verb: Verb, merchant: Xid, amount: u64) -> Ask {
        let (target, key, flags) = (Xid::NONE, None, 0);
        let (card, currency, key_window_s, processor) = (1, 840, KEY_WINDOW_S, 0);
        Ask { verb, merchant, amount: Some(amount), target, key, flags, card, currency, key_window_s, processor }
    }

    /// A capture, void or refund.
    pub fn step(verb: Verb, merchant: Xid, target: Xid, amount: Option<u64>) -> Ask {
        Ask { amount, target, ..Ask::pay(verb, merchant, 0) }
    }

    /// With an idempotency key.
    pub fn keyed(self, key: u8) -> Ask {
        Ask { key: Some(key), ..self }
    }

    /// With bits of [`flag`].
    pub fn with(self, flags: u32) -> Ask {
        Ask { flags: self.flags | flags, ..self }
    }

    /// The command, under an id.
    pub fn command(&self, id: Xid) -> Command {
        let mut command = Command::new(self.verb);
        command.id = id;
        command.merchant = self.merchant;
        command.target = self.target;
        let given = if self.amount.is_some() { flag::AMOUNT_GIVEN } else { 0 };
        command.flags = (self.flags | given).into();
        command.amount = self.amount.unwrap_or(0).into();
        command.currency = self.currency.into();
        command.processor = self.processor.into();
        command.pan_digits = 16;
        command.first_six = 401_200.into();
        command.last_four = 5439.into();
        command.expiry = 2912.into();
        command.fingerprint = [self.card; 16];
        if let Some(key) = self.key {
            command.key_hash = key_hash(self.merchant, key);
            command.request_hash = request_hash(self);
            command.key_window_s = self.key_window_s.into();
        }
        command
    }
}

/// Hash of merchant and key; a naive one.
pub fn key_hash(merchant: Xid, key: u8) -> [u8; 16] {
    let mut hash = [key; 16];
    hash[..12].copy_from_slice(&merchant.0);
    hash[15] = 1;
    hash
}

fn request_hash(ask: &Ask) -> [u8; 16] {
    let mut hash = [0; 16];
    hash[..12].copy_from_slice(&ask.target.0);
    for (place, byte) in hash[1..9].iter_mut().zip(ask.amount.unwrap_or(u64::MAX).to_le_bytes()) {
        *place ^= byte;
    }
    hash[14] = ask.verb.number() ^ (ask.flags as u8) << 3;
    hash[13] = ask.processor as u8;
    hash[15] = ask.card;
    hash
}
