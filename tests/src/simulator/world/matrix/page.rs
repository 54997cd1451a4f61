//! The matrix as a page: cases that end alike share a row, which still names every one of them.

use super::{Case, Client, Death, End, Point, Trouble, VERBS};
use protocol::words::Verb;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What the page begins with.
const HEAD: &str = "\
# Time-out matrix

What becomes of one operation when its messages are lost, late, doubled, garbled or cut, the switch dies, and the client asks again or
gives up: every combination, not a sample. Each case is a run of the whole switch (shard, journal on a simulated disk, link, projection,
recovery) against a sandbox host. After it trouble stops, everything drains, the switch is killed once more, batches are closed, and
both ledgers are compared; every checker of the simulator looks at every step.

Written by `cargo run -p tests --bin timeout-matrix -- --write docs/timeout-matrix.md`, and held to what it says by
`cargo test -p tests --test timeout_matrix`. One case, step by step: `timeout-matrix --case 'sale, answer lost, gives up, crash 2c'`.

**Crashes.** A number is a group of records that the operation makes, in order: mostly 1 is the intent, 2 the outcome (or the unknown
outcome, with its reversal queued), 3 the reversal's end. A letter is the point around that group: `a` before the write, `b` the power
goes before its sync is done, `c` synced and nobody was told, `d` told and sent. `–` is no crash. A group without records (an answer that
only waits for what is being written) has no `b`. The switch starts
again within seconds; a group that a crash prevented is made by recovery instead, and the groups after it are numbered on.

**Clients** have an idempotency key. One that gives up makes one call and waits 3 s for it; one that asks again waits 1.2 s, so that its
second call meets the first one in flight, and calls until it is answered. The processor has 2 s. *Late* is 6 s, *twice* 0.3 s apart.
\"Lost\" and the like happen to the operation's first request or answer, and where it is said to the first reversal too.

**Columns.** *Told*: the last that the client hears, status and response code. *Stands*: the transaction when nothing is open any more.
*Host*: what its ledger holds of the operation. Amounts and processors are the same everywhere.
";

/// Cases and how they end.
pub type Ends = Vec<(Case, End)>;

/// Renders the page.
pub fn page(ends: &Ends) -> String {
    let mut page = HEAD.to_owned();
    let _ = writeln!(page, "\n{} cases.", ends.len());
    for verb in VERBS {
        section(&mut page, verb, ends);
    }
    page
}

type Deaths = BTreeSet<Option<Death>>;

fn section(page: &mut String, verb: Verb, ends: &Ends) {
    let mut rows: BTreeMap<(Client, &End), BTreeMap<Trouble, Deaths>> = BTreeMap::new();
    for (case, end) in ends.iter().filter(|(case, _)| case.verb == verb) {
        rows.entry((case.client, end)).or_default().entry(case.trouble).or_default().insert(case.death);
    }
    let _ = writeln!(page, "\n## {}\n", verb.word());
    page.push_str("| Client | Told | Stands | Host | Cases | Trouble: crashes |\n|---|---|---|---|--:|---|\n");
    for ((client, end), troubles) in rows {
        let cases: usize = troubles.values().map(BTreeSet::len).sum();
        let End { told, stands, host } = end;
        let _ = writeln!(page, "| {client} | {told} | {stands} | {host} | {cases} | {} |", in_words(&troubles));
    }
}

/// Troubles with the same deaths are named together.
fn in_words(troubles: &BTreeMap<Trouble, Deaths>) -> String {
    let mut alike: Vec<(&Deaths, Vec<&'static str>)> = Vec::new();
    for (trouble, deaths) in troubles {
        match alike.iter_mut().find(|(known, _)| *known == deaths) {
            Some((_, names)) => names.push(trouble.word()),
            None => alike.push((deaths, vec![trouble.word()])),
        }
    }
    let parts: Vec<String> = alike.iter().map(|(deaths, names)| format!("{}: {}", names.join(", "), points(deaths))).collect();
    parts.join("; ")
}

/// `– 1ab 2a–d`
fn points(deaths: &Deaths) -> String {
    let mut parts: Vec<String> = deaths.iter().filter(|death| death.is_none()).map(|_| "–".to_owned()).collect();
    let groups: BTreeSet<u32> = deaths.iter().flatten().map(|death| death.group).collect();
    for group in groups {
        let here = deaths.iter().flatten().filter(|death| death.group == group);
        let letters: String = here.map(|death| death.point.letter()).collect();
        let letters = if letters.len() == Point::ALL.len() { "a–d".to_owned() } else { letters };
        parts.push(format!("{}{letters}", group + 1));
    }
    parts.join(" ")
}
