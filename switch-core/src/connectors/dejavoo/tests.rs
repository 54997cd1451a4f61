//! Requests and answers written by hand from the makers' samples; exchanges, step by step.

use super::*;
use crate::connectors::exchange::{Came, EXCHANGE_REQUESTS_MAX, HttpRequest, Next};
use crate::input::{Leg, Sent, Verdict};
use crate::output::{Request, Subject};
use crate::rrn_of;
use proptest::prelude::*;
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::facts;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::response_code::ResponseCode;
use protocol::secret::Cvv;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::Verb;

const NOW: Micros = Micros(1_795_224_642_000_000);
const REFERENCE: &str = "632501000007";

fn register() -> Register {
    Register { id: "R1".to_owned(), auth_key: "wcR1c9o1".to_owned().into(), tpn: "000000000001".to_owned() }
}

fn transaction(verb: Verb) -> Transaction {
    let mut transaction = Transaction::empty();
    transaction.verb = verb.number();
    transaction.id = Xid([1; 12]);
    transaction.rrn = *b"632501000007";
    transaction.amount = 500.into();
    transaction.amount_authorized = 500.into();
    transaction.currency = 840.into();
    transaction.batch_number = 7.into();
    transaction.original = protocol::exchange::Exchange::in_flight(verb, 7, 500, NOW, NOW.plus_s(5));
    transaction
}

fn stepped(step: Verb, amount: u64) -> Transaction {
    let mut transaction = transaction(Verb::Authorize);
    transaction.step = protocol::exchange::Exchange::in_flight(step, 8, amount, NOW, NOW.plus_s(5));
    transaction
}

fn begin(subject: Subject<'_>, leg: Leg) -> Result<(Exchange, HttpRequest), Unwritable> {
    let request = Request { processor: 1, sent: Sent { id: Xid([1; 12]), leg, stan: 9 }, repeat: false, subject };
    Exchange::begin(&Outgoing { request, register: &register(), cvv: None })
}

fn exchange(transaction: &Transaction, leg: Leg) -> (Exchange, String) {
    let (exchange, request) = begin(Subject::Transaction(transaction, Tail::trusted(&[])), leg).unwrap();
    (exchange, xml(&request))
}

/// The request's XML, its percent-encoding undone.
fn xml(request: &HttpRequest) -> String {
    let form = core::str::from_utf8(&request.body).unwrap();
    let mut parts = form.strip_prefix("TerminalTransaction=").unwrap().split('%');
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        plain.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        plain.push_str(&part[2..]);
    }
    plain
}

/// What every request begins with.
fn head(trans_type: &str) -> String {
    format!(
        "<request><TransType>{trans_type}</TransType><RefId>632501000007</RefId><RegisterId>R1</RegisterId>\
         <TPN>000000000001</TPN><AuthKey>wcR1c9o1</AuthKey>"
    )
}

fn asked(next: Next) -> String {
    match next {
        Next::Ask(request) | Next::AskAfter { request, .. } => xml(&request),
        other => panic!("{other:?}"),
    }
}

fn verdict(next: Next) -> Verdict {
    match next {
        Next::Answered { answer, .. } => answer.verdict,
        other => panic!("{other:?}"),
    }
}

/// An answer as short as it can be.
fn answer(trans_type: &str, result_code: u8, text: &str, rest: &str) -> String {
    format!(
        "<xmp><response><RefId>{REFERENCE}</RefId><ResultCode>{result_code}</ResultCode><RespMSG>{text}</RespMSG>\
         <TransType>{trans_type}</TransType>{rest}</response></xmp>"
    )
}

fn approved(total: &str, tip: &str) -> String {
    answer("Sale", 0, "APPROVAL%20TAS001", &format!("<ExtData>Amount=5.00,Tip={tip},TotalAmt={total}</ExtData>"))
}

fn came(body: &str) -> Came<'_> {
    Came::Answer { status: 200, body: body.as_bytes() }
}

