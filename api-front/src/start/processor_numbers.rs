//! Which number each processor has in the records, beside the SQL home: a copy in the data folder, where the journal is.
//!
//! A database that is lost is built anew from the journal, whose records name processors by their numbers alone. Were the numbers drawn
//! anew in the order of a configuration that has changed since, old payments would be another processor's, and so would their refunds
//! and reversals.

use super::error::StartError;
use crate::data_folder::{DataFolder, replace_private};
use crate::switch::directory::{Processor, ProcessorKind, ProcessorTable};
use persistence::stores::{self, Stores};
use protocol::id::Xid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// What is known of a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Numbered {
    id: String,
    name: String,
    kind: String,
}

/// The file: numbers and whose they are.
type Numbers = BTreeMap<u16, Numbered>;

/// Gives a SQL home that does not know them the processors of the runs before.
pub(super) async fn recall(stores: &Stores, data: &DataFolder) -> Result<(), StartError> {
    let path = data.processors_json();
    let numbers = read(&path).map_err(|source| StartError::File { what: "read", path: path.clone(), source })?;
    let known = stores.processors().await?;
    for (index, Numbered { id, name, kind }) in numbers {
        let unreadable = |source| StartError::File { what: "read", path: path.clone(), source };
        let id: Xid = id.parse().map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        if known.iter().any(|processor| processor.index == index || processor.id == id) {
            continue;
        }
        tracing::warn!(index, name, "the database did not know this processor: its number is kept");
        stores.put_processor(&stores::Processor { index, id, name, kind }).await?;
    }
    Ok(())
}

/// Keeps the numbers of this run for the next.
pub(super) fn remember(table: &ProcessorTable, data: &DataFolder) -> Result<(), StartError> {
    let numbered = |processor: &Processor| {
        let Processor { index, id, name, kind } = processor;
        (*index, Numbered { id: id.to_string(), name: name.clone(), kind: kind.word().to_owned() })
    };
    let numbers: Numbers = table.iter().map(numbered).collect();
    let path = data.processors_json();
    let fault = |source| StartError::File { what: "write", path: path.clone(), source };
    if read(&path).is_ok_and(|kept| kept == numbers) {
        return Ok(());
    }
    let mut text = serde_json::to_vec_pretty(&numbers).map_err(|error| fault(error.into()))?;
    text.push(b'\n');
    replace_private(&path, &text).map_err(fault)
}

/// The processors that the records of a journal name, from the file beside it; none where there is no such file.
pub(crate) fn known_beside(journal: &Path) -> io::Result<Vec<Processor>> {
    let wrong = |fault: String| io::Error::new(io::ErrorKind::InvalidData, fault);
    let numbered = |(index, Numbered { id, name, kind }): (u16, Numbered)| {
        let id = id.parse().map_err(|_| wrong(format!("processors.json: {id} is no id")))?;
        let kind =
            ProcessorKind::from_word(&kind).ok_or_else(|| wrong(format!("processors.json: {kind} is no kind of processor")))?;
        Ok(Processor { index, id, name, kind })
    };
    let path = DataFolder::processors_json_beside(journal);
    read(&path)?.into_iter().map(numbered).collect()
}

fn read(path: &Path) -> io::Result<Numbers> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Numbers::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::enroll_processors;
    use crate::config::ProcessorSettings;
    use persistence::sql::{Database, DatabaseUrl};

    /// A start: with which numbers the processors of this configuration come out of it.
    async fn start(data: &DataFolder, names: &[&str]) -> Vec<(String, u16)> {
        let addr = ([127, 0, 0, 1], 1).into();
        let settings = |name: &&str| ProcessorSettings::of_sandbox(name, ProcessorKind::TsysSierra, addr);
        let database = Database::open(&DatabaseUrl::sqlite_in(data.path())).await.unwrap();
        let stores = database.stores();
        recall(&stores, data).await.unwrap();
        let configured: Vec<_> = names.iter().map(settings).collect();
        let table = enroll_processors(&stores, &configured).await.unwrap();
        remember(&table, data).unwrap();
        database.close().await;
        let mut numbers: Vec<_> = table.iter().map(|processor| (processor.name.clone(), processor.index)).collect();
        numbers.sort();
        numbers
    }

    #[tokio::test]
    async fn numbers_outlast_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(&folder.path().join("data")).unwrap();
        let numbers =
            |expected: &[(&str, u16)]| expected.iter().map(|(name, index)| ((*name).to_owned(), *index)).collect::<Vec<_>>();
        assert_eq!(start(&data, &["a", "b", "c"]).await, numbers(&[("a", 1), ("b", 2), ("c", 3)]));
        let stray = |entry: &std::fs::DirEntry| entry.path() != data.processors_json();
        for entry in std::fs::read_dir(data.path()).unwrap().map(Result::unwrap).filter(stray) {
            std::fs::remove_file(entry.path()).unwrap();
        }
        let again = start(&data, &["c", "d", "a"]).await;
        assert_eq!(again, numbers(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]), "and what is configured no more keeps its own");
        std::fs::write(data.processors_json(), "{").unwrap();
        let database = Database::open(&DatabaseUrl::sqlite_in(data.path())).await.unwrap();
        assert!(matches!(recall(&database.stores(), &data).await, Err(StartError::File { .. })), "a damaged one is said");
    }
}
