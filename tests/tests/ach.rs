//! Payments from bank accounts, from REST to the ACH host's ledger and back: the document's sample, every class and code, settlement,
//! refunds, what banks send back before and after it, time-outs, and no account number in clear at rest.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::books::reconcile;
use tests::client::{Client, id, text};
use tests::host::Control;
use tests::switch::keys;
use tests::{Options, Switch, until};

const PATIENCE: Duration = Duration::from_secs(30);
/// A bank of the Federal Reserve: the host approves whatever comes from it.
const BANK: &str = "011000015";
/// Shown as `99**99`, and part of nothing else.
const ACCOUNT: &str = "998899";
const LONG_ACCOUNT: &str = "71828182845904523";
const LICENCE: &str = "R5001231231231";

fn ach(sec_code: &str, routing: &str) -> Value {
    json!({"routing_number": routing, "account_number": ACCOUNT, "sec_code": sec_code, "account_type": "checking"})
}

fn payment(verb: &str, amount: u64, ach: &Value) -> Value {
    let address = json!({"first_name": "John", "last_name": "Smith", "address_line_1": "123 Some St", "city": "Wheaton", "state": "IL",
        "postal_code": "60187", "country": "US"});
    json!({"type": verb, "amount": amount, "currency": "USD", "payment_method": {"ach": ach}, "billing_address": address})
}

#[track_caller]
fn pay(client: &Client, verb: &str, amount: u64, ach: &Value) -> Value {
    client.pay(&payment(verb, amount, ach)).data()
}

#[track_caller]
fn settle(switch: &Switch) -> Vec<Value> {
    let batches = switch.operator().call("POST", "/operator/processors/ach/settle", &[], b"").data();
    batches.as_array().expect("a list of batches").clone()
}

#[track_caller]
fn control(switch: &Switch) -> Control {
    let file = switch.sandbox_json();
    let address = text(&file["processors"]["ach"], "control").trim_start_matches("http://").to_owned();
    Control(address.parse().expect("the ACH host's control address"))
}

#[track_caller]
fn advance(client: &Client, seconds: u64) {
    client.call("POST", "/api/sandbox/clock", &[], json!({"advance_seconds": seconds}).to_string().as_bytes()).data();
}

#[track_caller]
fn await_status(client: &Client, payment: &Value, status: &str) -> Value {
    let reached = || Some(client.get(id(payment))).filter(|shown| text(shown, "status") == status);
    until(PATIENCE, reached).unwrap_or_else(|| panic!("not {status}: {}", client.get(id(payment))))
}

#[test]
fn the_documents_sample_and_every_code_that_the_host_gives() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let declined = pay(&client, "sale", 10_112, &ach("ccd", "490000018"));
    let shown = &declined["response_body"]["ach"];
    for (field, value) in [
        ("sec_code", json!("ccd")),
        ("account_type", json!("checking")),
        ("masked_account_number", json!("99**99")),
        ("routing_number", json!("490000018")),
        ("auth_code", json!("")),
        ("response", json!("declined")),
        ("response_code", json!(200)),
        ("processor_response_code", json!("D")),
        ("processor_response_text", json!("DECLINE CHECK   CHECK LIMIT EXCEEDED")),
        ("processor_type", json!("sage_ach")),
    ] {
        assert_eq!(shown[field], value, "{field} of {declined}");
    }
    assert_eq!(shown["processor_specific"]["result_codes"], json!(["Decline Message", "Transaction Limit Exceeded"]));
    assert_eq!(shown["processor_specific"]["type_codes"], json!(["Unknown Presentment"]));
    assert_eq!((text(&declined, "payment_type"), text(&declined, "status")), ("ach", "declined"));
    let codes = [
        ("490000018", 2_500, 100),
        ("000000000", 1_000, 200),
        ("490000034", 1_000, 200),
        ("490000021", 1_000, 240),
        ("490000047", 1_000, 240),
        ("490000050", 1_000, 200),
        ("490000015", 1_000, 221),
        (BANK, 900_003, 410),
        (BANK, 900_006, 400),
        (BANK, 900_030, 440),
        (BANK, 900_094, 430),
    ];
    for (routing, amount, code) in codes {
        let made = pay(&client, "sale", amount, &ach("web", routing));
        assert_eq!(made["response_code"], json!(code), "{routing} {amount}: {made}");
    }
    for (fields, word) in [
        (json!({"routing_number": "011000016"}), "routing_number"),
        (json!({"sec_code": "tel"}), "check_number"),
        (json!({"sec_code": "arc"}), "sec_code"),
        (json!({"accountholder_authentication": {"dl_number": LICENCE}}), "dl_state"),
    ] {
        let body = tests::payment::with(payment("sale", 100, &ach("web", BANK)), &json!({"payment_method": {"ach": fields}}));
        let (status, said) = client.pay(&body).refusal();
        assert!(status == 400 && said.contains(word), "{said}");
    }
    let (status, said) = client.pay(&payment("authorize", 100, &ach("web", BANK))).refusal();
    assert_eq!(status, 400, "{said}");
    reconcile_accounts(&switch);
}

