//! Commands whose caller is a thread with a mailbox: begun here, answered there.

use super::{Answered, HYDRATIONS_MAX, Switch, TurnedAway, Unavailable};
use crate::switch::door::{CommandMessage, ReplyTo, Told};
use crate::switch::gate::Place;
use crate::switch::mailbox::Ticket;
use crate::trace;
use bytes::Bytes;
use protocol::command::Command;
use protocol::refusal::Refusal;
use protocol::secret::SensitiveData;

impl Switch {
    /// A place at the gate for a command. The caller keeps it until it has the answer, or [`Switch::go_on`] has taken it.
    pub fn reserve(&self, command: &Command) -> Result<Place, TurnedAway> {
        self.enter(command)
    }

    /// Gives a command that has its place to its shard; the answer comes under `ticket`. When the command is turned away, nothing
    /// was done, and what comes under the ticket means nothing.
    pub fn begin(
        &self,
        command: &Command,
        tail: Bytes,
        sensitive: Option<SensitiveData>,
        ticket: Ticket,
    ) -> Result<(), TurnedAway> {
        if sensitive.is_some_and(|data| !self.0.sensitive.put(command.id, data)) {
            return Err(self.busy());
        }
        let (reply, at) = (ReplyTo::Mailbox(ticket), self.now());
        trace::handed_over(command);
        let message = CommandMessage { command: *command, tail, hydration: None, reply, at };
        if !self.door(command.merchant).try_command(message) {
            drop(self.0.sensitive.take(&command.id));
            return Err(self.busy());
        }
        Ok(())
    }

    /// Goes on with a command when the shard has told something that only the history can add to: that the transaction which it
    /// acts upon, or the version that answered its key before, has left memory.
    pub async fn go_on(&self, command: &Command, tail: &Bytes, told: Told, place: Place) -> Answered {
        let (mut told, mut place) = (told, place);
        for _ in 0..HYDRATIONS_MAX {
            let Told::Absent(id) = told else { return self.answer(told).await };
            let read = match self.hydrate(command, id).await {
                Ok(Some(read)) => read,
                Ok(None) => return Answered::Refused(Refusal::NotFound),
                Err(unavailable) => return Answered::Unavailable(unavailable),
            };
            match self.hand_over(command, tail, Some(read), place).await {
                Ok(next) => (told, place) = next,
                Err(turned_away) => return turned_away.into(),
            }
        }
        match told {
            Told::Absent(_) => Answered::Unavailable(Unavailable::History),
            Told::Version { .. } | Told::Stored { .. } | Told::Refused(_) => self.answer(told).await,
        }
    }
}
