//! The terminals of this run: those that the stores hold, those that an operator registers, and the sandbox's own.
//!
//! Lives here: bringing them in, and what is accepted of one. What is said to a terminal is its connector's, and how a merchant sees it is the REST front's.

use crate::switch::directory::{AtTerminal, TerminalTable};
use data_encoding::HEXLOWER;
use persistence::PersistenceError;
use persistence::sealing::{Sealer, SecretKind};
use persistence::stores::{Stores, Terminal};
use protocol::calendar::Micros;
use protocol::id::Xid;
use serde::Deserialize;
use switch_core::connectors::dejavoo::Register;

/// Model of a terminal of which nothing else is said: one of those that the gateway's document names.
const MODEL: &str = "z11";

/// What proves a terminal's register belongs to no card or account.
const NO_FINGERPRINT: [u8; 16] = [0; 16];

/// Terminals as they are kept: what proves them to the processor is sealed.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    /// Where they are kept.
    pub stores: &'a Stores,
    /// Seals and opens their keys.
    pub sealer: &'a Sealer,
}

impl Kept<'_> {
    /// A merchant's terminals, the inactive ones too, in the order of their profile numbers.
    pub async fn of(self, merchant: &Xid) -> Result<Vec<Terminal>, PersistenceError> {
        self.stores.terminals(merchant).await?.into_iter().map(|terminal| self.opened(terminal)).collect()
    }

    async fn all(self) -> Result<Vec<Terminal>, PersistenceError> {
        self.stores.all_terminals().await?.into_iter().map(|terminal| self.opened(terminal)).collect()
    }

    async fn put(self, terminal: &Terminal) -> Result<(), PersistenceError> {
        let (mut sealed, owner) = (Vec::new(), &terminal.merchant);
        self.sealer.seal_text(SecretKind::TerminalKey, &[&terminal.auth_key], owner, &NO_FINGERPRINT, &mut sealed)?;
        self.stores.put_terminal(&Terminal { auth_key: HEXLOWER.encode(&sealed), ..terminal.clone() }).await
    }

    fn opened(self, terminal: Terminal) -> Result<Terminal, PersistenceError> {
        let row = |_| PersistenceError::StoredRow { table: "terminals", fault: "the key is not in hexadecimal digits" };
        let sealed = HEXLOWER.decode(terminal.auth_key.as_bytes()).map_err(row)?;
        let key = self.sealer.open_text(SecretKind::TerminalKey, &sealed, &terminal.merchant, &NO_FINGERPRINT)?;
        Ok(Terminal { auth_key: key.to_string(), ..terminal })
    }
}

/// Gives the sandbox's merchant one terminal of each kind that the sandbox's host has, under ids that follow from the merchant's.
/// What is there already stays as it is.
pub async fn enroll_sandbox(kept: Kept<'_>, merchant: Xid, register_id: &str, now: Micros) -> Result<(), PersistenceError> {
    let known = kept.of(&merchant).await?;
    for terminal in sandbox::spin::TERMINALS {
        let id = terminal_id(&merchant, terminal.tpn);
        if known.iter().any(|known| known.id == id) {
            continue;
        }
        let terminal = Terminal {
            id,
            merchant,
            manufacturer: "dejavoo".to_owned(),
            model: MODEL.to_owned(),
            serial_number: terminal.tpn.to_owned(),
            tpn: terminal.tpn.to_owned(),
            description: format!("sandbox terminal, {}", terminal.description),
            active: true,
            auth_key: sandbox::spin::AUTH_KEY.to_owned(),
            register_id: register_id.to_owned(),
            auto_settle: true,
            settle_at_s: 0,
            created_at: now,
            updated_at: Micros::NONE,
        };
        kept.put(&terminal).await?;
    }
    Ok(())
}

/// The id of a merchant's terminal with this number: the same after a loss of the database, for transactions name it.
pub fn terminal_id(merchant: &Xid, tpn: &str) -> Xid {
    let mut hasher = blake3::Hasher::new_derive_key("switchyard id of a sandbox terminal");
    let hash = hasher.update(&merchant.0).update(tpn.as_bytes()).finalize();
    let mut id = Xid::NONE;
    id.0.copy_from_slice(&hash.as_bytes()[..12]);
    id
}

/// All terminals that are stored.
pub async fn load(kept: Kept<'_>) -> Result<TerminalTable, PersistenceError> {
    Ok(TerminalTable::of(kept.all().await?.into_iter().map(|terminal| (terminal.id, at_terminal(terminal)))))
}

fn at_terminal(terminal: Terminal) -> AtTerminal {
    let Terminal { merchant, active, auth_key, register_id, tpn, .. } = terminal;
    AtTerminal { merchant, active, register: Register { id: register_id, auth_key: auth_key.into(), tpn } }
}

/// What is said of a terminal that is registered, or registered again: what is absent then stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Terminal profile number: one terminal in the world.
    tpn: String,
    /// Number of the register at the processor.
    register_id: Option<String>,
    /// What proves it.
    auth_key: Option<String>,
    model: Option<String>,
    serial_number: Option<String>,
    description: Option<String>,
    /// False takes no payment.
    active: Option<bool>,
}

