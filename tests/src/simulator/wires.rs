//! Connections between the switch and the hosts. A connection never loses, changes or reorders bytes inside: it splits them
//! anywhere, is slow, stalls, ends in the middle of a frame, and its ends learn of that each in its own time.

use crate::simulator::event::{Carried, End, Event, Life};
use crate::simulator::faults::Fault;
use crate::simulator::schedule::Lane;
use crate::simulator::stage::Stage;
use std::collections::BTreeMap;

/// Pieces at most that one write is split into.
const PIECES_MAX: u64 = 4;

/// All connections that an end still has.
#[derive(Default)]
pub struct Wires {
    connections: BTreeMap<u64, Wire>,
    drawn: u64,
}

struct Wire {
    processor: u16,
    life: Life,
    /// Toward the switch, toward the host.
    lanes: [Lane; 2],
    /// Whether the switch's, the host's end is open.
    open: [bool; 2],
    /// Nothing passes any more, not even the news that it is closed.
    dead: bool,
}

impl Wires {
    /// A connection of a life of the switch to a processor's host.
    pub fn open(&mut self, processor: u16, life: Life) -> u64 {
        self.drawn += 1;
        let wire = Wire { processor, life, lanes: [Lane::default(); 2], open: [true; 2], dead: false };
        self.connections.insert(self.drawn, wire);
        self.drawn
    }

    /// Whose connection it is: processor and life of the switch. `None` once both ends are closed.
    pub fn parties(&self, connection: u64) -> Option<(u16, Life)> {
        self.connections.get(&connection).map(|wire| (wire.processor, wire.life))
    }

    /// Whether an end is open.
    pub fn is_open(&self, connection: u64, end: End) -> bool {
        self.connections.get(&connection).is_some_and(|wire| wire.open[end as usize])
    }

    /// The connections whose switch's end is open and belongs to this life.
    pub fn of_life(&self, life: Life) -> Vec<u64> {
        let held = self.connections.iter().filter(|(_, wire)| wire.life == life && wire.open[End::Switch as usize]);
        held.map(|(connection, _)| *connection).collect()
    }

    /// The connections whose host's end is open at this processor.
    pub fn of_host(&self, processor: u16) -> Vec<u64> {
        let held = self.connections.iter().filter(|(_, wire)| wire.processor == processor && wire.open[End::Host as usize]);
        held.map(|(connection, _)| *connection).collect()
    }

    /// Sends bytes from an end to the other, in pieces.
    pub fn send(&mut self, stage: &mut Stage, connection: u64, from: End, bytes: &[u8]) {
        let Some(wire) = self.sending(connection, from) else { return };
        if stage.strikes(Fault::ConnectionStalled) {
            let stall_us = stage.dice.between(100_000, 12_000_000);
            wire.lanes[from.other() as usize].through(stage.now(), stall_us);
        }
        let mut rest = bytes;
        for left in (0..stage.dice.between(1, PIECES_MAX)).rev() {
            let length = if left == 0 { rest.len() } else { stage.dice.between(0, rest.len() as u64) as usize };
            let (piece, behind) = rest.split_at(length);
            rest = behind;
            if !piece.is_empty() {
                wire.carry(stage, connection, from, Carried::Bytes(piece.to_vec()));
            }
        }
    }

    /// Closes an end. The other one hears of it behind all that was sent.
    pub fn close(&mut self, stage: &mut Stage, connection: u64, end: End) {
        if let Some(wire) = self.sending(connection, end) {
            wire.carry(stage, connection, end, Carried::Close);
        }
        self.closed(connection, end);
    }

    /// Cuts it: what is under way may still arrive, then both ends hear of it.
    pub fn cut(&mut self, stage: &mut Stage, connection: u64) {
        for from in [End::Host, End::Switch] {
            if let Some(wire) = self.sending(connection, from) {
                wire.carry(stage, connection, from, Carried::Close);
            }
        }
        if let Some(wire) = self.connections.get_mut(&connection) {
            wire.dead = true;
        }
    }

    /// The host's machine is gone: nothing more comes from it, not even that the connection is closed.
    pub fn die(&mut self, connection: u64) {
        if let Some(wire) = self.connections.get_mut(&connection) {
            wire.dead = true;
        }
        self.closed(connection, End::Host);
    }

    /// An end has learnt that the connection is gone, or has closed it itself.
    pub fn closed(&mut self, connection: u64, end: End) {
        let Some(wire) = self.connections.get_mut(&connection) else { return };
        wire.open[end as usize] = false;
        if wire.open == [false; 2] {
            self.connections.remove(&connection);
        }
    }

    fn sending(&mut self, connection: u64, from: End) -> Option<&mut Wire> {
        self.connections.get_mut(&connection).filter(|wire| wire.open[from as usize] && !wire.dead)
    }
}

impl Wire {
    fn carry(&mut self, stage: &mut Stage, connection: u64, from: End, what: Carried) {
        let latency_us = stage.dice.between(20, 2_000);
        let event = Event::Carried(connection, from.other(), what);
        stage.through(&mut self.lanes[from.other() as usize], latency_us, event);
    }
}

impl End {
    /// The other end.
    pub const fn other(self) -> End {
        match self {
            End::Switch => End::Host,
            End::Host => End::Switch,
        }
    }
}
