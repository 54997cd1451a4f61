//! What is not a payment: the host's own network management, and codes that authenticate messages.

use super::*;
use protocol::iso8583::{Frames, MacKey};

fn key(byte: u8) -> MacKey {
    MacKey::new(&[byte; 32]).unwrap()
}

/// A frame of the host's, sealed with this key when there is one.
fn frame(key: Option<&MacKey>, mti: Mti, stan: u64, fields: &[(u8, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let write = |buffer: &mut Vec<u8>| {
        let mut encoder = Encoder::begin(&TSYS, mti, buffer)?;
        let mut is_numbered = false;
        for (number, text) in fields {
            if *number > 11 && !is_numbered {
                encoder.number(11, stan)?;
                is_numbered = true;
            }
            encoder.text(*number, text)?;
        }
        encoder.finish_under(key)
    };
    append_frame(&mut bytes, write).unwrap();
    bytes
}

fn messages(bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Frames::new(bytes);
    core::iter::from_fn(|| frames.next_message().unwrap()).collect()
}

#[test]
fn the_hosts_own_echo_and_cut_over_are_answered() {
    for (code, action_code) in [("301", "00"), ("201", "00"), ("999", "40")] {
        let mut session = signed_on();
        let asked = [(7, "1121013050"), (12, "013050"), (13, "1121"), (70, code)];
        session.received(&frame(None, Mti::NETWORK_REQUEST, 4711, &asked), NOW);
        let bytes = written(&mut session);
        let [answer] = messages(&bytes)[..] else { panic!("one answer") };
        let answer = Message::parse(&TSYS, answer).unwrap();
        assert_eq!((answer.mti(), answer.number(11)), (Mti::NETWORK_RESPONSE, Some(4711)));
        let told = [7, 12, 13, 39, 70].map(|field| answer.text(field).unwrap());
        assert_eq!(told, ["1121013050", "013050", "1121", action_code, code]);
        assert_eq!((events(&mut session), session.unmatched_count()), (vec![], 0));
    }
}

/// Connected, with the host's answer to the sign-on under this key.
fn sign_on_under(host: Option<&MacKey>) -> Session {
    let mut session = Session::new(SessionOptions::default()).authenticated_by(Some(key(1)));
    session.connected(NOW);
    let bytes = written(&mut session);
    let [sign_on] = messages(&bytes)[..] else { panic!("the sign-on") };
    assert!(key(1).vouches_for(&Message::parse(&TSYS, sign_on).unwrap()), "also network management is sealed");
    session.received(&frame(host, Mti::NETWORK_RESPONSE, 1, &[(39, "00"), (70, "001")]), NOW);
    session
}

#[test]
fn every_message_is_sealed_and_an_answer_is_matched() {
    let mut session = sign_on_under(Some(&key(1)));
    assert_eq!(events(&mut session), [Event::SignedOn]);
    let sent = submit_sale(&mut session, 7);
    let capture = stepped(Verb::Authorize, Verb::Capture, 500);
    submit_to(&mut session, Subject::Transaction(&capture, Tail::trusted(&[])), super::sent(Leg::Step, 8), false).unwrap();
    session.received(&frame(Some(&key(1)), Mti::NETWORK_REQUEST, 5, &[(7, "1121013050"), (12, "013050"), (70, "301")]), NOW);
    let bytes = written(&mut session);
    let sealed = messages(&bytes);
    assert_eq!(sealed.len(), 3);
    for (message, field) in sealed.into_iter().zip([64, 128, 128]) {
        let message = Message::parse(&TSYS, message).unwrap();
        assert!(message.has(field) && key(1).vouches_for(&message), "{message}");
    }
    let fields = [(4, "000000001112"), (39, "00"), (41, "TERM0001")];
    session.received(&frame(Some(&key(1)), Mti::FINANCIAL_RESPONSE, 7, &fields), NOW);
    assert_eq!(only_answer(&mut session).sent, sent);
}

#[test]
fn what_is_not_sealed_is_as_if_it_had_not_come() {
    for host in [None, Some(key(2))] {
        let mut session = sign_on_under(host.as_ref());
        assert_eq!((events(&mut session), session.unvouched_count()), (vec![], 1));
        session.tick(NOW.plus_s(6));
        assert_eq!(events(&mut session), [Event::Disconnect(DisconnectReason::Silent)]);

        let mut session = sign_on_under(Some(&key(1)));
        submit_sale(&mut session, 7);
        drop(written(&mut session));
        let fields = [(4, "000000001112"), (39, "00"), (41, "TERM0001")];
        session.received(&frame(host.as_ref(), Mti::FINANCIAL_RESPONSE, 7, &fields), NOW.plus_s(29));
        assert_eq!((session.unvouched_count(), session.pending_count()), (1, 1), "its request still waits");
        session.tick(NOW.plus_s(31));
        assert_eq!(messages(&written(&mut session)).len(), 1, "and it is no sign of life: an echo goes out");
    }
}
