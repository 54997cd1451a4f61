//! A wire that a test can pull and tap: a TCP forwarder between the switch and whatever it talks to.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a wire does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Wire {
    /// Passes them on.
    Whole,
    /// Passes them on one by one.
    Trickles,
    /// Swallows them, and stays open.
    Dead,
    /// Passes half of the next piece on, then closes.
    CutsMidway,
    /// Is closed, and refuses to be opened.
    Cut,
}

const ALL: [Wire; 5] = [Wire::Whole, Wire::Trickles, Wire::Dead, Wire::CutsMidway, Wire::Cut];

/// The forwarder. Its threads end with their connections.
#[derive(Debug)]
pub struct Forwarder {
    /// Where the switch is to connect.
    pub addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    does: AtomicU8,
    gone: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    snare: Mutex<Option<Snare>>,
    /// None unless the wire is tapped.
    tape: Option<Mutex<Vec<Heard>>>,
    connections: AtomicUsize,
}

/// Waits for words to pass.
#[derive(Debug)]
struct Snare {
    words: &'static [u8],
    /// How often they may pass yet.
    left: usize,
    then: Wire,
}

/// Bytes that have passed.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Which connection, from 0.
    pub connection: usize,
    /// Whether the switch said them; else its peer.
    pub by_switch: bool,
    /// The bytes of one reading: pieces of one connection and direction are in order.
    pub bytes: Vec<u8>,
}

impl Forwarder {
    /// To this address.
    pub fn to(to: SocketAddr) -> Forwarder {
        Forwarder::with(to, None)
    }

    /// To this address, keeping what passes.
    pub fn tapped(to: SocketAddr) -> Forwarder {
        Forwarder::with(to, Some(Mutex::default()))
    }

    fn with(to: SocketAddr, tape: Option<Mutex<Vec<Heard>>>) -> Forwarder {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let (does, gone) = (AtomicU8::new(Wire::Whole as u8), AtomicBool::new(false));
        let (open, snare, connections) = (Mutex::default(), Mutex::default(), AtomicUsize::new(0));
        let shared = Arc::new(Shared { to, does, gone, open, snare, tape, connections });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            let streams = listener.incoming().map_while(Result::ok).take_while(|_| !accepting.gone.load(Ordering::SeqCst));
            streams.for_each(|stream| accepting.connect(stream));
        });
        Forwarder { addr, shared }
    }

    /// What it does from now on.
    pub fn does(&self, what: Wire) {
        self.shared.does.store(what as u8, Ordering::SeqCst);
        if what == Wire::Cut {
            self.shared.close_all();
        }
    }

    /// What it does once the switch has said these words so often, counted from now on.
    pub fn snare(&self, words: &'static [u8], times: usize, then: Wire) {
        *self.shared.snare.lock().unwrap_or_else(PoisonError::into_inner) = Some(Snare { words, left: times, then });
    }

    /// Whether the words of the last [`Forwarder::snare`] were heard so often.
    pub fn has_sprung(&self) -> bool {
        self.shared.snare.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// All that has passed.
    pub fn heard(&self) -> Vec<Heard> {
        let tape = self.shared.tape.as_ref().expect("the wire is tapped");
        tape.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes what is open; new connections are made as before.
    pub fn close_all(&self) {
        self.shared.close_all();
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.gone.store(true, Ordering::SeqCst);
        self.does(Wire::Cut);
        // Wakes the accepting thread, which then ends.
        let _ = TcpStream::connect(self.addr);
    }
}

impl Shared {
    fn does(&self) -> Wire {
        ALL[usize::from(self.does.load(Ordering::SeqCst))]
    }

    fn close_all(&self) {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        // An error means that it is closed already.
        open.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }

    fn connect(self: &Arc<Shared>, near: TcpStream) {
        let far = (self.does() != Wire::Cut).then(|| TcpStream::connect(self.to).ok()).flatten();
        let Some(far) = far else { return };
        for stream in [&near, &far] {
            let _ = stream.set_nodelay(true);
            self.open.lock().unwrap_or_else(PoisonError::into_inner).extend(stream.try_clone());
        }
        let connection = self.connections.fetch_add(1, Ordering::SeqCst);
        let pairs = [(near.try_clone(), far.try_clone(), true), (Ok(far), Ok(near), false)];
        for (from, to, by_switch) in pairs {
            let (Ok(from), Ok(to)) = (from, to) else { return };
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.forward(from, to, (connection, by_switch)));
        }
    }

    /// Looks at bytes before they pass.
    fn overhear(&self, (connection, by_switch): (usize, bool), bytes: &[u8]) {
        if let Some(tape) = &self.tape {
            let heard = Heard { connection, by_switch, bytes: bytes.to_owned() };
            tape.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
        }
        let mut snare = self.snare.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = snare.as_mut().filter(|_| by_switch) else { return };
        let found = bytes.windows(waiting.words.len()).filter(|window| *window == waiting.words).count();
        waiting.left = waiting.left.saturating_sub(found);
        if waiting.left == 0 {
            self.does.store(waiting.then as u8, Ordering::SeqCst);
            *snare = None;
        }
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream, who: (usize, bool)) {
        let mut piece = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            self.overhear(who, &piece[..count]);
            let passed = match self.does() {
                Wire::Whole => to.write_all(&piece[..count]).is_ok(),
                Wire::Trickles => piece[..count].chunks(1).all(|byte| to.write_all(byte).is_ok()),
                Wire::Dead => true,
                Wire::CutsMidway => {
                    let _ = to.write_all(&piece[..count / 2]);
                    false
                }
                Wire::Cut => false,
            };
            if !passed {
                break;
            }
        }
        for stream in [&from, &to] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
