//! Every socket, thread and clock of the switch; the only place where all rooms meet.
//!
//! Lives here: the REST front, the links to processors, the threads that drive shards, start and stop, configuration and
//! the command line. Must not live here: decisions about payments, which are switch-core's, and file formats, which are
//! persistence's and protocol's.

pub mod accounts;
mod allowances;
pub mod calendar;
pub mod cli;
pub mod config;
pub mod console;
pub mod data_folder;
pub mod intake;
pub mod invoices;
pub mod journal_tools;
pub mod keys_tool;
pub mod limits;
pub mod links;
pub mod listeners;
pub mod logs;
pub mod metrics;
pub mod operator;
pub mod pages;
pub mod payables;
pub mod payment_links;
pub mod payment_threads;
pub mod payouts;
pub mod process;
pub mod recurring;
pub mod replay;
pub mod rest;
pub mod returns;
pub mod sandbox_home;
pub mod settlement;
pub mod start;
pub mod switch;
pub mod terminals;
pub mod trace;
pub mod vault;
pub mod webhooks;
