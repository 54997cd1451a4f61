//! What a client asks: a command, or what became of one.

use super::BodyFault;
use super::frame::FrameWriter;
use crate::card::Expiry;
use crate::command::Command;
use crate::secret::{Cvv, PAN_MAX_DIGITS, Pan, TRACK_2_MAX_CHARACTERS, Track2};
use core::fmt;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};
use zeroize::Zeroize;

const _: () = assert!(size_of::<RequestHeader>() == 16 && size_of::<CardBlock>() == 72);

/// Head of every request of a Requests frame, 16 bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RequestHeader {
    /// Bytes of the whole request, this header included.
    pub size: U32,
    /// RequestKind.
    pub kind: u8,
    /// Bytes of the card block that follows at once: 72, or 0 when there is none.
    pub card_bytes: u8,
    /// Zero.
    pub reserved: U16,
    /// Chosen by the client, repeated in the answer. The switch attaches no meaning to it.
    pub request_id: U64,
}

/// What a request is. Open: a number that this version does not know survives, and is answered as not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// A [`Command`] and its tail.
    Command,
    /// The transaction with an id.
    FindById,
    /// The newest transactions with an order number.
    FindByOrderId,
    /// What the command with an idempotency key came to.
    FindByKey,
    /// A kind of a later version.
    Other(u8),
}

impl RequestKind {
    /// From the number in the header.
    pub const fn from_number(number: u8) -> RequestKind {
        match number {
            1 => RequestKind::Command,
            2 => RequestKind::FindById,
            3 => RequestKind::FindByOrderId,
            4 => RequestKind::FindByKey,
            other => RequestKind::Other(other),
        }
    }

    /// The number in the header.
    pub const fn number(self) -> u8 {
        match self {
            RequestKind::Command => 1,
            RequestKind::FindById => 2,
            RequestKind::FindByOrderId => 3,
            RequestKind::FindByKey => 4,
            RequestKind::Other(other) => other,
        }
    }
}

/// The card of a payment, 72 bytes. It stands before the command and never in a tail, so that the one who seals it knows where
/// it is. `Debug` shows nothing of it, and it forgets itself when dropped.
#[derive(Clone, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct CardBlock {
    /// Digits of the card number; 0 when the track alone says it.
    pub pan_digits: u8,
    /// Digits of the verification value; 0 when there is none.
    pub cvv_digits: u8,
    /// Characters of track 2; 0 when the card was keyed.
    pub track_2_characters: u8,
    /// Zero.
    pub reserved: u8,
    /// Expiry, `YYMM` as a number; 0 when the track alone says it.
    pub expiry: U16,
    /// Zero.
    pub reserved_2: U16,
    /// The card number, ASCII digits, then zeros.
    pub pan: [u8; PAN_MAX_DIGITS],
    /// The verification value, ASCII digits, then zeros.
    pub cvv: [u8; 4],
    /// Track 2 without its sentinels, then zeros.
    pub track_2: [u8; TRACK_2_MAX_CHARACTERS],
    /// Zero.
    pub reserved_3: [u8; 4],
}

impl fmt::Debug for CardBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardBlock(…)")
    }
}

impl Drop for CardBlock {
    fn drop(&mut self) {
        self.as_mut_bytes().zeroize();
    }
}

/// What a card block says: each part as far as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentCard {
    /// The card number.
    pub pan: Option<Pan>,
    /// The month it is good through.
    pub expiry: Option<Expiry>,
    /// The verification value.
    pub cvv: Option<Cvv>,
    /// Track 2.
    pub track_2: Option<Track2>,
}

impl CardBlock {
    /// The block of a keyed card.
    pub fn keyed(pan: &Pan, expiry: Expiry, cvv: Option<&Cvv>) -> CardBlock {
        let mut block = CardBlock::new_zeroed();
        block.expiry = expiry.yymm().into();
        block.pan_digits = put(&mut block.pan, pan.expose());
        if let Some(cvv) = cvv {
            block.cvv_digits = put(&mut block.cvv, cvv.expose());
        }
        block
    }

    /// The block of a swiped card.
    pub fn swiped(track_2: &Track2) -> CardBlock {
        let mut block = CardBlock::new_zeroed();
        block.track_2_characters = put(&mut block.track_2, track_2.expose());
        block
    }

    /// The parts. The error names the field that is not what it must be.
    pub fn parts(&self) -> Result<SentCard, &'static str> {
        if (self.reserved, self.reserved_2.get(), self.reserved_3) != (0, 0, [0; 4]) {
            return Err("reserved");
        }
        let text = |bytes, count, name| text_of(bytes, count).ok_or(name);
        let (pan, cvv) = (text(&self.pan, self.pan_digits, "pan")?, text(&self.cvv, self.cvv_digits, "cvv")?);
        let track_2 = text(&self.track_2, self.track_2_characters, "track_2")?;
        let expiry = match self.expiry.get() {
            0 => None,
            yymm => Some(Expiry::from_yymm(yymm).ok_or("expiry")?),
        };
        Ok(SentCard {
            pan: sent(pan, Pan::new).ok_or("pan")?,
            expiry,
            cvv: sent(cvv, Cvv::new).ok_or("cvv")?,
            track_2: sent(track_2, Track2::new).ok_or("track_2")?,
        })
    }
}

