//! The world: one switch, its hosts, its clients and what is between them, from a seed to the last check.
//!
//! A run has three parts. In the first everything happens that the seed has drawn. Then trouble stops, clients begin nothing new,
//! and within `DRAINED_WITHIN_US` everything that was undecided is decided. Last the switch is killed once more, every answer
//! that still holds is asked for again, batches are closed, and both sides' books are compared.

pub mod matrix;
mod trouble;

use crate::dice::Dice;
use crate::simulator::check::{self, Checks, Finish};
use crate::simulator::clients::{ClientEvent, Clients, Errand};
use crate::simulator::event::{End, Event, Turn};
use crate::simulator::faults::{Fates, Fault, PerFault, swarm};
use crate::simulator::hosts::HostMachine;
use crate::simulator::schedule::Schedule;
use crate::simulator::setup::{BEGIN, REVERSAL_RETRY_MAX_MS, Setup};
use crate::simulator::stage::{Counts, Stage};
use crate::simulator::story::Story;
use crate::simulator::switch::{Asked, Death, Heard, Home, NotStarted, Scene, Switch, feed_key, rotten_start};
use crate::simulator::wires::Wires;
use crate::simulator::workload::Workload;
use crate::simulator::{accounts, cards};
use protocol::calendar::Micros;
use protocol::words::PaymentMethod;

/// Time in which everything is decided once trouble has stopped, microseconds: a dead connection is noticed after an echo's silence
/// and three missed echoes (16 s), reconnecting takes 5 s at most, a late message 20 s, a time-out 5 s, a repeat of a reversal 8 s, a
/// settlement that was interrupted begins again after 2 s; and a stall or a lagging projection adds some. Twice all of it.
const DRAINED_WITHIN_US: u64 = 180_000_000;
/// How often batches are closed while they are rejected, each time with as much time to be answered.
const CLOSINGS: u32 = 3;
/// An answer is asked for again when it holds for at least this much longer, microseconds.
const HOLDS_FOR_US: u64 = 60_000_000;
/// Worlds in a million whose switch is away for a day when all is settled: then banks send back what they send back late.
const A_DAY_LATER: u32 = 300_000;
const A_DAY_US: u64 = 86_400_000_000;
/// Worlds in a million whose operator begins with tables.
const STEERED_FROM_THE_START: u32 = 600_000;
/// Changes that such a world begins with.
const FIRST_CHANGES: u64 = 4;
/// Answers that are asked for again at most.
const ASKED_AGAIN_MAX: usize = 300;

/// How long a run is and what is shown of it.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// Acts of the clients before trouble stops.
    pub acts: u64,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Of the whole story.
    pub digest: u64,
    /// Lines of the story.
    pub lines: u64,
    /// Virtual time that has passed, microseconds.
    pub simulated_us: u64,
    /// What was counted.
    pub counts: Counts,
    /// What went wrong, by kind.
    pub struck: PerFault,
    /// What was looked at.
    pub checked: check::Counts,
}

/// Everything.
pub struct World {
    stage: Stage,
    wires: Wires,
    home: Home,
    checks: Checks,
    hosts: Vec<HostMachine>,
    switch: Option<Switch>,
    lives: u64,
    setup: Setup,
    /// So many of the set-up's processors are configured yet.
    enrolled: usize,
    clients: Clients,
    workload: Workload,
    acts_left: u64,
}

/// Runs one seed to its end. A broken invariant panics.
pub fn run(seed: u64, length: Length, replay: String, aloud: bool) -> Outcome {
    let mut dice = Dice::of(seed);
    let setup = Setup::drawn(&mut dice);
    let fates = Fates::Drawn(swarm(&mut dice));
    let mut world = World::new(setup, fates, dice, replay, aloud);
    world.enrolled = world.stage.dice.between(1, world.enrolled as u64) as usize;
    world.acts_left = length.acts;
    world.stage.after(1_000, Turn::Workload);
    world.stage.after(1_000_000, Turn::Second);
    if world.stage.dice.hits(STEERED_FROM_THE_START) {
        (0..FIRST_CHANGES).for_each(|change| world.stage.after(2_000 + change, Turn::Steer));
    }
    world.run_while(|world| world.acts_left > 0);
    world.calm_down();
    world.close_books();
    world.outcome()
}

