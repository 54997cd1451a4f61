//! The bounds of a merchant's settings, the same for the file and for what an operator says at run time.

use super::checked::{WINDOW_BOUND_S, compat_of, in_bound, name_of};
use super::error::ConfigError;
pub use super::typed::TypedCompat;
use crate::switch::directory::Compat;
use std::ops::RangeInclusive;

const CATEGORY_BOUND: RangeInclusive<u16> = 1..=9999;

/// 1 to 64 printable characters.
pub fn name(key: &str, name: String) -> Result<String, ConfigError> {
    name_of(key, name)
}

/// Seconds, a day at most.
pub fn duplicate_window_s(key: &str, window_s: u32) -> Result<u32, ConfigError> {
    in_bound(key, window_s, WINDOW_BOUND_S)
}

/// Four digits.
pub fn category(key: &str, category: u16) -> Result<u16, ConfigError> {
    in_bound(key, category, CATEGORY_BOUND)
}

/// Words that combine; none is `document`.
pub fn compat(key: &str, typed: Option<TypedCompat>) -> Result<Compat, ConfigError> {
    compat_of(key, typed)
}
