use super::*;

const HERE: &str = "127.0.0.1:8080";

fn sale() -> Target {
    Target::sale(HERE.parse().unwrap(), "api_secret", "run-1", 42, AMOUNTS_DEFAULT).unwrap()
}

fn rendered(target: &Target, sequence: u64) -> (String, serde_json::Value) {
    let mut bytes = vec![b'x'; 7];
    target.render(sequence, &mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

#[test]
fn a_sale_is_valid_json_with_its_key_and_amount_in_place() {
    let target = sale();
    for sequence in [0, 1, 999_999_999_999] {
        let (head, body) = rendered(&target, sequence);
        assert!(head.starts_with("POST /api/transaction HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n"));
        assert!(head.contains("\r\nauthorization: api_secret\r\n"));
        assert_eq!(body["idempotency_key"], target.key(sequence));
        assert_eq!(body["amount"], target.amount(sequence));
        assert_eq!(body["type"], "sale");
    }
    assert_eq!(target.key(7), "run-1-000000000007");
}

#[test]
fn every_test_card_is_used_and_amounts_vary_within_their_bounds() {
    let target = sale();
    let mut cards = std::collections::BTreeSet::new();
    let mut amounts = std::collections::BTreeSet::new();
    for sequence in 0..500 {
        let (_, body) = rendered(&target, sequence);
        cards.insert(body["payment_method"]["card"]["number"].as_str().unwrap().to_owned());
        amounts.insert(target.amount(sequence));
    }
    assert_eq!(cards.len(), APPROVED_CARDS.len());
    assert!(amounts.len() > 400, "seed 42: only {} different amounts", amounts.len());
    assert!(amounts.first() >= Some(&AMOUNTS_DEFAULT.0) && amounts.last() <= Some(&AMOUNTS_DEFAULT.1));
}

#[test]
fn only_loopback_is_accepted() {
    for good in [HERE, "http://127.0.0.1:8080", "http://localhost:8080/"] {
        assert_eq!(loopback(good).unwrap(), HERE.parse().unwrap());
    }
    assert!(loopback("http://[::1]:80").is_ok());
    for elsewhere in ["http://10.0.0.1:80", "192.0.2.7:8080", "0.0.0.0:8080"] {
        assert!(matches!(loopback(elsewhere), Err(LoadError::NotLoopback(_))), "{elsewhere}");
    }
    for unusable in ["https://127.0.0.1:443", "example.com:80", "localhost", ""] {
        assert!(matches!(loopback(unusable), Err(LoadError::BadTarget { .. })), "{unusable}");
    }
    let outside = "192.0.2.7:80".parse().unwrap();
    assert!(matches!(Target::sale(outside, "k", "r", 0, AMOUNTS_DEFAULT), Err(LoadError::NotLoopback(_))));
}

#[test]
fn what_could_break_out_of_a_header_or_a_key_is_refused() {
    let here = HERE.parse().unwrap();
    for key in ["", "a\r\nx: y", "with space", "quo\"te"] {
        assert!(matches!(Target::sale(here, key, "r", 0, AMOUNTS_DEFAULT), Err(LoadError::NotVisibleAscii { .. })));
        assert!(matches!(Target::sale(here, "k", key, 0, AMOUNTS_DEFAULT), Err(LoadError::NotVisibleAscii { .. })));
    }
    assert!(matches!(Target::sale(here, "k", "r", 0, (999, 1_000)), Err(LoadError::Amounts { .. })));
}

#[test]
fn the_api_key_is_not_in_the_debug_form() {
    assert!(!format!("{:?}", sale()).contains("secret"));
}
