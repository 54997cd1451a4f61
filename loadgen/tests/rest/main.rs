//! Runs against a tiny hand-written server on port 0, whose answers and pauses are scripted request
//! by request.

// A test that fails shows its seed and the table of its run.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use loadgen::{Arrivals, Load, LoadError, Plan, Report, Target, Verdict, rest};
use server::{Reply, Server, approved};

mod command;
mod server;

const SEED: u64 = 20_260_101;

fn plan(server: &Server, rate_per_s: u32, arrivals: Arrivals) -> Plan {
    let target = Target::sale(server.address, "key", "test", SEED, (10_000, 99_999)).unwrap();
    println!("seed {SEED}");
    Plan {
        connections: 8,
        warmup: Duration::from_millis(100),
        duration: Duration::from_millis(800),
        timeout: Duration::from_millis(2_000),
        // Other tests may hold both cores; what is judged here is never the generator's own lag.
        send_lag_p99_max: Duration::from_secs(60),
        ..Plan::new(target, Load::Open { rate_per_s, arrivals })
    }
}

async fn ran(plan: Plan) -> Report {
    let report = rest::run(plan).await.unwrap();
    println!("{}", report.table());
    report
}

#[tokio::test]
async fn the_rate_is_kept_and_the_warm_up_is_left_out() {
    for arrivals in [Arrivals::Grid, Arrivals::Poisson] {
        let server = Server::start(|_| approved()).await;
        let report = ran(plan(&server, 500, arrivals)).await;
        let counts = report.counts;
        match arrivals {
            Arrivals::Grid => assert_eq!(counts.scheduled, 400),
            // Standard deviation 20, five of them.
            Arrivals::Poisson => assert!((300..=500).contains(&counts.scheduled)),
        }
        assert_eq!(counts.approved, counts.scheduled);
        assert_eq!(report.response_codes.into_iter().collect::<Vec<_>>(), [(100, counts.approved)]);
        assert!(server.requests() > counts.scheduled, "the warm-up was sent too");
        assert!((250.0..=650.0).contains(&report.answered_per_s), "{}", report.answered_per_s);
    }
}

/// The claim of the whole tool: one stall of 400 ms is one slow request by its service time, but
/// everyone who was due meanwhile waited, and the latency from the scheduled time says so.
#[tokio::test]
async fn a_stall_is_charged_to_all_who_were_due_and_not_only_to_the_one_that_it_held() {
    const STALL: Duration = Duration::from_millis(400);
    let stall_once = |nth| if nth == 60 { approved().after(STALL) } else { approved() };
    let server = Server::start(stall_once).await;
    let report = ran(Plan { connections: 1, ..plan(&server, 200, Arrivals::Grid) }).await;
    let (latency, service) = (report.latency.unwrap(), report.service.unwrap());
    assert_eq!(report.counts.approved, 160);
    assert!(service.max_ns >= 400_000_000, "the stall itself");
    assert!(service.p90_ns < 100_000_000, "by service time the stall hit one request in 160");
    // 80 of 160 were due during the stall; the slowest fifth of all waited more than 200 ms.
    assert!(latency.p90_ns > 200_000_000, "p90 {} ns", latency.p90_ns);
}

#[tokio::test]
async fn refusals_have_counts_and_times_of_their_own() {
    let half = |nth: u64| if nth.is_multiple_of(2) { approved() } else { Reply::status(503).after(Duration::from_millis(30)) };
    let server = Server::start(half).await;
    let report = ran(plan(&server, 200, Arrivals::Grid)).await;
    let (counts, latency, refused) = (report.counts, report.latency.unwrap(), report.refused.unwrap());
    assert_eq!(counts.approved + counts.refused, 160);
    assert!((79..=81).contains(&counts.refused), "{}", counts.refused);
    assert_eq!((latency.count, refused.count), (counts.approved, counts.refused));
    let at_once = report.refused_service.unwrap();
    assert_eq!(at_once.count, counts.refused);
    assert!(at_once.min_ns >= 29_000_000 && at_once.p50_ns <= refused.p50_ns, "{at_once:?}");
    assert!((90.0..=110.0).contains(&report.refused_per_s), "{}", report.refused_per_s);
    assert!(refused.min_ns >= 29_000_000, "{} ns", refused.min_ns);
    assert!(latency.p50_ns < refused.p50_ns, "a refusal's time is not among the answers'");
    assert_eq!(report.http_statuses[&503], counts.refused);
}

#[tokio::test]
async fn each_kind_of_failure_is_counted_as_what_it_was() {
    let failing = |nth: u64| match nth % 8 {
        0 => Reply::sale(202),
        1 => Reply::sale(421),
        2 => Reply::status(400),
        3 => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]"),
        4 => Reply::hang_up(),
        5 => Reply::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        6 => Reply::raw("SSH-2.0-elsewhere\r\n"),
        _ => Reply::silence(),
    };
    let server = Server::start(failing).await;
    let timeout = Duration::from_millis(60);
    let report = ran(Plan { timeout, connections: 16, warmup: Duration::ZERO, ..plan(&server, 100, Arrivals::Grid) }).await;
    let counts = report.counts;
    assert_eq!(counts.scheduled, 80);
    let each = [counts.declined, counts.undecided, counts.http_errors, counts.malformed, counts.timeouts];
    assert_eq!(each, [10; 5], "{counts:?}");
    let faults: Vec<_> = report.transport_errors.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(faults, [("closed", 10), ("no_content_length", 10), ("not_http", 10), ("timeout", 10)]);
    assert_eq!((counts.approved, counts.unsent), (0, 0));
    let failed = report.failed.unwrap();
    assert_eq!(failed.count, 60, "all but declines and undecided ones");
    assert!(failed.max_ns >= 60_000_000, "a time-out took its time: {failed:?}");
    assert!(report.excluded.iter().any(|line| line.contains("lower bounds")), "{:?}", report.excluded);
}

