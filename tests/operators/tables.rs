//! Tables by key: sources, aggregates, views, and tables grouped anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use highwater::dsl::{Consumed, Emit, Grouped, KTable, Materialized};
use highwater::task::Outcome;
use highwater::{StreamsBuilder, Topology, TopologyTestDriver};
use proptest::prelude::*;

type Rows = Vec<(String, Option<i64>)>;

fn filtered(driver: &TopologyTestDriver, reason: &'static str) -> u64 {
    driver.books().get(&("in".to_owned(), Outcome::Filtered, reason)).copied().unwrap_or(0)
}

/// Records as `key=value@time`, ⊥ for a deletion.
fn out(driver: &mut TopologyTestDriver) -> Vec<String> {
    let records = driver.output("out").read_records::<String, Option<i64>>();
    let text = |value: Option<i64>| value.map_or_else(|| "⊥".to_owned(), |value| value.to_string());
    records.into_iter().map(|record| format!("{}={}@{}", record.key, text(record.value), record.timestamp)).collect()
}

fn build(make: impl for<'b> Fn(&'b StreamsBuilder) -> KTable<'b, String, i64>) -> Topology {
    let builder = StreamsBuilder::new("tables");
    builder.dead_letters("dlq");
    make(&builder).to_stream().to("out");
    builder.build().unwrap()
}

fn send(driver: &mut TopologyTestDriver, key: &str, value: Option<i64>, at: i64) {
    driver.input("in").send(key.to_owned(), value, at);
}

// covers: V-1.4-table-source, V-1.4-to-stream
#[test]
fn a_topic_as_a_table_keeps_the_last_to_arrive_and_deletes_what_has_no_value() {
    let mut driver = TopologyTestDriver::new(&build(|builder| builder.table("in", "rows")));
    for (value, at) in [(Some(1), 5), (Some(2), 3), (None, 4), (None, 6), (Some(3), 1)] {
        send(&mut driver, "a", value, at);
        driver.crash_and_restart();
    }
    assert_eq!(out(&mut driver), ["a=1@5", "a=2@3", "a=⊥@4", "a=3@1"], "an older record counts; deleting nothing is nothing");
    driver.input("in").send_bytes(None, Some(&7_i64.to_be_bytes()), 9);
    assert_eq!(driver.dead_letters()[0].reason, "bad_key");
    assert!(out(&mut driver).is_empty());
}

// covers: V-1.2-to-table
#[test]
fn a_stream_as_a_table_has_no_row_without_a_key_and_deletes_what_has_no_value() {
    let builder = StreamsBuilder::new("tables");
    builder
        .stream::<Option<String>, Option<i64>>("in")
        .upsert_table("rows")
        .to_stream()
        .map(|key, value| (key.unwrap_or_default(), value))
        .to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    for (key, value) in [(Some("a"), Some(1_i64)), (None, Some(2)), (Some("a"), None)] {
        driver.input("in").send(key.map(str::to_owned), value, 0);
    }
    assert_eq!(out(&mut driver), ["a=1@0", "a=⊥@0"]);
    assert_eq!(filtered(&driver, "null_key"), 1);
}

// covers: V-1.2-to-table, V-1.1-repartition-mark
#[test]
fn a_stream_with_new_keys_becomes_a_table_behind_a_topic_named_after_the_store() {
    let topology =
        build(|builder| builder.stream::<String, i64>("in").select_key(|_, value| format!("of {value}")).to_table("rows"));
    let mut driver = TopologyTestDriver::with_partitions(&topology, 3);
    driver.input("in").send("a".to_owned(), 1_i64, 4);
    driver.input("in").send("b".to_owned(), 1_i64, 3);
    assert_eq!(driver.output("rows-repartition").read_raw().len(), 2);
    assert_eq!(out(&mut driver), ["of 1=1@4", "of 1=1@3"]);
}

// covers: V-1.3-reduce
#[test]
fn a_reduction_begins_with_the_first_value_and_leaves_out_what_has_no_key_or_value() {
    let builder = StreamsBuilder::new("tables");
    builder
        .stream::<Option<String>, Option<i64>>("in")
        .group_by_key()
        .reduce("sums", |a, b| Some(a.unwrap_or(0) * 10 + b.unwrap_or(0)))
        .to_stream()
        .map(|key, value| (key.unwrap_or_default(), value.flatten()))
        .to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    for (key, value, at) in [(Some("a"), Some(1_i64), 7), (None, Some(5), 8), (Some("a"), None, 9), (Some("a"), Some(2), 3)] {
        driver.input("in").send(key.map(str::to_owned), value, at);
    }
    assert_eq!(out(&mut driver), ["a=1@7", "a=12@7"], "the time is the larger of both");
    assert_eq!((filtered(&driver, "null_key"), filtered(&driver, "null_value")), (1, 1));
}

