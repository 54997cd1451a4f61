//! A client of the binary protocol: what a merchant's server, or a load generator, speaks to the switch with.
//!
//! Lives here: requests to be asked, the conversation as a value without a socket ([`Talk`]), and a client over a blocking
//! socket ([`Client`]). Must not live here: layouts, which are `protocol`'s, and retries: who asks again, under which key and
//! when, its caller decides.
//!
//! ```no_run
//! use client::{Client, Payment, RequestId};
//! use protocol::{card::Expiry, money::Currency, secret::Pan, words::Verb};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect("127.0.0.1:8583", "api_…")?;
//! let pan = Pan::new("4111111111111111").ok_or("not a card number")?;
//! let expiry = Expiry::parse("12/30").ok_or("not a month")?;
//! let sale = Payment::keyed(Verb::Sale, 1299, Currency::USD, &pan, expiry, None).key("order-4711");
//! let answer = client.call(&sale.into())?;
//! assert_eq!((answer.request_id, answer.code), (RequestId(1), 100));
//! # Ok(())
//! # }
//! ```

mod asks;
mod connection;
mod error;
mod talk;

pub use asks::{Ask, Payment, Query, Step};
pub use connection::{Client, Limits};
pub use error::ClientError;
pub use talk::{Heard, Reply, RequestId, Talk};
