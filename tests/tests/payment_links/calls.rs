//! All nine calls, each sample as printed, and what is refused.

use super::shopper::{pay, submit};
use super::{data, items, link, merchant, refusal, send, send_as, send_json};
use serde_json::{Value, json};
use tests::client::{Client, text};
use tests::payment::DECLINED;
use tests::shopper::{VISA, page_of_link, path_of};
use tests::switch::{keys, shared};

const CALLS: [&str; 9] = [
    "createLink",
    "createSplitLink",
    "getMyUnusedLinks",
    "getMyUsedLinks",
    "deleteLink",
    "getPayInTransactions",
    "getPayOutTransactions",
    "refundPayment",
    "getTaxInvoiceList",
];

fn number(link: &Value) -> String {
    link["id"].as_u64().expect("id is a number").to_string()
}

#[test]
fn the_documents_link_is_answered_as_printed_to_forms_of_both_kinds_and_to_json() {
    let switch = shared();
    let client = switch.client();
    let form = send(&client, "createLink", &[("recipient_note", "Payment for Invoice #1234"), ("amount", "100.00")]);
    let json = send_json(&client, "createLink", &json!({"recipient_note": "Payment for Invoice #1234", "amount": 100.00}));
    // As `curl -F` and PHP's arrays send it.
    let parts = "--x-y\r\nContent-Disposition: form-data; name=\"recipient_note\"\r\n\r\nPayment for Invoice #1234\r\n\
                 --x-y\r\nContent-Disposition: form-data; name=\"amount\"\r\n\r\n100.00\r\n--x-y--\r\n";
    let parts = send_as(&client, "createLink", "multipart/form-data; boundary=x-y", parts.as_bytes());
    for response in [form, json, parts] {
        assert_eq!(response.json()["ResponseMsg"], "Link has been created successfully");
        let made = data(&response);
        for (name, value) in [
            ("amount", json!("100.00")),
            ("recipient_note", json!("Payment for Invoice #1234")),
            ("status", json!("Unused")),
            ("service_fee", json!("1.5")),
            ("recipient", Value::Null),
            ("transaction_type", json!("Basic")),
            ("callback_url", json!("")),
        ] {
            assert_eq!(made[name], value, "{name} of {made}");
        }
        assert_eq!(text(&made, "user_id").len(), "b44c4429-4a7b-4e27-85af-c1c2f43f4ffe".len());
        assert_eq!(text(&made, "created_at").len(), "2024-10-26 16:18:01".len());
        assert!(text(&made, "paymentEndpoint").ends_with("/payment"));
        assert!(text(&made, "pay_link").starts_with(&format!("{}?link_id=", text(&made, "paymentEndpoint"))));
        let picture = client.stranger("GET", &path_of(text(&made, "qr_img")), &[], b"");
        assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/png")));
        assert_eq!(&picture.body[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(picture.body[16..24], [0, 0, 1, 44, 0, 0, 1, 44], "300 by 300 pixels");
    }
}

#[test]
fn a_split_link_shows_its_recipients_as_printed_and_hints_at_their_tokens_later() {
    let switch = shared();
    let (client, other) = (switch.client(), merchant(&switch.operator(), "a recipient", &json!({})));
    let recipients = format!(r#"[{{"token":"{}","share":50}}]"#, other.key);
    let fields = [("recipient_note", "Payment for Invoice #1234"), ("amount", "100.00"), ("recipients", recipients.as_str())];
    let made = data(&send(&client, "createSplitLink", &fields));
    assert_eq!((text(&made, "transaction_type"), text(&made, "recipient")), ("Split", recipients.as_str()));
    let as_json = json!({"amount": 100, "recipient": {"token": other.key, "share": "33.33"}});
    let one = data(&send_json(&client, "createSplitLink", &as_json));
    assert!(text(&one, "recipient").ends_with(r#""share":33.33}]"#), "{one}");
    // As PHP writes a list into a form; its brackets are encoded on the way.
    let fields = [("amount", "100.00"), ("recipients[0][token]", &other.key), ("recipients[0][percentage]", "12.5")];
    let spread = data(&send(&client, "createSplitLink", &fields));
    assert!(text(&spread, "recipient").ends_with(r#""share":12.5}]"#), "{spread}");
    let before = (made["id"].as_u64().unwrap() - 1).to_string();
    let listed = items(&client, "getMyUnusedLinks", &[("since", &before), ("limit", "1")]);
    assert_eq!(listed[0]["id"], made["id"]);
    let shown = text(&listed[0], "recipient");
    assert!(shown.contains("****") && !shown.contains(&other.key), "a token is a key: {shown}");
    for (recipients, field) in [
        (json!([{"token": "nobody's", "share": 50}]), "recipients[0].token"),
        (json!([{"token": other.key, "share": 50.001}]), "recipients[0].share"),
        (json!([{"token": other.key, "share": 100.01}]), "recipients[0].share"),
        (json!([]), "recipients"),
        (Value::Null, "recipients"),
    ] {
        let refused = refusal(&send_json(&client, "createSplitLink", &json!({"amount": 1, "recipients": recipients})));
        assert_eq!((refused.0, refused.1.as_str()), (400, "InvalidParameters"));
        assert!(refused.2.contains(&format!("invalid {field}: ")), "{recipients}: {}", refused.2);
    }
}

#[test]
fn every_call_wants_a_key_that_may_and_a_body_that_can_be_read() {
    let switch = shared();
    let client = merchant(&switch.operator(), "asks often", &json!({"requests_burst": 1_000}));
    let nobody = Client { key: "api_of_nobody".to_owned(), ..client.clone() };
    let browser = switch.client_with(keys::PUBLIC);
    for call in CALLS {
        let path = format!("/api/v2/{call}");
        let keyless = refusal(&client.stranger("POST", &path, &[], b""));
        assert_eq!((keyless.0, keyless.1.as_str()), (401, "Unauthorized"), "{call}");
        let stranger = refusal(&send(&nobody, call, &[]));
        let expected = (401, "UserNotFound".to_owned(), "No user found with the provided API key.".to_owned());
        assert_eq!(stranger, expected, "{call}");
        assert_eq!(refusal(&send(&browser, call, &[])).0, 403, "{call}");
        let got = client.stranger("GET", &path, &[("token", &client.key)], b"");
        assert_eq!((got.header("allow"), refusal(&got).0), (Some("POST"), 405), "{call}");
        assert_eq!(refusal(&send_as(&client, call, "text/xml", b"<a/>")).0, 415, "{call}");
        let broken = refusal(&send_as(&client, call, "application/json", b"{\"amount\":"));
        assert_eq!((broken.0, broken.1.as_str()), (400, "InvalidParameters"), "{call}");
        assert_eq!(refusal(&send_as(&client, call, "application/json", b"[]")).0, 400, "{call}");
        assert_eq!(refusal(&send_as(&client, call, "application/json", &vec![b' '; (1 << 20) + 1])).0, 413, "{call}");
    }
    assert_eq!(refusal(&send(&client, "noSuchCall", &[])).0, 404);
    let bearer = Client { key: format!("Bearer {}", client.key), ..client };
    assert_eq!(
        send(&bearer, "getPayInTransactions", &[("since", "0"), ("limit", "5")]).status,
        200,
        "the token in Bearer format"
    );
}

#[test]
fn a_field_that_is_wrong_is_named_with_what_is_accepted() {
    let switch = shared();
    let client = merchant(&switch.operator(), "asks wrongly", &json!({"requests_burst": 1_000}));
    for (call, body, said) in [
        ("createLink", json!({}), "invalid amount: is required"),
        ("createLink", json!({"amount": "1.234"}), "invalid amount: must have at most 2 decimals"),
        ("createLink", json!({"amount": 0}), "invalid amount: must be at least 0.01"),
        ("createLink", json!({"amount": [1]}), "invalid amount: must be a decimal number"),
        (
            "createLink",
            json!({"amount": 1, "recipient_note": "x".repeat(256)}),
            "invalid recipient_note: must be a text of at most 255",
        ),
        ("createLink", json!({"amount": 1, "recipient_note": 7}), "invalid recipient_note: must be a text"),
        (
            "createLink",
            json!({"amount": 1, "paymentEndpoint": "http://shop.example"}),
            "invalid paymentEndpoint: must be an address",
        ),
        ("createLink", json!({"amount": 1, "callback_url": "https//secpaid.com"}), "invalid callback_url: must be an address"),
        ("deleteLink", json!({}), "invalid link_id: is required"),
        ("deleteLink", json!({"link_id": "x"}), "invalid link_id: must be a whole number"),
        ("getMyUnusedLinks", json!({"limit": 0}), "invalid limit: must be 1 to 1000"),
        ("getMyUsedLinks", json!({"since": "x"}), "invalid since: must be a whole number"),
        ("getPayInTransactions", json!({"since": "x"}), "invalid since: must be the number"),
        ("getPayInTransactions", json!({"date": "26.10.2024"}), "invalid date: must be a date"),
        ("getPayOutTransactions", json!({"limit": 1001}), "invalid limit: must be 1 to 1000"),
        ("refundPayment", json!({"amount": 1}), "invalid pay_id: is required"),
        ("getTaxInvoiceList", json!({"since": -1}), "invalid since: must be a whole number"),
    ] {
        let refused = refusal(&send_json(&client, call, &body));
        assert_eq!((refused.0, refused.1.as_str()), (400, "InvalidParameters"), "{call} {body}");
        assert!(refused.2.contains(said), "{call} {body}: {}", refused.2);
    }
}

#[test]
fn a_link_is_paid_once_listed_as_used_and_never_deleted() {
    let switch = shared();
    let (client, other) = (switch.client(), merchant(&switch.operator(), "somebody else", &json!({})));
    let asked = json!({"amount": "12.34", "recipient_note": "Two tickets", "callback_url": "https://shop.example/back?lang=de"});
    let made = data(&send_json(&client, "createLink", &asked));
    let (id, page) = (number(&made), page_of_link(&client, &made));
    let shown = client.stranger("GET", &page, &[], b"").text();
    assert!(shown.contains("Two tickets") && shown.contains("12.34"), "{shown}");
    assert_eq!(refusal(&send(&client, "refundPayment", &[("pay_id", &id)])).0, 400, "nothing was paid");
    let answer = submit(&client, &page, VISA);
    let back = format!("https://shop.example/back?lang=de&pay_id={id}&status=success");
    assert_eq!((answer.status, answer.header("location")), (303, Some(back.as_str())));
    // The same click again pays nothing more.
    assert_eq!(submit(&client, &page, VISA).header("location"), Some(back.as_str()));
    let before = (made["id"].as_u64().unwrap() - 1).to_string();
    let used = items(&client, "getMyUsedLinks", &[("since", &before), ("limit", "1")]);
    assert_eq!((&used[0]["id"], text(&used[0], "status")), (&made["id"], "Used"));
    let unused = items(&client, "getMyUnusedLinks", &[("since", &before), ("limit", "1000")]);
    assert!(unused.iter().all(|link| link["id"] != made["id"]));
    let refused = refusal(&send(&client, "deleteLink", &[("link_id", &id)]));
    assert!(
        refused.0 == 400 && refused.2.contains("invalid link_id: the link is used; possible now: refundPayment"),
        "{refused:?}"
    );
    let paid = items(&client, "getPayInTransactions", &[("since", "0"), ("limit", "1000")]);
    let paid = paid.iter().find(|paid| paid["id"] == made["id"]).expect("it is among today's");
    assert_eq!((&paid["amount"], text(paid, "status"), &paid["pay_link"]), (&json!(12.34), "Paid", &made["pay_link"]));
    assert_eq!(items(&client, "getPayInTransactions", &[("pay_id", &id)]), std::slice::from_ref(paid));
    assert_eq!(items(&client, "getPayInTransactions", &[("date", "2024-10-26")]), [] as [Value; 0]);
    for (call, field) in [("getPayInTransactions", "pay_id"), ("deleteLink", "link_id"), ("refundPayment", "pay_id")] {
        assert_eq!(refusal(&send(&other, call, &[(field, "999999")])).0, 404, "{call}");
    }
    assert_eq!(items(&other, "getMyUsedLinks", &[]), [] as [Value; 0]);
}

#[test]
fn a_deleted_link_is_gone_and_a_decline_leaves_it_unused() {
    let switch = shared();
    let client = switch.client();
    let made = link(&client, "5.00");
    let (id, page) = (number(&made), page_of_link(&client, &made));
    assert_eq!(submit(&client, &page, DECLINED).status, 303);
    let deleted = data(&send_json(&client, "deleteLink", &json!({"link_id": made["id"]})));
    assert_eq!(text(&deleted, "status"), "Deleted");
    assert_eq!(refusal(&send(&client, "deleteLink", &[("link_id", &id)])).0, 404);
    assert_eq!(refusal(&send(&client, "getPayInTransactions", &[("pay_id", &id)])).0, 404);
    assert!(!client.stranger("GET", &page, &[], b"").text().contains("name=\"number\""), "nobody can pay it");
    let gone = client.stranger("GET", "/qr/00000000000000000000.png", &[], b"");
    assert_eq!((gone.status, client.stranger("GET", "/payment?link_id=MTI0", &[], b"").status), (404, 404));
    // As its address names it.
    let made = link(&client, "6.00");
    let (_, link_id) = text(&made, "pay_link").split_once("link_id=").expect("the document's form");
    let link_id = link_id.split('&').next().expect("a value");
    assert_eq!(data(&send(&client, "deleteLink", &[("link_id", link_id)]))["id"], made["id"]);
}

#[test]
fn a_key_may_ask_so_often_and_no_more() {
    let switch = shared();
    let hasty = merchant(&switch.operator(), "hasty", &json!({"requests_per_s": 1, "requests_burst": 3}));
    let answers: Vec<_> = (0..8).map(|_| send(&hasty, "getMyUsedLinks", &[])).collect();
    assert!(answers[..3].iter().all(|answer| answer.status == 200));
    let refused = answers.iter().find(|answer| answer.status == 429).expect("eight at once are too many");
    assert_eq!((refused.header("retry-after"), refusal(refused).1.as_str()), (Some("1"), "TooManyRequests"));
    assert_eq!(send(&switch.client(), "getMyUsedLinks", &[]).status, 200, "another key has its own allowance");
}

#[test]
fn a_refund_before_settlement_waits_in_part_and_is_a_void_in_full() {
    let switch = shared();
    let client = switch.client();
    let (whole, part) = (link(&client, "20.00"), link(&client, "30.00"));
    [&whole, &part].iter().for_each(|link| drop(pay(&client, link)));
    let refunded = data(&send_json(&client, "refundPayment", &json!({"pay_id": whole["id"]})));
    let shown = ["refund_amount", "refund_status", "status"].map(|name| text(&refunded, name));
    assert_eq!((shown, &refunded["refunded_amount"]), (["20.00", "Refunded", "Refunded"], &json!(20.0)));
    let again = refusal(&send_json(&client, "refundPayment", &json!({"pay_id": whole["id"]})));
    assert!(again.0 == 400 && again.2.contains("used and refunded"), "{again:?}");
    let waits = data(&send(&client, "refundPayment", &[("pay_id", &number(&part)), ("amount", "10.01")]));
    assert_eq!(["refund_amount", "refund_status", "status"].map(|name| text(&waits, name)), ["10.01", "InProgress", "Paid"]);
    let much = refusal(&send(&client, "refundPayment", &[("pay_id", &number(&part)), ("amount", "20")]));
    assert!(much.0 == 400 && much.2.contains("invalid amount: must be at most 19.99"), "{much:?}");
}
