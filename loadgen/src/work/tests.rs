use std::collections::BTreeMap;

use super::*;

const SEED: u64 = 7;
const DRAWN: u64 = 20_000;

fn id(number: u64) -> Xid {
    Xid::from_parts(1, [1; 5], number as u32 * Xid::STRIDE)
}

/// Draws a run's requests, each answered at once.
fn drawn(mix: &str, skew: Skew, settled: &[(u32, Xid)]) -> Vec<Drawn> {
    let mut work = Work::new(mix.parse().unwrap(), skew, SEED, settled);
    let mut one = |sequence| {
        let drawn = work.draw(sequence);
        work.learn(&drawn, id(sequence));
        drawn
    };
    (0..DRAWN).map(&mut one).collect()
}

fn count(all: &[Drawn], of: impl Fn(&Drawn) -> bool) -> f64 {
    all.iter().filter(|drawn| of(drawn)).count() as f64
}

/// A share in hundredths of `DRAWN`; five standard deviations of the widest are under two of them.
#[track_caller]
fn assert_share(all: &[Drawn], share: f64, of: impl Fn(&Drawn) -> bool) {
    let found = count(all, of) * 100.0 / DRAWN as f64;
    assert!((found - share).abs() < 2.0, "seed {SEED}: {found} for {share}");
}

#[test]
fn shares_are_as_asked_and_steps_take_what_was_made_once() {
    let all =
        drawn("authorize=15,capture=15,void=10,refund=5,declined=10,ach=5,verification=5", Skew::none(), &[(0, id(90_000))]);
    let shares = [(Kind::Authorize, 15.0), (Kind::Capture, 15.0), (Kind::Void, 10.0), (Kind::Refund, 5.0), (Kind::Sale, 35.0)];
    for (kind, share) in shares {
        assert_share(&all, share, |drawn| drawn.kind == kind);
    }
    let made_by =
        |target: Xid, kinds: &[Kind]| all.iter().any(|drawn| id(drawn.sequence) == target && kinds.contains(&drawn.kind));
    let mut taken = BTreeMap::<_, u32>::new();
    for step in all.iter().take(2_000).filter(|drawn| matches!(drawn.kind, Kind::Capture | Kind::Void)) {
        let kinds: &[Kind] = if step.kind == Kind::Capture { &[Kind::Authorize] } else { &[Kind::Sale, Kind::Capture] };
        assert!(made_by(step.target, kinds), "{step:?}");
        *taken.entry((step.kind.name(), step.target)).or_default() += 1;
    }
    assert!(taken.values().all(|times| *times == 1));
    assert!(all.iter().filter(|drawn| drawn.kind == Kind::Refund).all(|drawn| drawn.target == id(90_000)));
}

#[test]
fn without_anything_to_take_a_step_makes_something_instead() {
    let all = drawn("capture=50,void=25,refund=25", Skew::none(), &[]);
    assert_eq!((all[0].target, all[0].kind == Kind::Capture), (Xid::NONE, false));
    assert_eq!(count(&all, |drawn| drawn.kind == Kind::Refund), 0.0);
    assert_share(&all, 25.0, |drawn| drawn.kind == Kind::Capture);
    assert_share(&all, 25.0, |drawn| drawn.kind == Kind::Authorize);
}

#[test]
fn a_retry_is_what_was_drawn_before_under_the_same_number() {
    let all = drawn("authorize=20,retry=15", Skew::none(), &[]);
    let repeated = all.iter().enumerate().filter(|(_, drawn)| drawn.is_retry);
    for (place, retry) in repeated.clone() {
        let first = &all[retry.sequence as usize];
        assert_eq!(Drawn { is_retry: false, ..*retry }, *first);
        assert!(retry.sequence + RETRY_DISTANCE as u64 <= place as u64);
    }
    assert!((2_300..=3_100).contains(&repeated.count()), "seed {SEED}");
}

#[test]
fn merchants_get_their_shares_by_rank_and_keep_to_their_own() {
    let all = drawn("capture=30", Skew::zipf(100, 1.0).unwrap(), &[]);
    // 1 / H(100) is 19.3 hundredths.
    assert_share(&all, 19.3, |drawn| drawn.merchant == 0);
    assert_share(&all, 9.6, |drawn| drawn.merchant == 1);
    let even = drawn("", Skew::zipf(10, 0.0).unwrap(), &[]);
    (0..10).for_each(|merchant| assert_share(&even, 10.0, |drawn| drawn.merchant == merchant));
    for step in all.iter().filter(|drawn| drawn.kind == Kind::Capture) {
        let made = all.iter().find(|drawn| id(drawn.sequence) == step.target).unwrap();
        assert_eq!((made.kind, made.merchant), (Kind::Authorize, step.merchant));
    }
    for (merchants, exponent) in [(0, 1.0), (10_001, 1.0), (5, -0.1), (5, f64::NAN)] {
        assert!(Skew::zipf(merchants, exponent).is_err(), "{merchants} {exponent}");
    }
}

#[test]
fn a_mix_is_read_as_it_is_shown_and_says_what_is_wrong() {
    let mix: Mix = "authorize=20,capture=20,retry=5".parse().unwrap();
    assert_eq!(mix.to_string(), "sale 55, authorize 20, capture 20, retry 5");
    assert!(mix.has(Kind::Capture) && !mix.has(Kind::Ach));
    for (given, said) in
        [("sale=5", "none of authorize"), ("void", "not like"), ("void=x", "hundredths"), ("void=60,ach=41", "101")]
    {
        let told = given.parse::<Mix>().unwrap_err();
        assert!(told.contains(said), "{told}");
    }
}
