//! An operator at work: what is seen, what is changed while payments run, and what still holds after a kill.

use serde_json::{Value, json};
use std::time::Duration;
use tests::books::reconcile;
use tests::client::{Client, id, text};
use tests::payment::{VISA, amount, payment};
use tests::switch::keys;
use tests::{HostProcess, Options, Switch, until};

const DRAINED: Duration = Duration::from_secs(20);

#[track_caller]
fn tell(operator: &Client, what: &str) -> Value {
    operator.call("POST", &format!("/operator/processors/card/{what}"), &[], b"").data()
}

#[track_caller]
fn processor(operator: &Client) -> Value {
    operator.call("GET", "/operator/processors/card", &[], b"").data()
}

#[track_caller]
fn changes(operator: &Client) -> Vec<Value> {
    operator.call("GET", "/operator/changes", &[], b"").data().as_array().expect("a list").clone()
}

#[test]
fn a_drained_processor_takes_nothing_new_and_finishes_what_it_has_also_after_a_kill() {
    let mut switch = Switch::sandboxed();
    let (client, operator) = (switch.client(), switch.operator());
    let held = client.authorize(5_000, VISA);
    assert_eq!(tell(&operator, "drain")["state"], "draining");
    switch.kill9();
    switch.start_again();
    let (client, operator) = (Client { address: switch.http(), ..client }, Client { address: switch.http(), ..operator });
    assert_eq!(processor(&operator)["state"], "draining");
    let (status, said) = client.pay(&payment("sale", 1_112, VISA)).refusal();
    assert_eq!((status, said.contains("processor")), (400, true), "{said}");
    client.capture(id(&held), 4_000).data();
    assert_eq!(text(&client.get(id(&held)), "status"), "pending_settlement");
    assert_eq!(operator.settle().len(), 1);
    assert_eq!(tell(&operator, "enable")["state"], "enabled");
    assert_eq!(client.sale(1_112, VISA)["response_code"], 100);
    let made: Vec<Value> = changes(&operator).iter().map(|change| change["value"]["state"].clone()).collect();
    assert_eq!(made, ["draining", "enabled"]);
}

#[test]
fn a_change_that_is_undone_leaves_what_was_before() {
    let switch = Switch::sandboxed();
    let operator = switch.operator();
    tell(&operator, "drain");
    tell(&operator, "disable");
    let undo = |place: usize| {
        let path = format!("/operator/changes/{}/undo", id(&changes(&operator)[place]));
        operator.call("POST", &path, &[], b"")
    };
    assert_eq!(undo(1).data()["version"], 3);
    assert_eq!(processor(&operator)["state"], "draining");
    let (status, said) = undo(0).refusal();
    assert_eq!((status, said.contains("present version is 3")), (409, true), "another has come behind it: {said}");
    undo(2).data();
    assert_eq!(processor(&operator)["state"], "disabled", "what was taken back is back");
    let all = changes(&operator);
    assert_eq!(
        all.iter().map(|change| change["undoes"].clone()).collect::<Vec<_>>(),
        [json!(null), json!(null), json!(2), json!(3)]
    );
    let missing = operator.call("POST", "/operator/changes/b7kgflt1tlv51er0fts0/undo", &[], b"");
    assert_eq!(missing.status, 404);
}

#[test]
fn a_link_that_is_signed_off_gives_payments_back_unsent_and_works_again_when_signed_on() {
    let switch = Switch::sandboxed();
    let (client, operator) = (switch.client(), switch.operator());
    assert_eq!(client.sale(1_112, VISA)["response_code"], 100);
    tell(&operator, "cut-over");
    tell(&operator, "sign-off");
    let signed = |on: bool| until(Duration::from_secs(10), || (processor(&operator)["signed_on"] == on).then_some(()));
    signed(false).expect("the link signs off");
    let unsent = client.sale(2_224, VISA);
    assert_eq!((text(&unsent, "status"), unsent["response_code"].as_u64()), ("declined", Some(421)), "{unsent}");
    tell(&operator, "sign-on");
    signed(true).expect("the link signs on again");
    assert_eq!(client.sale(3_336, VISA)["response_code"], 100);
    let minute = processor(&operator)["last_minute"].clone();
    assert_eq!(["sent", "approved", "not_sent"].map(|name| minute[name].clone()), [json!(2), json!(2), json!(1)], "{minute}");
    assert!(minute["latency_us"]["p99"].as_u64() > Some(0), "{minute}");
}

