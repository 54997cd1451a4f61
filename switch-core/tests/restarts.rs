//! Settlement and restarts: what a batch waits for, and what goes on after a crash at each point.

mod support;

use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::frame::FRAME_PAYLOAD_BYTES_MAX;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::transaction::Transaction;
use protocol::words::{Status, Verb};
use support::driver::{Driver, Order, ROOMY, Said, TINY, Told};
use support::{Ask, PROCESSOR, TIMEOUT_MS, merchant};
use switch_core::input::{Input, Leg, Sent, Verdict};
use switch_core::limits::Limits;

fn orders(said: &[Said]) -> Vec<Order> {
    let order = |said: &Said| match said {
        Said::Send(order) => Some(order.clone()),
        _ => None,
    };
    said.iter().filter_map(order).collect()
}

fn only_order(said: &[Said]) -> Order {
    let [order] = &orders(said)[..] else { panic!("one request is sent: {said:?}") };
    order.clone()
}

fn totals(order: &Order) -> Batch {
    let Told::Batch(batch) = &order.subject else { panic!("totals are sent: {order:?}") };
    **batch
}

fn sale() -> Ask {
    Ask::pay(Verb::Sale, merchant(0), 1000)
}

fn done(driver: &mut Driver, ask: &Ask, verdict: Verdict) -> Xid {
    let sent = only_order(&driver.ask(ask)).sent;
    driver.answer(sent, verdict);
    sent.id
}

fn close(driver: &mut Driver) -> Vec<Said> {
    let token = driver.draw_token();
    driver.accept(Input::CloseBatches { token, processor: PROCESSOR, before: Micros::NEVER });
    driver.sync()
}

fn settle(driver: &mut Driver, batch: Xid) {
    for member in driver.journal.unsettled_members(batch) {
        driver.hydrate(member);
        driver.accept(Input::SettleMember { transaction: member });
    }
    driver.accept(Input::CompleteBatch { batch });
    driver.sync();
}

fn newest(driver: &Driver, id: Xid) -> Transaction {
    driver.journal.newest(id).expect("it was written").0
}

fn newest_batch(driver: &Driver, id: Xid) -> Batch {
    *driver.journal.all_batches().find(|batch| batch.id == id).expect("it was written")
}

/// Dies with everything durable, and starts again.
fn restart(driver: &mut Driver) -> Vec<Said> {
    driver.crash(usize::MAX);
    driver.sync()
}

const DECLINED: Verdict = Verdict::Declined(ResponseCode::DO_NOT_HONOR);

#[test]
fn a_batch_waits_for_what_is_undecided_and_later_payments_go_to_the_next() {
    let mut driver = Driver::new(ROOMY);
    done(&mut driver, &sale(), Verdict::Approved);
    let lost = only_order(&driver.ask(&sale())).sent;
    let running = only_order(&driver.ask(&sale())).sent;
    assert_eq!(orders(&close(&mut driver)), [], "two are undecided");
    let next = done(&mut driver, &sale(), Verdict::Approved);
    assert_eq!(newest(&driver, next).batch_number.get(), 2);
    driver.accept(Input::Lost(lost));
    let reversal = only_order(&driver.sync()).sent;
    assert_eq!(driver.answer(running, DECLINED).len(), 1, "a reversal is still out");
    let order = only_order(&driver.answer(reversal, Verdict::Receipt));
    let batch = totals(&order);
    assert_eq!((batch.capture_count.get(), batch.captured.get(), batch.number.get()), (1, 1000, 1));
}

#[test]
fn totals_without_an_answer_are_sent_again_as_they_were() {
    let mut driver = Driver::new(ROOMY);
    done(&mut driver, &sale(), Verdict::Approved);
    let first = only_order(&close(&mut driver));
    for again in [driver.advance_ms(TIMEOUT_MS), restart(&mut driver)] {
        let again = only_order(&again);
        assert_eq!((again.sent, again.repeat), (first.sent, true));
        let (again, first) = (totals(&again), totals(&first));
        assert_eq!((again.captured, again.closed_at, again.number), (first.captured, first.closed_at, first.number));
    }
}

/// A host takes a message for a repeat by type, trace number and DE7: a number of this run with a moment of the run before could be
/// another batch's.
#[test]
fn totals_that_are_first_sent_after_a_restart_carry_a_moment_of_this_run() {
    let mut driver = Driver::new(ROOMY);
    done(&mut driver, &sale(), Verdict::Approved);
    driver.ask(&sale());
    assert_eq!(orders(&close(&mut driver)), [], "one is undecided");
    let closed_at = driver.now.0;
    driver.now = driver.now.plus_s(5);
    let reversal = only_order(&restart(&mut driver)).sent;
    let totals = totals(&only_order(&driver.answer(reversal, Verdict::Receipt)));
    assert!(totals.closed_at.get() > closed_at, "{} is of the run before", totals.closed_at);
    assert_eq!((totals.capture_count.get(), totals.captured.get()), (1, 1000));
}

