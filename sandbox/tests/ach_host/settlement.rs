//! Totals: accepted, out of balance, number used; what a batch had shows in the ledger.

use crate::client::{Answer, Check, envelope, escaped};
use crate::host::Host;

/// Presents totals: number and decimal amount of debits, then of credits.
fn settle(host: &Host, trace: u32, numbers: (u32, u32), debits: (u32, &str), credits: (u32, &str)) -> String {
    let packet = format!(
        "<AUTH_GATEWAY REQUEST_ID=\"{:06}-{trace:06}-B\"><SETTLEMENT><BATCH_NUMBER>{}</BATCH_NUMBER><MEMBERS_NUMBER>{}</MEMBERS_NUMBER>\
         <TRACE_NUMBER>{trace:06}</TRACE_NUMBER><DEBIT_COUNT>{}</DEBIT_COUNT><DEBIT_AMOUNT>{}</DEBIT_AMOUNT>\
         <CREDIT_COUNT>{}</CREDIT_COUNT><CREDIT_AMOUNT>{}</CREDIT_AMOUNT></SETTLEMENT></AUTH_GATEWAY>",
        numbers.0, numbers.0, numbers.1, debits.0, debits.1, credits.0, credits.1
    );
    let call = format!("<SettleBatch><DataPacket>{}</DataPacket></SettleBatch>", escaped(&packet));
    Answer::of(host.post(&envelope("TERM01", "", &call)).unwrap()).get("CODE").to_owned()
}

#[test]
fn totals_must_be_the_hosts_own() {
    let host = Host::start();
    for check in [Check::sale(1, "5.00"), Check::sale(2, "7.25"), Check::sale(3, "-2.00"), Check::sale(4, "9.00")] {
        host.ask(&check);
    }
    host.ask(&Check::sale(4, "9.00").again_as("V", 5));
    host.ask(&Check { batch: 2, ..Check::sale(6, "1.00") });
    assert_eq!(settle(&host, 10, (1, 1), (3, "12.25"), (1, "2.00")), "RB DEBIT COUNT");
    assert_eq!(settle(&host, 11, (2, 1), (2, "12.26"), (1, "2.00")), "RB DEBIT AMOUNT");
    assert_eq!(settle(&host, 12, (3, 1), (2, "12.25"), (0, "2.00")), "RB CREDIT COUNT");
    assert_eq!(settle(&host, 13, (4, 1), (2, "12.25"), (1, "0.00")), "RB CREDIT AMOUNT");
    assert_eq!(settle(&host, 14, (5, 1), (2, "12.25"), (1, "2.00")), "GB000005 ACCEPT");
    assert_eq!(settle(&host, 14, (5, 1), (2, "12.25"), (1, "2.00")), "GB000005 ACCEPT", "a repeat of the same message");
    assert!(settle(&host, 15, (5, 2), (1, "1.00"), (0, "0.00")).starts_with("QD"), "the number is used");
    let host = host.restart();
    assert_eq!(settle(&host, 14, (5, 1), (2, "12.25"), (1, "2.00")), "GB000005 ACCEPT");
    assert_eq!(settle(&host, 16, (6, 2), (1, "1.00"), (0, "0.00")), "GB000006 ACCEPT");
    let batches: Vec<Option<u64>> = host.entries().iter().map(|entry| entry["batch"].as_u64()).collect();
    assert_eq!(batches, [Some(5), Some(5), Some(5), None, None, Some(6)]);
    assert_eq!(host.ask(&Check::sale(1, "5.00").again_as("V", 20)).get("CODE"), "NO SUCH ORIGINAL", "settled");
}

#[test]
fn a_host_that_keeps_numbers_and_no_answers_finds_a_repeat_used() {
    let host = Host::start();
    host.control("POST", "/faults", "{\"forget_totals\":true}");
    assert_eq!(settle(&host, 1, (1, 1), (0, "0.00"), (0, "0.00")), "GB000001 ACCEPT");
    assert!(settle(&host, 1, (1, 1), (0, "0.00"), (0, "0.00")).starts_with("QD"));
    host.advance(5 * 86_400 + 1);
    assert_eq!(settle(&host, 2, (1, 1), (0, "0.00"), (0, "0.00")), "GB000001 ACCEPT", "after five days");
}

#[test]
fn what_came_back_before_settlement_is_not_in_it() {
    let host = Host::start();
    host.ask(&Check::sale(1, "5.00"));
    host.ask(&Check::sale(2, "7.00").at("000000001"));
    host.advance(3);
    assert_eq!(settle(&host, 9, (1, 1), (1, "5.00"), (0, "0.00")), "GB000001 ACCEPT");
    let returned = host.entries()[1].clone();
    assert_eq!((returned["returned"].as_str(), returned.get("batch")), (Some("R01"), None));
}

#[test]
fn what_comes_back_after_settlement_stays_in_it() {
    let host = Host::start();
    host.ask(&Check::sale(1, "5.00").at("000000002"));
    assert_eq!(settle(&host, 9, (1, 1), (1, "5.00"), (0, "0.00")), "GB000001 ACCEPT");
    host.advance(86_000);
    assert!(host.returns(0).contains("LAST=\"0\""));
    host.advance(401);
    assert!(host.returns(0).contains("<CODE>R10</CODE>"));
    let entry = host.entries()[0].clone();
    assert_eq!((entry["returned"].as_str(), entry["batch"].as_u64()), (Some("R10"), Some(1)));
}
