//! A reading as text for Prometheus (OpenMetrics). Names and labels are a contract: dashboards and alerts stand on them.

use super::{Distribution, Outcome, ProcessorReading, Reading, Stage};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use switch_core::input::ProcessorState;

/// What `/metrics` is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Shortest bound that a histogram shows, microseconds, as a power of two.
const FIRST_POWER: u32 = 4;
/// Longest: two minutes and a bit.
const LAST_POWER: u32 = 27;

/// The whole reading.
pub fn exposition(reading: Reading) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("switchyard");
    registry.register_collector(Box::new(Shown(Arc::new(reading))));
    let mut text = String::with_capacity(64 * 1024);
    text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Shown(Arc<Reading>);

impl Collector for Shown {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.payments(&self.0)?;
        page.stages(&self.0)?;
        page.processors(&self.0)?;
        page.reversals(&self.0)?;
        page.load(&self.0)?;
        page.journal(&self.0)
    }
}

/// Writes families of metrics, one after the other.
struct Page<'a>(DescriptorEncoder<'a>);

type Labels<'a, const N: usize> = [(&'a str, &'a str); N];

impl Page<'_> {
    fn family<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = (Labels<'a, N>, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            encode(family.encode_family(&labels)?, kind, value)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?, MetricType::Counter, value)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?, MetricType::Gauge, value)
    }

    fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &'a str,
        of: impl IntoIterator<Item = (&'a str, &'a Distribution)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (value, distribution) in of {
            let (sum, count, buckets) = (seconds(distribution.sum_us()), distribution.count(), buckets(distribution));
            family.encode_family(&[(label, value)])?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    fn payments(&mut self, reading: &Reading) -> fmt::Result {
        let named = reading.processors.iter().map(|processor| (processor.name.as_str(), processor.outcomes));
        let each = [("none", reading.outcomes_of_none)].into_iter().chain(named).flat_map(|(name, outcomes)| {
            Outcome::ALL.map(|outcome| ([("processor", name), ("outcome", outcome.word())], outcomes.of(outcome)))
        });
        let help = "Payments and steps of payments that were answered, by processor and outcome";
        self.family("payments", help, MetricType::Counter, each)
    }

    fn stages(&mut self, reading: &Reading) -> fmt::Result {
        let stages = Stage::ALL.map(|stage| (stage.word(), reading.stage(stage)));
        self.histograms("stage_seconds", "How long each stage of a command's way through its shard took", "stage", stages)?;
        let waits = reading.processors.iter().map(|processor| (processor.name.as_str(), &processor.totals.waits));
        self.histograms("processor_seconds", "How long processors took to answer", "processor", waits)
    }

    /// A family with one value for each processor.
    fn each(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        reading: &Reading,
        value: impl Fn(&ProcessorReading) -> u64,
    ) -> fmt::Result {
        let values = reading.processors.iter().map(|processor| ([("processor", processor.name.as_str())], value(processor)));
        self.family(name, help, kind, values)
    }

    fn processors(&mut self, reading: &Reading) -> fmt::Result {
        let requests = reading.processors.iter().flat_map(|processor| {
            let counts = processor.totals.counts;
            let of = |result, count| ([("processor", processor.name.as_str()), ("result", result)], count);
            [
                of("sent", counts.sent),
                of("approved", counts.approved),
                of("declined", counts.declined),
                of("lost", counts.lost),
                of("not_sent", counts.not_sent),
            ]
        });
        self.family("processor_requests", "Requests over the link, reversals and totals too", MetricType::Counter, requests)?;
        let gauge = MetricType::Gauge;
        self.each("processor_connections", "Connections that are signed on", gauge, reading, |of| of.connections.into())?;
        let enabled = |of: &ProcessorReading| (of.state == ProcessorState::Enabled).into();
        self.each("processor_enabled", "1 when new payments may go there", gauge, reading, enabled)?;
        let open = |of: &ProcessorReading| (of.standing.circuit() == "open").into();
        self.each("processor_circuit_open", "1 when a shard sends nothing there, for too much has failed", gauge, reading, open)?;
        self.each("processor_in_flight", "Requests that are not decided", gauge, reading, |of| of.standing.in_flight)?;
        let counter = MetricType::Counter;
        self.each("processor_unknown", "Requests whose outcome was never heard", counter, reading, |of| of.standing.unknowns)?;
        self.each("processor_late_answers", "Answers behind their deadline", counter, reading, |of| of.standing.late_answers)?;
        self.each("processor_unmatched_answers", "Answers that belonged to no request", counter, reading, |of| of.unmatched)?;
        let open = |of: &ProcessorReading| of.standing.batches.open.into();
        self.each("processor_batches_open", "Batches that are not closed", gauge, reading, open)?;
        let rejected = |of: &ProcessorReading| of.standing.batches.rejected.into();
        self.each("processor_batches_rejected", "Batches that the processor has rejected", gauge, reading, rejected)
    }

    fn reversals(&mut self, reading: &Reading) -> fmt::Result {
        let (gauge, counter) = (MetricType::Gauge, MetricType::Counter);
        self.each("reversals_queued", "Reversals that wait for their receipt", gauge, reading, |of| {
            of.standing.reversals_queued
        })?;
        self.each("reversals_stuck", "Of those, the ones that wait too long", gauge, reading, |of| of.standing.reversals_stuck)?;
        let age = |of: &ProcessorReading| of.oldest_reversal_s(reading.at).map_or(0, |age| age.unsigned_abs());
        self.each("reversals_oldest_seconds", "How long the oldest has waited", gauge, reading, age)?;
        self.each("reversals_sent", "Reversals sent, repeats too", counter, reading, |of| of.standing.reversals_sent)?;
        self.each("reversals_done", "Reversals with their receipt", counter, reading, |of| of.standing.reversals_done)
    }

    fn load(&mut self, reading: &Reading) -> fmt::Result {
        self.gauge("commands_under_way", "Commands between their entry and their answer", reading.under_way.into())?;
        self.gauge("commands_under_way_max", "Commands that may be under way", reading.places.into())?;
        self.counter("commands_refused", "Commands refused for want of room", reading.refused)?;
        let places: Vec<String> = (0..reading.shards.len()).map(|shard| shard.to_string()).collect();
        let shards = places.iter().zip(&reading.shards);
        let waiting = shards.clone().map(|(place, shard)| ([("shard", place.as_str())], shard.waiting as u64));
        self.family("shard_queue_commands", "Commands that wait in front of a shard", MetricType::Gauge, waiting)?;
        let answered = shards.map(|(place, shard)| ([("shard", place.as_str())], shard.answered));
        self.family("shard_answers", "Commands that a shard has answered", MetricType::Counter, answered)?;
        let cpu = self.0.encode_descriptor("process_cpu_seconds", "Time on a core", None, MetricType::Counter)?;
        ConstCounter::new(seconds(reading.process.cpu_ms * 1_000)).encode(cpu)?;
        self.gauge("process_resident_bytes", "Memory that is resident", reading.process.resident_bytes)
    }

    fn journal(&mut self, reading: &Reading) -> fmt::Result {
        let readiness = &reading.readiness;
        self.counter("journal_records", "LSN of the newest durable record", reading.durable_lsn)?;
        self.gauge("journal_writable", "1 while the journal takes records", readiness.journal_writable.into())?;
        self.gauge("journal_disk_ample", "1 while the disk has room for new payments", readiness.disk_ample.into())?;
        if let Some(free) = reading.disk_free_bytes {
            self.gauge("journal_disk_free_bytes", "Room on the journal's disk", free)?;
        }
        self.gauge("projection_behind_records", "Durable records that are not in SQL", readiness.projection.behind)?;
        self.gauge("projection_following", "1 while SQL takes records as they come", readiness.projection.following.into())?;
        self.gauge("ready", "1 while payments are taken", readiness.is_ready().into())
    }
}

fn encode(encoder: MetricEncoder<'_>, kind: MetricType, value: u64) -> fmt::Result {
    match kind {
        MetricType::Counter => ConstCounter::new(value).encode(encoder),
        _ => ConstGauge::new(value).encode(encoder),
    }
}

/// Two bounds to a power of two. Each is a bound of the distribution's own, so that no count is a guess.
fn buckets(distribution: &Distribution) -> Vec<(f64, u64)> {
    let bounds = (FIRST_POWER..LAST_POWER).flat_map(|power| [1 << power, 3 << (power - 1)]);
    let mut left = distribution.counts().iter().enumerate().peekable();
    let mut shown: Vec<(f64, u64)> = Vec::new();
    for bound in bounds {
        let mut count = 0;
        while let Some((_, more)) = left.next_if(|(place, _)| super::distribution::bound_us(*place) <= bound) {
            count += more;
        }
        shown.push((seconds(bound), count));
    }
    shown.push((f64::INFINITY, left.map(|(_, count)| count).sum()));
    shown
}

#[expect(clippy::float_arithmetic, reason = "Prometheus counts time in seconds; no money comes near")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
