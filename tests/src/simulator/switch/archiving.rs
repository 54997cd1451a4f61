//! What the task that archives does: looks now and then which segments hold only what the SQL home has for good, and takes them out.

use super::{Death, Scene, Switch, Task};
use crate::simulator::faults::{CommitFate, Fault};
use crate::simulator::stage::Stage;
use persistence::journal::Archivist;

/// How often it looks, microseconds.
const EVERY_US: u64 = 20_000_000;

impl Switch {
    /// Nothing is archived where the set-up keeps everything.
    pub(super) fn plan_archiving(&self, stage: &mut Stage) {
        if self.setup.keep_segments.is_some() {
            self.plan(stage, EVERY_US, Task::Archive);
        }
    }

    /// Takes out what may leave. The power may go at any of its steps.
    pub(super) fn archive(&mut self, scene: &mut Scene<'_>) -> Result<(), Death> {
        self.plan_archiving(scene.stage);
        let Some(keep) = self.setup.keep_segments.filter(|_| !scene.home.sql_is_away.get()) else { return Ok(()) };
        let home = scene.home;
        let archivist = Archivist::on(home.disk.clone(), Some(home.archive.clone()));
        let secured = home.runtime.block_on(home.queries().secure_applied_lsn());
        let secured = secured.unwrap_or_else(|error| panic!("the SQL home fails without a fault: {error}"));
        let operation = scene.stage.dice.between(0, 12) as u32;
        let power_goes = scene.stage.fates.strikes(Fault::CrashInWrite, &mut scene.stage.dice);
        if power_goes {
            home.arm(CommitFate::PowerGoes { operation });
        }
        let retired = loop {
            match archivist.retire_one(secured, keep) {
                Ok(Some(retired)) => {
                    scene.stage.counts.archived += 1;
                    scene.stage.tell(format_args!("{} is archived, up to LSN {}", retired.name, retired.last_lsn));
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        home.disarm();
        retired.map_err(|error| {
            assert!(power_goes, "the disk failed without a fault: {error}");
            scene.stage.struck(Fault::CrashInWrite);
            Death::PowerLost
        })
    }
}
