//! From a request's bytes to what the switch is asked: held to the same rules as a body of the REST front.

use super::caller::Caller;
use super::wrong::Wrong;
use crate::intake::{Asker, Built, Card, Instrument, Key, Payment, Step, of_payment, of_step};
use crate::rest::request::check_sent_tail;
use crate::switch::directory::Merchant;
use crate::switch::handle::Switch;
use persistence::stores::KeyKind;
use protocol::binary::limits::{IDEMPOTENCY_KEY_MAX_BYTES, ORDER_ID_MAX_BYTES};
use protocol::binary::request::SentCard;
use protocol::binary::{CardBlock, InvalidCode, Request, RequestKind};
use protocol::card::{Expiry, luhn};
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::limits::{AMOUNT_MAX_MINOR, IDEMPOTENCY_WINDOW_DEFAULT_S, IDEMPOTENCY_WINDOW_MAX_S};
use protocol::money::Currency;
use protocol::secret::{Pan, Track2};
use protocol::tail::{self, Tail, tag};
use protocol::words::{EntryType, PaymentMethod, Source, Verb};

/// What a request asks.
pub(super) enum Asked {
    /// Do this.
    Command(Box<Built>),
    /// What became of something?
    Find(Find),
}

/// What is looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Find {
    /// The transaction with this id.
    Id(Xid),
    /// Those with this order number.
    OrderId(String),
    /// What the command with this idempotency key came to.
    Key(String),
}

/// Flags that a client may set on a payment.
const PAYMENT_FLAGS: u32 = flag::ALLOW_DUPLICATE | flag::ALLOW_PARTIAL;

/// Reads a request of this caller.
pub(super) fn read(request: &Request<'_>, caller: &Caller, merchant: &Merchant, switch: &Switch) -> Result<Asked, Wrong> {
    if caller.kind == KeyKind::Public && request.kind != RequestKind::Command {
        return Err(Wrong::new(InvalidCode::Forbidden, "a public key may only create payments"));
    }
    if request.card.is_some() && request.kind != RequestKind::Command {
        return Err(Wrong::new(InvalidCode::Layout, "a query has no card"));
    }
    match request.kind {
        RequestKind::Command => command(request, caller, merchant, switch).map(|built| Asked::Command(Box::new(built))),
        RequestKind::FindById => {
            let id = request.body.try_into().map(Xid).map_err(|_| Wrong::new(InvalidCode::Layout, "an id has twelve bytes"))?;
            Ok(Asked::Find(Find::Id(id)))
        }
        RequestKind::FindByOrderId => Ok(Asked::Find(Find::OrderId(order_id(request.body)?))),
        RequestKind::FindByKey => Ok(Asked::Find(Find::Key(key_text(request.body)?))),
        RequestKind::Other(kind) => Err(Wrong::new(InvalidCode::Kind, format!("requests of kind {kind} are not known"))),
    }
}

fn command(request: &Request<'_>, caller: &Caller, merchant: &Merchant, switch: &Switch) -> Result<Built, Wrong> {
    let parsed = Command::parse(request.body);
    let (command, sent) = parsed.map_err(|error| Wrong::new(InvalidCode::Layout, error.to_string()))?;
    let verb = command.verb().ok_or_else(|| Wrong::new(InvalidCode::Layout, "the verb is not known"))?;
    check_ours(command)?;
    permit(verb, command, caller)?;
    let key = key(command, sent)?;
    let travelling = without_key(sent);
    check_sent_tail(verb, Tail::trusted(&travelling)).map_err(|wrong| {
        let text = format!("the field with tag {} {}", wrong.tag, wrong.reason);
        Wrong::new(InvalidCode::Tail, text)
    })?;
    let asker = Asker {
        merchant,
        user_id: &caller.user_id,
        user_name: &caller.user_name,
        source: Source::Binary,
        peer: None,
        id: switch.draw_id(),
        today: switch.now().civil(),
        key: key.as_ref(),
    };
    match verb {
        Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => {
            let payment = payment(verb, command, &travelling, switch)?;
            let card = card(command, request.card)?;
            of_payment(&payment, Instrument::Card(card), &asker, switch.sealer()).map_err(|error| {
                tracing::error!(%error, "a card could not be sealed");
                Wrong::new(InvalidCode::Card, "the card could not be sealed")
            })
        }
        Verb::Capture | Verb::Void | Verb::Refund => {
            let step = step(verb, command, request.card, &travelling)?;
            Ok(of_step(&step, &asker, switch.sealer()))
        }
    }
}