// covers: V-1.3-aggregate, V-1.1-timestamps
#[test]
fn an_aggregate_begins_with_its_initial_value_and_is_deleted_when_it_is_nothing() {
    let topology = |emit: Emit| {
        let builder = StreamsBuilder::new("tables");
        builder
            .stream::<String, i64>("in")
            .group_by_key()
            .aggregate(
                Materialized::<String, Option<i64>>::named("sums").emit(emit),
                || Some(100),
                |_, value, sum| {
                    *sum = sum.map(|sum| sum + value).filter(|sum| *sum != 0);
                },
            )
            .to_stream()
            .map(|key, value| (key, value.flatten()))
            .to("out");
        builder.build().unwrap()
    };
    for emit in [Emit::Update, Emit::Commit] {
        let mut driver = TopologyTestDriver::new(&topology(emit));
        for (value, at) in [(1_i64, 5), (-101, 9), (2, 1)] {
            driver.input("in").send("a".to_owned(), value, at);
            driver.crash_and_restart();
        }
        assert_eq!(out(&mut driver), ["a=101@5", "a=⊥@9", "a=102@1"], "{emit:?}");
    }
}

// covers: V-1.3-first-change
#[test]
fn a_count_over_a_count_is_right_from_the_first_change_on() {
    for emit in [Emit::Update, Emit::Commit, Emit::AtMostEvery(Duration::from_secs(1))] {
        let builder = StreamsBuilder::new("tables");
        builder
            .stream::<String, i64>("in")
            .group_by_key()
            .count(Materialized::named("counts").emit(emit))
            .group_by(|_, count| ("all".to_owned(), *count))
            .count(Materialized::named("keys").emit(emit))
            .to_stream()
            .map_values(|_, count| count.map(|count| count as i64))
            .to("out");
        let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
        for key in &["a", "b", "a", "a"] {
            driver.input("in").send((*key).to_owned(), 0_i64, 0);
        }
        driver.drain();
        assert_eq!(out(&mut driver).last().unwrap(), "all=2@0", "{emit:?}");
    }
}

// covers: V-2.3-rolling-stream
#[test]
fn a_stream_adds_up() {
    let topology = build(|builder| {
        builder.stream::<String, i64>("in").group_by_key().aggregate("sums", || 0, |_, value, sum| *sum += value)
    });
    let mut driver = TopologyTestDriver::new(&topology);
    for key in ["hello", "kafka", "streams", "kafka", "kafka", "streams"] {
        driver.input("in").send(key.to_owned(), 1_i64, 0);
    }
    assert_eq!(out(&mut driver), ["hello=1@0", "kafka=1@0", "streams=1@0", "kafka=2@0", "kafka=3@0", "streams=2@0"]);
}

fn letters_by_region(emit: Emit) -> Topology {
    build(move |builder| {
        builder
            .table::<Option<String>, String>("in", Materialized::named("people").emit(emit))
            .group_by(|name, region| (region.clone(), name.as_ref().map_or(0, String::len) as i64))
            .aggregate(
                Materialized::named("letters").emit(emit),
                || 0,
                |_, letters, sum| *sum += letters,
                |_, letters, sum| {
                    *sum -= letters;
                },
            )
    })
}

// covers: V-2.3-rolling-table, V-1.4-regroup, V-1.4-grouped-aggregate
#[test]
fn a_regrouped_table_subtracts_and_adds() {
    for emit in [Emit::Update, Emit::Commit] {
        let mut driver = TopologyTestDriver::with_partitions(&letters_by_region(emit), 2);
        for (name, region, expected) in [
            (Some("alice"), Some("E"), vec!["E=5@1"]),
            (Some("bob"), Some("A"), vec!["A=3@1"]),
            (Some("charlie"), Some("A"), vec!["A=10@1"]),
            (Some("alice"), Some("A"), vec!["E=0@1", "A=15@1"]),
            (Some("charlie"), None, vec!["A=8@1"]),
            (None, Some("E"), vec![]),
            (Some("bob"), Some("E"), vec!["A=5@1", "E=3@1"]),
        ] {
            driver.input("in").send(name.map(str::to_owned), region.map(str::to_owned), 1);
            let (mut told, mut expected) = (out(&mut driver), expected);
            // The groups lie in two partitions, between which there is no order.
            told.sort_unstable();
            expected.sort_unstable();
            assert_eq!(told, expected, "{emit:?}: {name:?} moves to {region:?}");
            driver.crash_and_restart();
        }
    }
}