/// Journal and the ACH host's ledger agree. All payments of these tests are by bank account.
#[track_caller]
fn reconcile_accounts(switch: &Switch) {
    reconcile(&switch.journal(), control(switch), PATIENCE);
}

#[test]
fn each_class_is_settled_voided_paid_back_and_never_written_in_clear() {
    let mut switch = Switch::start(Options { log: Some("debug"), ..Options::default() });
    let client = switch.client();
    let with_check = |number: &str| {
        let mut account = ach("tel", BANK);
        account["check_number"] = json!(number);
        account
    };
    let savings = json!({"routing_number": BANK, "account_number": LONG_ACCOUNT, "sec_code": "web", "account_type": "savings",
        "accountholder_authentication": {"dl_state": "IL", "dl_number": LICENCE}});
    let sales = [
        pay(&client, "sale", 1_001, &ach("web", BANK)),
        pay(&client, "sale", 1_002, &ach("ccd", BANK)),
        pay(&client, "sale", 1_003, &ach("ppd", BANK)),
        pay(&client, "sale", 1_004, &with_check("1001")),
        pay(&client, "sale", 1_005, &savings),
        pay(&client, "credit", 106, &ach("ppd", BANK)),
    ];
    for sale in &sales {
        assert_eq!((text(sale, "status"), &sale["response_code"]), ("pending_settlement", &json!(100)), "{sale}");
    }
    let number = text(&sales[0]["response_body"]["ach"], "auth_code");
    assert!(number.starts_with("272-"), "{number}");
    let voided = pay(&client, "sale", 1_006, &ach("web", BANK));
    client.void(id(&voided)).data();
    let batches = settle(&switch);
    assert_eq!((batches.len(), &batches[0]["num_transactions"], &batches[0]["amount_captured"]), (1, &json!(6), &json!(5_015)));
    for sale in &sales {
        await_status(&client, sale, "settled");
    }
    assert_eq!(text(&client.get(id(&voided)), "status"), "voided");
    client.refund(id(&sales[0]), 400).data();
    client.refund(id(&sales[0]), 601).data();
    assert_eq!(text(&client.get(id(&sales[0])), "status"), "refunded");
    assert_eq!(client.refund(id(&sales[0]), 1).status, 400);
    let lost = pay(&client, "sale", 900_202, &savings);
    assert_eq!((text(&lost, "status"), &lost["response_code"]), ("unknown", &json!(421)));
    await_status(&client, &lost, "reversed");
    reconcile_accounts(&switch);
    switch.terminate();
    // The bank's own file is the one place where accounts must stand in clear; the number of a licence is nowhere.
    let bank_files = switch.data().join("nacha");
    let written = fs::read_dir(&bank_files)
        .expect("the settled batches' files")
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    assert!(written.fold(String::new(), |all, file| all + &file).contains(LONG_ACCOUNT));
    assert_nowhere(&bank_files, &[LICENCE]);
    fs::remove_dir_all(&bank_files).expect("it can be removed");
    assert_nowhere(&switch.data(), &[LONG_ACCOUNT, LICENCE]);
    let log = switch.log();
    assert!(!log.contains(LONG_ACCOUNT) && !log.contains(LICENCE) && !log.contains(keys::API), "the log holds a secret");
}

/// No file below a folder holds one of these texts.
#[track_caller]
fn assert_nowhere(folder: &Path, secrets: &[&str]) {
    for entry in fs::read_dir(folder).expect("a folder can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            assert_nowhere(&path, secrets);
            continue;
        }
        let bytes = fs::read(&path).expect("a file can be read");
        for secret in secrets {
            let secret = secret.as_bytes();
            let found = bytes.windows(secret.len()).any(|window| window[0] == secret[0] && window == secret);
            assert!(!found, "{} holds an account or licence in clear", path.display());
        }
    }
}

#[test]
fn a_kill_before_a_batch_is_answered_leaves_one_file_and_another_kill_the_same_bytes() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let sales = [pay(&client, "sale", 3_001, &ach("web", BANK)), pay(&client, "sale", 3_002, &ach("ppd", BANK))];
    control(&switch).faults(&json!({"drop_responses": 1}));
    let operator = switch.operator();
    // It is not answered before the kill; whether the request broke off or timed out says nothing.
    let asking = std::thread::spawn(move || {
        operator.try_call("POST", "/operator/processors/ach/settle", &[], b"").map(|answer| answer.status)
    });
    let closing = || {
        let shown = switch.operator().call("GET", "/operator/processors/ach", &[], b"").data();
        (shown["batches"]["closing"] == 1).then_some(())
    };
    until(PATIENCE, closing).expect("its batch is closing");
    switch.kill9();
    drop(asking.join());
    switch.start_again();
    let client = switch.client();
    for sale in &sales {
        await_status(&client, sale, "settled");
    }
    let folder = switch.data().join("nacha");
    let files = || -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
        entries.map(|path| (path.clone(), fs::read(&path).expect("a file"))).collect()
    };
    let once = until(PATIENCE, || Some(files()).filter(|files| files.len() == 1)).expect("one file for one batch");
    switch.kill9();
    switch.start_again();
    assert_eq!(switch.client().get(id(&sales[0]))["status"], "settled");
    assert_eq!(files(), once);
    reconcile_accounts(&switch);
}

