//! The `loadgen` command: arguments in, one plan run, a table and files out.

mod cli;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use cli::{Cli, Climb, Files, Overdo, Protocol, Word};
use loadgen::ladder::{Climbed, Knee, Over};
use loadgen::overload::Overload;
use loadgen::report::{compare, page};
use loadgen::{Plan, Report, Verdict};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Exit code for a run whose times are not to be believed.
const EXIT_SATURATED: u8 = 3;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime");
    let done = runtime.and_then(|runtime| runtime.block_on(run(Cli::parse().word)));
    done.unwrap_or_else(|error| {
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(std::io::stderr(), "loadgen: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(word: Word) -> Result<ExitCode> {
    match word {
        Word::Rest(rest) => {
            let plan = rest.pace.plan(rest.asked.prepare(Protocol::Rest).await?);
            measure(Over::Rest, Plan { answers: rest.answers, ..plan }, &rest.files).await
        }
        Word::Binary(binary) => {
            let plan = binary.pace.plan(binary.asked.prepare(Protocol::Binary).await?);
            measure(Over::Binary(binary.frames.shape()), plan, &binary.files).await
        }
        Word::Ladder(climb) => find_knee(&climb).await,
        Word::Overload(overdo) => overload(&overdo).await,
        Word::Compare { before, after } => {
            print(&compare(&read::<Report>(&before)?, &read::<Report>(&after)?))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn measure(over: Over, plan: Plan, files: &Files) -> Result<ExitCode> {
    let report = over.run(plan).await?;
    print(&report.table())?;
    keep(files, &report, &report, None)?;
    Ok(exit_code(&report))
}

async fn find_knee(climb: &Climb) -> Result<ExitCode> {
    let over = match climb.over {
        Protocol::Rest => Over::Rest,
        Protocol::Binary => Over::Binary(climb.frames.shape()),
    };
    let climbed = climb.rungs.ladder(over, quiet(climb.asked.prepare(climb.over).await?)).climb(tell).await?;
    print(&climbed.table())?;
    keep(&climb.files, &climbed, &climbed.best, Some(&climbed))?;
    Ok(match climbed.knee {
        Knee::At { .. } => ExitCode::SUCCESS,
        Knee::BeyondGenerator { .. } => ExitCode::from(EXIT_SATURATED),
        Knee::BelowFirst => ExitCode::FAILURE,
    })
}

async fn overload(overdo: &Overdo) -> Result<ExitCode> {
    let ladder = overdo.rungs.ladder(Over::Rest, quiet(overdo.asked.prepare(Protocol::Rest).await?));
    let asked = Overload { ladder, factor_percent: overdo.factor_percent, duration: overdo.duration };
    let borne = asked.run(tell).await?;
    print(&borne.table())?;
    overdo.json.as_deref().map(|path| write_json(path, &borne)).transpose()?;
    let enough = borne.goodput_percent() >= overdo.goodput_min;
    Ok(match exit_code(&borne.report) {
        code if code != ExitCode::SUCCESS => code,
        _ if enough => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Rungs tell of themselves when they are over.
fn quiet(plan: Plan) -> Plan {
    Plan { show: loadgen::Show::Silent, ..plan }
}

fn tell(rung: &str) {
    // A closed stderr is no reason to end a measurement.
    let _ = std::io::stderr().write_all(rung.as_bytes());
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("print the result")
}

/// Writes the files that were asked for: `result` whole, and of its best run the rest.
fn keep(files: &Files, result: &impl Serialize, best: &Report, climbed: Option<&Climbed>) -> Result<()> {
    files.json.as_deref().map(|path| write_json(path, result)).transpose()?;
    let write = |path: &Path, text: String| std::fs::write(path, text).with_context(|| format!("write {}", path.display()));
    files.html.as_deref().map(|path| write(path, page(best, climbed))).transpose()?;
    if let (Some(path), Some(distribution)) = (&files.hgrm, best.distribution()) {
        write(path, distribution)?;
    }
    Ok(())
}

fn write_json(path: &Path, result: &impl Serialize) -> Result<()> {
    let rendered = serde_json::to_vec_pretty(result).context("render the result")?;
    std::fs::write(path, rendered).with_context(|| format!("write {}", path.display()))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no result of one run", path.display()))
}

fn exit_code(report: &Report) -> ExitCode {
    match report.verdict {
        Verdict::GeneratorSaturated { .. } | Verdict::GeneratorBusy { .. } => ExitCode::from(EXIT_SATURATED),
        Verdict::Valid if report.counts.answered() + report.counts.refused == 0 => ExitCode::FAILURE,
        Verdict::Valid => ExitCode::SUCCESS,
    }
}
