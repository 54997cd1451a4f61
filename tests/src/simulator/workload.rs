//! What clients want. Bursts, steady traffic and long silence; hot merchants, few cards, few amounts, so that things meet: twins
//! under one key, a capture and a void at once, many refunds of one sale at once, keys used for something else, strangers' ids.

mod instruments;

use crate::dice::Dice;
use crate::simulator::accounts::SealedAccount;
use crate::simulator::cards::{self, SealedCard};
use crate::simulator::clients::{Clients, Errand, Known};
use crate::simulator::setup::Setup;
use crate::simulator::stage::Stage;
use crate::simulator::switch::Asked;
use bytes::Bytes;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::tail::{Tail, merge, push, tag};
use protocol::words::{PaymentMethod, Status, Verb};
use std::collections::{BTreeMap, VecDeque};
use zerocopy::IntoBytes;

/// Requests under keys that are remembered to be used again.
const REMEMBERED_MAX: usize = 24;
/// US dollars, by their number.
const USD: u16 = 840;
/// Of the country in an address.
const COUNTRY_PLACE: u16 = 8;

/// How things are going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Steady,
    Burst,
    Silence,
}

/// A request under a key.
#[derive(Debug, Clone)]
struct Keyed {
    command: Command,
    tail: Bytes,
}

/// What is asked, before it is put into a command.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// What for.
    pub verb: Verb,
    /// By whom.
    pub merchant: Xid,
    /// The transaction acted upon, or none.
    pub target: Xid,
    /// Minor units; `None` for all that is possible.
    pub amount: Option<u64>,
    /// Which card.
    pub card: usize,
    /// Bits of [`flag`].
    pub flags: u32,
    /// Number of the idempotency key, and how long it holds, seconds.
    pub key: Option<(u64, u32)>,
    /// Number of who pays; 0 does not say who it is.
    pub payer: u64,
    /// ISO 4217 number.
    pub currency: u16,
    /// By what it is paid. `card` says which card, account, or terminal.
    pub method: PaymentMethod,
}

impl Ask {
    /// A payment of an amount.
    pub fn pay(verb: Verb, merchant: Xid, amount: u64) -> Ask {
        let (target, amount, method) = (Xid::NONE, Some(amount), PaymentMethod::Card);
        Ask { verb, merchant, target, amount, card: 0, flags: 0, key: None, payer: 0, currency: USD, method }
    }

    /// A capture, void or refund.
    pub fn step(verb: Verb, merchant: Xid, target: Xid, amount: Option<u64>) -> Ask {
        Ask { target, amount, ..Ask::pay(verb, merchant, 0) }
    }
}

/// The source of all errands.
pub struct Workload {
    mood: Mood,
    /// Acts until the mood changes.
    acts: u64,
    keys: u64,
    remembered: VecDeque<Keyed>,
    sealed: BTreeMap<(Xid, usize), SealedCard>,
    accounts: BTreeMap<(Xid, usize), SealedAccount>,
}

impl Default for Workload {
    fn default() -> Workload {
        let (remembered, sealed, accounts) = (VecDeque::new(), BTreeMap::new(), BTreeMap::new());
        Workload { mood: Mood::Steady, acts: 20, keys: 0, remembered, sealed, accounts }
    }
}

impl Workload {
    /// Lets clients begin something. Returns how long it is until the next act, microseconds.
    pub fn act(&mut self, stage: &mut Stage, setup: &Setup, clients: &mut Clients) -> u64 {
        let merchant = hot_merchant(&mut stage.dice, setup);
        match stage.dice.between(0, 99) {
            0..=39 => self.pay(stage, setup, clients, merchant),
            40..=64 => self.step(stage, clients, merchant),
            65..=70 => self.change_mind(stage, clients, merchant),
            71..=77 => self.refund_many(stage, clients, merchant),
            78..=83 => self.twins(stage, setup, clients, merchant),
            84..=90 => self.repeat(stage, clients),
            91..=93 => self.misuse_key(stage, clients),
            94..=95 => self.meddle(stage, setup, clients, merchant),
            _ => show(stage, clients, merchant),
        }
        self.pause(&mut stage.dice)
    }

