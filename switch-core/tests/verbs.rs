//! What each verb may and may not do, and what a caller hears.

mod support;

use protocol::calendar::Micros;
use protocol::command::flag;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalState, Status, Verb};
use support::driver::{Driver, Order, ROOMY, Said};
use support::{Ask, DUPLICATE_WINDOW_S, PROCESSOR, TIMEOUT_MS, key_hash, merchant};
use switch_core::input::{Input, Leg, ProcessorState, ProcessorTerms, Sent, Verdict};

fn order(said: &[Said]) -> &Order {
    let order = said.iter().find_map(|said| match said {
        Said::Send(order) => Some(order),
        _ => None,
    });
    order.expect("something is sent")
}

fn reply(said: &[Said]) -> &Transaction {
    let version = said.iter().find_map(|said| match said {
        Said::Version { version, .. } => Some(&version.0),
        _ => None,
    });
    version.expect("somebody is answered")
}

fn refusal(said: &[Said]) -> Refusal {
    match said {
        [Said::Refused(_, refusal)] => *refusal,
        other => panic!("nothing but a refusal was to be said: {other:?}"),
    }
}

/// Asks, and has the host answer. Gives the transaction as it then stands.
fn done(driver: &mut Driver, ask: &Ask, verdict: Verdict) -> Transaction {
    let sent = order(&driver.ask(ask)).sent;
    *reply(&driver.answer(sent, verdict))
}

/// Asks, and lets the answer's time pass. Gives the reversal as it is sent.
fn timed_out(driver: &mut Driver, ask: &Ask) -> Order {
    let id = order(&driver.ask(ask)).sent.id;
    let said = driver.advance_ms(TIMEOUT_MS);
    assert_eq!(reply(&said).status(), Status::Unknown);
    let mut orders = said.iter().filter_map(|said| match said {
        Said::Send(order) => Some(order.clone()),
        _ => None,
    });
    orders.find(|order| order.sent.id == id).expect("its reversal is sent")
}

/// A transaction that stands in a status.
fn standing(driver: &mut Driver, status: Status) -> Xid {
    let approved = Verdict::Approved;
    match status {
        Status::Pending => order(&driver.ask(&sale())).sent.id,
        Status::Authorized => done(driver, &Ask { verb: Verb::Authorize, ..sale() }, approved).id,
        Status::PendingSettlement => done(driver, &sale(), approved).id,
        Status::Declined => done(driver, &sale(), Verdict::Declined(ResponseCode::DO_NOT_HONOR)).id,
        Status::Unknown => timed_out(driver, &sale()).sent.id,
        Status::Reversed => {
            let sent = timed_out(driver, &sale()).sent;
            driver.answer(sent, Verdict::Receipt);
            sent.id
        }
        Status::Voided => {
            let id = standing(driver, Status::Authorized);
            done(driver, &Ask::step(Verb::Void, merchant(0), id, None), approved).id
        }
        Status::Settled => {
            let id = standing(driver, Status::PendingSettlement);
            settle_all(driver);
            id
        }
        Status::PartiallyRefunded | Status::Refunded => {
            let id = standing(driver, Status::Settled);
            let amount = (status == Status::PartiallyRefunded).then_some(400);
            done(driver, &Ask::step(Verb::Refund, merchant(0), id, amount), approved);
            id
        }
        Status::Returned => panic!("cards are not returned"),
    }
}

/// Closes the open batches, has them accepted and settles their members.
fn settle_all(driver: &mut Driver) {
    let sent = order(&close(driver)).sent;
    driver.answer(sent, Verdict::Approved);
    for member in driver.journal.unsettled_members(sent.id) {
        driver.accept(Input::SettleMember { transaction: member });
    }
    driver.accept(Input::CompleteBatch { batch: sent.id });
    driver.sync();
}

fn close(driver: &mut Driver) -> Vec<Said> {
    let token = driver.draw_token();
    driver.accept(Input::CloseBatches { token, processor: PROCESSOR, before: Micros::NEVER });
    driver.sync()
}

fn sale() -> Ask {
    Ask::pay(Verb::Sale, merchant(0), 1000)
}

fn status(driver: &Driver, id: Xid) -> Status {
    driver.journal.newest(id).expect("it was written").0.status()
}

fn verb_of(driver: &Driver, id: Xid) -> Verb {
    driver.journal.newest(id).expect("it was written").0.verb()
}

