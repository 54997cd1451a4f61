use super::answer::{push_answer, short};
use super::ending::push_busy;
use super::frame::{FRAME_HEADER_BYTES, push_frame};
use super::limits::{FRAME_MAX_BYTES, HELLO_MAX_BYTES, TEXT_MAX_BYTES};
use super::request::{SentCard, push_command, push_query};
use super::*;
use crate::card::Expiry;
use crate::command::Command;
use crate::id::Xid;
use crate::outcome::Outcome;
use crate::secret::{Cvv, Pan, Track2};
use crate::words::Verb;
use zerocopy::{FromZeros, IntoBytes};

fn requests() -> Vec<u8> {
    let mut out = Vec::new();
    let mut frame = FrameWriter::begin(FrameKind::Requests, &mut out);
    let card = CardBlock::keyed(&pan(), Expiry::from_yymm(3012).unwrap(), Cvv::new("999").as_ref());
    push_command(&mut frame, 7, &Command::new(Verb::Sale), Some(&card), &[]);
    push_query(&mut frame, 8, RequestKind::FindByOrderId, b"order-1");
    frame.finish();
    out
}

fn pan() -> Pan {
    Pan::new("4111111111111111").unwrap()
}

fn frame_of(bytes: &[u8]) -> Frame<'_> {
    next_frame(bytes, FRAME_MAX_BYTES).unwrap().expect("a whole frame")
}

#[test]
fn a_frame_comes_whole_or_not_at_all_and_any_changed_bit_is_seen() {
    let bytes = requests();
    for end in 0..bytes.len() {
        assert!(matches!(next_frame(&bytes[..end], FRAME_MAX_BYTES), Ok(None)), "{end} of {}", bytes.len());
    }
    assert_eq!(frame_of(&bytes).size(), bytes.len());
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        // A length that grew waits for bytes that never come; everything else is refused.
        let is_waiting = bit < 32 && matches!(next_frame(&changed, FRAME_MAX_BYTES), Ok(None));
        assert!(is_waiting || next_frame(&changed, FRAME_MAX_BYTES).is_err(), "bit {bit}");
    }
}

#[test]
fn a_header_that_cannot_be_is_refused_before_its_body_has_come() {
    let mut bytes = requests();
    bytes[..4].copy_from_slice(&(HELLO_MAX_BYTES as u32 + 1).to_le_bytes());
    let fault = next_frame(&bytes[..FRAME_HEADER_BYTES], HELLO_MAX_BYTES).unwrap_err();
    assert_eq!(fault, FrameFault::Size { announced: HELLO_MAX_BYTES + 1, max: HELLO_MAX_BYTES });
    bytes[..4].copy_from_slice(&15_u32.to_le_bytes());
    assert!(matches!(next_frame(&bytes, FRAME_MAX_BYTES), Err(FrameFault::Size { announced: 15, .. })));
}

#[test]
fn a_version_or_reserved_byte_that_nobody_agreed_on_is_refused() {
    for (at, value, fault) in [(8, 2, FrameFault::Version(2)), (12, 1, FrameFault::Reserved)] {
        let mut bytes = requests();
        bytes[at] = value;
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &bytes[8..]) as u32;
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(next_frame(&bytes, FRAME_MAX_BYTES).unwrap_err(), fault);
    }
}

#[test]
fn requests_read_back_as_written() {
    let bytes = requests();
    let frame = frame_of(&bytes);
    let read: Vec<Request<'_>> = Requests::check(frame.body, frame.count).unwrap().collect();
    assert_eq!((read.len(), read[0].request_id, read[1].request_id), (2, 7, 8));
    assert_eq!((read[0].kind, read[1].kind), (RequestKind::Command, RequestKind::FindByOrderId));
    let (command, tail) = Command::parse(read[0].body).unwrap();
    assert_eq!((command.verb(), tail.bytes().len()), (Some(Verb::Sale), 0));
    let card = read[0].card.unwrap().parts().unwrap();
    let expected = SentCard { pan: Some(pan()), expiry: Expiry::from_yymm(3012), cvv: Cvv::new("999"), track_2: None };
    assert_eq!(card, expected);
    assert_eq!(format!("{:?}", read[0].card.unwrap()), "CardBlock(…)");
    assert_eq!((read[1].card, read[1].body), (None, &b"order-1"[..]));
}

#[test]
fn a_body_whose_items_do_not_fill_it_is_refused_whole() {
    let bytes = requests();
    let frame = frame_of(&bytes);
    assert!(matches!(Requests::check(frame.body, 1), Err(BodyFault::Count { announced: 1 })));
    assert!(matches!(Requests::check(&[], 0), Err(BodyFault::Count { announced: 0 })));
    for end in 1..frame.body.len() {
        assert!(Requests::check(&frame.body[..end], frame.count).is_err(), "{end}");
    }
    for (at, value) in [(0, 15), (5, 71), (6, 1)] {
        let mut body = frame.body.to_vec();
        body[at] = value;
        assert!(Requests::check(&body, frame.count).is_err(), "byte {at}");
    }
}

