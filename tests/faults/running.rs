//! A stream thread at work: which record comes first, what is held back, when it commits, how it stops, what stops its start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use highwater::dsl::Consumed;
use highwater::kafka::memory::{At, Call, Fault, MemoryCluster, MemorySettings};
use highwater::kafka::{CommittedOffset, ConsumerSettings, Isolation, Kafka, NewTopic, ProducerSettings};
use highwater::runtime::{KafkaStreams, ProcessingGuarantee, Settings};
use highwater::time::{Clock, VirtualClock};
use highwater::{ErrorKind, StreamsBuilder, Timestamp, TopicPartition, Topology};

use crate::app::{GROUP, PARTITIONS, Stopwatch, World, settings_for, topology, wait};
use crate::small::Small;

const TIMEOUT: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_hours(1);

fn copying() -> Topology {
    let builder = StreamsBuilder::new("copying");
    builder.stream::<String, String>("in").to("out");
    builder.build().expect("the topology is right")
}

fn merging() -> Topology {
    let builder = StreamsBuilder::new("merging");
    let left = builder.stream::<String, String>(Consumed::topic("left").lead());
    left.merge(builder.stream::<String, String>("right")).to("out");
    builder.build().expect("the topology is right")
}

#[test]
fn the_record_with_the_lowest_time_goes_first_whichever_partition_it_is_in() {
    let small = Small::new(&[("left", 1), ("right", 1), ("out", 1)]);
    let mut expected = Vec::new();
    for at_ms in 0..3_000 {
        let topic = if (at_ms / 7) % 2 == 0 { "left" } else { "right" };
        small.send(topic, 0, &at_ms.to_string(), at_ms);
        expected.push(at_ms.to_string());
    }
    // One poll brings a few records of one partition: the order must not depend on which came first.
    let mut settings = small.settings();
    settings.limits.poll_records = 10;
    let running = small.try_start(merging(), settings).expect("it starts");
    wait("all is merged", || small.values("out").len() == expected.len());
    assert_eq!(small.values("out"), expected);
    running.shutdown(TIMEOUT).expect("it leaves in order");
}

#[test]
fn a_silent_input_is_waited_for_as_long_as_asked_and_no_longer() {
    for (task_idle, in_order) in [(Duration::from_millis(600), true), (Duration::ZERO, false)] {
        let small = Small::new(&[("left", 1), ("right", 1), ("out", 1)]);
        let running = small.try_start(merging(), Settings { task_idle, ..small.settings() }).expect("it starts");
        wait("it runs", || running.status().is_ready());
        small.send("left", 0, "second", 2);
        let sent = Stopwatch::start();
        std::thread::park_timeout(Duration::from_millis(150));
        small.send("right", 0, "first", 1);
        wait("both come out", || small.values("out").len() == 2);
        let expected = if in_order { ["first", "second"] } else { ["second", "first"] };
        assert_eq!(small.values("out"), expected, "{task_idle:?}");
        assert!(sent.elapsed() < Duration::from_secs(3), "it does not wait for ever");
        running.shutdown(TIMEOUT).expect("it leaves in order");
    }
}

// covers: I9
#[test]
fn a_partition_that_brings_more_than_can_wait_is_paused_and_resumed() {
    let small = Small::new(&[("in", 1), ("out", 1)]);
    for number in 0..6_000 {
        small.send("in", 0, &format!("{number:01000}"), 1);
    }
    small.cluster.faults().trace();
    let mut settings = small.settings();
    settings.limits.queue_bytes = 100_000;
    settings.limits.poll_records = 5_000;
    let running = small.try_start(copying(), settings).expect("it starts");
    wait("all is copied", || small.values("out").len() == 6_000);
    let count = |call: Call| small.cluster.faults().steps().iter().filter(|step| step.call == call).count();
    assert!(count(Call::Pause) > 1, "beside the pause while state is restored");
    assert_eq!(count(Call::Pause), count(Call::Resume), "whatever was paused goes on");
    running.shutdown(TIMEOUT).expect("it leaves in order");
}

// covers: I9
#[test]
fn a_transaction_that_has_gathered_enough_bytes_commits_early() {
    for (transaction_bytes, commits_early) in [(200_000, true), (1 << 30, false)] {
        let small = Small::new(&[("in", 1), ("out", 1)]);
        for number in 0..3_000 {
            small.send("in", 0, &format!("{number:01000}"), 1);
        }
        let mut settings = Settings { commit_interval: HOUR, ..small.settings() };
        settings.limits.transaction_bytes = transaction_bytes;
        let running = small.try_start(copying(), settings).expect("it starts");
        if commits_early {
            wait("most is committed", || small.values("out").len() >= 2_000);
        } else {
            std::thread::park_timeout(Duration::from_millis(500));
            assert_eq!(small.values("out").len(), 0, "nothing asks for a commit");
        }
        running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
        assert_eq!(small.values("out").len(), 3_000, "the end commits");
    }
}

