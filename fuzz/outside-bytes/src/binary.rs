//! The binary front's and its client's side of a conversation, and the requests in it.

use api_front::listeners::binary::session::{Said, Session};
use api_front::rest::request::check_sent_tail;
use client::{Heard, Reply, Talk};
use protocol::binary::limits::FRAME_MAX_BYTES;
use protocol::binary::request::push_command;
use protocol::binary::{FrameKind, FrameWriter, GoAwayCode, Hello, Request, RequestKind, Requests, capability, next_frame};
use protocol::command::Command;
use std::fmt::Write;

const CREDITS: u32 = 8;
const KEY: &str = "api_fuzz_5f0c";

/// Any bytes as what a client sends. The first byte says how: bit 0, a good Hello comes before; bit 1, the rest is frames whose
/// headers are put right, so that what is behind a checksum is reached too.
pub fn session(input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    let mut stream = Vec::new();
    if how & 1 == 1 {
        Hello { version_min: 1, version_max: 1, capabilities: capability::ALL, api_key: KEY }.write(&mut stream);
    }
    put(how & 2 == 2, rest, &mut stream);
    let whole = hear(&stream, stream.len());
    let in_pieces = hear(&stream, 1 + usize::from(how >> 2));
    assert_eq!(whole, in_pieces, "a conversation does not depend on how its bytes are cut");
}

/// Any bytes as what a switch sends.
pub fn talk(input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    let mut stream = Vec::new();
    put(how & 2 == 2, rest, &mut stream);
    let mut talk = Talk::new(KEY);
    for piece in stream.chunks(1 + usize::from(how >> 2)) {
        talk.receive(piece);
        loop {
            match talk.hear() {
                Ok(Some(Heard::Answers(answers))) => answers.for_each(|answer| {
                    let reply = Reply::of(&answer);
                    assert!(reply.outcomes.is_empty() || reply.text.is_empty(), "an outcome has no excuse");
                }),
                Ok(Some(Heard::Busy(_) | Heard::Welcome(_) | Heard::GoAway(_) | Heard::Pong)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// The bytes as they are, or as the kinds, counts and bodies of frames: each `kind, count, length: u16, body`.
fn put(as_frames: bool, mut bytes: &[u8], stream: &mut Vec<u8>) {
    if !as_frames {
        return stream.extend_from_slice(bytes);
    }
    while let Some((&[kind, count, low, high], rest)) = bytes.split_first_chunk() {
        let (body, behind) = rest.split_at(usize::from(u16::from_le_bytes([low, high])).min(rest.len()));
        let mut frame = FrameWriter::begin(FrameKind::from_number(kind), stream);
        frame.body().extend_from_slice(body);
        (0..count).for_each(|_| frame.count_item());
        frame.finish();
        bytes = behind;
    }
}

/// What is heard of a stream that comes in pieces, in words.
fn hear(stream: &[u8], piece_bytes: usize) -> String {
    let (mut session, mut waiting, mut heard) = (Session::new(CREDITS), Vec::new(), String::new());
    for piece in stream.chunks(piece_bytes.max(1)) {
        waiting.extend_from_slice(piece);
        loop {
            let size = match session.hear(&waiting) {
                Ok(None) => break,
                Ok(Some((said, size))) => {
                    understand(&said, &mut heard);
                    size
                }
                Err(ending) => {
                    assert!(!matches!(ending.code, GoAwayCode::Other(_)) && !ending.why.contains(KEY), "{ending:?}");
                    let _ = write!(heard, "{:?}", ending.code);
                    return heard;
                }
            };
            waiting.drain(..size);
            assert!(session.unanswered() <= CREDITS, "no more is lent than there is");
            session.welcome();
        }
        assert!(waiting.len() <= FRAME_MAX_BYTES.max(piece.len()) || session.is_deaf(), "what waits is bounded");
    }
    heard
}

fn understand(said: &Said<'_>, heard: &mut String) {
    match said {
        Said::Hello(hello) => {
            assert!(!format!("{hello:?}").contains(KEY), "the key is not shown");
            heard.push('h');
        }
        Said::Ping(body) => {
            assert_eq!(body.len(), 8);
            heard.push('p');
        }
        Said::Requests(requests) => requests.clone().for_each(|request| {
            let _ = write!(heard, "{} ", request.request_id);
            look_at(&request);
        }),
    }
}

/// Looks at all of a request as the front would, and writes a command again as it was.
fn look_at(request: &Request<'_>) {
    if let Some(card) = request.card {
        assert_eq!(format!("{card:?}"), "CardBlock(…)");
        let _ = card.parts();
    }
    let parsed = Command::parse(request.body).ok().filter(|_| request.kind == RequestKind::Command);
    let Some((command, tail)) = parsed else { return };
    if let Some(verb) = command.verb() {
        let _ = check_sent_tail(verb, tail);
    }
    let mut again = Vec::new();
    let mut frame = FrameWriter::begin(FrameKind::Requests, &mut again);
    push_command(&mut frame, request.request_id, command, request.card, tail.bytes());
    frame.finish();
    let frame = next_frame(&again, FRAME_MAX_BYTES).expect("what is written is a frame").expect("and whole");
    let mut requests = Requests::check(frame.body, frame.count).expect("of one request");
    let same = requests.next().expect("of one request");
    assert_eq!((same.request_id, same.card, same.body), (request.request_id, request.card, request.body));
}
