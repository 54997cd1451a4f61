//! Answers' bytes: the document's samples, replays, declines, and what must never be in them.

use super::*;
use crate::rest::request::Create;
use crate::switch::directory::{Compat, Processor, ProcessorKind, ProcessorTable};
use protocol::calendar::Micros;
use protocol::exchange::Exchange;
use protocol::id::Xid;
use protocol::response_code::ResponseCode;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{Brand, EntryType, ExchangeState, PaymentMethod, Source, Status, Verb};
use serde_json::Value;

const SALE: &str = include_str!("../testdata/sale.json");
const PAN: &str = "4012000098765439";
const LIVE: Compat = Compat { live: true, arrays: false };
const DOCUMENT: Compat = Compat { live: false, arrays: false };

fn processors() -> ProcessorTable {
    let id = "b7kgflt1tlv51er0f1sg".parse().unwrap();
    ProcessorTable::new(vec![Processor { index: 1, id, name: "card".into(), kind: ProcessorKind::TsysSierra }])
}

/// 2017-10-19T20:15:19.560708Z, as in the document.
const CREATED: Micros = Micros(1_508_444_119_560_708);

/// The document's sample sale, answered as the document shows, with its tail.
fn sale() -> (Transaction, Vec<u8>) {
    let create = Create::parse(SALE.as_bytes()).unwrap();
    let mut patch = Vec::new();
    tail::push(&mut patch, tag::SEALED_CARD, b"sealed");
    tail::push(&mut patch, tag::USER_ID, b"aucio551tlv85l7moe60");
    tail::push(&mut patch, tag::USER_NAME, b"till");
    let mut tail = Vec::new();
    tail::merge(Tail::trusted(&create.tail), Tail::trusted(&patch), &mut tail);
    let mut sale = Transaction::empty();
    sale.verb = Verb::Sale.number();
    sale.status = Status::PendingSettlement.number();
    sale.id = "b7kgflt1tlv51er0fts0".parse().unwrap();
    (sale.amount, sale.amount_authorized, sale.amount_captured) = (1112.into(), 1112.into(), 1112.into());
    sale.currency = 840.into();
    sale.source = Source::Api.number();
    sale.payment_method = PaymentMethod::Card.number();
    sale.entry_type = EntryType::Keyed.number();
    sale.brand = Brand::Visa.number();
    sale.processor = 1.into();
    (sale.first_six, sale.last_four, sale.pan_digits) = (401_200.into(), 5439.into(), 16);
    sale.expiry = 2012.into();
    sale.rrn = *b"000000000042";
    (sale.created_at, sale.updated_at) = (CREATED.0.into(), (CREATED.0 + 1_271_341).into());
    sale.captured_at = sale.updated_at;
    sale.response_code = ResponseCode::APPROVED.0.into();
    sale.original = Exchange::in_flight(Verb::Sale, 7, 1112, CREATED, CREATED.plus_s(2));
    sale.original.state = ExchangeState::Approved.number();
    sale.original.response_code = ResponseCode::APPROVED.0.into();
    (sale.original.processor_code, sale.original.auth_code) = (*b"00", *b"TAS731");
    (sale.original.text, sale.original.avs, sale.original.cvv) = (*b"APPROVAL TAS731 ", b'0', b'M');
    (sale, tail)
}

fn rendered(transaction: &Transaction, tail: &[u8], verb: Verb, compat: Compat, represent: bool) -> Vec<u8> {
    let processors = processors();
    Shown::answer(transaction, Tail::trusted(tail), verb, compat, &processors).body(represent)
}

fn data(transaction: &Transaction, tail: &[u8], verb: Verb) -> Value {
    let body = rendered(transaction, tail, verb, DOCUMENT, true);
    let mut read: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((read["status"].as_str(), read["msg"].as_str()), (Some("success"), Some("success")));
    read["data"].take()
}

#[test]
fn the_documents_sale_is_answered_byte_for_byte() {
    let (sale, tail) = sale();
    let golden = include_str!("../testdata/sale_answer.json");
    assert_eq!(String::from_utf8(rendered(&sale, &tail, Verb::Sale, DOCUMENT, false)).unwrap(), golden.trim_end());
}

