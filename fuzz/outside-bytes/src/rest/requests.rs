//! From a body's bytes to what the switch is handed: requests, commands, searches.

use super::{is_about_writing, is_told_well, rewritten};
use crate::script::Script;
use api_front::rest::Problem;
use api_front::rest::command::{Asker, Built, of_create, of_step};
use api_front::rest::limits::{SEARCH_LIMIT_MAX, SEARCH_OFFSET_MAX};
use api_front::rest::request::{Create, Key, Step, parse_batch_search, parse_search};
use api_front::switch::directory::Merchant;
use persistence::sealing::Sealer;
use protocol::calendar::Micros;
use protocol::card::luhn;
use protocol::command::{Command, CommandError, flag};
use protocol::id::Xid;
use protocol::limits::AMOUNT_MAX_MINOR;
use protocol::secret::Pan;
use protocol::tail::{Tail, TailError, tag};
use protocol::words::Verb;
use serde_json::Value;
use std::sync::LazyLock;

const MERCHANT: Xid = Xid([9; 12]);
/// Tags of what is kept as sent.
const RAW_TAGS: [u16; 3] = [tag::CUSTOM_FIELDS, tag::LINE_ITEMS, tag::DESCRIPTOR];

/// Keys of this run. They are in memory once read; the folder goes at once.
static SEALER: LazyLock<Sealer> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for keys");
    Sealer::open_or_create(&folder.path().join("keys")).expect("fresh keys")
});

/// Any bytes as the body of a payment, a capture, a void or a refund, which the first byte chooses. What is accepted is within
/// its bounds, says the same when another writer writes it, and becomes a command without a card number in clear.
pub fn any_body(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.below(4);
    let body = script.bytes(input.len());
    match choice {
        0 => payment(body),
        1 => step(body, Step::parse_capture),
        2 => step(body, Step::parse_void),
        _ => step(body, Step::parse_refund),
    }
}

fn payment(body: &[u8]) {
    let read = Create::parse(body);
    if let Some(again) = rewritten(body) {
        say_the_same(&read, &Create::parse(&again), is_same_payment);
    }
    match read {
        Err(problem) => is_told_well(&problem),
        Ok(create) => {
            is_within_bounds(&create);
            is_sealed(create, body);
        }
    }
}

fn step(body: &[u8], parse: fn(&[u8]) -> Result<Step, Problem>) {
    let read = parse(body);
    if let Some(again) = rewritten(body) {
        say_the_same(&read, &parse(&again), PartialEq::eq);
    }
    match read {
        Err(problem) => is_told_well(&problem),
        Ok(step) => {
            assert!(step.amount.is_none_or(|amount| (1..=AMOUNT_MAX_MINOR).contains(&amount)));
            let verb = step.verb;
            let key = step.key.clone().with_header(None).expect("no header, no complaint");
            let built = of_step(step, Xid([3; 12]), &asker(key.as_ref(), &merchant()), &SEALER);
            is_command(&built, verb);
        }
    }
}

/// Two writings of one document give one result, if it is not the writing that is complained about.
fn say_the_same<T>(one: &Result<T, Problem>, other: &Result<T, Problem>, same: impl Fn(&T, &T) -> bool) {
    let about_writing = |read: &Result<T, Problem>| read.as_ref().err().is_some_and(is_about_writing);
    if about_writing(one) || about_writing(other) {
        return;
    }
    match (one, other) {
        (Ok(one), Ok(other)) => assert!(same(one, other), "two writings, two requests"),
        (Err(one), Err(other)) => assert_eq!(one, other),
        (Ok(_), Err(problem)) | (Err(problem), Ok(_)) => panic!("one writing is accepted, the other is not: {problem}"),
    }
}

fn is_same_payment(one: &Create, other: &Create) -> bool {
    let (card, again) = (&one.card, &other.card);
    let on_stripe = |create: &Create| create.card.track_2.as_ref().map(|track| track.expose().to_owned());
    (one.verb, one.amount, one.currency, one.flags, one.processor)
        == (other.verb, other.amount, other.currency, other.flags, other.processor)
        && one.key == other.key
        && (card.entry, &card.pan, card.expiry.yymm(), &card.cvv) == (again.entry, &again.pan, again.expiry.yymm(), &again.cvv)
        && on_stripe(one) == on_stripe(other)
        && is_same_tail(&one.tail, &other.tail)
}

