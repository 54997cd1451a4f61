//! A merchant's searches: what they may ask, and how it is asked of SQL.
//!
//! What has a column is decided by the database, and counted there. What travels in the tail (addresses, amounts that the core
//! need not read) is decided here, row by row, over what the columns have left.

use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::tag;
use protocol::words::PaymentMethod;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use super::queries::{Queries, StoredTransaction, read_batch};
use crate::error::PersistenceError;
use crate::sql::{Fields, signed, unsigned};

/// Rows that are read at once when rows are looked at here.
const PAGE_ROWS: u32 = 1_024;
/// Rows that one search looks at here, at most (I8): about a second's work.
pub const SEARCH_ROWS_MAX: u64 = 200_000;

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
    /// More than [`SEARCH_ROWS_MAX`] rows would have to be looked at: the search must be narrowed.
    TooBroad,
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
        let filter = Filter::of(search);
        if search.conditions.iter().all(Condition::has_column) {
            return self.page(&filter, search).await;
        }
        self.scan(&filter, search).await
    }

    async fn page(&self, filter: &Filter, search: &Search) -> Result<Found, PersistenceError> {
        const OPERATION: &str = "search transactions";
        let count = format!("SELECT COUNT(*) AS total FROM transactions WHERE {}", filter.text);
        let row = filter.query(&count).fetch_one(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        let total = unsigned(Fields::of(&row, "transactions").integer("total")?);
        let (limit, offset) = (i64::from(search.limit), signed(search.offset));
        let select = format!(
            "SELECT lsn, body FROM transactions WHERE {} ORDER BY created_at DESC, id DESC LIMIT {limit} OFFSET {offset}",
            filter.text
        );
        let rows = filter.query(&select).fetch_all(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        let transactions = rows.iter().map(|row| StoredTransaction::read(row, "transactions")).collect::<Result<_, _>>()?;
        Ok(Found::Page { total, transactions })
    }

    /// Looks at each row that the columns leave, a page at a time.
    async fn scan(&self, filter: &Filter, search: &Search) -> Result<Found, PersistenceError> {
        let (mut total, mut looked_at, mut transactions) = (0, 0, Vec::new());
        let mut before: Option<(i64, Xid)> = None;
        loop {
            let rows = self.rows_before(filter, before).await?;
            for row in &rows {
                let stored = StoredTransaction::read(row, "transactions")?;
                let transaction = stored.transaction();
                before = Some((transaction.created_at.get(), transaction.id));
                if search.conditions.iter().all(|condition| condition.holds(&stored)) {
                    total += 1;
                    if total > search.offset && transactions.len() < search.limit as usize {
                        transactions.push(stored);
                    }
                }
            }
            looked_at += rows.len() as u64;
            if rows.len() < PAGE_ROWS as usize {
                return Ok(Found::Page { total, transactions });
            }
            if looked_at >= SEARCH_ROWS_MAX {
                return Ok(Found::TooBroad);
            }
        }
    }

    async fn rows_before(&self, filter: &Filter, before: Option<(i64, Xid)>) -> Result<Vec<AnyRow>, PersistenceError> {
        let mut filter = filter.clone();
        if let Some((created_at, id)) = before {
            let (created_at, id) = (filter.bind(Value::Integer(created_at)), filter.bind(Value::Bytes(id.0.to_vec())));
            filter.add(&format!("(created_at, id) < ({created_at}, {id})"));
        }
        let select = format!(
            "SELECT lsn, body FROM transactions WHERE {} ORDER BY created_at DESC, id DESC LIMIT {PAGE_ROWS}",
            filter.text
        );
        let rows = filter.query(&select).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("search transactions"))
    }

    /// Searches a merchant's closed batches; all of them, for their sums are asked for as well, and a batch is a day's work.
    pub async fn search_batches(&self, search: &BatchSearch) -> Result<Vec<Batch>, PersistenceError> {
        let filter = Filter::of_batches(search);
        let select = format!("SELECT id, body FROM batches WHERE {} ORDER BY closed_at DESC, id DESC", filter.text);
        let rows = filter.query(&select).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("search batches"))?.iter().map(read_batch).collect()
    }
}

