//! Rules as facts, and any table against an evaluator that reads the typed rules word by word.

use super::typed::Rule;
use super::*;
use crate::conditions::typed::{Condition, Value};
use crate::conditions::{Facts, Velocity};
use crate::limits::{CONDITION_VALUES_MAX, ENTRY_CONDITIONS_MAX, RULES_MAX, TABLE_GAUGES_MAX};
use proptest::prelude::*;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::response_code::{RULE_DECLINES, ResponseCode};
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{Brand, EntryType, PaymentMethod, Source};

const MIDNIGHT: i64 = 1_794_960_000_000_000;

/// A payment in words, as an operator thinks of it.
#[derive(Debug, Clone)]
struct Payment {
    merchant: Xid,
    amount: u64,
    currency: &'static str,
    country: Option<&'static str>,
    card: Option<(&'static str, &'static str)>,
    method: &'static str,
    entry: &'static str,
    source: &'static str,
    avs: char,
    cvv: char,
    code: u16,
    at_s: i64,
    email: Option<&'static str>,
}

const OURS: Xid = Xid([1; 12]);
const THEIRS: Xid = Xid([2; 12]);

fn sale() -> Payment {
    Payment {
        merchant: OURS,
        amount: 1_000,
        currency: "USD",
        country: Some("US"),
        card: Some(("411111", "visa")),
        method: "card",
        entry: "keyed",
        source: "api",
        avs: 'Y',
        cvv: 'M',
        code: 100,
        at_s: 13 * 3600,
        email: Some("ann@example.com"),
    }
}

impl Payment {
    fn transaction(&self, number: u32) -> Transaction {
        let mut transaction = Transaction::empty();
        transaction.id = Xid::from_parts(1, [7; 5], number * Xid::STRIDE);
        transaction.merchant = self.merchant;
        transaction.amount = self.amount.into();
        transaction.currency = Currency::from_code(self.currency).unwrap().numeric().into();
        transaction.payment_method = PaymentMethod::from_word(self.method).unwrap().number();
        transaction.entry_type = EntryType::from_word(self.entry).unwrap().number();
        transaction.source = Source::from_word(self.source).unwrap().number();
        transaction.created_at = (MIDNIGHT + self.at_s * 1_000_000).into();
        transaction.original.avs = self.avs as u8;
        transaction.original.cvv = self.cvv as u8;
        transaction.original.response_code = self.code.into();
        if let Some((bin, brand)) = self.card {
            transaction.pan_digits = 16;
            transaction.first_six = bin.parse::<u32>().unwrap().into();
            transaction.brand = Brand::from_word(brand).unwrap().number();
            transaction.fingerprint = [bin.as_bytes()[0]; 16];
        }
        transaction
    }

    fn tail(&self) -> Vec<u8> {
        let mut tail = Vec::new();
        self.email.iter().for_each(|email| tail::push(&mut tail, tag::EMAIL_ADDRESS, email.as_bytes()));
        self.country.iter().for_each(|country| tail::push(&mut tail, tag::BILLING + 8, country.as_bytes()));
        tail
    }

    fn facts(&self, number: u32) -> Facts {
        let mut facts = Facts::of(&self.transaction(number));
        facts.read_tail(Tail::parse(&self.tail()).unwrap());
        facts
    }
}

fn text(word: &str) -> Value {
    Value::Text(word.to_owned())
}

fn words(words: &[&str]) -> Value {
    Value::List(words.iter().map(|word| text(word)).collect())
}

fn asks(field: &str, op: &str, value: Value) -> Condition {
    Condition { field: field.to_owned(), op: op.to_owned(), value, per: None, window_s: None }
}

fn velocity(per: &str, window_s: u64, op: &str, value: u64) -> Condition {
    Condition { per: Some(per.to_owned()), window_s: Some(window_s), ..asks("velocity", op, Value::Number(value)) }
}

fn rule(name: &str, stage: &str, conditions: Vec<Condition>, then: &str) -> Rule {
    Rule { name: name.to_owned(), stage: stage.to_owned(), merchant_id: None, conditions, then: then.to_owned(), code: None }
}

