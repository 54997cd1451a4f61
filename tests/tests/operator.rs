//! An operator at work: what is seen, what is changed while payments run, and what still holds after a kill.

use serde_json::{Value, json};
use std::time::Duration;
use tests::books::reconcile;
use tests::client::{Client, id, text};
use tests::payment::{VISA, amount, payment, with};
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

/// What was done, and by whom.
#[track_caller]
fn actions(operator: &Client) -> Vec<(String, String)> {
    let listed = operator.call("GET", "/operator/actions", &[], b"").data();
    listed.as_array().expect("a list").iter().map(|action| owned((text(action, "action"), text(action, "by")))).collect()
}

fn owned((action, by): (&str, &str)) -> (String, String) {
    (action.to_owned(), by.to_owned())
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
fn if_match_guards_a_processor_and_a_merchant_too_and_no_change_is_lost_to_another() {
    let switch = Switch::sandboxed();
    let operator = switch.operator();
    let shop = text(&switch.sandbox_json(), "merchant_id").to_owned();
    let ask = |path: &str, version: &str| operator.call("POST", path, &[("If-Match", version)], b"{}");
    assert_eq!(processor(&operator)["version"], 0);
    assert_eq!(ask("/operator/processors/card/drain", "\"0\"").data()["version"], 1);
    let (suspend, settings) = (format!("/operator/merchants/{shop}/suspend"), format!("/operator/merchants/{shop}/settings"));
    for (path, stale) in [("/operator/processors/card/enable", "0"), (&suspend, "7"), (&settings, "7")] {
        let (status, said) = ask(path, stale).refusal();
        assert_eq!((status, said.contains("present version")), (409, true), "{path}: {said}");
    }
    // Each of them reads what is said of the merchant and writes it back with its own part changed.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..=20).for_each(|window| drop(post(&operator, &settings, &json!({"duplicate_window_s": window})).data()))
        });
        scope.spawn(|| drop(post(&operator, &suspend, &json!({})).data()));
    });
    let shown = operator.call("GET", &format!("/operator/merchants/{shop}"), &[], b"").data();
    assert_eq!((&shown["active"], &shown["duplicate_window_s"]), (&json!(false), &json!(20)), "{shown}");
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
    assert_eq!(
        actions(&operator),
        [("cut_over", "operator key"), ("sign_off", "operator key"), ("sign_on", "operator key")].map(owned)
    );
    assert_eq!(changes(&operator), Vec::<Value>::new(), "none of it has changed the configuration");
    let first = operator.call("GET", "/operator/actions?limit=1", &[], b"").data();
    let (status, said) = operator.call("POST", &format!("/operator/changes/{}/undo", id(&first[0])), &[], b"").refusal();
    assert_eq!((status, said.contains("can't be taken back")), (409, true), "{said}");
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
    assert_eq!(actions(&operator), [owned(("take_over", "operator key"))], "what was not done is not written down");
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
        ("GET", "/operator/actions"),
        ("POST", "/operator/changes/b7kgflt1tlv51er0fts0/undo"),
        ("GET", "/operator/reversals"),
        ("POST", "/operator/reversals/b7kgflt1tlv51er0fts0/take-over"),
        ("GET", "/operator/transactions/b7kgflt1tlv51er0fts0/story"),
        ("POST", "/operator/processors"),
        ("POST", "/operator/processors/card/settle"),
        ("GET", "/operator/merchants"),
        ("POST", "/operator/merchants"),
        ("GET", "/operator/merchants/b7kgflt1tlv51er0fts0"),
        ("POST", "/operator/merchants/b7kgflt1tlv51er0fts0/suspend"),
        ("POST", "/operator/merchants/b7kgflt1tlv51er0fts0/settings"),
        ("POST", "/operator/rules/dry-run"),
        ("POST", "/operator/routing/dry-run"),
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
    assert_eq!(story["decided_by"]["pre_rule_entry"]["if"][0]["value"], 500, "{story}");
    assert_eq!(text(&story["decline"], "by"), "rule");
    let told =
        |sale: &Value| switch.operator().call("GET", &format!("/operator/transactions/{}/story", id(sale)), &[], b"").data();
    let again = told(&client.sale(1_003, card));
    assert_eq!(again["decided_by"]["pre_rule_entry"]["if"][0]["per"], "card", "the velocity is told: {again}");
    let declined = told(&client.sale(5_000, tests::payment::DECLINED));
    assert_eq!(text(&declined["decline"], "by"), "processor");
    assert_eq!(told(&client.sale(5_001, tests::payment::APPROVED[1]))["decline"], json!(null));
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
    let story = operator.call("GET", &format!("/operator/transactions/{}/story", id(&over)), &[], b"").data();
    let decided_by = &story["decided_by"];
    assert_eq!((text(decided_by, "basis"), text(&decided_by["route_entry"], "name")), ("fail_over", "first"), "{decided_by}");
    assert_eq!(text(&decided_by["passed_over"][0], "processor"), "card", "{decided_by}");
    assert!(!text(&decided_by["passed_over"][0], "because").is_empty());
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
    let card = switch.sandbox_json()["processors"]["card"]["id"].clone();
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
        ("routing", json!({"routes": [{"name": "x", "to": [{"processor_id": card, "weight": 0}]}]}), "weight above 0"),
        (
            "routing",
            json!({"routes": [{"name": "x", "if": [{"field": "payment_method", "op": "=", "value": "ach"}],
            "to": [{"processor_id": card, "weight": 1}]}]}),
            "takes card payments",
        ),
    ] {
        let (status, said) = put(&operator, table, None, &body).refusal();
        assert_eq!((status, said.contains(named)), (400, true), "{body}: {said}");
    }
    assert_eq!(changes(&operator).len(), 0);
    assert_eq!(put(&operator, "rules", Some("first"), &json!({"rules": []})).status, 400);
}

