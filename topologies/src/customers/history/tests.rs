//! Rules 36 and 37: tables of changes and the rows they make, and properties over orders of arrival.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::cdc::Cell;
use crate::stored::Stored;

const ID: i64 = 7;

fn row(email: &str) -> CustomerRow {
    CustomerRow {
        shop_id: "s1".into(),
        email: Cell::Text(email.into()),
        name: Cell::Text("n".into()),
        phone: Cell::Null,
        country: Cell::Text("DE".into()),
        marketing_opt_in: false,
        created_at: 1_000,
        updated_at: 1_000,
    }
}

/// A snapshot row that was written at that time, in milliseconds.
fn snapshot(ts_ms: i64, written_ms: i64, email: &str) -> Change<CustomerRow> {
    let row = CustomerRow { updated_at: written_ms * 1_000, ..row(email) };
    Change { id: ID, ts_ms, op: Op::Snapshot { row, place: None } }
}

fn upsert(lsn: i64, ts_ms: i64, row: CustomerRow) -> Change<CustomerRow> {
    Change { id: ID, ts_ms, op: Op::Upsert { lsn, row } }
}

fn delete(lsn: i64, ts_ms: i64) -> Change<CustomerRow> {
    Change { id: ID, ts_ms, op: Op::Delete { lsn } }
}

/// What an outside reader of the two topics has: the last row of each key, deleted ones gone.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
struct Tables {
    current: BTreeMap<String, CustomerColumns>,
    versions: BTreeMap<(String, i64), CustomerVersionColumns>,
}

impl Tables {
    fn write(&mut self, changes: Vec<RowChange>) {
        for change in changes {
            match change {
                RowChange::Current(row) if row.is_deleted => {
                    assert_eq!((row.email, row.name, row.phone), (None, None, None));
                    assert!(self.current.remove(&row.shop_id).is_some(), "what is deleted was there");
                }
                RowChange::Current(row) => drop(self.current.insert(row.shop_id.clone(), row)),
                RowChange::Version(row) if row.is_deleted => {
                    assert_eq!((row.email, row.name, row.phone), (None, None, None));
                    assert!(self.versions.remove(&(row.shop_id, row.valid_from)).is_some(), "what is deleted was there");
                }
                RowChange::Version(row) => drop(self.versions.insert((row.shop_id.clone(), row.valid_from), row)),
            }
        }
    }

    /// One line a version: `shop from..to email updated_at`, times in milliseconds; the current row last.
    fn lines(&self) -> Vec<String> {
        let ms = |micros: i64| micros / 1_000;
        let mut versions: Vec<_> = self.versions.values().collect();
        versions.sort_by_key(|row| row.valid_from);
        let version = |row: &CustomerVersionColumns| {
            assert_eq!(row.is_current, row.valid_to.is_none());
            let to = row.valid_to.map_or(String::new(), |to| ms(to).to_string());
            format!(
                "{} {}..{to} {} @{}",
                row.shop_id,
                ms(row.valid_from),
                row.email.as_deref().unwrap_or("-"),
                ms(row.updated_at)
            )
        };
        let current =
            |row: &CustomerColumns| format!("{} now {} {}", row.shop_id, ms(row.valid_from), row.email.as_deref().unwrap_or("-"));
        versions.into_iter().map(version).chain(self.current.values().map(current)).collect()
    }
}

/// Feeds the changes and returns the verdicts and the tables; every step goes through the stored form.
fn feed(changes: impl IntoIterator<Item = Change<CustomerRow>>) -> (Vec<Verdict>, Tables) {
    let (mut state, mut tables, mut verdicts) = (CustomerState::default(), Tables::default(), Vec::new());
    for change in changes {
        let (verdict, rows) = state.apply(change);
        verdicts.push(verdict);
        tables.write(rows);
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        state = CustomerState::decode(&bytes).unwrap();
        let (current, versions) = state.rows(ID);
        assert!(current.iter().eq(tables.current.values()), "the current row is what was written");
        assert!(versions.iter().eq(tables.versions.values()), "the versions are what was written");
    }
    (verdicts, tables)
}

fn check(name: &str, changes: Vec<(Change<CustomerRow>, Verdict)>, lines: &[&str]) {
    let (changes, expected): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
    let (verdicts, tables) = feed(changes);
    assert_eq!(verdicts, expected, "{name}");
    assert_eq!(tables.lines(), lines, "{name}");
}

