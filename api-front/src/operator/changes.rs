//! Changes of the configuration at run time: checked, made durable, then in force, one after the other.
//!
//! A change is the new text of one thing, whole: the table of rules, the table of routes, one processor, one merchant. What is
//! in force is the newest text of each; a thing without one is as the configuration file says. An action is written down as a
//! change is, and nothing of it is in force.

use crate::switch::clock::Clock;
use crate::switch::door::{Door, Return};
use crate::switch::ids::Ids;
use persistence::PersistenceError;
use persistence::projection::{Deeds, Queries, StoredChange};
use protocol::change::{Area, CHANGE_LAYOUT, CHANGE_PART_MAX_BYTES, CHANGE_PARTS_MAX, Change, ChangedBy};
use protocol::id::Xid;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, oneshot};

/// Text that takes a thing back to what the configuration file says.
pub const AS_CONFIGURED: &str = "null";
/// Longest text of a change.
pub const CHANGE_MAX_BYTES: usize = CHANGE_PART_MAX_BYTES * CHANGE_PARTS_MAX;
/// Changes that are read at once.
const PAGE_CHANGES: u32 = 256;

/// What can be changed: a table, or one processor or merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    /// Which kind.
    pub area: Area,
    /// Which one, or what an action was done to; none for a table.
    pub subject: Xid,
}

impl Thing {
    /// A whole table.
    pub const fn table(area: Area) -> Thing {
        Thing { area, subject: Xid::NONE }
    }
}

/// Who wants a change, and after what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Who: written down with the change.
    pub by: ChangedBy,
    /// The version of the thing that the caller has seen, if it cares.
    pub expected: Option<u32>,
    /// Version of the change that this one takes back; 0 when it takes none back.
    pub undoes: u32,
}

impl Order {
    /// Whatever the thing's version is.
    pub const fn of(by: ChangedBy) -> Order {
        Order { by, expected: None, undoes: 0 }
    }

    /// Only while the thing's version is the one that the caller has seen, if it says one.
    pub const fn expecting(self, expected: Option<u32>) -> Order {
        Order { expected, ..self }
    }

    /// The taking back of a thing's newest change.
    pub const fn taking_back(by: ChangedBy, version: u32) -> Order {
        Order { by, expected: Some(version), undoes: version }
    }
}

/// A change that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Its id.
    pub id: Xid,
    /// Its number among all changes.
    pub version: u32,
}

/// Why a change was not made. Nothing of it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// Somebody else was quicker.
    #[error("the present version is {present}, not {expected}: read it and try again")]
    Conflict {
        /// The version in force.
        present: u32,
        /// The version that the caller had read.
        expected: u32,
    },
    /// The new text is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// There is no such change.
    #[error("no such change")]
    NoSuchChange,
    /// It is an action, and no change: what was done is done.
    #[error("an action was done and can't be taken back")]
    Action,
    /// It is longer than the journal takes.
    #[error("the text has {bytes} bytes, at most {CHANGE_MAX_BYTES} are accepted")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// As many wait for the shard as may: nothing of it was journaled.
    #[error("the switch is at its limit")]
    Busy,
    /// The journal can't be written: whether it holds will be seen after the next start.
    #[error("the switch can't write its journal")]
    JournalFull,
}

/// A thing's newest text.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Number of the change that made it so; 0 when none has.
    pub version: u32,
    /// JSON, or [`AS_CONFIGURED`].
    pub text: Arc<str>,
}

#[derive(Debug, Default)]
struct Newest {
    version: u32,
    things: BTreeMap<Thing, InForce>,
}

/// The changes of a switch, and the only way to make one.
pub struct Changes {
    newest: Arc<Mutex<Newest>>,
    door: Door,
    ids: Arc<Ids>,
    clock: Clock,
    /// False once the journal refuses.
    journal_writable: Arc<AtomicBool>,
}

/// All changes so far, in their order.
pub async fn load_changes(queries: &Queries) -> Result<Vec<StoredChange>, PersistenceError> {
    let mut changes: Vec<StoredChange> = Vec::new();
    loop {
        let after = changes.last().map_or(0, |last| last.version);
        let page = queries.changes(Deeds::All, after, PAGE_CHANGES).await?;
        if page.is_empty() {
            return Ok(changes);
        }
        changes.extend(page);
    }
}

/// Puts a checked change in force. Called with the journal's word that it lasts.
pub type PutInForce = Box<dyn FnOnce() + Send>;

