//! Automatic settlement: closes each processor's batches at its cut-over, by the calendar clock.
//!
//! Nothing is remembered here. What a cut-over must close is what was opened before it, and the batches say themselves when that was:
//! so a cut-over that passed while the switch was down is made up for at the start, several at once are one, and whoever tells a shard
//! twice closes nothing twice. A batch that the processor has rejected is tried again, under its next number, at the next cut-over or
//! by the operator's command, whichever comes first.

use super::cut_over::CutOver;
use crate::calendar::Calendar;
use crate::switch::door::{Door, Return};
use protocol::calendar::Micros;
use tokio::sync::{oneshot, watch};

/// The cut-over of each processor that has one, by index.
pub type CutOvers = Vec<(u16, CutOver)>;

/// The schedule.
pub struct Schedule {
    /// What day it is.
    pub calendar: Calendar,
    /// The shards' doors.
    pub doors: Vec<Door>,
    /// When processors cut over; some may be added while this runs.
    pub cut_overs: watch::Receiver<CutOvers>,
}

impl Schedule {
    /// Runs as long as the switch.
    pub async fn run(mut self) {
        loop {
            let now = self.calendar.now();
            let cut_overs = self.cut_overs.borrow_and_update().clone();
            for (processor, cut_over) in &cut_overs {
                self.cut_over(*processor, cut_over.latest(now)).await;
            }
            let next = cut_overs.iter().map(|(_, cut_over)| cut_over.next(now)).min().unwrap_or(Micros::NEVER);
            tokio::select! {
                () = self.calendar.wait_until(next) => {}
                changed = self.cut_overs.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn cut_over(&self, processor: u16, moment: Micros) {
        let before = self.calendar.real_of(moment);
        let mut asked = Vec::with_capacity(self.doors.len());
        for door in &self.doors {
            let (reply, closed) = oneshot::channel();
            door.give(Return::CloseBatches { processor, before, reply });
            asked.push(closed);
        }
        let mut count = 0;
        for closed in asked {
            // A shard that can't write its journal closes nothing; the next start tells it again.
            count += closed.await.map_or(0, |closed| closed.count);
        }
        if count > 0 {
            tracing::info!(processor, cut_over = %moment, count, "batches are closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::clock::Clock;
    use crate::switch::door::{Closed, Inside};
    use tokio::sync::mpsc;

    /// A shard that says what it was told.
    fn listen(inside: Inside) -> mpsc::UnboundedReceiver<(u16, Micros)> {
        let (told, heard) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            while let Ok(Return::CloseBatches { processor, before, reply }) = inside.returns.recv() {
                let _ = (told.send((processor, before)), reply.send(Closed { count: 1, at: before }));
            }
        });
        heard
    }

    #[tokio::test]
    async fn a_start_and_a_clock_that_is_moved_make_up_for_the_newest_cut_over() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::start_after(Micros::NONE);
        let calendar = Calendar::of_sandbox(clock, &folder.path().join("clock.json"), Vec::new()).await.unwrap();
        let (door, inside) = Door::new(1);
        let mut heard = listen(inside);
        let (_kept, cut_overs) = watch::channel(vec![(3, CutOver::MIDNIGHT)]);
        let schedule = Schedule { calendar: calendar.clone(), doors: vec![door], cut_overs };
        let running = tokio::spawn(schedule.run());
        let begun = clock.now();
        assert_eq!(heard.recv().await, Some((3, CutOver::MIDNIGHT.latest(begun))));
        let moved = calendar.advance_s(3 * 86_400).await.unwrap();
        let (processor, before) = heard.recv().await.unwrap();
        assert_eq!((processor, before), (3, calendar.real_of(CutOver::MIDNIGHT.latest(moved))));
        assert!(begun <= before && before <= clock.now(), "three midnights passed at the moment of the move");
        running.abort();
    }
}
