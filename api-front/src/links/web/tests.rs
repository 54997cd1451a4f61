//! Exchanges as a value, step by step; then over real sockets with the sandbox's terminals at the other end.

use super::connector::Connector;
use super::traffic::{Happened, Ticket, WebOptions, WebTraffic};
use crate::config::ProcessorSettings;
use crate::links::order::Order;
use crate::links::{LinkHandle, Links, Outboxes, Prepared, Shared};
use crate::payment_threads::Homes;
use crate::switch::clock::Clock;
use crate::switch::directory::{AcceptorTable, AtTerminal, ProcessorKind, TerminalTable};
use crate::switch::door::{Door, Inside, Return};
use crate::switch::sensitive_table::SensitiveTable;
use persistence::sealing::Sealer;
use protocol::calendar::Micros;
use protocol::exchange::{Exchange, Reversal};
use protocol::id::Xid;
use protocol::tail::{Tail, push, tag};
use protocol::transaction::Transaction;
use protocol::words::{ReversalReason, ReversalState, Status, Verb};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use switch_core::connectors::dejavoo::Register;
use switch_core::connectors::exchange::Came;
use switch_core::input::{Answer, Leg, Sent, Verdict};
use switch_core::output::{Request, Subject};

const PROCESSOR: u16 = 3;
const SHARD: u16 = 1;
const NOW: Micros = Micros(1_795_224_642_000_000);
const PATIENCE: Duration = Duration::from_secs(5);

fn merchant() -> Xid {
    Xid([1; 12])
}

/// The merchant's terminals 1 to 4.
fn terminal(digit: u8) -> Xid {
    Xid([0x40 + digit; 12])
}

fn terminals() -> TerminalTable {
    TerminalTable::of((1..=4).map(|digit| {
        let auth_key = sandbox::spin::AUTH_KEY.to_owned().into();
        let register = Register { id: "R1".to_owned(), auth_key, tpn: format!("{digit:012}") };
        (terminal(digit), AtTerminal { merchant: merchant(), active: true, register })
    }))
}

/// A sale at a terminal, and its tail.
fn sale(number: u8, at: Xid, amount: u64, now: Micros, deadline: Micros) -> (Transaction, Vec<u8>) {
    let mut transaction = Transaction::empty();
    transaction.id = Xid([number; 12]);
    transaction.merchant = merchant();
    transaction.verb = Verb::Sale.number();
    transaction.status = Status::Pending.number();
    transaction.currency = 840.into();
    transaction.rrn = *b"RRN000000000";
    transaction.rrn[11] = number;
    transaction.amount = amount.into();
    transaction.batch_number = 1.into();
    transaction.original = Exchange::in_flight(Verb::Sale, u32::from(number), amount, now, deadline);
    let mut tail = Vec::new();
    push(&mut tail, tag::TERMINAL_ID, at.to_string().as_bytes());
    (transaction, tail)
}

fn request<'a>(transaction: &'a Transaction, tail: &'a [u8], leg: Leg) -> Request<'a> {
    let sent = Sent { id: transaction.id, leg, stan: transaction.original.stan.get() };
    Request { processor: PROCESSOR, sent, repeat: false, subject: Subject::Transaction(transaction, Tail::trusted(tail)) }
}

/// Traffic of a link to terminals, and what has happened so far.
struct Value {
    traffic: WebTraffic,
}

impl Value {
    fn new() -> Value {
        let connector = Connector::Dejavoo { terminals: terminals(), sensitive: Arc::new(SensitiveTable::new(8)) };
        let (name, meter) = ("terminal".to_owned(), Arc::default());
        Value { traffic: WebTraffic::new(WebOptions { index: PROCESSOR, name, connector, timeout_ms: 1_000, meter }) }
    }

    fn submit(&mut self, number: u8, at: Xid, leg: Leg) {
        let (transaction, tail) = sale(number, at, 500, NOW, NOW.plus_s(5));
        self.traffic.submit(Order::copy_of(SHARD, &request(&transaction, &tail, leg)), NOW);
    }

    /// The request that is to be sent next.
    fn asked(&mut self) -> (Ticket, u32, Micros) {
        match self.traffic.poll() {
            Some(Happened::Ask { ticket, wait_ms, until, .. }) => (ticket, wait_ms, until),
            other => panic!("a request, not {other:?}"),
        }
    }

    fn given(&mut self) -> Return {
        match self.traffic.poll() {
            Some(Happened::Give { shard: SHARD, returned }) => returned,
            other => panic!("something for the shard, not {other:?}"),
        }
    }
}

fn answer(number: u8, trans_type: &str, result_code: u8, text: &str) -> String {
    format!(
        "<xmp><response><RefId>RRN00000000{}</RefId><ResultCode>{result_code}</ResultCode><RespMSG>{text}</RespMSG>\
         <TransType>{trans_type}</TransType><ExtData>TotalAmt=5.00</ExtData></response></xmp>",
        char::from(number)
    )
}

