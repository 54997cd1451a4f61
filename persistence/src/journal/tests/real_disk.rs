//! The real file system: direct and cached, locked, and really full.

use std::path::Path;

use super::{SEGMENT, records};
use crate::journal::{AppendError, Archivist, JournalError, Log, LogOptions, OsDisk, Reader, Space, verify, verify_with};

fn options() -> LogOptions {
    LogOptions { segment_bytes: SEGMENT, segments_ahead: 1, free_bytes_min: 0, ..LogOptions::default() }
}

fn fill(log: &mut Log<OsDisk>, groups: u32) -> Result<(), AppendError> {
    for _ in 0..groups {
        let group = records(log.last_lsn() + 1, 5, 700);
        log.append_group(&[(&group, 5)])?;
    }
    Ok(())
}

#[test]
fn direct_and_cached_journals_read_the_same() {
    for cached in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(folder.path()).unwrap();
        let disk = if cached { disk.through_page_cache() } else { disk };
        let (mut log, first) = Log::open(disk, options(), |_, _| {}).unwrap();
        fill(&mut log, 50).unwrap();
        drop(log);
        let mut seen = 0;
        let (_, recovered) = Log::open(OsDisk::open(folder.path()).unwrap(), options(), |lsn, _| seen = lsn).unwrap();
        assert_eq!((seen, recovered.last_lsn, recovered.journal_id), (250, 250, first.journal_id));
        let mut reader = Reader::open(folder.path(), 100).unwrap();
        assert_eq!(reader.next(250).unwrap().map(|(lsn, _)| lsn), Some(100));
    }
}

#[test]
fn two_openings_of_one_folder_exclude_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(OsDisk::open(folder.path()).unwrap(), options(), |_, _| {}).unwrap();
    let second = Log::open(OsDisk::open(folder.path()).unwrap(), options(), |_, _| {});
    assert!(matches!(second, Err(JournalError::Locked)));
    assert!(verify(folder.path()).unwrap().in_use);
    drop(log);
    assert!(!verify(folder.path()).unwrap().in_use);
}

#[test]
fn segments_move_to_the_archive_on_a_real_disk_and_come_back() {
    let (folder, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut log, _) = Log::open(OsDisk::open(folder.path()).unwrap(), options(), |_, _| {}).unwrap();
    fill(&mut log, 60).unwrap();
    drop(log);
    let archivist = Archivist::open(folder.path(), Some(archive.path())).unwrap();
    let mut retired = Vec::new();
    while let Some(segment) = archivist.retire_one(200, 0).unwrap() {
        retired.push(segment);
    }
    assert!(retired.len() >= 2 && retired.iter().all(|segment| segment.last_lsn <= 200), "{retired:?}");
    let open = |replay_after| {
        let options = LogOptions { replay_after, ..options() };
        Log::open(OsDisk::open(folder.path()).unwrap(), options, |_, _| {}).map(|(_, recovered)| recovered)
    };
    assert_eq!(open(200).unwrap().last_lsn, 300);
    let missing = open(0).unwrap_err().to_string();
    assert!(missing.contains("LSN 1 is wanted") && missing.contains("put the archived segments back"), "{missing}");
    for segment in &retired {
        std::fs::copy(archive.path().join(&segment.name), folder.path().join(&segment.name)).unwrap();
    }
    assert_eq!(open(0).unwrap().records, 300);
}

#[test]
fn a_journal_that_is_written_and_archived_meanwhile_verifies_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(OsDisk::open(folder.path()).unwrap(), options(), |_, _| {}).unwrap();
    let archivist = Archivist::open(folder.path(), None).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for _ in 0..60 {
                fill(&mut log, 10).unwrap();
                archivist.retire_one(log.last_lsn() - 200.min(log.last_lsn()), 2).unwrap();
            }
        });
        let mut rounds = 0;
        while !writer.is_finished() || rounds == 0 {
            let mut visited = 0;
            let report = verify_with(folder.path(), |lsn, _| {
                assert!(visited == 0 || lsn == visited + 1, "LSN {lsn} after {visited}");
                visited = lsn;
            });
            match report {
                Ok(report) => assert!(report.found.is_some_and(|found| visited <= found.last_lsn)),
                Err(JournalError::Archived { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            rounds += 1;
        }
    });
    assert_eq!(verify(folder.path()).unwrap().found.unwrap().last_lsn, 3_000);
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(OsDisk::open(folder.path()).unwrap(), options(), |_, _| {}).unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    drop(log);
}

/// A small tmpfs, gone with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` without the right to mount; `full_disk.rs` asks the same of a disk in memory, always.
    fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let c = |text: String| std::ffi::CString::new(text).unwrap();
        let (target, size) = (c(folder.path().display().to_string()), c(format!("size={bytes}")));
        // SAFETY: all four strings end with a zero byte and outlive the call.
        let mounted = unsafe { libc::mount(c"tmpfs".as_ptr(), target.as_ptr(), c"tmpfs".as_ptr(), 0, size.as_ptr().cast()) };
        (mounted == 0).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let target = std::ffi::CString::new(self.path().display().to_string()).unwrap();
        // SAFETY: the string ends with a zero byte and outlives the call.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    }
}

#[test]
fn a_file_system_that_is_really_full_refuses_and_keeps_all() {
    let Some(small) = SmallDisk::mount(3 * SEGMENT + 40_000) else { return };
    let (mut log, _) = Log::open(OsDisk::open(small.path()).unwrap(), options(), |_, _| {}).unwrap();
    let refused = loop {
        log.prepare_ahead().unwrap();
        if let Err(refused) = fill(&mut log, 1) {
            break refused;
        }
    };
    assert!(matches!(refused, AppendError::Full), "{refused}");
    assert_eq!(log.space().get(), Space::Exhausted);
    let last_lsn = log.last_lsn();
    drop(log);
    let (_, recovered) = Log::open(OsDisk::open(small.path()).unwrap(), options(), |_, _| {}).unwrap();
    assert_eq!((recovered.last_lsn, recovered.segments, recovered.cut), (last_lsn, 3, None));
}
