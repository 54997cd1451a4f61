//! PostgreSQL for tests: a schema of its own for each switch, on the server that `SWITCHYARD_TEST_POSTGRES` names.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names the server, as `postgres://user@127.0.0.1:port/database`.
const SERVER: &str = "SWITCHYARD_TEST_POSTGRES";
/// With this set every switch that a test starts without naming its SQL home has PostgreSQL.
const EVERYWHERE: &str = "SWITCHYARD_TESTS_ON_POSTGRES";

/// A schema that goes with its test.
#[derive(Debug)]
pub struct Schema {
    name: String,
    server: String,
}

impl Schema {
    /// An empty one; none where there is no server.
    pub fn fresh() -> Option<Schema> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var(SERVER).ok()?;
        let name = format!("tests_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let schema = Schema { name, server };
        schema.run(&format!("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", schema.name)).expect("psql makes a schema");
        Some(schema)
    }

    /// An empty one where all tests are to run on PostgreSQL.
    pub(crate) fn for_any_test() -> Option<Schema> {
        std::env::var_os(EVERYWHERE)?;
        Some(Schema::fresh().unwrap_or_else(|| panic!("{EVERYWHERE} is set and {SERVER} is not")))
    }

    /// What `--database` takes.
    pub fn url(&self) -> String {
        format!("{}?options=-c%20search_path%3D{}", self.server, self.name)
    }

    /// Where the server is.
    pub fn server(&self) -> SocketAddr {
        let found = self.server.split(['@', '/']).find_map(|part| part.parse().ok());
        found.unwrap_or_else(|| panic!("{SERVER} names an address and a port"))
    }

    fn run(&self, statement: &str) -> Result<(), String> {
        let ran = Command::new("psql").args(["-q", "-d", &self.server, "-c", statement]).output();
        let ran = ran.map_err(|error| error.to_string())?;
        if ran.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&ran.stderr).into_owned()) }
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // The server goes at the end of the run, and what is left with it.
        let _ = self.run(&format!("SET client_min_messages = error; DROP SCHEMA IF EXISTS {} CASCADE", self.name));
    }
}
