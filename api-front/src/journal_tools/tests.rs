//! The tools on a journal whose contents are known by heart.

use super::*;
use persistence::journal::{Log, LogOptions, OsDisk};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::record::{Decided, Kind, write_transaction};
use protocol::tail::{self, tag};
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, PaymentMethod, ReversalState, Status, Verb};

fn sale(number: u8) -> Transaction {
    let mut sale = Transaction::empty();
    sale.id = Xid([number; 12]);
    sale.rrn = [b'0' + number; 12];
    (sale.verb, sale.status) = (Verb::Sale.number(), Status::Pending.number());
    (sale.amount, sale.currency, sale.version) = (1000.into(), 840.into(), 1.into());
    (sale.first_six, sale.last_four, sale.pan_digits) = (401200.into(), 9439.into(), 16);
    sale.original.state = ExchangeState::InFlight.number();
    sale.original.amount = sale.amount;
    sale
}

fn approved(mut sale: Transaction) -> Transaction {
    (sale.version, sale.status) = (2.into(), Status::PendingSettlement.number());
    sale.original.state = ExchangeState::Approved.number();
    (sale.amount_authorized, sale.amount_captured) = (sale.amount, sale.amount);
    sale
}

fn lost(mut sale: Transaction) -> Transaction {
    (sale.version, sale.status) = (2.into(), Status::Unknown.number());
    sale.original.state = ExchangeState::Unknown.number();
    sale.reversal.state = ReversalState::Queued.number();
    sale
}

/// A record, and the shard that it shall come from.
type Written = (Kind, Transaction);

/// Two approved sales, one in flight, one lost.
fn known() -> [Written; 7] {
    let [one, two, three, four] = [1, 2, 3, 4].map(sale);
    [
        (Kind::Intent, one),
        (Kind::Intent, two),
        (Kind::Outcome, approved(one)),
        (Kind::Intent, three),
        (Kind::Intent, four),
        (Kind::ReversalQueued, lost(four)),
        (Kind::Outcome, approved(two)),
    ]
}

fn log_in(folder: &Path) -> Log<OsDisk> {
    let options = LogOptions { segment_bytes: 80 * 1024, segments_ahead: 1, free_bytes_min: 0, ..LogOptions::default() };
    Log::open(OsDisk::open(folder).unwrap(), options, |_, _| {}).unwrap().0
}

fn journal(records: &[Written], shards: u16, per_group: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut log = log_in(folder.path());
    for group in records.chunks(per_group) {
        let mut bytes = Vec::new();
        for (kind, transaction) in group {
            let shard = u16::from(transaction.id.0[0]) % shards;
            let decided = Decided { shard, sequence: log.last_lsn(), at: Micros(log.last_lsn() as i64) };
            write_transaction(&mut bytes, *kind, decided, transaction, &[]);
        }
        log.append_group(&[(&bytes, group.len() as u32)]).unwrap();
    }
    folder
}

