//! What goes in comes out: same records, same LSNs, through any group and segment sizes and any number of restarts.

use proptest::prelude::*;
use protocol::frame::{BLOCK_BYTES, RECORD_BYTES_MAX};

use super::{ID, SEGMENT, SimulatedDisk, append, open, options, record, records};
use crate::journal::verify::look;
use crate::journal::{AppendError, JournalError, Log, LogOptions, Reader};

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_record_comes_back_at_its_lsn(
        groups in proptest::collection::vec((1u32..40, 16usize..2000, any::<bool>()), 1..60),
        blocks in 20u64..64,
        from in 1u64..200,
    ) {
        let disk = SimulatedDisk::default();
        let options = LogOptions { segment_bytes: blocks * BLOCK_BYTES as u64, ..options() };
        let (mut log, _) = Log::open(disk.clone(), options.clone(), |_, _| {}).unwrap();
        let mut expected = 0;
        for (count, bytes, reopen) in groups {
            let bytes = bytes.min(log.batch_bytes_max() / count as usize - 8);
            append(&mut log, count, bytes).unwrap();
            expected += u64::from(count);
            if reopen {
                drop(log);
                let mut seen = 0;
                let (again, recovered) = Log::open(disk.clone(), options.clone(), |lsn, _| seen = lsn).unwrap();
                prop_assert_eq!((seen, recovered.last_lsn, recovered.records), (expected, expected, expected));
                prop_assert_eq!(recovered.cut, None);
                log = again;
            }
        }
        let mut reader = Reader::on(disk.clone(), from).unwrap();
        let mut next = from;
        while let Some((lsn, bytes)) = reader.next(expected).unwrap() {
            prop_assert_eq!(lsn, next);
            prop_assert_eq!(&bytes[8..16], &(lsn | 1 << 63).to_le_bytes());
            next += 1;
        }
        prop_assert_eq!(next, from.max(expected + 1));
        drop(log);
        prop_assert_eq!(look(&disk, 0, &mut |_, _| {}).unwrap().found.unwrap().records, expected);
    }
}

#[test]
fn batches_of_a_group_share_a_frame_and_a_range() {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    let (one, two) = (records(1, 2, 64), records(3, 1, 128));
    let durable = log.append_group(&[(&one, 2), (&[], 0), (&two, 1)]).unwrap();
    assert_eq!((durable.first_lsn(), durable.last_lsn()), (1, 3));
    assert!(log.append_group(&[(&[], 0)]).unwrap().is_empty());
    drop(log);
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.frames, recovered.records), (1, 3));
}

#[test]
fn the_largest_record_fits_the_smallest_segment() {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    for number in 1..=3 {
        let largest = record(number, RECORD_BYTES_MAX);
        log.append_group(&[(&largest, 1)]).unwrap();
    }
    drop(log);
    assert_eq!(open(&disk).unwrap().1.segments, 3);
}

#[test]
fn a_group_above_the_limit_is_refused_and_leaves_no_trace() {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    let large = records(1, 2, RECORD_BYTES_MAX);
    assert!(matches!(log.append_group(&[(&large, 2)]), Err(AppendError::TooLarge { .. })));
    append(&mut log, 1, 64).unwrap();
    drop(log);
    assert_eq!(open(&disk).unwrap().1.last_lsn, 1);
}

#[test]
#[should_panic(expected = "is not 2 records")]
fn a_batch_that_lies_about_its_records_stops_the_process() {
    let (mut log, _) = open(&SimulatedDisk::default()).unwrap();
    let _ = log.append_group(&[(&record(1, 64), 2)]);
}

#[test]
fn a_second_writer_is_locked_out() {
    let disk = SimulatedDisk::default();
    let (log, _) = open(&disk).unwrap();
    assert!(matches!(open(&disk), Err(JournalError::Locked)));
    assert!(look(&disk, 0, &mut |_, _| {}).unwrap().in_use);
    drop(log);
    open(&disk).unwrap();
}

#[test]
fn replay_begins_behind_the_lsn_the_caller_has() {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    for _ in 0..100 {
        append(&mut log, 3, 1000).unwrap();
    }
    drop(log);
    let mut seen = Vec::new();
    let (log, recovered) =
        Log::open(disk.clone(), LogOptions { replay_after: 250, ..options() }, |lsn, _| seen.push(lsn)).unwrap();
    assert_eq!(seen, (251..=300).collect::<Vec<u64>>());
    assert!(recovered.records < 100, "old segments were read through: {} records", recovered.records);
    drop(log);
    let behind = Log::open(disk.clone(), LogOptions { replay_after: 301, ..options() }, |_, _| {});
    assert!(matches!(behind, Err(JournalError::Behind { last_lsn: 300, known: 301 })));
    let gone = Log::open(SimulatedDisk::default(), LogOptions { replay_after: 1, ..options() }, |_, _| {});
    assert!(matches!(gone, Err(JournalError::Behind { last_lsn: 0, known: 1 })));
}

#[test]
fn archived_segments_are_missed_only_by_those_who_want_them() {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    for _ in 0..100 {
        append(&mut log, 3, 1000).unwrap();
    }
    drop(log);
    use crate::journal::Disk;
    disk.remove("journal-0000000001.seg").unwrap();
    disk.remove("journal-0000000002.seg").unwrap();
    let Err(JournalError::Archived { wanted: 1, first_lsn }) = open(&disk) else { panic!("opened without its start") };
    assert!(matches!(Reader::on(disk.clone(), first_lsn - 1), Err(JournalError::Archived { .. })));
    let report = look(&disk, 0, &mut |_, _| {}).unwrap().found.unwrap();
    assert_eq!((report.first_lsn, report.last_lsn, report.records), (first_lsn, 300, 301 - first_lsn));
    let (_, recovered) = Log::open(disk.clone(), LogOptions { replay_after: first_lsn - 1, ..options() }, |_, _| {}).unwrap();
    assert_eq!(recovered.first_lsn, first_lsn);
    let mut reader = Reader::on(disk, first_lsn).unwrap();
    assert_eq!(reader.next(300).unwrap().map(|(lsn, _)| lsn), Some(first_lsn));
}

#[test]
fn a_new_segment_size_holds_from_the_next_segment_on() {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    log.prepare_ahead().unwrap();
    append(&mut log, 1, 64).unwrap();
    drop(log);
    let larger = LogOptions { segment_bytes: 4 * SEGMENT, ..options() };
    let (mut log, _) = Log::open(disk.clone(), larger, |_, _| {}).unwrap();
    let group = records(2, 100, 2000);
    log.append_group(&[(&group, 100)]).unwrap();
    drop(log);
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.last_lsn, recovered.segments, recovered.journal_id), (101, 2, ID));
}

#[test]
fn a_reader_follows_a_journal_that_is_being_written() {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    let mut reader = Reader::on(disk.clone(), 1).unwrap();
    assert_eq!(reader.next(0).unwrap(), None);
    let mut next = 1;
    for _ in 0..300 {
        append(&mut log, 2, 500).unwrap();
        while let Some((lsn, _)) = reader.next(log.last_lsn()).unwrap() {
            assert_eq!(lsn, next);
            next += 1;
        }
        assert_eq!(next, log.last_lsn() + 1);
    }
    assert!(matches!(reader.next(log.last_lsn() + 1), Err(JournalError::Corrupt { .. })), "a durable record was missing unseen");
    assert_eq!(reader.next(u64::MAX).unwrap(), None);
}
