//! `dedup`: lets the first record of each identity pass, within a time, and turns away what is too old to be checked.
//!
//! What is too old is decided to the millisecond, by the operator's own stream time. What is remembered goes by hours: longer
//! than the horizon, since the same event can come again with a time that was corrected differently.

use std::sync::Arc;
use std::time::Duration;

use highwater_state::{StoreId, StoreKind};

use crate::dsl::builder::NodeSpec;
use crate::dsl::dedup::{Dedup, IdentityOf};
use crate::dsl::kstream::KStream;
use crate::processor::ProcessError;
use crate::record::{Record, Timestamp};
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::dead_letter::Late;
use crate::task::edge::{Forward, Outlet};
use crate::task::times::TimeId;
use crate::task::verdict::Outcome;
use crate::topology::Role;

/// The reason of a record that is older than what can be checked.
const TOO_OLD: &str = "beyond_dedup_horizon";
const HOUR_MS: i64 = 3_600_000;

struct Deduplicator<K, V> {
    store: StoreId,
    time: TimeId,
    identity: IdentityOf<K, V>,
    within: Duration,
    memory_hours: i64,
    reason: &'static str,
    late: Option<Arc<str>>,
    /// The hour up to which the store was last told to forget.
    forgotten_before: i64,
    outlet: Outlet<K, V>,
}

impl<K: Data, V: Data> Forward<K, V> for Deduplicator<K, V> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let stream_time = core.times.advance(self.time, record.timestamp);
        let oldest = stream_time.minus(self.within);
        if record.timestamp < oldest {
            self.turn_away(record.timestamp, oldest, stream_time, core);
            return Ok(());
        }
        let identity = (self.identity)(&record.key, &record.value);
        let remembered_from = hour_of(stream_time) - self.memory_hours;
        let kept = core.state.dedup_seen(self.store, identity)?;
        if kept.is_some_and(|hour| hour >= remembered_from) {
            core.ruling.rule(Outcome::Duplicate, self.reason);
            return Ok(());
        }
        core.state.dedup_keep(self.store, identity, hour_of(record.timestamp))?;
        if remembered_from != self.forgotten_before {
            // Asked again after a record was taken back, which does no harm.
            core.state.dedup_expire(self.store, remembered_from)?;
            self.forgotten_before = remembered_from;
        }
        self.outlet.forward(record, core)
    }
}

impl<K: Data, V: Data> Deduplicator<K, V> {
    #[cold]
    fn turn_away(&self, timestamp: Timestamp, oldest: Timestamp, stream_time: Timestamp, core: &mut TaskCore) {
        let bucket = hour_of(timestamp) * HOUR_MS;
        let by_millis = oldest.as_millis() - timestamp.as_millis();
        let place = ("bucket", bucket.to_string());
        core.turn_away(self.late.as_ref(), &Late { reason: TOO_OLD, by_millis, stream_time, place });
    }
}

/// The UTC hour of a time, also before 1970.
fn hour_of(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(HOUR_MS)
}

pub(crate) fn dedup<K: Data, V: Data>(stream: KStream<'_, K, V>, options: Dedup<K, V>) -> KStream<'_, K, V> {
    let builder = stream.builder;
    let Some(name) = options.store else {
        builder.refuse("a `dedup` has no store: name one, `Dedup::by(..).store(\"..\")`".to_owned());
        return stream;
    };
    let memory_hours = options.memory_hours.unwrap_or_else(|| options.within.as_millis().div_ceil(3_600_000) as u32 + 1);
    let store = builder.declare_store(&name, StoreKind::Dedup { memory_hours });
    let late = options.late.map(|topic| builder.declare_late_topic(&topic));
    let (identity, within, reason) = (options.identity, options.within, options.reason);
    let next = builder.add(NodeSpec {
        name: Some(name.to_string()),
        operator: "dedup",
        role: Role::Operator,
        parents: vec![stream.node],
        stores: vec![store],
        instantiate: Arc::new(move |task, node| {
            let operator = Deduplicator {
                store: task.store(store),
                time: task.time(&name),
                identity: Arc::clone(&identity),
                within,
                memory_hours: i64::from(memory_hours),
                reason,
                late: late.as_ref().map(|topic| task.topics.name(topic)),
                forgotten_before: i64::MIN,
                outlet: task.outlet::<K, V>(node),
            };
            task.operator::<K, V>(node, operator);
            Ok(())
        }),
    });
    KStream { key_changed: stream.key_changed, ..next }
}
