//! Every row of the table of triggers, by a real request.

use sandbox::triggers::{ActionCode, Mishap, TABLE, Then, Trigger, When};

use crate::client::{Answer, Client, Hosts, NoAnswer, Request};

/// The request that a row looks for.
fn request(row: &Trigger, stan: u32) -> Request {
    match row.when {
        When::Amount(minor) => Request::sale(minor, stan),
        When::AmountWithin(_, last) => Request::sale(last, stan),
        When::Card(number) => Request::sale(1000, stan).with(2, number),
        When::CardPaidBack(number) => Request::refund(1000, stan, "RRN000000001").with(2, number),
        When::Cvc(cvc) => Request::sale(1000, stan).with(48, &format!("CV{:03}{cvc}", cvc.len())),
        When::ClaimWithoutProof => Request::sale(1000, stan).with(48, "EC00205CV003999"),
        When::PostalCode(code) => Request::sale(1000, stan).with(48, &format!("ZP{:03}{code}", code.len())),
        When::Anything => Request::sale(1000, stan),
    }
}

fn shown(answer: &Answer) -> (&str, &str, &str) {
    (answer.action(), answer.get(4), answer.get(44))
}

#[test]
fn every_row_is_answered_as_the_table_says() {
    let hosts = Hosts::start();
    for (stan, row) in (1..).zip(TABLE) {
        let request = request(row, stan);
        let mut client = hosts.client();
        client.wait(50);
        let answer = client.try_ask(&request);
        let amount = request.fields[&4].clone();
        let case = format!("{:?}", row.when);
        match row.then {
            Then::Answer(ActionCode(code)) => assert_eq!(answer.unwrap().action().as_bytes(), code, "{case}"),
            Then::AnswerLastTwoDigits => assert_eq!(answer.unwrap().action(), &amount[10..], "{case}"),
            Then::ApproveHalf => {
                let half = format!("{:012}", amount.parse::<u64>().unwrap() / 2);
                assert_eq!(shown(&answer.unwrap()), ("10", half.as_str(), "0 "), "{case}");
            }
            Then::Cvv(letter) => assert_letters(&answer.unwrap(), &amount, [b'0', letter], &case),
            Then::Avs(letter) => assert_letters(&answer.unwrap(), &amount, [letter, b' '], &case),
            Then::Lost => assert_eq!(answer, Err(NoAnswer::Silence), "{case}"),
            Then::Approve(mishap) => check_mishap(&mut client, mishap, answer),
        }
        check_entry(&hosts, row, stan);
    }
}

fn assert_letters(answer: &Answer, amount: &str, letters: [u8; 2], case: &str) {
    assert_eq!(shown(answer), ("00", amount, std::str::from_utf8(&letters).unwrap()), "{case}");
}

fn check_mishap(client: &mut Client, mishap: Mishap, answer: Result<Answer, NoAnswer>) {
    match mishap {
        Mishap::AnswerLost => assert_eq!(answer, Err(NoAnswer::Silence)),
        Mishap::Garbage => assert_eq!(answer, Err(NoAnswer::Garbage)),
        Mishap::Cut => assert_eq!(answer, Err(NoAnswer::Closed)),
        Mishap::Oversized => assert_eq!(answer, Err(NoAnswer::Oversized)),
        Mishap::Late => {
            assert_eq!(answer, Err(NoAnswer::Silence));
            client.wait(5000);
            assert_eq!(client.receive().unwrap().action(), "00");
        }
    }
}

/// What reached the host is in its ledger, whatever became of the answer.
fn check_entry(hosts: &Hosts, row: &Trigger, stan: u32) {
    let entries = hosts.entries();
    let entry = entries.iter().find(|entry| entry["stan"] == stan);
    let approved = match row.then {
        Then::Lost => return assert!(entry.is_none()),
        Then::Answer(action) => action.is_approval(),
        Then::AnswerLastTwoDigits => false,
        Then::ApproveHalf | Then::Approve(_) | Then::Cvv(_) | Then::Avs(_) => true,
    };
    assert_eq!(entry.unwrap()["approved"], approved, "{:?}", row.when);
}

#[test]
fn letters_tell_what_was_checked() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let cases = [
        ("AD0041 St", "A "),
        ("ZP00560601", "Z "),
        ("AD0041 StZP00560601CV003999", "YM"),
        ("AD0041 StZP00520000CV003200", "NN"),
        ("PA0011", "0 "),
        ("EC00205CA028AAABBBCCCDDDEEEFFFGGGHHHIIIIXI028AAABBBCCCDDDEEEFFFGGGHHHIIII", "0 "),
        ("EC00207", "0 "),
    ];
    for (stan, (additional, letters)) in (1..).zip(cases) {
        let answer = client.ask(&Request::sale(100, stan).with(48, additional));
        assert_eq!((answer.action(), answer.get(44)), ("00", letters), "{additional}");
    }
    assert_eq!(client.ask(&Request::sale(100, 50).with(48, "ZP09960601")).action(), "30");
}
