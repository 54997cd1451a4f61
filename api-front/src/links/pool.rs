//! What the connections of one link share: the queue of requests, and how many of them are signed on.
//!
//! A connection takes requests when it is signed on and has nothing left to write, so that they spread by themselves. What comes
//! while none is signed on is given back by whoever is there. One connection that goes is not the processor's going.

use super::Control;
use super::order::Order;
use crate::limits::{LINK_CONTROLS_MAX, LINK_TURN_REQUESTS};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, mpsc, watch};

/// Whether a link is signed on: at least one of its connections is. Clones see the same.
#[derive(Debug, Clone)]
pub struct LinkState(Arc<watch::Sender<u16>>);

impl LinkState {
    /// Not signed on.
    pub fn down() -> LinkState {
        LinkState(Arc::new(watch::Sender::new(0)))
    }

    /// True while requests are taken.
    pub fn is_signed_on(&self) -> bool {
        self.connections() > 0
    }

    /// Connections that are signed on.
    pub fn connections(&self) -> u16 {
        *self.0.borrow()
    }

    /// Waits until requests are taken.
    pub async fn signed_on(&self) {
        // Fails only when the sender is gone, and it is here.
        drop(self.0.subscribe().wait_for(|connections| *connections > 0).await);
    }

    async fn signed_off(&self) {
        drop(self.0.subscribe().wait_for(|connections| *connections == 0).await);
    }

    /// One more is signed on. `first` is called when no other was, before anybody can see another change.
    pub(super) fn one_up(&self, first: impl FnOnce()) {
        self.0.send_modify(|connections| {
            *connections += 1;
            if *connections == 1 {
                first();
            }
        });
    }

    /// One less is. `last` is called when no other is.
    pub(super) fn one_down(&self, last: impl FnOnce()) {
        self.0.send_modify(|connections| {
            *connections -= 1;
            if *connections == 0 {
                last();
            }
        });
    }
}

/// The requests that wait for a link. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct Orders(Arc<Mutex<mpsc::Receiver<Order>>>);

impl Orders {
    /// The link's end of its queue.
    pub fn new(queue: mpsc::Receiver<Order>) -> Orders {
        Orders(Arc::new(Mutex::new(queue)))
    }

    /// Waits for requests and takes a turn's. Whoever asked first is served first; nothing is lost when the waiting is given up.
    pub(super) async fn take(&self, turn: &mut Vec<Order>) {
        let taken = self.0.lock().await.recv_many(turn, LINK_TURN_REQUESTS).await;
        if taken == 0 {
            // Closed: nothing will come any more.
            pending::<()>().await;
        }
    }

    /// Waits for a request that nobody can send, because no connection is signed on.
    pub(super) async fn take_unsendable(&self, state: &LinkState) -> Order {
        loop {
            state.signed_off().await;
            let mut queue = self.0.lock().await;
            let taken = tokio::select! {
                biased;
                () = state.signed_on() => continue,
                order = queue.recv() => order,
            };
            drop(queue);
            match taken {
                Some(order) => return order,
                // Closed: nothing will come any more.
                None => pending::<()>().await,
            }
        }
    }

    /// Takes nothing new, and gives what still waits.
    pub(super) async fn close(&self) -> Vec<Order> {
        let mut queue = self.0.lock().await;
        queue.close();
        let mut left = Vec::new();
        while let Some(order) = queue.recv().await {
            left.push(order);
        }
        left
    }
}

/// One connection as an operator reaches it.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    control: mpsc::Sender<Control>,
    is_up: Arc<AtomicBool>,
}

/// The connection's end of its seat.
#[derive(Debug)]
pub struct Seated {
    /// What an operator tells it.
    pub control: mpsc::Receiver<Control>,
    is_up: Arc<AtomicBool>,
}

impl Seat {
    pub(super) fn new() -> (Seat, Seated) {
        let (control, controls) = mpsc::channel(LINK_CONTROLS_MAX);
        let is_up = Arc::new(AtomicBool::new(false));
        (Seat { control, is_up: Arc::clone(&is_up) }, Seated { control: controls, is_up })
    }

    /// False when it has ended, or has not yet done what it was told before.
    fn tell(&self, control: Control) -> bool {
        self.control.try_send(control).is_ok()
    }
}

impl Seated {
    /// True when this connection counts as signed on.
    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    pub(super) fn set_up(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::Relaxed);
    }
}

/// Tells all connections; a cut-over is said once, by one that is signed on.
pub(super) fn tell(seats: &[Seat], control: Control) -> bool {
    match control {
        Control::SignOff | Control::SignOn => seats.iter().filter(|seat| !seat.tell(control)).count() == 0,
        Control::CutOver => {
            let up = seats.iter().find(|seat| seat.is_up.load(Ordering::Relaxed));
            up.or(seats.first()).is_some_and(|seat| seat.tell(control))
        }
    }
}
