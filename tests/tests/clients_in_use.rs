//! What clients in use do beside the gateway document, and must be allowed to do: each of their ways once, and how an account
//! chooses the answers that its client knows (`compat`).

use serde_json::{Value, json};
use tests::client::{Client, id, text};
use tests::http::Connection;
use tests::payment::{VISA, payment, with};
use tests::switch::{keys, shared};
use tests::{Options, Switch};

const JSON: (&str, &str) = ("Content-Type", "application/json; charset=UTF-8");

#[track_caller]
fn post(client: &Client, path: &str, body: &Value) -> Value {
    client.call("POST", path, &[], body.to_string().as_bytes()).data()
}

/// A payment in which every field that a client knows and has not set is null.
fn all_unset() -> Value {
    let mut body = payment("sale", 7_001, VISA);
    for unset in [
        "tax_amount",
        "tax_exempt",
        "shipping_amount",
        "discount_amount",
        "tip_amount",
        "surcharge",
        "base_amount",
        "description",
        "order_id",
        "po_number",
        "processor_id",
        "ip_address",
        "email_receipt",
        "email_address",
        "create_vault_record",
        "payment_adjustment",
        "billing_address",
        "shipping_address",
        "allow_partial_payment",
        "allow_duplicate",
        "line_items",
        "descriptor",
        "custom_fields",
        "vendor_id",
        "group_name",
        "bypass_rule_engine",
        "card_on_file_indicator",
        "initiated_by",
        "initial_transaction_id",
        "idempotency_key",
        "idempotency_time",
    ] {
        body[unset] = Value::Null;
    }
    for unset in ["customer", "terminal", "token", "ach"] {
        body["payment_method"][unset] = Value::Null;
    }
    body
}

#[test]
fn every_unset_field_may_be_null() {
    let switch = shared();
    let client = switch.client();
    let sale = client.pay(&all_unset()).data();
    assert_eq!((&sale["response_code"], &sale["tax_exempt"], text(&sale, "order_id")), (&json!(100), &json!(false), ""));
    let bare = client.pay(&payment("sale", 7_001, VISA)).data();
    let fields = |shown: &Value| shown.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&sale), fields(&bare));
    let nulls = json!({"description": null, "payment_method": null, "billing_address": null, "shipping_address": null});
    let customer = post(&client, "/api/customer", &nulls);
    let unset = json!({"operator": null, "value": null});
    let nulls = json!({"id": unset, "payment_method": null, "billing_address_id": unset, "created_at": null, "limit": null, "offset": null});
    assert!(post(&client, "/api/customer/search", &nulls).as_array().is_some_and(|found| found.contains(&customer)));
    let nulls = json!({"id": unset, "amount_due": unset, "date_due": null, "limit": null, "offset": null});
    assert!(post(&client, "/api/invoices/search", &nulls).is_array());
    let nulls = json!({"transaction_id": null, "amount": null, "created_at": null, "billing_address": null, "limit": null});
    assert!(post(&client, "/api/transaction/search", &nulls).as_array().is_some_and(|found| !found.is_empty()));
}

#[test]
fn the_names_that_clients_know_are_read() {
    let switch = shared();
    let client = switch.client();
    let mut body = with(payment("sale", 7_010, VISA), &json!({"email_reciept": true, "email_address": "user@home.com"}));
    let card = body["payment_method"]["card"].as_object_mut().expect("a card");
    card.remove("cvc");
    card.insert("cvv".into(), json!("200"));
    let sale = client.pay(&body).data();
    assert_eq!((&sale["email_receipt"], &sale["response_body"]["card"]["cvv_response_code"]), (&json!(true), &json!("N")));
    let search = json!({"transaction_id": {"operator": "eq", "value": id(&sale)}});
    assert_eq!(id(&post(&client, "/api/transaction/search", &search)[0]), id(&sale));
    let more = json!({
        "allow_partial_payment": true, "base_amount": 7_000, "surcharge": 11, "tip_amount": 5, "line_items": [{"name": "x", "quantity": 1}],
        "descriptor": {"name": "SHOP*X"}, "custom_fields": {"colour": ["red"]}, "vendor_id": "v-1", "group_name": "east",
        "card_on_file_indicator": "C", "initiated_by": "merchant", "initial_transaction_id": "b7kgflt1tlv51er0fts0"
    });
    let sale = client.pay(&with(payment("sale", 7_011, VISA), &more)).data();
    for (field, sent) in more.as_object().expect("an object") {
        assert_eq!(&sale[field], sent, "{field}");
    }
}

