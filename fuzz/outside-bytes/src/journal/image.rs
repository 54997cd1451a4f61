//! A whole journal on a disk that has been damaged: it opens with what was acknowledged, or it refuses.

use crate::script::Script;
use persistence::journal::simulated::SimulatedDisk;
use persistence::journal::{Log, LogOptions};
use protocol::frame::{BLOCK_BYTES, JournalId, RECORD_ALIGN_BYTES, SEGMENT_BYTES_MIN};
use std::collections::BTreeMap;

const GROUPS_MAX: u8 = 6;
const RECORDS_MAX: u8 = 4;
/// Units of [`RECORD_ALIGN_BYTES`], so that four records need a segment of their own now and then.
const RECORD_UNITS_MAX: u32 = 2_048;
const DAMAGES_MAX: u8 = 4;

/// A journal of some groups, then some damage, then the next start. If it opens, it holds a beginning of what was written: all
/// groups before the first damaged one, and nothing is missing that a whole group follows. If it opens once, it opens again.
/// Not judged is a journal that lost a whole segment to zeros: nothing tells it from one that was never begun.
pub fn damaged(input: &[u8]) {
    let mut script = Script::new(input);
    let disk = SimulatedDisk::default();
    let groups = write_journal(&disk, &mut script);
    let damages: Vec<Damage> = (0..1 + script.below(DAMAGES_MAX)).map(|_| Damage::draw(&disk, &mut script)).collect();
    let is_intact = |group: &Group| !damages.iter().any(|damage| group.extents.iter().any(|extent| damage.touches(extent)));
    let intact: Vec<bool> = groups.iter().map(is_intact).collect();
    damages.iter().for_each(|damage| damage.inflict(&disk));
    let is_blank = |extent: &Extent| disk.read(&extent.name).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    let lost_a_segment = groups.iter().flat_map(|group| &group.extents).any(is_blank);

    let Ok(replayed) = replay(&disk) else { return };
    let truth: Vec<&[u8]> = groups.iter().flat_map(|group| &group.records).map(Vec::as_slice).collect();
    assert!(replayed.len() <= truth.len() && replayed.iter().zip(&truth).all(|(found, written)| found == written));
    let held = groups.iter().scan(0, |end, group| {
        *end += group.records.len();
        Some(*end <= replayed.len())
    });
    let lost = held.zip(&intact).skip_while(|(held, _)| *held);
    for (_, intact) in lost {
        assert!(!intact || lost_a_segment, "an intact group is gone and the journal opened: {damages:?}");
    }
    assert_eq!(replay(&disk).expect("what opened once opens again"), replayed);
}

/// Records that were acknowledged together, and where the disk changed for them.
struct Group {
    records: Vec<Vec<u8>>,
    extents: Vec<Extent>,
}

/// A run of whole blocks of one file.
struct Extent {
    name: String,
    from: usize,
    to: usize,
}

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: SEGMENT_BYTES_MIN,
        segments_ahead: 1,
        free_bytes_min: 0,
        new_journal_id: Some(JournalId([7; 16])),
        ..LogOptions::default()
    }
}

fn write_journal(disk: &SimulatedDisk, script: &mut Script<'_>) -> Vec<Group> {
    let (mut log, _) = Log::open(disk.clone(), options(), |_, _| {}).expect("an empty disk takes a journal");
    let mut groups = Vec::new();
    let mut before = files(disk);
    for _ in 0..1 + script.below(GROUPS_MAX) {
        let records: Vec<Vec<u8>> = (0..1 + script.below(RECORDS_MAX)).map(|_| record(script)).collect();
        log.append_group(&[(&records.concat(), records.len() as u32)]).expect("the disk has room");
        let after = files(disk);
        groups.push(Group { records, extents: changed(&before, &after) });
        before = after;
    }
    groups
}

fn record(script: &mut Script<'_>) -> Vec<u8> {
    let units = 1 + (script.word() >> 8) % RECORD_UNITS_MAX;
    let bytes = units as usize * RECORD_ALIGN_BYTES;
    // No block of a record is all zeros, so that the blocks that change are those that count.
    let mut record = vec![script.byte() | 1; bytes];
    record[..4].copy_from_slice(&(bytes as u32).to_le_bytes());
    record
}

fn files(disk: &SimulatedDisk) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| disk.read(&name).map(|bytes| (name, bytes));
    disk.names().into_iter().filter_map(read).collect()
}

/// The blocks that differ. A new file of nothing but zeros differs nowhere: nobody was told anything of it.
fn changed(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<Extent> {
    let zeros = vec![0; SEGMENT_BYTES_MIN as usize];
    let mut extents = Vec::new();
    for (name, bytes) in after {
        let old = before.get(name).unwrap_or(&zeros);
        let pairs = bytes.chunks(BLOCK_BYTES).zip(old.chunks(BLOCK_BYTES));
        for (index, _) in pairs.enumerate().filter(|(_, (new, old))| new != old) {
            extents.push(Extent { name: name.clone(), from: index * BLOCK_BYTES, to: (index + 1) * BLOCK_BYTES });
        }
    }
    extents
}

/// One run of bytes that is no longer what was written.
struct Damage {
    name: String,
    from: usize,
    bytes: Vec<u8>,
}

impl core::fmt::Debug for Damage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {} bytes from {}", self.name, self.bytes.len(), self.from)
    }
}

impl Damage {
    /// Zeros, bits flipped, bytes of the input's own, or a block that stands elsewhere in the journal.
    fn draw(disk: &SimulatedDisk, script: &mut Script<'_>) -> Damage {
        let names = disk.names();
        let name = names[usize::from(script.byte()) % names.len()].clone();
        let file = disk.read(&name).unwrap_or_default();
        let from = script.word() as usize % file.len();
        let length = usize::from(script.byte()) * script.one_of([1, 8, 512]);
        let there = &file[from..file.len().min(from + length)];
        let bytes = match script.below(4) {
            0 => vec![0; there.len()],
            1 => there.iter().map(|byte| byte ^ 0x40).collect(),
            2 => script.piece().iter().take(file.len() - from).copied().collect(),
            _ => return Damage::misplaced_block(name, &file, from, script),
        };
        Damage { name, from, bytes }
    }

    fn misplaced_block(name: String, file: &[u8], from: usize, script: &mut Script<'_>) -> Damage {
        let blocks = file.len() / BLOCK_BYTES;
        let source = usize::from(script.byte()) % blocks * BLOCK_BYTES;
        Damage { name, from: from / BLOCK_BYTES * BLOCK_BYTES, bytes: file[source..source + BLOCK_BYTES].to_vec() }
    }

    fn touches(&self, extent: &Extent) -> bool {
        self.name == extent.name && self.from < extent.to && extent.from < self.from + self.bytes.len()
    }

    fn inflict(&self, disk: &SimulatedDisk) {
        disk.with_file(&self.name, |file| file[self.from..self.from + self.bytes.len()].copy_from_slice(&self.bytes));
    }
}

/// The records of the journal as the next start sees them, or its refusal.
fn replay(disk: &SimulatedDisk) -> Result<Vec<Vec<u8>>, String> {
    let mut records = Vec::new();
    let opened = Log::open(disk.clone(), options(), |lsn, record| {
        assert_eq!(lsn, records.len() as u64 + 1, "records come in order");
        records.push(record.to_vec());
    });
    opened.map(|_| records).map_err(|error| {
        assert!(!error.to_string().is_empty(), "a refusal says why");
        error.to_string()
    })
}
