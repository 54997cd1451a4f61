use super::*;
use persistence::stores::{Kind, Purpose};
use std::collections::HashMap;

fn id(number: u8) -> Xid {
    Xid([number; 12])
}

fn body(service_fee_bp: u32, shares: &[(u8, u32)]) -> Body {
    let recipient = |(merchant, share_bp): &(u8, u32)| Recipient {
        token_hint: "********".to_owned(),
        merchant: id(*merchant),
        share_bp: *share_bp,
    };
    let recipients = (!shares.is_empty()).then(|| shares.iter().map(recipient).collect());
    Body { service_fee_bp, recipients, ..Body::default() }
}

fn link(body: &Body) -> Payable {
    Payable {
        id: id(100),
        merchant: id(1),
        face: Face::Link,
        reference: "124".into(),
        public_id: "cq3v5s1h6ubk2n8p0t7w".into(),
        amount: 10_001,
        currency: CURRENCY,
        state: PayableState::Open,
        page: "{}".into(),
        body: body.text().unwrap(),
        expires_at: Micros::NONE,
        attempts: 0,
        transaction: Xid::NONE,
        amount_paid: 0,
        amount_refunded: 0,
        version: 1,
        created_at: Micros(1),
        updated_at: Micros(1),
        paid_at: Micros::NONE,
    }
}

/// The link after a change to these amounts, with its postings.
fn changed(before: &Payable, paid: u64, refunded: u64) -> (Payable, Vec<Posting>) {
    let mut after = Payable { amount_paid: paid, amount_refunded: refunded, version: before.version + 1, ..before.clone() };
    after.transaction = id(200);
    let postings = books(before, &mut after, Micros(5)).unwrap();
    (after, postings)
}

/// What accounts stand at after postings, which must each sum to zero.
fn standing(postings: &[Posting]) -> HashMap<(u8, Purpose), i64> {
    let mut accounts = HashMap::new();
    for posting in postings {
        assert_eq!(posting.legs.iter().map(|leg| leg.amount).sum::<i64>(), 0, "{posting:?}");
        for leg in &posting.legs {
            *accounts.entry((leg.merchant.0[0], leg.purpose)).or_insert(0) += leg.amount;
        }
    }
    accounts.retain(|_, amount| *amount != 0);
    accounts
}

#[test]
fn a_split_payment_is_divided_to_the_cent_with_its_fee() {
    let (_, postings) = changed(&link(&body(150, &[(2, 3_333), (3, 3_333)])), 10_001, 0);
    assert_eq!(postings.iter().map(|posting| posting.cause.kind).collect::<Vec<_>>(), [Kind::PayIn, Kind::ServiceFee]);
    // 33.33 % of 100.01 are 33.3333…: one cent goes to the merchant, whose 33.34 % lose most. The fee is 1.50.
    let expected = [
        ((1, Purpose::Shoppers), -10_001),
        ((1, Purpose::Balance), 3_335 - 50),
        ((2, Purpose::Balance), 3_333 - 50),
        ((3, Purpose::Balance), 3_333 - 50),
        ((1, Purpose::Fees), 50),
        ((2, Purpose::Fees), 50),
        ((3, Purpose::Fees), 50),
    ];
    assert_eq!(standing(&postings), HashMap::from(expected));
}

#[test]
fn a_link_without_shares_or_fee_is_all_its_merchants() {
    let (_, postings) = changed(&link(&body(0, &[])), 10_001, 0);
    let expected = [((1, Purpose::Shoppers), -10_001), ((1, Purpose::Balance), 10_001)];
    assert_eq!((postings.len(), standing(&postings)), (1, HashMap::from(expected)));
    let (_, given_away) = changed(&link(&body(100, &[(2, 10_000)])), 10_001, 0);
    assert!(!standing(&given_away).contains_key(&(1, Purpose::Balance)), "who gets nothing owes no fee");
}

#[test]
fn refunds_in_parts_take_back_exactly_what_was_given_and_one_undone_gives_it_again() {
    let (paid, mut all) = changed(&link(&body(150, &[(2, 1_250), (3, 4_999)])), 10_001, 0);
    let mut now = paid;
    for refunded in [1, 3, 4_000, 3_999, 9_000, 10_001] {
        let (after, postings) = changed(&now, 10_001, refunded);
        assert_eq!(postings.len(), 1);
        assert_eq!(postings[0].cause.number, after.version as i64);
        let shares = Body::of(&after).unwrap().shares;
        assert_eq!(shares.iter().map(|share| share.refunded).sum::<u64>(), refunded);
        assert!(shares.iter().all(|share| share.refunded <= share.amount));
        all.extend(postings);
        now = after;
    }
    let accounts = standing(&all);
    // All is back with the shopper; the fee of 1.50 has stayed.
    assert!(!accounts.contains_key(&(1, Purpose::Shoppers)));
    let fees: i64 = [1, 2, 3].map(|merchant| accounts[&(merchant, Purpose::Fees)]).iter().sum();
    assert_eq!(fees, 150);
    assert!([1, 2, 3].iter().all(|one| accounts[&(*one, Purpose::Balance)] == -accounts[&(*one, Purpose::Fees)]));
}

#[test]
fn a_change_of_no_amount_posts_nothing() {
    let before = link(&body(150, &[]));
    let mut after = Payable { state: PayableState::Cancelled, version: 2, ..before.clone() };
    assert_eq!(books(&before, &mut after, Micros(5)).unwrap(), []);
    assert_eq!(after.body, before.body);
}

#[test]
fn the_merchant_is_told_of_success_and_of_cancellation_only() {
    let body = Body { payment_endpoint: "https://shop.example/hook".into(), ..Body::default() };
    let before = link(&body);
    let told = |before: PayableState, state: PayableState| {
        let before = Payable { state: before, ..link(&body) };
        notice(&before, &Payable { state, ..before.clone() }).map(|callback| callback.message)
    };
    let form = |status: &str| Some(Message::Form(format!("ResponseCode=1&data%5Bpay_id%5D=124&data%5Bstatus%5D={status}")));
    assert_eq!(told(PayableState::Paying, PayableState::Paid), form("success"));
    assert_eq!(told(PayableState::Open, PayableState::Cancelled), form("cancel"));
    assert_eq!(told(PayableState::Paying, PayableState::Open), None);
    assert_eq!(told(PayableState::Paid, PayableState::Refunded), None);
    assert_eq!(told(PayableState::Refunded, PayableState::Paid), None);
    let nowhere = Payable { state: PayableState::Paid, ..link(&Body::default()) };
    assert_eq!(notice(&before, &nowhere), None);
}

#[test]
fn the_way_back_keeps_what_the_shops_address_holds() {
    for (address, expected) in [
        ("https://shop.example", "https://shop.example?pay_id=7&status=success"),
        ("https://shop.example/back?a=b", "https://shop.example/back?a=b&pay_id=7&status=success"),
        ("https://shop.example/#done", "https://shop.example/?pay_id=7&status=success#done"),
        ("", ""),
    ] {
        assert_eq!(way_back(address, "7", "success"), expected);
    }
    assert_eq!([title("", "7"), title("  Invoice 1\nmore", "7")], ["Payment 7", "Invoice 1"]);
    assert_eq!(title(&"ä".repeat(300), "7").chars().count(), TITLE_MAX_CHARS);
}
