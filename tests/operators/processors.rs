//! Processors written by hand: punctuation by both clocks, and stores that two of them share.

use std::time::Duration;

use highwater::processor::{
    Context, KvHandle, KvStore, ProcessError, Processor, ProcessorSupplier, PunctuationClock, StoreRef, TaskContext,
};
use highwater::{Record, StreamsBuilder, Timestamp, TopologyTestDriver};

/// Tells each punctuation.
struct Ticking(PunctuationClock);
struct Ticker;

impl ProcessorSupplier<String, String> for Ticking {
    type Processor = Ticker;

    fn create(&self, task: &mut TaskContext<'_>) -> Ticker {
        task.every(Duration::from_millis(10), self.0);
        Ticker
    }
}

impl Processor<String, String> for Ticker {
    type KeyOut = String;
    type ValueOut = i64;

    fn process(&mut self, _: Record<String, String>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
        Ok(())
    }

    fn punctuate(&mut self, at: Timestamp, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
        assert!(cx.origin().is_none(), "no record stands for a punctuation");
        cx.forward(Record::new("tick".to_owned(), at.as_millis(), at))
    }
}

fn ticking(clock: PunctuationClock) -> TopologyTestDriver {
    let builder = StreamsBuilder::new("ticks");
    builder.stream::<String, String>("in").process("ticker", Ticking(clock)).to("ticks");
    TopologyTestDriver::new(&builder.build().unwrap())
}

fn ticks(driver: &mut TopologyTestDriver) -> Vec<i64> {
    driver.output("ticks").read_all::<String, i64>().into_iter().map(|(_, at)| at).collect()
}

// covers: V-1.5-stream-punctuation
#[test]
fn stream_time_fires_when_it_passes_a_multiple_and_once_after_a_gap() {
    let mut driver = ticking(PunctuationClock::StreamTime);
    driver.advance_wall_clock(Duration::from_secs(1));
    assert!(ticks(&mut driver).is_empty(), "there is no stream time yet");
    for (at, fired) in [(3, vec![3]), (9, vec![]), (10, vec![10]), (5, vec![]), (47, vec![47]), (49, vec![]), (50, vec![50])] {
        driver.input("in").send("k".to_owned(), String::new(), at);
        assert_eq!(ticks(&mut driver), fired, "at {at}");
    }
}

// covers: V-1.5-wall-punctuation
#[test]
fn the_wall_clock_fires_a_period_after_it_was_set_and_skips_what_it_missed() {
    let mut driver = ticking(PunctuationClock::WallClock);
    driver.advance_wall_clock(Duration::ZERO);
    for (by, fired) in [(9, vec![]), (1, vec![10]), (35, vec![45]), (4, vec![]), (1, vec![50])] {
        driver.advance_wall_clock(Duration::from_millis(by));
        assert_eq!(ticks(&mut driver), fired, "{by} later");
    }
}

/// Counts the values of a key into a store.
struct Counting(KvHandle<String, u64>);
struct Counter(KvStore<String, u64>);

impl ProcessorSupplier<String, String> for Counting {
    type Processor = Counter;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> Counter {
        Counter(task.open(&self.0))
    }
}

impl Processor<String, String> for Counter {
    type KeyOut = String;
    type ValueOut = u64;

    fn process(&mut self, record: Record<String, String>, cx: &mut Context<'_, String, u64>) -> Result<(), ProcessError> {
        let count = self.0.get(cx, &record.key)?.unwrap_or(0) + 1;
        self.0.put(cx, &record.key, &count)?;
        cx.forward(record.clone().with(record.key, count))
    }
}

// covers: V-1.5-shared-store
#[test]
fn a_store_of_two_processors_joins_their_parts() {
    let builder = StreamsBuilder::new("shared");
    let counts = builder.key_value_store::<String, u64>("counts");
    let one = builder.stream(highwater::Consumed::<String, String>::topic("one").lead());
    one.process("count-one", Counting(counts.clone())).to("out");
    builder.stream::<String, String>("other").process("count-other", Counting(counts)).to("out");
    let topology = builder.build().unwrap();
    assert_eq!(topology.subtopologies().collect::<Vec<_>>(), ["shared.one"]);
    let mut driver = TopologyTestDriver::new(&topology);
    for topic in ["one", "other", "one"] {
        driver.input(topic).send("k".to_owned(), String::new(), 0);
    }
    let told: Vec<(String, u64)> = driver.output("out").read_all();
    assert_eq!(told.into_iter().map(|(_, count)| count).collect::<Vec<_>>(), [1, 2, 3]);
}