    fn pause(&mut self, dice: &mut Dice) -> u64 {
        self.acts = self.acts.saturating_sub(1);
        if self.acts == 0 {
            self.mood = *dice.one_of(&[Mood::Steady, Mood::Burst, Mood::Burst, Mood::Silence]);
            self.acts = match self.mood {
                Mood::Steady => dice.between(10, 60),
                Mood::Burst => dice.between(10, 120),
                Mood::Silence => 1,
            };
        }
        match self.mood {
            Mood::Steady => dice.between(10_000, 2_000_000),
            Mood::Burst => dice.between(0, 8_000),
            Mood::Silence => dice.between(10_000_000, 900_000_000),
        }
    }

    fn pay(&mut self, stage: &mut Stage, setup: &Setup, clients: &mut Clients, merchant: Xid) {
        let ask = self.draw_payment(&mut stage.dice, setup, merchant);
        let command = self.routed(&mut stage.dice, setup, &ask);
        self.begin(stage, clients, command, 0);
    }

    fn draw_key(&mut self, dice: &mut Dice) -> Option<(u64, u32)> {
        self.keys += 1;
        let window_s = *dice.one_of(&[2, 10, 300, 300, 3_600, 86_400]);
        (!dice.hits(250_000)).then_some((self.keys, window_s))
    }

    /// Mostly to the merchant's own processor, at times to one that it names, at times to one that is not there.
    fn routed(&mut self, dice: &mut Dice, setup: &Setup, ask: &Ask) -> Keyed {
        let mut keyed = self.command(ask);
        if dice.hits(150_000) {
            keyed.command.processor = (dice.between(1, setup.processors.len() as u64 + 1) as u16).into();
            hash_request(&mut keyed.command);
        }
        keyed
    }

    fn step(&mut self, stage: &mut Stage, clients: &mut Clients, merchant: Xid) {
        let Some(known) = pick(&mut stage.dice, clients, merchant) else { return };
        let verb = match known.status {
            Status::Authorized => *stage.dice.one_of(&[Verb::Capture, Verb::Capture, Verb::Void]),
            Status::PendingSettlement => *stage.dice.one_of(&[Verb::Void, Verb::Refund]),
            Status::Settled | Status::PartiallyRefunded => Verb::Refund,
            _ => *stage.dice.one_of(&[Verb::Capture, Verb::Void, Verb::Refund]),
        };
        let amount = draw_part(&mut stage.dice, known.amount);
        let key = self.draw_key(&mut stage.dice);
        let keyed = self.command(&Ask { key, ..Ask::step(verb, merchant, known.id, amount) });
        self.begin(stage, clients, keyed, 0);
    }

    /// Capture and void at once.
    fn change_mind(&mut self, stage: &mut Stage, clients: &mut Clients, merchant: Xid) {
        let Some(known) = newest_in(clients, merchant, &[Status::Authorized, Status::PendingSettlement]) else { return };
        for verb in [Verb::Capture, Verb::Void] {
            let amount = draw_part(&mut stage.dice, known.amount).filter(|_| verb == Verb::Capture);
            let key = self.draw_key(&mut stage.dice);
            let keyed = self.command(&Ask { key, ..Ask::step(verb, merchant, known.id, amount) });
            let after_us = stage.dice.between(0, 4_000);
            self.begin(stage, clients, keyed, after_us);
        }
    }

    /// Many refunds of one sale at once: together they may ask for more than there is.
    fn refund_many(&mut self, stage: &mut Stage, clients: &mut Clients, merchant: Xid) {
        let Some(known) = newest_in(clients, merchant, &[Status::Settled, Status::PartiallyRefunded]) else { return };
        for _ in 0..stage.dice.between(2, 6) {
            let amount = draw_part(&mut stage.dice, known.amount);
            let key = self.draw_key(&mut stage.dice);
            let keyed = self.command(&Ask { key, ..Ask::step(Verb::Refund, merchant, known.id, amount) });
            let after_us = stage.dice.between(0, 10_000);
            self.begin(stage, clients, keyed, after_us);
        }
    }

