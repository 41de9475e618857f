//! Rules 31 to 34 as tables of arriving changes.

use super::*;
use crate::cdc::rows::{Amount, ItemRow, OrderRow};
use crate::cdc::{Cell, LogPlace, Op};
use crate::rejection::Reason;

fn item(quantity: i64) -> ItemRow {
    ItemRow { order_id: 1, sku: Cell::Null, title: Cell::Text("t".into()), quantity, unit_price: Amount::parse("1").unwrap() }
}

fn snapshot(ts_ms: i64, quantity: i64) -> Change<ItemRow> {
    Change { id: 7, ts_ms, op: Op::Snapshot { row: item(quantity), place: None } }
}

fn upsert(lsn: i64, ts_ms: i64, quantity: i64) -> Change<ItemRow> {
    Change { id: 7, ts_ms, op: Op::Upsert { lsn, row: item(quantity) } }
}

fn delete(lsn: i64, ts_ms: i64) -> Change<ItemRow> {
    Change { id: 7, ts_ms, op: Op::Delete { lsn } }
}

const PROCESSED: Verdict = Verdict::Processed;
const DUPLICATE: Verdict = Verdict::DUPLICATE_LSN;
const STALE: Verdict = Verdict::STALE;
const UNKNOWN: Verdict = Verdict::UNKNOWN_ROW;

/// Applies the changes in turn and expects each verdict, and the quantity of the row after it.
fn check(name: &str, steps: Vec<(Change<ItemRow>, Verdict, Option<i64>)>) {
    let mut state = RowState::default();
    for (at, (change, verdict, quantity)) in steps.into_iter().enumerate() {
        let before = state.row().cloned();
        let (found, step) = state.apply(change);
        assert_eq!(found, verdict, "{name}, change {at}");
        assert_eq!(state.row().map(|row| row.quantity), quantity, "{name}, change {at}");
        let expected = (verdict == PROCESSED).then(|| Step { before, after: state.row().cloned() });
        assert_eq!(step, expected, "{name}, change {at}");
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        assert_eq!(RowState::decode(&bytes), Ok(state.clone()));
    }
}

#[test]
fn rule_31_the_newest_streamed_change_again_is_a_duplicate() {
    check(
        "again",
        vec![
            (upsert(5, 100, 1), PROCESSED, Some(1)),
            (upsert(5, 100, 1), DUPLICATE, Some(1)),
            (upsert(6, 100, 2), PROCESSED, Some(2)),
        ],
    );
    check(
        "again behind a snapshot",
        vec![
            (upsert(5, 100, 1), PROCESSED, Some(1)),
            (snapshot(200, 2), PROCESSED, Some(2)),
            (upsert(5, 100, 1), DUPLICATE, Some(2)),
            (snapshot(300, 3), PROCESSED, Some(3)),
            (upsert(5, 100, 1), DUPLICATE, Some(3)),
            (upsert(4, 100, 1), STALE, Some(3)),
            (upsert(5, 250, 1), STALE, Some(3)),
            (upsert(5, 300, 4), PROCESSED, Some(4)),
            (upsert(5, 100, 1), STALE, Some(4)),
        ],
    );
    check(
        "a delete again",
        vec![(upsert(5, 100, 1), PROCESSED, Some(1)), (delete(6, 110), PROCESSED, None), (delete(6, 110), DUPLICATE, None)],
    );
}

#[test]
fn rule_32_a_newer_snapshot_begins_an_era_and_an_older_one_is_stale() {
    check(
        "snapshots",
        vec![
            (snapshot(100, 1), PROCESSED, Some(1)),
            (snapshot(99, 9), STALE, Some(1)),
            (snapshot(100, 2), PROCESSED, Some(2)),
            (snapshot(101, 3), PROCESSED, Some(3)),
            (snapshot(100, 2), STALE, Some(3)),
        ],
    );
    check(
        "a snapshot replayed after newer changes",
        vec![
            (snapshot(100, 1), PROCESSED, Some(1)),
            (upsert(5, 150, 2), PROCESSED, Some(2)),
            (snapshot(100, 1), STALE, Some(2)),
            (snapshot(150, 1), STALE, Some(2)),
            (snapshot(151, 3), PROCESSED, Some(3)),
        ],
    );
}

#[test]
fn rule_32_a_transaction_in_flight_at_the_snapshot_wins() {
    check(
        "committed after the snapshot, or in its millisecond",
        vec![
            (snapshot(100, 1), PROCESSED, Some(1)),
            (upsert(5, 99, 9), STALE, Some(1)),
            (upsert(4, 100, 2), PROCESSED, Some(2)),
            (upsert(5, 120, 3), PROCESSED, Some(3)),
            (snapshot(120, 9), STALE, Some(3)),
        ],
    );
}

