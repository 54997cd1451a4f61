//! A typed condition becomes a place in the facts and the values that it may have there.

use super::error::Fault;
use super::field::{ABSENT, FIELDS, Field, Known, Range, Row, field_words, find};
use super::gauge::Gauge;
use super::typed::{Condition, Value};
use crate::limits::{CONDITION_VALUES_MAX, TABLE_GAUGES_MAX, VELOCITY_VALUE_MAX};

/// When an entry is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Before a processor has answered.
    BeforeAnswer,
    /// After its answer.
    AfterAnswer,
}

/// One condition: it holds when the value at `slot` of the facts is in one of the ranges, which ascend and do not touch.
#[derive(Debug)]
pub(super) struct Condensed {
    pub(super) slot: usize,
    pub(super) ranges: Vec<Range>,
}

/// Takes the conditions of one scope of a table, and collects what they ask for.
#[derive(Debug)]
pub(super) struct Compiler {
    /// The counts that are asked for; their places in here are their places in the facts, behind the fields.
    pub(super) gauges: Vec<Gauge>,
    /// True when something that stands in the tail is asked for.
    pub(super) reads_tail: bool,
}

impl Compiler {
    pub(super) fn condition(&mut self, condition: &Condition, asked: Asked) -> Result<Condensed, Fault> {
        match condition.field.as_str() {
            "velocity" => self.velocity(condition),
            word => self.field(word, condition, asked),
        }
    }

    fn field(&mut self, word: &str, condition: &Condition, asked: Asked) -> Result<Condensed, Fault> {
        let row = find(word).ok_or_else(|| Fault::new("field", format!("{word:?}"), all_fields()))?;
        if row.known == Known::AfterAnswer && asked == Asked::BeforeAnswer {
            let accepted = "in a rule of stage \"post\" only: before the processor's answer it is not known";
            return Err(Fault::new("field", format!("{word:?}"), accepted));
        }
        if let Some(word) = condition.per.as_deref().map(|_| "per").or(condition.window_s.map(|_| "window_s")) {
            return Err(Fault::new(word, "a value", "with field \"velocity\" only"));
        }
        self.reads_tail |= row.field == Field::Country;
        let ranges = match condition.op.as_str() {
            "in" => one_of(row, &condition.value)?,
            op => compare(op, row.is_ordered, read(row, &condition.value)?)
                .ok_or_else(|| Fault::new("op", format!("{op:?}"), operators(row.is_ordered, true)))?,
        };
        Ok(Condensed { slot: row.field as usize, ranges })
    }

    fn velocity(&mut self, condition: &Condition) -> Result<Condensed, Fault> {
        let gauge = Gauge::parse(condition.per.as_deref(), condition.window_s)?;
        let Value::Number(value @ 0..=VELOCITY_VALUE_MAX) = condition.value else {
            return Err(Fault::new(
                "value",
                &condition.value,
                format!("a whole number of payments, at most {VELOCITY_VALUE_MAX}"),
            ));
        };
        let slot = FIELDS + self.gauge(gauge)?;
        self.reads_tail |= gauge.per.is_in_tail();
        let ranges = compare(&condition.op, true, Range { low: value, high: value })
            .ok_or_else(|| Fault::new("op", format!("{:?}", condition.op), operators(true, false)))?;
        Ok(Condensed { slot, ranges })
    }

    /// The place of a gauge; a new one behind those that were asked for before.
    fn gauge(&mut self, gauge: Gauge) -> Result<usize, Fault> {
        if let Some(place) = self.gauges.iter().position(|known| *known == gauge) {
            return Ok(place);
        }
        if self.gauges.len() == TABLE_GAUGES_MAX {
            let accepted = format!("at most {TABLE_GAUGES_MAX} different pairs of per and window_s that hold for one merchant");
            return Err(Fault::new("velocity", "one pair of per and window_s more", accepted));
        }
        self.gauges.push(gauge);
        Ok(self.gauges.len() - 1)
    }
}

fn read(row: &Row, value: &Value) -> Result<Range, Fault> {
    (row.read)(value).ok_or_else(|| Fault::new(row.word, value, row.accepted))
}

fn one_of(row: &Row, value: &Value) -> Result<Vec<Range>, Fault> {
    let accepted = || format!("a list of 1 to {CONDITION_VALUES_MAX} values, each {}", row.accepted);
    let Value::List(values) = value else { return Err(Fault::new(row.word, value, accepted())) };
    if values.is_empty() || values.len() > CONDITION_VALUES_MAX {
        return Err(Fault::new(row.word, value, accepted()));
    }
    let ranges = values.iter().map(|value| read(row, value)).collect::<Result<Vec<_>, _>>()?;
    Ok(joined(ranges))
}

/// What a comparison with one value leaves; `None` when the operator does not suit. Nothing is below zero, and what is absent is above
/// nothing.
fn compare(op: &str, is_ordered: bool, Range { low, high }: Range) -> Option<Vec<Range>> {
    let below = low.checked_sub(1).map(|last| Range { low: 0, high: last });
    match op {
        "=" => Some(vec![Range { low, high }]),
        "!=" => Some(below.into_iter().chain([Range { low: high + 1, high: ABSENT }]).collect()),
        "<" if is_ordered => Some(below.into_iter().collect()),
        ">" if is_ordered => Some(vec![Range { low: high + 1, high: ABSENT - 1 }]),
        _ => None,
    }
}

/// Ranges sorted and, where they touch, joined.
fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.low <= last.high.saturating_add(1) => last.high = last.high.max(range.high),
            _ => joined.push(range),
        }
    }
    joined
}

fn operators(is_ordered: bool, has_list: bool) -> &'static str {
    match (is_ordered, has_list) {
        (true, true) => "=, !=, <, > or in",
        (true, false) => "=, !=, < or >",
        (false, _) => "=, != or in",
    }
}

fn all_fields() -> String {
    let words: Vec<&str> = field_words().map(|(word, _)| word).collect();
    format!("{} or velocity", words.join(", "))
}
