//! `[[console_user]]`: who may sign in to the console beside whoever holds the operator's key.

use super::error::ConfigError;
use super::typed::TypedConsoleUser;
use crate::accounts::passwords;
use crate::console::ConsoleUser;
use protocol::change::{CHANGED_BY_MAX_BYTES, ChangedBy};
use std::collections::HashSet;

/// All of them, each under a name of its own and with a hash that a password can be compared with.
pub(super) fn check(typed: Vec<TypedConsoleUser>) -> Result<Vec<ConsoleUser>, ConfigError> {
    let mut names = HashSet::new();
    let mut users = Vec::with_capacity(typed.len());
    for (place, TypedConsoleUser { name, role, password_hash }) in typed.into_iter().enumerate() {
        if name.trim().is_empty() || ChangedBy::of(&name).is_none() {
            // It stands in each change that this user makes.
            let accepted = format!("must be 1 to {CHANGED_BY_MAX_BYTES} bytes");
            return Err(ConfigError::value(format!("console_user.{place}.name"), &name, accepted));
        }
        if !names.insert(name.clone()) {
            return Err(ConfigError::value(format!("console_user.{place}.name"), &name, "must be unique"));
        }
        if !passwords::is_hash(&password_hash) {
            let accepted = "must be an Argon2 hash, as `switchyard config hash-password` prints it";
            return Err(ConfigError::value(format!("console_user.{place}.password_hash"), "…", accepted));
        }
        users.push(ConsoleUser { name, role, password_hash });
    }
    Ok(users)
}
