//! A client that asks one thing after the other on one connection, and one that leaves without waiting.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;
use protocol::id::Xid;

/// An answer that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The metric of what is not decided, one for each processor.
const IN_FLIGHT: &str = "switchyard_processor_in_flight{";

/// One connection.
pub(super) struct Client {
    stream: TcpStream,
    api_key: String,
    read: Vec<u8>,
}

impl Client {
    pub(super) fn connect(address: SocketAddr, api_key: &str) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, api_key: api_key.to_owned(), read: Vec::new() })
    }

    /// Asks, and gives the status and the body of the answer.
    pub(super) fn post(&mut self, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        self.send(path, body)?;
        self.answer()
    }

    /// Asks and does not wait.
    pub(super) fn send(&mut self, path: &str, body: &str) -> anyhow::Result<()> {
        let (key, bytes) = (&self.api_key, body.len());
        let head = format!("POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: {key}\r\nContent-Type: application/json\r\n");
        let request = format!("{head}Content-Length: {bytes}\r\n\r\n{body}");
        Ok(self.stream.write_all(request.as_bytes())?)
    }

    /// Requests that processors have and that are not decided, as the switch counts them.
    pub(super) fn in_flight(&mut self) -> anyhow::Result<u64> {
        self.stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let (status, body) = self.answer()?;
        anyhow::ensure!(status == 200, "the metrics: {status} {body}");
        let lines = body.lines().filter(|line| line.starts_with(IN_FLIGHT));
        let figures = lines.map(|line| Ok(line.rsplit(' ').next().context("a figure")?.parse::<u64>()?));
        figures.sum()
    }

    fn answer(&mut self) -> anyhow::Result<(u16, String)> {
        self.read.clear();
        loop {
            if let Some(answer) = whole(&self.read)? {
                return Ok(answer);
            }
            let mut chunk = [0; 16 * 1024];
            let count = self.stream.read(&mut chunk)?;
            anyhow::ensure!(count > 0, "the switch has closed the connection");
            self.read.extend_from_slice(&chunk[..count]);
        }
    }
}

/// Status and body, once the answer is there to its last byte.
fn whole(bytes: &[u8]) -> anyhow::Result<Option<(u16, String)>> {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let status = head.split(' ').nth(1).context("a status line")?.parse()?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned));
    let length: usize = length.context("a content length")?.trim().parse()?;
    Ok((body.len() >= length).then(|| (status, body.to_owned())))
}

/// The body of a sale of so many minor units.
pub(super) fn sale(amount: u64, key: &str) -> String {
    format!(
        "{{\"type\":\"sale\",\"amount\":{amount},\"currency\":\"USD\",\"idempotency_key\":\"{key}\",\"payment_method\":{{\"card\":\
         {{\"entry_type\":\"keyed\",\"number\":\"4111111111111111\",\"expiration_date\":\"12/30\",\"cvc\":\"999\"}}}}}}"
    )
}

/// The path of a refund.
pub(super) fn refund_path(id: Xid) -> String {
    format!("/api/transaction/{id}/refund")
}
