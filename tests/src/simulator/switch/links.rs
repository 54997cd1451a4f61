//! What a link's task does around the product's traffic: connects again and again, carries bytes, hands on what the traffic says.

use super::{Scene, Switch, Task};
use crate::simulator::cards;
use crate::simulator::event::{Carried, End};
use crate::simulator::setup::Setup;
use crate::simulator::stage::Stage;
use api_front::limits::{LINK_TURN_REQUESTS, RECONNECT_MAX, RECONNECT_MIN};
use api_front::links::order::Order;
use api_front::links::traffic::{Happened, Traffic, TrafficOptions};
use api_front::switch::door::Return;
use api_front::switch::sensitive_table::SensitiveTable;
use protocol::calendar::Micros;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A link at work.
pub(super) struct Link {
    processor: u16,
    traffic: Traffic,
    orders: mpsc::Receiver<Order>,
    connection: Option<u64>,
    was_signed_on: bool,
    reconnect_us: u64,
    outbound: Vec<u8>,
    is_waking: bool,
    ticks_at: Option<Micros>,
}

impl Link {
    pub(super) fn new(processor: u16, orders: mpsc::Receiver<Order>, setup: &Setup, sensitive: Arc<SensitiveTable>) -> Link {
        let traffic = Traffic::new(TrafficOptions {
            index: processor,
            name: format!("card_{processor}"),
            session: setup.session(),
            sealer: cards::sealer(),
            sensitive,
            acceptors: setup.acceptors(),
            meter: Arc::default(),
        });
        Link {
            processor,
            traffic,
            orders,
            connection: None,
            was_signed_on: false,
            reconnect_us: RECONNECT_MIN.as_micros() as u64,
            outbound: Vec::new(),
            is_waking: false,
            ticks_at: None,
        }
    }
}

/// What a link must know of what its traffic said.
#[derive(Default)]
struct Acted {
    signed_on: bool,
    disconnect: bool,
}

impl Switch {
    /// Something comes out of a connection.
    pub fn carried(&mut self, scene: &mut Scene<'_>, connection: u64, what: Carried) {
        let Some(link) = self.links.iter().position(|link| link.connection == Some(connection)) else { return };
        match what {
            Carried::Bytes(bytes) => {
                let now = self.now(scene.stage);
                self.links[link].traffic.received(&bytes, now);
                self.pump(scene, link);
            }
            Carried::Close => self.disconnected(scene, link),
        }
    }

    pub(super) fn connect(&mut self, scene: &mut Scene<'_>, link: usize) {
        let processor = self.links[link].processor;
        if !scene.hosts[usize::from(processor) - 1].is_up {
            return self.connect_later(scene.stage, link);
        }
        let connection = scene.wires.open(processor, self.life);
        scene.stage.tell(format_args!("link {processor} is connected"));
        let now = self.now(scene.stage);
        let connecting = &mut self.links[link];
        connecting.connection = Some(connection);
        connecting.was_signed_on = false;
        connecting.traffic.connected(now);
        self.pump(scene, link);
    }

    fn connect_later(&mut self, stage: &mut Stage, link: usize) {
        let waiting = &mut self.links[link];
        let wait_us = waiting.reconnect_us;
        waiting.reconnect_us = (wait_us * 2).min(RECONNECT_MAX.as_micros() as u64);
        self.plan(stage, wait_us, Task::Connect { link });
    }

    fn disconnected(&mut self, scene: &mut Scene<'_>, link: usize) {
        let gone = &mut self.links[link];
        let Some(connection) = gone.connection.take() else { return };
        if gone.was_signed_on {
            gone.reconnect_us = RECONNECT_MIN.as_micros() as u64;
        }
        gone.outbound.clear();
        gone.traffic.disconnected();
        scene.stage.tell(format_args!("link {} is disconnected", gone.processor));
        scene.wires.close(scene.stage, connection, End::Switch);
        self.act(scene, link);
        let processor = self.links[link].processor;
        for shard in 0..self.setup.shards {
            self.give(scene.stage, shard, Return::LinkDown { processor });
        }
        self.connect_later(scene.stage, link);
    }

