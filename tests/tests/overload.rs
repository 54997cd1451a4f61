//! More than can be carried: what is refused is refused at once and provably unsent, what is carried goes on at the pace of
//! before, and nothing grows. And the other end: with nothing to do, nothing is used.
//!
//! Capacity is made small by a slow host and few places, not by speed, so that the claims hold on any machine: so many places,
//! each for as long as the host takes.

use loadgen::process::{Usage, Watch};
use loadgen::{Arrivals, Load, Plan, Report, Target, Times};
use persistence::journal::Reader;
use protocol::record::{Body, Record};
use protocol::tail::tag;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tests::client::{id, text};
use tests::http::{Connection, Response, rendered};
use tests::payment::{VISA, payment};
use tests::switch::keys;
use tests::{Books, HostProcess, Options, Switch, books, eventually, until};

const SEED: u64 = 8_021;
/// How long the slow host takes for each answer.
const HOST_MS: u64 = 100;
/// The configured places, and how many of them one merchant's payments may take: six of eight parts.
const PLACES: &str = "in_flight_max = 16";
const PLACES_OF_ONE: usize = 12;
const RUN: &str = "overload";

fn slow_host(limits: &'static str) -> (HostProcess, Switch) {
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 5_000, limits, ..Options::with_host(host.addr) });
    host.control.faults(&json!({ "delay_ms": [HOST_MS, HOST_MS] }));
    (host, switch)
}

fn sales(switch: &Switch, run_id: &str) -> Target {
    Target::sale(switch.http(), keys::API, run_id, SEED, (10_000, 99_999)).expect("a target on this machine")
}

fn loaded(plan: Plan) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // What is judged is the switch; the generator may be late on a machine that does other things as well.
    let plan = Plan { send_lag_p99_max: Duration::from_secs(60), ..plan };
    runtime.block_on(loadgen::rest::run(plan)).expect("a run")
}

/// What the host's pace and the places allow, as a closed loop finds it.
fn capacity_per_s(switch: &Switch) -> u32 {
    let plan = Plan::new(sales(switch, "capacity"), Load::Closed);
    let report = loaded(Plan {
        connections: PLACES_OF_ONE,
        warmup: Duration::from_millis(300),
        duration: Duration::from_millis(1_500),
        ..plan
    });
    assert_eq!(report.counts.refused, 0, "{}", report.table());
    report.answered_per_s as u32
}

/// What a client was told, by idempotency key.
fn told(answers: &Path, status: u64) -> BTreeSet<String> {
    let lines = std::fs::read_to_string(answers).expect("the client's ledger");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    lines.filter(|line| line["http_status"] == status).map(|line| text(&line, "idempotency_key").to_owned()).collect()
}

/// The idempotency keys that are in the journal, by run.
fn journaled(journal: &Path, run_id: &str) -> BTreeSet<String> {
    let mut reader = Reader::open(journal, 1).expect("the journal can be read");
    let mut keys = BTreeSet::new();
    while let Some((_, bytes)) = reader.next(u64::MAX).expect("the journal is sound") {
        if let Body::Transaction(_, tail) = Record::parse(bytes).expect("a sound record").body {
            let key = tail.get(tag::IDEMPOTENCY_KEY).map(|key| String::from_utf8_lossy(key).into_owned());
            keys.extend(key.filter(|key| key.starts_with(run_id)));
        }
    }
    keys
}

fn p99_ms(times: Option<Times>) -> u64 {
    times.expect("times of a run that is believed").p99_ns / 1_000_000
}

