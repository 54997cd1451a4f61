//! What a start needs of the stores while the SQL home, a server, is away: merchants, keys and processors as of the last start
//! that reached it, in a SQLite file of the data folder.
//!
//! It is written whole by each start that has the server, and read by one that has not. The next start that reaches the server
//! writes it anew; what a run without the server enrolls from its configuration is enrolled at the server then.

use super::error::StartError;
use super::storage::open_by_the_office;
use crate::data_folder::DataFolder;
use persistence::PersistenceError;
use persistence::sql::DatabaseUrl;
use persistence::stores::Stores;
use std::io;

/// Present once the copy is whole: one that a crash interrupted is as good as none.
const WHOLE: &str = "standby_is_whole";

/// Copies the stores, in place of the copy before.
pub(super) async fn keep(stores: &Stores, data: &DataFolder) -> Result<(), StartError> {
    let folder = data.standby();
    let fault = |source| StartError::File { what: "write the copy of the stores in", path: data.standby(), source };
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(error)),
        Err(_) | Ok(()) => std::fs::create_dir(&folder).map_err(fault)?,
    }
    let copy = open_by_the_office(DatabaseUrl::sqlite_in(&folder)).await?;
    stores.copy_into(&copy.stores()).await?;
    copy.stores().put_meta(WHOLE, "1").await?;
    copy.close().await;
    Ok(())
}

/// The copy, if there is a whole one.
pub(super) async fn open(data: &DataFolder) -> Result<Option<Stores>, PersistenceError> {
    if !data.standby().exists() {
        return Ok(None);
    }
    let stores = open_by_the_office(DatabaseUrl::sqlite_in(&data.standby())).await?.stores();
    Ok(stores.meta(WHOLE).await?.map(|_| stores))
}
