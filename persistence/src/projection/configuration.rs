//! Changes of the configuration, read back: what is in force, and who made it so. Operators' actions stand among them.

use protocol::calendar::Micros;
use protocol::change::{Area, Change, ChangedBy};
use protocol::id::Xid;
use sqlx::any::AnyRow;
use std::ops::RangeInclusive;

use super::queries::Queries;
use crate::error::PersistenceError;
use crate::sql::Fields;

/// A change, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChange {
    /// Counts the changes of the switch from 1.
    pub version: u32,
    /// Its id.
    pub id: Xid,
    /// When it was made.
    pub at: Micros,
    /// What was changed.
    pub area: Area,
    /// The processor or merchant, or what an action was done to; none for a table.
    pub subject: Xid,
    /// Version of the change that this one took back; 0 when it took none back.
    pub undoes: u32,
    /// Who made it; empty where that was not written down.
    pub by: ChangedBy,
    /// What is in force from it on, or what was done: JSON.
    pub text: Vec<u8>,
}

/// Which of what operators did is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deeds {
    /// All of it.
    All,
    /// Changes of the configuration.
    Changes,
    /// Actions, which change none.
    Actions,
}

impl Deeds {
    /// Numbers of their areas.
    const fn areas(self) -> RangeInclusive<u8> {
        match self {
            Deeds::All => 0..=u8::MAX,
            Deeds::Changes => 0..=Area::Action as u8 - 1,
            Deeds::Actions => Area::Action as u8..=u8::MAX,
        }
    }
}

impl Queries {
    /// Changes with a version above `after`, oldest first, so many at most.
    pub async fn changes(&self, deeds: Deeds, after: u32, limit: u32) -> Result<Vec<StoredChange>, PersistenceError> {
        let select = sqlx::query(
            "SELECT version, part, parts, at, area, COALESCE(subject, $1) AS subject, id, undoes, text, changed_by FROM changes \
             WHERE version IN (SELECT version FROM changes WHERE version > $2 AND part = 0 AND area BETWEEN $3 AND $4 \
             ORDER BY version LIMIT $5) ORDER BY version, part",
        );
        let (first, last) = deeds.areas().into_inner();
        let select = select.bind(&Xid::NONE.0[..]).bind(i64::from(after)).bind(i64::from(first)).bind(i64::from(last));
        let select = select.bind(i64::from(limit));
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("read configuration changes"))?;
        let mut changes: Vec<StoredChange> = Vec::new();
        for row in &rows {
            take_part(&mut changes, row)?;
        }
        Ok(changes)
    }
}

/// Parts come in order, so a part goes behind the one before it.
fn take_part(changes: &mut Vec<StoredChange>, row: &AnyRow) -> Result<(), PersistenceError> {
    let fields = Fields::of(row, "changes");
    let version = fields.narrow("version")?;
    let text = fields.bytes("text")?;
    if let Some(last) = changes.last_mut().filter(|last| last.version == version) {
        last.text.extend_from_slice(&text);
        return Ok(());
    }
    let area = Area::from_number(fields.narrow("area")?);
    let area = area.ok_or(PersistenceError::StoredRow { table: "changes", fault: "an area is not known to this version" })?;
    let by = ChangedBy::of(&fields.text("changed_by")?);
    let by = by.ok_or(PersistenceError::StoredRow { table: "changes", fault: "a name is longer than names are" })?;
    let (id, subject, at, undoes) = (fields.id("id")?, fields.id("subject")?, fields.time("at")?, fields.narrow("undoes")?);
    changes.push(StoredChange { version, id, at, area, subject, undoes, by, text });
    Ok(())
}

/// Lays a part of a change, as its record has it, behind the parts before it.
pub(super) fn join_part(changes: &mut Vec<StoredChange>, at: Micros, part: &Change, text: &[u8]) {
    let version = part.version.get();
    if let Some(last) = changes.last_mut().filter(|last| last.version == version) {
        last.text.extend_from_slice(text);
        return;
    }
    // The record was checked when it was read: its area is one of ours.
    let Some(area) = Area::from_number(part.area) else { return };
    let (id, subject, undoes, text) = (part.id, part.subject, part.undoes.get(), text.to_vec());
    changes.push(StoredChange { version, id, at, area, subject, undoes, by: part.by, text });
}
