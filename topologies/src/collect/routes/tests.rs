//! Requests to the handler over an embedded cluster: what is answered, and what then lies in which topic.

use std::io::Write as _;
use std::time::Duration;

use axum::http::Request as HttpRequest;
use highwater::Timestamp;
use highwater::kafka::memory::{At, Call, Fault, LoggedRecord, MemoryCluster, MemorySettings};
use highwater::kafka::{Kafka, KafkaErrorKind, SenderSettings, partition_for_key};
use highwater::time::VirtualClock;
use tower_service::Service as _;

use super::*;
use crate::collect::{Destinations, KeyFile};
use crate::config::{Config, Sources};
use crate::events::RawEvent;

mod captured;

const PARTITIONS: i32 = 4;
const RECEIVED: i64 = 1_787_306_400_005;
const RECEIVED_TEXT: &str = "2026-08-21T10:00:00.005Z";

/// A collector on a cluster of its own.
struct Door {
    cluster: MemoryCluster,
    router: Router,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

/// What was answered.
struct Answered {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Door {
    fn open(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        std::fs::write(&path, "wk_a = \"shop-1\"\nwk_b = \"shop-2\"").unwrap();
        let mut flags = vec![("collect.key_secret".to_owned(), "secret".to_owned(), "a test".to_owned())];
        flags.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned(), "a test".to_owned())));
        let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap().collect;
        let clock = Arc::new(VirtualClock::starting_at(Timestamp::from_millis(RECEIVED)));
        let cluster = MemoryCluster::new(clock.clone(), MemorySettings::default());
        let topics = ["raw.events", "dlq.shoppulse"].map(Arc::<str>::from);
        for topic in &topics {
            cluster.create_topic(topic, PARTITIONS).unwrap();
        }
        let [events, dead_letters] = topics.clone().map(|topic| (topic, PARTITIONS));
        let sender = cluster
            .sender(&SenderSettings {
                client_id: "door".to_owned(),
                topics: topics.to_vec(),
                linger: Duration::ZERO,
                delivery_timeout: Duration::from_secs(1),
                queue_max_bytes: 1 << 20,
            })
            .unwrap();
        let keys = Arc::new(KeyFile::open(path).unwrap());
        let collector = Collector::new(config, keys, Arc::from(sender), Destinations { events, dead_letters }, clock);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { cluster, router: router(collector), runtime, _dir: dir }
    }

    fn ask(&self, request: HttpRequest<Body>) -> Answered {
        let mut request = request;
        request.extensions_mut().insert(Peer(SocketAddr::from(([203, 0, 113, 9], 4711))));
        self.runtime.block_on(async {
            let response = self.router.clone().call(request).await.unwrap();
            let (head, body) = response.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            Answered { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
        })
    }

    fn post(&self, path: &str, body: impl Into<Body>) -> Answered {
        self.ask(signed("wk_a", path).body(body.into()).unwrap())
    }

    fn events(&self) -> Vec<LoggedRecord> {
        self.cluster.read_committed("raw.events")
    }

    fn dead_letters(&self) -> Vec<LoggedRecord> {
        self.cluster.read_committed("dlq.shoppulse")
    }
}

fn signed(write_key: &str, path: &str) -> axum::http::request::Builder {
    use base64::Engine as _;
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{write_key}:"));
    HttpRequest::post(path).header("authorization", format!("Basic {credentials}"))
}

fn header<'a>(record: &'a LoggedRecord, name: &str) -> &'a str {
    let value = record.record.headers.iter().find(|header| &*header.key == name).and_then(|header| header.value.as_ref());
    std::str::from_utf8(value.unwrap_or_else(|| panic!("header {name}"))).unwrap()
}

