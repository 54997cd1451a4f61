//! Every kind of message between the switch and a card host, by the page `docs/card-wire.md` alone.

use crate::{billing, hex, read};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tests::books::reconcile;
use tests::client::{id, rrn, text};
use tests::payment::{HALF, VISA, payment, with};
use tests::wire::Forwarder;
use tests::{HostProcess, Options, Switch, until};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/card-wire.md");
const PATIENCE: Duration = Duration::from_secs(30);
const MAC_KEY: &str = "00112233445566778899aabbccddeeff";

/// All that has passed so far, as the reader reads it.
#[track_caller]
fn messages(wire: &Forwarder, key: Option<&str>) -> Vec<Value> {
    let piece = |heard: &tests::wire::Heard| json!({"connection": heard.connection, "by_switch": heard.by_switch, "hex": hex(&heard.bytes)});
    let pieces: Vec<Value> = wire.heard().iter().map(piece).collect();
    let arguments: Vec<&str> = [Some(PAGE), key].into_iter().flatten().collect();
    let told = read("card_wire.py", &arguments, Value::from(pieces).to_string().as_bytes());
    told.as_array().expect("a list").clone()
}

/// Payments of every verb and means, what is taken back, and two batches, the first out of balance. Gives the sale that is refunded.
fn live(switch: &Switch, host: &HostProcess) -> Value {
    let (client, operator) = (switch.client(), switch.operator());
    let sale = client.pay(&with(payment("sale", 1_112, VISA), &json!({"billing_address": billing()}))).data();
    let held = client.authorize(5_000, VISA);
    client.capture(id(&held), 4_000).data();
    client.void(id(&client.authorize(5_001, VISA))).data();
    for (verb, amount) in [("verification", 0), ("credit", 777)] {
        assert_eq!(client.pay(&payment(verb, amount, VISA)).data()["response_code"], 100);
    }
    let proof = json!({"eci": "05", "cavv": "AAABBBCCCDDDEEEFFFGGGHHHIIIJ", "xid": "AAABBBCCCDDDEEEFFFGGGHHHIIII"});
    let proof = json!({"payment_method": {"card": {"cvc": "123", "cardholder_authentication": proof}}});
    assert_eq!(client.pay(&with(payment("sale", 1_300, VISA), &proof)).data()["response_code"], 100);
    let part = with(payment("sale", 1_400, HALF), &json!({"allow_partial_payment": true}));
    assert_eq!(client.pay(&part).data()["response_code"], 110);
    // Approved in part, which is not wanted: it is taken back.
    client.pay(&payment("sale", 1_402, HALF)).data();
    let tracks = json!({"entry_type": "swiped", "track_1": "%B4012000098765439^SMITH/JOHN^30121015432112345678?",
        "track_2": ";4012000098765439=30121015432112345678?"});
    assert_eq!(
        client.pay(&json!({"type": "sale", "amount": 1_500, "payment_method": {"card": tracks}})).data()["response_code"],
        100
    );
    host.control.faults(&json!({"drop_responses": 1.0}));
    let unknown = client.sale(1_600, VISA);
    assert_eq!(text(&unknown, "status"), "unknown");
    let is_repeated = || {
        let processor = operator.call("GET", "/operator/processors/card", &[], b"").data();
        (processor["reversals"]["sent"].as_u64() > Some(2)).then_some(())
    };
    until(PATIENCE, is_repeated).expect("its reversal is repeated");
    host.control.heal();
    let is_reversed = || (text(&client.get(id(&unknown)), "status") == "reversed").then_some(());
    until(PATIENCE, is_reversed).expect("its reversal is acknowledged");
    host.control.faults(&json!({"drift_totals": 1}));
    let batches = operator.settle();
    assert_eq!(text(&batches[0], "state"), "complete", "{batches:?}");
    host.control.heal();
    client.refund(id(&sale), 500).data();
    operator.settle();
    sale
}

