//! The books against plain sums: drawn days of split links, refunds before and after payouts, and fees, each merchant to the cent.
//!
//! The model knows what the documentation promises and nothing of the tables: parts by the largest remainder, the merchant of a link first
//! among equals; one fee a link, borne in proportion; refunds out of what is left of each part, fees kept.

use super::money::{cents, close, move_to, payouts_of};
use super::shopper::pay;
use super::{data, items, merchant, send_json};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tests::Switch;
use tests::client::{Client, text};
use tests::dice::Dice;
use tests::patience::eventually;

const DAYS: u64 = 8;
const PATIENCE: Duration = Duration::from_secs(30);
/// Fees of the three merchants, hundredths of a percent, and as their settings say them.
const FEES: [(u64, &str); 3] = [(150, "1.5"), (0, "0"), (899, "8.99")];

/// A link that was paid: whose parts it has, in cents, and what of each was given back.
struct Paid {
    number: Value,
    amount: u64,
    parts: Vec<(usize, u64)>,
    refunded: Vec<u64>,
}

/// What the books should say of a merchant, cents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    earned: i64,
    fees: i64,
}

/// Whole cents in proportion to weights, what is over to the largest remainders.
fn divide(total: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u64 = weights.iter().sum();
    let mut parts: Vec<u64> = weights.iter().map(|weight| total * weight / sum).collect();
    let mut places: Vec<usize> = (0..weights.len()).collect();
    places.sort_by_key(|place| (sum - total * weights[*place] % sum, *place));
    let over = total - parts.iter().sum::<u64>();
    places.iter().take(over as usize).for_each(|place| parts[*place] += 1);
    parts
}

struct World {
    clients: Vec<Client>,
    sums: [Sums; 3],
    paid: Vec<(usize, Paid)>,
}

impl World {
    /// Makes a link with drawn recipients, has it paid, and counts what should follow.
    fn sell(&mut self, dice: &mut Dice) {
        let (owner, amount) = (dice.between(0, 2) as usize, dice.between(1, 30_000));
        let others: Vec<usize> = (0..3).filter(|other| *other != owner && dice.between(0, 2) > 0).collect();
        let shares: Vec<u64> = others.iter().map(|_| dice.between(1, 5_000)).collect();
        let major = |hundredths: u64| format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let recipient = |(other, share): (&usize, &u64)| json!({"token": self.clients[*other].key, "share": major(*share)});
        let recipients: Vec<Value> = others.iter().zip(&shares).map(recipient).collect();
        let call = if recipients.is_empty() { "createLink" } else { "createSplitLink" };
        let body = json!({"amount": major(amount), "recipients": recipients});
        let link = data(&send_json(&self.clients[owner], call, &body));
        pay(&self.clients[owner], &link);
        let weights: Vec<u64> = [10_000 - shares.iter().sum::<u64>()].into_iter().chain(shares).collect();
        let parts = divide(amount, &weights);
        // Half a cent and more is a cent.
        let fees = divide((amount * FEES[owner].0 + 5_000) / 10_000, &parts);
        let whose: Vec<usize> = [owner].into_iter().chain(others).collect();
        for (place, merchant) in whose.iter().enumerate() {
            self.sums[*merchant].earned += parts[place] as i64 - fees[place] as i64;
            self.sums[*merchant].fees += fees[place] as i64;
        }
        let refunded = vec![0; parts.len()];
        self.paid
            .push((owner, Paid { number: link["id"].clone(), amount, parts: whose.into_iter().zip(parts).collect(), refunded }));
    }

    /// Asks for a refund of a drawn part of a drawn link, or of all that is left.
    fn refund(&mut self, dice: &mut Dice) {
        let place = dice.between(0, self.paid.len() as u64 - 1) as usize;
        let (owner, paid) = &mut self.paid[place];
        let left = paid.amount - paid.refunded.iter().sum::<u64>();
        // One refund of a link at a time: in which order two that wait are carried out is nobody's promise.
        if left == 0 || refunded_of(&self.clients[*owner], paid) != paid.refunded.iter().sum::<u64>() {
            return;
        }
        let amount = if dice.hits(300_000) { left } else { dice.between(1, left) };
        let body = json!({"pay_id": paid.number, "amount": format!("{}.{:02}", amount / 100, amount % 100)});
        data(&send_json(&self.clients[*owner], "refundPayment", &body));
        let of_each: Vec<u64> = paid.parts.iter().zip(&paid.refunded).map(|((_, part), refunded)| part - refunded).collect();
        for (place, part) in divide(amount, &of_each).into_iter().enumerate() {
            paid.refunded[place] += part;
            self.sums[paid.parts[place].0].earned -= part as i64;
        }
    }

