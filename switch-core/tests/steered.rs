//! Payments under an operator's tables: what a rule denies or marks, where a route sends a payment, and where else it goes.

mod support;

use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::record::Kind;
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{Basis, ExchangeState, ReversalReason, ReversalState, SkipReason, Status, Verb};
use std::sync::Arc;
use support::driver::{Driver, Order, ROOMY, Said, answer};
use support::{Ask, PROCESSOR, TIMEOUT_MS, merchant};
use switch_core::conditions::typed::{Condition, Value};
use switch_core::input::{Input, Leg, ProcessorState, ProcessorTerms, Recovered, Verdict};
use switch_core::routing::typed::{Route, Share};
use switch_core::routing::{Breaker, Circuit};
use switch_core::rules::typed::Rule;
use switch_core::{routing, rules};

const SECOND: u16 = 2;
const THIRD: u16 = 3;

fn condition(field: &str, op: &str, value: Value) -> Condition {
    Condition { field: field.to_owned(), op: op.to_owned(), value, per: None, window_s: None }
}

fn large() -> Condition {
    condition("amount", ">", Value::Number(900))
}

fn fast() -> Condition {
    Condition { per: Some("card".to_owned()), window_s: Some(60), ..condition("velocity", ">", Value::Number(2)) }
}

fn rule(name: &str, stage: &str, conditions: Vec<Condition>, then: &str) -> Rule {
    Rule { name: name.to_owned(), stage: stage.to_owned(), merchant_id: None, conditions, then: then.to_owned(), code: None }
}

fn rules(rules: &[Rule]) -> Input<'static> {
    Input::Rules(Arc::new(rules::Table::compile(7, rules).unwrap()))
}

/// A route to the first processor, then to the others in their order.
fn in_order() -> Input<'static> {
    let to = vec![Share { processor_id: PROCESSOR.to_string(), weight: 1 }];
    let fail_over = vec![SECOND.to_string(), THIRD.to_string()];
    let route = Route { name: "all".to_owned(), to, fail_over, ..Route::default() };
    let table = routing::Table::compile(9, &[route], Breaker::default(), |id| id.parse().ok());
    Input::Routes(Arc::new(table.unwrap()))
}

/// A shard with three processors and the tables.
fn driver(tables: impl IntoIterator<Item = Input<'static>>) -> Driver {
    let mut driver = Driver::new(ROOMY);
    for index in [SECOND, THIRD] {
        driver.accept(Input::Processor(ProcessorTerms { index, ..support::processor() }));
    }
    for table in tables {
        driver.accept(table);
    }
    driver
}

fn sale(amount: u64) -> Ask {
    Ask::pay(Verb::Sale, merchant(0), amount)
}

fn orders(said: &[Said]) -> Vec<&Order> {
    said.iter().filter_map(|said| if let Said::Send(order) = said { Some(order) } else { None }).collect()
}

fn replies(said: &[Said]) -> Vec<&(Transaction, Vec<u8>)> {
    said.iter().filter_map(|said| if let Said::Version { version, .. } = said { Some(&**version) } else { None }).collect()
}

fn reply(said: &[Said]) -> Transaction {
    replies(said).first().expect("somebody is answered").0
}

fn rule_name(said: &[Said]) -> String {
    Tail::trusted(&replies(said)[0].1).text(tag::RULE_NAME).to_owned()
}

fn newest(driver: &Driver, id: Xid) -> Transaction {
    driver.journal.newest(id).expect("it was written").0
}

#[test]
fn a_denial_before_the_processor_is_one_record_that_names_its_rule() {
    let mut driver = driver([rules(&[rule("small", "pre", vec![], "accept")])]);
    assert_eq!(orders(&driver.ask(&sale(1_000))).len(), 1, "accepted");
    driver.accept(rules(&[rule("large", "pre", vec![large()], "deny")]));
    assert_eq!(orders(&driver.ask(&sale(900))).len(), 1);
    let said = driver.ask(&sale(1_000));
    let denied = reply(&said);
    assert_eq!(
        (denied.status(), denied.response_code(), denied.version.get()),
        (Status::Declined, ResponseCode::RULE_ENGINE_DECLINE, 1)
    );
    assert_eq!((denied.choice.rules_version.get(), denied.choice.pre_rule.get()), (7, 1));
    assert_eq!((rule_name(&said), orders(&said).len()), ("large".to_owned(), 0));
    assert_eq!(driver.shard.stats().rule_denials, 1);
    assert_eq!(orders(&driver.ask(&sale(1_000).with(flag::BYPASS_RULES))).len(), 1, "who may pass the rules by does");
}

