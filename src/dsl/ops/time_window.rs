//! Tumbling and hopping windows: each record is added to the aggregate of every window that it falls into and that is open.

use std::sync::Arc;

use highwater_state::StoreKind;

use super::aggregator::{Aggregator, RecordPosition};
use super::keep::{NULL_KEY, later};
use super::placing::ByWindow;
use super::table::{Changed, Policy, Skips, Table, TableSpec};
use super::throttle::Until;
use super::window_clock::{OpenWindows, WindowClock};
use crate::dsl::builder::NodeSpec;
use crate::dsl::emit::Emit;
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::dsl::materialized::Materialized;
use crate::dsl::ops::placing::Placing;
use crate::dsl::windows::{TimeWindows, Windowed};
use crate::processor::ProcessError;
use crate::record::{Record, Timestamp, millis};
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::{Forward, Lifecycle};
use crate::topology::Role;

/// A turn of the loop forgets no more expired windows than this.
const MOST_EXPIRED_AT_ONCE: usize = 1_000;

struct WindowAggregate<K: Data, V, A> {
    windows: TimeWindows,
    clock: WindowClock,
    aggregator: Aggregator<K, V, A>,
    table: Table<ByWindow, K, A>,
    open: OpenWindows,
}

impl<K: Data, V: Data, A: Data> Forward<K, V> for WindowAggregate<K, V, A> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        if self.table.is_null_key(&record.key) {
            core.ruling.end_branch(NULL_KEY);
            return Ok(());
        }
        self.clock.observe(record.timestamp, core);
        let closing_ms = self.clock.closing_ms(core);
        let (mut is_taken, mut last_ms) = (false, 0);
        for start_ms in self.windows.starts(record.timestamp.as_millis()) {
            last_ms = start_ms;
            if start_ms.saturating_add(self.windows.size_ms) <= closing_ms {
                core.late_windows += 1;
            } else {
                is_taken = true;
                self.add(&record, start_ms, core)?;
            }
        }
        if !is_taken {
            let end_ms = last_ms.saturating_add(self.windows.size_ms);
            self.clock.turn_away(record.timestamp, (last_ms, end_ms), |closing_ms| end_ms <= closing_ms, core);
        }
        Ok(())
    }
}

impl<K: Data, V: Data, A: Data> WindowAggregate<K, V, A> {
    fn add(&mut self, record: &Record<K, V>, start_ms: i64, core: &mut TaskCore) -> Result<(), ProcessError> {
        let position = RecordPosition::of_input(core);
        let aggregator = &self.aggregator;
        let changed = self.table.change(&record.key, start_ms, core, later(record.timestamp), |current| {
            let mut aggregate = current.value()?.unwrap_or_else(|| (aggregator.init)());
            (aggregator.add)(record, position, &mut aggregate);
            Ok(Some(aggregate))
        })?;
        if changed == Changed::Created && matches!(self.table.policy, Policy::Close) {
            // Only the writing of a row fills the scratch buffer, and with this policy nothing was forwarded since.
            let end_ms = start_ms.saturating_add(self.windows.size_ms);
            self.open.insert(end_ms, [&core.scratch.key, &ByWindow::tail(start_ms)]);
        }
        Ok(())
    }

    /// Emits the windows that have closed, each once, and forgets them.
    fn close(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let closing_ms = self.clock.closing_ms(core);
        while let Some(place) = self.open.pop_before(closing_ms.saturating_add(1)) {
            let (key, start_ms) = ByWindow::split(&place);
            self.table.close(key, start_ms, core)?;
        }
        Ok(())
    }

    /// Forgets windows that have closed, some in each call.
    fn expire(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let before_start_ms = self.clock.closing_ms(core).saturating_sub(self.windows.size_ms).saturating_add(1);
        if core.state.window_is_expired(self.table.store, before_start_ms) {
            return Ok(());
        }
        let mut leaving: Vec<(Vec<u8>, i64, Vec<u8>)> = Vec::new();
        let holds_back = self.table.policy.holds_back();
        core.state.window_expire_with(self.table.store, before_start_ms, MOST_EXPIRED_AT_ONCE, &mut |key, start, entry| {
            if holds_back {
                leaving.push((key.to_vec(), start, entry.to_vec()));
            }
        })?;
        leaving.iter().try_for_each(|(key, start_ms, entry)| self.table.emit_leaving(key, *start_ms, entry, core))
    }
}

impl<K: Data, V: Data, A: Data> Lifecycle for WindowAggregate<K, V, A> {
    fn opened(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.table.opened(core)?;
        let Self { table, open, windows, .. } = self;
        if matches!(table.policy, Policy::Close) {
            ByWindow::each(&core.state, table.store, &mut |key, start_ms, _| {
                open.insert(start_ms.saturating_add(windows.size_ms), [key, &ByWindow::tail(start_ms)]);
            })?;
        }
        Ok(())
    }

    fn before_commit(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.table.before_commit(core)
    }

    fn on_time(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.table.emit_due(Until::Now, core)?;
        if matches!(self.table.policy, Policy::Close) { self.close(core) } else { self.expire(core) }
    }

    fn on_idle(&mut self, until: Timestamp, core: &mut TaskCore) -> Result<(), ProcessError> {
        if self.clock.rest(until, core) { self.close(core) } else { Ok(()) }
    }

    fn drain(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.table.emit_due(Until::TheEnd, core)
    }

    fn holds_back(&self) -> bool {
        self.table.policy.holds_back()
    }
}

pub(crate) fn aggregate<K: Data, V: Data, A: Data>(
    stream: KStream<'_, K, V>,
    windows: TimeWindows,
    options: Materialized<K, A>,
    aggregator: Aggregator<K, V, A>,
) -> KTable<'_, Windowed<K>, A> {
    let builder = stream.builder;
    if let Some(fault) = windows.fault() {
        builder.refuse(format!("store `{}`: {fault}", options.name));
    }
    let retention_ms = windows.size_ms.saturating_add(millis(windows.grace));
    let store = builder.declare_store(&options.name, StoreKind::Window { retention_ms });
    let late = windows.late.as_ref().map(|topic| builder.declare_late_topic(topic));
    KTable::of(builder.add(NodeSpec {
        name: Some(options.name.to_string()),
        operator: "window_aggregate",
        role: Role::Operator,
        parents: vec![stream.node],
        stores: vec![store],
        instantiate: Arc::new(move |task, node| {
            let waits = (windows.grace, std::time::Duration::ZERO);
            let clock = WindowClock::new(task, &options.name, waits, late.as_ref(), options.emit == Emit::Close);
            let placing = ByWindow { size_ms: windows.size_ms };
            let spec = TableSpec { placing, store, options: &options, skips: Skips::Nothing };
            let table = Table::new(&spec, task, node);
            let (windows, aggregator) = (windows.clone(), aggregator.clone());
            let operator = WindowAggregate { windows, clock, aggregator, table, open: OpenWindows::default() };
            task.living_operator::<K, V>(node, operator);
            Ok(())
        }),
    }))
}
