//! A merchant's searches: what they may ask, and how it is asked of SQL.
//!
//! What has a column is decided by the database, and counted there. What travels in the tail (addresses, amounts that the core
//! need not read) is decided here, row by row, over what the columns have left. What no index answers is looked for in the order of time, in
//! a bounded number of rows.

mod filter;
mod hours;

use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::tag;
use protocol::words::PaymentMethod;
use sqlx::any::AnyRow;

use super::queries::{Queries, StoredTransaction, read_batch};
use crate::error::PersistenceError;
use crate::sql::{Fields, signed, unsigned};
pub(super) use filter::{Filter, Value};
pub(crate) use hours::HourCounts;

/// Rows that are read at once when rows are looked at here.
const PAGE_ROWS: u32 = 1_024;
/// Rows that one search looks at whole, at most (I8): about a second's work.
pub const LOOKED_AT_ROWS_MAX: u64 = 200_000;
/// Rows that one search passes over in the index of times, at most (I8): a second's work or two.
pub const PASSED_OVER_ROWS_MAX: u64 = 10_000_000;
/// Transactions of a range of time that are counted each time that it is asked for; more are counted by the hour, and once.
const COUNTED_ROWS_MAX: u64 = 50_000;
/// Rows that a page lies behind and that are still walked; from there on hours are passed over whole.
const WALKED_ROWS_MAX: u64 = 5_000;
const OPERATION: &str = "search transactions";

/// A search of one merchant's transactions, newest first. All conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Whose.
    pub merchant: Xid,
    /// What must hold.
    pub conditions: Vec<Condition>,
    /// Transactions given at most.
    pub limit: u32,
    /// Matching transactions that are passed over first.
    pub offset: u64,
}

/// How two numbers must stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The field is the value.
    Equal,
    /// The field is not the value.
    NotEqual,
    /// The field is below the value.
    Less,
    /// The field is above the value.
    Greater,
}

/// A number that has a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Requested, minor units.
    Amount,
    /// Authorized, minor units.
    AmountAuthorized,
    /// Captured, minor units.
    AmountCaptured,
    /// Settled, minor units.
    AmountSettled,
    /// [`protocol::words::Verb`].
    Verb,
    /// [`protocol::words::Status`].
    Status,
    /// Index of the processor.
    Processor,
}

/// A moment that has a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// When it was made.
    Created,
    /// When it was captured.
    Captured,
    /// When it was settled.
    Settled,
}

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It is this transaction, or it is not; `None` is a text that names none.
    Id {
        /// False turns it around.
        equal: bool,
        /// Which.
        id: Option<Xid>,
    },
    /// A number with a column. A value below zero equals nothing: a word or an id that is none of ours.
    Number {
        /// Which.
        column: Column,
        /// How.
        comparison: Comparison,
        /// With what.
        value: i64,
    },
    /// A moment within bounds, both included; one that never came is outside.
    Between {
        /// Which.
        moment: Moment,
        /// Not before.
        from: Option<Micros>,
        /// Not after.
        to: Option<Micros>,
    },
    /// A text of the tail; an absent one is empty.
    Text {
        /// Which: see [`protocol::tail::tag`].
        tag: u16,
        /// False turns it around.
        equal: bool,
        /// The text.
        value: String,
    },
    /// An amount of the tail; an absent one is zero.
    TailAmount {
        /// Which: see [`protocol::tail::tag`].
        tag: u16,
        /// How.
        comparison: Comparison,
        /// With what.
        value: u64,
    },
    /// The means of payment; `None` is a word that is none of ours.
    Method {
        /// False turns it around.
        equal: bool,
        /// Which.
        method: Option<PaymentMethod>,
    },
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The page that was asked for.
    Page {
        /// All that match, on this page or not.
        total: u64,
        /// The page.
        transactions: Vec<StoredTransaction>,
    },
    /// No index answers it, and more than so many rows would have to be looked at: the range of time must be narrowed.
    TooBroad {
        /// [`LOOKED_AT_ROWS_MAX`] or [`PASSED_OVER_ROWS_MAX`].
        rows_max: u64,
    },
}

/// A search of settlement batches that are closed, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSearch {
    /// Whose.
    pub merchant: Xid,
    /// Not closed before.
    pub from: Option<Micros>,
    /// Not closed after.
    pub to: Option<Micros>,
    /// This very batch.
    pub id: Option<Xid>,
}