/// Every value of the document's sample is answered with the same value, but for what is ours to choose.
#[test]
fn the_documents_sample_values_are_the_answers() {
    let (sale, tail) = sale();
    let ours = data(&sale, &tail, Verb::Sale);
    let sample: Value = serde_json::from_str(include_str!("../testdata/sample_card.json")).unwrap();
    for (name, expected) in sample["data"].as_object().unwrap() {
        // `response` is the string of the other samples; the card is under `response_body`. No vault is at work here.
        if !["response", "customer_id", "updated_at"].contains(&name.as_str()) {
            assert_eq!(&ours[name], expected, "{name}");
        }
    }
    for (name, expected) in sample["data"]["response"]["card"].as_object().unwrap() {
        if !["id", "created_at", "updated_at", "processor_specific"].contains(&name.as_str()) {
            assert_eq!(&ours["response_body"]["card"][name], expected, "{name}");
        }
    }
    assert_eq!(ours["response_body"]["card"]["processor_specific"]["rrn"], "000000000042");
}

/// The document's ACH sale, declined for its amount, as the shard leaves it.
fn ach_sale() -> (Transaction, Vec<u8>) {
    let (mut sale, _) = sale();
    let body = r#"{"type":"sale","amount":10112,"tax_amount":100,"shipping_amount":100,"description":"test transaction",
        "order_id":"someOrderID","po_number":"somePONumber","ip_address":"4.2.2.2","email_address":"user@home.com",
        "payment_method":{"ach":{"routing_number":"490000018","account_number":"999999","sec_code":"ccd",
        "account_type":"checking"}},"billing_address":{"first_name":"John"}}"#;
    let create = Create::parse(body.as_bytes()).unwrap();
    let mut facts = protocol::facts::Facts::new();
    facts.text(tag::PROCESSOR_TEXT, "DECLINE CHECK   CHECK LIMIT EXCEEDED");
    facts.list(tag::RESULT_CODES, ["Decline Message", "Transaction Limit Exceeded"]);
    facts.list(tag::TYPE_CODES, ["Unknown Presentment"]);
    let mut tail = Vec::new();
    tail::merge(Tail::trusted(&create.tail), Tail::trusted(&facts.finish()), &mut tail);
    sale.payment_method = PaymentMethod::Ach.number();
    sale.status = Status::Declined.number();
    sale.amount = 10112.into();
    (sale.amount_authorized, sale.amount_captured) = (0.into(), 0.into());
    sale.captured_at = Micros::NONE.0.into();
    (sale.first_six, sale.last_four, sale.pan_digits, sale.expiry) = (0.into(), 0.into(), 0, 0.into());
    sale.response_code = ResponseCode::DECLINE.0.into();
    sale.original.state = ExchangeState::Declined.number();
    sale.original.response_code = ResponseCode::DECLINE.0.into();
    (sale.original.processor_code, sale.original.auth_code) = (*b"D ", *b"      ");
    sale.original.text = *b"DECLINE CHECK   ";
    (sale, tail)
}

