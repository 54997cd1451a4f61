//! The upload of a batch's members: its messages against bytes written by hand, and the host's word to each.

use super::*;

fn batch() -> Batch {
    let mut batch = Batch::empty();
    (batch.number, batch.members_number, batch.stan) = (12.into(), 9.into(), 31.into());
    (batch.capture_count, batch.captured) = (1.into(), 500.into());
    (batch.currency, batch.closed_at) = (840.into(), NOW.0.into());
    batch
}

#[test]
fn a_member_is_0320_and_names_the_request_that_made_it_without_a_card() {
    let mut member = transaction(Verb::Sale);
    member.amount_captured = 500.into();
    let (batch, acceptor) = (batch(), acceptor());
    let mut session = signed_on();
    session.submit_detail(&Detail { transaction: &member, batch: &batch, acceptor: &acceptor, record: 4 }).unwrap();
    let golden = by_hand(
        "0320",
        "B238000108C080100000004000000000",
        &[
            "000000",
            "000000000500",
            "1121013042",
            "000004",
            "013042",
            "1121",
            "06000001",
            "632501000007",
            ACCEPTOR,
            "840",
            "012000012000009",
            "020000000711210130420000000000100000000000",
        ],
    );
    assert_eq!(show(&written(&mut session)), show(&golden));
    for (action_code, agrees) in [("00", true), ("25", false)] {
        let fields = [(39, action_code), (41, "TERM0001"), (60, "000012000009")];
        session.received(&host_frame(Mti::BATCH_UPLOAD_ADVICE_RESPONSE, 4, &fields), NOW);
        let answer = DetailAnswer { record: 4, numbers: numbers_of(&batch), terminal: *b"TERM0001", agrees };
        assert_eq!(events(&mut session), [Event::Detail(answer)]);
    }
}

#[test]
fn totals_behind_their_members_say_so_and_are_answered_as_totals_are() {
    let (batch, acceptor) = (batch(), acceptor());
    let mut session = signed_on();
    let sent = sent(Leg::Totals, 31);
    let request = Request { processor: 1, sent, repeat: true, subject: Subject::Batch(&batch) };
    let outgoing = Outgoing { request, shard: SHARD, acceptor: &acceptor, card: None };
    session.submit_after_upload(&outgoing, NOW).unwrap();
    let bytes = written(&mut session);
    let message = Message::parse(&TSYS, &bytes[2..]).unwrap();
    assert_eq!((message.mti(), message.text(3)), (Mti::RECONCILIATION_REQUEST, Some("960000")));
    let fields = [(39, "95"), (41, "TERM0001"), (60, "000012"), (63, "RB 000004 ABSENT")];
    session.received(&host_frame(Mti::RECONCILIATION_RESPONSE, 31, &fields), NOW);
    let answer = only_answer(&mut session);
    assert_eq!((answer.sent, &answer.processor_code, &answer.text), (sent, b"95", b"RB 000004 ABSENT"));
    session.disconnected();
    let detail = Detail { transaction: &transaction(Verb::Sale), batch: &batch, acceptor: &acceptor, record: 1 };
    assert_eq!(session.submit_detail(&detail), Err(NotSubmitted::NotSignedOn));
}
