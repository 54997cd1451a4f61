//! Messages written by hand from ISO 8583:1987, byte by byte, one for each dialect; and what the encoder refuses.

use protocol::iso8583::{
    ASCII_1987, AdditionalAmount, BCD_1987, Calendar, Class, EBCDIC_1987, EncodeError, Encoder, FixedBuffer, FrameError, Frames,
    Message, Mti, OriginalData, Part, Reason, ReplacementAmounts, Sign, Spec, TSYS, append_frame, next_frame,
};

/// A sale of 11.12 in USD. Bitmap: 2 3 4 7 in the first byte (0111 0010), 11 12 13 14 in the second (0011 1100), 22 in
/// the third, 25 in the fourth, 35 37 in the fifth (0010 1000), 41 42 in the sixth (1100 0000), 49 in the seventh.
#[rustfmt::skip]
const TSYS_SALE: &[u8] = &[
    b'0', b'2', b'0', b'0',
    0x72, 0x3c, 0x04, 0x80, 0x28, 0xc0, 0x80, 0x00,
    b'1', b'6', b'4', b'0', b'1', b'2', b'0', b'0', b'0', b'0', b'9', b'8', b'7', b'6', b'5', b'4', b'3', b'9', // 2, LL
    b'0', b'0', b'0', b'0', b'0', b'0', // 3
    b'0', b'0', b'0', b'0', b'0', b'0', b'0', b'0', b'1', b'1', b'1', b'2', // 4, minor units
    b'1', b'1', b'2', b'1', b'0', b'1', b'3', b'0', b'4', b'2', // 7, MMDDhhmmss
    b'0', b'0', b'0', b'0', b'0', b'7', // 11
    b'2', b'0', b'3', b'0', b'4', b'2', // 12, hhmmss
    b'1', b'1', b'2', b'0', // 13, MMDD
    b'2', b'8', b'1', b'2', // 14, YYMM
    b'0', b'1', b'2', // 22
    b'5', b'9', // 25
    b'2', b'1', b'4', b'0', b'1', b'2', b'0', b'0', b'0', b'0', b'9', b'8', b'7', b'6', b'5', b'4', b'3', b'9',
    b'=', b'2', b'8', b'1', b'2', // 35, LL
    b'6', b'3', b'2', b'5', b'0', b'1', b'0', b'0', b'0', b'0', b'0', b'7', // 37
    b'T', b'E', b'R', b'M', b'1', b' ', b' ', b' ', // 41, filled up
    b'M', b'E', b'R', b'C', b'H', b'A', b'N', b'T', b'-', b'4', b'2', b' ', b' ', b' ', b' ', // 42, filled up
    b'8', b'4', b'0', // 49
];

fn tsys_sale(out: &mut Vec<u8>) -> Result<usize, EncodeError> {
    let mut sale = Encoder::begin(&TSYS, Mti::FINANCIAL_REQUEST, out)?;
    sale.text(2, "4012000098765439")?.number(3, 0)?.number(4, 1_112)?.text(7, "1121013042")?;
    sale.number(11, 7)?.text(12, "203042")?.text(13, "1120")?.text(14, "2812")?.number(22, 12)?;
    sale.number(25, 59)?.text(35, "4012000098765439=2812")?.text(37, "632501000007")?;
    sale.text(41, "TERM1")?.text(42, "MERCHANT-42")?.text(49, "840")?;
    sale.finish()
}

#[test]
fn a_tsys_sale_is_these_bytes() {
    let mut frame = Vec::new();
    assert_eq!(tsys_sale(&mut frame), Ok(TSYS_SALE.len()));
    assert_eq!(frame, TSYS_SALE);
}

