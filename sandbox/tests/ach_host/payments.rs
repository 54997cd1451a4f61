//! Packets one at a time: the guide's certification cases, what is required of a packet, voids and reversals.

use crate::client::{Answer, Check, envelope};
use crate::host::Host;

fn row(kind: &str, amount: u64, approved: bool, reversed: bool) -> (String, u64, bool, bool, String) {
    (kind.to_owned(), amount, approved, reversed, String::new())
}

#[test]
fn the_certification_cases_of_the_guide() {
    let host = Host::start();
    // Routing number, amount, response type, result, type code, CODE with its blanks collapsed.
    let cases = [
        ("490000018", "25.00", "A", "0", "4096", "AUTH NUM 272-000"),
        ("490000018", "25.01", "D", "136", "256", "DECLINE CHECK CHECK LIMIT EXCEEDED"),
        ("490000034", "1.25", "D", "520", "4100", "DECLINE CHECK 5 UNPAID (ALL) AMT=$5478 GLOBAL eTELECOM 888-481-0757"),
        ("490000021", "1.25", "W", "132", "4100", "MANAGER NEEDED CHECK TOO LARGE"),
        ("490000047", "1.25", "W", "4", "4228", "MANAGER NEEDED REPRESENTED CHECK"),
        ("490000050", "1.25", "D", "8", "512", "DECLINE, NO ACH"),
        ("490000015", "1.25", "VE", "2", "0", "MICR ERROR"),
        ("000000000", "1.25", "D", "8", "0", "DECLINE CHECK"),
        ("490000018", "-99.00", "A", "0", "4096", "AUTH NUM 272-008"),
    ];
    for (number, (routing, amount, response_type, result, type_code, code)) in (1..).zip(cases) {
        let answer = host.ask(&Check::sale(number, amount).at(routing));
        assert_eq!(answer.decision(), (response_type, result, type_code, code.to_owned()), "{routing} {amount}");
        assert_eq!((answer.get("RESULT"), answer.get("TRANSACTION_ID")), ("Passed", format!("RRN{number:09}").as_str()));
    }
    let exact = host.ask(&Check::sale(20, "101.12").at("490000018"));
    assert_eq!((exact.get("CODE"), exact.get("RESPONSE_TYPE_TEXT")), ("DECLINE CHECK   CHECK LIMIT EXCEEDED", "DECLINED"));
    let approved = host.ask(&Check::sale(1, "25.00").at("490000018"));
    let voided = host.ask(&Check::sale(1, "25.00").at("490000018").again_as("V", 30));
    assert_eq!((approved.get("MESSAGE"), voided.decision()), ("APPROVAL", ("A", "0", "5120", "VOID ACCEPTED".to_owned())));
    let reversed = host.ask(&Check::sale(9, "-99.00").at("490000018").again_as("F", 9));
    assert_eq!(reversed.decision(), ("A", "0", "5120", "REVERSAL ACCEPTED".to_owned()));
}

#[test]
fn each_class_has_its_terminal_and_its_letter() {
    let host = Host::start();
    let cases = [("2010", "R"), ("2710", "R"), ("2310", "A")];
    for (number, (terminal, identifier)) in (1..).zip(cases) {
        let check = Check { terminal, identifier, ..Check::sale(number, "1.00") };
        assert_eq!(host.ask(&check).get("RESPONSE_TYPE"), "A", "{terminal}");
        let other = if identifier == "A" { "R" } else { "A" };
        let wrong = Check { identifier: other, transaction: format!("WRONG{number}"), ..check };
        assert_eq!(host.ask(&wrong).get("ELEMENT"), "IDENTIFIER", "{terminal}");
    }
    let by_phone = Check { terminal: "2210", ..Check::sale(10, "1.00") };
    assert_eq!(host.ask(&by_phone).get("ELEMENT"), "CHECK_NUMBER");
    assert_eq!(host.ask(&Check { check_number: "1001", ..by_phone }).get("RESPONSE_TYPE"), "A");
    let with_licence = Check { terminal: "2311", ..Check::sale(11, "1.00") };
    assert_eq!(host.ask(&with_licence).get("ELEMENT"), "DL_STATE");
    assert_eq!(host.ask(&Check { licence: "r500", ..with_licence }).get("RESPONSE_TYPE"), "A");
    assert_eq!(host.entries().len(), 5, "what is not valid has no effect");
}