// covers: I1
#[test]
fn a_stop_commits_everything_within_ten_seconds() {
    let mut world = World::new();
    world.settings.commit_interval = HOUR;
    world.settings.threads = 2;
    world.send(300);
    let running = world.start();
    wait("it runs", || running.status().is_ready() && running.status().tasks.len() == 4);
    std::thread::park_timeout(Duration::from_millis(300));
    let asked = Stopwatch::start();
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    assert!(asked.elapsed() < Duration::from_secs(10));
    let committed: i64 = (0..PARTITIONS).filter_map(|partition| world.cluster.committed_offset(GROUP, "in", partition)).sum();
    assert_eq!(committed, 300, "all that was read is committed");
}

#[test]
fn a_stop_while_a_restore_or_a_position_is_waited_for_does_not_wait() {
    // A restore that stands still: reads of the changelog take for ever.
    let mut world = World::new();
    world.send(100);
    let running = world.start();
    world.finish(running, "before");
    std::fs::remove_dir_all(world.state.path().join(GROUP)).expect("it is there");
    world.cluster.faults().inject(At::from(Call::Watermarks).onwards(), Fault::Delay(Duration::from_millis(500)));
    let running = world.start();
    std::thread::park_timeout(Duration::from_millis(200));
    stop_at_once("while restoring", running);
    world.cluster.faults().clear();

    // A position that is not stable: another's transaction may still move it.
    let producer = ProducerSettings {
        transactional_id: Some("foreign".to_owned()),
        client_id: "foreign".to_owned(),
        transaction_timeout: Duration::from_mins(1),
        linger: Duration::ZERO,
        queue_max_bytes: 1 << 20,
    };
    let consumer = ConsumerSettings {
        group_id: GROUP.to_owned(),
        instance_id: None,
        client_id: "foreign".to_owned(),
        queue_max_bytes: 1 << 20,
        session_timeout: TIMEOUT,
        isolation: Isolation::ReadCommitted,
    };
    let mut producer = world.cluster.producer(&producer).expect("a producer");
    let consumer = world.cluster.consumer(&consumer).expect("a consumer");
    producer.init_transactions(TIMEOUT).expect("it begins");
    producer.begin().expect("it begins");
    let position = CommittedOffset { offset: 1, metadata: String::new() };
    let group = consumer.group_metadata().expect("the group is there");
    producer.send_offsets(&[(TopicPartition::new("in", 0), position)], &*group, TIMEOUT).expect("nobody fences it");
    let running = world.start();
    std::thread::park_timeout(Duration::from_millis(300));
    assert!(running.status().tasks.is_empty(), "it waits for a stable position");
    stop_at_once("while waiting for a position", running);
}

fn stop_at_once(case: &str, running: highwater::runtime::RunningStreams) {
    let asked = Stopwatch::start();
    running.shutdown(Duration::from_secs(10)).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert!(asked.elapsed() < Duration::from_secs(4), "{case}: took {:?}", asked.elapsed());
}

#[test]
fn a_broker_that_is_away_at_the_stop_does_not_keep_the_process() {
    let mut world = World::new();
    world.settings.commit_interval = HOUR;
    world.send(50);
    let running = world.start();
    wait("it runs", || running.status().is_ready());
    for call in [Call::Send, Call::Flush, Call::SendOffsets, Call::Commit, Call::GroupMetadata] {
        world.cluster.faults().inject(At::from(call).onwards(), Fault::Fail(highwater::kafka::KafkaErrorKind::Timeout));
    }
    stop_at_once("broker away", running);
    world.cluster.faults().clear();
    world.settings.commit_interval = Duration::from_millis(5);
    let running = world.start();
    world.finish(running, "what was not committed is done again");
}

#[test]
fn positions_are_committed_again_every_hour_so_that_they_do_not_expire() {
    let clock = Arc::new(VirtualClock::starting_at(Timestamp::from_millis(1_000_000)));
    let cluster = MemoryCluster::new(clock.clone(), MemorySettings::default());
    for topic in ["in", "out"] {
        cluster.create_topic(topic, 1).expect("topics can be created");
    }
    cluster.append("in", 0, Some(b"k"), Some(b"v"), clock.now()).expect("there is room");
    let state = tempfile::tempdir().expect("a directory can be made");
    let settings = Settings { session_timeout: 100 * HOUR, ..settings_for("0", state.path()) };
    let streams = KafkaStreams::new(copying(), settings, Arc::new(cluster.clone())).with_clock(clock.clone());
    let running = streams.start().expect("it starts");
    wait("the record is committed", || {
        clock.advance(Duration::from_millis(10));
        cluster.committed_offset("app-copying", "in", 0) == Some(1)
    });
    let quiet = running.status().commits;
    clock.advance(Duration::from_mins(59));
    std::thread::park_timeout(Duration::from_millis(100));
    assert_eq!(running.status().commits, quiet, "nothing happened");
    clock.advance(Duration::from_mins(2));
    wait("positions are committed again", || running.status().commits == quiet + 1);
    running.stop();
    running.join().expect("it leaves in order");
}

