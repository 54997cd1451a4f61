use super::page::markdown;
use super::*;

fn seen(kind: Kind, minor: u64, pan: &str) -> Then {
    payment(&Seen { kind, minor, pan, claims_without_proof: false })
}

#[test]
fn every_row_is_within_reach_of_the_short_cut() {
    for row in TABLE {
        match row.when {
            When::Amount(minor) => assert!((AMOUNTS.0..=AMOUNTS.1).contains(&minor)),
            When::AmountWithin(first, last) => assert!(AMOUNTS.0 <= first && last <= AMOUNTS.1),
            When::Card(number) | When::CardPaidBack(number) => assert!(number.starts_with(CARD_PREFIX)),
            When::Cvc(value) => assert!(value.starts_with(CVC_PREFIX)),
            When::PostalCode(code) => assert!(POSTAL_CODE_PREFIXES.iter().any(|prefix| code.starts_with(prefix))),
            When::ClaimWithoutProof | When::Anything => {}
        }
    }
}

#[test]
fn rows_do_what_they_say() {
    let pan = "4012000098765439";
    for row in TABLE {
        match row.when {
            When::Amount(minor) => assert_eq!(seen(Kind::Sale, minor, pan), row.then),
            When::Card(number) => assert_eq!(seen(Kind::Sale, 1112, number), row.then),
            When::CardPaidBack(number) => {
                assert_eq!(seen(Kind::Refund, 1112, number), row.then);
                assert_eq!(seen(Kind::Sale, 1112, number), Then::Answer(ActionCode::APPROVED));
            }
            When::Cvc(cvc) => assert_eq!(Then::Cvv(cvv_letter(Some(cvc))), row.then),
            When::PostalCode(code) => assert_eq!(Then::Avs(avs_letter(true, Some(code))), row.then),
            When::ClaimWithoutProof => {
                let claim = |kind| payment(&Seen { kind, minor: 1112, pan, claims_without_proof: true });
                assert_eq!((claim(Kind::Sale), claim(Kind::Refund)), (row.then, Then::Answer(ActionCode::APPROVED)));
            }
            When::AmountWithin(..) => assert_eq!(seen(Kind::Credit, 900_099, pan), row.then),
            When::Anything => assert_eq!(seen(Kind::Sale, 1112, pan), row.then),
        }
    }
    assert_eq!(seen(Kind::Refund, 900_051, pan), Then::Answer(ActionCode::APPROVED), "a refund goes by its card");
    assert_eq!(cvv_letter(Some("20000")), b'M');
    assert_eq!(avs_letter(false, Some("200")), b'Z');
}

#[test]
fn last_two_digits_and_named_rows_agree() {
    for row in TABLE {
        if let (When::Amount(minor @ 900_001..=900_099), Then::Answer(action)) = (row.when, row.then) {
            assert_eq!(action.0, *format!("{:02}", minor % 100).as_bytes(), "{minor}");
        }
    }
}

#[test]
fn every_code_has_a_trigger_but_those_that_no_single_sale_gives() {
    let elsewhere = [0, 99, 301];
    for row in protocol::response_code::TABLE {
        assert_eq!(trigger_for(row.code.0).is_none(), elsewhere.contains(&row.code.0), "{:?}", row.code);
    }
    assert_eq!(trigger_for(202), Some(json!({"amount": 900_051})));
    assert_eq!(trigger_for(100), Some(json!({})));
}

#[test]
fn every_letter_of_avs_and_cvv2_is_reached() {
    let mut avs: Vec<u8> =
        TABLE.iter().filter_map(|row| if let Then::Avs(letter) = row.then { Some(letter) } else { None }).collect();
    avs.sort_unstable();
    assert_eq!(avs, b"0ABCDEFGIMNPRSUWXYZ");
    let mut cvv: Vec<u8> =
        TABLE.iter().filter_map(|row| if let Then::Cvv(letter) = row.then { Some(letter) } else { None }).collect();
    cvv.sort_unstable();
    assert_eq!((cvv.as_slice(), cvv_letter(Some("999"))), (b"NPSU".as_slice(), b'M'));
}

#[test]
fn an_amount_that_the_gateway_denies_is_no_trigger_of_a_host() {
    for (minor, code) in DENIED_AMOUNTS {
        assert!(!(AMOUNTS.0..=AMOUNTS.1).contains(minor));
        assert_eq!(trigger_for(code.0), Some(json!({ "amount": minor })));
    }
}

#[test]
fn the_page_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/TRIGGERS.md");
    if std::env::var_os("WRITE_TRIGGERS").is_some() {
        std::fs::write(path, markdown()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written, markdown(), "run WRITE_TRIGGERS=1 cargo test -p sandbox the_page_is_the_table");
}
