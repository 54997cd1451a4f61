//! The deliverer: tells endpoints what has happened, and tries again what did not arrive.
//!
//! An endpoint is told page by page. How far it was told is written together with the rows of what failed, after the page: whoever is
//! killed in between tells the page once more, with the same ids. What is about one thing is told in order; when one of it fails, the rest
//! of it waits behind, and everything about other things goes on. A receiver that fails again and again is left alone for longer and longer
//! (see [`super::board`]) and keeps nobody waiting: each has turns of its own.

use super::board::{Board, Receiver, Turn, wait_s};
use super::filters_of;
use super::limits::{DELIVERED_KEPT_S, DUE_MAX, EVENTS_PER_PASS, FORGOTTEN_EVERY_S, LANES_MAX, PULSE, STORE_RETRY, TRIED_FOR_S};
use super::message::event_json;
use super::secrets::{Secrets, signatures};
use super::sender::{Answer, NoAnswer, Post, Sender};
use crate::sandbox_home::random_bytes;
use crate::switch::handle::Switch;
use persistence::error::PersistenceError;
use persistence::stores::events::Event;
use persistence::stores::webhooks::{Delivery, DeliveryState, Endpoint, Place, To};
use protocol::calendar::Micros;
use protocol::id::Xid;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The HTTP status by which a receiver says that it wants nothing more.
const GONE: u16 = 410;

/// The deliverer. Clones are the same.
#[derive(Clone)]
pub struct Deliverer {
    switch: Switch,
    secrets: Secrets,
    sender: Sender,
    board: Arc<Board>,
}

impl Deliverer {
    pub(super) fn new(switch: Switch, secrets: Secrets, sender: Sender, board: Arc<Board>) -> Deliverer {
        Deliverer { switch, secrets, sender, board }
    }

    /// Runs as long as the switch.
    pub async fn run(self) {
        let mut forgets_at = Micros::NONE;
        loop {
            match self.turn(&mut forgets_at).await {
                Ok(()) => tokio::time::sleep(PULSE).await,
                Err(error) => {
                    tracing::warn!(%error, "webhooks wait");
                    tokio::time::sleep(STORE_RETRY).await;
                }
            }
        }
    }

    /// Begins whatever may begin now, and forgets what was delivered long ago.
    async fn turn(&self, forgets_at: &mut Micros) -> Result<(), PersistenceError> {
        let now = self.switch.calendar().now();
        if *forgets_at <= now {
            let kept_us = i64::from(DELIVERED_KEPT_S) * 1_000_000;
            self.switch.stores().forget_delivered(Micros(now.0.saturating_sub(kept_us))).await?;
            *forgets_at = now.plus_s(FORGOTTEN_EVERY_S);
        }
        for endpoint in self.switch.stores().endpoints_behind().await? {
            if self.board.begin_pass(endpoint.id, now) {
                tokio::spawn(self.clone().pass(endpoint));
            }
        }
        for delivery in self.switch.stores().due_deliveries(now, DUE_MAX).await? {
            let receiver = Receiver::of(&delivery);
            match self.board.begin_try(&delivery, &receiver, now) {
                Turn::Try => drop(tokio::spawn(self.clone().try_again(delivery, receiver))),
                Turn::Later => {}
                // So that it does not stand in the way of others that are due.
                Turn::RestsUntil(until) => {
                    self.switch.stores().note_delivery(&Delivery { next_attempt_at: until, ..delivery }).await?;
                }
            }
        }
        Ok(())
    }

    async fn pass(self, endpoint: Endpoint) {
        let id = endpoint.id;
        if let Err(error) = self.tell_page(Arc::new(endpoint)).await {
            tracing::warn!(%error, endpoint = %id, "a webhook endpoint waits");
        }
        self.board.passed(id);
    }

