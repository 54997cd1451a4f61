//! A client's socket, in clear or under TLS: bytes of the protocol in and out, never waiting.

use mio::event::Source;
use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

/// The socket.
#[derive(Debug)]
pub(super) struct Line {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
}

impl Line {
    /// Around a socket; with TLS where there is a certificate to show.
    pub(super) fn new(socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Line> {
        socket.set_nodelay(true)?;
        let tls = tls.map(|config| ServerConnection::new(Arc::clone(config))).transpose().map_err(io::Error::other)?;
        Ok(Line { socket, tls: tls.map(Box::new) })
    }

    /// True when what is read comes straight from the kernel.
    pub(super) fn is_clear(&self) -> bool {
        self.tls.is_none()
    }

    /// What the kernel tells events of.
    pub(super) fn source(&mut self) -> &mut impl Source {
        &mut self.socket
    }

    /// Sends what TLS itself has to say, a handshake's part or bytes that were taken before. True when all of it has left.
    pub(super) fn push(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(!tls.is_handshaking())
    }

    /// Says that nothing more comes.
    pub(super) fn shut(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // A peer that takes no more has its answers already, and sees the end of the stream.
            self.push()?;
        }
        self.socket.shutdown(Shutdown::Write)
    }
}

impl Read for Line {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(into) };
        loop {
            match tls.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Cut off without a word of TLS. Frames say how long they are, so that nothing half sent is taken for whole.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            tls.read_tls(&mut self.socket)?;
            if let Err(error) = tls.process_new_packets() {
                // The peer is told what it did wrong, if it listens.
                let _ = tls.write_tls(&mut self.socket);
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
    }
}

impl Write for Line {
    /// Takes nothing while something that was taken before waits: a client that does not read costs one buffer, not two.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.tls.is_some() && !self.push()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let Some(tls) = &mut self.tls else { return self.socket.write(bytes) };
        let count = tls.writer().write(bytes)?;
        self.push()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