    /// Waits until every refund that was asked for is carried out.
    #[track_caller]
    fn settle_refunds(&self) {
        for (owner, paid) in &self.paid {
            let asked: u64 = paid.refunded.iter().sum();
            eventually(PATIENCE, || match refunded_of(&self.clients[*owner], paid) {
                done if done == asked => Ok(()),
                done => Err(format!("{done} of {asked} cents of link {} are given back", paid.number)),
            });
        }
    }
}

fn refunded_of(client: &Client, paid: &Paid) -> u64 {
    let shown = items(client, "getPayInTransactions", &[("pay_id", &paid.number.to_string())]);
    cents(&shown[0]["refunded_amount"])
}

/// What each of the merchants has earned and paid in fees by the books.
fn books(operator: &Client, ids: &[String]) -> [Sums; 3] {
    let books = operator.call("GET", "/operator/books", &[], b"").data();
    let accounts: BTreeMap<&str, &Value> =
        books["accounts"].as_array().expect("accounts").iter().map(|account| (text(account, "merchant_id"), account)).collect();
    std::array::from_fn(|place| {
        let of = |name: &str| accounts.get(ids[place].as_str()).map_or(0, |account| account[name].as_i64().expect("an amount"));
        Sums { earned: of("balance") + of("in_transit") + of("paid_out"), fees: of("fees") }
    })
}

#[test]
fn whatever_days_bring_each_merchant_has_its_own_to_the_cent() {
    let mut dice = Dice::announced("whatever_days_bring");
    let switch = Switch::sandboxed();
    let operator = switch.operator();
    let made: Vec<(String, Client)> = FEES
        .iter()
        .enumerate()
        .map(|(place, (_, fee))| {
            let client = merchant(&operator, &format!("model {place}"), &json!({"service_fee": fee, "requests_burst": 100_000}));
            (merchant_id(&operator, place), client)
        })
        .collect();
    let (ids, clients): (Vec<String>, Vec<Client>) = made.into_iter().unzip();
    let mut world = World { clients, sums: [Sums::default(); 3], paid: Vec::new() };
    for day in 1..=DAYS {
        move_to(&switch.client(), &format!("2031-07-{day:02}T12:00:00Z"));
        (0..dice.between(1, 4)).for_each(|_| world.sell(&mut dice));
        (0..dice.between(0, 4)).for_each(|_| world.refund(&mut dice));
    }
    move_to(&switch.client(), &format!("2031-07-{:02}T12:00:00Z", DAYS + 1));
    world.settle_refunds();
    assert_eq!(books(&operator, &ids), world.sums, "by the books, and by the model");
    close(&operator);
    // What has gone out, or is on its way, is what the payouts say; what is left was earned since the last, or is owed.
    let accounts = operator.call("GET", "/operator/books", &[], b"").data()["accounts"].clone();
    for (place, id) in ids.iter().enumerate() {
        let Some(account) = accounts.as_array().expect("accounts").iter().find(|account| account["merchant_id"] == **id) else {
            continue;
        };
        let gone_out: u64 = payouts_of(&world.clients[place]).iter().map(|payout| cents(&payout["net_amount"])).sum();
        let booked = account["in_transit"].as_i64().expect("an amount") + account["paid_out"].as_i64().expect("an amount");
        assert_eq!(gone_out as i64, booked, "merchant {place}: {account}");
    }
}

/// The id of the merchant with this place's name.
#[track_caller]
fn merchant_id(operator: &Client, place: usize) -> String {
    let all = operator.call("GET", "/operator/merchants", &[], b"").data();
    let name = format!("model {place}");
    let found = all.as_array().expect("merchants").iter().find(|merchant| merchant["name"] == name.as_str()).cloned();
    text(&found.expect("it was made"), "id").to_owned()
}