#[test]
fn a_batch_becomes_records_with_keys_times_and_the_sent_bytes() {
    let door = Door::open(&[]);
    let first = r#"{"type":"page", "messageId":"m-1","anonymousId":"a|7","shopId":"forged","timestamp":"2026-08-21T09:59:58Z"}"#;
    let second =
        r#"{"messageId":"m-2","type":"track","event":"x","userId":"u-1","anonymousId":null,"sentAt":"1999-01-01T00:00:00Z"}"#;
    let body = format!(r#"{{"batch":[{first},{second}],"sentAt":"2026-08-21T09:59:59Z","writeKey":"wk_b"}}"#);
    let answered = door.post("/v1/batch", body);
    assert_eq!((answered.status, &*answered.body), (200, r#"{"success":true}"#));
    let ours =
        format!(r#","shopId":"shop-1","writeKey":"wk_a","receivedAt":"{RECEIVED_TEXT}","sentAt":"2026-08-21T09:59:59Z"}}"#);
    let events = door.events();
    // printf 'u-1' | openssl dgst -sha256 -hmac secret
    for (key, sent) in [("shop-1|a|7", first), ("shop-1|user:8a756f7a5508f73fdfa425b9e762443b", second)] {
        let record = events.iter().find(|record| record.key_text() == key).unwrap_or_else(|| panic!("{key} in {events:?}"));
        assert_eq!(record.value_text(), format!("{}{ours}", &sent[..sent.len() - 1]));
        assert_eq!(record.timestamp, Timestamp::from_millis(RECEIVED));
        assert_eq!(record.partition, partition_for_key(key.as_bytes(), PARTITIONS));
        let read = RawEvent::parse(record.record.key.as_deref(), record.record.value.as_deref()).unwrap();
        assert_eq!((&*read.shop_id, &*read.write_key), ("shop-1", "wk_a"), "ours win");
        assert_eq!(read.times.sent_us, Some(1_787_306_399_000_000), "the batch says when it was sent");
    }
    assert_eq!((events.len(), door.dead_letters().len()), (2, 0));
}

#[test]
fn one_bad_event_does_not_spoil_the_others_of_its_batch() {
    let door = Door::open(&[("collect.event_max_bytes", "1000"), ("collect.nesting_max_levels", "5")]);
    let good = r#"{"type":"page","messageId":"m","anonymousId":"a7"}"#;
    let long = format!(r#"{{"type":"page","messageId":"m","anonymousId":"a7","x":"{}"}}"#, "x".repeat(1_000));
    let long_with_ours = format!(r#"{{"type":"page","messageId":"m","anonymousId":"a7","x":"{}"}}"#, "x".repeat(900));
    let deep = r#"{"type":"page","messageId":"m","anonymousId":"a7","x":[[[[[]]]]]}"#;
    let bad = [
        ("7", "not_object"),
        ("null", "not_object"),
        (r#"{"type":"page","messageId":"m","anonymousId":tru}"#, "not_json"),
        (deep, "not_json"),
        (&long, "too_large"),
        (&long_with_ours, "too_large"),
        (r#"{"type":"page","messageId":"m","anonymousId":[]}"#, "wrong_type"),
        (r#"{"type":"page","messageId":"m"}"#, "missing_field"),
        (r#"{"type":"page","anonymousId":"a7"}"#, "missing_field"),
        (r#"{"type":"paeg","messageId":"m","anonymousId":"a7"}"#, "unknown_type"),
    ];
    for (sent, reason) in bad {
        let before = (door.events().len(), door.dead_letters().len());
        let answered = door.post("/v1/batch", format!(r#"{{"batch":[{good},{sent},{good}]}}"#));
        assert_eq!(answered.status, 200, "{sent}");
        let letters = door.dead_letters();
        assert_eq!((door.events().len(), letters.len()), (before.0 + 2, before.1 + 1), "{sent}");
        let letter =
            letters.iter().find(|letter| letter.value_text() == sent).unwrap_or_else(|| panic!("{sent} is kept as sent"));
        let expected = [
            ("dlq.topic", "/v1/batch"),
            ("dlq.partition", "-1"),
            ("dlq.offset", "1"),
            ("dlq.timestamp", &RECEIVED.to_string()),
            ("dlq.reason", reason),
            ("dlq.topology", "collect"),
            ("dlq.version", env!("CARGO_PKG_VERSION")),
        ];
        for (name, value) in expected {
            assert_eq!(header(letter, name), value, "{sent} {name}");
        }
        assert!(!header(letter, "dlq.error").is_empty());
        assert_eq!(letter.key_text(), "shop-1");
    }
    // Bytes that are no text spoil only their own event.
    let not_utf8 = [b"{\"batch\":[{\"a\":\"\xff\"},".as_slice(), good.as_bytes(), b"]}"].concat();
    let before = door.events().len();
    assert_eq!(door.post("/v1/batch", not_utf8).status, 200);
    assert_eq!(door.events().len(), before + 1);
    assert!(door.dead_letters().iter().any(|letter| header(letter, "dlq.reason") == "not_utf8"));
}

#[test]
fn every_path_of_the_sdks_is_served_and_names_the_type_where_the_message_does_not() {
    let paths = [
        ("t", "track"),
        ("track", "track"),
        ("i", "identify"),
        ("identify", "identify"),
        ("p", "page"),
        ("page", "page"),
        ("s", "screen"),
        ("screen", "screen"),
        ("g", "group"),
        ("group", "group"),
        ("a", "alias"),
        ("alias", "alias"),
    ];
    for (path, kind) in paths {
        let door = Door::open(&[]);
        let body = r#"{"messageId":"m","userId":7,"event":"e","writeKey":"wk_b","sentAt":"2026-08-21T09:59:59Z"}"#;
        // As browsers send it: no header, a type of content that needs no preflight.
        let request = HttpRequest::post(format!("/v1/{path}")).header("content-type", "text/plain;charset=UTF-8");
        let answered = door.ask(request.body(body.into()).unwrap());
        assert_eq!(answered.status, 200, "{path}: {}", answered.body);
        let events = door.events();
        let record = &events[0].record;
        let read = RawEvent::parse(record.key.as_deref(), record.value.as_deref()).unwrap();
        assert_eq!((read.kind.as_str(), &*read.shop_id, &*read.write_key), (kind, "shop-2", "wk_b"), "{path}");
        assert!(read.times.sent_us.is_some(), "its own sending time stays");
    }
    let door = Door::open(&[]);
    for path in ["b", "import", "batch", "batch/"] {
        assert_eq!(door.post(&format!("/v1/{path}"), r#"{"batch":[]}"#).status, 200, "{path}");
    }
    for path in ["/v1/x", "/", "/v2/batch", "/v1/"] {
        assert_eq!(door.post(path, "{}").status, 404, "{path}");
    }
}

#[test]
fn what_no_repetition_can_mend_is_refused_for_good() {
    let door = Door::open(&[("collect.body_max_bytes", "1000"), ("collect.batch_max_events", "2")]);
    let long = " ".repeat(1_001);
    let cases: [(&str, &str, u16, Option<&str>); 12] = [
        ("/v1/batch", "", 400, Some("empty_value")),
        ("/v1/batch", "{", 400, Some("not_json")),
        ("/v1/batch", "[]", 400, Some("not_object")),
        ("/v1/batch", "{}", 400, Some("missing_field")),
        ("/v1/batch", r#"{"batch":[1,2,3]}"#, 400, Some("too_large")),
        ("/v1/batch", &long, 413, None),
        ("/v1/t", "x", 400, Some("not_json")),
        ("/v1/t", r#"{"messageId":"m"}"#, 400, Some("missing_field")),
        ("/v1/t", r#"{"messageId":"m","anonymousId":"a"}"#, 400, Some("missing_field")),
        ("/v1/t", r#"{"messageId":"m","anonymousId":"a","event":"e"}{"#, 400, Some("not_json")),
        ("/v1/p", r#"{"type":"paeg","messageId":"m","anonymousId":"a"}"#, 400, Some("unknown_type")),
        ("/v1/batch", r#"{"batch":[1]}"#, 200, Some("not_object")),
    ];
    for (path, body, status, reason) in cases {
        let before = door.dead_letters().len();
        let answered = door.post(path, body.to_owned());
        assert_eq!(answered.status, status, "{path} {body}");
        assert_eq!(answered.headers.get("retry-after"), None, "{path} {body}");
        let letters = door.dead_letters();
        assert_eq!(letters.len() - before, usize::from(reason.is_some()), "{path} {body}");
        if let Some(reason) = reason {
            assert!(letters.iter().any(|letter| header(letter, "dlq.reason") == reason), "{path} {body}");
        }
    }
    assert_eq!(door.events().len(), 0);
    let gzip = signed("wk_a", "/v1/batch").header("content-encoding", "gzip").body("{}".into()).unwrap();
    assert_eq!(door.ask(gzip).status, 400);
    let brotli = signed("wk_a", "/v1/batch").header("content-encoding", "br").body("{}".into()).unwrap();
    assert_eq!(door.ask(brotli).status, 415);
    assert_eq!(door.ask(HttpRequest::get("/v1/batch").body(Body::empty()).unwrap()).status, 405);
}

#[test]
fn who_has_no_known_key_leaves_nothing_behind() {
    let door = Door::open(&[]);
    let body = |key: &str| format!(r#"{{"batch":[{{"type":"page","messageId":"m","anonymousId":"a"}}],"writeKey":"{key}"}}"#);
    let cases = [
        (Some("wk_x"), body("wk_a")),
        (Some(""), body("wk_a")),
        (None, body("wk_x")),
        (None, body("")),
        (None, "{".to_owned()),
        (None, String::new()),
    ];
    for (key, body) in cases {
        let request = key.map_or_else(|| HttpRequest::post("/v1/batch"), |key| signed(key, "/v1/batch"));
        let answered = door.ask(request.body(body.clone().into()).unwrap());
        assert_eq!(answered.status, 401, "{key:?} {body}");
        assert_eq!(answered.headers.get("www-authenticate"), None, "a browser would ask its user for a password");
    }
    assert_eq!((door.events().len(), door.dead_letters().len()), (0, 0));
    assert_eq!(door.ask(HttpRequest::post("/v1/batch").body(body("wk_a").into()).unwrap()).status, 200);
}

#[test]
fn success_is_answered_only_for_what_is_acknowledged() {
    let batch =
        r#"{"batch":[{"type":"page","messageId":"m","anonymousId":"a"},{"type":"page","messageId":"n","anonymousId":"a"},7]}"#;
    for number in 1..=3 {
        for call in [Call::Send, Call::Flush] {
            for kind in [KafkaErrorKind::Retriable, KafkaErrorKind::Timeout, KafkaErrorKind::Fatal, KafkaErrorKind::Denied] {
                let door = Door::open(&[("collect.retry_after_seconds", "3")]);
                door.cluster.faults().inject(At::from(call).number(number).client("door"), Fault::Fail(kind));
                let answered = door.post("/v1/batch", batch);
                assert_eq!(answered.status, 429, "{call:?} {number} {kind:?}: {}", answered.body);
                assert_eq!(answered.headers["retry-after"], "3");
                let code = if (call, kind) == (Call::Send, KafkaErrorKind::Retriable) { "full" } else { "unacknowledged" };
                assert!(answered.body.contains(code), "{}", answered.body);
                assert_eq!(door.post("/v1/batch", batch).status, 200, "it may come again");
            }
        }
    }
    let door = Door::open(&[("collect.bodies_max_bytes", "1000000"), ("collect.body_max_bytes", "2000000")]);
    assert_eq!(door.post("/v1/batch", vec![b' '; 1_000_001]).status, 429, "too much at once");
    assert_eq!(door.post("/v1/batch", batch).status, 200, "and what was held is free again");
}

#[test]
fn a_page_may_ask_first_and_is_told_what_it_may() {
    let door = Door::open(&[("collect.cors_origins", "https://shop.example")]);
    for (origin, allowed) in [("https://shop.example", true), ("https://evil.example", false)] {
        let preflight = HttpRequest::options("/v1/batch")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,x-retry-count");
        let answered = door.ask(preflight.body(Body::empty()).unwrap());
        assert_eq!(answered.status, 204);
        let told = |name: &str| answered.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(told("access-control-allow-origin").as_deref(), allowed.then_some(origin));
        let granted = told("access-control-allow-headers");
        assert_eq!(granted.as_deref(), allowed.then_some("authorization,content-type,x-retry-count"));
        let post = signed("wk_a", "/v1/batch").header("origin", origin).body(r#"{"batch":[]}"#.into()).unwrap();
        assert_eq!(door.ask(post).headers.contains_key("access-control-allow-origin"), allowed);
    }
}

#[test]
fn the_address_of_who_sends_from_a_page_is_kept_beside_what_was_sent() {
    let sent = r#"{"type":"page","messageId":"m","anonymousId":"a","clientIp":"6.6.6.6"}"#;
    for (hops, origin, expected) in [("0", true, Some("203.0.113.9")), ("1", true, Some("198.51.100.7")), ("1", false, None)] {
        let door = Door::open(&[("collect.trusted_proxy_hops", hops)]);
        let mut request = signed("wk_a", "/v1/p").header("x-forwarded-for", "10.9.9.9, 198.51.100.7");
        if origin {
            request = request.header("origin", "https://shop.example");
        }
        assert_eq!(door.ask(request.body(sent.into()).unwrap()).status, 200);
        let events = door.events();
        assert!(events[0].value_text().starts_with(sent.strip_suffix('}').unwrap()));
        let record = &events[0].record;
        let event = RawEvent::parse(record.key.as_deref(), record.value.as_deref()).unwrap();
        let ip = event.into_clean(0).ip.map(std::borrow::Cow::into_owned);
        assert_eq!(ip.as_deref(), Some(expected.unwrap_or("6.6.6.6")), "{hops} {origin}");
    }
}

#[test]
fn a_packed_body_is_unpacked() {
    let door = Door::open(&[]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(br#"{"batch":[{"type":"page","messageId":"m","anonymousId":"a"}]}"#).unwrap();
    let request = signed("wk_a", "/v1/batch").header("content-encoding", "gzip");
    assert_eq!(door.ask(request.body(encoder.finish().unwrap().into()).unwrap()).status, 200);
    assert_eq!(door.events().len(), 1);
}

#[test]
fn health_is_told_beside() {
    let door = Door::open(&[]);
    for path in ["/livez", "/readyz"] {
        let answered = door.ask(HttpRequest::get(path).body(Body::empty()).unwrap());
        assert_eq!((answered.status, &*answered.body), (200, "ok\n"), "{path}");
    }
}
