//! How an operator finds a payment of which a receipt, a host or a shopper names something. No index is kept for these questions, for
//! every payment would pay for it: they are asked within a stretch of time, or follow what merchants' searches have.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::mem::offset_of;

use protocol::calendar::Micros;
use protocol::exchange::{Exchange, Reversal};
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::transaction::Transaction;
use sqlx::AssertSqlSafe;

use super::queries::{Queries, StoredTransaction};
use super::search::{Filter, LOOKED_AT_ROWS_MAX, Value};
use crate::error::PersistenceError;
use crate::sql::signed;

/// Merchants that are asked about in one statement.
const MERCHANTS_AT_ONCE: usize = 256;

/// What is known of a payment, beside the stretch of time in which it was made. All that is said must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Not before.
    pub from: Micros,
    /// Before.
    pub until: Micros,
    /// Trace number of its request, of its latest step, or of its reversal.
    pub stan: Option<u32>,
    /// Last four digits of the card.
    pub last_four: Option<u16>,
    /// What was asked for.
    pub amount: Option<Sum>,
}

/// Most decimals that a currency of ISO 4217 has.
const DECIMALS_MAX: usize = 4;

/// An amount as people write it, `12.34`, in whatever currency: minor units for each number of decimals that a currency may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum([Option<u64>; DECIMALS_MAX + 1]);

impl Sum {
    /// Reads it; `None` when it is no amount, or one that no currency has.
    pub fn read(text: &str) -> Option<Sum> {
        let mut sum = Sum([None; DECIMALS_MAX + 1]);
        for currency in currencies() {
            sum.0[usize::from(currency.exponent()).min(DECIMALS_MAX)] = currency.parse_major(text).ok();
        }
        sum.0.iter().any(Option::is_some).then_some(sum)
    }

    /// The currencies in which it is so many minor units, by their number.
    pub(super) fn by_minor(self) -> BTreeMap<u64, Vec<u16>> {
        let mut by_minor = BTreeMap::<u64, Vec<u16>>::new();
        for currency in currencies() {
            if let Some(minor) = self.0[usize::from(currency.exponent()).min(DECIMALS_MAX)] {
                by_minor.entry(minor).or_default().push(currency.numeric());
            }
        }
        by_minor
    }
}

/// All that the switch knows.
fn currencies() -> impl Iterator<Item = Currency> {
    (0..1_000).filter_map(Currency::from_numeric)
}

/// Where the currency's number stands in a stored transaction, from 1 as SQL counts.
const CURRENCY_AT: usize = offset_of!(Transaction, currency) + 1;

/// Where the trace numbers stand in a stored transaction, from 1 as SQL counts.
const STANS_AT: [usize; 3] = [
    offset_of!(Transaction, original) + offset_of!(Exchange, stan) + 1,
    offset_of!(Transaction, step) + offset_of!(Exchange, stan) + 1,
    offset_of!(Transaction, reversal) + offset_of!(Reversal, stan) + 1,
];

impl Sighting {
    /// What is sought, as far as an index tells it: a stretch of time, or amounts within it. These stand in the index of a merchant's times, so
    /// that their rows are found without reading the others; all else is read in the rows themselves.
    fn stretch(&self, merchants: &[Xid]) -> Filter {
        let mut stretch = Filter::of_times(self.from, self.until);
        if let Some(amount) = self.amount {
            let merchants: Vec<_> = merchants.iter().map(|merchant| stretch.bind(Value::Bytes(merchant.0.to_vec()))).collect();
            let minors = amount.by_minor().into_keys();
            let minors: Vec<_> = minors.map(|minor| stretch.bind(Value::Integer(signed(minor)))).collect();
            stretch.add(&format!("merchant IN ({}) AND amount IN ({})", merchants.join(", "), minors.join(", ")));
        }
        stretch
    }
}

impl Queries {
    /// Transactions of these merchants that were seen so, newest first, so many at most. None where more than [`LOOKED_AT_ROWS_MAX`] would
    /// have to be read for it.
    pub async fn sighted(
        &self,
        merchants: &[Xid],
        sighting: &Sighting,
        limit: u32,
    ) -> Result<Option<Vec<StoredTransaction>>, PersistenceError> {
        self.sighted_among(LOOKED_AT_ROWS_MAX, merchants, sighting, limit).await
    }

