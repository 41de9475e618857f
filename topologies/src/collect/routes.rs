//! Paths, and answers in HTTP's words. A status says to an SDK whether to send again: 429 does, with `Retry-After`; the other refusals
//! are what no repetition can mend.
//!
//! 429 it is also when brokers are away: after it, current SDKs pause and go on for half an hour to twelve hours. After 503 they give up
//! when ten repetitions have failed, which is a few minutes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::auth;
use super::body::{self, Unread};
use super::envelope::{Envelope, Form, Unreadable};
use super::intake::{Collector, Delivery, Refusal};
use super::meters;
use crate::events::EventType;
use crate::http::{Health, metrics_page};
use crate::rejection::{Reason, Rejection};

/// The other end of a connection, as an extension of its requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// What a refusal says.
struct Refused {
    status: StatusCode,
    /// For programs.
    code: &'static str,
    message: String,
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

/// All pages of the door: the SDKs' paths, `/livez`, `/readyz` and `/metrics`.
pub fn router(collector: Arc<Collector>) -> Router {
    Router::new()
        .route("/livez", get(async || Health::Good))
        .route("/readyz", get(async |State(collector): State<Arc<Collector>>| ready(&collector)))
        .route("/metrics", get(async || metrics_page()))
        .fallback(handle)
        .with_state(collector)
}

fn ready(collector: &Collector) -> Health {
    if collector.is_stopping() { Health::Bad(vec!["it is about to end".to_owned()]) } else { Health::Good }
}

/// What a path takes. Segment's SDKs use long and short names, `b` and `import` for batches; `RudderStack`'s use long ones.
fn form_of(path: &str) -> Option<Form> {
    Some(match path.strip_prefix("/v1/")?.trim_end_matches('/') {
        "batch" | "b" | "import" => Form::Batch,
        "t" | "track" => Form::Message(EventType::Track),
        "i" | "identify" => Form::Message(EventType::Identify),
        "p" | "page" => Form::Message(EventType::Page),
        "s" | "screen" => Form::Message(EventType::Screen),
        "g" | "group" => Form::Message(EventType::Group),
        "a" | "alias" => Form::Message(EventType::Alias),
        _ => return None,
    })
}

async fn handle(State(collector): State<Arc<Collector>>, request: Request) -> Response {
    let began = collector.clock.now();
    let (head, body) = request.into_parts();
    let Some(form) = form_of(head.uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut headers = HeaderMap::new();
    if head.method == Method::OPTIONS {
        collector.origins.preflight(&head.headers, &mut headers);
        return (StatusCode::NO_CONTENT, headers).into_response();
    }
    collector.origins.answer(&head.headers, &mut headers);
    if head.method != Method::POST {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
        return (StatusCode::METHOD_NOT_ALLOWED, headers).into_response();
    }
    let peer = head.extensions.get::<Peer>().map_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)), |peer| peer.0);
    let taken = take(&collector, form, head.uri.path(), &head.headers, peer, body).await;
    let status = taken.as_ref().map_or_else(|refused| refused.status, |()| StatusCode::OK);
    meters::answered(status, began, collector.clock.now());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let Err(refused) = taken else {
        return (StatusCode::OK, headers, r#"{"success":true}"#).into_response();
    };
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(collector.config.retry_after_seconds));
    }
    if matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE) {
        // What is left of the body is not read.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let said = serde_json::json!({ "success": false, "code": refused.code, "message": refused.message });
    (status, headers, said.to_string()).into_response()
}

/// Takes a request's messages; `Ok` only when all in-sync replicas have all of them.
async fn take(
    collector: &Collector,
    form: Form,
    path: &str,
    headers: &HeaderMap,
    peer: SocketAddr,
    body: Body,
) -> Result<(), Refused> {
    let keys = collector.keys.keys();
    let unknown = || Refused::new(StatusCode::UNAUTHORIZED, "unauthorized", "the write key is unknown, or there is none");
    let by_header = auth::write_key(headers);
    // A stranger's body is not read.
    if by_header.as_ref().is_some_and(|key| keys.shop(key).is_none()) {
        return Err(unknown());
    }
    let mut held = collector.budget.open();
    let body = body::read(headers, body, collector.limits, &mut held).await.map_err(unread)?;
    let received_at = collector.clock.now();
    let envelope = Envelope::read(&body, form, collector.config.batch_max_events);
    let by_body = envelope.as_ref().ok().and_then(|envelope| envelope.write_key.as_deref());
    let write_key = by_header.as_deref().or(by_body).ok_or_else(unknown)?;
    let shop = keys.shop(write_key).ok_or_else(unknown)?;
    let client_ip = collector.config.client_ip.of(headers, peer, collector.config.trusted_proxy_hops);
    let delivery = Delivery { path, form, shop_id: &shop, write_key, received_at, client_ip };
    match &envelope {
        Ok(envelope) => {
            let tally = collector.take(&delivery, envelope, body.len()).await.map_err(|refusal| again(&refusal))?;
            // In a batch one bad event does not spoil the others; one that came alone is told.
            match (form, tally.dead_lettered.first()) {
                (Form::Message(_), Some(reason)) => {
                    let message = "the event is no sound one; sending it again mends nothing";
                    Err(Refused::new(StatusCode::BAD_REQUEST, reason.as_str(), message))
                }
                _ => Ok(()),
            }
        }
        Err(unreadable) => {
            let rejection = Rejection::new(reason_of(*unreadable, &body), unreadable.to_string());
            collector.refuse(&delivery, &body, &rejection).await.map_err(|refusal| again(&refusal))?;
            Err(Refused::new(StatusCode::BAD_REQUEST, rejection.reason.as_str(), rejection.error))
        }
    }
}

fn reason_of(unreadable: Unreadable, body: &[u8]) -> Reason {
    match unreadable {
        Unreadable::Empty => Reason::EmptyValue,
        Unreadable::NotAnObject if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() => Reason::NotObject,
        Unreadable::NotAnObject => Reason::NotJson,
        Unreadable::NoBatch => Reason::MissingField,
        Unreadable::TooManyEvents => Reason::TooLarge,
    }
}

fn unread(unread: Unread) -> Refused {
    let (status, code) = match unread {
        Unread::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        Unread::TooSlow => (StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
        Unread::Broken => (StatusCode::BAD_REQUEST, "body_broken"),
        Unread::NotGzip => (StatusCode::BAD_REQUEST, "not_gzip"),
        Unread::UnknownEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_encoding"),
        Unread::Full => (StatusCode::TOO_MANY_REQUESTS, "full"),
    };
    Refused::new(status, code, unread.to_string())
}

fn again(refusal: &Refusal) -> Refused {
    let (code, message) = match refusal {
        Refusal::Full => ("full", "too much waits for the brokers; send it again"),
        Refusal::Away(_) => ("unacknowledged", "not all of it is stored for certain; send it again"),
    };
    Refused::new(StatusCode::TOO_MANY_REQUESTS, code, message)
}

#[cfg(test)]
mod tests;
