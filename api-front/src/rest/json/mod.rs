//! JSON at the edge: bodies read into borrowed values, answers written straight into bytes.
//!
//! What a field means is not decided here, only what type it has and how it is called when it is wrong.

mod checked;
mod read;
mod write;

pub(crate) use checked::check as check_json;
pub use read::{Document, Scope};
pub(crate) use write::Writer;