#[test]
fn a_card_block_names_the_field_that_is_wrong() {
    let block = |change: fn(&mut CardBlock)| {
        let mut block = CardBlock::keyed(&pan(), Expiry::from_yymm(3012).unwrap(), Cvv::new("999").as_ref());
        change(&mut block);
        block.parts().unwrap_err()
    };
    assert_eq!(block(|block| block.pan_digits = 20), "pan");
    assert_eq!(block(|block| block.pan[18] = b'1'), "pan");
    assert_eq!(block(|block| block.pan[0] = b'x'), "pan");
    assert_eq!(block(|block| block.cvv_digits = 2), "cvv");
    assert_eq!(block(|block| block.expiry = 3013.into()), "expiry");
    assert_eq!(block(|block| block.track_2[0] = 1), "track_2");
    assert_eq!(block(|block| block.reserved_3[3] = 1), "reserved");
    let swiped = CardBlock::swiped(&Track2::new("4111111111111111=3012").unwrap()).parts().unwrap();
    assert_eq!((swiped.pan, swiped.track_2), (None, Track2::new("4111111111111111=3012")));
}

#[test]
fn answers_read_back_as_written() {
    let mut bytes = Vec::new();
    let mut outcome = Outcome::new_zeroed();
    outcome.id = Xid::from_parts(1, [2; 5], 4);
    let mut frame = FrameWriter::begin(FrameKind::Answers, &mut bytes);
    push_answer(&mut frame, AnswerHeader::to(7, AnswerKind::Outcome, 100), outcome.as_bytes());
    push_answer(&mut frame, AnswerHeader::to(8, AnswerKind::Refused, 4), b"not found");
    frame.finish();
    let frame = frame_of(&bytes);
    let read: Vec<Answer<'_>> = Answers::check(frame.body, frame.count).unwrap().collect();
    assert_eq!((read[0].request_id(), read[0].kind(), read[0].outcomes()), (7, AnswerKind::Outcome, &[outcome][..]));
    assert_eq!((read[1].request_id(), read[1].header.code.get(), read[1].text()), (8, 4, "not found"));
    assert!(read[1].outcomes().is_empty() && read[0].text().is_empty());
    for end in 1..frame.body.len() {
        assert!(Answers::check(&frame.body[..end], frame.count).is_err(), "{end}");
    }
}

#[test]
fn the_handshake_and_the_endings_read_back_as_written() {
    let mut bytes = Vec::new();
    Hello { version_min: 1, version_max: 3, capabilities: capability::ALL, api_key: "api_x" }.write(&mut bytes);
    let hello = Hello::parse(frame_of(&bytes).body).unwrap();
    assert_eq!((hello.api_key, hello.speaks_ours(), hello.capabilities), ("api_x", true, 3));
    assert!(!format!("{hello:?}").contains("api_x"));
    assert!(!Hello { version_min: 2, ..hello }.speaks_ours());

    let welcome = Welcome { version: VERSION, credits: 9.into(), ..Welcome::empty() };
    bytes.clear();
    welcome.write(&mut bytes);
    assert_eq!(Welcome::parse(frame_of(&bytes).body), Ok(welcome));

    bytes.clear();
    push_busy(&[7, 9], 250, &mut bytes);
    let frame = frame_of(&bytes);
    let busy = Busy::parse(frame.body, frame.count).unwrap();
    assert_eq!((busy.retry_after_ms, busy.request_ids.iter().map(|id| id.get()).collect::<Vec<_>>()), (250, vec![7, 9]));
    assert!(Busy::parse(frame.body, 1).is_err() && Busy::parse(&frame.body[..9], 2).is_err());

    for code in GoAwayCode::ALL {
        bytes.clear();
        let away = GoAway { code, retry_after_ms: 5, text: "why" };
        away.write(&mut bytes);
        assert_eq!(GoAway::parse(frame_of(&bytes).body), Ok(away));
    }
}

#[test]
fn kinds_of_later_versions_survive() {
    for number in 0..=u8::MAX {
        assert_eq!(FrameKind::from_number(number).number(), number);
        assert_eq!(RequestKind::from_number(number).number(), number);
        assert_eq!(AnswerKind::from_number(number).number(), number);
    }
    assert_eq!(GoAwayCode::from_number(999), GoAwayCode::Other(999));
    let mut bytes = Vec::new();
    push_frame(FrameKind::Other(99), b"later", &mut bytes);
    assert_eq!(frame_of(&bytes).kind, FrameKind::Other(99));
}

#[test]
fn a_frame_that_is_not_finished_leaves_no_trace_and_a_long_text_is_cut_at_a_character() {
    let mut bytes = b"before".to_vec();
    drop(FrameWriter::begin(FrameKind::Ping, &mut bytes));
    assert_eq!(bytes, b"before");
    let long = "ü".repeat(TEXT_MAX_BYTES);
    assert_eq!(short(&long).len(), TEXT_MAX_BYTES);
    assert_eq!(short(&long[..]).chars().last(), Some('ü'));
    assert_eq!(short(&format!("x{long}")).len(), TEXT_MAX_BYTES - 1);
}
