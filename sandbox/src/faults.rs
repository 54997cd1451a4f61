//! Faults on command: what `POST /faults` takes, and the dice that decide which message they hit.
//!
//! The dice are a value with a seed, so that a run repeats exactly. No clock and no sockets here.

use serde::{Deserialize, Serialize};

use crate::limits::DELAY_MAX_MS;
use crate::triggers::Mishap;

/// The faults in force. Absent keys mean "none of it"; the next `POST /faults` replaces all of it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Probability that a request is lost on its way here: nothing is done.
    pub drop_requests: Probability,
    /// Probability that an answer is lost on its way back: the work is done.
    pub drop_responses: Probability,
    /// Every answer waits this long, evenly drawn between the two, in milliseconds.
    pub delay_ms: [u32; 2],
    /// Probability that an answer is sent twice.
    pub duplicate: Probability,
    /// Probability that garbage is sent in place of an answer: the work is done.
    pub garbage: Probability,
    /// Every n-th request is done and not answered, and its connection cut. 0: never.
    pub disconnect_every: u32,
    /// Probability that the code that authenticates an answer (DE64, DE128) is spoiled, where the host has a key.
    pub spoil_macs: Probability,
    /// So many sales are counted twice in the host's running totals: they are found out of balance, until the batch's members come.
    pub drift_totals: u32,
    /// The member of a batch with this record number is not found when its members come; 0 loses none.
    pub lost_record: u32,
    /// Totals that come again are taken for new ones: their number is then found used, by themselves (`QD`), as by a host that keeps
    /// batch numbers and no answers.
    pub forget_totals: bool,
    /// The host is away: connections are closed, new ones accepted and closed.
    pub down: bool,
    /// Seed of the dice.
    pub seed: u64,
}

/// A probability, kept as a threshold of 2³² so that drawing needs no floating point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability {
    /// A draw of 32 bits hits when it is below this.
    threshold: u64,
}

const ONE: u64 = 1 << 32;

#[expect(clippy::float_arithmetic, reason = "JSON writes probabilities as floats; no money comes near")]
impl TryFrom<f64> for Probability {
    type Error = String;

    fn try_from(p: f64) -> Result<Probability, String> {
        if !(0.0..=1.0).contains(&p) {
            return Err(format!("{p} is no probability: 0 to 1"));
        }
        Ok(Probability { threshold: (p * ONE as f64).round() as u64 })
    }
}

#[expect(clippy::float_arithmetic, reason = "JSON writes probabilities as floats; no money comes near")]
impl From<Probability> for f64 {
    fn from(p: Probability) -> f64 {
        p.threshold as f64 / ONE as f64
    }
}

impl Faults {
    /// Reads what an operator typed; the error names the key, or says what is wrong with a value.
    pub fn from_json(body: &[u8]) -> Result<Faults, String> {
        let faults: Faults = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let [low, high] = faults.delay_ms;
        if low > high || high > DELAY_MAX_MS {
            return Err(format!("delay_ms [{low}, {high}]: two milliseconds, the lower first, {DELAY_MAX_MS} at most"));
        }
        Ok(faults)
    }
}

/// What the dice decided for one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub drop_request: bool,
    pub drop_response: bool,
    pub garbage: bool,
    pub duplicate: bool,
    pub cut: bool,
    pub spoil_mac: bool,
    pub delay_ms: u32,
}

impl Fate {
    /// What becomes of the answer.
    pub fn mishap(self) -> Option<Mishap> {
        match self {
            Fate { cut: true, .. } => Some(Mishap::Cut),
            Fate { drop_response: true, .. } => Some(Mishap::AnswerLost),
            Fate { garbage: true, .. } => Some(Mishap::Garbage),
            Fate { .. } => None,
        }
    }
}

/// The dice: SplitMix64 (Steele, Lea, Flood 2014), and the count of requests since the faults were set.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
    requests: u64,
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice { state: seed, requests: 0 }
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A probability of zero draws nothing: faults that are off cost nothing and shift no other draw.
    fn hits(&mut self, probability: Probability) -> bool {
        probability.threshold > 0 && self.draw() >> 32 < probability.threshold
    }

    fn between(&mut self, [low, high]: [u32; 2]) -> u32 {
        if low >= high { low } else { low + (self.draw() % u64::from(high - low + 1)) as u32 }
    }

    /// The next request's fate. Fields are drawn in a fixed order, which is part of what a seed means.
    pub fn cast(&mut self, faults: &Faults) -> Fate {
        self.requests += 1;
        Fate {
            drop_request: self.hits(faults.drop_requests),
            drop_response: self.hits(faults.drop_responses),
            garbage: self.hits(faults.garbage),
            duplicate: self.hits(faults.duplicate),
            delay_ms: self.between(faults.delay_ms),
            spoil_mac: self.hits(faults.spoil_macs),
            cut: faults.disconnect_every > 0 && self.requests.is_multiple_of(u64::from(faults.disconnect_every)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(json: &str, count: usize) -> Vec<Fate> {
        let faults = Faults::from_json(json.as_bytes()).unwrap();
        let mut dice = Dice::new(faults.seed);
        (0..count).map(|_| dice.cast(&faults)).collect()
    }

    #[test]
    fn a_seed_repeats_and_another_seed_does_not() {
        let json = |seed| format!(r#"{{"drop_requests":0.3,"duplicate":0.5,"delay_ms":[1,9],"seed":{seed}}}"#);
        assert_eq!(fates(&json(7), 1000), fates(&json(7), 1000));
        assert_ne!(fates(&json(7), 1000), fates(&json(8), 1000));
    }

    #[test]
    fn probabilities_hold_at_their_ends_and_in_between() {
        assert!(fates(r#"{"garbage":1}"#, 500).iter().all(|fate| fate.garbage));
        assert!(fates("{}", 500).iter().all(|fate| *fate == Fate::default()));
        let hits = fates(r#"{"drop_responses":0.25,"seed":3}"#, 10_000).iter().filter(|fate| fate.drop_response).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
        let delays = fates(r#"{"delay_ms":[5,7]}"#, 200);
        assert_eq!((5..=7).map(|ms| delays.iter().any(|fate| fate.delay_ms == ms)).collect::<Vec<_>>(), [true; 3]);
        assert!(delays.iter().all(|fate| (5..=7).contains(&fate.delay_ms)));
        let cuts: Vec<bool> = fates(r#"{"disconnect_every":3}"#, 6).iter().map(|fate| fate.cut).collect();
        assert_eq!(cuts, [false, false, true, false, false, true]);
    }

    #[test]
    fn what_is_not_a_fault_is_refused_by_name() {
        for (json, named) in [
            (r#"{"drop_request":0.1}"#, "drop_request"),
            (r#"{"garbage":1.5}"#, "1.5"),
            (r#"{"garbage":-0.1}"#, "-0.1"),
            (r#"{"garbage":"often"}"#, "often"),
            (r#"{"delay_ms":[9,1]}"#, "delay_ms"),
            (r#"{"delay_ms":[0,600001]}"#, "delay_ms"),
            ("[", "EOF"),
        ] {
            let error = Faults::from_json(json.as_bytes()).unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
        }
    }

    #[test]
    fn faults_are_shown_as_they_were_given() {
        let given = serde_json::json!({"drop_requests":0.25,"drop_responses":0.0,"delay_ms":[1,2],"duplicate":1.0,
            "garbage":0.5,"disconnect_every":4,"spoil_macs":0.75,"drift_totals":2,"lost_record":3,"forget_totals":true,"down":true,"seed":99});
        let faults = Faults::from_json(given.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&faults).unwrap(), given);
    }
}
