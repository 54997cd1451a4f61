//! What a rule or a route asks of a payment: conditions as an operator types them, checked and compiled once, tested for each payment
//! without allocation and without hash order.
//!
//! Lives here: the fields that can be asked for, the facts of a payment, velocity counters. Must not live here: what follows from a
//! match (`rules`, `routing`), JSON (the front reads it into [`typed`]), or anything of a payment that its record does not say: a
//! dry run over the journal must find the same facts as the payment did.

mod compiler;
mod countries;
mod error;
mod facts;
mod field;
mod gauge;
mod index;
mod scoped;
pub mod typed;
mod velocity;

pub(crate) use compiler::Asked;
pub use error::{Entry, Fault, TableError};
pub use facts::Facts;
pub use field::field_words;
pub use gauge::{Gauge, Per};
pub(crate) use scoped::{Kind, Scoped, Typed};
pub use velocity::Velocity;

#[cfg(test)]
mod tests;
