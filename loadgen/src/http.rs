//! One keep-alive HTTP/1.1 connection: a drawn request out, one answer with a content length in.
//!
//! Written by hand because the generator shares its cores with the system under test, and what a full
//! client does beyond this would be charged to the target. Measured on one load (2 cores, 64 connections,
//! closed loop, answers of 2 KB): 10.4 µs of CPU per request with all recording, two thirds of them the
//! kernel's, against 11.5 µs with hyper's client and no recording. It also tells faults apart by kind.
//! Nothing here knows what a request means.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::plan::ANSWER_BYTES_MAX;

const HEADERS_MAX: usize = 64;
const READ_BYTES_FIRST: usize = 16 << 10;

/// Why one request has no answer. Counted by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The connection could not be made.
    Connect,
    /// The peer reset the connection or refused the bytes.
    Reset,
    /// The peer closed before the answer was whole.
    Closed,
    /// No whole answer within the time-out.
    Timeout,
    /// Not an HTTP/1.x answer.
    NotHttp,
    /// An answer without a content length, which this client does not read.
    NoLength,
    /// Longer than [`ANSWER_BYTES_MAX`].
    TooLong,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Fault::Connect => "connect",
            Fault::Reset => "reset",
            Fault::Closed => "closed",
            Fault::Timeout => "timeout",
            Fault::NotHttp => "not_http",
            Fault::NoLength => "no_content_length",
            Fault::TooLong => "too_long",
        }
    }
}

/// One answer; the body borrows the connection's buffer.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// A connection that is opened when needed and dropped on the first fault: after one, what arrives
/// next can't be told to belong to the next request.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// Where the answer ends, once its head is whole.
#[derive(Clone, Copy)]
struct Head {
    status: u16,
    head_bytes: usize,
    body_bytes: usize,
    close: bool,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Connection { address, stream: None, buffer: Vec::with_capacity(READ_BYTES_FIRST) }
    }

    pub(crate) async fn open(&mut self) -> std::io::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Gives the connection up, for instance after a time-out cut an exchange short.
    pub(crate) fn drop_stream(&mut self) {
        self.stream = None;
    }

    /// Sends one request and reads its whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Fault> {
        if self.stream.is_none() {
            self.open().await.map_err(|_| Fault::Connect)?;
        }
        match self.try_exchange(request).await {
            Ok(head) => {
                if head.close {
                    self.drop_stream();
                }
                let body = &self.buffer[head.head_bytes..head.head_bytes + head.body_bytes];
                Ok(Answer { status: head.status, body })
            }
            Err(fault) => {
                self.drop_stream();
                Err(fault)
            }
        }
    }

    async fn try_exchange(&mut self, request: &[u8]) -> Result<Head, Fault> {
        let stream = self.stream.as_mut().ok_or(Fault::Connect)?;
        stream.write_all(request).await.map_err(|_| Fault::Reset)?;
        self.buffer.clear();
        let mut head = None;
        loop {
            let read = stream.read_buf(&mut self.buffer).await.map_err(|_| Fault::Reset)?;
            if read == 0 {
                return Err(Fault::Closed);
            }
            if head.is_none() {
                head = parse_head(&self.buffer)?;
            }
            match head {
                // One request is in flight: bytes past its answer belong to nothing that was asked.
                Some(head) if self.buffer.len() > head.head_bytes + head.body_bytes => return Err(Fault::NotHttp),
                Some(head) if self.buffer.len() == head.head_bytes + head.body_bytes => return Ok(head),
                Some(_) => {}
                None if self.buffer.len() >= ANSWER_BYTES_MAX => return Err(Fault::TooLong),
                None => {}
            }
            self.buffer.reserve(READ_BYTES_FIRST);
        }
    }
}

/// `None` as long as the head is not whole.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let head_bytes = match answer.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Fault::NotHttp),
    };
    let mut body_bytes = None;
    let mut close = answer.version == Some(0);
    for header in answer.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            body_bytes = std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse::<usize>().ok());
        } else if header.name.eq_ignore_ascii_case("connection") {
            close |= header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let body_bytes = body_bytes.ok_or(Fault::NoLength)?;
    if body_bytes > ANSWER_BYTES_MAX - head_bytes.min(ANSWER_BYTES_MAX) {
        return Err(Fault::TooLong);
    }
    let status = answer.code.ok_or(Fault::NotHttp)?;
    Ok(Some(Head { status, head_bytes, body_bytes, close }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_whole_and_bad_ones_are_told_apart() {
        let whole = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 12\r\nConnection: Close\r\n\r\n{}";
        let head = parse_head(whole).unwrap().unwrap();
        assert_eq!((head.status, head.body_bytes, head.close), (503, 12, true));
        assert_eq!(&whole[head.head_bytes..], b"{}");
        for cut in 0..whole.len() - 2 {
            assert!(parse_head(&whole[..cut]).unwrap().is_none(), "cut at {cut}");
        }
        let fault = |bytes: &[u8]| parse_head(bytes).err();
        assert_eq!(fault(b"\x00\x01\x02\r\n\r\n"), Some(Fault::NotHttp));
        assert_eq!(fault(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"), Some(Fault::NoLength));
        assert_eq!(fault(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n"), Some(Fault::TooLong));
        assert_eq!(fault(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"), Some(Fault::NoLength));
    }

    #[test]
    fn whatever_comes_a_head_is_waited_for_refused_or_within_bounds() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{}";
        let mut draw = 0x9e37_79b9_u64;
        for _ in 0..20_000 {
            let mut bytes = whole.to_vec();
            for _ in 0..3 {
                draw = draw.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                let at = (draw >> 40) as usize % bytes.len();
                bytes[at] = (draw >> 32) as u8;
            }
            let Ok(Some(head)) = parse_head(&bytes) else { continue };
            assert!(head.head_bytes <= bytes.len() && head.head_bytes + head.body_bytes <= ANSWER_BYTES_MAX);
            for cut in 0..head.head_bytes {
                assert!(!matches!(parse_head(&bytes[..cut]), Ok(Some(_))), "a head that is not whole was taken for one");
            }
        }
    }
}