fn approved(number: u8) -> String {
    answer(number, "Sale", 0, "APPROVAL")
}

fn came(body: &str) -> Came<'_> {
    Came::Answer { status: 200, body: body.as_bytes() }
}

#[test]
fn a_terminal_at_work_turns_payments_down_and_lets_reversals_wait() {
    let mut link = Value::new();
    link.submit(b'1', terminal(1), Leg::Original);
    let (first, wait_ms, until) = link.asked();
    assert_eq!((wait_ms, until), (0, NOW.plus_s(1)));
    link.submit(b'2', terminal(1), Leg::Original);
    assert!(matches!(link.given(), Return::NotTaken(sent) if sent.id == Xid([b'2'; 12])));
    for _repeat in 0..2 {
        link.submit(b'3', terminal(1), Leg::Reversal);
    }
    assert!(link.traffic.poll().is_none(), "they wait, and a repeat is one with the first");
    link.submit(b'4', terminal(2), Leg::Original);
    let (other, ..) = link.asked();
    link.traffic.came(first, came(&approved(b'1')), NOW);
    assert!(matches!(link.given(), Return::Answer { answer, .. } if answer.verdict == Verdict::Approved));
    let (reversal, ..) = link.asked();
    assert!(![first, other].contains(&reversal));
    link.traffic.came(reversal, came(&answer(b'3', "Sale", 1, "DECLINED")), NOW);
    assert!(matches!(link.given(), Return::Answer { answer, .. } if answer.verdict == Verdict::Receipt));
    assert!(link.traffic.poll().is_none() && !link.traffic.is_idle());
    link.traffic.came(other, Came::NotSent, NOW);
    assert!(matches!(link.given(), Return::NotSent(_)));
    assert!(link.traffic.is_idle());
}

#[test]
fn a_payment_waits_for_a_reversal_and_a_second_one_for_nobody() {
    let mut link = Value::new();
    link.submit(b'1', terminal(1), Leg::Reversal);
    let (reversal, ..) = link.asked();
    link.submit(b'2', terminal(1), Leg::Original);
    link.submit(b'3', terminal(1), Leg::Original);
    assert!(link.traffic.poll().is_none(), "it is soon over");
    link.traffic.came(reversal, came(&answer(b'1', "Sale", 1, "DECLINED")), NOW.plus_ms(3));
    assert!(matches!(link.given(), Return::Answer { .. }));
    let (payment, ..) = link.asked();
    assert!(matches!(link.given(), Return::NotTaken(sent) if sent.id == Xid([b'3'; 12])));
    link.traffic.came(payment, came(&approved(b'2')), NOW.plus_ms(4));
    assert!(matches!(link.given(), Return::Answer { answer, .. } if answer.verdict == Verdict::Approved));
    assert!(link.traffic.is_idle());
}

#[test]
fn questions_end_with_the_deadline() {
    let mut link = Value::new();
    link.submit(b'1', terminal(1), Leg::Original);
    let (ticket, ..) = link.asked();
    link.traffic.came(ticket, Came::Lost, NOW.plus_s(1));
    assert_eq!(link.asked(), (ticket, 0, NOW.plus_s(2)), "a question of status at once, as long as one request may take");
    let in_progress = answer(b'1', "Status", 2, "IN%20PROGRESS");
    link.traffic.came(ticket, came(&in_progress), NOW.plus_ms(4_000));
    let (_, wait_ms, until) = link.asked();
    assert_eq!((wait_ms, until), (500, NOW.plus_s(5)), "half of what is left, so that an answer can come in time");
    link.traffic.came(ticket, came(&in_progress), NOW.plus_ms(4_990));
    assert!(matches!(link.given(), Return::Lost(sent) if sent.leg == Leg::Original));
    link.traffic.came(ticket, came(&approved(b'1')), NOW.plus_s(6));
    assert!(link.traffic.poll().is_none() && link.traffic.is_idle(), "what comes later belongs to nothing");
}

#[test]
fn what_can_t_be_written_is_turned_down() {
    let mut link = Value::new();
    link.submit(b'1', Xid([9; 12]), Leg::Original);
    assert!(matches!(link.given(), Return::NotTaken(_)), "no such terminal");
    let (transaction, tail) = sale(b'2', terminal(1), 500, NOW, NOW);
    link.traffic.submit(Order::copy_of(SHARD, &request(&transaction, &tail, Leg::Original)), NOW);
    assert!(matches!(link.given(), Return::NotTaken(_)), "the shard waits no more");
    let (mut foreign, tail) = sale(b'3', terminal(1), 500, NOW, NOW.plus_s(5));
    foreign.merchant = Xid([2; 12]);
    link.traffic.submit(Order::copy_of(SHARD, &request(&foreign, &tail, Leg::Original)), NOW);
    assert!(matches!(link.given(), Return::NotTaken(_)), "another merchant's terminal");
    assert!(link.traffic.is_idle());
}

