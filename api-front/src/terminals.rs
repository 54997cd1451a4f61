//! The terminals of this run: those that the stores hold, and the sandbox's own.
//!
//! Lives here: bringing them in. What is said to a terminal is its connector's, and how a merchant sees it is the REST front's.

use crate::switch::directory::{AtTerminal, TerminalTable};
use persistence::PersistenceError;
use persistence::stores::{Stores, Terminal};
use protocol::calendar::Micros;
use protocol::id::Xid;
use switch_core::connectors::dejavoo::Register;

/// Model of the sandbox's terminals: one of those that the gateway's document names.
const SANDBOX_MODEL: &str = "z11";

/// Gives the sandbox's merchant one terminal of each kind that the sandbox's host has, under ids that follow from the merchant's.
/// What is there already stays as it is.
pub async fn enroll_sandbox(stores: &Stores, merchant: Xid, register_id: &str, now: Micros) -> Result<(), PersistenceError> {
    let known = stores.terminals(&merchant).await?;
    for terminal in sandbox::spin::TERMINALS {
        let id = sandbox_terminal(&merchant, terminal.tpn);
        if known.iter().any(|known| known.id == id) {
            continue;
        }
        let terminal = Terminal {
            id,
            merchant,
            manufacturer: "dejavoo".to_owned(),
            model: SANDBOX_MODEL.to_owned(),
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
        stores.put_terminal(&terminal).await?;
    }
    Ok(())
}

/// The id of the sandbox's terminal with this number: the same after a loss of the database, for transactions name it.
pub fn sandbox_terminal(merchant: &Xid, tpn: &str) -> Xid {
    let mut hasher = blake3::Hasher::new_derive_key("switchyard id of a sandbox terminal");
    let hash = hasher.update(&merchant.0).update(tpn.as_bytes()).finalize();
    let mut id = Xid::NONE;
    id.0.copy_from_slice(&hash.as_bytes()[..12]);
    id
}

/// All terminals that are stored.
pub async fn load(stores: &Stores) -> Result<TerminalTable, PersistenceError> {
    Ok(TerminalTable::of(stores.all_terminals().await?.into_iter().map(|terminal| {
        let Terminal { id, merchant, active, auth_key, register_id, tpn, .. } = terminal;
        (id, AtTerminal { merchant, active, register: Register { id: register_id, auth_key: auth_key.into(), tpn } })
    })))
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
        for now in [Micros(1), Micros(2)] {
            enroll_sandbox(&stores, merchant, "R1", now).await.unwrap();
            let terminals = stores.terminals(&merchant).await.unwrap();
            assert_eq!((terminals.len(), terminals[0].created_at), (4, Micros(1)));
        }
        let table = load(&stores).await.unwrap();
        let first = table.get(&sandbox_terminal(&merchant, "000000000001")).unwrap();
        assert_eq!((first.merchant, first.register.tpn.as_str()), (merchant, "000000000001"));
        assert_eq!(table.any_of(&merchant).unwrap().register.id, "R1");
        assert!(table.any_of(&Xid([8; 12])).is_none());
    }
}
