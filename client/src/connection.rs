//! A client over a blocking socket, in clear or under whatever wraps it. One thread; for more at a time, ask several things before receiving.

use crate::asks::Ask;
use crate::error::ClientError;
use crate::talk::{Heard, Reply, RequestId, Talk};
use protocol::binary::Welcome;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a client waits, unless told otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a reading: longer than the longest answer of the switch takes, which waits for its processor.
    pub read: Duration,
    /// For a writing.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { read: Duration::from_secs(60), write: Duration::from_secs(10) }
    }
}

const READ_BYTES: usize = 64 * 1024;

/// A connection that was welcomed. For TLS, give [`Client::over`] the library's blocking stream around the socket.
#[derive(Debug)]
pub struct Client<S = TcpStream> {
    stream: S,
    talk: Talk,
    welcome: Welcome,
    heard: VecDeque<Reply>,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects, says who asks, and waits to be welcomed.
    pub fn connect(address: impl ToSocketAddrs, api_key: &str) -> Result<Client, ClientError> {
        Client::connect_with(address, api_key, Limits::default())
    }

    /// The same with other limits of time.
    pub fn connect_with(address: impl ToSocketAddrs, api_key: &str, limits: Limits) -> Result<Client, ClientError> {
        let stream = TcpStream::connect(address).map_err(socket("connect"))?;
        stream.set_nodelay(true).map_err(socket("connect"))?;
        stream.set_read_timeout(Some(limits.read)).map_err(socket("connect"))?;
        stream.set_write_timeout(Some(limits.write)).map_err(socket("connect"))?;
        Client::over(stream, api_key)
    }

    /// Socket and conversation, for who waits in another way. Answers that were received and not taken are lost.
    pub fn into_parts(self) -> (TcpStream, Talk) {
        (self.stream, self.talk)
    }
}

impl<S: Read + Write> Client<S> {
    /// Says who asks on a stream that is connected already, and waits to be welcomed. Its limits of time are the caller's.
    pub fn over(stream: S, api_key: &str) -> Result<Client<S>, ClientError> {
        let (talk, buffer) = (Talk::new(api_key), vec![0; READ_BYTES]);
        let mut client = Client { stream, talk, welcome: Welcome::empty(), heard: VecDeque::new(), buffer };
        client.send()?;
        while client.welcome.version == 0 {
            client.read_once()?;
        }
        Ok(client)
    }

    /// What holds on this connection.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Adds a request to those that are sent together by [`Client::send`].
    pub fn ask(&mut self, ask: &Ask) -> Result<RequestId, ClientError> {
        self.talk.ask(ask)
    }

    /// Sends what was asked, in one frame.
    pub fn send(&mut self) -> Result<(), ClientError> {
        let output = self.talk.output();
        let count = output.len();
        self.stream.write_all(output).and_then(|()| self.stream.flush()).map_err(socket("send"))?;
        self.talk.sent(count);
        Ok(())
    }

    /// Waits for the next answer, of whichever request.
    pub fn receive(&mut self) -> Result<Reply, ClientError> {
        loop {
            if let Some(reply) = self.heard.pop_front() {
                return Ok(reply);
            }
            self.read_once()?;
        }
    }

    /// Asks one thing and waits for its answer. Answers to other requests that come meanwhile are kept.
    pub fn call(&mut self, ask: &Ask) -> Result<Reply, ClientError> {
        let request_id = self.ask(ask)?;
        self.send()?;
        loop {
            if let Some(place) = self.heard.iter().position(|reply| reply.request_id == request_id) {
                return Ok(self.heard.remove(place).expect("the place was just found"));
            }
            self.read_once()?;
        }
    }

    /// Keeps an idle connection.
    pub fn ping(&mut self) -> Result<(), ClientError> {
        self.talk.ping();
        self.send()
    }

    /// Requests without an answer.
    pub fn unanswered(&self) -> u32 {
        self.talk.unanswered()
    }

    fn read_once(&mut self) -> Result<(), ClientError> {
        let count = loop {
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return Err(ClientError::Closed { unanswered: self.talk.unanswered() }),
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(socket("receive")(error)),
            }
        };
        self.talk.receive(&self.buffer[..count]);
        while let Some(heard) = self.talk.hear()? {
            match heard {
                Heard::Welcome(welcome) => self.welcome = welcome,
                Heard::Answers(answers) => self.heard.extend(answers.map(|answer| Reply::of(&answer))),
                Heard::Busy(busy) => self.heard.extend(busy.request_ids.iter().map(|id| Reply::busy(id.get()))),
                Heard::Pong => {}
                Heard::GoAway(away) => {
                    return Err(ClientError::GoAway {
                        code: away.code,
                        retry_after_ms: away.retry_after_ms,
                        text: away.text.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }
}

fn socket(operation: &'static str) -> impl FnOnce(std::io::Error) -> ClientError {
    move |source| ClientError::Socket { operation, source }
}
