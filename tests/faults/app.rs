//! The application under test, its inputs, and what must be true of its results whatever happens on the way.
//!
//! It has all that can go wrong between steps: a deduplication, a repartition, a store, dead letters from both sides of the
//! repartition, and books. Values are `<id> <account> <amount> <mode>`.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use highwater::dsl::Dedup;
use highwater::kafka::memory::{LoggedRecord, MemoryCluster, MemorySettings};
use highwater::processor::{Context, KvHandle, KvStore, ProcessError, Processor, ProcessorSupplier, StoreRef, TaskContext};
use highwater::runtime::{KafkaStreams, RunningStreams, Settings};
use highwater::time::{Clock, SystemClock};
use highwater::{Record, StreamsBuilder, Timestamp, Topology};
use highwater_state::{OpenOptions, ResourceLimits, SharedResources, StoreId, StoreKind, StoreSpec, TaskState};

pub(crate) const PARTITIONS: i32 = 2;
pub(crate) const GROUP: &str = "app-tally";
pub(crate) const REPARTITION: &str = "app-tally-by_account-repartition";
/// No case may take longer than this to get right again.
const PATIENCE: Duration = Duration::from_mins(1);
/// An hour after the epoch, so that lateness has room.
const START_MS: i64 = 3_600_000;

/// Adds up the amounts of each account, and says so: `<count> <sum>`.
struct Tallying(KvHandle<String, String>);
struct Tally(KvStore<String, String>);

impl ProcessorSupplier<String, String> for Tallying {
    type Processor = Tally;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> Tally {
        Tally(task.open(&self.0))
    }
}

impl Processor<String, String> for Tally {
    type KeyOut = String;
    type ValueOut = String;

    /// Writes and forwards first and fails after, so that whatever is not taken back shows.
    fn process(&mut self, record: Record<String, String>, cx: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        let line = Line::parse(&record.value);
        let (count, sum) = self.0.get(cx, &record.key)?.map_or((0, 0), |total| parse_total(&total));
        let total = format!("{} {}", count + 1, sum + line.amount);
        self.0.put(cx, &record.key, &total)?;
        cx.forward(Record { value: total, ..record })?;
        match line.mode {
            "reject" => Err(ProcessError::rejected("wrong_type", "the line asked for it")),
            "panic" => panic!("the line asked for it"),
            _ => Ok(()),
        }
    }
}

pub(crate) fn parse_total(total: &str) -> (i64, i64) {
    let (count, sum) = total.split_once(' ').expect("a total is two numbers");
    (count.parse().expect("a count"), sum.parse().expect("a sum"))
}

struct Line<'a> {
    account: &'a str,
    amount: i64,
    mode: &'a str,
}

impl<'a> Line<'a> {
    fn parse(value: &'a str) -> Self {
        let parts: Vec<&str> = value.split(' ').collect();
        Self { account: parts[1], amount: parts[2].parse().expect("an amount"), mode: parts[3] }
    }
}

pub(crate) fn topology() -> Topology {
    let builder = StreamsBuilder::new("tally");
    builder.dead_letters("dead");
    builder.books("books", |entry| {
        let key = format!("{}/{}/{}/{}", entry.topic, entry.partition, entry.outcome, entry.reason);
        (key.clone(), entry.count.to_string(), key)
    });
    builder.books_every(Duration::from_millis(20));
    let totals = builder.key_value_store::<String, String>("totals");
    builder
        .stream::<String, String>("in")
        .try_map_values(|_, value| match value.split(' ').nth(2).map(str::parse::<i64>) {
            Some(Ok(_)) => Ok(value),
            _ => Err(ProcessError::rejected("bad_value", format!("`{value}` is no line"))),
        })
        .dedup(Dedup::by(|_, value: &String| id_of(value)).store("seen"))
        .map(|_, value| (Line::parse(&value).account.to_owned(), value))
        .repartition("by_account")
        .process("tally", Tallying(totals))
        .to("out");
    builder.build().expect("the topology is right")
}

fn id_of(value: &str) -> u128 {
    value.split(' ').next().expect("a line begins with its id").bytes().fold(7, |hash, byte| hash * 257 + u128::from(byte))
}