/// What brings a batch's totals out a second time.
type Repeat = fn(&mut Driver, Sent);

/// "Number used", ISO 8583 action code 94.
const NUMBER_USED: Verdict = Verdict::Declined(ResponseCode::DUPLICATE_AT_PROCESSOR);

#[test]
fn a_number_that_is_used_after_a_repeat_was_used_by_us_and_before_one_by_somebody_else() {
    let repeats: [(&str, Repeat, BatchState); 5] = [
        ("the only send", |_, _| {}, BatchState::Rejected),
        ("after a time-out", |driver, _| drop(driver.advance_ms(TIMEOUT_MS)), BatchState::Accepted),
        ("after a restart", |driver, _| drop(restart(driver)), BatchState::Accepted),
        ("after a cut", |driver, sent| cut(driver, Input::Lost(sent)), BatchState::Accepted),
        ("never written before", |driver, sent| cut(driver, Input::NotSent(sent)), BatchState::Rejected),
    ];
    for (name, repeat, expected) in repeats {
        let mut driver = Driver::new(ROOMY);
        let id = done(&mut driver, &sale(), Verdict::Approved);
        let sent = only_order(&close(&mut driver)).sent;
        repeat(&mut driver, sent);
        driver.answer(sent, NUMBER_USED);
        let batch = newest_batch(&driver, sent.id);
        assert_eq!((batch.state(), batch.response_code()), (expected, ResponseCode::DUPLICATE_AT_PROCESSOR), "{name}");
        if expected == BatchState::Accepted {
            settle(&mut driver, sent.id);
            assert_eq!(newest(&driver, id).status(), Status::Settled, "{name}");
            assert_eq!(orders(&close(&mut driver)), [], "{name}: it is not settled a second time");
        } else {
            let next = totals(&only_order(&close(&mut driver)));
            assert_eq!(next.number.get(), 2, "{name}: it tries under its next number");
        }
    }
}

/// The link loses the totals, and is up again.
fn cut(driver: &mut Driver, input: Input<'_>) {
    driver.accept(input);
    driver.accept(Input::LinkUp { processor: PROCESSOR });
    driver.sync();
}

#[test]
fn a_rejected_batch_tries_again_under_a_new_number_without_what_was_voided_meanwhile() {
    for crashes in [false, true] {
        let mut driver = Driver::new(ROOMY);
        let kept = done(&mut driver, &sale(), Verdict::Approved);
        let voided = done(&mut driver, &Ask { amount: Some(300), ..sale() }, Verdict::Approved);
        let first = only_order(&close(&mut driver)).sent;
        assert_eq!(driver.ask(&Ask::step(Verb::Void, merchant(0), voided, None)).len(), 1);
        driver.answer(first, DECLINED);
        assert_eq!(newest_batch(&driver, first.id).state(), BatchState::Rejected);
        if crashes {
            restart(&mut driver);
            driver.hydrate(voided);
        }
        done(&mut driver, &Ask::step(Verb::Void, merchant(0), voided, None), Verdict::Approved);
        if crashes {
            restart(&mut driver);
        }
        let second = totals(&only_order(&close(&mut driver)));
        assert_eq!((second.number.get(), second.members_number.get()), (2, 1));
        assert_eq!((second.capture_count.get(), second.captured.get()), (1, 1000));
        driver.answer(Sent { id: second.id, leg: Leg::Totals, stan: second.stan.get() }, Verdict::Approved);
        settle(&mut driver, second.id);
        assert_eq!(newest(&driver, kept).status(), Status::Settled);
        assert_eq!(newest_batch(&driver, second.id).state(), BatchState::Complete);
    }
}

#[test]
fn a_rejected_batch_whose_members_were_all_voided_ends() {
    let mut driver = Driver::new(ROOMY);
    let voided = done(&mut driver, &sale(), Verdict::Approved);
    let first = only_order(&close(&mut driver)).sent;
    driver.answer(first, DECLINED);
    done(&mut driver, &Ask::step(Verb::Void, merchant(0), voided, None), Verdict::Approved);
    assert_eq!(orders(&close(&mut driver)), [], "nothing is left to settle");
    assert_eq!(newest_batch(&driver, first.id).state(), BatchState::Complete);
}