#[test]
fn these_bytes_are_a_tsys_sale() {
    let message = Message::parse(&TSYS, TSYS_SALE).expect("it is sound");
    assert_eq!(message.mti(), Mti::FINANCIAL_REQUEST);
    let fields: Vec<u8> = message.iter().map(|value| value.field_number()).collect();
    assert_eq!(fields, [2, 3, 4, 7, 11, 12, 13, 14, 22, 25, 35, 37, 41, 42, 49]);
    assert_eq!((message.number(4), message.number(11), message.number(22)), (Some(1_112), Some(7), Some(12)));
    assert_eq!(message.text(35), Some("4012000098765439=2812"));
    assert_eq!((message.text(41), message.text(42)), (Some("TERM1"), Some("MERCHANT-42")));
    assert_eq!((message.has(39), message.text(39), message.number(41)), (false, None, None));
}

/// A reversal advice with fields above 64: the primary bitmap says 1 4 11 (1001 0000, 0010 0000) and 64, the secondary 90.
#[test]
fn a_field_above_64_brings_the_secondary_bitmap_and_de64_is_bytes() {
    let original = OriginalData { mti: Mti::FINANCIAL_REQUEST, stan: 7, transmitted: 1_121_013_042, acquirer: 0, forwarder: 12 };
    let mut frame = Vec::new();
    let mut advice = Encoder::begin(&TSYS, Mti::REVERSAL_ADVICE, &mut frame).expect("begins");
    advice.number(4, 1_112).and_then(|e| e.number(11, 8)).and_then(|e| e.bytes(64, &[0xff; 8])).expect("fits");
    advice.text(90, original.compose().expect("fits").as_str()).expect("fits");
    advice.finish().expect("ends");

    let mut expected = b"0420".to_vec();
    expected.extend([0x90, 0x20, 0, 0, 0, 0, 0, 0x01]);
    expected.extend([0, 0, 0, 0x40, 0, 0, 0, 0]);
    expected.extend(b"000000001112000008");
    expected.extend([0xff; 8]);
    expected.extend(b"020000000711210130420000000000000000000012");
    assert_eq!(frame, expected);

    let message = Message::parse(&TSYS, &frame).expect("it is sound");
    assert_eq!(message.bytes(64), Some(&[0xff; 8][..]));
    assert_eq!(message.text(90).and_then(OriginalData::parse), Some(original));
}

fn reads_back(spec: &'static Spec, frame: &[u8]) {
    let message = Message::parse(spec, frame).unwrap_or_else(|error| panic!("{}: {error}", spec.name()));
    let mut out = [0; 64];
    assert_eq!(message.mti(), Mti::NETWORK_REQUEST);
    assert_eq!(message.field(2).and_then(|v| v.decode_into(&mut out)), Some(&b"401200009876543"[..]));
    assert_eq!(message.number(4), Some(1_112));
    assert_eq!(message.field(28).and_then(|v| v.signed()), Some((Sign::Debit, 25)));
    assert_eq!(message.field(35).and_then(|v| v.decode_into(&mut out)), Some(&b"4012=28"[..]));
    assert_eq!(message.field(41).and_then(|v| v.decode_into(&mut out)), Some(&b"TERM-01."[..]));
    assert_eq!(message.bytes(52), Some(&[1, 2, 3, 4, 5, 6, 7, 8][..]));
    assert_eq!(message.number(70), Some(301));
}

fn every_kind(spec: &'static Spec) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut echo = Encoder::begin(spec, Mti::NETWORK_REQUEST, &mut frame).expect("begins");
    echo.text(2, "401200009876543").expect("n, odd").number(4, 1_112).expect("n").text(7, "0229235959").expect("date");
    echo.signed(28, Sign::Debit, 25).expect("x+n").text(35, "4012=28").expect("z").text(41, "TERM-01.").expect("ans");
    echo.bytes(52, &[1, 2, 3, 4, 5, 6, 7, 8]).expect("b").number(70, 301).expect("above 64");
    echo.finish().expect("ends");
    frame
}