    /// The same request under the same key, several times at once.
    fn twins(&mut self, stage: &mut Stage, setup: &Setup, clients: &mut Clients, merchant: Xid) {
        let ask = self.draw_payment(&mut stage.dice, setup, merchant);
        let key = Some((self.keys, *stage.dice.one_of(&[10, 300])));
        let keyed = self.routed(&mut stage.dice, setup, &Ask { key, ..ask });
        for _ in 0..stage.dice.between(2, 5) {
            let after_us = stage.dice.between(0, 3_000_000).min(stage.dice.between(0, 3_000_000));
            self.begin(stage, clients, keyed.clone(), after_us);
        }
    }

    /// A request that was made before, under its key, once more: a replay, or after the window a new one.
    fn repeat(&mut self, stage: &mut Stage, clients: &mut Clients) {
        let Some(keyed) = pick_remembered(&mut stage.dice, &self.remembered) else { return };
        begin(stage, clients, keyed, 0);
    }

    /// A key that was used before, for something else.
    fn misuse_key(&mut self, stage: &mut Stage, clients: &mut Clients) {
        let Some(mut keyed) = pick_remembered(&mut stage.dice, &self.remembered) else { return };
        keyed.command.amount = (keyed.command.amount.get() + 1).into();
        keyed.command.flags = (keyed.command.flags.get() | flag::AMOUNT_GIVEN).into();
        hash_request(&mut keyed.command);
        begin(stage, clients, keyed, 0);
    }

    /// Somebody else's transaction, or none.
    fn meddle(&mut self, stage: &mut Stage, setup: &Setup, clients: &mut Clients, merchant: Xid) {
        let other = hot_merchant(&mut stage.dice, setup);
        let target = pick(&mut stage.dice, clients, other).filter(|_| other != merchant);
        let target = target.map_or(Xid::from_parts(1, [7; 5], 4), |known| known.id);
        let key = self.draw_key(&mut stage.dice);
        let keyed = self.command(&Ask { key, ..Ask::step(Verb::Void, merchant, target, None) });
        self.begin(stage, clients, keyed, 0);
    }

    fn begin(&mut self, stage: &mut Stage, clients: &mut Clients, keyed: Keyed, after_us: u64) {
        if keyed.command.has_key() {
            self.remembered.push_back(keyed.clone());
            if self.remembered.len() > REMEMBERED_MAX {
                self.remembered.pop_front();
            }
        }
        begin(stage, clients, keyed, after_us);
    }

    /// Lets a client set out with a request of this kind. Returns the errand's number.
    pub fn ask(&mut self, stage: &mut Stage, clients: &mut Clients, ask: &Ask, calls_max: u32, patience_us: u64) -> u64 {
        let Keyed { command, tail } = self.command(ask);
        clients.begin(stage, Errand { asked: Asked::Command { command: Box::new(command), tail }, calls_max, patience_us }, 0)
    }

    /// The command, without an id: that is the front's to draw.
    fn command(&mut self, ask: &Ask) -> Keyed {
        let mut command = Command::new(ask.verb);
        let given = if ask.amount.is_some() && !makes_payment(ask.verb) { flag::AMOUNT_GIVEN } else { 0 };
        (command.merchant, command.target) = (ask.merchant, ask.target);
        command.flags = (ask.flags | given).into();
        command.amount = ask.amount.unwrap_or(0).into();
        let mut tail = Vec::new();
        if makes_payment(ask.verb) {
            command.currency = ask.currency.into();
            let (mut instrument, mut payer) = (Vec::new(), Vec::new());
            self.pay_by(ask, &mut command, &mut instrument);
            push(&mut payer, tag::ORDER_ID, b"simulated");
            push_payer(&mut payer, ask.payer);
            merge(Tail::trusted(&payer), Tail::trusted(&instrument), &mut tail);
        }
        if let Some((number, window_s)) = ask.key {
            command.key_hash = cards::sealer().key_hash(&ask.merchant, &number.to_string());
            command.key_window_s = window_s.into();
            hash_request(&mut command);
        }
        Keyed { command, tail: tail.into() }
    }
}

