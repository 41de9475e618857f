//! Hundreds of random steps: money moves between accounts while instances come and go and calls fail. No cent is lost or made.
//!
//! The seed of a failure is in its message. Threads and time make the embedded runs differ from one another; the run of the test
//! driver is single-threaded, so there the same seed gives the same result to the byte.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use highwater::dsl::Consumed;
use highwater::kafka::KafkaErrorKind::{Abortable, Fatal, Fenced, Retriable, Timeout};
use highwater::kafka::memory::{At, Call, Fault, MemoryCluster, MemorySettings};
use highwater::processor::{Context, KvHandle, KvStore, ProcessError, Processor, ProcessorSupplier, StoreRef, TaskContext};
use highwater::runtime::{KafkaStreams, RunningStreams, Settings};
use highwater::time::SystemClock;
use highwater::{Record, StreamsBuilder, Timestamp, Topology, TopologyTestDriver};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::app::{Stopwatch, parse_total, settings_for, wait};

const PARTITIONS: i32 = 3;
const ACCOUNTS: u32 = 12;
const INSTANCES: usize = 3;
const GROUP: &str = "app-bank";
const REPARTITION: &str = "app-bank-by_account-repartition";

/// Books amounts: the balance of an account is told as `<bookings> <balance>`.
struct Booking(KvHandle<String, String>);
struct Booker(KvStore<String, String>);

impl ProcessorSupplier<String, i64> for Booking {
    type Processor = Booker;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> Booker {
        Booker(task.open(&self.0))
    }
}

impl Processor<String, i64> for Booker {
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        let (bookings, balance) = self.0.get(cx, &record.key)?.map_or((0, 0), |known| parse_total(&known));
        let value = format!("{} {}", bookings + 1, balance + record.value);
        self.0.put(cx, &record.key, &value)?;
        let Record { key, timestamp, headers, .. } = record;
        cx.forward(Record { key, value, timestamp, headers })
    }
}

/// Deposits are `<account> <amount>`, transfers `<from> <to> <amount>`.
fn topology() -> Topology {
    let builder = StreamsBuilder::new("bank");
    let balances = builder.key_value_store::<String, String>("balances");
    let deposits = builder.stream::<String, String>(Consumed::topic("deposits").lead());
    deposits
        .merge(builder.stream::<String, String>("transfers"))
        .flat_map(|_, line| match *line.split(' ').collect::<Vec<_>>() {
            [account, amount] => vec![(account.to_owned(), number(amount))],
            [from, to, amount] => vec![(from.to_owned(), -number(amount)), (to.to_owned(), number(amount))],
            _ => Vec::new(),
        })
        .repartition("by_account")
        .process("book", Booking(balances))
        .to("balances");
    builder.build().expect("the topology is right")
}

fn number(text: &str) -> i64 {
    text.parse().expect("an amount")
}

/// What the accounts must hold, after so many bookings.
type Ledger = BTreeMap<String, (i64, i64)>;

fn book(ledger: &mut Ledger, account: &str, amount: i64) {
    let (bookings, balance) = ledger.entry(account.to_owned()).or_default();
    *bookings += 1;
    *balance += amount;
}

/// A line at random: its topic, and the line.
fn line(random: &mut StdRng, ledger: &mut Ledger) -> (&'static str, String) {
    let mut account = || format!("a{}", random.random_range(0..ACCOUNTS));
    let (from, to) = (account(), account());
    let amount = random.random_range(1..1_000);
    if random.random_bool(0.3) {
        book(ledger, &to, amount);
        return ("deposits", format!("{to} {amount}"));
    }
    book(ledger, &from, -amount);
    book(ledger, &to, amount);
    ("transfers", format!("{from} {to} {amount}"))
}

struct Bank {
    cluster: MemoryCluster,
    dirs: Vec<tempfile::TempDir>,
    running: Vec<Option<RunningStreams>>,
    ledger: Ledger,
    random: StdRng,
    sent: i64,
}

impl Bank {
    fn new(seed: u64) -> Self {
        let settings = MemorySettings { marker_delay: Duration::from_millis(100), ..MemorySettings::default() };
        let cluster = MemoryCluster::new(Arc::new(SystemClock), settings);
        for topic in ["deposits", "transfers", "balances"] {
            cluster.create_topic(topic, PARTITIONS).expect("topics can be created");
        }
        let dir = |_| tempfile::tempdir().expect("a directory can be made");
        Self {
            cluster,
            dirs: (0..INSTANCES).map(dir).collect(),
            running: (0..INSTANCES).map(|_| None).collect(),
            ledger: Ledger::new(),
            random: StdRng::seed_from_u64(seed),
            sent: 0,
        }
    }

    fn settings(&self, index: usize) -> Settings {
        let threads = 1 + index % 2;
        let base = settings_for(&index.to_string(), self.dirs[index].path());
        Settings { threads, internal_partitions: PARTITIONS, session_timeout: Duration::from_millis(700), ..base }
    }

    fn start(&mut self, index: usize) {
        if self.running[index].is_none() {
            let streams = KafkaStreams::new(topology(), self.settings(index), Arc::new(self.cluster.clone()));
            self.running[index] = Some(streams.start().expect("it starts"));
        }
    }

    fn send(&mut self, lines: usize) {
        for _ in 0..lines {
            let (topic, line) = line(&mut self.random, &mut self.ledger);
            let partition = self.random.random_range(0..PARTITIONS);
            self.sent += 1;
            let at = Timestamp::from_millis(self.sent);
            self.cluster.append(topic, partition, Some(b"k"), Some(line.as_bytes()), at).expect("there is room");
        }
    }

