//! Old segments leave in order, whole, and only when nobody wants them; whatever interrupts it.

use super::{Dice, SimulatedDisk, append, open, options};
use crate::journal::simulated::Moment;
use crate::journal::{Archivist, Disk, JournalError, Log, LogOptions, Reader};

const FIRST: &str = "journal-0000000001.seg";

/// A journal of six segments, the last one in use.
fn six_segments() -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    while !disk.has("journal-0000000006.seg") {
        append(&mut log, 2, 1500).unwrap();
    }
    append(&mut log, 2, 1500).unwrap();
    disk
}

fn retire_all(archivist: &Archivist<SimulatedDisk>, lsn: u64, keep: u32) -> Vec<String> {
    let retired = std::iter::from_fn(|| archivist.retire_one(lsn, keep).unwrap());
    retired.map(|segment| segment.name).collect()
}

#[test]
fn only_sealed_segments_that_are_applied_leave_and_so_many_are_kept() {
    let whole = six_segments();
    let last_lsn = open(&whole.copy()).unwrap().1.last_lsn;
    let per_segment = (last_lsn - 2) / 5;
    for (lsn, keep, leave) in [
        (0, 0, 0),
        (per_segment - 1, 0, 0),
        (per_segment, 0, 1),
        (3 * per_segment, 0, 3),
        (3 * per_segment, 2, 1),
        (3 * per_segment, 9, 0),
        (last_lsn, 0, 5),
        (u64::MAX, 0, 5),
    ] {
        let disk = whole.copy();
        let archivist = Archivist::on(disk.clone(), None);
        assert_eq!(archivist.could_retire(lsn, keep).unwrap(), (leave > 0).then_some(leave * per_segment));
        assert_eq!(retire_all(&archivist, lsn, keep).len() as u64, leave, "applied {lsn}, keep {keep}");
        assert_eq!(archivist.could_retire(lsn, keep).unwrap(), None);
        let replay_after = leave * per_segment;
        let (_, recovered) = Log::open(disk.clone(), LogOptions { replay_after, ..options() }, |_, _| {}).unwrap();
        assert_eq!((recovered.last_lsn, recovered.first_lsn), (last_lsn, replay_after + 1));
    }
}

#[test]
fn a_crash_at_any_point_loses_no_record_and_leaves_no_gap() {
    let whole = six_segments();
    let last_lsn = open(&whole.copy()).unwrap().1.last_lsn;
    let count = |disk: &SimulatedDisk| disk.names().len();
    let (journal, archive) = (whole.copy(), SimulatedDisk::default());
    retire_all(&Archivist::on(journal.clone(), Some(archive.clone())), last_lsn, 1);
    let operations = [journal.operations() - whole.operations(), archive.operations()];
    let mut dice = Dice(5);
    for (of_archive, operations) in operations.into_iter().enumerate() {
        for (at, moment) in (0..operations as u32).flat_map(|at| [(at, Moment::Halfway), (at, Moment::After)]) {
            let (journal, archive) = (whole.copy(), SimulatedDisk::default());
            let archivist = Archivist::on(journal.clone(), Some(archive.clone()));
            [&journal, &archive][of_archive].crash_at(at, moment);
            while let Ok(Some(_)) = archivist.retire_one(last_lsn, 1) {}
            journal.crash(|| dice.draw());
            archive.crash(|| dice.draw());
            // The next start goes on with it.
            assert_eq!(archivist.retire_one(last_lsn, 9).unwrap(), None);
            retire_all(&archivist, last_lsn, 1);
            assert_eq!((count(&journal), count(&archive)), (2, 4), "crash at {at} of {of_archive}");
            for name in archive.names() {
                let bytes = archive.read(&name).unwrap();
                journal.open(&name, crate::journal::Access::Create).unwrap();
                journal.with_file(&name, |file| *file = bytes);
            }
            assert_eq!(open(&journal).unwrap().1.records, last_lsn, "all that left can come back");
        }
    }
}

#[test]
fn another_file_under_a_segments_name_is_not_replaced() {
    let journal = six_segments();
    let archive = journal.copy();
    let archivist = Archivist::on(journal.clone(), Some(archive.clone()));
    assert!(archivist.retire_one(u64::MAX, 4).unwrap().is_some_and(|segment| segment.name == FIRST), "the same bytes");
    archive.rot("journal-0000000002.seg", 5000, 1);
    let refused = archivist.retire_one(u64::MAX, 0);
    assert!(matches!(refused, Err(JournalError::ArchiveOccupied { .. })), "{refused:?}");
    assert!(journal.has("journal-0000000002.seg"));
}

#[test]
fn a_reader_opens_and_reads_on_while_segments_leave() {
    let disk = six_segments();
    let last_lsn = open(&disk.copy()).unwrap().1.last_lsn;
    let archivist = Archivist::on(disk.clone(), None);
    let mut reader = Reader::on(disk.clone(), 1).unwrap();
    let mut next = 1;
    while let Some((lsn, _)) = reader.next(last_lsn).unwrap() {
        assert_eq!(lsn, next);
        next += 1;
        archivist.retire_one(lsn, 0).unwrap();
        Reader::on(disk.clone(), next).unwrap();
    }
    assert_eq!(next, last_lsn + 1);
    assert!(matches!(Reader::on(disk, 1), Err(JournalError::Archived { wanted: 1, .. })));
}