/// A link of two shards to a terminal host.
struct Fixture {
    links: Links,
    outboxes: Outboxes,
    link: LinkHandle,
    clock: Clock,
    insides: Vec<Inside>,
    _keys: tempfile::TempDir,
}

impl Fixture {
    fn to(addr: SocketAddr) -> Fixture {
        let keys = tempfile::tempdir().unwrap();
        let (doors, insides) = (0..2).map(|_| Door::new(1)).unzip();
        let sealer = Arc::new(Sealer::open_or_create(&keys.path().join("keys")).unwrap());
        let (clock, sensitive) = (Clock::start_after(Micros::NONE), Arc::new(SensitiveTable::new(8)));
        let shared = Shared {
            clock,
            sealer,
            sensitive,
            homes: Homes::here(),
            doors,
            acceptors: AcceptorTable::default(),
            terminals: terminals(),
            history: None,
        };
        let of_sandbox = ProcessorSettings::of_sandbox("terminal", ProcessorKind::Dejavoo, addr);
        let settings = ProcessorSettings { timeout_ms: 2_000, ..of_sandbox };
        let mut prepared = Prepared::default();
        let link = prepared.add(PROCESSOR, &settings).unwrap();
        let outboxes = prepared.outboxes();
        let links = prepared.start(&shared);
        Fixture { links, outboxes, link, clock, insides, _keys: keys }
    }

    /// Hands over the request of a sale, or its reversal's.
    fn send(&self, number: u8, at: Xid, amount: u64, leg: Leg) -> Sent {
        let now = self.clock.now();
        let (mut transaction, tail) = sale(number, at, amount, now, now.plus_ms(1_000));
        transaction.reversal = Reversal {
            stan: transaction.original.stan,
            state: ReversalState::Queued.number(),
            reason: ReversalReason::Timeout.number(),
            ..Reversal::none()
        };
        let request = request(&transaction, &tail, leg);
        assert!(self.outboxes.hand(SHARD, &request));
        request.sent
    }

    fn next_return(&self) -> Return {
        self.insides[usize::from(SHARD)].returns.recv_timeout(PATIENCE).expect("the link gives something back")
    }

    fn answer(&self) -> Answer {
        match self.next_return() {
            Return::Answer { answer, .. } => answer,
            other => panic!("an answer, not {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terminals_are_asked_over_real_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let host = sandbox::start(sandbox::Options::new(folder.path())).unwrap();
    let fixture = Fixture::to(host.terminal.addr);
    assert!(matches!(fixture.next_return(), Return::LinkUp { processor: PROCESSOR }));
    for (number, at, amount, verdict) in [
        (b'1', terminal(1), 500, Verdict::Approved),
        (b'2', terminal(2), 500, Verdict::Declined(protocol::response_code::ResponseCode::DECLINE)),
        (b'3', terminal(4), 500, Verdict::WithTip { tip: 100 }),
        // The connection is cut, garbage comes, more comes than any answer has: the terminal is asked what became of it.
        (b'4', terminal(1), 900_205, Verdict::Approved),
        (b'5', terminal(1), 900_204, Verdict::Approved),
        (b'6', terminal(1), 900_206, Verdict::Approved),
    ] {
        let sent = fixture.send(number, at, amount, Leg::Original);
        let answer = fixture.answer();
        assert_eq!((answer.sent, answer.verdict), (sent, verdict), "{amount}");
    }
    // No answer comes at all: lost at the deadline, and taken back.
    let lost = fixture.send(b'7', terminal(1), 900_202, Leg::Original);
    assert!(matches!(fixture.next_return(), Return::Lost(sent) if sent == lost));
    fixture.send(b'7', terminal(1), 900_202, Leg::Reversal);
    assert_eq!(fixture.answer().verdict, Verdict::Receipt);
    fixture.links.stop().await;
    assert!(!fixture.link.state.is_signed_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_out_of_reach_is_looked_for_until_it_is_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let fixture = Fixture::to(addr);
    let sent = fixture.send(b'1', terminal(1), 500, Leg::Original);
    assert!(matches!(fixture.next_return(), Return::NotSent(back) if back == sent));
    let folder = tempfile::tempdir().unwrap();
    let mut options = sandbox::Options::new(folder.path());
    options.terminal.addr = addr;
    let host = sandbox::start(options).unwrap();
    assert!(matches!(fixture.next_return(), Return::LinkUp { .. }));
    fixture.send(b'2', terminal(1), 500, Leg::Original);
    assert_eq!(fixture.answer().verdict, Verdict::Approved);
    host.shutdown();
    let sent = fixture.send(b'3', terminal(1), 500, Leg::Original);
    let (mut is_back, mut is_down) = (false, false);
    while !(is_back && is_down) {
        match fixture.next_return() {
            Return::NotSent(back) => is_back = back == sent,
            Return::LinkDown { .. } => is_down = true,
            other => panic!("{other:?}"),
        }
    }
    assert!(!fixture.link.state.is_signed_on());
    fixture.links.stop().await;
}