#[test]
fn rule_32_a_re_snapshot_mends_rows_where_lsns_restart() {
    check(
        "another database",
        vec![
            (upsert(9_000, 100, 1), PROCESSED, Some(1)),
            (snapshot(200, 2), PROCESSED, Some(2)),
            (upsert(3, 210, 3), PROCESSED, Some(3)),
            (upsert(9_000, 100, 1), STALE, Some(3)),
            (upsert(2, 220, 9), STALE, Some(3)),
            (delete(4, 230), PROCESSED, None),
        ],
    );
}

#[test]
fn rule_32_a_snapshot_of_the_same_content_begins_its_era_all_the_same() {
    check(
        "same content",
        vec![
            (upsert(50, 100, 1), PROCESSED, Some(1)),
            (snapshot(200, 1), DUPLICATE, Some(1)),
            (upsert(60, 150, 9), STALE, Some(1)),
            (upsert(10, 200, 2), PROCESSED, Some(2)),
        ],
    );
    check("redelivered at once", vec![(snapshot(100, 1), PROCESSED, Some(1)), (snapshot(100, 1), DUPLICATE, Some(1))]);
    check(
        "a deleted row has no content",
        vec![(upsert(5, 100, 1), PROCESSED, Some(1)), (delete(6, 110), PROCESSED, None), (snapshot(120, 1), PROCESSED, Some(1))],
    );
}

#[test]
fn rule_32_a_deletes_place_is_remembered() {
    check(
        "late changes stay out",
        vec![
            (upsert(5, 100, 1), PROCESSED, Some(1)),
            (delete(8, 130), PROCESSED, None),
            (upsert(7, 120, 9), STALE, None),
            (snapshot(130, 9), STALE, None),
            (delete(7, 120), STALE, None),
            (upsert(9, 140, 2), PROCESSED, Some(2)),
        ],
    );
    check(
        "the last changes own time counts, not the largest",
        vec![
            (upsert(5, 300, 1), PROCESSED, Some(1)),
            (upsert(6, 100, 2), PROCESSED, Some(2)),
            (snapshot(200, 3), PROCESSED, Some(3)),
        ],
    );
}

#[test]
fn rule_34_a_delete_of_a_row_never_seen_is_remembered() {
    check(
        "unknown row",
        vec![
            (delete(8, 130), UNKNOWN, None),
            (delete(8, 130), DUPLICATE, None),
            (delete(7, 120), STALE, None),
            (delete(9, 140), PROCESSED, None),
            (upsert(8, 135, 9), STALE, None),
            (delete(9, 140), DUPLICATE, None),
            (upsert(11, 160, 1), PROCESSED, Some(1)),
        ],
    );
    check(
        "an old snapshot behind it",
        vec![(delete(8, 130), UNKNOWN, None), (snapshot(130, 9), STALE, None), (snapshot(131, 1), PROCESSED, Some(1))],
    );
}

#[test]
fn rule_34_an_unavailable_value_is_taken_from_the_row_before() {
    let silent = |lsn, ts_ms| {
        let row = ItemRow { title: Cell::Unavailable, ..item(2) };
        Change { id: 7, ts_ms, op: Op::Upsert { lsn, row } }
    };
    let title = |state: &RowState<ItemRow>| state.row().map(|row| row.title.clone());
    let mut state = RowState::default();
    state.apply(upsert(5, 100, 1));
    state.apply(silent(6, 110));
    assert_eq!(title(&state), Some(Cell::Text("t".into())), "from the streamed change before");
    state.apply(silent(7, 120));
    assert_eq!(title(&state), Some(Cell::Text("t".into())), "through an unavailable one");
    state.apply(delete(8, 130));
    state.apply(silent(9, 140));
    assert_eq!(title(&state), Some(Cell::Null), "not across a delete");
    let mut state = RowState::default();
    state.apply(silent(1, 100));
    assert_eq!(title(&state), Some(Cell::Null), "nothing before it");
    let mut state = RowState::default();
    state.apply(snapshot(100, 1));
    state.apply(silent(1, 100));
    assert_eq!(title(&state), Some(Cell::Text("t".into())), "from the snapshot");
}