    async fn tell_page(&self, endpoint: Arc<Endpoint>) -> Result<(), PersistenceError> {
        let stores = self.switch.stores();
        let page = stores.events(&endpoint.merchant, endpoint.told, EVENTS_PER_PASS).await?;
        let Some(last) = page.events.last().map(|event| event.sequence) else { return Ok(()) };
        let waiting: HashSet<Xid> = stores.waiting_about(&endpoint.id).await?.into_iter().collect();
        let filters = filters_of(&endpoint.kinds);
        let mut lanes: BTreeMap<Xid, Vec<Event>> = BTreeMap::new();
        for event in page.events.into_iter().filter(|event| filters.iter().any(|filter| filter.takes(event.kind))) {
            lanes.entry(event.about).or_default().push(event);
        }
        let (places, mut lanes_told) = (Arc::new(Semaphore::new(LANES_MAX)), JoinSet::new());
        for (about, events) in lanes {
            let (this, endpoint, places, waits) =
                (self.clone(), Arc::clone(&endpoint), Arc::clone(&places), waiting.contains(&about));
            lanes_told.spawn(async move {
                let _place = places.acquire_owned().await;
                this.tell_lane(&endpoint, events, waits).await
            });
        }
        let mut failed = Vec::new();
        while let Some(lane) = lanes_told.join_next().await {
            match lane {
                Ok(lane) => failed.extend(lane?),
                // The page is told again: nothing of it counts.
                Err(died) => {
                    tracing::error!(%died, "a webhook's lane has died");
                    return Ok(());
                }
            }
        }
        stores.pass_events(&endpoint, last, &failed).await
    }

    /// Tells what is about one thing, in order. Gives what must be tried again.
    async fn tell_lane(&self, endpoint: &Endpoint, events: Vec<Event>, waits: bool) -> Result<Vec<Delivery>, PersistenceError> {
        let receiver = Receiver::Endpoint(endpoint.id);
        let mut failed: Vec<Delivery> = Vec::new();
        for event in events {
            let now = self.switch.calendar().now();
            let place = Place { merchant: event.merchant, sequence: event.sequence, endpoint: endpoint.id };
            let fresh = Delivery::fresh(place, event.about, now);
            if waits || !failed.is_empty() {
                failed.push(fresh);
            } else if let Some(until) = self.board.rests_until(&receiver, now) {
                failed.push(Delivery { next_attempt_at: until, ..fresh });
            } else {
                let tried = self.attempt(Some(endpoint), &event, fresh).await?;
                failed.extend(Some(tried).filter(|tried| tried.state != DeliveryState::Delivered));
            }
        }
        Ok(failed)
    }

    async fn try_again(self, delivery: Delivery, receiver: Receiver) {
        let place = delivery.place;
        if let Err(error) = self.retry(delivery).await {
            tracing::warn!(%error, "a webhook delivery waits");
        }
        self.board.tried(&place, &receiver);
    }

    async fn retry(&self, delivery: Delivery) -> Result<(), PersistenceError> {
        let stores = self.switch.stores();
        let endpoint = match delivery.to {
            To::Endpoint => stores.endpoint(&delivery.place.endpoint).await?.filter(|endpoint| endpoint.active),
            To::Address { .. } => None,
        };
        if endpoint.is_none() && delivery.to == To::Endpoint {
            return Ok(());
        }
        // While the tables are filled again from the journal it can't be told yet.
        let Some(event) = stores.event(&delivery.place.merchant, delivery.place.sequence).await? else { return Ok(()) };
        let tried = self.attempt(endpoint.as_ref(), &event, delivery).await?;
        stores.note_delivery(&tried).await
    }

    /// One try; the delivery as it stands after it.
    async fn attempt(
        &self,
        endpoint: Option<&Endpoint>,
        event: &Event,
        delivery: Delivery,
    ) -> Result<Delivery, PersistenceError> {
        let receiver = Receiver::of(&delivery);
        let (url, post) = self.post(endpoint, event, &delivery);
        let answered = self.sender.send(&url, post).await;
        let now = self.switch.calendar().now();
        let arrived = matches!(answered, Ok(Answer { status: 200..=299, .. }));
        self.board.note(&receiver, arrived, now);
        if let Some(endpoint) = endpoint {
            self.note_endpoint(endpoint, &answered, arrived, now).await?;
        }
        Ok(after_try(delivery, &answered, now, jitter()))
    }

    fn post(&self, endpoint: Option<&Endpoint>, event: &Event, delivery: &Delivery) -> (String, Post) {
        let secrets = match endpoint {
            Some(endpoint) => self.secrets.signing(endpoint, self.switch.calendar().now()),
            None => vec![self.secrets.of_merchant(&event.merchant)],
        };
        let (url, form, body) = match (&delivery.to, endpoint) {
            (To::Address { url, form, body }, _) => (url.clone(), *form, body.clone()),
            (To::Endpoint, endpoint) => (endpoint.map(|endpoint| endpoint.url.clone()).unwrap_or_default(), false, None),
        };
        let content_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        let body = body.unwrap_or_else(|| event_json(&self.switch, event));
        // The real clock's, for a receiver compares it with its own.
        let (id, timestamp_s) = (event.id(), self.switch.now().0 / 1_000_000);
        let signatures = signatures(&secrets, &id, timestamp_s, body.as_bytes());
        (url, Post { content_type, id, timestamp_s, signatures, body: body.into() })
    }