#[test]
fn at_three_times_the_capacity_refusals_are_at_once_and_unsent_and_the_rest_goes_on() {
    let (host, switch) = slow_host(PLACES);
    let capacity = capacity_per_s(&switch);
    let (entries_before, answers) = (host.control.ledger().len(), switch.folder().join("answers.jsonl"));
    let watch = Watch::begin(switch.process()).expect("the switch's process");
    let report = loaded(Plan {
        connections: 64,
        warmup: Duration::from_millis(300),
        duration: Duration::from_secs(4),
        answers: Some(answers.clone()),
        ..Plan::new(sales(&switch, RUN), Load::Open { rate_per_s: 3 * capacity, arrivals: Arrivals::Poisson })
    });
    let (used, counts) = (watch.end().expect("it still runs"), report.counts);
    let shown = format!("seed {SEED}, capacity {capacity}/s\n{}", report.table());
    assert_eq!((counts.errors(), counts.unsent, counts.undecided, counts.declined), (0, 0, 0, 0), "{shown}");
    assert!(counts.refused > counts.approved, "two of three are too many: {shown}");
    assert!(report.answered_per_s >= f64::from(capacity) * 0.9, "goodput: {shown}");
    assert!(p99_ms(report.refused_service) < HOST_MS, "a refusal is said before the fastest answer could be: {shown}");
    assert!(p99_ms(report.service) < 5 * HOST_MS, "what is let in does not queue: {shown}");
    // Each payment keeps its idempotency key for minutes, some hundred bytes; a refusal keeps nothing.
    assert!(used.rss_max_bytes < used.rss_before_bytes + (32 << 20), "{used:?}: {shown}");

    let (approved, refused) = (told(&answers, 200), told(&answers, 503));
    let kept = journaled(&switch.journal(), RUN);
    assert_eq!(kept, approved, "the journal holds what was approved and nothing else: {shown}");
    assert!(kept.is_disjoint(&refused));
    let ours = books::reconcile(&switch.journal(), host.control, Duration::from_secs(10));
    let entries = host.control.ledger();
    assert_eq!(entries.len() - entries_before, approved.len(), "the host got each of them once and no other");
    assert_eq!(ours.transactions().count(), entries.len());

    host.control.heal();
    for (told, replayed) in [(&approved, Some("true")), (&refused, None)] {
        let mut connection = Connection::open(switch.http()).expect("the switch listens");
        for key in told.iter().step_by(told.len() / 20) {
            let answer = ask_again(&mut connection, &switch, key);
            assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, replayed), "{key}: {}", answer.text());
            assert_eq!(answer.data()["response_code"], 100);
        }
    }
    assert_eq!(
        until(Duration::from_secs(5), || (journaled(&switch.journal(), RUN).len() >= approved.len() + 20).then_some(())),
        Some(())
    );
}

/// The very bytes of before, once more.
fn ask_again(connection: &mut Connection, switch: &Switch, key: &str) -> Response {
    let (_, sequence) = key.rsplit_once('-').expect("a run and a sequence");
    let mut request = Vec::new();
    sales(switch, RUN).render(sequence.parse().expect("a number"), &mut request);
    connection.send(&request).expect("it can be sent");
    connection.receive(false).expect("an answer")
}

/// So many sales that are under way at the slow host, each with the connection on which its answer will come.
fn begun(switch: &Switch, key: &str, count: u64) -> Vec<Connection> {
    let known = Books::read(&switch.journal()).transactions().count() as u64;
    let connections = (0..count).map(|number| {
        let mut connection = Connection::open(switch.http()).expect("the switch listens");
        let body = payment("sale", 6_000 + number, VISA).to_string();
        let headers = [("Authorization", key), ("Content-Type", "application/json")];
        connection.send(&rendered("POST", "/api/transaction", &headers, body.as_bytes())).expect("it can be sent");
        connection
    });
    let connections = connections.collect();
    eventually(Duration::from_secs(3), || {
        let begun = Books::read(&switch.journal()).transactions().count() as u64 - known;
        if begun == count { Ok(()) } else { Err(format!("{begun} of {count} payments have begun")) }
    });
    connections
}