// covers: V-1.4-grouped-aggregate
#[test]
fn a_group_that_stays_changes_once_and_one_that_becomes_nothing_is_deleted() {
    let builder = StreamsBuilder::new("tables");
    builder
        .table::<String, i64>("in", Materialized::named("rows").emit(Emit::Update))
        .group_by_with(Grouped::<String, i64>::named("by-parity"), |_, value| ((value % 2).to_string(), *value))
        .aggregate(
            Materialized::<String, Option<i64>>::named("sums").emit(Emit::Update),
            || Some(0),
            |_, value, sum| *sum = Some(sum.unwrap_or(0) + value),
            |_, value, sum| *sum = sum.map(|sum| sum - value).filter(|sum| *sum != 0),
        )
        .to_stream()
        .map(|key, value| (key, value.flatten()))
        .to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    for (value, at) in [(Some(1), 5), (Some(3), 4), (Some(4), 6), (None, 9)] {
        send(&mut driver, "a", value, at);
    }
    assert_eq!(out(&mut driver), ["1=1@5", "1=3@5", "1=⊥@6", "0=4@6", "0=⊥@9"]);
    assert_eq!(
        driver.output("by-parity-repartition").read_raw().len(),
        5,
        "one record where the group stays, two where it moves"
    );
}

// covers: V-1.4-filter
#[test]
fn a_row_that_no_longer_passes_is_deleted_and_one_that_never_did_is_nothing() {
    for emit in [Emit::Update, Emit::Commit] {
        let topology = build(move |builder| {
            builder.table("in", Materialized::<String, i64>::named("rows").emit(emit)).filter(|_, value| *value > 0)
        });
        let mut driver = TopologyTestDriver::new(&topology);
        for value in [Some(-1), Some(1), Some(2), Some(-2), None, Some(3), None] {
            send(&mut driver, "a", value, 0);
        }
        assert_eq!(out(&mut driver), ["a=1@0", "a=2@0", "a=⊥@0", "a=3@0", "a=⊥@0"], "{emit:?}");
    }
}

// covers: V-1.4-map-values
#[test]
fn a_deletion_passes_a_mapper_unseen() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let topology = build(move |builder| {
        let counted = Arc::clone(&counted);
        builder.table::<String, i64>("in", "rows").map_values(move |_, value| {
            counted.fetch_add(1, Ordering::Relaxed);
            value * 2
        })
    });
    let mut driver = TopologyTestDriver::new(&topology);
    for value in [Some(1), None] {
        send(&mut driver, "a", value, 0);
    }
    assert_eq!(out(&mut driver), ["a=2@0", "a=⊥@0"]);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

// covers: V-1.2-group, V-1.1-repartition-mark, V-1.1-null-key
#[test]
fn grouping_repartitions_only_where_a_key_may_have_changed() {
    type Make = for<'b> fn(&'b StreamsBuilder) -> KTable<'b, Option<String>, u64>;
    let made: [(&str, bool, Make); 5] = [
        ("group_by_key", false, |builder| builder.stream::<Option<String>, i64>("in").group_by_key().count("counts")),
        ("what keeps the key", false, |builder| {
            let stream = builder.stream::<Option<String>, i64>("in");
            stream.filter(|_, _| true).map_values(|_, value| value).peek(|_, _| ()).group_by_key().count("counts")
        }),
        ("group_by", true, |builder| builder.stream::<Option<String>, i64>("in").group_by(|key, _| key.clone()).count("counts")),
        ("map", true, |builder| builder.stream::<Option<String>, i64>("in").map(|k, v| (k, v)).group_by_key().count("counts")),
        ("merged with a new key", true, |builder| {
            let stream = builder.stream::<Option<String>, i64>("in");
            stream.merge(stream.select_key(|key, _| key.clone())).filter(|_, value| *value != 1).group_by_key().count("counts")
        }),
    ];
    for (why, repartitions, make) in made {
        let builder = StreamsBuilder::new("tables");
        make(&builder).to_stream().to("out");
        let mut driver = TopologyTestDriver::with_partitions(&builder.build().unwrap(), 2);
        driver.input("in").send(Some("a".to_owned()), 0_i64, 0);
        driver.input("in").send(None::<String>, 0_i64, 0);
        let through = driver.output("counts-repartition").read_raw();
        assert_eq!(!through.is_empty(), repartitions, "{why}");
        assert!(through.iter().all(|record| record.record.key.is_some()), "{why}: no record without a key passes");
        assert_eq!(filtered(&driver, "null_key"), 1, "{why}: and it is counted");
    }
}