impl World {
    /// A world before its first moment: the switch starts at once.
    pub fn new(setup: Setup, fates: Fates, dice: Dice, replay: String, aloud: bool) -> World {
        let stage = Stage {
            schedule: Schedule::beginning_at(BEGIN),
            dice,
            fates,
            struck: PerFault::default(),
            story: Story::new(BEGIN, replay, aloud),
            counts: Counts::default(),
        };
        let checks = Checks::new(check::Setup {
            shards: setup.shards,
            limits: setup.limits,
            merchants: setup.merchants.clone(),
            processors: setup.processors.clone(),
            processor_ids: setup
                .processors
                .iter()
                .map(|terms| (setup.processor_id(terms.index).to_string(), terms.index))
                .collect(),
            pans: [cards::numbers(), accounts::numbers()].concat(),
            window_s_max: setup.window_s_max(),
        });
        let hosts = (0..setup.processors.len()).map(|at| HostMachine::new(at, &setup)).collect();
        let mut world = World {
            stage,
            wires: Wires::default(),
            home: Home::new(),
            checks,
            hosts,
            switch: None,
            lives: 0,
            enrolled: setup.processors.len(),
            setup,
            clients: Clients::default(),
            workload: Workload::default(),
            acts_left: 0,
        };
        world.stage.after(0, Turn::Start);
        world
    }

    /// Runs as long as a condition holds and something happens.
    fn run_while(&mut self, holds: impl Fn(&World) -> bool) {
        while holds(self) {
            let Some(event) = self.stage.schedule.advance() else { return };
            self.happen(event);
        }
    }