#[test]
fn a_sale_is_written_as_terminals_read_it() {
    let mut fields = Vec::new();
    tail::push(&mut fields, tag::ORDER_ID, "A&B <1>".as_bytes());
    tail::push(&mut fields, tag::SIGNATURE_REQUIRED, &[1]);
    tail::push(&mut fields, tag::PRINT_RECEIPT, b"both");
    let mut sale = transaction(Verb::Sale);
    sale.expiry = 2812.into();
    let cvv = Cvv::new("999").unwrap();
    let subject = Subject::Transaction(&sale, Tail::trusted(&fields));
    let request = Request { processor: 1, sent: Sent { id: sale.id, leg: Leg::Original, stan: 7 }, repeat: false, subject };
    let (_, http) = Exchange::begin(&Outgoing { request, register: &register(), cvv: Some(&cvv) }).unwrap();
    assert_eq!((http.path.as_str(), http.content_type), (PATH, "application/x-www-form-urlencoded"));
    assert!(http.body.starts_with(b"TerminalTransaction=%3Crequest%3E%3CTransType%3ESale%3C%2FTransType%3E"));
    let expected = head("Sale")
        + "<PaymentType>Card</PaymentType><Amount>5.00</Amount><Tip>0.00</Tip><InvNum>A&amp;B &lt;1&gt;</InvNum>\
           <PrintReceipt>Both</PrintReceipt><SigCapture>Yes</SigCapture><ExpDate>1228</ExpDate><CVV>999</CVV>\
           <CurrencyCode>840</CurrencyCode><BatchNum>7</BatchNum></request>";
    assert_eq!(xml(&http), expected);
    assert!(!format!("{http:?} {:?}", register()).contains("wcR1c9o1"));
}

#[test]
fn each_verb_has_its_request() {
    let payment = "<PaymentType>Card</PaymentType><Amount>5.00</Amount><Tip>0.00</Tip><InvNum></InvNum><PrintReceipt>No</PrintReceipt>\
                   <SigCapture>No</SigCapture>";
    let booked = "<CurrencyCode>840</CurrencyCode><BatchNum>7</BatchNum></request>";
    for (verb, word) in [(Verb::Sale, "Sale"), (Verb::Authorize, "Auth"), (Verb::Credit, "Return")] {
        assert_eq!(exchange(&transaction(verb), Leg::Original).1, head(word) + payment + booked, "{word}");
    }
    let mut refund = transaction(Verb::Refund);
    refund.parent = Xid([2; 12]);
    let sale = String::from_utf8(rrn_of(refund.parent).to_vec()).unwrap();
    let expected = format!("{}{payment}<OriginalRefId>{sale}</OriginalRefId>{booked}", head("Return"));
    assert_eq!(exchange(&refund, Leg::Original).1, expected);
    let capture = exchange(&stepped(Verb::Capture, 420), Leg::Step).1;
    assert_eq!(capture, head("Capture") + "<Amount>4.20</Amount>" + booked);
    assert_eq!(exchange(&stepped(Verb::Void, 0), Leg::Step).1, head("Void") + "</request>");
    assert_eq!(exchange(&transaction(Verb::Sale), Leg::Reversal).1, head("Status") + "</request>");
    let nothing = Tail::trusted(&[]);
    let refused = begin(Subject::Transaction(&transaction(Verb::Verification), nothing), Leg::Original);
    assert_eq!(refused.unwrap_err(), Unwritable::Verb(Verb::Verification));
    let mut nameless = transaction(Verb::Sale);
    nameless.rrn = [0; 12];
    assert_eq!(begin(Subject::Transaction(&nameless, nothing), Leg::Original).unwrap_err(), Unwritable::NoReference);
}

