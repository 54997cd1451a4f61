//! Load for the switch, and for what it is compared with: open-loop by default, with honest latency
//! histograms.
//!
//! Here live plans, drawn requests, the schedule, the clients and the report. A run is one call,
//! [`rest::run`] or [`binary::run`], on a thread of its own. What must not live here: anything that the switch itself
//! needs, and any target that is not this machine.
//!
//! Open loop means that send times are fixed beforehand. Latency counts from the *scheduled* time,
//! so that a target that stalls is charged for all who had to wait and not only for the one request
//! that it held (no coordinated omission).

// Rates, seconds and percentiles are reported as floats here; amounts stay integers.
#![allow(clippy::float_arithmetic)]

mod answer;
pub mod binary;
pub mod cost;
mod error;
mod feed;
mod http;
pub mod ladder;
pub mod overload;
pub mod plan;
pub mod prepare;
pub mod process;
mod progress;
mod record;
pub mod report;
pub mod rest;
mod schedule;
pub mod target;
mod timeline;
mod timer;
pub mod work;

pub use error::LoadError;
pub use plan::{Arrivals, Load, Plan, Show};
pub use record::Counts;
pub use report::{Report, Times, Verdict};
pub use target::{Check, Request, Target};
pub use timeline::Slice;
pub use work::{Kind, Mix, Skew};
