//! The book at its bounds. What the host answers is tested from outside, in `tests/card_hosts`.

use super::book::{Book, Standing, Totals, Verdict};
use super::wire::{Additional, Key};
use crate::ledger::{Kind, Row};

const CURRENCY: [u8; 3] = *b"840";
const TERMINAL: [u8; 8] = *b"TERM01  ";

fn row(ordinal: u64, kind: Kind) -> Row {
    let stan = ordinal as u32 + 1;
    let basis = Row { ordinal, stan, transmitted: 1_121_010_203, terminal: TERMINAL, ..Row::blank(kind) };
    Row { currency: CURRENCY, mti: 0x0200, amount: 100, approved: 1, ..basis }
}

fn key(stan: u32, mti: u16) -> Key {
    Key { terminal: TERMINAL, stan, transmitted: 1_121_010_203, mti }
}

#[test]
fn the_oldest_messages_are_forgotten_and_the_newest_kept() {
    let mut book = Book::holding(100);
    for ordinal in 0..1000 {
        book.apply(&row(ordinal, Kind::Sale));
        assert_eq!(book.held(), 100.min(ordinal as usize + 1));
    }
    for stan in 1..=1000 {
        let held = book.find(&key(stan, 0x0200));
        assert_eq!(held.map(|held| held.ordinal), (stan > 900).then(|| u64::from(stan) - 1), "stan {stan}");
    }
    assert_eq!(book.open_totals(((TERMINAL, CURRENCY), 0)).debits, 1000, "what is forgotten stays in the totals");
}

#[test]
fn a_reversal_of_what_was_forgotten_touches_nothing_else() {
    let mut book = Book::holding(2);
    (0..4).for_each(|ordinal| book.apply(&row(ordinal, Kind::Sale)));
    let reversal = Row { mti: 0x0420, original_mti: 0x0200, original_stan: 1, ..row(4, Kind::Reversal) };
    book.apply(&Row { original_transmitted: reversal.transmitted, ..reversal });
    assert_eq!(book.open_totals(((TERMINAL, CURRENCY), 0)).debits, 4);
    assert_eq!(book.find(&key(4, 0x0200)).unwrap().standing, Standing::Approved);
}

#[test]
fn an_authorization_outlives_its_forgotten_neighbours_only_as_long_as_it_is_held() {
    let mut book = Book::holding(3);
    book.apply(&Row { mti: 0x0100, ..row(0, Kind::Authorization) });
    let capture = Row { mti: 0x0220, original_mti: 0x0100, original_stan: 1, ..row(1, Kind::Capture) };
    book.apply(&Row { original_transmitted: capture.transmitted, ..capture });
    let authorization = *book.find(&key(1, 0x0100)).unwrap();
    assert_eq!(book.capture_of(&authorization).unwrap().key, key(2, 0x0220));
    (2..5).for_each(|ordinal| book.apply(&row(ordinal, Kind::Sale)));
    assert!(book.capture_of(&authorization).is_none(), "its place is another's and not taken for it");
    let wanted = Totals { debits: 4, debits_amount: 400, credits: 0, credits_amount: 0 };
    assert_eq!(book.open_totals(((TERMINAL, CURRENCY), 0)), wanted);
}

#[test]
fn keys_differ_in_every_part_and_hash_apart() {
    let base = key(1, 0x0200);
    let others =
        [key(2, 0x0200), key(1, 0x0100), Key { transmitted: 1_121_010_204, ..base }, Key { terminal: *b"TERM02  ", ..base }];
    assert!(others.iter().all(|other| *other != base && other.hash() != base.hash()));
    let hashes: std::collections::HashSet<u64> = (1..=100_000).map(|stan| key(stan, 0x0200).hash() >> 40).collect();
    assert!(hashes.len() > 90_000, "top bits of {} hashes differ", hashes.len());
}

#[test]
fn verdicts_have_sixteen_characters_and_codes_of_their_own() {
    use super::book::Difference as D;
    let differences = [D::DebitCount, D::DebitAmount, D::CreditCount, D::CreditAmount, D::NetAmount];
    let mut verdicts = vec![Verdict::Accepted, Verdict::NumberUsed(1121)];
    verdicts.extend(differences.map(Verdict::OutOfBalance));
    let codes: Vec<u8> = verdicts.iter().map(|verdict| verdict.code()).collect();
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(verdicts[1].answer(42).text, Some(*b"QD1121 000042   "));
    assert_eq!(verdicts[5].answer(42).text, Some(*b"RB CREDIT AMOUNT"));
}

#[test]
fn additional_data_is_read_to_its_end_or_not_at_all() {
    let found = Additional::parse("AD0041 StZP00560601CV003200XX000OR012RRN000000001").unwrap();
    assert_eq!((found.has_address, found.postal_code, found.cvc, found.is_refund), (true, Some("60601"), Some("200"), true));
    for text in ["A", "AD", "AD00", "AD004abc", "ADabc", "AD+04abcd", "AD004abcdZ"] {
        assert!(Additional::parse(text).is_none(), "{text}");
    }
}