/// Rows: status; which of capture, void, refund may begin there.
const LEGAL_STEPS: [(Status, [bool; 3]); 10] = [
    (Status::Pending, [false, false, false]),
    (Status::Unknown, [false, false, false]),
    (Status::Authorized, [true, true, false]),
    (Status::PendingSettlement, [false, true, false]),
    (Status::Settled, [false, false, true]),
    (Status::Declined, [false, false, false]),
    (Status::Voided, [false, false, false]),
    (Status::Reversed, [false, false, false]),
    (Status::PartiallyRefunded, [false, false, true]),
    (Status::Refunded, [false, false, false]),
];

#[test]
fn each_step_is_possible_exactly_where_its_row_says() {
    for (at, legal) in LEGAL_STEPS {
        for (verb, legal) in [Verb::Capture, Verb::Void, Verb::Refund].into_iter().zip(legal) {
            let mut driver = Driver::new(ROOMY);
            let id = standing(&mut driver, at);
            assert_eq!(status(&driver, id), at);
            let written = driver.journal.bytes().len();
            let said = driver.ask(&Ask::step(verb, merchant(0), id, None));
            if legal {
                assert_eq!(
                    order(&said).sent.leg,
                    if verb == Verb::Refund { Leg::Original } else { Leg::Step },
                    "{at:?} {verb:?}"
                );
            } else {
                assert_eq!(refusal(&said), Refusal::IllegalStep { verb: verb_of(&driver, id), status: at }, "{at:?} {verb:?}");
                assert_eq!(driver.journal.bytes().len(), written, "a refusal writes nothing: {at:?} {verb:?}");
            }
        }
    }
}

#[test]
fn only_an_authorization_is_captured_and_only_a_debit_refunded() {
    let mut driver = Driver::new(ROOMY);
    let verification = done(&mut driver, &Ask::pay(Verb::Verification, merchant(0), 0), Verdict::Approved);
    assert_eq!(verification.status(), Status::Authorized);
    let said = driver.ask(&Ask::step(Verb::Capture, merchant(0), verification.id, None));
    let verb = Verb::Verification;
    assert_eq!(refusal(&said), Refusal::IllegalStep { verb, status: Status::Authorized });
    let credit = done(&mut driver, &Ask::pay(Verb::Credit, merchant(0), 700), Verdict::Approved);
    settle_all(&mut driver);
    let said = driver.ask(&Ask::step(Verb::Refund, merchant(0), credit.id, None));
    assert_eq!(refusal(&said), Refusal::IllegalStep { verb: Verb::Credit, status: Status::Settled });
}

#[test]
fn amounts_of_steps_are_bounded() {
    let mut driver = Driver::new(ROOMY);
    let authorization = standing(&mut driver, Status::Authorized);
    let mut capture = |amount| refusal(&driver.ask(&Ask::step(Verb::Capture, merchant(0), authorization, Some(amount))));
    assert_eq!(capture(1001), Refusal::AmountTooLarge { status: Status::Authorized, max: 1000 });
    assert_eq!(capture(0), Refusal::AmountZero);
    let settled = standing(&mut driver, Status::PartiallyRefunded);
    let mut refund = |amount| refusal(&driver.ask(&Ask::step(Verb::Refund, merchant(0), settled, Some(amount))));
    assert_eq!(refund(601), Refusal::AmountTooLarge { status: Status::PartiallyRefunded, max: 600 });
    assert_eq!(refund(0), Refusal::AmountZero);
}

#[test]
fn refunds_at_once_never_exceed_what_was_settled() {
    let mut driver = Driver::new(ROOMY);
    let id = standing(&mut driver, Status::Settled);
    let refund = |amount| Ask::step(Verb::Refund, merchant(0), id, Some(amount));
    let first = order(&driver.ask(&refund(600))).sent;
    let second = order(&driver.ask(&refund(400))).sent;
    assert_eq!(refusal(&driver.ask(&refund(1))), Refusal::AmountTooLarge { status: Status::Settled, max: 0 });
    driver.answer(first, Verdict::Declined(ResponseCode::DO_NOT_HONOR));
    driver.answer(second, Verdict::Approved);
    assert_eq!(status(&driver, id), Status::PartiallyRefunded);
    done(&mut driver, &refund(600), Verdict::Approved);
    assert_eq!(status(&driver, id), Status::Refunded);
}

