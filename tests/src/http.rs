//! A small blocking HTTP/1.1 client over a plain socket: what it sends is exactly what a test says.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take: longer than any time-out of the switch under test.
const ANSWER: Duration = Duration::from_secs(40);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the body of {}: {}", self.status, self.text()))
    }

    /// `data` of an envelope that says success.
    #[track_caller]
    pub fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        let mut envelope = self.json();
        assert_eq!((&envelope["status"], &envelope["msg"]), (&Value::from("success"), &Value::from("success")));
        envelope["data"].take()
    }

    /// `msg` of an envelope that says failure, with the status code.
    #[track_caller]
    pub fn refusal(&self) -> (u16, String) {
        let envelope = self.json();
        assert_eq!(envelope["status"], "failed", "{}", self.text());
        assert_eq!(envelope["data"], Value::Null);
        assert!(envelope.as_object().is_some_and(|fields| fields.contains_key("data")));
        (self.status, envelope["msg"].as_str().expect("msg is a text").to_owned())
    }
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        Ok(Connection { stream, buffer: Vec::new() })
    }

    /// Bounds the wait for bytes.
    pub fn patience(&self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).expect("a time-out above zero can be set");
    }

    /// Writes bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends one request and does not wait for its answer.
    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
        self.send(&rendered(method, path, headers, body))
    }

    /// One request, with a body of a said length.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Response> {
        self.send(&rendered(method, path, headers, body))?;
        self.receive(method == "HEAD")
    }

    /// The next answer. That of a HEAD has no body, whatever its headers say.
    pub fn receive(&mut self, bodiless: bool) -> io::Result<Response> {
        let head_end = self.fill_until(|bytes| find(bytes, b"\r\n\r\n"))?;
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        self.buffer.drain(..head_end + 4);
        let mut response = parse_head(&head)?;
        if bodiless || matches!(response.status, 100..=199 | 204 | 304) {
            return Ok(response);
        }
        response.body = match (response.header("transfer-encoding"), response.header("content-length")) {
            (Some("chunked"), _) => self.chunks()?,
            (_, Some(length)) => self.take(length.parse().map_err(|_| unsound("content-length"))?)?,
            (_, None) => self.rest()?,
        };
        Ok(response)
    }

    /// Reads until the peer closes; a reset is an error.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffer);
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line_end = self.fill_until(|bytes| find(bytes, b"\r\n"))?;
            let line = self.take(line_end + 2)?;
            let digits = String::from_utf8_lossy(&line[..line_end]).into_owned();
            let length = usize::from_str_radix(digits.trim(), 16).map_err(|_| unsound("chunk length"))?;
            body.extend(self.take(length)?);
            self.take(2)?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        self.fill_until(|bytes| (bytes.len() >= length).then_some(0))?;
        Ok(self.buffer.drain(..length).collect())
    }

    fn fill_until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(at) = found(&self.buffer) {
                return Ok(at);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                // A read with a time-out is not taken up again by the system when the test itself was stopped for a while.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.buffer.len() > ANSWER_BYTES_MAX {
                return Err(unsound("length: it does not end"));
            }
        }
    }
}

/// One request on a connection of its own.
pub fn exchange(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Response> {
    Connection::open(address)?.request(method, path, headers, body)
}

/// A request's bytes. `Host` and, unless the body is empty, `Content-Length` are added.
pub fn rendered(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: switchyard.test\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

fn parse_head(head: &str) -> io::Result<Response> {
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or("");
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| unsound("status line"))?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let headers = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Ok(Response { status, headers, body: Vec::new() })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn unsound(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("an answer with an unsound {what}"))
}
