//! Requests of real SDKs, as they came over the wire: each becomes the records that it should. `tests/sdk/capture.mjs` wrote them down.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use base64::Engine as _;
use serde_json::Value;

use super::*;

/// Of one message at least, the SDK's text must be found in its record; this many members are ours.
const OURS: [&str; 4] = ["shopId", "writeKey", "receivedAt", "sentAt"];

/// A request that an SDK sent.
#[derive(serde::Deserialize)]
struct Captured {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
}

impl Captured {
    fn bytes(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(packed)) => base64::engine::general_purpose::STANDARD.decode(packed).unwrap(),
            (None, None) => Vec::new(),
        }
    }

    /// The body, unpacked by a reader of the test's own.
    fn text(&self) -> String {
        let bytes = self.bytes();
        let mut text = String::new();
        match self.body_base64 {
            Some(_) => flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).map(drop).unwrap(),
            None => text = String::from_utf8(bytes).unwrap(),
        }
        text
    }

    fn request(&self) -> HttpRequest<Body> {
        let mut request = HttpRequest::builder().method(&*self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(self.bytes().into()).unwrap()
    }
}

fn all() -> Vec<(String, Captured)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/sdk/captured");
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

#[test]
fn what_real_sdks_sent_becomes_sound_records_and_loses_nothing() {
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, captured) in all() {
        let door = Door::open(&[]);
        let answered = door.ask(captured.request());
        if captured.method == "OPTIONS" {
            assert_eq!(answered.status, 204, "{name}");
            assert_eq!(answered.headers["access-control-allow-origin"], captured.headers["origin"], "{name}");
            assert_eq!(answered.headers["access-control-allow-headers"], captured.headers["access-control-request-headers"]);
            continue;
        }
        assert_eq!((answered.status, &*answered.body), (200, r#"{"success":true}"#), "{name}");
        let text = captured.text();
        let body: Value = serde_json::from_str(&text).unwrap();
        let messages = body["batch"].as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        let events = door.events();
        assert_eq!((events.len(), door.dead_letters().len()), (messages.len(), 0), "{name}");
        for message in messages {
            let kind = message["type"].as_str().unwrap().to_owned();
            let is_it = |record: &&LoggedRecord| record.value_text().contains(message["messageId"].as_str().unwrap());
            let record = events.iter().find(is_it).unwrap_or_else(|| panic!("{name}: {message}"));
            let event = RawEvent::parse(record.record.key.as_deref(), record.record.value.as_deref()).unwrap();
            assert_eq!((event.kind.as_str(), &*event.shop_id, &*event.write_key), (&*kind, "shop-1", "wk_a"), "{name}");
            assert!(event.times.sent_us.is_some(), "{name}: the batch or the message says when it was sent");
            let sent_text = record.value_text().split(r#","shopId":""#).next().unwrap();
            assert!(text.contains(sent_text), "{name}: byte by byte as sent");
            let (mut read, mut sent): (Value, Value) = (serde_json::from_str(record.value_text()).unwrap(), message);
            assert_eq!(read["receivedAt"], RECEIVED_TEXT);
            let is_page = captured.headers.contains_key("origin");
            assert_eq!(read.as_object_mut().unwrap().remove("clientIp"), is_page.then(|| "203.0.113.9".into()), "{name}");
            for ours in OURS {
                read.as_object_mut().unwrap().remove(ours);
                sent.as_object_mut().unwrap().remove(ours);
            }
            assert_eq!(read, sent, "{name}");
            kinds.entry(name.split('-').next().unwrap().to_owned()).or_default().insert(kind);
        }
    }
    let six: BTreeSet<String> = ["track", "identify", "page", "screen", "group", "alias"].map(str::to_owned).into();
    for sdk in ["browser", "node", "python", "rudder"] {
        assert_eq!(kinds.get(sdk), Some(&six), "requests of each kind were captured of {sdk}");
    }
}