/// The document's sale at a terminal, as the shard leaves it.
fn terminal_sale(specific: &serde_json::Map<String, Value>, signature: &str) -> (Transaction, Vec<u8>) {
    let (mut sale, _) = sale();
    let mut facts = protocol::facts::Facts::new();
    for (tag, text) in [
        (tag::PROCESSOR_TEXT, "APPROVAL VTLMC1"),
        (tag::ENTRY_TYPE_TEXT, "swiped"),
        (tag::PAYMENT_TYPE, "credit"),
        (tag::CARD_TYPE, "mastercard"),
        (tag::FIRST_FOUR, "5424"),
        (tag::LAST_FOUR, "3333"),
        (tag::CARDHOLDER_NAME, "FDCS TEST CARD /MASTERCARD"),
        (tag::SIGNATURE_DATA, signature),
        (tag::TERMINAL_ID, "b9efr9qj8m0ge2h7tat0"),
    ] {
        facts.text(tag, text);
    }
    facts.pairs(tag::PROCESSOR_FIELDS, specific.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
    sale.payment_method = PaymentMethod::Terminal.number();
    (sale.original.auth_code, sale.original.text) = (*b"      ", *b"APPROVAL VTLMC1 ");
    (sale, facts.finish())
}

/// Every value of the document's samples is answered with the same value, but for what is ours to choose.
#[test]
fn the_documents_account_is_answered_with_the_samples_values() {
    let (sale, tail) = ach_sale();
    let ours = data(&sale, &tail, Verb::Sale);
    let sample: Value = serde_json::from_str(include_str!("../testdata/sample_ach.json")).unwrap();
    let (ours_ach, theirs) = (&ours["response_body"]["ach"], &sample["data"]["response_body"]["ach"]);
    for (name, expected) in theirs.as_object().unwrap() {
        if !["id", "created_at", "updated_at", "processor_type", "processor_id", "processor_specific"].contains(&name.as_str()) {
            assert_eq!(&ours_ach[name], expected, "{name}");
        }
    }
    for (name, expected) in theirs["processor_specific"].as_object().unwrap() {
        assert_eq!(&ours_ach["processor_specific"][name], expected, "{name}");
    }
    for name in
        ["amount", "amount_captured", "payment_method", "payment_type", "status", "response", "response_code", "captured_at"]
    {
        assert_eq!(ours[name], sample["data"][name], "{name}");
    }
    assert!(ours_ach["returned_at"].is_null() && ours["response_body"].get("card").is_none());
}

#[test]
fn the_documents_terminal_is_answered_with_the_samples_values() {
    let sample: Value = serde_json::from_str(include_str!("../testdata/sample_terminal.json")).unwrap();
    let theirs = &sample["data"]["response_body"]["terminal"];
    let specific = theirs["processor_specific"].as_object().unwrap();
    let (sale, tail) = terminal_sale(specific, theirs["signature_data"].as_str().unwrap());
    let ours = data(&sale, &tail, Verb::Sale);
    let terminal = &ours["response_body"]["terminal"];
    for (name, expected) in theirs.as_object().unwrap() {
        if !["id", "created_at", "updated_at", "processor_specific"].contains(&name.as_str()) {
            assert_eq!(&terminal[name], expected, "{name}");
        }
    }
    for (name, expected) in specific {
        assert_eq!(&terminal["processor_specific"][name], expected, "{name}");
    }
    assert_eq!(terminal["processor_specific"]["rrn"], "000000000042");
    assert_eq!(terminal["terminal_id"], "b9efr9qj8m0ge2h7tat0");
}

#[test]
fn a_vault_record_that_a_payment_made_is_known_by_the_payments_id() {
    let (mut sale, tail) = sale();
    assert_eq!(data(&sale, &tail, Verb::Sale)["customer_id"], data(&sale, &tail, Verb::Sale)["id"]);
    sale.response_code = ResponseCode::DO_NOT_HONOR.0.into();
    assert_eq!(data(&sale, &tail, Verb::Sale)["customer_id"], "");
    sale.response_code = ResponseCode::APPROVED.0.into();
    sale.verb = Verb::Refund.number();
    assert_eq!(data(&sale, &tail, Verb::Refund)["customer_id"], "");
}

fn same_kind(ours: &Value, theirs: &Value) -> bool {
    use Value::{Bool, Null, Number, Object, String};
    matches!(
        (ours, theirs),
        (Null, _) | (_, Null) | (Bool(_), Bool(_)) | (Number(_), Number(_)) | (String(_), String(_)) | (Object(_), Object(_))
    )
}

#[test]
fn every_field_of_every_sample_is_there_with_its_type() {
    let (sale, tail) = sale();
    let ours = data(&sale, &tail, Verb::Sale);
    for sample in [
        include_str!("../testdata/sample_card.json"),
        include_str!("../testdata/sample_terminal.json"),
        include_str!("../testdata/sample_ach.json"),
        include_str!("../testdata/sample_get.json"),
        include_str!("../testdata/sample_search.json"),
    ] {
        let sample: Value = serde_json::from_str(sample).unwrap();
        let theirs = if sample["data"].is_array() { &sample["data"][0] } else { &sample["data"] };
        for (name, value) in theirs.as_object().unwrap() {
            let found = ours.get(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert!(same_kind(found, value) || name == "response", "{name}: {found} is not like {value}");
            if let Some(fields) = value.as_object().filter(|_| name.ends_with("_address")) {
                assert!(fields.keys().all(|field| found[field].is_string()), "{name}");
            }
        }
    }
    assert_eq!(ours["response"], "approved");
}

#[test]
fn a_list_counts_twice() {
    let (sale, tail) = sale();
    let processors = processors();
    let body = list(std::iter::once(Shown::present(&sale, Tail::trusted(&tail), DOCUMENT, &processors)), 1);
    let read: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&read["total_count"], &read["count"]), (&1.into(), &1.into()));
    assert_eq!(read["data"][0]["id"], "b7kgflt1tlv51er0fts0");
    assert_eq!(read["data"].as_array().unwrap().len(), 1);
}