#[test]
fn a_void_is_refused_while_its_batch_is_closing_or_being_settled() {
    let mut driver = Driver::new(ROOMY);
    let id = done(&mut driver, &sale(), Verdict::Approved);
    let void = Ask::step(Verb::Void, merchant(0), id, None);
    let sent = only_order(&close(&mut driver)).sent;
    assert!(matches!(&driver.ask(&void)[..], [Said::Refused(_, Refusal::BatchClosing)]));
    driver.answer(sent, Verdict::Approved);
    assert!(matches!(&driver.ask(&void)[..], [Said::Refused(_, Refusal::BatchClosing)]));
    settle(&mut driver, sent.id);
    let settled = Refusal::IllegalStep { verb: Verb::Sale, status: Status::Settled };
    assert!(matches!(&driver.ask(&void)[..], [Said::Refused(_, refusal)] if *refusal == settled));
}

#[test]
fn settling_goes_on_after_a_crash_in_the_middle() {
    let mut driver = Driver::new(ROOMY);
    let members: Vec<Xid> = (0..3).map(|_| done(&mut driver, &sale(), Verdict::Approved)).collect();
    let sent = only_order(&close(&mut driver)).sent;
    driver.answer(sent, Verdict::Approved);
    driver.accept(Input::SettleMember { transaction: members[1] });
    driver.accept(Input::CompleteBatch { batch: sent.id });
    let said = restart(&mut driver);
    assert!(matches!(&said[..], [Said::BatchMoved(batch)] if batch.state() == BatchState::Accepted));
    settle(&mut driver, sent.id);
    assert_eq!(newest_batch(&driver, sent.id).state(), BatchState::Complete);
}

#[test]
fn batch_numbers_never_come_twice() {
    let mut driver = Driver::new(ROOMY);
    done(&mut driver, &sale(), Verdict::Approved);
    let first = only_order(&close(&mut driver)).sent;
    driver.answer(first, DECLINED);
    done(&mut driver, &sale(), Verdict::Approved);
    // The older batch now has number 3, the younger 2, and the younger is read back last.
    assert_eq!(orders(&close(&mut driver)).len(), 2);
    restart(&mut driver);
    let next = done(&mut driver, &sale(), Verdict::Approved);
    assert_eq!(newest(&driver, next).batch_number.get(), 4);
}

/// What is in flight when the process dies; each is unknown afterwards, told by nobody, and reversed.
#[test]
fn what_was_in_flight_is_unknown_and_its_reversal_is_sent() {
    for verb in [Verb::Sale, Verb::Authorize, Verb::Capture, Verb::Void, Verb::Refund] {
        let mut driver = Driver::new(ROOMY);
        let authorization = done(&mut driver, &Ask { verb: Verb::Authorize, ..sale() }, Verdict::Approved);
        let settled = done(&mut driver, &sale(), Verdict::Approved);
        let batch = only_order(&close(&mut driver)).sent;
        driver.answer(batch, Verdict::Approved);
        settle(&mut driver, batch.id);
        let ask = match verb {
            Verb::Refund => Ask::step(verb, merchant(0), settled, Some(400)),
            Verb::Capture | Verb::Void => Ask::step(verb, merchant(0), authorization, None),
            _ => Ask { verb, ..sale() },
        };
        let ask = ask.keyed(1);
        let sent = only_order(&driver.ask(&ask)).sent;
        let order = only_order(&restart(&mut driver));
        assert_eq!((order.sent, order.repeat), (Sent { leg: Leg::Reversal, ..sent }, false), "{verb:?}");
        assert_eq!((driver.shard.in_flight(), newest(&driver, sent.id).status()), (0, Status::Unknown));
        // I4: the key is remembered, and answered with "unknown".
        let said = driver.ask(&ask);
        assert!(matches!(&said[..], [Said::Version { replayed: true, version, .. }] if version.0.status() == Status::Unknown));
        // A second crash: the reversal is still queued, and now a repeat.
        let repeat = only_order(&restart(&mut driver));
        assert_eq!((repeat.sent, repeat.repeat), (order.sent, true), "{verb:?}");
        driver.answer(repeat.sent, Verdict::Receipt);
        assert_eq!((newest(&driver, sent.id).status(), driver.shard.reversals_queued()), (Status::Reversed, 0));
        if verb == Verb::Refund {
            let sale = newest(&driver, settled);
            assert_eq!((sale.status(), sale.refundable()), (Status::Settled, 1000));
        }
    }
}

