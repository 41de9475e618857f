//! Joins: the shared input list through each of them, and what is right where one table is joined twice.

use std::collections::BTreeMap;

use highwater::dsl::{Consumed, Emit, KTable, Materialized};
use highwater::task::Outcome;
use highwater::{StreamsBuilder, Topology, TopologyTestDriver};
use proptest::prelude::*;

/// Side, value (`-` is none), time; all of one key.
const INPUTS: [(char, &str, i64); 23] = [
    ('L', "-", 1),
    ('R', "-", 2),
    ('L', "A", 3),
    ('R', "a", 4),
    ('L', "B", 5),
    ('R', "b", 6),
    ('L', "-", 7),
    ('R', "-", 8),
    ('L', "C", 9),
    ('R', "c", 10),
    ('R', "-", 11),
    ('L', "-", 12),
    ('R', "-", 13),
    ('R', "d", 7),
    ('L', "D", 6),
    ('L', "-", 2),
    ('R', "-", 3),
    ('R', "e", 14),
    ('L', "E", 15),
    ('L', "-", 10),
    ('R', "-", 9),
    ('L', "F", 4),
    ('R', "f", 3),
];

type Table<'b> = KTable<'b, String, String>;

fn send(driver: &mut TopologyTestDriver, (side, value, at): (char, &str, i64)) {
    let topic = if side == 'L' { "left" } else { "right" };
    let value = (value != "-").then(|| value.to_owned());
    driver.input(topic).send("k".to_owned(), value, at);
}

/// What each input brought, as `value@time` with ⊥ for a deletion, by the input's number.
fn run(topology: &Topology) -> Vec<(usize, String)> {
    let mut driver = TopologyTestDriver::new(topology);
    let mut told = Vec::new();
    for (number, input) in INPUTS.into_iter().enumerate() {
        send(&mut driver, input);
        for record in driver.output("out").read_records::<String, Option<String>>() {
            told.push((number + 1, format!("{}@{}", record.value.as_deref().unwrap_or("⊥"), record.timestamp)));
        }
        if number % 5 == 4 {
            driver.crash_and_restart();
        }
    }
    told
}

fn expect(topology: &Topology, expected: &[(usize, &str)]) {
    let expected: Vec<(usize, String)> = expected.iter().map(|(number, text)| (*number, (*text).to_owned())).collect();
    assert_eq!(run(topology), expected);
}

fn stream_table(left: bool) -> Topology {
    let builder = StreamsBuilder::new("join");
    let table: Table<'_> = builder.table("right", "right");
    let stream = builder.stream(Consumed::<String, Option<String>>::topic("left").lead()).present();
    if left {
        stream.left_join_table(table, |_, left, right| Some(format!("{left}-{}", right.map_or("null", |right| right)))).to("out");
    } else {
        stream.join_table(table, |_, left, right| Some(format!("{left}-{right}"))).to("out");
    }
    builder.build().unwrap()
}

// covers: V-2.2-inner, V-2.2-null, V-1.1-timestamps
#[test]
fn a_stream_joins_the_row_that_the_table_has() {
    expect(&stream_table(false), &[(5, "B-a@5"), (15, "D-d@6"), (19, "E-e@15")]);
}

// covers: V-2.2-left, V-2.2-null
#[test]
fn a_stream_joins_nothing_where_the_table_has_no_row() {
    let expected = [(3, "A-null@3"), (5, "B-a@5"), (9, "C-null@9"), (15, "D-d@6"), (19, "E-e@15"), (22, "F-null@4")];
    expect(&stream_table(true), &expected);
}

// covers: V-2.2-null
#[test]
fn a_record_without_a_key_meets_no_row() {
    let pairs = |left: bool| {
        let builder = StreamsBuilder::new("join");
        let table: KTable<'_, Option<String>, String> = builder.table("right", "right");
        let stream = builder.stream(Consumed::<Option<String>, String>::topic("left").lead());
        if left {
            stream.left_join_table(table, |_, left, right| format!("{left}-{right:?}")).to("out");
        } else {
            stream.join_table(table, |_, left, right| format!("{left}-{right}")).to("out");
        }
        let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
        driver.input("right").send(None::<String>, "a".to_owned(), 0);
        driver.input("right").send(Some(String::new()), "empty".to_owned(), 0);
        driver.input("left").send(None::<String>, "A".to_owned(), 1);
        let counted =
            |topic: &str, reason| driver.books().get(&(topic.to_owned(), Outcome::Filtered, reason)).copied().unwrap_or(0);
        let counts = (counted("right", "null_key"), counted("left", "no_match"));
        (driver.output("out").read_all::<Option<String>, String>(), counts)
    };
    assert_eq!(pairs(false), (vec![], (1, 1)));
    assert_eq!(pairs(true), (vec![(None, "A-None".to_owned())], (1, 0)));
}

