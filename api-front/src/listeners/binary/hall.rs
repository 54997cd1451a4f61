//! Which event loop serves a connection: the one that has the fewest.

use super::limits::{CONNECTIONS_MAX, TURNED_AWAY_MAX};
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// All event loops, as the one that accepts sees them.
pub(super) struct Hall(Vec<Table>);

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

impl Drop for Chair {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hall {
    /// With a loop for each bell. Where each finds who comes to it is returned in the same order.
    pub(super) fn new(bells: &[Arc<Notify>]) -> (Hall, Vec<Receiver<Arrival>>) {
        let table = |bell: &Arc<Notify>| {
            // Bounded by what `seat` sends on.
            let (arrivals, found) = unbounded();
            (Table { seated: Arc::default(), arrivals, bell: Arc::clone(bell) }, found)
        };
        let (tables, found) = bells.iter().map(table).unzip();
        (Hall(tables), found)
    }

    /// Sends a connection to a loop, and rings there.
    pub(super) fn seat(&self, stream: TcpStream) {
        let seated = |table: &&Table| table.seated.load(Ordering::Relaxed);
        let all = self.0.iter().map(|table| seated(&table)).sum::<usize>();
        // Beyond what can be told so: it closes here.
        if all >= CONNECTIONS_MAX + TURNED_AWAY_MAX {
            return;
        }
        let is_beyond = all >= CONNECTIONS_MAX;
        let Some(table) = self.0.iter().min_by_key(seated) else { return };
        table.seated.fetch_add(1, Ordering::Relaxed);
        let arrival = Arrival { stream, chair: Chair(Arc::clone(&table.seated)), is_beyond };
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
        let (hall, found) = Hall::new(&[(); 3].map(|()| Arc::default()));
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
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for (before, expected) in [
            (CONNECTIONS_MAX - 1, Some(false)),
            (CONNECTIONS_MAX, Some(true)),
            (CONNECTIONS_MAX + TURNED_AWAY_MAX - 1, Some(true)),
            (CONNECTIONS_MAX + TURNED_AWAY_MAX, None),
        ] {
            let (hall, found) = Hall::new(&[(); 2].map(|()| Arc::default()));
            let halves = [before / 2, before - before / 2];
            hall.0.iter().zip(halves).for_each(|(table, seated)| table.seated.store(seated, Ordering::Relaxed));
            hall.seat(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
            let arrived: Vec<Arrival> = found.iter().flat_map(Receiver::try_iter).collect();
            assert_eq!(arrived.first().map(|arrival| arrival.is_beyond), expected, "behind {before}");
            drop(arrived);
            let seated: usize = hall.0.iter().map(|table| table.seated.load(Ordering::Relaxed)).sum();
            assert_eq!(seated, before, "places are given back");
        }
    }
}