    fn run_for(&mut self, us: u64) {
        let until = Micros(self.stage.now().0.saturating_add_unsigned(us));
        self.run_while(|world| world.stage.schedule.next_at().is_some_and(|next| next <= until));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Switch(life, task) => {
                self.with_switch(|switch, scene| if switch.life() == life { switch.perform(scene, task) } else { Ok(()) })
            }
            Event::Carried(connection, End::Switch, what) => self.with_switch(|switch, scene| {
                switch.carried(scene, connection, what);
                Ok(())
            }),
            Event::Carried(connection, End::Host, what) => {
                // What comes to a closed end is thrown away.
                let open = self.wires.parties(connection).filter(|_| self.wires.is_open(connection, End::Host));
                let Some((processor, _)) = open else { return };
                let host = &mut self.hosts[usize::from(processor) - 1];
                host.carried(&mut self.stage, &mut self.wires, &mut self.checks, connection, what);
            }
            Event::Host(at, life, task) => {
                if self.hosts[at].reachable().life == life {
                    self.hosts[at].perform(&mut self.stage, &mut self.wires, &mut self.checks, task);
                }
            }
            Event::Client(event) => self.client(event),
            Event::Turn(turn) => self.turn(turn),
        }
    }

    /// Lets the switch do something, if it lives; it may die of it.
    fn with_switch(&mut self, act: impl FnOnce(&mut Switch, &mut Scene<'_>) -> Result<(), Death>) {
        let Some(mut switch) = self.switch.take() else { return };
        let died = act(&mut switch, &mut self.scene()).err();
        self.switch = Some(switch);
        if let Some(death) = died {
            self.die(death);
        }
    }

    fn scene(&mut self) -> Scene<'_> {
        let hosts = self.hosts.iter().map(HostMachine::reachable).collect();
        Scene { stage: &mut self.stage, wires: &mut self.wires, home: &self.home, checks: &mut self.checks, hosts }
    }

    fn die(&mut self, death: Death) {
        let wait_us = self.stage.dice.between(1_000, 4_000_000);
        self.die_for(death, wait_us);
    }

    /// The process is gone for a while: so are its memory, its sockets, and whatever the power took from the disk.
    fn die_for(&mut self, death: Death, wait_us: u64) {
        let Some(mut switch) = self.switch.take() else { return };
        self.stage.tell(format_args!("the switch is gone: {death:?}"));
        switch.break_calls(&mut self.scene());
        for connection in self.wires.of_life(switch.life()) {
            self.wires.close(&mut self.stage, connection, End::Switch);
        }
        drop(switch);
        self.checks.crashed();
        self.leave_the_disk(death);
        self.stage.after(wait_us, Turn::Start);
    }

    /// A process that was killed leaves what it had written to the system; a power cut does not, and a disk that has failed is
    /// changed for what it had stored.
    fn leave_the_disk(&mut self, death: Death) {
        if death == Death::Stopped || (death == Death::Killed && self.stage.dice.hits(400_000)) {
            self.home.disk.kill();
            self.home.archive.kill();
        } else {
            let dice = &mut self.stage.dice;
            self.home.disk.crash(|| dice.draw());
            self.home.archive.crash(|| dice.draw());
        }
    }

    fn start(&mut self) {
        if self.switch.is_some() {
            return;
        }
        let dares = self.stage.fates.strikes(Fault::StartWithoutSql, &mut self.stage.dice);
        if self.home.sql_is_away.get() && !dares {
            return self.stage.after(1_000_000, Turn::Start);
        }
        if self.enrolled < self.setup.processors.len() && self.stage.dice.hits(400_000) {
            self.enrolled += 1;
        }
        let setup = self.configured();
        if self.stage.strikes(Fault::BitRot) {
            rotten_start(&self.home, &setup, &mut self.stage.dice);
        }
        self.lives += 1;
        let life = self.lives;
        if self.stage.strikes(Fault::CrashInRecovery) {
            let operation = self.stage.dice.between(0, 12) as u32;
            self.home.disk.crash_after(operation);
        }
        let started = Switch::start(&mut self.scene(), &setup, life);
        self.home.disk.disarm();
        match started {
            Ok(switch) => self.switch = Some(switch),
            Err(NotStarted::Died(why)) => {
                self.stage.tell(format_args!("the switch dies while it recovers: {why}"));
                self.checks.crashed();
                self.leave_the_disk(Death::PowerLost);
                self.home.disk.set_quota(None);
                self.stage.after(50_000, Turn::Start);
            }
            Err(NotStarted::Waits) => self.stage.after(1_000_000, Turn::Start),
            Err(NotStarted::Refused(why)) => {
                panic!("I2 outcome first: nothing has damaged the journal, and a start refuses it: {why}")
            }
        }
    }

    /// What a start finds configured: merchants as they were last told, and the processors that are there yet.
    fn configured(&self) -> Setup {
        let terms = self.checks.terms();
        let merchants = self.setup.merchants.iter().map(|known| terms.merchants[&known.id]).collect();
        let processors = self.setup.processors[..self.enrolled].to_vec();
        Setup { merchants, processors, ..self.setup.clone() }
    }

    fn client(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Calls { errand } => self.clients.call(&mut self.stage, errand),
            ClientEvent::Arrives { call } => {
                let Some(asked) = self.clients.asked(call) else { return };
                if self.switch.is_none() {
                    return self.clients.hears(&mut self.stage, call, Heard::Broken);
                }
                self.with_switch(|switch, scene| {
                    switch.call(scene, call, asked);
                    Ok(())
                });
            }
            ClientEvent::Hears { call, heard } => self.clients.hears(&mut self.stage, call, *heard),
            ClientEvent::Impatient { call } => self.clients.impatient(&mut self.stage, call),
        }
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Second => self.second(),
            Turn::Workload => self.work(),
            Turn::Start => self.start(),
            Turn::Steer => self.steer(),
            Turn::SqlBack => self.home.sql_is_away.set(false),
            Turn::HostBack(at) => self.hosts[at].come_back(),
            Turn::Room => self.make_room(),
            Turn::CloseBatches(processor) => self.with_switch(|switch, scene| {
                switch.close_batches(scene.stage, processor);
                Ok(())
            }),
        }
    }

    fn work(&mut self) {
        if self.acts_left == 0 {
            return;
        }
        self.acts_left -= 1;
        let wait_us = self.workload.act(&mut self.stage, &self.setup, &mut self.clients);
        if self.stage.dice.hits(15_000) {
            let processor = self.stage.dice.between(1, self.hosts.len() as u64) as u16;
            self.stage.after(0, Turn::CloseBatches(processor));
        }
        self.stage.after(wait_us, Turn::Workload);
    }

    /// Trouble stops, and clients begin nothing new.
    fn calm_down(&mut self) {
        self.stage.tell(format_args!("trouble stops"));
        self.stage.fates = Fates::Drawn(PerFault::default());
        for host in &mut self.hosts {
            host.come_back();
        }
        self.make_room();
        self.home.sql_is_away.set(false);
        self.drain();
    }

    /// Everything is decided within [`DRAINED_WITHIN_US`], and some more where the world was drawn so: where a link's queue holds a few
    /// reversals only, as many rounds of repeats as all of them need.
    fn drain(&mut self) {
        self.run_for(1_000_000);
        let desks = self.switch.iter().flat_map(Switch::desks);
        let queued: u64 = desks.map(|desk| u64::from(desk.shard().reversals_queued() + desk.shard().in_flight())).sum();
        let rounds = queued / self.setup.outbox_orders as u64;
        let longest_us = DRAINED_WITHIN_US + rounds * u64::from(REVERSAL_RETRY_MAX_MS) * 1_000;
        self.run_for(longest_us);
        self.assert_drained(longest_us);
    }

    fn assert_drained(&self, longest_us: u64) {
        let switch = self.switch.as_ref().expect("liveness: the switch runs once trouble has stopped");
        for (shard, desk) in switch.desks().iter().enumerate() {
            let (in_flight, queued) = (desk.shard().in_flight(), desk.shard().reversals_queued());
            let within_s = longest_us / 1_000_000;
            assert!(
                in_flight == 0 && queued == 0,
                "liveness: {within_s} s after trouble has stopped shard {shard} has {in_flight} requests in flight and {queued} reversals queued"
            );
        }
        assert_eq!(switch.projection_behind(), 0, "liveness: the projection has not caught up");
        assert_eq!(self.clients.running(), 0, "liveness: clients still wait");
    }

    /// One more kill; what was answered is answered again; batches are closed; the books are compared.
    fn close_books(&mut self) {
        self.die(Death::Killed);
        self.run_for(10_000_000);
        let holds_at = Micros(self.stage.now().0.saturating_add_unsigned(HOLDS_FOR_US));
        for (command, tail) in self.clients.answered_until(holds_at).into_iter().take(ASKED_AGAIN_MAX) {
            let asked = Asked::Command { command: Box::new(command), tail };
            let after_us = self.stage.dice.between(0, 5_000_000);
            self.clients.begin(&mut self.stage, Errand { asked, calls_max: 20, patience_us: 8_000_000 }, after_us);
        }
        self.drain();
        for _ in 0..CLOSINGS {
            for host in 1..=self.hosts.len() as u16 {
                self.stage.after(0, Turn::CloseBatches(host));
            }
            self.run_for(60_000_000);
        }
        self.drain();
        if self.stage.dice.hits(A_DAY_LATER) {
            self.die_for(Death::Killed, A_DAY_US);
            self.run_for(A_DAY_US + 1_000_000);
            self.drain();
        }
        self.assert_feeds_read();
        self.compare_books();
    }

    /// What banks have sent back was brought in to the last notice.
    fn assert_feeds_read(&self) {
        for terms in self.setup.processors.iter().filter(|terms| terms.method == PaymentMethod::Ach) {
            let (index, notices) = (terms.index, self.checks.notices(terms.index));
            let place = self.home.kept_place(&feed_key(index));
            assert_eq!(place, notices, "liveness: the feed of processor {index} has {notices} notices, brought are {place}");
        }
    }

    fn compare_books(&mut self) {
        let switch = self.switch.as_ref().expect("liveness: the switch runs once trouble has stopped");
        assert_eq!(switch.batches_settling(), 0, "liveness: batches are still being settled");
        self.home.runtime.block_on(self.checks.projected(&self.home.queries()));
        let files = [self.home.journal_files(), self.home.database_files()].concat();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        self.checks.finish(&Finish {
            now: switch.now(&self.stage),
            desks: switch.desks(),
            files: &files,
            sensitive_left: switch.sensitive_left(),
        });
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            digest: self.stage.story.digest(),
            lines: self.stage.story.lines(),
            simulated_us: (self.stage.now().0 - BEGIN.0).unsigned_abs(),
            counts: self.stage.counts,
            struck: self.stage.struck,
            checked: *self.checks.counts(),
        }
    }
}
