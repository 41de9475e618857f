//! What browsers ask before and after they send from a shop's page to this server (the Fetch standard's CORS protocol).

use axum::http::{HeaderMap, HeaderValue, header};

/// How long a browser may remember a preflight's answer; none remembers longer than a day.
const REMEMBER_SECONDS: &str = "86400";
const METHODS: &str = "POST, OPTIONS";
/// Asked for by the SDKs that were seen; others that a browser asks for are granted as well.
const HEADERS: &str = "authorization, content-type, content-encoding";

/// Pages of which origins may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origins {
    /// Of any: a write key in a page is public anyway.
    Any,
    /// Of these.
    Only(Vec<String>),
}

impl Origins {
    /// `*`, or origins separated by commas.
    pub(super) fn parse(text: &str) -> Self {
        let listed: Vec<String> = text
            .split(',')
            .map(|origin| origin.trim().trim_end_matches('/').to_owned())
            .filter(|origin| !origin.is_empty())
            .collect();
        if listed.iter().any(|origin| origin == "*") { Self::Any } else { Self::Only(listed) }
    }

    /// Headers for an answer to a page; none for who is no page, or may not send.
    pub(super) fn answer(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        let Some(origin) = request.get(header::ORIGIN).filter(|origin| self.allows(origin)) else { return };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::VARY, HeaderValue::from_static("Origin"));
        // `sendBeacon` always sends with credentials. There are none here that anybody could abuse.
        answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
    }

    /// Headers for an answer to a preflight.
    pub(super) fn preflight(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        self.answer(request, answer);
        if !answer.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(HeaderValue::from_static(HEADERS)));
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBER_SECONDS));
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::Only(listed) => listed.iter().any(|listed| listed.as_bytes() == origin.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_send_if_its_origin_may() {
        for (origins, origin, allowed) in [
            ("*", Some("https://a.example"), true),
            ("*", Some("null"), true),
            ("*", None, false),
            ("https://a.example, https://b.example/", Some("https://b.example"), true),
            ("https://a.example", Some("https://b.example"), false),
            ("https://a.example", Some("http://a.example"), false),
            ("", Some("https://a.example"), false),
        ] {
            let (mut request, mut answer) = (HeaderMap::new(), HeaderMap::new());
            if let Some(origin) = origin {
                request.insert(header::ORIGIN, origin.parse().unwrap());
            }
            request.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,x-new".parse().unwrap());
            Origins::parse(origins).preflight(&request, &mut answer);
            let told = answer.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap());
            assert_eq!(told, origin.filter(|_| allowed), "{origins} {origin:?}");
            let headers = answer.get(header::ACCESS_CONTROL_ALLOW_HEADERS).map(|value| value.to_str().unwrap());
            assert_eq!(headers, allowed.then_some("authorization,x-new"));
        }
    }
}