#[test]
fn totals_are_a_register_s() {
    let mut batch = Batch::empty();
    (batch.number, batch.members_number, batch.currency) = (12.into(), 11.into(), 392.into());
    (batch.capture_count, batch.captured) = (3.into(), 12_345.into());
    (batch.credit_count, batch.credited) = (1.into(), 45.into());
    let (mut exchange, first) = begin(Subject::Batch(&batch), Leg::Totals).unwrap();
    let expected = head("Settle").replace(REFERENCE, "000012000009")
        + "<Param>Close</Param><MembersBatchNum>11</MembersBatchNum><DebitCount>3</DebitCount><DebitAmount>12345</DebitAmount>\
           <CreditCount>1</CreditCount><CreditAmount>45</CreditAmount><CurrencyCode>392</CurrencyCode><BatchNum>12</BatchNum></request>";
    assert_eq!(xml(&first), expected);
    let said = |result_code, text: &str| answer("Settle", result_code, text, "").replace(REFERENCE, "000012000009");
    for (result_code, text, expected) in [
        (0, "GB000012%20ACCEPT", Verdict::Approved),
        (1, "QD1121%20000012", Verdict::Declined(ResponseCode::DUPLICATE_AT_PROCESSOR)),
        (1, "RB%20DEBIT%20COUNT", Verdict::Declined(ResponseCode::DECLINE)),
        (2, "SYSTEM%20ERROR", Verdict::TryLater),
    ] {
        assert_eq!(verdict(exchange.came(came(&said(result_code, text)))), expected, "{text}");
    }
    assert!(matches!(exchange.came(Came::Lost), Next::Lost));
}

/// The makers' sample answer, with the fields of the gateway's document.
const SAMPLE: &str = "<xmp>\n<response><RefId>632501000007</RefId><RegisterId>R1</RegisterId><TransNum>16</TransNum><ResultCode>0</ResultCode>\
    <RespMSG>APPROVAL%20FOR%20TAS961</RespMSG><Message>Approved</Message><AuthCode>TAS961</AuthCode><PNRef/><PaymentType>Credit</PaymentType>\
    <Voided>false</Voided><TransType>Sale</TransType><SN/><ExtData>Amount=5.00,InvNum=some%2cOrder,CardType=VISA,BatchNum=2,Tip=0.00,\
    CashBack=0.00,Fee=0.00,AcntLast4=8679,BIN=402321,Name=CARDHOLDER%2fVISA,SVC=0.00,TotalAmt=5.00,DISC=0.00,SHFee=0.00,RwdPoints=0,\
    RwdBalance=0,RwdIssued=,EBTFSLedgerBalance=,EntryType=CHIP Contactless,table_num=0,clerk_id=7,ticket_num=,AcntFirst4=4023</ExtData>\
    <EMVData>AID=A0000000031010,AppName=US DEBIT,TVR=8000008000,TSI=6800</EMVData><Sign>Qk0O/+8=</Sign></response></xmp>";

#[test]
fn an_answer_s_every_field_becomes_a_fact() {
    let (mut exchange, _) = exchange(&transaction(Verb::Sale), Leg::Original);
    let Next::Answered { answer, facts } = exchange.came(came(SAMPLE)) else { panic!() };
    assert_eq!((answer.verdict, answer.processor_code, &answer.auth_code), (Verdict::Approved, *b"0\0", b"TAS961"));
    assert_eq!((&answer.text, answer.avs, answer.cvv, answer.sent.leg), (b"APPROVAL FOR TAS", b'0', 0, Leg::Original));
    let facts = Tail::parse(&facts).unwrap();
    for (tag, text) in [
        (tag::PROCESSOR_TEXT, "APPROVAL FOR TAS961"),
        (tag::ENTRY_TYPE_TEXT, "contactless"),
        (tag::PAYMENT_TYPE, "credit"),
        (tag::CARD_TYPE, "visa"),
        (tag::FIRST_FOUR, "4023"),
        (tag::LAST_FOUR, "8679"),
        (tag::CARDHOLDER_NAME, "CARDHOLDER/VISA"),
        (tag::EMV_AID, "A0000000031010"),
        (tag::EMV_APP_NAME, "US DEBIT"),
        (tag::EMV_TVR, "8000008000"),
        (tag::EMV_TSI, "6800"),
        (tag::SIGNATURE_DATA, "Qk0O/+8="),
        (tag::AUTH_CODE_TEXT, ""),
    ] {
        assert_eq!(facts.text(tag), text, "{tag}");
    }
    let fields: Vec<(&str, &str)> = facts::pairs(facts.get(tag::PROCESSOR_FIELDS).unwrap()).collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let document = "BatchNum CashBack ClerkID DISC EBTCashAvailBalance EBTCashBeginBalance EBTCashLedgerBalance EBTFSAvailBalance \
                    EBTFSBeginBalance EBTFSLedgerBalance Fee InvNum Language ProcessData RefNo RewardCode RewardQR RwdBalance RwdIssued \
                    RwdPoints SHFee SVC TableNum TicketNum Tip TotalAmt";
    assert_eq!(names, document.split_whitespace().collect::<Vec<_>>());
    for (name, value) in [("ClerkID", "7"), ("InvNum", "some,Order"), ("TableNum", "0"), ("TotalAmt", "5.00"), ("TicketNum", "")]
    {
        assert!(fields.contains(&(name, value)), "{name}");
    }
}