#[test]
fn a_refund_approved_in_part_frees_the_rest() {
    let mut driver = Driver::new(ROOMY);
    let id = standing(&mut driver, Status::Settled);
    let refund = Ask::step(Verb::Refund, merchant(0), id, Some(600)).with(flag::ALLOW_PARTIAL);
    done(&mut driver, &refund, Verdict::Partial { approved: 200 });
    let sale = driver.journal.newest(id).unwrap().0;
    assert_eq!((sale.amount_refunded.get(), sale.amount_refund_pending.get(), sale.refundable()), (200, 0, 800));
}

#[test]
fn a_voided_refund_is_refundable_again() {
    let mut driver = Driver::new(ROOMY);
    let id = standing(&mut driver, Status::Settled);
    let refund = done(&mut driver, &Ask::step(Verb::Refund, merchant(0), id, None), Verdict::Approved).id;
    assert_eq!(status(&driver, id), Status::Refunded);
    done(&mut driver, &Ask::step(Verb::Void, merchant(0), refund, None), Verdict::Approved);
    assert_eq!((status(&driver, refund), status(&driver, id)), (Status::Voided, Status::Settled));
}

#[test]
fn one_step_at_a_time() {
    let mut driver = Driver::new(ROOMY);
    let id = standing(&mut driver, Status::Authorized);
    driver.ask(&Ask::step(Verb::Capture, merchant(0), id, Some(300)));
    for verb in [Verb::Capture, Verb::Void] {
        assert_eq!(
            refusal(&driver.ask(&Ask::step(verb, merchant(0), id, None))),
            Refusal::StepInFlight { status: Status::Authorized }
        );
    }
}

#[test]
fn a_declined_capture_leaves_the_authorization_and_another_opens_a_batch_of_its_own() {
    let mut driver = Driver::new(ROOMY);
    let id = standing(&mut driver, Status::Authorized);
    let capture = Ask::step(Verb::Capture, merchant(0), id, Some(300));
    let first = order(&driver.ask(&capture)).sent;
    // Another member keeps the first batch waiting, so that both are there at once.
    driver.ask(&sale());
    close(&mut driver);
    driver.answer(first, Verdict::Declined(ResponseCode::DO_NOT_HONOR));
    assert_eq!(status(&driver, id), Status::Authorized);
    assert_eq!(done(&mut driver, &capture, Verdict::Approved).amount_captured.get(), 300);
    assert_eq!(driver.journal.all_batches().count(), 2);
}

#[test]
fn a_capture_answered_in_part_is_unknown_and_taken_back() {
    let mut driver = Driver::new(ROOMY);
    let id = standing(&mut driver, Status::Authorized);
    let sent = order(&driver.ask(&Ask::step(Verb::Capture, merchant(0), id, Some(300)))).sent;
    let said = driver.answer(sent, Verdict::Partial { approved: 100 });
    assert_eq!((reply(&said).status(), order(&said).sent.leg), (Status::Unknown, Leg::Reversal));
}

#[test]
fn an_expired_card_is_223_without_a_request() {
    let mut driver = Driver::new(ROOMY);
    let said = driver.ask(&sale().with(flag::EXPIRED_CARD));
    assert_eq!((said.len(), reply(&said).response_code()), (1, ResponseCode::EXPIRED_CARD));
    assert_eq!(reply(&said).original.state(), ExchangeState::None);
}

#[test]
fn a_duplicate_is_301_and_names_the_first() {
    let mut driver = Driver::new(ROOMY);
    let sale = Ask::pay(Verb::Sale, merchant(1), 1000);
    let first = done(&mut driver, &sale, Verdict::Approved).id;
    let said = driver.ask(&sale);
    assert_eq!((reply(&said).response_code(), reply(&said).duplicate_of), (ResponseCode::DUPLICATE_TRANSACTION, first));
    for other in [Ask { amount: Some(1001), ..sale }, Ask { card: 2, ..sale }, Ask { verb: Verb::Authorize, ..sale }] {
        order(&driver.ask(&other));
    }
    order(&driver.ask(&sale.with(flag::ALLOW_DUPLICATE)));
    driver.advance_ms(DUPLICATE_WINDOW_S * 1000 - 1);
    assert_eq!(reply(&driver.ask(&sale)).duplicate_of, first);
    driver.advance_ms(1);
    order(&driver.ask(&sale));
}