#[test]
fn what_was_begun_is_finished_and_other_merchants_are_served_while_one_is_at_its_bound() {
    // Eight places: one merchant begins six payments, and another one more; captures get in beside both.
    let (host, switch) = slow_host("in_flight_max = 8");
    let client = switch.client();
    let held = client.authorize(5_000, VISA);
    host.control.faults(&json!({ "delay_ms": [1_500, 1_500] }));
    let own = begun(&switch, keys::API, 6);
    let refused = client.pay(&payment("sale", 7_000, VISA));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.refusal().1, "service unavailable: the switch is at its limit, try again later");
    let others = begun(&switch, keys::OTHER, 1);
    assert_eq!(switch.client_with(keys::OTHER).pay(&payment("sale", 7_001, VISA)).status, 503, "seven of eight are taken");
    assert_eq!(client.capture(id(&held), 5_000).status, 200, "a capture gets in");
    for mut sale in own.into_iter().chain(others) {
        assert_eq!(sale.receive(false).expect("an answer").data()["response_code"], 100);
    }
    books::reconcile(&switch.journal(), host.control, Duration::from_secs(10));
}

#[test]
fn a_payment_whose_client_went_away_keeps_its_place_until_it_is_decided() {
    let (host, switch) = slow_host("in_flight_max = 8");
    host.control.faults(&json!({ "delay_ms": [1_500, 1_500] }));
    drop(begun(&switch, keys::API, 6));
    let client = switch.client();
    // Long enough for the switch to notice that the connections are gone, and short of the host's answers.
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_millis(700) {
        let refused = client.pay(&payment("sale", 8_100, VISA));
        assert_eq!(refused.status, 503, "six are under way, though nobody waits for them");
        thread::sleep(Duration::from_millis(20));
    }
    let let_in = || Some(client.pay(&payment("sale", 8_200, VISA))).filter(|answer| answer.status == 200);
    let answer = until(Duration::from_secs(5), let_in).expect("their places come back");
    assert_eq!(answer.data()["response_code"], 100);
    books::reconcile(&switch.journal(), host.control, Duration::from_secs(10));
}

#[test]
fn reversals_go_out_while_payments_are_refused() {
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 300, limits: "in_flight_max = 8", ..Options::with_host(host.addr) });
    host.control.faults(&json!({ "drop_responses": 1 }));
    let flood = |run_id: &str, ms: u64| {
        loaded(Plan {
            connections: 32,
            warmup: Duration::ZERO,
            duration: Duration::from_millis(ms),
            ..Plan::new(sales(&switch, run_id), Load::Open { rate_per_s: 400, arrivals: Arrivals::Poisson })
        })
    };
    let lost = flood("lost", 1_200);
    assert!(lost.counts.undecided >= 6 && lost.counts.refused > 100, "{}", lost.table());
    // The host is slow now, and the flood goes on: all places are taken while the reversals find their way.
    host.control.faults(&json!({ "delay_ms": [HOST_MS, HOST_MS] }));
    let over = std::thread::scope(|scope| {
        let over = scope.spawn(|| flood("slow", 2_500));
        let journal = switch.journal();
        eventually(Duration::from_millis(2_400), || {
            let unknown = Books::read(&journal).transactions().filter(|one| one.status().word() == "unknown").count();
            if unknown == 0 { Ok(()) } else { Err(format!("{unknown} are not reversed yet")) }
        });
        over.join().expect("no panic")
    });
    assert!(over.counts.refused > 100, "payments were refused meanwhile: {}", over.table());
    host.control.heal();
    books::reconcile(&switch.journal(), host.control, Duration::from_secs(10));
}

#[test]
fn a_client_that_is_refused_and_asks_on_is_read_later_and_others_are_not() {
    let (host, switch) = slow_host("in_flight_max = 8\nrefusals_per_s_max = 20");
    host.control.faults(&json!({ "delay_ms": [2_000, 2_000] }));
    let under_way = begun(&switch, keys::API, 6);
    let (client, body) = (switch.client(), payment("sale", 9_100, VISA).to_string());
    let mut connection = Connection::open(switch.http()).expect("the switch listens");
    let asked = Instant::now();
    for _ in 0..12 {
        let answer = client.call_on(&mut connection, "POST", "/api/transaction", &[], body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 503);
    }
    let took = asked.elapsed();
    assert!(took >= Duration::from_millis(400), "twelve refusals at twenty a second took {took:?}");
    let (fresh, answer) = (Instant::now(), client.stranger("GET", "/healthz", &[], b""));
    assert_eq!(answer.status, 200);
    assert!(fresh.elapsed() < Duration::from_millis(500), "another connection waited {:?}", fresh.elapsed());
    drop(under_way);
}

