//! Every bound of the vault, in one place, unit last in the name.

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
