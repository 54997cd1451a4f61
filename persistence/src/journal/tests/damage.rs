//! Damaged bytes: a torn tail is cut, everything else refuses.

use std::sync::LazyLock;

use proptest::prelude::*;
use protocol::frame::{BLOCK_BYTES, JournalId};

use super::{Dice, SimulatedDisk, append, open, options};
use crate::journal::{Disk, Found, JournalError, Log, LogOptions, Reader};

const FIRST: &str = "journal-0000000001.seg";
const SECOND: &str = "journal-0000000002.seg";

/// Three frames of 1, 3 and 1 records in blocks 1, 2–3 and 4, and where they begin.
fn three_frames() -> (SimulatedDisk, [usize; 3]) {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    append(&mut log, 1, 200).unwrap();
    append(&mut log, 3, 1500).unwrap();
    append(&mut log, 1, 4600).unwrap();
    (disk, [BLOCK_BYTES, 2 * BLOCK_BYTES, 4 * BLOCK_BYTES])
}

const LAST_FRAME_BYTES: usize = 64 + 4600;

fn expect_refusal_at(disk: &SimulatedDisk, offset: usize, why: &str) {
    match open(disk) {
        Err(JournalError::Corrupt { offset: found, .. }) => assert_eq!(found, offset as u64, "{why}"),
        Err(other) => panic!("{why}: {other}"),
        Ok((_, recovered)) => panic!("{why}: opened with {recovered:?}"),
    }
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_journal_goes_on() {
    let (disk, [_, _, last]) = three_frames();
    for kept in 0..LAST_FRAME_BYTES {
        let torn = disk.copy();
        torn.with_file(FIRST, |bytes| bytes[last + kept..].fill(0));
        let (mut log, recovered) = open(&torn).unwrap();
        assert_eq!(recovered.last_lsn, 4, "torn after {kept} bytes");
        assert_eq!(recovered.cut.is_some(), kept > 0, "torn after {kept} bytes");
        append(&mut log, 2, 64).unwrap();
        drop(log);
        let (_, again) = open(&torn).unwrap();
        assert_eq!((again.last_lsn, again.cut), (6, None), "torn after {kept} bytes");
    }
}

#[test]
fn a_tail_torn_into_trash_is_cut_whole() {
    let (disk, [_, _, last]) = three_frames();
    let mut dice = Dice(7);
    for kept in (0..LAST_FRAME_BYTES).step_by(512) {
        let torn = disk.copy();
        torn.with_file(FIRST, |bytes| {
            bytes[last + kept..last + 2 * BLOCK_BYTES].iter_mut().for_each(|byte| *byte = dice.roll(256) as u8)
        });
        let (_, recovered) = open(&torn).unwrap();
        assert_eq!((recovered.last_lsn, recovered.cut.map(|cut| cut.bytes)), (4, Some(2 * BLOCK_BYTES as u64)));
        assert!(torn.with_file(FIRST, |bytes| bytes[last..].iter().all(|byte| *byte == 0)), "trash was left behind");
    }
}

#[test]
fn the_cut_reports_file_offset_and_lsn() {
    let (disk, [_, _, last]) = three_frames();
    disk.with_file(FIRST, |bytes| bytes[last + 100] ^= 1);
    let cut = open(&disk).unwrap().1.cut.unwrap();
    assert_eq!((cut.name.as_str(), cut.offset, cut.lsn), (FIRST, last as u64, 5));
    assert!(cut.found.contains("checksum"), "{}", cut.found);
}

#[test]
fn a_flip_in_any_byte_of_a_frame_that_another_follows_refuses() {
    let (disk, [_, middle, _]) = three_frames();
    for at in 0..64 + 3 * 1504 {
        let bad = disk.copy();
        bad.with_file(FIRST, |bytes| bytes[middle + at] ^= 0x40);
        expect_refusal_at(&bad, middle, &format!("flip in byte {at}"));
    }
}

#[test]
fn a_refusal_names_the_whole_frame_behind_the_damage_and_changes_nothing() {
    let (disk, [_, middle, last]) = three_frames();
    disk.with_file(FIRST, |bytes| bytes[middle..middle + 2 * BLOCK_BYTES].fill(0));
    let before = disk.with_file(FIRST, |bytes| bytes.clone());
    let Err(error) = open(&disk).map(|_| ()) else { panic!("opened") };
    let text = error.to_string();
    for fact in [FIRST, "byte 8192", "LSN 2", "LSN 5", &format!("byte {last}"), "put the file back"] {
        assert!(text.contains(fact), "{fact:?} is missing in: {text}");
    }
    assert!(disk.with_file(FIRST, |bytes| *bytes == before));
}

#[test]
fn a_flip_in_any_byte_of_a_segment_header_refuses() {
    let (disk, _) = three_frames();
    for at in 0..96 {
        let bad = disk.copy();
        bad.with_file(FIRST, |bytes| bytes[at] ^= 0x40);
        let refused = open(&bad).map(|_| ()).unwrap_err();
        assert!(
            matches!(refused, JournalError::SegmentHeader { .. } | JournalError::FutureVersion { .. }),
            "byte {at}: {refused}"
        );
    }
}

/// Two sealed segments and a third in use.
fn three_segments() -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    while !disk.has("journal-0000000003.seg") {
        append(&mut log, 2, 1000).unwrap();
    }
    append(&mut log, 2, 1000).unwrap();
    disk
}

