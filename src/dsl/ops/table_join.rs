//! Joins of two tables by key: a row for each key, made anew when either side changes.
//!
//! The result is kept, and each new one is compared with it. So what comes out is right whatever was held back on the way, also
//! where both sides come from one table: every change comes out, none wrong, none twice.

use std::sync::Arc;

use super::keep::{Keep, MakeInlet, keep_all};
use super::table::{Skips, Table};
use crate::dsl::change::Change;
use crate::dsl::ktable::KTable;
use crate::dsl::lookup::{Lookup, MakeLookup};
use crate::dsl::materialized::Materialized;
use crate::dsl::ops::placing::ByKey;
use crate::processor::ProcessError;
use crate::record::Record;
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::Forward;

/// Makes the row of a key out of both sides; `None` if there is none.
pub(crate) type JoinOf<V, V2, O> = Arc<dyn Fn(Option<&V>, Option<&V2>) -> Option<O> + Send + Sync>;

/// One side of a join: its own change, and a view of the other.
struct Side<K: Data, V, V2, O> {
    kept: std::rc::Rc<std::cell::RefCell<super::keep::Kept<K, O>>>,
    other: Box<dyn Lookup<K, V2>>,
    join: JoinOf<V, V2, O>,
}

impl<K: Data, V: Data, V2: Data, O: Data> Forward<K, Change<V>> for Side<K, V, V2, O> {
    fn forward(&mut self, record: Record<K, Change<V>>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Record { key, value, timestamp, .. } = record;
        let other = self.other.get(&key, core)?;
        let timestamp = other.as_ref().map_or(timestamp, |(_, other)| timestamp.max(*other));
        let row = (self.join)(value.new.as_ref(), other.as_ref().map(|(other, _)| other));
        let table: &mut Table<ByKey, K, O> = &mut self.kept.borrow_mut().0;
        table.change(&key, (), core, |_| timestamp, |_| Ok(row)).map(drop)
    }
}

fn side<K: Data, V: Data, V2: Data, O: Data>(other: MakeLookup<K, V2>, join: JoinOf<V, V2, O>) -> MakeInlet<K, O> {
    Arc::new(move |task, node, port, kept| {
        let side = Side { kept: std::rc::Rc::clone(kept), other: other(task), join: Arc::clone(&join) };
        task.set_inlet::<K, Change<V>>(node, port, std::rc::Rc::new(std::cell::RefCell::new(side)));
    })
}

/// Records a join whose rows `join` makes.
pub(crate) fn join<'b, K: Data, V: Data, V2: Data, O: Data>(
    left: KTable<'b, K, V>,
    right: KTable<'b, K, V2>,
    options: Materialized<K, O>,
    join: impl Fn(Option<&V>, Option<&V2>) -> Option<O> + Send + Sync + 'static,
) -> KTable<'b, K, O> {
    let builder = left.builder();
    let (left_view, right_view) = (builder.lookup(left.changes.node), builder.lookup(right.changes.node));
    let mut table = Keep::new("table_join", options);
    table.skips = Skips::EqualEntries;
    let join: JoinOf<V, V2, O> = Arc::new(join);
    let swapped = Arc::clone(&join);
    let swapped: JoinOf<V2, V, O> = Arc::new(move |right, left| swapped(left, right));
    let (Some((left_stores, left_view)), Some((right_stores, right_view))) = (left_view, right_view) else {
        builder.refuse(format!("`{}` joins a table of windows, which cannot be looked into", table.options.name));
        return keep_all(builder, table, Vec::new());
    };
    builder.look_into(left.changes.node);
    builder.look_into(right.changes.node);
    table.looks_into = left_stores.into_iter().chain(right_stores).collect();
    let parents = vec![(left.changes.node, side(right_view, join)), (right.changes.node, side(left_view, swapped))];
    keep_all(builder, table, parents)
}
