//! A wire that a test can pull: a TCP forwarder between the switch and whatever it talks to.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
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
}

impl Forwarder {
    /// To this address.
    pub fn to(to: SocketAddr) -> Forwarder {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let (does, gone) = (AtomicU8::new(Wire::Whole as u8), AtomicBool::new(false));
        let shared = Arc::new(Shared { to, does, gone, open: Mutex::default() });
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
        let pairs = [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))];
        for (from, to) in pairs {
            let (Ok(from), Ok(to)) = (from, to) else { return };
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.forward(from, to));
        }
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut piece) {
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
