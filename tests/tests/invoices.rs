//! Invoices: the gateway document's samples as printed, what they sum up to, and the mail that sends one.

use serde_json::{Value, json};
use std::fs;
use std::time::Duration;
use tests::client::{Client, id, text};
use tests::switch::{keys, shared};
use tests::{HostProcess, Options, Switch, eventually};

fn party(company: &str, street: &str, email: &str) -> Value {
    json!({
        "id": null, "first_name": "First", "last_name": "Last", "company": company, "address_line_1": street, "address_line_2": "",
        "city": "Some City", "state": "IL", "postal_code": "60000", "country": "US", "phone": "5555555555", "fax": "5555555555",
        "email": email
    })
}

/// The document's sample of an invoice that is to be made, its date moved to the future.
fn sample() -> Value {
    json!({
        "id": "", "currency": "USD", "company_name": "ACME Inc.", "company_logo_url": "", "customer_number": "123Customer",
        "payable_to": party("Merchant Business", "123 Some St", "info@somewebsite.com"),
        "bill_to": party("Some Business", "123 Drury Lane", "info@somesite.com"),
        "created_at": "", "date_due": "2039-02-13T06:00:00.000Z",
        "items": [{
            "id": "", "name": "Widget", "description": "A widget for processors", "quantity": 1, "quantity_shipped": 0,
            "unit_of_measure": "", "unit_price": 100, "discount": 0, "discount_type": "$", "taxable": false, "local_tax": "0",
            "national_tax": "0", "tax_rate": "0", "amount": 0, "status": "pending"
        }],
        "advanced_fields": false, "subtotal": 0, "tax_percent": "0.00", "tax": 0, "total": 0, "amount_paid": 0, "adjustment": 0,
        "amount_due": 0, "status": "pending", "message": "Thank you for your business!", "send_via": "none", "last_sent_at": "",
        "public_url": "", "hosted_url": "", "payment_methods": ["card"], "card_processor_id": "bhi5qa5o3hogms88jojg",
        "ach_processor_id": ""
    })
}

/// What the document shows of the sample, but for what is drawn.
fn expected() -> Value {
    let mut expected = sample();
    for (name, value) in [
        ("date_due", json!("2039-02-13T06:00:00Z")),
        ("subtotal", json!(100)),
        ("total", json!(100)),
        ("amount_due", json!(100)),
        ("last_sent_at", json!("0001-01-01T00:00:00Z")),
        ("reject_message", json!("")),
    ] {
        expected[name] = value;
    }
    expected["items"][0]["amount"] = json!(100);
    expected["items"][0]["tax_amount"] = json!(0);
    for party in ["payable_to", "bill_to"] {
        expected[party]["id"] = json!("");
    }
    expected
}

/// Every field of the sample, with its value where that is not drawn.
#[track_caller]
fn assert_as_printed(shown: &Value) {
    let mut shown_bare = shown.clone();
    for name in ["id", "created_at", "updated_at", "public_url", "hosted_url"] {
        assert!(text(shown, name).len() >= 20, "{name} of {shown}");
        shown_bare[name] = Value::Null;
    }
    let mut expected = expected();
    for name in ["id", "created_at", "updated_at", "public_url", "hosted_url"] {
        expected[name] = Value::Null;
        shown_bare[name] = Value::Null;
    }
    expected["items"][0]["id"] = shown["items"][0]["id"].clone();
    assert_eq!(shown_bare, expected);
    assert!(text(shown, "hosted_url").ends_with(&format!("/invoice/{}", text(shown, "public_url"))));
}

#[track_caller]
fn create(client: &Client, body: &Value) -> Value {
    client.call("POST", "/api/invoice", &[], body.to_string().as_bytes()).data()
}

