//! From a validated request to the command and tail that a shard takes: the one place where a card is sealed.
//!
//! Must not live here: JSON, HTTP, waiting.

use crate::rest::problem::Problem;
use crate::rest::request::{Card, Create, Key, Step};
use crate::switch::directory::Merchant;
use persistence::sealing::{SEALED_CARD_MAX_BYTES, Sealer};
use protocol::calendar::Civil;
use protocol::card::brand;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::secret::SensitiveData;
use protocol::tail::{self, Tail, tag};
use protocol::words::Verb;
use std::net::IpAddr;
use zerocopy::IntoBytes;

/// The one expired card that the sandbox takes, because the gateway document's sample shows it: number and expiry `YYMM`.
const SANDBOX_SAMPLE: (&str, u16) = ("4012000098765439", 2012);

/// Who asks, when, and under which key.
pub struct Asker<'a> {
    /// The account.
    pub merchant: &'a Merchant,
    /// Id of the key or user that asks, as the APIs show it.
    pub user_id: &'a Xid,
    /// Its name.
    pub user_name: &'a str,
    /// The client's address, shown where the request names none.
    pub peer: Option<IpAddr>,
    /// Drawn for this command.
    pub id: Xid,
    /// Today, for expiries.
    pub today: Civil,
    /// The idempotency key that holds.
    pub key: Option<&'a Key>,
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

/// The command of a payment. `processor` is the index of the processor that was asked for, 0 for none.
pub fn of_create(create: Create, processor: u16, asker: &Asker<'_>, sealer: &Sealer) -> Result<Built, Problem> {
    let Create { card, .. } = &create;
    let fingerprint = sealer.fingerprint(&card.pan);
    let mut command = Command::new(create.verb);
    command.amount = create.amount.into();
    command.currency = create.currency.numeric().into();
    command.flags = create.flags.into();
    command.processor = processor.into();
    command.entry_type = card.entry.number();
    command.brand = brand(card.pan.first_six()).number();
    command.pan_digits = card.pan.digit_count();
    command.first_six = card.pan.first_six().into();
    command.last_four = card.pan.last_four().into();
    command.expiry = card.expiry.yymm().into();
    command.fingerprint = fingerprint;
    identify(&mut command, &create.tail, asker, sealer);
    if has_expired(card, asker) {
        command.flags = (command.flags.get() | flag::EXPIRED_CARD).into();
    }
    if card.cvv.is_some() || card.track_2.is_some() {
        command.flags = (command.flags.get() | flag::HAS_SENSITIVE_DATA).into();
    }
    let mut patch = Vec::with_capacity(256);
    push_sealed_card(card, asker.merchant.id, &fingerprint, sealer, &mut patch)?;
    push_peer(&create.tail, asker, &mut patch);
    push_provenance(asker, &mut patch);
    let tail = merged(&create.tail, &patch);
    let sensitive = SensitiveData::of(create.card.cvv, create.card.track_2);
    Ok(Built { command, tail, sensitive })
}

/// The command of a capture, void or refund of `target`.
pub fn of_step(step: Step, target: Xid, asker: &Asker<'_>, sealer: &Sealer) -> Built {
    let mut command = Command::new(step.verb);
    command.target = target;
    if let Some(amount) = step.amount {
        command.amount = amount.into();
        command.flags = flag::AMOUNT_GIVEN.into();
    }
    identify(&mut command, &step.tail, asker, sealer);
    // A refund is a transaction of its own and shows its own key and user; a capture or void leaves the original's.
    let mut patch = Vec::new();
    if step.verb == Verb::Refund {
        push_provenance(asker, &mut patch);
    }
    Built { command, tail: merged(&step.tail, &patch), sensitive: None }
}

/// Sets ids and key. The hash of what was asked is taken before: two requests that differ in nothing but ids, CVV and the
/// day on which they come are the same request.
fn identify(command: &mut Command, travelling: &[u8], asker: &Asker<'_>, sealer: &Sealer) {
    let asked = sealer.request_hash(&[command.as_bytes(), travelling]);
    command.id = asker.id;
    command.merchant = asker.merchant.id;
    if let Some(key) = asker.key {
        command.request_hash = asked;
        command.key_hash = sealer.key_hash(&asker.merchant.id, &key.text);
        command.key_window_s = key.window_s.into();
    }
}

fn has_expired(card: &Card, asker: &Asker<'_>) -> bool {
    let sample = asker.merchant.sandbox && (card.pan.expose(), card.expiry.yymm()) == SANDBOX_SAMPLE;
    card.expiry.is_past(asker.today.year, asker.today.month) && !sample
}

fn push_sealed_card(
    card: &Card,
    merchant: Xid,
    fingerprint: &[u8; 16],
    sealer: &Sealer,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let mut sealed = Vec::with_capacity(SEALED_CARD_MAX_BYTES);
    sealer.seal(&card.pan, &merchant, fingerprint, &mut sealed).map_err(|error| {
        tracing::error!(%error, "a card could not be sealed");
        Problem::Internal
    })?;
    tail::push(out, tag::SEALED_CARD, &sealed);
    Ok(())
}

fn push_peer(travelling: &[u8], asker: &Asker<'_>, out: &mut Vec<u8>) {
    let peer = asker.peer.filter(|_| Tail::trusted(travelling).get(tag::IP_ADDRESS).is_none());
    if let Some(peer) = peer {
        tail::push(out, tag::IP_ADDRESS, peer.to_string().as_bytes());
    }
}

/// Key and user. Written when there is no key too: a refund's tail begins as a copy of its parent's.
fn push_provenance(asker: &Asker<'_>, out: &mut Vec<u8>) {
    let (text, window_s) = asker.key.map_or(("", 0), |key| (key.text.as_str(), key.window_s));
    tail::push(out, tag::IDEMPOTENCY_KEY, text.as_bytes());
    tail::push(out, tag::IDEMPOTENCY_TIME, &u64::from(window_s).to_le_bytes());
    tail::push(out, tag::USER_ID, &asker.user_id.to_text());
    tail::push(out, tag::USER_NAME, asker.user_name.as_bytes());
}

fn merged(travelling: &[u8], patch: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(travelling.len() + patch.len());
    tail::merge(Tail::trusted(travelling), Tail::trusted(patch), &mut out);
    out
}

#[cfg(test)]
mod tests;