fn deny(conditions: Vec<Condition>) -> Rule {
    rule("no", "post", conditions, "deny")
}

fn compile(rules: &[Rule]) -> Table {
    Table::compile(1, rules).unwrap()
}

fn is_denied(payment: &Payment, condition: Condition) -> bool {
    compile(&[deny(vec![condition])]).first_match(Stage::Post, payment.merchant, &payment.facts(1)).is_some()
}

#[test]
fn each_field_is_compared_as_its_operator_says() {
    let number = Value::Number;
    let holds = [
        ("amount", "=", number(1_000)),
        ("amount", "<", number(1_001)),
        ("amount", ">", number(999)),
        ("amount", "in", Value::List(vec![number(5), number(1_000)])),
        ("currency", "=", text("usd")),
        ("country", "in", words(&["CA", "US"])),
        ("bin", "=", text("4111")),
        ("bin", "<", text("42")),
        ("bin", ">", number(41_110)),
        ("bin", "in", words(&["51", "4111", "36"])),
        ("brand", "!=", text("amex")),
        ("brand", "in", words(&["visa", "mastercard"])),
        ("payment_method", "=", text("card")),
        ("entry_type", "=", text("keyed")),
        ("source", "!=", text("binary")),
        ("avs", "=", text("y")),
        ("cvv", "!=", text("N")),
        ("response_code", "<", number(200)),
        ("hour", "=", number(13)),
        ("hour", ">", number(12)),
    ];
    for (field, op, value) in holds {
        assert!(is_denied(&sale(), asks(field, op, value.clone())), "{field} {op} {value}");
    }
    let fails = [
        ("amount", "<", number(1_000)),
        ("amount", ">", number(1_000)),
        ("amount", "<", number(0)),
        ("bin", "<", text("41")),
        ("bin", ">", text("41")),
        ("currency", "!=", text("USD")),
        ("country", "in", words(&["CA", "MX"])),
        ("brand", "in", words(&["amex"])),
        ("avs", "=", text("0")),
        ("hour", "<", number(13)),
    ];
    for (field, op, value) in fails {
        assert!(!is_denied(&sale(), asks(field, op, value.clone())), "{field} {op} {value}");
    }
}

#[test]
fn what_a_payment_does_not_say_is_unlike_everything() {
    let silent = Payment { country: None, card: None, email: None, method: "ach", ..sale() };
    assert!(is_denied(&silent, asks("country", "!=", text("US"))), "leaving a country out is no way round a rule");
    assert!(is_denied(&silent, asks("brand", "!=", text("visa"))));
    for condition in [
        asks("country", "in", words(&["US", "CA"])),
        asks("bin", ">", text("1")),
        asks("bin", "<", text("9")),
        asks("brand", "in", words(&["unknown", "visa"])),
        velocity("email", 60, "<", 100),
        velocity("card", 60, "=", 0),
    ] {
        assert!(!is_denied(&silent, condition.clone()), "{condition:?}");
    }
}

#[test]
fn the_first_match_decides_and_the_rules_for_all_come_first() {
    let own = |rule: Rule| Rule { merchant_id: Some(OURS.to_string()), ..rule };
    let small = || vec![asks("amount", "<", Value::Number(500))];
    let table = compile(&[
        own(rule("ours", "pre", vec![], "flag")),
        rule("small", "pre", small(), "accept"),
        rule("large", "pre", vec![asks("amount", ">", Value::Number(5_000))], "deny"),
        rule("late", "post", vec![], "deny"),
    ]);
    let decided = |amount, merchant| {
        let payment = Payment { amount, merchant, ..sale() };
        table.first_match(Stage::Pre, merchant, &payment.facts(1)).map(|found| (table.name(found.position), found.verdict))
    };
    assert_eq!(decided(100, OURS), Some(("small", Verdict::Accept)));
    assert_eq!(decided(9_000, OURS), Some(("large", Verdict::Deny(ResponseCode::RULE_ENGINE_DECLINE))));
    assert_eq!(decided(1_000, OURS), Some(("ours", Verdict::Flag)));
    assert_eq!(decided(1_000, THEIRS), None);
    assert_eq!(table.first_match(Stage::Post, THEIRS, &sale().facts(1)).unwrap().position, 4);
    assert!(table.asks(Stage::Post, THEIRS) && table.asks(Stage::Pre, OURS));
    assert_eq!((table.name(0), table.name(5)), ("", ""));
}