#[test]
fn a_named_grouping_shares_one_topic_among_its_aggregations() {
    let builder = StreamsBuilder::new("tables");
    let grouped = builder.stream::<String, i64>("in").select_key(|key, _| key.clone()).group_with(Grouped::named("by-key"));
    grouped.count("counts").to_stream().map_values(|_, count| count.map(|count| count as i64)).to("out");
    grouped.aggregate("sums", || 0, |_, value, sum| *sum += value).to_stream().to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    driver.input("in").send("a".to_owned(), 7_i64, 0);
    assert_eq!(driver.output("by-key-repartition").read_raw().len(), 1);
    let mut told = out(&mut driver);
    told.sort_unstable();
    assert_eq!(told, ["a=1@0", "a=7@0"]);
}

// covers: V-1.3-cogroup
#[test]
fn several_streams_add_to_one_aggregate_each_in_its_way() {
    let builder = StreamsBuilder::new("tables");
    let bought = builder.stream(Consumed::<String, i64>::topic("bought").subtopology("buying")).group_by_key();
    let sold = builder.stream::<String, i64>("sold").select_key(|key, _| key.to_lowercase()).group_by_key();
    let lost = builder.stream::<String, i64>("lost").group_by_key();
    bought
        .cogroup(|_, pieces, stock: &mut i64| *stock += pieces)
        .cogroup(sold, |_, pieces, stock| *stock -= pieces)
        .cogroup(lost, |_, _, stock| *stock = 0)
        .aggregate("stock", || 100)
        .to_stream()
        .to("out");
    let mut driver = TopologyTestDriver::with_partitions(&builder.build().unwrap(), 2);
    for (topic, key, pieces, at) in [("bought", "a", 5, 9), ("sold", "A", 2, 3), ("lost", "a", 0, 4), ("bought", "a", 1, 5)] {
        driver.input(topic).send(key.to_owned(), i64::from(pieces), at);
        driver.crash_and_restart();
    }
    assert_eq!(out(&mut driver), ["a=105@9", "a=103@9", "a=0@9", "a=1@9"]);
    assert_eq!(driver.output("stock-2-repartition").read_raw().len(), 1);
}

#[test]
fn a_table_without_windows_cannot_wait_for_one_to_close() {
    let builder = StreamsBuilder::new("tables");
    let store = Materialized::<String, i64>::named("rows").emit(Emit::Close);
    builder.table("in", store).to_stream().to("out");
    assert!(builder.build().unwrap_err().to_string().contains("`rows` has no windows"));
}

fn rows_told(driver: &mut TopologyTestDriver) -> BTreeMap<String, i64> {
    let mut told = BTreeMap::new();
    let records: Rows = driver.output("out").read_all();
    for (key, value) in records {
        match value {
            Some(value) => drop(told.insert(key, value)),
            None => drop(told.remove(&key)),
        }
    }
    told
}

proptest! {
    // covers: I3
    #[test]
    fn a_regrouped_table_equals_its_rows_added_up(
        changes in prop::collection::vec((0..4_u8, prop::option::of(0..3_u8), 0..6_u8), 1..60),
        policies in (0..3_usize, 0..3_usize),
    ) {
        let policy = |number: usize| [Emit::Update, Emit::Commit, Emit::AtMostEvery(Duration::from_secs(1))][number];
        let (rows, sums) = (policy(policies.0), policy(policies.1));
        let topology = build(move |builder| {
            builder
                .table::<String, String>("in", Materialized::named("people").emit(rows))
                .filter(|name, _| name != "3")
                .map_values(|_, region| region.clone())
                .group_by(|name, region| (region.clone(), name.parse::<i64>().unwrap() + 1))
                .aggregate(Materialized::named("sums").emit(sums), || 0, |_, n, sum| *sum += n, |_, n, sum| *sum -= n)
        });
        let mut driver = TopologyTestDriver::with_partitions(&topology, 2).committing_by_hand();
        let mut people = BTreeMap::new();
        for (name, region, action) in changes {
            let (name, region) = (name.to_string(), region.map(|region| region.to_string()));
            driver.input("in").send(name.clone(), region.clone(), 0);
            match region {
                Some(region) => drop(people.insert(name, region)),
                None => drop(people.remove(&name)),
            }
            match action {
                0 => driver.commit(),
                1 => {
                    driver.commit();
                    driver.crash_and_restart();
                }
                2 => driver.advance_wall_clock(Duration::from_millis(600)),
                _ => {}
            }
        }
        driver.drain();
        let mut expected = BTreeMap::new();
        for (name, region) in people.iter().filter(|(name, _)| *name != "3") {
            *expected.entry(region.clone()).or_insert(0) += name.parse::<i64>().unwrap() + 1;
        }
        let mut told = rows_told(&mut driver);
        told.retain(|_, sum| *sum != 0);
        prop_assert_eq!(told, expected);
    }
}
