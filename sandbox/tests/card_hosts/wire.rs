//! What comes in wrong: a bad frame ends its connection and nothing else; a bad request is answered.

use std::time::{Duration, Instant};

use crate::client::{Client, Hosts, NoAnswer, Request};

#[test]
fn a_bad_frame_closes_its_own_connection_only() {
    let hosts = Hosts::start();
    let mut bystander = hosts.client();
    let unknown_type = {
        let mut frame = Request::network("301").frame();
        frame[2..6].copy_from_slice(b"0600");
        frame
    };
    let whole = Request::sale(100, 1).frame();
    let mut truncated = whole[..whole.len() - 4].to_vec();
    let length = (truncated.len() - 2) as u16;
    truncated[..2].copy_from_slice(&length.to_be_bytes());
    let frames: [&[u8]; 6] = [b"\x00\x00", b"\x10\x01", b"\xff\xff\xff\xff", b"\x00\x08garbage!", &unknown_type, &truncated];
    for frame in frames {
        let mut client = hosts.client();
        client.send_bytes(frame);
        assert_eq!(client.receive(), Err(NoAnswer::Closed), "{frame:02x?}");
        assert_eq!(bystander.ask(&Request::network("301")).action(), "00");
    }
    assert_eq!(hosts.entries().len(), 0);
}

#[test]
fn answers_to_what_came_before_a_bad_frame_are_sent() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let mut bytes = Request::sale(100, 1).frame();
    bytes.extend_from_slice(b"\x00\x04oops");
    bytes.extend_from_slice(&Request::sale(100, 2).frame());
    client.send_bytes(&bytes);
    assert_eq!(client.receive().unwrap().action(), "00");
    assert_eq!(client.receive(), Err(NoAnswer::Closed));
    assert_eq!(hosts.entries().len(), 1);
}

#[test]
fn a_frame_may_come_in_pieces() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let frame = Request::sale(100, 1).frame();
    for piece in frame.chunks(7) {
        client.send_bytes(piece);
    }
    assert_eq!(client.receive().unwrap().action(), "00");
}

#[test]
fn a_missing_field_is_a_format_error_and_a_strange_processing_code_invalid() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let sale = Request::sale(100, 1);
    for field in [2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 25, 32, 37, 41, 42, 49] {
        assert_eq!(client.ask(&sale.clone().without(field)).action(), "30", "without field {field}");
    }
    assert_eq!(client.ask(&sale.reversal(2).without(90)).action(), "30");
    assert_eq!(client.ask(&sale.clone().with(3, "310000")).action(), "12");
    assert_eq!(client.ask(&Request::authorization(100, 3).with(3, "200000")).action(), "12");
    assert_eq!(client.ask(&Request::totals(4, 1, (0, 0), (0, 0)).with(60, "ABC")).action(), "30");
    assert_eq!(hosts.entries().len(), 0);
    assert_eq!(client.ask(&sale).action(), "00");
}

#[test]
fn connections_beyond_the_limit_are_refused() {
    let hosts = Hosts::start();
    let clients: Vec<Client> = (0..sandbox::limits::CONNECTIONS_MAX).map(|_| hosts.client()).collect();
    let mut refused = Client::connect(hosts.running.card.addr);
    assert_eq!(refused.try_ask(&Request::network("001")), Err(NoAnswer::Closed));
    drop(clients);
}

#[test]
fn a_closed_connection_is_forgotten() {
    let hosts = Hosts::start();
    let clients = [hosts.client(), hosts.client()];
    assert_eq!(hosts.get("/stats")["signed_on"], 2);
    drop(clients);
    let deadline = Instant::now() + Duration::from_secs(5);
    while hosts.get("/stats")["signed_on"] != 0 {
        assert!(Instant::now() < deadline, "{}", hosts.get("/stats"));
    }
}
