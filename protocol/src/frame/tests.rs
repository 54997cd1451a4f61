//! Layout of frames and segments, against bytes written by hand and bytes at random.

use proptest::prelude::*;

use super::*;

const ID: JournalId = JournalId(*b"0123456789abcdef");

fn record(fill: u8, bytes: usize) -> Vec<u8> {
    let mut record = vec![fill; bytes];
    record[..4].copy_from_slice(&(bytes as u32).to_le_bytes());
    record
}

fn frame_of(payload: &[u8], count: u32) -> Vec<u8> {
    let mut header = FrameHeader::with_facts(FrameKind::Records, payload.len() as u32, count, 7, 3);
    header.chain = Chain([9; 32]);
    let mut crc = FrameCrc::new(ID);
    crc.update(payload);
    header.crc = U32::new(crc.close(&header));
    [header.as_bytes(), payload].concat()
}

#[test]
fn header_bytes_are_as_drawn() {
    let mut header = FrameHeader::with_facts(FrameKind::Seal, 0, 0, 0x0102_0304_0506_0708, 0x0a0b_0c0d);
    header.crc = U32::new(0x1122_3344);
    let mut golden = Vec::new();
    golden.extend_from_slice(b"SWYF\x01\x02\0\0\0\0\0\0\0\0\0\0");
    golden.extend_from_slice(&[8, 7, 6, 5, 4, 3, 2, 1, 0x0d, 0x0c, 0x0b, 0x0a, 0x44, 0x33, 0x22, 0x11]);
    golden.extend_from_slice(&[0; 32]);
    assert_eq!(header.as_bytes(), golden);
}

#[test]
fn checksum_is_castagnoli() {
    // The check value of CRC-32/ISCSI over "123456789", from the catalogue of parametrised CRC algorithms.
    assert_eq!(crc32(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, b"123456789")), 0xE306_9283);
}

#[test]
fn a_frame_reads_back_its_records() {
    let payload = [record(1, 16), record(2, 8), record(3, 512)].concat();
    let bytes = frame_of(&payload, 3);
    let frame = Frame::read(&bytes, ID).unwrap();
    let sizes: Vec<usize> = frame.records().map(|record| record.unwrap().len()).collect();
    assert_eq!(sizes, [16, 8, 512]);
    assert_eq!(frame.header.next_lsn(), 10);
}

#[test]
fn every_flipped_byte_of_a_frame_is_seen() {
    let good = frame_of(&[record(1, 16), record(2, 24)].concat(), 2);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert!(Frame::read(&bad, ID).is_err(), "flip of bit {bit} in byte {at} passed");
        }
    }
}

#[test]
fn every_flipped_byte_of_a_segment_header_is_seen() {
    let good = SegmentHeader::sealed_with(4, 99, 1 << 20, ID, Chain([5; 32]));
    assert_eq!(SegmentHeader::read(good.as_bytes()), Ok(&good));
    for at in 0..good.as_bytes().len() {
        let mut bad = good.as_bytes().to_vec();
        bad[at] ^= 0x10;
        assert!(SegmentHeader::read(&bad).is_err(), "flip in byte {at} passed");
    }
}

#[test]
fn a_frame_of_another_journal_fails_its_checksum() {
    let bytes = frame_of(&record(1, 16), 1);
    assert!(matches!(Frame::read(&bytes, JournalId([0; 16])), Err(FrameFault::Crc { .. })));
}

#[test]
fn a_newer_segment_is_told_apart_from_damage() {
    let mut header = SegmentHeader::sealed_with(1, 1, 1 << 20, ID, Chain([0; 32]));
    header.version = U32::new(2);
    assert_eq!(SegmentHeader::read(header.as_bytes()), Err(SegmentFault::FutureVersion(2)));
}

#[test]
fn a_cut_frame_says_how_many_bytes_it_needs() {
    let bytes = frame_of(&record(1, 16), 1);
    assert_eq!(Frame::read(&bytes[..79], ID).unwrap_err(), FrameFault::Short { need: 80 });
    assert_eq!(Frame::read(&bytes[..10], ID).unwrap_err(), FrameFault::Short { need: 64 });
}

#[test]
fn records_with_a_wrong_size_are_refused() {
    for (size, bytes) in [(0u32, 8), (4, 8), (12, 16), (16, 8), (u32::MAX, 8), (RECORD_BYTES_MAX as u32 + 8, 8)] {
        let mut payload = vec![0; bytes];
        payload[..4].copy_from_slice(&size.to_le_bytes());
        assert!(check_records(&payload, 1).is_err(), "size {size} in {bytes} bytes passed");
    }
    let two = [record(1, 8), record(1, 8)].concat();
    assert_eq!(check_records(&two, 1), Err(RecordFault::Count { said: 1, found: 2 }));
}

#[test]
fn an_empty_durable_range_is_empty() {
    assert!(Durable::after_sync(8, 7).is_empty());
    assert!(!Durable::after_sync(7, 7).is_empty());
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), dressed in any::<bool>()) {
        if dressed && bytes.len() >= 8 {
            bytes[..8].copy_from_slice(b"SWYF\x01\x01\0\0");
        }
        let _ = Frame::read(&bytes, ID).map(|frame| frame.records().count());
        let _ = SegmentHeader::read(&bytes).is_ok();
        let _ = records(&bytes).count();
    }
}