#[test]
fn every_message_is_as_the_page_says_with_and_without_authentication_codes() {
    let sealed: (&[&str], _) = (&["--mac-key-hex", MAC_KEY], "mac_key_hex = \"00112233445566778899aabbccddeeff\"");
    for (key, (flags, processor)) in [(None, (&[][..], "")), (Some(MAC_KEY), sealed)] {
        let host = HostProcess::start_with(flags);
        let wire = Forwarder::tapped(host.addr);
        let switch = Switch::start(Options { processor, ..Options::with_host(wire.addr) });
        let sale = live(&switch, &host);
        let operator = switch.operator();
        operator.call("POST", "/operator/processors/card/cut-over", &[], b"").data();
        let echoed = || {
            let codes: BTreeSet<String> =
                messages(&wire, key).iter().filter_map(|one| Some(one["70"].as_str()?.to_owned())).collect();
            (codes.contains("201") && codes.contains("301")).then_some(())
        };
        until(PATIENCE, echoed).expect("a quiet link is told of the cut-over and echoes");
        reconcile(&switch.journal(), host.control, PATIENCE);
        let told = messages(&wire, key);
        let types: BTreeSet<&str> = told.iter().map(|message| text(message, "type")).collect();
        let every = "0100 0110 0200 0210 0220 0230 0320 0330 0400 0410 0420 0421 0430 0500 0510 0800 0810";
        assert_eq!(types.into_iter().collect::<Vec<_>>().join(" "), every);
        assert_says_what_was_done(&told, &sale);
    }
}

/// A sale and its refund, swiped and proved cards, and the totals, as the reader has them.
fn assert_says_what_was_done(told: &[Value], sale: &Value) {
    let find = |kind: &str, field: &str, value: &str| {
        let found = told.iter().find(|one| one["type"] == kind && one[field] == value);
        found.unwrap_or_else(|| panic!("no {kind} with DE{field} = {value}"))
    };
    let asked = find("0200", "37", rrn(sale));
    assert_eq!(
        (&asked["2"], &asked["4"], &asked["22"], &asked["25"]),
        (&json!(VISA), &json!("000000001112"), &json!("012"), &json!("59"))
    );
    assert_eq!((&asked["48"]["AD"], &asked["48"]["ZP"]), (&json!("123 Some St"), &json!("60187")));
    let approved = find("0210", "37", rrn(sale));
    assert_eq!((&approved["39"], &approved["4"]), (&json!("00"), &json!("000000001112")));
    assert_eq!(approved["38"], sale["response_body"]["card"]["auth_code"]);
    let refund = told.iter().find(|one| one["48"]["OR"] == rrn(sale)).expect("the refund names its sale");
    assert_eq!((&refund["3"], &refund["4"]), (&json!("200000"), &json!("000000000500")));
    assert_eq!(find("0200", "4", "000000001300")["48"]["EC"], "05");
    assert_eq!(find("0200", "4", "000000001400")["48"]["PA"], "1");
    assert_eq!(find("0210", "39", "10")["4"], "000000000700", "the part that was approved");
    let swiped = find("0200", "22", "022");
    assert_eq!(
        (&swiped["35"], &swiped["45"]),
        (&json!("4012000098765439=30121015432112345678"), &json!("B4012000098765439^SMITH/JOHN^30121015432112345678"),)
    );
    assert_eq!(find("0420", "4", "000000001600")["39"], "68");
    let totals = find("0500", "3", "960000");
    let (count, sum) = (totals["76"].as_str(), totals["88"].as_str());
    assert_eq!((count, sum), (Some("0000000005"), Some("0000000000008612")), "the sales that stand");
    assert_eq!((&totals["74"], &totals["97"]), (&json!("0000000001"), &json!("D0000000000007835")));
    let uploaded = told.iter().filter(|one| one["type"] == "0320").count();
    assert_eq!(uploaded, 6, "each member once");
}
