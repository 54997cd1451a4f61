//! How many transactions a merchant made in each hour. A list of everything, or of a month, says how many there are, and a count walks
//! them all: an hour that is over keeps its number, so it is counted once in the life of the process. A page far behind is found by the
//! same numbers: whole hours are passed over without a look at their rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::calendar::Micros;
use protocol::id::Xid;

use super::filter::Filter;
use super::{OPERATION, Queries, Range};
use crate::error::PersistenceError;
use crate::sql::{Fields, unsigned};

/// Microseconds.
const HOUR: i64 = 3_600_000_000;
/// An hour is over for good when the newest record is this far behind its end, microseconds: shards do not tick together.
const GRACE_MICROS: i64 = HOUR;
/// Merchants whose hours are kept; a number takes four bytes, ten years take a third of a megabyte.
const MERCHANTS_MAX: usize = 256;

/// Hours of merchants that were counted. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct HourCounts(Arc<Mutex<HashMap<Xid, Hours>>>);

/// A merchant's hours, without gap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hours {
    /// Hours since 1970 up to the first one.
    first: i64,
    made: Vec<u32>,
}

impl Hours {
    fn end(&self) -> i64 {
        self.first + self.made.len() as i64
    }

    /// Of hours from `from` to before `to`, newest first, those that `offset` rows fill are passed over: the hour that is left to begin
    /// before, and how many rows are left to pass over from there.
    fn passed_over(&self, (from, to): (i64, i64), offset: u64) -> (i64, u64) {
        let (mut end, mut rest) = (to, offset);
        while end > from {
            let made = self.made_in(end - 1, end);
            if made > rest {
                break;
            }
            (end, rest) = (end - 1, rest - made);
        }
        (end, rest)
    }

    /// The hours kept that lie whole in a range.
    fn whole_in(&self, (from, to): Range) -> (i64, i64) {
        let begins = from.map_or(self.first, |from| (from.0 - 1).div_euclid(HOUR) + 1).max(self.first);
        let ends = to.map_or(self.end(), |to| (to.0.saturating_add(1)).div_euclid(HOUR)).min(self.end());
        (begins, ends)
    }

    /// Those from hour `from` to before hour `to`; both are among the hours kept.
    fn made_in(&self, from: i64, to: i64) -> u64 {
        let place = |hour: i64| usize::try_from(hour - self.first).unwrap_or(0).min(self.made.len());
        self.made[place(from)..place(to)].iter().copied().map(u64::from).sum()
    }
}

impl HourCounts {
    fn get(&self, merchant: &Xid) -> Option<Hours> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(merchant).cloned()
    }

    fn keep(&self, merchant: &Xid, hours: Hours) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MERCHANTS_MAX && !kept.contains_key(merchant) {
            kept.clear();
        }
        kept.insert(*merchant, hours);
    }
}

impl Queries {
    /// How many transactions a merchant made in a range of time.
    pub(in crate::projection) async fn made_between(&self, merchant: &Xid, (from, to): Range) -> Result<u64, PersistenceError> {
        let Some(hours) = self.hours(merchant).await? else { return self.counted(merchant, (from, to)).await };
        let (begins, ends) = hours.whole_in((from, to));
        if begins >= ends {
            return self.counted(merchant, (from, to)).await;
        }
        // Before the first hour there is nothing; what is left are the parts of hours at both ends, and what is too young to be kept.
        let before = match from {
            Some(from) if from.0 > hours.first * HOUR => {
                self.counted(merchant, (Some(from), Some(Micros(begins * HOUR - 1)))).await?
            }
            _ => 0,
        };
        let behind = self.counted(merchant, (Some(Micros(ends * HOUR)), to)).await?;
        Ok(before + hours.made_in(begins, ends) + behind)
    }

    /// Where the row stands that `offset` others of a range come before, newest first: the range's end may be moved to the moment given
    /// and so many rows passed over from there.
    pub(in crate::projection) async fn sought(
        &self,
        merchant: &Xid,
        (from, to): Range,
        offset: u64,
    ) -> Result<(Option<Micros>, u64), PersistenceError> {
        let Some(hours) = self.hours(merchant).await? else { return Ok((to, offset)) };
        let (begins, ends) = hours.whole_in((from, to));
        if begins >= ends {
            return Ok((to, offset));
        }
        let behind = self.counted(merchant, (Some(Micros(ends * HOUR)), to)).await?;
        if behind > offset {
            return Ok((to, offset));
        }
        let (end, rest) = hours.passed_over((begins, ends), offset - behind);
        Ok((Some(Micros(end * HOUR - 1)), rest))
    }

    async fn counted(&self, merchant: &Xid, (from, to): Range) -> Result<u64, PersistenceError> {
        let mut filter = Filter::of_merchant(merchant);
        filter.add_bounds("created_at", from, to);
        self.count(&filter, &format!("(SELECT id FROM transactions WHERE {})", filter.text)).await
    }

    /// The merchant's hours up to the newest that is over; `None` for one that has none.
    async fn hours(&self, merchant: &Xid) -> Result<Option<Hours>, PersistenceError> {
        let Some(newest) = self.newest_record_at().await? else { return Ok(None) };
        let over = (newest.0 - GRACE_MICROS).div_euclid(HOUR);
        let mut hours = match self.database.hours.get(merchant) {
            Some(hours) => hours,
            None => match self.first_hour(merchant).await? {
                Some(first) => Hours { first, made: Vec::new() },
                None => return Ok(None),
            },
        };
        if hours.end() < over {
            self.count_hours(merchant, &mut hours, over).await?;
            self.database.hours.keep(merchant, hours.clone());
        }
        Ok((!hours.made.is_empty()).then_some(hours))
    }

    async fn first_hour(&self, merchant: &Xid) -> Result<Option<i64>, PersistenceError> {
        let filter = Filter::of_merchant(merchant);
        let select = format!("SELECT created_at FROM transactions WHERE {} ORDER BY created_at, id LIMIT 1", filter.text);
        let row = filter.query(&select).fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        row.map(|row| Ok(Fields::of(&row, "transactions").time("created_at")?.0.div_euclid(HOUR))).transpose()
    }

    /// Counts the hours from the last one kept up to hour `over`.
    async fn count_hours(&self, merchant: &Xid, hours: &mut Hours, over: i64) -> Result<(), PersistenceError> {
        let mut filter = Filter::of_merchant(merchant);
        filter.add_bounds("created_at", Some(Micros(hours.end() * HOUR)), Some(Micros(over * HOUR - 1)));
        let select = format!(
            "SELECT created_at / {HOUR} AS hour, COUNT(*) AS made FROM transactions WHERE {} GROUP BY created_at / {HOUR}",
            filter.text
        );
        let rows = filter.query(&select).fetch_all(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        hours.made.resize(usize::try_from(over - hours.first).unwrap_or(0), 0);
        for row in &rows {
            let fields = Fields::of(row, "transactions");
            let (hour, made) = (fields.integer("hour")?, unsigned(fields.integer("made")?));
            let place = usize::try_from(hour - hours.first).ok().and_then(|place| hours.made.get_mut(place));
            if let Some(place) = place {
                *place = u32::try_from(made).unwrap_or(u32::MAX);
            }
        }
        Ok(())
    }
}
