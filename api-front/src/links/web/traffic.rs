//! What passes over one processor's link, without socket and clock: which exchanges are under way, and what is next in each.
//!
//! Whoever owns the sockets sends what [`WebTraffic::poll`] asks for and tells what came of it. A request of a payment or a step is
//! worth asking for until the shard's deadline; reversals and totals as long as one request may take.

use super::super::meter::Meter;
use super::super::order::Order;
use super::connector::{Connector, Exchange};
use crate::limits::{WEB_UNDER_WAY_MAX, WEB_WAITING_MAX};
use crate::switch::door::Return;
use crate::trace;
use protocol::calendar::Micros;
use protocol::id::Xid;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use switch_core::connectors::exchange::{Came, HttpRequest, Next};
use switch_core::input::{Leg, Sent};

/// Below this much time before its deadline nothing more is asked of an exchange, milliseconds.
const LAST_QUESTION_MS: u32 = 20;

/// What a link's traffic works with.
pub struct WebOptions {
    /// Index of the processor.
    pub index: u16,
    /// Its name, for logs.
    pub name: String,
    /// Who writes and reads.
    pub connector: Connector,
    /// How long one request of a reversal or of totals may take, milliseconds.
    pub timeout_ms: u32,
    /// Counts what passes.
    pub meter: Arc<Meter>,
}

/// Names one exchange while it is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// What the traffic has to say.
#[derive(Debug)]
pub enum Happened {
    /// Something for a shard.
    Give {
        /// The shard.
        shard: u16,
        /// What it is given.
        returned: Return,
    },
    /// Send this, and tell by [`WebTraffic::came`] what came of it.
    Ask {
        /// The exchange.
        ticket: Ticket,
        /// Wait so long before, milliseconds.
        wait_ms: u32,
        /// The request.
        request: HttpRequest,
        /// When it counts as lost.
        until: Micros,
    },
}

#[derive(Debug)]
struct UnderWay {
    exchange: Exchange,
    shard: u16,
    sent: Sent,
    lane: Option<Xid>,
    begun_at: Micros,
    /// When the shard gives up.
    deadline: Micros,
}

/// The traffic of one link.
pub struct WebTraffic {
    options: WebOptions,
    under_way: HashMap<Ticket, UnderWay>,
    tickets: u64,
    /// Terminals at work, and on which of a transaction's requests.
    busy: HashMap<Xid, Leg>,
    /// Requests that wait for their terminal, oldest first.
    waiting: VecDeque<(Xid, Order)>,
    happened: VecDeque<Happened>,
}

impl WebTraffic {
    /// Nothing is under way yet.
    pub fn new(options: WebOptions) -> WebTraffic {
        WebTraffic {
            options,
            under_way: HashMap::new(),
            tickets: 0,
            busy: HashMap::new(),
            waiting: VecDeque::new(),
            happened: VecDeque::new(),
        }
    }

    /// The processor's name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// True while one more may be given: what comes beyond waits in the link's queue.
    pub fn takes_more(&self) -> bool {
        self.under_way.len() < WEB_UNDER_WAY_MAX
    }