    /// Since when an endpoint fails, and whether it is given up.
    async fn note_endpoint(
        &self,
        endpoint: &Endpoint,
        answered: &Result<Answer, NoAnswer>,
        arrived: bool,
        now: Micros,
    ) -> Result<(), PersistenceError> {
        let stores = self.switch.stores();
        let since = endpoint.failing_since;
        match answered {
            _ if arrived && since.is_none() => Ok(()),
            _ if arrived => stores.note_failing(&endpoint.id, Micros::NONE).await,
            Ok(Answer { status: GONE, .. }) => stores.switch_endpoint_off(&endpoint.id, "it answered 410 Gone").await,
            _ if since.is_none() => stores.note_failing(&endpoint.id, now).await,
            _ if now >= since.plus_s(TRIED_FOR_S) => {
                stores.switch_endpoint_off(&endpoint.id, "nothing has arrived there for three days").await
            }
            _ => Ok(()),
        }
    }
}

/// A delivery after a try. `jitter` is 0 to 255: of the wait, at least half and at most all is waited.
fn after_try(mut delivery: Delivery, answered: &Result<Answer, NoAnswer>, now: Micros, jitter: u8) -> Delivery {
    delivery.attempts += 1;
    delivery.last_attempt_at = now;
    if delivery.first_attempt_at.is_none() {
        delivery.first_attempt_at = now;
    }
    let (status, asked_s, fault) = match answered {
        Ok(Answer { status, retry_after_s }) => (*status, *retry_after_s, format!("answered {status}")),
        Err(error) => (0, 0, error.to_string()),
    };
    delivery.status = status;
    if (200..=299).contains(&status) {
        (delivery.state, delivery.fault) = (DeliveryState::Delivered, String::new());
        return delivery;
    }
    delivery.fault = fault;
    let whole_s = u64::from(wait_s(delivery.attempts));
    let drawn_s = whole_s - whole_s * u64::from(jitter) / 512;
    delivery.next_attempt_at = now.plus_s((drawn_s as u32).max(asked_s));
    let is_unwanted = status == GONE && delivery.to != To::Endpoint;
    if is_unwanted || delivery.next_attempt_at > delivery.first_attempt_at.plus_s(TRIED_FOR_S) {
        delivery.state = DeliveryState::Dead;
    }
    delivery
}

/// So that receivers of one moment are not all asked again in another.
fn jitter() -> u8 {
    random_bytes(1).ok().and_then(|bytes| bytes.first().copied()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(delivery: Delivery, status: u16, now: Micros) -> Delivery {
        after_try(delivery, &Ok(Answer { status, retry_after_s: 0 }), now, 255)
    }

    #[test]
    fn a_delivery_is_tried_for_three_days_and_then_dead() {
        let mut now = Micros(1_800_000_000_000_000);
        let place = Place { merchant: Xid([1; 12]), sequence: 1, endpoint: Xid([2; 12]) };
        let mut delivery = Delivery::fresh(place, Xid([3; 12]), now);
        while delivery.state == DeliveryState::Pending {
            delivery = tried(delivery, 500, now);
            now = delivery.next_attempt_at;
        }
        let lasted_s = (delivery.last_attempt_at.0 - delivery.first_attempt_at.0) / 1_000_000;
        assert!((2 * 86_400..=3 * 86_400).contains(&lasted_s), "{lasted_s} s");
        assert!((15..40).contains(&delivery.attempts), "{} tries", delivery.attempts);
        assert_eq!((delivery.state, &delivery.fault[..]), (DeliveryState::Dead, "answered 500"));
        assert_eq!(tried(delivery.clone(), 204, now).state, DeliveryState::Delivered);
        assert_eq!(tried(delivery, 302, now).state, DeliveryState::Dead, "a redirect is no delivery");
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it() {
        let now = Micros(1_800_000_000_000_000);
        let place = Place { merchant: Xid([1; 12]), sequence: 1, endpoint: Xid::NONE };
        let to = To::Address { url: "https://shop.example/".into(), form: true, body: None };
        let delivery = Delivery { to, ..Delivery::fresh(place, Xid([3; 12]), now) };
        let slow = after_try(delivery.clone(), &Ok(Answer { status: 429, retry_after_s: 900 }), now, 0);
        assert_eq!(slow.next_attempt_at, now.plus_s(900));
        assert_eq!(tried(delivery, GONE, now).state, DeliveryState::Dead, "nobody is there who could want it again");
    }
}
