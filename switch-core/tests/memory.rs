//! Memory is a window, and its size is known: what an open transaction takes, measured at the allocator and held to
//! `protocol/FORMATS.md`, "Memory of an open transaction".

// The counter is the test's, not the core's.
#![allow(clippy::disallowed_types)]
#![allow(clippy::print_stdout, reason = "the figure itself is worth seeing")]

mod support;

use protocol::frame::Durable;
use protocol::tail::{self, Tail};
use protocol::words::Verb;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Ask, BEGIN, merchant, merchants, processor};
use switch_core::input::{Input, Token};
use switch_core::limits::{Limits, TAIL_BLOCK_BYTES};
use switch_core::{Shard, ShardOptions};

struct Counting;

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes of a sale's tail in this test: a sealed card, a name, an address.
const TAIL_BYTES: usize = 400;
/// What FORMATS.md states, bytes: everything that one open sale holds, but for its tail's blocks.
const STATED_BYTES: usize = 832;
/// What may be held besides, whatever the number of transactions: buffers of records and outputs that are used again.
const BUFFERS_BYTES_MAX: usize = 256 * 1024;

/// Everything for so many sales: a slot, a key, a place in the duplicate window, a waiter and the deadlines of the first three.
fn limits(sales: u32) -> Limits {
    Limits {
        transactions_max: sales,
        tails_max_bytes: sales * (TAIL_BYTES.next_multiple_of(TAIL_BLOCK_BYTES)) as u32,
        keys_max: sales,
        recent_max: sales,
        waiters_max: sales,
        batches_max: 16,
    }
}

fn shard(sales: u32) -> Shard {
    let mut shard = Shard::new(ShardOptions { index: 0, count: 1, limits: limits(sales) });
    shard.accept(BEGIN, Input::Processor(processor()));
    merchants().into_iter().for_each(|terms| shard.accept(BEGIN, Input::Merchant(terms)));
    shard
}

/// Bytes that a shard with room for so many sales has taken from the allocator.
fn reserved(sales: u32) -> usize {
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    let shard = shard(sales);
    let taken = LIVE_BYTES.load(Ordering::Relaxed) - before;
    drop(shard);
    taken
}

/// A sale that is sent and never answered; each has a card, an amount and a key of its own, and somebody waits for it.
fn open_sale(shard: &mut Shard, number: u32, tail: &[u8], last_lsn: &mut u64) {
    let id = protocol::id::Xid::from_parts(1_795_000_000, [1; 5], number * 4);
    let mut command = Ask::pay(Verb::Sale, merchant(1), 100 + u64::from(number)).keyed(1).command(id);
    command.key_hash[..4].copy_from_slice(&number.to_le_bytes());
    let (token, tail) = (Token(u64::from(number)), Tail::trusted(tail));
    shard.accept(BEGIN, Input::Command { token, command: &command, tail });
    while let Some(effects) = shard.take_effects() {
        let first = *last_lsn + 1;
        *last_lsn += u64::from(effects.record_count());
        let released = effects.release(Durable::after_sync(first, *last_lsn));
        shard.recycle(released);
    }
}

#[test]
fn an_open_transaction_takes_what_is_stated_and_all_of_it_is_reserved_beforehand() {
    const SALES: u32 = 1 << 14;
    let tail_blocks = TAIL_BYTES.next_multiple_of(TAIL_BLOCK_BYTES);
    let each = (reserved(2 * SALES) - reserved(SALES)) / SALES as usize - tail_blocks;
    println!("an open sale takes {each} bytes and {tail_blocks} for its tail of {TAIL_BYTES}");
    assert!(each <= STATED_BYTES, "{each} bytes, FORMATS.md says {STATED_BYTES}");
    assert!(each * 10 >= STATED_BYTES * 9, "{each} bytes: FORMATS.md says {STATED_BYTES}, which is too much by now");

    let mut shard = shard(SALES);
    let mut tail = Vec::new();
    tail::push(&mut tail, tail::tag::DESCRIPTION, &[b'x'; TAIL_BYTES - 4]);
    let (before, mut last_lsn) = (LIVE_BYTES.load(Ordering::Relaxed), 0);
    (1..=SALES).for_each(|number| open_sale(&mut shard, number, &tail, &mut last_lsn));
    assert_eq!(shard.in_flight(), SALES, "as many as there is room for are open at once");
    let grown = LIVE_BYTES.load(Ordering::Relaxed) - before;
    assert!(grown <= BUFFERS_BYTES_MAX, "{SALES} open sales took {grown} bytes that were not reserved");
    open_sale(&mut shard, SALES + 1, &tail, &mut last_lsn);
    assert_eq!((shard.in_flight(), shard.stats().busy), (SALES, 1), "one more is refused");
}
