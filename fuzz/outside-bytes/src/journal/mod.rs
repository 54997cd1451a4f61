//! The journal's files: a crash, a bad disk or a hand in them may have left anything.

pub mod frames;
pub mod image;
