//! What banks send back: each reason, in order, without gaps, the same after a restart.

use crate::client::Check;
use crate::host::Host;

/// Sequence, transaction and code of each notice of a page.
fn notices(page: &str) -> Vec<(u64, String, String)> {
    let part = |text: &str, from: &str, to: &str| text.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    let notice = |text: &str| {
        let sequence = part(text, "", "\"").parse().unwrap();
        (sequence, part(text, "<TRANSACTION_ID>", "<"), part(text, "<CODE>", "<"))
    };
    page.split("SEQUENCE=\"").skip(1).map(notice).collect()
}

#[test]
fn every_reason_is_reached_by_its_amount() {
    let host = Host::start();
    let mut wanted = Vec::new();
    let amounts = ["9101.01", "9101.09", "9101.47", "9101.85", "9103.01", "9103.14"];
    let codes = ["R01", "R09", "R47", "R85", "C01", "C14"];
    for (number, (amount, code)) in (1..).zip(amounts.into_iter().zip(codes)) {
        assert_eq!(host.ask(&Check::sale(number, amount)).get("RESPONSE_TYPE"), "A");
        wanted.push((u64::from(number), format!("RRN{number:09}"), code.to_owned()));
    }
    for (number, amount) in (20..).zip(["9101.00", "9101.48", "9101.86", "9103.10", "-1.00"]) {
        assert_eq!(host.ask(&Check::sale(number, amount)).get("RESPONSE_TYPE"), "A", "{amount} names no reason");
    }
    host.advance(3);
    let page = host.returns(0);
    assert_eq!(notices(&page), wanted);
    assert!(page.contains("LAST=\"6\"") && page.contains("<REASON>Insufficient funds</REASON>"), "{page}");
    assert_eq!(page.matches("<CORRECTED>").count(), 2);
    assert_eq!(notices(&host.returns(4)), wanted[4..]);
    assert!(notices(&host.returns(6)).is_empty() && notices(&host.returns(u64::MAX)).is_empty());
    let returned: Vec<String> =
        host.shape().into_iter().map(|(_, _, _, reversed, code)| format!("{reversed}{code}")).take(6).collect();
    assert_eq!(returned, ["falseR01", "falseR09", "falseR47", "falseR85", "false", "false"]);
    let host = host.restart();
    assert_eq!(host.returns(0), page, "the ledger keeps them, with their moments");
    let stats = host.control("GET", "/stats", "");
    assert_eq!((stats["returns"].as_u64(), host.entries().len()), (Some(0), 11), "none is made twice");
}

#[test]
fn a_credit_comes_back_too_and_what_was_taken_back_does_not() {
    let host = Host::start();
    let (credit, voided, reversed) =
        (Check::sale(1, "-3.00").at("000000001"), Check::sale(2, "4.00").at("000000001"), Check::sale(3, "9101.02"));
    for check in [&credit, &voided, &reversed] {
        host.ask(check);
    }
    host.ask(&voided.again_as("V", 10));
    host.ask(&reversed.again_as("F", 11));
    host.advance(60);
    assert_eq!(notices(&host.returns(0)), [(1, "RRN000000001".to_owned(), "R01".to_owned())]);
    assert_eq!(host.ask(&credit.again_as("V", 12)).get("CODE"), "NO SUCH ORIGINAL", "it came back already");
    assert_eq!(host.ask(&credit.again_as("F", 13)).get("CODE"), "REVERSAL ACCEPTED");
}
