//! The steady state allocates nothing: after warm-up a sale goes from command to recycled outcome without the allocator.

mod support;

use protocol::frame::Durable;
use protocol::tail::{self, Tail};
use protocol::words::Verb;
use support::allocations::{Counting, allocations};
use support::driver::answer;
use support::{Ask, BEGIN, merchant, merchants, processor};
use switch_core::input::{Input, Sent, Token, Verdict};
use switch_core::limits::Limits;
use switch_core::output::Output;
use switch_core::{Shard, ShardOptions};

#[global_allocator]
static COUNTING: Counting = Counting;

struct Sales {
    shard: Shard,
    tail: Vec<u8>,
    count: u64,
    last_lsn: u64,
}

impl Sales {
    /// One sale from the command to its recycled outcome; 1 ms passes.
    fn one(&mut self) {
        self.count += 1;
        let now = BEGIN.plus_ms(self.count as u32);
        let id = protocol::id::Xid::from_parts((now.0 / 1_000_000) as u32, [1; 5], self.count as u32 * 4);
        let mut command = Ask::pay(Verb::Sale, merchant(1), self.count).keyed(1).command(id);
        command.key_hash[..8].copy_from_slice(&self.count.to_le_bytes());
        command.key_window_s = 1.into();
        let (token, tail) = (Token(self.count), Tail::trusted(&self.tail));
        self.shard.accept(now, Input::Command { token, command: &command, tail });
        let sent = self.settle_effects().expect("a sale is sent");
        self.shard.accept(now, Input::Answer { answer: answer(sent, Verdict::Approved), facts: Tail::trusted(&[]) });
        assert_eq!(self.settle_effects(), None);
    }

    /// Releases what is decided and gives its buffers back.
    fn settle_effects(&mut self) -> Option<Sent> {
        let mut sent = None;
        while let Some(effects) = self.shard.take_effects() {
            let first = self.last_lsn + 1;
            self.last_lsn += u64::from(effects.record_count());
            let released = effects.release(Durable::after_sync(first, self.last_lsn));
            for output in released.outputs() {
                match output {
                    Output::Send(request) => sent = Some(request.sent),
                    Output::Reply(..) | Output::BatchMoved(_) => {}
                }
            }
            self.shard.recycle(released);
        }
        sent
    }
}

#[test]
fn a_sale_allocates_nothing_after_warm_up() {
    let limits = Limits { transactions_max: 1 << 15, keys_max: 1 << 12, recent_max: 1 << 17, ..support::driver::ROOMY };
    let limits = Limits { tails_max_bytes: 1 << 24, ..limits };
    let mut shard = Shard::new(ShardOptions { index: 0, count: 1, limits });
    shard.accept(BEGIN, Input::Processor(processor()));
    merchants().into_iter().for_each(|terms| shard.accept(BEGIN, Input::Merchant(terms)));
    let mut tail = Vec::new();
    tail::push(&mut tail, tail::tag::DESCRIPTION, &[b'x'; 300]);
    let mut sales = Sales { shard, tail, count: 0, last_lsn: 0 };
    // Long enough that keys expire and transactions leave memory.
    for _ in 0..40_000 {
        sales.one();
    }
    let before = allocations();
    for _ in 0..10_000 {
        sales.one();
    }
    assert_eq!(allocations() - before, 0);
    assert!(sales.shard.transactions_in_memory() < 1 << 15);
}
