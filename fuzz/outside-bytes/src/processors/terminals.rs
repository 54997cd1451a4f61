//! Both ends of a terminal's wire: our exchange against any host, the sandbox's host against any register.

use crate::script::Script;
use protocol::calendar::Micros;
use protocol::exchange::Exchange as Sending;
use protocol::id::Xid;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use sandbox::ledger::{ROW_BYTES, Row};
use sandbox::shell::Host as _;
use sandbox::spin::{AUTH_KEY, Host, PATH};
use sandbox::web::{Asked, Reply, WebHost};
use switch_core::connectors::dejavoo::{Exchange, Outgoing, Register};
use switch_core::connectors::exchange::{Came, EXCHANGE_REQUESTS_MAX, HttpRequest, Next};
use switch_core::input::{Leg, Sent, Verdict};
use switch_core::output::{Request, Subject};

/// 2026-11-21T01:30:42Z.
const NOW: Micros = Micros(1_795_224_642_000_000);
const REFERENCE: &[u8; 12] = b"632501000007";
const STEPS_MAX: u32 = 60;
const TEXTS: [&str; 8] = [
    "APPROVAL%20TAS001",
    "DECLINED",
    "NOT%20FOUND",
    "IN%20PROGRESS",
    "ALREADY%20APPROVED",
    "CANCELED",
    "INVALID%20AUTH%20KEY",
    "%zz%",
];
const TRANS_TYPES: [&str; 6] = ["Sale", "Auth", "Capture", "Status", "Cancel", "Void"];

/// Any row of answers to one exchange. It ends; it makes so many requests at most; a payment is asked for once; what it says was
/// approved is an answer's word, and its facts are a tail.
pub fn any_answers(input: &[u8]) {
    let mut script = Script::new(input);
    let (transaction, leg) = any_transaction(&mut script);
    let register = Register { id: "R1".to_owned(), auth_key: "k".to_owned().into(), tpn: "000000000001".to_owned() };
    let sent = Sent { id: transaction.id, leg, stan: 7 };
    let subject = Subject::Transaction(&transaction, Tail::trusted(&[]));
    let request = Request { processor: 1, sent, repeat: false, subject };
    let outgoing = Outgoing { request, register: &register, cvv: None };
    let Ok((mut exchange, first)) = Exchange::begin(&outgoing) else { return };
    let mut payments = u8::from(asks_for_money(&first));
    for count in 1.. {
        assert!(count <= EXCHANGE_REQUESTS_MAX, "an exchange ends");
        let body = any_answer(&mut script);
        let (was_heard, came) = match script.below(8) {
            0 => (false, Came::Lost),
            1 => (false, Came::NotSent),
            2 => (false, Came::Answer { status: 500, body: &body }),
            _ => (true, Came::Answer { status: 200, body: &body }),
        };
        match exchange.came(came) {
            Next::Ask(request) | Next::AskAfter { request, .. } => payments += u8::from(asks_for_money(&request)),
            Next::Answered { answer, facts } => {
                assert!(was_heard && answer.sent == sent, "only an answer decides");
                let is_step = leg != Leg::Original;
                assert!(!is_step || !matches!(answer.verdict, Verdict::Partial { .. } | Verdict::WithTip { .. }));
                assert!(Tail::parse(&facts).is_ok());
                break;
            }
            Next::NotSent => {
                assert!(count == 1 && !was_heard, "what may have been sent is never called unsent");
                break;
            }
            Next::Lost => break,
        }
    }
    assert!(payments <= 1, "a payment is asked for once");
}

fn any_transaction(script: &mut Script<'_>) -> (Transaction, Leg) {
    let verb = script.one_of([Verb::Sale, Verb::Authorize, Verb::Credit, Verb::Refund, Verb::Verification]);
    let mut transaction = Transaction::empty();
    transaction.verb = verb.number();
    (transaction.id, transaction.rrn) = (Xid([1; 12]), *REFERENCE);
    (transaction.amount, transaction.currency) = (500.into(), script.one_of([840, 392, 48]).into());
    transaction.original = Sending::in_flight(verb, 7, 500, NOW, NOW.plus_s(5));
    let step = script.one_of([Verb::Capture, Verb::Void]);
    transaction.step = Sending::in_flight(step, 7, 300, NOW, NOW.plus_s(5));
    (transaction, script.one_of([Leg::Original, Leg::Step, Leg::Reversal]))
}

/// `TransType` is percent-encoded in the form; no other element begins so.
fn asks_for_money(request: &HttpRequest) -> bool {
    let form = String::from_utf8_lossy(&request.body);
    ["Sale", "Auth", "Return"].iter().any(|word| form.contains(&format!("%3CTransType%3E{word}%3C")))
}

/// An answer that is right, nearly right, or any bytes.
fn any_answer(script: &mut Script<'_>) -> Vec<u8> {
    if script.below(4) == 0 {
        return script.piece().to_vec();
    }
    let (trans_type, text, code) = (script.one_of(TRANS_TYPES), script.one_of(TEXTS), script.below(4));
    let (voided, total) = (script.one_of(["true", "false"]), script.one_of(["5.00", "6.00", "2.50", "3.00", "500", "x"]));
    let (tip, reference) = (script.one_of(["0.00", "1.00", ""]), script.one_of(["632501000007", "632501000007", "1"]));
    let mut body = format!(
        "<xmp><response><RefId>{reference}</RefId><ResultCode>{code}</ResultCode><RespMSG>{text}</RespMSG><Voided>{voided}</Voided>\
         <TransType>{trans_type}</TransType><ExtData>Amount={total},Tip={tip},TotalAmt={total},Name=%2f%ff</ExtData></response></xmp>"
    )
    .into_bytes();
    let spoiled = if script.below(4) == 0 { script.piece() } else { &[] };
    for change in spoiled.chunks_exact(2) {
        let at = usize::from(change[0]) % body.len();
        body[at] ^= change[1];
    }
    body
}