#[test]
fn more_of_a_card_s_number_than_may_be_shown_is_not_kept() {
    let told = read(SAMPLE.replace("AcntFirst4=4023", "AcntFirst4=4023210000008679").as_bytes(), REFERENCE).unwrap();
    let facts = told.facts();
    assert_eq!(Tail::trusted(&facts).text(tag::FIRST_FOUR), "");
    assert!(!facts.windows(6).any(|window| window == b"402321"), "neither the BIN nor the number");
}

#[test]
fn amounts_decide_what_an_approval_means() {
    let usd = Currency::USD;
    let decide =
        |total: &str, tip: &str, pays_out| read(approved(total, tip).as_bytes(), REFERENCE).unwrap().verdict(500, pays_out, usd);
    assert_eq!(decide("5.00", "0.00", false), Some(Verdict::Approved));
    assert_eq!(decide("6.00", "1.00", false), Some(Verdict::WithTip { tip: 100 }));
    assert_eq!(decide("2.50", "0.00", false), Some(Verdict::Partial { approved: 250 }));
    for (total, tip, pays_out) in
        [("6.00", "0.00", false), ("6.00", "1.00", true), ("", "", false), ("5.001", "0", false), ("9", "x", false)]
    {
        assert_eq!(decide(total, tip, pays_out), None, "{total} {tip}");
    }
    let (mut exchange, _) = exchange(&transaction(Verb::Sale), Leg::Original);
    assert!(matches!(exchange.came(came(&approved("7.00", "1.00"))), Next::Lost), "charged otherwise than asked: unknown");
}

#[test]
fn every_text_has_its_code_and_no_row_hides_another() {
    for (at, (text, code)) in TEXTS.iter().enumerate() {
        assert_eq!(response_code(1, text), *code, "{text}");
        assert!(TEXTS[..at].iter().all(|(above, _)| !text.starts_with(above)), "{text} is never reached");
    }
    assert_eq!(response_code(1, "DECLINED"), ResponseCode::DECLINE);
    assert_eq!(response_code(2, "PAPER OUT"), ResponseCode::PROCESSOR_ERROR);
    let (mut exchange, _) = exchange(&transaction(Verb::Sale), Leg::Original);
    let declined = answer("Sale", 1, "INSUFFICIENT%20FUNDS", "");
    assert_eq!(verdict(exchange.came(came(&declined))), Verdict::Declined(ResponseCode::INSUFFICIENT_FUNDS));
}

