//! Where a shard's answers wait for a front that is one event loop for many callers.
//!
//! A shard drops its answers in and goes on; the first one since the front last looked calls it, the others find it called. So
//! a turn of the shard costs one wake-up, however many answers it has. What a front is told of a version is cut from it at
//! once, in the shard's turn, while the version is warm: nothing is copied and nothing allocated for it.

use crate::switch::door::Told;
use crossbeam_channel::{Receiver, Sender, TryIter, unbounded};
use protocol::binary::answer::code_for;
use protocol::outcome::Outcome;
use protocol::response_code::ResponseCode;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is told under a ticket.
#[derive(Debug)]
pub enum Heard {
    /// The answer is a version that the shard holds.
    Version(Cut),
    /// Whatever else the shard says.
    Told(Told),
    /// The shard can't answer any more.
    Gone,
}

/// What a front needs of the version that answers a command.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// The transaction as of that version.
    pub outcome: Outcome,
    /// The response code of what was asked.
    pub code: ResponseCode,
    /// What was asked.
    pub verb: Verb,
    /// True when the key was answered before.
    pub replayed: bool,
}

impl Cut {
    /// Cuts it out of a version.
    pub fn of(transaction: &Transaction, verb: Verb, replayed: bool) -> Cut {
        Cut { outcome: Outcome::of(transaction), code: code_for(transaction, verb), verb, replayed }
    }
}

/// The mailbox of one event loop. Unbounded in itself: there is one letter for each ticket, and a front has no more tickets out than
/// the gate has places.
pub struct Mailbox {
    letters: Sender<(u64, Heard)>,
    inside: Receiver<(u64, Heard)>,
    is_called: AtomicBool,
    call: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({} letters)", self.inside.len())
    }
}

impl Mailbox {
    /// A mailbox whose owner is woken by `call`.
    pub fn new(call: impl Fn() + Send + Sync + 'static) -> Arc<Mailbox> {
        let (letters, inside) = unbounded();
        Arc::new(Mailbox { letters, inside, is_called: AtomicBool::new(false), call: Box::new(call) })
    }

    /// The right to one letter.
    pub fn ticket(self: &Arc<Self>, number: u64) -> Ticket {
        Ticket { mailbox: Some(Arc::clone(self)), number }
    }

    /// The letters that are there, each under its ticket's number. Whatever is put in from here on calls again.
    pub fn take(&self) -> TryIter<'_, (u64, Heard)> {
        self.is_called.store(false, Ordering::SeqCst);
        self.inside.try_iter()
    }

    fn put(&self, number: u64, heard: Heard) {
        // The mailbox holds both ends, so the channel is open.
        let _ = self.letters.send((number, heard));
        if !self.is_called.swap(true, Ordering::SeqCst) {
            (self.call)();
        }
    }
}

/// The right, and the duty, to put one letter into a mailbox. Dropped unused it says [`Heard::Gone`].
#[derive(Debug)]
pub struct Ticket {
    mailbox: Option<Arc<Mailbox>>,
    number: u64,
}

impl Ticket {
    /// Tells the front.
    pub fn tell(mut self, heard: Heard) {
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.put(self.number, heard);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.put(self.number, Heard::Gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::refusal::Refusal;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn many_letters_call_once_and_a_dropped_ticket_says_so() {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let mailbox = Mailbox::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let tickets = [1, 2, 3].map(|number| mailbox.ticket(number));
        let [first, second, third] = tickets;
        first.tell(Heard::Told(Told::Refused(Refusal::Busy)));
        drop(second);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        let letters: Vec<_> = mailbox.take().collect();
        assert!(matches!(letters[..], [(1, Heard::Told(Told::Refused(Refusal::Busy))), (2, Heard::Gone)]), "{letters:?}");
        drop(third);
        assert_eq!((calls.load(Ordering::SeqCst), mailbox.take().count()), (2, 1));
    }
}
