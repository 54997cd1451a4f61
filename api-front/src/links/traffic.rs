//! What passes over one processor's link, without socket and clock: requests out, answers back to the shard that waits.
//!
//! [`link`](super::link) runs it over TCP, a simulator over connections of its own. A request that can't be written for certain
//! is given back as not sent; one that may have been written is lost when the connection goes. Nothing is ever dropped in
//! silence, and nothing is written twice.

mod upload;

use super::meter::Meter;
use super::order::Order;
use crate::switch::directory::AcceptorTable;
use crate::switch::door::Return;
use crate::switch::sensitive_table::SensitiveTable;
use crate::trace;
use persistence::sealing::Sealer;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::iso8583::MacKey;
use protocol::secret::{Pan, SensitiveData, Track1, Track2};
use protocol::tail::tag;
use std::collections::VecDeque;
use std::sync::Arc;
use switch_core::connectors::tsys::{CardData, DisconnectReason, Event, NotSubmitted, Outgoing, Session, SessionOptions};
use switch_core::input::Leg;
use switch_core::output::{Request, Subject};

/// What a link's traffic works with.
pub struct TrafficOptions {
    /// Index of the processor.
    pub index: u16,
    /// Its name, for logs.
    pub name: String,
    /// Times and bounds of the session.
    pub session: SessionOptions,
    /// Opens sealed cards; nowhere else but here.
    pub sealer: Arc<Sealer>,
    /// Card verification values on their way.
    pub sensitive: Arc<SensitiveTable>,
    /// Where each merchant's cards are taken.
    pub acceptors: AcceptorTable,
    /// Counts what passes.
    pub meter: Arc<Meter>,
}

/// What the traffic has to say.
#[derive(Debug)]
pub enum Happened {
    /// The host takes requests.
    SignedOn,
    /// Something for a shard.
    Give {
        /// The shard.
        shard: u16,
        /// What it is given.
        returned: Return,
    },
    /// Read the members of a batch back that come behind this one, and call [`Traffic::give_members`], or
    /// [`Traffic::no_members`] where that can't be done.
    WantsMembers {
        /// The batch.
        batch: Xid,
        /// The last member that was given.
        after: Xid,
    },
    /// Close the connection, then call [`Traffic::disconnected`].
    Disconnect(DisconnectReason),
}

/// The traffic of one connection of a link, whenever it stands.
pub struct Traffic {
    options: TrafficOptions,
    session: Session,
    totals: Vec<upload::Totals>,
    happened: VecDeque<Happened>,
    /// The latest moment that it was told.
    now: Micros,
    /// Answers that belonged to no request or were not authenticated, as far as the meter knows.
    unmatched_told: u64,
}

impl Traffic {
    /// Nothing is connected yet.
    pub fn new(options: TrafficOptions) -> Traffic {
        let session = Session::new(options.session);
        Traffic { options, session, totals: Vec::new(), happened: VecDeque::new(), now: Micros::NONE, unmatched_told: 0 }
    }

    /// Authenticates messages both ways.
    pub fn authenticated_by(self, key: Option<MacKey>) -> Traffic {
        Traffic { session: self.session.authenticated_by(key), ..self }
    }

    /// The processor's name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// A connection stands: sign-on goes first.
    pub fn connected(&mut self, now: Micros) {
        self.session.connected(now);
    }

    /// Bytes have come in.
    pub fn received(&mut self, bytes: &[u8], now: Micros) {
        self.now = now;
        self.session.received(bytes, now);
        self.take_events();
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Micros) {
        self.now = now;
        self.session.tick(now);
        self.take_events();
    }

    /// When [`Traffic::tick`] must come at the latest; `None` while nothing waits.
    pub fn next_tick(&self) -> Option<Micros> {
        self.session.next_tick()
    }

    /// Says good-bye: the connection is to be closed once the host has answered.
    pub fn sign_off(&mut self, now: Micros) {
        self.session.sign_off(now);
    }

    /// Tells the host that a new business day begins.
    pub fn cut_over(&mut self, now: Micros) {
        self.session.cut_over(now);
    }

    /// True while the host takes requests.
    pub fn is_up(&self) -> bool {
        self.session.is_up()
    }

    /// Requests that wait for an answer, those too that have been given up.
    pub fn pending_count(&self) -> usize {
        self.session.pending_count()
    }

    /// The connection is gone: what it had not answered is lost.
    pub fn disconnected(&mut self) {
        self.session.disconnected();
        self.take_events();
        self.uploads_lost();
    }

    /// Bytes to write, swapped for the caller's buffer, whose own bytes have been written and are wiped.
    pub fn take_output(&mut self, emptied: &mut Vec<u8>) {
        self.session.take_output(emptied);
    }

    /// What happened next; `None` when there is nothing.
    pub fn poll(&mut self) -> Option<Happened> {
        self.happened.pop_front()
    }

