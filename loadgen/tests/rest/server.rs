//! The scripted server: HTTP by hand, so that it can also be wrong, slow or silent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to one request.
pub struct Reply {
    after: Duration,
    act: Act,
}

enum Act {
    Send(String),
    HangUp,
    Silence,
}

impl Reply {
    pub fn raw(bytes: &str) -> Self {
        Reply { after: Duration::ZERO, act: Act::Send(bytes.to_owned()) }
    }

    pub fn status(status: u16) -> Self {
        Reply::raw(&format!("HTTP/1.1 {status} Some Reason\r\ncontent-length: 2\r\n\r\n{{}}"))
    }

    /// A transaction with this response code, an id of its own and more fields than the generator
    /// reads.
    pub fn sale(response_code: u16) -> Self {
        let body = format!(
            r#"{{"status":"success","msg":"success","data":{{"id":"cabc","type":"sale","status":"pending_settlement","response_code":{response_code},"response_body":{{"card":{{"response_code":1,"status":"x"}}}}}}}}"#
        );
        Reply::raw(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    }

    pub fn hang_up() -> Self {
        Reply { after: Duration::ZERO, act: Act::HangUp }
    }

    pub fn silence() -> Self {
        Reply { after: Duration::ZERO, act: Act::Silence }
    }

    pub fn after(self, after: Duration) -> Self {
        Reply { after, ..self }
    }
}

pub fn approved() -> Reply {
    Reply::sale(100)
}

type Script = Arc<dyn Fn(u64) -> Reply + Send + Sync>;

/// Ends with the test's runtime.
pub struct Server {
    pub address: SocketAddr,
    requests: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// `script` is asked with the number of the request, counted over all connections from 0.
    pub async fn start(script: impl Fn(u64) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(accept(listener, Arc::new(script), Arc::clone(&requests)));
        Server { address, requests, accepting }
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Closes the listener; returns the address where nobody answers any more.
    pub async fn stop(self) -> SocketAddr {
        self.accepting.abort();
        let _ = self.accepting.await;
        self.address
    }
}

async fn accept(listener: TcpListener, script: Script, requests: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&requests)));
    }
}

async fn serve(mut stream: TcpStream, script: Script, requests: Arc<AtomicU64>) {
    while read_request(&mut stream).await {
        let reply = script(requests.fetch_add(1, Ordering::Relaxed));
        if !reply.after.is_zero() {
            tokio::time::sleep(reply.after).await;
        }
        match reply.act {
            Act::Send(bytes) if stream.write_all(bytes.as_bytes()).await.is_ok() => {}
            Act::Send(_) | Act::HangUp => return,
            Act::Silence => {}
        }
    }
}

/// False at the end of the connection.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    loop {
        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
            return false;
        }
        let text = std::str::from_utf8(&seen).expect("the generator sends ASCII");
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() == length.expect("every request has a length").parse::<usize>().unwrap() {
                return true;
            }
        }
    }
}