#[test]
fn rule_35_a_rejected_change_leaves_the_row_as_it_was() {
    let order = |lsn, shop_id: &str| {
        let zero = Amount::parse("0").unwrap();
        let row = OrderRow {
            shop_id: shop_id.into(),
            customer_id: None,
            status: Cell::Unavailable,
            currency: "EUR".into(),
            exponent: 2,
            discount: zero.clone(),
            shipping: zero.clone(),
            tax: zero,
            placed_at: 0,
            updated_at: 0,
        };
        Change { id: 7, ts_ms: 100, op: Op::Upsert { lsn, row } }
    };
    let mut state = RowState::default();
    let (verdict, step) = state.apply(order(5, crate::cdc::cell::UNAVAILABLE));
    assert!(matches!(&verdict, Verdict::Rejected(rejection) if rejection.reason == Reason::MissingField), "{verdict:?}");
    assert_eq!((step, &state), (None, &RowState::default()));
    assert_eq!(state.apply(order(5, "s1")).0, PROCESSED);
    assert_eq!(state.apply(order(6, crate::cdc::cell::UNAVAILABLE)).0, PROCESSED);
    assert_eq!(state.row().map(|row| row.shop_id.as_str()), Some("s1"));
}

#[test]
fn rule_33_redelivery_of_any_suffix_leaves_the_row_as_it_was() {
    let log = [
        snapshot(100, 1),
        upsert(5, 100, 2),
        upsert(6, 110, 3),
        delete(7, 120),
        upsert(8, 130, 4),
        snapshot(200, 4),
        upsert(1, 210, 5),
        upsert(2, 210, 6),
        delete(3, 220),
        snapshot(300, 7),
    ];
    for prefix in 1..=log.len() {
        let mut state = RowState::default();
        log[..prefix].iter().for_each(|change| drop(state.apply(change.clone())));
        for from in 0..prefix {
            let mut replayed = state.clone();
            for change in &log[from..prefix] {
                let (verdict, step) = replayed.apply(change.clone());
                assert!(
                    matches!(verdict, Verdict::Duplicate(_) | Verdict::Filtered(_)) && step.is_none(),
                    "{change:?} replayed from {from} to {prefix}"
                );
            }
            assert_eq!(replayed, state, "replayed from {from} to {prefix}");
        }
    }
}

fn placed(ts_ms: i64, quantity: i64, lsn: i64, is_incremental: bool) -> Change<ItemRow> {
    let place = Some(LogPlace { lsn, is_incremental });
    Change { id: 7, ts_ms, op: Op::Snapshot { row: item(quantity), place } }
}

#[test]
fn rule_32_a_change_follows_a_snapshot_by_its_place_though_its_time_is_older() {
    for is_incremental in [false, true] {
        check(
            "committed before the snapshot's clock was read, behind its place",
            vec![
                (upsert(5, 100, 1), PROCESSED, Some(1)),
                (placed(200, 1, 10, is_incremental), DUPLICATE, Some(1)),
                (upsert(9, 150, 9), STALE, Some(1)),
                (upsert(10, 150, 2), PROCESSED, Some(2)),
                (upsert(12, 160, 3), PROCESSED, Some(3)),
                (placed(200, 1, 10, is_incremental), STALE, Some(3)),
                (upsert(12, 160, 3), DUPLICATE, Some(3)),
                (upsert(10, 150, 2), STALE, Some(3)),
                (placed(190, 1, 8, is_incremental), STALE, Some(3)),
                (placed(300, 4, 20, is_incremental), PROCESSED, Some(4)),
                (upsert(12, 160, 3), DUPLICATE, Some(4)),
                (delete(21, 250), PROCESSED, None),
            ],
        );
    }
}

#[test]
fn rule_32_a_place_counts_for_nothing_where_lsns_have_restarted() {
    check(
        "the first snapshot of another database",
        vec![
            (upsert(9_000, 100, 1), PROCESSED, Some(1)),
            (placed(200, 2, 40, false), PROCESSED, Some(2)),
            (upsert(9_100, 150, 9), STALE, Some(2)),
            (upsert(41, 210, 3), PROCESSED, Some(3)),
            (placed(300, 3, 50, true), DUPLICATE, Some(3)),
            (upsert(51, 250, 4), PROCESSED, Some(4)),
        ],
    );
    check(
        "a snapshot alone remembers its place",
        vec![
            (placed(100, 1, 9_000, false), PROCESSED, Some(1)),
            (placed(200, 2, 40, false), PROCESSED, Some(2)),
            (upsert(9_100, 150, 9), STALE, Some(2)),
        ],
    );
    check(
        "an incremental snapshot after the connector went back in the log",
        vec![
            (upsert(60, 100, 1), PROCESSED, Some(1)),
            (placed(200, 1, 50, true), DUPLICATE, Some(1)),
            (upsert(60, 100, 1), DUPLICATE, Some(1)),
            (upsert(55, 90, 9), STALE, Some(1)),
            (upsert(61, 150, 2), PROCESSED, Some(2)),
        ],
    );
}
