//! Visits to shops: who comes, what they do, and on which ways their events reach the collector.

mod happenings;

use super::members::{Members, quoted};
use super::message::{self, Delivery, Happening, Sender};
use super::stage::{Draft, Stage};
use crate::digest::sha256_32;
use crate::time::HOUR_MS;

pub(super) use happenings::page_view;

/// The topic of events.
pub(super) const TOPIC: &str = "raw.events";
const MINUTE_MS: i64 = 60_000;
const GAP_MS: i64 = 30 * MINUTE_MS;

/// Begins a visit.
pub(super) fn begin(stage: &mut Stage, begin_ms: i64) {
    let mut sender = sender(stage);
    let offline = stage.settings.disorder.offline_permille;
    let repeats = stage.settings.disorder.repeated_permille > 0;
    let plan = match stage.turn("visits", 400) {
        1 if offline > 0 => round_the_clock(stage, begin_ms),
        7 | 207 if repeats => reused_id(stage, begin_ms),
        _ if stage.random.chance(offline) => match stage.random.below(3) {
            0 => bridged(stage, begin_ms),
            1 => shuffled(stage, begin_ms),
            _ => on_the_road(stage, begin_ms),
        },
        _ => ordinary(stage, begin_ms),
    };
    for (happening, arrival_ms) in plan {
        if happening.kind == "identify" && sender.user_id.is_none() {
            sender.user_id = Some(format!("user-{}", stage.random.below(100_000)));
        }
        deliver(stage, &sender, &happening, arrival_ms);
    }
}

/// One of the shops' visitors: most with an anonymous id, some with a number for it, some known by their user id alone.
pub(super) fn sender(stage: &mut Stage) -> Sender {
    let number = stage.random.below(u64::from(stage.settings.visitors));
    let shop = stage.shop(number);
    let skewed = number * 7_919 % 1_000 < u64::from(stage.settings.disorder.skewed_permille);
    let skew_ms = if skewed { (number as i64 * 104_729) % (20 * HOUR_MS) - 10 * HOUR_MS } else { 0 };
    let (visitor, anonymous_id, user_id) = match number % 20 {
        0 => {
            let user_id = format!("user-{number}");
            (format!("user:{}", sha256_32(&user_id)), None, Some(user_id))
        }
        1 => (number.to_string(), Some(number.to_string()), None),
        2 => (format!("bésucher|{number}"), Some(quoted(&format!("bésucher|{number}"))), None),
        _ => (format!("anon-{number:08x}"), Some(quoted(&format!("anon-{number:08x}"))), None),
    };
    Sender { key: format!("{shop}|{visitor}"), shop, anonymous_id, user_id, skew_ms }
}

/// What happens, and when it reaches the collector.
type Plan = Vec<(Happening, i64)>;

/// Up to nine events, some of them exactly the gap apart or a millisecond more, each a moment later at the collector.
fn ordinary(stage: &mut Stage, begin_ms: i64) -> Plan {
    let mut at_ms = begin_ms;
    let mut plan = Plan::new();
    for step in 0..stage.random.between(1, 9) {
        let happening = happenings::draw(stage, at_ms, step);
        plan.push((happening, at_ms + stage.random.between(40, 9_000)));
        at_ms += match stage.random.below(40) {
            0 => GAP_MS,
            1 => GAP_MS + 1,
            2 => 0,
            _ => stage.random.between(1_500, 12 * MINUTE_MS),
        };
    }
    plan
}

/// Two visits whose connection comes to light later: one late event, or two, merges the sessions.
fn bridged(stage: &mut Stage, begin_ms: i64) -> Plan {
    let mut plan = Plan::new();
    for (step, minutes) in [0, 3, 50, 53].into_iter().enumerate() {
        let at_ms = begin_ms + minutes * MINUTE_MS;
        plan.push((happenings::draw(stage, at_ms, step as i64), at_ms + 500));
    }
    let delay_ms = stage.random.between(HOUR_MS, 20 * HOUR_MS);
    let middle_ms = begin_ms + stage.random.between(23, 30) * MINUTE_MS;
    plan.push((happenings::draw(stage, middle_ms, 2), middle_ms + delay_ms));
    if stage.random.chance(300) {
        let earlier_ms = begin_ms - GAP_MS;
        plan.push((happenings::draw(stage, earlier_ms, 0), earlier_ms + delay_ms));
    }
    plan
}

