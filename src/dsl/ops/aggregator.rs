//! How records become an aggregate: the author's functions, erased so that an operator is compiled once for its types.

use std::sync::Arc;

use crate::record::Record;
use crate::task::TaskCore;

/// Where a record lies in the partition that the operator reads, for aggregates in which order matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordPosition {
    /// Its offset; −1 if no record of the input stands for it, since a table emitted it by time.
    pub offset: i64,
}

/// The aggregate of no record.
pub(crate) type InitOf<A> = Arc<dyn Fn() -> A + Send + Sync>;
/// Adds a record.
pub(crate) type AddOf<K, V, A> = Arc<dyn Fn(&Record<K, V>, RecordPosition, &mut A) + Send + Sync>;
/// Makes one aggregate of two.
pub(crate) type MergeOf<K, A> = Arc<dyn Fn(&K, A, A) -> A + Send + Sync>;

/// The author's functions.
pub(crate) struct Aggregator<K, V, A> {
    pub(crate) init: InitOf<A>,
    pub(crate) add: AddOf<K, V, A>,
}

impl<K, V, A> Clone for Aggregator<K, V, A> {
    fn clone(&self) -> Self {
        Self { init: Arc::clone(&self.init), add: Arc::clone(&self.add) }
    }
}

impl<K, V, A> Aggregator<K, V, A> {
    /// Of functions that see the whole record.
    pub(crate) fn of_records(
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&Record<K, V>, RecordPosition, &mut A) + Send + Sync + 'static,
    ) -> Self {
        Self { init: Arc::new(init), add: Arc::new(add) }
    }

    /// Of functions that see key and value.
    pub(crate) fn of(init: impl Fn() -> A + Send + Sync + 'static, add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static) -> Self {
        Self::of_records(init, move |record, _, aggregate| add(&record.key, &record.value, aggregate))
    }
}

impl RecordPosition {
    /// Of the record at hand.
    pub(crate) fn of_input(core: &TaskCore) -> Self {
        Self { offset: core.input().map_or(-1, |input| input.record.offset) }
    }
}
