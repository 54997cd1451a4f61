//! The files for the bank, by the Nacha rules' tables of fields.

use crate::{billing, read};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;
use tests::client::{Client, id, text};
use tests::{Switch, eventually};

const PATIENCE: Duration = Duration::from_secs(30);

#[track_caller]
fn pay(client: &Client, verb: &str, amount: u64, (class, kind): (&str, &str)) -> Value {
    let account = json!({"routing_number": "121000358", "account_number": "24413815", "sec_code": class, "account_type": kind,
        "check_number": "1001"});
    let payment = json!({"type": verb, "amount": amount, "payment_method": {"ach": account}, "billing_address": billing()});
    let made = client.pay(&payment).data();
    assert_eq!(made["response_code"], 100, "{made}");
    made
}

/// The files of a switch as the reader has them, in the order of their names.
#[track_caller]
fn files(switch: &Switch) -> Vec<Value> {
    let folder = fs::read_dir(switch.data().join("nacha")).expect("a folder of files");
    let mut paths: Vec<_> = folder.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| read("bank_file.py", &[], &fs::read(path).expect("a file can be read"))).collect()
}

#[test]
fn a_file_of_every_class_is_read_by_the_rules_and_says_what_was_settled() {
    let switch = Switch::sandboxed();
    let (client, operator) = (switch.client(), switch.operator());
    let settle = || operator.call("POST", "/operator/processors/ach/settle", &[], b"").data();
    let web = pay(&client, "sale", 1_001, ("web", "checking"));
    pay(&client, "sale", 1_002, ("tel", "savings"));
    pay(&client, "sale", 1_003, ("ppd", "checking"));
    pay(&client, "credit", 104, ("ppd", "savings"));
    pay(&client, "credit", 105, ("web", "checking"));
    // The most that an entry can hold, and one cent more.
    pay(&client, "sale", 9_999_999_999, ("ccd", "checking"));
    let too_much = json!({"type": "sale", "amount": 10_000_000_000_u64, "payment_method": {"ach": {"routing_number": "121000358",
        "account_number": "24413815", "sec_code": "ccd", "account_type": "checking"}}, "billing_address": billing()});
    let (status, said) = client.pay(&too_much).refusal();
    assert!(status == 400 && said.contains("9999999999"), "{said}");
    let batch = settle()[0].take();
    let file = files(&switch).remove(0);
    let entries: Vec<&Value> =
        file["batches"].as_array().into_iter().flatten().flat_map(|one| one["entries"].as_array()).flatten().collect();
    let sum = |codes: [&str; 2]| -> u64 {
        entries.iter().filter(|entry| codes.contains(&text(entry, "code"))).filter_map(|entry| entry["amount"].as_u64()).sum()
    };
    assert_eq!(
        (entries.len() as u64, sum(["27", "37"]), sum(["22", "32"])),
        (
            batch["num_transactions"].as_u64().expect("a number"),
            batch["amount_captured"].as_u64().expect("an amount"),
            batch["amount_credit"].as_u64().expect("an amount"),
        )
    );
    let first = entries.iter().find(|entry| entry["amount"] == 1_001).expect("the first sale");
    assert_eq!((&first["id"], text(first, "name")), (&web["response_body"]["ach"]["processor_specific"]["rrn"], "Jurgen Muller"));
    let company = entries.iter().find(|entry| entry["amount"] == 9_999_999_999_u64).expect("the company's");
    assert_eq!(text(company, "name"), "Wholesale Goods");
    let classes: Vec<&str> = file["batches"].as_array().into_iter().flatten().map(|one| text(one, "sec")).collect();
    assert_eq!(classes, ["WEB", "TEL", "PPD", "CCD"]);

    eventually(PATIENCE, || {
        let shown = client.get(id(&web));
        if text(&shown, "status") == "settled" { Ok(()) } else { Err(shown.to_string()) }
    });
    client.refund(id(&web), 400).data();
    settle();
    let refund = files(&switch).remove(1);
    assert_ne!(refund["modifier"], file["modifier"], "two files of a day are told apart");
    let entry = &refund["batches"][0]["entries"][0];
    assert_eq!((text(&refund["batches"][0], "sec"), text(entry, "code"), &entry["amount"]), ("PPD", "22", &json!(400)));
}
