//! The book's commands do what it says: every `sh` block of its pages is run, in their order, in one shell against one switch.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use tests::Switch;
use tests::http::exchange;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
/// Pages whose commands are run: one's variables are the next one's.
const PAGES: [&str; 9] = [
    "start.md",
    "gateway-api.md",
    "payment-pages.md",
    "webhooks.md",
    "operating.md",
    "rules.md",
    "configuration.md",
    "replay.md",
    "metrics.md",
];

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
    let documented = metrics_in(&page("metrics.md"));
    for name in metrics_in(&alerts).iter().chain(&metrics_in(&dashboard.to_string())).chain(&documented) {
        assert!(told.lines().any(|line| line.starts_with(name.as_str())), "{name} is not told");
    }
    for label in alerts.split(['{', ',', '}']).filter(|label| label.ends_with('"') && label.contains("=\"")) {
        assert!(label.contains("!=") || told.contains(label), "no metric has {label}");
    }
    for family in told.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = family.split_once(' ').expect("a name and a kind");
        let sample = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        assert!(documented.contains(&sample), "{sample} is in no row of the page");
        assert!(told.contains(&format!("# HELP {name} ")), "{name} says nothing of itself");
    }
}

/// What the program says that it knows where it is given a key that it does not know.
fn keys_known_at(file: &Path, before: &str, behind: &str) -> BTreeSet<String> {
    fs::write(file, format!("{before}no_such_key = 1{behind}\n")).expect("a file");
    let checked = Command::new(tests::binary::switchyard()).args(["config", "check"]).arg(file).output().expect("it runs");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    let (_, known) = said.split_once("expected ").unwrap_or_else(|| panic!("{before}: {said}"));
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_of_the_configuration_stands_in_its_table() {
    let (page, folder) = (page("configuration.md"), tests::folder::Folder::new());
    let file = folder.join("tried.toml");
    let rows_of = |title: &str| -> String {
        let (_, rest) = page.split_once(&format!("| {title} |")).unwrap_or_else(|| panic!("a table of {title}"));
        rest.split("\n\n").next().unwrap_or_default().to_owned()
    };
    let top = keys_known_at(&file, "", "");
    let tables = ["limits", "journal", "sandbox", "mail", "nacha", "webhooks"].map(|name| (format!("[{name}]"), name));
    let lists = ["processor", "merchant", "console_user", "rule", "route"].map(|name| (format!("[[{name}]]"), name));
    let own = top.iter().filter(|key| !tables.iter().chain(&lists).any(|(_, name)| name == key));
    let first = rows_of("key");
    own.for_each(|key| assert!(first.contains(&format!("`{key}`")), "{key} has no row"));
    for (header, _) in tables.iter().chain(&lists) {
        let title = format!("`{header}`");
        let rows = rows_of(&title);
        for key in keys_known_at(&file, &format!("{header}\n"), "") {
            assert!(rows.contains(&format!("`{key}`")), "{key} of {header} has no row");
        }
    }
    for (before, header) in [("[[processor]]\ntls = { ", "[[processor]]"), ("[[merchant]]\nlinks = { ", "[[merchant]]")] {
        for key in keys_known_at(&file, before, " }") {
            assert!(rows_of(&format!("`{header}`")).contains(&format!("`{key}`")), "{key} of {header} has no row");
        }
    }
}