    /// Lets links look into their queues: a shard may have put something there.
    pub(super) fn wake_links(&mut self, stage: &mut Stage) {
        for link in 0..self.links.len() {
            let queue = &mut self.links[link];
            if !queue.is_waking && !queue.orders.is_empty() {
                queue.is_waking = true;
                let wait_us = stage.step_us();
                self.plan(stage, wait_us, Task::Orders { link });
            }
        }
    }

    pub(super) fn take_orders(&mut self, scene: &mut Scene<'_>, link: usize) {
        let now = self.now(scene.stage);
        let taking = &mut self.links[link];
        taking.is_waking = false;
        for _ in 0..LINK_TURN_REQUESTS {
            let Ok(order) = taking.orders.try_recv() else { break };
            scene.checks.ordered(taking.processor, &order);
            let (sent, is_connected) = (order.sent, taking.connection.is_some());
            let how = if is_connected { "takes" } else { "has no connection for" };
            scene.stage.tell(format_args!("link {} {how} {:?} of {} stan {}", taking.processor, sent.leg, sent.id, sent.stan));
            if is_connected {
                taking.traffic.submit(&order, now);
            } else {
                taking.traffic.refuse(&order);
            }
        }
        self.pump(scene, link);
        self.wake_links(scene.stage);
    }

    pub(super) fn link_tick(&mut self, scene: &mut Scene<'_>, link: usize) {
        self.links[link].ticks_at = None;
        let now = self.now(scene.stage);
        self.links[link].traffic.tick(now);
        self.pump(scene, link);
    }

    /// Hands on what the traffic says, and writes what it wants written.
    fn pump(&mut self, scene: &mut Scene<'_>, link: usize) {
        let acted = self.act(scene, link);
        let pumping = &mut self.links[link];
        pumping.was_signed_on |= acted.signed_on;
        if acted.disconnect {
            return self.disconnected(scene, link);
        }
        pumping.traffic.take_output(&mut pumping.outbound);
        if let Some(connection) = pumping.connection.filter(|_| !pumping.outbound.is_empty()) {
            scene.wires.send(scene.stage, connection, End::Switch, &pumping.outbound);
        }
        self.plan_link_tick(scene.stage, link);
    }

    fn act(&mut self, scene: &mut Scene<'_>, link: usize) -> Acted {
        let mut acted = Acted::default();
        let processor = self.links[link].processor;
        while let Some(happened) = self.links[link].traffic.poll() {
            match happened {
                Happened::SignedOn => {
                    acted.signed_on = true;
                    scene.stage.tell(format_args!("link {processor} is signed on"));
                    for shard in 0..self.setup.shards {
                        self.give(scene.stage, shard, Return::LinkUp { processor });
                    }
                }
                Happened::Give { shard, returned } => self.give(scene.stage, shard, returned),
                // What the host says of its totals stands: nobody here reads a batch's members back.
                Happened::WantsMembers { batch, .. } => self.links[link].traffic.no_members(&batch),
                Happened::Disconnect(why) => {
                    scene.stage.tell(format_args!("link {processor} gives up its connection: {why:?}"));
                    acted.disconnect = true;
                }
            }
        }
        acted
    }

    /// Plans a link's next wake-up, unless an earlier one is planned: that one plans anew.
    pub(super) fn plan_link_tick(&mut self, stage: &mut Stage, link: usize) {
        let Some(deadline) = self.links[link].traffic.next_tick() else { return };
        let wakes_at = self.in_the_world(deadline).max(Micros(stage.now().0 + 1));
        if self.links[link].ticks_at.is_none_or(|planned| wakes_at < planned) {
            self.links[link].ticks_at = Some(wakes_at);
            self.plan_at(stage, wakes_at, Task::LinkTick { link });
        }
    }
}