#[test]
fn a_denied_payment_is_replayed_as_it_was() {
    let mut driver = driver([rules(&[rule("large", "pre", vec![large()], "deny")])]);
    let first = driver.ask(&sale(1_000).keyed(3));
    driver.accept(rules(&[]));
    let again = driver.ask(&sale(1_000).keyed(3));
    assert_eq!(replies(&again), replies(&first));
}

#[test]
fn a_rule_that_denies_may_say_why_and_a_customer_who_has_yet_to_agree_is_told_apart() {
    for stage in ["pre", "post"] {
        let fraud = Rule { code: Some(321), ..rule("fraud", stage, vec![large()], "deny") };
        let mut driver = driver([rules(&[fraud])]);
        let mut said = driver.ask(&sale(1_000));
        if stage == "post" {
            said = driver.answer(orders(&said)[0].sent, Verdict::AwaitsCustomer);
        }
        assert_eq!((reply(&said).status(), reply(&said).response_code()), (Status::Declined, ResponseCode::FRAUD_DECLINE));
        let sent = orders(&driver.ask(&sale(500)))[0].sent;
        let said = driver.answer(sent, Verdict::AwaitsCustomer);
        let expected = (Status::PendingSettlement, ResponseCode::APPROVED_PENDING_CUSTOMER);
        assert_eq!((reply(&said).status(), reply(&said).response_code()), expected);
    }
}

#[test]
fn a_flagged_payment_goes_on_marked_and_nobody_outside_can_mark_one() {
    let mut driver = driver([rules(&[rule("look", "pre", vec![large()], "flag")])]);
    let sent = orders(&driver.ask(&sale(1_000)))[0].sent;
    let said = driver.answer(sent, Verdict::Approved);
    assert!(reply(&said).has(flag::FLAGGED));
    assert_eq!((reply(&said).status(), rule_name(&said)), (Status::PendingSettlement, "look".to_owned()));
    let sent = orders(&driver.ask(&sale(500).with(flag::FLAGGED)))[0].sent;
    assert!(!reply(&driver.answer(sent, Verdict::Approved)).has(flag::FLAGGED));
}

#[test]
fn an_approval_that_a_rule_denies_is_declined_and_reversed() {
    let not_verified = condition("cvv", "!=", Value::Text("P".to_owned()));
    for verb in [Verb::Sale, Verb::Authorize, Verb::Credit] {
        let mut driver = driver([rules(&[rule("cvv", "post", vec![not_verified.clone()], "deny")])]);
        let ask = Ask { verb, ..sale(1_000) };
        let sent = orders(&driver.ask(&ask))[0].sent;
        let said = driver.answer(sent, Verdict::Approved);
        let denied = reply(&said);
        assert_eq!((denied.status(), denied.response_code()), (Status::Declined, ResponseCode::RULE_ENGINE_DECLINE));
        assert_eq!((denied.reversal.state(), denied.reversal.reason()), (ReversalState::Queued, ReversalReason::DeniedByRule));
        assert_eq!((denied.choice.post_rule.get(), rule_name(&said)), (1, "cvv".to_owned()));
        let reversal = orders(&said)[0].sent;
        assert_eq!((reversal.leg, reversal.stan), (Leg::Reversal, sent.stan));
        driver.answer(reversal, Verdict::Receipt);
        let over = newest(&driver, sent.id);
        assert_eq!(
            (over.status(), over.reversal.state(), over.amount_captured.get()),
            (Status::Declined, ReversalState::Done, 0)
        );
        assert_eq!((driver.shard.in_flight(), driver.shard.reversals_queued()), (0, 0));
    }
}

