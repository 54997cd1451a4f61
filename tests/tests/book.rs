//! The book's commands do what it says: every `sh` block of its pages is run, in their order, in one shell against one switch.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use tests::Switch;
use tests::http::exchange;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
/// Pages whose commands are run: one's variables are the next one's.
const PAGES: [&str; 5] = ["start.md", "gateway-api.md", "operating.md", "replay.md", "metrics.md"];

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(DOCS).join(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}

/// What stands in a page's blocks of shell commands.
fn commands(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_books_commands_work() {
    let switch = Switch::sandboxed();
    let all = PAGES.map(|name| format!("echo '== {name}'\n{}", commands(&page(name))));
    let script = format!("set -euo pipefail\n{}", all.join("\n"));
    let folder = tests::binary::switchyard().parent().expect("a folder").to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash").arg("-c").arg(&script).env("DATA", switch.data()).env("PATH", path).output().expect("bash");
    let (said, faults) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {faults}\n{said}", output.status);
}

#[test]
fn every_page_and_every_link_of_the_summary_is_there() {
    let summary = page("SUMMARY.md");
    let named: BTreeSet<&str> = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    named.iter().for_each(|name| assert!(Path::new(DOCS).join(name).is_file(), "{name}"));
    let pages = fs::read_dir(DOCS).expect("docs").filter_map(Result::ok).map(|entry| entry.file_name());
    let pages = pages.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".md") && name != "SUMMARY.md");
    pages.for_each(|name| assert!(named.contains(name.as_str()), "{name} is in no summary"));
}

/// The names of metrics in a text: those of a family stand before their suffix.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("switchyard_")).map(|word| word.trim_end_matches("_bucket").to_owned()).collect()
}

#[test]
fn every_alert_has_its_page_and_every_metric_that_is_named_is_told() {
    let (alerts, runbook) = (page("alerts.yml"), page("runbook.md"));
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(runbook.contains(&format!("## {alert}\n")), "{alert} has no page");
    }
    let switch = tests::switch::shared();
    let told = exchange(switch.http(), "GET", "/metrics", &[], b"").expect("an answer").text();
    let dashboard: serde_json::Value = serde_json::from_str(&page("grafana.json")).expect("a dashboard is JSON");
    for name in metrics_in(&alerts).union(&metrics_in(&dashboard.to_string())) {
        assert!(told.lines().any(|line| line.starts_with(name.as_str())), "{name} is not told");
    }
}
