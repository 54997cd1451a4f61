//! The state digest in the log: what a run begins with, and what it leaves behind. The two of one run and the next must be equal,
//! and equal to what `switchyard journal verify` says of the journal.

use persistence::projection::Queries;

/// Says the digest of what the SQL home holds. That it can't be read stops nothing.
pub(super) async fn say(queries: &Queries, moment: &'static str) {
    match queries.applied_state().await {
        Ok(state) => tracing::info!("{moment}: state digest {state}"),
        Err(error) => tracing::warn!(%error, "{moment}: the state digest can't be read"),
    }
}
