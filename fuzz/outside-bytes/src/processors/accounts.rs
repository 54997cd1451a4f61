//! Both ends of an ACH gateway's wire: our exchange and our reading of the feed against any host, the sandbox's host against any client.

use crate::script::Script;
use protocol::calendar::Micros;
use protocol::exchange::Exchange as Sending;
use protocol::id::Xid;
use protocol::secret::AccountNumber;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::Verb;
use protocol::xml::Document;
use sandbox::ledger::{ROW_BYTES, Row};
use sandbox::sage::Host;
use sandbox::sage::wire::{PATH, RETURNS_PATH};
use sandbox::shell::Host as _;
use sandbox::web::{Asked, Reply, WebHost};
use switch_core::connectors::exchange::{Came, Next};
use switch_core::connectors::sage::{AccountData, Exchange, Originator, Outgoing, feed};
use switch_core::input::{Leg, Sent};
use switch_core::output::{Request, Subject};

/// 2026-11-21T01:30:42Z.
const NOW: Micros = Micros(1_795_224_642_000_000);
const STEPS_MAX: u32 = 60;
const AMOUNTS: [&str; 10] =
    ["1.00", "25.01", "-3.00", "9000.06", "9101.01", "9102.10", "9103.01", "9002.02", "1.5", "99999999999999999999.00"];

/// Any answer to one request. Only an answer decides, and only one to this very request; its facts are a tail.
pub fn any_answers(input: &[u8]) {
    let mut script = Script::new(input);
    let mut sale = Transaction::empty();
    sale.verb = Verb::Sale.number();
    (sale.id, sale.rrn) = (Xid([1; 12]), *b"632501000007");
    (sale.amount, sale.currency) = (500.into(), 840.into());
    sale.original = Sending::in_flight(Verb::Sale, 7, 500, NOW, NOW.plus_s(5));
    sale.step = Sending::in_flight(Verb::Void, 7, 500, NOW, NOW.plus_s(5));
    let mut fields = Vec::new();
    tail::push(&mut fields, tag::SEC_CODE, b"web");
    let sent = Sent { id: sale.id, leg: script.one_of([Leg::Original, Leg::Step, Leg::Reversal]), stan: 7 };
    let request = Request { processor: 3, sent, repeat: false, subject: Subject::Transaction(&sale, Tail::trusted(&fields)) };
    let originator = Originator { user_name: "TERM0001".to_owned(), password: "p".to_owned().into() };
    let Some(number) = AccountNumber::new("24413815") else { return };
    let account = Some(AccountData { routing: "011000015", number: &number, licence: None });
    let Ok((mut exchange, _)) = Exchange::begin(&Outgoing { request, originator: &originator, account }) else { return };
    let (status, body) = any_answer(&mut script);
    match exchange.came(Came::Answer { status, body: &body }) {
        Next::Answered { answer, facts } => {
            assert!(answer.sent == sent && Tail::parse(&facts).is_ok());
            assert!(status == 500 || body.windows(12).any(|window| window == b"632501000007"), "it names the request");
        }
        Next::Lost => {}
        other => panic!("an answer is not {other:?}"),
    }
}

/// An answer that is right, nearly right, or any bytes.
fn any_answer(script: &mut Script<'_>) -> (u16, Vec<u8>) {
    if script.below(4) == 0 {
        return (script.one_of([200, 500]), script.piece().to_vec());
    }
    let (letter, kind) = (script.one_of(["A", "V", "F", "A"]), script.one_of(["A", "D", "W", "VA", "VE", "Q"]));
    let (result, code) =
        (script.one_of(["0", "136", "4294967295", "-1"]), script.one_of(["AUTH NUM 272-172", "MICR ERROR", "\u{e9}", ""]));
    let packet = format!(
        "<RESPONSE REQUEST_ID=\"632501000007-000007-{letter}\"><AUTHORIZATION_MESSAGE><TRANSACTION_ID>632501000007</TRANSACTION_ID>\
         <RESPONSE_TYPE>{kind}</RESPONSE_TYPE><RESULT_CODE>{result}</RESULT_CODE><TYPE_CODE>{result}</TYPE_CODE><CODE>{code}</CODE>\
         <MESSAGE>APPROVAL</MESSAGE></AUTHORIZATION_MESSAGE></RESPONSE>"
    );
    let mut body = enveloped("XResponse", "XResult", &packet).into_bytes();
    let spoiled = if script.below(4) == 0 { script.piece() } else { &[] };
    for change in spoiled.chunks_exact(2) {
        let at = usize::from(change[0]) % body.len();
        body[at] ^= change[1];
    }
    (script.one_of([200, 200, 500]), body)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn enveloped(outer: &str, inner: &str, packet: &str) -> String {
    format!("<e><Body><{outer}><{inner}>{}</{inner}></{outer}></Body></e>", escaped(packet))
}

/// Any bytes as a page of the feed, and as a document. A page that is read ascends without gaps from what was asked for.
pub fn any_feed(input: &[u8]) {
    let _ = Document::parse(input);
    for after in [0, 5, u64::MAX] {
        let Ok(page) = feed::read(input, after) else { continue };
        let mut expected = after;
        for notice in page.notices {
            expected = expected.saturating_add(1);
            assert_eq!(notice.sequence, expected);
            assert!(Tail::parse(&notice.facts().finish()).is_ok());
        }
    }
}

/// Any row of requests and passing days. Rows of the ledger are whole, numbered and sealed; a request that comes again writes none; a
/// host that reads the ledger anew gives the same feed, which our end reads.
pub fn any_requests(input: &[u8]) {
    let mut script = Script::new(input);
    let (mut host, mut rows, mut now) = (Host::new(100), Vec::new(), NOW);
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        match script.below(8) {
            0 => drop(ask(&mut host, &mut rows, now, script.piece())),
            1 => now = now.plus_s(script.word() % 500_000),
            _ => {
                let request = any_request(&mut script);
                ask(&mut host, &mut rows, now, request.as_bytes());
                let before = rows.len();
                ask(&mut host, &mut rows, now, request.as_bytes());
                let is_void = request.contains("IDENTIFIER&gt;V");
                assert!(is_void || rows.len() == before, "a request that comes again has no second effect");
            }
        }
    }
    let told = page(&mut host, &mut rows, now);
    let mut anew = Host::new(100);
    rows.iter().for_each(|row| anew.reload(row));
    assert_eq!(page(&mut anew, &mut rows, now), told);
    assert!(feed::read(&told, 0).is_ok());
}

