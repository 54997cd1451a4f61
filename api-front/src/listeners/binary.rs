//! The address of the binary protocol. The protocol is not spoken yet: a connection is closed as soon as it is made, so
//! that a client learns at once that nobody will answer.

use std::io;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Closes every connection until `stop` turns true.
pub async fn serve(listener: TcpListener, mut stop: watch::Receiver<bool>) {
    loop {
        let accepted: io::Result<_> = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((_, peer)) => tracing::info!(%peer, "the binary protocol is not served: connection closed"),
            Err(error) => super::patience::after_failed_accept(&error).await,
        }
    }
}