#[test]
fn a_payment_is_asked_for_once_and_then_only_asked_about() {
    let status = head("Status") + "</request>";
    let (mut lost, _) = exchange(&transaction(Verb::Sale), Leg::Original);
    assert_eq!(asked(lost.came(Came::Lost)), status, "at once");
    let in_progress = answer("Status", 2, "IN%20PROGRESS", "");
    let mut waited = Vec::new();
    for _question in 0..3 {
        let Next::AskAfter { wait_ms, request } = lost.came(came(&in_progress)) else { panic!() };
        assert_eq!(xml(&request), status);
        waited.push(wait_ms);
    }
    assert_eq!(waited, [1_000, 2_000, 4_000]);
    assert_eq!(verdict(lost.came(came(&approved("5.00", "0.00")))), Verdict::Approved);

    let (mut unheard, _) = exchange(&transaction(Verb::Sale), Leg::Original);
    assert_eq!(asked(unheard.came(came("<garbage"))), status);
    assert!(matches!(unheard.came(came(&answer("Status", 1, "NOT%20FOUND", ""))), Next::Lost), "it may yet arrive (I6)");

    let (mut refused, _) = exchange(&transaction(Verb::Sale), Leg::Original);
    assert!(matches!(refused.came(Came::NotSent), Next::NotSent));
    let (mut cut, _) = exchange(&transaction(Verb::Sale), Leg::Original);
    assert_eq!(asked(cut.came(Came::Lost)), status);
    assert_eq!(asked(cut.came(Came::NotSent)), status, "the question was not sent, the payment was");

    let (mut voided, _) = exchange(&transaction(Verb::Sale), Leg::Original);
    asked(voided.came(Came::Lost));
    let taken_back = answer("Sale", 0, "APPROVAL", "<Voided>true</Voided><ExtData>TotalAmt=5.00</ExtData>");
    assert_eq!(verdict(voided.came(came(&taken_back))), Verdict::Declined(ResponseCode::DECLINE));
}

#[test]
fn a_terminal_that_never_answers_is_given_up() {
    let (mut exchange, _) = exchange(&transaction(Verb::Sale), Leg::Original);
    let mut requests = 1;
    while !matches!(exchange.came(Came::Lost), Next::Lost) {
        requests += 1;
    }
    assert_eq!(requests, u32::from(EXCHANGE_REQUESTS_MAX));
}

#[test]
fn a_capture_and_a_void_are_repeated_only_when_the_terminal_has_not_done_them() {
    let captured = |amount: &str| answer("Capture", 0, "APPROVAL", &format!("<ExtData>Amount={amount}</ExtData>"));
    let (mut capture, first) = exchange(&stepped(Verb::Capture, 420), Leg::Step);
    assert_eq!(asked(capture.came(Came::Lost)), head("Status") + "</request>");
    assert_eq!(asked(capture.came(came(&answer("Auth", 0, "APPROVAL", "<ExtData>Amount=5.00</ExtData>")))), first);
    asked(capture.came(Came::Lost));
    assert_eq!(verdict(capture.came(came(&captured("4.20")))), Verdict::Approved);
    let (mut refused, _) = exchange(&stepped(Verb::Capture, 420), Leg::Step);
    let amount_error = answer("Capture", 1, "INVALID%20AMOUNT", "");
    assert_eq!(verdict(refused.came(came(&amount_error))), Verdict::Declined(ResponseCode::INVALID_AMOUNT));

    let (mut void, first) = exchange(&stepped(Verb::Void, 0), Leg::Step);
    asked(void.came(Came::Lost));
    assert_eq!(asked(void.came(came(&approved("5.00", "0.00")))), first);
    asked(void.came(Came::Lost));
    assert_eq!(verdict(void.came(came(&answer("Sale", 0, "APPROVAL", "<Voided>true</Voided>")))), Verdict::Approved);
    let (mut gone, _) = exchange(&stepped(Verb::Void, 0), Leg::Step);
    asked(gone.came(Came::Lost));
    let unknown = answer("Status", 1, "NOT%20FOUND", "");
    assert_eq!(verdict(gone.came(came(&unknown))), Verdict::Declined(ResponseCode::INVALID_TRANSACTION));
}

