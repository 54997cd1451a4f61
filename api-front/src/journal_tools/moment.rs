//! A moment of the past: the last record that counts, by its number or by the clock.

use super::ToolError;
use persistence::journal::{Reader, extent};
use protocol::calendar::Micros;
use protocol::record::Record;
use std::path::Path;
use std::str::FromStr;

/// Up to where a journal is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// This record, included.
    Lsn(u64),
    /// The last before the first that was decided later.
    At(Micros),
}

impl FromStr for Until {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Until, &'static str> {
        if let Ok(lsn) = text.parse() {
            return Ok(Until::Lsn(lsn));
        }
        let at: jiff::Timestamp = text.parse().map_err(|_| "must be an LSN or a moment such as 2026-11-21T12:00:00Z")?;
        Ok(Until::At(Micros(at.as_microsecond())))
    }
}

/// The LSN that a moment comes to in a journal; 0 for a moment before its first record.
pub fn last_lsn(folder: &Path, until: Until) -> Result<u64, ToolError> {
    let at = match until {
        Until::Lsn(lsn) => return Ok(lsn),
        Until::At(at) => at,
    };
    let Some(found) = extent(folder)?.found else { return Ok(0) };
    let mut reader = Reader::open(folder, found.first_lsn)?;
    while let Some((lsn, bytes)) = reader.next(found.last_lsn)? {
        let record = Record::parse(bytes).map_err(|error| ToolError::Record { lsn, error })?;
        if record.at() > at {
            return Ok(lsn - 1);
        }
    }
    Ok(found.last_lsn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_record_and_a_date_with_its_time_a_moment() {
        assert_eq!("7".parse(), Ok(Until::Lsn(7)));
        assert_eq!("1970-01-01T00:00:01.5Z".parse(), Ok(Until::At(Micros(1_500_000))));
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(Until::At(Micros(0))));
        for wrong in ["", "-1", "yesterday", "2026-11-21", "12:00"] {
            assert!(wrong.parse::<Until>().is_err(), "{wrong}");
        }
    }
}
