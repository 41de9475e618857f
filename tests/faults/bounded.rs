//! `--until-end`: a bounded run ends when everything that lay in the inputs, and all that came of it, is committed.

use std::sync::Arc;
use std::time::Duration;

use highwater::dsl::{Emit, Materialized};
use highwater::kafka::{CommittedOffset, Kafka, ProducerSettings};
use highwater::runtime::until_end::{Progress, UntilEnd};
use highwater::runtime::{RunningStreams, Settings};
use highwater::{StreamsBuilder, TopicPartition, Topology};

use crate::app::{settings_for, wait};
use crate::small::Small;

const TIMEOUT: Duration = Duration::from_secs(5);
const GROUP: &str = "app-chain";
/// No count comes out of this by itself while a test runs.
const NEVER: Duration = Duration::from_hours(1);

/// Counts words, and then how many words have each count: what the first holds back feeds the second, which holds back too.
fn chain() -> Topology {
    let builder = StreamsBuilder::new("chain");
    builder
        .stream::<String, String>("in")
        .map(|_, word| (word.clone(), word))
        .repartition("by_word")
        .group_by_key()
        .count(Materialized::named("words").emit(Emit::AtMostEvery(NEVER)))
        .to_stream()
        .map(|_, count| (count.unwrap_or_default().to_string(), "one".to_owned()))
        .repartition("by_count")
        .group_by_key()
        .count(Materialized::named("counts").emit(Emit::AtMostEvery(NEVER)))
        .to_stream()
        .map_values(|_, words| words.unwrap_or_default().to_string())
        .to("out");
    builder.build().expect("the topology is right")
}

fn settings(small: &Small, instance: &str) -> Settings {
    Settings { internal_partitions: 2, ..settings_for(instance, &small.state.path().join(instance)) }
}

