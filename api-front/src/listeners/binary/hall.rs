//! Which event loop serves a connection: the one that has the fewest.

use super::limits::TURNED_AWAY_MAX;
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// All event loops, as the one that accepts sees them.
pub(super) struct Hall {
    tables: Vec<Table>,
    /// Who is served, at all tables.
    connections_max: usize,
    /// Who is being told that there is no room.
    turned_away: Arc<AtomicUsize>,
}

struct Table {
    seated: Arc<AtomicUsize>,
    arrivals: Sender<Arrival>,
    bell: Arc<Notify>,
}

/// A connection on its way to the loop that serves it.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) chair: Chair,
    /// There is no room for it: it is told so.
    pub(super) is_beyond: bool,
}

/// A connection's place, given up with it.
#[derive(Debug)]
pub(super) struct Chair(Arc<AtomicUsize>);

impl Chair {
    fn among(seated: &Arc<AtomicUsize>) -> Chair {
        seated.fetch_add(1, Ordering::Relaxed);
        Chair(Arc::clone(seated))
    }
}

impl Drop for Chair {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hall {
    /// With a loop for each bell. Where each finds who comes to it is returned in the same order.
    pub(super) fn new(bells: &[Arc<Notify>], connections_max: u32) -> (Hall, Vec<Receiver<Arrival>>) {
        let table = |bell: &Arc<Notify>| {
            // Bounded by what `seat` sends on.
            let (arrivals, found) = unbounded();
            (Table { seated: Arc::default(), arrivals, bell: Arc::clone(bell) }, found)
        };
        let (tables, found) = bells.iter().map(table).unzip();
        (Hall { tables, connections_max: connections_max as usize, turned_away: Arc::default() }, found)
    }

    /// Sends a connection to a loop, and rings there.
    pub(super) fn seat(&self, stream: TcpStream) {
        let seated = |table: &&Table| table.seated.load(Ordering::Relaxed);
        let Some(table) = self.tables.iter().min_by_key(seated) else { return };
        let is_beyond = self.tables.iter().map(|table| seated(&table)).sum::<usize>() >= self.connections_max;
        // Beyond what can be told so: it closes here.
        if is_beyond && self.turned_away.load(Ordering::Relaxed) >= TURNED_AWAY_MAX {
            return;
        }
        let chair = Chair::among(if is_beyond { &self.turned_away } else { &table.seated });
        let arrival = Arrival { stream, chair, is_beyond };
        // A loop that has ended takes nobody: the connection closes here.
        if table.arrivals.send(arrival).is_ok() {
            table.bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_goes_where_the_fewest_are_and_leaves_its_place_behind() {
        let (hall, found) = Hall::new(&[(); 3].map(|()| Arc::default()), 8);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let come = || hall.seat(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        (0..7).for_each(|_| come());
        let mut arrived: Vec<Vec<Arrival>> = found.iter().map(|found| found.try_iter().collect()).collect();
        assert_eq!(arrived.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 2]);
        arrived[2].clear();
        come();
        come();
        assert_eq!(found.iter().map(|found| found.try_iter().count()).collect::<Vec<_>>(), [0, 0, 2]);
    }

    #[test]
    fn who_finds_no_room_is_told_so_and_past_those_nobody_is() {
        const ROOM: u32 = 3;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (hall, found) = Hall::new(&[(); 2].map(|()| Arc::default()), ROOM);
        let come = || {
            hall.seat(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
            found.iter().flat_map(Receiver::try_iter).next()
        };
        let mut served: Vec<Arrival> = (0..ROOM).filter_map(|_| come()).collect();
        assert!(served.len() == ROOM as usize && served.iter().all(|arrival| !arrival.is_beyond));
        hall.turned_away.store(TURNED_AWAY_MAX - 1, Ordering::Relaxed);
        let told = come().unwrap();
        assert!(told.is_beyond);
        assert!(come().is_none(), "as many are being told as can be");
        served.pop();
        let next = come().unwrap();
        assert!(!next.is_beyond, "a place that is free is given, whoever is being told still");
        drop((served, told, next));
        let seated: usize = hall.tables.iter().map(|table| table.seated.load(Ordering::Relaxed)).sum();
        assert_eq!((seated, hall.turned_away.load(Ordering::Relaxed)), (0, TURNED_AWAY_MAX - 1), "places are given back");
    }
}