/// Takes what the host wants written, as whoever drives it must.
fn note(host: &mut Host, rows: &mut Vec<Row>) {
    for bytes in host.unwritten().chunks(ROW_BYTES) {
        let row = Row::open(bytes).expect("a row is whole and sealed");
        assert_eq!(row.ordinal, rows.len() as u64);
        rows.push(row);
    }
    host.rows_written();
}

fn ask(host: &mut Host, rows: &mut Vec<Row>, now: Micros, body: &[u8]) -> Reply {
    let reply = host.accept(now, &Asked { method: "POST", path: PATH, query: "", body });
    note(host, rows);
    reply
}

fn page(host: &mut Host, rows: &mut Vec<Row>, now: Micros) -> Vec<u8> {
    let reply = host.accept(now, &Asked { method: "GET", path: RETURNS_PATH, query: "after=0", body: b"" });
    note(host, rows);
    match reply {
        Reply::Answer(answer, _) => answer.body,
        other => panic!("the feed is answered, not {other:?}"),
    }
}

fn any_request(script: &mut Script<'_>) -> String {
    let (letter, number, amount) = (script.one_of(["A", "A", "V", "F", "R"]), script.below(5), script.one_of(AMOUNTS));
    let routing = script.one_of(["011000015", "000000001", "000000002", "490000018", "490000015", "011000016"]);
    let batch = script.below(3);
    let header =
        "<AuthGatewayHeader><UserName>T1</UserName><Password>p</Password><TerminalID>2310</TerminalID></AuthGatewayHeader>";
    let call = if script.below(6) == 0 {
        let packet = format!(
            "<A><SETTLEMENT><BATCH_NUMBER>{number}</BATCH_NUMBER><MEMBERS_NUMBER>{batch}</MEMBERS_NUMBER><TRACE_NUMBER>{number}</TRACE_NUMBER>\
             <DEBIT_COUNT>{number}</DEBIT_COUNT><DEBIT_AMOUNT>{}.00</DEBIT_AMOUNT><CREDIT_COUNT>0</CREDIT_COUNT>\
             <CREDIT_AMOUNT>0.00</CREDIT_AMOUNT></SETTLEMENT></A>",
            script.below(4)
        );
        format!("<SettleBatch><DataPacket>{}</DataPacket></SettleBatch>", escaped(&packet))
    } else {
        let packet = format!(
            "<A REQUEST_ID=\"RRN00000000{number}-000001-{letter}\"><TRANSACTION><TRANSACTION_ID>RRN00000000{number}</TRANSACTION_ID>\
             <MERCHANT><TERMINAL_ID>2310</TERMINAL_ID></MERCHANT><PACKET><IDENTIFIER>{letter}</IDENTIFIER><ACCOUNT>\
             <ROUTING_NUMBER>{routing}</ROUTING_NUMBER><ACCOUNT_NUMBER>1</ACCOUNT_NUMBER><ACCOUNT_TYPE>Checking</ACCOUNT_TYPE></ACCOUNT>\
             <CONSUMER/><CHECK><CHECK_AMOUNT>{amount}</CHECK_AMOUNT></CHECK><BATCH_NUMBER>{batch}</BATCH_NUMBER></PACKET></TRANSACTION></A>"
        );
        format!("<ProcessSingleCheck><DataPacket>{}</DataPacket></ProcessSingleCheck>", escaped(&packet))
    };
    format!("<e><Header>{header}</Header><Body>{call}</Body></e>")
}
