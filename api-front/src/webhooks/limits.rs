//! Limits of the webhooks. Units are in the names.

use std::time::Duration;

/// Endpoints of a merchant at most.
pub const ENDPOINTS_MAX: u32 = 16;
/// Characters of an address at most.
pub const URL_MAX_CHARS: usize = 2_048;
/// Filters of an endpoint at most.
pub const FILTERS_MAX: usize = 50;
/// Events of a page of `GET /api/events` at most, and when nothing is said.
pub const EVENTS_PAGE_MAX: u32 = 500;
/// See [`EVENTS_PAGE_MAX`].
pub const EVENTS_PAGE: u32 = 100;
/// How often it is looked whether there is something to tell.
pub(super) const PULSE: Duration = Duration::from_millis(200);
/// Wait after the SQL home could not be asked.
pub(super) const STORE_RETRY: Duration = Duration::from_secs(2);
/// Events that an endpoint is told before it is noted how far it has come.
pub(super) const EVENTS_PER_PASS: u32 = 64;
/// Things about which an endpoint is told at a time.
pub(super) const LANES_MAX: usize = 8;
/// Due deliveries that are looked at at a time.
pub(super) const DUE_MAX: u32 = 256;
/// Deliveries that are tried again at a time, all receivers together.
pub(super) const RETRIES_MAX: usize = 64;
/// Deliveries that are tried again at a time at one receiver.
pub(super) const RETRIES_PER_RECEIVER_MAX: usize = 2;
/// Longest time that a receiver may take, from the first packet to the end of its answer.
pub(super) const RECEIVER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for a connection to one of a receiver's addresses.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes that are read of an answer at most; what is longer counts as delivered if its status says so.
pub(super) const ANSWER_MAX_BYTES: usize = 64 << 10;
/// Failures in a row after which a receiver is left alone for a while.
pub(super) const CIRCUIT_FAILURES: u32 = 5;
/// Wait before the second try, seconds; doubled at each further one.
pub(super) const RETRY_FIRST_S: u32 = 5;
/// Bound of that doubling, seconds.
pub(super) const RETRY_LONGEST_S: u32 = 6 * 3_600;
/// How long an event is tried, and an endpoint may fail, seconds.
pub(super) const TRIED_FOR_S: u32 = 3 * 86_400;
/// How long it is known of a delivery that it has arrived, where it had failed before or went to an address of its own, seconds. Events
/// themselves are never forgotten, nor is what was given up.
pub(super) const DELIVERED_KEPT_S: u32 = 30 * 86_400;
/// How often delivered ones are looked through, seconds of the calendar.
pub(super) const FORGOTTEN_EVERY_S: u32 = 3_600;
/// How long the older secret signs beside the new one, seconds.
pub(super) const OLDER_SECRET_S: u32 = 86_400;

const _: () = assert!(RETRY_FIRST_S < RETRY_LONGEST_S && RETRY_LONGEST_S < TRIED_FOR_S);
