//! The gateway document, held to its word over real sockets: what a client written from it sends is taken, and what it expects comes.

#![recursion_limit = "256"]

use serde_json::{Value, json};
use tests::client::{Client, id, rrn, text};
use tests::payment::{self, VISA, payment, with};
use tests::switch::{keys, shared};
use tests::{HostProcess, Options, Switch};

/// The document's sample request with the first of its payment methods, as printed.
fn sample() -> Value {
    let address = address();
    json!({
        "type": "sale",
        "amount": 1112,
        "tax_amount": 100,
        "shipping_amount": 100,
        "currency": "USD",
        "description": "test transaction",
        "order_id": "someOrderID",
        "po_number": "somePONumber",
        "ip_address": "4.2.2.2",
        "email_receipt": false,
        "email_address": "user@home.com",
        "create_vault_record": true,
        "payment_method": {
            "card": {
                "entry_type": "keyed",
                "number": "4012000098765439",
                "expiration_date": "12/20",
                "cvc": "999",
                "cardholder_authentication": {"condition": "...", "eci": "...", "cavv": "...", "xid": "..."}
            }
        },
        "billing_address": address,
        "shipping_address": address,
    })
}

fn address() -> Value {
    json!({
        "first_name": "John",
        "last_name": "Smith",
        "company": "Test Company",
        "address_line_1": "123 Some St",
        "city": "Wheaton",
        "state": "IL",
        "postal_code": "60187",
        "country": "US",
        "phone": "5555555555",
        "fax": "5555555555",
        "email": "help@website.com"
    })
}

/// The fields of all the document's samples of a card transaction, and what they hold where the request decides it.
/// A text in angle brackets stands for any value of that type.
fn expected() -> Value {
    let address = with(address(), &json!({"address_line_2": ""}));
    json!({
        "id": "<text>",
        "user_id": "<text>",
        "user_name": "<text>",
        "idempotency_key": "",
        "idempotency_time": 0,
        "type": "sale",
        "amount": 1112,
        "amount_authorized": 1112,
        "amount_captured": 1112,
        "amount_settled": 0,
        "tip_amount": 0,
        "processor_id": "<text>",
        "processor_type": "tsys_sierra",
        "processor_name": "<text>",
        "payment_method": "card",
        "payment_type": "card",
        "tax_amount": 100,
        "tax_exempt": false,
        "shipping_amount": 100,
        "discount_amount": 0,
        "payment_adjustment_type": "",
        "payment_adjustment_value": 0,
        "currency": "usd",
        "description": "test transaction",
        "order_id": "someOrderID",
        "po_number": "somePONumber",
        "ip_address": "4.2.2.2",
        "transaction_source": "api",
        "email_receipt": false,
        "email_address": "user@home.com",
        "customer_id": "<text>",
        "referenced_transaction_id": "",
        "response_body": {"card": expected_card()},
        "status": "pending_settlement",
        "response": "approved",
        "response_code": 100,
        "billing_address": address,
        "shipping_address": address,
        "created_at": "<time>",
        "updated_at": "<time>",
        "captured_at": "<time>",
        "settled_at": null
    })
}

fn expected_card() -> Value {
    json!({
        "id": "<text>",
        "card_type": "visa",
        "first_six": "401200",
        "last_four": "5439",
        "masked_card": "401200******5439",
        "expiration_date": "12/20",
        "status": "approved",
        "auth_code": "<text>",
        "processor_response_code": "00",
        "processor_response_text": "<text>",
        "processor_type": "tsys_sierra",
        "processor_id": "<text>",
        "avs_response_code": "Y",
        "cvv_response_code": "M",
        "processor_specific": {"rrn": "<text>"},
        "created_at": "<time>",
        "updated_at": "<time>"
    })
}

/// Every field that is expected is there, of its type, with its value.
#[track_caller]
fn assert_shown(at: &str, expected: &Value, shown: &Value) {
    match (expected, shown) {
        (Value::Object(expected), Value::Object(shown)) => {
            for (name, value) in expected {
                let at = format!("{at}.{name}");
                assert_shown(&at, value, shown.get(name).unwrap_or_else(|| panic!("{at} is missing")));
            }
        }
        (Value::String(word), Value::String(_)) if word == "<text>" => {}
        (Value::String(word), Value::String(moment)) if word == "<time>" => {
            assert!(moment.len() >= 20 && moment.ends_with('Z') && moment.as_bytes()[10] == b'T', "{at}: {moment}");
        }
        (expected, shown) => assert_eq!(expected, shown, "{at}"),
    }
}

