//! Between our values and what both databases store.

use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::PersistenceError;

/// Columns of a row in our own types. `table` names the row in errors.
pub(crate) struct Fields<'a> {
    row: &'a AnyRow,
    table: &'static str,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(row: &'a AnyRow, table: &'static str) -> Fields<'a> {
        Fields { row, table }
    }

    fn fault<T>(&self, fault: &'static str) -> impl FnOnce(T) -> PersistenceError {
        let table = self.table;
        move |_| PersistenceError::StoredRow { table, fault }
    }

    pub(crate) fn integer(&self, column: &str) -> Result<i64, PersistenceError> {
        self.row.try_get(column).map_err(self.fault("a column is not an integer"))
    }

    /// An integer that fits a narrower type.
    pub(crate) fn narrow<T: TryFrom<i64>>(&self, column: &str) -> Result<T, PersistenceError> {
        T::try_from(self.integer(column)?).map_err(self.fault("an integer is out of its range"))
    }

    pub(crate) fn time(&self, column: &str) -> Result<Micros, PersistenceError> {
        self.integer(column).map(Micros)
    }

    /// A moment, or the absent one for NULL.
    pub(crate) fn time_or_none(&self, column: &str) -> Result<Micros, PersistenceError> {
        let micros: Option<i64> = self.row.try_get(column).map_err(self.fault("a column is not an integer"))?;
        Ok(micros.map_or(Micros::NONE, Micros))
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, PersistenceError> {
        self.row.try_get(column).map_err(self.fault("a column is not text"))
    }

    pub(crate) fn text_or_none(&self, column: &str) -> Result<Option<String>, PersistenceError> {
        self.row.try_get(column).map_err(self.fault("a column is not text"))
    }

    pub(crate) fn bytes(&self, column: &str) -> Result<Vec<u8>, PersistenceError> {
        self.row.try_get(column).map_err(self.fault("a column is not bytes"))
    }

    pub(crate) fn bytes_or_none(&self, column: &str) -> Result<Option<Vec<u8>>, PersistenceError> {
        self.row.try_get(column).map_err(self.fault("a column is not bytes"))
    }

    pub(crate) fn array<const N: usize>(&self, column: &str) -> Result<[u8; N], PersistenceError> {
        let bytes: &[u8] = self.row.try_get(column).map_err(self.fault("a column is not bytes"))?;
        bytes.try_into().map_err(self.fault("an id or a hash has the wrong length"))
    }

    /// An id, or the absent one for NULL.
    pub(crate) fn id_or_none(&self, column: &str) -> Result<Xid, PersistenceError> {
        let bytes: Option<&[u8]> = self.row.try_get(column).map_err(self.fault("a column is not bytes"))?;
        let wrong = self.fault("an id or a hash has the wrong length");
        bytes.map_or(Ok(Xid::NONE), |bytes| bytes.try_into().map(Xid).map_err(wrong))
    }

    pub(crate) fn id(&self, column: &str) -> Result<Xid, PersistenceError> {
        self.array(column).map(Xid)
    }
}

/// Both databases count in signed 64 bits. Our numbers end far below; one that does not is stored as the largest.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count or an LSN as it is read back. Never negative, for [`signed`] wrote it.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The absent id is NULL, which keeps it out of partial indexes.
pub(crate) fn id_or_null(id: &Xid) -> Option<&[u8]> {
    (!id.is_none()).then_some(&id.0)
}

/// The absent moment is NULL.
pub(crate) fn time_or_null(micros: i64) -> Option<i64> {
    (micros != 0).then_some(micros)
}

/// Empty text is NULL. PostgreSQL refuses zero bytes in text, and a refused row would hold the projection up for good.
pub(crate) fn text_or_null(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.replace('\0', "\u{fffd}"))
}