/// Writes an ASCII text to the beginning; the secret types bound its length.
fn put(place: &mut [u8], text: &str) -> u8 {
    place[..text.len()].copy_from_slice(text.as_bytes());
    text.len() as u8
}

/// The first `count` bytes as a text; `None` when they are more than there are, no text, or followed by anything but zeros.
fn text_of(bytes: &[u8], count: u8) -> Option<&str> {
    let (text, rest) = bytes.split_at_checked(count.into())?;
    if rest.iter().any(|byte| *byte != 0) {
        return None;
    }
    core::str::from_utf8(text).ok()
}

/// `Some(None)` when nothing was sent, `None` when what was sent is not acceptable.
fn sent<T>(text: &str, read: fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

/// One request, cut but not judged.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What it is.
    pub kind: RequestKind,
    /// The client's number for it.
    pub request_id: u64,
    /// The card, if one came.
    pub card: Option<&'a CardBlock>,
    /// What follows: a command with its tail, an id, or a text.
    pub body: &'a [u8],
}

/// Cuts the body of a Requests frame, one request after another. A body that can't be cut is refused whole, before any of it
/// is done: use [`Requests::check`] first.
#[derive(Debug, Clone)]
pub struct Requests<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Requests<'a> {
    /// The requests of a body that are all whole, or what is wrong with it.
    pub fn check(body: &'a [u8], announced: u16) -> Result<Requests<'a>, BodyFault> {
        let requests = Requests { body, at: 0 };
        let (mut rest, mut count) = (requests.clone(), 0_usize);
        while rest.at < body.len() {
            rest.cut()?;
            count += 1;
        }
        if count != usize::from(announced) || count == 0 {
            return Err(BodyFault::Count { announced });
        }
        Ok(requests)
    }

    fn cut(&mut self) -> Result<Request<'a>, BodyFault> {
        let (at, rest) = (self.at, &self.body[self.at..]);
        let (header, behind) = RequestHeader::ref_from_prefix(rest).map_err(|_| BodyFault::Size { at })?;
        let size = header.size.get() as usize;
        let content = size.checked_sub(size_of::<RequestHeader>()).and_then(|length| behind.get(..length));
        let content = content.ok_or(BodyFault::Size { at })?;
        if header.reserved.get() != 0 {
            return Err(BodyFault::Reserved);
        }
        let (card, body) = match usize::from(header.card_bytes) {
            0 => (None, content),
            CARD_BYTES => {
                let (card, body) = CardBlock::ref_from_prefix(content).map_err(|_| BodyFault::Size { at })?;
                (Some(card), body)
            }
            _ => return Err(BodyFault::Size { at }),
        };
        self.at += size;
        Ok(Request { kind: RequestKind::from_number(header.kind), request_id: header.request_id.get(), card, body })
    }
}

const CARD_BYTES: usize = size_of::<CardBlock>();

impl<'a> Iterator for Requests<'a> {
    type Item = Request<'a>;

    fn next(&mut self) -> Option<Request<'a>> {
        if self.at < self.body.len() { self.cut().ok() } else { None }
    }
}

/// Appends a command to a Requests frame. The front fills in the fields that are its own; see FORMATS.md.
pub fn push_command(frame: &mut FrameWriter<'_>, request_id: u64, command: &Command, card: Option<&CardBlock>, tail: &[u8]) {
    let size = size_of::<Command>() + tail.len();
    push_header(frame, RequestKind::Command, request_id, card.is_some(), size);
    if let Some(card) = card {
        frame.body().extend_from_slice(card.as_bytes());
    }
    command.write(tail, frame.body());
}

/// Appends a query to a Requests frame: the twelve bytes of an id, or a text.
pub fn push_query(frame: &mut FrameWriter<'_>, request_id: u64, kind: RequestKind, what: &[u8]) {
    push_header(frame, kind, request_id, false, what.len());
    frame.body().extend_from_slice(what);
}

fn push_header(frame: &mut FrameWriter<'_>, kind: RequestKind, request_id: u64, has_card: bool, content_bytes: usize) {
    let card_bytes = if has_card { CARD_BYTES } else { 0 };
    let header = RequestHeader {
        size: ((size_of::<RequestHeader>() + card_bytes + content_bytes) as u32).into(),
        kind: kind.number(),
        card_bytes: card_bytes as u8,
        reserved: 0.into(),
        request_id: request_id.into(),
    };
    frame.body().extend_from_slice(header.as_bytes());
    frame.count_item();
}
