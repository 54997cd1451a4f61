//! Every bound of the sandbox, in one place, unit last in the name.

/// Connections that one host serves at a time; the next one is accepted and closed.
pub const CONNECTIONS_MAX: usize = 256;
/// Bytes read from a connection before they are answered: one burst. Holds many whole frames.
pub const READ_BURST_MAX_BYTES: usize = 64 * 1024;
/// Bytes that may wait for one client to take them; a burst of answers that is larger closes the connection.
pub const WRITE_BUFFER_MAX_BYTES: usize = 1024 * 1024;
/// Answers held back by a delay, on one connection. While so many wait, nothing more is read from it.
pub const LATE_ANSWERS_MAX: usize = 4096;
/// How long a client may take to accept a burst of answers, in milliseconds, before it is cut off.
pub const WRITE_TIMEOUT_MS: u64 = 10_000;
/// How long a client may take to agree on TLS, in milliseconds.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 5_000;
/// Transactions that a host remembers for duplicates, captures, voids and reversals, about 90 bytes each; beyond, the
/// oldest are forgotten, and what refers to them is answered "no such original".
pub const TRANSACTIONS_HELD_MAX: usize = 4 * 1024 * 1024;
/// The same of the terminal host, which keeps whole rows: about 400 bytes each.
pub const TERMINAL_TRANSACTIONS_HELD_MAX: usize = 1 << 18;
/// Batches with totals of their own, open and settled; a payment of one more is answered "system error".
pub const TILLS_MAX: usize = 1 << 20;
/// Settlement answers remembered for one terminal and currency.
pub const SETTLEMENTS_HELD_MAX: usize = 1024;
/// Batches whose members are coming one by one; a member of one more is answered "system error".
pub const UPLOADS_MAX: usize = 1024;
/// How long a batch number stays used, in days.
pub const BATCH_NUMBER_REST_DAYS: u32 = 5;
/// Longest delay that `POST /faults` and `late_ms` take, in milliseconds.
pub const DELAY_MAX_MS: u32 = 600_000;
/// Largest body of a request to the control address, in bytes.
pub const CONTROL_BODY_MAX_BYTES: usize = 16 * 1024;
/// Largest body of a request to a host that is asked by HTTP, in bytes.
pub const WEB_REQUEST_MAX_BYTES: usize = 64 * 1024;
/// Ledger rows read from the file at a time.
pub const LEDGER_CHUNK_ROWS: usize = 512;

const _: () = assert!(READ_BURST_MAX_BYTES >= protocol::iso8583::FRAME_MAX_BYTES + protocol::iso8583::FRAME_HEADER_BYTES);
const _: () = assert!(WRITE_BUFFER_MAX_BYTES > READ_BURST_MAX_BYTES);
const _: () = assert!(TRANSACTIONS_HELD_MAX <= u32::MAX as usize / 2);
