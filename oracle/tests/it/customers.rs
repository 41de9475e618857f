//! Rules 31–37: eras, history, deletes and what they erase.

use serde_json::{Value, json};
use shoppulse_oracle::{InputRecord, expect};

use crate::records::{change, record, rows, verdict, verdicts};

/// A change of customer 7 of shop `s` that says `name`; `updated_at` is one millisecond before the commit.
fn says(op: &str, lsn: i64, ts_ms: i64, name: &str) -> InputRecord {
    with(op, lsn, ts_ms, json!({"name": name}))
}

fn with(op: &str, lsn: i64, ts_ms: i64, columns: Value) -> InputRecord {
    let mut after = json!({
        "shop_id": "s", "email": "e", "name": "n", "phone": null, "country": "DE", "marketing_opt_in": true,
        "created_at": "1970-01-01T00:00:00Z", "updated_at": stamp(ts_ms - 1),
    });
    for (name, value) in columns.as_object().unwrap() {
        after[name] = value.clone();
    }
    let lsn = (op != "r").then_some(lsn);
    change("customers", 7, op, lsn, ts_ms, if op == "d" { Value::Null } else { after })
}

fn stamp(ms: i64) -> String {
    format!("1970-01-01T00:00:{:02}.{:03}Z", ms / 1_000, ms % 1_000)
}

/// The history as (`valid_from`, `valid_to`, name), in milliseconds.
fn history(records: &[InputRecord]) -> Vec<(i64, Option<i64>, Option<String>)> {
    let expected = expect(records);
    let rows = rows(&expected, "curated.customer_history", &["valid_from", "valid_to", "name", "is_current"]);
    let mut found: Vec<_> = rows
        .iter()
        .map(|row| {
            assert_eq!(row[1].is_null(), row[3] == json!(true));
            (row[0].as_i64().unwrap() / 1_000, row[1].as_i64().map(|to| to / 1_000), row[2].as_str().map(str::to_owned))
        })
        .collect();
    found.sort();
    found
}

/// Name and `valid_from` of the current row.
fn current(records: &[InputRecord]) -> Vec<Value> {
    rows(&expect(records), "curated.customers", &["name", "valid_from"])
}

fn version(from: i64, to: impl Into<Option<i64>>, name: impl Into<Option<&'static str>>) -> (i64, Option<i64>, Option<String>) {
    (from, to.into(), name.into().map(str::to_owned))
}