#[test]
fn a_rule_after_the_answer_may_mark_a_decline_but_not_change_it() {
    let declined = condition("response_code", "=", Value::Number(202));
    let mut driver = driver([rules(&[rule("poor", "post", vec![declined], "deny")])]);
    let sent = orders(&driver.ask(&sale(1_000)))[0].sent;
    let said = driver.answer(sent, Verdict::Declined(ResponseCode::INSUFFICIENT_FUNDS));
    assert_eq!((reply(&said).response_code(), rule_name(&said)), (ResponseCode::INSUFFICIENT_FUNDS, "poor".to_owned()));
    assert_eq!(reply(&said).reversal.state(), ReversalState::None);
}

#[test]
fn a_velocity_counts_what_was_made_and_not_what_was_refused_or_replayed() {
    let mut driver = driver([rules(&[rule("fast", "pre", vec![fast()], "deny")])]);
    let off = ProcessorTerms { state: ProcessorState::Draining, ..support::processor() };
    driver.accept(Input::Processor(off));
    for _ in 0..5 {
        assert!(matches!(driver.ask(&sale(500))[..], [Said::Refused(_, Refusal::ProcessorNotAvailable)]));
    }
    driver.accept(Input::Processor(support::processor()));
    let first = orders(&driver.ask(&sale(500).keyed(1)))[0].sent;
    driver.answer(first, Verdict::Declined(ResponseCode::DECLINE));
    for _ in 0..5 {
        assert_eq!(reply(&driver.ask(&sale(500).keyed(1))).id, first.id);
    }
    assert_eq!(orders(&driver.ask(&sale(500))).len(), 1, "the second");
    for _ in 0..2 {
        assert_eq!(reply(&driver.ask(&sale(500))).response_code(), ResponseCode::RULE_ENGINE_DECLINE);
    }
    driver.advance_ms(70_000);
    assert_eq!(orders(&driver.ask(&sale(500))).len(), 1, "the window is over");
}

#[test]
fn a_restart_is_no_fresh_start_for_a_card() {
    let rule = || rules(&[rule("fast", "pre", vec![fast()], "deny")]);
    let mut driver = driver([rule()]);
    for _ in 0..2 {
        driver.ask(&sale(500));
    }
    let past: Vec<Transaction> = driver.journal.all_newest().copied().collect();
    driver.crash(0);
    driver.accept(rule());
    for transaction in &past {
        driver.accept(Input::Recover(Recovered::Counted(transaction, Tail::trusted(&[]))));
    }
    assert_eq!(reply(&driver.ask(&sale(500))).response_code(), ResponseCode::RULE_ENGINE_DECLINE);
}

#[test]
fn a_payment_says_how_it_came_to_its_processor() {
    let mut driver = driver([]);
    let basis = |driver: &mut Driver, named: u16| {
        let mut command: Command = sale(500).command(driver.draw_id());
        command.processor = named.into();
        driver.give(&command, &[]);
        driver.sync();
        let made = newest(driver, command.id);
        (made.processor.get(), made.choice.basis(), made.choice.routes_version.get())
    };
    assert_eq!(basis(&mut driver, 0), (PROCESSOR, Basis::Merchant, 0));
    assert_eq!(basis(&mut driver, THIRD), (THIRD, Basis::Named, 0));
    driver.accept(in_order());
    assert_eq!(basis(&mut driver, 0), (PROCESSOR, Basis::Weight, 9));
    assert_eq!(basis(&mut driver, THIRD), (THIRD, Basis::Named, 0), "who names one gets it, whatever a route says");
}

