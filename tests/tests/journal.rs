//! What an operator meets: a torn tail, a damaged disk, a full one, a lost database, a folder that another switch holds.

use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::books::{Books, reconcile};
use tests::client::{id, text};
use tests::dice::Dice;
use tests::folder::Folder;
use tests::payment::{VISA, payment, with};
use tests::{HostProcess, Options, Switch};

const BLOCK_BYTES: u64 = 4096;
const DRAINED: Duration = Duration::from_secs(20);

/// The segment in use of a small journal: the first.
fn segment(switch: &Switch) -> PathBuf {
    let mut names: Vec<PathBuf> =
        fs::read_dir(switch.journal()).expect("the journal is there").map(|entry| entry.expect("an entry").path()).collect();
    names.retain(|name| name.extension().is_some_and(|extension| extension == "seg"));
    names.sort();
    names.swap_remove(0)
}

/// Bytes of a segment up to the block after its last frame.
fn used_bytes(segment: &Path) -> u64 {
    let bytes = fs::read(segment).expect("a segment can be read");
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("a segment has a header") as u64;
    (last / BLOCK_BYTES + 1) * BLOCK_BYTES
}

fn flip(segment: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(segment).expect("a segment can be opened");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("a byte");
    file.write_all_at(&[byte[0] ^ 0x10], offset).expect("a byte can be written");
}

