//! Answers, written straight into bytes: no tree of values in between, no allocation but the buffer's.

use protocol::calendar::{Civil, Micros};
use protocol::id::Xid;

/// Writes one JSON document. The caller opens and closes objects; commas are set here.
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Begins with what stands before the first value.
    pub(crate) fn starting(with: &str, capacity: usize) -> Writer {
        let mut out = Vec::with_capacity(capacity);
        out.extend_from_slice(with.as_bytes());
        Writer { out }
    }

    /// Text that is JSON already, as it is.
    pub(crate) fn verbatim(&mut self, json: &str) {
        self.out.extend_from_slice(json.as_bytes());
    }

    /// The finished bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// `"name":` with the comma that separates it from what stands before it. Names are our own and need no escapes.
    pub(crate) fn name(&mut self, name: &str) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b',')) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A member that is an object, its members written by `members`.
    pub(crate) fn object(&mut self, name: &str, members: impl FnOnce(&mut Writer)) {
        self.name(name);
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
    }

    /// A member that is a text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.quoted(text);
    }

    /// A member that is a text, under a name from outside.
    pub(crate) fn named_text(&mut self, name: &str, text: &str) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b',')) {
            self.out.push(b',');
        }
        self.quoted(name);
        self.out.push(b':');
        self.quoted(text);
    }

    /// A member that is a list of texts.
    pub(crate) fn texts<'t>(&mut self, name: &str, texts: impl Iterator<Item = &'t str>) {
        self.name(name);
        self.out.push(b'[');
        for (position, text) in texts.enumerate() {
            if position > 0 {
                self.out.push(b',');
            }
            self.quoted(text);
        }
        self.out.push(b']');
    }

    /// A member that is a text of our own, which needs no escapes.
    pub(crate) fn word(&mut self, name: &str, word: &str) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b'"');
    }

    /// A member that is an integer.
    pub(crate) fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        self.digits(number);
    }

    /// A member that is an integer and may be below zero.
    pub(crate) fn signed(&mut self, name: &str, number: i64) {
        self.name(name);
        if number < 0 {
            self.out.push(b'-');
        }
        self.digits(number.unsigned_abs());
    }

    /// A member that is true or false.
    pub(crate) fn flag(&mut self, name: &str, flag: bool) {
        self.name(name);
        self.verbatim(if flag { "true" } else { "false" });
    }

    /// A member that is an id; the absent id is an empty text.
    pub(crate) fn id(&mut self, name: &str, id: &Xid) {
        self.name(name);
        self.out.push(b'"');
        if !id.is_none() {
            self.out.extend_from_slice(&id.to_text());
        }
        self.out.push(b'"');
    }

    /// A member that is a moment, RFC 3339 in UTC with six decimals; one that never was is `null`.
    pub(crate) fn moment(&mut self, name: &str, moment: Micros) {
        self.name(name);
        if moment.is_none() {
            return self.verbatim("null");
        }
        let Civil { year, month, day, hour, minute, second, microsecond, .. } = moment.civil();
        self.out.push(b'"');
        self.padded(year.unsigned_abs(), 4);
        for (mark, part) in [(b'-', month), (b'-', day), (b'T', hour), (b':', minute), (b':', second)] {
            self.out.push(mark);
            self.padded(part.into(), 2);
        }
        self.out.push(b'.');
        self.padded(microsecond, 6);
        self.out.extend_from_slice(b"Z\"");
    }

    /// A number with leading zeros.
    pub(crate) fn padded(&mut self, mut number: u32, width: usize) {
        let start = self.out.len();
        self.out.resize(start + width, b'0');
        for place in self.out[start..].iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }

    fn digits(&mut self, mut number: u64) {
        // Twenty digits hold the largest u64.
        let mut digits = [0; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[start..]);
    }

    /// A text between quotes, escaped as RFC 8259 wants it.
    pub(crate) fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            self.out.extend_from_slice(&rest[..at]);
            self.escaped(rest[at]);
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    fn escaped(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        match byte {
            b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
            b'\n' => self.out.extend_from_slice(b"\\n"),
            b'\r' => self.out.extend_from_slice(b"\\r"),
            b'\t' => self.out.extend_from_slice(b"\\t"),
            control => {
                self.out.extend_from_slice(b"\\u00");
                self.out.extend_from_slice(&[HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_another_parser_reads() {
        let texts = ["", "plain", "quote \" slash \\ tab \t line \n\r bell \u{7} nul \u{0}", "Zürich 東京 🂡", "</script>"];
        for text in texts {
            let mut writer = Writer::starting("{", 16);
            writer.text("a", text);
            writer.number("b", u64::MAX);
            writer.number("c", 0);
            writer.signed("d", i64::MIN);
            writer.flag("e", true);
            writer.object("f", |inner| inner.word("g", "h"));
            writer.moment("i", Micros(1_508_444_119_560_708));
            writer.moment("j", Micros::NONE);
            writer.verbatim("}");
            let read: serde_json::Value = serde_json::from_slice(&writer.finish()).unwrap();
            assert_eq!(read["a"], text);
            assert_eq!(read["b"], u64::MAX);
            assert_eq!(read["c"], 0);
            assert_eq!(read["d"], i64::MIN);
            assert_eq!(read["f"]["g"], "h");
            assert_eq!(read["i"], Micros(1_508_444_119_560_708).to_string());
            assert!(read["j"].is_null());
        }
    }
}
