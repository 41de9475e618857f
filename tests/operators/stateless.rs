//! Operators without memory, and what holds for a record's whole way: order, times, headers, dead letters, the books.

use std::sync::{Arc, Mutex};

use highwater::kafka::StoredRecord;
use highwater::processor::ProcessError;
use highwater::task::Outcome;
use highwater::testing::header_texts;
use highwater::{Headers, KStream, StreamsBuilder, TopologyTestDriver};

type Texts<'b> = KStream<'b, String, String>;

/// Sends values under key `k` at times 1, 2, … and reads `key=value@time` from `out`.
fn run(make: impl for<'b> FnOnce(Texts<'b>) -> Texts<'b>, values: &[&str]) -> Vec<String> {
    let builder = StreamsBuilder::new("stateless");
    make(builder.stream("in")).to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    for (value, at) in values.iter().zip(1..) {
        driver.input("in").send("k".to_owned(), (*value).to_owned(), at);
    }
    out(&mut driver)
}

fn out(driver: &mut TopologyTestDriver) -> Vec<String> {
    let records = driver.output("out").read_records::<String, String>();
    records.into_iter().map(|record| format!("{}={}@{}", record.key, record.value, record.timestamp)).collect()
}

// covers: V-1.2-filter, V-1.1-timestamps
#[test]
fn filter_keeps_and_its_opposite_drops() {
    assert_eq!(run(|stream| stream.filter(|_, value| value != "a"), &["a", "b"]), ["k=b@2"]);
    assert_eq!(run(|stream| stream.filter_not(|_, value| value != "a"), &["a", "b"]), ["k=a@1"]);
}

// covers: V-1.2-map
#[test]
fn new_keys_keep_time_and_headers_and_several_results_their_order() {
    assert_eq!(run(|stream| stream.map(|key, value| (value, key)), &["a", "b"]), ["a=k@1", "b=k@2"]);
    assert_eq!(run(|stream| stream.select_key(|_, value| value.clone()), &["a"]), ["a=a@1"]);
    let both = |key: String, value: String| [(value.clone(), key.clone()), (key, value)];
    assert_eq!(run(|stream| stream.flat_map(both), &["a", "b"]), ["a=k@1", "k=a@1", "b=k@2", "k=b@2"]);
    let builder = StreamsBuilder::new("stateless");
    let stream = builder.stream::<String, String>("in");
    stream.map(|key, value| (value, key)).flat_map(|key, value| [(key, value)]).select_key(|key, _| key.clone()).to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    let mut headers = Headers::new();
    headers.push_text("trace", 7);
    let record = StoredRecord { key: Some("k".into()), value: Some("a".into()), headers };
    driver.input("in").send_record(3, record);
    let told = driver.output("out").read_raw();
    assert_eq!(header_texts(&told[0].record.headers), [("trace".to_owned(), "7".to_owned())]);
}

// covers: V-1.2-map-values
#[test]
fn new_values_keep_the_key() {
    assert_eq!(run(|stream| stream.map_values(|key, value| key.clone() + &value), &["a"]), ["k=ka@1"]);
    let twice = |_: &String, value: String| [value.clone(), value + "!"];
    assert_eq!(run(|stream| stream.flat_map_values(twice), &["a", "b"]), ["k=a@1", "k=a!@1", "k=b@2", "k=b!@2"]);
}

// covers: V-1.2-peek
#[test]
fn peek_sees_each_record_once_and_changes_nothing() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let told = run(move |stream| stream.peek(move |_, value| notes.lock().unwrap().push(value.clone())), &["a", "b"]);
    assert_eq!((told, seen.lock().unwrap().join(",")), (vec!["k=a@1".to_owned(), "k=b@2".to_owned()], "a,b".to_owned()));
}

// covers: V-1.2-branch
#[test]
fn a_record_takes_the_first_branch_that_accepts_it() {
    let builder = StreamsBuilder::new("stateless");
    let [long, starts_a] =
        builder.stream::<String, String>("in").split([|_, value| value.len() > 1, |_, value| value.starts_with('a')]);
    long.map_values(|_, value| value + " is long").to("out");
    starts_a.map_values(|_, value| value + " starts with a").to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    for value in ["ab", "a", "b"] {
        driver.input("in").send("k".to_owned(), value.to_owned(), 0);
    }
    assert_eq!(out(&mut driver), ["k=ab is long@0", "k=a starts with a@0"]);
    assert_eq!(driver.books()[&("in".to_owned(), Outcome::Filtered, "no_branch")], 1);
}

// covers: V-1.2-merge, V-1.1-order
#[test]
fn a_record_goes_through_all_children_in_order_before_the_next_one_starts() {
    let told = run(
        |stream| {
            let first = stream.flat_map_values(|_, value| [value.clone() + "1", value + "2"]).map_values(|_, value| value + "x");
            let second = stream.map_values(|_, value| value + "3");
            first.merge(second)
        },
        &["a", "b"],
    );
    assert_eq!(told, ["k=a1x@1", "k=a2x@1", "k=a3@1", "k=b1x@2", "k=b2x@2", "k=b3@2"]);
}

// covers: I5, I10, R47
#[test]
fn a_record_that_fails_leaves_only_a_dead_letter_that_names_where_it_came_from() {
    let builder = StreamsBuilder::new("stateless");
    builder.dead_letters("dlq");
    let stream = builder.stream::<String, String>("in").select_key(|_, value| value[..1].to_owned()).repartition("by-letter");
    stream.group_by_key().count("counts").to_stream().map_values(|_, count| format!("{count:?}")).to("out");
    let refuse = |_: &String, value: String| match &*value {
        "a bad one" => Err(ProcessError::rejected("bad_value", "it says so itself")),
        "a panic" => panic!("out of order"),
        _ => Ok(value),
    };
    stream.try_map_values(refuse).filter(|_, value| value != "a filtered one").to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap()).committing_by_hand();
    for value in ["a good one", "a bad one", "a panic", "a filtered one", "a last one"] {
        driver.input("in").send("k".to_owned(), value.to_owned(), 0);
    }
    driver.commit();
    let letters: Vec<_> = driver.dead_letters().into_iter().map(|letter| (letter.origin, letter.reason, letter.error)).collect();
    let letter = |offset, reason: &str, error: &str| (("in".to_owned(), 0, offset), reason.to_owned(), error.to_owned());
    assert_eq!(
        letters,
        [letter(1, "bad_value", "it says so itself"), letter(2, "internal", "processing panicked: out of order")]
    );
    assert_eq!(out(&mut driver), ["a=a good one@0", "a=a last one@0", "a=Some(3)@0"], "neither was counted");
    let counts: Vec<(Outcome, u64)> = driver.books().iter().map(|((_, outcome, _), count)| (*outcome, *count)).collect();
    assert_eq!(counts, [(Outcome::In, 5), (Outcome::Processed, 5)], "the books are those of the external input");
}
