//! Records of `raw.events` that are wrong in one way each, for every reason, and some at the very edge of what is allowed.

use super::members::{Members, quoted};
use super::message::{self, Delivery, Sender};
use super::stage::{Draft, Stage};
use super::visits::{self, TOPIC};
use crate::time::{MILLI_MICROS, format};

/// A whole message and its delivery, to be broken.
struct Patient {
    sender: Sender,
    members: Members,
    arrival_ms: i64,
}

type Bytes = Option<Vec<u8>>;

/// Sends one broken record, or one that just isn't.
pub(super) fn begin(stage: &mut Stage, begin_ms: i64) {
    let sender = visits::sender(stage);
    let happening = visits::page_view(stage, begin_ms);
    let arrival_ms = begin_ms + 250;
    let delivery = Delivery { arrival_ms, on_the_way_ms: Some(40) };
    let members = message::write(&sender, &happening, delivery, &mut stage.random);
    let mut patient = Patient { sender, members, arrival_ms };
    let (key, value) = match stage.turn("broken messages", 5) {
        0 => broken_bytes(stage, &patient),
        1 => broken_fields(stage, &mut patient),
        2 => broken_times(stage, &mut patient),
        3 => broken_keys(stage, &mut patient),
        _ => at_the_edge(stage, &mut patient),
    };
    stage.send(Draft { topic: TOPIC, arrival_ms, key, value, headers: vec![("trace".to_owned(), Some(b"1".to_vec()))] });
}

impl Patient {
    fn key(&self) -> Vec<u8> {
        self.sender.key.clone().into_bytes()
    }
}

fn broken_bytes(stage: &mut Stage, patient: &Patient) -> (Bytes, Bytes) {
    let text = patient.members.text();
    let surrogate = || patient.members.clone().set("messageId", "\"\\ud800\"").text();
    let kind = stage.turn("broken bytes", 12);
    let value = match kind {
        1 => Some(vec![]),
        2 if stage.may_oversize() => Some(padded(&patient.members, 512 * 1_024 + 1)),
        0 | 2 => None,
        3 => Some([text.as_bytes(), b"\xff"].concat()),
        4 => Some(text.as_bytes()[..text.len() / 2].to_vec()),
        5 => Some(text.replace("\"All\":true", "\"All\":NaN").into_bytes()),
        6 => Some([b"\xef\xbb\xbf", text.as_bytes()].concat()),
        7 => Some(format!("{text} trailing").into_bytes()),
        8 => Some(nested(&patient.members, 127).into_bytes()),
        9 => Some(surrogate().into_bytes()),
        10 => Some(format!("[{text}]").into_bytes()),
        _ => Some(b"\"a string\"".to_vec()),
    };
    (Some(patient.key()), value)
}

/// The message with arrays in an unknown field, so many levels below the top.
fn nested(members: &Members, levels: usize) -> String {
    members.clone().set("integrations", format!("{}{}", "[".repeat(levels), "]".repeat(levels))).text()
}

/// The message, blown up in an unknown field to so many bytes.
fn padded(members: &Members, bytes: usize) -> Vec<u8> {
    let mut members = members.clone();
    let bare = members.set("padding", "\"\"").text().len();
    members.set_text("padding", &"x".repeat(bytes - bare)).bytes()
}

fn broken_fields(stage: &mut Stage, patient: &mut Patient) -> (Bytes, Bytes) {
    let key = patient.key();
    let members = &mut patient.members;
    let kind = stage.turn("broken fields", 20);
    match kind {
        0 => members.set("messageId", "17"),
        1 => members.set("properties", "[]"),
        2 => members.set("context", "\"text\""),
        3 => members.set("userId", "1.5"),
        4 => members.set("receivedAt", "1767571200000"),
        5 => members.set("type", "true"),
        6 => members.set("sentAt", "{}"),
        7 => members.remove("type"),
        8 => members.set("messageId", "\"\""),
        9 => members.set("shopId", "null"),
        10 => members.remove("writeKey"),
        11 => members.remove("receivedAt"),
        12 => members.set("anonymousId", "null").set("userId", "\"\""),
        13 => members.set("type", "\"track\"").remove("event"),
        14 => members.set("type", "\"Track\""),
        15 => members.set("type", "\"purchase\""),
        // Two things are wrong: the one that is tested first counts.
        16 => members.set("type", "\"nonsense\"").set("messageId", "null"),
        17 => members.set("sentAt", "\"yesterday\"").set("type", "\"nonsense\""),
        18 => members.set("shopId", "\"no such shop\"").set("receivedAt", "\"now\""),
        _ => members.repeat("messageId", "null"),
    };
    (Some(key), Some(members.bytes()))
}