impl Comparison {
    const fn operator(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::Greater => ">",
        }
    }

    fn holds(self, field: u64, value: u64) -> bool {
        match self {
            Comparison::Equal => field == value,
            Comparison::NotEqual => field != value,
            Comparison::Less => field < value,
            Comparison::Greater => field > value,
        }
    }
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Column::Amount => "amount",
            Column::AmountAuthorized => "amount_authorized",
            Column::AmountCaptured => "amount_captured",
            Column::AmountSettled => "amount_settled",
            Column::Verb => "verb",
            Column::Status => "status",
            Column::Processor => "processor",
        }
    }
}

impl Moment {
    const fn name(self) -> &'static str {
        match self {
            Moment::Created => "created_at",
            Moment::Captured => "captured_at",
            Moment::Settled => "settled_at",
        }
    }
}

impl Condition {
    /// Whether SQL decides it.
    fn has_column(&self) -> bool {
        match self {
            Condition::Id { .. } | Condition::Number { .. } | Condition::Between { .. } => true,
            Condition::Text { tag, .. } => *tag == tag::ORDER_ID,
            Condition::TailAmount { .. } | Condition::Method { .. } => false,
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

#[derive(Debug, Clone)]
enum Value {
    Integer(i64),
    Bytes(Vec<u8>),
    Text(String),
}

/// The words behind WHERE and their values. Values never get into the words.
#[derive(Debug, Clone)]
struct Filter {
    text: String,
    values: Vec<Value>,
}

impl Filter {
    fn of_merchant(merchant: &Xid) -> Filter {
        Filter { text: "merchant = $1".to_owned(), values: vec![Value::Bytes(merchant.0.to_vec())] }
    }

    fn of(search: &Search) -> Filter {
        let mut filter = Filter::of_merchant(&search.merchant);
        for condition in &search.conditions {
            filter.add_condition(condition);
        }
        filter
    }

    fn of_batches(search: &BatchSearch) -> Filter {
        let mut filter = Filter::of_merchant(&search.merchant);
        filter.add("closed_at IS NOT NULL");
        filter.add_bounds("closed_at", search.from, search.to);
        if let Some(id) = search.id {
            let id = filter.bind(Value::Bytes(id.0.to_vec()));
            filter.add(&format!("id = {id}"));
        }
        filter
    }

    fn add(&mut self, words: &str) {
        self.text.push_str(" AND ");
        self.text.push_str(words);
    }

    /// The parameter that stands for a value.
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn add_condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Id { equal, id: Some(id) } => {
                let id = self.bind(Value::Bytes(id.0.to_vec()));
                self.add(&format!("id {} {id}", if *equal { "=" } else { "<>" }));
            }
            Condition::Id { equal, id: None } => self.add(if *equal { "1 = 0" } else { "1 = 1" }),
            Condition::Number { column, comparison, value } => {
                let value = self.bind(Value::Integer(*value));
                self.add(&format!("{} {} {value}", column.name(), comparison.operator()));
            }
            Condition::Between { moment, from, to } => self.add_bounds(moment.name(), *from, *to),
            Condition::Text { tag: tag::ORDER_ID, equal, value } => self.add_order_id(*equal, value),
            Condition::Text { .. } | Condition::TailAmount { .. } | Condition::Method { .. } => {}
        }
    }

    fn add_bounds(&mut self, column: &str, from: Option<Micros>, to: Option<Micros>) {
        for (operator, bound) in [(">=", from), ("<=", to)] {
            if let Some(bound) = bound {
                let bound = self.bind(Value::Integer(bound.0));
                self.add(&format!("{column} {operator} {bound}"));
            }
        }
    }

    fn add_order_id(&mut self, equal: bool, value: &str) {
        let value = self.bind(Value::Text(value.to_owned()));
        self.add(&if equal { format!("order_id = {value}") } else { format!("(order_id <> {value} OR order_id IS NULL)") });
    }

    fn query<'q>(&self, statement: &str) -> Query<'q, Any, AnyArguments> {
        let query = sqlx::query(AssertSqlSafe(statement.to_owned()));
        self.values.iter().fold(query, |query, value| match value.clone() {
            Value::Integer(integer) => query.bind(integer),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Text(text) => query.bind(text),
        })
    }
}
