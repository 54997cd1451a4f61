//! The threads over the log: order, merging, draining, refusing, failing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{Dice, SEGMENT, SimulatedDisk, open, options, record};
use crate::journal::{Batch, Journal, Log, LogOptions, OsDisk, Reader, Refused, Space, SubmitRefusal, WriterOptions};
use protocol::frame::Durable;

struct Note {
    bytes: Vec<u8>,
    count: u32,
    owner: u64,
    turn: u64,
}

impl Batch for Note {
    fn records(&self) -> &[u8] {
        &self.bytes
    }

    fn record_count(&self) -> u32 {
        self.count
    }
}

fn note(owner: u64, turn: u64, count: u32, bytes: usize) -> Note {
    let bytes = (0..count).flat_map(|_| record(owner << 32 | turn, bytes)).collect();
    Note { bytes, count, owner, turn }
}

type Seen = Arc<Mutex<Vec<(u64, u64, Result<Durable, Refused>)>>>;

fn start(disk: &SimulatedDisk, writer: WriterOptions) -> (Journal<Note>, Seen) {
    let (log, _) = Log::open(disk.clone(), options(), |_, _| {}).unwrap();
    let seen = Seen::default();
    let sink = seen.clone();
    let journal =
        Journal::start(log, writer, move |note: Note, result| sink.lock().unwrap().push((note.owner, note.turn, result)));
    (journal.unwrap(), seen)
}

#[test]
fn batches_of_each_owner_come_back_in_order_with_dense_lsns() {
    // Hand-off never, always, and mixed.
    for handoff_bytes in [usize::MAX, 0, 4096] {
        let disk = SimulatedDisk::default();
        let (journal, seen) = start(&disk, WriterOptions { queue_batches: 16, group_bytes: 16 * 1024, handoff_bytes });
        thread::scope(|scope| {
            for owner in 0..4 {
                let submitter = journal.submitter();
                scope.spawn(move || {
                    for turn in 0..200 {
                        let count = ((turn + owner) % 4) as u32;
                        assert!(submitter.submit(note(owner, turn, count, 300)).is_ok());
                    }
                });
            }
        });
        journal.stop();
        let seen = seen.lock().unwrap();
        let mut turns = [0; 4];
        let mut last_lsn = 0;
        for (owner, turn, result) in seen.iter() {
            assert_eq!(*turn, turns[*owner as usize]);
            turns[*owner as usize] += 1;
            let durable = result.unwrap();
            assert_eq!((durable.first_lsn(), durable.is_empty()), (last_lsn + 1, (turn + owner) % 4 == 0));
            last_lsn = durable.last_lsn();
        }
        assert_eq!((turns, last_lsn), ([200; 4], 4 * 50 * 6));
        let mut reader = Reader::on(disk, 1).unwrap();
        for (owner, turn, result) in seen.iter() {
            for lsn in result.unwrap().first_lsn()..=result.unwrap().last_lsn() {
                let (found, bytes) = reader.next(last_lsn).unwrap().unwrap();
                assert_eq!((found, &bytes[8..16]), (lsn, &((owner << 32 | turn) | 1 << 63).to_le_bytes()[..]));
            }
        }
    }
}

#[test]
fn nothing_comes_back_before_it_would_survive_a_power_cut() {
    let disk = SimulatedDisk::default();
    let (log, _) = Log::open(disk.clone(), options(), |_, _| {}).unwrap();
    let (checked, at_once) = (disk.clone(), Arc::new(Mutex::new(0)));
    let count = at_once.clone();
    let journal = Journal::start(log, WriterOptions::default(), move |_: Note, result: Result<Durable, Refused>| {
        let after_cut = checked.copy();
        let mut dice = Dice(1);
        after_cut.crash(|| dice.draw());
        let (_, recovered) = Log::open(after_cut, options(), |_, _| {}).unwrap();
        assert!(recovered.last_lsn >= result.unwrap().last_lsn());
        *count.lock().unwrap() += 1;
    });
    let journal = journal.unwrap();
    for turn in 0..60 {
        assert!(journal.submitter().submit(note(0, turn, 1, 2000)).is_ok());
    }
    journal.stop();
    assert_eq!(*at_once.lock().unwrap(), 60);
}

