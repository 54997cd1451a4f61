//! A dry run over the newest payments of the SQL home. What they are put to is [`crate::replay`]'s.

use super::{Compiled, Operator, TableKind};
use crate::accounts::merchant_terms;
use crate::replay::{Ground, Proposal, Replay, Report};
use crate::switch::directory::MerchantTable;
use persistence::PersistenceError;
use persistence::projection::{Place, Queries};
use protocol::calendar::Micros;
use std::collections::{BTreeSet, HashMap};
use switch_core::input::ProcessorState;

/// Payments that a dry run looks at when it is not said how many.
pub const DRY_RUN_PAYMENTS: u32 = 1_000;
/// Most that it looks at: a few seconds' work.
pub const DRY_RUN_PAYMENTS_MAX: u32 = 100_000;
/// Payments before those that are counted for a velocity, at most; a window that held more begins with the oldest of these.
const DRY_RUN_COUNTED_MAX: u32 = 400_000;
/// Payments that are read at once.
const PAGE_PAYMENTS: u32 = 1_024;

impl Operator {
    /// Reads, checks and compiles a table that is to be tried.
    pub async fn propose(&self, kind: TableKind, text: &str, merchants: &MerchantTable) -> Result<Proposal, String> {
        match self.compile(kind, 1, text)?.0 {
            Compiled::Rules(table) => Ok(Proposal::Rules(table)),
            Compiled::Routes(table) => Ok(Proposal::Routes(table, self.ground(merchants).await)),
        }
    }

    async fn ground(&self, merchants: &MerchantTable) -> Ground {
        let own = merchants.all().iter().map(|merchant| (merchant.id, merchant_terms(merchant).processors)).collect();
        let (mut methods, mut off) = (HashMap::new(), BTreeSet::new());
        for processor in self.processors() {
            methods.insert(processor.configured.index, processor.configured.method);
            if self.processor_state(processor).await != ProcessorState::Enabled {
                off.insert(processor.configured.index);
            }
        }
        Ground { own, methods, off }
    }
}

/// Puts the newest payments, `last` of them, to a proposed table.
pub async fn dry_run(queries: &Queries, proposal: Proposal, last: u32) -> Result<Report, PersistenceError> {
    let mut replay = Replay::of(proposal);
    let oldest = Place::at(Micros(i64::MIN));
    let examined_from = queries.payments_begin(last).await?.unwrap_or(oldest);
    let window_us = i64::from(replay.longest_window_s()) * 1_000_000;
    let counted_from = Place::at(Micros(examined_from.at.0.saturating_sub(window_us)));
    let bound = queries.payments_begin(last.saturating_add(DRY_RUN_COUNTED_MAX)).await?.unwrap_or(oldest);
    let mut next = if window_us == 0 { examined_from } else { counted_from.max(bound) };
    let mut left = last;
    while left > 0 {
        let page = queries.payments(next, PAGE_PAYMENTS).await?;
        let Some(newest) = page.last().map(|stored| Place::of(stored.transaction())) else { break };
        for stored in &page {
            let (transaction, tail) = stored.parts();
            if Place::of(transaction) < examined_from {
                replay.count(transaction, tail);
            } else if left > 0 {
                replay.examine(transaction, tail);
                left -= 1;
            }
        }
        next = newest.behind();
    }
    Ok(replay.report())
}
