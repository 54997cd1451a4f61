//! Every bound of the REST front, in one place, unit last in the name.

use std::time::Duration;

/// Largest request body that is read; more is 413.
pub const BODY_MAX_BYTES: usize = 1 << 20;
/// How much of a body beyond that is read and thrown away before the 413 is sent.
pub const BODY_DRAIN_MAX_BYTES: usize = 8 << 20;
/// How long a body that is too large is read on before the 413.
pub const BODY_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a client may take to send its body; longer is 408.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Fields of one JSON object that are read. A body of 1 MiB could hold a hundred thousand, each costing memory.
pub const OBJECT_FIELDS_MAX: usize = 256;
/// Items of one JSON list that are read.
pub const LIST_ITEMS_MAX: usize = 256;
/// Longest `X-Request-Id` of a caller that is repeated; a longer one is replaced by ours.
pub const REQUEST_ID_MAX_CHARS: usize = 128;
/// Longest idempotency key, in characters of visible ASCII.
pub const IDEMPOTENCY_KEY_MAX_CHARS: usize = 64;

/// `description`, as the gateway document says.
pub const DESCRIPTION_MAX_CHARS: usize = 255;
/// `order_id` and `po_number`: the document says 17, clients in use send more.
pub const ORDER_ID_MAX_CHARS: usize = 50;
/// A merchant's own id of an order or a payment request.
pub const REFERENCE_MAX_CHARS: usize = 100;
/// An address to which a shopper is sent or news are.
pub const URL_MAX_CHARS: usize = 2_048;
/// A body that comes back whole, as it was sent.
pub const BODY_KEPT_MAX_BYTES: usize = 64 * 1024;
/// Names, company and city of an address.
pub const NAME_MAX_CHARS: usize = 50;
/// A line of an address.
pub const ADDRESS_LINE_MAX_CHARS: usize = 100;
/// A postal code, `56393-4328` being the longest in use.
pub const POSTAL_CODE_MAX_CHARS: usize = 10;
/// A telephone number as written, with its brackets and spaces.
pub const PHONE_MAX_CHARS: usize = 24;
/// Digits of a telephone number, ITU-T E.164.
pub const PHONE_MAX_DIGITS: usize = 15;
/// An e-mail address, RFC 5321.
pub const EMAIL_MAX_CHARS: usize = 254;
/// The number on a paper check.
pub const CHECK_NUMBER_MAX_DIGITS: usize = 15;
/// Short texts that travel along as sent: vendor, group, indicators, 3-D Secure values.
pub const WORD_MAX_CHARS: usize = 100;
/// JSON that travels along as sent, for each field that may.
pub const TRAVELLING_JSON_MAX_BYTES: usize = 8 * 1024;
/// Lists and objects inside one another in JSON that travels along or is passed over. Readers of our answers have bounds too.
pub const PASSED_JSON_DEPTH_MAX: u8 = 32;

/// Transactions or batches that a search gives at most.
pub const SEARCH_LIMIT_MAX: u32 = 100;
/// Transactions that a search gives when it does not say how many.
pub const SEARCH_LIMIT: u32 = 10;
/// Batches that a search gives when it does not say how many.
pub const BATCH_SEARCH_LIMIT: u32 = 10;
/// Matches that a search may pass over: each page behind costs the database all before it.
pub const SEARCH_OFFSET_MAX: u64 = 1_000_000;

/// How long an unknown API key is remembered as unknown.
pub const UNKNOWN_KEY_TTL: Duration = Duration::from_secs(5);
/// Unknown API keys that are remembered at a time; past it they are looked up again.
pub const UNKNOWN_KEYS_MAX: usize = 10_000;
/// API keys that are looked up in SQL at a time: a flood of invented keys must not take all connections.
pub const KEY_LOOKUPS_MAX: usize = 8;
/// `Retry-After` of a 503 and a 429, seconds.
pub const RETRY_AFTER_S: u32 = 1;

// What travels along fits a command's tail: three JSON fields, and texts of at most four bytes a character.
const ADDRESS_MAX_CHARS: usize =
    4 * NAME_MAX_CHARS + 2 * ADDRESS_LINE_MAX_CHARS + 2 * 2 + POSTAL_CODE_MAX_CHARS + 2 * PHONE_MAX_CHARS + EMAIL_MAX_CHARS;
const TEXT_MAX_CHARS: usize =
    DESCRIPTION_MAX_CHARS + 2 * ORDER_ID_MAX_CHARS + EMAIL_MAX_CHARS + 12 * WORD_MAX_CHARS + 2 * ADDRESS_MAX_CHARS;
const _: () = assert!(3 * TRAVELLING_JSON_MAX_BYTES + 4 * TEXT_MAX_CHARS < 2 * protocol::limits::TAIL_MAX_BYTES);
const _: () = assert!(TRAVELLING_JSON_MAX_BYTES <= protocol::limits::TAIL_FIELD_MAX_BYTES);