#[test]
fn a_void_of_a_refund_that_was_in_flight_gives_the_money_back_to_its_sale() {
    let mut driver = Driver::new(ROOMY);
    let sold = done(&mut driver, &sale(), Verdict::Approved);
    let batch = only_order(&close(&mut driver)).sent;
    driver.answer(batch, Verdict::Approved);
    settle(&mut driver, batch.id);
    let refund = done(&mut driver, &Ask::step(Verb::Refund, merchant(0), sold, Some(400)), Verdict::Approved);
    driver.ask(&Ask::step(Verb::Void, merchant(0), refund, None));
    assert_eq!(newest(&driver, sold).amount_refund_pending.get(), 400);
    let reversal = only_order(&restart(&mut driver)).sent;
    driver.answer(reversal, Verdict::Receipt);
    let sale = newest(&driver, sold);
    assert_eq!((sale.refundable(), sale.amount_refund_pending.get(), sale.status()), (1000, 0, Status::Settled));
    assert_eq!(newest(&driver, refund).status(), Status::Reversed);
}

#[test]
fn a_refused_part_is_still_reversed_after_a_crash_and_stays_declined() {
    let mut driver = Driver::new(ROOMY);
    let sent = only_order(&driver.ask(&sale())).sent;
    driver.answer(sent, Verdict::Partial { approved: 400 });
    let order = only_order(&restart(&mut driver));
    assert_eq!(order.sent, Sent { leg: Leg::Reversal, ..sent });
    driver.answer(order.sent, Verdict::Receipt);
    assert_eq!(newest(&driver, sent.id).status(), Status::Declined);
}

#[test]
fn what_was_not_durable_never_was() {
    let mut driver = Driver::new(ROOMY);
    let keyed = sale().keyed(1);
    let lost = keyed.command(driver.draw_id());
    driver.give(&lost, &[]);
    driver.crash(0);
    assert_eq!(driver.sync(), []);
    let sent = only_order(&driver.ask(&keyed)).sent;
    assert_ne!(sent.id, lost.id, "the key is free: nothing of its first use left the shard");
}

#[test]
fn a_restart_with_much_in_flight_gives_turns_that_each_fit_a_frame() {
    let mut driver = Driver::new(Limits { tails_max_bytes: 1 << 24, ..ROOMY });
    let mut tail = Vec::new();
    protocol::tail::push(&mut tail, protocol::tail::tag::CUSTOM_FIELDS, &[b' '; 16_000]);
    for _ in 0..500 {
        let ask = Ask { verb: Verb::Authorize, ..sale() };
        let command = ask.command(driver.draw_id());
        driver.give(&command, &tail);
        driver.sync();
    }
    driver.crash(0);
    let turns: Vec<usize> = driver.unsynced_records().map(<[u8]>::len).collect();
    assert!(turns.iter().sum::<usize>() > FRAME_PAYLOAD_BYTES_MAX, "more than fits one");
    assert!(turns.iter().all(|bytes| *bytes <= FRAME_PAYLOAD_BYTES_MAX));
    assert_eq!(orders(&driver.sync()).len(), 500);
}

#[test]
fn what_rests_leaves_a_full_table_and_comes_back_for_a_step() {
    let mut driver = Driver::new(TINY);
    let first = done(&mut driver, &Ask { verb: Verb::Authorize, ..sale() }, Verdict::Approved);
    driver.advance_ms(11_000);
    for _ in 0..7 {
        done(&mut driver, &Ask { verb: Verb::Authorize, ..sale() }, Verdict::Approved);
    }
    assert!(driver.shard.transactions_in_memory() < 8);
    let capture = Ask::step(Verb::Capture, merchant(0), first, None);
    let [Said::Absent(_, absent)] = driver.ask(&capture)[..] else { panic!("it has left") };
    assert_eq!(absent, first);
    driver.hydrate(first);
    done(&mut driver, &capture, Verdict::Approved);
    assert_eq!(newest(&driver, first).status(), Status::PendingSettlement);
}

#[test]
fn an_old_reading_and_one_of_an_open_transaction_are_not_taken_back() {
    let mut driver = Driver::new(ROOMY);
    let id = done(&mut driver, &Ask { verb: Verb::Authorize, ..sale() }, Verdict::Approved);
    let (transaction, _) = driver.journal.newest(id).unwrap().clone();
    restart(&mut driver);
    let read_at = driver.now;
    driver.advance_ms(5_001);
    let tail = protocol::tail::Tail::trusted(&[]);
    driver.accept(Input::Hydrate { transaction: &transaction, tail, read_at });
    assert_eq!(driver.shard.transactions_in_memory(), 0);
    let open = driver.journal.version(id, 1).unwrap().0;
    let read_at = driver.now;
    driver.accept(Input::Hydrate { transaction: &open, tail, read_at });
    assert_eq!(driver.shard.transactions_in_memory(), 0);
    driver.accept(Input::Hydrate { transaction: &transaction, tail, read_at });
    assert_eq!(driver.shard.transactions_in_memory(), 1);
}