const PROCESSED: Verdict = Verdict::Processed;

#[test]
fn rule_36_versions_hold_from_their_commit_to_the_next() {
    check(
        "in order",
        vec![(upsert(1, 10, row("a")), PROCESSED), (upsert(2, 20, row("b")), PROCESSED), (upsert(3, 30, row("b")), PROCESSED)],
        &["s1 10..20 a @20", "s1 20..30 b @30", "s1 30.. b @30", "s1 now 30 b"],
    );
    check(
        "a snapshot holds from when its row was written, though it was taken later",
        vec![(snapshot(100, 40, "a"), PROCESSED), (upsert(1, 120, row("b")), PROCESSED)],
        &["s1 40..120 a @120", "s1 120.. b @120", "s1 now 120 b"],
    );
    check(
        "a start is not before its predecessor's",
        vec![(upsert(1, 50, row("a")), PROCESSED), (upsert(2, 60, row("b")), PROCESSED), (upsert(3, 55, row("c")), PROCESSED)],
        &["s1 50..60 a @60", "s1 60.. c @60", "s1 now 60 c"],
    );
}

#[test]
fn rule_36_empty_intervals_vanish() {
    check(
        "one millisecond",
        vec![(upsert(1, 10, row("a")), PROCESSED), (upsert(2, 10, row("b")), PROCESSED), (upsert(3, 10, row("c")), PROCESSED)],
        &["s1 10.. c @10", "s1 now 10 c"],
    );
    check("created and deleted at once", vec![(upsert(1, 10, row("a")), PROCESSED), (delete(2, 10), PROCESSED)], &[]);
}

#[test]
fn rule_33_a_late_change_is_placed_in_history() {
    check(
        "between two",
        vec![(upsert(1, 10, row("a")), PROCESSED), (upsert(3, 30, row("c")), PROCESSED), (upsert(2, 20, row("b")), PROCESSED)],
        &["s1 10..20 a @20", "s1 20..30 b @30", "s1 30.. c @30", "s1 now 30 c"],
    );
    check(
        "before the first",
        vec![(upsert(3, 30, row("c")), PROCESSED), (upsert(1, 10, row("a")), PROCESSED)],
        &["s1 10..30 a @30", "s1 30.. c @30", "s1 now 30 c"],
    );
    check(
        "one that moves the versions behind it, so that a key vanishes",
        vec![(upsert(1, 10, row("a")), PROCESSED), (upsert(3, 20, row("c")), PROCESSED), (upsert(2, 40, row("b")), PROCESSED)],
        &["s1 10..40 a @40", "s1 40.. c @40", "s1 now 40 c"],
    );
    check(
        "a late delete parts the lives",
        vec![(upsert(1, 10, row("a")), PROCESSED), (upsert(3, 30, row("c")), PROCESSED), (delete(2, 20), PROCESSED)],
        &["s1 10..20 - @20", "s1 30.. c @30", "s1 now 30 c"],
    );
    check(
        "repetitions",
        vec![
            (upsert(1, 10, row("a")), PROCESSED),
            (upsert(2, 20, row("b")), PROCESSED),
            (upsert(1, 10, row("a")), PROCESSED),
            (upsert(2, 20, row("b")), Verdict::DUPLICATE_LSN),
        ],
        &["s1 10..20 a @20", "s1 20.. b @20", "s1 now 20 b"],
    );
}

#[test]
fn rule_32_eras_order_customers_too() {
    check(
        "a late change of an earlier era",
        vec![
            (upsert(50, 10, row("a")), PROCESSED),
            (snapshot(100, 60, "b"), PROCESSED),
            (upsert(3, 120, row("c")), PROCESSED),
            (upsert(51, 55, row("late")), PROCESSED),
            (snapshot(90, 60, "x"), Verdict::STALE),
            (snapshot(120, 60, "x"), Verdict::STALE),
        ],
        &["s1 10..55 a @55", "s1 55..60 late @60", "s1 60..120 b @120", "s1 120.. c @120", "s1 now 120 c"],
    );
    check(
        "an equal-time snapshot row replaces the one before",
        vec![
            (snapshot(100, 40, "a"), PROCESSED),
            (snapshot(100, 50, "b"), PROCESSED),
            (snapshot(100, 50, "b"), Verdict::DUPLICATE_LSN),
        ],
        &["s1 50.. b @50", "s1 now 50 b"],
    );
    check(
        "the newest streamed change, behind a snapshot",
        vec![
            (upsert(50, 10, row("a")), PROCESSED),
            (snapshot(100, 60, "b"), PROCESSED),
            (upsert(50, 10, row("a")), Verdict::DUPLICATE_LSN),
        ],
        &["s1 10..60 a @60", "s1 60.. b @60", "s1 now 60 b"],
    );
}

