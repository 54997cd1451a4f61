//! The persons at the terminals: slow, one at a time, and free to change their minds.

use crate::client::{Request, said};
use crate::host::{Host, read};

/// Nobody comes for a long while.
const SLOW: &str = r#"{"delay_ms":[60000,60000]}"#;

#[test]
fn a_terminal_does_one_thing_at_a_time() {
    let host = Host::start();
    host.control("POST", "/faults", SLOW);
    let slow = host.begin(&Request::sale("RRN000000001", "5.00"));
    assert_eq!(host.wait_while("RRN000000001", "NOT FOUND").said(), said("2", "IN PROGRESS"));
    host.control("POST", "/faults", "{}");
    assert_eq!(host.ask(&Request::sale("RRN000000002", "6.00")).said(), said("2", "TERMINAL BUSY"));
    assert_eq!(host.ask(&Request::sale("RRN000000001", "5.00")).said(), said("2", "TERMINAL BUSY"), "the same, once more");
    assert_eq!(host.ask(&Request::sale("RRN000000003", "7.00").at("000000000004")).said(), said("0", "APPROVAL"));
    assert_eq!(host.ask(&Request::of("Status", "RRN000000002")).said(), said("1", "NOT FOUND"), "turned away, not declined");
    assert_eq!(host.ask(&Request::of("Cancel", "RRN000000001")).said(), said("0", "CANCELED"));
    let answer = read(slow, 5_000).unwrap().1;
    assert!(answer.contains("<ResultCode>1</ResultCode><RespMSG>CANCELED</RespMSG>"), "{answer}");
    assert_eq!(host.ask(&Request::sale("RRN000000002", "6.00")).said(), said("0", "APPROVAL"), "the terminal is free");
    assert_eq!((host.stat("busy"), host.stat("cancelled")), (2, 1));
}

#[test]
fn what_was_begun_is_brought_to_its_end_although_the_register_hangs_up() {
    let host = Host::start();
    host.control("POST", "/faults", r#"{"delay_ms":[80,80]}"#);
    let register = host.begin(&Request::sale("RRN000000001", "5.00"));
    host.wait_while("RRN000000001", "NOT FOUND");
    drop(register);
    assert_eq!(host.wait_while("RRN000000001", "IN PROGRESS").said(), said("0", "APPROVAL"));
    assert_eq!(host.ledger().len(), 1);
}

#[test]
fn a_cancellation_ends_what_is_undecided_and_forbids_what_has_not_come() {
    let host = Host::start();
    let cancel = |reference| host.ask(&Request::of("Cancel", reference)).said();
    assert_eq!(cancel("RRN000000001"), said("0", "CANCELED"));
    assert_eq!(cancel("RRN000000001"), said("0", "CANCELED"));
    assert_eq!(host.ask(&Request::of("Status", "RRN000000001")).said(), said("1", "NOT FOUND"));
    assert_eq!(host.ask(&Request::sale("RRN000000001", "5.00")).said(), said("1", "CANCELED"), "it came after all");
    host.ask(&Request::sale("RRN000000002", "5.00"));
    assert_eq!(cancel("RRN000000002"), said("1", "ALREADY APPROVED"));
    host.ask(&Request::of("Void", "RRN000000002"));
    assert_eq!(cancel("RRN000000002"), said("0", "CANCELED"), "nothing of it stands");
    host.ask(&Request::sale("RRN000000003", "9000.05"));
    assert_eq!(cancel("RRN000000003"), said("0", "CANCELED"));
    let approved: Vec<(String, bool)> = host.ledger().into_iter().map(|(_, kind, _, approved, _)| (kind, approved)).collect();
    let expected = [("reversal", false), ("sale", false), ("sale", true), ("void", true), ("sale", false)];
    assert_eq!(approved, expected.map(|(kind, approved)| (kind.to_owned(), approved)));
}
