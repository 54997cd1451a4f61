//! The HTTP listener: a bounded number of connections, each with bounded patience.

use super::brake::{Brake, Rest, RestingStream};
use super::patience::{BoundedBody, OneTimer, after_failed_accept, bound_unread};
use super::tls::STRICT_TRANSPORT;
use super::turned_away::TurnedAway;
use crate::config::LimitSettings;
use crate::payment_threads::Homes;
use crate::rest::{Encrypted, Entrance};
use axum::extract::ConnectInfo;
use axum::http::HeaderValue;
use axum::http::header::STRICT_TRANSPORT_SECURITY;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How the front serves.
pub struct Options {
    /// Bounds of connections and of their patience.
    pub limits: LimitSettings,
    /// Certificate and key; without them it speaks in clear.
    pub tls: Option<TlsAcceptor>,
    /// Where connections in clear are served. Those over TLS are served where the listener is: what a handshake computes would hold
    /// payments up.
    pub homes: Homes,
    /// How long requests that are under way may take to finish once it stops.
    pub drain: Duration,
}

/// Serves until `stop` turns true, then lets requests that are under way finish. True when all did.
pub async fn serve(listener: TcpListener, entrance: Entrance, options: Options, mut stop: watch::Receiver<bool>) -> bool {
    let Options { limits, tls, homes, drain } = options;
    let places = Arc::new(Semaphore::new(limits.connections_max as usize));
    let (turned_away, brake) = (TurnedAway::default(), Brake::new(limits.refusals_per_s_max));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let guest =
                    Guest { entrance: entrance.clone(), limits, rest: Rest::none(Arc::clone(&brake)), stop: stop.clone() };
                match &tls {
                    Some(tls) => drop(tokio::spawn(serve_encrypted(stream, tls.clone(), guest, place))),
                    None => serve_at(homes.next(), stream, guest, place),
                }
            }
            // A handshake costs more than the payment that it would refuse: under TLS there is no word for those beyond.
            (Ok(_), Err(_)) if tls.is_some() => {}
            (Ok((stream, _)), Err(_)) => turned_away.tell(stream),
            (Err(error), _) => after_failed_accept(&error).await,
        }
    }
    drop(listener);
    let all = places.acquire_many(limits.connections_max);
    timeout(drain, all).await.is_ok()
}

/// What a connection is served with.
struct Guest {
    entrance: Entrance,
    limits: LimitSettings,
    rest: Arc<Rest>,
    stop: watch::Receiver<bool>,
}

impl Guest {
    fn resting(&self, stream: TcpStream) -> RestingStream {
        RestingStream::new(stream, Arc::clone(&self.rest))
    }
}

/// Serves a connection on another runtime, which gets to know its socket.
fn serve_at(home: &Handle, stream: TcpStream, guest: Guest, place: OwnedSemaphorePermit) {
    let moved = stream.into_std();
    home.spawn(async move {
        match moved.and_then(TcpStream::from_std).and_then(Accepted::new) {
            Ok(Accepted { stream, peer }) => converse(guest.resting(stream), peer, None, guest).await,
            Err(error) => tracing::debug!(%error, "a connection went away before it was served"),
        }
        drop(place);
    });
}

async fn serve_encrypted(stream: TcpStream, tls: TlsAcceptor, guest: Guest, place: OwnedSemaphorePermit) {
    let Accepted { stream, peer } = match Accepted::new(stream) {
        Ok(accepted) => accepted,
        Err(error) => return tracing::debug!(%error, "a connection went away before it was served"),
    };
    match timeout(guest.limits.head_timeout, tls.accept(guest.resting(stream))).await {
        Ok(Ok(stream)) => converse(stream, peer, Some(HeaderValue::from_static(STRICT_TRANSPORT)), guest).await,
        Ok(Err(error)) => tracing::debug!(%error, "a connection did not agree on TLS"),
        Err(_) => tracing::debug!("a connection took too long to agree on TLS"),
    }
    drop(place);
}

/// A connection as it is served.
struct Accepted {
    stream: TcpStream,
    peer: Option<SocketAddr>,
}

impl Accepted {
    fn new(stream: TcpStream) -> io::Result<Accepted> {
        stream.set_nodelay(true)?;
        bound_unread(&stream)?;
        let peer = stream.peer_addr().ok();
        Ok(Accepted { stream, peer })
    }
}

/// HTTP on a stream, until either side ends it. `strict_transport` goes with every answer over TLS.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Option<SocketAddr>,
    strict_transport: Option<HeaderValue>,
    guest: Guest,
) {
    let Guest { entrance, limits, rest, mut stop } = guest;
    let bounded = service_fn(move |request: Request<Incoming>| {
        let (rest, strict_transport) = (Arc::clone(&rest), strict_transport.clone());
        let mut request = request.map(|body| BoundedBody::new(body, limits.body_timeout));
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        if strict_transport.is_some() {
            request.extensions_mut().insert(Encrypted);
        }
        let answered = entrance.clone().answer(request);
        async move {
            let mut answered = answered.await;
            if let Ok(answer) = &mut answered {
                if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                    rest.refused();
                }
                if let Some(strict_transport) = strict_transport {
                    answer.headers_mut().insert(STRICT_TRANSPORT_SECURITY, strict_transport);
                }
            }
            answered
        }
    });
    let mut http = http1::Builder::new();
    http.timer(OneTimer::default()).header_read_timeout(limits.head_timeout);
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
}