impl Changes {
    /// Behind all changes so far, in their order. `door` is that of the shard that journals them.
    pub fn new(
        stored: impl IntoIterator<Item = StoredChange>,
        door: Door,
        ids: Arc<Ids>,
        clock: Clock,
        journal_writable: Arc<AtomicBool>,
    ) -> Changes {
        let mut newest = Newest::default();
        for change in stored {
            let text = String::from_utf8_lossy(&change.text).into();
            newest.take(Thing { area: change.area, subject: change.subject }, InForce { version: change.version, text });
        }
        Changes { newest: Arc::new(Mutex::new(newest)), door, ids, clock, journal_writable }
    }

    /// What is in force of a thing.
    pub async fn in_force(&self, thing: Thing) -> InForce {
        self.newest.lock().await.of(thing)
    }

    /// What is in force of all things that were ever changed.
    pub async fn all_in_force(&self) -> Vec<(Thing, InForce)> {
        let newest = self.newest.lock().await;
        newest.things.iter().map(|(thing, in_force)| (*thing, in_force.clone())).collect()
    }

    /// Makes a change: `check` sees the number that it will have and says how it is put in force.
    pub async fn make(
        &self,
        thing: Thing,
        text: String,
        order: Order,
        check: impl FnOnce(u32) -> Result<PutInForce, String>,
    ) -> Result<Made, NotMade> {
        // One change at a time, so that versions are in the journal's order and no check is of a past that has moved on.
        let mut newest = Arc::clone(&self.newest).lock_owned().await;
        let present = newest.of(thing).version;
        if let Some(expected) = order.expected.filter(|expected| *expected != present) {
            return Err(NotMade::Conflict { present, expected });
        }
        if text.len() > CHANGE_MAX_BYTES {
            return Err(NotMade::TooLong { bytes: text.len() });
        }
        let made = Made { id: self.ids.draw(self.clock.now()), version: newest.version + 1 };
        let put_in_force = check(made.version).map_err(NotMade::Invalid)?;
        let (reply, durable) = oneshot::channel();
        if !self.door.give(Return::Configure { parts: parts(thing, made, order, &text), reply }) {
            return Err(NotMade::JournalFull);
        }
        let writable = Arc::clone(&self.journal_writable);
        // A caller that goes away from here on leaves a change behind that is made all the same.
        let finish = async move {
            // A shard drops what it has no room for, and everything once its journal refuses.
            let dropped = |_| if writable.load(Ordering::Acquire) { NotMade::Busy } else { NotMade::JournalFull };
            durable.await.map_err(dropped)?;
            put_in_force();
            newest.take(thing, InForce { version: made.version, text: text.into() });
            Ok(made)
        };
        tokio::spawn(finish).await.unwrap_or(Err(NotMade::JournalFull))
    }
}

impl Newest {
    fn of(&self, thing: Thing) -> InForce {
        self.things.get(&thing).cloned().unwrap_or_else(|| InForce { version: 0, text: AS_CONFIGURED.into() })
    }

    fn take(&mut self, thing: Thing, newest: InForce) {
        self.version = newest.version;
        match thing.area {
            Area::Action => {}
            Area::Rules | Area::Routes | Area::Processor | Area::Merchant => drop(self.things.insert(thing, newest)),
        }
    }
}

