//! From which address a visitor came, behind as many proxies as are trusted, and whether it is kept.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Of which requests the address is kept with the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIp {
    /// Of those that a browser says to come from a page: elsewhere the address is that of a shop's own server.
    Browsers,
    /// Of all.
    Always,
    /// Of none.
    Never,
}

impl ClientIp {
    /// The address to keep. Each of `proxy_hops` trusted proxies has added the address that it saw to `X-Forwarded-For`, so the one
    /// that the outermost saw is that many from the right; what stands left of it, anybody may have written.
    pub(super) fn of(self, headers: &HeaderMap, peer: SocketAddr, proxy_hops: usize) -> Option<IpAddr> {
        let is_kept = match self {
            Self::Browsers => headers.contains_key(header::ORIGIN),
            Self::Always => true,
            Self::Never => false,
        };
        is_kept.then(|| forwarded(headers, proxy_hops)).map(|forwarded| forwarded.unwrap_or_else(|| peer.ip().to_canonical()))
    }
}

fn forwarded(headers: &HeaderMap, proxy_hops: usize) -> Option<IpAddr> {
    let nth = proxy_hops.checked_sub(1)?;
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut seen = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(str::trim));
    address(seen.nth(nth)?)
}

/// An address as proxies write it: bare, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())).map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_from_the_right_as_far_as_proxies_are_trusted() {
        for (lines, hops, expected) in [
            (&["6.6.6.6, 203.0.113.9"] as &[&str], 0, "10.0.0.1"),
            (&["6.6.6.6, 203.0.113.9"], 1, "203.0.113.9"),
            (&["6.6.6.6, 203.0.113.9, 10.2.2.2"], 2, "203.0.113.9"),
            (&["6.6.6.6", "203.0.113.9,10.2.2.2"], 2, "203.0.113.9"),
            (&["203.0.113.9"], 2, "10.0.0.1"),
            (&["not an address"], 1, "10.0.0.1"),
            (&["203.0.113.9:4711"], 1, "203.0.113.9"),
            (&["[2001:db8::9]:4711"], 1, "2001:db8::9"),
            (&["2001:db8::9"], 1, "2001:db8::9"),
            (&["::ffff:203.0.113.9"], 1, "203.0.113.9"),
            (&[], 1, "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            let peer = SocketAddr::from(([10, 0, 0, 1], 5));
            let found = ClientIp::Always.of(&headers, peer, hops).map(|ip| ip.to_string());
            assert_eq!(found.as_deref(), Some(expected), "{lines:?} {hops}");
            assert_eq!(ClientIp::Never.of(&headers, peer, hops), None);
            assert_eq!(ClientIp::Browsers.of(&headers, peer, hops), None, "no page, no visitor");
            headers.insert(header::ORIGIN, "https://shop.example".parse().unwrap());
            assert_eq!(ClientIp::Browsers.of(&headers, peer, hops).map(|ip| ip.to_string()).as_deref(), Some(expected));
        }
    }
}
