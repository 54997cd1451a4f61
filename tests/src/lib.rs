//! The harness of the end-to-end tests: a switch and a sandbox host as processes, a client, and the auditor of both sides' books.
//!
//! Lives here: what several test files need. Must not live here: claims, which are the tests' own; anything that looks inside
//! a running switch. A test sees what an operator or a client sees: sockets, files, signals, the exit code.
//!
//! Everything here panics with the facts when it can't go on: a test that can't go on has failed. Nothing sleeps for luck: what
//! can't be waited for is polled until a deadline. A failed test leaves its data folder and says where it is.

pub mod binary;
pub mod books;
pub mod browser;
pub mod client;
pub mod dice;
pub mod folder;
pub mod host;
pub mod http;
pub mod load;
pub mod patience;
pub mod payment;
pub mod postgres;
pub mod process;
pub mod receiver;
pub mod shopper;
pub mod simulator;
pub mod smtp;
pub mod switch;
pub mod wire;

pub use books::Books;
pub use browser::Browser;
pub use client::Client;
pub use host::{Control, HostProcess};
pub use patience::{eventually, until};
pub use switch::{Options, Switch};