#[test]
fn the_documents_sample_is_approved_with_every_field_it_prints() {
    let switch = shared();
    let sale = switch.client().pay(&sample()).data();
    assert_shown("data", &expected(), &sale);
    let (auth, words) = (&sale["response_body"]["card"]["auth_code"], &sale["response_body"]["card"]["processor_response_text"]);
    assert_eq!(words.as_str().map(str::trim_end), Some(format!("APPROVAL {}", auth.as_str().unwrap()).as_str()));
    assert_eq!(words.as_str().map(str::len), Some(16));
    assert_eq!(switch.client().get(id(&sale)), sale, "a GET right after it shows the same");
}

#[test]
fn a_sale_lasts_through_kill_9_byte_for_byte() {
    let mut switch = Switch::sandboxed();
    let body = with(sample(), &json!({"idempotency_key": "once", "payment_method": {"card": {"expiration_date": "12/40"}}}));
    let first = switch.client().pay(&body);
    let path = format!("/api/transaction/{}", id(&first.data()));
    let before = switch.client().call("GET", &path, &[], b"");
    switch.kill9();
    switch.start_again();
    let after = switch.client().call("GET", &path, &[], b"");
    assert_eq!(after.text(), before.text());
    let replay = switch.client().pay(&body);
    assert_eq!((replay.text(), replay.header("idempotent-replayed")), (first.text(), Some("true")));
    assert_eq!(switch.control().entries_of(rrn(&first.data())).len(), 1);
    switch.terminate();
    switch.start_again();
    assert_eq!(switch.client().call("GET", &path, &[], b"").text(), before.text(), "after an orderly stop as well");
}

#[test]
fn unset_fields_as_null_and_unknown_fields_change_nothing() {
    let unset = ["tax_amount", "order_id", "billing_address", "ip_address", "processor_id", "idempotency_key", "tax_exempt"];
    let mut body = payment("sale", 1201, VISA);
    unset.iter().for_each(|name| body[*name] = Value::Null);
    body["payment_method"]["token"] = Value::Null;
    body["payment_method"]["card"]["cardholder_authentication"] = Value::Null;
    body["colour"] = json!({"of": ["the", "shop"]});
    let switch = shared();
    let client = switch.client();
    let sale = client.call("POST", "/api/transaction", &[], body.to_string().as_bytes()).data();
    assert_eq!((&sale["response_code"], &sale["tax_amount"], &sale["order_id"]), (&json!(100), &json!(0), &json!("")));
}

#[test]
fn both_forms_of_an_expiry_and_of_the_cvc_field_are_taken() {
    let switch = shared();
    let client = switch.client();
    for (expiry, cvc) in [("12/40", "cvc"), ("1240", "cvv")] {
        let card = json!({"number": VISA, "expiration_date": expiry, cvc: "123"});
        let sale = client.pay(&json!({"type": "sale", "amount": 1300, "payment_method": {"card": card}})).data();
        let shown = &sale["response_body"]["card"];
        assert_eq!((&shown["expiration_date"], &shown["cvv_response_code"]), (&json!("12/40"), &json!("M")), "{expiry} {cvc}");
    }
}

#[test]
fn an_authorization_is_captured_in_part_once() {
    let switch = shared();
    let client = switch.client();
    let held = client.authorize(5000, VISA);
    assert_eq!((text(&held, "status"), &held["amount_captured"], &held["captured_at"]), ("authorized", &json!(0), &Value::Null));
    let captured = client.capture(id(&held), 3000);
    assert_eq!(captured.data(), Value::Null);
    assert_eq!(captured.header("location"), Some(format!("/api/transaction/{}", id(&held)).as_str()));
    let shown = client.get(id(&held));
    let amounts = [&shown["amount"], &shown["amount_authorized"], &shown["amount_captured"], &shown["amount_settled"]];
    assert_eq!(amounts, [&json!(5000), &json!(5000), &json!(3000), &json!(0)]);
    assert_eq!((text(&shown, "status"), text(&shown, "type")), ("pending_settlement", "authorize"));
    let entries = switch.control().entries_of(rrn(&held));
    let seen: Vec<_> = entries.iter().map(|entry| (entry.kind.as_str(), entry.amount, entry.stands())).collect();
    assert_eq!(seen, [("authorization", 5000, true), ("capture", 3000, true)]);
    let (status, said) = client.capture(id(&held), 100).refusal();
    assert_eq!(status, 400);
    assert!(said.contains("pending_settlement"), "{said}");
}