#[test]
fn rule_32_a_snapshot_of_the_same_content_makes_no_version_while_it_equals_its_predecessor() {
    let same = |ts_ms| snapshot(ts_ms, 1, "a");
    check(
        "same content",
        vec![
            (upsert(5, 10, row("a")), PROCESSED),
            (same(100), Verdict::DUPLICATE_LSN),
            (same(200), Verdict::DUPLICATE_LSN),
            (upsert(1, 210, row("b")), PROCESSED),
        ],
        &["s1 10..210 a @210", "s1 210.. b @210", "s1 now 210 b"],
    );
    check(
        "a late change comes between, so it becomes one",
        vec![(upsert(5, 10, row("a")), PROCESSED), (same(100), Verdict::DUPLICATE_LSN), (upsert(6, 20, row("b")), PROCESSED)],
        &["s1 10..20 a @20", "s1 20.. a @20", "s1 now 20 a"],
    );
    check(
        "a late delete comes between",
        vec![(upsert(5, 10, row("a")), PROCESSED), (same(100), Verdict::DUPLICATE_LSN), (delete(6, 20), PROCESSED)],
        &["s1 10..20 - @20", "s1 20.. a @20", "s1 now 20 a"],
    );
    check(
        "it still does after the text was erased",
        vec![(upsert(5, 10, row("a")), PROCESSED), (same(100), Verdict::DUPLICATE_LSN), (delete(1, 110), PROCESSED)],
        &["s1 10..110 - @110"],
    );
}

#[test]
fn rule_37_a_delete_closes_history_and_takes_the_personal_columns() {
    check(
        "delete",
        vec![(upsert(1, 10, row("a")), PROCESSED), (upsert(2, 20, row("b")), PROCESSED), (delete(3, 30), PROCESSED)],
        &["s1 10..20 - @30", "s1 20..30 - @30"],
    );
    check(
        "what is late for the time before it comes out bare",
        vec![(upsert(1, 10, row("a")), PROCESSED), (delete(3, 30), PROCESSED), (upsert(2, 20, row("b")), PROCESSED)],
        &["s1 10..20 - @30", "s1 20..30 - @30"],
    );
    check(
        "a re-creation starts anew, not before the delete",
        vec![
            (upsert(1, 10, row("a")), PROCESSED),
            (delete(2, 30), PROCESSED),
            (upsert(3, 25, row("c")), PROCESSED),
            (delete(4, 50), PROCESSED),
        ],
        &["s1 10..30 - @30", "s1 30..50 - @50"],
    );
    check(
        "a snapshot finds it again",
        vec![(upsert(1, 10, row("a")), PROCESSED), (delete(2, 30), PROCESSED), (snapshot(100, 20, "a"), PROCESSED)],
        &["s1 10..30 - @30", "s1 30.. a @30", "s1 now 30 a"],
    );
}

#[test]
fn rule_34_a_delete_of_a_customer_never_seen_bares_what_comes_late() {
    check(
        "unknown",
        vec![
            (delete(5, 50), Verdict::UNKNOWN_ROW),
            (delete(5, 50), Verdict::DUPLICATE_LSN),
            (delete(4, 40), PROCESSED),
            (delete(4, 40), PROCESSED),
            (upsert(3, 30, row("a")), PROCESSED),
            (snapshot(50, 1, "x"), Verdict::STALE),
            (delete(4, 40), PROCESSED),
        ],
        &["s1 30..40 - @40"],
    );
}

