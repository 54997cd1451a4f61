//! A simulated world around a whole switch.

pub mod check;
