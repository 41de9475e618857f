//! A stream kept as a table: the last value of each key, with or without deletions.

use std::sync::Arc;

use super::placing::ByKey;
use super::table::{Table, TableSpec};
use super::throttle::Until;
use crate::dsl::builder::NodeSpec;
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::processor::ProcessError;
use crate::record::Record;
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::{Forward, Lifecycle};
use crate::topology::Role;

struct Upsert<K: Data, V>(Table<ByKey, K, V>);

impl<K: Data, V: Data> Forward<K, Option<V>> for Upsert<K, V> {
    fn forward(&mut self, record: Record<K, Option<V>>, core: &mut TaskCore) -> Result<(), ProcessError> {
        if self.0.is_null_key(&record.key) {
            core.ruling.end_branch("null_key");
            return Ok(());
        }
        let (timestamp, value) = (record.timestamp, record.value);
        // The order of arrival counts, not that of time: an older record takes the place of a newer one.
        self.0.change(&record.key, (), core, |_| timestamp, |_| Ok(value)).map(drop)
    }
}

impl<K: Data, V: Data> Lifecycle for Upsert<K, V> {
    fn opened(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.opened(core)
    }

    fn before_commit(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.before_commit(core)
    }

    fn on_time(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.emit_due(Until::Now, core)
    }

    fn drain(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.emit_due(Until::TheEnd, core)
    }
}

/// Keeps a stream as the table that `spec` says; its store is declared.
pub(crate) fn upsert<'b, K: Data, V: Data>(
    stream: KStream<'b, K, Option<V>>,
    spec: &TableSpec<'_, ByKey, K, V>,
) -> KTable<'b, K, V> {
    let builder = stream.builder;
    let (options, store, skips_equal) = (spec.options.clone(), spec.store, spec.skips_equal);
    builder.refuse_close(&options);
    KTable::of(builder.add(NodeSpec {
        name: Some(options.name.to_string()),
        operator: "table",
        role: Role::Operator,
        parents: vec![stream.node],
        stores: vec![store],
        instantiate: Arc::new(move |task, node| {
            let spec = TableSpec { placing: ByKey, store, options: &options, skips_equal };
            let table = Table::new(&spec, task, node);
            task.living_operator::<K, Option<V>>(node, Upsert(table));
            Ok(())
        }),
    }))
}
