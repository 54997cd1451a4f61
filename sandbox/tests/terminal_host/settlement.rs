//! Batches of a register, over all its terminals, and what outlives the host.

use crate::client::{Request, said};
use crate::host::Host;

/// Three debits of 22.00 and two credits of 3.00, at two terminals, and what does not count.
fn a_day(host: &Host) {
    host.ask(&Request::sale("RRN000000001", "5.00"));
    host.ask(&Request::sale("RRN000000002", "10.00").at("000000000004"));
    host.ask(&Request::auth("RRN000000003", "9.00"));
    host.ask(&Request::capture("RRN000000003", "5.00"));
    host.ask(&Request::refund("RRN000000004", "2.00", "RRN000000001"));
    host.ask(&Request::credit("RRN000000005", "1.00"));
    host.ask(&Request::sale("RRN000000006", "9000.05"));
    host.ask(&Request::sale("RRN000000007", "7.00"));
    host.ask(&Request::of("Void", "RRN000000007"));
    host.ask(&Request::sale("RRN000000008", "8.00").with("BatchNum", "2"));
    host.ask(&Request::sale("RRN000000009", "8.00").with("RegisterId", "R2"));
    host.ask(&Request::auth("RRN000000010", "8.00"));
}

const DEBITS: (&str, &str) = ("3", "22.00");
const CREDITS: (&str, &str) = ("2", "3.00");

#[test]
fn a_batch_in_balance_closes_and_its_number_rests() {
    let host = Host::start();
    a_day(&host);
    let settle = |reference, number, debits, credits| host.ask(&Request::settle(reference, number, debits, credits)).said();
    assert_eq!(settle("S1", "1", ("2", "22.00"), CREDITS), said("1", "RB DEBIT COUNT"));
    assert_eq!(settle("S2", "1", ("3", "20.00"), CREDITS), said("1", "RB DEBIT AMOUNT"));
    assert_eq!(settle("S3", "1", DEBITS, ("1", "3.00")), said("1", "RB CREDIT COUNT"));
    assert_eq!(settle("S4", "1", DEBITS, ("2", "3.01")), said("1", "RB CREDIT AMOUNT"));
    assert_eq!(settle("S5", "1", DEBITS, CREDITS), said("0", "GB000001 ACCEPT"));
    assert_eq!(settle("S5", "1", DEBITS, CREDITS), said("0", "GB000001 ACCEPT"), "the same totals once more");
    assert!(settle("S6", "1", ("0", "0.00"), ("0", "0.00")).1.starts_with("QD"), "the number was used");
    host.control("POST", "/clock", r#"{"advance_seconds":432001}"#);
    assert_eq!(settle("S7", "1", ("0", "0.00"), ("0", "0.00")), said("0", "GB000001 ACCEPT"), "five days later");
    assert_eq!(host.ask(&Request::of("Void", "RRN000000001")).said(), said("1", "ALREADY SETTLED"));
    assert_eq!(host.ask(&Request::of("Void", "RRN000000003")).said(), said("1", "ALREADY SETTLED"), "its capture is");
    assert_eq!(host.ask(&Request::of("Void", "RRN000000008")).said(), said("0", "APPROVAL"), "of another batch");
    let batches: Vec<Option<u64>> =
        host.control("GET", "/ledger", "")["entries"].as_array().unwrap().iter().map(|entry| entry["batch"].as_u64()).collect();
    let settled: Vec<usize> = batches.iter().enumerate().filter(|(_, batch)| batch.is_some()).map(|(at, _)| at).collect();
    assert_eq!(settled, [0, 1, 3, 4, 5], "both sales, the capture, the refund, the credit");
}

#[test]
fn a_restart_changes_nothing_that_money_depends_on() {
    let host = Host::start();
    a_day(&host);
    let statuses = |host: &Host| -> Vec<_> {
        let answers = (1..=10).map(|number| host.ask(&Request::of("Status", &format!("RRN{number:09}"))));
        answers.map(|answer| (answer.said(), answer.get("Voided").to_owned(), answer.ext("TotalAmt").to_owned())).collect()
    };
    let (ledger, before) = (host.ledger(), statuses(&host));
    let host = host.restart();
    assert_eq!((host.ledger(), statuses(&host)), (ledger, before));
    assert_eq!(host.ask(&Request::sale("RRN000000001", "5.00")).get("TransNum"), "0", "its first answer, from the ledger");
    assert_eq!(host.ask(&Request::settle("S1", "1", DEBITS, CREDITS)).said(), said("0", "GB000001 ACCEPT"));
    let host = host.restart();
    assert_eq!(host.ask(&Request::settle("S1", "1", DEBITS, CREDITS)).said(), said("0", "GB000001 ACCEPT"));
    assert_eq!(host.ask(&Request::of("Void", "RRN000000001")).said(), said("1", "ALREADY SETTLED"));
}
