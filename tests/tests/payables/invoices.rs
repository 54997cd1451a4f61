//! The payment of invoices: the page that the gateway document's `hosted_url` names.

use serde_json::{Value, json};
use tests::Client;
use tests::shopper::{attempt_of, page, path_of, pay};
use tests::switch::shared;

#[track_caller]
fn call(client: &Client, method: &str, path: &str, body: &Value) -> Value {
    client.call(method, path, &[], body.to_string().as_bytes()).data()
}

#[test]
fn an_invoice_is_seen_paid_and_shown_as_paid() {
    let switch = shared();
    let client = switch.client();
    let body = json!({
        "company_name": "ACME Inc.", "tax_percent": "10", "message": "Thank you for your business!", "date_due": "2039-02-13T06:00:00Z",
        "items": [{"name": "Widget", "description": "A widget for processors", "quantity": 3, "unit_price": 1_000, "taxable": true}],
        "bill_to": {"company": "Some Business"}
    });
    let made = call(&client, "POST", "/api/invoice", &body);
    assert_eq!((&made["status"], &made["amount_due"]), (&json!("pending"), &json!(3_300)));
    let hosted = client.stranger("GET", &path_of(made["hosted_url"].as_str().unwrap()), &[], b"");
    assert_eq!(hosted.status, 303);
    let path = hosted.header("location").unwrap().to_owned();
    let shown = page(&client, &path);
    for words in ["ACME Inc.", "Widget", "A widget for processors", "$33.00", "$3.00", "13 February 2039", "Some Business"] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    pay(&client, &path, "4111111111111111");
    let invoice = format!("/api/invoice/{}", made["id"].as_str().unwrap());
    let paid = call(&client, "GET", &invoice, &json!({}));
    assert_eq!((&paid["status"], &paid["amount_paid"], &paid["amount_due"]), (&json!("paid"), &json!(3_300), &json!(0)));
    let search = json!({"id": {"operator": "=", "value": made["id"]}, "amount_due": {"operator": "=", "value": 0}}).to_string();
    assert_eq!(client.call("POST", "/api/invoices/search", &[], search.as_bytes()).json()["total_count"], 1);
    assert_eq!(attempt_of(&page(&client, &path)), None, "it is paid");
    // Raised afterwards: what is left can be paid.
    let raised = call(&client, "POST", &invoice, &json!({"adjustment": 500}));
    assert_eq!(
        (&raised["status"], &raised["amount_due"], &raised["amount_paid"]),
        (&json!("partially_paid"), &json!(500), &json!(3_300))
    );
    assert!(page(&client, &path).contains("Pay $5.00"));
    pay(&client, &path, "4111111111111111");
    let paid = call(&client, "GET", &invoice, &json!({}));
    assert_eq!((&paid["status"], &paid["amount_paid"], &paid["amount_due"]), (&json!("paid"), &json!(3_800), &json!(0)));
    let refused = client.call("POST", &invoice, &[], br#"{"currency": "EUR"}"#);
    assert_eq!(refused.status, 400, "{}", refused.text());
}

#[test]
fn an_invoice_that_is_gone_or_not_for_cards_is_not_paid() {
    let switch = shared();
    let client = switch.client();
    let items = json!([{"name": "Widget", "quantity": 1, "unit_price": 100}]);
    let by_mail = call(&client, "POST", "/api/invoice", &json!({"items": items, "payment_methods": ["mail"]}));
    let path = |invoice: &Value| format!("/pay/{}", invoice["public_url"].as_str().unwrap());
    let shown = page(&client, &path(&by_mail));
    assert!(shown.contains("Not by card") && attempt_of(&shown).is_none(), "{shown}");
    let gone = call(&client, "POST", "/api/invoice", &json!({"items": items}));
    assert!(attempt_of(&page(&client, &path(&gone))).is_some());
    assert_eq!(client.call("DELETE", &format!("/api/invoice/{}", gone["id"].as_str().unwrap()), &[], b"").status, 200);
    assert!(page(&client, &path(&gone)).contains("Cancelled"));
    let nothing = call(&client, "POST", "/api/invoice", &json!({}));
    assert!(page(&client, &path(&nothing)).contains("Nothing to pay"));
}
