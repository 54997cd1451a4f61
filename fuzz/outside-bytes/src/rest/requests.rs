//! From a body's bytes to what the switch is handed: requests, commands, searches.

use super::{is_about_writing, is_told_well, rewritten};
use crate::script::Script;
use api_front::intake::{self, Asker, Built, Instrument, Key, Payment};
use api_front::rest::Problem;
use api_front::rest::limits::{SEARCH_LIMIT_MAX, SEARCH_OFFSET_MAX};
use api_front::rest::request::{Create, Means, Step, parse_batch_search, parse_search};
use api_front::switch::directory::Merchant;
use persistence::sealing::Sealer;
use protocol::calendar::Micros;
use protocol::card::luhn;
use protocol::command::{Command, CommandError, flag};
use protocol::id::Xid;
use protocol::limits::AMOUNT_MAX_MINOR;
use protocol::tail::{Tail, TailError, tag};
use protocol::words::{Source, Verb};
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
            let asked = intake::Step { verb, target: Xid([3; 12]), amount: step.amount, travelling: &step.tail };
            let built = intake::of_step(&asked, &asker(key.as_ref(), &merchant()), &SEALER);
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
    (one.verb, one.amount, one.currency, one.flags, one.processor)
        == (other.verb, other.amount, other.currency, other.flags, other.processor)
        && one.key == other.key
        && exposed(&one.means) == exposed(&other.means)
        && is_same_tail(&one.tail, &other.tail)
}

/// All that a request pays with, in clear.
fn exposed(means: &Means) -> Vec<String> {
    let secrets = secrets(means).into_iter();
    let open = match means {
        Means::Sent(Instrument::Card(card)) => vec![card.entry.word().into(), card.expiry.to_string()],
        Means::Sent(Instrument::Account(account)) => vec![account.routing.clone()],
        Means::Sent(Instrument::Terminal(expected)) => expected.expiry.iter().map(|expiry| expiry.to_string()).collect(),
        Means::Customer(customer) => vec![format!("{customer:?}")],
        Means::Sent(Instrument::Stored(_)) | Means::Token(_) => Vec::new(),
    };
    secrets.chain(open).collect()
}

/// What must not leave in clear, the longest first.
fn secrets(means: &Means) -> Vec<String> {
    match means {
        Means::Sent(Instrument::Card(card)) => {
            let track_2 = card.track_2.iter().map(|track| track.expose().to_owned());
            let cvv = card.cvv.iter().map(|cvv| cvv.expose().to_owned());
            std::iter::once(card.pan.expose().to_owned()).chain(track_2).chain(cvv).collect()
        }
        Means::Sent(Instrument::Account(account)) => {
            let licence = account.licence.iter().map(|licence| licence.expose().to_owned());
            std::iter::once(account.number.expose().to_owned()).chain(licence).collect()
        }
        Means::Sent(Instrument::Terminal(expected)) => expected.cvv.iter().map(|cvv| cvv.expose().to_owned()).collect(),
        Means::Token(token) => vec![token.clone()],
        Means::Sent(Instrument::Stored(_)) | Means::Customer(_) => Vec::new(),
    }
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
    assert_eq!(create.flags & !(flag::ALLOW_DUPLICATE | flag::ALLOW_PARTIAL | flag::BYPASS_RULES), 0);
    let Means::Sent(Instrument::Card(card)) = &create.means else { return };
    assert!(luhn(card.pan.expose()));
    if let Some(track) = &card.track_2 {
        assert!(track.expose().starts_with(card.pan.expose()));
    }
}

/// The command of a payment opens to the same card or account, and holds its number nowhere in clear that the client has not put it.
fn is_sealed(create: Create, body: &[u8]) {
    let Some(number) = secrets(&create.means).into_iter().next() else { return };
    let Means::Sent(instrument) = create.means else { return };
    let is_card = matches!(instrument, Instrument::Card(_));
    let is_account = matches!(instrument, Instrument::Account(_));
    let merchant = merchant();
    let key = create.key.clone().with_header(None).expect("no header, no complaint");
    let in_key = key.as_ref().is_some_and(|key| holds(key.text.as_bytes(), &number));
    // A short account number is found in any longer text by chance.
    let may_be_there = holds(&create.tail, &number) || in_key || number.len() < 8;
    let Create { verb, amount, currency, flags, tail, .. } = create;
    let payment = Payment { verb, amount, currency, flags, processor: 0, travelling: &tail };
    let built = intake::of_payment(&payment, instrument, &asker(key.as_ref(), &merchant), &SEALER);
    let built = built.expect("what was read can be sealed");
    let bytes = is_command(&built, verb);
    assert!(may_be_there || !holds(&bytes, &number), "the number is in clear, in {} bytes of body", body.len());
    let (tail, fingerprint) = (Tail::trusted(&built.tail), built.command.fingerprint);
    if is_card {
        let sealed = tail.get(tag::SEALED_CARD).expect("a payment has its card");
        assert_eq!(SEALER.open_card(sealed, &MERCHANT, &fingerprint).expect("what was sealed opens").expose(), number);
    }
    if is_account {
        let sealed = tail.get(tag::SEALED_ACCOUNT).expect("a payment has its account");
        let (_, account) = SEALER.open_account(sealed, &MERCHANT, &fingerprint).expect("what was sealed opens");
        assert_eq!(account.expose(), number);
    }
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

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn merchant() -> Merchant {
    Merchant {
        id: MERCHANT,
        name: String::new(),
        active: true,
        sandbox: true,
        duplicate_window_s: 0,
        processors: switch_core::input::OwnProcessors { card: 1, ach: 2, terminal: 3 },
        compat: Default::default(),
        links: Default::default(),
    }
}

fn asker<'a>(key: Option<&'a Key>, merchant: &'a Merchant) -> Asker<'a> {
    let today = Micros::from_date(2026, 11, 21).civil();
    Asker { merchant, user_id: &MERCHANT, user_name: "fuzzer", source: Source::Api, peer: None, id: Xid([5; 12]), today, key }
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
