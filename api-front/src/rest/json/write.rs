//! Answers, written straight into bytes: no tree of values in between, no allocation but the buffer's.

use protocol::calendar::{Civil, Micros};
use protocol::id::Xid;

/// How much is cleared at once: a few times for an answer, and little for nothing.
const STEP_BYTES: usize = 512;

/// Writes one JSON document. The caller opens and closes objects; commas are set here.
pub(crate) struct Writer {
    /// Zeros from `end` on. A piece is put into them whole: one look at how much room is left, not one for each of its parts.
    out: Vec<u8>,
    end: usize,
    /// Whether a comma stands before the next member.
    wants_comma: bool,
    stamp: Stamp,
}

impl Writer {
    /// Begins with what stands before the first value.
    pub(crate) fn starting(with: &str, capacity: usize) -> Writer {
        let mut writer = Writer { out: Vec::with_capacity(capacity), end: 0, wants_comma: false, stamp: Stamp::EPOCH };
        writer.verbatim(with);
        writer
    }

    /// The next bytes, to be filled.
    #[inline(always)]
    fn room(&mut self, bytes: usize) -> &mut [u8] {
        let (start, end) = (self.end, self.end + bytes);
        if end > self.out.len() {
            self.grow(end);
        }
        self.end = end;
        &mut self.out[start..end]
    }

    #[cold]
    fn grow(&mut self, end: usize) {
        self.out.resize(end.next_multiple_of(STEP_BYTES), 0);
    }

    /// Text that is JSON already, as it is.
    #[inline(always)]
    pub(crate) fn verbatim(&mut self, json: &str) {
        self.put(json.as_bytes());
        if let Some(last) = json.as_bytes().last() {
            self.wants_comma = !matches!(last, b'{' | b'[' | b',');
        }
    }

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    /// The finished bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.truncate(self.end);
        self.out
    }

    /// `"name":` with the comma that separates it from what stands before it. Names are our own and need no escapes. In line, so that
    /// a name known to the compiler is a few moves and no call.
    #[inline(always)]
    pub(crate) fn name(&mut self, name: &str) {
        self.separate();
        let (quoted, colon) = (name.len() + 2, name.len() + 3);
        let room = self.room(colon);
        room[0] = b'"';
        room[1..quoted - 1].copy_from_slice(name.as_bytes());
        room[quoted - 1..colon].copy_from_slice(b"\":");
    }

    /// A comma where something stands before the next member.
    #[inline(always)]
    fn separate(&mut self) {
        if self.wants_comma {
            self.push(b',');
        }
        self.wants_comma = true;
    }

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
    }

    /// A member that is an object, its members written by `members`.
    pub(crate) fn object(&mut self, name: &str, members: impl FnOnce(&mut Writer)) {
        self.name(name);
        self.verbatim("{");
        members(self);
        self.verbatim("}");
    }

    /// A member that is a text.
    #[inline(always)]
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.sent_text(name, text.as_bytes());
    }

    /// A member that is a text as a tail has it; what is no UTF-8 is shown as none.
    #[inline(always)]
    pub(crate) fn sent_text(&mut self, name: &str, text: &[u8]) {
        self.name(name);
        self.quoted(text);
    }

    /// A member that is a text, under a name from outside.
    pub(crate) fn named_text(&mut self, name: &str, text: &str) {
        self.separate();
        self.quoted(name.as_bytes());
        self.push(b':');
        self.quoted(text.as_bytes());
    }

    /// A member that is a list of texts.
    pub(crate) fn texts<'t>(&mut self, name: &str, texts: impl Iterator<Item = &'t str>) {
        self.name(name);
        self.push(b'[');
        for (position, text) in texts.enumerate() {
            if position > 0 {
                self.push(b',');
            }
            self.quoted(text.as_bytes());
        }
        self.push(b']');
    }

    /// A member that is a text of our own, which needs no escapes.
    #[inline(always)]
    pub(crate) fn word(&mut self, name: &str, word: &str) {
        self.name(name);
        self.between_quotes(word.as_bytes());
    }

    /// A member that is an integer.
    #[inline(always)]
    pub(crate) fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        self.digits(number);
    }

    /// A member that is an integer and may be below zero.
    pub(crate) fn signed(&mut self, name: &str, number: i64) {
        self.name(name);
        if number < 0 {
            self.push(b'-');
        }
        self.digits(number.unsigned_abs());
    }

    /// A member that is true or false.
    #[inline(always)]
    pub(crate) fn flag(&mut self, name: &str, flag: bool) {
        self.name(name);
        self.verbatim(if flag { "true" } else { "false" });
    }

    /// A member that is an id; the absent id is an empty text.
    #[inline(always)]
    pub(crate) fn id(&mut self, name: &str, id: &Xid) {
        self.name(name);
        self.id_text(id);
    }

    fn id_text(&mut self, id: &Xid) {
        if id.is_none() { self.between_quotes(b"") } else { self.between_quotes(&id.to_text()) }
    }

    /// A member that is a moment, RFC 3339 in UTC with six decimals; one that never was is `null`.
    #[inline(always)]
    pub(crate) fn moment(&mut self, name: &str, moment: Micros) {
        self.name(name);
        self.moment_text(moment);
    }

    fn moment_text(&mut self, moment: Micros) {
        if moment.is_none() {
            return self.verbatim("null");
        }
        self.stamp.move_to(moment);
        let text = self.stamp.text;
        self.put(&text);
    }

    /// A member that is a number with leading zeros, as a text.
    pub(crate) fn padded(&mut self, name: &str, number: u32, width: usize) {
        self.name(name);
        let room = self.room(width + 2);
        room[0] = b'"';
        fill(&mut room[1..=width], number);
        room[width + 1] = b'"';
    }

    fn digits(&mut self, mut number: u64) {
        // Most amounts of most payments are zero.
        if number < 10 {
            return self.push(b'0' + number as u8);
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
        self.put(&digits[start..]);
    }

    /// A text between quotes, escaped as RFC 8259 wants it; what is no UTF-8 is shown as none. Nearly every text is ASCII without
    /// anything to escape, and is seen to be both in one pass.
    fn quoted(&mut self, text: &[u8]) {
        if is_plain(text) {
            self.between_quotes(text);
        } else {
            self.escaped_text(std::str::from_utf8(text).unwrap_or(""));
        }
    }

    fn between_quotes(&mut self, text: &[u8]) {
        let last = text.len() + 1;
        let room = self.room(last + 1);
        room[0] = b'"';
        room[1..last].copy_from_slice(text);
        room[last] = b'"';
    }

    #[cold]
    fn escaped_text(&mut self, text: &str) {
        self.push(b'"');
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
            self.put(&rest[..at]);
            self.escaped(rest[at]);
            rest = &rest[at + 1..];
        }
        self.put(rest);
        self.push(b'"');
    }

    fn escaped(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        match byte {
            b'"' | b'\\' => self.put(&[b'\\', byte]),
            b'\n' => self.put(b"\\n"),
            b'\r' => self.put(b"\\r"),
            b'\t' => self.put(b"\\t"),
            control => {
                self.put(b"\\u00");
                self.put(&[HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]]);
            }
        }
    }
}

