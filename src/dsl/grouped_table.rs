//! `KGroupedTable`: a table whose rows meet by another key, ready to be aggregated. The operators are in `ops`.

use std::fmt;
use std::sync::Arc;

use super::change::{Change, ChangeSerde};
use super::grouped::Grouped;
use super::kstream::KStream;
use super::ktable::KTable;
use super::materialized::Materialized;
use super::ops::regroup::{self, Folds};
use crate::serde::Data;

/// A table whose rows meet by another key.
#[must_use = "a grouped table that nothing aggregates does nothing"]
pub struct KGroupedTable<'b, K, V> {
    changes: KStream<'b, K, Change<V>>,
    grouped: Grouped<K, V>,
}

impl<K, V> Clone for KGroupedTable<'_, K, V> {
    fn clone(&self) -> Self {
        Self { changes: self.changes, grouped: self.grouped.clone() }
    }
}

impl<K, V> fmt::Debug for KGroupedTable<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KGroupedTable").field(&self.changes).finish()
    }
}

impl<'b, K: Data, V: Data> KGroupedTable<'b, K, V> {
    pub(crate) fn new(changes: KStream<'b, K, Change<V>>, grouped: Grouped<K, V>) -> Self {
        let changes = match grouped.name.clone() {
            Some(name) => through(changes, &grouped, &name),
            None => changes,
        };
        Self { changes, grouped }
    }

    /// The changes as the aggregation in this store reads them: behind a topic in which equal keys meet.
    pub(crate) fn meeting(&self, store: &str) -> KStream<'b, K, Change<V>> {
        if self.changes.key_changed { through(self.changes, &self.grouped, store) } else { self.changes }
    }

    /// Aggregates each group: `add` puts a row in, `subtract` takes out what `add` put in.
    ///
    /// ```
    /// use highwater::{StreamsBuilder, TopologyTestDriver};
    ///
    /// let builder = StreamsBuilder::new("regions");
    /// builder
    ///     .table::<String, String>("people", "people")
    ///     .group_by(|name, region| (region.clone(), name.len() as i64))
    ///     .aggregate("letters", || 0, |_, letters, sum| *sum += letters, |_, letters, sum| *sum -= letters)
    ///     .to_stream()
    ///     .to("letters");
    /// let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    /// for (name, region) in [("ada", "north"), ("ada", "south")] {
    ///     driver.input("people").send(name.to_owned(), region.to_owned(), 0);
    /// }
    /// let letters: Vec<(String, Option<i64>)> = driver.output("letters").read_all();
    /// assert_eq!(letters, [("north".into(), Some(3)), ("north".into(), Some(0)), ("south".into(), Some(3))]);
    /// ```
    pub fn aggregate<A: Data>(
        &self,
        store: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
        subtract: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
    ) -> KTable<'b, K, A> {
        let folds = Folds { init: Arc::new(init), add: Arc::new(add), subtract: Arc::new(subtract) };
        regroup::aggregate(self, store.into(), folds)
    }

    /// Counts the rows of each group.
    pub fn count(&self, store: impl Into<Materialized<K, u64>>) -> KTable<'b, K, u64> {
        self.aggregate(store, || 0, |_, _, count| *count += 1, |_, _, count: &mut u64| *count = count.saturating_sub(1))
    }

    /// Reduces each group to one value: `add` of two values, and `subtract` of a value from such a sum.
    pub fn reduce(
        &self,
        store: impl Into<Materialized<K, V>>,
        add: impl Fn(V, &V) -> V + Send + Sync + 'static,
        subtract: impl Fn(V, &V) -> V + Send + Sync + 'static,
    ) -> KTable<'b, K, V> {
        regroup::reduce(self, store.into(), add, subtract)
    }
}

fn through<'b, K: Data, V: Data>(
    changes: KStream<'b, K, Change<V>>,
    grouped: &Grouped<K, V>,
    name: &str,
) -> KStream<'b, K, Change<V>> {
    let serde = Arc::new(ChangeSerde(grouped.value.clone()));
    changes.repartition(grouped.repartitioned_with(name, serde))
}