#[test]
fn a_payment_that_came_to_nothing_is_no_first() {
    let sale = Ask::pay(Verb::Sale, merchant(1), 1000);
    let mut driver = Driver::new(ROOMY);
    done(&mut driver, &sale, Verdict::Declined(ResponseCode::DO_NOT_HONOR));
    timed_out(&mut driver, &sale);
    let sent = order(&driver.ask(&sale)).sent;
    driver.accept(Input::NotSent(sent));
    assert_eq!(reply(&driver.sync()).status(), Status::Declined);
    let id = done(&mut driver, &sale, Verdict::Approved).id;
    done(&mut driver, &Ask::step(Verb::Void, merchant(1), id, None), Verdict::Approved);
    driver.crash(0);
    driver.sync();
    order(&driver.ask(&sale));
}

#[test]
fn a_partial_approval_stands_only_where_it_is_welcome() {
    let mut driver = Driver::new(ROOMY);
    let allowed = done(&mut driver, &sale().with(flag::ALLOW_PARTIAL), Verdict::Partial { approved: 400 });
    assert_eq!((allowed.amount_captured.get(), allowed.response_code()), (400, ResponseCode::PARTIAL_APPROVAL));
    let sent = order(&driver.ask(&sale())).sent;
    let said = driver.answer(sent, Verdict::Partial { approved: 400 });
    assert_eq!((reply(&said).status(), reply(&said).response_code()), (Status::Declined, ResponseCode::INSUFFICIENT_FUNDS));
    let reversal = order(&said).sent;
    assert_eq!(reversal, Sent { leg: Leg::Reversal, ..sent });
    driver.answer(reversal, Verdict::Receipt);
    assert_eq!(status(&driver, sent.id), Status::Declined, "its client was told so");
    assert_eq!(driver.shard.reversals_queued(), 0);
}

#[test]
fn a_part_that_is_none_is_refused_whatever_was_welcome() {
    for approved in [0, 1001] {
        let mut driver = Driver::new(ROOMY);
        let declined = done(&mut driver, &sale().with(flag::ALLOW_PARTIAL), Verdict::Partial { approved });
        assert_eq!((declined.status(), declined.amount_captured.get()), (Status::Declined, 0));
        assert_eq!(declined.reversal.state(), ReversalState::Queued);
    }
    let whole = done(&mut Driver::new(ROOMY), &sale(), Verdict::Partial { approved: 1000 });
    assert_eq!(whole.response_code(), ResponseCode::APPROVED);
}

#[test]
fn no_answer_is_unknown_and_the_reversal_repeats_with_its_numbers_until_it_is_acknowledged() {
    let mut driver = Driver::new(ROOMY);
    let asked = driver.ask(&sale());
    let original = order(&asked).sent;
    assert_eq!(driver.advance_ms(TIMEOUT_MS - 1), []);
    let said = driver.advance_ms(1);
    assert_eq!((reply(&said).status(), reply(&said).response_code()), (Status::Unknown, ResponseCode::COMMUNICATION_ERROR));
    let first = order(&said).clone();
    assert_eq!((first.sent, first.repeat), (Sent { leg: Leg::Reversal, ..original }, false));
    // 1 s doubled at each repeat, but never below the processor's time-out, and 8 s at most.
    for wait_ms in [2_000, 2_000, 4_000, 8_000, 8_000, 8_000] {
        assert_eq!(driver.advance_ms(wait_ms - 1), [], "before {wait_ms}");
        let said = driver.advance_ms(1);
        let repeat = order(&said);
        assert!(repeat.repeat && repeat.sent == first.sent && repeat.subject == first.subject);
    }
    assert_eq!(driver.answer(first.sent, Verdict::TryLater), []);
    assert_eq!(driver.shard.reversals_queued(), 1);
    driver.answer(first.sent, Verdict::Receipt);
    assert_eq!((status(&driver, original.id), driver.shard.reversals_queued()), (Status::Reversed, 0));
    assert_eq!(driver.advance_ms(60_000), [], "it is repeated no more");
}

#[test]
fn a_late_approval_revives_nothing() {
    let mut driver = Driver::new(ROOMY);
    let sent = order(&driver.ask(&sale())).sent;
    driver.advance_ms(TIMEOUT_MS);
    assert_eq!(driver.answer(sent, Verdict::Approved), []);
    assert_eq!(status(&driver, sent.id), Status::Unknown);
    assert_eq!((driver.shard.stats().late_answers, driver.shard.stats().late_approvals), (1, 1));
    driver.answer(Sent { id: Xid([7; 12]), ..sent }, Verdict::Approved);
    assert_eq!(driver.shard.stats().unmatched_answers, 1);
}

