//! A change of the configuration at run time: which rules, routes, processors and merchants were in force when; and what an operator has
//! done beside.

use crate::id::Xid;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Layout number of [`Change`].
pub const CHANGE_LAYOUT: u16 = 1;
/// Largest part of a change's text, in bytes; a longer text is several records of one turn.
pub const CHANGE_PART_MAX_BYTES: usize = 48 * 1024;
/// Parts of one change at most: with all of them a turn is still one write of the journal.
pub const CHANGE_PARTS_MAX: usize = 16;
/// Longest name of whoever makes changes, in bytes.
pub const CHANGED_BY_MAX_BYTES: usize = 20;

/// What was changed. Numbers are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Area {
    /// The table of rules, whole.
    Rules = 1,
    /// The table of routes, whole.
    Routes = 2,
    /// One processor.
    Processor = 3,
    /// One merchant.
    Merchant = 4,
    /// Nothing: something was done that changes no configuration, and this says what.
    Action = 16,
}

impl Area {
    /// From the number in the layout.
    pub fn from_number(number: u8) -> Option<Area> {
        let all = [Area::Rules, Area::Routes, Area::Processor, Area::Merchant, Area::Action];
        all.into_iter().find(|area| *area as u8 == number)
    }

    /// The word in the APIs.
    pub const fn word(self) -> &'static str {
        match self {
            Area::Rules => "rules",
            Area::Routes => "routes",
            Area::Processor => "processor",
            Area::Merchant => "merchant",
            Area::Action => "action",
        }
    }
}

/// Who made a change: a name in UTF-8, padded with zeros; empty where nobody was told apart.
#[derive(Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct ChangedBy([u8; CHANGED_BY_MAX_BYTES]);

impl ChangedBy {
    /// Whoever holds the operator's key.
    pub const OPERATOR_KEY: ChangedBy = ChangedBy(*b"operator key\0\0\0\0\0\0\0\0");

    /// From a name. `None` when it is longer than [`CHANGED_BY_MAX_BYTES`] or has a zero byte in it.
    pub fn of(name: &str) -> Option<ChangedBy> {
        let mut bytes = [0; CHANGED_BY_MAX_BYTES];
        bytes.get_mut(..name.len()).filter(|_| !name.contains('\0'))?.copy_from_slice(name.as_bytes());
        Some(ChangedBy(bytes))
    }

    /// The name; empty for none.
    pub fn name(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

impl std::fmt::Debug for ChangedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.name())
    }
}

/// One part of a change, 64 bytes, little-endian. The text, JSON in the form of the operator's API, follows at once: what is
/// in force from here on, whole; of an action what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Change {
    /// [`CHANGE_LAYOUT`].
    pub layout: U16,
    /// [`Area`].
    pub area: u8,
    /// Zero.
    pub reserved: u8,
    /// Counts the changes of the switch from 1, of whatever area.
    pub version: U32,
    /// Its id.
    pub id: Xid,
    /// The processor or merchant, or what an action was done to; none for a table.
    pub subject: Xid,
    /// Version of the change that this one takes back; 0 when it takes none back.
    pub undoes: U32,
    /// From 0.
    pub part: U16,
    /// How many there are.
    pub parts: U16,
    /// Bytes of text that follow.
    pub length: U32,
    /// Who made it.
    pub by: ChangedBy,
}

const _: () = assert!(size_of::<Change>() == 64);
const _: () = assert!(
    size_of::<crate::record::RecordHeader>() + size_of::<Change>() + CHANGE_PART_MAX_BYTES + 8 <= crate::limits::RECORD_MAX_BYTES
);

impl Change {
    /// Reads a part and its text from the body of a record. `None` when the bytes can't be one.
    pub fn parse(bytes: &[u8]) -> Option<(&Change, &[u8])> {
        let (change, rest) = Change::ref_from_prefix(bytes).ok()?;
        let sound =
            change.layout.get() == CHANGE_LAYOUT && change.part < change.parts && Area::from_number(change.area).is_some();
        let text = rest.get(..change.length.get() as usize)?;
        sound.then_some((change, text))
    }

    /// What was changed.
    ///
    /// # Panics
    /// When the number is none of ours: [`Change::parse`] has refused such bytes.
    pub fn area(&self) -> Area {
        Area::from_number(self.area).expect("a change's area is checked when it is read")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    fn part(length: u32) -> Change {
        let (layout, area) = (CHANGE_LAYOUT.into(), Area::Rules as u8);
        Change { layout, area, parts: 1.into(), length: length.into(), ..Change::new_zeroed() }
    }

    #[test]
    fn a_part_reads_back_and_padding_is_not_text() {
        let bytes = [part(2).as_bytes(), b"[]\0\0\0\0\0\0"].concat();
        let (read, text) = Change::parse(&bytes).unwrap();
        assert_eq!((read, text, read.area().word()), (&part(2), &b"[]"[..], "rules"));
    }

    #[test]
    fn a_name_reads_back_and_one_that_is_too_long_is_none() {
        for name in ["", "ann", "zoë", "twenty bytes, not 21"] {
            assert_eq!(ChangedBy::of(name).unwrap().name(), name);
        }
        assert_eq!([ChangedBy::of("twenty-one bytes long"), ChangedBy::of("a\0b")], [None, None]);
        assert_eq!(ChangedBy::OPERATOR_KEY.name(), "operator key");
    }

    #[test]
    fn bytes_that_are_no_part_are_refused() {
        assert_eq!(Change::parse(&part(1).as_bytes()[..63]), None);
        assert_eq!(Change::parse(part(1).as_bytes()), None);
        for wrong in
            [Change { area: 9, ..part(0) }, Change { layout: 2.into(), ..part(0) }, Change { parts: 0.into(), ..part(0) }]
        {
            assert_eq!(Change::parse(wrong.as_bytes()), None);
        }
    }
}