#[test]
fn a_stream_whose_keys_have_changed_is_told_how_to_join() {
    let builder = StreamsBuilder::new("join");
    let table: Table<'_> = builder.table("right", "right");
    let stream = builder.stream(Consumed::<String, String>::topic("left").lead());
    stream.select_key(|_, value| value.clone()).join_table(table, |_, left, _| left).to("out");
    let refusal = builder.build().unwrap_err().to_string();
    assert!(refusal.contains("left/select_key") && refusal.contains(".repartition(\"..\")"), "{refusal}");
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Inner,
    Left,
    Outer,
}

fn text(left: Option<&String>, right: Option<&String>) -> String {
    let null = "null".to_owned();
    format!("{}-{}", left.unwrap_or(&null), right.unwrap_or(&null))
}

fn join<'b>(kind: Kind, left: Table<'b>, right: Table<'b>, store: &str, emit: Emit) -> Table<'b> {
    let store = Materialized::named(store).emit(emit);
    match kind {
        Kind::Inner => left.join(right, store, |left, right| text(Some(left), Some(right))),
        Kind::Left => left.left_join(right, store, |left, right| text(Some(left), right)),
        Kind::Outer => left.outer_join(right, store, text),
    }
}

fn tables(builder: &StreamsBuilder, emit: Emit) -> (Table<'_>, Table<'_>) {
    let left = builder.table(Consumed::topic("left").lead(), Materialized::named("left").emit(emit));
    (left, builder.table("right", Materialized::named("right").emit(emit)))
}

fn table_table(kind: Kind, emit: Emit) -> Topology {
    let builder = StreamsBuilder::new("join");
    let (left, right) = tables(&builder, emit);
    join(kind, left, right, "joined", emit).to_stream().to("out");
    builder.build().unwrap()
}

// covers: V-2.3-inner, V-1.1-timestamps
#[test]
fn two_tables_join_where_both_have_a_row() {
    for emit in [Emit::Update, Emit::Commit] {
        let expected = [
            (4, "A-a@4"),
            (5, "B-a@5"),
            (6, "B-b@6"),
            (7, "⊥@7"),
            (10, "C-c@10"),
            (11, "⊥@11"),
            (15, "D-d@7"),
            (16, "⊥@7"),
            (19, "E-e@15"),
            (20, "⊥@14"),
            (23, "F-f@4"),
        ];
        expect(&table_table(Kind::Inner, emit), &expected);
    }
}

// covers: V-2.3-left
#[test]
fn two_tables_join_where_the_left_has_a_row() {
    for emit in [Emit::Update, Emit::Commit] {
        let expected = [
            (3, "A-null@3"),
            (4, "A-a@4"),
            (5, "B-a@5"),
            (6, "B-b@6"),
            (7, "⊥@7"),
            (9, "C-null@9"),
            (10, "C-c@10"),
            (11, "C-null@11"),
            (12, "⊥@12"),
            (15, "D-d@7"),
            (16, "⊥@7"),
            (19, "E-e@15"),
            (20, "⊥@14"),
            (22, "F-null@4"),
            (23, "F-f@4"),
        ];
        expect(&table_table(Kind::Left, emit), &expected);
    }
}

// covers: V-2.3-outer
#[test]
fn two_tables_join_where_either_has_a_row() {
    for emit in [Emit::Update, Emit::Commit] {
        let expected = [
            (3, "A-null@3"),
            (4, "A-a@4"),
            (5, "B-a@5"),
            (6, "B-b@6"),
            (7, "null-b@7"),
            (8, "⊥@8"),
            (9, "C-null@9"),
            (10, "C-c@10"),
            (11, "C-null@11"),
            (12, "⊥@12"),
            (14, "null-d@7"),
            (15, "D-d@7"),
            (16, "null-d@7"),
            (17, "⊥@3"),
            (18, "null-e@14"),
            (19, "E-e@15"),
            (20, "null-e@14"),
            (21, "⊥@9"),
            (22, "F-null@4"),
            (23, "F-f@4"),
        ];
        expect(&table_table(Kind::Outer, emit), &expected);
    }
}

const KINDS: [Kind; 3] = [Kind::Inner, Kind::Left, Kind::Outer];

