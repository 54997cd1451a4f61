//! The HTTP listener: a bounded number of connections, each with bounded patience.

use super::brake::{Brake, Rest, RestingStream};
use super::patience::{BoundedBody, after_failed_accept, bound_unread};
use super::turned_away::TurnedAway;
use crate::config::LimitSettings;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Serves until `stop` turns true, then lets requests that are under way finish, `longest` at most. True when all did.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: LimitSettings,
    mut stop: watch::Receiver<bool>,
    longest: Duration,
) -> bool {
    let places = Arc::new(Semaphore::new(limits.connections_max as usize));
    let (turned_away, brake) = (TurnedAway::default(), Brake::new(limits.refusals_per_s_max));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let rest = Rest::none(Arc::clone(&brake));
                drop(tokio::spawn(serve_one(stream, router.clone(), limits, rest, stop.clone(), place)));
            }
            (Ok((stream, _)), Err(_)) => turned_away.tell(stream),
            (Err(error), _) => after_failed_accept(&error).await,
        }
    }
    drop(listener);
    let all = places.acquire_many(limits.connections_max);
    tokio::time::timeout(longest, all).await.is_ok()
}

async fn serve_one(
    stream: TcpStream,
    router: Router,
    limits: LimitSettings,
    rest: Arc<Rest>,
    mut stop: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true).and_then(|()| bound_unread(&stream)) {
        tracing::debug!(%error, "a connection went away before it was served");
        return;
    }
    let peer = stream.peer_addr().ok();
    let stream = RestingStream::new(stream, Arc::clone(&rest));
    let router = TowerToHyperService::new(router);
    let bounded = service_fn(move |request: Request<Incoming>| {
        let rest = Arc::clone(&rest);
        let mut request = request.map(|body| BoundedBody::new(body, limits.body_timeout));
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let answered = router.call(request);
        async move {
            let answered = answered.await;
            if answered.as_ref().is_ok_and(|answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE) {
                rest.refused();
            }
            answered
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout);
    let connection = http.serve_connection(TokioIo::new(stream), bounded);
    tokio::pin!(connection);
    let mut stopping = false;
    let served = loop {
        tokio::select! {
            served = connection.as_mut() => break served,
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = served {
        // The client's doing: it went away, stalled, or sent what is no HTTP.
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}