#[test]
fn equal_versions_give_equal_bytes() {
    for verb in [Verb::Sale, Verb::Capture, Verb::Void] {
        let ((one, one_tail), (other, other_tail)) = (sale(), sale());
        assert_eq!(rendered(&one, &one_tail, verb, LIVE, false), rendered(&other, &other_tail, verb, LIVE, false));
    }
}

#[test]
fn no_card_number_and_no_sealed_card_is_in_an_answer() {
    let (sale, tail) = sale();
    let body = String::from_utf8(rendered(&sale, &tail, Verb::Sale, LIVE, true)).unwrap();
    assert!(!body.contains(PAN) && !body.contains("999") && !body.contains("sealed"), "{body}");
}

#[test]
fn a_payment_in_flight_shows_no_code_yet() {
    let (mut sale, tail) = sale();
    sale.status = Status::Pending.number();
    let data = data(&sale, &tail, Verb::Sale);
    assert_eq!((&data["status"], &data["response_code"]), (&"pending".into(), &0.into()));
}

#[test]
fn a_decline_of_the_gateways_own_says_so_and_names_the_first() {
    let (mut sale, tail) = sale();
    sale.status = Status::Declined.number();
    sale.original = Exchange::none();
    sale.processor = 0.into();
    sale.rrn = [0; 12];
    sale.response_code = ResponseCode::DUPLICATE_TRANSACTION.0.into();
    sale.duplicate_of = Xid::from_parts(1, [1; 5], 4);
    let data = data(&sale, &tail, Verb::Sale);
    assert_eq!(data["response"], "declined");
    assert_eq!(data["duplicate_of"], sale.duplicate_of.to_string());
    let card = &data["response_body"]["card"];
    assert_eq!((&card["status"], &card["response_code"]), (&"declined".into(), &301.into()));
    assert_eq!(card["processor_response_text"], "Duplicate transaction");
    assert_eq!((&data["processor_id"], &card["processor_specific"]), (&"".into(), &serde_json::json!({})));
    assert_eq!(card["created_at"], data["created_at"]);
}

/// The sale with a step of this verb that came to this.
fn stepped(verb: Verb, state: ExchangeState, code: ResponseCode) -> (Transaction, Vec<u8>) {
    let (mut transaction, tail) = sale();
    transaction.step = Exchange::in_flight(verb, 8, 500, CREATED, CREATED.plus_s(2));
    transaction.step.state = state.number();
    transaction.step.response_code = code.0.into();
    transaction.step.text = *b"DECLINE         ";
    (transaction, tail)
}