#[test]
fn an_empty_table_asks_for_nothing() {
    let table = Table::default();
    assert_eq!((table.version(), table.len(), table.longest_window_s()), (0, 0, 0));
    assert!(table.is_empty() && !table.asks(Stage::Pre, OURS) && !table.reads_tail(OURS) && table.gauges(OURS).is_empty());
    assert_eq!(table.first_match(Stage::Pre, OURS, &sale().facts(1)), None);
}

#[test]
fn only_what_holds_for_a_merchant_is_counted_for_it() {
    let own = Rule { merchant_id: Some(OURS.to_string()), ..rule("b", "pre", vec![velocity("ip", 3600, ">", 9)], "deny") };
    let for_all = rule("a", "pre", vec![velocity("card", 60, ">", 3), velocity("card", 60, "<", 100)], "deny");
    let table = compile(&[own, for_all]);
    assert_eq!((table.gauges(THEIRS).len(), table.gauges(OURS).len()), (1, 2));
    assert_eq!((table.reads_tail(THEIRS), table.reads_tail(OURS)), (false, true));
    assert_eq!(table.longest_window_s(), 3600);
}

#[test]
fn the_fourth_payment_of_a_card_in_a_minute_is_denied() {
    let table = compile(&[rule("fast", "pre", vec![velocity("card", 60, ">", 3)], "deny")]);
    let mut counters = Velocity::new(16);
    let denied = [0, 10, 20, 30, 90].map(|at_s| {
        let payment = Payment { at_s, ..sale() };
        let transaction = payment.transaction(at_s as u32);
        let mut facts = payment.facts(at_s as u32);
        assert!(counters.make_room(1, Micros(transaction.created_at.get())));
        counters.foresee(&transaction, table.gauges(OURS), &mut facts);
        counters.count(&transaction, table.gauges(OURS), &facts);
        table.first_match(Stage::Pre, OURS, &facts).is_some()
    });
    assert_eq!(denied, [false, false, false, true, false]);
}

#[test]
fn a_refused_table_says_which_rule_which_condition_and_what_is_accepted() {
    let good = || rule("good", "pre", vec![], "accept");
    let bad = |conditions| rule("bad", "pre", conditions, "deny");
    let refused = |rules: Vec<Rule>| Table::compile(1, &rules).unwrap_err().to_string();
    let in_condition = |condition| refused(vec![good(), bad(vec![asks("amount", ">", Value::Number(1)), condition])]);
    let begins = "rule 2 \"bad\", condition 2, invalid ";
    for (condition, rest) in [
        (
            asks("amuont", "=", Value::Number(1)),
            "field: \"amuont\"; accepted: amount, currency, country, bin, brand, payment_method, entry_type, source, hour, avs, \
             cvv, response_code or velocity",
        ),
        (asks("hour", "=", Value::Number(24)), "hour: 24; accepted: an hour of the day in UTC, 0 to 23"),
        (asks("brand", "<", text("visa")), "op: \"<\"; accepted: =, != or in"),
        (asks("hour", "~", Value::Number(1)), "op: \"~\"; accepted: =, !=, <, > or in"),
        (
            asks("country", "=", text("UK")),
            "country: \"UK\"; accepted: a country of ISO 3166-1 such as \"US\" (of the billing address)",
        ),
        (
            asks("avs", "=", text("N")),
            "field: \"avs\"; accepted: in a rule of stage \"post\" only: before the processor's answer it is not known",
        ),
        (velocity("card", 0, ">", 1), "window_s: 0; accepted: a whole number of seconds from 1 to 604800"),
        (velocity("phone", 60, ">", 1), "per: \"phone\"; accepted: card, ip, email or merchant"),
        (velocity("card", 60, "in", 1), "op: \"in\"; accepted: =, !=, < or >"),
        (
            Condition { window_s: Some(60), ..asks("amount", "=", Value::Number(1)) },
            "window_s: a value; accepted: with field \"velocity\" only",
        ),
        (
            asks("amount", "in", Value::List(vec![])),
            "amount: a list of 0; accepted: a list of 1 to 256 values, each a whole number of minor units, at most 999999999999",
        ),
    ] {
        assert_eq!(in_condition(condition), format!("{begins}{rest}"));
    }
    assert_eq!(
        refused(vec![Rule { then: "block".into(), ..good() }]),
        "rule 1 \"good\", invalid then: \"block\"; accepted: accept, deny or flag"
    );
    assert_eq!(
        refused(vec![Rule { stage: "mid".into(), ..good() }]),
        "rule 1 \"good\", invalid stage: \"mid\"; accepted: pre or post"
    );
    assert_eq!(refused(vec![good(), good()]), "rule 2 \"good\", invalid name: the name of rule 1; accepted: a name of its own");
    assert_eq!(
        refused(vec![Rule { merchant_id: Some("x".into()), ..good() }]),
        "rule 1 \"good\", invalid merchant_id: \"x\"; accepted: the id of a merchant account, or null for all"
    );
}