#[test]
fn stop_drains_and_then_refuses() {
    let disk = SimulatedDisk::default();
    let (journal, seen) = start(&disk, WriterOptions::default());
    let submitter = journal.submitter();
    for turn in 0..50 {
        assert!(submitter.submit(note(0, turn, 2, 100)).is_ok());
    }
    journal.stop();
    assert_eq!(seen.lock().unwrap().len(), 50);
    assert_eq!(submitter.submit(note(0, 50, 1, 100)).map_err(|error| error.why), Err(SubmitRefusal::Closed));
    assert_eq!(Log::open(disk, options(), |_, _| {}).unwrap().1.last_lsn, 100);
}

#[test]
fn a_batch_too_large_is_handed_back_at_once() {
    let (journal, _) = start(&SimulatedDisk::default(), WriterOptions::default());
    let submitter = journal.submitter();
    let large = note(0, 0, 2, submitter.batch_bytes_max() / 2 + 8);
    assert_eq!(submitter.submit(large).map_err(|error| error.why), Err(SubmitRefusal::TooLarge));
    journal.stop();
}

#[test]
fn a_full_disk_refuses_for_good_and_leaves_no_hole() {
    let disk = SimulatedDisk::default();
    disk.set_quota(Some(2 * SEGMENT + 100));
    let (journal, seen) = start(&disk, WriterOptions { group_bytes: 4096, ..WriterOptions::default() });
    let submitter = journal.submitter();
    for turn in 0..100 {
        assert!(submitter.submit(note(0, turn, 1, 3000)).is_ok());
    }
    let space = journal.space();
    assert!(submitter.submit(note(0, 100, 0, 0)).is_ok());
    // Room comes back, but a batch is missing already.
    while seen.lock().unwrap().len() < 101 {
        thread::yield_now();
    }
    disk.set_quota(None);
    assert!(submitter.submit(note(0, 101, 1, 100)).is_ok());
    journal.stop();
    assert_eq!(space.get(), Space::Exhausted);
    let seen = seen.lock().unwrap();
    let first_refused = seen.iter().position(|(_, _, result)| result.is_err()).expect("the disk was never full");
    assert!(first_refused > 30, "refused after {first_refused}");
    for (_, turn, result) in &seen[first_refused..] {
        assert_eq!(result.is_ok(), *turn == 100, "only the batch without records passes");
    }
    assert_eq!(Log::open(disk, options(), |_, _| {}).unwrap().1.last_lsn, first_refused as u64);
}

#[test]
fn a_failed_sync_ends_the_process_before_anybody_is_told() {
    let disk = SimulatedDisk::default();
    let (journal, seen) = start(&disk, WriterOptions::default());
    disk.fail_syncs();
    let _ = journal.submitter().submit(note(0, 0, 1, 100));
    let ended = catch_unwind(AssertUnwindSafe(|| journal.stop())).unwrap_err();
    let report = ended.downcast_ref::<String>().cloned().unwrap_or_default();
    for fact in ["aborted", "sync journal-0000000001.seg", "the medium failed", "LSN 1"] {
        assert!(report.contains(fact), "{fact:?} is missing in: {report}");
    }
    assert!(seen.lock().unwrap().is_empty(), "an answer left after a failed sync");
}

#[test]
fn the_watch_wakes_a_reader_that_tails() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: SEGMENT, free_bytes_min: 0, ..LogOptions::default() };
    let (log, _) = Log::open(OsDisk::open(folder.path()).unwrap(), options, |_, _| {}).unwrap();
    let journal = Journal::start(log, WriterOptions::default(), |_: Note, _| {}).unwrap();
    let (watch, path) = (journal.watch(), folder.path().to_path_buf());
    assert_eq!(watch.wait_past(0, Duration::from_millis(1)), 0);
    let tail = thread::spawn(move || {
        let mut reader = Reader::open(path, 1).unwrap();
        let mut next = 1;
        while next <= 400 {
            let durable = watch.wait_past(next - 1, Duration::from_secs(30));
            while let Some((lsn, _)) = reader.next(durable).unwrap() {
                assert_eq!(lsn, next);
                next += 1;
            }
        }
    });
    for turn in 0..200 {
        assert!(journal.submitter().submit(note(0, turn, 2, 400)).is_ok());
    }
    tail.join().unwrap();
    journal.stop();
}

#[test]
fn a_log_that_was_stopped_opens_again() {
    let disk = SimulatedDisk::default();
    let (journal, _) = start(&disk, WriterOptions::default());
    journal.stop();
    open(&disk).unwrap();
}