/// The records' parts, in their order.
fn parts(thing: Thing, made: Made, order: Order, text: &str) -> Vec<(Change, Vec<u8>)> {
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(CHANGE_PART_MAX_BYTES).collect();
    let of_piece = |(part, piece): (u16, &&[u8])| {
        let change = Change {
            layout: CHANGE_LAYOUT.into(),
            area: thing.area as u8,
            reserved: 0,
            version: made.version.into(),
            id: made.id,
            subject: thing.subject,
            undoes: order.undoes.into(),
            part: part.into(),
            parts: (pieces.len() as u16).into(),
            length: (piece.len() as u32).into(),
            by: order.by,
        };
        (change, piece.to_vec())
    };
    (0..).zip(&pieces).map(of_piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::door::Inside;
    use protocol::calendar::Micros;
    use std::sync::atomic::AtomicU32;
    use std::thread::JoinHandle;

    type Parts = Vec<(Change, Vec<u8>)>;

    const RULES: Thing = Thing::table(Area::Rules);
    const ORDER: Order = Order::of(ChangedBy::OPERATOR_KEY);

    fn changes(writable: bool) -> (Changes, Inside) {
        let clock = Clock::start_after(Micros::NONE);
        let (door, inside) = Door::new(1);
        let ids = Arc::new(Ids::new([1; 5], clock.now()));
        (Changes::new([], door, ids, clock, Arc::new(AtomicBool::new(writable))), inside)
    }

    /// A shard that journals whatever it is given.
    fn journal(inside: Inside) -> JoinHandle<Vec<Parts>> {
        std::thread::spawn(move || {
            let mut journaled = Vec::new();
            while let Ok(Return::Configure { parts, reply }) = inside.returns.recv() {
                journaled.push(parts);
                reply.send(()).unwrap();
            }
            journaled
        })
    }

    #[tokio::test]
    async fn a_change_is_in_force_once_it_is_durable_and_a_late_one_is_told_so() {
        let (changes, inside) = changes(true);
        let shard = journal(inside);
        let in_force = Arc::new(AtomicU32::new(0));
        let put = |in_force: &Arc<AtomicU32>| {
            let in_force = Arc::clone(in_force);
            move |version: u32| Ok(Box::new(move || in_force.store(version, Ordering::Relaxed)) as PutInForce)
        };
        let text = "x".repeat(CHANGE_PART_MAX_BYTES + 1);
        let made = changes.make(RULES, text.clone(), ORDER.expecting(Some(0)), put(&in_force)).await.unwrap();
        assert_eq!((made.version, in_force.load(Ordering::Relaxed)), (1, 1));
        assert_eq!(&*changes.in_force(RULES).await.text, text);
        let late = changes.make(RULES, "[]".into(), ORDER.expecting(Some(0)), put(&in_force)).await;
        assert_eq!(late, Err(NotMade::Conflict { present: 1, expected: 0 }));
        let wrong = changes.make(RULES, "[]".into(), ORDER, |_| Err("rule 1: no".into())).await;
        assert_eq!(wrong, Err(NotMade::Invalid("rule 1: no".into())));
        let long = changes.make(RULES, "x".repeat(CHANGE_MAX_BYTES + 1), ORDER, put(&in_force)).await;
        assert_eq!(long, Err(NotMade::TooLong { bytes: CHANGE_MAX_BYTES + 1 }));
        let undone = changes.make(RULES, "[]".into(), Order::taking_back(ChangedBy::default(), 1), put(&in_force)).await;
        assert_eq!(undone.unwrap().version, 2);
        drop(changes);
        let journaled = shard.join().unwrap();
        let facts =
            |(change, text): &(Change, Vec<u8>)| (change.version.get(), change.part.get(), change.undoes.get(), text.len());
        let by: Vec<&str> = journaled.iter().flatten().map(|(change, _)| change.by.name()).collect();
        assert_eq!(by, ["operator key", "operator key", ""]);
        let journaled: Vec<_> = journaled.iter().flatten().map(facts).collect();
        assert_eq!(journaled, [(1, 0, 0, CHANGE_PART_MAX_BYTES), (1, 1, 0, 1), (2, 0, 1, 2)]);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_a_change_that_is_made() {
        let (changes, inside) = changes(true);
        let put = |_| Ok(Box::new(|| ()) as PutInForce);
        {
            let made = std::pin::pin!(changes.make(RULES, "[1]".into(), ORDER, put));
            assert!(poll_once(made).await.is_none(), "the journal has not answered");
        }
        let shard = journal(inside);
        let second = changes.make(RULES, "[2]".into(), ORDER, put).await.unwrap();
        assert_eq!((second.version, &*changes.in_force(RULES).await.text), (2, "[2]"));
        drop(changes);
        assert_eq!(shard.join().unwrap().len(), 2);
    }

    /// Polls a future once and lets it go.
    async fn poll_once<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
        std::future::poll_fn(|context| {
            let polled = future.as_mut().poll(context);
            std::task::Poll::Ready(match polled {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }

    #[tokio::test]
    async fn a_change_that_is_not_taken_is_not_in_force_and_a_full_shard_is_no_full_journal() {
        for (writable, why) in [(false, NotMade::JournalFull), (true, NotMade::Busy)] {
            let (changes, inside) = changes(writable);
            let shard = std::thread::spawn(move || drop(inside.returns.recv()));
            let made = changes.make(RULES, "[]".into(), ORDER, |_| Ok(Box::new(|| panic!("it is not durable")))).await;
            assert_eq!(made, Err(why));
            assert_eq!(changes.in_force(RULES).await.version, 0);
            shard.join().unwrap();
        }
    }
}