#[test]
fn a_denial_answers_with_the_code_of_its_rule() {
    let denial = |code| Rule { code, ..rule("no", "pre", vec![], "deny") };
    let facts = sale().facts(1);
    for code in RULE_DECLINES {
        let found = compile(&[denial(Some(code.0))]).first_match(Stage::Pre, OURS, &facts).unwrap();
        assert_eq!(found.verdict, Verdict::Deny(code));
    }
    let refused = |rule| Table::compile(1, &[rule]).unwrap_err().to_string();
    assert_eq!(refused(denial(Some(301))), "rule 1 \"no\", invalid code: 301; accepted: 300, 310, 320, 321, 322 or 323");
    let beside = refused(Rule { code: Some(310), ..rule("no", "pre", vec![], "flag") });
    assert_eq!(beside, "rule 1 \"no\", invalid code: 310 beside \"flag\"; accepted: no code but beside deny");
}

#[test]
fn a_table_is_bounded() {
    let numbered = |count: usize| (0..count).map(|number| rule(&number.to_string(), "pre", vec![], "flag")).collect::<Vec<_>>();
    assert_eq!(compile(&numbered(RULES_MAX)).len(), RULES_MAX);
    assert!(Table::compile(1, &numbered(RULES_MAX + 1)).is_err());
    let many = vec![asks("hour", "=", Value::Number(1)); ENTRY_CONDITIONS_MAX + 1];
    assert!(Table::compile(1, &[deny(many)]).is_err());
    let list = |count: usize| Value::List((0..count as u64).map(Value::Number).collect());
    assert!(Table::compile(1, &[deny(vec![asks("amount", "in", list(CONDITION_VALUES_MAX))])]).is_ok());
    assert!(Table::compile(1, &[deny(vec![asks("amount", "in", list(CONDITION_VALUES_MAX + 1))])]).is_err());
    let gauges = |count: usize| {
        (0..count).map(|place| rule(&place.to_string(), "pre", vec![velocity("card", 60 + place as u64, ">", 1)], "flag"))
    };
    assert!(Table::compile(1, &gauges(TABLE_GAUGES_MAX).collect::<Vec<_>>()).is_ok());
    assert!(Table::compile(1, &gauges(TABLE_GAUGES_MAX + 1).collect::<Vec<_>>()).is_err());
    for name in ["", "a\nb", &"x".repeat(65)] {
        assert!(Table::compile(1, &[rule(name, "pre", vec![], "flag")]).is_err(), "{name:?}");
    }
}

/// The naive evaluator: the typed words against the payment's words, and velocities counted in the list of all payments so far.
fn naive(rules: &[Rule], stage: &str, past: &[Payment]) -> Option<(u16, String)> {
    let payment = past.last().unwrap();
    let holds_for = |rule: &Rule, own: bool| match &rule.merchant_id {
        None => !own,
        Some(id) => own && *id == payment.merchant.to_string(),
    };
    for own in [false, true] {
        for (place, rule) in rules.iter().enumerate() {
            if rule.stage == stage && holds_for(rule, own) && rule.conditions.iter().all(|condition| naive_holds(condition, past))
            {
                return Some((place as u16 + 1, rule.then.clone()));
            }
        }
    }
    None
}