#[test]
fn a_capture_without_an_amount_takes_all_and_may_answer_with_the_transaction() {
    let switch = shared();
    let client = switch.client();
    let held = client.authorize(1400, VISA);
    let captured = client.step(id(&held), "capture", &[("Prefer", "return=representation")], &json!({})).data();
    assert_eq!((id(&captured), &captured["amount_captured"]), (id(&held), &json!(1400)));
    assert_eq!(captured, client.get(id(&held)));
}

#[test]
fn a_sale_an_authorization_and_a_captured_authorization_can_be_voided() {
    let switch = shared();
    let client = switch.client();
    let captured = client.authorize(1501, VISA);
    client.capture(id(&captured), 700).data();
    for transaction in [client.sale(1502, VISA), client.authorize(1503, VISA), captured] {
        let voided = client.void(id(&transaction));
        assert_eq!(voided.data(), Value::Null);
        assert_eq!(text(&client.get(id(&transaction)), "status"), "voided");
        let entries = switch.control().entries_of(rrn(&transaction));
        assert!(entries.iter().any(|entry| entry.kind == "void" && entry.approved), "{entries:?}");
        assert!(!entries.iter().any(|entry| entry.stands()), "{entries:?}");
    }
}

#[test]
fn a_credit_pays_without_a_sale_and_a_verification_takes_nothing() {
    let switch = shared();
    let client = switch.client();
    let credit = client.pay(&payment("credit", 1601, VISA)).data();
    assert_eq!((text(&credit, "type"), text(&credit, "response")), ("credit", "approved"));
    let entries = switch.control().entries_of(rrn(&credit));
    assert_eq!(entries.iter().map(|entry| (entry.kind.as_str(), entry.amount)).collect::<Vec<_>>(), [("credit", 1601)]);
    let verified = client.pay(&payment("verification", 0, VISA)).data();
    assert_eq!((text(&verified, "response"), &verified["amount"]), ("approved", &json!(0)));
    let entries = switch.control().entries_of(rrn(&verified));
    assert_eq!(entries.iter().map(|entry| (entry.kind.as_str(), entry.amount)).collect::<Vec<_>>(), [("authorization", 0)]);
}

#[test]
fn a_partial_approval_stands_where_it_is_welcome_and_is_taken_back_where_not() {
    let switch = shared();
    let client = switch.client();
    let welcome = client.pay(&with(payment("sale", 2000, payment::HALF), &json!({"allow_partial_payment": true}))).data();
    assert_eq!((&welcome["response_code"], text(&welcome, "response")), (&json!(110), "approved"));
    assert_eq!(
        [&welcome["amount"], &welcome["amount_authorized"], &welcome["amount_captured"]],
        [&json!(2000), &json!(1000), &json!(1000)]
    );
    let unwelcome = client.sale(2000, payment::HALF);
    assert_eq!((&unwelcome["response_code"], text(&unwelcome, "status")), (&json!(202), "declined"));
    assert_eq!(unwelcome["amount_captured"], 0);
    let control = switch.control();
    tests::eventually(std::time::Duration::from_secs(5), || {
        let entries = control.entries_of(rrn(&unwelcome));
        let undone = entries.iter().any(|entry| entry.kind == "reversal") && !entries.iter().any(|entry| entry.stands());
        if undone { Ok(()) } else { Err(format!("{entries:?}")) }
    });
    assert_eq!(text(&client.get(id(&unwelcome)), "status"), "declined", "what its client was told stays");
}