#[test]
fn the_documents_samples_are_answered_as_printed() {
    let switch = shared();
    let client = switch.client();
    let made = create(&client, &sample());
    assert_as_printed(&made);
    let path = format!("/api/invoice/{}", id(&made));
    assert_eq!(client.call("GET", &path, &[], b"").data(), made);
    let changed = client.call("POST", &path, &[], made.to_string().as_bytes()).data();
    assert_as_printed(&changed);
    assert_eq!((&changed["id"], &changed["items"], &changed["public_url"]), (&made["id"], &made["items"], &made["public_url"]));
    let search = json!({
        "id": {"operator": "=", "value": id(&made)}, "amount_due": {"operator": "=", "value": 100},
        "date_due": {"start_date": "2039-02-12T00:00:00Z", "end_date": "2039-02-14T23:59:59Z"}, "limit": 10, "offset": 0
    });
    let found = client.call("POST", "/api/invoices/search", &[], search.to_string().as_bytes()).json();
    assert_eq!((&found["data"], &found["total_count"], &found["count"]), (&json!([changed]), &json!(1), &json!(1)));
    let cheap = json!({"id": {"operator": "=", "value": id(&made)}, "amount_due": {"operator": "<", "value": 100}});
    assert_eq!(client.call("POST", "/api/invoices/search", &[], cheap.to_string().as_bytes()).json()["data"], json!([]));
    let partly = client.call("POST", &path, &[], br#"{"message": "Hurry", "adjustment": -40, "currency": null}"#).data();
    assert_eq!((text(&partly, "message"), &partly["amount_due"], text(&partly, "currency")), ("Hurry", &json!(60), "USD"));
    let gone = client.call("DELETE", &path, &[], b"").json();
    assert_eq!((text(&gone, "status"), text(&gone, "msg")), ("success", "success"));
    assert_eq!(client.call("GET", &path, &[], b"").status, 404);
    assert_eq!(client.call("DELETE", &path, &[], b"").status, 404);
    let browser = switch.client_with(keys::PUBLIC);
    assert_eq!(browser.call("POST", "/api/invoices/search", &[], b"{}").status, 403);
}

#[test]
fn items_discounts_and_taxes_sum_up() {
    let switch = shared();
    let client = switch.client();
    let item = |quantity: u64, price: u64, discount: u64, kind: &str, taxable: bool| {
        json!({"name": "x", "quantity": quantity, "unit_price": price, "discount": discount, "discount_type": kind, "taxable": taxable,
               "local_tax": "1", "national_tax": "2.5", "tax_rate": "0.5"})
    };
    let items = json!([item(2, 1_000, 100, "$", true), item(3, 333, 10, "%", false), item(1, 50, 0, "$", true)]);
    let made = create(&client, &json!({"items": items, "tax_percent": "8.125", "adjustment": -9}));
    let amounts: Vec<_> = made["items"].as_array().unwrap().iter().map(|item| item["amount"].clone()).collect();
    assert_eq!(amounts, [1_900, 899, 50]);
    // 8.125 % of the taxable 1,950 is 158.4375.
    let sums = ["subtotal", "tax", "total", "amount_due", "amount_paid"].map(|name| made[name].as_u64().unwrap());
    assert_eq!(sums, [2_849, 158, 2_998, 2_998, 0]);
    let path = format!("/api/invoice/{}", id(&made));
    let advanced =
        client.call("POST", &path, &[], json!({"advanced_fields": true, "items": items}).to_string().as_bytes()).data();
    assert_eq!((&advanced["items"][0]["tax_amount"], &advanced["items"][1]["tax_amount"]), (&json!(76), &json!(0)));
    assert_eq!(advanced["tax"], 158 + 76 + 2);
    for (body, field) in [
        (json!({"items": [item(1, 100, 101, "$", false)]}), "items.discount"),
        (json!({"items": [item(1, 100, 101, "%", false)]}), "items[0].discount"),
        (json!({"items": [{"quantity": -1}]}), "items[0].quantity"),
        (json!({"items": [{"unit_price": 1.5}]}), "items[0].unit_price"),
        (json!({"items": [{"tax_rate": "much"}]}), "items[0].tax_rate"),
        (json!({"items": {"0": {}}}), "items: must be a list"),
        (json!({"items": [{"quantity": 1.5}]}), "items[0].quantity: must be an integer of at least 0"),
        (json!({"items": ["a thing"]}), "items: must be a list of objects"),
        (json!({"items": [{}, {"taxable": 1}]}), "items[1].taxable: must be true or false"),
        (json!({"items": vec![json!({}); 201]}), "items: must have at most 200 items"),
        (json!({"tax_percent": 100.5}), "tax_percent: must be a percentage"),
        (json!({"bill_to": {"id": "b798ls2q9qq646ksu07g"}}), "bill_to.id"),
        (json!({"adjustment": -1}), "adjustment"),
        (json!({"tax_percent": "101"}), "tax_percent"),
        (json!({"send_via": "pigeon"}), "send_via"),
        (json!({"payment_methods": ["gold"]}), "payment_methods"),
        (json!({"date_due": "soon"}), "date_due"),
        (json!({"bill_to": {"postal_code": "!"}}), "bill_to.postal_code"),
        (json!({"currency": "XXQ"}), "currency"),
    ] {
        let refused = client.call("POST", "/api/invoice", &[], body.to_string().as_bytes());
        let said = refused.json();
        assert_eq!(refused.status, 400, "{body}: {said}");
        assert!(text(&said, "msg").starts_with(&format!("bad request error: invalid {field}")), "{body}: {said}");
    }
    // Of a field that is sent twice the last holds, here as everywhere.
    let twice = |first: &str, last: &str| {
        let body = format!(r#"{{"payment_methods": {first}, "payment_methods": {last}}}"#);
        client.call("POST", "/api/invoice", &[], body.as_bytes())
    };
    assert_eq!(twice("false", r#"["card"]"#).data()["payment_methods"], json!(["card"]));
    assert_eq!(twice(r#"["card"]"#, "false").status, 400);
}

#[test]
fn a_stored_address_a_plain_date_and_rates_that_are_numbers_are_taken() {
    let switch = shared();
    let client = switch.client();
    let stored = json!({"billing_address": {"first_name": "Stored", "city": "Wheaton", "email": "stored@example.com"}});
    let customer = client.call("POST", "/api/customer", &[], stored.to_string().as_bytes()).data();
    let address = id(&customer["billing_address"]);
    let item = json!({"name": "x", "unit_price": 1_000, "taxable": true});
    let body =
        json!({"bill_to": {"id": address, "city": "Lyon"}, "date_due": "2039-02-13", "tax_percent": 8.25, "items": [item]});
    let made = create(&client, &body);
    let party = &made["bill_to"];
    let shown = ["id", "first_name", "city", "email"].map(|name| text(party, name));
    assert_eq!(shown, [address, "Stored", "Lyon", "stored@example.com"], "what is sent holds, the rest is the stored address's");
    assert_eq!((text(&made, "date_due"), text(&made, "tax_percent"), &made["tax"]), ("2039-02-13T00:00:00Z", "8.25", &json!(83)));
    // The invoice keeps its copy, and may be sent back as it came.
    let of_customer = format!("/api/customer/{}", id(&customer));
    assert_eq!(client.call("DELETE", &of_customer, &[], b"").status, 200);
    let path = format!("/api/invoice/{}", id(&made));
    assert_eq!(client.call("POST", &path, &[], made.to_string().as_bytes()).data()["bill_to"], made["bill_to"]);
    assert_eq!(client.call("POST", "/api/invoice", &[], body.to_string().as_bytes()).status, 400);
}

#[test]
fn an_invoice_goes_out_by_mail_and_is_its_merchants_only() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let (client, other) = (switch.client(), switch.client_with(keys::OTHER));
    let mut body = sample();
    body["send_via"] = json!("email");
    let made = create(&client, &body);
    assert_ne!(made["last_sent_at"], "0001-01-01T00:00:00Z");
    let link = format!("/invoice/{}", text(&made, "public_url"));
    eventually(Duration::from_secs(5), || {
        let entries = fs::read_dir(switch.data().join("mail")).map_err(|error| error.to_string())?;
        let mails: Vec<String> = entries.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect();
        // A long line may be broken with "=" at its end.
        let is_there = mails.iter().any(|mail| mail.contains("info@somesite.com") && mail.replace("=\r\n", "").contains(&link));
        if is_there { Ok(()) } else { Err(format!("{} mails, none with {link}", mails.len())) }
    });
    let path = format!("/api/invoice/{}", id(&made));
    for method in ["GET", "POST", "DELETE"] {
        assert_eq!(other.call(method, &path, &[], b"").status, 404, "{method}");
    }
    assert_eq!(other.call("POST", "/api/invoices/search", &[], b"{}").json()["data"], json!([]));
    switch.kill9();
    switch.start_again();
    let shown = switch.client().call("GET", &path, &[], b"").data();
    assert_eq!((&shown["items"], &shown["last_sent_at"]), (&made["items"], &made["last_sent_at"]), "a kill loses none");
    switch.terminate();
}