/// A cluster, a state directory, and what was sent.
pub(crate) struct World {
    pub(crate) cluster: MemoryCluster,
    pub(crate) state: tempfile::TempDir,
    pub(crate) settings: Settings,
    sent: Vec<(i32, i64, String)>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_marker_delay(Duration::from_millis(200))
    }

    /// A cluster that completes a transaction that was left half done after this time.
    pub(crate) fn with_marker_delay(marker_delay: Duration) -> Self {
        let _ = tracing_subscriber::fmt()
            .with_test_writer()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .try_init();
        let settings = MemorySettings { marker_delay, ..MemorySettings::default() };
        let cluster = MemoryCluster::new(Arc::new(SystemClock), settings);
        for topic in ["in", "out", "dead", "books"] {
            cluster.create_topic(topic, PARTITIONS).expect("topics can be created");
        }
        let state = tempfile::tempdir().expect("a temporary directory can be made");
        let settings = settings_for("0", state.path());
        Self { cluster, state, settings, sent: Vec::new() }
    }

    /// Starts an instance.
    pub(crate) fn start(&self) -> RunningStreams {
        self.start_with(self.settings.clone())
    }

    pub(crate) fn start_with(&self, settings: Settings) -> RunningStreams {
        KafkaStreams::new(topology(), settings, Arc::new(self.cluster.clone())).start().expect("it starts")
    }

    /// Sends so many more lines, some of them bad in every way.
    pub(crate) fn send(&mut self, lines: usize) {
        for _ in 0..lines {
            let number = self.sent.len();
            let partition = (number % PARTITIONS as usize) as i32;
            let account = format!("a{}", number % 5);
            let value = match number % 13 {
                6 => "nonsense".to_owned(),
                8 => format!("i{number} {account} {number} reject"),
                10 => format!("i{number} {account} {number} panic"),
                // The line before it in the same partition, again.
                12 => self.sent[number - 2].2.clone(),
                _ => format!("i{number} {account} {number} plain"),
            };
            self.send_line(partition, value);
        }
    }

    /// Sends all lines once more: each is a repetition, or as bad as before.
    pub(crate) fn send_all_again(&mut self) {
        for (partition, _, value) in self.sent.clone() {
            self.send_line(partition, value);
        }
    }

    pub(crate) fn send_line(&mut self, partition: i32, value: String) {
        let time = Timestamp::from_millis(START_MS + self.sent.len() as i64);
        let offset = self.cluster.append("in", partition, Some(b"k"), Some(value.as_bytes()), time).expect("there is room");
        self.sent.push((partition, offset, value));
    }

    /// Whether all that was sent, and all that came of it, is committed.
    pub(crate) fn is_done(&self) -> bool {
        ["in", REPARTITION].iter().all(|topic| {
            (0..PARTITIONS).all(|partition| {
                let end = self.cluster.end_offset(topic, partition).unwrap_or(0);
                self.cluster.committed_offset(GROUP, topic, partition).unwrap_or(0) >= end
            })
        })
    }

    pub(crate) fn wait_until_done(&self, case: &str) {
        wait(case, || self.is_done());
    }

    /// Stops the instance in order, and checks all results.
    pub(crate) fn finish(&self, running: RunningStreams, case: &str) {
        self.wait_until_done(case);
        // The books are written within 20 ms after what they count.
        if !comes_to_pass(|| self.books_balance()) {
            self.check(case);
        }
        running.shutdown(Duration::from_secs(10)).unwrap_or_else(|error| panic!("{case}: it leaves in order: {error}"));
        self.check(case);
        self.check_state(self.state.path(), case);
    }

    /// Everything that a reader of committed records sees is exact.
    pub(crate) fn check(&self, case: &str) {
        self.check_outputs(case);
        assert!(self.books_balance(), "{case}: the books balance: {:?}", self.books());
    }

    /// Everything but the books, whose last counts may still wait to be written.
    pub(crate) fn check_outputs(&self, case: &str) {
        let (mut valid, mut bad) = self.expected();
        let mut found: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for record in self.cluster.read_committed("out") {
            let (count, sum) = parse_total(record.value_text());
            let last = found.entry(record.key_text().to_owned()).or_default();
            let amount = sum - last.1;
            assert_eq!(count, last.0 + 1, "{case}: totals of {} count on, none twice, none missing", record.key_text());
            *last = (count, sum);
            let amounts = valid.get_mut(record.key_text()).unwrap_or_else(|| panic!("{case}: {} was sent", record.key_text()));
            let index = amounts.iter().position(|sent| *sent == amount);
            amounts.remove(index.unwrap_or_else(|| panic!("{case}: {amount} was sent to {} once", record.key_text())));
        }
        assert!(valid.values().all(Vec::is_empty), "{case}: lost {valid:?}");
        let mut dead: Vec<DeadLetter> = self.cluster.read_committed("dead").iter().map(dead_letter).collect();
        dead.sort();
        bad.sort();
        assert_eq!(dead, bad, "{case}: each bad line has one dead letter, with its origin");
    }

    /// How many lines count.
    pub(crate) fn valid_lines(&self) -> usize {
        self.expected().0.values().map(Vec::len).sum()
    }

    /// Amounts of each account, and bad lines with their reasons.
    fn expected(&self) -> (BTreeMap<String, Vec<i64>>, Vec<DeadLetter>) {
        let mut valid: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let mut bad = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for (partition, offset, value) in &self.sent {
            if value == "nonsense" {
                bad.push((*partition, *offset, "bad_value".to_owned()));
                continue;
            }
            // A line that was rejected left no trace behind the repartition; before it, its id was remembered.
            if !seen.insert((*partition, id_of(value))) {
                continue;
            }
            let line = Line::parse(value);
            match line.mode {
                "reject" => bad.push((*partition, *offset, "wrong_type".to_owned())),
                "panic" => bad.push((*partition, *offset, "internal".to_owned())),
                _ => valid.entry(line.account.to_owned()).or_default().push(line.amount),
            }
        }
        (valid, bad)
    }

    /// Running totals by outcome, the newest of each key.
    pub(crate) fn books(&self) -> BTreeMap<String, i64> {
        let mut newest = BTreeMap::new();
        for record in self.cluster.read_committed("books") {
            newest.insert(record.key_text().to_owned(), record.value_text().parse().expect("a count"));
        }
        newest
    }

    /// All lines that were sent are in the books, and what became of them adds up.
    pub(crate) fn books_balance(&self) -> bool {
        let books = self.books();
        (0..PARTITIONS).all(|partition| {
            let sent = self.sent.iter().filter(|(to, ..)| *to == partition).count() as i64;
            let of = |outcome: &str| {
                let prefix = format!("in/{partition}/{outcome}/");
                books.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(_, count)| count).sum::<i64>()
            };
            let outcomes: i64 = ["processed", "filtered", "duplicate", "late", "dead_lettered"].iter().map(|name| of(name)).sum();
            of("in") == sent && outcomes == sent
        })
    }

    /// On disk is what the changelog says, no more and no less.
    pub(crate) fn check_state(&self, state_dir: &Path, case: &str) {
        for (part, store, kinds) in [("by_account", "totals", 1), ("in", "in-task", 2)] {
            for partition in 0..PARTITIONS {
                let dir = state_dir.join(GROUP).join(format!("tally.{part}_{partition}"));
                if !dir.exists() {
                    continue;
                }
                let log = self.cluster.read_committed(&format!("{GROUP}-{store}-changelog"));
                let log = log.iter().filter(|record| record.partition == partition);
                assert_eq!(entries(&dir, kinds), folded(log), "{case}: {store} in {}", dir.display());
            }
        }
    }
}