#[test]
fn addresses_are_taken_as_people_write_them() {
    let switch = shared();
    let client = switch.client();
    for (phone, postal_code, country) in
        [("(674) 966-1211", "56393-4328", "US"), ("+1 613 555 0199", "K1C2N6", "CA"), ("5555555555", "60187", "US")]
    {
        let address = json!({"phone": phone, "fax": phone, "postal_code": postal_code, "country": country});
        let more = json!({"billing_address": address, "order_id": "an order with spaces"});
        let sale = client.pay(&with(payment("sale", 7_020, VISA), &more)).data();
        let shown = &sale["billing_address"];
        assert_eq!(
            (text(shown, "phone"), text(shown, "postal_code"), text(&sale, "order_id")),
            (phone, postal_code, "an order with spaces")
        );
    }
    let wrong = client.pay(&with(payment("sale", 7_021, VISA), &json!({"billing_address": {"postal_code": "?"}})));
    let (status, said) = wrong.refusal();
    assert_eq!((status, said.starts_with("bad request error: invalid billing_address.postal_code: ")), (400, true), "{said}");
    assert_eq!(client.stranger("GET", "/api/user", &[], b"").refusal(), (401, "unauthorized".to_owned()));
    assert_eq!(client.call("GET", "/api/nothing", &[], b"").refusal(), (404, "not found".to_owned()));
}

#[test]
fn logging_in_and_keys_work_under_every_path_in_use() {
    let switch = shared();
    let client = switch.client();
    let file = switch.sandbox_json();
    let log_in = json!({"username": file["username"], "password": file["password"]}).to_string();
    let answer = client.stranger("POST", "/api/token-auth", &[JSON], log_in.as_bytes()).json();
    assert_eq!(answer["status"], "successful");
    for prefix in ["/api", "/api/user"] {
        for (path, body) in
            [("forgot-username", json!({"email": "nobody@website.com"})), ("forgot-password", json!({"username": "nobody"}))]
        {
            let said = client.stranger("POST", &format!("{prefix}/{path}"), &[JSON], body.to_string().as_bytes()).json();
            assert_eq!(
                said,
                json!({"status": "success", "msg": "Request processed successfully", "data": null}),
                "{prefix}/{path}"
            );
        }
        let wrong = json!({"username": "nobody", "reset_code": "0", "password": "T@est12345678"}).to_string();
        let said = client.stranger("POST", &format!("{prefix}/forgot-password/reset"), &[JSON], wrong.as_bytes());
        assert_eq!((said.status, said.text().contains("reset_code")), (400, true), "{}", said.text());
    }
    let bare = client.call("POST", "/api/user/apikey", &[], b"").data();
    let listed = client.call("GET", "/api/user/apikey", &[], b"").json();
    assert_eq!(
        (&listed["count"], listed["data"].as_array().map(Vec::len)),
        (&listed["total_count"], listed["count"].as_u64().map(|n| n as usize))
    );
    let success = json!({"status": "success", "msg": "success", "data": null});
    let by_value = format!("/api/user/apikey/{}", text(&bare, "api_key"));
    assert_eq!(client.call("DELETE", &by_value, &[], b"{}").json(), success);
    let second = client.call("POST", "/api/user/apikey", &[], b"").data();
    assert_eq!(client.call("DELETE", &format!("/api/user/apikey/{}", id(&second)), &[], b"").json(), success);
}

