//! Answers' bodies: from a version, a batch or a table to the bytes that a client gets. Pure: equal arguments, equal bytes.

mod batch;
mod response;
mod response_codes;
mod transaction;

pub(crate) use batch::{batches, found_batches};
pub(crate) use response_codes::response_codes;
pub(crate) use transaction::{Shown, list};

/// The envelope around nothing: what capture, void and refund answer.
pub(crate) const SUCCESS_NULL: &str = "{\"status\":\"success\",\"msg\":\"success\",\"data\":null}";
/// What stands before the data of an answer.
pub(crate) const SUCCESS: &str = "{\"status\":\"success\",\"msg\":\"success\",\"data\":";

#[cfg(test)]
mod tests;
