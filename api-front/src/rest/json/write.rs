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

    /// `"name":` with the comma that separates it from what stands before it. Names are our own and need no escapes. In line, so that
    /// a name known to the compiler is a few moves and no call.
    #[inline(always)]
    pub(crate) fn name(&mut self, name: &str) {
        self.out.reserve(name.len() + 4);
        self.out.extend_from_slice(self.begin_member());
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// The quote before a name, with a comma where something stands before it.
    fn begin_member(&self) -> &'static [u8] {
        if matches!(self.out.last(), None | Some(b'{' | b'[' | b',')) { b"\"" } else { b",\"" }
    }

    /// A member that is an object, its members written by `members`.
    pub(crate) fn object(&mut self, name: &str, members: impl FnOnce(&mut Writer)) {
        self.name(name);
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
    }

    /// A member that is a text.
    #[inline(always)]
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.quoted(text);
    }

    /// A member that is a text as a tail has it; what is no UTF-8 is shown as none.
    #[inline(always)]
    pub(crate) fn sent_text(&mut self, name: &str, text: &[u8]) {
        self.name(name);
        self.quoted_bytes(text);
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
        let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
        fill(&mut text[1..5], year.unsigned_abs());
        for (place, part) in [(6, month), (9, day), (12, hour), (15, minute), (18, second)] {
            fill(&mut text[place..place + 2], part.into());
        }
        fill(&mut text[21..27], microsecond);
        self.out.extend_from_slice(&text);
    }

    /// A number with leading zeros.
    pub(crate) fn padded(&mut self, number: u32, width: usize) {
        let start = self.out.len();
        self.out.resize(start + width, b'0');
        fill(&mut self.out[start..], number);
    }

    fn digits(&mut self, mut number: u64) {
        // Most amounts of most payments are zero.
        if number < 10 {
            return self.out.push(b'0' + number as u8);
        }
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
        if text.is_empty() {
            return self.out.extend_from_slice(b"\"\"");
        }
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        let mut rest = text.as_bytes();
        while let Some(at) = first_special(rest) {
            self.out.extend_from_slice(&rest[..at]);
            self.escaped(rest[at]);
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    /// Nearly every text is ASCII without anything to escape, and is seen to be both in one pass.
    fn quoted_bytes(&mut self, text: &[u8]) {
        if !is_plain(text) {
            return self.quoted(std::str::from_utf8(text).unwrap_or(""));
        }
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(text);
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

/// A one in each of eight bytes.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Writes a number's digits from the right, as many as there are places.
fn fill(places: &mut [u8], mut number: u32) {
    for place in places.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Where the first byte stands that needs an escape. Nearly no text has one, so eight bytes are looked at together.
fn first_special(text: &[u8]) -> Option<usize> {
    let (eights, rest) = text.as_chunks::<8>();
    let clean = eights.iter().take_while(|eight| !has_special(u64::from_le_bytes(**eight))).count() * 8;
    if clean < eights.len() * 8 || !rest.is_empty() {
        let among = text[clean..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        return among.map(|at| clean + at);
    }
    None
}

/// True for ASCII of which nothing needs an escape.
fn is_plain(text: &[u8]) -> bool {
    let (eights, rest) = text.as_chunks::<8>();
    let is_plain_eight = |eight: &[u8; 8]| {
        let eight = u64::from_le_bytes(*eight);
        !has_special(eight) && eight & (EACH << 7) == 0
    };
    eights.iter().all(is_plain_eight) && rest.iter().all(|byte| matches!(byte, 0x20..0x80) && !matches!(byte, b'"' | b'\\'))
}

/// Whether one of eight bytes needs an escape: in each byte's highest bit the subtraction borrows where the byte is below what is
/// subtracted.
fn has_special(eight: u64) -> bool {
    let below = |bytes: u64, bound: u8| bytes.wrapping_sub(EACH * u64::from(bound)) & !bytes;
    let is = |byte: u8| below(eight ^ (EACH * u64::from(byte)), 1);
    (below(eight, 0x20) | is(b'"') | is(b'\\')) & (EACH << 7) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_to_escape_is_found_wherever_it_stands() {
        for special in (0..=255).filter(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            for (length, at) in (1..20).flat_map(|length| (0..length).map(move |at| (length, at))) {
                let mut text = vec![0x80 | special; length];
                assert_eq!(first_special(&text), None);
                text[at] = special;
                assert_eq!(first_special(&text), Some(at), "{special} at {at} of {length}");
            }
        }
    }

    #[test]
    fn what_a_tail_has_that_is_no_text_is_shown_as_none() {
        let written = |bytes: &[u8]| {
            let mut writer = Writer::starting("", 16);
            writer.quoted_bytes(bytes);
            writer.finish()
        };
        for (bytes, shown) in
            [(&b"plain, and long"[..], "\"plain, and long\""), (b"\xff", "\"\""), (b"12345678\xff", "\"\""), (b"", "\"\"")]
        {
            assert_eq!(written(bytes), shown.as_bytes());
        }
        for byte in (0..0x20).chain(*b"\"\\") {
            assert_ne!(written(&[byte]), [b'"', byte, b'"']);
            assert_ne!(written(&[&b"12345678"[..], &[byte]].concat()), [&b"\"12345678"[..], &[byte, b'"']].concat());
        }
    }

    #[test]
    fn what_is_written_is_what_another_parser_reads() {
        let texts = [
            "",
            "plain",
            "exactly8",
            "eight by eight!!\n",
            "\u{80}\u{ff}\u{7f}\u{20} nothing special",
            "quote \" slash \\ tab \t line \n\r bell \u{7} nul \u{0}",
            "Zürich 東京 🂡",
            "</script>",
        ];
        for text in texts {
            let mut writer = Writer::starting("{", 16);
            writer.text("a", text);
            writer.sent_text("k", text.as_bytes());
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
            assert_eq!(read["k"], text);
            assert_eq!(read["b"], u64::MAX);
            assert_eq!(read["c"], 0);
            assert_eq!(read["d"], i64::MIN);
            assert_eq!(read["f"]["g"], "h");
            assert_eq!(read["i"], Micros(1_508_444_119_560_708).to_string());
            assert!(read["j"].is_null());
        }
    }
}
