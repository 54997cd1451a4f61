//! The vault: each sample of the gateway document as printed, payments by customer and by token, and what is gone when it is removed.

use protocol::response_code::Category;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;
use tests::binary::switchyard;
use tests::client::{Client, id, text};
use tests::dice::Dice;
use tests::payment::{VISA, payment, with};
use tests::switch::{keys, shared};
use tests::{Books, HostProcess, Options, Switch, eventually};

fn address() -> Value {
    json!({
        "first_name": "John", "last_name": "Smith", "company": "Some Business", "address_line_1": "123 Some St",
        "address_line_2": "STE 1", "city": "Some Town", "state": "IL", "postal_code": "60187", "country": "US",
        "email": "user@somesite.com", "phone": "5555555555", "fax": "555555555"
    })
}

/// The document's sample of a customer that is to be made.
fn sample() -> Value {
    json!({
        "description": "test description",
        "payment_method": {"card": {"card_number": "4111111111111111", "expiration_date": "12/20"}},
        "billing_address": address(),
        "shipping_address": address(),
    })
}

#[track_caller]
fn post(client: &Client, path: &str, body: &Value) -> Value {
    client.call("POST", path, &[], body.to_string().as_bytes()).data()
}

/// A customer whose card is good.
fn customer(client: &Client) -> Value {
    let card = json!({"payment_method": {"card": {"card_number": VISA, "expiration_date": "12/39"}}});
    post(client, "/api/customer", &with(sample(), &card))
}

#[track_caller]
fn status(client: &Client, method: &str, path: &str) -> u16 {
    client.call(method, path, &[], b"").status
}

/// A sale with another payment method in place of its card.
fn paid_with(amount: u64, method: Value) -> Value {
    let mut body = payment("sale", amount, VISA);
    body["payment_method"] = method;
    body
}

#[track_caller]
fn assert_address(shown: &Value, customer: &Value) {
    for (name, value) in address().as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert_eq!(shown["customer_id"], customer["id"]);
    for name in ["id", "created_at", "updated_at"] {
        assert!(shown[name].is_string(), "{name} of {shown}");
    }
}

