//! Who pays whom, with what: merchants, cards, and the commands that a front would have built.

use anyhow::Context;
use persistence::sealing::Sealer;
use protocol::calendar::Micros;
use protocol::card::{brand, luhn};
use protocol::command::Command;
use protocol::id::{Xid, mix};
use protocol::secret::Pan;
use protocol::tail::{self, tag};
use protocol::words::Verb;

/// Cards in use: few against the payments, as with regular customers.
const CARDS: u64 = 4_096;
/// An idempotency key's window: a day.
const KEY_WINDOW_S: u32 = 86_400;
/// Names these ids' process: no real one draws the same five bytes.
const PROCESS: [u8; 5] = *b"bench";

/// The people of the past.
pub(super) struct Cast {
    pub(super) merchants: Vec<Xid>,
    pub(super) processor: u16,
    sealer: Sealer,
    cards: Vec<Pan>,
    drawn: u32,
}

impl Cast {
    pub(super) fn new(merchants: Vec<Xid>, processor: u16, sealer: Sealer) -> anyhow::Result<Cast> {
        anyhow::ensure!(!merchants.is_empty(), "the switch knows no merchant");
        let cards: Option<Vec<Pan>> = (0..CARDS).map(card).collect();
        Ok(Cast { merchants, processor, sealer, cards: cards.context("card numbers that pass their check digit")?, drawn: 0 })
    }

    /// The next id.
    pub(super) fn draw(&mut self, now: Micros) -> Xid {
        self.drawn += 1;
        Xid::from_parts(now.seconds() as u32, PROCESS, self.drawn * Xid::STRIDE)
    }

    /// A new payment and what travels along.
    pub(super) fn payment(&mut self, verb: Verb, now: Micros) -> anyhow::Result<(Command, Vec<u8>)> {
        let number = u64::from(self.drawn);
        let mut command = self.command(verb, now, self.merchants[(mix(number) % self.merchants.len() as u64) as usize]);
        let card = &self.cards[(mix(!number) % CARDS) as usize];
        command.amount = if verb == Verb::Verification { 0 } else { 100 + mix(number << 1) % 50_000 }.into();
        command.currency = 840.into();
        command.first_six = card.first_six().into();
        command.last_four = card.last_four().into();
        command.pan_digits = card.digit_count();
        command.brand = brand(card.first_six()).number();
        command.expiry = 3012.into();
        command.fingerprint = self.sealer.fingerprint(card);
        let mut sealed = Vec::new();
        self.sealer.seal(card, &command.merchant, &command.fingerprint, &mut sealed)?;
        Ok((command, payment_tail(number, &sealed)))
    }

    /// A step upon a transaction, or its refund.
    pub(super) fn step(&mut self, verb: Verb, now: Micros, merchant: Xid, target: Xid) -> Command {
        Command { target, ..self.command(verb, now, merchant) }
    }

    fn command(&mut self, verb: Verb, now: Micros, merchant: Xid) -> Command {
        let mut command = Command::new(verb);
        command.id = self.draw(now);
        command.merchant = merchant;
        command.key_hash = self.sealer.key_hash(&merchant, &key_text(u64::from(self.drawn)));
        command.request_hash = self.sealer.request_hash(&[&command.id.0]);
        command.key_window_s = KEY_WINDOW_S.into();
        command
    }
}

fn key_text(number: u64) -> String {
    format!("past-{number:012}")
}

fn payment_tail(number: u64, sealed: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    tail::push(&mut out, tag::SEALED_CARD, sealed);
    tail::push(&mut out, tag::ORDER_ID, format!("order-{number}").as_bytes());
    tail::push(&mut out, tag::IDEMPOTENCY_KEY, key_text(number + 1).as_bytes());
    for (offset, text) in [(0, "John"), (1, "Smith"), (3, "123 Some St"), (5, "Wheaton"), (6, "IL"), (7, "60187"), (8, "US")] {
        tail::push(&mut out, tag::BILLING + offset, text.as_bytes());
    }
    out
}

/// Sixteen digits in Visa's range of test numbers, the last one the check digit.
fn card(number: u64) -> Option<Pan> {
    (0..10).map(|check| format!("40120000{number:07}{check}")).find(|digits| luhn(digits)).and_then(|digits| Pan::new(&digits))
}
