//! The duplicate window: the same card, amount, currency and type at one merchant, a short while apart, is taken for a
//! mistake unless the request says otherwise.

use crate::index::Index;
use crate::wheel::Alarm;
use protocol::command::Command;
use protocol::id::{Xid, mix};
use protocol::transaction::Transaction;

/// What makes two payments alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Likeness {
    merchant: Xid,
    fingerprint: [u8; 16],
    amount: u64,
    currency: u16,
    verb: u8,
}

impl Likeness {
    /// A payment's likeness.
    pub(crate) fn of(transaction: &Transaction) -> Likeness {
        Likeness {
            merchant: transaction.merchant,
            fingerprint: transaction.fingerprint,
            amount: transaction.requested(),
            currency: transaction.currency.get(),
            verb: transaction.verb,
        }
    }

    /// The likeness of the payment that a command asks for.
    fn wanted(command: &Command) -> Likeness {
        let Command { merchant, fingerprint, amount, currency, verb, .. } = *command;
        Likeness { merchant, fingerprint, amount: amount.get(), currency: currency.get(), verb }
    }

    fn hash64(&self) -> u64 {
        let (half, _) = self.fingerprint.split_at(8);
        let card = u64::from_le_bytes([half[0], half[1], half[2], half[3], half[4], half[5], half[6], half[7]]);
        mix(card ^ self.merchant.hash64() ^ self.amount.rotate_left(24) ^ u64::from(self.currency) << 8 ^ u64::from(self.verb))
    }
}

#[derive(Debug, Clone, Copy)]
struct Recent {
    likeness: Likeness,
    first: Xid,
    alarm: Alarm,
}

/// A recent payment's place, for its timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecentAt(u32);

/// Payments inside their merchant's window.
#[derive(Debug)]
pub(crate) struct Duplicates {
    recent: Vec<Recent>,
    free: Vec<u32>,
    index: Index,
}

impl Duplicates {
    /// Room for `recent_max` payments.
    pub(crate) fn new(recent_max: u32) -> Duplicates {
        Duplicates {
            recent: Vec::with_capacity(recent_max as usize),
            free: Vec::with_capacity(recent_max as usize),
            index: Index::new(recent_max),
        }
    }

    /// True when one more fits.
    pub(crate) fn has_room(&self) -> bool {
        self.index.has_room()
    }

    /// Reads what a look-up of a command's like will read first.
    pub(crate) fn glance(&self, command: &Command) -> u64 {
        self.index.glance(Likeness::wanted(command).hash64())
    }

    /// Reads what forgetting this payment will read first.
    pub(crate) fn glance_at(&self, at: RecentAt) -> u64 {
        self.index.glance(self.recent[at.0 as usize].likeness.hash64())
    }

    /// Reads the place of the `ahead`-th payment that is remembered from now on.
    pub(crate) fn glance_at_free(&self, ahead: usize) -> u64 {
        self.free.iter().rev().nth(ahead).map_or(0, |at| self.recent[*at as usize].likeness.amount)
    }

    /// The payment that one like this would repeat.
    pub(crate) fn first_like(&self, likeness: &Likeness) -> Option<Xid> {
        self.find(likeness).map(|at| self.recent[at.0 as usize].first)
    }

    /// Remembers a payment. When one like it is remembered (the request allowed the duplicate), that one stays the first and `None`
    /// is given back.
    pub(crate) fn remember(&mut self, likeness: Likeness, first: Xid) -> Option<RecentAt> {
        if self.find(&likeness).is_some() || !self.has_room() {
            return None;
        }
        let recent = Recent { likeness, first, alarm: Alarm::NONE };
        let at = match self.free.pop() {
            Some(at) => {
                self.recent[at as usize] = recent;
                at
            }
            None => {
                self.recent.push(recent);
                self.recent.len() as u32 - 1
            }
        };
        self.index.insert(likeness.hash64(), at);
        Some(RecentAt(at))
    }

    /// Notes the deadline that will call [`Duplicates::forget`].
    pub(crate) fn set_alarm(&mut self, at: RecentAt, alarm: Alarm) {
        self.recent[at.0 as usize].alarm = alarm;
    }

    /// The window is over for the payment that was remembered at this place.
    pub(crate) fn forget(&mut self, at: RecentAt) {
        let likeness = self.recent[at.0 as usize].likeness;
        if self.index.remove(likeness.hash64(), at.0) {
            self.free.push(at.0);
        }
    }

    /// The payment came to nothing: the same request is welcome again. Gives back the deadline to cancel.
    pub(crate) fn forget_failed(&mut self, likeness: &Likeness, first: Xid) -> Option<Alarm> {
        let at = self.find(likeness).filter(|at| self.recent[at.0 as usize].first == first)?;
        self.forget(at);
        Some(self.recent[at.0 as usize].alarm)
    }

    fn find(&self, likeness: &Likeness) -> Option<RecentAt> {
        self.index.find(likeness.hash64(), |at| self.recent[at as usize].likeness == *likeness).map(RecentAt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(amount: u64) -> Likeness {
        let mut transaction = Transaction::empty();
        transaction.amount = amount.into();
        transaction.fingerprint = [7; 16];
        Likeness::of(&transaction)
    }

    #[test]
    fn the_first_is_named_until_it_is_forgotten() {
        let mut duplicates = Duplicates::new(2);
        let (first, second) = (Xid([1; 12]), Xid([2; 12]));
        duplicates.remember(likeness(100), first).unwrap();
        assert_eq!(duplicates.remember(likeness(100), second), None);
        assert_eq!(duplicates.first_like(&likeness(100)), Some(first));
        assert_eq!(duplicates.first_like(&likeness(101)), None);
        assert_eq!(duplicates.forget_failed(&likeness(100), second), None, "another's failure does not forget it");
        assert_eq!(duplicates.first_like(&likeness(100)), Some(first));
        assert_eq!(duplicates.forget_failed(&likeness(100), first), Some(Alarm::NONE));
        assert_eq!(duplicates.first_like(&likeness(100)), None);
    }
}
