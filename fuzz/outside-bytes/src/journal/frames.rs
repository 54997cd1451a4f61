//! Frames, segment headers and rows of records.

use protocol::frame::{Frame, JournalId, SegmentHeader, check_records, records};

/// Any bytes as a journal frame, a segment header, a row of records. A frame that is read covers whole records only.
pub fn any_bytes(bytes: &[u8]) {
    let _ = SegmentHeader::read(bytes);
    if let Ok(frame) = Frame::read(bytes, JournalId([7; 16])) {
        let whole = frame.records().filter(Result::is_ok).count();
        assert_eq!(whole as u32, frame.header.record_count.get());
    }
    let count = records(bytes).count() as u32;
    if check_records(bytes, count).is_ok() {
        let covered: usize = records(bytes).flatten().map(<[u8]>::len).sum();
        assert_eq!(covered, bytes.len(), "sound records cover all bytes");
    }
}