#[test]
fn every_amount_that_the_host_declines_gives_its_code() {
    let switch = shared();
    let client = switch.client();
    let rows = [(900_001, 240), (900_002, 240), (900_003, 410), (900_004, 250), (900_005, 201), (900_006, 400), (900_007, 253)];
    let more = [(900_012, 204), (900_013, 220), (900_014, 222), (900_015, 221), (900_030, 440), (900_039, 222), (900_041, 251)];
    let rest = [(900_043, 252), (900_051, 202), (900_054, 223), (900_057, 200), (900_061, 203), (900_065, 203), (900_082, 225)];
    let last = [(900_085, 100), (900_086, 226), (900_094, 430), (900_096, 400), (900_099, 200)];
    let letters = [(900_101, 225), (900_102, 261), (900_103, 261), (900_104, 262)];
    for (amount, code) in [&rows[..], &more, &rest, &last, &letters].concat() {
        for verb in ["sale", "authorize"] {
            let answer = client.pay(&payment(verb, amount, VISA)).data();
            assert_eq!(answer["response_code"], code, "{verb} of {amount}");
            let declined = text(&answer, "status") == "declined";
            assert_eq!(declined, code != 100, "{verb} of {amount} is {}", answer["status"]);
        }
    }
}

#[test]
fn every_card_and_letter_trigger_gives_its_code() {
    let switch = shared();
    let client = switch.client();
    for (card, code) in [(payment::DECLINED, 201), (payment::INSUFFICIENT, 202), (payment::EXPIRED, 223)] {
        let sale = client.sale(1701, card);
        assert_eq!((&sale["response_code"], text(&sale, "status")), (&json!(code), "declined"), "{card}");
    }
    for card in payment::APPROVED {
        assert_eq!(client.sale(1702, card)["response_code"], 100, "{card}");
    }
    let mismatch = client.pay(&with(payment("sale", 1703, VISA), &json!({"payment_method": {"card": {"cvc": "200"}}}))).data();
    assert_eq!((&mismatch["response_code"], &mismatch["response_body"]["card"]["cvv_response_code"]), (&json!(100), &json!("N")));
    let letters = [
        (json!({}), "0"),
        (json!({"postal_code": "60187"}), "Z"),
        (json!({"address_line_1": "1 Road"}), "A"),
        (json!({"postal_code": "60187", "address_line_1": "1 Road"}), "Y"),
        (json!({"postal_code": "20000", "address_line_1": "1 Road"}), "N"),
    ];
    for (address, letter) in letters {
        let sale = client.pay(&with(payment("sale", 1704, VISA), &json!({"billing_address": address}))).data();
        assert_eq!(sale["response_body"]["card"]["avs_response_code"], letter, "{address}");
    }
}

#[test]
fn an_expired_card_is_declined_here_and_the_host_never_sees_it() {
    let switch = shared();
    let expired = json!({"payment_method": {"card": {"number": "4111111111111111", "expiration_date": "01/20"}}});
    let sale = switch.client().pay(&with(payment("sale", 31_337, VISA), &expired)).data();
    assert_eq!((&sale["response_code"], text(&sale, "status"), text(&sale, "response")), (&json!(223), "declined", "declined"));
    assert!(!switch.control().ledger().iter().any(|entry| entry.amount == 31_337));
}

#[test]
fn the_same_payment_within_the_window_is_a_duplicate_that_names_the_first() {
    let mut switch = Switch::start(Options { duplicate_window_s: 60, ..Options::default() });
    let client = switch.client();
    let first = client.sale(1801, VISA);
    let second = client.sale(1801, VISA);
    assert_eq!((&second["response_code"], text(&second, "status")), (&json!(301), "declined"));
    assert_eq!(text(&second, "duplicate_of"), id(&first));
    assert_eq!(text(&second["response_body"]["card"], "processor_response_text"), "Duplicate transaction");
    let allowed = client.pay(&with(payment("sale", 1801, VISA), &json!({"allow_duplicate": true}))).data();
    assert_eq!(allowed["response_code"], 100);
    for (verb, amount, card) in [("sale", 1802, VISA), ("authorize", 1801, VISA), ("sale", 1801, payment::APPROVED[0])] {
        assert_eq!(client.pay(&payment(verb, amount, card)).data()["response_code"], 100, "{verb} {amount} {card}");
    }
    assert_eq!(client.sale(1803, payment::DECLINED)["response_code"], 201);
    assert_eq!(client.sale(1803, payment::DECLINED)["response_code"], 201, "a declined payment has no duplicates");
    let sales = switch.control().ledger().iter().filter(|entry| (entry.kind.as_str(), entry.amount) == ("sale", 1801)).count();
    assert_eq!(sales, 3, "the first, the allowed one, and the other card's");
    switch.kill9();
    switch.start_again();
    let after = switch.client().sale(1802, VISA);
    assert_eq!(after["response_code"], 301, "the window outlasts a restart");
}

