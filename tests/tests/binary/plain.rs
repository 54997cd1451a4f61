//! A client written from FORMATS.md alone: bytes and offsets, nothing of the protocol's own code.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub const REQUESTS: u8 = 3;
pub const ANSWERS: u8 = 4;
pub const BUSY: u8 = 5;
pub const GO_AWAY: u8 = 6;
pub const PING: u8 = 7;
pub const PONG: u8 = 8;

pub fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = 0xFFFF_FFFF_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
        }
    }
    !crc
}

pub fn frame(kind: u8, count: u16, body: &[u8]) -> Vec<u8> {
    let mut rest = vec![1, kind];
    rest.extend(count.to_le_bytes());
    rest.extend([0; 4]);
    rest.extend(body);
    let mut out = (8 + rest.len() as u32).to_le_bytes().to_vec();
    out.extend(crc32c(&rest).to_le_bytes());
    out.extend(rest);
    out
}

pub fn hello(key: &str, capabilities: u32) -> Vec<u8> {
    let mut body = b"SWYDBIN\n".to_vec();
    body.extend([1, 1]);
    body.extend((key.len() as u16).to_le_bytes());
    body.extend(capabilities.to_le_bytes());
    body.extend([0; 8]);
    body.extend(key.as_bytes());
    frame(1, 0, &body)
}

pub fn request(kind: u8, id: u64, card: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut out = (16 + card.len() as u32 + rest.len() as u32).to_le_bytes().to_vec();
    out.extend([kind, card.len() as u8, 0, 0]);
    out.extend(id.to_le_bytes());
    out.extend(card);
    out.extend(rest);
    out
}

/// A sale in dollars by a card good through December 2030.
pub fn sale(id: u64, pan: &str, cents: u64, key: &str) -> Vec<u8> {
    let mut card = vec![0; 72];
    (card[0], card[1]) = (pan.len() as u8, 3);
    card[4..6].copy_from_slice(&3012_u16.to_le_bytes());
    card[8..8 + pan.len()].copy_from_slice(pan.as_bytes());
    card[27..30].copy_from_slice(b"999");
    let mut command = vec![0; 128];
    command[0..4].copy_from_slice(&(128 + 4 + key.len() as u32).to_le_bytes());
    (command[4], command[6], command[7]) = (1, 1, 2);
    command[48..56].copy_from_slice(&cents.to_le_bytes());
    command[56..58].copy_from_slice(&840_u16.to_le_bytes());
    (command[58], command[59]) = (1, 1);
    command.extend(7_u16.to_le_bytes());
    command.extend((key.len() as u16).to_le_bytes());
    command.extend(key.as_bytes());
    request(1, id, &card, &command)
}

/// A frame as it was received.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub count: u16,
    pub body: Vec<u8>,
}

impl Frame {
    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.body[at..at + 2].try_into().unwrap())
    }

    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.body[at..at + 4].try_into().unwrap())
    }

    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.body[at..at + 8].try_into().unwrap())
    }

    /// The answers of an Answers frame: kind, code, request id, what follows.
    pub fn answers(&self) -> Vec<(u8, u16, u64, Vec<u8>)> {
        assert_eq!(self.kind, ANSWERS, "{self:?}");
        let (mut at, mut answers) = (0, Vec::new());
        while at < self.body.len() {
            let size = self.u32(at) as usize;
            answers.push((self.body[at + 4], self.u16(at + 6), self.u64(at + 8), self.body[at + 24..at + size].to_vec()));
            at += size;
        }
        assert_eq!(answers.len(), usize::from(self.count));
        answers
    }
}

pub struct Plain(pub TcpStream);

impl Plain {
    pub fn connect(address: SocketAddr) -> Plain {
        let stream = TcpStream::connect(address).expect("the binary front listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        Plain(stream)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("it can be sent");
    }

    /// The next frame; none at the stream's end.
    pub fn receive(&mut self) -> Option<Frame> {
        let mut header = [0; 16];
        if let Err(error) = self.0.read_exact(&mut header) {
            assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}");
            return None;
        }
        let size = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        let mut body = vec![0; size - 16];
        self.0.read_exact(&mut body).expect("a frame comes whole");
        let checked = [&header[8..], &body].concat();
        assert_eq!(u32::from_le_bytes(header[4..8].try_into().unwrap()), crc32c(&checked));
        assert_eq!((header[8], &header[12..]), (1, &[0; 4][..]));
        Some(Frame { kind: header[9], count: u16::from_le_bytes([header[10], header[11]]), body })
    }

    /// Connects and is welcomed.
    pub fn welcomed(address: SocketAddr, key: &str, capabilities: u32) -> (Plain, Frame) {
        let mut plain = Plain::connect(address);
        plain.send(&hello(key, capabilities));
        let welcome = plain.receive().expect("a frame");
        assert_eq!(welcome.kind, 2, "{welcome:?}");
        (plain, welcome)
    }

    /// The code of the GoAway that ends it.
    #[track_caller]
    pub fn go_away_code(&mut self) -> u16 {
        let away = self.receive().expect("a frame before the end");
        assert_eq!(away.kind, GO_AWAY, "{away:?}");
        assert!(self.receive().is_none(), "and then the end");
        away.u16(0)
    }
}
