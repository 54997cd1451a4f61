//! The moves of a test clock, a value: which moment of the calendar was when.

use protocol::calendar::Micros;
use serde::{Deserialize, Serialize};

/// Moves that are remembered; what happened before the oldest of them counts as having happened at it.
const MOVES_MAX: usize = 1024;

/// All moves, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moves {
    moves: Vec<Move>,
}

/// One move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    /// When it was made, real clock.
    at_us: i64,
    /// How far ahead of the real clock the calendar is from then on.
    ahead_us: i64,
}

impl Moves {
    /// How far ahead of the real clock the calendar is now.
    pub(super) fn ahead_us(&self) -> i64 {
        self.moves.last().map_or(0, |newest| newest.ahead_us)
    }

    /// Notes a move that was made at a real moment.
    pub(super) fn note(&mut self, at: Micros, ahead_us: i64) {
        if self.moves.len() == MOVES_MAX {
            self.moves.remove(0);
        }
        self.moves.push(Move { at_us: at.0, ahead_us });
    }

    /// What the calendar says at a real moment from the newest move on.
    pub(super) fn calendar_of(&self, real: Micros) -> Micros {
        Micros(real.0.saturating_add(self.ahead_us()))
    }

    /// When a moment of the calendar was. One that a move jumped over was when the move was made.
    pub(super) fn real_of(&self, moment: Micros) -> Micros {
        for newer in self.moves.iter().rev() {
            let real = moment.0.saturating_sub(newer.ahead_us);
            if real >= newer.at_us {
                return Micros(real);
            }
            let before_us = self.ahead_before(newer);
            if moment.0.saturating_sub(before_us) >= newer.at_us {
                return Micros(newer.at_us);
            }
        }
        Micros(moment.0.saturating_sub(self.ahead_forgotten()))
    }

    fn ahead_before(&self, of: &Move) -> i64 {
        let older = self.moves.iter().take_while(|older| *older != of).last();
        older.map_or_else(|| self.ahead_forgotten(), |older| older.ahead_us)
    }

    /// How far ahead the calendar was before the oldest move that is remembered.
    fn ahead_forgotten(&self) -> i64 {
        match self.moves.first() {
            Some(oldest) if self.moves.len() == MOVES_MAX => oldest.ahead_us,
            Some(_) | None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn each_moment_of_the_calendar_was_at_one_real_moment() {
        let mut moves = Moves::default();
        assert_eq!(moves.real_of(Micros(5)), Micros(5));
        // At 100 s a jump of 1,000 s; at 200 s one of 50 s more.
        moves.note(Micros(100 * S), 1_000 * S);
        moves.note(Micros(200 * S), 1_050 * S);
        let rows = [
            (99, 99),
            (100, 100),
            (101, 100),
            (1_099, 100),
            (1_100, 100),
            (1_150, 150),
            (1_199, 199),
            (1_201, 200),
            (1_250, 200),
            (1_251, 201),
            (9_000, 7_950),
        ];
        for (calendar, real) in rows {
            assert_eq!(moves.real_of(Micros(calendar * S)), Micros(real * S), "{calendar}");
        }
        assert_eq!(moves.calendar_of(Micros(300 * S)), Micros(1_350 * S));
    }

    #[test]
    fn a_clock_that_is_moved_all_day_remembers_the_newest_moves() {
        let mut moves = Moves::default();
        for second in 1..=2_000 {
            moves.note(Micros(second * S), second * S);
        }
        assert_eq!((moves.moves.len(), moves.ahead_us()), (MOVES_MAX, 2_000 * S));
        assert_eq!(moves.real_of(Micros(4_001 * S)), Micros(2_001 * S));
    }
}