fn verified(folder: &Path) -> String {
    let mut out = Vec::new();
    print_verified(folder, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn line<'a>(said: &'a str, begins: &str) -> &'a str {
    said.lines().find(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("no {begins:?} in {said}"))
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn verify_counts_what_stands_where_and_how_much_money_that_is() {
    let folder = journal(&known(), 1, 3);
    let said = verified(folder.path());
    assert_eq!(line(&said, "kinds"), "kinds     intent 4, outcome 2, reversal queued 1");
    let rows: Vec<Vec<&str>> = said.lines().filter(|line| line.starts_with("          ")).map(words).collect();
    assert!(rows.contains(&vec!["sale", "USD", "pending_settlement", "2", "2000", "2000", "2000", "0", "0"]), "{said}");
    assert!(rows.contains(&vec!["sale", "USD", "pending", "1", "1000", "0", "0", "0", "0"]), "{said}");
    assert!(rows.contains(&vec!["sale", "USD", "unknown", "1", "1000", "0", "0", "0", "0"]), "{said}");
    assert!(rows.contains(&vec!["request", "USD", "in_flight", "1", "1000"]), "{said}");
    assert!(rows.contains(&vec!["reversal", "USD", "queued", "1", "1000"]), "{said}");
    assert!(said.ends_with("batches   none\n"), "{said}");
}

#[test]
fn the_digest_does_not_care_for_shards_groups_or_order() {
    let known = known();
    let mut other_order = known;
    other_order.reverse();
    let digest = |folder: &tempfile::TempDir| line(&verified(folder.path()), "digest").to_owned();
    let one = digest(&journal(&known, 1, 7));
    assert!(one.ends_with(" of LSN 1..=7"), "{one}");
    assert_eq!(one, digest(&journal(&known, 4, 1)));
    assert_eq!(one, digest(&journal(&other_order, 2, 2)));
    assert_ne!(one, digest(&journal(&known[..6], 1, 7)));
}

fn dumped(folder: &Path, filter: Filter, json: bool) -> Vec<String> {
    let mut out = Vec::new();
    dump(folder, &filter, json, &mut out).unwrap();
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn dump_takes_what_the_filter_asks_for() {
    let folder = journal(&known(), 1, 3);
    let lsns = |filter: Filter| -> Vec<u64> {
        let lines = dumped(folder.path(), filter, false);
        lines.iter().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(lsns(Filter::default()), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(lsns(Filter { id: Some(Xid([2; 12])), ..Filter::default() }), [2, 7]);
    assert_eq!(lsns(Filter { rrn: Some("444444444444".into()), ..Filter::default() }), [5, 6]);
    assert_eq!(lsns(Filter { from: Some(3), to: Some(5), ..Filter::default() }), [3, 4, 5]);
    assert_eq!(lsns(Filter { from: Some(6), to: Some(900), ..Filter::default() }), [6, 7]);
    assert_eq!(lsns(Filter { from: Some(900), ..Filter::default() }), [] as [u64; 0]);
}

#[test]
fn an_entry_shows_its_masked_account_and_why_it_came_back() {
    let mut tail = Vec::new();
    tail::push(&mut tail, tag::SEALED_ACCOUNT, b"sealed");
    tail::push(&mut tail, tag::MASKED_ACCOUNT, b"24****15");
    tail::push(&mut tail, tag::RETURN_CODE, b"R01");
    let mut entry = sale(1);
    (entry.payment_method, entry.status) = (PaymentMethod::Ach.number(), Status::Returned.number());
    entry.tail_length = (tail.len() as u32).into();
    let (folder, mut bytes) = (tempfile::tempdir().unwrap(), Vec::new());
    let decided = Decided { shard: 0, sequence: 1, at: Micros(0) };
    write_transaction(&mut bytes, Kind::Returned, decided, &entry, &tail);
    log_in(folder.path()).append_group(&[(&bytes, 1)]).unwrap();
    let lines = dumped(folder.path(), Filter::default(), false);
    assert!(lines[0].contains(" returned: ") && lines[0].contains("account=24****15"), "{lines:?}");
    assert!(lines[0].ends_with("returned=R01") && !lines[0].contains("sealed"), "{lines:?}");
}

#[test]
fn json_lines_carry_the_record_and_a_masked_card() {
    let folder = journal(&known(), 1, 3);
    let lines = dumped(folder.path(), Filter { to: Some(3), ..Filter::default() }, true);
    let last: serde_json::Value = serde_json::from_str(&lines[2]).unwrap();
    assert_eq!((&last["lsn"], &last["kind"]), (&3.into(), &"outcome".into()));
    let transaction = &last["transaction"];
    assert_eq!((&transaction["status"], &transaction["amount"]), (&"pending_settlement".into(), &1000.into()));
    assert_eq!((&transaction["card"], &transaction["parent"]), (&"401200******9439".into(), &serde_json::Value::Null));
}

#[test]
fn a_folder_that_begins_later_is_counted_from_there_and_says_so() {
    let many: Vec<Written> = (0..400).map(|_| (Kind::Intent, sale(1))).collect();
    let folder = journal(&many, 1, 5);
    std::fs::remove_file(folder.path().join("journal-0000000001.seg")).unwrap();
    let said = verified(folder.path());
    let first: u64 = line(&said, "records").split(['N', '.']).nth(1).unwrap().trim().parse().unwrap();
    assert!(first > 1);
    assert!(line(&said, "archived").contains(&format!("LSN 1..={} ", first - 1)), "{said}");
    assert!(line(&said, "digest").ends_with(&format!(" of LSN {first}..=400")), "{said}");
    let lines = dumped(folder.path(), Filter::default(), false);
    assert!(lines[0].starts_with(&format!("{first} ")) && lines.len() as u64 == 401 - first);
}

#[test]
fn no_journal_is_no_error_and_damage_is_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(verified(folder.path()).starts_with("no journal in "));
    assert!(dumped(folder.path(), Filter::default(), false).is_empty());
    let folder = journal(&known(), 1, 3);
    let segment = folder.path().join("journal-0000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096 + 100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let refused = print_verified(folder.path(), &mut Vec::new()).unwrap_err().to_string();
    assert!(refused.contains("journal-0000000001.seg byte 4096"), "{refused}");
    assert!(dump(folder.path(), &Filter::default(), false, &mut Vec::new()).is_err());
}