#[test]
fn illegal_steps_say_the_status_and_what_is_possible_and_send_nothing() {
    let switch = shared();
    let client = switch.client();
    let (sale, held) = (client.sale(1901, VISA), client.authorize(1902, VISA));
    let declined = client.sale(1903, payment::DECLINED);
    let voided = client.sale(1904, VISA);
    client.void(id(&voided)).data();
    let all = [&sale, &held, &declined, &voided];
    let before: Vec<_> = all.iter().map(|transaction| switch.control().entries_of(rrn(transaction))).collect();
    let rows = [
        (&sale, "capture", json!({}), ["pending_settlement", "void"]),
        (&sale, "refund", json!({"amount": 1}), ["pending_settlement", "void"]),
        (&held, "refund", json!({"amount": 1}), ["authorized", "capture or void"]),
        (&held, "capture", json!({"amount": 1903}), ["amount", "at most 1902"]),
        (&held, "capture", json!({"amount": 0}), ["amount", "at least 1"]),
        (&declined, "void", json!({}), ["declined", "nothing"]),
        (&declined, "capture", json!({}), ["declined", "nothing"]),
        (&voided, "void", json!({}), ["voided", "nothing"]),
        (&voided, "refund", json!({}), ["voided", "nothing"]),
    ];
    for (transaction, verb, body, words) in rows {
        let (status, said) = client.step(id(transaction), verb, &[], &body).refusal();
        assert_eq!(status, 400, "{verb} {body}: {said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{verb} {body}: {said}"));
    }
    let after: Vec<_> = all.iter().map(|transaction| switch.control().entries_of(rrn(transaction))).collect();
    assert_eq!(after, before);
    assert_eq!(client.get(id(&held)), held, "a refused step leaves no trace");
}

#[test]
fn another_merchants_transaction_is_not_there() {
    let host = HostProcess::start();
    let switch = Switch::start(Options::with_host(host.addr));
    let sale = switch.client().sale(2001, VISA);
    let other = switch.client_with(keys::OTHER);
    let path = format!("/api/transaction/{}", id(&sale));
    assert_eq!(other.call("GET", &path, &[], b"").refusal(), (404, "not found".to_owned()));
    for verb in ["capture", "void", "refund"] {
        assert_eq!(other.step(id(&sale), verb, &[], &json!({})).refusal(), (404, "not found".to_owned()), "{verb}");
    }
    assert_eq!(switch.client().get(id(&sale)), sale);
    assert_eq!(other.sale(2001, VISA)["response_code"], 100, "its own payments work");
}

/// What a search answers: how many match, and the ids of the page.
#[track_caller]
fn search(client: &Client, body: &Value) -> (u64, Vec<String>) {
    let response = client.call("POST", "/api/transaction/search", &[], body.to_string().as_bytes());
    let (found, answer) = (response.data(), response.json());
    assert_eq!(answer["count"], answer["total_count"]);
    let ids = found.as_array().expect("a list").iter().map(|found| id(found).to_owned()).collect();
    (answer["total_count"].as_u64().expect("a count"), ids)
}