/// Why a terminal is not registered.
#[derive(Debug, thiserror::Error)]
pub enum NotRegistered {
    /// A field is missing, or no such value is accepted.
    #[error("{field}: {accepted}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is accepted.
        accepted: &'static str,
    },
    /// Another merchant has it.
    #[error("tpn: this terminal is registered for another merchant")]
    Taken,
    /// The stores can't be read or written.
    #[error(transparent)]
    Store(#[from] PersistenceError),
}

/// Registers a terminal for a merchant, or changes the one that has this number. It takes payments from the next request on.
pub async fn register(
    (kept, table): (Kept<'_>, &TerminalTable),
    merchant: Xid,
    registration: Registration,
    now: Micros,
) -> Result<Terminal, NotRegistered> {
    let known = kept.all().await?.into_iter().find(|known| known.tpn == registration.tpn);
    let terminal = match known {
        Some(known) if known.merchant != merchant => return Err(NotRegistered::Taken),
        Some(known) => Terminal { updated_at: now, ..known },
        None => Terminal {
            id: terminal_id(&merchant, &registration.tpn),
            merchant,
            manufacturer: "dejavoo".to_owned(),
            model: MODEL.to_owned(),
            serial_number: registration.tpn.clone(),
            tpn: registration.tpn.clone(),
            description: String::new(),
            active: true,
            auth_key: String::new(),
            register_id: String::new(),
            auto_settle: true,
            settle_at_s: 0,
            created_at: now,
            updated_at: Micros::NONE,
        },
    };
    let terminal = registration.over(terminal)?;
    kept.put(&terminal).await?;
    table.put(terminal.id, at_terminal(terminal.clone()));
    Ok(terminal)
}

impl Registration {
    /// What is said over what was said before.
    fn over(self, older: Terminal) -> Result<Terminal, NotRegistered> {
        let Registration { tpn, register_id, auth_key, model, serial_number, description, active } = self;
        let check = |field, accepted, is_sound| if is_sound { Ok(()) } else { Err(NotRegistered::Field { field, accepted }) };
        let register_id = register_id.unwrap_or(older.register_id);
        let auth_key = auth_key.unwrap_or(older.auth_key);
        let is_short = |text: &str, max: usize| (1..=max).contains(&text.len());
        let is_alphanumeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_number = tpn.bytes().all(|digit| digit.is_ascii_digit()) && tpn.parse::<u32>().is_ok_and(|number| number > 0);
        check("tpn", "must be 1 to 12 digits, up to 4294967295", is_short(&tpn, 12) && is_number)?;
        check("register_id", "must be 1 to 8 letters and digits", is_short(&register_id, 8) && is_alphanumeric(&register_id))?;
        check("auth_key", "must be 1 to 64 letters and digits", is_short(&auth_key, 64) && is_alphanumeric(&auth_key))?;
        let printable = "must be at most 64 printable characters";
        for (field, text) in [("model", &model), ("serial_number", &serial_number), ("description", &description)] {
            let is_sound = |text: &String| text.chars().count() <= 64 && !text.chars().any(char::is_control);
            check(field, printable, text.as_ref().is_none_or(is_sound))?;
        }
        Ok(Terminal {
            register_id,
            auth_key,
            model: model.unwrap_or(older.model),
            serial_number: serial_number.unwrap_or(older.serial_number),
            description: description.unwrap_or(older.description),
            active: active.unwrap_or(older.active),
            ..older
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use persistence::sql::{Database, DatabaseUrl};

    #[tokio::test]
    async fn the_sandboxs_terminals_are_there_once_and_under_the_same_ids() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&DatabaseUrl::sqlite_in(folder.path())).await.unwrap();
        let (stores, merchant) = (database.stores(), Xid([7; 12]));
        let sealer = Sealer::open_or_create(&folder.path().join("keys")).unwrap();
        let kept = Kept { stores: &stores, sealer: &sealer };
        for now in [Micros(1), Micros(2)] {
            enroll_sandbox(kept, merchant, "R1", now).await.unwrap();
            let terminals = kept.of(&merchant).await.unwrap();
            assert_eq!((terminals.len(), terminals[0].created_at), (4, Micros(1)));
            assert_eq!(terminals[0].auth_key, sandbox::spin::AUTH_KEY);
            assert!(
                !stores.terminals(&merchant).await.unwrap()[0].auth_key.contains(sandbox::spin::AUTH_KEY),
                "at rest it is sealed"
            );
        }
        let table = load(kept).await.unwrap();
        let first = table.get(&terminal_id(&merchant, "000000000001")).unwrap();
        assert_eq!((first.merchant, first.register.tpn.as_str()), (merchant, "000000000001"));
        assert_eq!(table.any_of(&merchant).unwrap().register.id, "R1");
        assert!(table.any_of(&Xid([8; 12])).is_none());
    }
}