    /// True when nothing is under way and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty() && self.waiting.is_empty()
    }

    /// What happened next; `None` when there is nothing.
    pub fn poll(&mut self) -> Option<Happened> {
        self.happened.pop_front()
    }

    /// Takes a request.
    pub fn submit(&mut self, order: Order, now: Micros) {
        let lane = self.options.connector.lane(&order);
        let Some((lane, at_work)) = lane.and_then(|lane| Some((lane, *self.busy.get(&lane)?))) else {
            return self.begin(lane, &order, now);
        };
        let is_repeat = self.waiting.iter().any(|(_, waiting)| waiting.sent == order.sent);
        // A person is at the terminal: whoever asks for another payment hears it at once. A step or a reversal is soon over.
        let is_second = at_work == Leg::Original && order.sent.leg == Leg::Original;
        if is_second || self.waiting.len() >= WEB_WAITING_MAX {
            self.turn_down(&order, now);
        } else if !is_repeat {
            self.waiting.push_back((lane, order));
        }
    }

    /// Gives a request back as not sent: the host can't be reached.
    pub fn refuse(&mut self, order: &Order, now: Micros) {
        self.options.meter.not_sent(now);
        self.give(order.shard, Return::NotSent(order.sent));
    }

    /// Gives back what waits for a terminal: the host can't be reached.
    pub fn refuse_waiting(&mut self, now: Micros) {
        for (_, order) in std::mem::take(&mut self.waiting) {
            self.refuse(&order, now);
        }
    }

    /// Something came of a request.
    pub fn came(&mut self, ticket: Ticket, came: Came<'_>, now: Micros) {
        let Some(under_way) = self.under_way.get_mut(&ticket) else { return };
        match under_way.exchange.came(came) {
            Next::Ask(request) => self.ask_again(ticket, 0, request, now),
            Next::AskAfter { wait_ms, request } => self.ask_again(ticket, wait_ms, request, now),
            Next::Answered { answer, facts } => {
                let waited_us = u64::try_from(now.0 - under_way.begun_at.0).unwrap_or(0);
                trace::from_host(&self.options.name, &answer, waited_us);
                self.options.meter.answered(now, answer.verdict, waited_us);
                self.end(ticket, Return::Answer { answer, facts }, now);
            }
            Next::NotSent => {
                self.options.meter.not_sent(now);
                let sent = under_way.sent;
                self.end(ticket, Return::NotSent(sent), now);
            }
            Next::Lost => self.lose(ticket, now),
        }
    }

    fn begin(&mut self, lane: Option<Xid>, order: &Order, now: Micros) {
        if order.deadline() <= now {
            return self.turn_down(order, now);
        }
        let (exchange, request) = match self.options.connector.begin(self.options.index, order) {
            Ok(begun) => begun,
            Err(error) => {
                tracing::error!(link = self.options.name, id = %order.sent.id, leg = ?order.sent.leg, %error, "not sent");
                return self.turn_down(order, now);
            }
        };
        trace::to_host(&self.options.name, &order.sent);
        self.options.meter.sent(now);
        self.busy.extend(lane.map(|lane| (lane, order.sent.leg)));
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let (shard, sent, deadline) = (order.shard, order.sent, order.deadline());
        self.under_way.insert(ticket, UnderWay { exchange, shard, sent, lane, begun_at: now, deadline });
        self.ask(ticket, 0, request, deadline, now);
    }

    /// Asks on as long as the shard waits for it.
    fn ask_again(&mut self, ticket: Ticket, wait_ms: u32, request: HttpRequest, now: Micros) {
        let Some(deadline) = self.under_way.get(&ticket).map(|under_way| under_way.deadline) else { return };
        if now.plus_ms(LAST_QUESTION_MS) >= deadline {
            return self.lose(ticket, now);
        }
        // Not so late that no answer could come in time.
        let left_ms = u32::try_from((deadline.0 - now.0) / 1_000).unwrap_or(u32::MAX);
        self.ask(ticket, wait_ms.min(left_ms / 2), request, deadline, now);
    }

    fn ask(&mut self, ticket: Ticket, wait_ms: u32, request: HttpRequest, deadline: Micros, now: Micros) {
        let until = deadline.min(now.plus_ms(wait_ms).plus_ms(self.options.timeout_ms));
        self.happened.push_back(Happened::Ask { ticket, wait_ms, request, until });
    }

    fn lose(&mut self, ticket: Ticket, now: Micros) {
        self.options.meter.lost(now);
        if let Some(sent) = self.under_way.get(&ticket).map(|under_way| under_way.sent) {
            self.end(ticket, Return::Lost(sent), now);
        }
    }

    /// The end of an exchange: its terminal is free for whoever has waited longest.
    fn end(&mut self, ticket: Ticket, returned: Return, now: Micros) {
        let Some(UnderWay { shard, lane, .. }) = self.under_way.remove(&ticket) else { return };
        self.give(shard, returned);
        if let Some(lane) = lane {
            self.busy.remove(&lane);
            self.begin_next(lane, now);
        }
    }

    /// Begins what has waited longest for a terminal; of the others, payments are turned down when that is one.
    fn begin_next(&mut self, lane: Xid, now: Micros) {
        let (own, others) = std::mem::take(&mut self.waiting).into_iter().partition(|(wanted, _)| *wanted == lane);
        self.waiting = others;
        for (_, order) in own {
            self.submit(order, now);
        }
    }

    /// Gives a request back that was not sent for a reason of our own.
    fn turn_down(&mut self, order: &Order, now: Micros) {
        self.options.meter.not_sent(now);
        self.give(order.shard, Return::NotTaken(order.sent));
    }

    fn give(&mut self, shard: u16, returned: Return) {
        self.happened.push_back(Happened::Give { shard, returned });
    }
}
