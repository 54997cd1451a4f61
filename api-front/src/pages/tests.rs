use super::*;
use axum::http::HeaderMap;
use persistence::stores::Face;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;

fn payable(state: PayableState) -> Payable {
    Payable {
        id: Xid([1; 12]),
        merchant: Xid([2; 12]),
        face: Face::Order,
        reference: "7".into(),
        public_id: "d038ea94".into(),
        amount: 12_200,
        currency: Currency::USD,
        state,
        page: "{}".into(),
        body: "{}".into(),
        expires_at: Micros::NONE,
        attempts: 1,
        transaction: Xid([3; 12]),
        amount_paid: 0,
        amount_refunded: 0,
        version: 4,
        created_at: Micros(1),
        updated_at: Micros(7),
        paid_at: Micros::NONE,
    }
}

fn rendered(payable: &Payable, page: &Page, refused: Option<&Refused>) -> String {
    rendered_by(By::Card, payable, page, refused)
}

fn rendered_by(by: By, payable: &Payable, page: &Page, refused: Option<&Refused>) -> String {
    let shown = Shown {
        payable,
        page,
        seller: "Ågot & Sons <script>",
        manner: Manner::of(&HeaderMap::new()),
        last_answer: None,
        by: Some(by),
        has_other: true,
        now: Micros::from_date(2026, 11, 21),
        refused,
        way_on: way_on(payable, page),
        is_spent: false,
    };
    view::page(&shown).into_string()
}

#[test]
fn what_an_account_holder_agrees_to_names_who_how_much_when_and_how_it_is_taken_back() {
    let html = rendered_by(By::Account, &payable(PayableState::Open), &Page::default(), None);
    for told in [
        "authorize <bdi>Ågot &amp; Sons &lt;script&gt;</bdi>",
        "$122.00",
        "on or after 21 November 2026",
        "once",
        "revoke",
        "?by=card",
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
    assert!(!html.contains("id=\"number\"") && html.contains("id=\"routing_number\""), "{html}");
}

#[test]
fn what_a_seller_writes_is_text_and_never_markup() {
    let hostile = Page {
        title: "<img src=x onerror=alert(1)>".into(),
        logo_url: "javascript:alert(1)".into(),
        message: "\"><script>alert(1)</script>".into(),
        ..Page::default()
    };
    let html = rendered(&payable(PayableState::Open), &hostile, None);
    assert!(!html.contains("<img") && !html.contains("<script>") && !html.contains("javascript:"), "{html}");
}

#[test]
fn nothing_of_a_card_comes_back() {
    let sent = Sent::read(b"attempt=1&number=4111111111111112&expiry=12%2F33&code=987&name=Ada&postal_code=60601");
    let faults = sent.check(Micros::from_date(2026, 1, 1).civil(), false).err().unwrap();
    let cookie = typed_cookie(&sent, "/pay/d038ea94", false);
    let headers = HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())]);
    let refused = Refused::told(Some(&faults.query()), &headers);
    let html = rendered(&payable(PayableState::Open), &Page::default(), refused.as_ref());
    assert!(!html.contains("4111") && !html.contains("987") && !html.contains("12/33"), "{html}");
    assert!(html.contains("value=\"Ada\"") && html.contains("value=\"60601\"") && html.contains("number-fault"), "{html}");
}

#[test]
fn the_form_is_shown_only_while_it_can_be_paid() {
    for state in PayableState::ALL {
        let html = rendered(&payable(state), &Page::default(), None);
        assert_eq!(html.contains("name=\"number\""), state == PayableState::Open, "{state:?}");
    }
    assert!(rendered(&payable(PayableState::Open), &Page::default(), None).contains("name=\"attempt\" value=\"2\""));
}

#[test]
fn a_form_may_lead_to_a_developers_machine_and_nothing_else_without_tls() {
    for (url, origin) in [
        ("http://127.0.0.1:8000/done?x=1", Some("http://127.0.0.1:8000")),
        ("http://localhost", Some("http://localhost")),
        ("https://shop.example/done", None),
        ("http://a b;script-src *", None),
    ] {
        assert_eq!(loopback_origin(url), origin, "{url}");
    }
}

#[test]
fn what_is_said_once_is_not_said_again() {
    let link = Page { title: "سداد الفاتورة".into(), message: "سداد الفاتورة".into(), ..Page::default() };
    assert!(!rendered(&payable(PayableState::Open), &link, None).contains("class=\"message\""));
    let dinars = Payable { amount: 1_234_567, currency: Currency::from_code("BHD").unwrap(), ..payable(PayableState::Open) };
    assert!(!rendered(&dinars, &Page::default(), None).contains("class=\"code\""), "the amount has the code already");
    assert!(rendered(&payable(PayableState::Open), &Page::default(), None).contains("class=\"code\""));
}