#[test]
fn a_flip_in_any_byte_of_a_seal_refuses() {
    let disk = three_segments();
    let seal = disk.with_file(FIRST, |bytes| bytes.len()) - BLOCK_BYTES;
    for at in 0..64 {
        let bad = disk.copy();
        bad.with_file(FIRST, |bytes| bytes[seal + at] ^= 0x40);
        assert!(matches!(open(&bad), Err(JournalError::Corrupt { .. })), "flip in byte {at} of the seal");
    }
}

#[test]
fn a_sealed_segment_has_no_torn_tail() {
    let disk = three_segments();
    let bad = disk.copy();
    bad.with_file(SECOND, |bytes| {
        let seal = bytes.len() - BLOCK_BYTES;
        bytes[2 * BLOCK_BYTES..seal].fill(0);
    });
    expect_refusal_at(&bad, 2 * BLOCK_BYTES, "frames before the seal are gone");
}

#[test]
fn segments_missing_swapped_cut_short_or_strange_refuse() {
    let disk = three_segments();
    let missing = disk.copy();
    missing.remove(SECOND).unwrap();
    assert!(matches!(open(&missing), Err(JournalError::SegmentMissing { missing, .. }) if missing == SECOND));

    let swapped = disk.copy();
    swapped.rename(FIRST, "x").unwrap();
    swapped.rename(SECOND, FIRST).unwrap();
    swapped.rename("x", SECOND).unwrap();
    assert!(matches!(open(&swapped), Err(JournalError::Misplaced { fact: "segment number", .. })));

    let short = disk.copy();
    short.with_file(SECOND, |bytes| bytes.truncate(10 * BLOCK_BYTES));
    assert!(matches!(open(&short), Err(JournalError::Misplaced { fact: "size in bytes", .. })));

    let strange = disk.copy();
    let other = another_journal();
    strange.with_file(SECOND, |bytes| *bytes = other.with_file(SECOND, |bytes| bytes.clone()));
    assert!(matches!(open(&strange), Err(JournalError::Foreign { name, .. }) if name == SECOND));
    let strange_end = disk.copy();
    strange_end.with_file("journal-0000000003.seg", |bytes| {
        bytes[4096..12288].copy_from_slice(&other.with_file(SECOND, |bytes| bytes[4096..12288].to_vec()))
    });
    assert_eq!(open(&strange_end).unwrap().1.cut.unwrap().offset, 4096, "a frame of another journal is no frame of ours");
}

