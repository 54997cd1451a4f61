use super::file::LedgerFile;
use super::*;
use crate::error::SandboxError;

fn row(ordinal: u64, kind: Kind) -> Row {
    Row { ordinal, approved: 1, amount: 100 + ordinal, rrn: *b"ABC000000001", ..Row::blank(kind) }
}

fn write(path: &std::path::Path, rows: &[Row]) {
    let mut file = LedgerFile::open(path, |_| {}).unwrap();
    let bytes: Vec<u8> = rows.iter().flat_map(|row| row.sealed().as_bytes().to_vec()).collect();
    file.append(&bytes).unwrap();
}

fn read(path: &std::path::Path) -> Result<Vec<u64>, SandboxError> {
    let mut amounts = Vec::new();
    LedgerFile::open(path, |row| amounts.push(row.amount))?;
    Ok(amounts)
}

#[test]
fn rows_come_back_and_a_torn_last_one_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/card.ledger");
    write(&path, &[row(0, Kind::Sale), row(1, Kind::Refund), row(2, Kind::Sale)]);
    assert_eq!(read(&path).unwrap(), [100, 101, 102]);
    for cut in 1..ROW_BYTES as u64 {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(3 * ROW_BYTES as u64 - cut).unwrap();
        assert_eq!(read(&path).unwrap(), [100, 101], "{cut} bytes missing");
        write(&path, &[row(2, Kind::Sale)]);
        assert_eq!(read(&path).unwrap(), [100, 101, 102]);
    }
}

#[test]
fn any_flipped_bit_and_any_gap_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card.ledger");
    write(&path, &[row(0, Kind::Sale), row(1, Kind::Void)]);
    let whole = std::fs::read(&path).unwrap();
    for byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[byte] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        let start = (byte / ROW_BYTES * ROW_BYTES) as u64;
        assert!(matches!(read(&path), Err(SandboxError::LedgerDamaged { offset, .. }) if offset == start), "byte {byte}");
    }
    std::fs::write(&path, &whole[ROW_BYTES..]).unwrap();
    assert!(matches!(read(&path), Err(SandboxError::LedgerDamaged { offset: 0, reason: "row is out of order", .. })));
}

#[test]
fn a_reader_sees_the_rows_of_its_moment_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = LedgerFile::open(&folder.path().join("card.ledger"), |_| {}).unwrap();
    let count = 3 * crate::limits::LEDGER_CHUNK_ROWS as u64 + 5;
    let rows = |from, to| (from..to).flat_map(|n| row(n, Kind::Sale).sealed().as_bytes().to_vec()).collect::<Vec<u8>>();
    file.append(&rows(0, count)).unwrap();
    let mut reader = file.reader().unwrap();
    file.append(&rows(count, count + 7)).unwrap();
    for _pass in 0..2 {
        let mut seen = 0;
        while let rows = reader.next_rows().unwrap()
            && !rows.is_empty()
        {
            seen += rows.len() as u64;
        }
        assert_eq!(seen, count);
        reader.rewind(count).unwrap();
    }
}

#[test]
fn later_rows_mark_earlier_ones() {
    let sales = [row(0, Kind::Sale), row(1, Kind::Sale), row(4, Kind::Sale)];
    let authorization = row(2, Kind::Authorization);
    let void = Row { original: 1, ..row(3, Kind::Void) };
    let batch = Row { batch: 7, ..row(5, Kind::Batch) };
    let late = Row { original: 0, ..row(6, Kind::Reversal) };
    let refused = Row { original: 4, approved: 0, ..row(7, Kind::Void) };
    let mut marks = Marks::default();
    [void, batch, late, refused].iter().for_each(|row| marks.note(row));
    let seen = sales.map(|row| (marks.is_reversed(&row), marks.batch_of(&row)));
    assert_eq!(seen, [(true, Some(7)), (true, None), (false, Some(7))]);
    assert_eq!(marks.batch_of(&authorization), None);
    assert_eq!(marks.batch_of(&row(9, Kind::Sale)), None);
}

#[test]
fn an_entry_reads_as_the_control_address_promises() {
    let row = Row { stan: 42, terminal: *b"TERM01  ", currency: *b"840", at_us: 1_508_444_119_560_708, ..row(3, Kind::Sale) };
    let shown = serde_json::to_value(Entry::of(&row, &Marks::default()).unwrap()).unwrap();
    let wanted = serde_json::json!({"ordinal":3,"rrn":"ABC000000001","stan":42,"kind":"sale","amount":103,"currency":"840",
        "approved":true,"reversed":false,"action":"00","terminal":"TERM01","at":"2017-10-19T20:15:19.560708Z"});
    assert_eq!(shown, wanted);
}

#[test]
fn kinds_keep_their_codes() {
    let codes: Vec<u8> = (0..=20).filter(|code| Kind::from_code(*code).is_some()).collect();
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!((Kind::Authorization.code(), Kind::Batch.code(), Kind::Change.code()), (1, 8, 10));
}
