//! The HTTP listener: a bounded number of connections, each with bounded patience.

use super::patience::{BoundedBody, after_failed_accept, bound_unread};
use crate::limits::{HTTP_CONNECTIONS_MAX, HTTP_HEAD_TIMEOUT};
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Serves until `stop` turns true, then lets requests that are under way finish, `longest` at most. True when all did.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>, longest: Duration) -> bool {
    let places = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    loop {
        let (place, accepted) = tokio::select! {
            next = next_connection(&listener, &places) => next,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok(stream) => drop(tokio::spawn(serve_one(stream, router.clone(), stop.clone(), place))),
            Err(error) => after_failed_accept(&error).await,
        }
    }
    drop(listener);
    let all = places.acquire_many(HTTP_CONNECTIONS_MAX as u32);
    tokio::time::timeout(longest, all).await.is_ok()
}

/// Accepts only when there is a place: until then clients wait in the kernel's queue, which is bounded, too.
async fn next_connection(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, io::Result<TcpStream>) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, listener.accept().await.map(|(stream, _)| stream))
}

async fn serve_one(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>, place: Option<OwnedSemaphorePermit>) {
    if let Err(error) = stream.set_nodelay(true).and_then(|()| bound_unread(&stream)) {
        tracing::debug!(%error, "a connection went away before it was served");
        return;
    }
    let router = TowerToHyperService::new(router);
    let bounded = service_fn(move |request: Request<Incoming>| router.call(request.map(BoundedBody::new)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HTTP_HEAD_TIMEOUT);
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
