//! A body's JSON as borrowed values, and scopes that take typed fields out of it and name what is wrong by its full path.
//!
//! `null` is an absent field, an empty text an unset one, unknown fields are passed over, of a field sent twice the last holds.

use super::checked::{Checked, check};
use crate::rest::limits::{LIST_ITEMS_MAX, OBJECT_FIELDS_MAX, TRAVELLING_JSON_MAX_BYTES};
use crate::rest::problem::Problem;
use protocol::limits::AMOUNT_MAX_MINOR;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Fields that travel along and come back as sent: their text is kept, not their values.
const RAW_FIELDS: [&str; 3] = ["custom_fields", "line_items", "descriptor"];

/// Fields of an object that room is made for beforehand.
const USUAL_FIELDS: usize = 12;

/// One value. A fraction is a percentage or nothing of ours, and has few enough digits to be told exactly.
#[derive(Clone)]
enum Node<'a> {
    Null,
    Flag(bool),
    Integer(u64),
    Negative(i64),
    Fraction(f64),
    Text(Cow<'a, str>),
    /// The first items only: one more than are accepted, so that too many are noticed. The rest is checked and passed over.
    List(Vec<Node<'a>>),
    Object(Object<'a>),
    Raw(&'a str),
}

#[derive(Clone, Default)]
struct Object<'a> {
    fields: Vec<(Cow<'a, str>, Node<'a>)>,
    /// The bits of their names: most look-ups are for fields that were not sent, and end here.
    names: u64,
}

impl<'a> Object<'a> {
    fn push(&mut self, name: Cow<'a, str>, node: Node<'a>) {
        self.names |= bit_of(&name);
        self.fields.push((name, node));
    }

    #[inline]
    fn get(&self, name: &str) -> Option<&Node<'a>> {
        if self.names & bit_of(name) == 0 { None } else { self.find(name) }
    }

    fn find(&self, name: &str) -> Option<&Node<'a>> {
        self.fields.iter().rev().find(|(found, _)| found == name).map(|(_, node)| node)
    }
}

/// One of 64 bits for a name, by what mostly tells names apart: length and both ends.
#[inline]
fn bit_of(name: &str) -> u64 {
    let ends = match name.as_bytes() {
        [first, .., last] => 5 * usize::from(*first) + 11 * usize::from(*last),
        _ => 0,
    };
    1 << ((ends + name.len()) % 64)
}

/// A whole body: a JSON object.
pub struct Document<'a>(Object<'a>);

impl<'a> Document<'a> {
    /// Reads a body. Empty bytes are an empty object: captures, voids and refunds need no body.
    pub fn read(bytes: &'a [u8]) -> Result<Document<'a>, Problem> {
        let text = std::str::from_utf8(bytes).map_err(|error| Problem::NotUtf8 { at: error.valid_up_to() })?;
        if text.trim_ascii().is_empty() {
            return Ok(Document(Object::default()));
        }
        let node: Node<'a> = serde_json::from_str(text).map_err(|error| Problem::Malformed { reason: error.to_string() })?;
        match node {
            Node::Object(object) => Ok(Document(object)),
            Node::Null => Ok(Document(Object::default())),
            other => Err(Problem::invalid("body", format!("must be a JSON object, got {}", other.kind()))),
        }
    }

    /// The body's own fields.
    pub fn scope(&self) -> Scope<'_, 'a> {
        Scope { object: Some(&self.0), prefix: "", place: None }
    }
}

/// The fields of one object of a body, or of an object that was not sent: all its fields are absent.
#[derive(Clone, Copy)]
pub struct Scope<'n, 'a> {
    object: Option<&'n Object<'a>>,
    /// What stands before a field's name in a message: `payment_method.card.`
    prefix: &'static str,
    /// Of an object in a list: its place there, which stands for the `#` of the prefix.
    place: Option<usize>,
}

impl<'n, 'a> Scope<'n, 'a> {
    #[inline]
    fn get(&self, name: &str) -> Option<&'n Node<'a>> {
        self.object?.get(name).filter(|node| !matches!(node, Node::Null))
    }

    /// True when the field is there and not `null`, of whatever type.
    #[inline]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The complaint about a field of this scope.
    pub fn invalid(&self, name: &str, reason: impl Into<Cow<'static, str>>) -> Problem {
        let prefix = match self.place {
            None => Cow::Borrowed(self.prefix),
            Some(place) => self.prefix.replacen('#', &place.to_string(), 1).into(),
        };
        Problem::invalid(format!("{prefix}{name}"), reason)
    }

    fn wrong_type(&self, name: &str, wanted: &str, node: &Node<'_>) -> Problem {
        self.invalid(name, format!("must be {wanted}, got {}", node.kind()))
    }

