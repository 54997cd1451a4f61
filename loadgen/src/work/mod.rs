//! What a run asks: which kind of request is next, of which merchant, and what it acts upon.
//!
//! What a payment holds is a pure function of seed and sequence number. A step takes what earlier answers of the same merchant have left to
//! take; where there is nothing yet, a capture becomes an authorization, and a void or a refund becomes a sale, so that a run fills its
//! own stock. No sockets here.

mod mix;
mod skew;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use protocol::id::Xid;

use crate::schedule::SplitMix;
pub use mix::{Kind, Mix};
pub use skew::Skew;

/// A retry repeats a request that was drawn so many before, over all merchants: answered by then, and inside its key's window.
const RETRY_DISTANCE: usize = 2_000;
/// Transactions of a merchant that are kept for steps; older ones stay as they are.
const STOCK_MAX: usize = 1_000;

/// A request, as far as it is more than its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) kind: Kind,
    /// Place of the merchant in the run's list.
    pub(crate) merchant: u32,
    /// Of its key, card and amount; of an earlier request when this one repeats it.
    pub(crate) sequence: u64,
    /// What a step acts upon.
    pub(crate) target: Xid,
    /// It repeats an earlier one, under its key.
    pub(crate) is_retry: bool,
}

/// Draws requests and learns from answers.
pub(crate) struct Work {
    mix: Mix,
    skew: Skew,
    seed: u64,
    retry_distance: usize,
    stocks: Vec<Stock>,
}

/// What a merchant's requests have left to take.
#[derive(Default)]
struct Stock {
    authorized: VecDeque<Xid>,
    captured: VecDeque<Xid>,
    settled: Vec<Xid>,
    /// The latest requests, to be repeated.
    recent: VecDeque<Drawn>,
}

impl Work {
    /// `settled` are transactions that refunds may take from, with their merchants.
    pub(crate) fn new(mix: Mix, skew: Skew, seed: u64, settled: &[(u32, Xid)]) -> Work {
        let mut stocks: Vec<Stock> = (0..skew.merchants()).map(|_| Stock::default()).collect();
        for (merchant, id) in settled {
            if let Some(stock) = stocks.get_mut(*merchant as usize) {
                stock.settled.push(*id);
            }
        }
        let retry_distance = (RETRY_DISTANCE / stocks.len()).max(1);
        Work { mix, skew, seed, retry_distance, stocks }
    }

    /// Request number `sequence`, of whichever merchant the skew gives it to.
    pub(crate) fn draw(&mut self, sequence: u64) -> Drawn {
        let mut random = self.random(sequence);
        let merchant = self.skew.rank(random.unit());
        self.draw_for(merchant, sequence, &mut random)
    }

    /// The same of a certain merchant.
    pub(crate) fn draw_of(&mut self, merchant: u32, sequence: u64) -> Drawn {
        let mut random = self.random(sequence);
        self.draw_for(merchant, sequence, &mut random)
    }

    fn random(&self, sequence: u64) -> SplitMix {
        SplitMix(self.seed ^ sequence.wrapping_mul(0xA24B_AED4_963E_E407))
    }

    fn draw_for(&mut self, merchant: u32, sequence: u64, random: &mut SplitMix) -> Drawn {
        let stock = &mut self.stocks[merchant as usize];
        let place = (random.next() % 100) as u32;
        if place < self.mix.retry {
            let earlier = stock.recent.front().filter(|_| stock.recent.len() >= self.retry_distance);
            if let Some(earlier) = earlier {
                return Drawn { is_retry: true, ..*earlier };
            }
        }
        // Where there is nothing to repeat yet, the other shares take its place.
        let place = match place.checked_sub(self.mix.retry) {
            Some(place) => place,
            None => (random.next() % u64::from((100 - self.mix.retry).max(1))) as u32,
        };
        let (kind, target) = stock.take(self.mix.kind(place), sequence);
        let drawn = Drawn { kind, merchant, sequence, target, is_retry: false };
        if self.mix.retry > 0 {
            stock.recent.push_back(drawn);
            stock.recent.drain(..stock.recent.len().saturating_sub(self.retry_distance));
        }
        drawn
    }

    /// An answer approved a request: what it made may be taken from now on.
    pub(crate) fn learn(&mut self, drawn: &Drawn, id: Xid) {
        let Some(stock) = self.stocks.get_mut(drawn.merchant as usize).filter(|_| !drawn.is_retry) else { return };
        let (queue, is_wanted) = match drawn.kind {
            Kind::Authorize => (&mut stock.authorized, self.mix.capture > 0),
            Kind::Sale | Kind::Capture => (&mut stock.captured, self.mix.void > 0),
            Kind::Void | Kind::Refund | Kind::Verification | Kind::Declined | Kind::Ach => return,
        };
        if is_wanted && queue.len() < STOCK_MAX {
            queue.push_back(id);
        }
    }
}

impl Stock {
    /// What there is to be done of a kind, or what comes in its place.
    fn take(&mut self, kind: Kind, sequence: u64) -> (Kind, Xid) {
        let (taken, otherwise) = match kind {
            Kind::Capture => (self.authorized.pop_front(), Kind::Authorize),
            Kind::Void => (self.captured.pop_front(), Kind::Sale),
            Kind::Refund => {
                let place = sequence.checked_rem(self.settled.len() as u64).unwrap_or(0);
                (self.settled.get(place as usize).copied(), Kind::Sale)
            }
            Kind::Sale | Kind::Authorize | Kind::Verification | Kind::Declined | Kind::Ach => return (kind, Xid::NONE),
        };
        taken.map_or((otherwise, Xid::NONE), |target| (kind, target))
    }
}