// covers: I8
#[test]
fn positions_of_a_program_that_cuts_the_work_otherwise_stop_the_start() {
    let small = Small::new(&[("in", 1), ("out", 1)]);
    let other = CommittedOffset { offset: 0, metadata: "hw1:0000000000000000".to_owned() };
    let mut admin = small.cluster.admin().expect("an admin client");
    admin.alter_group_offsets("app-copying", &[(TopicPartition::new("in", 0), other)], TIMEOUT).expect("nobody is in the group");
    let error = small.failure(copying(), small.settings());
    assert_eq!(*error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("lead topics or partition counts that differ"), "{error}");
    assert!(error.to_string().contains("reset the application"), "{error}");
}

// covers: I5
#[test]
fn a_position_that_its_topic_does_not_have_stops_the_application_with_the_mend() {
    for (case, committed, trimmed_to) in [("below the start", 3, 7), ("above the end", 30, 0)] {
        let small = Small::new(&[("in", 1), ("out", 1)]);
        for number in 0..10 {
            small.send("in", 0, &number.to_string(), 1);
        }
        let position = CommittedOffset { offset: committed, metadata: String::new() };
        let partition = TopicPartition::new("in", 0);
        let mut admin = small.cluster.admin().expect("an admin client");
        admin.alter_group_offsets("app-copying", &[(partition.clone(), position)], TIMEOUT).expect("nobody is in the group");
        admin.delete_records(&[(partition, trimmed_to)], TIMEOUT).expect("the topic can be trimmed");
        let error = small.failure(copying(), small.settings());
        assert_eq!(*error.kind(), ErrorKind::Config, "{case}");
        for told in ["in-0", &committed.to_string(), "retention", "reset the application"] {
            assert!(error.to_string().contains(told), "{case}: `{error}` says {told}");
        }
    }
}

/// Case, topology, topics of the outside world, internal topics that are there already, what the error tells.
type Refusal<'a> = (&'a str, Topology, Vec<(&'a str, i32)>, Vec<NewTopic>, Vec<&'a str>);

#[test]
fn a_start_that_cannot_go_well_is_refused_with_the_mend() {
    let new = |name: &str, partitions: i32, policy: &str| NewTopic {
        name: name.to_owned(),
        partitions,
        replication_factor: -1,
        config: BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]),
    };
    let changelog = "app-tally-totals-changelog";
    let all = [("in", 2), ("out", 2), ("dead", 2), ("books", 2)];
    let cases: Vec<Refusal<'_>> = vec![
        ("a missing input", topology(), all[1..].to_vec(), vec![], vec!["`in`", "do not exist", "create it"]),
        ("a missing output", topology(), vec![all[0], all[2], all[3]], vec![], vec!["`out`", "do not exist"]),
        (
            "unequal counts",
            merging(),
            vec![("left", 2), ("right", 3), ("out", 1)],
            vec![],
            vec!["`left`", "`right`", "2 and 3", "repartition"],
        ),
        (
            "a changelog that throws away by age",
            topology(),
            all.to_vec(),
            vec![new(changelog, 2, "delete")],
            vec![changelog, "cleanup.policy=delete", "needs compact", "kafka-configs.sh"],
        ),
        (
            "a changelog of other tasks",
            topology(),
            all.to_vec(),
            vec![new(changelog, 5, "compact")],
            vec![changelog, "5 partitions", "needs 2", "reset the application"],
        ),
    ];
    for (case, topology, topics, internal, told) in cases {
        let small = Small::new(&topics);
        small.cluster.admin().expect("an admin client").create_topics(&internal, TIMEOUT).expect("topics can be created");
        let settings = Settings { internal_partitions: PARTITIONS, ..small.settings() };
        let error = small.try_start(topology, settings).expect_err(case);
        assert_eq!(*error.kind(), ErrorKind::Config, "{case}: {error}");
        for part in told {
            assert!(error.to_string().contains(part), "{case}: `{error}` says {part}");
        }
    }
}

#[test]
fn at_least_once_loses_nothing() {
    let mut world = World::new();
    world.settings.guarantee = ProcessingGuarantee::AtLeastOnce;
    for _ in 0..3 {
        let running = world.start();
        world.send(100);
        wait("some is committed", || running.status().commits > 0);
        world.send(100);
        running.crash();
    }
    let running = world.start();
    world.wait_until_done("at least once");
    running.shutdown(TIMEOUT).expect("it leaves in order");
    let (mut last, mut sum) = (BTreeMap::new(), 0);
    for record in world.cluster.read_committed("out") {
        last.insert(record.key_text().to_owned(), crate::app::parse_total(record.value_text()).0);
    }
    sum += last.values().sum::<i64>();
    assert!(sum >= world.valid_lines() as i64, "{sum} of {} counted", world.valid_lines());
}