/// What travels as sent is the same JSON, not the same bytes.
fn is_same_tail(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (Tail::trusted(one), Tail::trusted(other));
    let json = |value| serde_json::from_slice::<Value>(value).ok();
    one.fields().count() == other.fields().count()
        && one.fields().zip(other.fields()).all(|((tag, value), (other_tag, other_value))| {
            tag == other_tag && (value == other_value || RAW_TAGS.contains(&tag) && json(value) == json(other_value))
        })
}

fn is_within_bounds(create: &Create) {
    match create.verb {
        Verb::Verification => assert_eq!(create.amount, 0),
        _ => assert!((1..=AMOUNT_MAX_MINOR).contains(&create.amount)),
    }
    assert!(luhn(create.card.pan.expose()));
    assert_eq!(create.flags & !(flag::ALLOW_DUPLICATE | flag::ALLOW_PARTIAL | flag::BYPASS_RULES), 0);
    if let Some(track) = &create.card.track_2 {
        assert!(track.expose().starts_with(create.card.pan.expose()));
    }
}

/// The command of a payment opens to the same card, and holds its number nowhere in clear that the client has not put it.
fn is_sealed(create: Create, body: &[u8]) {
    let (verb, pan) = (create.verb, create.card.pan.clone());
    let was_in_clear = holds(&create.tail, &pan);
    let merchant = merchant();
    let key = create.key.clone().with_header(None).expect("no header, no complaint");
    let in_key = key.as_ref().is_some_and(|key| holds(key.text.as_bytes(), &pan));
    let built = of_create(create, 0, &asker(key.as_ref(), &merchant), &SEALER).expect("a card that was read can be sealed");
    let bytes = is_command(&built, verb);
    assert!(was_in_clear || in_key || !holds(&bytes, &pan), "the card's number is in clear, in {} bytes of body", body.len());
    let sealed = Tail::trusted(&built.tail).get(tag::SEALED_CARD).expect("a payment has its card");
    let opened = SEALER.open_card(sealed, &MERCHANT, &built.command.fingerprint).expect("what was sealed opens");
    assert_eq!(opened, pan);
}

/// A shard would take it: its layout can be read, unless so much travels along that the shard refuses it by that name.
fn is_command(built: &Built, verb: Verb) -> Vec<u8> {
    let mut bytes = Vec::new();
    built.command.write(&built.tail, &mut bytes);
    match Command::parse(&bytes) {
        Ok((command, _)) => assert_eq!(command.verb(), Some(verb)),
        Err(error) => assert!(matches!(error, CommandError::Tail(TailError::TooLong { .. })), "{error}"),
    }
    bytes
}

fn holds(bytes: &[u8], pan: &Pan) -> bool {
    let digits = pan.expose().as_bytes();
    bytes.windows(digits.len()).any(|window| window == digits)
}

fn merchant() -> Merchant {
    Merchant {
        id: MERCHANT,
        name: String::new(),
        active: true,
        sandbox: true,
        duplicate_window_s: 0,
        card_processor: 1,
        compat: Default::default(),
    }
}

fn asker<'a>(key: Option<&'a Key>, merchant: &'a Merchant) -> Asker<'a> {
    let today = Micros::from_date(2026, 11, 21).civil();
    Asker { merchant, user_id: &MERCHANT, user_name: "fuzzer", peer: None, id: Xid([5; 12]), today, key }
}

/// Any bytes as the body of a search. What is accepted is bounded and says the same when another writer writes it.
pub fn any_search(input: &[u8]) {
    let transactions = |body: &[u8]| parse_search(body, MERCHANT, &|id| (*id == MERCHANT).then_some(4));
    let batches = |body: &[u8]| parse_batch_search(body, MERCHANT);
    if let Some(again) = rewritten(input) {
        say_the_same(&transactions(input), &transactions(&again), PartialEq::eq);
        say_the_same(&batches(input), &batches(&again), PartialEq::eq);
    }
    match transactions(input) {
        Ok(search) => assert!(search.limit <= SEARCH_LIMIT_MAX && search.offset <= SEARCH_OFFSET_MAX),
        Err(problem) => is_told_well(&problem),
    }
    match batches(input) {
        Ok(page) => assert!(page.limit <= SEARCH_LIMIT_MAX as usize && page.offset as u64 <= SEARCH_OFFSET_MAX),
        Err(problem) => is_told_well(&problem),
    }
}
