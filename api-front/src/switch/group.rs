//! What a shard submits to the journal: the effects of one turn, and whose they are.

use crate::switch::door::{Door, Return};
use persistence::journal::{Batch, Refused};
use protocol::frame::Durable;
use switch_core::output::Effects;

/// One turn of one shard.
#[derive(Debug)]
pub struct Group {
    /// The shard.
    pub shard: u16,
    /// Its records, and the outputs that wait for them.
    pub effects: Effects,
}

impl Batch for Group {
    fn records(&self) -> &[u8] {
        self.effects.records()
    }

    fn record_count(&self) -> u32 {
        self.effects.record_count()
    }
}

/// The journal's sink: hands every group back to the shard that it came from. Short, for it runs between two writes.
pub fn hand_back(doors: Vec<Door>) -> impl FnMut(Group, Result<Durable, Refused>) + Send + 'static {
    move |group, result| {
        let returned = match result {
            Ok(durable) => Return::Durable(group.effects, durable),
            Err(Refused) => Return::Refused,
        };
        // A shard that has stopped took all it had submitted back before it did.
        doors[usize::from(group.shard)].give(returned);
    }
}