#[test]
fn an_approved_step_is_null_unless_the_transaction_is_wanted() {
    let (transaction, tail) = stepped(Verb::Void, ExchangeState::Approved, ResponseCode::APPROVED);
    let body = |compat, represent| rendered(&transaction, &tail, Verb::Void, compat, represent);
    assert_eq!(body(DOCUMENT, false), br#"{"status":"success","msg":"success","data":null}"#);
    let kind = |body: Vec<u8>| serde_json::from_slice::<Value>(&body).unwrap()["data"]["type"].clone();
    assert_eq!(kind(body(DOCUMENT, true)), "sale");
    assert_eq!(kind(body(LIVE, false)), "void");
    let arrays = Compat { live: false, arrays: true };
    assert_eq!(body(arrays, false), SUCCESS_NULL.as_bytes());
}

#[test]
fn a_step_that_was_not_approved_shows_the_transaction_and_why() {
    for (state, code, response) in [
        (ExchangeState::Declined, ResponseCode::DO_NOT_HONOR, "declined"),
        (ExchangeState::Unknown, ResponseCode::COMMUNICATION_ERROR, "error"),
        (ExchangeState::NotSent, ResponseCode::COMMUNICATION_ERROR, "error"),
    ] {
        let (transaction, tail) = stepped(Verb::Capture, state, code);
        let body = rendered(&transaction, &tail, Verb::Capture, DOCUMENT, false);
        let read: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(read["data"]["response"], response, "{state:?}");
        assert_eq!(read["data"]["response_code"], code.0, "{state:?}");
        assert_eq!(read["data"]["response_body"]["card"]["processor_response_text"], "DECLINE         ");
    }
}

#[test]
fn a_refund_is_a_transaction_that_names_its_parent() {
    let (mut refund, tail) = sale();
    refund.verb = Verb::Refund.number();
    refund.parent = Xid::from_parts(1, [1; 5], 4);
    assert_eq!(rendered(&refund, &tail, Verb::Refund, DOCUMENT, false), SUCCESS_NULL.as_bytes());
    assert_eq!(data(&refund, &tail, Verb::Refund)["referenced_transaction_id"], refund.parent.to_string());
    refund.response_code = ResponseCode::DO_NOT_HONOR.0.into();
    let declined: Value = serde_json::from_slice(&rendered(&refund, &tail, Verb::Refund, DOCUMENT, false)).unwrap();
    assert_eq!((&declined["data"]["type"], &declined["data"]["response_code"]), (&"refund".into(), &201.into()));
}

#[test]
fn fields_in_use_come_back_as_sent() {
    let mut body: Value = serde_json::from_str(SALE).unwrap();
    let sent = serde_json::json!({
        "base_amount": 1000, "surcharge": 12, "tip_amount": 100, "discount_amount": 3, "tax_exempt": true,
        "line_items": [{"name": "a \"b\"", "price": 1.50}], "descriptor": "SHOP*1", "custom_fields": {"a": ["b"]},
        "vendor_id": "v", "group_name": "g", "card_on_file_indicator": "C", "initiated_by": "customer",
        "initial_transaction_id": "b7kgflt1tlv51er0fts0",
    });
    for (name, value) in sent.as_object().unwrap() {
        body[name] = value.clone();
    }
    let create = Create::parse(&serde_json::to_vec(&body).unwrap()).unwrap();
    let data = data(&sale().0, &create.tail, Verb::Sale);
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(&data[name], value, "{name}");
    }
}

#[test]
fn batches_show_the_documents_fields() {
    let mut batch = protocol::batch::Batch::empty();
    (batch.id, batch.merchant) = (Xid::from_parts(1, [1; 5], 4), Xid::from_parts(1, [1; 5], 8));
    (batch.number, batch.processor, batch.currency) = (1.into(), 1.into(), 840.into());
    (batch.capture_count, batch.credit_count) = (2.into(), 1.into());
    (batch.captured, batch.credited) = (10_000.into(), 12_500.into());
    (batch.response_code, batch.text) = (100.into(), *b"GB000001 ACCEPT ");
    batch.closed_at = CREATED.0.into();
    let read: Value = serde_json::from_slice(&batches(&[batch, batch], &processors())).unwrap();
    assert_eq!((&read["total_count"], &read["count"]), (&2.into(), &2.into()));
    let first = &read["data"][0];
    let expected = serde_json::json!({
        "merchant_id": batch.merchant.to_string(), "processor_name": "card", "processor_type": "tsys_sierra", "batch_number": 1,
        "num_transactions": 3, "amount_captured": 10_000, "amount_credit": 12_500, "net_deposit": -2_500, "response_code": 100,
        "response_message": "GB000001 ACCEPT ", "batch_date": "2017-10-19T20:15:19.560708Z", "answered_at": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&first[name], value, "{name}");
    }
    let none: Value = serde_json::from_slice(&batches(&[], &processors())).unwrap();
    assert_eq!(none["data"], serde_json::json!([]));
}

#[test]
fn every_response_code_has_a_trigger_or_a_reason() {
    let read: Value = serde_json::from_slice(&response_codes()).unwrap();
    let rows = read["data"].as_array().unwrap();
    assert_eq!(rows.len(), protocol::response_code::TABLE.len());
    for row in rows {
        let reachable = row["sandbox_trigger"].is_object();
        assert!(reachable || !row["note"].as_str().unwrap().is_empty(), "{row}");
        assert!(row["text"].is_string() && row["category"].is_string() && row["retryable"].is_boolean());
    }
}