/// Calls an operator's path with a JSON body.
#[track_caller]
fn post(operator: &Client, path: &str, body: &Value) -> tests::http::Response {
    operator.call("POST", path, &[], body.to_string().as_bytes())
}

#[test]
fn a_merchant_that_is_made_pays_is_suspended_and_comes_back_also_after_kills() {
    let mut switch = Switch::sandboxed();
    let made =
        post(&switch.operator(), "/operator/merchants", &json!({"name": "Kiosk 7", "settings": {"duplicate_window_s": 0}}))
            .data();
    assert!(["api_key", "pub_key", "username", "password"].iter().all(|field| !text(&made, field).is_empty()), "{made}");
    let (kiosk, key) = (id(&made).to_owned(), text(&made, "api_key").to_owned());
    let sale = switch.client_with(&key).sale(7_001, VISA);
    assert_eq!(sale["response_code"], 100, "{sale}");
    let (status, said) = post(&switch.operator(), "/operator/merchants", &json!({"name": "Kiosk 7"})).refusal();
    assert_eq!((status, said.contains("unique")), (400, true), "{said}");
    let tell =
        |switch: &Switch, what: &str| post(&switch.operator(), &format!("/operator/merchants/{kiosk}/{what}"), &json!({})).data();
    for restart in [false, true] {
        if restart {
            switch.kill9();
            switch.start_again();
            assert_eq!(switch.client_with(&key).pay(&payment("sale", 7_002, VISA)).status, 403, "it is suspended yet");
            assert_eq!(tell(&switch, "resume")["active"], true);
        }
        assert_eq!(switch.client_with(&key).sale(7_003, VISA)["response_code"], 100);
        assert_eq!(tell(&switch, "suspend")["active"], false);
        let (status, said) = switch.client_with(&key).pay(&payment("sale", 7_004, VISA)).refusal();
        assert_eq!((status, said.contains("not active")), (403, true), "{said}");
        assert_eq!(switch.client().sale(7_005, VISA)["response_code"], 100, "nobody else is");
    }
    tell(&switch, "resume");
    // What it has is settled all the same.
    assert!(switch.operator().settle().iter().any(|batch| text(batch, "merchant_id") == kiosk));
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn a_merchants_settings_change_at_once_are_undone_and_bound() {
    let mut switch = Switch::sandboxed();
    let shop = text(&switch.sandbox_json(), "merchant_id").to_owned();
    let path = format!("/operator/merchants/{shop}/settings");
    let twice = |switch: &Switch| {
        [switch.client().sale(7_101, VISA), switch.client().sale(7_101, VISA)].map(|sale| sale["response_code"].clone())
    };
    assert_eq!(twice(&switch), [json!(100), json!(100)]);
    let changed =
        post(&switch.operator(), &path, &json!({"duplicate_window_s": 600, "card_processor": "card_2", "compat": null})).data();
    assert_eq!(
        (&changed["duplicate_window_s"], &changed["card_processor"], &changed["version"]),
        (&json!(600), &json!("card_2"), &json!(1))
    );
    switch.kill9();
    switch.start_again();
    let sale = switch.client().sale(7_102, VISA);
    assert_eq!(text(&sale, "processor_name"), "card_2");
    assert_eq!(switch.client().sale(7_102, VISA)["response_code"], 301, "the window holds");
    for (wrong, named) in [
        (json!({"duplicate_window_s": 86_401}), "duplicate_window_s"),
        (json!({"card_processor": "nobody"}), "card_processor"),
        (json!({"compat": "modern"}), "compat"),
        (json!({"category": 10_000}), "category"),
        (json!({"window": 5}), "window"),
    ] {
        let (status, said) = post(&switch.operator(), &path, &wrong).refusal();
        assert_eq!((status, said.contains(named)), (400, true), "{wrong}: {said}");
    }
    let operator = switch.operator();
    let newest = changes(&operator).pop().expect("a change");
    post(&operator, &format!("/operator/changes/{}/undo", id(&newest)), &json!({})).data();
    let shown = operator.call("GET", &format!("/operator/merchants/{shop}"), &[], b"").data();
    assert_eq!((&shown["duplicate_window_s"], &shown["card_processor"]), (&json!(0), &json!("card")), "{shown}");
    assert_eq!(post(&operator, "/operator/merchants/b7kgflt1tlv51er0fts0/suspend", &json!({})).status, 404);
}

#[test]
fn a_processor_that_is_added_takes_payments_at_once_and_after_a_kill() {
    let host = HostProcess::start();
    let mut switch = Switch::sandboxed();
    let wanted = json!({"name": "second home", "type": "tsys_sierra", "addr": host.addr.to_string(), "timeout_ms": 1_000, "cut_over": "03:15"});
    let added = post(&switch.operator(), "/operator/processors", &wanted).data();
    assert_eq!((text(&added, "state"), text(&added, "cut_over")), ("enabled", "03:15"));
    let home = id(&added).to_owned();
    for restart in [false, true] {
        if restart {
            switch.kill9();
            switch.start_again();
        }
        let operator = switch.operator();
        let signed_on = || {
            (operator.call("GET", &format!("/operator/processors/{home}"), &[], b"").data()["signed_on"] == true).then_some(())
        };
        until(DRAINED, signed_on).expect("its link signs on");
        let mut body = payment("sale", 7_201, VISA);
        body["processor_id"] = json!(home);
        let sale = switch.client().pay(&body).data();
        assert_eq!((sale["response_code"].as_u64(), text(&sale, "processor_name")), (Some(100), "second home"), "{sale}");
    }
    assert_eq!(host.control.ledger().len(), 2);
    let settled = post(&switch.operator(), &format!("/operator/processors/{home}/settle"), &json!({})).data();
    assert_eq!((&settled[0]["num_transactions"], text(&settled[0], "state")), (&json!(2), "complete"));
    for (wrong, named) in [
        (json!({"name": "card", "type": "tsys_sierra", "addr": "127.0.0.1:9"}), "unique"),
        (json!({"name": "x", "type": "visa_direct", "addr": "127.0.0.1:9"}), "type"),
        (json!({"name": "x", "type": "tsys_sierra", "addr": "nowhere"}), "addr"),
        (json!({"name": "x", "type": "tsys_sierra", "addr": "127.0.0.1:9", "timeout_ms": 1}), "timeout_ms"),
        (json!({"name": "x", "type": "tsys_sierra", "addr": "127.0.0.1:9", "mac_key_hex": "0011"}), "mac_key_hex"),
        (json!({"name": "x", "type": "sage_ach", "addr": "127.0.0.1:9"}), "password"),
        (json!({"name": "x", "type": "tsys_sierra", "addr": "127.0.0.1:9", "tls": {"server_name": "a b"}}), "tls.server_name"),
        (
            json!({"name": "x", "type": "tsys_sierra", "addr": "127.0.0.1:9", "tls": {"server_name": "a", "ca_file": "/nowhere.pem"}}),
            "tls.ca_file /nowhere.pem",
        ),
    ] {
        let (status, said) = post(&switch.operator(), "/operator/processors", &wrong).refusal();
        assert_eq!((status, said.contains(named)), (400, true), "{wrong}: {said}");
    }
    assert_eq!(
        switch
            .operator()
            .call("GET", "/operator/processors", &[], b"")
            .data()
            .as_array()
            .map(|all| { all.iter().filter(|processor| text(processor, "name") == "second home").count() }),
        Some(1)
    );
}

#[test]
fn a_terminal_is_registered_for_a_merchant_made_at_run_time_and_takes_its_payments_also_after_a_kill() {
    let mut switch = Switch::sandboxed();
    let operator = switch.operator();
    let made =
        post(&operator, "/operator/merchants", &json!({"name": "counter", "settings": {"terminal_processor": "terminal"}}))
            .data();
    let (shop, key) = (id(&made).to_owned(), text(&made, "api_key").to_owned());
    let path = format!("/operator/merchants/{shop}/terminals");
    let wanted = |tpn: &str| json!({"tpn": tpn, "register_id": "R7", "auth_key": sandbox::spin::AUTH_KEY, "description": "till"});
    let (status, said) = post(&operator, &path, &wanted("000000000001")).refusal();
    assert_eq!((status, said.contains("another merchant")), (409, true), "{said}");
    for (wrong, named) in [(json!({"tpn": "x1"}), "tpn"), (json!({"tpn": "77"}), "register_id"), (json!({}), "tpn")] {
        let (status, said) = post(&operator, &path, &wrong).refusal();
        assert_eq!((status, said.contains(named)), (400, true), "{wrong}: {said}");
    }
    let terminal = post(&operator, &path, &wanted("000000000077")).data();
    let client = switch.client_with(&key);
    assert_eq!(client.call("GET", "/api/terminals", &[], b"").data(), json!([terminal]));
    let pay = |client: &Client| {
        let sale = json!({"type": "sale", "amount": 500, "payment_method": {"terminal": {"id": terminal["id"]}}});
        client.pay(&with(sale, &json!({"allow_duplicate": true})))
    };
    assert_eq!(pay(&client).data()["response_code"], 100);
    switch.kill9();
    switch.start_again();
    let client = switch.client_with(&key);
    assert_eq!(pay(&client).data()["response_code"], 100);
    let off = post(&switch.operator(), &path, &json!({"tpn": "000000000077", "active": false})).data();
    assert_eq!((&off["status"], &off["id"]), (&json!("inactive"), &terminal["id"]));
    assert_eq!(pay(&client).status, 400);
    // Two operators at once, for two merchants: the number is one's.
    let operator = switch.operator();
    let rival = post(&operator, "/operator/merchants", &json!({"name": "rival"})).data();
    let rivals = format!("/operator/merchants/{}/terminals", id(&rival));
    let mut answers = std::thread::scope(|scope| {
        let asking = [&path, &rivals].map(|path| scope.spawn(|| post(&operator, path, &wanted("000000000078")).status));
        asking.map(|asking| asking.join().expect("it is answered"))
    });
    answers.sort_unstable();
    assert_eq!(answers, [200, 409]);
}

const MAC_KEY: &str = "00112233445566778899aabbccddeeff";
const HOST_PASSWORD: &str = "rather-secret-indeed";

#[test]
fn processors_with_secrets_are_added_and_spoken_to_in_tls_and_come_back_with_a_kill() {
    let host = HostProcess::start_with(&["--tls", "mutual", "--mac-key-hex", MAC_KEY]);
    let file = |name: &str| host.folder().path().join("sandbox").join(name).display().to_string();
    let tls = json!({"server_name": "sandbox.test", "ca_file": file("ca.pem"), "client_cert_file": file("client.pem"),
        "client_key_file": file("client-key.pem")});
    let mut switch = Switch::sandboxed();
    let add = |wanted: Value| id(&post(&switch.operator(), "/operator/processors", &wanted).data()).to_owned();
    let card = add(json!({"name": "safe cards", "type": "tsys_sierra", "addr": host.addr.to_string(), "mac_key_hex": MAC_KEY,
        "connections": 3, "tls": tls}));
    let ach = add(json!({"name": "safe accounts", "type": "sage_ach", "addr": host.ach.to_string(), "password": HOST_PASSWORD,
        "tls": tls}));
    for restart in [false, true] {
        if restart {
            switch.kill9();
            switch.start_again();
        }
        let (operator, client) = (switch.operator(), switch.client());
        let connections = |id: &str, wanted: u64| {
            let shown = operator.call("GET", &format!("/operator/processors/{id}"), &[], b"").data();
            (shown["connections"] == wanted).then_some(())
        };
        until(DRAINED, || connections(&card, 3)).expect("all connections sign on");
        until(DRAINED, || connections(&ach, 1)).expect("the ACH host is reached");
        let by_card = client.pay(&with(payment("sale", 7_203, VISA), &json!({"processor_id": card}))).data();
        assert_eq!((by_card["response_code"].as_u64(), text(&by_card, "processor_name")), (Some(100), "safe cards"), "{by_card}");
        let account = json!({"routing_number": "000000001", "account_number": "998899", "sec_code": "web",
            "account_type": "checking"});
        let by_account = client.pay(&json!({"type": "sale", "amount": 2_002, "processor_id": ach,
            "payment_method": {"ach": account}, "billing_address": {"first_name": "John", "last_name": "Smith"}}));
        let by_account = by_account.data();
        assert_eq!(by_account["response_code"], 100, "{by_account}");
        let returned = || (text(&client.get(id(&by_account)), "status") == "returned").then_some(());
        until(DRAINED, returned).unwrap_or_else(|| panic!("its return is fetched: {}", client.get(id(&by_account))));
    }
    assert_eq!(host.control.ledger().len(), 2);
    let said = switch.operator().call("GET", "/operator/changes", &[], b"").text();
    assert!(said.contains("safe cards") && !said.contains(MAC_KEY) && !said.contains(HOST_PASSWORD), "{said}");
    let journal = std::fs::read_dir(switch.journal()).expect("a folder");
    for path in journal.map(|file| file.expect("a file").path()).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&path).expect("it can be read");
        let is_it = |window: &[u8], secret: &[u8]| window[0] == secret[0] && window == secret;
        let holds = |secret: &str| bytes.windows(secret.len()).any(|window| is_it(window, secret.as_bytes()));
        assert!(!holds(MAC_KEY) && !holds(HOST_PASSWORD), "{} holds a secret in clear", path.display());
    }
}