/// What the front fills in itself a client must leave at zero: that way no client comes to rely on it.
fn check_ours(command: &Command) -> Result<(), Wrong> {
    let not_yours =
        |field: &'static str| Err(Wrong::new(InvalidCode::NotYours, format!("{field}: must be zero, it is filled in here")));
    if command.source != Source::Binary.number() {
        return Err(Wrong::new(InvalidCode::NotYours, "source: must be 2"));
    }
    if !command.id.is_none() {
        return not_yours("id");
    }
    if !command.merchant.is_none() {
        return not_yours("merchant");
    }
    let of_card = (command.brand, command.pan_digits, command.first_six.get(), command.last_four.get(), command.expiry.get());
    if of_card != (0, 0, 0, 0, 0) || command.fingerprint != [0; 16] {
        return not_yours("brand, pan_digits, first_six, last_four, expiry, fingerprint");
    }
    if command.key_hash != [0; 16] || command.request_hash != [0; 16] {
        return not_yours("key_hash, request_hash");
    }
    Ok(())
}

fn permit(verb: Verb, command: &Command, caller: &Caller) -> Result<(), Wrong> {
    if command.has(flag::BYPASS_RULES) {
        return Err(Wrong::new(InvalidCode::Forbidden, "this key may not pass the rules by"));
    }
    match (caller.kind, verb) {
        (KeyKind::Api, _) | (KeyKind::Public, Verb::Sale | Verb::Authorize | Verb::Verification) => Ok(()),
        (KeyKind::Public, Verb::Credit | Verb::Capture | Verb::Void | Verb::Refund) => {
            Err(Wrong::new(InvalidCode::Forbidden, "a public key may only create payments that take money in"))
        }
    }
}

fn payment<'a>(verb: Verb, command: &Command, travelling: &'a [u8], switch: &Switch) -> Result<Payment<'a>, Wrong> {
    if !command.target.is_none() {
        return Err(Wrong::new(InvalidCode::Layout, "target: must be zero for a payment"));
    }
    let flags = command.flags.get();
    if flags & !PAYMENT_FLAGS != 0 {
        return Err(Wrong::new(InvalidCode::NotYours, "flags: a payment takes ALLOW_DUPLICATE and ALLOW_PARTIAL"));
    }
    let currency = Currency::from_numeric(command.currency.get());
    let currency =
        currency.ok_or_else(|| Wrong::new(InvalidCode::Currency, "currency: must be an ISO 4217 number such as 840"))?;
    let processor = command.processor.get();
    if processor != 0 && switch.processors().by_index(processor).is_none() {
        return Err(Wrong::new(InvalidCode::Processor, "processor: no such processor; 0 leaves it to the switch"));
    }
    Ok(Payment { verb, amount: amount(verb, command.amount.get())?, currency, flags, processor, travelling })
}

fn amount(verb: Verb, amount: u64) -> Result<u64, Wrong> {
    let wrong = |text| Err(Wrong::new(InvalidCode::Amount, text));
    match (verb, amount) {
        (Verb::Verification, 0) => Ok(0),
        (Verb::Verification, _) => wrong("amount: must be 0 for a verification"),
        (_, 1..=AMOUNT_MAX_MINOR) => Ok(amount),
        (_, _) => wrong("amount: must be 1 to 999999999999 minor units"),
    }
}

fn step<'a>(verb: Verb, command: &Command, card: Option<&CardBlock>, travelling: &'a [u8]) -> Result<Step<'a>, Wrong> {
    if card.is_some() {
        return Err(Wrong::new(InvalidCode::Card, "a capture, void or refund has no card"));
    }
    if (command.currency.get(), command.processor.get()) != (0, 0) || command.flags.get() & !flag::AMOUNT_GIVEN != 0 {
        return Err(Wrong::new(InvalidCode::NotYours, "currency, processor, flags: a step takes AMOUNT_GIVEN at most"));
    }
    let amount = match (command.has(flag::AMOUNT_GIVEN), command.amount.get()) {
        (false, 0) => None,
        (false, _) => return Err(Wrong::new(InvalidCode::Amount, "amount: set the flag AMOUNT_GIVEN with it")),
        (true, _) if verb == Verb::Void => return Err(Wrong::new(InvalidCode::Amount, "amount: a void has none")),
        (true, given) => Some(self::amount(verb, given)?),
    };
    Ok(Step { verb, target: command.target, amount, travelling })
}