    /// A text; an empty one is an unset one.
    pub fn text(&self, name: &str) -> Result<Option<&'n str>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text.as_ref()).filter(|text| !text.is_empty())),
            Some(other) => Err(self.wrong_type(name, "a text", other)),
        }
    }

    /// A count or a number of seconds: an integer of at least zero.
    pub fn integer(&self, name: &str) -> Result<Option<u64>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Node::Integer(number)) => Ok(Some(*number)),
            Some(other) => Err(self.wrong_type(name, "an integer of at least 0", other)),
        }
    }

    /// An integer that may be below zero.
    pub fn signed(&self, name: &str) -> Result<Option<i64>, Problem> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Node::Negative(number)) => Some(*number),
            Some(Node::Integer(number)) => i64::try_from(*number).ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| self.invalid(name, "must be an integer"))
    }

    /// The digits of a number that may have decimals: the document writes it as a text, some write a number. An empty text is an unset one.
    pub fn digits(&self, name: &str) -> Result<Option<Cow<'n, str>>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(Cow::Borrowed(text.as_ref())).filter(|text| !text.is_empty())),
            Some(Node::Integer(number)) => Ok(Some(number.to_string().into())),
            Some(Node::Negative(number)) => Ok(Some(number.to_string().into())),
            // As few digits as tell it from its neighbours: those that were sent, up to fifteen.
            Some(Node::Fraction(number)) => Ok(Some(number.to_string().into())),
            Some(other) => Err(self.wrong_type(name, "a number", other)),
        }
    }

    /// An amount in minor units.
    pub fn amount(&self, name: &str) -> Result<Option<u64>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Node::Integer(amount)) if *amount <= AMOUNT_MAX_MINOR => Ok(Some(*amount)),
            Some(Node::Integer(_)) => Err(self.invalid(name, format!("must be at most {AMOUNT_MAX_MINOR}"))),
            Some(other) => Err(self.wrong_type(name, "an integer of at least 0 in minor units (1299 is 12.99)", other)),
        }
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Node::Flag(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong_type(name, "true or false", other)),
        }
    }

    /// The fields of an object in this one. `prefix` is its full path with the dot behind it.
    pub fn object(&self, name: &str, prefix: &'static str) -> Result<Scope<'n, 'a>, Problem> {
        match self.get(name) {
            None => Ok(Scope { object: None, prefix, place: self.place }),
            Some(Node::Object(object)) => Ok(Scope { object: Some(object), prefix, place: self.place }),
            Some(other) => Err(self.wrong_type(name, "an object", other)),
        }
    }

    /// The objects of a list. `prefix` is the full path of a field in one of them up to its name: `add_ons[#].`
    pub fn objects(&self, name: &str, prefix: &'static str, items_max: usize) -> Result<Option<Vec<Scope<'n, 'a>>>, Problem> {
        let items = match self.get(name) {
            None => return Ok(None),
            Some(Node::List(items)) => items,
            Some(other) => return Err(self.wrong_type(name, "a list", other)),
        };
        if items.len() > items_max {
            return Err(self.invalid(name, format!("must have at most {items_max} items")));
        }
        let scope = |(place, item): (usize, &'n Node<'a>)| match item {
            Node::Object(object) => Ok(Scope { object: Some(object), prefix, place: Some(place) }),
            other => Err(self.wrong_type(name, "a list of objects", other)),
        };
        items.iter().enumerate().map(scope).collect::<Result<_, _>>().map(Some)
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str, items_max: usize) -> Result<Option<Vec<&'n str>>, Problem> {
        let items = match self.get(name) {
            None => return Ok(None),
            Some(Node::List(items)) => items,
            Some(other) => return Err(self.wrong_type(name, "a list", other)),
        };
        if items.len() > items_max {
            return Err(self.invalid(name, format!("must have at most {items_max} items")));
        }
        let text = |item: &'n Node<'a>| match item {
            Node::Text(text) => Ok(&text[..]),
            other => Err(self.wrong_type(name, "a list of texts", other)),
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// The text of a value that comes back as sent, one of `RAW_FIELDS`. `openers` are the characters it may begin with.
    pub fn raw(&self, name: &str, openers: &str, wanted: &str) -> Result<Option<&'a str>, Problem> {
        let raw = match self.get(name) {
            None => return Ok(None),
            Some(Node::Raw(raw)) => *raw,
            Some(other) => return Err(self.wrong_type(name, wanted, other)),
        };
        if !raw.starts_with(|first| openers.contains(first)) {
            return Err(self.invalid(name, format!("must be {wanted}")));
        }
        if raw.len() > TRAVELLING_JSON_MAX_BYTES {
            return Err(self.invalid(name, format!("must be at most {TRAVELLING_JSON_MAX_BYTES} bytes of JSON")));
        }
        Ok(Some(raw).filter(|raw| *raw != "\"\""))
    }
}

impl Node<'_> {
    /// Names the type and never the value, which may be a card number in the wrong place.
    fn kind(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Flag(_) => "a boolean",
            Node::Integer(_) => "a number",
            Node::Negative(_) | Node::Fraction(_) => "a number that is negative, fractional or too large",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Object(_) => "an object",
            Node::Raw(_) => "JSON",
        }
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

/// Accepts every value, so that a type is complained about where its path is known.
impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node<'de>, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(Node::Integer(number))
    }

    fn visit_i64<E>(self, negative: i64) -> Result<Node<'de>, E> {
        Ok(Node::Negative(negative))
    }

    fn visit_f64<E>(self, fraction: f64) -> Result<Node<'de>, E> {
        Ok(Node::Fraction(fraction))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while items.len() <= LIST_ITEMS_MAX {
            match list.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(Node::List(items)),
            }
        }
        while list.next_element_seed(Checked::whole())?.is_some() {}
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut object = Object { fields: Vec::with_capacity(USUAL_FIELDS), names: 0 };
        while let Some(Name(name)) = map.next_key()? {
            if object.fields.len() == OBJECT_FIELDS_MAX {
                return Err(A::Error::custom(format_args!("more than {OBJECT_FIELDS_MAX} fields in one object")));
            }
            let node = if RAW_FIELDS.contains(&name.as_ref()) { raw_value(&name, &mut map)? } else { map.next_value()? };
            object.push(name, node);
        }
        Ok(Node::Object(object))
    }
}

fn raw_value<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Node<'de>, A::Error> {
    let raw = map.next_value::<&'de RawValue>()?.get();
    check(raw).map_err(|error| A::Error::custom(format_args!("{name}: {error}")))?;
    Ok(if raw == "null" { Node::Null } else { Node::Raw(raw) })
}

/// A field's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
