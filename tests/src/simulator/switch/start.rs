//! A start of the switch over what its earlier lives have left: journal, projection, shards, in the product's order.

use super::front::Front;
use super::home::{Home, Past};
use super::links::Link;
use super::returns::Collector;
use super::scribe::Scribe;
use super::settling::Settling;
use super::steering::Steering;
use super::stopping::Stopping;
use super::web_links::WebLink;
use super::{Scene, Seat, Switch, Task};
use crate::dice::Dice;
use crate::simulator::event::Life;
use crate::simulator::faults::Fault;
use crate::simulator::setup::Setup;
use api_front::limits::CALLERS_MAX;
use api_front::links::order::Outboxes;
use api_front::operator::Compiled;
use api_front::operator::changes::load_changes;
use api_front::switch::desk::{Around, Desk};
use api_front::switch::ids::Ids;
use api_front::switch::recovery;
use api_front::switch::sensitive_table::SensitiveTable;
use persistence::PersistenceError;
use persistence::journal::simulated::SimulatedDisk;
use persistence::journal::{JournalError, Log, LogOptions, Reader, Recovered};
use persistence::projection::{Fold, StoredChange};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::frame::JournalId;
use protocol::words::PaymentMethod;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use switch_core::Shard;
use switch_core::limits::VELOCITY_WINDOW_MAX_S;
use tokio::sync::mpsc;

/// The journal of every world.
const JOURNAL: JournalId = JournalId(*b"simulated switch");

/// Why the switch is not running after a start.
#[derive(Debug)]
pub enum NotStarted {
    /// The SQL home is away, and the beginning of the journal is archived: it waits.
    Waits,
    /// The disk failed, or the power went, while it recovered.
    Died(String),
    /// It refuses what it finds.
    Refused(JournalError),
}

impl Switch {
    /// Starts a life. `setup` has the terms that are in force.
    pub fn start(scene: &mut Scene<'_>, setup: &Setup, life: Life) -> Result<Switch, NotStarted> {
        let home = scene.home;
        let Storage { log, recovered, past, newest, changes, fold } =
            if home.sql_is_away.get() { alone(scene, setup)? } else { with_sql(scene, setup)? };
        // A fold does not know the tables when it begins, and so keeps what any of them might count.
        let looks_back_s = if fold.is_some() { VELOCITY_WINDOW_MAX_S } else { 0 };
        let now = begins_at(scene.stage.now(), newest);
        scene.checks.reopened(now, recovered.last_lsn);
        let steering = Steering::of(changes, setup.shards, now);
        let shards = recovered_shards(home, setup, now, &steering.tables(&home.runtime, setup), fold);
        let mut switch = Switch::of(scene, setup, life, shards, (Scribe::new(log), past, steering), now);
        scene.checks.configured(&setup.processors);
        scene.checks.started(now, &switch.desks, looks_back_s);
        for shard in 0..setup.shards {
            scene.checks.begin(&mut switch.desks[usize::from(shard)], shard, now);
            switch.after_desk(scene, shard);
        }
        switch.restore_processors(scene);
        for link in 0..switch.links.len() {
            switch.plan(scene.stage, 200, Task::Connect { link });
        }
        for link in 0..switch.web_links.len() {
            switch.plan(scene.stage, 200, Task::Probe { link });
        }
        for collector in 0..switch.collectors.len() {
            switch.plan(scene.stage, 300, Task::Collect { collector });
        }
        switch.plan_preparing(scene.stage, 500);
        switch.plan_following(scene);
        switch.plan_archiving(scene.stage);
        scene.stage.counts.starts += 1;
        Ok(switch)
    }