impl Queries {
    /// Searches a merchant's transactions.
    pub async fn search(&self, search: &Search) -> Result<Found, PersistenceError> {
        let columns_decide = search.conditions.iter().all(Condition::has_column);
        let is_narrowed = search.conditions.iter().any(Condition::narrows_time_index);
        let rows_max = if is_narrowed { PASSED_OVER_ROWS_MAX } else { LOOKED_AT_ROWS_MAX };
        let is_answered_by_index = search.conditions.iter().any(Condition::is_selective) || search.is_plain();
        if !is_answered_by_index && self.made(search).await? > rows_max {
            return Ok(Found::TooBroad { rows_max });
        }
        if columns_decide { self.page(search).await } else { self.scan(search).await }
    }

    /// How many transactions a merchant made in the range of time that a search names, whatever else it asks. Few are counted each time.
    async fn made(&self, search: &Search) -> Result<u64, PersistenceError> {
        let range = Filter::of_range(search);
        let few = format!("(SELECT id FROM transactions WHERE {} LIMIT {})", range.text, COUNTED_ROWS_MAX + 1);
        let made = self.count(&range, &few).await?;
        if made > COUNTED_ROWS_MAX { self.made_between(&search.merchant, search.range()).await } else { Ok(made) }
    }

    /// The page is chosen among narrow rows, and the bodies of its transactions are read last: what is passed over costs no body.
    async fn page(&self, search: &Search) -> Result<Found, PersistenceError> {
        let (filter, offset) = self.begin(search).await?;
        let (limit, offset) = (i64::from(search.limit), signed(offset));
        let select = format!(
            "SELECT whole.lsn, whole.body FROM (SELECT id, created_at FROM transactions WHERE {} \
             ORDER BY created_at DESC, id DESC LIMIT {limit} OFFSET {offset}) AS page \
             CROSS JOIN transactions AS whole WHERE whole.id = page.id ORDER BY page.created_at DESC, page.id DESC",
            filter.text
        );
        let rows = filter.query(&select).fetch_all(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        let transactions: Vec<_> =
            rows.iter().map(|row| StoredTransaction::read(row, "transactions")).collect::<Result<_, _>>()?;
        let total = self.total(search, transactions.len() as u64).await?;
        Ok(Found::Page { total, transactions })
    }

    /// What a page's rows fulfil, and how many of those are passed over before it.
    async fn begin(&self, search: &Search) -> Result<(Filter, u64), PersistenceError> {
        if !search.is_plain() || search.offset <= WALKED_ROWS_MAX {
            return Ok((Filter::of(search), search.offset));
        }
        let (from, to) = search.range();
        let (to, rest) = self.sought(&search.merchant, (from, to), search.offset).await?;
        Ok((Filter::within(search, (from, to)), rest))
    }

    /// How many match, `on_page` of them on the page: a page that is not full says it by itself.
    async fn total(&self, search: &Search, on_page: u64) -> Result<u64, PersistenceError> {
        let is_last = on_page < u64::from(search.limit) && (on_page > 0 || search.offset == 0);
        if is_last {
            return Ok(search.offset + on_page);
        }
        if search.is_plain() {
            return self.made(search).await;
        }
        let filter = Filter::of(search);
        self.count(&filter, &format!("(SELECT id FROM transactions WHERE {})", filter.text)).await
    }

    /// Counts the rows of a selection that is written with the filter's values.
    async fn count(&self, filter: &Filter, selection: &str) -> Result<u64, PersistenceError> {
        let count = format!("SELECT COUNT(*) AS total FROM {selection} AS counted");
        let row = filter.query(&count).fetch_one(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        Fields::of(&row, "transactions").integer("total").map(unsigned)
    }

    /// Looks at each row that the columns leave, a page at a time.
    async fn scan(&self, search: &Search) -> Result<Found, PersistenceError> {
        let (mut total, mut looked_at, mut transactions) = (0, 0, Vec::new());
        let mut filter = Filter::of(search);
        loop {
            let rows = self.first_rows(&filter).await?;
            let mut last = None;
            for row in &rows {
                let stored = StoredTransaction::read(row, "transactions")?;
                last = Some((Micros(stored.transaction().created_at.get()), stored.transaction().id));
                if search.conditions.iter().all(|condition| condition.holds(&stored)) {
                    total += 1;
                    if total > search.offset && transactions.len() < search.limit as usize {
                        transactions.push(stored);
                    }
                }
            }
            let Some(last) = last.filter(|_| rows.len() == PAGE_ROWS as usize) else {
                return Ok(Found::Page { total, transactions });
            };
            looked_at += rows.len() as u64;
            if looked_at >= LOOKED_AT_ROWS_MAX {
                return Ok(Found::TooBroad { rows_max: LOOKED_AT_ROWS_MAX });
            }
            filter = Filter::behind(search, last);
        }
    }

    async fn first_rows(&self, filter: &Filter) -> Result<Vec<AnyRow>, PersistenceError> {
        let select = format!(
            "SELECT lsn, body FROM transactions WHERE {} ORDER BY created_at DESC, id DESC LIMIT {PAGE_ROWS}",
            filter.text
        );
        let rows = filter.query(&select).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql(OPERATION))
    }

    /// Searches a merchant's closed batches; all of them, for their sums are asked for as well, and a batch is a day's work.
    pub async fn search_batches(&self, search: &BatchSearch) -> Result<Vec<Batch>, PersistenceError> {
        let filter = Filter::of_batches(search);
        let select = format!("SELECT id, body FROM batches WHERE {} ORDER BY closed_at DESC, id DESC", filter.text);
        let rows = filter.query(&select).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("search batches"))?.iter().map(read_batch).collect()
    }
}