fn naive_holds(condition: &Condition, past: &[Payment]) -> bool {
    let payment = past.last().unwrap();
    let number = |number: u64| Some(format!("{number:020}"));
    let found = match condition.field.as_str() {
        "amount" => number(payment.amount),
        "currency" => Some(payment.currency.to_owned()),
        "country" => payment.country.map(str::to_owned),
        "bin" => payment.card.map(|(bin, _)| bin.to_owned()),
        "brand" => payment.card.map(|(_, brand)| brand.to_owned()),
        "payment_method" => Some(payment.method.to_owned()),
        "entry_type" => Some(payment.entry.to_owned()),
        "source" => Some(payment.source.to_owned()),
        "avs" => Some(payment.avs.to_string()),
        "cvv" => Some(payment.cvv.to_string()),
        "response_code" => number(u64::from(payment.code)),
        "hour" => number((payment.at_s / 3600 % 24) as u64),
        "velocity" => naive_velocity(condition, past).and_then(number),
        other => panic!("no field {other}"),
    };
    let typed = |value: &Value| match value {
        Value::Number(number) if condition.field != "bin" => format!("{number:020}"),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(_) => unreachable!("lists are taken apart"),
    };
    let Some(found) = found else { return condition.op == "!=" };
    let is = |value: &Value| if condition.field == "bin" { found.starts_with(&typed(value)) } else { found == typed(value) };
    match (condition.op.as_str(), &condition.value) {
        ("in", Value::List(values)) => values.iter().any(is),
        ("=", value) => is(value),
        ("!=", value) => !is(value),
        ("<", value) => !is(value) && found < typed(value),
        (">", value) => !is(value) && found > typed(value),
        _ => unreachable!("not generated"),
    }
}

/// Payments come in whole seconds and windows have slices of a second, so that the sliding window is exact.
fn naive_velocity(condition: &Condition, past: &[Payment]) -> Option<u64> {
    let payment = past.last().unwrap();
    let subject = |payment: &Payment| match condition.per.as_deref() {
        Some("card") => payment.card.map(|(bin, _)| bin[..1].to_owned()),
        Some("email") => payment.email.map(str::to_lowercase),
        Some("merchant") => Some(String::new()),
        other => panic!("not generated: {other:?}"),
    };
    let wanted = subject(payment)?;
    let window_s = condition.window_s? as i64;
    let alike = |other: &&Payment| {
        other.merchant == payment.merchant
            && payment.at_s - other.at_s <= window_s
            && subject(other).is_some_and(|subject| subject == wanted)
    };
    Some(past.iter().filter(alike).count() as u64)
}

fn some_payment() -> impl Strategy<Value = (i64, Payment)> {
    let what = (
        prop::sample::select(vec![OURS, THEIRS]),
        prop::sample::select(vec![0, 1, 499, 500, 501, 999_999_999_999]),
        prop::sample::select(vec!["USD", "EUR"]),
        prop::sample::select(vec![None, Some("US"), Some("CA"), Some("DE")]),
        prop::sample::select(vec![None, Some(("411111", "visa")), Some(("400000", "visa")), Some(("371449", "amex"))]),
        prop::sample::select(vec!["card", "ach", "terminal"]),
        prop::sample::select(vec!["keyed", "swiped"]),
        prop::sample::select(vec!["api", "binary", "hosted_page"]),
    );
    let answer = (
        prop::sample::select(vec!['Y', 'N', '0']),
        prop::sample::select(vec!['M', 'N']),
        prop::sample::select(vec![100_u16, 110, 200]),
    );
    let rest =
        (0..9_i64, prop::sample::select(vec![None, Some("ann@example.com"), Some("Ann@Example.com"), Some("bob@example.com")]));
    (what, answer, rest).prop_map(
        |((merchant, amount, currency, country, card, method, entry, source), (avs, cvv, code), (gap_s, email))| {
            (gap_s, Payment { merchant, amount, currency, country, card, method, entry, source, avs, cvv, code, at_s: 0, email })
        },
    )
}

