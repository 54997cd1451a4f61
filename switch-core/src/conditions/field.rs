//! The fields that a condition can look at: one table of words, accepted values and accepted operators.

use super::countries;
use super::typed::Value;
use protocol::limits::AMOUNT_MAX_MINOR;
use protocol::money::Currency;
use protocol::response_code::ResponseCode;
use protocol::words::{Brand, EntryType, PaymentMethod, Source};

/// The value of a fact that a payment does not have. No comparison holds for it but `!=`: "not from the US" is true of a payment that
/// names no country, so that leaving a field out is no way round a rule.
pub(super) const ABSENT: u64 = u64::MAX;

/// A field with a value of its own. Velocities are not among them: there are as many as windows are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Field {
    Amount,
    Currency,
    Country,
    Bin,
    Brand,
    PaymentMethod,
    EntryType,
    Source,
    Hour,
    Avs,
    Cvv,
    ResponseCode,
}

/// How many there are; velocities are counted on from here.
pub(super) const FIELDS: usize = ROWS.len();

/// Values from `low` to `high`, both in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub(super) low: u64,
    pub(super) high: u64,
}

/// When a field is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Always,
    /// Only after the processor's answer.
    AfterAnswer,
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) field: Field,
    pub(super) word: &'static str,
    /// What a value may be, for messages.
    pub(super) accepted: &'static str,
    /// True when `<` and `>` mean something.
    pub(super) is_ordered: bool,
    pub(super) known: Known,
    pub(super) read: fn(&Value) -> Option<Range>,
}

use Known::{AfterAnswer, Always};

const fn row(
    field: Field,
    word: &'static str,
    is_ordered: bool,
    known: Known,
    read: fn(&Value) -> Option<Range>,
    accepted: &'static str,
) -> Row {
    Row { field, word, accepted, is_ordered, known, read }
}

const ROWS: &[Row] = &[
    row(Field::Amount, "amount", true, Always, amount, "a whole number of minor units, at most 999999999999"),
    row(Field::Currency, "currency", false, Always, currency, "a currency of ISO 4217 such as \"USD\""),
    row(Field::Country, "country", false, Always, country, "a country of ISO 3166-1 such as \"US\" (of the billing address)"),
    row(Field::Bin, "bin", true, Always, bin, "the first 1 to 6 digits of a card number, such as \"4111\""),
    row(Field::Brand, "brand", false, Always, brand, "a card brand such as \"visa\""),
    row(Field::PaymentMethod, "payment_method", false, Always, payment_method, "\"card\", \"ach\" or \"terminal\""),
    row(Field::EntryType, "entry_type", false, Always, entry_type, "\"keyed\" or \"swiped\""),
    row(Field::Source, "source", false, Always, source, "\"api\", \"binary\", \"hosted_page\" or \"recurring\""),
    row(Field::Hour, "hour", true, Always, hour, "an hour of the day in UTC, 0 to 23"),
    row(Field::Avs, "avs", false, AfterAnswer, letter, "one letter of an address verification, or \"0\" when it was not done"),
    row(Field::Cvv, "cvv", false, AfterAnswer, letter, "one letter of a card verification, or \"0\" when it was not done"),
    row(Field::ResponseCode, "response_code", true, AfterAnswer, response_code, "a response code such as 110"),
];

/// The row of a word.
pub(super) fn find(word: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.word == word)
}

/// Every word that a condition's field may be but `velocity`, with what its value may be.
pub fn field_words() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROWS.iter().map(|row| (row.word, row.accepted))
}

fn only(value: u64) -> Range {
    Range { low: value, high: value }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Number(_) | Value::List(_) => None,
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(_) | Value::List(_) => None,
    }
}

fn amount(value: &Value) -> Option<Range> {
    number(value).filter(|amount| *amount <= AMOUNT_MAX_MINOR).map(only)
}

fn currency(value: &Value) -> Option<Range> {
    Currency::from_code(text(value)?).map(|currency| only(u64::from(currency.numeric())))
}

fn country(value: &Value) -> Option<Range> {
    countries::assigned(text(value)?).map(only)
}

/// A prefix stands for all first six digits that begin with it. A number has no leading zero to lose: none is issued below 1.
fn bin(value: &Value) -> Option<Range> {
    let digits = match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(_) => return None,
    };
    if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let width = 10_u64.pow(6 - digits.len() as u32);
    let low = digits.parse::<u64>().ok()? * width;
    Some(Range { low, high: low + width - 1 })
}

fn brand(value: &Value) -> Option<Range> {
    Brand::from_word(text(value)?).map(|brand| only(u64::from(brand.number())))
}

fn payment_method(value: &Value) -> Option<Range> {
    PaymentMethod::from_word(text(value)?).map(|method| only(u64::from(method.number())))
}

fn entry_type(value: &Value) -> Option<Range> {
    EntryType::from_word(text(value)?).map(|entry| only(u64::from(entry.number())))
}

fn source(value: &Value) -> Option<Range> {
    Source::from_word(text(value)?).map(|source| only(u64::from(source.number())))
}

fn hour(value: &Value) -> Option<Range> {
    number(value).filter(|hour| *hour < 24).map(only)
}

fn letter(value: &Value) -> Option<Range> {
    match text(value)?.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() || *letter == b'0' => Some(only(u64::from(letter.to_ascii_uppercase()))),
        _ => None,
    }
}

fn response_code(value: &Value) -> Option<Range> {
    let code = u16::try_from(number(value)?).ok()?;
    ResponseCode(code).row().map(|_| only(u64::from(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_its_rows_place() {
        for (place, row) in ROWS.iter().enumerate() {
            assert_eq!(row.field as usize, place, "{}", row.word);
        }
    }

    #[test]
    fn a_bin_is_a_prefix() {
        let range = |text: &str| bin(&Value::Text(text.into()));
        assert_eq!(range("4"), Some(Range { low: 400_000, high: 499_999 }));
        assert_eq!(range("411111"), Some(Range { low: 411_111, high: 411_111 }));
        assert_eq!(bin(&Value::Number(4111)), Some(Range { low: 411_100, high: 411_199 }));
        assert_eq!((range(""), range("4111111"), range("41x"), range("+4")), (None, None, None, None));
    }
}
