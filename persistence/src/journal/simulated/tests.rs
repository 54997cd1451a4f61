//! The disk keeps to its own rules: nothing synced is ever lost, and everything that may be lost is lost at some seed.

use std::collections::BTreeSet;

use super::*;
use crate::journal::block::BlockBuffer;
use crate::journal::tests::Dice;

const BLOCK: usize = 4096;

fn block(filling: u8) -> BlockBuffer {
    let mut block = BlockBuffer::zeroed(BLOCK);
    block.bytes_mut().fill(filling);
    block
}

/// A file `x` of two blocks of ones, synced, and the folder too.
fn synced() -> (SimulatedDisk, SimulatedFile) {
    let disk = SimulatedDisk::default();
    let file = disk.open("x", Access::Create).unwrap();
    file.write_at(block(1).bytes(), 0).unwrap();
    file.write_at(block(1).bytes(), BLOCK as u64).unwrap();
    file.sync().unwrap();
    disk.sync_folder().unwrap();
    (disk, file)
}

fn crash(disk: &SimulatedDisk, seed: u64) {
    let mut dice = Dice(seed);
    disk.crash(|| dice.draw());
}

#[test]
fn what_was_synced_survives_and_what_was_not_meets_every_fate() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let (disk, file) = synced();
        file.write_at(block(2).bytes(), BLOCK as u64).unwrap();
        crash(&disk, seed);
        let bytes = disk.read("x").unwrap();
        assert!(bytes[..BLOCK].iter().all(|byte| *byte == 1), "seed {seed}: a synced block changed");
        for sector in bytes[BLOCK..].chunks(512) {
            let (old, new) = (sector.iter().all(|byte| *byte == 1), sector.iter().all(|byte| *byte == 2));
            let torn = sector.iter().is_sorted_by(|a, b| a >= b) && sector[0] == 2 && sector[511] == 1;
            seen.insert((old, new, torn));
        }
        assert!(file.read_at(&mut [0; 8], 0).is_err(), "a file opened before the crash still reads");
    }
    let fates = [(true, false, false), (false, true, false), (false, false, true), (false, false, false)];
    assert_eq!(seen, BTreeSet::from(fates), "old, new, torn, trash");
}

#[test]
fn writes_that_were_not_synced_may_arrive_in_any_order() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let (disk, file) = synced();
        file.write_at(block(2).bytes(), 0).unwrap();
        file.write_at(block(2).bytes(), BLOCK as u64).unwrap();
        crash(&disk, seed);
        let bytes = disk.read("x").unwrap();
        seen.insert((bytes[..BLOCK] == *block(2).bytes(), bytes[BLOCK..] == *block(2).bytes()));
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn folder_changes_that_were_not_synced_may_be_undone_in_any_combination() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let (disk, _) = synced();
        disk.open("new", Access::Create).unwrap();
        disk.rename("x", "y").unwrap();
        crash(&disk, seed);
        seen.insert(disk.names());
    }
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let all = [names(&["x"]), names(&["y"]), names(&["new", "x"]), names(&["new", "y"])];
    assert_eq!(seen, BTreeSet::from(all));
}

#[test]
fn a_synced_removal_stays_one_and_an_open_file_outlives_it() {
    let (disk, file) = synced();
    disk.remove("x").unwrap();
    disk.sync_folder().unwrap();
    file.read_at(&mut [0; 8], 0).unwrap();
    crash(&disk, 1);
    assert!(disk.names().is_empty());
}

#[test]
fn a_kill_loses_nothing_that_a_later_power_cut_could_not() {
    let mut lost = 0;
    for seed in 0..50 {
        let (disk, file) = synced();
        let _lock = disk.lock().unwrap().expect("nobody holds it");
        file.write_at(block(2).bytes(), 0).unwrap();
        disk.kill();
        assert!(file.sync().is_err() && disk.lock().unwrap().is_some());
        assert_eq!(disk.read("x").unwrap()[..BLOCK], *block(2).bytes());
        crash(&disk, seed);
        lost += usize::from(disk.read("x").unwrap()[..BLOCK] != *block(2).bytes());
    }
    assert!(lost > 0, "an un-synced write became safe by a kill");
}

#[test]
fn the_power_goes_before_within_or_after_the_operation_asked_for() {
    // The write was done before: only a sync that was done too makes it safe.
    for (moment, fates) in [(Moment::Before, 2), (Moment::Halfway, 2), (Moment::After, 1)] {
        let mut seen = BTreeSet::new();
        for seed in 0..50 {
            let (disk, file) = synced();
            disk.crash_at(1, moment);
            file.write_at(block(2).bytes(), 0).unwrap();
            assert!(file.sync().is_err() && file.sync().is_err() && disk.list().is_err(), "the power is gone");
            crash(&disk, seed);
            seen.insert(disk.read("x").unwrap()[..BLOCK] == *block(2).bytes());
        }
        assert_eq!((seen.len(), seen.contains(&true)), (fates, true), "{moment:?}");
    }
}

#[test]
fn a_failure_strikes_once_at_the_operation_asked_for() {
    let (disk, file) = synced();
    let before = disk.operations();
    disk.fail_after(1);
    file.write_at(block(2).bytes(), 0).unwrap();
    assert!(file.write_at(block(2).bytes(), 0).is_err());
    file.write_at(block(2).bytes(), 0).unwrap();
    assert_eq!(disk.operations(), before + 3);
    disk.fail_after(0);
    disk.disarm();
    file.sync().unwrap();
}

#[test]
#[should_panic(expected = "tried again after it had failed")]
fn a_sync_that_failed_is_not_to_be_tried_again() {
    let (disk, file) = synced();
    disk.fail_after(0);
    assert!(file.sync().is_err());
    let _ = file.sync();
}

#[test]
fn rot_flips_bits_for_good_and_gives_them_back() {
    let (disk, _) = synced();
    disk.rot("x", 5000, 0x81);
    crash(&disk, 1);
    assert_eq!(disk.read("x").unwrap()[5000], 1 ^ 0x81);
    disk.rot("x", 5000, 0x81);
    assert_eq!(disk.read("x").unwrap()[5000], 1);
}

#[test]
fn a_full_disk_takes_no_byte_more_and_what_is_there_can_be_overwritten() {
    let (disk, file) = synced();
    disk.set_quota(Some(disk.used_bytes() + 100));
    assert_eq!(disk.free_bytes().unwrap(), 100);
    let refused = file.write_at(block(3).bytes(), 2 * BLOCK as u64).unwrap_err();
    assert_eq!((refused.kind(), disk.used_bytes()), (io::ErrorKind::StorageFull, 2 * BLOCK as u64));
    file.write_at(block(3).bytes(), 0).unwrap();
}

#[test]
fn a_copy_goes_its_own_way() {
    let (disk, file) = synced();
    let copy = disk.copy();
    file.write_at(block(2).bytes(), 0).unwrap();
    disk.rot("x", 5000, 1);
    assert!(copy.read("x").unwrap().iter().all(|byte| *byte == 1));
}

#[test]
fn the_same_dice_leave_the_same_disk() {
    let after = |seed| {
        let (disk, file) = synced();
        file.write_at(block(2).bytes(), 0).unwrap();
        disk.rename("x", "y").unwrap();
        crash(&disk, seed);
        disk.names().into_iter().map(|name| (disk.read(&name), name)).collect::<Vec<_>>()
    };
    (0..20).for_each(|seed| assert_eq!(after(seed), after(seed)));
}