#[test]
fn a_torn_tail_is_cut_and_said_and_nothing_before_it_is_lost() {
    let mut dice = Dice::announced("a_torn_tail_is_cut");
    let mut switch = Switch::sandboxed();
    let sales: Vec<_> = (0..5).map(|number| switch.client().sale(8_000 + number, VISA)).collect();
    switch.kill9();
    let segment = segment(&switch);
    let end = used_bytes(&segment);
    let torn: Vec<u8> = (0..dice.between(1, 6_000)).map(|_| dice.draw() as u8 | 1).collect();
    let file = OpenOptions::new().write(true).open(&segment).expect("a segment can be opened");
    file.write_all_at(&torn, end).expect("a torn frame can be written");
    switch.start_again();
    let said = switch.log();
    assert!(said.contains("torn tail") && said.contains("journal-0000000001") && said.contains(&end.to_string()), "{said}");
    for sale in &sales {
        assert_eq!(&switch.client().get(id(sale)), sale);
    }
    let after = switch.client().sale(8_100, VISA);
    switch.kill9();
    switch.start_again();
    assert_eq!(switch.client().get(id(&after)), after, "what was written after the cut lasts");
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn a_flipped_byte_in_the_middle_refuses_to_start_and_says_where() {
    let mut dice = Dice::announced("a_flipped_byte_in_the_middle");
    let mut switch = Switch::sandboxed();
    let sales: Vec<_> = (0..10).map(|number| switch.client().sale(8_200 + number, VISA)).collect();
    switch.terminate();
    let segment = segment(&switch);
    let end = used_bytes(&segment);
    // Not the header's block, not the last frame's.
    let offset = dice.between(BLOCK_BYTES, end - 3 * BLOCK_BYTES);
    let bytes = fs::read(&segment).expect("a segment can be read");
    // Padding between frames is nobody's: a byte that is not zero is part of a frame.
    let offset = (offset..end).find(|at| bytes[*at as usize] != 0).expect("a frame's byte");
    flip(&segment, offset);
    let damaged = fs::read(&segment).expect("a segment can be read");
    let ended = switch.try_start_again().expect_err("it starts on a damaged journal");
    assert!(!ended.status.success(), "{}", ended.status);
    let last = ended.stderr.lines().last().unwrap_or("");
    for word in ["journal-0000000001", "byte ", "LSN "] {
        assert!(last.contains(word), "{word:?} is missing in {last:?}");
    }
    assert!(fs::read(&segment).expect("a segment can be read") == damaged, "what can't be trusted is not touched");
    flip(&segment, offset);
    switch.start_again();
    for sale in &sales {
        assert_eq!(&switch.client().get(id(sale)), sale);
    }
}

/// `switchyard journal …`: whether it succeeded, and what it said.
fn tool(words: &[&str], folder: &Path) -> (bool, String) {
    let (word, flags) = words.split_first().expect("a word");
    let run = Command::new(tests::binary::switchyard()).args(["journal", word]).arg(folder).args(flags).output();
    let run = run.expect("the tool runs");
    (run.status.success(), String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned())
}

#[test]
fn the_journal_tools_say_what_is_there_and_what_is_broken() {
    let mut switch = Switch::sandboxed();
    let (sale, _) = (switch.client().sale(8_300, VISA), switch.client().sale(8_301, VISA));
    let (sound, said) = tool(&["verify"], &switch.journal());
    assert!(sound && said.contains("in use"), "while the switch runs: {said}");
    let (sound, dumped) = tool(&["dump"], &switch.journal());
    assert!(sound && dumped.contains(id(&sale)), "{dumped}");
    assert!(dumped.contains("******") && !dumped.contains(VISA), "cards are masked: {dumped}");
    let (sound, dumped) = tool(&["dump", "--id", id(&sale), "--json"], &switch.journal());
    let lines: Vec<Value> = dumped.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert!(sound && lines.len() == 2, "intent and outcome: {dumped}");
    assert_eq!((&lines[0]["kind"], &lines[1]["transaction"]["amount"]), (&json!("intent"), &json!(8_300)));
    let rrn = lines[0]["transaction"]["rrn"].as_str().expect("a retrieval reference number");
    assert_eq!(tool(&["dump", "--rrn", rrn, "--json"], &switch.journal()).1, dumped);
    switch.terminate();
    let (sound, said) = tool(&["verify"], &switch.journal());
    let totals = "sale pending_settlement 2 16601".split(' ').collect::<Vec<_>>();
    let row = |line: &str| line.split_whitespace().filter(|word| *word != "USD").take(4).eq(totals.iter().copied());
    assert!(sound && said.lines().any(row), "{said}");
    flip(&segment(&switch), BLOCK_BYTES + 100);
    let (sound, said) = tool(&["verify"], &switch.journal());
    assert!(!sound && said.contains("journal-0000000001"), "{said}");
}

/// What the log says of the state digest at this moment of its latest run.
fn logged_digest(switch: &Switch, moment: &str) -> String {
    let said = format!("{moment}: state digest ");
    let log = switch.log();
    let line = log.lines().rfind(|line| line.contains(&said)).unwrap_or_else(|| panic!("no {said:?} in {log}"));
    line.split(&said).nth(1).expect("it was found").to_owned()
}

#[test]
fn the_state_digest_is_one_in_the_journal_the_database_and_from_run_to_run() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    for number in 0..20 {
        client.sale(8_310 + number, VISA);
    }
    switch.operator().settle();
    switch.terminate();
    let drained = logged_digest(&switch, "drained");
    let verified = |switch: &Switch| -> String {
        let (_, said) = tool(&["verify"], &switch.journal());
        let line = said.lines().find(|line| line.starts_with("digest")).unwrap_or_else(|| panic!("no digest in {said}"));
        line.trim_start_matches("digest").trim().replace("of LSN 1..=", "as of LSN ")
    };
    assert_eq!(verified(&switch), drained);
    assert_eq!(verified(&switch), drained, "a digest of the same journal is the same");
    switch.start_again();
    assert_eq!(logged_digest(&switch, "recovered"), drained);
    switch.client().sale(8_350, VISA);
    switch.kill9();
    let killed = verified(&switch);
    assert_ne!(killed, drained);
    switch.start_again();
    assert_eq!(logged_digest(&switch, "recovered"), killed);
}

/// Names of the segments in a folder, ascending.
fn segments(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder can be listed").filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".seg")).collect();
    names.sort();
    names
}

/// Sales whose records are large, from several clients at once.
fn large_sales(switch: &Switch, count: u64) {
    let note = "n".repeat(8_000);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (client, note) = (switch.client(), &note);
            scope.spawn(move || {
                for number in 0..count / 4 {
                    let body = payment("sale", 10_000 + worker * 1_000 + number, VISA);
                    client.pay(&with(body, &json!({"custom_fields": {"note": note}, "line_items": [note]}))).data();
                }
            });
        }
    });
}

