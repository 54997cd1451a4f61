//! Intake: from a validated request of whatever front to the command and tail that a shard takes. The one place where a card or
//! an account is sealed.
//!
//! Must not live here: JSON, HTTP, frames, waiting.

mod instrument;

use crate::switch::directory::Merchant;
use persistence::error::PersistenceError;
use persistence::sealing::Sealer;
use protocol::calendar::Civil;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::secret::SensitiveData;
use protocol::tail::{self, Tail, tag};
use protocol::words::{Source, Verb};
use std::net::IpAddr;
use zerocopy::IntoBytes;

pub use instrument::{Account, AtTerminal, Card, Instrument, Stored, StoredKind};

/// An idempotency key that holds, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// 1 to 64 characters of visible ASCII; a UUID is one of them.
    pub text: String,
    /// How long it holds, seconds.
    pub window_s: u32,
}

/// Who asks, when, and under which key.
pub struct Asker<'a> {
    /// The account.
    pub merchant: &'a Merchant,
    /// Id of the key or user that asks, as the APIs show it; the absent id where nobody signed in: a shopper, a schedule.
    pub user_id: &'a Xid,
    /// Its name.
    pub user_name: &'a str,
    /// Through which door.
    pub source: Source,
    /// The client's address, shown where the request names none.
    pub peer: Option<IpAddr>,
    /// Drawn for this command.
    pub id: Xid,
    /// Today, for expiries.
    pub today: Civil,
    /// The idempotency key that holds.
    pub key: Option<&'a Key>,
}

/// A payment that is asked for, but for what it is paid with.
#[derive(Debug, Clone, Copy)]
pub struct Payment<'a> {
    /// Sale, authorize, credit or verification.
    pub verb: Verb,
    /// Minor units.
    pub amount: u64,
    /// Its currency.
    pub currency: Currency,
    /// Bits of [`flag`] that the client chose.
    pub flags: u32,
    /// Index of the processor that was asked for, 0 for none.
    pub processor: u16,
    /// A tail of what travels along.
    pub travelling: &'a [u8],
}

/// A capture, void or refund that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Which of them.
    pub verb: Verb,
    /// The transaction acted upon.
    pub target: Xid,
    /// Minor units; none means all that is possible.
    pub amount: Option<u64>,
    /// A tail of what is sent anew.
    pub travelling: &'a [u8],
}

/// What is handed to the switch.
pub struct Built {
    /// The fixed part.
    pub command: Command,
    /// What travels along.
    pub tail: Vec<u8>,
    /// For the side table only.
    pub sensitive: Option<SensitiveData>,
}

/// The command of a payment.
pub fn of_payment(
    payment: &Payment<'_>,
    instrument: Instrument,
    asker: &Asker<'_>,
    sealer: &Sealer,
) -> Result<Built, PersistenceError> {
    let mut command = Command::new(payment.verb);
    command.amount = payment.amount.into();
    command.currency = payment.currency.numeric().into();
    command.flags = payment.flags.into();
    command.processor = payment.processor.into();
    instrument.describe_sent(&mut command, sealer);
    identify(&mut command, &[payment.travelling, instrument.named()], asker, sealer);
    instrument.describe_stored(&mut command);
    command.flags = (payment.flags | instrument.flags(asker.merchant, asker.today)).into();
    let (merchant, fingerprint) = (asker.merchant.id, command.fingerprint);
    let mut patch = Vec::with_capacity(256);
    instrument.push_card(&merchant, &fingerprint, sealer, &mut patch)?;
    push_peer(payment.travelling, asker, &mut patch);
    push_provenance(asker, &mut patch);
    instrument.push_account(&merchant, &fingerprint, sealer, &mut patch)?;
    let tail = match instrument.fields() {
        [] => merged(payment.travelling, &patch),
        of_vault => merged(&merged(of_vault, payment.travelling), &patch),
    };
    Ok(Built { command, tail, sensitive: instrument.into_sensitive_data() })
}

/// The command of a capture, void or refund.
pub fn of_step(step: &Step<'_>, asker: &Asker<'_>, sealer: &Sealer) -> Built {
    let mut command = Command::new(step.verb);
    command.target = step.target;
    if let Some(amount) = step.amount {
        command.amount = amount.into();
        command.flags = flag::AMOUNT_GIVEN.into();
    }
    identify(&mut command, &[step.travelling], asker, sealer);
    // A refund is a transaction of its own and shows its own key and user; a capture or void leaves the original's.
    let mut patch = Vec::new();
    if step.verb == Verb::Refund {
        push_provenance(asker, &mut patch);
    }
    Built { command, tail: merged(step.travelling, &patch), sensitive: None }
}

/// Sets ids, door and key. The hash of what was asked is taken before: two requests that differ in nothing but ids, door, CVV and
/// the day on which they come are the same request.
fn identify(command: &mut Command, travelling: &[&[u8]], asker: &Asker<'_>, sealer: &Sealer) {
    if let Some(key) = asker.key {
        let mut parts = vec![command.as_bytes()];
        parts.extend_from_slice(travelling);
        command.request_hash = sealer.request_hash(&parts);
        command.key_hash = sealer.key_hash(&asker.merchant.id, &key.text);
        command.key_window_s = key.window_s.into();
    }
    command.id = asker.id;
    command.merchant = asker.merchant.id;
    command.source = asker.source.number();
}

fn push_peer(travelling: &[u8], asker: &Asker<'_>, out: &mut Vec<u8>) {
    let peer = asker.peer.filter(|_| Tail::trusted(travelling).get(tag::IP_ADDRESS).is_none());
    if let Some(peer) = peer {
        push_address(peer, out);
    }
}

/// An address as the standard library writes it. Those of four numbers, nearly all, are written by hand: its way takes as long as sealing
/// half a card.
fn push_address(peer: IpAddr, out: &mut Vec<u8>) {
    let IpAddr::V4(peer) = peer else { return tail::push(out, tag::IP_ADDRESS, peer.to_string().as_bytes()) };
    let mut text = Vec::with_capacity("255.255.255.255".len());
    for (position, number) in peer.octets().into_iter().enumerate() {
        if position > 0 {
            text.push(b'.');
        }
        let digits = [number / 100, number / 10 % 10, number % 10];
        let leading = digits.iter().take(2).take_while(|digit| **digit == 0).count();
        text.extend(digits[leading..].iter().map(|digit| b'0' + digit));
    }
    tail::push(out, tag::IP_ADDRESS, &text);
}

/// Key and user. Written when there is no key too: a refund's tail begins as a copy of its parent's.
fn push_provenance(asker: &Asker<'_>, out: &mut Vec<u8>) {
    let (text, window_s) = asker.key.map_or(("", 0), |key| (key.text.as_str(), key.window_s));
    tail::push(out, tag::IDEMPOTENCY_KEY, text.as_bytes());
    tail::push(out, tag::IDEMPOTENCY_TIME, &u64::from(window_s).to_le_bytes());
    let user_id = (!asker.user_id.is_none()).then(|| asker.user_id.to_text());
    tail::push(out, tag::USER_ID, user_id.as_ref().map_or(&[], |text| &text[..]));
    tail::push(out, tag::USER_NAME, asker.user_name.as_bytes());
}

fn merged(travelling: &[u8], patch: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(travelling.len() + patch.len());
    tail::merge(Tail::trusted(travelling), Tail::trusted(patch), &mut out);
    out
}

#[cfg(test)]
mod tests;