#[track_caller]
fn assert_card(shown: &Value, last_four: &str) {
    let expected = json!({"card_type": "visa", "first_six": "411111", "last_four": last_four, "expiration_date": "12/20"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert_eq!(shown["masked_card"], format!("411111******{last_four}"));
    for name in ["id", "created_at", "updated_at"] {
        assert!(shown[name].is_string(), "{name} of {shown}");
    }
}

#[test]
fn the_documents_samples_of_a_customer_are_answered_as_printed() {
    let switch = shared();
    let client = switch.client();
    let made = post(&client, "/api/customer", &sample());
    assert_eq!(made["description"], "test description");
    assert_card(&made["payment_method"]["card"], "1111");
    assert_address(&made["billing_address"], &made);
    assert_address(&made["shipping_address"], &made);
    assert_eq!(made["billing_address"]["id"], made["shipping_address"]["id"], "equal addresses are one");
    let path = format!("/api/customer/{}", id(&made));
    assert_eq!(client.call("GET", &path, &[], b"").data(), made);
    let search = |body: Value| client.call("POST", "/api/customer/search", &[], body.to_string().as_bytes()).json();
    let found = search(json!({"id": {"operator": "=", "value": id(&made)}, "limit": 10, "offset": 0}));
    assert_eq!((&found["data"], &found["total_count"], &found["count"]), (&json!([made]), &json!(1), &json!(1)));
    let card = json!({"operator": "eq", "value": id(&made["payment_method"]["card"])});
    assert_eq!(
        search(json!({"payment_method": card, "created_at": {"start_date": "2017-11-01T00:00:00Z"}}))["data"],
        json!([made])
    );
    let none = search(json!({"id": {"operator": "=", "value": "id goes here"}}));
    assert_eq!((&none["data"], &none["total_count"]), (&json!([]), &json!(0)));
    assert_eq!(client.call("POST", "/api/customer/search", &[], br#"{"id": {"operator": "<", "value": "x"}}"#).status, 400);
    let change = json!({
        "description": "another description", "payment_method": "credit_card",
        "payment_method_id": id(&made["payment_method"]["card"]),
        "billing_address_id": id(&made["billing_address"]), "shipping_address_id": null
    });
    let changed = client.call("POST", &path, &[], change.to_string().as_bytes());
    assert_eq!(changed.json(), json!({"status": "success", "msg": "success", "data": null}));
    assert_eq!(client.call("GET", &path, &[], b"").data()["description"], "another description");
    let foreign = client.call("POST", &path, &[], json!({"billing_address_id": id(&made)}).to_string().as_bytes());
    assert_eq!((foreign.status, foreign.text().contains("invalid billing_address_id")), (400, true), "{}", foreign.text());
    assert_eq!(client.call("DELETE", &path, &[], b"{}").json(), json!({"status": "success", "msg": "success", "data": null}));
    assert_eq!((status(&client, "GET", &path), status(&client, "DELETE", &path)), (404, 404));
}

#[test]
fn the_documents_samples_of_addresses_are_answered_as_printed() {
    let switch = shared();
    let client = switch.client();
    let made = customer(&client);
    let path = format!("/api/customer/{}", id(&made));
    let second = post(&client, &format!("{path}/address"), &address());
    assert_address(&second, &made);
    let all = client.call("GET", &format!("{path}/addresses"), &[], b"").json();
    assert_eq!((&all["data"], &all["count"]), (&json!([made["billing_address"], second]), &json!(2)));
    let one = format!("{path}/address/{}", id(&second));
    let shown = client.call("GET", &one, &[], b"").json();
    assert_eq!((&shown["data"], &shown["count"]), (&json!([second]), &json!(1)));
    let shapes = [("K1C2N6", "CA", "(674) 966-1211"), ("56393-4328", "US", "+44 20 7946 0018")];
    for (postal_code, country, phone) in shapes {
        let change = with(address(), &json!({"postal_code": postal_code, "country": country, "phone": phone, "fax": null}));
        assert_eq!(client.call("POST", &one, &[], change.to_string().as_bytes()).json()["data"], Value::Null);
        let shown = client.call("GET", &one, &[], b"").json()["data"][0].take();
        assert_eq!((&shown["postal_code"], &shown["phone"], &shown["fax"]), (&json!(postal_code), &json!(phone), &json!("")));
    }
    let wrong = client.call("POST", &one, &[], br#"{"postal_code": "!"}"#);
    assert!(wrong.status == 400 && wrong.text().contains("bad request error: invalid postal_code: "), "{}", wrong.text());
    assert_eq!((status(&client, "DELETE", &one), status(&client, "GET", &one)), (200, 404));
    assert_eq!(status(&client, "DELETE", &format!("{path}/address/{}", id(&made["billing_address"]))), 200);
    assert_eq!(client.call("GET", &path, &[], b"").data()["billing_address"], Value::Null);
}

#[test]
fn the_documents_samples_of_payment_methods_are_answered_as_printed() {
    let switch = shared();
    let client = switch.client();
    let made = post(&client, "/api/customer", &json!({"description": null}));
    assert_eq!((&made["payment_method"], &made["billing_address"]), (&Value::Null, &Value::Null));
    let path = format!("/api/customer/{}/paymentmethod", id(&made));
    let first = post(&client, &format!("{path}/card"), &json!({"card_number": "4111111111111111", "expiration_date": "12/20"}));
    assert_card(&first["card"], "1111");
    let shown = client.call("GET", &format!("/api/customer/{}", id(&made)), &[], b"").data();
    assert_eq!(shown["payment_method"], first, "a first one becomes the default one");
    let second = post(&client, &format!("{path}/card"), &json!({"card_number": "5555555555554444", "expiration_date": "1230"}));
    assert_eq!((text(&second["card"], "card_type"), text(&second["card"], "expiration_date")), ("mastercard", "12/30"));
    let all = client.call("GET", &format!("{path}/card"), &[], b"").json();
    assert_eq!((&all["data"], &all["count"]), (&json!([first["card"], second["card"]]), &json!(2)));
    let one = format!("{path}/card/{}", id(&second["card"]));
    assert_eq!(client.call("GET", &one, &[], b"").json()["data"], json!([second["card"]]));
    let change = json!({"card": {"card_number": "4111111111111111", "expiration_date": "12/20"}});
    assert_eq!(client.call("POST", &one, &[], change.to_string().as_bytes()).json()["data"], Value::Null);
    assert_card(&client.call("GET", &one, &[], b"").json()["data"][0], "1111");
    assert_eq!(client.call("POST", &one, &[], br#"{"expiration_date": "1131"}"#).status, 200);
    assert_eq!(client.call("GET", &one, &[], b"").json()["data"][0]["expiration_date"], "11/31");
    let account =
        json!({"routing_number": "490000018", "account_number": "999999", "account_type": "checking", "sec_code": "ccd"});
    let ach = post(&client, &format!("{path}/ach"), &account)["ach"].take();
    assert_eq!((text(&ach, "masked_account_number"), text(&ach, "routing_number")), ("99**99", "490000018"));
    assert_eq!(client.call("GET", &format!("{path}/ach"), &[], b"").json()["data"], json!([ach]));
    for (body, field) in [
        (json!({"card_number": "4111111111111112", "expiration_date": "12/20"}), "card_number"),
        (json!({"card_number": "4111111111111111"}), "expiration_date"),
        (json!({"expiration_date": "12/20"}), "card_number"),
    ] {
        let refused = client.call("POST", &format!("{path}/card"), &[], body.to_string().as_bytes());
        assert!(
            refused.status == 400 && refused.text().contains(field) && !refused.text().contains("411111"),
            "{}",
            refused.text()
        );
    }
    assert_eq!((status(&client, "DELETE", &one), status(&client, "GET", &one), status(&client, "DELETE", &one)), (200, 404, 404));
    assert_eq!(status(&client, "GET", &format!("{path}/cheque")), 404);
}

#[test]
fn a_customer_pays_with_its_default_things_or_those_that_are_named() {
    let switch = shared();
    let client = switch.client();
    let made = customer(&client);
    let (card, home) = (id(&made["payment_method"]["card"]), id(&made["billing_address"]));
    let sale = client.pay(&paid_with(1_201, json!({"customer": {"id": id(&made)}}))).data();
    assert_eq!((&sale["response_code"], &sale["customer_id"]), (&json!(100), &made["id"]));
    assert_eq!(
        (text(&sale["billing_address"], "company"), text(&sale["shipping_address"], "city")),
        ("Some Business", "Some Town")
    );
    let printed = json!({"customer": {
        "id": id(&made), "payment_method_type": "card", "payment_method_id": card,
        "billing_address_id": home, "shipping_address_id": home
    }});
    let by_address = |parent: &str| {
        let condition = json!({"operator": "=", "value": home});
        let body = json!({parent: {"address_id": condition}, "limit": 1}).to_string();
        let found = client.call("POST", "/api/transaction/search", &[], body.as_bytes()).json();
        (found["total_count"].clone(), found["data"][0]["id"].clone())
    };
    assert_eq!(by_address("billing_address"), (json!(1), sale["id"].clone()), "a payment is found by the stored address it took");
    assert_eq!(by_address("shipping_address"), by_address("billing_address"));
    let body = with(paid_with(1_202, printed.clone()), &json!({"billing_address": {"company": "Sent Company"}}));
    let sale = client.pay(&body).data();
    assert_eq!((&sale["response_code"], text(&sale["billing_address"], "company")), (&json!(100), "Sent Company"));
    let master = json!({"card_number": "5555555555554444", "expiration_date": "12/39"});
    let second = post(&client, &format!("/api/customer/{}/paymentmethod/card", id(&made)), &master);
    let named = json!({"customer": {"id": id(&made), "payment_method_id": id(&second["card"])}});
    let sale = client.pay(&paid_with(1_203, named.clone())).data();
    assert_eq!(sale["response_body"]["card"]["card_type"], "mastercard");
    let first = client.pay_once("customer-once", &paid_with(1_204, named.clone()));
    let again = client.pay_once("customer-once", &paid_with(1_204, named));
    assert_eq!((again.text(), again.header("idempotent-replayed")), (first.text(), Some("true")));
    assert_eq!(client.pay_once("customer-once", &paid_with(1_204, printed)).status, 422, "another method is another request");
    for wrong in [
        json!({"id": card}),
        json!({"id": id(&made), "payment_method_id": home}),
        json!({"id": id(&made), "payment_method_type": "ach"}),
    ] {
        let refused = client.pay(&paid_with(1_205, json!({"customer": wrong})));
        assert!(refused.status == 400 && refused.text().contains("payment_method.customer."), "{}", refused.text());
    }
    let browser = switch.client_with(keys::PUBLIC);
    assert_eq!(
        browser.pay(&paid_with(1_206, json!({"customer": {"id": id(&made)}}))).status,
        403,
        "a browser's key charges no customer"
    );
}

#[test]
fn an_approved_payment_leaves_a_customer_behind_once() {
    let switch = shared();
    let client = switch.client();
    let wish = json!({"create_vault_record": true, "billing_address": address(), "shipping_address": address()});
    let body = with(payment("sale", 1_301, VISA), &wish);
    let first = client.pay_once("leaves-a-customer", &body);
    let sale = first.data();
    let path = format!("/api/customer/{}", text(&sale, "customer_id"));
    let left = client.call("GET", &path, &[], b"").data();
    assert_eq!(
        (text(&left["payment_method"]["card"], "last_four"), text(&left["billing_address"], "city")),
        (&VISA[12..], "Some Town")
    );
    assert_eq!(client.get(id(&sale))["customer_id"], sale["customer_id"]);
    let paid = client.pay(&paid_with(1_302, json!({"customer": {"id": id(&left)}}))).data();
    assert_eq!((&paid["response_code"], &paid["customer_id"]), (&json!(100), &left["id"]));
    assert_eq!(status(&client, "DELETE", &path), 200);
    assert_eq!(client.pay_once("leaves-a-customer", &body).text(), first.text());
    assert_eq!(status(&client, "GET", &path), 404, "a replay does not bring it back");
    // The document's own sample card, whose month is long past.
    let printed = json!({"payment_method": {"card": {"number": VISA, "expiration_date": "12/20", "cvc": "999"}}});
    let sale = client.pay(&with(with(payment("sale", 1_304, VISA), &wish), &printed)).data();
    let paid = client.pay(&paid_with(1_305, json!({"customer": {"id": sale["customer_id"]}}))).data();
    assert_eq!((&sale["response_code"], &paid["response_code"]), (&json!(100), &json!(100)));
    let declined = with(payment("sale", 1_303, "4000000000000002"), &wish);
    let declined = client.pay(&declined).data();
    assert_eq!((text(&declined, "status"), text(&declined, "customer_id")), ("declined", ""));
    assert_eq!(status(&client, "GET", &format!("/api/customer/{}", id(&declined))), 404);
}

#[test]
fn a_browsers_token_pays_once_or_again_under_the_same_key() {
    let switch = shared();
    let (client, browser) = (switch.client(), switch.client_with(keys::PUBLIC));
    let token = |number: &str| {
        let made = post(&browser, "/api/token", &json!({"card": {"number": number, "expiration_date": "12/39", "cvc": "999"}}));
        assert!(made["expires_at"].is_string(), "{made}");
        text(&made, "token").to_owned()
    };
    let first = token(VISA);
    let sale = client.pay(&paid_with(1_401, json!({"token": first}))).data();
    assert_eq!((&sale["response_code"], &sale["response_body"]["card"]["cvv_response_code"]), (&json!(100), &json!("M")));
    let again = client.pay(&paid_with(1_402, json!({"token": first})));
    assert_eq!((again.status, again.text().contains("payment_method.token")), (400, true), "{}", again.text());
    let second = token(VISA);
    let body = paid_with(1_403, json!({"token": second}));
    let (one, two) = (client.pay_once("token-once", &body), client.pay_once("token-once", &body));
    assert_eq!((one.status, one.text(), two.header("idempotent-replayed")), (200, two.text(), Some("true")));
    assert_eq!(client.pay_once("token-other", &body).status, 400);
    assert_eq!(browser.pay(&paid_with(1_404, json!({"token": token(VISA)}))).data()["response_code"], 100);
    assert_eq!(client.pay(&paid_with(1_405, json!({"token": "tok_0123"}))).status, 400);
    assert_eq!(browser.call("POST", "/api/token", &[], br#"{"card": {"number": "4111111111111112"}}"#).status, 400);
    let kept = post(&client, "/api/customer", &json!({"payment_method": {"token": token(VISA)}}));
    let more = post(&client, &format!("/api/customer/{}/paymentmethod/card", id(&kept)), &json!({"token": token(VISA)}));
    for card in [&kept["payment_method"]["card"], &more["card"]] {
        let by = json!({"customer": {"id": id(&kept), "payment_method_id": id(card)}});
        assert_eq!(
            (text(card, "last_four"), &client.pay(&paid_with(1_406, by)).data()["response_code"]),
            (&VISA[12..], &json!(100))
        );
    }
    let used = client.call("POST", "/api/customer", &[], json!({"payment_method": {"token": first}}).to_string().as_bytes());
    assert_eq!((used.status, used.text().contains("payment_method.token")), (400, true), "{}", used.text());
    let page = ("Origin", "https://shop.example");
    let asks =
        [page, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,content-type")];
    for path in ["/api/token", "/api/transaction"] {
        let may = client.stranger("OPTIONS", path, &asks, b"");
        let allows = |name: &str| may.header(name).unwrap_or_default().to_owned();
        assert_eq!((may.status, allows("access-control-allow-origin")), (204, "*".to_owned()), "{path}");
        assert!(
            allows("access-control-allow-headers").contains("authorization") && allows("access-control-allow-methods") == "POST"
        );
        let answer = browser.call("POST", path, &[page], b"{}");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (400, Some("*")), "{path}");
    }
    let closed = client.stranger("OPTIONS", "/api/customer", &asks, b"");
    assert_eq!((closed.status, closed.header("access-control-allow-origin")), (405, None));
    for (method, path) in [("POST", "/api/customer"), ("POST", "/api/customer/search"), ("GET", "/api/customer/x")] {
        assert_eq!(status(&browser, method, path), 403, "{method} {path}");
    }
}

#[test]
fn a_seal_key_is_changed_while_payments_go_on() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let (made, sale) = (customer(&client), client.authorize(1_601, VISA));
    let token = post(&client, "/api/token", &json!({"card": {"number": VISA, "expiration_date": "12/39"}}));
    let rotated = switch.operator().call("POST", "/operator/keys/rotate", &[], b"").data();
    assert_eq!((&rotated["key_id"], &rotated["resealed"]), (&json!(2), &json!(1)));
    let pays = |client: &Client, amount: u64, method: Value| {
        let paid = client.pay(&paid_with(amount, method)).data();
        assert_eq!(paid["response_code"], 100, "{paid}");
    };
    pays(&client, 1_602, json!({"customer": {"id": id(&made)}}));
    pays(&client, 1_603, json!({"token": token["token"]}));
    assert_eq!(client.capture(id(&sale), 1_601).status, 200, "what was sealed under the old key still opens");
    assert_eq!(client.call("POST", "/operator/keys/rotate", &[], b"").status, 401, "a merchant does not rotate");
    let rotated = Command::new(switchyard()).args(["keys", "rotate", "--data"]).arg(switch.data()).output().expect("it runs");
    let said = String::from_utf8_lossy(&rotated.stdout);
    assert!(rotated.status.success() && said.starts_with("key 3 seals; 1 of"), "{rotated:?}");
    let nowhere = Command::new(switchyard()).args(["keys", "rotate", "--data", "/nonexistent"]).output().expect("it runs");
    assert!(
        !nowhere.status.success() && String::from_utf8_lossy(&nowhere.stderr).contains("SWITCHYARD_OPERATOR_KEY"),
        "{nowhere:?}"
    );
    switch.kill9();
    switch.start_again();
    pays(&switch.client(), 1_604, json!({"customer": {"id": id(&made)}}));
    assert_eq!(switch.operator().call("GET", "/operator/keys", &[], b"").data()["key_ids"], json!([1, 2, 3]));
    switch.terminate();
}

#[test]
fn another_merchants_customers_and_tokens_are_not_there() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let (client, other, browser) = (switch.client(), switch.client_with(keys::OTHER), switch.client_with(keys::PUBLIC));
    let made = customer(&client);
    let path = format!("/api/customer/{}", id(&made));
    let card = format!("{path}/paymentmethod/card/{}", id(&made["payment_method"]["card"]));
    let home = format!("{path}/address/{}", id(&made["billing_address"]));
    for (method, path) in
        [("GET", &path), ("DELETE", &path), ("GET", &card), ("DELETE", &card), ("GET", &home), ("DELETE", &home)]
    {
        assert_eq!(status(&other, method, path), 404, "{method} {path}");
    }
    assert_eq!(other.call("POST", "/api/customer/search", &[], b"{}").json()["data"], json!([]));
    assert_eq!(other.pay(&paid_with(1_501, json!({"customer": {"id": id(&made)}}))).status, 400);
    let token = post(&browser, "/api/token", &json!({"card": {"number": VISA, "expiration_date": "12/39"}}));
    assert_eq!(other.pay(&paid_with(1_502, json!({"token": token["token"]}))).status, 400);
    assert_eq!(
        client.pay(&paid_with(1_503, json!({"token": token["token"]}))).data()["response_code"],
        100,
        "it was not used up"
    );
    switch.kill9();
    switch.start_again();
    let client = switch.client();
    assert_eq!(client.call("GET", &path, &[], b"").data(), made, "a kill loses nobody");
    assert_eq!(client.pay(&paid_with(1_504, json!({"customer": {"id": id(&made)}}))).data()["response_code"], 100);
    assert_eq!(status(&client, "DELETE", &path), 200);
    switch.terminate();
    for entry in fs::read_dir(switch.data()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(VISA.len()).any(|window| window == VISA.as_bytes()), "a card in {}", entry.path().display());
    }
}

#[test]
fn no_kill_loses_the_customer_of_an_approved_payment() {
    let mut dice = Dice::announced("no_kill_loses_the_customer");
    let mut switch = Switch::sandboxed();
    let body = with(payment("sale", 1_701, VISA), &json!({"create_vault_record": true})).to_string();
    for _ in 0..4 {
        let (client, kill_after) = (switch.client(), Duration::from_millis(dice.between(30, 250)));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                // Each goes on until its connection breaks.
                scope.spawn(|| while client.try_call("POST", "/api/transaction", &[], body.as_bytes()).is_ok() {});
            }
            std::thread::sleep(kill_after);
            switch.kill9();
        });
        switch.start_again();
    }
    let client = switch.client();
    let approved: Vec<_> = Books::read(&switch.journal())
        .transactions()
        .filter(|transaction| transaction.response_code().category() == Category::Approval)
        .map(|transaction| transaction.id)
        .collect();
    assert!(approved.len() > 4, "only {} payments", approved.len());
    for id in approved {
        let path = format!("/api/customer/{id}");
        eventually(Duration::from_secs(10), || match status(&client, "GET", &path) {
            200 => Ok(()),
            other => Err(format!("{path}: {other}")),
        });
    }
    switch.terminate();
}
