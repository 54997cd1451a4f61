//! By what is paid: cards, bank accounts and terminals, each with the amounts at which the sandbox makes trouble.

use super::{Ask, USD, Workload};
use crate::dice::Dice;
use crate::simulator::accounts;
use crate::simulator::cards::{self, CARDS};
use crate::simulator::setup::Setup;
use crate::simulator::terminals::{self, TERMINALS};
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::tail::{push, tag};
use protocol::words::{PaymentMethod, Verb};
use switch_core::input::OwnProcessors;

/// Amounts that make the sandbox do something else than approve: decline, approve a part, lose, answer late, garble, cut.
const TRIGGERS: [u64; 9] = [900_005, 900_051, 900_091, 900_010, 900_201, 900_202, 900_203, 900_204, 900_205];
/// The same of bank accounts: answers lost, late, garbled and cut, returns soon and late, a correction.
const ACCOUNT_TRIGGERS: [u64; 10] = [900_201, 900_202, 900_203, 900_204, 900_205, 910_101, 910_102, 910_210, 910_229, 910_301];
/// Payments in a million whose amount is one of these.
const TRIGGERED: u32 = 120_000;
/// The same of bank accounts: what comes back is what they are looked at for.
const ACCOUNTS_TRIGGERED: u32 = 400_000;
/// The same of terminals: declines, a part, lost, late, garbled, cut, a person who takes long, and nobody.
const TERMINAL_TRIGGERS: [u64; 10] = [900_005, 900_010, 900_201, 900_202, 900_203, 900_204, 900_205, 900_402, 900_402, 900_403];
/// Payments in a million that go by a bank account, where a merchant has a processor for them; and as many at a terminal.
const BY_OTHER_METHOD: u32 = 350_000;
/// Amounts of all others: few, so that duplicates are found.
const AMOUNTS: [u64; 6] = [1, 500, 1_112, 2_500, 9_999, 120_000];
/// Currencies, by their numbers: mostly one, at times another.
const CURRENCIES: [u16; 5] = [USD, USD, USD, USD, 978];
/// Who pays, and nobody.
const PAYERS: u64 = 4;
/// What a card expires by, `YYMM`.
const EXPIRY: u16 = 3112;

impl Workload {
    /// A payment of a merchant, by one of the means that it takes.
    pub(super) fn draw_payment(&mut self, dice: &mut Dice, setup: &Setup, merchant: Xid) -> Ask {
        match draw_method(dice, setup, merchant) {
            PaymentMethod::Card => self.draw_card_payment(dice, merchant),
            PaymentMethod::Ach => self.draw_account_payment(dice, merchant),
            PaymentMethod::Terminal => self.draw_terminal_payment(dice, merchant),
        }
    }

    fn draw_card_payment(&mut self, dice: &mut Dice, merchant: Xid) -> Ask {
        let verbs = [Verb::Sale, Verb::Sale, Verb::Sale, Verb::Authorize, Verb::Authorize, Verb::Credit, Verb::Verification];
        let verb = *dice.one_of(&verbs);
        let amount = draw_amount(dice, TRIGGERED, &TRIGGERS);
        let amount = if verb == Verb::Verification { 0 } else { amount };
        let seldom = [flag::EXPIRED_CARD, flag::BYPASS_RULES];
        let drawn = seldom.into_iter().filter(|_| dice.hits(15_000)).fold(0, |all, flag| all | flag);
        let card = dice.between(0, CARDS as u64 - 1).min(dice.between(0, CARDS as u64 - 1)) as usize;
        let (currency, ask) = (*dice.one_of(&CURRENCIES), self.draw_terms(dice, Ask::pay(verb, merchant, amount)));
        let flags = ask.flags | drawn;
        Ask { card, flags, currency, ..ask }
    }

