//! Payments, steps and what the host says of them.

use protocol::response_code::ResponseCode;
use sandbox::spin::triggers::{TABLE, Then, When};
use sandbox::triggers::Mishap;

use crate::client::{Request, said};
use crate::host::{Host, NoAnswer, http};

fn decimal(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

#[test]
fn a_sale_is_answered_with_every_field_of_the_sample() {
    let host = Host::start();
    let answer = host.ask(&Request::sale("RRN000000001", "5.00").with("SigCapture", "Yes"));
    assert!(answer.0.starts_with("<xmp><response><RefId>RRN000000001</RefId><RegisterId>R1</RegisterId>"), "{}", answer.0);
    assert_eq!(answer.get("RespMSG"), "APPROVAL%20TAS000");
    let fields = ["TransNum", "ResultCode", "Message", "AuthCode", "PaymentType", "Voided", "TransType", "SN"];
    let expected = ["0", "0", "Approved", "TAS000", "Credit", "false", "Sale", "000000000001"];
    assert_eq!(fields.map(|name| answer.get(name)), expected);
    for (name, value) in [
        ("Amount", "5.00"),
        ("InvNum", "order%207%2c%20A%26B"),
        ("CardType", "MASTERCARD"),
        ("BatchNum", "1"),
        ("Tip", "0.00"),
        ("TotalAmt", "5.00"),
        ("AcntFirst4", "5424"),
        ("AcntLast4", "3333"),
        ("Name", "FDCS%20TEST%20CARD%20%2fMASTERCARD"),
        ("EntryType", "Swipe"),
        ("Language", "English"),
        ("table_num", "0"),
        ("clerk_id", ""),
        ("EBTCashBeginBalance", ""),
    ] {
        assert_eq!(answer.ext(name), value, "{name}");
    }
    assert!(answer.get("Sign").starts_with("Qk1"), "a BMP in base64");
    let chip = host.ask(&Request::sale("RRN000000002", "5.01"));
    assert_eq!((chip.ext("EntryType"), chip.get("Sign")), ("CHIP%20Contactless", ""));
    assert_eq!(chip.get("EMVData"), "AID=A0000000031010,AppName=VISA%20CREDIT,TVR=8000008000,TSI=6800");
}

#[test]
fn a_request_comes_as_a_form_in_a_query_or_as_it_is() {
    let host = Host::start();
    let addr = host.running.terminal.addr;
    let encoded: String = Request::sale("RRN000000001", "5.00").xml().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let form = format!("a=b&TerminalTransaction={encoded}&c=d");
    let posted = http(addr, "POST", "/spin/cgi.html", &form, 5_000).unwrap();
    assert_eq!(http(addr, "GET", &format!("/spin/cgi.html?{form}"), "", 5_000).unwrap(), posted, "the same request once more");
    assert_eq!(host.ask(&Request::sale("RRN000000001", "5.00")).0, posted.1);
    assert_eq!((host.ledger().len(), host.stat("duplicates")), (1, 2));
    assert_eq!(http(addr, "GET", "/other", "", 5_000).unwrap().0, 404);
    for (body, named) in [
        ("", "no TerminalTransaction"),
        ("<request>", "no TerminalTransaction"),
        ("<!DOCTYPE a><request/>", "no TerminalTransaction"),
        ("TerminalTransaction=%3", "no TerminalTransaction"),
        (&Request::sale("RRN", "5.00").without("RegisterId").xml(), "RegisterId"),
        (&Request::sale("RRN-1", "5.00").xml(), "RefId"),
        (&Request::sale("RRN1", "5.001").xml(), "Amount"),
        (&Request::sale("RRN1", "5").with("CurrencyCode", "999").xml(), "CurrencyCode"),
        (&Request::of("Dance", "RRN1").xml(), "TransType"),
    ] {
        let (status, text) = http(addr, "POST", "/spin/cgi.html", body, 5_000).unwrap();
        assert!(status == 400 && text.contains(named), "{body}: {text}");
    }
    assert_eq!(host.ledger().len(), 1);
}

#[test]
fn a_stranger_s_key_or_terminal_is_refused() {
    let host = Host::start();
    let sale = Request::sale("RRN000000001", "5.00");
    assert_eq!(host.ask(&sale.clone().with("AuthKey", "other")).said(), said("2", "INVALID AUTH KEY"));
    assert_eq!(host.ask(&sale.at("000000000005")).said(), said("2", "INVALID TERMINAL"));
    assert_eq!(host.ledger(), []);
}

#[test]
fn every_row_of_the_table_does_what_it_says() {
    let host = Host::start();
    for (number, row) in TABLE.iter().enumerate() {
        let reference = format!("RRN{number:09}");
        let sale = match row.when {
            When::Terminal(digit) => Request::sale(&reference, "10.00").at(&format!("{digit:012}")),
            When::Amount(minor) => Request::sale(&reference, &decimal(minor)),
            When::Anything => Request::sale(&reference, "10.00"),
        };
        let patience_ms = if matches!(row.then, Then::ApproveAfter(_) | Then::NobodyComes) { 5_000 } else { 60 };
        let answer = host.try_ask(&sale, patience_ms);
        let status = host.ask(&Request::of("Status", &reference)).said();
        let case = format!("{:?}", row.when);
        match row.then {
            Then::Decline(word) => assert_eq!(answer.unwrap().text(), word.text, "{case}"),
            Then::Approve | Then::ApproveAfter(_) => assert_eq!(answer.unwrap().said(), said("0", "APPROVAL"), "{case}"),
            Then::ApproveHalf => {
                let answer = answer.unwrap();
                assert_eq!((answer.text().as_str(), answer.ext("TotalAmt")), ("PARTIAL APPROVAL", "4500.05"), "{case}");
            }
            Then::ApproveWithTip => {
                let answer = answer.unwrap();
                assert_eq!(["Amount", "Tip", "TotalAmt"].map(|name| answer.ext(name)), ["10.00", "2.00", "12.00"], "{case}");
            }
            Then::NobodyComes => assert_eq!(answer.unwrap().said(), said("1", "TERMINAL TIMEOUT"), "{case}"),
            Then::Lost => assert_eq!((answer, status), (Err(NoAnswer::Silence), said("1", "NOT FOUND")), "{case}"),
            Then::Spoil(mishap) => {
                assert_eq!(status, said("0", "APPROVAL"), "{case}: done, whatever became of the answer");
                match mishap {
                    Mishap::AnswerLost | Mishap::Late => assert_eq!(answer, Err(NoAnswer::Silence), "{case}"),
                    Mishap::Cut => assert_eq!(answer, Err(NoAnswer::Closed), "{case}"),
                    Mishap::Garbage => assert!(!answer.unwrap().0.contains("</xmp>"), "{case}"),
                    Mishap::Oversized => assert!(answer.unwrap().0.len() > 64 * 1024, "{case}"),
                }
            }
        }
    }
}

#[test]
fn the_table_names_codes_that_the_gateway_has() {
    for row in TABLE {
        assert!(row.code.row().is_some(), "{:?}", row.when);
        let declines = matches!(row.then, Then::Decline(_));
        assert!(!declines || row.code.category() != ResponseCode::APPROVED.category(), "{:?}", row.when);
    }
}

#[test]
fn an_authorization_is_captured_once_and_within_its_amount() {
    let host = Host::start();
    assert_eq!(host.ask(&Request::auth("RRN000000001", "9.00")).said(), said("0", "APPROVAL"));
    assert_eq!(host.ask(&Request::capture("RRN000000001", "9.01")).said(), said("1", "INVALID AMOUNT"));
    let captured = host.ask(&Request::capture("RRN000000001", "8.00"));
    assert_eq!((captured.said(), captured.get("TransType"), captured.ext("Amount")), (said("0", "APPROVAL"), "Capture", "8.00"));
    assert_eq!(host.ask(&Request::capture("RRN000000001", "8.00")).0, captured.0, "the same once more");
    assert_eq!(host.ask(&Request::capture("RRN000000001", "1.00")).said(), said("1", "DUPLICATE TRANSACTION"));
    assert_eq!(host.ask(&Request::capture("RRN000000009", "1.00")).said(), said("1", "NOT FOUND"));
    host.ask(&Request::sale("RRN000000002", "5.00"));
    assert_eq!(
        host.ask(&Request::capture("RRN000000002", "5.00")).said(),
        said("1", "NOT FOUND"),
        "a sale has nothing to capture"
    );
    let void = host.ask(&Request::of("Void", "RRN000000001"));
    assert_eq!((void.said(), void.get("Voided")), (said("0", "APPROVAL"), "true"));
    let taken_back: Vec<bool> = host.ledger().iter().filter(|entry| entry.3).map(|entry| entry.4).collect();
    assert_eq!(taken_back, [true, true, false, false], "authorization, capture, sale, void");
}

#[test]
fn a_void_counts_once_and_a_time_out_is_written_down_as_one() {
    let host = Host::start();
    host.ask(&Request::sale("RRN000000001", "5.00"));
    host.ask(&Request::sale("RRN000000002", "6.00"));
    host.ask(&Request::sale("RRN000000003", "9000.05"));
    let void = host.ask(&Request::of("Void", "RRN000000001"));
    assert_eq!(host.ask(&Request::of("Void", "RRN000000001")).0, void.0);
    assert_eq!(host.ask(&Request::of("Status", "RRN000000001")).get("Voided"), "true");
    assert_eq!(host.ask(&Request::of("Void", "RRN000000002").with("VoidReason", "Timeout")).get("Voided"), "true");
    assert_eq!(host.ask(&Request::of("Void", "RRN000000003")).said(), said("1", "NOT FOUND"), "declined: nothing stands");
    let kinds: Vec<(String, bool)> = host.ledger().into_iter().map(|(_, kind, _, _, reversed)| (kind, reversed)).collect();
    let expected = [("sale", true), ("sale", true), ("sale", false), ("void", false), ("reversal", false)];
    assert_eq!(kinds, expected.map(|(kind, reversed)| (kind.to_owned(), reversed)));
}

#[test]
fn a_refund_needs_its_sale_and_no_person() {
    let host = Host::start();
    host.ask(&Request::sale("RRN000000001", "5.00"));
    host.control("POST", "/faults", r#"{"delay_ms":[2,2]}"#);
    assert_eq!(host.ask(&Request::refund("RRN000000002", "2.00", "RRN000000001")).said(), said("0", "APPROVAL"));
    assert_eq!(host.ask(&Request::refund("RRN000000003", "5.01", "RRN000000001")).said(), said("1", "NOT FOUND"));
    assert_eq!(host.ask(&Request::refund("RRN000000004", "1.00", "RRN000000009")).said(), said("1", "NOT FOUND"));
    assert_eq!(host.ask(&Request::credit("RRN000000005", "3.00")).said(), said("0", "APPROVAL"));
    let kinds: Vec<(String, bool)> = host.ledger().into_iter().map(|(_, kind, _, approved, _)| (kind, approved)).collect();
    let expected = [("sale", true), ("refund", true), ("refund", false), ("refund", false), ("credit", true)];
    assert_eq!(kinds, expected.map(|(kind, approved)| (kind.to_owned(), approved)));
}

#[test]
fn a_reference_is_one_transaction_s_for_good() {
    let host = Host::start();
    let first = host.ask(&Request::sale("RRN000000001", "5.00"));
    assert_eq!(host.ask(&Request::sale("RRN000000001", "5.00").at("000000000002")).0, first.0.replace("1</SN>", "2</SN>"));
    assert_eq!(host.ask(&Request::sale("RRN000000001", "6.00")).said(), said("1", "DUPLICATE TRANSACTION"));
    assert_eq!(host.ask(&Request::auth("RRN000000001", "5.00")).said(), said("1", "DUPLICATE TRANSACTION"));
    assert_eq!(host.ask(&Request::sale("RRN000000001", "7.00").with("RegisterId", "R2")).said(), said("0", "APPROVAL"));
    assert_eq!(host.ledger().len(), 2);
}
