//! What the task of a link that is asked by HTTP does around the product's traffic: looks for the host, sends what the traffic asks for,
//! each on a connection of its own, and hands on what it says.

use super::{Scene, Switch, Task};
use crate::simulator::cards;
use crate::simulator::event::{Event, HostTask};
use crate::simulator::setup::Setup;
use crate::simulator::stage::Stage;
use crate::simulator::web::{Asker, Part, WebCame, WebRequest, tell};
use api_front::limits::{RECONNECT_MAX, RECONNECT_MIN};
use api_front::links::order::Order;
use api_front::links::web::connector::Connector;
use api_front::links::web::traffic::{Happened, Ticket, WebOptions, WebTraffic};
use api_front::switch::door::Return;
use api_front::switch::sensitive_table::SensitiveTable;
use protocol::calendar::Micros;
use protocol::words::PaymentMethod;
use std::collections::BTreeMap;
use std::sync::Arc;
use switch_core::connectors::exchange::{Came, HttpRequest};
use tokio::sync::mpsc;

/// What proves the switch to the host of bank accounts.
const PASSWORD: &str = "simulated";

/// A link at work.
pub(super) struct WebLink {
    processor: u16,
    traffic: WebTraffic,
    orders: mpsc::Receiver<Order>,
    is_up: bool,
    probe_us: u64,
    is_waking: bool,
    /// Requests that are on their way, by their numbers.
    asked: BTreeMap<u64, Ticket>,
}

/// A request that waits for its moment.
#[derive(Debug)]
pub struct Waiting {
    ticket: Ticket,
    request: HttpRequest,
    until: Micros,
}

impl WebLink {
    pub(super) fn new(processor: u16, orders: mpsc::Receiver<Order>, setup: &Setup, sensitive: Arc<SensitiveTable>) -> WebLink {
        let connector = match setup.method_of(processor) {
            PaymentMethod::Ach => {
                let (sealer, acceptors) = (cards::sealer(), setup.acceptors());
                Connector::Sage { sealer, acceptors, password: PASSWORD.to_owned().into() }
            }
            PaymentMethod::Terminal => Connector::Dejavoo { terminals: setup.terminals(), sensitive },
            PaymentMethod::Card => panic!("a link to cards has a connection that stays"),
        };
        let timeout_ms = setup.processors[usize::from(processor) - 1].timeout_ms;
        let (name, meter) = (format!("web_{processor}"), Arc::default());
        let traffic = WebTraffic::new(WebOptions { index: processor, name, connector, timeout_ms, meter });
        let probe_us = RECONNECT_MIN.as_micros() as u64;
        WebLink { processor, traffic, orders, is_up: false, probe_us, is_waking: false, asked: BTreeMap::new() }
    }
}

impl Switch {
    /// Looks whether the host is there.
    pub(super) fn probe(&mut self, scene: &mut Scene<'_>, link: usize) {
        let probing = &mut self.web_links[link];
        if probing.is_up {
            return;
        }
        if scene.hosts[usize::from(probing.processor) - 1].is_up {
            return self.web_link_up(scene, link);
        }
        let wait_us = probing.probe_us;
        probing.probe_us = (wait_us * 2).min(RECONNECT_MAX.as_micros() as u64);
        self.plan(scene.stage, wait_us, Task::Probe { link });
    }

    fn web_link_up(&mut self, scene: &mut Scene<'_>, link: usize) {
        let reached = &mut self.web_links[link];
        (reached.is_up, reached.probe_us) = (true, RECONNECT_MIN.as_micros() as u64);
        let processor = reached.processor;
        scene.stage.tell(format_args!("link {processor} has reached its host"));
        for shard in 0..self.setup.shards {
            self.give(scene.stage, shard, Return::LinkUp { processor });
        }
        self.take_web_orders(scene, link);
    }

    /// The host can't be reached: what waits for a terminal goes back, and the host is looked for.
    fn web_link_down(&mut self, scene: &mut Scene<'_>, link: usize) {
        let now = self.now(scene.stage);
        let gone = &mut self.web_links[link];
        if !gone.is_up {
            return;
        }
        gone.is_up = false;
        gone.traffic.refuse_waiting(now);
        let (processor, wait_us) = (gone.processor, gone.probe_us);
        scene.stage.tell(format_args!("link {processor} can't reach its host"));
        self.act_on_web(scene, link);
        for shard in 0..self.setup.shards {
            self.give(scene.stage, shard, Return::LinkDown { processor });
        }
        self.plan(scene.stage, wait_us, Task::Probe { link });
    }