#[test]
fn a_dry_run_says_what_would_have_been_and_changes_nothing() {
    let switch = Switch::sandboxed();
    let (client, operator) = (switch.client(), switch.operator());
    for amount in [7_301, 7_302, 7_901] {
        client.sale(amount, VISA);
    }
    let rules = json!({"rules": [{"name": "large", "stage": "pre", "if": [{"field": "amount", "op": ">", "value": 7_500}], "then": "deny"}]});
    let report = post(&operator, "/operator/rules/dry-run?last=100", &rules).data();
    assert_eq!((&report["examined"], &report["changed"]), (&json!(3), &json!(1)));
    assert_eq!(report["by"], json!([{"from": "accept", "to": "deny", "count": 1, "amount": 7_901, "currency": "USD"}]));
    let velocity = json!({"rules": [{"name": "again", "stage": "pre", "if": [{"field": "velocity", "per": "card", "window_s": 3_600, "op": ">", "value": 1}], "then": "flag"}]});
    let report = post(&operator, "/operator/rules/dry-run?last=1", &velocity).data();
    assert_eq!(
        (&report["examined"], &report["by"][0]["to"]),
        (&json!(1), &json!("flag")),
        "those before it are counted: {report}"
    );
    let ids = ["card", "card_2"].map(|name| switch.sandbox_json()["processors"][name]["id"].clone());
    let routes = json!({"routes": [{"name": "second", "if": [{"field": "amount", "op": "<", "value": 7_500}], "to": [{"processor_id": ids[1], "weight": 1}]}]});
    let report = post(&operator, "/operator/routing/dry-run", &routes).data();
    assert_eq!((&report["examined"], &report["changed"]), (&json!(3), &json!(2)));
    assert_eq!(
        (&report["by"][0]["from"], &report["by"][0]["to"], &report["by"][0]["amount"]),
        (&ids[0], &ids[1], &json!(14_603))
    );
    assert_eq!(post(&operator, "/operator/routing/dry-run", &routes).data(), report, "the same once more");
    assert_eq!(changes(&operator).len(), 0);
    assert_eq!(client.sale(7_902, VISA)["response_code"], 100);
    for (path, body, named) in [
        ("/operator/rules/dry-run?last=0", &rules, "last"),
        ("/operator/rules/dry-run?first=5", &rules, "query"),
        ("/operator/rules/dry-run", &routes, "routes"),
    ] {
        let (status, said) = post(&operator, path, body).refusal();
        assert_eq!((status, said.contains(named)), (400, true), "{path}: {said}");
    }
}

