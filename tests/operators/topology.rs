//! Topologies described and compared, to the letter.

use std::time::Duration;

use expect_test::{Expect, expect};
use highwater::dsl::{Consumed, Dedup, Emit, Materialized, SessionWindows};
use highwater::topology::{Description, Format, diff};
use highwater::{StreamsBuilder, Topology};

/// A topology of two parts, with what the tests change.
struct Version {
    store: &'static str,
    lead: &'static str,
    gap_minutes: u64,
    partitions: i32,
    filters: bool,
}

const FIRST: Version = Version { store: "sessions", lead: "events", gap_minutes: 30, partitions: 3, filters: false };

fn build(version: &Version) -> Topology {
    let builder = StreamsBuilder::new("visits");
    builder.version("1.2.3");
    builder.dead_letters("dlq");
    let source = |topic: &'static str| {
        let consumed = Consumed::<String, String>::topic(topic);
        if version.lead == topic { consumed.subtopology("intake") } else { consumed }
    };
    let events = builder.stream(source("events"));
    let names = builder.table(source("names"), "names");
    let events = if version.filters { events.filter(|_, event| !event.is_empty()) } else { events };
    let once = Dedup::by(|_: &String, event: &String| event.len() as u128).store("seen").late_to("late");
    let visitors = events.dedup(once).left_join_table(names, |_, event, _| event).select_key(|_, event| event.clone());
    let visitors = visitors.group_with(highwater::dsl::Grouped::named("by-visitor").partitions(version.partitions));
    visitors
        .windowed_by(SessionWindows::inactivity(Duration::from_mins(version.gap_minutes)).late_to("late"))
        .count(Materialized::named(version.store).emit(Emit::AtMostEvery(Duration::from_secs(30))))
        .to_stream()
        .to("counts");
    builder.build().unwrap()
}

fn check(actual: &str, expected: &Expect) {
    expected.assert_eq(actual);
}

#[test]
fn a_topology_as_text() {
    check(
        &build(&FIRST).describe(Format::Text),
        &expect![[r"
        topology visits
          visits.by-visitor, one task for each partition of (by-visitor)
            stores: sessions (session)
            from (by-visitor) -> sessions
            sessions -> sessions/to_stream
            sessions/to_stream -> to counts
            to counts
          visits.intake, one task for each partition of events
            stores: names (key-value), seen (dedup)
            from events -> seen
            from names -> names
            names
            seen -> seen/stream_table_join
            seen/stream_table_join -> seen/stream_table_join/select_key
            seen/stream_table_join/select_key -> to (by-visitor)
            to (by-visitor)
        repartition topic (by-visitor), 3 partitions
        late records to late
        dead letters to dlq
    "]],
    );
}

#[test]
fn a_topology_as_a_mermaid_graph() {
    check(
        &build(&FIRST).describe(Format::Mermaid),
        &expect![[r#"
        flowchart LR
          t0[/"(by-visitor)"/]
          t1[/"counts"/]
          t2[/"events"/]
          t3[/"names"/]
          subgraph p0["visits.by-visitor"]
            n0["by-visitor-repartition"]
            n1["sessions<br/>sessions"]
            n2["sessions/to_stream"]
            n3["sessions/to_stream/sink"]
            n0 --> n1
            n1 --> n2
            n2 --> n3
          end
          t0 --> n0
          n3 --> t1
          subgraph p1["visits.intake"]
            n4["events"]
            n5["names"]
            n6["names<br/>names"]
            n7["seen<br/>seen"]
            n8["seen/stream_table_join<br/>names"]
            n9["seen/stream_table_join/select_key"]
            n10["seen/stream_table_join/select_key/sink"]
            n5 --> n6
            n4 --> n7
            n7 --> n8
            n8 --> n9
            n9 --> n10
          end
          t2 --> n4
          t3 --> n5
          n10 --> t0
    "#]],
    );
}

#[test]
fn a_description_comes_back_from_json() {
    let topology = build(&FIRST);
    let read: Description = serde_json::from_str(&topology.describe(Format::Json)).unwrap();
    assert_eq!(read, topology.description());
}

fn differences(old: &Version, new: &Version) -> String {
    let all = diff(&build(old).describe(Format::Json), &build(new)).unwrap();
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

// covers: I8
#[test]
fn another_operator_between_two_moves_no_state() {
    check(
        &differences(&FIRST, &Version { filters: true, ..FIRST }),
        &expect![[r"
            kept     sub-topology visits.by-visitor
            kept     sub-topology visits.intake
            kept     store names
            kept     store seen
            kept     store sessions
            kept     repartition topic by-visitor"]],
    );
}

// covers: I8
#[test]
fn what_would_lose_state_or_records_is_marked() {
    check(
        &differences(&FIRST, &Version { store: "visits", gap_minutes: 20, ..FIRST }),
        &expect![[r"
            kept     sub-topology visits.by-visitor
            kept     sub-topology visits.intake
            kept     store names
            kept     store seen
            lost     store sessions  BREAKS: its state stays behind in a changelog that nobody reads
            added    store visits
            kept     repartition topic by-visitor"]],
    );
    check(
        &differences(&FIRST, &Version { lead: "names", partitions: 4, gap_minutes: 20, ..FIRST }),
        &expect![[r"
            kept     sub-topology visits.by-visitor
            kept     sub-topology visits.intake
            changed  lead topic of visits.intake: events -> names  BREAKS: its partitions stand for the tasks, so tasks would be assigned by another topic
            kept     store names
            kept     store seen
            changed  store sessions: for 1800000 ms -> for 1200000 ms
            changed  repartition topic by-visitor: 3 partitions -> 4 partitions  BREAKS: keys would move to other partitions than their state"]],
    );
    let other = StreamsBuilder::new("other");
    other.stream::<String, String>("events").to("out");
    let all = diff(&build(&FIRST).describe(Format::Json), &other.build().unwrap()).unwrap();
    assert!(all.iter().filter(|one| one.breaks.is_some()).count() == 7, "{all:#?}");
}

#[test]
fn what_is_no_description_is_refused() {
    assert!(diff("{}", &build(&FIRST)).is_err());
}
