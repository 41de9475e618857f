//! Session windows: each record joins, bridges or opens a session of its key, and is added to that session's aggregate.

use std::sync::Arc;

use super::aggregator::{Aggregator, MergeOf, RecordPosition};
use super::keep::NULL_KEY;
use super::session_choice::{Bounds, Choice, Rule};
use super::session_table::{SessionTable, Successor};
use super::throttle::Until;
use super::window_clock::WindowClock;
use crate::dsl::builder::NodeSpec;
use crate::dsl::emit::Emit;
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::dsl::materialized::Materialized;
use crate::dsl::windows::{SessionWindows, Windowed};
use crate::processor::ProcessError;
use crate::record::{Record, Timestamp, millis};
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::{Forward, Lifecycle};
use crate::topology::Role;
use highwater_state::StoreKind;

struct SessionAggregate<K, V, A> {
    rule: Rule,
    clock: WindowClock,
    aggregator: Aggregator<K, V, A>,
    merge: MergeOf<K, A>,
    sessions: SessionTable<K, A>,
}

impl<K: Data, V: Data, A: Data> Forward<K, V> for SessionAggregate<K, V, A> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        if self.sessions.is_null_key(&record.key) {
            core.ruling.end_branch(NULL_KEY);
            return Ok(());
        }
        self.clock.observe(record.timestamp, core);
        let closing_ms = self.clock.closing_ms(core);
        let time_ms = record.timestamp.as_millis();
        // A session that has closed is final: it is as if it were not there, whether or not it has been forgotten yet.
        let earliest_end_ms = closing_ms.max(time_ms.saturating_sub(self.rule.gap_ms));
        let near = self.sessions.find(&record.key, (earliest_end_ms, time_ms.saturating_add(self.rule.gap_ms)), core)?;
        let choice = self.rule.choose(near, time_ms);
        let bounds = choice.bounds(near, time_ms);
        if bounds.1 < closing_ms {
            self.clock.turn_away(record.timestamp, bounds, |closing_ms| bounds.1 < closing_ms, core);
            return Ok(());
        }
        self.add(&record, choice, bounds, core)
    }
}

impl<K: Data, V: Data, A: Data> SessionAggregate<K, V, A> {
    fn add(&mut self, record: &Record<K, V>, choice: Choice, bounds: Bounds, core: &mut TaskCore) -> Result<(), ProcessError> {
        let mut aggregate = None;
        for index in choice.absorbed() {
            let next = self.sessions.aggregate(index)?;
            aggregate = Some(match aggregate {
                None => next,
                Some(earlier) => (self.merge)(&record.key, earlier, next),
            });
        }
        let mut aggregate = aggregate.unwrap_or_else(|| (self.aggregator.init)());
        (self.aggregator.add)(record, RecordPosition::of_input(core), &mut aggregate);
        let successor = Successor { absorbed: choice.absorbed().collect(), bounds, aggregate };
        self.sessions.replace(&record.key, successor, core)
    }
}

impl<K: Data, V: Data, A: Data> Lifecycle for SessionAggregate<K, V, A> {
    fn opened(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.sessions.opened(core)
    }

    fn before_commit(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.sessions.before_commit(core)
    }

    fn on_time(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.sessions.emit_due(Until::Now, core)?;
        self.sessions.close_before(self.clock.closing_ms(core), core)
    }

    fn on_idle(&mut self, until: Timestamp, core: &mut TaskCore) -> Result<(), ProcessError> {
        if self.clock.rest(until, core) { self.on_time(core) } else { Ok(()) }
    }

    fn drain(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.sessions.emit_due(Until::TheEnd, core)
    }

    fn holds_back(&self) -> bool {
        self.sessions.policy.holds_back()
    }
}

/// What a session aggregation is made of.
pub(crate) struct SessionSpec<K, V, A> {
    pub(crate) windows: SessionWindows,
    pub(crate) options: Materialized<K, A>,
    pub(crate) aggregator: Aggregator<K, V, A>,
    pub(crate) merge: MergeOf<K, A>,
}

pub(crate) fn aggregate<K: Data, V: Data, A: Data>(
    stream: KStream<'_, K, V>,
    spec: SessionSpec<K, V, A>,
) -> KTable<'_, Windowed<K>, A> {
    let SessionSpec { windows, options, aggregator, merge } = spec;
    let builder = stream.builder;
    let retention_ms = millis(windows.gap).saturating_add(millis(windows.grace));
    let store = builder.declare_store(&options.name, StoreKind::Session { retention_ms });
    let late = windows.late.as_ref().map(|topic| builder.declare_late_topic(topic));
    let rule = Rule { gap_ms: millis(windows.gap), max_length_ms: windows.max_length.map_or(i64::MAX, millis) };
    KTable::of(builder.add(NodeSpec {
        name: Some(options.name.to_string()),
        operator: "session_aggregate",
        role: Role::Operator,
        parents: vec![stream.node],
        stores: vec![store],
        instantiate: Arc::new(move |task, node| {
            let emits_on_close = options.emit == Emit::Close;
            let operator = SessionAggregate {
                rule,
                clock: WindowClock::new(task, &options.name, (windows.grace, windows.gap), late.as_ref(), emits_on_close),
                aggregator: aggregator.clone(),
                merge: Arc::clone(&merge),
                sessions: SessionTable::new(task, node, store, &options, windows.by_start),
            };
            task.living_operator::<K, V>(node, operator);
            Ok(())
        }),
    }))
}