#[test]
fn a_processor_is_reported_whole_while_its_host_is_silent() {
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 300, ..Options::with_host(host.addr) });
    let (client, operator) = (switch.client(), switch.operator());
    assert_eq!(client.sale(7_401, VISA)["response_code"], 100);
    let declined = client.sale(7_403, tests::payment::DECLINED);
    assert_eq!(text(&declined, "status"), "declined", "{declined}");
    host.control.faults(&json!({"drop_responses": 1.0}));
    assert_eq!(text(&client.sale(7_402, VISA), "status"), "unknown");
    let shown = processor(&operator);
    assert_eq!((&shown["approval_rate_bp"], &shown["timeout_rate_bp"]), (&json!(5_000), &json!(3_333)), "{shown}");
    assert_eq!((&shown["unknown"], &shown["in_flight"], &shown["circuit"]), (&json!(1), &json!(0), &json!("closed")));
    let reversals = &shown["reversals"];
    assert_eq!(
        (&reversals["queued"], &reversals["acknowledged"], &reversals["stuck"]),
        (&json!(1), &json!(0), &json!(0)),
        "{shown}"
    );
    assert!(reversals["sent"].as_u64() >= Some(1) && reversals["oldest_queued_at"].is_string(), "{shown}");
    assert_eq!((&shown["batches"]["open"], &shown["batches"]["num_transactions"]), (&json!(1), &json!(1)));
    assert_eq!((&shown["cut_over"], &shown["next_cut_over_at"]), (&json!(null), &json!(null)));
    host.control.heal();
    let drained = || (processor(&operator)["reversals"]["queued"] == 0).then_some(());
    until(DRAINED, drained).expect("the reversal is acknowledged");
    assert!(processor(&operator)["reversals"]["acknowledged"].as_u64() >= Some(1));
}

