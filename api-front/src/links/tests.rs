use super::*;
use crate::config::{ClientCertificate, ProcessorSettings, TlsSettings};
use crate::payment_threads::Homes;
use crate::switch::directory::ProcessorKind;
use crate::switch::door::{Inside, Return};
use protocol::calendar::Micros;
use protocol::exchange::Exchange;
use protocol::id::Xid;
use protocol::iso8583::MacKey;
use protocol::secret::{Cvv, Pan, SensitiveData};
use protocol::tail::{Tail, push, tag};
use protocol::transaction::Transaction;
use protocol::words::{Status, Verb};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;
use switch_core::connectors::tsys::Acceptor;
use switch_core::input::{Answer, Leg, Sent, Verdict};
use switch_core::output::{Request, Subject};

const PROCESSOR: u16 = 1;
const SHARD: u16 = 1;
const PATIENCE: Duration = Duration::from_secs(5);

fn merchant() -> Xid {
    Xid::from_parts(1, [1; 5], 0)
}

/// A link of two shards to a host.
struct Fixture {
    links: Links,
    outboxes: Outboxes,
    link: LinkHandle,
    shared: Shared,
    insides: Vec<Inside>,
    _keys: tempfile::TempDir,
}

impl Fixture {
    fn to(addr: SocketAddr) -> Fixture {
        Fixture::with(&ProcessorSettings::of_sandbox("card", ProcessorKind::TsysSierra, addr))
    }

    fn with(settings: &ProcessorSettings) -> Fixture {
        let keys = tempfile::tempdir().unwrap();
        let (doors, insides) = (0..2).map(|_| Door::new(1)).unzip();
        let sealer = Arc::new(Sealer::open_or_create(&keys.path().join("keys")).unwrap());
        let acceptor = Acceptor { terminal: "SW000001".into(), id: "SWITCHYARD00001".into(), category: 5999 };
        let acceptors = AcceptorTable::of([(merchant(), acceptor)]);
        let shared = Shared {
            clock: Clock::start_after(Micros::NONE),
            sealer,
            sensitive: Arc::new(SensitiveTable::new(8)),
            homes: Homes::here(),
            doors,
            acceptors,
            terminals: TerminalTable::default(),
            history: None,
        };
        let mut prepared = Prepared::default();
        let link = prepared.add(PROCESSOR, settings).unwrap();
        let outboxes = prepared.outboxes();
        let links = prepared.start(&shared);
        Fixture { links, outboxes, link, shared, insides, _keys: keys }
    }

    fn now(&self) -> Micros {
        self.shared.clock.now()
    }

    /// Hands over the request of a new sale, as a shard would. Returns what the answer must name.
    fn send(&self, stan: u32, amount: u64, deadline: Micros) -> Sent {
        let merchant = merchant();
        let pan = Pan::new("4012000098765439").unwrap();
        let mut transaction = Transaction::empty();
        transaction.id = Xid::from_parts(2, [1; 5], stan * Xid::STRIDE);
        transaction.merchant = merchant;
        transaction.verb = Verb::Sale.number();
        transaction.status = Status::Pending.number();
        transaction.currency = 840.into();
        transaction.expiry = 4012.into();
        transaction.rrn = *b"RRN000000001";
        transaction.amount = amount.into();
        transaction.created_at = self.now().0.into();
        transaction.fingerprint = self.shared.sealer.fingerprint(&pan);
        transaction.original = Exchange::in_flight(Verb::Sale, stan, amount, self.now(), deadline);
        let (mut sealed, mut tail) = (Vec::new(), Vec::new());
        self.shared.sealer.seal(&pan, &merchant, &transaction.fingerprint, &mut sealed).unwrap();
        push(&mut tail, tag::SEALED_CARD, &sealed);
        transaction.tail_length = (tail.len() as u32).into();
        let sent = Sent { id: transaction.id, leg: Leg::Original, stan };
        let subject = Subject::Transaction(&transaction, Tail::trusted(&tail));
        assert!(self.outboxes.hand(SHARD, &Request { processor: PROCESSOR, sent, repeat: false, subject }));
        sent
    }

    fn next_return(&self) -> Return {
        self.insides[usize::from(SHARD)].returns.recv_timeout(PATIENCE).expect("the link gives something back")
    }

    /// What comes back of a request, whatever comes before it.
    fn answer(&self) -> Answer {
        match self.next_return() {
            Return::Answer { answer, .. } => answer,
            other => panic!("an answer, not {other:?}"),
        }
    }
}