/// Bounds of time, both included; none is open.
pub(super) type Range = (Option<Micros>, Option<Micros>);

impl Search {
    /// Whether it asks for nothing but a range of time.
    fn is_plain(&self) -> bool {
        self.conditions.iter().all(|condition| matches!(condition, Condition::Between { moment: Moment::Created, .. }))
    }

    /// The range of time in which what it looks for was made. All conditions hold, so the narrowest bounds count.
    fn range(&self) -> Range {
        let bounds = |condition: &Condition| match condition {
            Condition::Between { moment: Moment::Created, from, to } => Some((*from, *to)),
            _ => None,
        };
        self.conditions
            .iter()
            .filter_map(bounds)
            .fold((None, None), |(from, to), (later, earlier)| (from.max(later), [to, earlier].into_iter().flatten().min()))
    }
}

impl Comparison {
    fn holds(self, field: u64, value: u64) -> bool {
        match self {
            Comparison::Equal => field == value,
            Comparison::NotEqual => field != value,
            Comparison::Less => field < value,
            Comparison::Greater => field > value,
        }
    }
}

impl Condition {
    /// Whether SQL decides it.
    fn has_column(&self) -> bool {
        match self {
            Condition::Id { .. } | Condition::Number { .. } | Condition::Between { .. } => true,
            Condition::Text { tag, .. } => matches!(*tag, tag::ORDER_ID | tag::CUSTOMER_ID),
            Condition::TailAmount { .. } | Condition::Method { .. } => false,
        }
    }

    /// Whether few rows are left by it, and an index finds them.
    fn is_selective(&self) -> bool {
        match self {
            Condition::Id { equal, .. } => *equal,
            Condition::Text { equal, .. } => *equal && self.has_column(),
            Condition::Number { .. } | Condition::Between { .. } | Condition::TailAmount { .. } | Condition::Method { .. } => {
                false
            }
        }
    }

    /// Whether the index of a merchant's times decides it, without the row.
    fn narrows_time_index(&self) -> bool {
        match self {
            Condition::Number { column, .. } => {
                matches!(column, Column::Amount | Column::Verb | Column::Status | Column::Processor)
            }
            Condition::Id { .. } => true,
            Condition::Between { .. } | Condition::Text { .. } | Condition::TailAmount { .. } | Condition::Method { .. } => false,
        }
    }

    /// Whether a row has it; what SQL has decided holds.
    fn holds(&self, stored: &StoredTransaction) -> bool {
        let (transaction, tail) = stored.parts();
        match self {
            _ if self.has_column() => true,
            Condition::Text { tag, equal, value } => (tail.text(*tag) == value) == *equal,
            Condition::TailAmount { tag, comparison, value } => comparison.holds(tail.number(*tag).unwrap_or(0), *value),
            Condition::Method { equal, method } => (Some(transaction.payment_method()) == *method) == *equal,
            Condition::Id { .. } | Condition::Number { .. } | Condition::Between { .. } => true,
        }
    }
}
