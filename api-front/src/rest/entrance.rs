//! Where the listener hands requests in. Payments go straight to their handler: a router's layers would cost one as much as reading its
//! body. What may take longer (pages, searches, passwords) is answered on the office's threads, so that no payment waits for it; under TLS
//! the connection itself is there.

use super::correlation::RequestNames;
use super::problem::Problem;
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
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
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
    office: Handle,
}

impl Entrance {
    /// `routes` name their requests themselves, by the same `names`. The present runtime is the office's.
    pub(super) fn new(front: Front, names: RequestNames, routes: Router) -> Entrance {
        let routes = TowerToHyperService::new(routes);
        Entrance(Arc::new(Ways { front, names, routes, office: Handle::current() }))
    }

    /// Answers a request.
    pub async fn answer<B>(self, request: axum::http::Request<B>) -> Result<Response, Infallible>
    where
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        if request.method() == Method::POST && request.uri().path() == PAYMENTS {
            return Ok(self.pay(request.map(Body::new)).await);
        }
        if is_step(request.method(), request.uri().path()) {
            return self.0.routes.call(request).await;
        }
        self.ask_office(request.map(Body::new)).await
    }

    async fn ask_office(self, request: Request) -> Result<Response, Infallible> {
        let answering = self.0.office.spawn(self.0.routes.call(request));
        // Whoever goes away while it is answered has no use for the answer.
        match AbortOnDropHandle::new(answering).await {
            Ok(answered) => answered,
            Err(error) => {
                tracing::error!(%error, "a request was given up");
                Ok(Problem::Internal.into_response())
            }
        }
    }

    async fn pay(self, request: Request) -> Response {
        let named = self.0.names.name(&request);
        let answered = transaction::create(State(self.0.front.clone()), request).instrument(named.span()).await;
        named.put_on(answered.into_response())
    }
}

/// A capture, void or refund.
fn is_step(method: &Method, path: &str) -> bool {
    let step = path.strip_prefix(PAYMENTS).and_then(|rest| rest.rsplit('/').next());
    method == Method::POST && matches!(step, Some("capture" | "void" | "refund"))
}
