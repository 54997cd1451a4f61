//! Webhooks: merchants' endpoints, and the telling of events to them and to addresses that came with a thing.
//!
//! Lives here: what an endpoint may be, which addresses may be reached ([`reach`]), signatures ([`secrets`]), one try (`sender`), and the
//! deliverer with its retries. Must not live here: JSON and HTTP of the calls, SQL, and what is an event (whoever makes the change knows).

mod board;
mod deliverer;
pub mod limits;
pub mod message;
pub mod reach;
pub mod secrets;
mod sender;

pub use deliverer::Deliverer;
pub use reach::Reach;
pub use secrets::{Secret, Secrets};

use crate::config::WebhookSettings;
use crate::links::host::TlsError;
use crate::switch::handle::Switch;
use board::Board;
use limits::ENDPOINTS_MAX;
use persistence::error::PersistenceError;
use persistence::stores::Stores;
use persistence::stores::events::{Event, EventPage, KindFilter};
use persistence::stores::webhooks::{Delivery, Endpoint, Place};
use protocol::calendar::Micros;
use protocol::id::Xid;
use sender::Sender;
use std::sync::Arc;

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A field can't be accepted.
    #[error("{field}: {reason}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What is accepted.
        reason: &'static str,
    },
    /// It is not there, or another merchant's.
    #[error("not there")]
    NotFound,
    /// The merchant has as many as it may have.
    #[error("a merchant has at most {ENDPOINTS_MAX} endpoints")]
    TooMany,
    /// The SQL home could not be asked.
    #[error(transparent)]
    Store(#[from] PersistenceError),
}

/// An endpoint as it is asked for; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct EndpointAsked {
    /// Where to.
    pub url: Option<String>,
    /// Which events.
    pub filters: Option<Vec<KindFilter>>,
    /// In the merchant's words.
    pub description: Option<String>,
    /// Whether it is told anything.
    pub active: Option<bool>,
}

/// What is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// One event, by its number.
    Event(u64),
    /// One event, by its id.
    Id(String),
    /// All events behind a number.
    After(u64),
    /// What was given up.
    Dead,
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    switch: Switch,
    secrets: Secrets,
    reach: Reach,
    board: Arc<Board>,
}

impl Webhooks {
    /// The room over a switch's stores, and the deliverer, which is to be run.
    pub fn new(switch: Switch, settings: &WebhookSettings) -> Result<(Webhooks, Deliverer), TlsError> {
        let (secrets, board) = (Secrets::of(switch.sealer()), Arc::default());
        let (sender, reach) = (Sender::new(settings)?, settings.reach);
        let deliverer = Deliverer::new(switch.clone(), secrets.clone(), sender, Arc::clone(&board));
        Ok((Webhooks { switch, secrets, reach, board }, deliverer))
    }

    fn stores(&self) -> &Stores {
        self.switch.stores()
    }

