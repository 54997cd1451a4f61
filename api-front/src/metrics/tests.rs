//! What is counted is told as it was, or a little worse, never better.

use super::distribution::{BUCKETS, bound_us};
use super::*;
use protocol::calendar::Micros;
use protocol::transaction::Transaction;
use protocol::words::Status;

#[test]
fn a_percentile_is_never_below_the_truth_and_a_fifth_above_it_at_most() {
    for us in (0..4_096).chain((12..29).map(|power| (1_u64 << power) + (1 << (power - 3)))) {
        let mut one = Distribution::default();
        one.record(us);
        let told = one.at_per_mille(500);
        assert!(told > us && told <= us + us / 4 + 1, "{us} was told as {told}");
    }
}

#[test]
fn bounds_ascend_and_times_without_a_bucket_count_in_the_last() {
    assert!((1..BUCKETS).all(|place| bound_us(place - 1) < bound_us(place)));
    let mut far = Distribution::default();
    far.record(u64::MAX / 2);
    assert_eq!((far.count(), far.counts()[BUCKETS - 1], far.sum_us()), (1, 1, u64::MAX / 2));
}

#[test]
fn half_of_a_hundred_times_are_below_the_median() {
    let mut times = Distribution::default();
    (1..=100).for_each(|ms| times.record(ms * 1_000));
    let [median, p99] = [500, 990].map(|per_mille| times.at_per_mille(per_mille));
    assert!((50_000..=62_500).contains(&median) && (99_000..=123_750).contains(&p99), "{median} {p99}");
    let before = times.clone();
    times.record(7);
    assert_eq!((times.since(&before).count(), times.since(&before).sum_us()), (1, 7));
    assert_eq!(Distribution::default().at_per_mille(990), 0);
}

#[test]
fn a_shards_answers_are_told_apart_by_processor_and_outcome() {
    let tally = Tally::default();
    let answer = |processor: u16, status: Status, code: u16| {
        let mut answer = Transaction::empty();
        (answer.processor, answer.status, answer.response_code) = (processor.into(), status.number(), code.into());
        answer
    };
    tally.answered(&answer(1, Status::PendingSettlement, 100));
    tally.answered(&answer(1, Status::Declined, 202));
    tally.answered(&answer(1, Status::Unknown, 421));
    tally.answered(&answer(0, Status::Declined, 310));
    tally.answered(&answer(9_999, Status::Declined, 421));
    let of = |processor| Outcome::ALL.map(|outcome| tally.outcomes(processor).of(outcome));
    assert_eq!([of(1), of(0), of(u16::MAX)], [[1, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]);
    tally.passed(Stage::Queue, Micros::NONE, Micros(5), 1);
    tally.passed(Stage::Queue, Micros(10), Micros(30), 2);
    tally.passed(Stage::Queue, Micros(30), Micros(10), 1);
    assert_eq!((tally.stage(Stage::Queue).count(), tally.stage(Stage::Queue).sum_us()), (3, 40), "time never runs back");
}
