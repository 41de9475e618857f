//! `Dedup`: what makes two records the same, for how long, and where the memory lies. The operator is in `ops::dedup`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Finds what identifies a record: equal numbers mean the same record.
pub(crate) type IdentityOf<K, V> = Arc<dyn Fn(&K, &V) -> u128 + Send + Sync>;

/// What a deduplication goes by.
///
/// ```
/// use std::time::Duration;
/// use highwater::dsl::Dedup;
/// use highwater::{StreamsBuilder, TopologyTestDriver};
///
/// let builder = StreamsBuilder::new("once");
/// let once = Dedup::by(|_: &String, value: &String| value.len() as u128).within(Duration::from_hours(24)).store("seen");
/// builder.stream::<String, String>("in").dedup(once).to("out");
/// let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
/// for word in ["one", "two", "three"] {
///     driver.input("in").send("k".to_owned(), word.to_owned(), 0);
/// }
/// let out: Vec<(String, String)> = driver.output("out").read_all();
/// assert_eq!(out, [("k".to_owned(), "one".to_owned()), ("k".to_owned(), "three".to_owned())]);
/// ```
pub struct Dedup<K, V> {
    pub(crate) identity: IdentityOf<K, V>,
    pub(crate) within: Duration,
    pub(crate) memory_hours: Option<u32>,
    pub(crate) store: Option<Arc<str>>,
    pub(crate) late: Option<Arc<str>>,
    pub(crate) reason: &'static str,
}

impl<K, V> fmt::Debug for Dedup<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedup").field("store", &self.store).field("within", &self.within).finish_non_exhaustive()
    }
}

impl<K, V> Dedup<K, V> {
    /// Records of the same `identity` are the same. It should be a hash of 128 bits, so that no two others meet in it.
    ///
    /// By default within 24 hours of event time.
    pub fn by(identity: impl Fn(&K, &V) -> u128 + Send + Sync + 'static) -> Self {
        Self {
            identity: Arc::new(identity),
            within: Duration::from_hours(24),
            memory_hours: None,
            store: None,
            late: None,
            reason: "repeated",
        }
    }

    /// A record that is older than the stream time by more than this is late: nobody knows any more whether it came before.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// How many hours before the stream time's own hour are remembered. By default those of `within` and one more.
    #[must_use]
    pub fn memory_hours(mut self, hours: u32) -> Self {
        self.memory_hours = Some(hours);
        self
    }

    /// The store that remembers. Every deduplication needs one.
    #[must_use]
    pub fn store(mut self, name: &str) -> Self {
        self.store = Some(Arc::from(name));
        self
    }

    /// Late records go to this topic, as they came in, with headers that say how late they were.
    #[must_use]
    pub fn late_to(mut self, topic: &str) -> Self {
        self.late = Some(Arc::from(topic));
        self
    }

    /// The reason that the books give for a duplicate. By default `repeated`.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }
}
