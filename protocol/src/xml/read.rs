//! The reader: bytes to a small tree, all of it checked.

use super::{ATTRIBUTES_MAX, DEPTH_MAX, DOCUMENT_MAX_BYTES, ELEMENTS_MAX};
use core::fmt;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use zeroize::Zeroizing;

/// Why bytes are no document that is read here. Says where, never what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XmlError {
    /// More bytes than [`DOCUMENT_MAX_BYTES`].
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// The bytes are not UTF-8.
    NotUtf8,
    /// Not well-formed, or without a root element.
    Malformed {
        /// Byte at which reading stopped.
        at: u64,
    },
    /// A document type declaration, or an entity that only one could explain.
    Declares {
        /// Byte at which reading stopped.
        at: u64,
    },
    /// Deeper than [`DEPTH_MAX`], or more than [`ELEMENTS_MAX`] elements or [`ATTRIBUTES_MAX`] attributes.
    TooMuch {
        /// Byte at which reading stopped.
        at: u64,
    },
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            XmlError::TooLong { bytes } => write!(f, "XML of {bytes} bytes, at most {DOCUMENT_MAX_BYTES}"),
            XmlError::NotUtf8 => f.write_str("XML is not UTF-8"),
            XmlError::Malformed { at } => write!(f, "XML is not well-formed at byte {at}"),
            XmlError::Declares { at } => write!(f, "XML declares a type or uses an entity of its own at byte {at}"),
            XmlError::TooMuch { at } => write!(f, "XML is too deep or has too many elements at byte {at}"),
        }
    }
}

impl core::error::Error for XmlError {}

/// A document that was read: its elements in the order in which they begin.
pub struct Document(Vec<Element>);

struct Element {
    depth: usize,
    name: String,
    attributes: Vec<(String, String)>,
    text: Zeroizing<String>,
}

impl fmt::Debug for Document {
    /// Names only: texts hold account numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|element| &element.name)).finish()
    }
}

impl Document {
    /// Reads a whole document.
    pub fn parse(bytes: &[u8]) -> Result<Document, XmlError> {
        if bytes.len() > DOCUMENT_MAX_BYTES {
            return Err(XmlError::TooLong { bytes: bytes.len() });
        }
        let text = core::str::from_utf8(bytes).map_err(|_| XmlError::NotUtf8)?;
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        let mut building = Building { elements: Vec::new(), open: Vec::new() };
        loop {
            let event = reader.read_event();
            let at = reader.buffer_position();
            let event = event.map_err(|_| XmlError::Malformed { at })?;
            if matches!(event, Event::Eof) {
                return building.finish(at);
            }
            building.take(event, at)?;
        }
    }

    /// The outermost element.
    pub fn root(&self) -> Node<'_> {
        Node { document: self, at: 0 }
    }
}

/// A document that is being read, and the elements that are open at this place.
struct Building {
    elements: Vec<Element>,
    open: Vec<usize>,
}

impl Building {
    fn take(&mut self, event: Event<'_>, at: u64) -> Result<(), XmlError> {
        let malformed = XmlError::Malformed { at };
        match event {
            Event::Start(start) => self.begin(&start, at),
            Event::Empty(start) => {
                self.begin(&start, at)?;
                self.open.pop();
                Ok(())
            }
            Event::End(_) => self.open.pop().map(|_| ()).ok_or(malformed),
            Event::Text(text) => self.append(&text.xml10_content(), at),
            Event::CData(text) => self.append(&text.xml10_content(), at),
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                let text = unescape(&format!("&{name};")).map_err(|_| XmlError::Declares { at })?.into_owned();
                self.append(&text, at)
            }
            Event::DocType(_) => Err(XmlError::Declares { at }),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn begin(&mut self, start: &BytesStart<'_>, at: u64) -> Result<(), XmlError> {
        let is_second_root = self.open.is_empty() && !self.elements.is_empty();
        if is_second_root {
            return Err(XmlError::Malformed { at });
        }
        if self.open.len() >= DEPTH_MAX || self.elements.len() >= ELEMENTS_MAX {
            return Err(XmlError::TooMuch { at });
        }
        let name = start.local_name().as_ref().to_owned();
        let element = Element { depth: self.open.len(), name, attributes: attributes(start, at)?, text: Zeroizing::default() };
        self.open.push(self.elements.len());
        self.elements.push(element);
        Ok(())
    }

    /// White space may stand outside of the root, text may not.
    fn append(&mut self, text: &str, at: u64) -> Result<(), XmlError> {
        let element = self.open.last().and_then(|open| self.elements.get_mut(*open));
        match element {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(XmlError::Malformed { at }),
        }
        Ok(())
    }

    fn finish(self, at: u64) -> Result<Document, XmlError> {
        let is_whole = self.open.is_empty() && !self.elements.is_empty();
        if is_whole { Ok(Document(self.elements)) } else { Err(XmlError::Malformed { at }) }
    }
}

fn attributes(start: &BytesStart<'_>, at: u64) -> Result<Vec<(String, String)>, XmlError> {
    let mut found = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| XmlError::Malformed { at })?;
        if found.len() >= ATTRIBUTES_MAX {
            return Err(XmlError::TooMuch { at });
        }
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| XmlError::Declares { at })?;
        found.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
    }
    Ok(found)
}

/// One element of a document.
#[derive(Clone, Copy)]
pub struct Node<'d> {
    document: &'d Document,
    at: usize,
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'d> Node<'d> {
    fn element(self) -> &'d Element {
        &self.document.0[self.at]
    }

    /// Its name without a prefix.
    pub fn name(self) -> &'d str {
        &self.element().name
    }

    /// Its own text, without that of the elements in it, and without the white space at both ends.
    pub fn text(self) -> &'d str {
        self.element().text.trim()
    }

    /// An attribute by its name without a prefix.
    pub fn attribute(self, name: &str) -> Option<&'d str> {
        self.element().attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The elements directly in it.
    pub fn children(self) -> Children<'d> {
        Children { depth: self.element().depth, document: self.document, at: self.at + 1 }
    }

    /// The first element of this name directly in it.
    pub fn child(self, name: &str) -> Option<Node<'d>> {
        self.children().find(|child| child.name() == name)
    }

    /// The text of that element; empty when there is none.
    pub fn child_text(self, name: &str) -> &'d str {
        self.child(name).map_or("", Node::text)
    }

    /// The element at the end of a path of names.
    pub fn descend(self, path: &[&str]) -> Option<Node<'d>> {
        path.iter().try_fold(self, |node, name| node.child(name))
    }
}

/// Iterator over the elements directly in another.
#[derive(Debug, Clone)]
pub struct Children<'d> {
    document: &'d Document,
    depth: usize,
    at: usize,
}

impl<'d> Iterator for Children<'d> {
    type Item = Node<'d>;

    fn next(&mut self) -> Option<Node<'d>> {
        loop {
            let node = Node { document: self.document, at: self.at };
            let depth = self.document.0.get(self.at)?.depth;
            if depth <= self.depth {
                return None;
            }
            self.at += 1;
            if depth == self.depth + 1 {
                return Some(node);
            }
        }
    }
}