/// A visit in an underground train: all at once, in any order.
fn shuffled(stage: &mut Stage, begin_ms: i64) -> Plan {
    let back_ms = begin_ms + stage.random.between(20 * MINUTE_MS, 3 * HOUR_MS);
    let mut plan = ordinary(stage, begin_ms);
    for (happening, arrival_ms) in &mut plan {
        *arrival_ms = back_ms.max(happening.at_ms) + stage.random.between(0, 4_000);
    }
    plan
}

/// A visit that is kept on the device for up to 23 hours: within grace.
fn on_the_road(stage: &mut Stage, begin_ms: i64) -> Plan {
    let delay_ms = stage.random.between(HOUR_MS, 23 * HOUR_MS);
    let mut plan = ordinary(stage, begin_ms);
    for (_, arrival_ms) in &mut plan {
        *arrival_ms += delay_ms;
    }
    plan
}

/// A screen that never sleeps: an event every 20 minutes for 27 hours, a few of the first delivered late. The session is cut at
/// 24 hours.
fn round_the_clock(stage: &mut Stage, begin_ms: i64) -> Plan {
    let mut plan = Plan::new();
    for step in 0..81 {
        let at_ms = begin_ms + step * 20 * MINUTE_MS;
        let delay_ms = if step % 9 == 4 && step < 40 { 3 * HOUR_MS } else { 700 };
        plan.push((page_view(stage, at_ms), at_ms + delay_ms));
    }
    plan
}

/// An id used again after more than a day with another time: the memory is over, so both are kept.
fn reused_id(stage: &mut Stage, begin_ms: i64) -> Plan {
    let first = page_view(stage, begin_ms);
    let mut second = first.clone();
    second.at_ms += 28 * HOUR_MS;
    let mut soon = first.clone();
    soon.at_ms += 20 * HOUR_MS;
    [first, soon, second].into_iter().map(|happening| (happening.clone(), happening.at_ms + 800)).collect()
}

/// Writes the message, and writes it again if it is to be a duplicate or late.
fn deliver(stage: &mut Stage, sender: &Sender, happening: &Happening, arrival_ms: i64) {
    let on_the_way_ms = stage.random.chance(900).then(|| stage.random.between(20, 2_500));
    let delivery = Delivery { arrival_ms, on_the_way_ms };
    let members = message::write(sender, happening, delivery, &mut stage.random);
    let first = Draft::new(TOPIC, arrival_ms, &sender.key, &members);
    if stage.random.chance(stage.settings.disorder.late_permille) {
        deliver_late(stage, sender, happening);
    }
    if stage.random.chance(stage.settings.disorder.repeated_permille) {
        repeat(stage, sender, happening, &first, &members);
    }
    stage.send(first);
}

/// The same bytes again, or the same message sent again, soon or hours or more than a day later.
fn repeat(stage: &mut Stage, sender: &Sender, happening: &Happening, first: &Draft, members: &Members) {
    let delay_ms = match stage.random.below(6) {
        0..3 => stage.random.between(1, 30_000),
        3 | 4 => stage.random.between(HOUR_MS, 22 * HOUR_MS),
        _ => stage.random.between(24 * HOUR_MS, 30 * HOUR_MS),
    };
    let arrival_ms = first.arrival_ms + delay_ms;
    if stage.random.chance(400) {
        return stage.send(Draft { arrival_ms, ..first.clone() });
    }
    // The way back and forth is not measured exactly: the corrected time differs a little.
    let mut again = happening.clone();
    again.at_ms += stage.random.between(-300, 300);
    let delivery = Delivery { arrival_ms, on_the_way_ms: Some(stage.random.between(20, 2_500)) };
    let mut resent = message::write(sender, &again, delivery, &mut stage.random);
    resent.set("context", members.get("context"));
    stage.send(Draft::new(TOPIC, arrival_ms, &sender.key, &resent));
}

/// Another event of long ago that comes only now.
fn deliver_late(stage: &mut Stage, sender: &Sender, happening: &Happening) {
    let arrival_ms = happening.at_ms + stage.random.between(0, 60_000);
    let mut old = happening.clone();
    old.message_id = format!("{}-old", happening.message_id);
    old.at_ms -= stage.random.between(25 * HOUR_MS, 90 * HOUR_MS);
    let delivery = Delivery { arrival_ms, on_the_way_ms: Some(90) };
    let members = message::write(sender, &old, delivery, &mut stage.random);
    stage.send(Draft::new(TOPIC, arrival_ms, &sender.key, &members));
}
