//! The parsers of the slow side's bodies by name, for whoever holds them to any bytes. What they read is thrown away.

use super::{Problem, api_keys, customers, invoices, recurring, token, users};

/// A parser under the name of what it reads.
pub type Body = (&'static str, fn(&[u8]) -> Result<(), Problem>);

/// All of them.
pub fn bodies() -> impl Iterator<Item = Body> {
    let rooms = [users::BODIES, api_keys::BODIES, token::BODIES, customers::BODIES, recurring::BODIES, invoices::BODIES];
    rooms.into_iter().flatten().copied()
}