/// Any row of requests, persons who are done, and restarts. Rows of the ledger are whole, numbered and sealed; a question of status
/// writes none; a payment that comes again has no second effect; a host that reads the ledger anew tells the same of every reference.
pub fn any_requests(input: &[u8]) {
    let mut script = Script::new(input);
    let mut play = Play { host: Host::new(100), rows: Vec::new(), tickets: Vec::new(), now: NOW };
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        play.step(&mut script);
    }
    play.restart();
}

struct Play {
    host: Host,
    rows: Vec<Row>,
    /// Payments that persons are at.
    tickets: Vec<u64>,
    now: Micros,
}

impl Play {
    fn step(&mut self, script: &mut Script<'_>) {
        match script.below(8) {
            0 => {
                let body = script.piece();
                self.ask(body);
            }
            1 => self.now = self.now.plus_s(script.word() % 500_000),
            2 => {
                if let Some(ticket) = self.tickets.pop() {
                    let reply = self.host.resume(self.now, ticket, script.below(2) == 0);
                    self.note(&reply);
                }
            }
            _ => {
                let request = any_request(script);
                self.ask(request.as_bytes());
                if script.below(4) == 0 {
                    let before = self.rows.len();
                    self.ask(request.as_bytes());
                    let repeats_money = ["Sale", "Auth", "Return"].iter().any(|word| request.contains(word));
                    assert!(!repeats_money || self.rows.len() == before || !self.rows[before].is_approved(), "no second effect");
                }
            }
        }
    }

    fn ask(&mut self, body: &[u8]) {
        let before = self.rows.len();
        let reply = self.host.accept(self.now, &Asked { method: "POST", path: PATH, query: "", body });
        self.note(&reply);
        let asks_status = body.windows(6).any(|window| window == b"Status") && !body.contains(&b'%');
        assert!(!asks_status || self.rows.len() == before, "a question changes nothing");
    }

    /// Takes what the host wants written, as whoever drives it must.
    fn note(&mut self, reply: &Reply) {
        for bytes in self.host.unwritten().chunks(ROW_BYTES) {
            let row = Row::open(bytes).expect("a row is whole and sealed");
            assert_eq!(row.ordinal, self.rows.len() as u64);
            self.rows.push(row);
        }
        self.host.rows_written();
        if let Reply::Wait { ticket, .. } = reply {
            self.tickets.push(*ticket);
        }
    }

    fn status(host: &mut Host, now: Micros, reference: u8) -> Vec<u8> {
        let body = request("Status", reference, 1, "");
        match host.accept(now, &Asked { method: "POST", path: PATH, query: "", body: body.as_bytes() }) {
            Reply::Answer(answer, _) => answer.body,
            other => panic!("a question is answered, not {other:?}"),
        }
    }

    fn restart(mut self) {
        // What persons were at is gone with the machine.
        for ticket in std::mem::take(&mut self.tickets) {
            let reply = self.host.resume(self.now, ticket, true);
            self.note(&reply);
        }
        let mut anew = Host::new(100);
        self.rows.iter().for_each(|row| anew.reload(row));
        for reference in 0..REFERENCES {
            let told = [&mut self.host, &mut anew].map(|host| without_invoice(&Play::status(host, self.now, reference)));
            assert_eq!(told[0], told[1], "reference {reference}");
        }
    }
}

/// References that requests are about: few, so that they come again.
const REFERENCES: u8 = 5;

fn request(trans_type: &str, reference: u8, terminal: u8, fields: &str) -> String {
    format!(
        "<request><TransType>{trans_type}</TransType><RefId>RRN{reference}</RefId><RegisterId>R1</RegisterId>\
         <TPN>{terminal:012}</TPN><AuthKey>{AUTH_KEY}</AuthKey>{fields}</request>"
    )
}

fn any_request(script: &mut Script<'_>) -> String {
    let trans_type = script.one_of(["Sale", "Auth", "Return", "Capture", "Void", "Status", "Cancel", "Settle", "TipAdjust"]);
    let (reference, terminal) = (script.below(REFERENCES), script.below(6));
    let amount = script.one_of(["5.00", "6.00", "0.00", "9000.10", "9000.05", "9004.02", "9004.03", "1.5"]);
    let batch = script.below(3);
    let (debits, debited) = (script.below(4), script.one_of(["0.00", "5.00", "6.00", "10.00", "11.00"]));
    let original = if script.below(3) == 0 {
        format!("<OriginalRefId>RRN{}</OriginalRefId>", script.below(REFERENCES))
    } else {
        String::new()
    };
    let fields = format!(
        "<Amount>{amount}</Amount><BatchNum>{batch}</BatchNum>{original}<Param>Close</Param><MembersBatchNum>{batch}</MembersBatchNum>\
         <DebitCount>{debits}</DebitCount><DebitAmount>{debited}</DebitAmount><CreditCount>0</CreditCount><CreditAmount>0.00</CreditAmount>"
    );
    request(trans_type, reference, terminal, &fields)
}

/// The invoice number and the signature are not in the ledger.
fn without_invoice(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body).into_owned();
    let Some((head, rest)) = text.split_once("InvNum=") else { return text };
    format!("{head}{}", rest.split_once(',').map_or("", |(_, behind)| behind))
}
