//! Why a run could not be made. What goes wrong with single requests is counted in the report
//! instead.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A run that did not take place, or whose outcome could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Load is sent to this machine only.
    #[error("target {0} is not a loopback address; load is sent to this machine only")]
    NotLoopback(SocketAddr),
    /// The target was not understood.
    #[error("target {given:?} is not usable: expected http://127.0.0.1:PORT, http://[::1]:PORT or localhost:PORT")]
    BadTarget {
        /// As it was given.
        given: String,
    },
    /// A value of the plan is outside its limits.
    #[error("{what} is {value}, accepted are {least} to {most}")]
    OutOfBounds {
        /// The value's name and unit.
        what: &'static str,
        /// As given.
        value: u64,
        /// Lowest accepted.
        least: u64,
        /// Highest accepted.
        most: u64,
    },
    /// The skew among merchants is outside its limits.
    #[error("the skew's exponent is {given}, accepted are 0 (all alike) to {most}")]
    Skew {
        /// As given.
        given: f64,
        /// Steepest accepted.
        most: f64,
    },
    /// Requests are drawn with a place for the key, which every merchant's key must fit.
    #[error("there must be API keys, all of one length")]
    ApiKeys,
    /// The target has no requests of a kind that the mix asks for.
    #[error("{kind} can't be asked there")]
    Kind {
        /// The kind.
        kind: &'static str,
    },
    /// What a run needs to be there could not be made.
    #[error("{what}: {said}")]
    Prepare {
        /// What was asked of the target.
        what: &'static str,
        /// What it said.
        said: String,
    },
    /// The amounts must all have the same number of digits, so that every body has the same length.
    #[error("amounts {low} to {high} must be ascending and have the same number of digits")]
    Amounts {
        /// Lowest amount, minor units.
        low: u64,
        /// Highest amount, minor units.
        high: u64,
    },
    /// Something that goes into a header or a key holds characters that may not be there.
    #[error("{what} must be 1 to {bytes_max} visible ASCII characters")]
    NotVisibleAscii {
        /// Which value (never the value itself: it may be a secret).
        what: &'static str,
        /// Longest accepted.
        bytes_max: usize,
    },
    /// Nobody answered at the target before the run began.
    #[error("connect to {address}")]
    Connect {
        /// The target.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The ledger of answers could not be opened or written.
    #[error("write answers to {}", path.display())]
    Answers {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The process that was to be watched is not there.
    #[error("read CPU and memory of process {process}")]
    Process {
        /// Its id.
        process: u32,
        /// What the system said.
        source: std::io::Error,
    },
    /// The generator's own thread, runtime or timer could not be made.
    #[error("start the generator")]
    Start(#[source] std::io::Error),
    /// The generator's thread ended without a report; its panic message is on stderr.
    #[error("the generator's thread ended without a report")]
    Lost,
}
