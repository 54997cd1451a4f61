//! Every bound of the binary protocol, in one place, unit last in the name.

use super::request::{CardBlock, RequestHeader};
use crate::command::Command;
use crate::limits::TAIL_MAX_BYTES;
use crate::outcome::Outcome;

/// Largest frame in either direction, header included, bytes. A length above it is refused before anything is allocated.
pub const FRAME_MAX_BYTES: usize = 256 * 1024;
/// Largest frame of a client that has not been welcomed yet, bytes: a stranger gets little room.
pub const HELLO_MAX_BYTES: usize = 512;
/// Items of one frame.
pub const FRAME_ITEMS_MAX: u16 = 2_048;
/// Longest API key, bytes of visible ASCII.
pub const API_KEY_MAX_BYTES: usize = 256;
/// Transactions that one answer shows: of an order number the newest ones.
pub const FOUND_MAX: usize = 16;
/// Longest text for people in an answer or a GoAway, bytes of UTF-8.
pub const TEXT_MAX_BYTES: usize = 512;
/// Longest order number of a query, bytes of UTF-8: 50 characters.
pub const ORDER_ID_MAX_BYTES: usize = 200;
/// Longest idempotency key, bytes of visible ASCII.
pub const IDEMPOTENCY_KEY_MAX_BYTES: usize = 64;

const REQUEST_MAX_BYTES: usize = size_of::<RequestHeader>() + size_of::<CardBlock>() + size_of::<Command>() + TAIL_MAX_BYTES;
const _: () = assert!(super::frame::FRAME_HEADER_BYTES + REQUEST_MAX_BYTES <= FRAME_MAX_BYTES);
const _: () = assert!(FOUND_MAX * size_of::<Outcome>() + 1_024 <= FRAME_MAX_BYTES);
const _: () = assert!(API_KEY_MAX_BYTES + 64 <= HELLO_MAX_BYTES);