#[test]
fn what_was_provably_not_sent_goes_to_the_next_and_the_client_hears_of_one_payment() {
    let mut driver = driver([in_order()]);
    let said = driver.ask(&sale(500).keyed(1));
    let first = orders(&said)[0].sent;
    driver.accept(Input::NotSent(first));
    let said = driver.sync();
    assert_eq!(replies(&said).len(), 0);
    let second = orders(&said)[0].sent;
    let offered = newest(&driver, first.id);
    assert_eq!((offered.processor.get(), offered.version.get(), offered.choice.basis()), (SECOND, 2, Basis::FailOver));
    assert_eq!(offered.original.state(), ExchangeState::InFlight);
    let skips: Vec<_> = offered.choice.skips().map(|skip| (skip.processor, skip.reason)).collect();
    assert_eq!(skips, [(PROCESSOR, Some(SkipReason::NotSent))]);
    assert!(second.stan > first.stan, "each attempt has a number of its own");
    for stale in [
        Input::NotSent(first),
        Input::Lost(first),
        Input::Answer { answer: answer(first, Verdict::Approved), facts: Tail::trusted(&[]) },
    ] {
        assert_eq!(driver.accept(stale), 0, "what is said of the first attempt is not taken for the second");
    }
    let said = driver.answer(second, Verdict::Approved);
    assert_eq!(reply(&said).status(), Status::PendingSettlement);
    let told = replies(&said)[0].clone();
    assert_eq!(replies(&driver.ask(&sale(500).keyed(1))), [&told], "I4: one effect, one answer");
    let report = driver.shard.processor_report(PROCESSOR, driver.shard.now()).unwrap();
    assert_eq!((report.counts.in_flight, driver.shard.in_flight(), driver.shard.stats().fail_overs), (0, 0, 1));
}

#[test]
fn each_attempt_is_durable_before_it_is_sent() {
    let mut driver = driver([in_order()]);
    let first = orders(&driver.ask(&sale(500)))[0].sent;
    let records = driver.accept(Input::NotSent(first));
    let kinds: Vec<Kind> = driver.unsynced_records().flat_map(support::journal::split).map(|record| record.kind).collect();
    assert_eq!((records, kinds.last()), (2, Some(&Kind::Intent)), "the batch at the second processor, and the intent");
    assert_eq!(orders(&driver.sync()).len(), 1);
}

#[test]
fn when_none_of_a_route_can_be_reached_the_payment_is_declined_and_explained() {
    let mut driver = driver([in_order()]);
    let mut sent = orders(&driver.ask(&Ask { verb: Verb::Authorize, ..sale(500) }))[0].sent;
    let id = sent.id;
    let said = loop {
        driver.accept(Input::NotSent(sent));
        let said = driver.sync();
        match orders(&said).first() {
            Some(order) => sent = order.sent,
            None => break said,
        }
    };
    let declined = reply(&said);
    assert_eq!((declined.status(), declined.response_code()), (Status::Declined, ResponseCode::COMMUNICATION_ERROR));
    assert_eq!((declined.original.state(), declined.version.get()), (ExchangeState::NotSent, 4));
    let tried: Vec<u16> = newest(&driver, id).choice.skips().map(|skip| skip.processor).collect();
    assert_eq!(tried, [PROCESSOR, SECOND, THIRD]);
    assert_eq!((driver.shard.in_flight(), driver.shard.reversals_queued()), (0, 0));
}

#[test]
fn each_attempt_of_a_sale_opens_a_batch_of_its_own() {
    let mut driver = driver([in_order()]);
    let mut sent = orders(&driver.ask(&sale(500)))[0].sent;
    let mut batches = vec![newest(&driver, sent.id).batch];
    for processor in [SECOND, THIRD] {
        driver.accept(Input::NotSent(sent));
        sent = orders(&driver.sync())[0].sent;
        let offered = newest(&driver, sent.id);
        assert_eq!(offered.processor.get(), processor);
        batches.push(offered.batch);
    }
    let paid = reply(&driver.answer(sent, Verdict::Approved));
    assert_eq!((paid.status(), paid.batch), (Status::PendingSettlement, batches[2]));
    batches.sort_unstable();
    batches.dedup();
    assert_eq!(batches.len(), 3);
}

#[test]
fn a_rule_is_named_with_the_table_that_it_stood_in() {
    let table = |version, entries: &[Rule]| Input::Rules(Arc::new(rules::Table::compile(version, entries).unwrap()));
    let mut driver = driver([table(7, &[rule("before", "pre", vec![], "flag")])]);
    let sent = orders(&driver.ask(&sale(500)))[0].sent;
    driver.accept(table(8, &[rule("other", "pre", vec![], "accept"), rule("after", "post", vec![], "accept")]));
    driver.answer(sent, Verdict::Approved);
    let paid = newest(&driver, sent.id);
    assert_eq!((paid.choice.rules_version.get(), paid.choice.pre_rule.get()), (7, 1));
    assert_eq!((paid.post_rules_version.get(), paid.choice.post_rule.get()), (8, 2));
}