#[test]
fn a_search_finds_what_the_document_says_it_finds() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let mut sale = payment("sale", 1_112, VISA);
    sale["order_id"] = json!("some order, with spaces");
    sale["billing_address"] = json!({"first_name": "John", "city": "Wheaton"});
    let sale = client.pay(&sale).data();
    let held = client.authorize(2_000, VISA);
    let declined = client.sale(5_100, "4000000000000002");
    let ids = |found: &[&Value]| found.iter().map(|found| id(found).to_owned()).collect::<Vec<_>>();
    assert_eq!(search(&client, &json!({})), (3, ids(&[&declined, &held, &sale])));
    assert_eq!(search(&client, &json!({"limit": 1, "offset": 1})), (3, ids(&[&held])));
    let sample = json!({"transaction_id": {"operator": "=", "value": id(&sale)}, "amount": {"operator": "=", "value": 1112},
        "created_at": {"start_date": "2017-11-01T00:00:00Z", "end_date": "2117-11-30T00:00:00Z"},
        "billing_address": {"first_name": {"operator": "=", "value": "John"}}});
    assert_eq!(search(&client, &sample), (1, ids(&[&sale])));
    for (condition, expected) in [
        (json!({"order_id": {"operator": "eq", "value": "some order, with spaces"}}), &[&sale][..]),
        (json!({"type": {"operator": "!=", "value": "sale"}}), &[&held]),
        (json!({"status": {"operator": "=", "value": "declined"}}), &[&declined]),
        (json!({"amount_authorized": {"operator": ">", "value": 1112}}), &[&held]),
        (
            json!({"billing_address": {"city": {"operator": "!=", "value": "Wheaton"}}, "amount": {"operator": "<", "value": 3000}}),
            &[&held],
        ),
        (
            json!({"processor_id": {"operator": "=", "value": sale["processor_id"]}, "payment_type": {"value": "card"}}),
            &[&declined, &held, &sale],
        ),
        (json!({"captured_at": {"start_date": "2017-11-01T00:00:00Z"}}), &[&sale]),
        (json!({"customer_id": {"operator": "=", "value": "nobody"}}), &[]),
    ] {
        assert_eq!(search(&client, &condition), (expected.len() as u64, ids(expected)), "{condition}");
    }
    let shown = client.call("POST", "/api/transaction/search", &[], sample.to_string().as_bytes()).data()[0].clone();
    assert_eq!(shown, client.get(id(&sale)), "a search shows a transaction as it is read alone");
    let (status, said) =
        client.call("POST", "/api/transaction/search", &[], br#"{"amount": {"operator": "=", "value": "x"}}"#).refusal();
    assert_eq!((status, said.contains("invalid amount.value")), (400, true), "{said}");
    let browser = switch.client_with(keys::PUBLIC);
    assert_eq!(browser.call("POST", "/api/transaction/search", &[], b"{}").status, 403);
}

#[test]
fn settled_batches_are_found_with_their_sums() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let find = |body: &str| client.call("POST", "/api/settlement/batch/search", &[], body.as_bytes()).json();
    assert_eq!(find("{}")["data"], json!({"summary": [], "results": []}));
    for amount in [10_000, 2_500] {
        client.sale(amount, VISA);
        switch.operator().settle();
    }
    let found =
        find(r#"{"batch_date":{"start_date":"2018-12-01T00:00:00Z","end_date":"2118-12-26T23:59:59Z"},"offset":0,"limit":1}"#);
    assert_eq!((&found["total_count"], found["data"]["results"].as_array().map(Vec::len)), (&json!(2), Some(1)));
    let batch = &found["data"]["results"][0];
    let sums = ["batch_number", "num_transactions", "amount_captured", "amount_credit", "net_deposit", "response_code"];
    assert_eq!(sums.map(|name| &batch[name]), [&json!(2), &json!(1), &json!(2_500), &json!(0), &json!(2_500), &json!(100)]);
    let day = &found["data"]["summary"][0];
    let date = text(batch, "batch_date")[..10].to_owned();
    assert_eq!((text(day, "batch_date"), text(day, "processor_name")), (date.as_str(), "card"));
    assert_eq!(["num_transactions", "captured", "credit"].map(|name| &day[name]), [&json!(2), &json!(12_500), &json!(0)]);
    let one = find(&json!({"settlement_batch_id": {"operator": "=", "value": id(batch)}}).to_string());
    assert_eq!((&one["total_count"], id(&one["data"]["results"][0])), (&json!(1), id(batch)));
    assert_eq!(find(r#"{"settlement_batch_id": {"operator": "=", "value": "none of ours"}}"#)["total_count"], 0);
}
