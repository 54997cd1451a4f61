//! The command as a user runs it: exit codes, files, refusals.

use std::collections::BTreeSet;
use std::path::Path;

use tokio::process::Command;

use crate::server::{Reply, Server, approved};

async fn loadgen(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen")).arg("rest").args(arguments).output().await.unwrap();
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
