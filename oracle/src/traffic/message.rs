//! One SDK message as the collector writes it to `raw.events`, about 1.1 KB. What it says is decided in `visits`.

use super::members::Members;
use super::random::Random;
use crate::time::{MILLI_MICROS, format};

/// Who sends.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) shop: String,
    /// The JSON text of `anonymousId`, if it is sent.
    pub(crate) anonymous_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) key: String,
    /// How far its clock is ahead.
    pub(crate) skew_ms: i64,
}

/// What happened, and when in truth.
#[derive(Clone, Debug)]
pub(crate) struct Happening {
    pub(crate) message_id: String,
    pub(crate) at_ms: i64,
    pub(crate) kind: &'static str,
    pub(crate) event: Option<&'static str>,
    pub(crate) properties: Option<Members>,
    pub(crate) page: Option<Members>,
    pub(crate) campaign: Option<Members>,
}

/// How the message reached the collector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub(crate) arrival_ms: i64,
    /// The time on the way, by which the sender's clock can be corrected; none if `sentAt` is not sent.
    pub(crate) on_the_way_ms: Option<i64>,
}

/// The message. By the contract's correction it happened at exactly `at_ms`, or on arrival if that is earlier.
pub(crate) fn write(sender: &Sender, happening: &Happening, delivery: Delivery, random: &mut Random) -> Members {
    let mut members = Members::new();
    members.set_text("type", happening.kind).set_text("messageId", &happening.message_id);
    if let Some(event) = happening.event {
        members.set_text("event", event);
    }
    members.set("anonymousId", sender.anonymous_id.as_deref().unwrap_or("null"));
    if let Some(user_id) = &sender.user_id {
        members.set_text("userId", user_id);
    }
    members.set("context", context(happening, random).text());
    if let Some(properties) = &happening.properties {
        members.set("properties", properties.text());
    }
    members.set("integrations", r#"{"All":true}"#);
    write_times(&mut members, sender, happening, delivery, random);
    members.set_text("shopId", &sender.shop).set_text("writeKey", &format!("wk-{}", sender.shop));
    members
}

fn write_times(members: &mut Members, sender: &Sender, happening: &Happening, delivery: Delivery, random: &mut Random) {
    let Delivery { arrival_ms, on_the_way_ms } = delivery;
    let correction_ms = on_the_way_ms.map_or(0, |on_the_way| sender.skew_ms - on_the_way);
    let client = (happening.at_ms + correction_ms) * MILLI_MICROS;
    let text = match random.below(4) {
        // Microseconds are floored away again.
        0 => format(client + random.between(0, 999), 6),
        1 => offset_form(client, "+02:00", 120),
        2 => offset_form(client, "-03:30", -210),
        _ => format(client, 3),
    };
    if random.chance(200) {
        let other = format(client - 3_600_000_000, 3);
        members.set_text("originalTimestamp", &text).set_text("timestamp", &other);
    } else {
        members.set_text("timestamp", &text);
    }
    if on_the_way_ms.is_some() {
        members.set_text("sentAt", &format((arrival_ms + correction_ms) * MILLI_MICROS, 3));
    }
    members.set_text("receivedAt", &format(arrival_ms * MILLI_MICROS, 3));
}

fn offset_form(micros: i64, suffix: &str, minutes: i64) -> String {
    format!("{}{suffix}", format(micros + minutes * 60_000_000, 3).trim_end_matches('Z'))
}

fn context(happening: &Happening, random: &mut Random) -> Members {
    let mut context = Members::new();
    context.set("active", "true");
    if let Some(campaign) = &happening.campaign {
        context.set("campaign", campaign.text());
    }
    if let Some(page) = &happening.page {
        context.set("page", page.text());
    }
    context.set_text("ip", &format!("203.0.113.{}", random.below(250)));
    context.set(
        "library",
        random.pick(&[
            r#"{"name":"analytics.js","version":"2.11.1"}"#,
            r#"{"name":"analytics-ios","version":"4.1.8"}"#,
            r#"{"name":"custom"}"#,
            r#"{"version":"1.0"}"#,
        ]),
    );
    context.set("locale", random.pick(&["\"en-US\"", "\"de-DE\"", "\"ja-JP\"", "\"\"", "null", "7"]));
    context.set("os", r#"{"name":"Mac OS","version":"15.1"}"#);
    context.set("screen", r#"{"width":1728,"height":1117,"density":2}"#);
    context.set("network", r#"{"bluetooth":false,"carrier":"","cellular":false,"wifi":true}"#);
    context.set_text("timezone", "Europe/Berlin");
    context.set_text("userAgent", random.pick(&[
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    ]));
    context
}