#[test]
fn rule_34_an_unavailable_value_is_the_predecessors_also_when_that_comes_late() {
    let silent = CustomerRow { email: Cell::Unavailable, ..row("") };
    check(
        "in order",
        vec![(upsert(1, 10, row("a")), PROCESSED), (upsert(2, 20, silent.clone()), PROCESSED)],
        &["s1 10..20 a @20", "s1 20.. a @20", "s1 now 20 a"],
    );
    check("nothing before it", vec![(upsert(2, 20, silent.clone()), PROCESSED)], &["s1 20.. - @20", "s1 now 20 -"]);
    check(
        "its predecessor comes late",
        vec![
            (upsert(3, 30, silent.clone()), PROCESSED),
            (upsert(1, 10, row("a")), PROCESSED),
            (upsert(2, 20, row("b")), PROCESSED),
        ],
        &["s1 10..20 a @20", "s1 20..30 b @30", "s1 30.. b @30", "s1 now 30 b"],
    );
    check(
        "not across a delete",
        vec![(upsert(1, 10, row("a")), PROCESSED), (delete(2, 20), PROCESSED), (upsert(3, 30, silent), PROCESSED)],
        &["s1 10..20 - @20", "s1 30.. - @30", "s1 now 30 -"],
    );
}

#[test]
fn rule_37_a_change_of_shop_moves_the_current_row_and_opens_a_version() {
    let moved = CustomerRow { shop_id: "s2".into(), ..row("b") };
    check(
        "to another shop",
        vec![(upsert(1, 10, row("a")), PROCESSED), (upsert(2, 20, moved.clone()), PROCESSED)],
        &["s1 10..20 a @20", "s2 20.. b @20", "s2 now 20 b"],
    );
    let mut state = CustomerState::default();
    state.apply(upsert(1, 10, row("a")));
    let (_, rows) = state.apply(upsert(2, 20, moved));
    let told: Vec<_> = rows
        .iter()
        .map(|change| match change {
            RowChange::Current(row) => format!("current {} deleted={} @{}", row.shop_id, row.is_deleted, row.updated_at),
            RowChange::Version(row) => format!("version {} {} deleted={}", row.shop_id, row.valid_from, row.is_deleted),
        })
        .collect();
    assert_eq!(
        told,
        [
            "current s1 deleted=true @20000",
            "current s2 deleted=false @20000",
            "version s1 10000 deleted=false",
            "version s2 20000 deleted=false"
        ]
    );
}

#[test]
fn rule_37_a_row_whose_key_vanishes_is_deleted_without_personal_columns() {
    let mut state = CustomerState::default();
    state.apply(upsert(1, 10, row("a")));
    state.apply(upsert(3, 20, row("c")));
    let (_, rows) = state.apply(upsert(2, 40, row("b")));
    let gone: Vec<_> = rows
        .iter()
        .filter_map(|change| if let RowChange::Version(row) = change { Some(row) } else { None })
        .filter(|row| row.is_deleted)
        .collect();
    assert_eq!(
        gone.iter().map(|row| (row.valid_from, row.updated_at, row.email.clone())).collect::<Vec<_>>(),
        [(20_000, 40_000, None)]
    );
}

#[test]
fn rule_37_after_a_delete_the_stored_state_holds_no_personal_text() {
    let mut state = CustomerState::default();
    let secret =
        CustomerRow { phone: Cell::Text("secret-phone".into()), name: Cell::Text("secret-name".into()), ..row("secret-mail") };
    let holds_secret = |state: &CustomerState| {
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        bytes.windows(6).any(|window| window == b"secret")
    };
    state.apply(upsert(1, 10, secret.clone()));
    assert!(holds_secret(&state));
    state.apply(delete(3, 30));
    assert!(!holds_secret(&state));
    state.apply(upsert(2, 20, secret));
    assert!(!holds_secret(&state), "a late one is not kept either");
}

#[test]
fn the_stored_state_grows_by_the_columns_that_change() {
    let mut state = CustomerState::default();
    let mut size = 0;
    for version in 0..100_i64 {
        let row =
            CustomerRow { updated_at: 1_700_000_000_000_000 + version * 86_400_000_000, ..row(&"long address ".repeat(20)) };
        state.apply(upsert(1_000_000 + version * 5_000, 1_700_000_000_000 + version * 86_400_000, row));
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        size = bytes.len();
    }
    assert!(size < 300 + 100 * 30, "{size} bytes for 100 versions");
}