    fn of(
        scene: &Scene<'_>,
        setup: &Setup,
        life: Life,
        shards: Vec<Shard>,
        (scribe, past, steering): (Scribe, Past, Steering),
        now: Micros,
    ) -> Switch {
        let sensitive = Arc::new(SensitiveTable::new(CALLERS_MAX.min(setup.limits.waiters_max)));
        let journal_writable = Arc::new(AtomicBool::new(true));
        let mut outboxes = Outboxes::default();
        let (mut links, mut web_links, mut collectors) = (Vec::new(), Vec::new(), Vec::new());
        for terms in &setup.processors {
            let (queue, orders) = mpsc::channel(setup.outbox_orders);
            outboxes.put(terms.index, queue);
            match terms.method {
                PaymentMethod::Card => links.push(Link::new(terms.index, orders, setup, Arc::clone(&sensitive))),
                PaymentMethod::Ach | PaymentMethod::Terminal => {
                    web_links.push(WebLink::new(terms.index, orders, setup, Arc::clone(&sensitive)));
                }
            }
            if terms.method == PaymentMethod::Ach {
                collectors.push(Collector::new(terms.index));
            }
        }
        let (moved, moves) = mpsc::unbounded_channel::<Batch>();
        let desks = shards.into_iter().zip(0..).map(|(shard, index)| {
            let (outboxes, sensitive) = (outboxes.clone(), Arc::clone(&sensitive));
            let journal_writable = Arc::clone(&journal_writable);
            Desk::new(shard, Around { index, outboxes, sensitive, moved: moved.clone(), journal_writable, tally: Arc::default() })
        });
        let desks: Vec<Desk> = desks.collect();
        let life_bytes = life.to_be_bytes();
        let process = [life_bytes[3], life_bytes[4], life_bytes[5], life_bytes[6], life_bytes[7]];
        Switch {
            life,
            ahead_us: now.0 - scene.stage.now().0,
            ids: Ids::new(process, now),
            seats: desks.iter().map(|_| Seat::default()).collect(),
            sensitive,
            journal_writable,
            desks,
            scribe,
            links,
            web_links,
            web_requests: 0,
            collectors,
            moved: moves,
            past,
            front: Front::default(),
            settling: Settling::default(),
            steering,
            stopping: Stopping::default(),
            setup: setup.clone(),
        }
    }
}

/// All that a start finds.
struct Storage {
    log: Log<SimulatedDisk>,
    recovered: Recovered,
    past: Past,
    newest: Micros,
    changes: Vec<StoredChange>,
    /// Without the SQL home: what lasted, from the journal.
    fold: Option<Fold>,
}

fn with_sql(scene: &mut Scene<'_>, setup: &Setup) -> Result<Storage, NotStarted> {
    let home = scene.home;
    let applied = wait(home, home.queries().applied_lsn());
    let (log, recovered) = open_journal(home, setup, applied, |_, _| {})?;
    replay(scene, &recovered);
    scene.stage.tell(format_args!("the journal ends with LSN {}, the SQL home with {applied}", recovered.last_lsn));
    let past = catch_up(home, &recovered);
    let newest = wait(home, home.queries().newest_record_at()).unwrap_or(Micros::NONE);
    let changes = wait(home, load_changes(&home.queries()));
    Ok(Storage { log, recovered, past, newest, changes, fold: None })
}

/// The SQL home is away: the journal is folded, if all of it is there. The SQL home catches up when it is back.
fn alone(scene: &mut Scene<'_>, setup: &Setup) -> Result<Storage, NotStarted> {
    let mut fold = Fold::new(recovery::scope(scene.stage.now(), VELOCITY_WINDOW_MAX_S));
    let mut folded = Ok(());
    let opened = open_journal(scene.home, setup, 0, |lsn, record| {
        if folded.is_ok() {
            folded = fold.take(lsn, record);
        }
    });
    let (log, recovered) = match opened {
        Err(NotStarted::Refused(JournalError::Archived { .. })) => return Err(NotStarted::Waits),
        opened => opened?,
    };
    folded.unwrap_or_else(|error| panic!("I2: the journal can't be folded: {error}"));
    replay(scene, &recovered);
    scene.stage.struck(Fault::StartWithoutSql);
    let past = Past::later(recovered.journal_id, recovered.last_lsn);
    let (newest, changes) = (fold.newest_record_at().unwrap_or(Micros::NONE), fold.changes().to_vec());
    Ok(Storage { log, recovered, past, newest, changes, fold: Some(fold) })
}

/// As the product's clock: a second that an earlier run has recorded is not lived again.
fn begins_at(wall: Micros, newest_record: Micros) -> Micros {
    wall.max(Micros(newest_record.seconds().saturating_add(1).saturating_mul(1_000_000)))
}

