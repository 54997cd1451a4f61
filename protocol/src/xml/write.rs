//! The writer: elements and escaped text, appended to a buffer.

/// Appends elements to a buffer that its owner wipes if need be. Elements are closed by name: the code that writes them reads like them.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> Writer<'b> {
    /// Goes on at the end of the buffer.
    pub fn new(out: &'b mut Vec<u8>) -> Writer<'b> {
        Writer { out }
    }

    /// The declaration that begins a document.
    pub fn declaration(&mut self) -> &mut Self {
        self.out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        self
    }

    /// The start of an element that holds others.
    pub fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        for (name, value) in attributes {
            self.out.push(b' ');
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"=\"");
            self.text(value);
            self.out.push(b'"');
        }
        self.out.push(b'>');
        self
    }

    /// The end of it.
    pub fn close(&mut self, name: &str) -> &mut Self {
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
        self
    }

    /// An element that holds text only.
    pub fn element(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name, &[]).text(text).close(name)
    }

    /// Text, escaped. What no XML document may hold is written as a question mark.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.out.extend_from_slice(b"&amp;"),
                '<' => self.out.extend_from_slice(b"&lt;"),
                '>' => self.out.extend_from_slice(b"&gt;"),
                '"' => self.out.extend_from_slice(b"&quot;"),
                // As references, or a reader would make them line ends and blanks of its own.
                '\t' => self.out.extend_from_slice(b"&#9;"),
                '\n' => self.out.extend_from_slice(b"&#10;"),
                '\r' => self.out.extend_from_slice(b"&#13;"),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.out.push(b'?'),
                _ => self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self
    }
}
