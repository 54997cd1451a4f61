//! Which shard waits for the answer to a request.

use protocol::calendar::Micros;
use std::collections::HashMap;
use switch_core::input::Sent;

/// Requests that have been written and not answered.
#[derive(Debug, Default)]
pub(super) struct Pending {
    shards: HashMap<Sent, Waiter>,
    next_purge: Micros,
}

#[derive(Debug)]
struct Waiter {
    shard: u16,
    forget_at: Micros,
}

impl Pending {
    /// A request was given to the session, which forgets it unanswered at `forget_at`.
    pub(super) fn put(&mut self, sent: Sent, shard: u16, forget_at: Micros) {
        self.shards.insert(sent, Waiter { shard, forget_at });
    }

    /// It is answered or lost: the shard that waits.
    pub(super) fn take(&mut self, sent: &Sent) -> Option<u16> {
        self.shards.remove(sent).map(|waiter| waiter.shard)
    }

    /// Forgets what the session has forgotten. Looks once a second at most.
    pub(super) fn purge(&mut self, now: Micros) {
        if self.next_purge <= now {
            self.next_purge = now.plus_s(1);
            self.shards.retain(|_, waiter| waiter.forget_at > now);
        }
    }
}