    /// At times something that banks do not do.
    fn draw_account_payment(&mut self, dice: &mut Dice, merchant: Xid) -> Ask {
        let verbs = [Verb::Sale, Verb::Sale, Verb::Sale, Verb::Credit, Verb::Credit];
        let verb = if dice.hits(20_000) { Verb::Authorize } else { *dice.one_of(&verbs) };
        let amount = draw_amount(dice, ACCOUNTS_TRIGGERED, &ACCOUNT_TRIGGERS);
        let ask = self.draw_terms(dice, Ask::pay(verb, merchant, amount));
        let (card, flags) = (dice.between(0, accounts::COUNT as u64 - 1) as usize, ask.flags & !flag::HAS_SENSITIVE_DATA);
        Ask { card, flags, method: PaymentMethod::Ach, ..ask }
    }

    fn draw_terminal_payment(&mut self, dice: &mut Dice, merchant: Xid) -> Ask {
        let verb = *dice.one_of(&[Verb::Sale, Verb::Sale, Verb::Authorize, Verb::Credit]);
        let amount = draw_amount(dice, TRIGGERED, &TERMINAL_TRIGGERS);
        let ask = self.draw_terms(dice, Ask::pay(verb, merchant, amount));
        let (card, flags) = (dice.between(0, TERMINALS as u64 - 1) as usize, ask.flags & !flag::HAS_SENSITIVE_DATA);
        Ask { card, flags, method: PaymentMethod::Terminal, ..ask }
    }

    /// Who pays, what is allowed, and under which key.
    fn draw_terms(&mut self, dice: &mut Dice, ask: Ask) -> Ask {
        let flags = [flag::ALLOW_DUPLICATE, flag::ALLOW_PARTIAL, flag::HAS_SENSITIVE_DATA];
        let flags = flags.into_iter().filter(|_| dice.hits(350_000)).fold(0, |all, flag| all | flag);
        let (key, payer) = (self.draw_key(dice), dice.between(0, PAYERS - 1));
        Ask { flags, key, payer, ..ask }
    }

    /// What a command and its tail have of the card, the account or the terminal.
    pub(super) fn pay_by(&mut self, ask: &Ask, command: &mut Command, tail: &mut Vec<u8>) {
        command.payment_method = ask.method.number();
        match ask.method {
            PaymentMethod::Card => {
                let card = self.sealed.entry((ask.merchant, ask.card)).or_insert_with(|| cards::seal(ask.card, ask.merchant));
                command.expiry = EXPIRY.into();
                (command.first_six, command.last_four) = (card.first_six.into(), card.last_four.into());
                (command.pan_digits, command.fingerprint) = (card.digits, card.fingerprint);
                push(tail, tag::SEALED_CARD, &card.sealed);
            }
            PaymentMethod::Ach => {
                let sealed = || accounts::seal(ask.card, ask.merchant);
                let account = self.accounts.entry((ask.merchant, ask.card)).or_insert_with(sealed);
                command.fingerprint = account.fingerprint;
                push(tail, tag::SEALED_ACCOUNT, &account.sealed);
                push(tail, tag::SEC_CODE, b"web");
            }
            PaymentMethod::Terminal => {
                push(tail, tag::TERMINAL_ID, &terminals::id(ask.merchant, ask.card).to_text());
            }
        }
    }
}

/// A few amounts for all, and at times one that the sandbox makes trouble at.
fn draw_amount(dice: &mut Dice, triggered: u32, triggers: &[u64]) -> u64 {
    if dice.hits(triggered) { *dice.one_of(triggers) } else { *dice.one_of(&AMOUNTS) }
}

/// Mostly a card.
fn draw_method(dice: &mut Dice, setup: &Setup, merchant: Xid) -> PaymentMethod {
    let own =
        setup.merchants.iter().find(|terms| terms.id == merchant).map_or_else(OwnProcessors::default, |terms| terms.processors);
    let others = [PaymentMethod::Ach, PaymentMethod::Terminal].into_iter().filter(|method| own.of(*method) != 0);
    others.into_iter().find(|_| dice.hits(BY_OTHER_METHOD)).unwrap_or(PaymentMethod::Card)
}
