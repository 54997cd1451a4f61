//! Every bound of the binary front, in one place, unit last in the name.

use protocol::binary::limits::FRAME_MAX_BYTES;
use std::time::Duration;

/// Connections that are served at once, where the process may have as many files open; one more is told so and closed.
pub const CONNECTIONS_MAX: u32 = 1_024;
/// Connections beyond that are being told so; past these, a connection is closed without a word.
pub const TURNED_AWAY_MAX: usize = 256;
/// Requests that a connection may have unanswered.
pub const CREDITS: u32 = 1_024;
/// Readings of the past that one event loop has under way; past it the request is refused as busy.
pub const READINGS_MAX: usize = 256;
/// API keys that are looked up in SQL at a time: a flood of invented keys must not take all connections to the database.
pub const KEY_LOOKUPS_MAX: usize = 8;
/// Bytes that are read from one connection before the others have their turn.
pub const READ_TURN_BYTES: usize = 64 * 1024;
/// Bytes that a loop reads from all its connections before whoever shares its thread has a turn.
pub const LOOP_TURN_BYTES: usize = 4 * READ_TURN_BYTES;
/// Connections that a loop accepts before that.
pub const LOOP_TURN_ACCEPTS: usize = 64;
/// Bytes that are made room for at least before a connection is read.
pub const READ_LEAST_BYTES: usize = 4 * 1024;
/// Answers that wait to be read by a client, bytes; past it nothing more is read from it.
pub const UNREAD_MAX_BYTES: usize = FRAME_MAX_BYTES;
/// A buffer that has grown beyond this is given back once it is empty, bytes.
pub const BUFFER_KEPT_BYTES: usize = 64 * 1024;
/// Events that are taken from the kernel at a time.
pub const EVENTS_MAX: usize = 256;

/// How long a client may take for its Hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may be silent.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may leave answers unread.
pub const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client that was told to go away may take to read why.
pub const LINGER: Duration = Duration::from_secs(1);
/// How often the bounds of time are looked at while there are connections.
pub const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// How often the API key of a connection that is in use is looked up again: a key that was taken away ends it.
pub const KEY_CHECK_EVERY: Duration = Duration::from_secs(5);
/// What a Busy frame says about when to ask again.
pub const RETRY_AFTER: Duration = Duration::from_millis(250);
/// The same of a GoAway that has nothing to do with the client.
pub const RECONNECT_AFTER: Duration = Duration::from_secs(1);

const _: () = assert!(READ_LEAST_BYTES <= READ_TURN_BYTES && READ_TURN_BYTES <= FRAME_MAX_BYTES);
const _: () = assert!(CREDITS <= crate::limits::GATE_PLACES_MAX);