/// Who pays, as far as tables may ask.
fn push_payer(tail: &mut Vec<u8>, payer: u64) {
    if payer == 0 {
        return;
    }
    let country = if payer == 1 { "US" } else { "CA" };
    push(tail, tag::IP_ADDRESS, format!("192.0.2.{payer}").as_bytes());
    push(tail, tag::EMAIL_ADDRESS, format!("payer{payer}@example.com").as_bytes());
    push(tail, tag::BILLING + COUNTRY_PLACE, country.as_bytes());
}

/// True for what makes a transaction of its own from a card; a refund takes its sale's.
fn makes_payment(verb: Verb) -> bool {
    matches!(verb, Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification)
}

/// As the front does: over all that was asked, without ids and key.
fn hash_request(command: &mut Command) {
    if command.has_key() {
        let mut asked = *command;
        (asked.key_hash, asked.request_hash, asked.key_window_s) = ([0; 16], [0; 16], 0.into());
        command.request_hash = cards::sealer().request_hash(&[asked.as_bytes()]);
    }
}

/// Lets a client set out with a request, with as much patience as it happens to have.
fn begin(stage: &mut Stage, clients: &mut Clients, keyed: Keyed, after_us: u64) {
    let Keyed { command, tail } = keyed;
    let calls_max = *stage.dice.one_of(&[1, 1, 2, 5, 12]);
    let patience_us = stage.dice.between(200_000, 12_000_000);
    let asked = Asked::Command { command: Box::new(command), tail };
    clients.begin(stage, Errand { asked, calls_max, patience_us }, after_us);
}

fn show(stage: &mut Stage, clients: &mut Clients, merchant: Xid) {
    let Some(known) = pick(&mut stage.dice, clients, merchant) else { return };
    let asked = Asked::Show { merchant, id: known.id };
    clients.begin(stage, Errand { asked, calls_max: 2, patience_us: 8_000_000 }, 0);
}

/// The first merchant is asked for by half of all clients.
fn hot_merchant(dice: &mut Dice, setup: &Setup) -> Xid {
    let which = if dice.hits(500_000) { 0 } else { dice.between(0, setup.merchants.len() as u64 - 1) as usize };
    setup.merchants[which].id
}

/// Mostly one of the newest.
fn pick(dice: &mut Dice, clients: &Clients, merchant: Xid) -> Option<Known> {
    let known = clients.known(merchant);
    let oldest = known.len().checked_sub(1)? as u64;
    let back = dice.between(0, oldest).min(dice.between(0, oldest));
    known.iter().rev().nth(back as usize).copied()
}

fn newest_in(clients: &Clients, merchant: Xid, statuses: &[Status]) -> Option<Known> {
    clients.known(merchant).iter().rev().find(|known| statuses.contains(&known.status)).copied()
}

fn pick_remembered(dice: &mut Dice, remembered: &VecDeque<Keyed>) -> Option<Keyed> {
    let newest = remembered.len().checked_sub(1)? as u64;
    remembered.get(dice.between(0, newest) as usize).cloned()
}

/// All, a part, one too many, nothing, or whatever is possible.
fn draw_part(dice: &mut Dice, whole: u64) -> Option<u64> {
    match dice.between(0, 9) {
        0..=2 => None,
        3..=5 => Some(whole),
        6..=7 => Some(dice.between(1, whole.max(1))),
        8 => Some(whole / 3 + 1),
        _ => Some(*dice.one_of(&[0, whole + 1])),
    }
}
