//! Joins of a stream with a table by key: each record is paired with the row that the table has when the record comes.

use std::sync::Arc;

use crate::dsl::builder::NodeSpec;
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::dsl::lookup::Lookup;
use crate::processor::ProcessError;
use crate::record::Record;
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::{Forward, Outlet};
use crate::topology::Role;

/// Makes the result of a record and its row; `None` if there is none.
pub(crate) type PairOf<K, V, V2, O> = Arc<dyn Fn(&K, V, Option<&V2>) -> Option<O> + Send + Sync>;

struct StreamTableJoin<K, V, V2, O> {
    table: Box<dyn Lookup<K, V2>>,
    pair: PairOf<K, V, V2, O>,
    outlet: Outlet<K, O>,
}

impl<K: Data, V: Data, V2: Data, O: Data> Forward<K, V> for StreamTableJoin<K, V, V2, O> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Record { key, value, timestamp, headers } = record;
        let row = self.table.get(&key, core)?;
        if let Some(value) = (self.pair)(&key, value, row.as_ref().map(|(row, _)| row)) {
            self.outlet.forward(Record { key, value, timestamp, headers }, core)
        } else {
            core.ruling.end_branch("no_match");
            Ok(())
        }
    }
}

/// Records a join whose results `pair` makes.
pub(crate) fn join<'b, K: Data, V: Data, V2: Data, O: Data>(
    stream: KStream<'b, K, V>,
    table: KTable<'b, K, V2>,
    pair: impl Fn(&K, V, Option<&V2>) -> Option<O> + Send + Sync + 'static,
) -> KStream<'b, K, O> {
    let builder = stream.builder;
    if stream.key_changed {
        builder.refuse(format!(
            "the keys of `{}` may have changed, so it may not lie where the table's rows do: `.repartition(\"..\")` it before the join",
            builder.name_of(stream.node)
        ));
    }
    let view = builder.lookup::<K, V2>(table.changes.node);
    if view.is_none() {
        builder.refuse(format!(
            "`{}` is a table of windows, which cannot be joined to a stream",
            builder.name_of(table.changes.node)
        ));
    }
    let (stores, view) = view.unzip();
    let pair: PairOf<K, V, V2, O> = Arc::new(pair);
    let joined = builder.add(NodeSpec {
        name: None,
        operator: "stream_table_join",
        role: Role::Operator,
        parents: vec![stream.node],
        stores: stores.unwrap_or_default(),
        instantiate: Arc::new(move |task, node| {
            let view = view.as_ref().expect("a graph that was refused is not instantiated");
            let operator = StreamTableJoin { table: view(task), pair: Arc::clone(&pair), outlet: task.outlet(node) };
            task.operator::<K, V>(node, operator);
            Ok(())
        }),
    });
    KStream { key_changed: stream.key_changed, ..joined }
}