fn some_condition(is_post: bool) -> impl Strategy<Value = Condition> {
    let number = |values: Vec<u64>| prop::sample::select(values).prop_map(Value::Number).boxed();
    let word = |values: Vec<&'static str>| prop::sample::select(values).prop_map(text).boxed();
    let fields = vec![
        ("amount", true, number(vec![0, 1, 499, 500, 501, 1_000])),
        ("currency", false, word(vec!["USD", "EUR", "JPY"])),
        ("country", false, word(vec!["US", "CA", "FR"])),
        ("bin", true, word(vec!["4", "411111", "40", "3", "371449", "9"])),
        ("brand", false, word(vec!["visa", "amex", "jcb"])),
        ("payment_method", false, word(vec!["card", "ach"])),
        ("entry_type", false, word(vec!["keyed", "swiped"])),
        ("source", false, word(vec!["api", "recurring"])),
        ("hour", true, number(vec![0, 12, 23])),
        ("avs", false, word(vec!["Y", "N", "0"])),
        ("cvv", false, word(vec!["M", "N", "0"])),
        ("response_code", true, number(vec![100, 110, 200, 301])),
    ];
    let fields = fields.into_iter().take(if is_post { 12 } else { 9 }).collect::<Vec<_>>();
    let field = prop::sample::select(fields).prop_flat_map(|(field, is_ordered, values)| {
        let ops = if is_ordered { vec!["=", "!=", "<", ">", "in"] } else { vec!["=", "!=", "in"] };
        (prop::sample::select(ops), prop::collection::vec(values, 1..4)).prop_map(move |(op, mut values)| {
            let value = if op == "in" { Value::List(values) } else { values.swap_remove(0) };
            asks(field, op, value)
        })
    });
    let counted =
        (prop::sample::select(vec!["card", "email", "merchant"]), prop::sample::select(vec!["=", "!=", "<", ">"]), 0..6_u64)
            .prop_map(|(per, op, value)| velocity(per, 15, op, value));
    prop_oneof![4 => field, 1 => counted]
}

fn some_rule() -> impl Strategy<Value = Rule> {
    let stage = prop::sample::select(vec!["pre", "post"]);
    let merchant = prop::sample::select(vec![None, Some(OURS.to_string()), Some(THEIRS.to_string())]);
    let then = prop::sample::select(vec!["accept", "deny", "flag"]);
    (stage, merchant, then).prop_flat_map(|(stage, merchant_id, then)| {
        prop::collection::vec(some_condition(stage == "post"), 0..4)
            .prop_map(move |conditions| Rule { merchant_id: merchant_id.clone(), ..rule("", stage, conditions, then) })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_table_decides_as_its_words_say(mut rules in prop::collection::vec(some_rule(), 0..12), payments in prop::collection::vec(some_payment(), 1..24)) {
        rules.iter_mut().enumerate().for_each(|(place, rule)| rule.name = place.to_string());
        let table = compile(&rules);
        let mut counters = Velocity::new(256);
        let (mut past, mut at_s): (Vec<Payment>, i64) = (Vec::new(), 0);
        for (gap_s, payment) in payments {
            at_s += gap_s;
            past.push(Payment { at_s, ..payment });
            let payment = past.last().unwrap();
            let transaction = payment.transaction(past.len() as u32);
            let mut facts = payment.facts(past.len() as u32);
            prop_assert!(counters.make_room(3, Micros(transaction.created_at.get())));
            counters.foresee(&transaction, table.gauges(payment.merchant), &mut facts);
            counters.count(&transaction, table.gauges(payment.merchant), &facts);
            for (stage, word) in [(Stage::Pre, "pre"), (Stage::Post, "post")] {
                let found = table.first_match(stage, payment.merchant, &facts);
                let said = found.map(|found| (found.position, match found.verdict {
                    Verdict::Accept => "accept".to_owned(),
                    Verdict::Deny(_) => "deny".to_owned(),
                    Verdict::Flag => "flag".to_owned(),
                }));
                prop_assert_eq!(said, naive(&rules, word, &past), "payment {} {:?}", past.len(), payment);
            }
        }
    }
}
