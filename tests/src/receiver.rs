//! A receiver of webhooks: takes them, or misbehaves as it is told.

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What it does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// 204.
    Takes,
    /// 500.
    Fails,
    /// 307 to where nobody should follow.
    Redirects,
    /// 200 and half of the answer that it promises.
    Lies,
    /// 410.
    Gone,
    /// Reads, and says nothing for longer than anybody waits.
    Hangs,
}

/// What it was sent.
#[derive(Debug, Clone)]
pub struct Received {
    /// How it was answered.
    pub manner: Manner,
    /// Path and query.
    pub path: String,
    /// Names in small letters.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// The id by which repeats are known.
    pub fn id(&self) -> &str {
        self.headers.get("webhook-id").expect("a webhook has an id")
    }
}

/// The receiver; its thread goes with the process.
#[derive(Clone)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    manner: Arc<Mutex<Manner>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// One that speaks plain HTTP.
    pub fn start(manner: Manner) -> Receiver {
        Receiver::start_with(manner, None)
    }

    /// One that speaks TLS and takes all. Gives the PEM of its authority too, which nobody knows.
    pub fn start_with_tls() -> (Receiver, String) {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate is made");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key);
        let config = config.expect("key and certificate belong together");
        (Receiver::start_with(Manner::Takes, Some(Arc::new(config))), own.cert.pem())
    }

    fn start_with(manner: Manner, tls: Option<Arc<ServerConfig>>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let receiver = Receiver { address, tls, manner: Arc::new(Mutex::new(manner)), received: Arc::default() };
        let at_work = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let receiver = at_work.clone();
                thread::spawn(move || drop(receiver.serve(stream)));
            }
        });
        receiver
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        match self.tls {
            Some(_) => format!("https://localhost:{}{path}", self.address.port()),
            None => format!("http://{}{path}", self.address),
        }
    }

    /// From now on.
    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// All that it was sent, however it answered.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has taken.
    pub fn taken(&self) -> Vec<Received> {
        self.received().into_iter().filter(|one| one.manner == Manner::Takes).collect()
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        match &self.tls {
            None => self.converse(stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
                self.converse(StreamOwned::new(connection, stream))
            }
        }
    }

    fn converse(&self, stream: impl Read + Write) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        // A connection on which nothing was asked for, or only begun to be.
        let Some(length) = headers.get("content-length").and_then(|length| length.parse().ok()) else { return Ok(()) };
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let manner = *self.manner.lock().unwrap_or_else(PoisonError::into_inner);
        let received = Received { manner, path, headers, body };
        self.received.lock().unwrap_or_else(PoisonError::into_inner).push(received);
        self.answer(reader.get_mut(), manner)
    }

    fn answer(&self, stream: &mut impl Write, manner: Manner) -> std::io::Result<()> {
        let elsewhere = format!("HTTP/1.1 307 Elsewhere\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", self.url("/elsewhere"));
        let answer = match manner {
            Manner::Takes => "HTTP/1.1 204 Taken\r\n\r\n",
            Manner::Fails => "HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n",
            Manner::Redirects => &elsewhere,
            Manner::Lies => "HTTP/1.1 200 Fine\r\nContent-Length: 100\r\n\r\nhalf",
            Manner::Gone => "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
            Manner::Hangs => {
                thread::sleep(Duration::from_secs(30));
                ""
            }
        };
        stream.write_all(answer.as_bytes())?;
        stream.flush()
    }
}