fn another_journal() -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let options = LogOptions { new_journal_id: Some(JournalId([7; 16])), ..options() };
    let (mut log, _) = Log::open(disk.clone(), options, |_, _| {}).unwrap();
    while !disk.has(SECOND) {
        append(&mut log, 2, 1000).unwrap();
    }
    disk
}

#[test]
fn a_format_of_later_code_refuses_and_says_so() {
    let disk = three_segments();
    disk.with_file("journal-0000000003.seg", |bytes| bytes[8] = 2);
    let Err(error) = open(&disk).map(|_| ()) else { panic!("opened") };
    assert!(matches!(error, JournalError::FutureVersion { version: 2, .. }), "{error}");
}

#[test]
fn a_write_that_landed_elsewhere_is_seen() {
    let (disk, [first, middle, last]) = three_frames();
    let doubled = disk.copy();
    doubled.with_file(FIRST, |bytes| bytes.copy_within(first..first + BLOCK_BYTES, last));
    let refused = open(&doubled).map(|_| ()).unwrap_err();
    assert!(matches!(refused, JournalError::Corrupt { found: Found::Lsn(1), expected_lsn: 5, .. }), "{refused}");
    let moved = disk.copy();
    moved.with_file(FIRST, |bytes| bytes.copy_within(last..last + 2 * BLOCK_BYTES, middle));
    let refused = open(&moved).map(|_| ()).unwrap_err();
    assert!(matches!(refused, JournalError::Corrupt { found: Found::Lsn(5), expected_lsn: 2, .. }), "{refused}");
}

/// Three frames, the middle one replaced by another journal's with the same id and LSNs: each frame is whole by itself.
fn rewritten() -> SimulatedDisk {
    let (disk, [_, middle, _]) = three_frames();
    let forged = SimulatedDisk::default();
    let (mut log, _) = open(&forged).unwrap();
    append(&mut log, 1, 208).unwrap();
    append(&mut log, 3, 1500).unwrap();
    disk.with_file(FIRST, |bytes| {
        let frame = forged.with_file(FIRST, |bytes| bytes[middle..middle + 2 * BLOCK_BYTES].to_vec());
        bytes[middle..middle + 2 * BLOCK_BYTES].copy_from_slice(&frame);
    });
    disk
}

#[test]
fn a_history_that_was_rewritten_breaks_the_chain() {
    let refused = open(&rewritten()).map(|_| ()).unwrap_err();
    assert!(matches!(refused, JournalError::Corrupt { found: Found::Chain, .. }), "{refused}");
}

