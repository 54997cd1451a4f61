//! Every bound of the vault, in one place, unit last in the name.

use std::time::Duration;

/// Addresses of a customer.
pub(super) const ADDRESSES_MAX: usize = 100;
/// Payment methods of a customer, of all kinds together.
pub(super) const METHODS_MAX: usize = 100;
/// How long a token is good, seconds.
pub(super) const TOKEN_TTL_S: u32 = 15 * 60;
/// How long a token that was used under an idempotency key may come again under it, seconds: the longest that a key holds.
pub(super) const USED_TOKEN_TTL_S: u32 = 86_400;
/// Random bytes of a token.
pub(super) const TOKEN_RANDOM_BYTES: usize = 24;
/// Verification values in memory that wait for their token to be used; past it a token keeps none.
pub(super) const VALUES_MAX: usize = 10_000;
/// Payment methods that are sealed anew before the next are read.
pub(super) const RESEALED_AT_A_TIME: u32 = 100;
/// How long a payment that is to leave a customer behind is its caller's own business, microseconds: longer than any is under way.
pub(super) const WISH_PATIENCE_US: i64 = 10 * 60 * 1_000_000;
/// How often customers that were not kept are looked for.
pub(super) const WISHES_EVERY: Duration = Duration::from_secs(60);
/// Wishes that are read at a time.
pub(super) const WISHES_AT_A_TIME: u32 = 100;
