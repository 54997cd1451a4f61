//! How large a world is, and who takes part. Drawn from the seed, or given by whoever builds a small world by hand.

use crate::dice::Dice;
use crate::simulator::terminals;
use api_front::switch::directory::{AcceptorTable, TerminalTable};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::PaymentMethod;
use switch_core::connectors::tsys::{Acceptor, SessionOptions};
use switch_core::input::{MerchantTerms, OwnProcessors, ProcessorState, ProcessorTerms};
use switch_core::limits::Limits;

/// When every world begins: a whole second of 2026.
pub const BEGIN: Micros = Micros(1_795_000_000_000_000);
/// Bound of the wait between repeats of a reversal, milliseconds.
pub const REVERSAL_RETRY_MAX_MS: u32 = 8_000;
/// Longest time-out of a processor, milliseconds.
pub const TIMEOUT_MAX_MS: u32 = 5_030;
/// How long a host may take to answer network management, milliseconds.
pub const NETWORK_TIMEOUT_MS: u32 = 2_000;
/// Silence after which an echo is sent, milliseconds.
pub const ECHO_AFTER_MS: u32 = 10_000;
/// Echoes without an answer after which a connection counts as down.
pub const MISSED_ECHOES_MAX: u32 = 3;
/// Worlds in a million that have a processor of bank accounts, and as many have one of terminals.
const WITH_OTHER_METHOD: u32 = 500_000;
/// Longest duplicate window, seconds.
pub const DUPLICATE_WINDOW_MAX_S: u32 = 60;

/// A handful of everything: limits are reached all the time (I8).
const TINY: Limits =
    Limits { transactions_max: 24, tails_max_bytes: 16_384, keys_max: 24, recent_max: 12, waiters_max: 16, batches_max: 8 };
/// What leaves memory soon, and is read back.
const SMALL: Limits =
    Limits { transactions_max: 96, tails_max_bytes: 1 << 17, keys_max: 512, recent_max: 128, waiters_max: 128, batches_max: 32 };
/// What no run reaches.
const ROOMY: Limits = Limits {
    transactions_max: 1 << 12,
    tails_max_bytes: 1 << 21,
    keys_max: 1 << 13,
    recent_max: 1 << 12,
    waiters_max: 1 << 10,
    batches_max: 1 << 10,
};

/// The set-up of a world.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Shards.
    pub shards: u16,
    /// How large each may grow.
    pub limits: Limits,
    /// Merchants, as they stand now.
    pub merchants: Vec<MerchantTerms>,
    /// Processors, as the configuration has them.
    pub processors: Vec<ProcessorTerms>,
    /// Size of a segment of the journal.
    pub segment_bytes: u64,
    /// Segments that are written ahead.
    pub segments_ahead: u32,
    /// Commands that may wait in front of a shard.
    pub queue_commands: usize,
    /// Requests that may wait for a link.
    pub outbox_orders: usize,
    /// Members of a batch that are settled at a time.
    pub settle_chunk: u32,
    /// How long a write and its sync take, microseconds: shortest, longest.
    pub sync_us: [u64; 2],
    /// How far the projection falls behind, microseconds: shortest, longest.
    pub follow_us: [u64; 2],
    /// Segments that stay in the journal though the SQL home has them; `None` archives nothing.
    pub keep_segments: Option<u32>,
    /// Hosts keep batch numbers and not what they have answered to totals.
    pub hosts_forget_totals: bool,
    /// How long a person at a terminal takes, milliseconds.
    pub person_ms: u32,
    /// How often the feed of returned entries is asked for, microseconds.
    pub feed_every_us: u64,
}

impl Setup {
    /// One shard, one processor, two merchants, room for everything, and a quick disk.
    pub fn plain() -> Setup {
        let own = OwnProcessors::for_cards(1);
        Setup {
            shards: 1,
            limits: ROOMY,
            merchants: vec![merchant_terms(0, 0, own), merchant_terms(1, 20, own)],
            processors: vec![processor_terms(1, PaymentMethod::Card, 2_000)],
            segment_bytes: 1 << 18,
            segments_ahead: 1,
            queue_commands: 256,
            outbox_orders: 256,
            settle_chunk: 64,
            sync_us: [200, 900],
            follow_us: [500, 3_000],
            keep_segments: None,
            hosts_forget_totals: false,
            person_ms: 0,
            feed_every_us: 1_000_000,
        }
    }