fn card(command: &Command, block: Option<&CardBlock>) -> Result<Card, Wrong> {
    if command.payment_method != PaymentMethod::Card.number() {
        return Err(Wrong::new(InvalidCode::Method, "payment_method: only cards are taken over this protocol"));
    }
    let wrong = |text: &'static str| Wrong::new(InvalidCode::Card, text);
    let block = block.ok_or_else(|| wrong("the card is missing"))?;
    let sent = block.parts().map_err(|field| Wrong::new(InvalidCode::Card, format!("card {field}: not acceptable")))?;
    let SentCard { pan, expiry, cvv, track_2 } = sent;
    let pan = match pan {
        Some(pan) if luhn(pan.expose()) => Some(pan),
        Some(_) => return Err(wrong("card pan: its check digit is wrong (Luhn)")),
        None => None,
    };
    match EntryType::from_number(command.entry_type) {
        Some(entry @ EntryType::Keyed) if track_2.is_none() => match (pan, expiry) {
            (Some(pan), Some(expiry)) => Ok(Card { entry, pan, expiry, cvv, track_2: None, track_1: None }),
            (None, _) => Err(wrong("card pan: is required")),
            (_, None) => Err(wrong("card expiry: is required")),
        },
        Some(entry @ EntryType::Swiped) => {
            let track = track_2.ok_or_else(|| wrong("card track_2: is required when entry_type is swiped"))?;
            let (on_stripe, expiry) = stripe(&track).ok_or_else(|| wrong("card track_2: must be ISO/IEC 7813 track 2"))?;
            if pan.is_some_and(|pan| pan != on_stripe) {
                return Err(wrong("card pan: must be the number in track_2"));
            }
            Ok(Card { entry, pan: on_stripe, expiry, cvv, track_2: Some(track), track_1: None })
        }
        Some(EntryType::Keyed) | None => Err(wrong("card track_2: goes with entry_type swiped only")),
    }
}

/// Number and expiry in track 2, ISO/IEC 7813: `number=YYMM…`.
fn stripe(track: &Track2) -> Option<(Pan, Expiry)> {
    let (number, rest) = track.expose().split_once('=')?;
    let expiry = rest.get(..4)?.parse().ok().and_then(Expiry::from_yymm)?;
    let pan = Pan::new(number).filter(|pan| luhn(pan.expose()))?;
    Some((pan, expiry))
}

fn key(command: &Command, sent: Tail<'_>) -> Result<Option<Key>, Wrong> {
    let window_s = command.key_window_s.get();
    let Some(text) = sent.get(tag::IDEMPOTENCY_KEY) else {
        return match window_s {
            0 => Ok(None),
            _ => Err(Wrong::new(InvalidCode::Key, "key_window_s: goes with an idempotency key (tag 7) only")),
        };
    };
    let text = key_text(text)?;
    match window_s {
        0 => Ok(Some(Key { text, window_s: IDEMPOTENCY_WINDOW_DEFAULT_S })),
        1..=IDEMPOTENCY_WINDOW_MAX_S => Ok(Some(Key { text, window_s })),
        _ => Err(Wrong::new(InvalidCode::Key, format!("key_window_s: must be 1 to {IDEMPOTENCY_WINDOW_MAX_S} seconds"))),
    }
}

fn key_text(bytes: &[u8]) -> Result<String, Wrong> {
    let is_good = (1..=IDEMPOTENCY_KEY_MAX_BYTES).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    let text = is_good.then(|| String::from_utf8_lossy(bytes).into_owned());
    text.ok_or_else(|| Wrong::new(InvalidCode::Key, "the idempotency key must be 1 to 64 characters of visible ASCII"))
}

fn order_id(bytes: &[u8]) -> Result<String, Wrong> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| (1..=ORDER_ID_MAX_BYTES).contains(&text.len()));
    text.map(str::to_owned).ok_or_else(|| Wrong::new(InvalidCode::Layout, "an order number is 1 to 200 bytes of UTF-8"))
}

/// The key has its own way: it is no part of what is asked.
fn without_key(sent: Tail<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(sent.bytes().len());
    for (tag, value) in sent.fields().filter(|(tag, _)| *tag != tag::IDEMPOTENCY_KEY) {
        tail::push(&mut out, tag, value);
    }
    out
}