fn sandbox(folder: &tempfile::TempDir) -> sandbox::Running {
    sandbox::start(sandbox::Options::new(folder.path())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_to_the_shard_that_waits_and_the_value_is_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let host = sandbox(&folder);
    let fixture = Fixture::to(host.card.addr);
    assert!(matches!(fixture.next_return(), Return::LinkUp { processor: PROCESSOR }));
    let id = Xid::from_parts(2, [1; 5], 7 * Xid::STRIDE);
    assert!(fixture.shared.sensitive.put(id, SensitiveData::of(Cvv::new("200"), None).unwrap()));
    let sent = fixture.send(7, 1112, fixture.now().plus_s(5));
    let answer = fixture.answer();
    assert_eq!((answer.sent, answer.verdict, answer.cvv), (sent, Verdict::Approved, b'N'));
    assert_eq!(fixture.shared.sensitive.count(), 0);
    assert!(fixture.insides[0].returns.try_iter().all(|other| matches!(other, Return::LinkUp { .. })));
    fixture.links.stop().await;
    assert!(!fixture.link.state.is_signed_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_connection_a_request_is_not_sent() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fixture = Fixture::to(nobody);
    let sent = fixture.send(7, 1112, fixture.now().plus_s(5));
    assert!(matches!(fixture.next_return(), Return::NotSent(back) if back == sent));
    assert!(!fixture.link.state.is_signed_on());
    fixture.links.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_time_is_over_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let host = sandbox(&folder);
    let fixture = Fixture::to(host.card.addr);
    assert!(matches!(fixture.next_return(), Return::LinkUp { .. }));
    let sent = fixture.send(7, 1112, fixture.now());
    assert!(matches!(fixture.next_return(), Return::NotTaken(back) if back == sent), "no fault of the host's");
    fixture.links.stop().await;
}

/// Amounts of the sandbox's table: garbage, a cut connection, an oversized length prefix.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_broken_answer_the_request_is_lost_and_the_link_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let host = sandbox(&folder);
    let fixture = Fixture::to(host.card.addr);
    assert!(matches!(fixture.next_return(), Return::LinkUp { .. }));
    for (stan, amount) in [(1, 900_204), (2, 900_205), (3, 900_206)] {
        let sent = fixture.send(stan, amount, fixture.now().plus_s(5));
        assert!(matches!(fixture.next_return(), Return::LinkDown { processor: PROCESSOR }), "{amount}");
        assert!(matches!(fixture.next_return(), Return::Lost(lost) if lost == sent), "{amount}");
        assert!(matches!(fixture.next_return(), Return::LinkUp { .. }), "{amount}");
    }
    let sent = fixture.send(4, 1112, fixture.now().plus_s(5));
    assert_eq!(fixture.answer().sent, sent);
    fixture.links.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_signs_a_link_off_and_on_again_and_reads_its_meter() {
    let folder = tempfile::tempdir().unwrap();
    let host = sandbox(&folder);
    let fixture = Fixture::to(host.card.addr);
    assert!(matches!(fixture.next_return(), Return::LinkUp { .. }));
    fixture.send(1, 1112, fixture.now().plus_s(5));
    fixture.answer();
    assert!(fixture.link.tell(Control::CutOver));
    fixture.send(2, 1112, fixture.now().plus_s(5));
    fixture.answer();
    assert!(fixture.link.tell(Control::SignOff));
    while fixture.link.state.is_signed_on() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(fixture.next_return(), Return::LinkDown { .. }));
    let sent = fixture.send(3, 1112, fixture.now().plus_s(5));
    assert!(matches!(fixture.next_return(), Return::NotSent(back) if back == sent));
    assert!(fixture.link.tell(Control::SignOn));
    assert!(matches!(fixture.next_return(), Return::LinkUp { .. }));
    fixture.send(4, 1112, fixture.now().plus_s(5));
    fixture.answer();
    let reading = fixture.link.meter.read(fixture.now());
    assert_eq!((reading.counts.sent, reading.counts.approved, reading.counts.not_sent), (3, 3, 1));
    assert!(0 < reading.p50_us && reading.p50_us <= reading.max_us);
    fixture.links.stop().await;
}

fn set_faults(host: &sandbox::Running, faults: &str) {
    let mut stream = std::net::TcpStream::connect(host.card.control).unwrap();
    write!(stream, "POST /faults HTTP/1.0\r\nContent-Length: {}\r\n\r\n{faults}", faults.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let reached = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_spread_over_connections_and_the_loss_of_one_is_not_the_loss_of_the_link() {
    let folder = tempfile::tempdir().unwrap();
    let host = sandbox(&folder);
    let settings =
        ProcessorSettings { connections: 3, ..ProcessorSettings::of_sandbox("card", ProcessorKind::TsysSierra, host.card.addr) };
    let fixture = Fixture::with(&settings);
    until("all are signed on", || fixture.link.state.connections() == 3).await;
    set_faults(&host, r#"{"delay_ms":[400,400]}"#);
    let taken = |count| move |fixture: &Fixture| fixture.link.meter.read(fixture.now()).counts.sent == count;
    let mut waiting: Vec<Sent> = Vec::new();
    for stan in 1..=12 {
        waiting.push(fixture.send(stan, 1112, fixture.now().plus_s(5)));
        until("it is taken", || taken(u64::from(stan))(&fixture)).await;
    }
    // One connection is cut under what it carries.
    waiting.push(fixture.send(13, 900_205, fixture.now().plus_s(5)));
    let (mut answered, mut lost) = (0, 0);
    assert!(matches!(fixture.next_return(), Return::LinkUp { processor: PROCESSOR }), "said once");
    while answered + lost < 13 {
        match fixture.next_return() {
            Return::Answer { answer, .. } => {
                waiting.retain(|sent| *sent != answer.sent);
                answered += 1;
            }
            Return::Lost(gone) => {
                waiting.retain(|sent| *sent != gone);
                lost += 1;
            }
            other => panic!("an answer or a loss, not {other:?}"),
        }
    }
    assert_eq!(waiting, []);
    assert!((2..=9).contains(&lost), "{lost} of 13 went with one of three connections");
    until("it comes back", || fixture.link.state.connections() == 3).await;
    set_faults(&host, "{}");
    let sent = fixture.send(14, 1112, fixture.now().plus_s(5));
    assert_eq!(fixture.answer().sent, sent);
    assert!(fixture.link.tell(Control::SignOff));
    assert!(matches!(fixture.next_return(), Return::LinkDown { processor: PROCESSOR }), "when the last has gone");
    fixture.links.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_authenticated_both_ways_and_a_spoiled_answer_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let key = |byte| MacKey::new(&[byte; 32]);
    let host = sandbox::start(sandbox::Options { mac_key: key(1), ..sandbox::Options::new(folder.path()) }).unwrap();
    let settings =
        ProcessorSettings { mac_key: key(1), ..ProcessorSettings::of_sandbox("card", ProcessorKind::TsysSierra, host.card.addr) };
    let fixture = Fixture::with(&settings);
    assert!(matches!(fixture.next_return(), Return::LinkUp { .. }));
    let sent = fixture.send(1, 1112, fixture.now().plus_s(5));
    assert_eq!(fixture.answer().sent, sent);
    set_faults(&host, r#"{"spoil_macs":1.0}"#);
    fixture.send(2, 1112, fixture.now().plus_s(5));
    until("the spoiled answer is counted", || fixture.link.meter.unmatched() == 1).await;
    set_faults(&host, "{}");
    let sent = fixture.send(3, 1112, fixture.now().plus_s(5));
    assert_eq!(fixture.answer().sent, sent, "no other answer has come");
    fixture.links.stop().await;
    // Another key: the host does not even let us sign on.
    let stranger = Fixture::with(&ProcessorSettings { mac_key: key(2), ..settings });
    let sent = stranger.send(4, 1112, stranger.now().plus_s(5));
    assert!(matches!(stranger.next_return(), Return::NotSent(back) if back == sent));
    stranger.links.stop().await;
}

/// A host that speaks TLS, and how it is reached under a name.
fn over_tls(folder: &tempfile::TempDir, tls: sandbox::Tls) -> (sandbox::Running, impl Fn(&'static str) -> ProcessorSettings) {
    let host = sandbox::start(sandbox::Options { tls, ..sandbox::Options::new(folder.path()) }).unwrap();
    let file = |name: &str| folder.path().join("sandbox").join(name);
    let client = (tls == sandbox::Tls::Mutual)
        .then(|| ClientCertificate { cert_file: file("client.pem"), key_file: file("client-key.pem") });
    let (addr, ca_file) = (host.card.addr, Some(file("ca.pem")));
    let reached = move |name: &'static str| {
        let tls = TlsSettings { server_name: name.try_into().unwrap(), ca_file: ca_file.clone(), client: client.clone() };
        ProcessorSettings { tls: Some(tls), ..ProcessorSettings::of_sandbox("card", ProcessorKind::TsysSierra, addr) }
    };
    (host, reached)
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_travel_in_tls_to_a_host_that_proves_its_name() {
    for tls in [sandbox::Tls::Server, sandbox::Tls::Mutual] {
        let folder = tempfile::tempdir().unwrap();
        let (host, reached) = over_tls(&folder, tls);
        let fixture = Fixture::with(&reached("sandbox.test"));
        assert!(matches!(fixture.next_return(), Return::LinkUp { .. }));
        for stan in 1..=100 {
            fixture.send(stan, 1112, fixture.now().plus_s(5));
        }
        let mut answered: Vec<u32> = (0..100).map(|_| fixture.answer().sent.stan).collect();
        answered.sort_unstable();
        assert!(answered.into_iter().eq(1..=100), "{tls:?}");
        host.shutdown();
        assert!(matches!(fixture.next_return(), Return::LinkDown { .. }), "{tls:?}");
        fixture.links.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_proves_too_little_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (host, reached) = over_tls(&folder, sandbox::Tls::Server);
    let trusted = reached("sandbox.test");
    let why = async |settings: &ProcessorSettings| match Host::of(settings).unwrap().connect().await {
        Ok(_) => "connected".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(why(&trusted).await, "connected");
    let stranger = why(&reached("elsewhere.test")).await;
    assert!(stranger.contains("elsewhere.test") && stranger.contains("not valid for name"), "{stranger}");
    let anybody = TlsSettings { ca_file: None, ..trusted.tls.clone().unwrap() };
    let unknown = why(&ProcessorSettings { tls: Some(anybody), ..trusted.clone() }).await;
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let plain = sandbox(&tempfile::tempdir().unwrap());
    let in_clear = why(&ProcessorSettings { addr: plain.terminal.addr, ..trusted.clone() }).await;
    assert!(in_clear.contains("TLS as sandbox.test"), "{in_clear}");
    // Nor is a payment sent: it goes back.
    let fixture = Fixture::with(&reached("elsewhere.test"));
    let sent = fixture.send(1, 1112, fixture.now().plus_s(5));
    assert!(matches!(fixture.next_return(), Return::NotSent(back) if back == sent));
    fixture.links.stop().await;
    // A host that asks who we are serves nobody who can't say.
    let folder = tempfile::tempdir().unwrap();
    let (asking, reached) = over_tls(&folder, sandbox::Tls::Mutual);
    let mut nobody = reached("sandbox.test");
    nobody.tls.as_mut().unwrap().client = None;
    let fixture = Fixture::with(&nobody);
    let sent = fixture.send(2, 1112, fixture.now().plus_s(5));
    assert!(matches!(fixture.next_return(), Return::NotSent(back) if back == sent));
    fixture.links.stop().await;
    drop((host, asking));
}

#[test]
fn files_of_tls_that_are_of_no_use_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let of = |ca_file: &std::path::Path| {
        let tls = TlsSettings { server_name: "sandbox.test".try_into().unwrap(), ca_file: Some(ca_file.into()), client: None };
        let addr = ([127, 0, 0, 1], 1).into();
        Host::of(&ProcessorSettings { tls: Some(tls), ..ProcessorSettings::of_sandbox("card", ProcessorKind::TsysSierra, addr) })
    };
    let error = of(&empty).unwrap_err().to_string();
    assert!(error.starts_with("tls.ca_file") && error.ends_with("empty.pem: holds no certificate"), "{error}");
    let error = of(&folder.path().join("missing.pem")).unwrap_err().to_string();
    assert!(error.starts_with("tls.ca_file") && error.contains("missing.pem"), "{error}");
}

/// Knocks at a closed port until TCP, which gives one port to both ends sooner or later, would connect the two.
#[tokio::test]
async fn a_link_never_takes_itself_for_its_host() {
    // The kernel gives even ports to those who connect, and odd ones to those who listen, while it has them.
    let free = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let closed = SocketAddr::from(([127, 0, 0, 1], free().port() & !1));
    let host = Host::of(&ProcessorSettings::of_sandbox("card", ProcessorKind::TsysSierra, closed)).expect("no TLS is asked for");
    for _ in 0..30_000 {
        assert!(host.connect().await.is_err(), "nobody listens on {closed}");
    }
}
