//! Where the listener hands requests in. Payments go straight to their handler, everything else through the routes: a router's layers
//! would cost a payment as much as reading its body.

use super::correlation::RequestNames;
use super::{Front, transaction};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use tracing::Instrument;

/// The path of payments.
pub(super) const PAYMENTS: &str = "/api/transaction";

/// The front, as the listener calls it. Cheap to clone.
#[derive(Clone)]
pub struct Entrance(Arc<Ways>);

struct Ways {
    front: Front,
    names: RequestNames,
    routes: TowerToHyperService<Router>,
}

impl Entrance {
    /// `routes` name their requests themselves, by the same `names`.
    pub(super) fn new(front: Front, names: RequestNames, routes: Router) -> Entrance {
        Entrance(Arc::new(Ways { front, names, routes: TowerToHyperService::new(routes) }))
    }

    /// Answers a request.
    pub async fn answer<B>(self, request: axum::http::Request<B>) -> Result<Response, Infallible>
    where
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        if request.method() == Method::POST && request.uri().path() == PAYMENTS {
            return Ok(self.pay(request.map(Body::new)).await);
        }
        self.0.routes.call(request).await
    }

    async fn pay(self, request: Request) -> Response {
        let named = self.0.names.name(&request);
        let answered = transaction::create(State(self.0.front.clone()), request).instrument(named.span()).await;
        named.put_on(answered.into_response())
    }
}