#[test]
fn the_whole_rows_of_a_customer() {
    let expected = expect(&[with("c", 1, 1_000, json!({"country": "  ", "phone": "", "unknown": {}}))]);
    let common = json!({
        "shop_id": "s", "customer_id": "7", "email": "e", "name": "n", "phone": "", "country": null, "marketing_opt_in": true,
        "created_at": 0, "source_updated_at": 999_000, "valid_from": 1_000_000, "is_deleted": false,
    });
    let current = &expected.tables["curated.customers"][r#"{"customer_id":"7","shop_id":"s"}"#];
    assert_eq!(current, &common);
    let mut version = common;
    version["valid_to"] = json!(null);
    version["is_current"] = json!(true);
    let key = r#"{"customer_id":"7","shop_id":"s","valid_from":1000000}"#;
    assert_eq!(expected.tables["curated.customer_history"][key], version);
}

#[test]
fn streamed_changes_are_placed_by_lsn() {
    let records = [says("c", 10, 1_000, "a"), says("u", 30, 3_000, "c"), says("u", 20, 2_000, "b"), says("u", 30, 3_000, "c")];
    assert_eq!(verdicts(&records), ["processed", "processed", "processed", "duplicate lsn"]);
    assert_eq!(history(&records), [version(1_000, 2_000, "a"), version(2_000, 3_000, "b"), version(3_000, None, "c")]);
    assert_eq!(current(&records), [json!(["c", 3_000_000])]);
}

#[test]
fn intervals_never_run_backwards_and_empty_ones_vanish() {
    // The commit times go back while the LSNs go on: the start is the predecessor's.
    let records = [says("c", 10, 2_000, "a"), says("u", 20, 1_000, "b"), says("u", 30, 3_000, "c"), says("u", 31, 3_000, "d")];
    assert_eq!(history(&records), [version(2_000, 3_000, "b"), version(3_000, None, "d")]);
}

#[test]
fn a_snapshot_begins_an_era() {
    let first = [says("c", 10, 1_000, "a"), says("u", 20, 2_000, "b")];
    for (more, verdict_of_last, names) in [
        // Older or as old as the last change: stale.
        (vec![says("r", 0, 1_500, "x")], "filtered stale", vec!["a", "b"]),
        (vec![says("r", 0, 2_000, "x")], "filtered stale", vec!["a", "b"]),
        (vec![says("r", 0, 5_000, "x")], "processed", vec!["a", "b", "x"]),
        // The same content makes no version.
        (vec![with("r", 0, 5_000, json!({"name": "b", "updated_at": stamp(1_999)}))], "duplicate lsn", vec!["a", "b"]),
        // LSNs may start again, and the snapshot comes first in its era.
        (vec![says("r", 0, 5_000, "x"), says("u", 1, 6_000, "y")], "processed", vec!["a", "b", "x", "y"]),
        (vec![says("r", 0, 5_000, "x"), says("u", 1, 5_000, "y")], "processed", vec!["a", "b", "x", "y"]),
        // A change of before the snapshot belongs into the era before.
        (vec![says("r", 0, 5_000, "x"), says("u", 25, 4_000, "y")], "processed", vec!["a", "b", "y", "x"]),
        // Repeated, though a snapshot came between.
        (vec![says("r", 0, 5_000, "x"), says("u", 20, 2_000, "b")], "duplicate lsn", vec!["a", "b", "x"]),
        // Of two at one time the later counts; after a change of that time none does.
        (vec![says("r", 0, 5_000, "x"), says("r", 0, 5_000, "y")], "processed", vec!["a", "b", "y"]),
        (
            vec![says("r", 0, 5_000, "x"), says("u", 1, 5_000, "z"), says("r", 0, 5_000, "y")],
            "filtered stale",
            vec!["a", "b", "x", "z"],
        ),
    ] {
        let records: Vec<InputRecord> = first.iter().cloned().chain(more).collect();
        assert_eq!(verdict(&records), verdict_of_last);
        let found: Vec<String> = history(&records).into_iter().filter_map(|(_, _, name)| name).collect();
        // A snapshot's version begins with its row's `updated_at`, so the change of that very time hides it.
        let names: Vec<&str> = names;
        assert_eq!(found, names);
    }
}

#[test]
fn a_snapshot_row_is_valid_from_its_own_update() {
    let records = [says("r", 0, 9_000, "a"), with("r", 0, 12_000, json!({"name": "b", "updated_at": stamp(10_000)}))];
    assert_eq!(history(&records), [version(8_999, 10_000, "a"), version(10_000, None, "b")]);
}

#[test]
fn a_repeated_content_makes_a_version_once_its_predecessor_differs() {
    let same = with("r", 0, 5_000, json!({"name": "b", "updated_at": stamp(1_999)}));
    let records = [says("c", 10, 1_000, "a"), says("u", 20, 2_000, "b"), same, says("u", 30, 4_000, "c")];
    // The late change of the first era stands between the two.
    assert_eq!(history(&records), [version(1_000, 2_000, "a"), version(2_000, 4_000, "b"), version(4_000, None, "b")]);
    assert_eq!(current(&records), [json!(["b", 4_000_000])]);
}

#[test]
fn a_delete_closes_the_history_and_erases_the_person() {
    let records = [says("c", 10, 1_000, "a"), says("u", 20, 2_000, "b"), says("d", 30, 3_000, "")];
    assert_eq!(history(&records), [version(1_000, 2_000, None), version(2_000, 3_000, None)]);
    assert_eq!(current(&records), [] as [Value; 0]);
    // Late for the time before the delete: placed, and without the person.
    let late: Vec<_> = records.iter().cloned().chain([says("u", 25, 2_500, "x")]).collect();
    assert_eq!(verdict(&late), "processed");
    assert_eq!(history(&late), [version(1_000, 2_000, None), version(2_000, 2_500, None), version(2_500, 3_000, None)]);
    // Created again: anew, not before the delete.
    let again: Vec<_> = records.iter().cloned().chain([says("c", 40, 2_900, "y")]).collect();
    assert_eq!(history(&again), [version(1_000, 2_000, None), version(2_000, 3_000, None), version(3_000, None, "y")]);
    assert_eq!(current(&again), [json!(["y", 3_000_000])]);
}

#[test]
fn the_delete_of_an_unknown_row_keeps_its_place() {
    let records = [says("d", 30, 3_000, ""), says("c", 10, 1_000, "a"), says("d", 30, 3_000, "")];
    assert_eq!(verdicts(&records), ["filtered unknown_row", "processed", "duplicate lsn"]);
    assert_eq!(history(&records), [version(1_000, 3_000, None)]);
    assert_eq!(current(&records), [] as [Value; 0]);
}

#[test]
fn an_unavailable_value_is_the_predecessors_by_lsn() {
    let unavailable = |lsn: i64, ts_ms: i64| says("u", lsn, ts_ms, "__debezium_unavailable_value");
    let names = |records: &[InputRecord]| history(records).into_iter().map(|(_, _, name)| name).collect::<Vec<_>>();
    let text = |name: &str| Some(name.to_owned());
    assert_eq!(names(&[says("c", 1, 1_000, "a"), unavailable(3, 3_000)]), [text("a"), text("a")]);
    // The predecessor comes late.
    let late = [says("c", 1, 1_000, "a"), unavailable(3, 3_000), says("u", 2, 2_000, "b")];
    assert_eq!(names(&late), [text("a"), text("b"), text("b")]);
    assert_eq!(names(&[unavailable(3, 3_000)]), [None]);
    let mut full = unavailable(3, 3_000);
    let value =
        String::from_utf8(full.value.take().unwrap()).unwrap().replace("\"before\":null", r#""before":{"id":7,"name":"z"}"#);
    full.value = Some(value.into_bytes());
    assert_eq!(names(&[says("c", 1, 1_000, "a"), full]), [text("a"), text("z")]);
}

#[test]
fn a_change_of_shop_closes_one_history_and_opens_another() {
    let records = [says("c", 1, 1_000, "a"), with("u", 2, 2_000, json!({"shop_id": "t"}))];
    let expected = expect(&records);
    assert_eq!(rows(&expected, "curated.customers", &["shop_id", "valid_from"]), [json!(["t", 2_000_000])]);
    let history = rows(&expected, "curated.customer_history", &["shop_id", "valid_from", "valid_to"]);
    assert_eq!(history, [json!(["s", 1_000_000, 2_000_000]), json!(["t", 2_000_000, null])]);
}

#[test]
fn changes_are_refused_for_the_first_reason() {
    for (columns, reason) in [
        (json!({"shop_id": null}), "missing_field"),
        (json!({"created_at": null}), "missing_field"),
        (json!({"marketing_opt_in": "true"}), "wrong_type"),
        (json!({"name": 5, "shop_id": null}), "wrong_type"),
        (json!({"created_at": "infinity"}), "bad_timestamp"),
        (json!({"updated_at": "2026-01-05T10:00:00"}), "bad_timestamp"),
    ] {
        assert_eq!(verdict(&[with("c", 1, 1_000, columns.clone())]), format!("dead_lettered {reason}"), "{columns}");
    }
    let whole = |key: &str, value: &str| verdict(&[record("cdc.shop.public.customers", key, Some(value), 0)]);
    for (key, value, outcome) in [
        (r#"{"id":"7"}"#, "{", "dead_lettered bad_key"),
        (r#"{"id":7}"#, "{", "dead_lettered not_json"),
        (r#"{"id":7}"#, "", "dead_lettered empty_value"),
        (r#"{"id":7}"#, "[]", "dead_lettered not_object"),
        (r#"{"id":7}"#, "{}", "dead_lettered missing_field"),
        (r#"{"id":7}"#, r#"{"op":"z"}"#, "dead_lettered unknown_op"),
        (r#"{"id":7}"#, r#"{"op":5}"#, "dead_lettered wrong_type"),
        (r#"{"id":7}"#, r#"{"op":"z","source":{"ts_ms":1,"lsn":"1"}}"#, "dead_lettered wrong_type"),
        (r#"{"id":7}"#, r#"{"op":"d","source":{"ts_ms":1,"lsn":1}}"#, "filtered unknown_row"),
        (r#"{"id":7}"#, r#"{"op":"d","source":{"ts_ms":1}}"#, "dead_lettered missing_field"),
        (r#"{"id":7}"#, r#"{"op":"d","source":{"ts_ms":1,"lsn":"1"}}"#, "dead_lettered wrong_type"),
        ("", r#"{"op":"t"}"#, "dead_lettered unsupported_op"),
        ("", r#"{"op":"m"}"#, "filtered not_a_row"),
        ("", r#"{"op":"c"}"#, "dead_lettered bad_key"),
    ] {
        assert_eq!(whole(key, value), outcome, "{key} {value}");
    }
    assert_eq!(verdict(&[record("cdc.shop.public.customers", "?", None, 0)]), "filtered tombstone");
    let mut other = says("c", 1, 1_000, "a");
    other.key = Some(br#"{"id":8}"#.to_vec());
    assert_eq!(verdict(&[other]), "dead_lettered key_mismatch");
}
