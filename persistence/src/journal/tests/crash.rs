//! Power cuts at every kind of moment: what was acknowledged is there afterwards, what was not is whole or gone.

use super::{Dice, SimulatedDisk, append, open};
use crate::journal::AppendError;

/// One life of the journal: recovers, checks, appends until the power goes. Gives the last LSN acknowledged.
fn live(disk: &SimulatedDisk, dice: &mut Dice, acknowledged: u64, case: &str) -> u64 {
    let opened = open(disk);
    let (mut log, recovered) = match opened {
        Ok(opened) => opened,
        // The power went during recovery.
        Err(super::super::JournalError::Disk(_)) => return acknowledged,
        Err(refusal) => panic!("{case}: refused after a mere power cut: {refusal}"),
    };
    assert!(
        recovered.last_lsn >= acknowledged,
        "{case}: LSN {acknowledged} was acknowledged, {} is the last",
        recovered.last_lsn
    );
    let mut acknowledged = recovered.last_lsn;
    loop {
        let prepared = if dice.roll(4) == 0 { log.prepare_ahead() } else { Ok(()) };
        let appended = prepared.and_then(|()| append(&mut log, 1 + dice.roll(9) as u32, 16 + dice.roll(3000) as usize));
        match appended {
            Ok(()) => acknowledged = log.last_lsn(),
            Err(AppendError::Disk(_)) => {
                assert!(
                    matches!(append(&mut log, 1, 64), Err(AppendError::Failed | AppendError::Disk(_))),
                    "{case}: went on after a failure"
                );
                return acknowledged;
            }
            Err(other) => panic!("{case}: {other}"),
        }
    }
}

#[test]
fn no_acknowledged_record_is_lost_over_any_row_of_power_cuts() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let disk = SimulatedDisk::default();
        let mut acknowledged = 0;
        for round in 0..8 {
            disk.crash_after(dice.roll(120) as u32);
            acknowledged = live(&disk, &mut dice, acknowledged, &format!("seed {seed} round {round}"));
            disk.crash(|| dice.draw());
        }
        let (_, recovered) = open(&disk).unwrap_or_else(|refusal| panic!("seed {seed}: {refusal}"));
        assert!(recovered.last_lsn >= acknowledged, "seed {seed}");
    }
}

#[test]
fn what_recovery_has_read_is_durable_even_after_a_kill_before_the_sync() {
    let mut kept = 0;
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let disk = SimulatedDisk::default();
        let (mut log, _) = open(&disk).unwrap();
        disk.crash_after(dice.roll(60) as u32);
        let mut acknowledged = 0;
        while append(&mut log, 1, 3000).is_ok() {
            acknowledged = log.last_lsn();
            if dice.roll(4) == 0 && log.prepare_ahead().is_err() {
                break;
            }
        }
        disk.kill();
        let seen = open(&disk).unwrap().1.last_lsn;
        disk.crash(|| dice.draw());
        let again = open(&disk).unwrap_or_else(|refusal| panic!("seed {seed}: {refusal}")).1.last_lsn;
        assert!(again >= seen, "seed {seed}: LSN {seen} was recovered, and others have seen it; {again} is the last now");
        kept += seen - acknowledged;
    }
    assert!(kept > 0, "no kill left a frame that was written and not synced");
}