#[test]
fn a_payments_story_says_what_happened_and_a_stuck_reversal_can_be_taken_over() {
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 300, ..Options::with_host(host.addr) });
    let (client, operator) = (switch.client(), switch.operator());
    host.control.faults(&json!({"drop_responses": 1.0}));
    let unknown = client.sale(amount::ANSWER_LOST, VISA);
    assert_eq!(text(&unknown, "status"), "unknown");
    let queued = operator.call("GET", "/operator/reversals", &[], b"").data();
    assert_eq!((text(&queued[0], "transaction_id"), text(&queued[0], "state")), (id(&unknown), "queued"));
    assert_eq!(queued[0]["rrn"], unknown["response_body"]["card"]["processor_specific"]["rrn"]);
    let path = format!("/operator/reversals/{}/take-over", id(&unknown));
    assert_eq!(operator.call("POST", &path, &[], b"").data()["state"], "taken_over");
    assert_eq!(operator.call("POST", &path, &[], b"").status, 404, "it is queued no more");
    assert_eq!(text(&client.get(id(&unknown)), "status"), "reversed");
    let story = operator.call("GET", &format!("/operator/transactions/{}/story", id(&unknown)), &[], b"").data();
    let events: Vec<&str> =
        story["versions"].as_array().expect("versions").iter().map(|version| text(version, "event")).collect();
    assert_eq!(events, ["reversal queued", "reversal done"]);
    assert_eq!((text(&story["requests"][0], "outcome"), text(&story["reversal"], "state")), ("unknown", "taken_over"));
    assert!(!story.to_string().contains(VISA), "no card number is told");
    host.control.heal();
    // The host has taken the reversal that was sent before, or the operator's word was premature: here it has.
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn the_operators_doors_are_closed_to_everybody_else() {
    let switch = Switch::sandboxed();
    for (method, path) in [
        ("GET", "/operator/processors"),
        ("GET", "/operator/processors/card"),
        ("POST", "/operator/processors/card/drain"),
        ("POST", "/operator/processors/card/sign-off"),
        ("GET", "/operator/changes"),
        ("POST", "/operator/changes/b7kgflt1tlv51er0fts0/undo"),
        ("GET", "/operator/reversals"),
        ("POST", "/operator/reversals/b7kgflt1tlv51er0fts0/take-over"),
        ("GET", "/operator/transactions/b7kgflt1tlv51er0fts0/story"),
    ] {
        for key in [keys::API, keys::PUBLIC, "nobody's"] {
            assert_eq!(switch.client_with(key).call(method, path, &[], b"").status, 401, "{method} {path} with {key}");
        }
        assert_eq!(switch.client_with(keys::API).stranger(method, path, &[], b"").status, 401);
    }
    assert_eq!(switch.operator().call("GET", "/operator/processors/nobody", &[], b"").status, 404);
    let (status, said) = switch.operator().call("GET", "/operator/changes?limit=9999", &[], b"").refusal();
    assert_eq!((status, said.contains("limit")), (400, true));
}

/// Puts a table and gives what is answered.
fn put(operator: &Client, table: &str, version: Option<&str>, body: &Value) -> tests::http::Response {
    let headers: Vec<(&str, &str)> = version.map(|version| ("If-Match", version)).into_iter().collect();
    operator.call("PUT", &format!("/operator/{table}"), &headers, body.to_string().as_bytes())
}

#[test]
fn a_rule_denies_from_the_next_payment_on_names_itself_and_holds_after_a_kill() {
    let mut switch = Switch::sandboxed();
    let rules = json!({"rules": [
        {"name": "no small change", "stage": "pre", "merchant_id": null, "if": [{"field": "amount", "op": "<", "value": 500}], "then": "deny"},
        {"name": "third time", "stage": "pre", "merchant_id": null,
         "if": [{"field": "velocity", "per": "card", "window_s": 3600, "op": ">", "value": 2}], "then": "deny"},
    ]});
    let made = put(&switch.operator(), "rules", Some("0"), &rules);
    assert_eq!((made.data()["version"].as_u64(), made.header("etag")), (Some(1), Some("\"1\"")));
    for restart in [false, true] {
        if restart {
            switch.kill9();
            switch.start_again();
        }
        let client = switch.client();
        let denied = client.sale(499, VISA);
        assert_eq!((text(&denied, "status"), denied["response_code"].as_u64()), ("declined", Some(310)), "{denied}");
        let shown = switch.operator().call("GET", "/operator/rules", &[], b"").data();
        assert_eq!((&shown["version"], &shown["rules"][0]["name"]), (&json!(1), &json!("no small change")));
    }
    assert!(switch.control().ledger().is_empty(), "nothing of it was sent");
    let card = tests::payment::APPROVED[0];
    let code = |switch: &Switch, amount: u64| switch.client().sale(amount, card)["response_code"].as_u64().expect("a code");
    assert_eq!([code(&switch, 1_000), code(&switch, 1_001)], [100, 100]);
    switch.kill9();
    switch.start_again();
    assert_eq!(code(&switch, 1_002), 310, "the third payment of a card in an hour, counted over a kill");
    let client = switch.client();
    let story =
        switch.operator().call("GET", &format!("/operator/transactions/{}/story", id(&client.sale(499, VISA))), &[], b"").data();
    assert_eq!(text(&story["decided_by"], "rule"), "no small change");
}