    /// Draws a set-up.
    pub fn drawn(dice: &mut Dice) -> Setup {
        let methods = draw_methods(dice);
        let merchants = dice.between(1, 6) as u32;
        let windows = [0, 0, 3, 20, DUPLICATE_WINDOW_MAX_S];
        let draw_merchant = |number| {
            let window_s = *dice.one_of(&windows);
            merchant_terms(number, window_s, draw_own(dice, &methods))
        };
        let merchants = (0..merchants).map(draw_merchant).collect();
        // No whole seconds, as windows are: what ends in one and the same microsecond has no order that anybody could count on.
        let timeouts = [530, 2_030, 2_030, TIMEOUT_MAX_MS];
        let draw_terms = |(index, method): (u16, &PaymentMethod)| processor_terms(index, *method, *dice.one_of(&timeouts));
        let processors = (1..).zip(&methods).map(draw_terms).collect();
        let limits = *dice.one_of(&[TINY, SMALL, ROOMY, ROOMY]);
        Setup {
            shards: *dice.one_of(&[1, 2, 4]),
            limits,
            merchants,
            processors,
            // One turn of a shard must fit a segment: with many transactions in flight it is large.
            segment_bytes: if limits == ROOMY { 1 << 21 } else { *dice.one_of(&[1 << 18, 1 << 19]) },
            segments_ahead: dice.between(1, 3) as u32,
            queue_commands: *dice.one_of(&[4, 64, 4_096]),
            outbox_orders: *dice.one_of(&[2, 16, 8_192]),
            settle_chunk: *dice.one_of(&[1, 7, 256]),
            sync_us: *dice.one_of(&[[50, 300], [500, 5_000], [2_000, 60_000]]),
            follow_us: *dice.one_of(&[[200, 2_000], [5_000, 200_000], [500_000, 8_000_000]]),
            keep_segments: *dice.one_of(&[None, None, Some(0), Some(1)]),
            hosts_forget_totals: dice.hits(300_000),
            person_ms: *dice.one_of(&[0, 150, 1_700]),
            feed_every_us: *dice.one_of(&[2_000_000, 20_000_000]),
        }
    }

    /// The id by which an operator knows a processor.
    pub fn processor_id(&self, index: u16) -> Xid {
        Xid::from_parts(1_700_000_000, [8; 5], u32::from(index) * Xid::STRIDE)
    }

    /// The other way round; nothing for one that the configuration does not name.
    pub fn processor_index(&self, id: &Xid) -> Option<u16> {
        self.processors.iter().map(|terms| terms.index).find(|index| self.processor_id(*index) == *id)
    }

    /// Terminals by merchant.
    pub fn acceptors(&self) -> AcceptorTable {
        let acceptor = |terms: &MerchantTerms| {
            let terminal = format!("SIM{:05}", terms.id.counter() / Xid::STRIDE);
            (terms.id, Acceptor { id: format!("SWYARD-{terminal}"), terminal, category: 5999 })
        };
        AcceptorTable::of(self.merchants.iter().map(acceptor))
    }

    /// The terminals that payments may name.
    pub fn terminals(&self) -> TerminalTable {
        TerminalTable::of(self.merchants.iter().flat_map(|terms| terminals::of_merchant(terms.id)))
    }

    /// The means of payment that a processor takes.
    pub fn method_of(&self, processor: u16) -> PaymentMethod {
        self.processors[usize::from(processor) - 1].method
    }

    /// The longest duplicate window that any merchant has had.
    pub fn window_s_max(&self) -> u32 {
        DUPLICATE_WINDOW_MAX_S
    }

    /// Times and bounds of a link's session.
    pub fn session(&self) -> SessionOptions {
        SessionOptions {
            echo_after_ms: ECHO_AFTER_MS,
            network_timeout_ms: NETWORK_TIMEOUT_MS,
            missed_echoes_max: MISSED_ECHOES_MAX,
            ..SessionOptions::default()
        }
    }
}

/// A merchant by a small number.
pub fn merchant_id(number: u32) -> Xid {
    Xid::from_parts(1_700_000_000, [9; 5], number * Xid::STRIDE)
}

/// One to three processors of cards, and in many worlds one of bank accounts and one of terminals, in any order.
fn draw_methods(dice: &mut Dice) -> Vec<PaymentMethod> {
    let mut methods = vec![PaymentMethod::Card; dice.between(1, 3) as usize];
    for method in [PaymentMethod::Ach, PaymentMethod::Terminal] {
        if dice.hits(WITH_OTHER_METHOD) {
            let place = dice.between(0, methods.len() as u64) as usize;
            methods.insert(place, method);
        }
    }
    methods
}

/// A merchant's own processors: one for each means of payment that there is one for.
fn draw_own(dice: &mut Dice, methods: &[PaymentMethod]) -> OwnProcessors {
    let mut of = |wanted: PaymentMethod| {
        let takers: Vec<u16> = (1..).zip(methods).filter(|(_, method)| **method == wanted).map(|(index, _)| index).collect();
        if takers.is_empty() { 0 } else { *dice.one_of(&takers) }
    };
    OwnProcessors { card: of(PaymentMethod::Card), ach: of(PaymentMethod::Ach), terminal: of(PaymentMethod::Terminal) }
}

fn merchant_terms(number: u32, duplicate_window_s: u32, processors: OwnProcessors) -> MerchantTerms {
    MerchantTerms { id: merchant_id(number), active: true, duplicate_window_s, processors }
}

fn processor_terms(index: u16, method: PaymentMethod, timeout_ms: u32) -> ProcessorTerms {
    let (state, reversal_retry_max_ms) = (ProcessorState::Enabled, REVERSAL_RETRY_MAX_MS);
    ProcessorTerms { index, method, state, timeout_ms, reversal_retry_ms: 500, reversal_retry_max_ms }
}