/// Settings under which a test takes little time.
pub(crate) fn settings_for(instance: &str, state_dir: &Path) -> Settings {
    Settings {
        instance_id: instance.to_owned(),
        internal_partitions: PARTITIONS,
        commit_interval: Duration::from_millis(5),
        session_timeout: Duration::from_millis(1_500),
        transaction_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(5),
        give_up_after: Duration::from_mins(1),
        ..Settings::new("app", state_dir)
    }
}

/// Partition and offset of a bad line, and what is wrong with it.
type DeadLetter = (i32, i64, String);

fn dead_letter(record: &LoggedRecord) -> DeadLetter {
    let text = |name: &str| {
        let value = record.record.headers.last(name).and_then(|header| header.value.as_deref());
        String::from_utf8(value.expect("a dead letter says where it comes from").to_vec()).expect("text")
    };
    assert_eq!(text("dlq.topic"), "in", "the origin is the external input's, also behind a repartition");
    (text("dlq.partition").parse().expect("a partition"), text("dlq.offset").parse().expect("an offset"), text("dlq.reason"))
}

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the key-value store of a task that is closed holds: of a part that tallies or of one that deduplicates.
fn entries(dir: &Path, stores: usize) -> Entries {
    let totals = [StoreSpec::new("totals", StoreKind::KeyValue), StoreSpec::new("by_account-task", StoreKind::KeyValue)];
    let seen = [StoreSpec::new("seen", StoreKind::Dedup { memory_hours: 25 }), StoreSpec::new("in-task", StoreKind::KeyValue)];
    let (specs, store) = if stores == 1 { (totals, StoreId(0)) } else { (seen, StoreId(1)) };
    let limits = ResourceLimits { block_cache_bytes: 1 << 20, memtable_bytes: 1 << 20, background_threads: 1 };
    let options = OpenOptions { max_age_ms: i64::MAX, ..OpenOptions::at(0) };
    let state = TaskState::open(dir, &specs, &SharedResources::new(&limits), &options);
    let state = state.unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut entries = Entries::new();
    let all = (Bound::Unbounded, Bound::Unbounded);
    state
        .scan(store, all, &mut |key, value| {
            entries.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })
        .expect("the state can be read");
    entries
}

/// What a changelog says.
fn folded<'a>(log: impl Iterator<Item = &'a LoggedRecord>) -> Entries {
    let mut entries = Entries::new();
    for record in log {
        let key = record.record.key.as_ref().expect("a changelog record has a key").to_vec();
        match &record.record.value {
            Some(value) => entries.insert(key, value.to_vec()),
            None => entries.remove(&key),
        };
    }
    entries
}

/// Time that passes while a test waits.
pub(crate) struct Stopwatch(Timestamp);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(SystemClock.now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        let millis = SystemClock.now().as_millis() - self.0.as_millis();
        Duration::from_millis(millis.unsigned_abs())
    }
}

/// Waits, but not for ever.
pub(crate) fn wait(case: &str, until: impl FnMut() -> bool) {
    assert!(comes_to_pass(until), "{case}: it did not come to pass within {PATIENCE:?}");
}

fn comes_to_pass(mut until: impl FnMut() -> bool) -> bool {
    let started = Stopwatch::start();
    while !until() {
        if started.elapsed() > PATIENCE {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    true
}