/// A moment as it is written, and its second: the moments of one answer are mostly of one second, and differ behind the point.
struct Stamp {
    second: i64,
    text: [u8; 29],
}

impl Stamp {
    const EPOCH: Stamp = Stamp { second: 0, text: *b"\"1970-01-01T00:00:00.000000Z\"" };

    fn move_to(&mut self, moment: Micros) {
        if moment.seconds() != self.second {
            let Civil { year, month, day, hour, minute, second, .. } = moment.civil();
            fill(&mut self.text[1..5], year.unsigned_abs());
            for (place, part) in [(6, month), (9, day), (12, hour), (15, minute), (18, second)] {
                fill(&mut self.text[place..place + 2], part.into());
            }
            self.second = moment.seconds();
        }
        fill(&mut self.text[21..27], moment.microsecond());
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

/// JSON has an escape for it, and wants it.
fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// True for ASCII of which nothing needs an escape. Eight bytes are looked at together, the last eight once more with what stands
/// before them.
fn is_plain(text: &[u8]) -> bool {
    let is_plain_eight = |eight: &[u8; 8]| {
        let eight = u64::from_le_bytes(*eight);
        !has_special(eight) && eight & (EACH << 7) == 0
    };
    match text.last_chunk::<8>() {
        Some(last) => text.as_chunks::<8>().0.iter().all(is_plain_eight) && is_plain_eight(last),
        None => text.iter().all(|byte| byte.is_ascii() && !needs_escape(*byte)),
    }
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

    fn written(text: &[u8]) -> Vec<u8> {
        let mut writer = Writer::starting("", 0);
        writer.quoted(text);
        writer.finish()
    }

    #[test]
    fn a_byte_to_escape_is_found_wherever_it_stands() {
        for special in (0..=127).filter(|byte| needs_escape(*byte)) {
            for (length, at) in (1..20).flat_map(|length| (0..length).map(move |at| (length, at))) {
                let mut text = vec![b'x'; length];
                assert_eq!(written(&text), [b"\"", &text[..], b"\""].concat());
                text[at] = special;
                let read: String = serde_json::from_slice(&written(&text)).unwrap();
                assert_eq!(read.as_bytes(), text, "{special} at {at} of {length}");
            }
        }
    }

    #[test]
    fn what_a_tail_has_that_is_no_text_is_shown_as_none() {
        for length in 1..20 {
            for at in 0..length {
                let mut text = vec![b'x'; length];
                text[at] = 0xff;
                assert_eq!(written(&text), b"\"\"", "at {at} of {length}");
            }
        }
        assert_eq!(written(b""), b"\"\"");
    }

    #[test]
    fn a_moment_is_written_as_its_own_whatever_was_written_before() {
        let of_one_second = [1_508_444_119_560_708, 1_508_444_119_000_001, 1_508_444_120_999_999, 1, -1, 1_508_444_119_560_708];
        let mut writer = Writer::starting("[", 0);
        for moment in of_one_second.map(Micros) {
            let start = writer.end;
            writer.moment_text(moment);
            assert_eq!(writer.out[start..writer.end], *format!("\"{moment}\"").as_bytes());
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
            "\t {",
            "\n,",
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
            writer.padded("l", 42, 6);
            writer.named_text(text, text);
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
            assert_eq!(read["l"], "000042");
            assert_eq!(read[text], text);
        }
    }
}