#[test]
fn a_link_that_comes_up_takes_the_queue_oldest_first_and_bounces_wait_longer_each_time() {
    let mut driver = Driver::new(ROOMY);
    let mut queued: Vec<Sent> = (0..3).map(|_| timed_out(&mut driver, &sale()).sent).collect();
    driver.sync();
    for sent in &queued {
        driver.accept(Input::NotSent(*sent));
    }
    driver.accept(Input::LinkUp { processor: PROCESSOR });
    let said = driver.sync();
    let sent: Vec<Sent> = said.iter().map(|said| order(core::slice::from_ref(said)).sent).collect();
    assert_eq!(sent, queued);
    let last = queued.pop().unwrap();
    for sent in queued {
        driver.answer(sent, Verdict::Receipt);
    }
    for wait_ms in [2_000, 4_000, 8_000, 8_000] {
        driver.accept(Input::NotSent(last));
        assert_eq!(driver.sync(), []);
        // Spread over the second half of the wait, so that what was refused at one moment does not come back at one.
        assert_eq!(driver.advance_ms(wait_ms / 2), [], "before {}", wait_ms / 2);
        assert_eq!(order(&driver.advance_ms(wait_ms / 2)).sent, last);
    }
}

#[test]
fn what_was_never_written_is_declined_and_not_reversed() {
    let mut driver = Driver::new(ROOMY);
    let sent = order(&driver.ask(&sale())).sent;
    driver.accept(Input::NotSent(sent));
    let said = driver.sync();
    let transaction = reply(&said);
    assert_eq!((transaction.status(), transaction.response_code()), (Status::Declined, ResponseCode::COMMUNICATION_ERROR));
    assert_eq!(transaction.original.state(), ExchangeState::NotSent);
    assert_eq!((said.len(), driver.shard.reversals_queued(), driver.shard.in_flight()), (1, 0, 0));
    driver.accept(Input::Lost(sent));
    driver.accept(Input::NotSent(sent));
    assert_eq!(driver.sync(), [], "a second time changes nothing");
}

#[test]
fn the_same_key_waits_for_the_running_answer_and_hears_it_again_later() {
    let mut driver = Driver::new(ROOMY);
    let keyed = sale().keyed(7);
    let sent = order(&driver.ask(&keyed)).sent;
    assert_eq!(driver.ask(&keyed), [], "it waits");
    let said = driver.answer(sent, Verdict::Approved);
    let [Said::Version { replayed: false, version: first, .. }, Said::Version { replayed: true, version: attached, .. }] =
        &said[..]
    else {
        panic!("both are told, the first caller first: {said:?}")
    };
    assert_eq!(first, attached);
    let said = driver.ask(&keyed);
    assert!(matches!(&said[..], [Said::Version { replayed: true, version, .. }] if version == first));
    // A void makes another version the newest: the answer is read from the history.
    let (id, answered) = (first.0.id, first.0.version.get());
    done(&mut driver, &Ask::step(Verb::Void, merchant(0), id, None), Verdict::Approved);
    let said = driver.ask(&keyed);
    assert!(matches!(&said[..], [Said::Stored { id: of, version, verb: Verb::Sale, .. }] if (*of, *version) == (id, answered)));
}

#[test]
fn a_key_with_another_request_is_refused_and_another_merchants_key_is_another_key() {
    let mut driver = Driver::new(ROOMY);
    driver.ask(&sale().keyed(7));
    assert_eq!(refusal(&driver.ask(&Ask { amount: Some(1), ..sale().keyed(7) })), Refusal::KeyReused);
    order(&driver.ask(&Ask::pay(Verb::Sale, merchant(1), 1000).keyed(7)));
}

#[test]
fn a_key_holds_for_its_window_and_while_its_operation_runs() {
    let mut driver = Driver::new(ROOMY);
    let keyed = Ask { key_window_s: 1, ..sale().keyed(7) };
    let first = order(&driver.ask(&keyed)).sent;
    driver.advance_ms(1_500);
    assert_eq!(driver.ask(&keyed), [], "shorter than the time-out: it waits all the same");
    driver.answer(first, Verdict::Approved);
    driver.advance_ms(1_000);
    let again = order(&driver.ask(&keyed)).sent;
    assert_ne!(again.id, first.id, "the window is over: a new payment");
}

