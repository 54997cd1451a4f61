//! `[[rule]]` and `[[route]]`: the operator's tables as the file has them, until something else is put in their place at run time.

use super::error::ConfigError;
use crate::accounts::processor_id_of;
use crate::operator::ConfiguredTables;
use crate::operator::typed::{Route, Routes, Rule, Rules};

/// Checks all of them. Merchants and processors may be named by their names.
pub(super) fn check(
    rules: Vec<Rule>,
    routes: Vec<Route>,
    merchants: &[&str],
    processors: &[&str],
) -> Result<ConfiguredTables, ConfigError> {
    let rules = Rules { rules }.with_ids(merchants);
    let routes = Routes { routes }.with_ids(merchants, processors);
    let tables = ConfiguredTables { rules, routes, ..ConfiguredTables::default() };
    // Their numbers are given at the start; here it is enough that each has one.
    let place_of = |id: &_| (1..).zip(processors).find(|(_, name)| processor_id_of(name) == *id).map(|(place, _)| place);
    tables.check(place_of).map_err(|bound| ConfigError::value("rule and route", "…", bound))?;
    Ok(tables)
}