#[test]
fn every_list_says_its_count_under_both_names() {
    let switch = shared();
    let client = switch.client();
    client.sale(7_030, VISA);
    let customer = format!("/api/customer/{}", id(&post(&client, "/api/customer", &json!({}))));
    let (addresses, cards) = (format!("{customer}/addresses"), format!("{customer}/paymentmethod/card"));
    for (method, path) in [
        ("GET", "/api/users"),
        ("GET", "/api/user/apikeys"),
        ("GET", "/api/terminals"),
        ("POST", "/api/terminals"),
        ("GET", "/api/recurring/addons"),
        ("GET", "/api/recurring/discounts"),
        ("GET", "/api/recurring/plans"),
        ("GET", "/api/recurring/subscriptions"),
        ("POST", "/api/customer/search"),
        ("POST", "/api/invoices/search"),
        ("POST", "/api/transaction/search"),
        ("POST", "/api/settlement/batch/search"),
        ("GET", addresses.as_str()),
        ("GET", cards.as_str()),
    ] {
        let body: &[u8] = if path.ends_with("search") { b"{}" } else { b"" };
        let list = client.call(method, path, &[], body).json();
        assert!(list["count"].is_u64() && list["total_count"].is_u64(), "{method} {path}: {list}");
    }
}

#[test]
fn a_stray_body_with_connection_close_is_answered_fully_on_slow_side_paths_too() {
    let switch = shared();
    for (method, path) in
        [("GET", "/api/users"), ("DELETE", "/api/recurring/plan/b89g35qj8m0o735i19jg"), ("GET", "/api/terminals")]
    {
        let mut connection = Connection::open(switch.http()).expect("the switch listens");
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nConnection: close\r\n\r\n{{}}", keys::API);
        connection.send(head.as_bytes()).expect("the request can be sent");
        let answer = connection.receive(false).expect("a whole answer");
        assert!(answer.json().is_object() && answer.header("x-correlation-id") == answer.header("x-request-id"));
        assert_eq!(connection.rest().expect("an end, no reset"), b"");
    }
}

#[test]
fn an_account_chooses_the_answers_that_its_client_knows() {
    let switch = Switch::start(Options::default());
    let client = switch.client();
    let settings = format!("/operator/merchants/{}/settings", text(&switch.sandbox_json(), "merchant_id"));
    let adjustment = json!({"name": "x", "description": "", "amount": 100, "duration": 0});
    let plan =
        json!({"name": "x", "amount": 100, "billing_cycle_interval": 1, "billing_frequency": "monthly", "billing_days": "15"});
    for (compat, live, arrays) in [("document", false, false), ("live", true, false), ("arrays", false, true)] {
        post(&switch.operator(), &settings, &json!({"compat": [compat]}));
        for (path, body) in
            [("/api/recurring/addon", &adjustment), ("/api/recurring/discount", &adjustment), ("/api/recurring/plan", &plan)]
        {
            assert_eq!(post(&client, path, body).is_array(), arrays, "{compat}: {path}");
        }
        let held = client.authorize(7_040, VISA);
        let captured = client.capture(id(&held), 7_000).data();
        let voided = client.void(id(&held)).data();
        assert_eq!((captured.is_object(), voided.is_object()), (live, live), "{compat}");
        if live {
            assert_eq!((id(&captured), &captured["amount_captured"], text(&voided, "type")), (id(&held), &json!(7_000), "void"));
        }
        client.sale(7_041, VISA);
        let sale = client.sale(7_042, VISA);
        switch.operator().settle();
        let refunded = client.refund(id(&sale), 42).data();
        assert_eq!(refunded.is_object(), live, "{compat}");
    }
    post(&switch.operator(), &settings, &json!({"compat": ["live", "arrays"]}));
    let held = client.authorize(7_043, VISA);
    assert!(post(&client, "/api/recurring/plan", &plan).is_array() && client.void(id(&held)).data().is_object(), "they combine");
}
