//! One record is atomic, and one that cannot be processed stops nothing; one that what it needs cannot read yet waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use highwater::dsl::Consumed;
use highwater::kafka::Kafka;
use highwater::processor::{
    Context, KvHandle, KvStore, ProcessError, Processor, ProcessorSupplier, PunctuationClock, StoreRef, TaskContext,
};
use highwater::serde::{Decode, DefaultSerde, Encode, Serde, SerdeError};
use highwater::{ErrorKind, Record, StreamsBuilder, Timestamp, Topology};

use crate::app::wait;
use crate::small::Small;

/// Puts, forwards, reads, and then fails if it is told to. Says what stream time it sees.
struct Writing(KvHandle<String, String>);
struct Writer(KvStore<String, String>);

impl ProcessorSupplier<String, String> for Writing {
    type Processor = Writer;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> Writer {
        Writer(task.open(&self.0))
    }
}

impl Processor<String, String> for Writer {
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<String, String>, cx: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        let known = self.0.all(cx)?.into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(",");
        self.0.put(cx, &record.value, &record.value)?;
        let value = format!("{} knows [{known}] at {}", record.value, cx.stream_time());
        let fails = record.value.clone();
        cx.forward(Record { value, ..record })?;
        match &*fails {
            "reject" => Err(ProcessError::rejected("wrong_type", "as asked")),
            "panic" => panic!("as asked"),
            _ => Ok(()),
        }
    }
}

fn writing() -> Topology {
    let builder = StreamsBuilder::new("writing");
    builder.dead_letters("dead");
    let store = builder.key_value_store::<String, String>("written");
    builder.stream::<String, String>("in").process("write", Writing(store)).to("out");
    builder.build().expect("the topology is right")
}

// covers: I10, I11
#[test]
fn a_record_that_fails_leaves_its_dead_letter_and_moves_no_time() {
    let small = Small::new(&[("in", 1), ("out", 1), ("dead", 1)]);
    let lines = [("a", 10), ("reject", 5_000), ("b", 20), ("panic", 6_000), ("c", 15)];
    for (value, at_ms) in lines {
        small.send("in", 0, value, at_ms);
    }
    let running = small.start(writing());
    wait("all is processed", || small.values("out").len() == 3 && small.values("dead").len() == 2);
    let expected = ["a knows [] at 10", "b knows [a] at 20", "c knows [a,b] at 20"];
    assert_eq!(small.values("out"), expected, "neither writes, nor forwards, nor time of what failed remain");
    assert_eq!(small.values("dead"), ["reject", "panic"], "the input's own bytes");
    let outcomes = running.status().outcomes;
    let count = |outcome: &'static str, reason: &'static str| outcomes.get(&("in".to_owned(), outcome, reason)).copied();
    assert_eq!(count("processed", ""), Some(3));
    assert_eq!((count("dead_lettered", "wrong_type"), count("dead_lettered", "internal")), (Some(1), Some(1)));
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
}

/// Reads text, if what it depends on answers; refuses and panics on order.
struct Registry {
    is_away: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Encode<String> for Registry {
    fn encode(&self, value: &String, out: &mut BytesMut) -> Result<(), SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }
}

impl Decode<String> for Registry {
    fn decode(&self, bytes: &[u8]) -> Result<String, SerdeError> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match &*text {
            "unknown schema" if self.is_away.load(Ordering::SeqCst) => {
                self.asked.fetch_add(1, Ordering::SeqCst);
                Err(SerdeError::unavailable("the registry does not answer"))
            }
            "malformed" => Err(SerdeError::new("not_json", "as asked")),
            "panic" => panic!("a decoder panics, as asked"),
            _ => Ok(text),
        }
    }
}

impl Serde<String> for Registry {}

