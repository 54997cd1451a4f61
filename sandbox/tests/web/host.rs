//! The sandbox as the tests of its hosts that are asked by HTTP start it, and one exchange with it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use sandbox::{Options, Running};
use serde_json::Value;
use tempfile::TempDir;

/// How late the hosts of these tests are when they are late.
pub const LATE_MS: u32 = 150;
/// How long an answer may take that is sure to come, milliseconds.
pub const PATIENCE_MS: u64 = 5_000;

/// The sandbox with a folder that goes away with it.
pub struct Host {
    pub running: Running,
    pub folder: TempDir,
}

impl Host {
    pub fn start() -> Host {
        Host::start_in(tempfile::tempdir().unwrap())
    }

    fn start_in(folder: TempDir) -> Host {
        let running = sandbox::start(Options { late_ms: LATE_MS, ..Options::new(folder.path()) }).unwrap();
        Host { running, folder }
    }

    /// Stops it and starts it on the same ledger.
    pub fn restart(self) -> Host {
        self.running.shutdown();
        Host::start_in(self.folder)
    }
}

/// What a control address says.
pub fn control(addr: SocketAddr, method: &str, path: &str, body: &str) -> Value {
    let (status, text) = http(addr, method, path, body, PATIENCE_MS).unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// What came instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    Silence,
    Closed,
}

/// One exchange in HTTP/1.0: the body ends where the connection ends.
pub fn http(addr: SocketAddr, method: &str, path: &str, body: &str, patience_ms: u64) -> Result<(u16, String), NoAnswer> {
    read(begin(addr, method, path, body).map_err(|_| NoAnswer::Closed)?, patience_ms)
}

/// Sends without waiting for what comes.
pub fn begin(addr: SocketAddr, method: &str, path: &str, body: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(addr)?;
    write!(stream, "{method} {path} HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    Ok(stream)
}

/// The answer on a connection.
pub fn read(mut stream: TcpStream, patience_ms: u64) -> Result<(u16, String), NoAnswer> {
    stream.set_read_timeout(Some(Duration::from_millis(patience_ms))).unwrap();
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Ok(0) => Err(NoAnswer::Closed),
        Ok(_) => {
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            Ok((head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Err(NoAnswer::Closed),
        Err(_) => Err(NoAnswer::Silence),
    }
}