    /// Lets links look into their queues: a shard may have put something there.
    pub(super) fn wake_web_links(&mut self, stage: &mut Stage) {
        for link in 0..self.web_links.len() {
            let queue = &mut self.web_links[link];
            if !queue.is_waking && !queue.orders.is_empty() {
                queue.is_waking = true;
                let wait_us = stage.step_us();
                self.plan(stage, wait_us, Task::WebOrders { link });
            }
        }
    }

    /// Begins what a link's queue holds, as long as it has hands for it.
    pub(super) fn take_web_orders(&mut self, scene: &mut Scene<'_>, link: usize) {
        let now = self.now(scene.stage);
        let taking = &mut self.web_links[link];
        taking.is_waking = false;
        while !taking.is_up || taking.traffic.takes_more() {
            let Ok(order) = taking.orders.try_recv() else { break };
            scene.checks.ordered(taking.processor, &order);
            let (sent, is_up) = (order.sent, taking.is_up);
            let how = if is_up { "takes" } else { "has no host for" };
            scene.stage.tell(format_args!("link {} {how} {:?} of {} stan {}", taking.processor, sent.leg, sent.id, sent.stan));
            if is_up {
                taking.traffic.submit(order, now);
            } else {
                taking.traffic.refuse(&order, now);
            }
        }
        self.act_on_web(scene, link);
    }

    /// The moment of a request has come: it leaves, or there is nobody to take it.
    pub(super) fn send_by_web(&mut self, scene: &mut Scene<'_>, link: usize, waiting: Waiting) {
        let Waiting { ticket, request, until } = waiting;
        let asker = self.next_asker(Part::Link(link));
        let sending = &mut self.web_links[link];
        sending.asked.insert(asker.number, ticket);
        let processor = sending.processor;
        let request = WebRequest::to("POST", &request.path, request.body.to_vec());
        self.ask_by_web(scene, processor, asker, request, until);
    }

    /// A name for whoever waits for the answer to a request.
    pub(super) fn next_asker(&mut self, part: Part) -> Asker {
        self.web_requests += 1;
        Asker { life: self.life, part, number: self.web_requests }
    }

    /// Sends a request to a processor's host. Without an answer by `until` it is lost.
    pub(super) fn ask_by_web(&self, scene: &mut Scene<'_>, processor: u16, asker: Asker, request: WebRequest, until: Micros) {
        let at = usize::from(processor) - 1;
        let host = scene.hosts[at];
        let latency_us = scene.stage.dice.between(20, 2_000);
        if !host.is_up {
            return tell(scene.stage, asker, latency_us, WebCame::NotSent);
        }
        scene.stage.after(latency_us, Event::Host(at, host.life, HostTask::Arrives { asker, request }));
        let gives_up_at = self.in_the_world(until);
        scene.stage.schedule.at(gives_up_at, Event::Switch(asker.life, Task::Came { asker, came: WebCame::Lost }));
    }

    /// Something came of a request; of what was given up before, nothing comes.
    pub(super) fn web_came(&mut self, scene: &mut Scene<'_>, asker: Asker, came: WebCame) {
        match asker.part {
            Part::Link(link) => self.link_heard(scene, link, asker.number, &came),
            Part::Collector(collector) => self.collector_heard(scene, collector, asker.number, &came),
        }
    }

    fn link_heard(&mut self, scene: &mut Scene<'_>, link: usize, number: u64, came: &WebCame) {
        let now = self.now(scene.stage);
        let hearing = &mut self.web_links[link];
        let Some(ticket) = hearing.asked.remove(&number) else { return };
        let heard = match came {
            WebCame::Answer(status, body) => Came::Answer { status: *status, body },
            WebCame::NotSent => Came::NotSent,
            WebCame::Lost => Came::Lost,
        };
        scene.stage.tell(format_args!("link {} hears {}", hearing.processor, in_words(came)));
        hearing.traffic.came(ticket, heard, now);
        self.act_on_web(scene, link);
        if matches!(came, WebCame::NotSent) {
            self.web_link_down(scene, link);
        }
        self.take_web_orders(scene, link);
    }

    /// Hands on what the traffic says.
    fn act_on_web(&mut self, scene: &mut Scene<'_>, link: usize) {
        while let Some(happened) = self.web_links[link].traffic.poll() {
            match happened {
                Happened::Give { shard, returned } => self.give(scene.stage, shard, returned),
                Happened::Ask { ticket, wait_ms, request, until } => {
                    let waiting = Box::new(Waiting { ticket, request, until });
                    self.plan(scene.stage, u64::from(wait_ms) * 1_000, Task::SendByWeb { link, waiting });
                }
            }
        }
    }
}

fn in_words(came: &WebCame) -> String {
    match came {
        WebCame::Answer(status, body) => format!("an answer {status} of {} bytes", body.len()),
        WebCame::NotSent => "that its host is away".to_owned(),
        WebCame::Lost => "nothing".to_owned(),
    }
}