#[tokio::test]
async fn what_was_due_and_never_sent_is_counted() {
    let server = Server::start(|_| Reply::silence()).await;
    let timeout = Duration::from_millis(300);
    let stuck = Plan { timeout, connections: 2, backlog_max: 5, warmup: Duration::ZERO, ..plan(&server, 100, Arrivals::Grid) };
    let report = ran(stuck).await;
    let counts = report.counts;
    assert_eq!(counts.scheduled, 80);
    assert_eq!(counts.timeouts + counts.unsent, 80);
    assert!(counts.unsent >= 60, "{counts:?}");
    assert!(report.table().contains("THE TARGET FELL BEHIND"));
}

#[tokio::test]
async fn a_closed_loop_says_so_and_has_no_latency_from_a_schedule() {
    let server = Server::start(|_| approved().after(Duration::from_millis(5))).await;
    let report = ran(Plan { load: Load::Closed, ..plan(&server, 1, Arrivals::Grid) }).await;
    assert!(report.latency.is_none());
    assert_eq!(report.shape.loop_kind, "closed");
    assert!(report.table().contains("CLOSED LOOP"));
    // Eight connections that wait 5 ms each can't exceed 1 600 a second.
    assert!((100.0..=1_600.0).contains(&report.answered_per_s), "{}", report.answered_per_s);
    assert!(report.service.unwrap().min_ns >= 4_000_000);
    assert_eq!(report.verdict, Verdict::Valid);
}

#[tokio::test]
async fn times_of_a_generator_that_missed_its_schedule_are_withheld() {
    let server = Server::start(|_| approved()).await;
    let bound = Duration::ZERO;
    let report = ran(Plan { send_lag_p99_max: bound, ..plan(&server, 200, Arrivals::Grid) }).await;
    assert!(matches!(report.verdict, Verdict::GeneratorSaturated { send_lag_p99_ns, bound_ns: 0 } if send_lag_p99_ns > 0));
    assert!(report.latency.is_none() && report.service.is_none() && report.distribution().is_none());
    assert!(report.table().contains("GENERATOR SATURATED") && !report.table().contains("p99.9"));
    assert_eq!(report.counts.approved, 160, "what was answered is still counted");
}

#[tokio::test]
async fn the_report_survives_json_and_states_the_load() {
    let server = Server::start(|_| approved()).await;
    let report = ran(plan(&server, 200, Arrivals::Poisson)).await;
    let json = serde_json::to_value(&report).unwrap();
    let back: Report = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&back).unwrap(), json);
    assert_eq!(json["shape"]["loop"], "open");
    assert_eq!(json["shape"]["arrivals"], "poisson");
    assert_eq!(json["shape"]["rate_per_s"], 200);
    assert_eq!(json["shape"]["seed"], SEED);
    assert_eq!(json["verdict"]["is"], "valid");
    assert!(json["machine"]["cores"].as_u64() >= Some(1));
    assert!(json["machine"]["stolen_percent"].as_u64() <= Some(100) && json["machine"]["stolen_percent"].is_u64());
    assert!(json["latency"]["max_ns"].as_u64() >= json["latency"]["p999_ns"].as_u64());
    let distribution = report.distribution().unwrap();
    let last = distribution.lines().last().unwrap();
    assert!(last.contains("1.000000000000"), "up to the maximum: {last}");
}

#[tokio::test]
async fn plans_outside_their_limits_and_dead_targets_are_refused_before_anything_is_sent() {
    let server = Server::start(|_| approved()).await;
    let good = plan(&server, 100, Arrivals::Grid);
    let long = Duration::from_secs(601);
    for bad in [
        Plan { load: Load::Open { rate_per_s: 0, arrivals: Arrivals::Grid }, ..good.clone() },
        Plan { connections: 0, ..good.clone() },
        Plan { connections: 1_025, ..good.clone() },
        Plan { duration: long, ..good.clone() },
        Plan { warmup: long, ..good.clone() },
        Plan { timeout: Duration::ZERO, ..good.clone() },
    ] {
        assert!(matches!(rest::run(bad).await, Err(LoadError::OutOfBounds { .. })));
    }
    assert_eq!(server.requests(), 0);
    let nobody = server.stop().await;
    let target = Target::sale(nobody, "key", "test", SEED, (10_000, 99_999)).unwrap();
    let dead = rest::run(Plan::new(target, Load::Closed)).await;
    assert!(matches!(dead, Err(LoadError::Connect { address, .. }) if address == nobody));
}
