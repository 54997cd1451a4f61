//! FORMATS.md and the code say the same: every field of every layout stands in the page with its offset and its size.

use core::mem::offset_of;
use protocol::batch::Batch;
use protocol::change::Change;
use protocol::choice::Choice;
use protocol::command::Command;
use protocol::exchange::{Exchange, Reversal};
use protocol::outcome::Outcome;
use protocol::record::{Kind, RecordHeader};
use protocol::transaction::{OperationKey, Transaction};
use protocol::words::{
    Basis, Brand, EntryType, ExchangeState, PaymentMethod, ReversalReason, ReversalState, SkipReason, Source, Status, Verb,
};

/// Size of a field, from its offset alone: `field` names it without reading it.
fn size_of_field<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! rows {
    ($layout:ident: $($field:ident)+) => {
        [$((offset_of!($layout, $field), size_of_field(|layout: &$layout| &layout.$field), stringify!($field)),)+]
    };
}

/// The rows of the table under a heading: offset, bytes, field.
fn page_rows(heading: &str) -> Vec<(usize, usize, String)> {
    let page = include_str!("../FORMATS.md");
    let section =
        page.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_else(|| panic!("no section {heading}"));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>();
    let rows = section.lines().filter(|line| line.starts_with('|')).map(cells);
    rows.filter_map(|row| Some((row[1].parse().ok()?, row[2].parse().ok()?, row[3].clone()))).collect()
}

fn assert_same(heading: &str, size: usize, code: &[(usize, usize, &str)]) {
    let page = page_rows(&format!("{heading}: {size} bytes"));
    let page: Vec<(usize, usize, &str)> = page.iter().map(|(offset, bytes, field)| (*offset, *bytes, field.as_str())).collect();
    assert_eq!(page, code, "{heading}");
    assert_eq!(code.iter().map(|(_, bytes, _)| bytes).sum::<usize>(), size, "{heading} has no byte without a name");
}

#[test]
fn every_field_of_every_layout_stands_in_the_page() {
    assert_same(
        "Command",
        size_of::<Command>(),
        &rows!(Command: size layout verb source id merchant target flags amount currency payment_method entry_type brand pan_digits
            processor first_six last_four expiry fingerprint key_hash request_hash key_window_s reserved),
    );
    assert_same(
        "Outcome",
        size_of::<Outcome>(),
        &rows!(Outcome: id parent version verb status response_code amount amount_authorized amount_captured amount_settled
            amount_refunded created_at rrn auth_code processor_code avs cvv currency processor reserved),
    );
    assert_same("Record header", size_of::<RecordHeader>(), &rows!(RecordHeader: size kind layout shard sequence at reserved));
    assert_same(
        "Transaction",
        size_of::<Transaction>(),
        &rows!(Transaction: layout verb status version id merchant parent flags amount amount_authorized amount_captured
            amount_settled amount_refunded amount_refund_pending currency source payment_method entry_type brand processor first_six
            last_four expiry pan_digits answers reserved fingerprint rrn post_rules_version created_at updated_at captured_at settled_at
            original step reversal key duplicate_of batch response_code reserved_3 tail_length batch_number choice),
    );
    assert_same(
        "Exchange",
        size_of::<Exchange>(),
        &rows!(Exchange: stan verb state avs cvv sent_at deadline amount response_code processor_code auth_code text reserved),
    );
    assert_same(
        "Reversal",
        size_of::<Reversal>(),
        &rows!(Reversal: stan state reason reserved queued_at done_at original_stan reserved_2),
    );
    assert_same(
        "Choice",
        size_of::<Choice>(),
        &rows!(Choice: rules_version routes_version pre_rule post_rule route basis skipped_count skipped),
    );
    assert_same("Operation key", size_of::<OperationKey>(), &rows!(OperationKey: hash request expires_at));
    assert_same(
        "Settlement batch",
        size_of::<Batch>(),
        &rows!(Batch: id merchant number processor state reserved capture_count credit_count captured credited currency
            response_code stan opened_at closed_at answered_at settled_count text members_number reserved_2),
    );
    assert_same(
        "Configuration change",
        size_of::<Change>(),
        &rows!(Change: layout area reserved version id subject undoes part parts length by),
    );
}

#[test]
fn every_tag_of_a_tail_stands_in_the_page() {
    let page = include_str!("../FORMATS.md");
    let (_, module) = include_str!("../src/tail.rs").split_once("pub mod tag {").expect("tags have a module");
    let (module, _) = module.split_once("\n}").expect("the module ends");
    let constants = module.lines().filter_map(|line| line.trim().strip_prefix("pub const "));
    let tags: Vec<(&str, &str)> =
        constants.filter_map(|constant| constant.trim_end_matches(';').split_once(": u16 = ")).collect();
    assert!(tags.len() > 60, "{} tags", tags.len());
    for (name, number) in tags {
        assert!(page.contains(&format!("| {number} | `{name}` | ")), "{name} is {number}");
    }
}

/// The numbers and words under a name of "Numbers of words".
fn page_words(name: &str) -> Vec<(u8, String)> {
    let page = include_str!("../FORMATS.md");
    let start = format!("- **{name}**");
    let line = page.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no line {start}"));
    let (_, words) = line.split_once(": ").expect("a name, then its words");
    let pair = |pair: &str| pair.split_once(' ').map(|(number, word)| (number.parse().expect("a number"), word.to_owned()));
    words.split(", ").map(|text| pair(text).unwrap_or_else(|| panic!("{text} in {line}"))).collect()
}

#[test]
fn every_word_stands_in_the_page_with_its_number() {
    macro_rules! assert_words {
        ($($vocabulary:ident)+) => {
            $(let code: Vec<_> = $vocabulary::ALL.iter().map(|word| (word.number(), word.word().to_owned())).collect();
            assert_eq!(page_words(stringify!($vocabulary)), code);)+
        };
    }
    assert_words!(Verb Status PaymentMethod EntryType Source Brand ExchangeState ReversalState ReversalReason Basis SkipReason);
    let kinds: Vec<_> = Kind::ALL.iter().map(|kind| (*kind as u8, kind.word().to_owned())).collect();
    assert_eq!(page_words("Kind"), kinds);
}
