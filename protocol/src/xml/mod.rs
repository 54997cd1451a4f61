//! XML as payment processors speak it: elements, attributes, text. Nothing else of the standard.
//!
//! Lives here: a reader ([`Document`]) of bytes from outside, bounded in size, depth and number, and a [`Writer`]. Must not live
//! here: what any processor's elements mean. A document type declaration is refused, and with it every entity but the five
//! that the standard names, so that no document can grow by being read. Texts may hold account numbers: they are wiped when dropped.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Children, Document, Node, XmlError};
pub use write::Writer;

/// Largest document that is read, in bytes.
pub const DOCUMENT_MAX_BYTES: usize = 256 * 1024;
/// Deepest nesting of elements.
pub const DEPTH_MAX: usize = 16;
/// Elements of one document.
pub const ELEMENTS_MAX: usize = 8192;
/// Attributes of one element.
pub const ATTRIBUTES_MAX: usize = 16;
