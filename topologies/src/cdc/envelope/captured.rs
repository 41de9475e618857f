//! Records as Debezium 3.6.1 wrote them, byte for byte, with the settings of `platform/connect`: one of each kind.
//!
//! They were read from the topics that it filled from a PostgreSQL 15. What is expected of them is written by hand.

use serde::Deserialize;

use super::*;
use crate::cdc::rows::Amount;
use crate::cdc::{Cell, CustomerRow, ItemRow, OrderRow, RowState};

#[derive(Deserialize)]
struct Captured {
    name: String,
    key: Option<String>,
    value: Option<String>,
}

/// What is read from the record of that name.
fn read_captured<R: Row>(name: &str) -> Result<Message<R>, Rejection> {
    let lines = include_str!("captured.jsonl").lines();
    let mut records = lines.map(|line| serde_json::from_str::<Captured>(line).unwrap());
    let record = records.find(|record| record.name == name).unwrap_or_else(|| panic!("{name} was captured"));
    read(record.key.as_deref().map(str::as_bytes), record.value.as_deref().map(str::as_bytes))
}

fn change<R: Row>(name: &str) -> Change<R> {
    match read_captured(name) {
        Ok(Message::Change(change)) => change,
        Ok(_) => panic!("{name} is no change"),
        Err(rejection) => panic!("{name}: {rejection:?}"),
    }
}

fn row<R: Row>(name: &str) -> R {
    match change(name).op {
        Op::Snapshot { row, .. } | Op::Upsert { row, .. } => row,
        Op::Delete { .. } => panic!("{name} has no row"),
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn item() -> ItemRow {
    ItemRow { order_id: 10, sku: text("sku-1"), title: Cell::Null, quantity: 2, unit_price: Amount::parse("9.99").unwrap() }
}

#[test]
fn columns_come_as_the_tables_hold_them() {
    let ada = CustomerRow {
        shop_id: "shop-1".into(),
        email: text("ada@example.org"),
        name: text("Ada"),
        phone: Cell::Null,
        country: text("DE"),
        marketing_opt_in: true,
        created_at: 1_767_225_600_123_456,
        updated_at: 1_767_225_600_000_000,
    };
    assert_eq!(row::<CustomerRow>("insert"), ada);
    let order = OrderRow {
        shop_id: "shop-1".into(),
        customer_id: Some(1),
        status: text("new"),
        currency: "EUR".into(),
        exponent: 2,
        discount: Amount::parse("1.5").unwrap(),
        shipping: Amount::parse("0").unwrap(),
        tax: Amount::parse("0.125").unwrap(),
        placed_at: 1_767_312_000_000_000,
        updated_at: 1_767_312_000_500_000,
    };
    assert_eq!(row::<OrderRow>("insert of an order"), order);
    let paid = OrderRow { status: text("paid"), updated_at: 1_767_312_060_000_000, ..order };
    assert_eq!(row::<OrderRow>("update with full identity"), paid);
    let sent = OrderRow { status: text("sent"), customer_id: None, ..paid };
    assert_eq!(row::<OrderRow>("update with default identity"), sent);
    assert_eq!(row::<ItemRow>("insert of an item"), item());
    let returned = row::<ItemRow>("first snapshot of an item");
    assert_eq!((returned.quantity, returned.unit_price), (-1, Amount::parse("0.005").unwrap()));
}

#[test]
fn a_streamed_change_tells_its_place_and_its_commit() {
    let inserted = change::<CustomerRow>("insert");
    assert_eq!((inserted.id, inserted.ts_ms), (1, 1_795_718_428_211));
    assert!(matches!(inserted.op, Op::Upsert { lsn: 26_746_016, .. }));
    for (name, lsn) in [("delete with full identity", 26_761_728), ("key update, its delete", 26_760_800)] {
        assert_eq!(change::<ItemRow>(name).op, Op::Delete { lsn }, "{name}");
    }
    assert_eq!(change::<OrderRow>("delete with default identity").op, Op::Delete { lsn: 26_761_968 });
}

// covers: R34
#[test]
fn a_key_update_is_a_delete_and_an_insert_at_one_place() {
    let (old, new) = (change::<ItemRow>("key update, its delete"), change::<ItemRow>("key update, its insert"));
    assert_eq!((old.id, new.id), (100, 101));
    assert_eq!((old.op, new.op), (Op::Delete { lsn: 26_760_800 }, Op::Upsert { lsn: 26_760_800, row: item() }));
    assert_eq!(old.ts_ms, new.ts_ms);
}

// covers: R34
#[test]
fn a_large_value_that_was_not_touched_is_told_by_full_identity_only() {
    let silent = row::<CustomerRow>("update that does not touch a large value, default identity");
    assert_eq!((silent.name, silent.phone, silent.country), (Cell::Unavailable, text("+49 30 1"), Cell::Null));
    let told = row::<CustomerRow>("update that does not touch a large value, full identity");
    assert_eq!(told.name.as_text().map(str::len), Some(160 * 32));
    assert_eq!((told.phone, told.email), (text("+49 30 2"), text("")));
}

// covers: R31, R35
#[test]
fn what_is_no_change_of_a_row_is_told_apart() {
    assert_eq!(read_captured::<OrderRow>("tombstone"), Ok(Message::Tombstone));
    assert_eq!(read_captured::<OrderRow>("logical message"), Ok(Message::LogicalMessage));
    let reason = |read: Result<Message<ItemRow>, Rejection>| read.map_err(|rejection| rejection.reason);
    assert_eq!(reason(read_captured("truncate")), Err(Reason::UnsupportedOp));
    let order = read_captured::<OrderRow>("not a number, infinity").map_err(|rejection| rejection.reason);
    assert_eq!(order, Err(Reason::BadValue), "found before the time, which is infinite");
}

// covers: R32
#[test]
fn snapshot_rows_tell_their_place_in_two_ways() {
    let place = |name: &str| match change::<CustomerRow>(name).op {
        Op::Snapshot { place, .. } => place,
        _ => panic!("{name} is a snapshot's"),
    };
    assert_eq!(place("incremental snapshot"), Some(LogPlace { lsn: 26_767_128, is_incremental: true }));
    let first = place("first snapshot of a customer").expect("it has an LSN");
    assert!(!first.is_incremental && first.lsn > 26_767_128, "{first:?}");
}

// covers: R32
#[test]
fn what_was_committed_while_a_snapshot_was_on_its_way_is_not_lost() {
    let snapshot = change::<CustomerRow>("incremental snapshot");
    let snapshot_ts_ms = snapshot.ts_ms;
    let Op::Snapshot { row, .. } = snapshot.op.clone() else { panic!() };
    let renamed = CustomerRow { name: text("Augusta"), ..row };
    // The connector let the row out at its own time; the update had been committed a second before, behind the snapshot's place in the log.
    let update = Change { id: 1, ts_ms: snapshot_ts_ms - 1_000, op: Op::Upsert { lsn: 26_767_600, row: renamed.clone() } };
    let mut state = RowState::default();
    for change in [snapshot.clone(), update, snapshot] {
        state.apply(change);
    }
    assert_eq!(state.row(), Some(&renamed), "and the snapshot's row again does not undo it");
}
