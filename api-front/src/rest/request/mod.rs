//! Bodies of the transaction calls, read and validated into values of our own. Pure: bytes in, a request or a problem out.
//!
//! Must not live here: HTTP, the sealing of cards, anything that asks the switch. Card numbers are in [`Pan`]s from here on.
//!
//! [`Pan`]: protocol::secret::Pan

pub(in crate::rest) mod account;
mod card;
pub(in crate::rest) mod checks;
mod create;
mod idempotency;
mod means;
mod search;
mod step;
mod terminal;
mod travelling;

pub use create::Create;
pub use idempotency::SentKey;
pub use means::{CustomerMeans, Means, check_money, check_verb};
pub use search::{BatchPage, ProcessorIndex, parse_batch_search, parse_search};
pub use step::Step;

pub use travelling::{WrongField, check_sent_tail};

pub(in crate::rest) use search::dates;
pub(crate) use travelling::ADDRESSES;
pub(in crate::rest) use travelling::address_fields;

#[cfg(test)]
mod tests;
