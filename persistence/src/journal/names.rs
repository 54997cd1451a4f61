//! Names of the files in the journal's folder.

/// Held locked by the one process that writes.
pub(super) const LOCK: &str = "LOCK";

const PREFIX: &str = "journal-";
const SUFFIX: &str = ".seg";
const DIGITS: usize = 10;

/// The file of segment `number`; names sort as numbers do.
pub(super) fn segment(number: u32) -> String {
    format!("{PREFIX}{number:0DIGITS$}{SUFFIX}")
}

/// The name under which segment `number` is pre-written, before it takes its place by a rename.
pub(super) fn unfinished(number: u32) -> String {
    format!("{}.tmp", segment(number))
}

/// The name under which a segment is copied to an archive, before it takes its place by a rename.
pub(super) fn unfinished_copy(name: &str) -> String {
    format!("{name}.part")
}

/// The number in a segment's name; `None` for every other file.
pub(super) fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| plain && *number > 0)
}

/// Whether a crash left this behind while a segment was being pre-written.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".tmp").and_then(number).is_some()
}
