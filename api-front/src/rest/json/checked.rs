//! JSON that is passed over or kept as sent: read whole, nothing of it remembered.

use crate::rest::limits::PASSED_JSON_DEPTH_MAX;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Takes any value that the strictest of readers takes: no half of a surrogate pair, no number beyond a double, no endless
/// nesting. What travels along comes back in answers, and clients and their databases must be able to read those.
#[derive(Clone, Copy)]
pub(super) struct Checked {
    depth_left: u8,
}

/// Checks a text that is one value by JSON's grammar already. The complaint does not say where: the place in this text is not
/// the place in the body that it comes from.
pub(crate) fn check(json: &str) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Checked::whole().deserialize(&mut deserializer).map_err(|error| {
        let mut reason = error.to_string();
        reason.truncate(reason.rfind(" at line ").unwrap_or(reason.len()));
        reason
    })
}

impl Checked {
    pub(super) fn whole() -> Checked {
        Checked { depth_left: PASSED_JSON_DEPTH_MAX }
    }

    fn inner<E: Error>(self) -> Result<Checked, E> {
        let depth_left = self.depth_left.checked_sub(1);
        let too_deep = || E::custom(format_args!("lists and objects nested deeper than {PASSED_JSON_DEPTH_MAX}"));
        depth_left.map(|depth_left| Checked { depth_left }).ok_or_else(too_deep)
    }
}

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while list.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while map.next_key_seed(inner)?.is_some() {
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_readers_refuse_is_refused() {
        let depth = usize::from(PASSED_JSON_DEPTH_MAX);
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for json in [r#"{"a":["\ud83d\ude00",1.5e3,-1,null,true,"",{}]}"#, "\"x\"", "0", &deep(depth)] {
            assert!(check(json).is_ok(), "{json}");
        }
        for (json, reason) in [
            (r#""\ud800""#, "hex escape"),
            (r#"{"\udc00":1}"#, "surrogate"),
            ("[1e999]", "out of range"),
            (&deep(depth + 1), "nested deeper than 32"),
        ] {
            let error = check(json).unwrap_err();
            assert!(error.contains(reason) && !error.contains("line 1"), "{json}: {error}");
        }
    }
}