/// Everything that an operator may have changed, as it is shown.
#[track_caller]
fn shown(switch: &Switch, shop: &str) -> Value {
    let operator = switch.operator();
    let get = |path: &str| operator.call("GET", path, &[], b"").data();
    let names: Vec<Value> = get("/operator/processors").as_array().into_iter().flatten().map(|one| one["name"].clone()).collect();
    json!({"state": processor(&operator)["state"], "active": get(&format!("/operator/merchants/{shop}"))["active"],
        "rules": get("/operator/rules")["rules"], "routes": get("/operator/routing")["routes"], "processors": names})
}

#[test]
fn a_kill_in_the_midst_of_any_change_leaves_it_made_or_not_and_what_was_answered_holds() {
    let mut dice = tests::dice::Dice::announced("a_kill_in_the_midst_of_any_change");
    let mut switch = Switch::sandboxed();
    let file = switch.sandbox_json();
    let (shop, second) = (text(&file, "merchant_id").to_owned(), file["processors"]["card_2"]["id"].clone());
    let rules = json!({"rules": [{"name": "large", "stage": "pre", "if": [{"field": "amount", "op": ">", "value": 7_500}], "then": "deny"}]});
    let routes = json!({"routes": [{"name": "second", "to": [{"processor_id": second, "weight": 1}]}]});
    let added = json!({"name": "third", "type": "tsys_sierra", "addr": "127.0.0.1:9"});
    let suspended = format!("/operator/merchants/{shop}/suspend");
    for (method, path, body, field) in [
        ("POST", "/operator/processors/card/drain", json!({}), "state"),
        ("POST", suspended.as_str(), json!({}), "active"),
        ("PUT", "/operator/rules", rules, "rules"),
        ("PUT", "/operator/routing", routes, "routes"),
        ("POST", "/operator/processors", added, "processors"),
    ] {
        // Until it was made; each round is cut off somewhere between the request and some time after the answer.
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 20, "{path} is never made");
            let (before, known) = (shown(&switch, &shop), changes(&switch.operator()).len());
            let operator = switch.operator();
            let (asked, sent) = (path.to_owned(), body.to_string());
            let asking = std::thread::spawn(move || operator.try_call(method, &asked, &[], sent.as_bytes()));
            std::thread::sleep(Duration::from_micros(dice.between(0, if rounds < 4 { 4_000 } else { 400_000 })));
            switch.kill9();
            let answered = asking.join().expect("the operator's thread ends").is_ok_and(|answer| answer.status == 200);
            switch.start_again();
            let after = shown(&switch, &shop);
            let made = changes(&switch.operator()).len() - known;
            assert!(made == 1 || made == 0 && !answered, "{path}: {made} changes, answered: {answered}");
            assert_eq!(after[field] != before[field], made == 1, "{path}: {before} became {after}");
            if made == 1 {
                break;
            }
        }
    }
    let client = switch.client();
    assert_eq!(client.pay(&payment("sale", 7_601, VISA)).status, 403, "the merchant is suspended yet");
    post(&switch.operator(), &format!("/operator/merchants/{shop}/resume"), &json!({})).data();
    let routed = client.sale(7_400, VISA);
    assert_eq!((text(&routed, "processor_name"), &client.sale(7_602, VISA)["response_code"]), ("card_2", &json!(310)));
}
