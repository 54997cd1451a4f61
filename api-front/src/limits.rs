//! Every bound of the front's runtime (I8), in one place, unit last in the name.

use std::time::Duration;

/// Commands under way at a time, from their entry to their answer, unless configured; past it the caller is refused at once.
pub const GATE_PLACES: u32 = 4096;
/// Most that may be configured: the gate is narrower than each queue behind it.
pub const GATE_PLACES_MAX: u32 = 16_384;
/// The gate's places are given out in so many parts: one is kept for captures, voids and refunds, one for other merchants.
pub const GATE_PARTS: u32 = 8;
/// How long more than [`SHARD_QUEUE_SHORT_COMMANDS`] may stand in front of one shard, without a moment in which they did not,
/// before it takes no more, milliseconds. Longer than a disk's hiccup.
pub const SHARD_QUEUE_STANDING_MAX_MS: u32 = 500;
/// A queue of so many is none: it is gone in a turn.
pub const SHARD_QUEUE_SHORT_COMMANDS: usize = 64;
/// Commands that wait in front of one shard; past it the caller is refused at once.
pub const SHARD_QUEUE_COMMANDS: usize = 16_384;
/// Tasks that a thread of payments runs before it looks at its sockets again.
pub const PAYMENT_THREAD_EVENT_TURNS: u32 = 61;
/// Inputs that a shard takes before it looks at what it has to say.
pub const SHARD_TURN_INPUTS: usize = 512;
/// Inputs that a shard is shown before it takes them one by one.
pub const SHARD_BUNCH_INPUTS: usize = 32;
/// Groups of one shard that the journal may hold at once. Few, so that groups grow under load instead of queueing.
pub const SHARD_GROUPS_MAX: usize = 3;
/// Callers of one shard that wait for a reply, and values in the table of card verification values.
pub const CALLERS_MAX: u32 = 1 << 16;
/// Requests that wait for one link to write them.
pub const LINK_QUEUE_REQUESTS: usize = 32_768;
/// Processors that an operator may add while one run lasts; the next start has room again.
pub const PROCESSORS_ADDED_MAX: usize = 64;
/// Commands of an operator that wait for one link.
pub const LINK_CONTROLS_MAX: usize = 8;
/// Requests that a link encodes before it writes them all at once.
pub const LINK_TURN_REQUESTS: usize = 256;
/// Exchanges that a link to a host that is asked by HTTP has under way, a connection each; what comes beyond waits in its queue.
pub const WEB_UNDER_WAY_MAX: usize = 64;
/// Steps and reversals that wait for the terminals of one link.
pub const WEB_WAITING_MAX: usize = 4_096;
/// Bytes that a link reads at once.
pub const LINK_READ_BYTES: usize = 64 * 1024;
/// Members of an accepted batch that are given to the shard in one hand-off.
pub const SETTLE_CHUNK_MEMBERS: u32 = 256;
/// Connections that the REST listener serves at once, unless configured.
pub const HTTP_CONNECTIONS: u32 = 10_000;
/// Refusals that are answered in a second for each core, unless configured: a twentieth of its work, for a core says about
/// 50,000. Whoever asks on after that is read later.
pub const HTTP_REFUSALS_PER_CORE_S: u32 = 2_500;
/// Refusals saved up while there are none, milliseconds' worth.
pub const HTTP_REFUSALS_BURST_MS: u32 = 100;
/// How long a connection that was refused may rest, milliseconds: what `Retry-After` asks for.
pub const HTTP_REST_MAX_MS: u32 = 1_000 * crate::rest::limits::RETRY_AFTER_S;
/// Connections beyond their limit that are being told so; past these, a connection is closed without a word.
pub const HTTP_TURNED_AWAY_MAX: usize = 256;

/// Files and connections that the process has open besides its callers': journal, databases, processors, webhooks, the sandbox's hosts.
pub const OWN_FILES: usize = 1_024;

/// Length of one slot of a link's meter, seconds.
pub const METER_SLOT_S: u32 = 10;
/// Slots that a link's meter keeps: with [`METER_SLOT_S`] the last minute.
pub const METER_SLOTS: usize = 6;

/// First wait after a connection to a processor failed; doubled each time.
pub const RECONNECT_MIN: Duration = Duration::from_millis(50);
/// Bound of that doubling.
pub const RECONNECT_MAX: Duration = Duration::from_secs(5);
/// How long a connection to a processor may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a write to a processor may take before the connection counts as gone.
pub const LINK_WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a reading of the past waits for the projection.
pub const HISTORY_WAIT: Duration = Duration::from_secs(5);
/// How long a settlement call waits for its batches.
pub const SETTLE_WAIT: Duration = Duration::from_secs(30);
/// How long whoever moves a sandbox's clock waits for the batches that a cut-over closes: their processor may be down.
pub const CUT_OVER_WAIT: Duration = Duration::from_secs(5);
/// How long a settlement that was interrupted waits before it begins again.
pub const SETTLE_RETRY: Duration = Duration::from_secs(2);
/// How often a processor's feed of returns is read.
pub const RETURNS_EVERY: Duration = Duration::from_secs(60);
/// The same in a sandbox, where somebody waits for it.
pub const RETURNS_EVERY_IN_SANDBOX: Duration = Duration::from_secs(1);
/// How long a return that can't be taken yet waits.
pub const RETURNS_RETRY: Duration = Duration::from_millis(500);
/// How long a page of that feed may take.
pub const RETURNS_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest page of that feed, bytes.
pub const RETURNS_PAGE_MAX_BYTES: usize = 256 * 1024;
/// How long a client may take to send a request's head, and to leave a connection unused, unless configured, milliseconds.
pub const HTTP_HEAD_TIMEOUT_MS: u32 = 30_000;
/// How long a client may take to send a request's body, unless configured, milliseconds.
pub const HTTP_BODY_TIMEOUT_MS: u32 = 30_000;
/// How long a connection that is turned away may take to read why.
pub const HTTP_TURNED_AWAY_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a client may leave our answer unread, milliseconds.
pub const HTTP_UNREAD_TIMEOUT_MS: u32 = 30_000;
/// How long a drain waits for what is in flight.
pub const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// How long a drain waits for links to sign off.
pub const SIGN_OFF_WAIT: Duration = Duration::from_secs(2);
/// How long a start waits for its links' first sign-on before it says that it is ready.
pub const FIRST_SIGN_ON_WAIT: Duration = Duration::from_secs(2);
/// How often it is looked whether a segment may leave the journal's folder.
pub const ARCHIVE_EVERY: Duration = Duration::from_secs(2);
/// How long that rests after a failure.
pub const ARCHIVE_RETRY: Duration = Duration::from_secs(30);
/// How often a start that can't reach the database says so.
pub const DATABASE_RETRY: Duration = Duration::from_secs(3);

const _: () = assert!(LINK_TURN_REQUESTS <= LINK_QUEUE_REQUESTS);
const _: () = assert!(SHARD_TURN_INPUTS <= SHARD_QUEUE_COMMANDS);
// What the gate lets in finds room in every queue and table behind it; a link has as much again for reversals.
const _: () = assert!(GATE_PLACES <= GATE_PLACES_MAX);
const _: () = assert!(SHARD_QUEUE_SHORT_COMMANDS < SHARD_TURN_INPUTS);
const _: () = assert!(GATE_PLACES_MAX as usize <= SHARD_QUEUE_COMMANDS);
const _: () = assert!(2 * GATE_PLACES_MAX as usize <= LINK_QUEUE_REQUESTS);
const _: () = assert!(GATE_PLACES_MAX <= CALLERS_MAX);