#[test]
fn a_reader_beside_the_writer_takes_its_chain_and_nothing_else_on_trust() {
    let refusal = |mut reader: Reader<SimulatedDisk>| loop {
        match reader.next(5) {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let own_from = |disk: &SimulatedDisk, lsn| Reader::on(disk.clone(), 1).unwrap().beside_writer_from(lsn);
    let chain = |refused| matches!(refused, Some(JournalError::Corrupt { found: Found::Chain, .. }));
    let disk = rewritten();
    assert!(chain(refusal(Reader::on(disk.clone(), 1).unwrap())));
    assert!(chain(refusal(own_from(&disk, 6))), "what was there before the writer is proven");
    assert!(refusal(own_from(&disk, 2)).is_none());
    let (disk, [_, middle, _]) = three_frames();
    disk.with_file(FIRST, |bytes| bytes[middle + 200] ^= 1);
    let refused = refusal(own_from(&disk, 2));
    assert!(matches!(refused, Some(JournalError::Corrupt { found: Found::Fault(_), .. })), "{refused:?}");
}

#[test]
fn a_header_torn_while_it_was_written_is_begun_again() {
    let disk = SimulatedDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    while !disk.has(SECOND) {
        append(&mut log, 2, 1000).unwrap();
    }
    let last_lsn = log.last_lsn() - 2;
    drop(log);
    disk.with_file(SECOND, |bytes| {
        bytes[40] ^= 1;
        bytes[BLOCK_BYTES..].fill(0);
    });
    let (mut log, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.last_lsn, recovered.cut.map(|cut| cut.name)), (last_lsn, Some(SECOND.to_owned())));
    append(&mut log, 1, 64).unwrap();
    drop(log);
    assert_eq!(open(&disk).unwrap().1.last_lsn, last_lsn + 1);
}

#[test]
fn a_lost_header_before_frames_refuses() {
    let disk = three_segments();
    disk.with_file("journal-0000000003.seg", |bytes| bytes[..BLOCK_BYTES].fill(0));
    assert!(matches!(open(&disk), Err(JournalError::SegmentHeader { .. })));
    let (alone, _) = three_frames();
    alone.with_file(FIRST, |bytes| bytes[..BLOCK_BYTES].fill(0));
    assert!(matches!(open(&alone), Err(JournalError::SegmentHeader { .. })));
}

#[test]
fn frames_behind_a_lost_seal_and_a_lost_header_refuse() {
    let third = "journal-0000000003.seg";
    // One extent of zeros from the end of a segment into the next, which are neighbours on the disk.
    let disk = three_segments();
    disk.with_file(SECOND, |bytes| bytes[19 * BLOCK_BYTES..].fill(0));
    disk.with_file(third, |bytes| bytes[..BLOCK_BYTES].fill(0));
    let refused = open(&disk).map(|_| ()).unwrap_err();
    assert!(matches!(&refused, JournalError::SegmentHeader { name, .. } if name == third), "{refused}");
    for frames_lost in [0, 2, 10] {
        let disk = three_segments();
        disk.with_file(FIRST, |bytes| bytes[19 * BLOCK_BYTES..].fill(0));
        disk.with_file(SECOND, |bytes| bytes[..(1 + frames_lost) * BLOCK_BYTES].fill(0));
        disk.remove(third).unwrap();
        assert!(matches!(open(&disk), Err(JournalError::SegmentHeader { name, .. }) if name == SECOND));
    }
    let disk = three_segments();
    disk.with_file(FIRST, |bytes| bytes.fill(0));
    disk.with_file(SECOND, |bytes| bytes[..BLOCK_BYTES].fill(0));
    disk.remove(third).unwrap();
    assert!(
        matches!(open(&disk), Err(JournalError::SegmentHeader { name, .. }) if name == SECOND),
        "no new journal over an old one"
    );
}

#[test]
fn rot_in_an_old_segment_waits_for_a_full_check() {
    let disk = three_segments();
    disk.with_file(FIRST, |bytes| bytes[BLOCK_BYTES + 200] ^= 1);
    assert!(open(&disk).is_err());
    let (_, recovered) = Log::open(disk.clone(), LogOptions { replay_after: 70, ..options() }, |_, _| {}).unwrap();
    assert!(recovered.last_lsn > 70);
    let mut reader = Reader::on(disk, 1).unwrap();
    assert!(matches!(reader.next(recovered.last_lsn), Err(JournalError::Corrupt { offset: 4096, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    /// The heart of the torn-tail rule: whatever single byte rots, nothing but the very last frame can be lost.
    #[test]
    fn no_flip_anywhere_loses_more_than_the_last_frame(segment in 1u32..=3, at in 0usize..81920, flip in 1u8..) {
        static WHOLE: LazyLock<SimulatedDisk> = LazyLock::new(three_segments);
        let disk = WHOLE.copy();
        let last_lsn = open(&disk.copy()).unwrap().1.last_lsn;
        disk.with_file(&crate::journal::names::segment(segment), |bytes| bytes[at] ^= flip);
        if let Ok((_, recovered)) = open(&disk) {
            prop_assert!(recovered.last_lsn >= last_lsn - 2, "{recovered:?}");
        }
    }
}
