//! Webhooks: where merchants want to be told of events, and the outbox of what could not be told at once.
//!
//! Lives here: endpoints with the number up to which each was told, and deliveries. Must not live here: the sending, and when it is
//! tried again.
//!
//! What was told at the first try leaves no row: it is behind the endpoint's number. A delivery is a row when it failed, when it waits
//! behind one that failed, when it is sent again because somebody asked, or when its address came with the thing itself.

mod deliveries;
mod endpoints;

#[cfg(test)]
mod tests;

pub use deliveries::{Delivery, DeliveryState, Place, To};
pub use endpoints::Endpoint;
