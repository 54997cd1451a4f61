//! What an operator does that changes no configuration: it is journaled with the name of whoever does it, and then done.
//!
//! Written down first, so that nothing is done that is not known of; most of what can be seen not to come about is refused before. What
//! is written is that it was ordered: what became of it (the switch may be draining, a link busy) is in the answer, in the log, and in the
//! records of what it was done to.

use super::Operator;
use super::changes::{Made, NotMade, Order, Thing};
use crate::links::Control;
use crate::switch::directory::Processor;
use crate::switch::handle::{Settlement, Switch, TurnedAway, Unavailable};
use crate::switch::version::Version;
use protocol::change::{Area, ChangedBy};
use protocol::id::Xid;
use protocol::words::ReversalState;
use serde_json::{Value, json};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A processor's link connects again.
    SignOn,
    /// A processor's link takes leave and stays away.
    SignOff,
    /// A processor is told that a new business day begins.
    CutOver,
    /// A processor's open batches are closed and sent.
    Settle,
    /// A transaction's reversal is not sent again: somebody has seen to it.
    TakeOver,
    /// A new key seals.
    RotateKeys,
    /// A merchant's terminal is registered or changed.
    RegisterTerminal,
}

impl Action {
    const ALL: [Action; 7] = [
        Action::SignOn,
        Action::SignOff,
        Action::CutOver,
        Action::Settle,
        Action::TakeOver,
        Action::RotateKeys,
        Action::RegisterTerminal,
    ];

    /// The word in the APIs and in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Action::SignOn => "sign_on",
            Action::SignOff => "sign_off",
            Action::CutOver => "cut_over",
            Action::Settle => "settle",
            Action::TakeOver => "take_over",
            Action::RotateKeys => "rotate_keys",
            Action::RegisterTerminal => "register_terminal",
        }
    }

    /// From what was journaled; none for what a later version has done.
    pub fn of(text: &[u8]) -> Option<Action> {
        let written: Value = serde_json::from_slice(text).ok()?;
        Action::ALL.into_iter().find(|action| written["action"] == action.word())
    }

    fn written(self) -> String {
        json!({"action": self.word()}).to_string()
    }

    const fn of_control(control: Control) -> Action {
        match control {
            Control::SignOn => Action::SignOn,
            Control::SignOff => Action::SignOff,
            Control::CutOver => Action::CutOver,
        }
    }
}

/// Why an action was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// It could not be written down.
    #[error(transparent)]
    NotWritten(#[from] NotMade),
    /// The switch could not take it on.
    #[error(transparent)]
    TurnedAway(#[from] TurnedAway),
    /// The processor has no link.
    #[error("this processor is configured no more: it has no link")]
    NoLink,
    /// The link is told one thing at a time.
    #[error("the link has not done yet what it was told before")]
    LinkBusy,
    /// The transaction has no reversal that waits, or is none.
    #[error("no reversal of this transaction waits any more")]
    NothingWaits,
}

impl From<Unavailable> for NotDone {
    fn from(why: Unavailable) -> NotDone {
        NotDone::TurnedAway(TurnedAway::Unavailable(why))
    }
}

impl Operator {
    /// Journals that an action is about to be done to something.
    pub async fn write_down(&self, action: Action, subject: Xid, by: ChangedBy) -> Result<Made, NotMade> {
        let thing = Thing { area: Area::Action, subject };
        let made = self.changes.make(thing, action.written(), Order::of(by), |_| Ok(Box::new(|| ()))).await?;
        tracing::info!(by = by.name(), action = action.word(), %subject, version = made.version, "an operator acts");
        Ok(made)
    }
}

/// Tells a processor's link what to do.
pub async fn tell(switch: &Switch, processor: &Processor, control: Control, by: ChangedBy) -> Result<(), NotDone> {
    let operator = switch.operator();
    let link = operator.processor(&processor.id).and_then(|steered| steered.link.as_ref()).ok_or(NotDone::NoLink)?;
    operator.write_down(Action::of_control(control), processor.id, by).await?;
    if link.tell(control) { Ok(()) } else { Err(NotDone::LinkBusy) }
}

/// Closes a processor's open batches and waits, not for ever, until each is answered.
pub async fn settle(switch: &Switch, processor: &Processor, by: ChangedBy) -> Result<Settlement, NotDone> {
    switch.operator().write_down(Action::Settle, processor.id, by).await?;
    Ok(switch.settle(processor.index).await?)
}

/// Ends a transaction's queued reversal, which the operator has seen to.
pub async fn take_over(switch: &Switch, transaction: Xid, by: ChangedBy) -> Result<Version, NotDone> {
    let merchant = switch.past().merchant_of(transaction).await?.ok_or(NotDone::NothingWaits)?;
    let newest = switch.transaction(merchant, transaction).await?;
    newest.filter(waits).ok_or(NotDone::NothingWaits)?;
    switch.operator().write_down(Action::TakeOver, transaction, by).await?;
    switch.take_over_reversal(merchant, transaction).await?.ok_or(NotDone::NothingWaits)
}

fn waits(version: &Version) -> bool {
    version.transaction().reversal.state() == ReversalState::Queued
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actions_word_is_what_is_journaled() {
        for action in Action::ALL {
            assert_eq!(Action::of(action.written().as_bytes()), Some(action));
        }
        assert_eq!(Action::SignOff.written(), "{\"action\":\"sign_off\"}");
        assert_eq!(Action::of(b"{\"action\":\"something later\"}"), None);
    }
}
