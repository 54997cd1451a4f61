//! The orders API: the document's samples, and each decision about it.

use serde_json::{Value, json};
use tests::shopper::{basic, order, order_now, orders_call, path_of, pay};
use tests::switch::{keys, shared};

/// As the document prints it.
const SAMPLE: &str = "{\n\t\t\"id\":\"MERCHANT_GENERATED_ORDER_ID\",\n\t\t\"sub_total_cents\": 10000,\n\t\t\"shipping_amount_cents\": 200,\n\t\t\
    \"total_cents\": 12200,\n\t\t\"currency\": \"USD\",\n\t\t\"items\":\n\t\t[{\n\t\t\t\"description\": \"51 inch TV\",\n\t\t\t\
    \"amount_cents\": \"10000\"\n\t\t}],\n\t\t\"taxes\":\n\t\t[{\n\t\t\t\"description\": \"GST\",\n\t\t\t\"amount_cents\": \"500\"\n\t\t}]}";

#[test]
fn the_documents_sample_makes_an_order_that_is_there_and_can_be_paid() {
    let switch = shared();
    let client = switch.client();
    let authorization = basic(keys::API);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let made = client.stranger("POST", "/api/v1/orders", &headers, SAMPLE.as_bytes());
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    let sent: Value = serde_json::from_str(SAMPLE).unwrap();
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(&made[name], value, "{name} comes back as it was sent");
    }
    assert_eq!(
        (&made["status"], &made["adjustment_cents"], &made["transaction_id"]),
        (&json!("pending"), &json!(1_500), &Value::Null)
    );
    assert!(made["created_at"].is_string() && made["updated_at"].is_string());
    let path = "/api/v1/orders/MERCHANT_GENERATED_ORDER_ID";
    assert_eq!(orders_call(&client, "GET", path, &Value::Null).json(), made);
    let in_small_letters = "/api/v1/orders/merchant_generated_order_id";
    assert_eq!(orders_call(&client, "GET", in_small_letters, &Value::Null).json(), made, "as the document's sample asks for it");
    let again = client.stranger("POST", "/api/v1/orders", &headers, SAMPLE.as_bytes());
    assert_eq!((again.status, again.json()), (200, made.clone()), "the same order again");
    let other = SAMPLE.replace("51 inch", "52 inch");
    let conflict = client.stranger("POST", "/api/v1/orders", &headers, other.as_bytes());
    assert_eq!(conflict.status, 409);
    assert!(conflict.json()["error"].as_str().unwrap().contains("id"), "{}", conflict.text());
    let page = path_of(made["pay_url"].as_str().unwrap());
    assert_eq!(pay(&client, &page, "4111111111111111"), page);
    let paid = orders_call(&client, "GET", path, &Value::Null).json();
    assert_eq!(paid["status"], "paid");
    let transaction = client.get(paid["transaction_id"].as_str().unwrap());
    assert_eq!((&transaction["user_id"], &transaction["user_name"]), (&json!(""), &json!("")), "nobody has signed in");
    assert_eq!((&transaction["amount"], &transaction["order_id"]), (&json!(12_200), &json!("MERCHANT_GENERATED_ORDER_ID")));
}

#[test]
fn who_may_ask_and_who_may_not() {
    let switch = shared();
    let client = switch.client();
    let body = json!({"id": "guarded", "total_cents": 100});
    let asked = |headers: &[(&str, &str)]| client.stranger("POST", "/api/v1/orders", headers, body.to_string().as_bytes());
    let nobody = asked(&[]);
    assert_eq!(nobody.status, 401);
    assert!(nobody.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Basic")), "{:?}", nobody.headers);
    assert!(nobody.json()["error"].is_string());
    for wrong in [basic("api_wrong"), keys::API.to_owned(), format!("Bearer {}", keys::API), "Basic !!".to_owned()] {
        assert_eq!(asked(&[("Authorization", &wrong)]).status, 401, "{wrong}");
    }
    assert_eq!(asked(&[("Authorization", &basic(keys::PUBLIC))]).status, 403);
    assert_eq!(orders_call(&client, "GET", "/api/v1/orders/not-there", &Value::Null).status, 404);
    for (method, path, status) in [
        ("DELETE", "/api/v1/orders", 405),
        ("POST", "/v1/payment/status/x", 405),
        ("GET", "/api/v1/kittens", 404),
        ("GET", "/v1/x", 404),
    ] {
        let refused = client.stranger(method, path, &[], b"");
        assert!(refused.status == status && refused.json()["error"].is_string(), "{path}: {}", refused.text());
    }
}

#[test]
fn a_wrong_order_is_told_by_its_field() {
    let switch = shared();
    let client = switch.client();
    for (body, field) in [
        (json!({"total_cents": 1}), "id"),
        (json!({"id": "x", "total_cents": 10, "sub_total_cents": 10, "shipping_amount_cents": 1, "taxes": []}), "total_cents"),
        (json!({"id": "x", "total_cents": 10, "currency": "XXQ"}), "currency"),
    ] {
        let refused = orders_call(&client, "POST", "/api/v1/orders", &body);
        let said = refused.json();
        assert_eq!((refused.status, &said["field"]), (400, &json!(field)), "{said}");
        assert!(said["error"].as_str().unwrap().contains(field), "{said}");
    }
    let authorization = basic(keys::API);
    let broken = client.stranger("POST", "/api/v1/orders", &[("Authorization", &authorization)], b"{\"id\":");
    assert_eq!(broken.status, 400);
}

#[test]
fn orders_whose_ids_differ_by_case_alone_are_two() {
    let switch = shared();
    let client = switch.client();
    for (id, total) in [("Twin-A", 100), ("TWIN-a", 200)] {
        order(&client, id, total);
    }
    assert_eq!(
        (order_now(&client, "Twin-A")["total_cents"].clone(), order_now(&client, "TWIN-a")["total_cents"].clone()),
        (json!(100), json!(200))
    );
    assert_eq!(orders_call(&client, "GET", "/api/v1/orders/twin-a", &Value::Null).status, 404, "nobody guesses which");
}
