//! Requests against documents written by hand from the gateway's guide; answers of its certification cases; the feed.

use super::feed::{Unreadable, path, read};
use super::*;
use crate::connectors::exchange::{Came, HttpRequest, Next};
use crate::input::{Answer, Leg, Sent, Verdict};
use crate::output::{Request, Subject};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::exchange::Exchange as InFlight;
use protocol::facts;
use protocol::id::Xid;
use protocol::response_code::ResponseCode;
use protocol::secret::{AccountNumber, LicenceNumber};
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{PaymentMethod, Verb};
use protocol::xml::Writer;
use zeroize::Zeroizing;

const NOW: Micros = Micros(1_795_224_642_000_000);
const REQUEST_ID: &str = "632501000007-000012-A";

fn originator() -> Originator {
    Originator { user_name: "TERM0001".to_owned(), password: Zeroizing::new("se&cret".to_owned()) }
}

fn fields(sec: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    tail::push(&mut bytes, tag::SEC_CODE, sec.as_bytes());
    tail::push(&mut bytes, tag::ACCOUNT_TYPE, b"savings");
    tail::push(&mut bytes, tag::CHECK_NUMBER, b"1001");
    tail::push(&mut bytes, tag::DL_STATE, b"IL");
    tail::push(&mut bytes, tag::BILLING, b"John");
    tail::push(&mut bytes, tag::BILLING + 1, b"Smith & Sons");
    tail::push(&mut bytes, tag::BILLING + tail::POSTAL_CODE, b"60187");
    bytes
}

fn transaction(verb: Verb) -> Transaction {
    let mut transaction = Transaction::empty();
    transaction.verb = verb.number();
    transaction.payment_method = PaymentMethod::Ach.number();
    transaction.id = Xid([1; 12]);
    transaction.rrn = *b"632501000007";
    transaction.amount = 10_112.into();
    transaction.currency = 840.into();
    transaction.original = InFlight::in_flight(verb, 12, 10_112, NOW, NOW.plus_s(30));
    transaction.batch_number = 3.into();
    transaction
}

fn begin(transaction: &Transaction, sec: &str, leg: Leg, with_licence: bool) -> Result<(Exchange, HttpRequest), Unwritable> {
    let fields = fields(sec);
    let (number, licence) = (AccountNumber::new("24413815").unwrap(), LicenceNumber::new("r500 123").unwrap());
    let sent = Sent { id: transaction.id, leg, stan: 12 };
    let subject = Subject::Transaction(transaction, Tail::trusted(&fields));
    let request = Request { processor: 3, sent, repeat: false, subject };
    let account = AccountData { routing: "490000018", number: &number, licence: with_licence.then_some(&licence) };
    Exchange::begin(&Outgoing { request, originator: &originator(), account: Some(account) })
}

fn body(request: &HttpRequest) -> String {
    String::from_utf8(request.body.to_vec()).unwrap()
}