#[test]
fn what_may_have_been_sent_goes_to_no_other() {
    let mut driver = driver([in_order()]);
    let said = driver.ask(&sale(500));
    let sent = orders(&said)[0].sent;
    driver.accept(Input::Lost(sent));
    let said = driver.sync();
    assert_eq!(reply(&said).status(), Status::Unknown);
    assert!(orders(&said).iter().all(|order| order.sent.leg == Leg::Reversal), "I6: unknown is a state");
    assert_eq!(newest(&driver, sent.id).processor.get(), PROCESSOR);
}

#[test]
fn a_silent_processor_is_passed_over_until_its_probes_are_answered() {
    let mut driver = driver([in_order()]);
    for _ in 0..5 {
        driver.ask(&sale(500));
    }
    driver.advance_ms(TIMEOUT_MS);
    assert!(matches!(driver.shard.processor_report(PROCESSOR, driver.shard.now()).unwrap().circuit, Circuit::Open { .. }));
    let processor = |driver: &mut Driver| {
        let sent = orders(&driver.ask(&sale(600)))[0].sent;
        driver.answer(sent, Verdict::Approved);
        newest(driver, sent.id).processor.get()
    };
    assert_eq!(processor(&mut driver), SECOND);
    driver.advance_ms(5_000);
    assert_eq!([0; 3].map(|_| processor(&mut driver)), [PROCESSOR; 3], "three probes");
    assert_eq!(driver.shard.processor_report(PROCESSOR, driver.shard.now()).unwrap().circuit, Circuit::Closed);
    driver.accept(Input::LinkDown { processor: PROCESSOR });
    assert_eq!(processor(&mut driver), SECOND);
    driver.accept(Input::LinkUp { processor: PROCESSOR });
    assert_eq!(processor(&mut driver), PROCESSOR);
}

#[test]
fn a_drained_processor_takes_steps_and_a_disabled_one_reversals_only() {
    let mut driver = driver([in_order()]);
    let sent = orders(&driver.ask(&sale(500)))[0].sent;
    driver.answer(sent, Verdict::Approved);
    let unknown = orders(&driver.ask(&sale(700)))[0].sent.id;
    let put = |driver: &mut Driver, state| {
        driver.accept(Input::Processor(ProcessorTerms { state, ..support::processor() }));
    };
    put(&mut driver, ProcessorState::Disabled);
    let void = Ask::step(Verb::Void, merchant(0), sent.id, None);
    assert!(matches!(driver.ask(&void)[..], [Said::Refused(_, Refusal::ProcessorNotAvailable)]));
    let said = driver.advance_ms(TIMEOUT_MS);
    assert!(orders(&said).iter().any(|order| order.sent.leg == Leg::Reversal && order.sent.id == unknown));
    put(&mut driver, ProcessorState::Draining);
    assert_eq!(orders(&driver.ask(&void)).len(), 1);
    let other = orders(&driver.ask(&sale(800)))[0].sent.id;
    assert_eq!(newest(&driver, other).processor.get(), SECOND);
}

#[test]
fn a_rules_name_that_finds_no_room_is_left_out_and_nothing_else() {
    let long = "x".repeat(64);
    let mut driver = driver([rules(&[rule(&long, "post", vec![], "flag")])]);
    let mut tail = Vec::new();
    tail::push(&mut tail, tag::DESCRIPTION, &[b'x'; 16 * 1024]);
    tail::push(&mut tail, tag::CUSTOM_FIELDS, &[b'x'; 16 * 1024 - 16]);
    let command = sale(500).command(driver.draw_id());
    driver.give(&command, &tail);
    let sent = orders(&driver.sync())[0].sent;
    let said = driver.answer(sent, Verdict::Approved);
    assert_eq!((rule_name(&said), reply(&said).choice.post_rule.get()), (String::new(), 1));
    assert!(reply(&said).has(flag::FLAGGED));
}
