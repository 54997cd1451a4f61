use super::fields::Fields;
use super::recipients::recipients;
use crate::rest::problem::Problem;
use axum::http::{HeaderMap, HeaderValue, header};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

const IN_PARTS: &str = "multipart/form-data; boundary=x";

fn in_parts(fields: &[(&str, &str)]) -> String {
    let part = |(name, text): &(&str, &str)| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    fields.iter().map(part).chain(["--x--\r\n".to_owned()]).collect()
}

fn read(content_type: &'static str, body: &str) -> Result<Fields, Problem> {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    Fields::read(&headers, body.as_bytes())
}

#[test]
fn a_form_and_json_say_the_same() {
    for (content_type, body) in [
        (FORM, "recipient_note=Payment+for+Invoice+%231234&amount=100.00&pay_id=124&x="),
        (JSON, r#"{"recipient_note": "Payment for Invoice #1234", "amount": "100.00", "pay_id": "124", "x": null}"#),
        (FORM, r#" {"recipient_note": "Payment for Invoice #1234", "amount": 100.00, "pay_id": 124, "x": ""}"#),
        (
            IN_PARTS,
            &in_parts(&[("recipient_note", "Payment for Invoice #1234"), ("amount", "100.00"), ("pay_id", "124"), ("x", "")]),
        ),
        ("", r#"{"recipient_note": "Payment for Invoice \u00231234", "amount": 100, "pay_id": 124}"#),
    ] {
        let fields = read(content_type, body).unwrap();
        assert_eq!(fields.text("recipient_note", 255), Ok(Some("Payment for Invoice #1234".to_owned())), "{body}");
        assert_eq!((fields.amount("amount"), fields.number("pay_id")), (Ok(Some(10_000)), Ok(Some(124))), "{body}");
        assert_eq!(fields.text("x", 9), Ok(None));
    }
}

#[test]
fn what_is_not_accepted_is_named() {
    assert_eq!(read("text/plain", "amount=1").unwrap_err(), Problem::UnsupportedType);
    assert!(read("multipart/form-data", "x").unwrap_err().to_string().contains("must name a boundary"));
    assert!(read("text/plain", " ").is_ok(), "nothing has no type");
    assert!(matches!(read(JSON, "amount=1"), Err(Problem::Malformed { .. })));
    assert!(read(JSON, "[1]").unwrap_err().to_string().contains("body: must be a JSON object"));
    for amount in ["0", "0.00", "1.234", "-1", "1e2", "ten", "10000000000.00"] {
        let fields = read(JSON, &format!(r#"{{"amount": "{amount}"}}"#)).unwrap();
        assert!(fields.amount("amount").unwrap_err().to_string().contains("invalid amount: "), "{amount}");
    }
    let fields = read(JSON, r#"{"note": 5, "id": 1.5, "long": "aaaa", "url": "ftp://x"}"#).unwrap();
    assert!(fields.text("note", 9).is_err() && fields.number("id").is_err() && fields.text("long", 3).is_err());
    assert!(fields.address("url", true).is_err());
    assert!(fields.link_number(&["link_id", "id"]).unwrap_err().to_string().contains("invalid id"));
    assert!(fields.link_number(&["link_id", "number"]).unwrap_err().to_string().contains("link_id: is required"));
}

#[test]
fn addresses_are_https_or_a_tests_own() {
    let body = "shop=https%3A%2F%2Fshop.example%2Fback%3Fa%3Db&own=http%3A%2F%2F127.0.0.1%3A9%2Fx&far=http%3A%2F%2Fshop.example";
    let fields = read(FORM, body).unwrap();
    assert_eq!(fields.address("shop", false), Ok("https://shop.example/back?a=b".to_owned()));
    assert_eq!(fields.address("absent", false), Ok(String::new()));
    assert!(fields.address("own", true).is_ok() && fields.address("own", false).is_err());
    assert!(fields.address("far", true).is_err());
}

#[test]
fn recipients_are_a_list_one_object_or_a_text_of_either() {
    let list = r#"[{"token": "{NH?fq6,maGEc7\/OD9]FvolGg", "share": 50}, {"token": "b", "share": "0.01"}]"#;
    let as_form: String = form_urlencoded::Serializer::new(String::new()).append_pair("recipients", list).finish();
    for (content_type, body) in [
        (JSON, format!(r#"{{"recipients": {list}}}"#)),
        (JSON, format!(r#"{{"recipient": {}}}"#, serde_json::Value::from(list))),
        (FORM, as_form),
    ] {
        let asked = recipients(&read(content_type, &body).unwrap()).unwrap();
        let asked: Vec<_> = asked.iter().map(|asked| (asked.token.as_str(), asked.share_bp)).collect();
        assert_eq!(asked, [("{NH?fq6,maGEc7/OD9]FvolGg", 5_000), ("b", 1)], "{body}");
    }
    let one = read(JSON, r#"{"recipient": {"token": "b", "share": 33.33}}"#).unwrap();
    assert_eq!(recipients(&one).unwrap()[0].share_bp, 3_333);
}

#[test]
fn a_link_is_named_by_its_number_or_as_its_address_has_it() {
    for (body, number) in [("link_id=124", 124), ("link_id=MTI0", 124), ("id=Nw%3D%3D", 7), ("pay_id=7", 7)] {
        let fields = read(FORM, body).unwrap();
        assert_eq!(fields.link_number(&["link_id", "id", "pay_id"]).unwrap().0, number, "{body}");
    }
    assert!(read(FORM, "link_id=abc").unwrap().link_number(&["link_id"]).is_err());
}

#[test]
fn recipients_may_be_spread_over_a_form() {
    for spread in [
        "recipients[0][token]=a&recipients[0][percentage]=33.33&recipients[1][token]=b&recipients[1][percentage]=50",
        "recipients[x][token]=a&recipients[y][token]=b&recipients[x][share]=33.33&recipients[y][share]=50",
        "recipient[][token]=a&recipient[][share]=33.33&recipient[][token]=b&recipient[][share]=50",
    ] {
        let body = spread.replace('[', "%5B").replace(']', "%5D");
        for body in [spread, &body] {
            let asked = recipients(&read(FORM, body).unwrap()).unwrap();
            let asked: Vec<_> = asked.iter().map(|asked| (asked.token.as_str(), asked.share_bp)).collect();
            assert_eq!(asked, [("a", 3_333), ("b", 5_000)], "{body}");
        }
    }
    let one = recipients(&read(FORM, "recipient[token]=a&recipient[share]=7").unwrap()).unwrap();
    assert_eq!((one.len(), one[0].share_bp), (1, 700));
    // Nobody guesses whose the second share is.
    for torn in ["recipients[][token]=a&recipients[][token]=b&recipients[][share]=1&recipients[][share]=2", "recipients[0]=a"] {
        assert!(recipients(&read(FORM, torn).unwrap()).is_err(), "{torn}");
    }
}

#[test]
fn recipients_that_cannot_be_paid_are_named() {
    for (sent, said) in [
        ("[]", "recipients: must name 1 to 50"),
        ("7", "recipients: must be a list"),
        (r#"[{"share": 1}]"#, "recipients: must be a list"),
        (r#"[{"token": "", "share": 1}]"#, "recipients[0].token"),
        (r#"[{"token": "b", "share": 0}]"#, "recipients[0].share"),
        (r#"[{"token": "b", "share": 1.001}]"#, "recipients[0].share"),
        (r#"[{"token": "b", "share": 60}, {"token": "c", "share": 40.01}]"#, "at most 100 together"),
        (r#"[{"token": "b", "share": 1}, {"token": "b", "share": 1}]"#, "each token once"),
    ] {
        let refused = recipients(&read(JSON, &format!(r#"{{"recipients": {sent}}}"#)).unwrap());
        assert!(refused.unwrap_err().to_string().contains(said), "{sent}");
    }
    assert!(recipients(&read(FORM, "").unwrap()).unwrap_err().to_string().contains("recipients: is required"));
}