/// What a join of these kinds, one behind the other, has for a key.
fn row(kinds: (Kind, Kind), left: Option<&String>, right: Option<&String>) -> Option<String> {
    let one = |kind: Kind, left: Option<&String>, right: Option<&String>| match kind {
        Kind::Inner => Some(text(Some(left?), Some(right?))),
        Kind::Left => Some(text(Some(left?), right)),
        Kind::Outer => (left.is_some() || right.is_some()).then(|| text(left, right)),
    };
    one(kinds.1, one(kinds.0, left, right).as_ref(), right)
}

fn twice(kinds: (Kind, Kind), emit: Emit) -> Topology {
    let builder = StreamsBuilder::new("join");
    let (left, right) = tables(&builder, emit);
    let once = join(kinds.0, left, right, "once", emit);
    join(kinds.1, once, right, "twice", emit).to_stream().to("out");
    builder.build().unwrap()
}

// covers: V-2.3-same-table-twice
#[test]
fn a_table_joined_twice_tells_every_change_once_and_right() {
    for kinds in KINDS.into_iter().flat_map(|one| KINDS.map(|other| (one, other))) {
        for emit in [Emit::Update, Emit::Commit] {
            let told: Vec<(usize, String)> = run(&twice(kinds, emit))
                .into_iter()
                .map(|(number, told)| (number, told.split('@').next().unwrap().to_owned()))
                .collect();
            let (mut left, mut right, mut last) = (None, None, None);
            let mut expected = Vec::new();
            for (number, (side, value, _)) in INPUTS.into_iter().enumerate() {
                let value = (value != "-").then(|| value.to_owned());
                *(if side == 'L' { &mut left } else { &mut right }) = value;
                let now = row(kinds, left.as_ref(), right.as_ref());
                if now != last {
                    expected.push((number + 1, now.clone().unwrap_or_else(|| "⊥".to_owned())));
                    last = now;
                }
            }
            assert_eq!(told, expected, "{kinds:?} {emit:?}");
        }
    }
}

#[test]
fn a_join_looks_through_filters_and_maps() {
    let builder = StreamsBuilder::new("join");
    let (left, right) = tables(&builder, Emit::Update);
    let right = right.filter(|_, value| value != "b").map_values(|_, value| value.to_uppercase());
    join(Kind::Left, left, right, "joined", Emit::Update).to_stream().to("out");
    let told = run(&builder.build().unwrap());
    let told: Vec<(usize, &str)> = told.iter().map(|(number, told)| (*number, told.as_str())).collect();
    assert_eq!(told[..5], [(3, "A-null@3"), (4, "A-A@4"), (5, "B-A@5"), (6, "B-null@6"), (7, "⊥@7")]);
}

proptest! {
    // covers: I3
    #[test]
    fn the_rows_told_last_are_the_join_of_both_tables(
        changes in prop::collection::vec((prop::bool::ANY, 0..3_u8, prop::option::of(0..3_u8), 0..5_u8), 1..40),
        kinds in (0..3_usize, 0..3_usize),
        policy in 0..3_usize,
    ) {
        let emit = [Emit::Update, Emit::Commit, Emit::AtMostEvery(std::time::Duration::from_secs(1))][policy];
        let kinds = (KINDS[kinds.0], KINDS[kinds.1]);
        let mut driver = TopologyTestDriver::new(&twice(kinds, emit)).committing_by_hand();
        let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
        for (is_left, key, value, action) in changes {
            let (topic, table) = if is_left { ("left", &mut left) } else { ("right", &mut right) };
            let (key, value) = (key.to_string(), value.map(|value| value.to_string()));
            driver.input(topic).send(key.clone(), value.clone(), 0);
            match value {
                Some(value) => drop(table.insert(key, value)),
                None => drop(table.remove(&key)),
            }
            match action {
                0 => driver.commit(),
                1 => {
                    driver.commit();
                    driver.crash_and_restart();
                }
                2 => driver.advance_wall_clock(std::time::Duration::from_millis(600)),
                _ => {}
            }
        }
        driver.drain();
        let mut told = BTreeMap::new();
        for (key, row) in driver.output("out").read_all::<String, Option<String>>() {
            match row {
                Some(row) => prop_assert!(told.insert(key, row.clone()) != Some(row) || policy == 2, "a row is told once"),
                None => prop_assert!(told.remove(&key).is_some(), "what was never told is not deleted"),
            }
        }
        let keys = left.keys().chain(right.keys()).collect::<std::collections::BTreeSet<_>>();
        let expected: BTreeMap<String, String> =
            keys.into_iter().filter_map(|key| Some((key.clone(), row(kinds, left.get(key), right.get(key))?))).collect();
        prop_assert_eq!(told, expected);
    }
}
