//! A disk that fills up: warned of in time, refused cleanly at the end, nothing half written.

use super::{SEGMENT, SimulatedDisk, append, open, options};
use crate::journal::{AppendError, JournalError, Log, LogOptions, Space};

#[test]
fn the_reserve_carries_on_when_no_more_can_be_written_ahead() {
    let disk = SimulatedDisk::default();
    disk.set_quota(Some(3 * SEGMENT));
    let options = LogOptions { segments_ahead: 2, ..options() };
    let (mut log, _) = Log::open(disk.clone(), options, |_, _| {}).unwrap();
    log.prepare_ahead().unwrap();
    assert_eq!(log.space().get(), Space::Ample);
    while !disk.with_file("journal-0000000002.seg", |bytes| bytes[0] != 0) {
        append(&mut log, 1, 3000).unwrap();
    }
    log.prepare_ahead().unwrap();
    assert_eq!(log.space().get(), Space::NearlyFull);
    let before = log.last_lsn();
    while append(&mut log, 1, 3000).is_ok() {}
    assert!(log.last_lsn() >= before + 30, "the reserve held only {} records", log.last_lsn() - before);
    assert_eq!(log.space().get(), Space::Exhausted);
}

#[test]
fn at_the_end_of_space_a_group_is_refused_whole_and_may_come_again() {
    let disk = SimulatedDisk::default();
    disk.set_quota(Some(SEGMENT + 10));
    let (mut log, _) = open(&disk).unwrap();
    while append(&mut log, 1, 3000).is_ok() {}
    let last_lsn = log.last_lsn();
    let before = disk.with_file("journal-0000000001.seg", |bytes| bytes.clone());
    for _ in 0..3 {
        assert!(matches!(append(&mut log, 1, 3000), Err(AppendError::Full)));
    }
    assert_eq!(log.last_lsn(), last_lsn, "a refused group took an LSN");
    assert!(disk.with_file("journal-0000000001.seg", |bytes| *bytes == before), "a refused group left bytes");
    let full = disk.copy();
    assert_eq!(open(&full).unwrap().1.last_lsn, last_lsn, "a full disk stops a restart");
    disk.set_quota(None);
    append(&mut log, 1, 3000).unwrap();
    log.prepare_ahead().unwrap();
    assert_eq!(log.space().get(), Space::Ample);
    drop(log);
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.last_lsn, recovered.cut), (last_lsn + 1, None));
}

#[test]
fn free_space_below_the_minimum_stops_writing_ahead_but_not_the_journal() {
    let disk = SimulatedDisk::default();
    disk.set_quota(Some(10 * SEGMENT));
    let options = LogOptions { free_bytes_min: 8 * SEGMENT, segments_ahead: 3, ..options() };
    let (mut log, _) = Log::open(disk.clone(), options, |_, _| {}).unwrap();
    log.prepare_ahead().unwrap();
    assert_eq!(log.space().get(), Space::NearlyFull);
    assert!(disk.has("journal-0000000002.seg") && !disk.has("journal-0000000003.seg"));
    for _ in 0..100 {
        append(&mut log, 1, 3000).unwrap();
    }
    assert_eq!(log.last_lsn(), 100);
}

#[test]
fn no_room_for_the_first_segment_is_said_plainly() {
    let disk = SimulatedDisk::default();
    disk.set_quota(Some(SEGMENT / 2));
    assert!(matches!(open(&disk), Err(JournalError::NoRoom { segment_bytes: SEGMENT })));
    assert!(!disk.has("journal-0000000001.seg.tmp"), "a useless file stays on a full disk");
}