    /// Takes a request: its message is appended to the output, or it comes back as not sent.
    pub fn submit(&mut self, order: &Order, now: Micros) {
        self.now = now;
        if order.deadline() <= now {
            return self.turn_down(order);
        }
        let Some(acceptor) = self.options.acceptors.get(&order.merchant()) else {
            tracing::error!(link = self.options.name, merchant = %order.merchant(), "not sent: the merchant has no terminal");
            return self.turn_down(order);
        };
        if order.sent.leg == Leg::Totals && self.is_uploading(order, now) {
            return;
        }
        let Ok(opened) = self.open_card(order) else { return self.turn_down(order) };
        let sensitive = self.take_sensitive(order);
        let card = opened.as_ref().map(|pan| CardData {
            pan,
            track_2: sensitive.as_ref().and_then(|data| data.track_2.as_ref()).map(Track2::expose),
            track_1: sensitive.as_ref().and_then(|data| data.track_1.as_ref()).map(Track1::expose),
            cvv: sensitive.as_ref().and_then(|data| data.cvv.as_ref()),
        });
        let request = Request { processor: self.options.index, sent: order.sent, repeat: order.repeat, subject: order.subject() };
        match self.session.submit(&Outgoing { request, shard: order.shard, acceptor: &acceptor, card }, now) {
            Ok(()) => {
                trace::to_host(&self.options.name, &order.sent);
                self.options.meter.sent(now);
                if let Subject::Batch(batch) = order.subject() {
                    self.presented(order, batch, &acceptor);
                }
            }
            Err(why) => {
                tracing::warn!(link = self.options.name, id = %order.sent.id, leg = ?order.sent.leg, ?why, "not sent");
                self.keep_sensitive(order, sensitive);
                match why {
                    NotSubmitted::NotSignedOn => self.refuse(order),
                    NotSubmitted::Full | NotSubmitted::Unwritable(_) => self.turn_down(order),
                }
            }
        }
    }

    /// Gives a request back as not sent: the host can't be reached.
    pub fn refuse(&mut self, order: &Order) {
        // What was provably not sent may go to another processor, and then with its card verification value: it waits on, until
        // the caller has its reply.
        self.options.meter.not_sent(self.now);
        self.give(order.shard, Return::NotSent(order.sent));
    }

    /// Gives a request back that was not sent for a reason of our own.
    fn turn_down(&mut self, order: &Order) {
        self.options.meter.not_sent(self.now);
        self.give(order.shard, Return::NotTaken(order.sent));
    }

    /// Opens the sealed card: the only place where that happens. `Ok(None)` when the request carries none.
    fn open_card(&self, order: &Order) -> Result<Option<Pan>, ()> {
        let Some((transaction, tail)) = order.transaction() else { return Ok(None) };
        let Some(sealed) = tail.get(tag::SEALED_CARD) else { return Ok(None) };
        let opened = self.options.sealer.open_card(sealed, &transaction.merchant, &transaction.fingerprint);
        opened.map(Some).map_err(|error| tracing::error!(link = self.options.name, id = %transaction.id, %error, "not sent"))
    }

    fn take_sensitive(&self, order: &Order) -> Option<Box<SensitiveData>> {
        match order.sent.leg {
            Leg::Original => self.options.sensitive.take(&order.sent.id),
            Leg::Step | Leg::Reversal | Leg::Totals => None,
        }
    }

    /// Puts back what was taken for a request that then was not written.
    fn keep_sensitive(&self, order: &Order, sensitive: Option<Box<SensitiveData>>) {
        if let Some(data) = sensitive {
            // The place that it has just left; were it gone, the payment would go on without the value.
            self.options.sensitive.put(order.sent.id, *data);
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.session.poll() {
            match event {
                Event::SignedOn => self.happened.push_back(Happened::SignedOn),
                Event::Answer { shard, answer, waited_us } => {
                    trace::from_host(&self.options.name, &answer, waited_us);
                    self.options.meter.answered(self.now, answer.verdict, waited_us);
                    match answer.sent.leg {
                        Leg::Totals => self.totals_answered(shard, answer),
                        Leg::Original | Leg::Step | Leg::Reversal => {
                            self.give(shard, Return::Answer { answer, facts: Vec::new() });
                        }
                    }
                }
                Event::Detail(answer) => self.detail_answered(&answer),
                Event::Lost { shard, sent } => {
                    self.options.meter.lost(self.now);
                    self.give(shard, Return::Lost(sent));
                }
                Event::Disconnect(why) => self.happened.push_back(Happened::Disconnect(why)),
            }
        }
        let unmatched = self.session.unmatched_count() + self.session.unvouched_count();
        if unmatched > self.unmatched_told {
            self.options.meter.unmatched_came(unmatched - self.unmatched_told);
            self.unmatched_told = unmatched;
        }
    }

    fn give(&mut self, shard: u16, returned: Return) {
        self.happened.push_back(Happened::Give { shard, returned });
    }
}