fn options(setup: &Setup, replay_after: u64) -> LogOptions {
    LogOptions {
        segment_bytes: setup.segment_bytes,
        segments_ahead: setup.segments_ahead,
        free_bytes_min: setup.segment_bytes,
        replay_after,
        new_journal_id: Some(JOURNAL),
    }
}

fn open_journal(
    home: &Home,
    setup: &Setup,
    applied: u64,
    replay: impl FnMut(u64, &[u8]),
) -> Result<(Log<SimulatedDisk>, Recovered), NotStarted> {
    Log::open(home.disk.clone(), options(setup, applied), replay).map_err(|error| match error {
        JournalError::Disk(fault) => NotStarted::Died(fault.to_string()),
        JournalError::NoRoom { .. } => NotStarted::Died(error.to_string()),
        refused => NotStarted::Refused(refused),
    })
}

/// A byte of the newest segment rots: a start on it refuses, or cuts what can't be told from a torn tail and says so, or the byte
/// was not one that is read. It never begins shorter in silence. On a copy of the disk: the world goes on with the sound one.
pub fn rotten_start(home: &Home, setup: &Setup, dice: &mut Dice) {
    let disk = home.disk.copy();
    let segments = disk.names().into_iter().filter(|name| name.ends_with(".seg"));
    let Some(name) = segments.filter(|name| disk.read(name).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))).max()
    else {
        return;
    };
    let applied = wait(home, home.queries().applied_lsn());
    let Ok((sound, known)) = Log::open(disk.copy(), options(setup, applied), |_, _| {}) else { return };
    drop(sound);
    let bytes = disk.read(&name).unwrap_or_default();
    let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let offset = *dice.one_of(&written);
    disk.rot(&name, offset as u64, 1 << dice.between(0, 7));
    if let Ok((_, found)) = Log::open(disk, options(setup, applied), |_, _| {}) {
        let is_told = found.last_lsn == known.last_lsn || found.cut.is_some();
        assert!(is_told, "I2: byte {offset} of {name} rots, and the journal ends with LSN {} in silence", found.last_lsn);
    }
}

/// Lets the checkers read the whole journal: what is archived from there, the rest from where it is.
fn replay(scene: &mut Scene<'_>, recovered: &Recovered) {
    let archived = archived_lsn(scene.home);
    let parts = [(&scene.home.archive, 1, archived), (&scene.home.disk, archived + 1, recovered.last_lsn)];
    for (disk, first, last) in parts.into_iter().filter(|(_, first, last)| first <= last) {
        let mut reader = Reader::on(disk.clone(), first).expect("I2 outcome first: a journal that was opened can be read");
        while let Some((lsn, record)) = reader.next(last).expect("I2 outcome first: a journal that was opened is sound") {
            scene.checks.replayed(lsn, record);
        }
    }
}

/// LSN of the last record that is in the archive alone.
fn archived_lsn(home: &Home) -> u64 {
    match Reader::on(home.disk.clone(), 1) {
        Err(JournalError::Archived { first_lsn, .. }) => first_lsn - 1,
        _ => 0,
    }
}

fn catch_up(home: &Home, recovered: &Recovered) -> Past {
    let mut past = Past::later(recovered.journal_id, recovered.last_lsn);
    let (projection, reader) = past.open(home);
    wait(home, projection.catch_up(reader, recovered.last_lsn));
    past
}

fn recovered_shards(home: &Home, setup: &Setup, now: Micros, tables: &[Compiled], fold: Option<Fold>) -> Vec<Shard> {
    let size = (setup.shards, setup.limits);
    let mut shards = recovery::empty_shards(size, now, &setup.merchants, &setup.processors);
    for shard in &mut shards {
        tables.iter().for_each(|table| shard.accept(now, table.input()));
    }
    let windows_s = tables.iter().map(Compiled::longest_window_s);
    let window_s_max = windows_s.chain([setup.window_s_max()]).max().unwrap_or(0);
    match fold {
        Some(fold) => drop(recovery::recover_folded(&mut shards, fold, now)),
        None => drop(wait(home, recovery::recover(&mut shards, &home.queries(), now, window_s_max))),
    }
    shards
}

fn wait<T>(home: &Home, future: impl Future<Output = Result<T, PersistenceError>>) -> T {
    home.runtime.block_on(future).unwrap_or_else(|error| panic!("the SQL home fails without a fault: {error}"))
}