#[test]
fn who_takes_all_descriptors_ends_no_journal() {
    const FILES: u32 = 200;
    let switch =
        Switch::start(Options { files_max: Some(FILES), journal: "segments_ahead = 1\n".to_owned(), ..Options::default() });
    let (client, mut connection) = (switch.client(), Connection::open(switch.http()).expect("the switch listens"));
    let open_files = || fs::read_dir(format!("/proc/{}/fd", switch.process())).expect("it runs").count();
    let segment = switch.journal().join("journal-0000000005.seg");
    let flood = Flood::of(FILES as usize, [switch.binary(), switch.http()]);
    let is_full = until(Duration::from_secs(3), || (open_files() >= FILES as usize).then_some(()));
    assert_eq!(is_full, Some(()), "{} files are open", open_files());
    // A segment holds some thousand sales that come one by one. The second one is there before anybody comes, three are made in the flood.
    let mut sold = 0;
    while !segment.exists() {
        let body = payment("sale", 10_000 + sold, VISA).to_string();
        let answer = client.call_on(&mut connection, "POST", "/api/transaction", &[], body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        sold += 1;
        assert!(sold < 20_000, "no fifth segment after {sold} sales");
    }
    assert!(sold > 100, "the fifth segment was there after {sold} sales, before the descriptors were gone");
    assert!(
        until(Duration::from_secs(3), || (open_files() >= FILES as usize).then_some(())).is_some(),
        "the flood has ended early"
    );
    drop(flood);
    // Who follows the journal has found its way into the new segment as well.
    let last = json!({"amount": {"operator": "=", "value": 10_000 + sold - 1}});
    eventually(Duration::from_secs(20), || {
        let answer = client.try_call("POST", "/api/transaction/search", &[], last.to_string().as_bytes());
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status == 200 && answer.json()["total_count"] == 1 { Ok(()) } else { Err(answer.text()) }
    });
}

/// Callers who connect, say nothing, and connect again when they were told to go.
struct Flood {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One that has not come yet, or is about to come again, has no stream.
#[derive(Default)]
struct Caller(Option<(TcpStream, Instant)>);

impl Caller {
    /// As long as the switch waits for one to go.
    const STAYS: Duration = Duration::from_secs(1);

    fn call(&mut self, front: SocketAddr) {
        let is_told_to_go = |stream: &mut TcpStream| match stream.read(&mut [0; 512]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        if self.0.as_mut().is_none_or(|(stream, since)| since.elapsed() > Caller::STAYS && is_told_to_go(stream)) {
            let stream = TcpStream::connect_timeout(&front, Caller::STAYS).ok();
            self.0 = stream.filter(|stream| stream.set_nonblocking(true).is_ok()).map(|stream| (stream, Instant::now()));
        }
    }
}

impl Flood {
    /// So many at a time on each front.
    fn of(callers: usize, fronts: [SocketAddr; 2]) -> Flood {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut callers: Vec<Caller> = (0..callers * fronts.len()).map(|_| Caller::default()).collect();
            while !told.load(Ordering::Relaxed) {
                for (caller, front) in callers.iter_mut().zip(fronts.iter().cycle()) {
                    caller.call(*front);
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Flood { is_over, thread: Some(thread) }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[test]
fn connections_are_bounded_and_slow_ones_do_not_keep_their_places() {
    let limits = "connections_max = 4\nhead_timeout_ms = 700\nbody_timeout_ms = 700";
    let switch = Switch::start(Options { limits, ..Options::default() });
    let stall = |part: &[u8]| {
        let mut connection = Connection::open(switch.http()).expect("the switch listens");
        connection.send(part).expect("a part can be sent");
        connection
    };
    let head =
        format!("POST /api/transaction HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: 500\r\n\r\n{{", keys::API);
    let begun = Instant::now();
    let stalled = [stall(b""), stall(b"GET /heal"), stall(b"POST /api/transaction HTTP/1.1\r\nHost:"), stall(head.as_bytes())];
    let turned_away = until(Duration::from_millis(600), || {
        let answer = switch.client().try_call("GET", "/healthz", &[], b"").ok()?;
        (answer.status == 503).then_some(answer)
    });
    let answer = turned_away.expect("a fifth connection is told at once");
    assert_eq!((answer.header("connection"), answer.header("retry-after")), (Some("close"), Some("1")));
    assert_eq!(answer.refusal().1, "service unavailable: too many connections");
    for mut connection in stalled {
        // What comes is a 400, a 408 or nothing, then the end.
        drop(connection.rest());
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "slow clients were kept for {took:?}");
    let served = until(Duration::from_secs(2), || {
        switch.client().try_call("GET", "/healthz", &[], b"").ok().filter(|answer| answer.status == 200)
    });
    assert!(served.is_some(), "their places are free again");
}

/// The names of a process's threads, and how nice each is.
fn threads(process: u32) -> Vec<(String, i32)> {
    const NICENESS_BEHIND_NAME: usize = 16;
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let thread = |folder: &Path| {
        let name = fs::read_to_string(folder.join("comm")).ok()?;
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        let niceness = stat.rsplit_once(')')?.1.split_whitespace().nth(NICENESS_BEHIND_NAME)?.parse().ok()?;
        Some((name.trim_end().to_owned(), niceness))
    };
    // One that ended meanwhile has no files any more.
    tasks.filter_map(|task| thread(&task.expect("a folder of threads").path())).collect()
}

#[test]
fn payments_and_journal_go_first_and_all_that_may_be_late_gives_way() {
    const MAY_BE_LATE: i32 = 5;
    const SQLITE_CONNECTIONS: usize = 8;
    let switch = Switch::sandboxed();
    switch.client().sale(1_113, VISA);
    let [own, of_switch] = [std::process::id(), switch.process()].map(threads);
    let ours = own[0].1;
    let niceness = |name: &str| -> Vec<i32> {
        of_switch.iter().filter(|(thread, _)| thread.starts_with(name)).map(|(_, niceness)| *niceness).collect()
    };
    let late = ours.max(MAY_BE_LATE);
    for (name, expected) in [("payments", ours), ("journal", ours), ("sqlx-sqlite", late), ("projection", late), ("office", late)]
    {
        let found = niceness(name);
        assert!(!found.is_empty() && found.iter().all(|niceness| *niceness == expected), "{name}: {of_switch:?}");
    }
    assert!(niceness("sqlx-sqlite").len() >= SQLITE_CONNECTIONS, "{of_switch:?}");
}

#[test]
fn a_switch_with_nothing_to_do_does_nothing() {
    let host = HostProcess::start();
    let switch = Switch::start(Options::with_host(host.addr));
    assert_eq!(switch.client().sale(5_000, VISA)["response_code"], 100);
    // What a start and a first payment leave to be done is done by then.
    thread::sleep(Duration::from_millis(500));
    let watch = Watch::begin(switch.process()).expect("the switch's process");
    thread::sleep(Duration::from_secs(2));
    let used = watch.end().expect("it still runs");
    assert!(used.cpu_ms <= 40, "{} ms of CPU in two idle seconds", used.cpu_ms);
}

/// Nobody spins while nobody asks, whatever stands open: some second of the twenty that follow a sale costs next to nothing.
#[test]
fn with_nothing_to_do_it_uses_next_to_no_cpu() {
    const OPEN: usize = 20;
    const SECOND: Duration = Duration::from_secs(1);
    const IDLE_MS_MAX: u64 = 50;
    let switch = Switch::sandboxed();
    switch.client().sale(1_112, VISA);
    let _open: Vec<Connection> = (0..OPEN).map(|_| Connection::open(switch.http()).expect("the switch listens")).collect();
    eventually(Duration::from_secs(20), || {
        let used_ms = || Usage::of(switch.process()).expect("the switch's process").cpu_ms;
        let before = used_ms();
        thread::sleep(SECOND);
        let used = used_ms() - before;
        if used <= IDLE_MS_MAX { Ok(()) } else { Err(format!("{used} ms of CPU in a second, and nobody had asked for anything")) }
    });
}
