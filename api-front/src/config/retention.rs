//! `[journal]`, the part on what becomes of old segments.

use super::checked::in_bound;
use super::error::ConfigError;
use super::typed::TypedJournal;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Segments kept beside an archive unless configured: what a database that is put back from this day's copy needs, on most days.
const KEEP_SEGMENTS_DEFAULT: u32 = 4;
const KEEP_SEGMENTS_BOUND: RangeInclusive<u32> = 0..=1_000_000;

/// What becomes of segments whose records the database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionSettings {
    /// So many of them stay, the newest.
    pub keep_segments: u32,
    /// The others are moved here, into a folder named after the journal; without it they are removed.
    pub archive: Option<PathBuf>,
}

impl RetentionSettings {
    /// `None` when neither key is there: every segment stays.
    pub(super) fn check(typed: &TypedJournal) -> Result<Option<RetentionSettings>, ConfigError> {
        if typed.archive.is_none() && typed.keep_segments.is_none() {
            return Ok(None);
        }
        if typed.archive.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            return Err(ConfigError::value("journal.archive", "\"\"", "must be a folder"));
        }
        let keep_segments = typed.keep_segments.unwrap_or(KEEP_SEGMENTS_DEFAULT);
        let keep_segments = in_bound("journal.keep_segments", keep_segments, KEEP_SEGMENTS_BOUND)?;
        Ok(Some(RetentionSettings { keep_segments, archive: typed.archive.clone() }))
    }
}