#[test]
fn old_segments_leave_for_the_archive_and_can_come_back() {
    let archive = Folder::new();
    let journal = format!("segments_ahead = 1\nkeep_segments = 0\narchive = \"{}\"\n", archive.path().display());
    let mut switch = Switch::start(Options { journal, ..Options::default() });
    let first = switch.client().sale(8_950, VISA);
    while segments(&switch.journal()).iter().all(|name| name.as_str() < "journal-0000000003.seg") {
        large_sales(&switch, 80);
    }
    // The second is in use, and there is one ahead: the folder does not grow with the load.
    tests::eventually(Duration::from_secs(20), || {
        let left = segments(&switch.journal());
        if left.first().is_some_and(|first| first.as_str() > "journal-0000000001.seg") {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    });
    assert!(segments(&switch.journal()).len() <= 3);
    switch.kill9();
    switch.start_again();
    assert_eq!(switch.client().get(id(&first)), first, "what has left the journal is still known");
    switch.operator().settle();
    switch.client().refund(id(&first), 950).data();
    let last = switch.client().sale(8_951, VISA);
    switch.terminate();
    let of_this_journal = fs::read_dir(archive.path()).expect("the archive is there").next().expect("a folder for the journal");
    let archived = of_this_journal.expect("an entry").path();
    let (sound, said) = tool(&["verify"], &switch.journal());
    assert!(sound && said.contains("\narchived  LSN 1..="), "{said}");
    let (sound, said) = tool(&["dump", "--id", id(&first)], &archived);
    assert!(sound && said.contains(" outcome: "), "{said}");

    // The database is lost, and the journal alone does not reach back.
    for name in ["switchyard.db", "switchyard.db-wal", "switchyard.db-shm"] {
        let _ = fs::remove_file(switch.data().join(name));
    }
    let ended = switch.try_start_again().expect_err("it starts on a part of its past");
    assert!(!ended.status.success());
    let said = ended.stderr.lines().last().unwrap_or("");
    assert!(said.contains("LSN 1 is wanted") && said.contains("put the archived segments back"), "{said}");
    for name in segments(&archived) {
        fs::copy(archived.join(&name), switch.journal().join(&name)).expect("a segment can be put back");
    }
    switch.reconfigure(|options| options.journal = String::new());
    switch.start_again();
    assert_eq!(switch.client().get(id(&last)), last);
    assert_eq!(text(&switch.client().get(id(&first)), "status"), "partially_refunded");
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn a_lost_database_is_rebuilt_from_the_journal() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let mut transactions = vec![client.sale(8_400, VISA), client.authorize(8_401, VISA), client.sale(8_402, VISA)];
    client.capture(id(&transactions[1]), 8_000).data();
    switch.operator().settle();
    client.refund(id(&transactions[2]), 400).data();
    transactions.push(client.pay_once("kept", &payment("sale", 8_403, VISA)).data());
    let paths: Vec<String> = transactions.iter().map(|transaction| format!("/api/transaction/{}", id(transaction))).collect();
    let shown = |switch: &Switch| -> Vec<String> {
        paths.iter().map(|path| switch.client().call("GET", path, &[], b"").text()).collect()
    };
    let before = shown(&switch);
    switch.terminate();
    for name in ["switchyard.db", "switchyard.db-wal", "switchyard.db-shm"] {
        let path = switch.data().join(name);
        if path.exists() {
            fs::remove_file(&path).expect("a file can be removed");
        }
    }
    switch.start_again();
    assert_eq!(shown(&switch), before);
    let again = switch.client().pay_once("kept", &payment("sale", 8_403, VISA));
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "keys are in the journal too");
    let (status, _) = switch.client().refund(id(&transactions[2]), 8_003).refusal();
    assert_eq!(status, 400, "what was refunded is not forgotten");
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn a_database_of_another_journal_is_refused() {
    let (mut one, mut other) = (Switch::sandboxed(), Switch::sandboxed());
    one.client().sale(8_500, VISA);
    other.client().sale(8_501, VISA);
    one.terminate();
    other.terminate();
    for name in ["switchyard.db", "switchyard.db-wal", "switchyard.db-shm"] {
        let (from, to) = (one.data().join(name), other.data().join(name));
        let _ = fs::remove_file(&to);
        if from.exists() {
            fs::copy(&from, &to).expect("a file can be copied");
        }
    }
    let ended = other.try_start_again().expect_err("it starts on a stranger's database");
    assert!(!ended.status.success());
    let last = ended.stderr.lines().last().unwrap_or("").to_owned();
    assert!(last.contains("journal"), "{last}");
}

#[test]
fn a_second_switch_on_the_same_data_is_refused() {
    let first = Switch::sandboxed();
    let sale = first.client().sale(8_600, VISA);
    let mut second = Switch::stopped(Options { data: Some(first.data()), ..Options::default() });
    let ended = second.try_start_again().expect_err("two switches write one journal");
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("another process"), "{}", ended.stderr);
    assert_eq!(first.client().get(id(&sale)), sale, "the first goes on");
    assert_eq!(first.client().sale(8_601, VISA)["response_code"], 100);
}

