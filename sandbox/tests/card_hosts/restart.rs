//! What outlives the hosts: the ledger, and with it every answer and every total.

use std::io::Write;

use sandbox::{Listen, SandboxError};

use crate::client::{Hosts, Request, options};

#[test]
fn a_restart_changes_nothing() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let (sale, authorization) = (Request::sale(500, 1), Request::authorization(900, 2).with(48, "CV003123"));
    let (partial, unseen) = (Request::sale(900_010, 3), Request::sale(70, 4));
    let capture = authorization.capture(800, 5);
    let requests = [&sale, &authorization, &partial, &capture, &unseen.reversal(6)];
    let answers = requests.map(|request| client.ask(request));
    client.ask(&Request::totals(7, 1, (9, 9), (0, 0)));
    let ledger = hosts.get("/ledger");

    let hosts = hosts.restart();
    let mut client = hosts.client();
    assert_eq!(hosts.get("/ledger"), ledger);
    assert_eq!(requests.map(|request| client.ask(request)), answers, "duplicates, from the ledger");
    assert_eq!(client.ask(&unseen).action(), "12", "forestalled before the restart");
    assert_eq!(client.ask(&authorization.capture(10, 8)).action(), "94");
    assert_eq!(client.ask(&sale.void(9)).action(), "00");
    assert_eq!(client.ask(&Request::totals(10, 1, (2, 800 + 450_005), (0, 0))).action(), "00");

    let hosts = hosts.restart();
    let mut client = hosts.client();
    assert_eq!(client.ask(&Request::totals(11, 1, (0, 0), (0, 0))).action(), "94", "the batch number stays used");
    assert_eq!(client.ask(&authorization.void(12)).action(), "25", "settled before the restart");
}

#[test]
fn a_torn_row_is_cut_and_a_damaged_ledger_is_not_started() {
    let hosts = Hosts::start();
    hosts.client().ask(&Request::sale(500, 1));
    hosts.running.shutdown();
    let folder = hosts.folder;
    let path = folder.path().join("sandbox/card.ledger");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&[1; 50]).unwrap();
    let hosts = Hosts::start_in(folder);
    hosts.client().ask(&Request::sale(500, 2));
    assert_eq!(hosts.entries().len(), 2);
    hosts.running.shutdown();
    let folder = hosts.folder;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[5] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = sandbox::start(options(&folder)).unwrap_err();
    assert!(matches!(error, SandboxError::LedgerDamaged { offset: 0, .. }), "{error}");
}

#[test]
fn addresses_that_others_can_reach_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for listen in [
        Listen { addr: "0.0.0.0:0".parse().unwrap(), ..Listen::default() },
        Listen { control: "0.0.0.0:0".parse().unwrap(), ..Listen::default() },
    ] {
        let mut options = options(&folder);
        options.card_2 = listen;
        assert!(matches!(sandbox::start(options), Err(SandboxError::NotLoopback { .. })));
    }
}

#[test]
fn a_port_in_use_is_named() {
    let hosts = Hosts::start();
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.card.addr = hosts.running.card.addr;
    let error = sandbox::start(options).unwrap_err();
    assert!(error.to_string().contains(&hosts.running.card.addr.to_string()), "{error}");
}
