//! The hosted page in a real browser: on a desk and on a phone, with scripts and without, and whatever a shopper clicks.
//!
//! `SWITCHYARD_TEST_PICTURES` names a folder for pictures of what was seen.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;
use tests::browser::Browser;
use tests::shopper::{VISA, order, request};
use tests::switch::shared;
use tests::{Client, Switch, eventually};

const DECLINED: &str = "4000000000000002";
/// Nobody is there.
const CALLBACK: &str = "https://example.com";
const DESK: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (390, 844);

/// Elements whose text is hard to read, by WCAG's contrast of 4.5, as the browser computes their colours.
const FAINT: &str = r"(() => {
    const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
        .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parts(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    return [...document.body.querySelectorAll('*')].filter(own).filter((element) => {
        const [one, two] = [light(parts(getComputedStyle(element).color)), light(ground(element))];
        return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05) < 4.5;
    }).map((element) => element.tagName + '.' + element.className + ': ' + element.textContent);
})()";

/// Fields that nobody could name to a person who does not see them.
const UNNAMED: &str = "[...document.querySelectorAll('input:not([type=hidden]), select')].filter((field) => !field.labels.length).map((field) => field.id)";

#[track_caller]
fn invoice(client: &Client) -> Value {
    let body = json!({
        "company_name": "Ågot & Sons Hardware", "tax_percent": "8.25", "message": "Thank you for your business!",
        "date_due": "2039-02-13T06:00:00Z", "bill_to": {"company": "Drury Lane Muffins"},
        "items": [
            {"name": "Cordless drill", "description": "18 V, two batteries", "quantity": 2, "unit_price": 12_900, "taxable": true},
            {"name": "Oak board, planed on four sides and cut to your measure", "quantity": 12, "unit_of_measure": "m", "unit_price": 1_450, "taxable": true},
            {"name": "Delivery", "quantity": 1, "unit_price": 2_500}
        ]
    });
    client.call("POST", "/api/invoice", &[], body.to_string().as_bytes()).data()
}

fn fill_in(browser: &Browser, card: &str) {
    for (field, text) in
        [("#number", card), ("#expiry", "1233"), ("#code", "123"), ("#name", "Ada Lovelace"), ("#postal_code", "60601")]
    {
        browser.write(field, text);
    }
}

#[track_caller]
fn assert_readable(browser: &Browser) {
    assert_eq!(browser.evaluate(FAINT), json!([]), "{}", browser.url());
    assert_eq!(browser.evaluate(UNNAMED), json!([]), "{}", browser.url());
    browser.assert_no_overhang();
}

/// Looks at the page in both sizes.
#[track_caller]
fn look(browser: &Browser, name: &str) {
    for (size, (width, height)) in [("phone", PHONE), ("desk", DESK)] {
        browser.resize(width, height);
        assert_readable(browser);
        if let Ok(folder) = std::env::var("SWITCHYARD_TEST_PICTURES") {
            std::fs::write(Path::new(&folder).join(format!("{name}-{size}.png")), browser.picture()).expect("a picture is kept");
        }
    }
}

/// A shop that shows which of its addresses was asked for.
fn shop() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A browser opens connections on which it may never ask for anything.
            std::thread::spawn(move || welcome(stream));
        }
    });
    format!("http://{address}")
}

fn welcome(mut stream: TcpStream) {
    let mut head = [0; 4096];
    let read = stream.read(&mut head).unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..read]);
    let path = head.split(' ').nth(1).unwrap_or("").to_owned();
    let body = format!("<h1 id=\"shop\">{path}</h1>");
    let length = body.len();
    let headers = format!("Content-Type: text/html\r\nContent-Length: {length}\r\nConnection: close");
    drop(write!(stream, "HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{body}"));
}

/// Transactions that carry an order's number.
fn transactions(switch: &Switch, order: &str) -> u64 {
    let search = json!({"order_id": {"operator": "=", "value": order}}).to_string();
    let found = switch.client().call("POST", "/api/transaction/search", &[], search.as_bytes()).json();
    found["total_count"].as_u64().expect("a search counts")
}

#[test]
fn a_shopper_is_declined_tries_again_and_comes_back_to_the_shop() {
    let switch = shared();
    let (client, shop) = (switch.client(), shop());
    let made = request(&client, "browser-1", &shop, CALLBACK);
    let page = made["pay_url"].as_str().expect("a request has a page");
    let browser = Browser::start(true);
    browser.open(page);
    look(&browser, "request");
    browser.write("#number", "3782");
    assert_eq!(browser.text("#brand"), "American Express");
    fill_in(&browser, DECLINED);
    assert_eq!(browser.text("#brand"), "Visa");
    assert_eq!(browser.evaluate("document.getElementById('number').value"), json!("4000 0000 0000 0002"));
    assert_eq!(browser.evaluate("document.getElementById('expiry').value"), json!("12 / 33"));
    browser.press("#pay button");
    assert_eq!(browser.text(".alert strong"), "Your bank has declined the payment.");
    look(&browser, "declined");
    browser.press("#pay button");
    assert_eq!(browser.text("#number-fault"), "Enter the number of your card.");
    assert_eq!(browser.evaluate("document.activeElement.id"), json!("number"), "the first wrong field has the caret");
    look(&browser, "wrong");
    browser.reload();
    assert_eq!(browser.text("#number-fault"), "Enter the number of your card.", "a reload sends nothing again");
    browser.open(page);
    fill_in(&browser, VISA);
    browser.press("#pay button");
    assert_eq!(browser.text("#shop"), "/paid?order=browser-1&status=completed");
    browser.back();
    assert_eq!(browser.text(".told h2"), "Paid");
    browser.reload();
    assert_eq!(browser.text(".told h2"), "Paid");
    look(&browser, "paid");
    assert_eq!(transactions(&switch, "browser-1"), 2, "neither a step back nor a reload pays");
    browser.press(".told .button");
    assert_eq!(browser.text("#shop"), "/paid?order=browser-1&status=completed");
}

