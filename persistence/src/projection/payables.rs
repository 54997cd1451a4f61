//! News of payables: which transactions that pay one have changed, for the room that follows them.

use protocol::id::Xid;
use protocol::tail::tag;
use sqlx::any::AnyArguments;
use sqlx::error::BoxDynError;
use sqlx::{AnyConnection, Arguments};

use super::changes::{Changes, Version};
use crate::error::PersistenceError;
use crate::sql::{BulkStatement, BulkWriter, signed};

/// A rebuild tells news again; they are taken in as often as they come.
static NEWS: BulkStatement = BulkStatement::new(
    "write news of payables",
    "INSERT INTO payable_news (lsn, transaction_id, payable) VALUES",
    3,
    "ON CONFLICT (lsn) DO NOTHING",
);

/// One row for each changed transaction that names a payable, in the SQL transaction of the change.
pub(super) async fn write(
    connection: &mut AnyConnection,
    writer: &mut BulkWriter,
    changes: &Changes,
) -> Result<(), PersistenceError> {
    let news: Vec<(&Version, Xid)> = changes.newest.values().filter_map(|newest| news_of(&newest.version)).collect();
    let written = writer.write(connection, &NEWS, &news, |(version, payable), out| bind(version, payable, out)).await;
    written.map_err(PersistenceError::sql(NEWS.operation))
}

fn news_of(version: &Version) -> Option<(&Version, Xid)> {
    let (_, tail) = version.transaction();
    let payable = tail.get(tag::PAYABLE)?.try_into().ok().map(Xid)?;
    version.is_kept().then_some((version, payable))
}

fn bind(version: &Version, payable: &Xid, out: &mut AnyArguments) -> Result<(), BoxDynError> {
    let (transaction, _) = version.transaction();
    out.add(signed(version.lsn))?;
    out.add(&transaction.id.0[..])?;
    out.add(&payable.0[..])
}