    fn fault(&mut self) {
        let calls = [
            Call::Init,
            Call::Begin,
            Call::Send,
            Call::Flush,
            Call::SendOffsets,
            Call::Commit,
            Call::Commit,
            Call::GroupMetadata,
            Call::Poll,
            Call::Assign,
            Call::Committed,
            Call::Watermarks,
        ];
        let faults = [
            Fault::Fail(Retriable),
            Fault::Fail(Timeout),
            Fault::Fail(Abortable),
            Fault::Fail(Fenced),
            Fault::Fail(Fatal),
            Fault::FailAfterEffect(Timeout),
            Fault::FailAfterEffect(Retriable),
            Fault::Doubtful,
            Fault::Crash,
            Fault::CrashAfterEffect,
            Fault::Delay(Duration::from_millis(30)),
        ];
        let of_commit = [Fault::HeldCopy, Fault::Prepared, Fault::HalfMarked];
        let call = calls[self.random.random_range(0..calls.len())];
        let fault = if call == Call::Commit && self.random.random_bool(0.4) {
            of_commit[self.random.random_range(0..of_commit.len())]
        } else {
            faults[self.random.random_range(0..faults.len())]
        };
        self.cluster.faults().inject(At::from(call).number(self.random.random_range(1..5)), fault);
    }

    /// One step of the schedule.
    fn step(&mut self) {
        let index = self.random.random_range(0..INSTANCES);
        match self.random.random_range(0..20) {
            0..6 => {
                let lines = self.random.random_range(1..40);
                self.send(lines);
            }
            6..10 => self.fault(),
            10 | 11 => self.start(index),
            12 => drop(self.running[index].take().map(RunningStreams::crash)),
            13 => {
                if let Some(running) = self.running[index].take() {
                    running.shutdown(Duration::from_secs(20)).expect("it leaves");
                }
            }
            14 => {
                if self.running[index].is_none() {
                    let dir: PathBuf = self.dirs[index].path().join(GROUP);
                    drop(std::fs::remove_dir_all(dir));
                }
            }
            15 => self.cluster.evict(GROUP, &format!("{GROUP}-{index}-0")),
            16 => self.cluster.fence(&format!("{GROUP}-{index}-0")),
            17 => drop(self.cluster.deliver_held()),
            18 => self.cluster.compact(&format!("{GROUP}-balances-changelog")),
            _ => std::thread::park_timeout(Duration::from_millis(self.random.random_range(1..60))),
        }
    }

    fn is_done(&self) -> bool {
        ["deposits", "transfers", REPARTITION].iter().all(|topic| {
            (0..PARTITIONS).all(|partition| {
                let end = self.cluster.end_offset(topic, partition).unwrap_or(0);
                self.cluster.committed_offset(GROUP, topic, partition).unwrap_or(0) >= end
            })
        })
    }

    fn check(&self, case: &str) {
        let mut found = Ledger::new();
        for record in self.cluster.read_committed("balances") {
            let (bookings, balance) = parse_total(record.value_text());
            let before = found.insert(record.key_text().to_owned(), (bookings, balance)).unwrap_or_default();
            assert_eq!(bookings, before.0 + 1, "{case}: every booking of {} is told once, in order", record.key_text());
        }
        assert_eq!(found, self.ledger, "{case}");
    }
}

fn run(seed: u64, steps: usize) {
    let case = format!("seed {seed}");
    let started = Stopwatch::start();
    let mut bank = Bank::new(seed);
    bank.start(0);
    for _ in 0..steps {
        bank.step();
    }
    bank.cluster.faults().clear();
    bank.start(0);
    bank.send(20);
    wait(&case, || bank.is_done());
    for running in bank.running.iter_mut().filter_map(Option::take) {
        running.shutdown(Duration::from_secs(20)).unwrap_or_else(|error| panic!("{case}: it leaves: {error}"));
    }
    bank.check(&case);
    assert!(started.elapsed() < Duration::from_mins(2), "{case}: took {:?}", started.elapsed());
}

// covers: I1, I2, I3, I4
#[test]
fn money_is_conserved_through_random_faults_crashes_and_rebalances() {
    for seed in 1..=4 {
        run(seed, 150);
    }
}

// covers: I1, I3
#[test]
#[ignore = "takes minutes; for a search of new schedules"]
fn money_is_conserved_through_many_more_schedules() {
    for seed in 100..160 {
        run(seed, 250);
    }
}

/// All that comes out of a schedule of the test driver, byte for byte.
fn drive(seed: u64) -> (Vec<(String, String)>, Ledger) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut ledger = Ledger::new();
    let mut driver = TopologyTestDriver::with_partitions(&topology(), PARTITIONS).committing_by_hand();
    for at in 0..400 {
        match random.random_range(0..10) {
            0 => driver.commit(),
            // What was not committed is gone with the crash, as its input would come again from Kafka: so commit before it.
            1 => {
                driver.commit();
                driver.crash_and_restart();
            }
            2 => driver.advance_wall_clock(Duration::from_millis(50)),
            _ => {
                let (topic, line) = line(&mut random, &mut ledger);
                let partition = random.random_range(0..PARTITIONS);
                driver.input(topic).partition(partition).send("k".to_owned(), line, at);
            }
        }
    }
    driver.drain();
    (driver.output("balances").read_all(), ledger)
}

#[test]
fn the_same_seed_gives_the_same_outcome_where_one_thread_runs() {
    for seed in 0..10 {
        let (first, ledger) = drive(seed);
        assert_eq!(first, drive(seed).0, "seed {seed}");
        let last: Ledger = first.into_iter().map(|(account, told)| (account, parse_total(&told))).collect();
        assert_eq!(last, ledger, "seed {seed}");
    }
}
