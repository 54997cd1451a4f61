use sqlx::{Column, Connection, Executor, Row};

use super::*;

/// Names the PostgreSQL that tests may use: `postgres://…`. Without it they run on SQLite only.
const POSTGRES_VARIABLE: &str = "SWITCHYARD_TEST_POSTGRES";

/// An empty database for one test; gone with the value, or in PostgreSQL when the test begins again.
pub(crate) struct Home {
    pub(crate) url: DatabaseUrl,
    pub(crate) folder: tempfile::TempDir,
}

/// The databases that a test is to run on.
pub(crate) async fn homes(test: &str) -> Vec<Home> {
    let folder = tempfile::tempdir().unwrap();
    let mut homes = vec![Home { url: DatabaseUrl::sqlite_in(folder.path()), folder }];
    if let Ok(server) = std::env::var(POSTGRES_VARIABLE) {
        homes.push(Home { url: postgres_schema(&server, test).await, folder: tempfile::tempdir().unwrap() });
    }
    homes
}

/// A schema of its own on a shared server, so that tests can run side by side.
async fn postgres_schema(server: &str, test: &str) -> DatabaseUrl {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(server).await.unwrap();
    for statement in [format!("DROP SCHEMA IF EXISTS {test} CASCADE"), format!("CREATE SCHEMA {test}")] {
        connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }
    connection.close().await.unwrap();
    let separator = if server.contains('?') { '&' } else { '?' };
    DatabaseUrl::parse(&format!("{server}{separator}options=-c%20search_path%3D{test}")).unwrap()
}

/// Every row of a table in the order of its first column, as text: what tests compare databases by.
pub(crate) async fn dump(database: &Database, table: &str) -> Vec<String> {
    let statement = sqlx::AssertSqlSafe(format!("SELECT * FROM {table} ORDER BY 1"));
    let rows = database.pool.fetch_all(statement).await.unwrap();
    let cell =
        |row: &sqlx::any::AnyRow, place: usize| format!("{}={:?}", row.column(place).name(), row.try_get_raw(place).unwrap());
    rows.iter().map(|row| (0..row.len()).map(|place| cell(row, place)).collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn tables_are_made_once_however_many_open_at_once() {
    for home in homes("tables_are_made_once").await {
        let (one, two) = tokio::join!(Database::open(&home.url), Database::open(&home.url));
        let (one, two) = (one.unwrap(), two.unwrap());
        one.stores().put_meta("installation", "7").await.unwrap();
        assert_eq!(two.stores().meta("installation").await.unwrap().as_deref(), Some("7"));
        let again = Database::open(&home.url).await.unwrap();
        assert_eq!(dump(&again, "schema_version").await.len(), 1);
        assert_eq!(again.queries().applied_lsn().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_new_file_whose_lock_another_has_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::sqlite_in(folder.path());
    let mut other = options(&url).unwrap().connect().await.unwrap();
    other.execute("CREATE TABLE theirs (one INTEGER)").await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let gives_it_back = async {
        tokio::time::sleep(5 * LOCK_ASKED_AGAIN_AFTER).await;
        other.execute("COMMIT").await.unwrap();
    };
    let (opened, ()) = tokio::join!(Database::open(&url), gives_it_back);
    opened.unwrap();
}

#[tokio::test]
async fn all_connections_to_a_file_are_opened_with_it_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&DatabaseUrl::sqlite_in(folder.path())).await.unwrap();
    assert_eq!(database.pool.size(), POOL_CONNECTIONS_MAX);
    assert_eq!((database.pool.options().get_idle_timeout(), database.pool.options().get_max_lifetime()), (None, None));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told_at_once_and_leaves_nobody_behind_who_tries_on() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::sqlite_in(folder.path());
    let path = folder.path().join("switchyard.db");
    std::fs::write(&path, [7; 4_096]).unwrap();
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let fault = Database::open(&url).await.unwrap_err();
    let told = fault.to_string();
    assert!(told.contains("file is not a database") && told.contains(&*path.to_string_lossy()), "{told}");
    assert!(!fault.is_transient(), "no later try finds another file");
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), before);
}

#[tokio::test]
async fn tables_of_a_later_version_are_refused() {
    for home in homes("tables_of_a_later_version").await {
        let database = Database::open(&home.url).await.unwrap();
        database.pool.execute("UPDATE schema_version SET version = 99").await.unwrap();
        let refused = Database::open(&home.url).await.unwrap_err();
        assert!(matches!(refused, PersistenceError::SchemaFromFuture { found: 99, .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_path_may_hold_what_a_url_reads_as_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a b?c#d%41");
    std::fs::create_dir(&odd).unwrap();
    Database::open(&DatabaseUrl::sqlite_in(&odd)).await.unwrap().close().await;
    assert!(odd.join("switchyard.db").exists());
}

#[test]
fn an_address_is_checked_and_its_password_never_printed() {
    for text in ["", "switchyard.db", "mysql://h/d", "sqlite://", "sqlite://:memory:"] {
        assert!(matches!(DatabaseUrl::parse(text), Err(PersistenceError::DatabaseUrl { .. })), "{text:?}");
    }
    for text in
        ["postgres://u:s3cret@h:5432/d?password=s3cret", "postgresql://h/d?user=u&password=s3cret", "postgres://s3cret@h/d"]
    {
        let url = DatabaseUrl::parse(text).unwrap();
        let shown = format!("{url} {url:?}");
        assert!(shown.contains("h") && !shown.contains("s3cret"), "{shown}");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_an_error_that_can_pass() {
    let url = DatabaseUrl::parse("postgres://nobody:s3cret@127.0.0.1:1/nothing").unwrap();
    let error = connect(&url, Purpose::Projection).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}
