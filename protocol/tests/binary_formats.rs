//! FORMATS.md and the code say the same of the binary protocol: layouts, numbers, limits, and the worked example byte by byte.

use core::mem::offset_of;
use protocol::binary::ending::{BusyHeader, GoAwayHeader};
use protocol::binary::limits::{
    API_KEY_MAX_BYTES, FOUND_MAX, FRAME_MAX_BYTES, HELLO_MAX_BYTES, IDEMPOTENCY_KEY_MAX_BYTES, ORDER_ID_MAX_BYTES,
};
use protocol::binary::request::push_command;
use protocol::binary::{
    AnswerHeader, CardBlock, FrameHeader, FrameKind, FrameWriter, GoAwayCode, Hello, HelloHeader, InvalidCode, RequestHeader,
    UnavailableCode, Welcome, capability,
};
use protocol::card::Expiry;
use protocol::command::Command;
use protocol::secret::{Cvv, Pan};
use protocol::tail::{push, tag};
use protocol::words::{Source, Verb};

const PAGE: &str = include_str!("../FORMATS.md");

/// Size of a field, from its offset alone: `field` names it without reading it.
fn size_of_field<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! assert_drawn {
    ($heading:literal, $layout:ident: $($field:ident)+) => {{
        let code = [$((offset_of!($layout, $field), size_of_field(|layout: &$layout| &layout.$field), stringify!($field))),+];
        let heading = format!("{}: {} bytes", $heading, size_of::<$layout>());
        let page = page_rows(&heading);
        let page: Vec<(usize, usize, &str)> = page.iter().map(|(offset, bytes, field)| (*offset, *bytes, field.as_str())).collect();
        assert_eq!(page, code, "{heading}");
        assert_eq!(code.iter().map(|(_, bytes, _)| bytes).sum::<usize>(), size_of::<$layout>(), "{heading}");
    }};
}

fn section(heading: &str) -> &'static str {
    let found = PAGE.split("\n### ").find(|section| section.starts_with(heading));
    found.unwrap_or_else(|| panic!("no section {heading}"))
}

/// The first table under a heading: offset, bytes, field.
fn page_rows(heading: &str) -> Vec<(usize, usize, String)> {
    let lines = section(heading).lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>();
    lines.map(cells).filter_map(|row| Some((row[1].parse().ok()?, row[2].parse().ok()?, row[3].clone()))).collect()
}

#[test]
fn every_layout_is_drawn_in_the_page() {
    assert_drawn!("Binary frame", FrameHeader: size crc version kind count reserved);
    assert_drawn!("Hello", HelloHeader: magic version_min version_max key_bytes capabilities reserved);
    assert_drawn!("Welcome", Welcome: version key_kind frame_items_max capabilities merchant credits frame_max_bytes
        idle_timeout_ms now reserved);
    assert_drawn!("Request", RequestHeader: size kind card_bytes reserved request_id);
    assert_drawn!("Card block", CardBlock: pan_digits cvv_digits track_2_characters reserved expiry reserved_2 pan cvv track_2
        reserved_3);
    assert_drawn!("Answer", AnswerHeader: size kind replayed code request_id found verb reserved);
    assert_drawn!("Busy", BusyHeader: retry_after_ms reserved);
    assert_drawn!("GoAway", GoAwayHeader: code reserved retry_after_ms);
}

/// `- **word**: 1 First, 2 Second (…), 3 Third`
fn numbers(word: &str) -> Vec<(u16, String)> {
    let start = format!("- **{word}**: ");
    let line = PAGE.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no line of {word}"));
    let bare: String = line.split('(').map(|part| part.split_once(')').map_or(part, |(_, rest)| rest)).collect();
    let entries = bare.split(',').map(|entry| entry.trim().split_once(' ').expect("a number and a name"));
    entries.map(|(number, name)| (number.parse().expect("a number"), name.trim().to_owned())).collect()
}

#[test]
fn every_number_stands_in_the_page() {
    let invalid: Vec<_> = InvalidCode::ALL.iter().map(|code| (*code as u16, format!("{code:?}"))).collect();
    assert_eq!(numbers("invalid"), invalid);
    let unavailable: Vec<_> = UnavailableCode::ALL.iter().map(|code| (*code as u16, format!("{code:?}"))).collect();
    assert_eq!(numbers("unavailable"), unavailable);
    let away: Vec<_> = GoAwayCode::ALL.iter().map(|code| (code.number(), format!("{code:?}"))).collect();
    assert_eq!(numbers("goaway"), away);
    for (number, name) in (1..=8).map(|number| (number, format!("{:?}", FrameKind::from_number(number)))) {
        assert!(section("Binary frame").contains(&format!("{number} {name} (")), "{number} {name}");
    }
}

#[test]
fn every_limit_stands_in_the_page() {
    let thousands = |number: usize| format!("{},{:03}", number / 1_000, number % 1_000);
    for (heading, words) in [
        ("Binary frame", format!("16 to {}; before the Welcome at most {HELLO_MAX_BYTES}", thousands(FRAME_MAX_BYTES))),
        ("Hello", format!("at most {API_KEY_MAX_BYTES}")),
        ("Request", format!("1 to {ORDER_ID_MAX_BYTES} bytes of UTF-8: the newest {FOUND_MAX} are shown")),
        ("Request", format!("the key, 1 to {IDEMPOTENCY_KEY_MAX_BYTES} bytes of visible ASCII")),
    ] {
        assert!(section(heading).contains(&words), "{heading}: {words}");
    }
}

/// Sixteen bytes a line, as `xxd` has them.
fn hex(bytes: &[u8]) -> String {
    let line = |(at, bytes): (usize, &[u8])| {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:04x}  {}\n", at * 16, digits.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

#[test]
fn the_example_is_what_the_code_writes() {
    let mut hello = Vec::new();
    Hello { version_min: 1, version_max: 1, capabilities: capability::ALL, api_key: "api_example" }.write(&mut hello);
    let pan = Pan::new("4111111111111111").unwrap();
    let card = CardBlock::keyed(&pan, Expiry::from_yymm(3012).unwrap(), Cvv::new("999").as_ref());
    let mut command = Command { source: Source::Binary.number(), ..Command::new(Verb::Sale) };
    (command.amount, command.currency) = (1299.into(), 840.into());
    let mut tail = Vec::new();
    push(&mut tail, tag::IDEMPOTENCY_KEY, b"k-1");
    let mut requests = Vec::new();
    let mut frame = FrameWriter::begin(FrameKind::Requests, &mut requests);
    push_command(&mut frame, 7, &command, Some(&card), &tail);
    frame.finish();
    for bytes in [hello, requests] {
        let dump = hex(&bytes);
        assert!(section("Example").contains(&dump), "the page lacks\n{dump}");
    }
}
