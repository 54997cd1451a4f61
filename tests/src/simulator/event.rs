//! All that can happen in the world, as values that wait in the schedule.

use crate::simulator::clients::ClientEvent;
use crate::simulator::switch::Task;
use crate::simulator::web::{Asker, WebRequest};

/// One life of the switch or of a host: what was planned for an earlier one is void.
pub type Life = u64;

/// An end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The switch's.
    Switch,
    /// The host's.
    Host,
}

/// What comes out of a connection.
#[derive(Debug)]
pub enum Carried {
    /// Some bytes.
    Bytes(Vec<u8>),
    /// The news that the other end has closed.
    Close,
}

/// What a host does.
#[derive(Debug)]
pub enum HostTask {
    /// It takes a request.
    Take {
        /// On this connection.
        connection: u64,
        /// The message, without its length.
        frame: Vec<u8>,
    },
    /// It sends.
    Say {
        /// On this connection.
        connection: u64,
        /// Whole frames.
        bytes: Vec<u8>,
    },
    /// It forgets a connection that was closed a while ago.
    Forget {
        /// Which.
        connection: u64,
    },
    /// A request by HTTP comes to its door.
    Arrives {
        /// Who waits for the answer.
        asker: Asker,
        /// The request.
        request: WebRequest,
    },
    /// It takes a request by HTTP.
    TakeRequest {
        /// Who waits for the answer; nobody for one that was sent again underway.
        asker: Option<Asker>,
        /// The request.
        request: WebRequest,
    },
    /// It answers a request by HTTP.
    Answer {
        /// Whom.
        asker: Asker,
        /// HTTP status.
        status: u16,
        /// Body.
        body: Vec<u8>,
    },
    /// It cuts a connection in place of an answer.
    HangUp {
        /// Whose.
        asker: Asker,
    },
    /// The time of whoever is at work is over.
    Resume {
        /// The host's name for the work.
        ticket: u64,
    },
}

/// What happens to the world at large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A second is over: trouble may strike.
    Second,
    /// Clients begin something.
    Workload,
    /// The operator starts the switch.
    Start,
    /// The operator changes something.
    Steer,
    /// The SQL home is back.
    SqlBack,
    /// A host that was away, or dead, is back.
    HostBack(usize),
    /// The operator makes room on the disk.
    Room,
    /// The operator closes a processor's batches.
    CloseBatches(u16),
}

/// One event.
#[derive(Debug)]
pub enum Event {
    /// Inside the switch, in this life of it.
    Switch(Life, Task),
    /// Out of a connection, at this end.
    Carried(u64, End, Carried),
    /// At a host, in this life of it.
    Host(usize, Life, HostTask),
    /// At a client.
    Client(ClientEvent),
    /// In the world at large.
    Turn(Turn),
}

impl From<ClientEvent> for Event {
    fn from(event: ClientEvent) -> Event {
        Event::Client(event)
    }
}

impl From<Turn> for Event {
    fn from(turn: Turn) -> Event {
        Event::Turn(turn)
    }
}