// covers: I5, I10
#[test]
fn a_record_whose_schema_cannot_be_asked_for_waits_and_holds_up_its_own_partition_only() {
    let small = Small::new(&[("in", 2), ("out", 2), ("dead", 1)]);
    let (is_away, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let builder = StreamsBuilder::new("reading");
    builder.dead_letters("dead");
    let serde = Arc::new(Registry { is_away: Arc::clone(&is_away), asked: Arc::clone(&asked) });
    builder.stream(Consumed::with("in", String::default_serde(), serde)).to("out");
    let topology = builder.build().expect("the topology is right");
    for value in ["a", "malformed", "panic", "b", "unknown schema", "c"] {
        small.send("in", 0, value, 1);
    }
    small.send("in", 1, "d", 1);
    let running = small.start(topology);
    wait("what can be processed is", || small.values("out").len() == 3);
    small.send("in", 1, "e", 1);
    wait("the other partition goes on", || small.values("out").len() == 4);
    wait("it is tried again", || asked.load(Ordering::SeqCst) >= 3);
    let waits: Vec<_> = running.status().tasks.into_values().filter_map(|task| task.waits_for).collect();
    assert_eq!(waits.len(), 1, "whoever watches sees it");
    assert!(waits[0].contains("registry"), "{waits:?}");
    assert_eq!(small.cluster.committed_offset("app-reading", "in", 0), Some(4), "it is not passed over");
    is_away.store(false, Ordering::SeqCst);
    wait("it goes on", || small.values("out").len() == 6);
    assert_eq!(small.values("dead"), ["malformed", "panic"], "what waited is no dead letter");
    assert_eq!(running.status().recoveries, 0, "no transaction was given up");
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
}

/// Fails when the wall clock calls it.
struct Failing(&'static str);

impl ProcessorSupplier<String, String> for Failing {
    type Processor = Self;

    fn create(&self, task: &mut TaskContext<'_>) -> Self {
        task.every(Duration::from_millis(1), PunctuationClock::WallClock);
        Self(self.0)
    }
}

impl Processor<String, String> for Failing {
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<String, String>, cx: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        cx.forward(record)
    }

    fn punctuate(&mut self, _: Timestamp, _: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        match self.0 {
            "panic" => panic!("as asked"),
            _ => Err(ProcessError::rejected("bad_value", "as asked")),
        }
    }
}

// covers: I10
#[test]
fn what_fails_without_a_record_ends_the_thread_with_a_sentence() {
    for how in ["panic", "reject"] {
        let small = Small::new(&[("in", 1), ("out", 1)]);
        let builder = StreamsBuilder::new("failing");
        builder.stream::<String, String>("in").process("fail", Failing(how)).to("out");
        let running = small.start(builder.build().expect("the topology is right"));
        wait(how, || running.is_finished());
        let error = running.join().expect_err("it failed");
        assert_eq!(*error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("as asked"), "{error}");
        assert!(error.to_string().contains("failing.in_0"), "{error}");
    }
}

/// Says something whenever the wall clock calls it.
struct Chatting;

impl ProcessorSupplier<String, String> for Chatting {
    type Processor = Self;

    fn create(&self, task: &mut TaskContext<'_>) -> Self {
        task.every(Duration::from_millis(5), PunctuationClock::WallClock);
        Self
    }
}

impl Processor<String, String> for Chatting {
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, _: Record<String, String>, _: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        Ok(())
    }

    fn punctuate(&mut self, at: Timestamp, cx: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        let headers = highwater::Headers::new();
        cx.forward(Record { key: "k".to_owned(), value: "tick".to_owned(), timestamp: at, headers })
    }
}

/// What a punctuation emits carries positions too, though no record ever came: without any, nobody would fence a zombie.
// covers: I1
#[test]
fn no_transaction_commits_without_a_position() {
    let small = Small::new(&[("in", 1), ("out", 1)]);
    let builder = StreamsBuilder::new("chatting");
    builder.stream::<String, String>("in").process("chat", Chatting).to("out");
    let running = small.start(builder.build().expect("the topology is right"));
    wait("it chats", || small.values("out").len() > 3);
    assert_eq!(small.cluster.committed_offset("app-chatting", "in", 0), Some(0));
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
}

/// What a record changed before it failed is not told at the commit either.
// covers: I10
#[test]
fn a_table_that_emits_at_commits_does_not_tell_of_records_that_failed() {
    let small = Small::new(&[("in", 1), ("counts", 1), ("dead", 1)]);
    let builder = StreamsBuilder::new("counting");
    builder.dead_letters("dead");
    let stream = builder.stream::<String, String>("in");
    stream.group_by_key().count("counted").to_stream().map_values(|_, count| count.map(|count| count.to_string())).to("counts");
    let store = builder.key_value_store::<String, String>("written");
    let _ = stream.process("write", Writing(store));
    let topology = builder.build().expect("the topology is right");
    small.send("in", 0, "reject", 1);
    let running = small.start(topology);
    wait("it is rejected", || small.values("dead").len() == 1);
    small.send("in", 0, "a", 2);
    wait("the next one counts", || !small.values("counts").is_empty());
    small.send("in", 0, "panic", 3);
    wait("it is rejected", || small.values("dead").len() == 2);
    small.send("in", 0, "b", 4);
    wait("the next one counts", || small.values("counts").len() > 1);
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    assert_eq!(small.values("counts"), ["1", "2"]);
}

/// What a topic would refuse becomes a dead letter before it is sent, or it would come back for ever.
// covers: I10
#[test]
fn a_record_that_grows_too_large_for_its_topic_stops_nothing() {
    let small = Small::new(&[("in", 1), ("out", 1), ("dead", 1)]);
    let mut admin = small.cluster.admin().expect("an admin client");
    let limit = |bytes: &str| std::iter::once(("max.message.bytes".to_owned(), bytes.to_owned())).collect();
    admin.alter_topic_config("out", &limit("5000"), Duration::from_secs(5)).expect("the topic is there");
    admin.alter_topic_config("dead", &limit("20000"), Duration::from_secs(5)).expect("the topic is there");
    let builder = StreamsBuilder::new("growing");
    builder.dead_letters("dead");
    builder.stream::<String, String>("in").map_values(|_, text| text.repeat(100)).to("out");
    let lines = ["a".to_owned(), "b".repeat(100), "c".repeat(30_000), "d".to_owned()];
    for line in &lines {
        small.send("in", 0, line, 1);
    }
    let running = small.start(builder.build().expect("the topology is right"));
    wait("what can be sent is", || small.values("out").len() == 2 && small.values("dead").len() == 2);
    assert_eq!(small.values("out"), ["a".repeat(100), "d".repeat(100)]);
    assert_eq!(small.values("dead"), [&*lines[1], ""], "a letter that is too large itself comes without its value");
    let reasons = small.cluster.read_committed("dead").into_iter().map(|letter| {
        let reason = letter.record.headers.last("dlq.reason").and_then(|header| header.value.clone());
        String::from_utf8(reason.expect("it has a reason").to_vec()).expect("text")
    });
    assert_eq!(reasons.collect::<Vec<_>>(), ["too_large", "too_large"]);
    assert_eq!(running.status().recoveries, 0);
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
}