/// The rows by the letter of the rules, from the set of streamed changes: no state, no order of arrival.
fn oracle(changes: &[Change<CustomerRow>]) -> Tables {
    let mut ordered: Vec<(i64, i64, Option<&CustomerRow>)> = changes
        .iter()
        .map(|change| match &change.op {
            Op::Upsert { lsn, row } => (*lsn, change.ts_ms, Some(row)),
            Op::Delete { lsn } => (*lsn, change.ts_ms, None),
            Op::Snapshot { .. } => panic!("only streamed changes here"),
        })
        .collect();
    ordered.sort_by_key(|(lsn, ..)| *lsn);
    let mut starts = Vec::new();
    let mut start = i64::MIN;
    for (_, ts_ms, _) in &ordered {
        start = start.max(ts_ms * 1_000);
        starts.push(start);
    }
    let mut tables = Tables::default();
    for (at, (_, _, row)) in ordered.iter().enumerate() {
        let Some(row) = row else { continue };
        let end = starts.get(at + 1).copied();
        if end == Some(starts[at]) {
            continue;
        }
        let erased_at = (at + 1..ordered.len()).find(|later| ordered[*later].2.is_none()).map(|later| starts[later]);
        let life = ordered[..at].iter().rposition(|(_, _, row)| row.is_none()).map_or(0, |delete| delete + 1);
        let email = (life..=at).rev().map(|said| ordered[said].2.unwrap().email.clone()).find(|cell| *cell != Cell::Unavailable);
        let email = email.and_then(|cell| cell.as_text().map(str::to_owned)).filter(|_| erased_at.is_none());
        let name = row.name.as_text().map(str::to_owned).filter(|_| erased_at.is_none());
        let version = CustomerVersionColumns {
            shop_id: row.shop_id.clone(),
            customer_id: ID.to_string(),
            valid_from: starts[at],
            email: email.clone(),
            name: name.clone(),
            phone: None,
            country: Some("DE".into()),
            marketing_opt_in: row.marketing_opt_in,
            created_at: row.created_at,
            source_updated_at: row.updated_at,
            valid_to: end,
            is_current: end.is_none(),
            is_deleted: false,
            updated_at: erased_at.or(end).unwrap_or(starts[at]),
        };
        if end.is_none() {
            let current = CustomerColumns {
                shop_id: row.shop_id.clone(),
                customer_id: ID.to_string(),
                email,
                name,
                phone: None,
                country: Some("DE".into()),
                marketing_opt_in: row.marketing_opt_in,
                created_at: row.created_at,
                source_updated_at: row.updated_at,
                valid_from: starts[at],
                is_deleted: false,
                updated_at: starts[at],
            };
            tables.current.insert(row.shop_id.clone(), current);
        }
        tables.versions.insert((row.shop_id.clone(), starts[at]), version);
    }
    tables
}

fn a_row() -> impl Strategy<Value = CustomerRow> {
    let email = prop_oneof![4 => "[ab]".prop_map(Cell::Text), 1 => Just(Cell::Unavailable), 1 => Just(Cell::Null)];
    (email, "s[12]", any::<bool>()).prop_map(|(email, shop_id, marketing_opt_in)| CustomerRow {
        shop_id,
        email,
        marketing_opt_in,
        ..row("")
    })
}

/// Changes with distinct LSNs in that order; commit times mostly rise, as a database's do, but not always.
fn a_log() -> impl Strategy<Value = Vec<Change<CustomerRow>>> {
    let change = (prop_oneof![3 => a_row().prop_map(Some), 1 => Just(None)], -3..8_i64);
    proptest::collection::vec(change, 1..10).prop_map(|changes| {
        let mut ts_ms = 100;
        let place = |(at, (row, step)): (usize, (Option<CustomerRow>, i64))| {
            ts_ms += step;
            let lsn = at as i64 * 10;
            row.map_or_else(|| delete(lsn, ts_ms), |row| upsert(lsn, ts_ms, row))
        };
        changes.into_iter().enumerate().map(place).collect()
    })
}

