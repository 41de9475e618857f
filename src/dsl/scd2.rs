//! `Scd2`: how the history of each key is kept, and the versions that come of it. The operator is in `ops::scd2`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::record::Timestamp;
use crate::serde::{Data, DefaultSerde, SharedSerde};

/// How the history of each key is kept: a slowly changing dimension of type 2.
///
/// A record says what its key has from its event time on, until the next record of that key by event time; one without a value ends it. The
/// versions follow from the records and not from the order in which they come: a late one takes its place between the others, and the version
/// before it ends earlier. Of two with the same time the one that comes last counts. A value whose bytes equal those of the version before it
/// begins none.
///
/// ```
/// use std::time::Duration;
/// use highwater::dsl::Scd2;
/// use highwater::{StreamsBuilder, TopologyTestDriver};
///
/// let builder = StreamsBuilder::new("prices");
/// let history = Scd2::store("price-history").within(Duration::from_hours(72)).late_to("late.prices");
/// builder
///     .stream::<String, Option<String>>("prices")
///     .scd2(history)
///     .map(|at, version| (format!("{} {}", at.key, at.valid_from.as_millis()), version.map(|version| version.value)))
///     .to("price-versions");
/// let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
/// for (price, at) in [("9.90", 10), ("8.50", 30), ("9.50", 20)] {
///     driver.input("prices").send("tea".to_owned(), Some(price.to_owned()), at);
/// }
/// let out: Vec<(String, Option<String>)> = driver.output("price-versions").read_all();
/// let told = |key: &str, price: &str| (key.to_owned(), Some(price.to_owned()));
/// // Where the next version begins, the one before is told again, with its end.
/// let expected = ["tea 10", "tea 10", "tea 30", "tea 10", "tea 20"].into_iter().zip(["9.90", "9.90", "8.50", "9.90", "9.50"]);
/// assert_eq!(out, expected.map(|(key, price)| told(key, price)).collect::<Vec<_>>());
/// ```
pub struct Scd2<K, V> {
    pub(crate) name: Arc<str>,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) within: Duration,
    pub(crate) late: Option<Arc<str>>,
}

impl<K, V> fmt::Debug for Scd2<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scd2").field("name", &self.name).field("within", &self.within).finish_non_exhaustive()
    }
}

impl<K: Data, V: Data> Scd2<K, V> {
    /// In a store of this name, with the types' default serdes.
    pub fn store(name: &str) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Self::with(name, K::default_serde(), V::default_serde())
    }

    /// In a store of this name, with these serdes.
    pub fn with(name: &str, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Self { name: Arc::from(name), key, value, within: Duration::from_hours(24), late: None }
    }

    /// For how long a version that has ended may still change, by default 24 hours. A record that is older than the stream time by more than
    /// this is late (`beyond_history`), and what ended before is forgotten here: it stays as it was told. So a key costs its value, and
    /// those that it had within this time.
    ///
    /// Forgetting happens with a key's next record: one that has none keeps what it had. Nothing is erased from what was told; where a
    /// deletion has to erase the past too, keep the history in a [`Processor`](crate::processor::Processor).
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Late records go to this topic, as they came in, with headers that say how late they were.
    #[must_use]
    pub fn late_to(mut self, topic: &str) -> Self {
        self.late = Some(Arc::from(topic));
        self
    }
}

impl<K: DefaultSerde, V: DefaultSerde> From<&str> for Scd2<K, V> {
    fn from(name: &str) -> Self {
        Self::store(name)
    }
}

/// The key of a version: whose it is, and since when. It stays the same for as long as there is the version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Versioned<K> {
    /// Whose version it is.
    pub key: K,
    /// When it begins, inclusive.
    pub valid_from: Timestamp,
}

/// What a key has from one time to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version<V> {
    /// What it has.
    pub value: V,
    /// When that ends, exclusive; `None` while it is the current one.
    pub valid_to: Option<Timestamp>,
}

impl<V> Version<V> {
    /// Whether no later one is known.
    pub const fn is_current(&self) -> bool {
        self.valid_to.is_none()
    }
}
