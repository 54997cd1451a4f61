//! Every bound of the accounts' room, in one place, unit last in the name.

use std::time::Duration;

/// Wrong passwords under one name within [`LOCK_OUT_WINDOW_S`] after which none is looked at.
pub const WRONG_PASSWORDS_MAX: u32 = 5;
/// How long wrong passwords count, from the first of them, seconds; as long lasts a lock-out.
pub const LOCK_OUT_WINDOW_S: u32 = 15 * 60;
/// How long a token is good, seconds.
pub const TOKEN_TTL_S: u32 = 12 * 3600;
/// How long a code that resets a password is good, seconds.
pub const RESET_CODE_TTL_S: u32 = 30 * 60;
/// Requests for a mail that one client's address, or one mailbox, may make within [`RECOVERY_WINDOW`].
pub const RECOVERIES_MAX: u32 = 10;
/// See [`RECOVERIES_MAX`].
pub const RECOVERY_WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are counted at a time; past it the stale ones are forgotten, and if none is stale, newcomers are refused.
pub const RATED_ADDRESSES_MAX: usize = 10_000;
/// Passwords that are hashed at a time: each takes 19 MiB and tens of milliseconds of a core.
pub const HASHINGS_MAX: usize = 2;
/// Requests that may wait for their turn at hashing; past it they are refused at once.
pub const HASHING_WAITERS_MAX: usize = 64;
/// Mails under way at a time; past it a mail is dropped, and said so in the log.
pub const MAILS_MAX: usize = 64;
/// How long a mail server may take.
pub const MAIL_TIMEOUT: Duration = Duration::from_secs(30);
/// Users that one mail of forgotten names lists.
pub const NAMES_IN_MAIL_MAX: u32 = 50;
/// How long a user's rights are taken from memory before they are read again: another process may have changed them.
pub const SESSION_MEMORY: Duration = Duration::from_secs(5);
/// Sessions in memory; past it the stale ones are forgotten.
pub const SESSIONS_MAX: usize = 10_000;

/// Shortest password.
pub const PASSWORD_MIN_CHARS: usize = 8;
/// Longest password: hashing must not be given megabytes.
pub const PASSWORD_MAX_CHARS: usize = 256;
/// Longest name to log in with.
pub const USERNAME_MAX_CHARS: usize = 64;
/// Longest name of a user or a key.
pub const NAME_MAX_CHARS: usize = 100;
/// Random bytes of an API key.
pub const KEY_RANDOM_BYTES: usize = 32;
/// Random bytes of a reset code.
pub const RESET_CODE_RANDOM_BYTES: usize = 16;
/// Keys that a merchant may have.
pub const KEYS_PER_MERCHANT_MAX: usize = 1_000;

const _: () = assert!(KEY_RANDOM_BYTES >= 32 && RESET_CODE_RANDOM_BYTES >= 16);
