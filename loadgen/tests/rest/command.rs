//! The command as a user runs it: exit codes, files, refusals.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use crate::server::{Reply, Server, approved};

async fn loadgen(arguments: &[&str]) -> (Option<i32>, String, String) {
    said_to(&[&["rest"], arguments].concat()).await
}

async fn said_to(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen")).args(words).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn sandbox_file(folder: &Path, server: &Server) -> String {
    let path = folder.join("sandbox.json");
    let text = format!(r#"{{"http":"http://{}","binary":"127.0.0.1:1","api_key":"api_x"}}"#, server.address);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const SHORT: [&str; 6] = ["--rate", "200", "--duration", "300ms", "--warmup", "50ms"];

#[tokio::test]
async fn a_run_from_the_sandbox_file_prints_a_table_and_keeps_every_answer() {
    let refuse_some = |nth: u64| if nth.is_multiple_of(10) { Reply::status(503) } else { approved() };
    let server = Server::start(refuse_some).await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox_file(folder.path(), &server);
    let (json, answers) = (folder.path().join("report.json"), folder.path().join("answers.jsonl"));
    let files = ["--json", json.to_str().unwrap(), "--answers", answers.to_str().unwrap()];
    // Two runs into one ledger: it is appended to, and no key occurs twice.
    for _ in 0..2 {
        let lag = ["--send-lag-max", "10m", "--sandbox", &sandbox];
        let (code, table, errors) = loadgen(&[&SHORT[..], &files[..], &lag[..]].concat()).await;
        assert_eq!(code, Some(0), "{errors}");
        assert!(table.contains("open loop, 200/s, grid arrivals") && table.contains("p99.9"), "{table}");
    }
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["counts"]["scheduled"], 60);
    let ledger = std::fs::read_to_string(answers).unwrap();
    let lines: Vec<serde_json::Value> = ledger.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len() as u64, server.requests());
    let keys: BTreeSet<_> = lines.iter().map(|line| line["idempotency_key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), lines.len());
    for line in &lines {
        match line["http_status"].as_u64() {
            Some(200) => assert!(line["id"] == "cabc" && line["response_code"] == 100),
            _ => assert!(line["http_status"] == 503 && line["id"].is_null()),
        }
    }
}

#[tokio::test]
async fn a_saturated_generator_exits_3_without_latencies() {
    let server = Server::start(|_| approved()).await;
    let url = server.address.to_string();
    let place = ["--url", &url, "--api-key", "k", "--send-lag-max", "0us"];
    let (code, table, _) = loadgen(&[&SHORT[..], &place[..]].concat()).await;
    assert_eq!(code, Some(3), "{table}");
    assert!(table.contains("GENERATOR SATURATED") && !table.contains("p99.9"), "{table}");
}

#[tokio::test]
async fn a_ladder_ends_where_the_server_does_and_its_page_needs_nothing_else() {
    // Four connections with 20 ms for each answer: 200 a second at most.
    let server = Server::start(|_| approved().after(Duration::from_millis(20))).await;
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, page) = (sandbox_file(folder.path(), &server), folder.path().join("ladder.html"));
    let rungs = ["ladder", "rest", "--from-rate", "40", "--rung", "400ms", "--connections", "4", "--send-lag-max", "10m"];
    let (code, table, errors) = said_to(&[&rungs[..], &["--sandbox", &sandbox, "--html", page.to_str().unwrap()]].concat()).await;
    assert_eq!(code, Some(0), "{table}{errors}");
    let knee: u32 = table.split_once("The knee is at ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok()).unwrap();
    assert!((40..=215).contains(&knee), "{table}");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<svg").count(), 5, "two of the ladder, three of its best rung");
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href="));
    assert!(page.contains(&format!("The knee is at {knee}")));
}

#[tokio::test]
async fn two_results_stand_beside_each_other_and_what_makes_them_unlike_is_said() {
    let server = Server::start(|_| approved()).await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox_file(folder.path(), &server);
    let results = [("200", "before.json"), ("100", "after.json")].map(|(rate, name)| (rate, folder.path().join(name)));
    for (rate, path) in &results {
        let words = ["--duration", "300ms", "--rate", rate, "--sandbox", &sandbox, "--json", path.to_str().unwrap()];
        let (code, _, errors) = loadgen(&[&words[..], &["--send-lag-max", "10m"]].concat()).await;
        assert_eq!(code, Some(0), "{errors}");
    }
    let [before, after] = results.each_ref().map(|(_, path)| path.to_str().unwrap());
    let mut robbed: serde_json::Value = serde_json::from_slice(&std::fs::read(after).unwrap()).unwrap();
    robbed["machine"]["stolen_percent"] = 17.into();
    std::fs::write(after, robbed.to_string()).unwrap();
    let (code, table, errors) = said_to(&["compare", before, after]).await;
    assert_eq!(code, Some(0), "{errors}");
    assert!(table.contains("not alike  load: open Some(200)") && table.contains("latency p99, ms"), "{table}");
    assert!(table.contains("not alike  after: the hypervisor gave 17 % of the cores to other machines"), "{table}");
    assert!(table.lines().any(|line| line.starts_with("answered a second") && line.contains('-')), "{table}");
}

#[tokio::test]
async fn what_a_run_needs_made_is_asked_for_and_what_cannot_be_is_refused() {
    let server = Server::start(|_| approved()).await;
    let url = server.address.to_string();
    let place = ["--url", &url, "--api-key", "k"];
    for (asked, said) in
        [(["--merchants", "2"], "operator's API"), (["--mix", "refund=5"], "settled sales"), (["--merchants", "0"], "1 to 10000")]
    {
        let (code, _, errors) = loadgen(&[&asked[..], &place[..]].concat()).await;
        assert!(code == Some(1) && errors.contains(said), "{errors}");
    }
    let (code, _, errors) = loadgen(&["--mix", "refunds=5"]).await;
    assert!(code == Some(2) && errors.contains("none of authorize"), "{errors}");
}

#[tokio::test]
async fn other_machines_and_missing_files_are_refused_with_a_reason() {
    let (code, _, errors) = loadgen(&["--url", "http://192.0.2.1:80", "--api-key", "k"]).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("192.0.2.1:80 is not a loopback address"), "{errors}");
    let (code, _, errors) = loadgen(&["--sandbox", "/nonexistent/sandbox.json"]).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("start the switch first"), "{errors}");
    let (code, _, _) = loadgen(&["--duration", "10"]).await;
    assert_eq!(code, Some(2));
}