    pub(super) async fn sighted_among(
        &self,
        rows_max: u64,
        merchants: &[Xid],
        sighting: &Sighting,
        limit: u32,
    ) -> Result<Option<Vec<StoredTransaction>>, PersistenceError> {
        let mut found = Vec::new();
        for some in merchants.chunks(MERCHANTS_AT_ONCE) {
            let stretch = sighting.stretch(some);
            // The newest of a day are the first that are met.
            let is_of_day = sighting.stan.is_none() && sighting.last_four.is_none() && sighting.amount.is_none();
            if !is_of_day && self.has_more_than(rows_max, &stretch).await? {
                return Ok(None);
            }
            found.extend(self.sighted_in(stretch, sighting, limit).await?);
            if sighting.amount.is_none() {
                // The stretch is everybody's.
                break;
            }
        }
        found.sort_by_key(|stored| Reverse((stored.transaction().created_at.get(), stored.transaction().id)));
        found.truncate(limit as usize);
        Ok(Some(found))
    }

    async fn has_more_than(&self, rows_max: u64, stretch: &Filter) -> Result<bool, PersistenceError> {
        let text = format!("SELECT id FROM transactions WHERE {} LIMIT 1 OFFSET {rows_max}", stretch.text);
        let beyond = stretch.query(&text).fetch_optional(&self.database.pool).await;
        beyond.map(|row| row.is_some()).map_err(PersistenceError::sql("count transactions"))
    }

    async fn sighted_in(
        &self,
        stretch: Filter,
        sighting: &Sighting,
        limit: u32,
    ) -> Result<Vec<StoredTransaction>, PersistenceError> {
        let mut asked = stretch;
        if let Some(amount) = sighting.amount {
            // By itself, so that the order of time does not tempt a database to read all of the day's rows.
            asked.text = format!("id IN (SELECT id FROM transactions WHERE {})", asked.text);
            add_amount(&mut asked, amount);
        }
        if let Some(last_four) = sighting.last_four {
            let last_four = asked.bind(Value::Integer(i64::from(last_four)));
            asked.add(&format!("last_four = {last_four}"));
        }
        if let Some(stan) = sighting.stan {
            let stan = asked.bind(Value::Bytes(stan.to_le_bytes().to_vec()));
            asked.add(&format!("({})", STANS_AT.map(|at| format!("substr(body, {at}, 4) = {stan}")).join(" OR ")));
        }
        let select =
            format!("SELECT lsn, body FROM transactions WHERE {} ORDER BY created_at DESC, id DESC LIMIT {limit}", asked.text);
        let rows = asked.query(&select).fetch_all(&self.database.pool).await;
        let rows = rows.map_err(PersistenceError::sql("look a transaction up"))?;
        rows.iter().map(|row| StoredTransaction::read(row, "transactions")).collect()
    }

    /// Transactions with this order number, those of the merchants named first before the others', so many at most.
    pub async fn of_order(&self, merchants: &[Xid], order: &str, limit: u32) -> Result<Vec<StoredTransaction>, PersistenceError> {
        let mut found = Vec::new();
        for some in merchants.chunks(MERCHANTS_AT_ONCE) {
            let places: Vec<String> = (3..some.len() + 3).map(|place| format!("${place}")).collect();
            let text = format!(
                "SELECT lsn, body FROM transactions WHERE merchant IN ({}) AND order_id = $1 \
                 ORDER BY created_at DESC, id DESC LIMIT $2",
                places.join(", ")
            );
            let mut select = sqlx::query(AssertSqlSafe(text)).bind(order.to_owned()).bind(i64::from(limit));
            for merchant in some {
                select = select.bind(merchant.0.to_vec());
            }
            let rows = select.fetch_all(&self.database.pool).await;
            let rows = rows.map_err(PersistenceError::sql("look an order's transactions up"))?;
            for row in &rows {
                found.push(StoredTransaction::read(row, "transactions")?);
            }
            if found.len() >= limit as usize {
                break;
            }
        }
        found.truncate(limit as usize);
        Ok(found)
    }
}

/// The amount in a column, its currency only in the body: a row is read whole where the amount fits one currency or another.
fn add_amount(asked: &mut Filter, amount: Sum) {
    let mut either = Vec::new();
    for (minor, currencies) in amount.by_minor() {
        let minor = asked.bind(Value::Integer(signed(minor)));
        let currencies = currencies.iter().map(|number| asked.bind(Value::Bytes(number.to_le_bytes().to_vec())));
        let currencies: Vec<_> = currencies.collect();
        either.push(format!("(amount = {minor} AND substr(body, {CURRENCY_AT}, 2) IN ({}))", currencies.join(", ")));
    }
    asked.add(&format!("({})", either.join(" OR ")));
}
