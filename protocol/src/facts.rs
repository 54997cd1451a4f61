//! Facts: what a processor's answer says beside the money, as the fields of a tail, and the lists and pairs inside such fields.
//!
//! A connector makes them with [`Facts`], the shard lays them over the transaction's tail, a view reads them. No decision depends on
//! them, so what does not fit is left out rather than refused. Readers give what is well formed, up to the first byte that is not.

use crate::limits::{TAIL_FIELD_MAX_BYTES, TAIL_MAX_BYTES};
use crate::tail;

/// Longest item of a list, and longest name of a pair, in bytes: their length is one byte.
pub const ITEM_MAX_BYTES: usize = u8::MAX as usize;

/// Fields of an answer, collected in any order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Facts(Vec<(u16, Vec<u8>)>);

impl Facts {
    /// None yet.
    pub fn new() -> Facts {
        Facts::default()
    }

    /// Adds a field as it stands. Empty values, and values longer than a field may be, are left out; of one tag the last holds.
    pub fn bytes(&mut self, tag: u16, value: &[u8]) -> &mut Facts {
        self.0.retain(|(known, _)| *known != tag);
        if (1..=TAIL_FIELD_MAX_BYTES).contains(&value.len()) {
            self.0.push((tag, value.to_vec()));
        }
        self
    }

    /// Adds a text.
    pub fn text(&mut self, tag: u16, value: &str) -> &mut Facts {
        self.bytes(tag, value.as_bytes())
    }

    /// Adds a number.
    pub fn number(&mut self, tag: u16, value: u64) -> &mut Facts {
        self.bytes(tag, &value.to_le_bytes())
    }

    /// Adds a list. Items longer than [`ITEM_MAX_BYTES`] are left out, and those after the field's bound.
    pub fn list<'i>(&mut self, tag: u16, items: impl IntoIterator<Item = &'i str>) -> &mut Facts {
        let mut value = Vec::new();
        for item in items.into_iter().filter(|item| item.len() <= ITEM_MAX_BYTES) {
            if value.len() + 1 + item.len() > TAIL_FIELD_MAX_BYTES {
                break;
            }
            value.push(item.len() as u8);
            value.extend_from_slice(item.as_bytes());
        }
        self.bytes(tag, &value)
    }

    /// Adds pairs of name and value, in their order. Those whose name is longer than [`ITEM_MAX_BYTES`] are left out, and those
    /// after the field's bound.
    pub fn pairs<'i>(&mut self, tag: u16, pairs: impl IntoIterator<Item = (&'i str, &'i str)>) -> &mut Facts {
        let mut value = Vec::new();
        for (name, text) in pairs.into_iter().filter(|(name, _)| name.len() <= ITEM_MAX_BYTES) {
            if value.len() + 3 + name.len() + text.len() > TAIL_FIELD_MAX_BYTES {
                break;
            }
            value.push(name.len() as u8);
            value.extend_from_slice(name.as_bytes());
            value.extend_from_slice(&(text.len() as u16).to_le_bytes());
            value.extend_from_slice(text.as_bytes());
        }
        self.bytes(tag, &value)
    }

    /// The fields as a tail, tags ascending. When all together are longer than a tail may be, the longest are left out.
    pub fn finish(&self) -> Vec<u8> {
        let mut fields: Vec<&(u16, Vec<u8>)> = self.0.iter().collect();
        fields.sort_by_key(|(_, value)| value.len());
        let mut left = TAIL_MAX_BYTES;
        fields.retain(|(_, value)| {
            let length = tail::FIELD_HEADER_BYTES + value.len();
            let fits = length <= left;
            left -= if fits { length } else { 0 };
            fits
        });
        fields.sort_by_key(|(tag, _)| *tag);
        let mut bytes = Vec::with_capacity(TAIL_MAX_BYTES - left);
        for (tag, value) in fields {
            tail::push(&mut bytes, *tag, value);
        }
        bytes
    }
}

/// The items of a list field.
pub fn items(mut value: &[u8]) -> impl Iterator<Item = &str> {
    core::iter::from_fn(move || {
        let (length, rest) = value.split_first()?;
        let (item, rest) = rest.split_at_checked(usize::from(*length))?;
        value = rest;
        core::str::from_utf8(item).ok()
    })
}

/// The names and values of a field of pairs.
pub fn pairs(mut value: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    core::iter::from_fn(move || {
        let (name_length, rest) = value.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*name_length))?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        value = rest;
        Some((core::str::from_utf8(name).ok()?, core::str::from_utf8(text).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::{Tail, tag};

    #[test]
    fn lists_and_pairs_read_back_in_their_order() {
        let mut facts = Facts::new();
        facts.pairs(tag::PROCESSOR_FIELDS, [("TableNum", "7"), ("ClerkID", "")]);
        facts.list(tag::RESULT_CODES, ["0", "NSF"]).text(tag::PROCESSOR_TEXT, "HELD");
        let bytes = facts.finish();
        let tail = Tail::parse(&bytes).unwrap();
        assert_eq!(tail.text(tag::PROCESSOR_TEXT), "HELD");
        assert_eq!(items(tail.get(tag::RESULT_CODES).unwrap()).collect::<Vec<_>>(), ["0", "NSF"]);
        let fields = tail.get(tag::PROCESSOR_FIELDS).unwrap();
        assert_eq!(fields[..9], *b"\x08TableNum");
        assert_eq!(pairs(fields).collect::<Vec<_>>(), [("TableNum", "7"), ("ClerkID", "")]);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let long = "x".repeat(TAIL_FIELD_MAX_BYTES);
        let mut facts = Facts::new();
        facts.text(96, &long).text(110, &long[..TAIL_FIELD_MAX_BYTES - 1]).text(111, "short").text(112, &format!("{long}y"));
        facts.text(113, "").list(97, [&long[..256], "held"]);
        let bytes = facts.finish();
        let tail = Tail::parse(&bytes).unwrap();
        let tags: Vec<u16> = tail.fields().map(|(tag, _)| tag).collect();
        assert_eq!(tags, [97, 110, 111]);
        assert_eq!(items(tail.get(97).unwrap()).collect::<Vec<_>>(), ["held"]);
        assert_eq!(facts.text(111, "other").finish().len(), bytes.len(), "of one tag the last holds");
    }

    #[test]
    fn readers_stop_at_the_first_byte_that_is_wrong() {
        assert_eq!(items(b"\x01a\x05bc").collect::<Vec<_>>(), ["a"]);
        assert_eq!(items(b"\x01a\x01\xff\x01b").collect::<Vec<_>>(), ["a"]);
        assert_eq!(pairs(b"\x01a\x01\x00b\x01").collect::<Vec<_>>(), [("a", "b")]);
        assert_eq!(pairs(b"\x01a\xff\xffb").count(), 0);
        assert_eq!(pairs(b"").count() + items(b"").count(), 0);
    }
}
