//! Events by the ids under which receivers know them.
//!
//! A thing's event was drawn an id. That of a transaction's event is made of the transaction and its version: which number it has is found
//! by the version's LSN, for the LSNs of a merchant's runs rise with their numbers, so that no index is needed that each payment would pay for.

use super::Event;
use super::read::{Found, found};
use crate::error::PersistenceError;
use crate::sql::{Fields, signed, unsigned};
use crate::stores::Stores;
use protocol::id::Xid;
use sqlx::any::AnyRow;

const OPERATION: &str = "look an event up by its id";

/// What an event's id is made of.
enum Named {
    Thing(Xid),
    Transaction(Xid, u64),
}

impl Named {
    fn from_id(id: &str) -> Option<Named> {
        let name = id.strip_prefix("evt_")?;
        match name.split_once('_') {
            None => name.parse().ok().map(Named::Thing),
            Some((transaction, version)) => {
                let version: u64 = version.parse().ok().filter(|version| i64::try_from(*version).is_ok())?;
                Some(Named::Transaction(transaction.parse().ok()?, version))
            }
        }
    }
}

impl Stores {
    /// One of a merchant's events by its id.
    pub async fn event_of_id(&self, merchant: &Xid, id: &str) -> Result<Option<Event>, PersistenceError> {
        let sequence = match Named::from_id(id) {
            None => None,
            Some(Named::Thing(drawn)) => self.sequence_of_thing(merchant, &drawn).await?,
            Some(Named::Transaction(transaction, version)) => match self.lsn_of(&transaction, version).await? {
                None => None,
                Some(lsn) => self.sequence_of_lsn(merchant, lsn).await?,
            },
        };
        let Some(sequence) = sequence else { return Ok(None) };
        Ok(self.event(merchant, sequence).await?.filter(|event| event.id() == id))
    }

    async fn sequence_of_thing(&self, merchant: &Xid, drawn: &Xid) -> Result<Option<u64>, PersistenceError> {
        let select = sqlx::query("SELECT sequence FROM events WHERE merchant = $1 AND id = $2");
        let row = select.bind(&merchant.0[..]).bind(&drawn.0[..]).fetch_optional(&self.database.pool).await;
        let row = row.map_err(PersistenceError::sql(OPERATION))?;
        row.map(|row| Fields::of(&row, "events").integer("sequence").map(unsigned)).transpose()
    }

    async fn lsn_of(&self, transaction: &Xid, version: u64) -> Result<Option<u64>, PersistenceError> {
        let select = "SELECT lsn FROM transactions WHERE id = $1 AND version = $2 \
                      UNION SELECT lsn FROM versions WHERE transaction_id = $1 AND version = $2";
        let select = sqlx::query(select).bind(&transaction.0[..]).bind(signed(version));
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        row.map(|row| Fields::of(&row, "versions").integer("lsn").map(unsigned)).transpose()
    }

    /// The number of the event that tells the version of an LSN. Halves the numbers until no run ends before that LSN.
    async fn sequence_of_lsn(&self, merchant: &Xid, lsn: u64) -> Result<Option<u64>, PersistenceError> {
        let (mut before, mut until) = (0, self.newest_event(merchant).await?);
        while before < until {
            let middle = before + (until - before) / 2;
            match self.run_behind(merchant, middle).await? {
                Some((sequence, last, _)) if last < lsn => before = sequence,
                Some(_) | None => until = middle,
            }
        }
        let Some((_, _, row)) = self.run_behind(merchant, before).await? else { return Ok(None) };
        let mut told = found(merchant, before, &row)?.into_iter();
        Ok(told.find_map(|one| match one {
            Found::Transaction(sequence, entry) => (entry.lsn.get() == lsn).then_some(sequence),
            Found::Thing(_) => None,
        }))
    }

    /// The first row of transactions' events behind a number: its number, its last LSN, and itself.
    async fn run_behind(&self, merchant: &Xid, sequence: u64) -> Result<Option<(u64, u64, AnyRow)>, PersistenceError> {
        let select = "SELECT sequence, lsn, run, kind, subject, at, id, body FROM events \
                      WHERE merchant = $1 AND sequence > $2 AND run IS NOT NULL ORDER BY sequence LIMIT 1";
        let select = sqlx::query(select).bind(&merchant.0[..]).bind(signed(sequence));
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        let placed = |row: AnyRow| {
            let fields = Fields::of(&row, "events");
            let (sequence, lsn) = (unsigned(fields.integer("sequence")?), unsigned(fields.integer("lsn")?));
            Ok((sequence, lsn, row))
        };
        row.map(placed).transpose()
    }
}