#[test]
fn keys_of_steps_are_answered_by_their_step() {
    let mut driver = Driver::new(ROOMY);
    let id = standing(&mut driver, Status::Authorized);
    let capture = Ask::step(Verb::Capture, merchant(0), id, Some(300)).keyed(1);
    let captured = done(&mut driver, &capture, Verdict::Approved);
    let said = driver.ask(&capture);
    assert!(matches!(&said[..], [Said::Version { replayed: true, version, verb: Verb::Capture, .. }] if version.0 == captured));
    let void = Ask::step(Verb::Void, merchant(0), id, None);
    assert_eq!(refusal(&driver.ask(&void.keyed(1))), Refusal::KeyReused);
}

#[test]
fn a_key_that_is_asked_for_tells_its_operation_and_changes_nothing() {
    let mut driver = Driver::new(ROOMY);
    let find = |driver: &mut Driver, key| {
        let (token, hash) = (driver.draw_token(), key_hash(merchant(0), key));
        driver.accept(Input::FindKey { token, hash: &hash });
        driver.sync()
    };
    let keyed = Ask { key_window_s: 60, ..sale().keyed(7) };
    let sent = order(&driver.ask(&keyed)).sent;
    let pending = find(&mut driver, 7);
    assert!(matches!(&pending[..], [Said::Version { version, verb: Verb::Sale, .. }] if version.0.status() == Status::Pending));
    let answered = driver.answer(sent, Verdict::Approved);
    let [Said::Version { version: answer, replayed: false, .. }] = &answered[..] else {
        panic!("only the payer is told: {answered:?}")
    };
    assert!(matches!(&find(&mut driver, 7)[..], [Said::Version { version, .. }] if version == answer));
    done(&mut driver, &Ask::step(Verb::Void, merchant(0), sent.id, None), Verdict::Approved);
    assert!(
        matches!(&find(&mut driver, 7)[..], [Said::Stored { id, version, .. }] if (*id, *version) == (sent.id, answer.0.version.get()))
    );
    assert_eq!(refusal(&find(&mut driver, 8)), Refusal::NotFound);
    driver.advance_ms(60_000);
    assert_eq!(refusal(&find(&mut driver, 7)), Refusal::NotFound, "its window is over");
}

#[test]
fn a_foreign_transaction_is_not_found() {
    let mut driver = Driver::new(ROOMY);
    let id = standing(&mut driver, Status::Authorized);
    for verb in [Verb::Capture, Verb::Void, Verb::Refund] {
        assert_eq!(refusal(&driver.ask(&Ask::step(verb, merchant(1), id, None))), Refusal::NotFound);
    }
}

#[test]
fn who_or_what_takes_no_traffic_is_refused() {
    let mut driver = Driver::new(ROOMY);
    let stranger = Ask::pay(Verb::Sale, merchant(9), 1000);
    assert_eq!(refusal(&driver.ask(&stranger)), Refusal::MerchantNotActive);
    let authorization = standing(&mut driver, Status::Authorized);
    driver.accept(Input::Processor(ProcessorTerms { state: ProcessorState::Draining, ..support::processor() }));
    assert_eq!(refusal(&driver.ask(&sale())), Refusal::ProcessorNotAvailable);
    order(&driver.ask(&Ask::step(Verb::Void, merchant(0), authorization, None)));
}

#[test]
fn a_reversal_that_an_operator_takes_over_is_over_and_one_that_is_not_queued_is_absent() {
    let mut driver = Driver::new(ROOMY);
    let reversal = timed_out(&mut driver, &sale());
    let token = driver.draw_token();
    driver.accept(Input::TakeOver { token, transaction: reversal.sent.id });
    let said = driver.sync();
    let transaction = reply(&said);
    assert_eq!((transaction.status(), transaction.reversal.state()), (Status::Reversed, ReversalState::TakenOver));
    assert!(!transaction.is_open());
    assert!(driver.advance_ms(3_600_000).is_empty(), "it is repeated no more");
    let again = driver.draw_token();
    driver.accept(Input::TakeOver { token: again, transaction: reversal.sent.id });
    assert!(matches!(driver.sync()[..], [Said::Absent(asked, id)] if (asked, id) == (again, reversal.sent.id)));
    let late = driver.answer(reversal.sent, Verdict::Receipt);
    assert!(late.is_empty(), "a receipt that comes late changes nothing");
}