    /// Whether something may be told at this address. The error says what is accepted.
    pub fn check_address(&self, url: &str) -> Result<(), &'static str> {
        self.reach.target(url).map(drop)
    }

    /// What signs for a merchant's endpoint.
    pub fn secret(&self, endpoint: &Endpoint) -> Secret {
        self.secrets.of_endpoint(endpoint)
    }

    /// What signs for a merchant where no endpoint's own secret does.
    pub fn merchant_secret(&self, merchant: &Xid) -> Secret {
        self.secrets.of_merchant(merchant)
    }

    /// Makes an endpoint. It is told of what happens from now on.
    pub async fn create(&self, merchant: Xid, asked: EndpointAsked) -> Result<Endpoint, WebhookError> {
        let now = self.switch.calendar().now();
        let fresh = Endpoint {
            id: self.switch.draw_id(),
            merchant,
            url: String::new(),
            description: String::new(),
            kinds: KindFilter::All.word(),
            active: true,
            reason: String::new(),
            began: 0,
            told: 0,
            failing_since: Micros::NONE,
            generation: 0,
            rotated_at: Micros::NONE,
            created_at: now,
            updated_at: now,
        };
        if asked.url.is_none() {
            return Err(WebhookError::Field { field: "url", reason: "is required" });
        }
        let endpoint = self.laid_over(fresh, asked)?;
        let added = self.stores().add_endpoint(&endpoint, ENDPOINTS_MAX).await?;
        if !added {
            return Err(WebhookError::TooMany);
        }
        self.endpoint(&merchant, &endpoint.id).await
    }

    /// Changes an endpoint. One that is active again is told all that it missed.
    pub async fn change(&self, merchant: &Xid, id: &Xid, asked: EndpointAsked) -> Result<Endpoint, WebhookError> {
        let present = self.endpoint(merchant, id).await?;
        let mut changed = self.laid_over(present, asked)?;
        changed.updated_at = self.switch.calendar().now();
        self.put(changed).await
    }

    /// Draws another secret; the older one signs beside it for a day.
    pub async fn rotate_secret(&self, merchant: &Xid, id: &Xid) -> Result<Endpoint, WebhookError> {
        let mut endpoint = self.endpoint(merchant, id).await?;
        endpoint.generation += 1;
        endpoint.rotated_at = self.switch.calendar().now();
        endpoint.updated_at = endpoint.rotated_at;
        self.put(endpoint).await
    }

    async fn put(&self, endpoint: Endpoint) -> Result<Endpoint, WebhookError> {
        if !self.stores().change_endpoint(&endpoint).await? {
            return Err(WebhookError::NotFound);
        }
        self.board.forgive(endpoint.id);
        Ok(endpoint)
    }

    fn laid_over(&self, mut endpoint: Endpoint, asked: EndpointAsked) -> Result<Endpoint, WebhookError> {
        if let Some(url) = asked.url {
            self.reach.target(&url).map_err(|reason| WebhookError::Field { field: "url", reason })?;
            endpoint.url = url;
        }
        if let Some(filters) = asked.filters {
            endpoint.kinds = filters.into_iter().map(KindFilter::word).collect::<Vec<_>>().join(",");
        }
        endpoint.description = asked.description.unwrap_or(endpoint.description);
        if let Some(active) = asked.active {
            (endpoint.active, endpoint.reason, endpoint.failing_since) = (active, String::new(), Micros::NONE);
        }
        Ok(endpoint)
    }

    /// One endpoint.
    pub async fn endpoint(&self, merchant: &Xid, id: &Xid) -> Result<Endpoint, WebhookError> {
        let endpoint = self.stores().endpoint(id).await?;
        endpoint.filter(|endpoint| endpoint.merchant == *merchant).ok_or(WebhookError::NotFound)
    }

    /// All endpoints of a merchant, oldest first.
    pub async fn endpoints(&self, merchant: &Xid) -> Result<Vec<Endpoint>, WebhookError> {
        Ok(self.stores().endpoints(merchant).await?)
    }

    /// Removes an endpoint.
    pub async fn delete(&self, merchant: &Xid, id: &Xid) -> Result<(), WebhookError> {
        let was_there = self.stores().delete_endpoint(merchant, id).await?;
        if was_there { Ok(()) } else { Err(WebhookError::NotFound) }
    }

    /// Sends events again, whether they had arrived or not. Gives how many are queued by that, as far as it is known.
    pub async fn send_again(&self, merchant: &Xid, id: &Xid, again: Again) -> Result<u64, WebhookError> {
        let (endpoint, now) = (self.endpoint(merchant, id).await?, self.switch.calendar().now());
        self.board.forgive(*id);
        let event = match again {
            Again::Dead => return Ok(self.stores().revive_deliveries(merchant, id, now).await?),
            Again::After(after) => return Ok(self.stores().rewind_endpoint(&endpoint, after).await?),
            Again::Event(sequence) => self.stores().event(merchant, sequence).await?,
            Again::Id(named) => self.stores().event_of_id(merchant, &named).await?,
        };
        let event = event.ok_or(WebhookError::NotFound)?;
        let place = Place { merchant: *merchant, sequence: event.sequence, endpoint: *id };
        self.stores().send_again(&Delivery::fresh(place, event.about, now)).await?;
        Ok(1)
    }

    /// Sends what goes to addresses that came with a thing again. Gives how many are queued by that.
    pub async fn call_back_again(&self, merchant: &Xid, again: Again) -> Result<u64, WebhookError> {
        let now = self.switch.calendar().now();
        let sequence = match again {
            Again::Dead => return Ok(self.stores().revive_deliveries(merchant, &Xid::NONE, now).await?),
            Again::After(_) => {
                return Err(WebhookError::Field {
                    field: "after",
                    reason: "must be absent: callbacks are sent again one by one",
                });
            }
            Again::Event(sequence) => Some(sequence),
            Again::Id(named) => self.stores().event_of_id(merchant, &named).await?.map(|event| event.sequence),
        };
        let sequence = sequence.ok_or(WebhookError::NotFound)?;
        let is_there = self.stores().revive_callback(merchant, sequence, now).await?;
        if is_there { Ok(1) } else { Err(WebhookError::NotFound) }
    }

    /// What went, or is to go, to addresses that came with a thing, each with its event. Delivered ones are there for a while.
    pub async fn callbacks(&self, merchant: &Xid, after: u64, limit: u32) -> Result<Vec<(Event, Delivery)>, WebhookError> {
        let mut with_events = Vec::new();
        for callback in self.stores().callbacks(merchant, after, limit).await? {
            let event = self.stores().event(merchant, callback.place.sequence).await?;
            with_events.extend(event.map(|event| (event, callback)));
        }
        Ok(with_events)
    }

    /// Events of a merchant behind a number.
    pub async fn events(&self, merchant: &Xid, after: u64, limit: u32) -> Result<EventPage, WebhookError> {
        Ok(self.stores().events(merchant, after, limit).await?)
    }

    /// An event as it is told.
    pub fn event_json(&self, event: &Event) -> String {
        message::event_json(&self.switch, event)
    }

    /// Events behind a number, and behind the one from which it is told, that an endpoint asks for, each with its delivery's row if it has
    /// one; and older ones that were sent again to it.
    pub async fn deliveries(
        &self,
        endpoint: &Endpoint,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(Event, Option<Delivery>)>, WebhookError> {
        let page = self.stores().events(&endpoint.merchant, after, limit).await?;
        let until = page.events.last().map_or(after, |event| event.sequence);
        let mut rows = self.stores().deliveries(&endpoint.id, after, until).await?;
        let filters = filters_of(&endpoint.kinds);
        let is_asked_for =
            |event: &Event| event.sequence > endpoint.began && filters.iter().any(|filter| filter.takes(event.kind));
        let mut with_row = |event: Event| {
            let place = rows.iter().position(|row| row.place.sequence == event.sequence);
            let row = place.map(|place| rows.swap_remove(place));
            (row.is_some() || is_asked_for(&event)).then_some((event, row))
        };
        Ok(page.events.into_iter().filter_map(&mut with_row).collect())
    }
}

/// The filters that an endpoint's text holds.
fn filters_of(kinds: &str) -> Vec<KindFilter> {
    kinds.split(',').filter_map(KindFilter::from_word).collect()
}