/// A log in which snapshot rows lie between the streamed changes, at least so long after what was committed before them.
///
/// With a gap LSNs restart behind each. Without one some snapshots are stale, so LSNs go on: where they restarted unnoticed, a change's era,
/// which is decided when it arrives, could be another one when it arrives again.
fn a_log_with_snapshots(gap_ms: i64) -> impl Strategy<Value = Vec<Change<CustomerRow>>> {
    let change = (prop_oneof![5 => a_row().prop_map(Some), 2 => Just(None)], 0..6_i64, 0..4_u8);
    proptest::collection::vec(change, 1..12).prop_map(move |changes| {
        let (mut ts_ms, mut lsn) = (100, 1_000);
        let place = |(row, step, kind): (Option<CustomerRow>, i64, u8)| {
            ts_ms += step;
            match (row, kind) {
                (Some(row), 0) => {
                    ts_ms += gap_ms;
                    lsn -= 600 * gap_ms;
                    let row = CustomerRow { email: row.email.or_before(None).clone(), updated_at: (ts_ms - 3) * 1_000, ..row };
                    Change { id: ID, ts_ms, op: Op::Snapshot { row, place: None } }
                }
                (row, _) => {
                    lsn += 10;
                    row.map_or_else(|| delete(lsn, ts_ms), |row| upsert(lsn, ts_ms, row))
                }
            }
        };
        changes.into_iter().map(place).collect()
    })
}

proptest! {
    #[test]
    fn rule_36_any_arrival_order_of_the_same_streamed_changes_gives_the_same_rows(
        (log, shuffled) in a_log().prop_flat_map(|log| (Just(log.clone()), Just(log).prop_shuffle()))
    ) {
        let (_, in_order) = feed(log.clone());
        prop_assert_eq!(&in_order, &oracle(&log));
        let (_, any_order) = feed(shuffled);
        prop_assert_eq!(in_order, any_order);
    }

    #[test]
    fn rule_33_redelivery_of_a_suffix_changes_no_row(log in a_log_with_snapshots(1), from in 0..12_usize) {
        let mut state = CustomerState::default();
        for change in &log {
            state.apply(change.clone());
        }
        let settled = state.clone();
        for change in &log[from.min(log.len())..] {
            let (_, rows) = state.apply(change.clone());
            prop_assert_eq!(rows, vec![]);
        }
        prop_assert_eq!(state, settled);
    }

    #[test]
    fn rule_33_redelivery_of_a_suffix_ends_with_the_same_rows_also_where_snapshots_of_one_time_differ(log in a_log_with_snapshots(0), from in 0..12_usize) {
        let mut again = log.clone();
        again.extend_from_slice(&log[from.min(log.len())..]);
        prop_assert_eq!(feed(again).1, feed(log).1);
    }

    #[test]
    fn rule_32_customers_and_other_tables_agree_on_changes_that_come_in_order(log in a_log_with_snapshots(1)) {
        let (mut customer, mut other) = (CustomerState::default(), crate::cdc::RowState::default());
        for change in log {
            let (plain, _) = other.apply(change.clone());
            let (verdict, _) = customer.apply(change);
            prop_assert_eq!(verdict, plain);
            let shown = customer.rows(ID).0.map(|row| (row.shop_id, row.email, row.source_updated_at));
            let kept = other.row().map(|row| (row.shop_id.clone(), row.email.as_text().map(str::to_owned), row.updated_at));
            prop_assert_eq!(shown, kept);
        }
    }
}

// covers: R32
#[test]
fn a_change_follows_a_snapshot_by_its_place_though_its_time_is_older() {
    let placed = |ts_ms: i64, lsn: i64| {
        let row = CustomerRow { updated_at: 50_000, ..row("a") };
        Change { id: ID, ts_ms, op: Op::Snapshot { row, place: Some(LogPlace { lsn, is_incremental: true }) } }
    };
    let mut state = CustomerState::default();
    for (change, expected, email) in [
        (placed(200, 10), Verdict::Processed, "a"),
        (upsert(10, 150, row("b")), Verdict::Processed, "b"),
        (upsert(9, 140, row("before it")), Verdict::Processed, "b"),
        (placed(200, 10), Verdict::STALE, "b"),
        (upsert(10, 150, row("b")), Verdict::DUPLICATE_LSN, "b"),
        (upsert(12, 160, row("c")), Verdict::Processed, "c"),
        (placed(300, 20), Verdict::Processed, "a"),
        (upsert(21, 250, row("d")), Verdict::Processed, "d"),
    ] {
        let (verdict, _) = state.apply(change.clone());
        let (current, _) = state.rows(ID);
        assert_eq!((verdict, current.and_then(|row| row.email).as_deref()), (expected, Some(email)), "{change:?}");
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        assert_eq!(CustomerState::decode(&bytes), Ok(state.clone()));
    }
}