#[test]
fn a_page_works_without_scripts_and_two_tabs_pay_once() {
    let switch = shared();
    let client = switch.client();
    let made = invoice(&client);
    let page = made["hosted_url"].as_str().expect("an invoice has a page");
    let (one, two) = (Browser::start(false), Browser::start(true));
    for tab in [&one, &two] {
        tab.open(page);
        fill_in(tab, VISA);
    }
    look(&two, "invoice");
    fill_in(&two, VISA);
    one.press("#pay button");
    assert_eq!(one.text(".told h2"), "Paid");
    two.press("#pay button");
    assert_eq!(two.text(".told h2"), "Paid");
    look(&two, "invoice-paid");
    assert_eq!(transactions(&switch, made["id"].as_str().expect("an invoice has an id")), 1);
}

#[test]
fn a_shopper_pays_from_a_bank_account_with_scripts_and_without() {
    let switch = shared();
    let client = switch.client();
    for (name, scripts) in [("account-1", true), ("account-2", false)] {
        let made = order(&client, name, 7_700);
        let browser = Browser::start(scripts);
        browser.open(made["pay_url"].as_str().expect("an order has a page"));
        browser.press(".other a");
        // The card's form has a button too: what only this one has is waited for first.
        assert!(browser.text(".mandate").contains("you authorize"));
        assert_eq!(browser.text("#pay button"), "Authorize $77.00");
        if scripts {
            look(&browser, "account");
        }
        browser.write("#name", "Ada Lovelace");
        browser.choose("#account_type", "savings");
        browser.press("#pay button");
        assert_eq!(browser.text("#routing_number-fault"), "Enter the nine digits of your bank, as on a check.");
        if scripts {
            assert_eq!(browser.evaluate("document.activeElement.id"), json!("routing_number"));
            assert_eq!(
                browser.evaluate("document.getElementById('account_type').value"),
                json!("savings"),
                "it is filled in anew"
            );
            look(&browser, "account-wrong");
        }
        browser.write("#routing_number", "0110 0001 5");
        browser.write("#account_number", "998899");
        browser.press("#pay button");
        assert_eq!(browser.text(".told h2"), "Paid");
        browser.reload();
        assert_eq!(browser.text(".told h2"), "Paid");
        assert_eq!(transactions(&switch, name), 1);
    }
}

#[test]
fn a_page_whose_time_is_over_says_so_and_takes_nothing() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let made = request(&client, "browser-3", CALLBACK, CALLBACK);
    let browser = Browser::start(true);
    let page = made["pay_url"].as_str().expect("a request has a page");
    browser.open(page);
    fill_in(&browser, VISA);
    let week = json!({"advance_seconds": 7 * 86_400 + 1});
    client.call("POST", "/api/sandbox/clock", &[], week.to_string().as_bytes()).data();
    eventually(Duration::from_secs(20), || {
        let shown = tests::shopper::page(&client, &tests::shopper::path_of(page));
        if shown.contains("Expired") { Ok(()) } else { Err(shown) }
    });
    browser.press("#pay button");
    assert_eq!(browser.text(".told h2"), "Expired", "a form that was filled in before is too late");
    assert_eq!(transactions(&switch, "browser-3"), 0);
    look(&browser, "expired");
}

#[test]
fn a_shopper_who_cancels_is_back_at_the_shop_and_pays_nothing() {
    let switch = shared();
    let (client, shop) = (switch.client(), shop());
    let made = request(&client, "browser-2", &shop, CALLBACK);
    let browser = Browser::start(true);
    browser.open(made["pay_url"].as_str().expect("a request has a page"));
    browser.press(".cancel button");
    assert_eq!(browser.text("#shop"), "/cancelled?order=browser-2&status=cancelled");
    browser.back();
    assert_eq!(browser.text(".told h2"), "Cancelled", "a page from the browser's memory asks for itself anew");
    browser.reload();
    assert_eq!(browser.text(".told h2"), "Cancelled");
    look(&browser, "cancelled");
}

#[test]
fn a_dark_room_has_a_dark_page_that_can_be_read() {
    let switch = shared();
    let client = switch.client();
    let made = invoice(&client);
    let browser = Browser::in_the_dark();
    browser.open(made["hosted_url"].as_str().expect("an invoice has a page"));
    assert_ne!(browser.evaluate("getComputedStyle(document.body).backgroundColor"), json!("rgb(244, 245, 247)"));
    look(&browser, "dark");
    fill_in(&browser, DECLINED);
    browser.press("#pay button");
    browser.text(".alert strong");
    look(&browser, "dark-declined");
}