/// The packet inside of an envelope, as it was before it was escaped.
fn packet(request: &HttpRequest) -> String {
    let body = body(request);
    let (_, rest) = body.split_once("<DataPacket>").unwrap();
    let (packet, _) = rest.split_once("</DataPacket>").unwrap();
    packet.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[test]
fn a_payment_by_internet_is_written_as_the_guide_shows_it() {
    let (_, request) = begin(&transaction(Verb::Sale), "web", Leg::Original, true).unwrap();
    let envelope = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
        <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">\
        <soap:Header><AuthGatewayHeader xmlns=\"http://tempuri.org/GETI.eMagnus.WebServices/AuthGateway\">\
        <UserName>TERM0001</UserName><Password>se&amp;cret</Password><TerminalID>2311</TerminalID></AuthGatewayHeader></soap:Header>\
        <soap:Body><ProcessSingleCheck xmlns=\"http://tempuri.org/GETI.eMagnus.WebServices/AuthGateway\"><DataPacket>&lt;AUTH_GATEWAY REQUEST_ID=&quot;632501000007-000012-A&quot;&gt;";
    assert!(body(&request).starts_with(envelope), "{}", body(&request));
    let wanted = "<AUTH_GATEWAY REQUEST_ID=\"632501000007-000012-A\"><TRANSACTION><TRANSACTION_ID>632501000007</TRANSACTION_ID>\
        <MERCHANT><TERMINAL_ID>2311</TERMINAL_ID></MERCHANT><PACKET><IDENTIFIER>A</IDENTIFIER>\
        <ACCOUNT><ROUTING_NUMBER>490000018</ROUTING_NUMBER><ACCOUNT_NUMBER>24413815</ACCOUNT_NUMBER><CHECK_NUMBER>1001</CHECK_NUMBER>\
        <ACCOUNT_TYPE>Savings</ACCOUNT_TYPE></ACCOUNT>\
        <CONSUMER><FIRST_NAME>John</FIRST_NAME><LAST_NAME>Smith &amp; Sons</LAST_NAME><COMPANY_NAME></COMPANY_NAME><ADDRESS1></ADDRESS1>\
        <ADDRESS2></ADDRESS2><CITY></CITY><STATE></STATE><ZIP>60187</ZIP><PHONE_NUMBER></PHONE_NUMBER><DL_STATE>IL</DL_STATE>\
        <DL_NUMBER>r500 123</DL_NUMBER></CONSUMER><CHECK><CHECK_AMOUNT>101.12</CHECK_AMOUNT></CHECK><BATCH_NUMBER>3</BATCH_NUMBER>\
        </PACKET></TRANSACTION></AUTH_GATEWAY>";
    assert_eq!(packet(&request), wanted);
    assert_eq!((request.path.as_str(), request.content_type), ("/webservices/AuthGateway.asmx", "text/xml; charset=utf-8"));
    assert_eq!(request.soap_action, Some("http://tempuri.org/GETI.eMagnus.WebServices/AuthGateway/ProcessSingleCheck"));
}

#[test]
fn identifier_terminal_and_sign_follow_from_class_and_verb() {
    let voided = {
        let mut sale = transaction(Verb::Sale);
        sale.step = InFlight::in_flight(Verb::Void, 12, 10_112, NOW, NOW.plus_s(30));
        sale
    };
    let refund = {
        let mut refund = transaction(Verb::Refund);
        refund.parent = Xid::from_parts(1_508_444_119, [1, 2, 3, 4, 5], 77);
        refund
    };
    let cases = [
        (transaction(Verb::Sale), "web", Leg::Original, "A", "2310", "101.12"),
        (transaction(Verb::Sale), "tel", Leg::Original, "A", "2210", "101.12"),
        (transaction(Verb::Sale), "ppd", Leg::Original, "R", "2010", "101.12"),
        (transaction(Verb::Credit), "ccd", Leg::Original, "R", "2710", "-101.12"),
        (refund, "web", Leg::Original, "A", "2310", "-101.12"),
        (voided, "ppd", Leg::Step, "V", "2010", "101.12"),
        (transaction(Verb::Sale), "ppd", Leg::Reversal, "F", "2010", "101.12"),
    ];
    for (transaction, sec, leg, identifier, terminal, amount) in cases {
        let packet = packet(&begin(&transaction, sec, leg, false).unwrap().1);
        for wanted in [
            format!("REQUEST_ID=\"632501000007-000012-{identifier}\""),
            format!("<IDENTIFIER>{identifier}</IDENTIFIER>"),
            format!("<TERMINAL_ID>{terminal}</TERMINAL_ID>"),
            format!("<CHECK_AMOUNT>{amount}</CHECK_AMOUNT>"),
        ] {
            assert!(packet.contains(&wanted), "{sec} {leg:?}: {wanted} is not in {packet}");
        }
        let names_debit = packet.contains("<ORIGINAL_TRANSACTION_ID>7292");
        assert_eq!(names_debit, transaction.verb() == Verb::Refund);
    }
}

#[test]
fn what_banks_do_not_do_is_not_written() {
    for verb in [Verb::Authorize, Verb::Verification] {
        assert_eq!(begin(&transaction(verb), "web", Leg::Original, false).unwrap_err(), Unwritable::Verb(verb));
    }
    let mut captured = transaction(Verb::Sale);
    captured.step = InFlight::in_flight(Verb::Capture, 12, 1, NOW, NOW.plus_s(30));
    assert_eq!(begin(&captured, "web", Leg::Step, false).unwrap_err(), Unwritable::Verb(Verb::Capture));
    assert_eq!(begin(&transaction(Verb::Sale), "arc", Leg::Original, false).unwrap_err(), Unwritable::NoEntryClass);
    let mut in_euros = transaction(Verb::Sale);
    in_euros.currency = 978.into();
    let refused = begin(&in_euros, "web", Leg::Original, false).unwrap_err();
    assert_eq!(refused.to_string(), "an ACH request in currency 978");
    let sale = transaction(Verb::Sale);
    let sent = Sent { id: sale.id, leg: Leg::Original, stan: 12 };
    let request = Request { processor: 3, sent, repeat: false, subject: Subject::Transaction(&sale, Tail::trusted(&[])) };
    let outgoing = Outgoing { request, originator: &originator(), account: None };
    assert_eq!(Exchange::begin(&outgoing).unwrap_err(), Unwritable::NoAccount);
    assert!(!format!("{outgoing:?}").contains("se&cret"));
}

fn batch() -> Batch {
    let mut batch = Batch::empty();
    batch.id = Xid([2; 12]);
    (batch.number, batch.members_number) = (4.into(), 3.into());
    (batch.capture_count, batch.captured) = (2.into(), 20_224.into());
    (batch.credit_count, batch.credited) = (1.into(), 5.into());
    batch.currency = 840.into();
    batch
}

fn begin_totals() -> (Exchange, HttpRequest) {
    let batch = batch();
    let sent = Sent { id: batch.id, leg: Leg::Totals, stan: 21 };
    let request = Request { processor: 3, sent, repeat: false, subject: Subject::Batch(&batch) };
    Exchange::begin(&Outgoing { request, originator: &originator(), account: None }).unwrap()
}

#[test]
fn totals_name_the_batch_and_what_its_members_add_up_to() {
    let wanted = "<AUTH_GATEWAY REQUEST_ID=\"000004-000021-B\"><SETTLEMENT><BATCH_NUMBER>4</BATCH_NUMBER><MEMBERS_NUMBER>3</MEMBERS_NUMBER>\
        <TRACE_NUMBER>000021</TRACE_NUMBER><DEBIT_COUNT>2</DEBIT_COUNT><DEBIT_AMOUNT>202.24</DEBIT_AMOUNT><CREDIT_COUNT>1</CREDIT_COUNT>\
        <CREDIT_AMOUNT>0.05</CREDIT_AMOUNT></SETTLEMENT></AUTH_GATEWAY>";
    let request = begin_totals().1;
    assert_eq!(packet(&request), wanted);
    assert_eq!(request.soap_action, Some("http://tempuri.org/GETI.eMagnus.WebServices/AuthGateway/SettleBatch"));
}

/// An answer of the gateway in its envelope.
fn envelope(method: &str, packet: &str) -> Vec<u8> {
    let mut body = Vec::new();
    let mut xml = Writer::new(&mut body);
    xml.open("soap:Envelope", &[("xmlns:soap", "http://schemas.xmlsoap.org/soap/envelope/")]).open("soap:Body", &[]);
    xml.open(&format!("{method}Response"), &[]).element(&format!("{method}Result"), packet).close(&format!("{method}Response"));
    xml.close("soap:Body").close("soap:Envelope");
    body
}

fn response(response_type: &str, result: u32, type_code: u32, code: &str, message: &str) -> Vec<u8> {
    let packet = format!(
        "<RESPONSE REQUEST_ID=\"{REQUEST_ID}\"><VALIDATION_MESSAGE><RESULT>Passed</RESULT></VALIDATION_MESSAGE><AUTHORIZATION_MESSAGE>\
         <TRANSACTION_ID>632501000007</TRANSACTION_ID><RESPONSE_TYPE>{response_type}</RESPONSE_TYPE><RESPONSE_TYPE_TEXT>x</RESPONSE_TYPE_TEXT>\
         <RESULT_CODE>{result}</RESULT_CODE><TYPE_CODE>{type_code}</TYPE_CODE><CODE>{code}</CODE><MESSAGE>{message}</MESSAGE>\
         </AUTHORIZATION_MESSAGE></RESPONSE>"
    );
    envelope("ProcessSingleCheck", &packet)
}

fn came(leg: Leg, status: u16, body: &[u8]) -> Next {
    let mut sale = transaction(Verb::Sale);
    sale.step = InFlight::in_flight(Verb::Void, 12, 10_112, NOW, NOW.plus_s(30));
    begin(&sale, "web", leg, false).unwrap().0.came(Came::Answer { status, body })
}

fn answered(next: Next) -> (Answer, Vec<u8>) {
    match next {
        Next::Answered { answer, facts } => (answer, facts),
        other => panic!("{other:?}"),
    }
}

fn list(facts: &[u8], tag: u16) -> Vec<String> {
    let tail = Tail::parse(facts).unwrap();
    tail.get(tag).map(|value| facts::items(value).map(str::to_owned).collect()).unwrap_or_default()
}

#[test]
fn the_documents_decline_is_read_word_by_word() {
    let body = response("D", 136, 256, "DECLINE CHECK   CHECK LIMIT EXCEEDED", "DECLINE CHECK LIMIT EXCEEDED");
    let (answer, facts) = answered(came(Leg::Original, 200, &body));
    assert_eq!((answer.verdict, &answer.processor_code), (Verdict::Declined(ResponseCode::DECLINE), b"D\0"));
    assert_eq!(&answer.text, b"DECLINE CHECK   ");
    assert_eq!(Tail::parse(&facts).unwrap().text(tag::PROCESSOR_TEXT), "DECLINE CHECK   CHECK LIMIT EXCEEDED");
    assert_eq!(list(&facts, tag::RESULT_CODES), ["Decline Message", "Transaction Limit Exceeded"]);
    assert_eq!(list(&facts, tag::TYPE_CODES), ["Unknown Presentment"]);
}

#[test]
fn an_approval_has_its_number_and_its_message() {
    let (answer, facts) = answered(came(Leg::Original, 200, &response("A", 0, 4096, "AUTH NUM 272-172", "APPROVAL")));
    assert_eq!((answer.verdict, &answer.auth_code, &answer.text), (Verdict::Approved, b"272-17", b"APPROVAL\0\0\0\0\0\0\0\0"));
    let tail = Tail::parse(&facts).unwrap();
    assert_eq!((tail.text(tag::AUTH_CODE_TEXT), tail.get(tag::PROCESSOR_TEXT)), ("272-172", None));
    assert_eq!(
        (list(&facts, tag::RESULT_CODES), list(&facts, tag::TYPE_CODES)),
        (vec!["Approved".into()], vec!["Internal Override".into()])
    );
}

#[test]
fn every_kind_of_answer_has_its_code() {
    let cases = [
        ("A", 0, 4096, Verdict::Approved, vec!["Approved"], vec!["Internal Override"]),
        (
            "D",
            520,
            4100,
            Verdict::Declined(ResponseCode(200)),
            vec!["Decline Message", "Unpaid Check Limit Exceeded"],
            vec!["Business Check", "Internal Override"],
        ),
        (
            "W",
            132,
            4100,
            Verdict::Declined(ResponseCode(240)),
            vec!["Warning", "Transaction Limit Exceeded"],
            vec!["Business Check", "Internal Override"],
        ),
        (
            "W",
            4,
            4228,
            Verdict::Declined(ResponseCode(240)),
            vec!["Warning"],
            vec!["Business Check", "Represented Check", "Internal Override"],
        ),
        ("D", 8, 512, Verdict::Declined(ResponseCode(200)), vec!["Decline Message"], vec!["Block for ACH"]),
        ("VA", 0, 768, Verdict::Declined(ResponseCode(204)), vec!["Approved"], vec!["Unknown Presentment", "Block for ACH"]),
        ("VE", 2, 0, Verdict::Declined(ResponseCode(221)), vec!["Verification Error"], vec![]),
        ("D", 1 << 20, 1, Verdict::Declined(ResponseCode(200)), vec!["1048576"], vec!["1"]),
    ];
    for (response_type, result, type_code, verdict, results, types) in cases {
        let (answer, facts) = answered(came(Leg::Original, 200, &response(response_type, result, type_code, "TEXT", "M")));
        assert_eq!(answer.verdict, verdict, "{response_type} {result}");
        assert_eq!((list(&facts, tag::RESULT_CODES), list(&facts, tag::TYPE_CODES)), (strings(&results), strings(&types)));
    }
    assert_eq!(RESPONSE_TYPES.len() + FAILURES.len(), 10, "a row of the tables has no case");
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_packet_that_was_not_acted_on_says_why() {
    let exception = |message: &str| {
        format!("<RESPONSE REQUEST_ID=\"{REQUEST_ID}\"><EXCEPTION><MESSAGE>{message}</MESSAGE></EXCEPTION></RESPONSE>")
    };
    let invalid = format!(
        "<RESPONSE REQUEST_ID=\"{REQUEST_ID}\"><VALIDATION_MESSAGE><RESULT>Failed</RESULT><ELEMENT>DL_STATE</ELEMENT></VALIDATION_MESSAGE></RESPONSE>"
    );
    let fault = |code: &str, words: &str| {
        format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>{code}</faultcode>\
             <faultstring>{words}</faultstring></s:Fault></s:Body></s:Envelope>"
        )
        .into_bytes()
    };
    let cases = [
        (200, envelope("ProcessSingleCheck", &exception("System error")), 400),
        (200, envelope("ProcessSingleCheck", &exception("Duplicate transaction")), 430),
        (200, envelope("ProcessSingleCheck", &invalid), 440),
        (500, fault("s:Client", "no such method"), 440),
        (500, fault("s:Client", "unknown merchant"), 410),
    ];
    for (status, body, code) in cases {
        let (answer, _) = answered(came(Leg::Original, status, &body));
        assert_eq!((answer.verdict, &answer.processor_code), (Verdict::Declined(ResponseCode(code)), b"X\0"), "{code}");
        let body = String::from_utf8(body).unwrap().replace("-A&quot;", "-F&quot;").into_bytes();
        assert_eq!(answered(came(Leg::Reversal, status, &body)).0.verdict, Verdict::TryLater, "{code}: a reversal goes again");
    }
    assert!(matches!(came(Leg::Original, 500, &fault("s:Server", "down")), Next::Lost));
}

#[test]
fn only_an_explicit_answer_decides() {
    let good = response("A", 0, 4096, "AUTH NUM 272-172", "APPROVAL");
    let text = String::from_utf8(good.clone()).unwrap();
    let strange = [
        (503, good.clone()),
        (200, text.replace("000012-A", "000013-A").into_bytes()),
        (200, text.replace("&gt;632501000007&lt;", "&gt;632501000008&lt;").into_bytes()),
        (200, text.replace("&gt;A&lt;", "&gt;Q&lt;").into_bytes()),
        (200, text.replace("&gt;4096&lt;", "&gt;-1&lt;").into_bytes()),
        (200, text.replace("AUTHORIZATION_MESSAGE", "OTHER_MESSAGE").into_bytes()),
        (200, good[..good.len() - 10].to_vec()),
        (200, b"<RESPONSE><not well-formed".to_vec()),
        (200, Vec::new()),
    ];
    for (status, body) in strange {
        assert!(matches!(came(Leg::Original, status, &body), Next::Lost), "{status} {}", String::from_utf8_lossy(&body));
    }
    let mut exchange = begin(&transaction(Verb::Sale), "web", Leg::Original, false).unwrap().0;
    assert!(matches!(exchange.came(Came::NotSent), Next::NotSent));
    assert!(matches!(exchange.came(Came::Lost), Next::Lost));
}

#[test]
fn a_reversals_answer_is_a_receipt_and_a_void_is_decided() {
    let of = |letter: &str, body: Vec<u8>| {
        String::from_utf8(body).unwrap().replace("-A&quot;", &format!("-{letter}&quot;")).into_bytes()
    };
    let accepted = response("A", 0, 5120, "VOID ACCEPTED", "VOID ACCEPTED");
    let unknown = response("D", 8, 0, "NO SUCH ORIGINAL", "NO SUCH ORIGINAL");
    assert_eq!(answered(came(Leg::Reversal, 200, &of("F", accepted.clone()))).0.verdict, Verdict::Receipt);
    assert_eq!(answered(came(Leg::Reversal, 200, &of("F", unknown.clone()))).0.verdict, Verdict::Receipt);
    assert_eq!(answered(came(Leg::Step, 200, &of("V", accepted))).0.verdict, Verdict::Approved);
    assert_eq!(answered(came(Leg::Step, 200, &of("V", unknown))).0.verdict, Verdict::Declined(ResponseCode::DECLINE));
}

#[test]
fn totals_are_accepted_used_before_or_rejected() {
    let settlement = |response_type: &str, code: &str| {
        let message = format!("<BATCH_NUMBER>4</BATCH_NUMBER><RESPONSE_TYPE>{response_type}</RESPONSE_TYPE><CODE>{code}</CODE>");
        let packet =
            format!("<RESPONSE REQUEST_ID=\"000004-000021-B\"><SETTLEMENT_MESSAGE>{message}</SETTLEMENT_MESSAGE></RESPONSE>");
        envelope("SettleBatch", &packet)
    };
    let cases = [
        ("A", "GB000004 ACCEPT", Verdict::Approved),
        ("D", "QD1121 000004", Verdict::Declined(ResponseCode::DUPLICATE_AT_PROCESSOR)),
        ("D", "RB DEBIT AMOUNT", Verdict::Declined(ResponseCode::DECLINE)),
    ];
    for (response_type, code, verdict) in cases {
        let body = settlement(response_type, code);
        let (answer, facts) = answered(begin_totals().0.came(Came::Answer { status: 200, body: &body }));
        assert_eq!((answer.verdict, facts.len()), (verdict, 0));
        assert_eq!(core::str::from_utf8(&answer.text).unwrap().trim_end_matches('\0'), code);
    }
    for (response_type, code) in [("D", "GB000004"), ("A", ""), ("A", "\u{e9}"), ("W", "RB")] {
        let body = settlement(response_type, code);
        assert!(matches!(begin_totals().0.came(Came::Answer { status: 200, body: &body }), Next::Lost), "{code}");
    }
}

const FEED: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><RETURNS LAST=\"9\"><RETURN SEQUENCE=\"6\"><TRANSACTION_ID>632501000007</TRANSACTION_ID>\
    <USER_NAME>TERM0001</USER_NAME><CODE>R01</CODE><AMOUNT>101.12</AMOUNT><AT>2026-11-21T01:30:42.000007Z</AT><REASON>Insufficient funds</REASON>\
    </RETURN><CHANGE SEQUENCE=\"7\"><TRANSACTION_ID>632501000008</TRANSACTION_ID><USER_NAME>TERM0001</USER_NAME><CODE>C01</CODE><AMOUNT>0.01</AMOUNT>\
    <AT>2026-11-21T01:30:43.000000Z</AT><REASON>Incorrect account number</REASON><CORRECTED>1918171614</CORRECTED></CHANGE></RETURNS>";

#[test]
fn the_feed_is_read_in_its_order() {
    let page = read(FEED.as_bytes(), 5).unwrap();
    assert_eq!((page.last, page.notices.len(), path(5).as_str()), (9, 2, "/returns?after=5"));
    let [returned, changed] = &page.notices[..] else { panic!("two notices") };
    assert_eq!((returned.sequence, &returned.rrn, returned.amount, &returned.code), (6, b"632501000007", 10_112, b"R01"));
    assert_eq!((returned.at, returned.is_return()), (Micros(1_795_224_642_000_007), true));
    let facts = returned.facts().finish();
    let tail = Tail::parse(&facts).unwrap();
    assert_eq!((tail.text(tag::RETURN_CODE), tail.number(tag::RETURNED_AT)), ("R01", Some(1_795_224_642_000_007)));
    assert_eq!((tail.text(tag::RETURN_TEXT), tail.get(tag::CHANGE_CODE)), ("Insufficient funds", None));
    assert_eq!(changed.corrected.as_deref().map(String::as_str), Some("1918171614"));
    let facts = changed.facts().finish();
    let tail = Tail::parse(&facts).unwrap();
    assert_eq!((tail.text(tag::CHANGE_CODE), tail.get(tag::RETURN_CODE)), ("C01", None));
    assert!(!facts.windows(10).any(|window| window == b"1918171614"), "what was corrected is sealed first");
}

#[test]
fn a_feed_with_a_gap_or_a_wrong_element_is_not_acted_on() {
    assert_eq!(read(FEED.as_bytes(), 4).unwrap_err(), Unreadable::Gap { expected: 5 });
    assert_eq!(read(b"<RETURNS/>", 0).unwrap_err(), Unreadable::NotAFeed);
    assert_eq!(read(b"<RETURNS LAST=\"0\"/>", 0).unwrap().notices, []);
    assert!(read(b"<RETURNS LAST=\"0\"/>", u64::MAX).is_ok());
    for (from, to, element) in [
        ("R01", "C01", "CODE"),
        ("R01", "R1", "CODE"),
        ("101.12", "-101.12", "AMOUNT"),
        ("01:30:42.000007", "25:30:42.000007", "AT"),
        ("2026-11-21T01:30:42", "2026-13-21T01:30:42", "AT"),
        ("632501000007", "6325", "TRANSACTION_ID"),
        ("\"6\"", "\"six\"", "SEQUENCE"),
        ("LAST=\"9\"", "LAST=\"\"", "LAST"),
    ] {
        let feed = FEED.replacen(from, to, 1);
        assert_eq!(read(feed.as_bytes(), 5).unwrap_err(), Unreadable::Element(element), "{to}");
    }
}