#[test]
fn a_reversal_takes_back_what_stands_and_forbids_what_does_not() {
    let sale = transaction(Verb::Sale);
    let void = head("Void") + "<VoidReason>Timeout</VoidReason></request>";
    let cancel = head("Cancel") + "</request>";
    let (mut stands, _) = exchange(&sale, Leg::Reversal);
    assert_eq!(asked(stands.came(came(&approved("5.00", "0.00")))), void);
    assert_eq!(verdict(stands.came(came(&answer("Sale", 0, "APPROVAL", "<Voided>true</Voided>")))), Verdict::Receipt);
    for nothing_stands in [
        answer("Sale", 1, "DECLINED", ""),
        answer("Sale", 0, "APPROVAL", "<Voided>true</Voided>"),
        answer("Sale", 2, "TERMINAL%20ERROR", ""),
    ] {
        assert_eq!(verdict(exchange(&sale, Leg::Reversal).0.came(came(&nothing_stands))), Verdict::Receipt);
    }
    for undecided in [answer("Status", 1, "NOT%20FOUND", ""), answer("Status", 2, "IN%20PROGRESS", "")] {
        let (mut exchange, _) = exchange(&sale, Leg::Reversal);
        assert_eq!(asked(exchange.came(came(&undecided))), cancel);
        assert_eq!(verdict(exchange.came(came(&answer("Cancel", 0, "CANCELED", "")))), Verdict::Receipt);
    }
    let (mut overtaken, _) = exchange(&sale, Leg::Reversal);
    asked(overtaken.came(came(&answer("Status", 2, "IN%20PROGRESS", ""))));
    assert_eq!(asked(overtaken.came(came(&answer("Cancel", 1, "ALREADY%20APPROVED", "")))), void);
    assert_eq!(verdict(overtaken.came(came(&answer("Void", 1, "ALREADY%20SETTLED", "")))), Verdict::TryLater, "for a person");
    let no_key = answer("Status", 2, "INVALID%20AUTH%20KEY", "");
    assert_eq!(verdict(exchange(&sale, Leg::Reversal).0.came(came(&no_key))), Verdict::TryLater);
    assert!(matches!(exchange(&sale, Leg::Reversal).0.came(Came::Lost), Next::Lost), "the shard repeats it");
    assert!(matches!(exchange(&sale, Leg::Reversal).0.came(Came::NotSent), Next::NotSent));
}

#[test]
fn an_answer_to_another_reference_is_none() {
    assert_eq!(read(SAMPLE.as_bytes(), "632501000008"), None);
    assert_eq!(read(SAMPLE.replace("<ResultCode>0", "<ResultCode>").as_bytes(), REFERENCE), None);
    assert_eq!(read(b"<!DOCTYPE a [<!ENTITY b \"x\">]><xmp/>", REFERENCE), None);
    let mut exchange = exchange(&transaction(Verb::Sale), Leg::Original).0;
    assert_eq!(asked(exchange.came(Came::Answer { status: 500, body: SAMPLE.as_bytes() })), head("Status") + "</request>");
}

proptest! {
    #[test]
    fn bytes_from_outside_never_panic(cut in 0..SAMPLE.len(), at in 0..SAMPLE.len(), byte in any::<u8>(), noise in ".{0,80}") {
        let mut spoiled = SAMPLE.as_bytes()[..cut].to_vec();
        spoiled.get_mut(at).into_iter().for_each(|place| *place = byte);
        let other = answer(&noise, 0, &noise, &format!("<ExtData>{noise}</ExtData><EMVData>{noise}</EMVData>"));
        for body in [spoiled, other.into_bytes(), SAMPLE.replace("CARDHOLDER", &noise).into_bytes()] {
            if let Some(told) = read(&body, REFERENCE) {
                prop_assert!(Tail::parse(&told.facts()).is_ok());
                told.verdict(500, false, Currency::USD);
            }
            let (mut exchange, _) = exchange(&transaction(Verb::Sale), Leg::Original);
            exchange.came(Came::Answer { status: 200, body: &body });
        }
    }
}
