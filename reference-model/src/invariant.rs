//! The invariants, by their numbers.

use core::fmt;

/// What must never break, whatever fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// A request is durable before its first byte leaves.
    IntentFirst,
    /// An outcome is durable before the client hears it, and never lost or changed.
    OutcomeFirst,
    /// An approval that the client was not told of is reversed, with the same numbers until the processor has it.
    NoOrphan,
    /// A key has at most one effect.
    OneEffectPerKey,
    /// Captured at most what is authorized, refunded at most what is settled, and both ledgers equal to the cent.
    MoneyCloses,
    /// Only an explicit answer approves or declines.
    UnknownIsAState,
    /// Same input, same bytes.
    SameInputSameBytes,
    /// Every table and queue has a limit, and what is refused there is not half done.
    Bounded,
    /// No card data at rest in clear.
    NoCardDataAtRest,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Invariant::IntentFirst => "I1 intent first",
            Invariant::OutcomeFirst => "I2 outcome first",
            Invariant::NoOrphan => "I3 no orphan",
            Invariant::OneEffectPerKey => "I4 one effect per key",
            Invariant::MoneyCloses => "I5 money closes",
            Invariant::UnknownIsAState => "I6 unknown is a state",
            Invariant::SameInputSameBytes => "I7 same input, same bytes",
            Invariant::Bounded => "I8 bounded",
            Invariant::NoCardDataAtRest => "I9 no card data at rest",
        })
    }
}
