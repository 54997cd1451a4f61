//! Which addresses webhooks may go to. A merchant names them, so without this anybody who can make an endpoint could ask the network that
//! the switch stands in (SSRF).
//!
//! A name is resolved for each try, addresses that may not be reached are dropped, and the connection goes to the very address that was
//! looked at: a name that resolves otherwise a moment later (DNS re-binding) changes nothing.

use super::limits::URL_MAX_CHARS;
use hyper::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How far webhooks reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, by https.
    Public,
    /// A sandbox's: public ones by https, and this machine's own by http too.
    PublicAndLoopback,
    /// All, by http too: the operator's word, for receivers in the switch's own network.
    Anywhere,
}

/// Where a webhook goes, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `host:port` as the header says it.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Reach {
    /// Takes an address apart. The error says what is accepted.
    pub fn target(self, url: &str) -> Result<Target, &'static str> {
        if url.len() > URL_MAX_CHARS {
            return Err("must be at most 2048 characters long");
        }
        if url.contains('#') || url.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err("must be an absolute URL without a fragment, spaces or characters beyond ASCII");
        }
        let uri: Uri = url.parse().map_err(|_| "must be an absolute URL")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err("must begin with https://"),
        };
        let authority = uri.authority().ok_or("must name a host")?;
        if authority.as_str().contains('@') {
            return Err("must not contain a user name or password");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        if host.is_empty() || port == 0 {
            return Err("must name a host");
        }
        let literal = host.parse::<IpAddr>().ok();
        if literal.is_some_and(|address| !self.admits(address)) {
            return Err("must not be a private, link-local or loopback address");
        }
        if !tls && !self.admits_plain(&host, literal) {
            return Err("must begin with https://");
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Target { tls, host, port, authority: authority.as_str().to_owned(), path })
    }

    fn admits_plain(self, host: &str, literal: Option<IpAddr>) -> bool {
        match self {
            Reach::Public => false,
            Reach::PublicAndLoopback => host == "localhost" || literal.is_some_and(|address| address.is_loopback()),
            Reach::Anywhere => true,
        }
    }

    /// Whether an address may be connected to.
    pub fn admits(self, address: IpAddr) -> bool {
        match self {
            Reach::Public => is_public(address),
            Reach::PublicAndLoopback => address.is_loopback() || is_public(address),
            Reach::Anywhere => true,
        }
    }

    /// The addresses to connect to, in the order in which they are tried: those that may be. None when the name has none such.
    pub async fn resolve(self, target: &Target) -> std::io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await?;
        let may_be = |found: &SocketAddr| self.admits(found.ip()) && (target.tls || self.admits_plain("", Some(found.ip())));
        Ok(found.filter(may_be).collect())
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA's registry of special addresses, the ones that are not global.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18)
        || a >= 240;
    let named = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast();
    !(special || named || address.is_documentation())
}

/// Only global unicast; an address that carries an IPv4 address is what that one is.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // Mapped, and translated (NAT64).
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => inner(g, h),
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => inner(g, h),
        // 6to4.
        (0x2002, _) => inner(b, c),
        // Teredo and other assignments for protocols; documentation.
        (0x2001, b) if b < 0x200 || b == 0xdb8 => false,
        (0x3fff, b) if b < 0x1000 => false,
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_admitted() {
        let refused = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in refused {
            assert!(!Reach::Public.admits(text.parse().unwrap()), "{text}");
            assert!(Reach::Anywhere.admits(text.parse().unwrap()), "{text}");
        }
        for text in
            ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
        {
            assert!(Reach::Public.admits(text.parse().unwrap()), "{text}");
        }
        for (text, admitted) in [("127.0.0.1", true), ("::1", true), ("10.0.0.1", false), ("169.254.169.254", false)] {
            assert_eq!(Reach::PublicAndLoopback.admits(text.parse().unwrap()), admitted, "{text}");
        }
    }

    #[test]
    fn addresses_are_taken_apart_or_refused() {
        let target = Reach::Public.target("https://shop.example:8443/hook?a=b").unwrap();
        let parts = (target.tls, &target.host[..], target.port, &target.authority[..], &target.path[..]);
        assert_eq!(parts, (true, "shop.example", 8443, "shop.example:8443", "/hook?a=b"));
        let refused = [
            "",
            "shop.example",
            "/hook",
            "ftp://shop.example/",
            "http://shop.example/",
            "https://",
            "https://user:pw@shop.example/",
            "https://shop.example/#part",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://10.0.0.1:443/",
            "https://shop.example/a b",
            "http://localhost/",
            "https://shop.example:0/",
        ];
        for url in refused {
            assert!(Reach::Public.target(url).is_err(), "{url}");
        }
        let here = Reach::PublicAndLoopback;
        assert!(here.target("http://127.0.0.1:9/").is_ok() && here.target("http://localhost:9/").is_ok());
        assert!(here.target("http://10.0.0.1/").is_err() && here.target("http://shop.example/").is_err());
        assert!(Reach::Anywhere.target("http://10.0.0.1/").is_ok());
    }

    #[tokio::test]
    async fn a_name_of_this_machine_has_no_address_to_connect_to() {
        let target = Reach::Anywhere.target("https://localhost:9/").unwrap();
        assert_eq!(Reach::Public.resolve(&target).await.unwrap(), []);
        assert!(Reach::PublicAndLoopback.resolve(&target).await.unwrap()[0].ip().is_loopback());
    }
}