/// What a bounded run does: process, drain, look again, until nothing new comes.
fn run_until_end(mut end: UntilEnd, running: &[RunningStreams]) -> usize {
    let is_done = |end: &mut UntilEnd| end.poll().expect("positions can be read") == Progress::Done;
    wait("the inputs are processed", || is_done(&mut end));
    for rounds in 1..200 {
        running.iter().for_each(RunningStreams::drain);
        wait("what is held back comes out", || running.iter().all(RunningStreams::is_drained));
        end.look_again();
        if is_done(&mut end) && !end.holds_back().expect("positions can be read") {
            return rounds;
        }
        wait("what came of it is processed", || is_done(&mut end));
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("it never ends");
}

/// The last count of each key.
fn counts(small: &Small) -> Vec<(String, String)> {
    let last: std::collections::BTreeMap<String, String> = small
        .cluster
        .read_committed("out")
        .iter()
        .map(|record| (record.key_text().to_owned(), record.value_text().to_owned()))
        .collect();
    last.into_iter().collect()
}

fn send_words(small: &Small) {
    // Of ten words the first comes once, the second twice, and so on.
    for word in 0..10 {
        for _ in 0..=word {
            small.send("in", word % 2, &format!("w{word}"), 1);
        }
    }
}

fn one_word_for_each_count() -> Vec<(String, String)> {
    let mut expected: Vec<_> = (1..=10).map(|count: i32| (count.to_string(), "1".to_owned())).collect();
    expected.sort();
    expected
}

// covers: R48
#[test]
fn a_bounded_run_gives_out_all_that_was_held_back_in_every_part() {
    for instances in [1, 2] {
        let small = Small::new(&[("in", 2), ("out", 1)]);
        send_words(&small);
        let topology = chain();
        let all: Vec<Settings> = (0..instances).map(|index| settings(&small, &index.to_string())).collect();
        let running: Vec<_> =
            all.iter().map(|settings| small.try_start(topology.clone(), settings.clone()).expect("it starts")).collect();
        let end = UntilEnd::new(&small.cluster, &[(&topology, &all[0])]).expect("the inputs have ends");
        run_until_end(end, &running);
        for instance in running {
            instance.shutdown(Duration::from_secs(10)).expect("it leaves in order");
        }
        assert_eq!(counts(&small), one_word_for_each_count(), "{instances} instances");
    }
}

// covers: R48
#[test]
fn a_bounded_run_survives_the_crash_of_its_process() {
    let small = Small::new(&[("in", 2), ("out", 1)]);
    send_words(&small);
    let topology = chain();
    let running = small.try_start(topology.clone(), settings(&small, "0")).expect("it starts");
    wait("it has begun", || running.status().commits > 0);
    running.crash();
    let running = small.try_start(topology.clone(), settings(&small, "0")).expect("it starts");
    let end = UntilEnd::new(&small.cluster, &[(&topology, &settings(&small, "0"))]).expect("the inputs have ends");
    run_until_end(end, std::slice::from_ref(&running));
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    assert_eq!(counts(&small), one_word_for_each_count());
}

/// A static member that comes back gets its own tasks at once. Those of one that does not are nobody's until its session is over.
// covers: R48
#[test]
fn a_bounded_run_gives_out_what_a_member_that_is_gone_held_back() {
    for killed in [false, true] {
        let small = Small::new(&[("in", 2), ("out", 1)]);
        let topology = chain();
        let both = ["0", "gone"].map(|name| small.try_start(topology.clone(), settings(&small, name)).expect("it starts"));
        wait("they share the tasks", || both.iter().all(|running| running.status().tasks.len() == 3));
        send_words(&small);
        let mut end = UntilEnd::new(&small.cluster, &[(&topology, &settings(&small, "0"))]).expect("the inputs have ends");
        wait("the words are counted", || end.poll().expect("positions can be read") == Progress::Done);
        assert!(end.holds_back().expect("positions can be read"), "no count is out yet");
        for running in both {
            if killed {
                running.crash();
            } else {
                running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
            }
        }
        let running = small.try_start(topology.clone(), settings(&small, "0")).expect("it starts");
        let end = UntilEnd::new(&small.cluster, &[(&topology, &settings(&small, "0"))]).expect("the inputs have ends");
        run_until_end(end, std::slice::from_ref(&running));
        running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
        assert_eq!(counts(&small), one_word_for_each_count(), "killed: {killed}");
    }
}

/// A member that goes on beside a bounded run never stops holding something back, and is not waited for.
// covers: R48
#[test]
fn what_comes_after_the_end_is_not_waited_for() {
    let small = Small::new(&[("in", 2), ("out", 1), ("app-chain-by_word-repartition", 2), ("app-chain-by_count-repartition", 2)]);
    small.send("in", 0, "before", 1);
    let topology = chain();
    let settings = settings(&small, "0");
    let mut end = UntilEnd::new(&small.cluster, &[(&topology, &settings)]).expect("the inputs have ends");
    let held = |offset| CommittedOffset { offset, metadata: "hw1:0;held".to_owned() };
    for (offset, is_waited_for) in [(1, true), (2, false)] {
        small.send("in", 0, "after", 1);
        let mut admin = small.cluster.admin().expect("an admin client");
        admin.alter_group_offsets(GROUP, &[(TopicPartition::new("in", 0), held(offset))], TIMEOUT).expect("no member");
        assert_eq!(end.poll().expect("positions can be read"), Progress::Done);
        assert_eq!(end.holds_back().expect("positions can be read"), is_waited_for, "{offset}");
    }
}

// covers: R48
#[test]
fn a_bounded_run_over_nothing_ends_at_once() {
    let small = Small::new(&[("in", 2), ("out", 1)]);
    let topology = chain();
    let running = small.try_start(topology.clone(), settings(&small, "0")).expect("it starts");
    let end = UntilEnd::new(&small.cluster, &[(&topology, &settings(&small, "0"))]).expect("the inputs have ends");
    assert_eq!(run_until_end(end, std::slice::from_ref(&running)), 1);
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    assert!(counts(&small).is_empty());
}

fn commit(small: &Small, topic: &str, partition: i32, offset: i64) {
    let position = CommittedOffset { offset, metadata: String::new() };
    let mut admin = small.cluster.admin().expect("an admin client");
    admin.alter_group_offsets(GROUP, &[(TopicPartition::new(topic, partition), position)], TIMEOUT).expect("no member");
}

/// The watch alone, on positions that the test commits.
// covers: R48
#[test]
fn the_end_is_where_committed_positions_reach_the_ends_of_the_beginning() {
    let small = Small::new(&[("in", 2), ("out", 1), ("app-chain-by_word-repartition", 2), ("app-chain-by_count-repartition", 2)]);
    for number in 0..10 {
        small.send("in", 0, &number.to_string(), 1);
    }
    // Trimmed records are nobody's to process.
    let mut admin = small.cluster.admin().expect("an admin client");
    admin.delete_records(&[(TopicPartition::new("in", 0), 4)], TIMEOUT).expect("the topic can be trimmed");
    let topology = chain();
    let settings = settings(&small, "0");
    let mut end = UntilEnd::new(&small.cluster, &[(&topology, &settings)]).expect("the inputs have ends");
    let poll = |end: &mut UntilEnd| end.poll().expect("positions can be read");
    // Six records, and two parts whose inputs are not complete yet.
    assert_eq!(poll(&mut end), Progress::Remaining(8));
    small.send("in", 0, "came later", 1);
    commit(&small, "in", 0, 9);
    assert_eq!(poll(&mut end), Progress::Remaining(3), "what came later does not count");
    small.send("app-chain-by_word-repartition", 1, "0", 1);
    commit(&small, "in", 0, 10);
    assert_eq!(poll(&mut end), Progress::Remaining(2), "the next part has an end now");
    commit(&small, "app-chain-by_word-repartition", 1, 1);
    assert_eq!(poll(&mut end), Progress::Done);
    // What was held back feeds the last part, which is done with it before anybody looks.
    end.look_again();
    small.send("app-chain-by_count-repartition", 0, "0", 1);
    commit(&small, "app-chain-by_count-repartition", 0, 1);
    assert_ne!(poll(&mut end), Progress::Done, "it may hold something back again");
    assert_eq!(poll(&mut end), Progress::Done);
    end.look_again();
    assert_eq!(poll(&mut end), Progress::Done, "nothing new came");
}

/// Markers of transactions take offsets: a position behind the last record and before its marker is not the end, and a group
/// that has read to the end has passed the marker.
// covers: R48
#[test]
fn inputs_that_end_with_markers_of_transactions_are_read_to_their_end() {
    let small = Small::new(&[("in", 2), ("out", 1)]);
    let producer = ProducerSettings {
        transactional_id: Some("loader".to_owned()),
        client_id: "loader".to_owned(),
        transaction_timeout: Duration::from_mins(1),
        linger: Duration::ZERO,
        queue_max_bytes: 1 << 20,
    };
    let mut producer = small.cluster.producer(&producer).expect("a producer");
    producer.init_transactions(TIMEOUT).expect("it begins");
    let topic = Arc::from("in");
    let headers = highwater::Headers::new();
    for commits in [true, false, true, false] {
        producer.begin().expect("it begins");
        for partition in 0..2 {
            let record = highwater::kafka::Outgoing {
                topic: &topic,
                partition,
                key: Some(b"k"),
                value: Some(b"word"),
                timestamp: highwater::Timestamp::from_millis(1),
                headers: &headers,
                track: false,
            };
            producer.send(&record, TIMEOUT).expect("there is room");
        }
        if commits { producer.commit(TIMEOUT).expect("it commits") } else { producer.abort(TIMEOUT).expect("it aborts") }
    }
    let topology = chain();
    let running = small.try_start(topology.clone(), settings(&small, "0")).expect("it starts");
    let end = UntilEnd::new(&small.cluster, &[(&topology, &settings(&small, "0"))]).expect("the inputs have ends");
    run_until_end(end, std::slice::from_ref(&running));
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    assert_eq!(counts(&small), [("4".to_owned(), "1".to_owned())], "four committed records of one word");
    assert_eq!(small.cluster.committed_offset(GROUP, "in", 0), Some(8), "four records and four markers");
}
