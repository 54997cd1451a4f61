//! Conditions checked and compiled: each is one comparison of one place of the facts.

use super::error::Fault;
use super::facts::{Facts, SLOTS};
use super::field::{ABSENT, FIELDS, Field, Known, Range, Row, field_words, find};
use super::gauge::Gauge;
use super::typed::{Condition, Value};
use crate::limits::{CONDITION_VALUES_MAX, TABLE_GAUGES_MAX, VELOCITY_VALUE_MAX};

/// How a place of the facts is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// From `a` to `a + b`.
    Within,
    /// Not from `a` to `a + b`.
    Outside,
    /// One of the numbers below 64 whose bits are set in `a`.
    OneOfSmall,
    /// In one of the `b` ranges that begin with the one at `a`.
    OneOfRanges,
}

/// One condition.
#[derive(Debug, Clone, Copy)]
struct Test {
    a: u64,
    b: u64,
    comparison: Comparison,
    slot: u8,
}

/// Conditions that must all hold: a run of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clause {
    first: u32,
    count: u32,
}

/// The compiled conditions of one table, in the order in which they are tested.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    tests: Vec<Test>,
    ranges: Vec<Range>,
}

impl Conditions {
    /// True when all of a clause holds. A clause without conditions holds.
    #[inline]
    pub(super) fn hold(&self, clause: Clause, facts: &Facts) -> bool {
        let first = clause.first as usize;
        self.tests[first..first + clause.count as usize].iter().all(|test| self.holds(test, facts.values()))
    }

    #[inline]
    fn holds(&self, test: &Test, values: &[u64; SLOTS]) -> bool {
        let value = values[usize::from(test.slot)];
        match test.comparison {
            Comparison::Within => value.wrapping_sub(test.a) <= test.b,
            Comparison::Outside => value.wrapping_sub(test.a) > test.b,
            Comparison::OneOfSmall => value < 64 && test.a >> value & 1 == 1,
            Comparison::OneOfRanges => self.is_in_ranges(test, value),
        }
    }

    fn is_in_ranges(&self, test: &Test, value: u64) -> bool {
        let ranges = &self.ranges[test.a as usize..(test.a + test.b) as usize];
        let behind = ranges.partition_point(|range| range.high < value);
        ranges.get(behind).is_some_and(|range| range.low <= value)
    }
}

/// Takes the conditions of one scope of a table, and collects what they ask for.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    pub(super) conditions: Conditions,
    /// The counts that are asked for; their places in here are their places in the facts.
    pub(super) gauges: Vec<Gauge>,
    /// True when something that stands in the tail is asked for.
    pub(super) reads_tail: bool,
}

impl Compiler {
    /// Compiles an entry's conditions. An error says which of them, from 1.
    pub(super) fn clause(&mut self, conditions: &[Condition], is_answered: bool) -> Result<Clause, (usize, Fault)> {
        let first = self.conditions.tests.len() as u32;
        for (place, condition) in conditions.iter().enumerate() {
            let test = match condition.field.as_str() {
                "velocity" => self.velocity(condition),
                word => self.field(word, condition, is_answered),
            };
            self.conditions.tests.push(test.map_err(|fault| (place + 1, fault))?);
        }
        Ok(Clause { first, count: conditions.len() as u32 })
    }

    fn field(&mut self, word: &str, condition: &Condition, is_answered: bool) -> Result<Test, Fault> {
        let row = find(word).ok_or_else(|| Fault::new("field", format!("{word:?}"), all_fields()))?;
        if row.known == Known::AfterAnswer && !is_answered {
            let accepted = "in a rule of stage \"post\" only: before the processor's answer it is not known";
            return Err(Fault::new("field", format!("{word:?}"), accepted));
        }
        if let Some(word) = condition.per.as_deref().map(|_| "per").or(condition.window_s.map(|_| "window_s")) {
            return Err(Fault::new(word, "a value", "with field \"velocity\" only"));
        }
        self.reads_tail |= row.field == Field::Country;
        let slot = row.field as u8;
        if condition.op == "in" {
            return self.one_of(slot, row, &condition.value);
        }
        compare(slot, &condition.op, row.is_ordered, read(row, &condition.value)?)
            .ok_or_else(|| Fault::new("op", format!("{:?}", condition.op), operators(row.is_ordered, true)))
    }

    fn velocity(&mut self, condition: &Condition) -> Result<Test, Fault> {
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
        compare(slot as u8, &condition.op, true, Range { low: value, high: value })
            .ok_or_else(|| Fault::new("op", format!("{:?}", condition.op), operators(true, false)))
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

    fn one_of(&mut self, slot: u8, row: &Row, value: &Value) -> Result<Test, Fault> {
        let accepted = || format!("a list of 1 to {CONDITION_VALUES_MAX} values, each {}", row.accepted);
        let Value::List(values) = value else { return Err(Fault::new(row.word, value, accepted())) };
        if values.is_empty() || values.len() > CONDITION_VALUES_MAX {
            return Err(Fault::new(row.word, value, accepted()));
        }
        let ranges = values.iter().map(|value| read(row, value)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.one_of_ranges(slot, joined(ranges)))
    }

    fn one_of_ranges(&mut self, slot: u8, ranges: Vec<Range>) -> Test {
        if ranges.iter().all(|range| range.low == range.high && range.high < 64) {
            let a = ranges.iter().fold(0, |bits, range| bits | 1 << range.low);
            return Test { a, b: 0, comparison: Comparison::OneOfSmall, slot };
        }
        let (a, b) = (self.conditions.ranges.len() as u64, ranges.len() as u64);
        self.conditions.ranges.extend(ranges);
        Test { a, b, comparison: Comparison::OneOfRanges, slot }
    }
}

fn read(row: &Row, value: &Value) -> Result<Range, Fault> {
    (row.read)(value).ok_or_else(|| Fault::new(row.word, value, row.accepted))
}

/// A comparison with one value; `None` when the operator does not suit. Nothing is below zero: such a test never holds.
fn compare(slot: u8, op: &str, is_ordered: bool, Range { low, high }: Range) -> Option<Test> {
    let within = |low: u64, high: u64| Test { a: low, b: high - low, comparison: Comparison::Within, slot };
    match op {
        "=" => Some(within(low, high)),
        "!=" => Some(Test { comparison: Comparison::Outside, ..within(low, high) }),
        "<" if is_ordered && low == 0 => Some(Test { a: 0, b: 0, comparison: Comparison::OneOfSmall, slot }),
        "<" if is_ordered => Some(within(0, low - 1)),
        ">" if is_ordered => Some(within(high + 1, ABSENT - 1)),
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
