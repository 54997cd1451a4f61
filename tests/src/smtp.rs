//! A mail server of RFC 5321, as small as one can be: it takes every mail and keeps what it was told.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A mail as it came over the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// `MAIL FROM`.
    pub from: String,
    /// `RCPT TO`, each.
    pub to: Vec<String>,
    /// Headers and text, lines ended by CR LF.
    pub text: String,
}

/// The server; it listens as long as the test program runs.
#[derive(Debug)]
pub struct MailServer {
    /// Where it listens.
    pub addr: SocketAddr,
    letters: Arc<Mutex<Vec<Letter>>>,
}

impl MailServer {
    /// Listens on a free port.
    pub fn start() -> MailServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let letters = Arc::new(Mutex::new(Vec::new()));
        let server = MailServer { addr, letters: Arc::clone(&letters) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let letters = Arc::clone(&letters);
                // A client that breaks off has sent no further mail.
                std::thread::spawn(move || drop(serve(stream, &letters)));
            }
        });
        server
    }

    /// What has come for an address, oldest first.
    pub fn letters_to(&self, address: &str) -> Vec<Letter> {
        let letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.iter().filter(|letter| letter.to.iter().any(|to| to == address)).cloned().collect()
    }
}

fn serve(mut stream: TcpStream, letters: &Mutex<Vec<Letter>>) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut letter = Letter::default();
    stream.write_all(b"220 tests ESMTP\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        let answer = match line.split_once(':') {
            Some((verb, path)) if verb.eq_ignore_ascii_case("MAIL FROM") => {
                letter = Letter { from: address(path), ..Letter::default() };
                "250 fine"
            }
            Some((verb, path)) if verb.eq_ignore_ascii_case("RCPT TO") => {
                letter.to.push(address(path));
                "250 fine"
            }
            _ if line.eq_ignore_ascii_case("DATA") => {
                stream.write_all(b"354 go on\r\n")?;
                letter.text = text(&mut lines)?;
                letters.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut letter));
                "250 taken"
            }
            _ if line.eq_ignore_ascii_case("QUIT") => return stream.write_all(b"221 bye\r\n"),
            _ => "250 fine",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes())?;
    }
    Ok(())
}

/// `<user@example.com> SIZE=1` without what stands around the address.
fn address(path: &str) -> String {
    path.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

/// Lines up to the one that is a dot; a dot before another was put there by the sender.
fn text(lines: &mut impl Iterator<Item = io::Result<String>>) -> io::Result<String> {
    let mut text = String::new();
    for line in lines {
        let line = line?;
        if line == "." {
            break;
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push_str("\r\n");
    }
    Ok(text)
}
