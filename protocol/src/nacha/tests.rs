//! A file against one laid out by hand from the rules' tables of fields, and any file against what its records say of each other.

use super::SecCode;
use super::file::*;
use crate::calendar::Micros;
use crate::secret::AccountNumber;
use proptest::prelude::*;

/// 2026-11-21T14:05:59Z.
const NOW: Micros = Micros(1_795_269_959_000_000);

const HEADER: FileHeader<'static> = FileHeader {
    destination: "011000015",
    destination_name: "FEDERAL RESERVE BANK",
    origin: "1234567890",
    origin_name: "SWITCHYARD",
    created: NOW,
    modifier: 'A',
};

fn entry(account: &AccountNumber, amount: u64) -> Entry<'_> {
    let (routing, id, name) = ("490000018", "RRN000000001", "JOHN SMITH");
    Entry { is_credit: false, is_savings: false, routing, account, amount, id, name, is_recurring: false, addendum: None }
}

fn batch(sec: SecCode, entries: Vec<Entry<'_>>) -> Batch<'_> {
    let effective = NOW.plus_s(3 * 86_400);
    Batch {
        company_name: "TEST COMPANY",
        company_id: "1987654321",
        sec,
        description: "PAYMENT",
        effective,
        odfi: "12100037",
        entries,
    }
}

/// Its fields are those of the rules' tables, position by position.
const BY_HAND: [&str; 20] = [
    // Priority, destination, origin, date, time, modifier, record size, blocking factor, format, names, reference.
    "101 01100001512345678902611211405A094101FEDERAL RESERVE BANK   SWITCHYARD                     ",
    // Service class, company, discretionary, identification, class, description, two dates, settlement, status, bank, number.
    "5225TEST COMPANY                        1987654321WEBPAYMENT   261124261124   1121000370000001",
    // Code, bank and check digit, account, amount, identification, name, series, addendum, trace.
    "62749000001824413815         0000010112RRN000000001   JOHN SMITH            S 0121000370000001",
    "637011000015A1               0000000005RRN000000002   JOSE FERNANDEZ-VERYLONR 0121000370000002",
    // Service class, entries and addenda, hash, debits, credits, identification, authentication, reserved, bank, number.
    "822500000200501000020000000101170000000000001987654321                         121000370000001",
    "5200TEST COMPANY                        1987654321PPDPAYMENT   261124261124   1121000370000002",
    "632490000018A1               0000000100RRN000000003   SAVER                   1121000370000003",
    // Addendum type, words, its number, the entry's number.
    "705REFUND OF ORDER 7                                                               00010000003",
    "62749000001824413815         0000000001RRN000000004   JOHN SMITH              0121000370000004",
    "820000000300980000020000000000010000000001001987654321                         121000370000002",
    // Batches, blocks, entries and addenda, hash, debits, credits, reserved.
    "9000002000002000000050148100004000000010118000000000100                                       ",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
];

#[test]
fn a_file_is_what_the_rules_tables_say() {
    let (first, second) = (AccountNumber::new("24413815").unwrap(), AccountNumber::new("A1").unwrap());
    let web = batch(
        SecCode::Web,
        vec![
            entry(&first, 10_112),
            Entry {
                is_savings: true,
                routing: "011000015",
                id: "RRN000000002",
                name: "JOS\u{c9} FERN\u{c1}NDEZ-VERYLONGNAME",
                is_recurring: true,
                ..entry(&second, 5)
            },
        ],
    );
    let ppd = batch(
        SecCode::Ppd,
        vec![
            Entry {
                is_credit: true,
                is_savings: true,
                id: "RRN000000003",
                name: "SAVER",
                addendum: Some("REFUND OF ORDER 7"),
                ..entry(&second, 100)
            },
            Entry { id: "RRN000000004", ..entry(&first, 1) },
        ],
    );
    let bytes = write(&HEADER, &[web, ppd]).unwrap();
    let lines: Vec<&str> = core::str::from_utf8(&bytes).unwrap().lines().collect();
    assert_eq!(lines, BY_HAND);
}

#[test]
fn what_a_bank_would_refuse_is_not_written() {
    let account = AccountNumber::new("24413815").unwrap();
    let good = entry(&account, 100);
    let of = |sec: SecCode, entry: Entry<'_>| write(&HEADER, &[batch(sec, vec![entry])]).map(|_| ());
    assert_eq!(of(SecCode::Tel, good), Ok(()));
    for (sec, bad, why) in [
        (SecCode::Web, Entry { amount: 0, ..good }, Unwritable::Amount { entry: 1, amount: 0 }),
        (SecCode::Web, entry(&account, ENTRY_AMOUNT_MAX_MINOR + 1), Unwritable::Amount { entry: 1, amount: 10_000_000_000 }),
        (SecCode::Web, Entry { routing: "49000001", ..good }, Unwritable::Routing { entry: 1 }),
        (SecCode::Web, Entry { routing: "49000001x", ..good }, Unwritable::Routing { entry: 1 }),
        (SecCode::Web, Entry { is_credit: true, ..good }, Unwritable::Credit { entry: 1, sec: SecCode::Web }),
        (SecCode::Tel, Entry { is_credit: true, ..good }, Unwritable::Credit { entry: 1, sec: SecCode::Tel }),
        (SecCode::Tel, Entry { addendum: Some("x"), ..good }, Unwritable::Addendum { entry: 1 }),
    ] {
        assert_eq!(of(sec, bad), Err(why));
    }
    assert_eq!(write(&HEADER, &[]).unwrap_err(), Unwritable::Empty);
    assert_eq!(write(&HEADER, &[batch(SecCode::Web, Vec::new())]).unwrap_err(), Unwritable::Empty);
    let elsewhere = FileHeader { destination: "01100001", ..HEADER };
    assert_eq!(write(&elsewhere, &[batch(SecCode::Web, vec![good])]).unwrap_err(), Unwritable::Routing { entry: 0 });
    let rich = vec![entry(&account, ENTRY_AMOUNT_MAX_MINOR); 101];
    assert_eq!(write(&HEADER, &[batch(SecCode::Ccd, rich)]).unwrap_err(), Unwritable::TooMuch);
    assert_eq!((class_of(SecCode::Web, true), class_of(SecCode::Ccd, true)), (SecCode::Ppd, SecCode::Ccd));
}

/// A number in the columns of the rules' tables, which count from 1.
fn number(record: &str, from: usize, to: usize) -> u64 {
    record[from - 1..to].parse().unwrap()
}

/// Reads a file by its columns and checks every sum that one record states of others. Gives the entries' amounts.
fn check(file: &str) -> Vec<u64> {
    let records: Vec<&str> = file.lines().collect();
    assert!(records.iter().all(|record| record.len() == 94) && records.len().is_multiple_of(10));
    let (mut batch, mut whole, mut amounts) = ([0u64; 4], [0u64; 4], Vec::new());
    let mut batches = 0;
    let mut is_over = false;
    for record in &records {
        match &record[..1] {
            "1" | "5" => {}
            "6" => {
                let amount = number(record, 30, 39);
                let is_debit = ["27", "37"].contains(&&record[1..3]);
                assert_eq!(number(record, 88, 94), amounts.len() as u64 + 1, "trace numbers ascend");
                amounts.push(amount);
                let (debit, credit) = if is_debit { (amount, 0) } else { (0, amount) };
                for (sum, part) in batch.iter_mut().zip([1, number(record, 4, 11), debit, credit]) {
                    *sum += part;
                }
            }
            "7" => batch[0] += 1,
            "8" => {
                let stated = [number(record, 5, 10), number(record, 11, 20), number(record, 21, 32), number(record, 33, 44)];
                assert_eq!(stated, [batch[0], batch[1] % 10_000_000_000, batch[2], batch[3]]);
                whole.iter_mut().zip(batch).for_each(|(sum, part)| *sum += part);
                (batch, batches) = ([0; 4], batches + 1);
                assert_eq!(number(record, 88, 94), batches);
            }
            _ if is_over => assert_eq!(*record, "9".repeat(94)),
            _ => {
                let stated = [number(record, 14, 21), number(record, 22, 31), number(record, 32, 43), number(record, 44, 55)];
                assert_eq!(stated, [whole[0], whole[1] % 10_000_000_000, whole[2], whole[3]]);
                assert_eq!((number(record, 2, 7), number(record, 8, 13)), (batches, records.len() as u64 / 10));
                is_over = true;
            }
        }
    }
    assert!(is_over);
    amounts
}

proptest! {
    #[test]
    fn every_files_records_agree(amounts in proptest::collection::vec((1..1_000_000u64, any::<bool>(), any::<bool>()), 1..40), name in "\\PC{0,30}") {
        let account = AccountNumber::new("12345678901234567").unwrap();
        let of = |&(amount, is_credit, with_words): &(u64, bool, bool)| {
            let addendum = with_words.then_some(name.as_str());
            Entry { is_credit, name: &name, routing: "999999992", addendum, ..entry(&account, amount) }
        };
        let entries: Vec<Entry<'_>> = amounts.iter().map(of).collect();
        let bytes = write(&HEADER, &[batch(SecCode::Ppd, entries.clone()), batch(SecCode::Ccd, entries)]).unwrap();
        let wanted: Vec<u64> = amounts.iter().chain(&amounts).map(|(amount, ..)| *amount).collect();
        prop_assert_eq!(check(core::str::from_utf8(&bytes).unwrap()), wanted);
    }
}
