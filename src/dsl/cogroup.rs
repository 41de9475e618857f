//! `CogroupedKStream`: several grouped streams in one aggregate, each added in its own way.

use std::fmt;
use std::sync::Arc;

use super::builder::StreamsBuilder;
use super::grouped::KGroupedStream;
use super::ktable::KTable;
use super::materialized::Materialized;
use super::ops::aggregate;
use super::ops::aggregator::{AddOf, Aggregator, InitOf};
use super::ops::keep::{Keep, MakeInlet, inlet, keep_all};
use crate::serde::Data;
use crate::topology::NodeId;

/// Connects one grouped stream to the aggregation, whose store and initial value are known by then.
type Connect<'b, K, A> = Box<dyn FnOnce(&str, &InitOf<A>) -> (NodeId, MakeInlet<K, A>) + 'b>;

/// Several grouped streams that share one aggregate.
///
/// ```
/// use highwater::{StreamsBuilder, TopologyTestDriver};
/// use highwater::dsl::Consumed;
///
/// let builder = StreamsBuilder::new("stock");
/// let bought = builder.stream(Consumed::<String, i64>::topic("bought").lead()).group_by_key();
/// let sold = builder.stream::<String, i64>("sold").group_by_key();
/// bought
///     .cogroup(|_, pieces, stock: &mut i64| *stock += pieces)
///     .cogroup(sold, |_, pieces, stock| *stock -= pieces)
///     .aggregate("stock", || 0)
///     .to_stream()
///     .to("stock");
/// let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
/// driver.input("bought").send("pen".to_owned(), 5_i64, 0);
/// driver.input("sold").send("pen".to_owned(), 2_i64, 1);
/// let stock: Vec<(String, Option<i64>)> = driver.output("stock").read_all();
/// assert_eq!(stock, [("pen".to_owned(), Some(5)), ("pen".to_owned(), Some(3))]);
/// ```
#[must_use = "cogrouped streams that nothing aggregates do nothing"]
pub struct CogroupedKStream<'b, K: Data, A> {
    builder: &'b StreamsBuilder,
    streams: Vec<Connect<'b, K, A>>,
}

impl<K: Data, A> fmt::Debug for CogroupedKStream<'_, K, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CogroupedKStream").field("streams", &self.streams.len()).finish_non_exhaustive()
    }
}

impl<'b, K: Data, A: Data> CogroupedKStream<'b, K, A> {
    pub(crate) fn new(builder: &'b StreamsBuilder) -> Self {
        Self { builder, streams: Vec::new() }
    }

    /// Adds another grouped stream, and how its records are added.
    pub fn cogroup<V: Data>(
        mut self,
        grouped: KGroupedStream<'b, K, V>,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
    ) -> Self {
        let add: AddOf<K, V, A> = Arc::new(move |record, _, aggregate| add(&record.key, &record.value, aggregate));
        let number = self.streams.len();
        self.streams.push(Box::new(move |store, init| {
            let aggregator = Aggregator { init: Arc::clone(init), add };
            // Each stream whose keys have changed has a topic of its own, and only the first can be named after the store.
            let topic = if number == 0 { store.to_owned() } else { format!("{store}-{}", number + 1) };
            let stream = grouped.meeting(&topic);
            (stream.node, inlet(aggregate::step(grouped.grouped.value.clone(), aggregator)))
        }));
        self
    }

    /// Aggregates the records of all streams; `init` is the aggregate of none.
    pub fn aggregate(
        self,
        store: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Send + Sync + 'static,
    ) -> KTable<'b, K, A> {
        let options = store.into();
        let init: InitOf<A> = Arc::new(init);
        let parents = self.streams.into_iter().map(|connect| connect(&options.name, &init)).collect();
        keep_all(self.builder, Keep::new("cogroup", options), parents)
    }
}