#[test]
fn routes_split_by_weight_pass_a_dead_host_over_and_are_guarded_against_two_operators() {
    let switch = Switch::sandboxed();
    let (client, operator) = (switch.client(), switch.operator());
    let file = switch.sandbox_json();
    let ids = ["card", "card_2"].map(|name| file["processors"][name]["id"].as_str().expect("its id").to_owned());
    let route = |one: u32, two: u32| {
        json!({"routes": [{"name": "both", "merchant_id": null, "if": [],
        "to": [{"processor_id": ids[0], "weight": one}, {"processor_id": ids[1], "weight": two}], "fail_over": []}]})
    };
    put(&operator, "routing", None, &route(1, 1)).data();
    let at = |sales: u64| {
        let names = (0..sales).map(|more| text(&client.sale(20_000 + more, VISA), "processor_name").to_owned());
        let names: Vec<String> = names.collect();
        (names.iter().filter(|name| *name == "card").count(), names.len())
    };
    let (first, all) = at(60);
    assert!((12..=48).contains(&first) && all == 60, "{first} of {all} at one of two with equal weights");
    let late = put(&operator, "routing", Some("0"), &route(1, 0));
    let (status, said) = late.refusal();
    assert_eq!((status, said.contains("present version is 1")), (409, true), "{said}");
    put(&operator, "routing", Some("\"1\""), &route(1, 0)).data();
    assert_eq!(at(10), (10, 10));
    operator.call("POST", "/operator/processors/card/sign-off", &[], b"");
    let gone = until(Duration::from_secs(10), || (processor(&operator)["signed_on"] == false).then_some(()));
    gone.expect("the link signs off");
    put(
        &operator,
        "routing",
        None,
        &json!({"routes": [{"name": "first", "if": [], "to": [{"processor_id": ids[0], "weight": 1}],
        "fail_over": [ids[1]]}]}),
    )
    .data();
    let over = client.sale(31_000, VISA);
    assert_eq!((text(&over, "processor_name"), over["response_code"].as_u64()), ("card_2", Some(100)), "{over}");
    let changes = changes(&operator);
    let last = changes.last().expect("a change");
    operator.call("POST", &format!("/operator/changes/{}/undo", id(last)), &[], b"").data();
    let shown = operator.call("GET", "/operator/routing", &[], b"").data();
    assert_eq!(shown["routes"][0]["name"], "both");
}

#[test]
fn a_table_that_is_wrong_is_refused_whole_and_the_place_is_named() {
    let switch = Switch::sandboxed();
    let operator = switch.operator();
    let rule = |field: &str, op: &str, then: &str| {
        json!({"rules": [{"name": "one", "stage": "pre", "if": [], "then": "flag"},
            {"name": "two", "stage": "pre", "if": [{"field": field, "op": op, "value": 5}], "then": then}]})
    };
    for (table, body, named) in [
        ("rules", json!({}), "rules"),
        ("rules", json!({"rules": [{"name": "x", "stage": "pre", "then": "deny", "when": []}]}), "rules[0]"),
        ("rules", rule("amonut", "<", "deny"), "rule 2"),
        ("rules", rule("amount", "~", "deny"), "condition 1"),
        ("rules", rule("amount", "<", "reject"), "then"),
        ("routing", json!({"routes": [{"name": "x", "to": [{"processor_id": "nobody", "weight": 1}]}]}), "route 1"),
        ("routing", json!({"routes": [{"name": "x", "to": []}]}), "route 1"),
    ] {
        let (status, said) = put(&operator, table, None, &body).refusal();
        assert_eq!((status, said.contains(named)), (400, true), "{body}: {said}");
    }
    assert_eq!(changes(&operator).len(), 0);
    assert_eq!(put(&operator, "rules", Some("first"), &json!({"rules": []})).status, 400);
}