/// Bitmap in all: 1 2 4 7 (1101 0010), 28 in the fourth byte (0001 0000), 35 (0010 0000), 41 (1000 0000), 52
/// (0001 0000); the secondary names 70 (0000 0100).
const EVERY_KIND_BITMAP: [u8; 16] = [0xd2, 0, 0, 0x10, 0x20, 0x80, 0x10, 0, 0x04, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn bcd_packs_two_digits_a_byte_with_the_pad_in_front_and_tracks_behind() {
    let mut expected = vec![0x08, 0x00];
    expected.extend(EVERY_KIND_BITMAP);
    expected.extend([0x15, 0x04, 0x01, 0x20, 0x00, 0x09, 0x87, 0x65, 0x43]); // 2: 15 digits, a zero in front
    expected.extend([0x00, 0x00, 0x00, 0x00, 0x11, 0x12]); // 4
    expected.extend([0x02, 0x29, 0x23, 0x59, 0x59]); // 7: 29 February exists in some years
    expected.extend(b"D00000025"); // 28 stays text
    expected.extend([0x07, 0x40, 0x12, 0xd2, 0x80]); // 35: = is nibble D, a zero behind
    expected.extend(b"TERM-01.");
    expected.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    expected.extend([0x03, 0x01]); // 70
    assert_eq!(every_kind(&BCD_1987), expected);
    reads_back(&BCD_1987, &expected);
}

#[test]
fn ebcdic_writes_digits_text_and_prefixes_in_code_page_037() {
    let mut expected = vec![0xf0, 0xf8, 0xf0, 0xf0];
    expected.extend(EVERY_KIND_BITMAP);
    expected.extend([0xf1, 0xf5]); // 2, LL 15
    expected.extend([0xf4, 0xf0, 0xf1, 0xf2, 0xf0, 0xf0, 0xf0, 0xf0, 0xf9, 0xf8, 0xf7, 0xf6, 0xf5, 0xf4, 0xf3]);
    expected.extend([0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf1, 0xf1, 0xf1, 0xf2]); // 4
    expected.extend([0xf0, 0xf2, 0xf2, 0xf9, 0xf2, 0xf3, 0xf5, 0xf9, 0xf5, 0xf9]); // 7
    expected.extend([0xc4, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf2, 0xf5]); // 28, D
    expected.extend([0xf0, 0xf7, 0xf4, 0xf0, 0xf1, 0xf2, 0x7e, 0xf2, 0xf8]); // 35, LL 07, = is 7e
    expected.extend([0xe3, 0xc5, 0xd9, 0xd4, 0x60, 0xf0, 0xf1, 0x4b]); // 41, TERM-01.
    expected.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    expected.extend([0xf3, 0xf0, 0xf1]); // 70
    assert_eq!(every_kind(&EBCDIC_1987), expected);
    reads_back(&EBCDIC_1987, &expected);
}

#[test]
fn a_copied_field_changes_its_dialect() {
    let source = every_kind(&EBCDIC_1987);
    let message = Message::parse(&EBCDIC_1987, &source).expect("it is sound");
    let mut frame = Vec::new();
    let mut copy = Encoder::begin(&BCD_1987, message.mti(), &mut frame).expect("begins");
    for number in 2..=128 {
        copy.copy(&message, number).unwrap_or_else(|error| panic!("{error}"));
    }
    copy.finish().expect("ends");
    assert_eq!(frame, every_kind(&BCD_1987));
}

/// What `write` is refused with, and that the buffer is left as it was.
fn refused(write: impl FnOnce(&mut Encoder<'_>) -> Result<(), EncodeError>) -> (u8, Reason) {
    let mut frame = b"before".to_vec();
    let mut encoder = Encoder::begin(&TSYS, Mti::FINANCIAL_REQUEST, &mut frame).expect("begins");
    let error = write(&mut encoder).expect_err("the table does not allow it");
    drop(encoder);
    assert_eq!(frame, b"before");
    (error.field().expect("the error names the field"), error.reason)
}

#[test]
fn what_the_table_does_not_allow_is_refused_by_field() {
    let not_n = |index| Reason::NotInClass { class: Class::N, index };
    let length = |given, min, max| Reason::Length { given, min, max };
    assert_eq!(refused(|e| e.text(3, "00000").map(drop)), (3, length(5, 6, 6)));
    assert_eq!(refused(|e| e.text(3, "00000x").map(drop)), (3, not_n(5)));
    assert_eq!(refused(|e| e.text(2, "").map(drop)), (2, length(0, 1, 19)));
    assert_eq!(refused(|e| e.text(2, &"4".repeat(20)).map(drop)), (2, length(20, 1, 19)));
    assert_eq!(refused(|e| e.text(41, "TERMINAL9").map(drop)), (41, length(9, 0, 8)));
    assert_eq!(refused(|e| e.number(4, 1_000_000_000_000).map(drop)), (4, Reason::Overflow));
    assert_eq!(refused(|e| e.number(37, 1).map(drop)), (37, Reason::WrongKind));
    assert_eq!(refused(|e| e.text(52, "12345678").map(drop)), (52, Reason::WrongKind));
    assert_eq!(refused(|e| e.bytes(2, b"4012").map(drop)), (2, Reason::WrongKind));
    assert_eq!(refused(|e| e.bytes(52, &[0; 7]).map(drop)), (52, length(7, 8, 8)));
    assert_eq!(refused(|e| e.text(13, "9099").map(drop)), (13, Reason::NoSuchMoment(Calendar::MonthDay)));
    assert_eq!(refused(|e| e.text(65, "1").map(drop)), (65, Reason::NotInTable));
    assert_eq!(refused(|e| e.text(129, "1").map(drop)), (129, Reason::NotInTable));
    assert_eq!(refused(|e| e.number(11, 1)?.number(4, 1).map(drop)), (4, Reason::OutOfOrder { after: 11 }));
    assert_eq!(refused(|e| e.number(4, 1)?.number(4, 1).map(drop)), (4, Reason::OutOfOrder { after: 4 }));
    assert_eq!(refused(|e| e.text(1, "1").map(drop)), (1, Reason::OutOfOrder { after: 1 }));
    assert_eq!(refused(|e| e.text(48, "caf\u{e9}").map(drop)), (48, Reason::NotInClass { class: Class::Ans, index: 3 }));
}

#[test]
fn a_fixed_buffer_takes_a_message_that_fits_and_refuses_one_byte_less() {
    let mut bytes = [0; TSYS_SALE.len()];
    for room in 0..=bytes.len() {
        let mut out = FixedBuffer::new(&mut bytes[..room]);
        let written = (|| {
            let mut sale = Encoder::begin(&TSYS, Mti::FINANCIAL_REQUEST, &mut out)?;
            let message = Message::parse(&TSYS, TSYS_SALE).expect("it is sound");
            for number in 2..=128 {
                sale.copy(&message, number)?;
            }
            sale.finish()
        })();
        match written {
            Ok(length) => assert_eq!((length, out.as_slice()), (TSYS_SALE.len(), TSYS_SALE)),
            Err(error) => {
                assert_eq!(error.reason, Reason::BufferFull);
                assert!(room < TSYS_SALE.len() && out.as_slice().is_empty());
            }
        }
    }
}

fn parse_fault(frame: &[u8]) -> (Part, u16, Reason) {
    let error = Message::parse(&TSYS, frame).expect_err("it is broken");
    (error.part, error.position, error.reason)
}

#[test]
fn a_refused_field_above_64_leaves_no_secondary_bitmap_behind() {
    let mut bytes = [0; 22];
    let mut out = FixedBuffer::new(&mut bytes);
    let mut echo = Encoder::begin(&TSYS, Mti::NETWORK_REQUEST, &mut out).expect("begins");
    echo.number(11, 7).expect("fits");
    let reasons = [echo.text(70, "30x").map(drop), echo.text(90, "0").map(drop), echo.number(70, 301).map(drop)]
        .map(|written| written.map_err(|error| error.reason));
    let not_n = Reason::NotInClass { class: Class::N, index: 2 };
    assert_eq!(reasons, [Err(not_n), Err(Reason::Length { given: 1, min: 42, max: 42 }), Err(Reason::BufferFull)]);
    assert_eq!(format!("{echo:?}"), "Encoder(tsys, fields 11)");
    assert_eq!(echo.finish(), Ok(18));
    assert!(Message::parse(&TSYS, out.as_slice()).is_ok_and(|message| message.number(11) == Some(7)));
}

#[test]
fn every_prefix_of_a_message_is_refused_as_truncated() {
    for length in 0..TSYS_SALE.len() {
        let (_, position, reason) = parse_fault(&TSYS_SALE[..length]);
        assert!(matches!(reason, Reason::Truncated { .. }), "cut at {length}: {reason}");
        assert!(usize::from(position) <= length);
    }
}

#[test]
fn bitmaps_that_the_dialect_does_not_have_are_refused() {
    let only_bit_1 = [&b"0800"[..], &[0x80, 0, 0, 0, 0, 0, 0, 0], &[0; 8]].concat();
    assert_eq!(parse_fault(&only_bit_1), (Part::Bitmap, 12, Reason::SecondaryEmpty));
    let bit_65 = [&b"0800"[..], &[0x80, 0, 0, 0, 0, 0, 0, 0], &[0x80, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(parse_fault(&bit_65), (Part::Field(65), 20, Reason::NotInTable));
    assert!(Message::parse(&ASCII_1987, b"080080000000000000000000000000000000").is_ok_and(|m| m.iter().count() == 0));
    assert_eq!(parse_fault(b"08x0"), (Part::Mti, 0, Reason::MtiNotDigits));
}

#[test]
fn a_frame_longer_than_any_message_is_refused() {
    let (part, _, reason) = parse_fault(&vec![b'0'; 65_536]);
    assert_eq!((part, reason), (Part::Mti, Reason::TooLong { max: u16::MAX }));
}

#[test]
fn composites_say_what_they_say_on_the_wire() {
    let replacement = ReplacementAmounts { transaction: 500, settlement: 0 };
    let text = replacement.compose().expect("fits");
    assert_eq!(text.as_str(), "000000000500000000000000C00000000C00000000");
    assert_eq!(ReplacementAmounts::parse(text.as_str()), Some(replacement));

    let available = AdditionalAmount { account_type: 0, amount_type: 2, currency: 840, debit: false, amount: 12_345 };
    let owed = AdditionalAmount { debit: true, amount_type: 1, ..available };
    let text = AdditionalAmount::compose(&[available, owed]).expect("fits");
    assert_eq!(text.as_str(), "0002840C0000000123450001840D000000012345");
    let parts: Vec<_> = AdditionalAmount::parse_all(text.as_str()).collect();
    assert_eq!(parts, [Some(available), Some(owed)]);
    assert_eq!(AdditionalAmount::parse_all("0002840X000000012345").next(), Some(None));
    assert!(AdditionalAmount::compose(&[available; 7]).is_err());

    let too_large = OriginalData { mti: Mti::REVERSAL_ADVICE, stan: 1_000_000, transmitted: 0, acquirer: 0, forwarder: 0 };
    assert!(too_large.compose().is_err());
    assert_eq!(OriginalData::parse("04200000010101000000"), None);
}

#[test]
fn message_types_answer_repeat_and_survive_unknown() {
    let answer = |text: &str| text.parse::<Mti>().expect("four digits").response().map(|mti| mti.to_string());
    for (request, response) in [("0100", "0110"), ("0220", "0230"), ("0221", "0230"), ("0420", "0430"), ("0421", "0430")] {
        assert_eq!(answer(request).as_deref(), Some(response));
    }
    assert_eq!((answer("0110"), answer("0430"), answer("9999")), (None, None, None));
    assert!(Mti::REVERSAL_ADVICE_REPEAT.is_repeat() && !Mti::REVERSAL_ADVICE.is_repeat());
    assert_eq!(Mti::REVERSAL_ADVICE.repeat(), Mti::REVERSAL_ADVICE_REPEAT);
    assert!(Mti::REVERSAL_ADVICE_RESPONSE.is_response() && !Mti::REVERSAL_ADVICE.is_response());
    assert!("042".parse::<Mti>().is_err() && "04a0".parse::<Mti>().is_err());
    for code in 0..=9_999 {
        let text = format!("{code:04}");
        let mti: Mti = text.parse().expect("four digits");
        assert_eq!((mti.to_string(), mti.to_ascii().as_slice()), (text.clone(), text.as_bytes()));
        assert_eq!(Mti::from_bcd(mti.to_bcd()), Some(mti));
    }
}

#[test]
fn frames_come_out_of_a_stream_one_by_one() {
    let mut stream = Vec::new();
    append_frame(&mut stream, tsys_sale).expect("fits");
    append_frame(&mut stream, tsys_sale).expect("fits");
    assert_eq!(stream[..2], (TSYS_SALE.len() as u16).to_be_bytes());
    for cut in 0..stream.len() {
        let mut frames = Frames::new(&stream[..cut]);
        let mut whole = 0;
        while let Some(message) = frames.next_message().expect("the stream is sound") {
            assert_eq!(message, TSYS_SALE);
            whole += 1;
        }
        assert_eq!((whole, frames.consumed()), (cut / (TSYS_SALE.len() + 2), whole * (TSYS_SALE.len() + 2)));
    }
    assert_eq!(next_frame(&[0, 0, 1]), Err(FrameError::Empty));
    assert_eq!(next_frame(&[0x10, 0x01]), Err(FrameError::TooLong { announced: 4_097, max: 4_096 }));
    assert_eq!(next_frame(&[0x10, 0x00]), Ok(None));
}

#[test]
fn a_frame_that_cannot_be_written_leaves_the_stream_alone() {
    let mut stream = b"before".to_vec();
    let full = |out: &mut Vec<u8>| {
        let mut encoder = Encoder::begin(&TSYS, Mti::FINANCIAL_REQUEST, out)?;
        for number in [48, 60, 61, 62, 63] {
            encoder.text(number, &"x".repeat(999))?;
        }
        encoder.finish()
    };
    let error = append_frame(&mut stream, full).expect_err("five times 999 is more than a frame holds");
    assert_eq!((error.reason, stream.as_slice()), (Reason::TooLong { max: 4_096 }, &b"before"[..]));
}

#[test]
fn a_log_line_shows_neither_card_number_nor_track_nor_pin_nor_private_data() {
    let mut frame = Vec::new();
    let mut sale = Encoder::begin(&TSYS, Mti::FINANCIAL_REQUEST, &mut frame).expect("begins");
    sale.text(2, "4012000098765439").and_then(|e| e.number(4, 1_112)).and_then(|e| e.text(14, "2812")).expect("fits");
    sale.text(35, "4012000098765439=2812").and_then(|e| e.text(43, "CARD 4012000098765439 DAVE")).expect("fits");
    sale.text(48, "CVV 999").and_then(|e| e.bytes(52, &[0x5a; 8])).expect("fits");
    sale.text(98, &format!("{:<25}", "40120000987654390")).expect("fits");
    sale.finish().expect("ends");
    let message = Message::parse(&TSYS, &frame).expect("it is sound");
    let shown = message.to_string();
    assert_eq!(
        shown,
        "0200 financial request\n    2 primary account number: 401200******5439\n    4 amount, transaction: 000000001112\n   \
         14 date, expiration: [4 hidden]\n   35 track 2 data: [21 hidden]\n   43 card acceptor name and location: [26 hidden]\n   \
         48 additional data, private: [7 hidden]\n   52 personal identification number data: [8 hidden]\n   98 payee: [25 hidden]"
    );
    assert_eq!(format!("{message:?}"), shown);
    assert_eq!(message.field(2).map(|value| format!("{value:?}")).as_deref(), Some("2 401200******5439"));
}
