//! Connections beyond the limit: told so at once, in HTTP, and closed.
//!
//! Left in the kernel's queue they would wait for an unknown time and then be served to clients that have given up.

use crate::limits::{HTTP_TURNED_AWAY_MAX, HTTP_TURNED_AWAY_TIMEOUT};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What is said, whatever was asked: nothing of it was read.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
    connection: close\r\nx-request-id: none\r\nx-correlation-id: none\r\ncontent-length: 81\r\n\r\n\
    {\"status\":\"failed\",\"msg\":\"service unavailable: too many connections\",\"data\":null}";
/// Bytes of a request that are read on and forgotten: closing with unread bytes would reset the connection, and take the
/// answer away from a client that has not read it yet.
const UNREAD_MAX_BYTES: usize = 64 * 1024;

/// Those being told.
#[derive(Debug)]
pub(super) struct TurnedAway(Arc<Semaphore>);

impl Default for TurnedAway {
    fn default() -> TurnedAway {
        TurnedAway(Arc::new(Semaphore::new(HTTP_TURNED_AWAY_MAX)))
    }
}

impl TurnedAway {
    /// Tells one. When too many are being told already, it is closed without a word.
    pub(super) fn tell(&self, stream: TcpStream) {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else { return };
        tokio::spawn(async move {
            // A client that does not read in time, or is gone, misses nothing that could still be told.
            let _ = timeout(HTTP_TURNED_AWAY_TIMEOUT, say(stream)).await;
            drop(place);
        });
    }
}

async fn say(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(ANSWER).await?;
    stream.shutdown().await?;
    let (mut unread, mut read_bytes) = ([0; 4096], 0);
    loop {
        match stream.read(&mut unread).await? {
            0 => return Ok(()),
            count => read_bytes += count,
        }
        if read_bytes > UNREAD_MAX_BYTES {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_length_that_it_says() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let said = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        assert_eq!(said.parse(), Ok(body.len()));
        assert!(head.lines().all(|line| line == line.trim_start()), "{head}");
    }
}
