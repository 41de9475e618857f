//! What may go wrong between the shop's database and the reader: repeats, replays, overtaking, snapshots at every wrong
//! moment, and another database under the same name. A row suffers one of these at most.

use super::script::{Planned, Script};
use super::stage::Stage;

const MINUTE_MS: i64 = 60_000;

/// Disturbs the row's changes, if it is one of those that suffer.
pub(super) fn disturb(stage: &mut Stage, script: &mut Script) {
    if !stage.random.chance(stage.settings.disorder.disturbed_rows_permille) {
        return;
    }
    let disturbances: [fn(&mut Stage, &mut Script); 13] = [
        repeat_last,
        rewind,
        overtake,
        snapshot_of_the_same,
        stale_snapshot,
        begin_with_snapshot,
        mending_snapshot,
        another_database,
        in_flight_at_snapshot,
        snapshots_of_equal_time,
        delete_comes_first,
        create_again,
        late_for_the_deleted,
    ];
    let turn = stage.turn_in(script.table.topic, "disturbances", disturbances.len());
    disturbances[turn](stage, script);
}

/// The last change is delivered twice.
fn repeat_last(_: &mut Stage, script: &mut Script) {
    let repeated = script.changes.last().cloned();
    script.changes.extend(repeated.map(|change| later(change, 900)));
}

/// The connector starts again from an older position and sends its last changes once more.
fn rewind(_: &mut Stage, script: &mut Script) {
    let from = script.changes.len().saturating_sub(3);
    let again_ms = script.last_ts_ms() + 2 * MINUTE_MS;
    let replayed: Vec<Planned> = script.changes[from..]
        .iter()
        .cloned()
        .enumerate()
        .map(|(index, change)| Planned { arrival_ms: again_ms + index as i64, ..change })
        .collect();
    script.changes.extend(replayed);
}

/// Of the last two changes, the second comes first.
fn overtake(_: &mut Stage, script: &mut Script) {
    if let [.., overtaken, last] = script.changes.as_mut_slice() {
        overtaken.arrival_ms = last.arrival_ms + 700;
    }
}

/// A snapshot finds what the stream has told already; a change follows.
fn snapshot_of_the_same(stage: &mut Stage, script: &mut Script) {
    let ts_ms = script.last_ts_ms() + MINUTE_MS;
    if script.changes.last().is_none_or(|change| change.op == 'd') {
        return;
    }
    script.snapshot(script.row.clone(), ts_ms);
    if stage.random.chance(500) {
        change_something(stage, script, ts_ms + MINUTE_MS);
    }
}

/// A snapshot row of long ago is delivered after newer changes.
fn stale_snapshot(_: &mut Stage, script: &mut Script) {
    let ts_ms = script.last_ts_ms();
    let first = script.changes.first().and_then(|change| change.after.clone());
    if let Some(row) = first {
        script.snapshot(row, ts_ms - 10);
        let arrival_ms = ts_ms + MINUTE_MS;
        script.changes.last_mut().into_iter().for_each(|change| change.arrival_ms = arrival_ms);
    }
}

/// The row was there before the connector: it is first seen in a snapshot.
fn begin_with_snapshot(_: &mut Stage, script: &mut Script) {
    if let Some(first) = script.changes.first_mut() {
        first.op = 'r';
        first.lsn = None;
    }
}

/// Changes were lost; a snapshot mends the row.
fn mending_snapshot(stage: &mut Stage, script: &mut Script) {
    let ts_ms = script.last_ts_ms();
    change_something(stage, script, ts_ms + MINUTE_MS);
    script.changes.pop();
    script.snapshot(script.row.clone(), ts_ms + 2 * MINUTE_MS);
    if stage.random.chance(500) {
        change_something(stage, script, ts_ms + 3 * MINUTE_MS);
    }
}

/// After a restore into another database the LSNs begin low again; the snapshot makes the difference.
fn another_database(stage: &mut Stage, script: &mut Script) {
    let ts_ms = script.last_ts_ms();
    change_something(stage, script, ts_ms + MINUTE_MS);
    script.changes.pop();
    script.snapshot(script.row.clone(), ts_ms + 2 * MINUTE_MS);
    for step in 0..2 {
        change_something(stage, script, ts_ms + (3 + step) * MINUTE_MS);
        let lsn = 1_000 + step;
        script.changes.last_mut().into_iter().for_each(|change| change.lsn = Some(lsn));
    }
}

/// The last change was committed before the snapshot read it, and comes after it.
fn in_flight_at_snapshot(_: &mut Stage, script: &mut Script) {
    let Some(last) = script.changes.pop_if(|change| change.op == 'u') else {
        return;
    };
    script.snapshot(script.row.clone(), last.ts_ms + 40);
    script.changes.push(later(last, 1_500));
}

/// Two snapshot rows of the same instant: the later one in the partition counts.
fn snapshots_of_equal_time(stage: &mut Stage, script: &mut Script) {
    let ts_ms = script.last_ts_ms() + 2 * MINUTE_MS;
    script.snapshot(script.row.clone(), ts_ms);
    change_something(stage, script, ts_ms - MINUTE_MS);
    script.changes.pop();
    script.snapshot(script.row.clone(), ts_ms);
}

/// The delete overtakes all that it deletes.
fn delete_comes_first(stage: &mut Stage, script: &mut Script) {
    if script.changes.last().is_some_and(|change| change.op == 'd') {
        return;
    }
    script.delete(stage, script.last_ts_ms() + 1);
    let after_ms = script.changes.last().map_or(0, |delete| delete.arrival_ms);
    let count = script.changes.len() - 1;
    for (index, change) in script.changes.iter_mut().take(count).enumerate() {
        change.arrival_ms = after_ms + 100 + index as i64;
    }
}

/// The row is deleted and comes back.
fn create_again(stage: &mut Stage, script: &mut Script) {
    let ts_ms = script.last_ts_ms();
    if script.changes.last().is_none_or(|change| change.op != 'd') {
        script.delete(stage, ts_ms + MINUTE_MS);
    }
    script.insert(stage, ts_ms + 5 * MINUTE_MS);
}

/// A change of the time before the delete comes after it; then the delete comes once more.
fn late_for_the_deleted(stage: &mut Stage, script: &mut Script) {
    if script.changes.last().is_some_and(|change| change.op == 'd') {
        return;
    }
    let ts_ms = script.last_ts_ms() + MINUTE_MS;
    change_something(stage, script, ts_ms);
    script.changes.last_mut().into_iter().for_each(|change| change.arrival_ms += 2 * MINUTE_MS);
    script.delete(stage, ts_ms + MINUTE_MS);
    let delete = script.changes.last().cloned();
    script.changes.extend(delete.map(|change| later(change, 2 * MINUTE_MS)));
}

fn later(change: Planned, by_ms: i64) -> Planned {
    Planned { arrival_ms: change.arrival_ms + by_ms, ..change }
}

/// An update of a column that every such row has.
fn change_something(stage: &mut Stage, script: &mut Script, ts_ms: i64) {
    let number = stage.next_id();
    match script.table.name_of_free_text() {
        Some(column) => script.update(stage, ts_ms, column, &format!("\"changed {number}\"")),
        None => script.update(stage, ts_ms, "quantity", &(number % 7 + 1).to_string()),
    }
}
