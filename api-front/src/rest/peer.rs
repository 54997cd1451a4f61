//! Whose machine a request came from: the connection's other end, or what a proxy that is trusted says of it.
//!
//! `X-Forwarded-For` is written by whoever likes, so it is read from its end, and only as far as addresses that the
//! configuration trusts have written it.

use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// What the listener puts into a request that came over TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encrypted;

/// True when others than this machine may have read a request on its way: it came in clear, and from elsewhere. What a trusted proxy says
/// of its own client's connection is believed.
pub(super) fn is_readable_by_others(parts: &Parts, trusted: &[IpAddr]) -> bool {
    let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else { return false };
    let peer = peer.ip().to_canonical();
    let is_encrypted_before = trusted.contains(&peer) && parts.headers.get(FORWARDED_PROTO).is_some_and(|word| word == "https");
    let is_encrypted = parts.extensions.get::<Encrypted>().is_some() || is_encrypted_before;
    !is_encrypted && !peer.is_loopback()
}

/// The client's address, where the listener has noted the connection's.
pub(crate) fn client_address(parts: &Parts, trusted: &[IpAddr]) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(behind_proxies(peer.ip().to_canonical(), &parts.headers, trusted))
}

/// Each trusted proxy names the one before it; the first that is not trusted, or can't be read, ends the walk.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    // Bytes, not texts: a line of which a part is no text must not hide what a proxy has added to its end.
    let lines = headers.get_all(FORWARDED_FOR).into_iter();
    let named: Vec<&[u8]> = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).collect();
    let mut client = peer;
    for name in named.into_iter().rev() {
        match address(name).filter(|_| trusted.contains(&client)) {
            Some(before) => client = before,
            None => break,
        }
    }
    client
}

fn address(name: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(name).ok()?;
    text.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    const TRUSTED: &[&str] = &["10.0.0.1", "10.0.0.2"];

    fn client(peer: &str, forwarded: &[&[u8]], trusted: &[&str]) -> String {
        let name = HeaderName::from_static(FORWARDED_FOR);
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(&name, HeaderValue::from_bytes(line).unwrap());
        }
        let trusted: Vec<IpAddr> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        behind_proxies(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("203.0.113.9", &[b"198.51.100.1"], &[]), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &[b"198.51.100.1"], TRUSTED), "203.0.113.9");
    }

    #[test]
    fn trusted_proxies_are_walked_back_to_the_first_that_is_not() {
        let rows: [(&[&[u8]], &str); 7] = [
            (&[], "10.0.0.1"),
            (&[b"198.51.100.1"], "198.51.100.1"),
            (&[b"::ffff:198.51.100.1"], "198.51.100.1"),
            (&[b"198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            // What the client has written itself is not read, and garbage hides nothing behind it.
            (&[b"6.6.6.6, 198.51.100.1", b"10.0.0.2"], "198.51.100.1"),
            (&[b"6.6.6.6", b"\xff, 198.51.100.1"], "198.51.100.1"),
            (&[b"6.6.6.6, nonsense"], "10.0.0.1"),
        ];
        for (forwarded, expected) in rows {
            assert_eq!(client("10.0.0.1", forwarded, TRUSTED), expected, "{forwarded:?}");
        }
    }
}
