//! What a search asks, in SQL's words.

use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::tag;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use super::{BatchSearch, Column, Comparison, Condition, Moment, Range, Search};

impl Comparison {
    const fn operator(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::Greater => ">",
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

#[derive(Debug, Clone)]
pub(in crate::projection) enum Value {
    Integer(i64),
    Bytes(Vec<u8>),
    Text(String),
}

/// The words behind WHERE and their values. Values never get into the words.
#[derive(Debug, Clone)]
pub(in crate::projection) struct Filter {
    pub text: String,
    values: Vec<Value>,
}

impl Filter {
    pub(super) fn of_merchant(merchant: &Xid) -> Filter {
        Filter { text: "merchant = $1".to_owned(), values: vec![Value::Bytes(merchant.0.to_vec())] }
    }

    /// Whosever, made from a moment on and before another.
    pub(in crate::projection) fn of_times(from: Micros, until: Micros) -> Filter {
        let values = vec![Value::Integer(from.0), Value::Integer(until.0)];
        Filter { text: "created_at >= $1 AND created_at < $2".to_owned(), values }
    }

    pub(super) fn of(search: &Search) -> Filter {
        Filter::within(search, search.range())
    }

    /// What lies behind a row in the order of a search. The row's time takes the place of the range's end: of two bounds on one side SQLite
    /// seeks to one, and if that is the wider, each page walks all pages before it.
    pub(super) fn behind(search: &Search, (created_at, id): (Micros, Xid)) -> Filter {
        let (from, to) = search.range();
        let mut filter = Filter::within(search, (from, Some(to.map_or(created_at, |to| to.min(created_at)))));
        let (created_at, id) = (filter.bind(Value::Integer(created_at.0)), filter.bind(Value::Bytes(id.0.to_vec())));
        filter.add(&format!("(created_at < {created_at} OR id < {id})"));
        filter
    }

    /// With a range of time in place of the search's own.
    pub(super) fn within(search: &Search, (from, to): Range) -> Filter {
        let mut filter = Filter::of_merchant(&search.merchant);
        filter.add_bounds("created_at", from, to);
        for condition in &search.conditions {
            filter.add_condition(condition);
        }
        filter
    }

    /// Only whose, and made when.
    pub(super) fn of_range(search: &Search) -> Filter {
        let mut filter = Filter::of_merchant(&search.merchant);
        let (from, to) = search.range();
        filter.add_bounds("created_at", from, to);
        filter
    }

    pub(super) fn of_batches(search: &BatchSearch) -> Filter {
        let mut filter = Filter::of_merchant(&search.merchant);
        filter.add("closed_at IS NOT NULL");
        filter.add_bounds("closed_at", search.from, search.to);
        if let Some(id) = search.id {
            let id = filter.bind(Value::Bytes(id.0.to_vec()));
            filter.add(&format!("id = {id}"));
        }
        filter
    }

    pub(in crate::projection) fn add(&mut self, words: &str) {
        self.text.push_str(" AND ");
        self.text.push_str(words);
    }

    /// The parameter that stands for a value.
    pub(in crate::projection) fn bind(&mut self, value: Value) -> String {
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
            // All of them together are the range.
            Condition::Between { moment: Moment::Created, .. } => {}
            Condition::Between { moment, from, to } => self.add_bounds(moment.name(), *from, *to),
            Condition::Text { tag: tag::ORDER_ID, equal, value } => self.add_text("order_id", *equal, value),
            Condition::Text { tag: tag::CUSTOMER_ID, equal, value } => self.add_text("customer_id", *equal, value),
            Condition::Text { .. } | Condition::TailAmount { .. } | Condition::Method { .. } => {}
        }
    }

    pub(super) fn add_bounds(&mut self, column: &str, from: Option<Micros>, to: Option<Micros>) {
        for (operator, bound) in [(">=", from), ("<=", to)] {
            if let Some(bound) = bound {
                let bound = self.bind(Value::Integer(bound.0));
                self.add(&format!("{column} {operator} {bound}"));
            }
        }
    }

    fn add_text(&mut self, column: &str, equal: bool, value: &str) {
        let value = self.bind(Value::Text(value.to_owned()));
        self.add(&if equal { format!("{column} = {value}") } else { format!("({column} <> {value} OR {column} IS NULL)") });
    }

    pub(in crate::projection) fn query<'q>(&self, statement: &str) -> Query<'q, Any, AnyArguments> {
        let query = sqlx::query(AssertSqlSafe(statement.to_owned()));
        self.values.iter().fold(query, |query, value| match value.clone() {
            Value::Integer(integer) => query.bind(integer),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Text(text) => query.bind(text),
        })
    }
}
