//! Automatic settlement: closes each processor's batches at its cut-over, by the calendar clock.
//!
//! Nothing is remembered here. What a cut-over must close is what was opened before it, and the batches say themselves when that was:
//! so a cut-over that passed while the switch was down is made up for at the start, several at once are one, and whoever tells a shard
//! twice closes nothing twice. A batch that the processor has rejected is tried again, under its next number, at the next cut-over or
//! by the operator's command, whichever comes first.

use super::board::Board;
use super::closing::Closing;
use super::cut_over::CutOver;
use crate::calendar::Calendar;
use crate::limits::CUT_OVER_WAIT;
use crate::switch::door::Door;
use protocol::calendar::Micros;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

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
    /// Where batches that moved are shown.
    pub board: Arc<Board>,
}

impl Schedule {
    /// Runs as long as the switch.
    pub async fn run(mut self) {
        let mut diligence = self.calendar.worked_by().await;
        loop {
            let now = diligence.now();
            let cut_overs = self.cut_overs.borrow_and_update().clone();
            let mut closings = Vec::with_capacity(cut_overs.len());
            for (processor, cut_over) in &cut_overs {
                closings.push(self.cut_over(*processor, cut_over.latest(now)).await);
            }
            self.await_settled(&closings).await;
            diligence.has_come_to(now);
            let next = cut_overs.iter().map(|(_, cut_over)| cut_over.next(now)).min().unwrap_or(Micros::NEVER);
            tokio::select! {
                () = diligence.wait_until(next) => {}
                changed = self.cut_overs.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn cut_over(&self, processor: u16, moment: Micros) -> Closing {
        // A shard that can't write its journal closes nothing; the next start tells it again.
        let closing = Closing::ask(&self.doors, processor, self.calendar.real_of(moment)).await;
        if closing.count() > 0 {
            tracing::info!(processor, cut_over = %moment, count = closing.count(), "batches are closed");
        }
        closing
    }

    /// Where a test moves the clock, it wants to find payments settled; elsewhere nobody waits for that.
    async fn await_settled(&self, closings: &[Closing]) {
        let until = Instant::now() + CUT_OVER_WAIT;
        for closing in closings.iter().filter(|_| self.calendar.is_movable()) {
            closing.decided(&self.board, until.saturating_duration_since(Instant::now())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::clock::Clock;
    use crate::switch::door::{Closed, Inside, Return};
    use protocol::batch::{Batch, BatchState};
    use protocol::id::Xid;
    use tokio::sync::mpsc;

    /// A shard that says what it was told, and a processor that answers later.
    fn listen(inside: Inside, board: Arc<Board>) -> mpsc::UnboundedReceiver<(u16, Micros)> {
        let (told, heard) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut number = 0;
            while let Ok(Return::CloseBatches { processor, before, reply }) = inside.returns.recv() {
                number += 1;
                let _ = (told.send((processor, before)), reply.send(Closed { count: 1, at: before }));
                let mut batch = Batch::empty();
                (batch.id, batch.processor, batch.closed_at) =
                    (Xid::from_parts(number, [0; 5], 4), processor.into(), before.0.into());
                for state in [BatchState::Closing, BatchState::Accepted, BatchState::Complete] {
                    std::thread::yield_now();
                    batch.state = state as u8;
                    board.show(batch);
                }
            }
        });
        heard
    }

    #[tokio::test]
    async fn a_start_and_a_clock_that_is_moved_make_up_for_the_newest_cut_over() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::start_after(Micros::NONE);
        let calendar = Calendar::of_sandbox(clock, &folder.path().join("clock.json"), Vec::new()).await.unwrap();
        let ((door, inside), board) = (Door::new(1), Arc::new(Board::default()));
        let mut heard = listen(inside, Arc::clone(&board));
        let (_kept, cut_overs) = watch::channel(vec![(3, CutOver::MIDNIGHT)]);
        let schedule = Schedule { calendar: calendar.clone(), doors: vec![door], cut_overs, board: Arc::clone(&board) };
        let running = tokio::spawn(schedule.run());
        let begun = clock.now();
        assert_eq!(heard.recv().await, Some((3, CutOver::MIDNIGHT.latest(begun))));
        let moved = calendar.advance_s(3 * 86_400).await.unwrap();
        assert_eq!(
            board.find(|batch| batch.state() == BatchState::Complete).len(),
            2,
            "whoever moves the clock finds it settled"
        );
        let (processor, before) = heard.recv().await.unwrap();
        assert_eq!((processor, before), (3, calendar.real_of(CutOver::MIDNIGHT.latest(moved))));
        assert!(begun <= before && before <= clock.now(), "three midnights passed at the moment of the move");
        running.abort();
    }
}