#[test]
fn a_disk_that_is_nearly_full_refuses_the_new_and_shows_the_old() {
    let mut switch = Switch::sandboxed();
    let sale = switch.client().sale(8_700, VISA);
    switch.terminate();
    switch.reconfigure(|options| options.free_bytes_min = Some(1 << 50));
    switch.start_again();
    let client = switch.client();
    let refused = client.pay(&payment("sale", 8_701, VISA));
    assert_eq!(refused.refusal().0, 503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(client.get(id(&sale)), sale);
    let ready = client.stranger("GET", "/readyz", &[], b"");
    assert_eq!((ready.status, &ready.json()["data"]["disk_ample"]), (503, &json!(false)));
    assert!(!switch.control().ledger().iter().any(|entry| entry.amount == 8_701));
    switch.terminate();
    switch.reconfigure(|options| options.free_bytes_min = None);
    switch.start_again();
    assert_eq!(switch.client().sale(8_702, VISA)["response_code"], 100);
    assert_eq!(Books::read(&switch.journal()).transactions().count(), 2);
}

/// A file system of its own in memory, gone with the test.
struct SmallDisk(Folder);

impl SmallDisk {
    /// None where the tests may not mount: only root may.
    fn of_mib(size: u32) -> Option<SmallDisk> {
        let folder = Folder::new();
        let options = format!("size={size}m,mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|run| run.status.success()).then_some(SmallDisk(folder))
    }

    fn fill_up_to(&self, free_bytes: u64) -> PathBuf {
        let ballast = self.0.join("ballast");
        let mut file = File::create(&ballast).expect("a file can be made");
        let piece = vec![1_u8; 64 * 1024];
        while self.free_bytes() > free_bytes && std::io::Write::write_all(&mut file, &piece).is_ok() {}
        ballast
    }

    fn free_bytes(&self) -> u64 {
        let run = Command::new("df").args(["-B1", "--output=avail"]).arg(self.0.path()).output().expect("df runs");
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        text.lines().nth(1).and_then(|line| line.trim().parse().ok()).expect("df says what is free")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still hold it.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_fills_up_loses_nothing_and_takes_payments_again_when_there_is_room() {
    let Some(disk) = SmallDisk::of_mib(96) else { return };
    let host = HostProcess::start();
    let data = Some(disk.0.join("data"));
    let mut switch = Switch::start(Options { data, timeout_ms: 5_000, ..Options::with_host(host.addr) });
    let client = switch.client();
    let before = client.sale(8_800, VISA);
    host.control.faults(&json!({"delay_ms": [1_500, 1_500]}));
    let in_flight = std::thread::spawn({
        let client = client.clone();
        move || client.sale(8_801, VISA)
    });
    tests::until(DRAINED, || host.control.ledger().iter().any(|entry| entry.amount == 8_801).then_some(()))
        .expect("it is on its way");
    let ballast = disk.fill_up_to(4 << 20);
    tests::eventually(Duration::from_secs(10), || {
        let refused = client.pay(&payment("sale", 8_802, VISA));
        if refused.status == 503 { Ok(()) } else { Err(refused.text()) }
    });
    assert_eq!(in_flight.join().expect("it is answered")["response_code"], 100, "what was in flight finishes");
    host.control.heal();
    assert_eq!(client.get(id(&before)), before);
    fs::remove_file(ballast).expect("room can be made");
    tests::eventually(Duration::from_secs(15), || {
        let again = client.pay(&payment("sale", 8_803, VISA));
        if again.status == 200 { Ok(()) } else { Err(again.text()) }
    });
    switch.kill9();
    switch.start_again();
    assert_eq!(text(&switch.client().get(id(&before)), "status"), "pending_settlement");
    reconcile(&switch.journal(), host.control, DRAINED);
    switch.terminate();
}

#[test]
fn a_first_start_that_is_killed_at_any_moment_can_be_begun_again() {
    let mut dice = Dice::announced("a_first_start_that_is_killed");
    for _ in 0..4 {
        let mut switch = Switch::stopped(Options::default());
        for _ in 0..4 {
            switch.start_and_kill9(Duration::from_millis(dice.between(1, 120)));
        }
        switch.start_again();
        assert_eq!(switch.client().sale(8_900, VISA)["response_code"], 100);
    }
}
