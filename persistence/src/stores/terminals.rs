//! Terminals: the devices at which merchants' shoppers present cards.

use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::any::AnyRow;

use super::Stores;
use crate::error::PersistenceError;
use crate::sql::Fields;

/// A terminal.
#[derive(Clone, PartialEq, Eq)]
pub struct Terminal {
    /// Its id in the APIs.
    pub id: Xid,
    /// Whose it is.
    pub merchant: Xid,
    /// Maker, as the gateway's document spells it: `dejavoo`.
    pub manufacturer: String,
    /// Model: `z11`.
    pub model: String,
    /// As printed on it.
    pub serial_number: String,
    /// Terminal profile number, by which the processor knows it.
    pub tpn: String,
    /// In the merchant's words.
    pub description: String,
    /// False takes no payment.
    pub active: bool,
    /// What proves the register to the processor.
    pub auth_key: String,
    /// The register that it answers to: one for all terminals of a merchant.
    pub register_id: String,
    /// Whether its batch is closed every day.
    pub auto_settle: bool,
    /// When, seconds after midnight.
    pub settle_at_s: u32,
    /// When it was added.
    pub created_at: Micros,
    /// When it was last changed; none: never.
    pub updated_at: Micros,
}

impl core::fmt::Debug for Terminal {
    /// Without the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Terminal").field("id", &self.id).field("tpn", &self.tpn).finish_non_exhaustive()
    }
}

impl Terminal {
    fn read(row: &AnyRow) -> Result<Terminal, PersistenceError> {
        let fields = Fields::of(row, "terminals");
        Ok(Terminal {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            manufacturer: fields.text("manufacturer")?,
            model: fields.text("model")?,
            serial_number: fields.text("serial_number")?,
            tpn: fields.text("tpn")?,
            description: fields.text("description")?,
            active: fields.integer("active")? != 0,
            auth_key: fields.text("auth_key")?,
            register_id: fields.text("register_id")?,
            auto_settle: fields.integer("auto_settle")? != 0,
            settle_at_s: fields.narrow("settle_at_s")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }
}

impl Stores {
    /// Adds a terminal, or replaces the one with the same id.
    pub async fn put_terminal(&self, terminal: &Terminal) -> Result<(), PersistenceError> {
        let upsert = "INSERT INTO terminals (id, merchant, manufacturer, model, serial_number, tpn, description, active, auth_key, \
                      register_id, auto_settle, settle_at_s, created_at, updated_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO UPDATE SET \
                      merchant = excluded.merchant, manufacturer = excluded.manufacturer, model = excluded.model, \
                      serial_number = excluded.serial_number, tpn = excluded.tpn, description = excluded.description, \
                      active = excluded.active, auth_key = excluded.auth_key, register_id = excluded.register_id, \
                      auto_settle = excluded.auto_settle, settle_at_s = excluded.settle_at_s, created_at = excluded.created_at, \
                      updated_at = excluded.updated_at";
        let put = sqlx::query(upsert).bind(&terminal.id.0[..]).bind(&terminal.merchant.0[..]).bind(&terminal.manufacturer[..]);
        let put = put.bind(&terminal.model[..]).bind(&terminal.serial_number[..]).bind(&terminal.tpn[..]);
        let put = put.bind(&terminal.description[..]).bind(i64::from(terminal.active)).bind(&terminal.auth_key[..]);
        let put = put.bind(&terminal.register_id[..]).bind(i64::from(terminal.auto_settle));
        let put = put.bind(i64::from(terminal.settle_at_s)).bind(terminal.created_at.0).bind(terminal.updated_at.0);
        put.execute(&self.database.pool).await.map(drop).map_err(PersistenceError::sql("store a terminal"))
    }

    /// A merchant's terminals, the inactive ones too, in the order of their profile numbers.
    pub async fn terminals(&self, merchant: &Xid) -> Result<Vec<Terminal>, PersistenceError> {
        let select = sqlx::query("SELECT * FROM terminals WHERE merchant = $1 ORDER BY tpn, id").bind(&merchant.0[..]);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list terminals"))?;
        rows.iter().map(Terminal::read).collect()
    }

    /// All merchants' terminals, in the order of their ids.
    pub async fn all_terminals(&self) -> Result<Vec<Terminal>, PersistenceError> {
        let select = sqlx::query("SELECT * FROM terminals ORDER BY id");
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list terminals"))?;
        rows.iter().map(Terminal::read).collect()
    }
}