#[test]
fn a_packet_that_is_not_valid_is_told_which_element() {
    let host = Host::start();
    let good = Check::sale(1, "1.00");
    let cases = [
        (Check { routing: "011000016", ..good.clone() }, "ROUTING_NUMBER"),
        (Check { routing: "", ..good.clone() }, "ROUTING_NUMBER"),
        (Check { account_number: "123456789012345678", ..good.clone() }, "ACCOUNT_NUMBER"),
        (Check { account_number: "", ..good.clone() }, "ACCOUNT_NUMBER"),
        (Check { amount: "1.5", ..good.clone() }, "CHECK_AMOUNT"),
        (Check { amount: "+1.50", ..good.clone() }, "CHECK_AMOUNT"),
        (Check { amount: "99999999999999999999.00", ..good.clone() }, "CHECK_AMOUNT"),
        (Check { terminal: "9999", ..good.clone() }, "TERMINAL_ID"),
        (Check { identifier: "O", ..good.clone() }, "IDENTIFIER"),
        (Check { trace: 1_234_567, ..good.clone() }, "REQUEST_ID"),
    ];
    for (check, element) in cases {
        assert_eq!(host.ask(&check).get("ELEMENT"), element);
    }
    let nobody = host.ask(&Check { user: "", ..good.clone() });
    assert_eq!((nobody.status, nobody.get("faultstring")), (500, "unknown merchant"));
    for (body, reason) in [
        ("", "the envelope can't be read"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "the envelope can't be read"),
        (&envelope("TERM01", "2310", "<GetTerminalSettings/>"), "no such method"),
        (
            &envelope("TERM01", "2310", "<ProcessSingleCheck><DataPacket>&lt;a</DataPacket></ProcessSingleCheck>"),
            "the packet can't be read",
        ),
    ] {
        let answer = Answer::of(host.post(body).unwrap());
        assert_eq!((answer.status, answer.get("faultcode"), answer.get("faultstring")), (500, "soap:Client", reason));
    }
    assert_eq!(host.entries(), [] as [serde_json::Value; 0]);
    assert_eq!(host.control("GET", "/stats", "")["unreadable"], 15);
}

#[test]
fn a_repeat_is_answered_with_the_first_answer_also_after_a_restart() {
    let host = Host::start();
    let checks = [Check::sale(1, "1.00"), Check::sale(2, "30.00").at("490000018"), Check::sale(1, "1.00").again_as("V", 3)];
    let answers = checks.each_ref().map(|check| host.ask(check));
    let shape = host.shape();
    let host = host.restart();
    assert_eq!(checks.each_ref().map(|check| host.ask(check)), answers);
    assert_eq!((host.shape(), host.control("GET", "/stats", "")["duplicates"].as_u64()), (shape, Some(3)));
    for (check, answer) in checks.iter().zip(&answers) {
        let call = format!("<GetArchivedResponse><RequestID>{}</RequestID></GetArchivedResponse>", check.request_id());
        let archived = Answer::of(host.post(&envelope("TERM01", "", &call)).unwrap());
        assert_eq!(archived.decision(), answer.decision());
    }
    let other_trace = Check { trace: 77, ..Check::sale(1, "1.00") };
    assert_eq!(host.ask(&other_trace).get("MESSAGE"), "Duplicate transaction");
    assert_eq!(host.ask(&Check { user: "TERM02", ..Check::sale(1, "1.00") }).get("RESPONSE_TYPE"), "A", "another merchant's");
}

#[test]
fn voids_and_reversals_take_back_once() {
    let host = Host::start();
    let (sale, declined, refund) = (
        Check::sale(1, "5.00"),
        Check::sale(2, "30.00").at("490000018"),
        Check { pays_back: Some("RRN000000001".to_owned()), ..Check::sale(3, "-5.00") },
    );
    for check in [&sale, &declined, &refund] {
        host.ask(check);
    }
    assert_eq!(host.ask(&sale.again_as("V", 10)).get("CODE"), "VOID ACCEPTED");
    assert_eq!(host.ask(&sale.again_as("V", 11)).get("CODE"), "NO SUCH ORIGINAL", "another void of it");
    assert_eq!(host.ask(&sale.again_as("F", 10)).get("CODE"), "REVERSAL ACCEPTED", "the void's answer was lost");
    assert_eq!(host.ask(&declined.again_as("V", 12)).get("CODE"), "NO SUCH ORIGINAL");
    assert_eq!(host.ask(&refund.again_as("F", 13)).get("CODE"), "REVERSAL ACCEPTED");
    assert_eq!(host.ask(&refund.again_as("F", 13)).get("CODE"), "REVERSAL ACCEPTED");
    let wanted = [
        row("sale", 500, true, true),
        row("sale", 3000, false, false),
        row("refund", 500, true, true),
        row("void", 500, true, false),
        row("void", 500, false, false),
        row("reversal", 500, true, false),
        row("void", 3000, false, false),
        row("reversal", 500, true, false),
    ];
    assert_eq!(host.shape(), wanted);
}

#[test]
fn a_reversal_that_comes_first_forestalls_its_original() {
    let host = Host::start();
    let sale = Check::sale(1, "5.00");
    assert_eq!(host.ask(&sale.again_as("F", 1)).get("CODE"), "NO SUCH ORIGINAL");
    assert_eq!(host.ask(&sale.again_as("F", 1)).get("CODE"), "NO SUCH ORIGINAL");
    let late = host.ask(&sale);
    assert_eq!(late.decision(), ("D", "8", "1024", "DECLINE CHECK REVERSED BEFORE".to_owned()));
    assert_eq!(host.shape(), [row("reversal", 500, false, false), row("sale", 500, false, false)]);
}
