//! `[limits]`: how much is taken at a time, and how patient the listeners are.

use super::checked::in_bound;
use super::error::ConfigError;
use crate::limits::{
    GATE_PARTS, GATE_PLACES, GATE_PLACES_MAX, HTTP_BODY_TIMEOUT_MS, HTTP_CONNECTIONS, HTTP_HEAD_TIMEOUT_MS,
    HTTP_REFUSALS_PER_CORE_S, HTTP_TURNED_AWAY_MAX, OWN_FILES,
};
use crate::listeners::binary::limits as binary;
use serde::Deserialize;
use std::ops::RangeInclusive;
use std::time::Duration;

const CONNECTIONS_BOUND: RangeInclusive<u32> = 1..=100_000;
const REFUSALS_BOUND_PER_S: RangeInclusive<u32> = 1..=1_000_000;
const PATIENCE_BOUND_MS: RangeInclusive<u32> = 100..=600_000;

/// Files that are open besides those of connections that are served.
const OPEN_BESIDES: u64 = (HTTP_TURNED_AWAY_MAX + binary::TURNED_AWAY_MAX + OWN_FILES) as u64;

/// `[limits]` as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedLimits {
    /// Payments, captures, voids and refunds under way at a time; past it they are refused at once, with 503. A payment is
    /// under way from its request to its answer, so that a slow processor holds more places. Default 4096.
    pub in_flight_max: Option<u32>,
    /// REST connections at a time; past it a connection is answered with 503 and closed. Default 10,000.
    pub connections_max: Option<u32>,
    /// Refusals answered in a second; a connection that asks on after more is read again later, up to a second. Default 2,500 for
    /// each core.
    pub refusals_per_s_max: Option<u32>,
    /// How long a client may take to send a request's head, and to leave a connection unused, milliseconds. Default 30,000.
    pub head_timeout_ms: Option<u32>,
    /// How long a client may take to send a request's body, milliseconds. Default 30,000.
    pub body_timeout_ms: Option<u32>,
}

/// `[limits]`, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Commands under way at a time.
    pub in_flight_max: u32,
    /// REST connections at a time.
    pub connections_max: u32,
    /// Connections of the binary front at a time.
    pub binary_connections_max: u32,
    /// Refusals answered in a second.
    pub refusals_per_s_max: u32,
    /// How long a client may take to send a request's head, and to leave a connection unused.
    pub head_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
}

impl LimitSettings {
    pub(super) fn check(typed: &TypedLimits) -> Result<LimitSettings, ConfigError> {
        let patience = |key: &str, typed: Option<u32>, default: u32| {
            in_bound(key, typed.unwrap_or(default), PATIENCE_BOUND_MS).map(|ms| Duration::from_millis(ms.into()))
        };
        let places = typed.in_flight_max.unwrap_or(GATE_PLACES);
        let connections = typed.connections_max.unwrap_or(HTTP_CONNECTIONS);
        let refusals = typed.refusals_per_s_max.unwrap_or_else(refusals_of_all_cores);
        Ok(LimitSettings {
            in_flight_max: in_bound("limits.in_flight_max", places, GATE_PARTS..=GATE_PLACES_MAX)?,
            connections_max: in_bound("limits.connections_max", connections, CONNECTIONS_BOUND)?,
            binary_connections_max: binary::CONNECTIONS_MAX,
            refusals_per_s_max: in_bound("limits.refusals_per_s_max", refusals, REFUSALS_BOUND_PER_S)?,
            head_timeout: patience("limits.head_timeout_ms", typed.head_timeout_ms, HTTP_HEAD_TIMEOUT_MS)?,
            body_timeout: patience("limits.body_timeout_ms", typed.body_timeout_ms, HTTP_BODY_TIMEOUT_MS)?,
        })
    }

    /// Files that a process with so many connections may have open.
    pub fn open_files(&self) -> u64 {
        u64::from(self.connections_max) + u64::from(self.binary_connections_max) + OPEN_BESIDES
    }

    /// The same with no more connections than leave a process that may have `allowed` files open what else it needs; with very few of them, a
    /// quarter are the connections'. The binary front has the first half of what there is.
    pub fn within_open_files(self, allowed: u64) -> LimitSettings {
        let room = u32::try_from(allowed.saturating_sub(OPEN_BESIDES).max(allowed / 4)).unwrap_or(u32::MAX);
        let binary_connections_max = self.binary_connections_max.min(room.div_ceil(2));
        LimitSettings { connections_max: self.connections_max.min(room - binary_connections_max), binary_connections_max, ..self }
    }
}

fn refusals_of_all_cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(1).saturating_mul(HTTP_REFUSALS_PER_CORE_S).min(*REFUSALS_BOUND_PER_S.end())
}