#[test]
fn what_banks_send_back_reaches_its_payment_once_before_and_after_settlement_and_over_a_crash() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let kept = pay(&client, "sale", 2_001, &ach("web", BANK));
    let soon = pay(&client, "sale", 2_002, &ach("web", "000000001"));
    let by_amount = pay(&client, "sale", 910_129, &ach("ccd", BANK));
    let corrected = pay(&client, "sale", 910_301, &ach("ppd", BANK));
    let late = pay(&client, "sale", 2_003, &ach("ppd", "000000002"));
    let refunded = pay(&client, "sale", 910_210, &ach("web", BANK));
    advance(&client, 5);
    // Whoever moves the clock finds the day's returns brought in.
    let returned = client.get(id(&soon));
    assert_eq!(text(&returned, "status"), "returned", "{returned}");
    let shown = &returned["response_body"]["ach"];
    assert_eq!(shown["return_code"], json!("R01"), "{returned}");
    assert_eq!(returned["response_code"], json!(100), "what was answered stays");
    let other = client.get(id(&by_amount));
    assert_eq!(other["response_body"]["ach"]["return_code"], json!("R29"));
    let (status, said) = client.refund(id(&soon), 1).refusal();
    assert!(status == 400 && said.contains("returned"), "{said}");
    let batches = settle(&switch);
    assert_eq!(
        batches[0]["amount_captured"],
        json!(2_001 + 910_301 + 2_003 + 910_210),
        "what came back is not in it: {batches:?}"
    );
    await_status(&client, &kept, "settled");
    await_status(&client, &late, "settled");
    let notified = || {
        let shown = client.get(id(&corrected));
        (shown["response_body"]["ach"]["change_code"] == json!("C01")).then_some(shown)
    };
    let shown = until(PATIENCE, notified).unwrap_or_else(|| panic!("no change code: {}", client.get(id(&corrected))));
    assert_eq!(text(&shown, "status"), "settled");
    assert!(!shown.to_string().contains("1918171614"), "corrected data are sealed");
    switch.kill9();
    switch.start_again();
    let client = switch.client();
    advance(&client, 90_000);
    let shown = await_status(&client, &late, "returned");
    assert_eq!(shown["amount_settled"], json!(2_003), "the batch that it was settled in stands");
    await_status(&client, &refunded, "returned");
    assert_eq!(text(&client.get(id(&kept)), "status"), "settled");
    reconcile_accounts(&switch);
}

/// What a customer has of its account: bank, masked number and kind.
#[track_caller]
fn account_of(client: &Client, customer: &str) -> [String; 3] {
    let accounts = client.call("GET", &format!("/api/customer/{customer}/paymentmethod/ach"), &[], b"").json()["data"].take();
    ["routing_number", "masked_account_number", "account_type"].map(|field| text(&accounts[0], field).to_owned())
}

#[test]
fn a_notification_of_change_corrects_the_account_wherever_the_merchants_customers_have_it() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let other =
        switch.operator().call("POST", "/operator/merchants", &[], json!({"name": "other"}).to_string().as_bytes()).data();
    let other = switch.client_with(text(&other, "api_key"));
    let keep = |client: &Client| {
        let customer = json!({"description": "payer", "payment_method": {"ach": ach("ppd", "121000358")}});
        id(&client.call("POST", "/api/customer", &[], customer.to_string().as_bytes()).data()).to_owned()
    };
    let (payer, namesake, stranger) = (keep(&client), keep(&client), keep(&other));
    let pay_as_customer = |client: &Client, amount: u64| {
        let mut body = payment("sale", amount, &json!({}));
        body["payment_method"] = json!({"customer": {"id": payer, "payment_method_type": "ach"}});
        client.pay(&body).data()
    };
    // C07: bank, number and kind of the account.
    pay_as_customer(&client, 910_307);
    advance(&client, 5);
    let corrected = ["011000015", "19******14", "savings"].map(str::to_owned);
    for customer in [&payer, &namesake] {
        let reached = || (account_of(&client, customer) == corrected).then_some(());
        until(PATIENCE, reached).unwrap_or_else(|| panic!("not corrected: {:?}", account_of(&client, customer)));
    }
    assert_eq!(account_of(&other, &stranger)[1], "99**99", "another merchant was not told");
    switch.kill9();
    switch.start_again();
    let client = switch.client();
    let later = pay_as_customer(&client, 2_501);
    assert_eq!(text(&later["response_body"]["ach"], "masked_account_number"), "19******14", "{later}");
    settle(&switch);
    await_status(&client, &later, "settled");
    let files = fs::read_dir(switch.data().join("nacha")).expect("the batch's file");
    let entries: Vec<String> = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(entries[0].contains("6370110000151918171614"), "the next entry goes to the corrected account: {entries:?}");
    reconcile_accounts(&switch);
}