fn broken_times(stage: &mut Stage, patient: &mut Patient) -> (Bytes, Bytes) {
    const FORMS: [&str; 10] = [
        "2026-01-05 10:00:00Z",
        "2026-01-05T10:00:00",
        "2026-01-05T10:00:60Z",
        "2026-01-05T24:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-01-05T10:00:00.Z",
        "2026-01-05T10:00:00.1234567890Z",
        "2026-01-05T10:00:00+0100",
        "1767571200000",
        "01/05/2026",
    ];
    let (key, arrival) = (patient.key(), patient.arrival_ms * MILLI_MICROS);
    let members = &mut patient.members;
    let kind = stage.turn("broken times", FORMS.len() + 4);
    match kind {
        form if form < FORMS.len() => {
            let field = stage.random.pick(&["receivedAt", "sentAt", "timestamp"]);
            members.remove("originalTimestamp").set_text(field, FORMS[form]);
        }
        10 => _ = members.remove("sentAt").set_text("originalTimestamp", "1969-12-31T23:59:59.999Z"),
        11 => _ = members.remove("sentAt").set_text("originalTimestamp", &format(arrival + 300_000_001, 6)),
        12 => {
            members.set_text("sentAt", &format(arrival, 3));
            members.set_text("originalTimestamp", &format(arrival + 7 * 60_000_000, 3));
        }
        _ => _ = members.remove("sentAt").set_text("originalTimestamp", "2126-01-05T10:00:00Z"),
    }
    (Some(key), Some(members.bytes()))
}

fn broken_keys(stage: &mut Stage, patient: &mut Patient) -> (Bytes, Bytes) {
    let value = Some(patient.members.bytes());
    let key = match stage.turn("broken keys", 8) {
        0 => None,
        1 => Some(vec![]),
        2 => Some(b"shop-0|\xc3\x28".to_vec()),
        3 => Some(b"no bar".to_vec()),
        4 => Some(format!("{}|", patient.sender.shop).into_bytes()),
        5 => Some(format!("other|{}", patient.sender.key).into_bytes()),
        6 => Some(format!("{}x", patient.sender.shop).into_bytes()),
        _ => {
            let other = patient.members.set("anonymousId", "\"someone else\"").bytes();
            return (Some(patient.key()), Some(other));
        }
    };
    (key, value)
}

/// Valid, but only just.
fn at_the_edge(stage: &mut Stage, patient: &mut Patient) -> (Bytes, Bytes) {
    let (key, arrival) = (patient.key(), patient.arrival_ms * MILLI_MICROS);
    let members = &mut patient.members;
    let kind = stage.turn("at the edge", 12);
    match kind {
        0 => return (Some(key), Some(nested(members, 126).into_bytes())),
        1 if stage.may_oversize() => return (Some(key), Some(padded(members, 512 * 1_024))),
        2 => _ = members.remove("sentAt").set_text("originalTimestamp", &format(arrival + 300_000_000, 6)),
        3 => return (Some(key), Some(format!(" \t\r\n{}\n", members.text()).into_bytes())),
        4 => {
            let id = members.get("messageId").to_owned();
            members.set("messageId", "\"overridden\"").repeat("messageId", &id);
        }
        5 => _ = members.remove("timestamp").remove("originalTimestamp"),
        6 => _ = members.set("properties", r#"{ "a" : "\ud800", "path":7 , "n": -0.0e+5 }"#),
        7 => _ = members.set("context", "null").set("properties", "null"),
        8 => _ = members.set("context", r#"{"page":"text","campaign":[],"library":null,"ip":{}}"#),
        9 => _ = members.set("sentAt", "\"\"").set("originalTimestamp", "\"\"").set("event", "\"not a track\""),
        10 => {
            let unusual = quoted(&format!("\u{0}\u{7f}\"\\ \u{1f45f} {}", stage.next_id()));
            members.set("messageId", unusual).set("userId", "4711");
        }
        _ => {
            let received = format(arrival - 3_600_000_000, 6);
            // The two clocks of the client disagree: it sends before it happens.
            members.set_text("sentAt", &received).set_text("originalTimestamp", &format(arrival - 3_500_000_001, 6));
        }
    }
    (Some(key), Some(members.bytes()))
}
