//! Numbers as people read them. Integers all the way: what is shown is rounded down, never up.

use protocol::calendar::Micros;
use protocol::money::Currency;

/// Tenths of a unit: `12.3`, and `123` from a hundred on.
fn tenths(value: u64, unit: u64) -> String {
    let (whole, rest) = (value / unit, value % unit * 10 / unit);
    if whole >= 100 { whole.to_string() } else { format!("{whole}.{rest}") }
}

/// A time: `850 µs`, `12.3 ms`, `4.0 s`.
pub(super) fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", tenths(us, 1_000)),
        _ => format!("{} s", tenths(us, 1_000_000)),
    }
}

/// An age: `12 s`, `4 min`, `3 h`, `2 d`.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A count: thousands apart, `12 345`.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let places = digits.len();
    let grouped = digits.chars().enumerate().flat_map(|(place, digit)| {
        let space = (place > 0 && (places - place).is_multiple_of(3)).then_some('\u{202f}');
        space.into_iter().chain([digit])
    });
    grouped.collect()
}

/// So many of a thing: `1 batch`, `12 batches`.
pub(super) fn many(number: u64, thing: &str) -> String {
    let ending = match number {
        1 => "",
        _ if thing.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{} {thing}{ending}", count(number))
}

/// So many in so many milliseconds, as so many a second.
pub(super) fn rate(many: u64, took_ms: u64) -> String {
    let tenths_per_s = many.saturating_mul(10_000) / took_ms.max(1);
    match tenths_per_s {
        0..1_000 => format!("{}.{}", tenths_per_s / 10, tenths_per_s % 10),
        _ => count(tenths_per_s / 10),
    }
}

/// Hundredths of a percent: `98.4 %`; a dash for what nothing is known of.
pub(super) fn share(bp: Option<u64>) -> String {
    bp.map_or_else(|| "–".to_owned(), |bp| format!("{}.{} %", bp / 100, bp % 100 / 10))
}

/// Bytes: `1.5 GiB`.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes / 1_024),
        1_048_576..1_073_741_824 => format!("{} MiB", tenths(bytes, 1 << 20)),
        _ => format!("{} GiB", tenths(bytes, 1 << 30)),
    }
}

/// Minor units with their currency: `11.12 USD`.
pub(super) fn money(minor: u64, currency: Option<Currency>) -> String {
    currency.map_or_else(|| minor.to_string(), |currency| format!("{} {}", currency.major(minor), currency.code()))
}

/// A moment, to the second: `2026-11-21 12:03:57`; nothing for none.
pub(super) fn moment(at: Micros) -> String {
    if at.is_none() {
        return String::new();
    }
    let text = at.to_string();
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_the_unit_that_fits() {
        assert_eq!([time(850), time(12_345), time(4_000_000)], ["850 µs", "12.3 ms", "4.0 s"]);
        assert_eq!([age(90), age(240), age(10_800), age(200_000)], ["90 s", "4 min", "3 h", "2 d"]);
        assert_eq!([many(1, "batch"), many(0, "batch"), many(2, "payment")], ["1 batch", "0 batches", "2 payments"]);
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!([rate(5, 1_000), rate(25_000, 1_000), rate(1, 3_000)], ["5.0", "25\u{202f}000", "0.3"]);
        assert_eq!([share(Some(9_845)), share(None)], ["98.4 %", "–"]);
        assert_eq!([bytes(2_048), bytes(3 << 19), bytes(3 << 29)], ["2 KiB", "1.5 MiB", "1.5 GiB"]);
    }

    #[test]
    fn money_has_as_many_digits_as_its_currency() {
        let of = |code: &str| Currency::from_code(code);
        assert_eq!(money(1_112, of("USD")), "11.12 USD");
        assert_eq!(money(5, of("USD")), "0.05 USD");
        assert_eq!(money(1_112, of("JPY")), "1112 JPY");
    }
}
