//! What became of something: queries, answered by the history, or by the shard that has the key. Each sees all that was durable when
//! it was asked.

use super::answering::Found;
use super::reading::Find;
use crate::switch::handle::{Switch, TurnedAway, Unavailable};
use persistence::projection::search::{self, Condition, Search};
use protocol::binary::answer::code_for;
use protocol::binary::limits::FOUND_MAX;
use protocol::id::Xid;
use protocol::outcome::Outcome;
use protocol::tail::tag;
use protocol::transaction::Transaction;
use protocol::words::Verb;

/// Looks among a merchant's transactions.
pub(super) async fn find(switch: &Switch, merchant: Xid, what: Find) -> Result<Found, TurnedAway> {
    match what {
        Find::Id(id) => {
            let version = switch.transaction(merchant, id).await.map_err(TurnedAway::Unavailable)?;
            Ok(version.map(|version| one(version.transaction(), version.transaction().verb())).unwrap_or_default())
        }
        Find::OrderId(order_id) => of_order(switch, merchant, order_id).await.map_err(TurnedAway::Unavailable),
        Find::Key(text) => {
            let hash = switch.sealer().key_hash(&merchant, &text);
            let found = switch.find_key(merchant, hash).await?;
            Ok(found.map(|(verb, version)| one(version.transaction(), verb)).unwrap_or_default())
        }
    }
}

/// The answer to `verb`, or to nothing in particular.
fn one(transaction: &Transaction, verb: Verb) -> Found {
    Found { total: 1, shown: vec![Outcome::of(transaction)], code: code_for(transaction, verb).0 }
}

async fn of_order(switch: &Switch, merchant: Xid, order_id: String) -> Result<Found, Unavailable> {
    let conditions = vec![Condition::Text { tag: tag::ORDER_ID, equal: true, value: order_id }];
    let search = Search { merchant, conditions, limit: FOUND_MAX as u32, offset: 0 };
    match switch.past().search(search).await? {
        search::Found::Page { total, transactions } => {
            let shown: Vec<Outcome> = transactions.iter().map(|stored| Outcome::of(stored.transaction())).collect();
            let newest = transactions.first().map(|stored| stored.transaction());
            let code = newest.map_or(0, |newest| code_for(newest, newest.verb()).0);
            Ok(Found { total: u32::try_from(total).unwrap_or(u32::MAX), shown, code })
        }
        // An order number has an index, so this does not happen; and if it did, nothing wrong would have been said.
        search::Found::TooBroad { .. } => Err(Unavailable::History),
    }
}
