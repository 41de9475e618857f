//! All changes of one row in the order that makes its state: eras that snapshots begin, and in each the streamed changes by
//! LSN (rules 31–34). The table's columns have no meaning here.

use std::collections::BTreeMap;

use crate::changes::{Change, Origin};
use crate::reason::Verdict;
use crate::tables::Row;

/// Whether changes that come after their successors still find their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The row's state alone is wanted: they are dropped.
    State,
    /// They are placed in the row's history.
    History,
}

/// One change in the final order, with nothing unavailable any more.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) origin: Origin,
    pub(crate) ts_ms: i64,
    pub(crate) after: Option<Row>,
}

/// What is known of one row.
#[derive(Debug, Default)]
pub(crate) struct RowLog {
    /// The era before any snapshot.
    first: BTreeMap<i64, Change>,
    /// The later ones in the order of their snapshots' times.
    eras: Vec<Era>,
}

#[derive(Debug)]
struct Era {
    snapshot: Change,
    /// From this LSN on, changes come behind the snapshot whatever their time.
    from_lsn: Option<i64>,
    streamed: BTreeMap<i64, Change>,
}

impl Era {
    fn is_followed_by(&self, lsn: i64, ts_ms: i64) -> bool {
        self.snapshot.ts_ms <= ts_ms || self.from_lsn.is_some_and(|from| from <= lsn)
    }
}

impl RowLog {
    /// Takes in a change in partition order and says what became of it.
    pub(crate) fn arrive(&mut self, change: Change, keep: Keep) -> Verdict {
        match change.origin {
            Origin::Snapshot => self.arrive_snapshot(change),
            Origin::Stream(lsn) => self.arrive_streamed(lsn, change, keep),
        }
    }

    fn arrive_snapshot(&mut self, change: Change) -> Verdict {
        // A change that followed the last snapshot by its LSN may be older than it.
        let era_ts_ms = self.eras.last().map(|era| era.snapshot.ts_ms);
        let last = self.last().map(|last| (last.origin, last.ts_ms.max(era_ts_ms.unwrap_or(last.ts_ms))));
        let replaces = last == Some((Origin::Snapshot, change.ts_ms));
        if !replaces && last.is_some_and(|(_, last_ts_ms)| change.ts_ms <= last_ts_ms) {
            return Verdict::Filtered("stale");
        }
        let known = self.state();
        let unchanged = known.is_some() && known == change.after.clone().map(Row::or_null);
        let newest_lsn = self.newest_lsn();
        let from_lsn = change.place.and_then(|(lsn, is_beside_the_stream)| match newest_lsn {
            Some(newest) if newest > lsn => is_beside_the_stream.then(|| newest.saturating_add(1)),
            _ => Some(lsn),
        });
        if replaces {
            self.eras.pop();
        }
        self.eras.push(Era { snapshot: change, from_lsn, streamed: BTreeMap::new() });
        if unchanged { Verdict::Duplicate("lsn") } else { Verdict::Processed("") }
    }

    fn arrive_streamed(&mut self, lsn: i64, change: Change, keep: Keep) -> Verdict {
        // Era 0 is the one before any snapshot.
        let era = self.eras.iter().rposition(|era| era.is_followed_by(lsn, change.ts_ms)).map_or(0, |index| index + 1);
        if self.last_streamed() == Some((era, lsn)) {
            return Verdict::Duplicate("lsn");
        }
        let never_seen = self.last().is_none();
        let is_delete = change.after.is_none();
        let is_last = era == self.eras.len() && self.streamed(era).keys().all(|&earlier| earlier < lsn);
        if !is_last && keep == Keep::State {
            return Verdict::Filtered("stale");
        }
        self.streamed(era).insert(lsn, change);
        if never_seen && is_delete { Verdict::Filtered("unknown_row") } else { Verdict::Processed("") }
    }

    fn streamed(&mut self, era: usize) -> &mut BTreeMap<i64, Change> {
        match era.checked_sub(1) {
            None => &mut self.first,
            Some(index) => &mut self.eras[index].streamed,
        }
    }

    /// The newest place in the log that is known: the last streamed change's, or the last snapshot's if that is larger and behind it.
    fn newest_lsn(&self) -> Option<i64> {
        let streamed = self.last_streamed();
        match (streamed, self.eras.last()) {
            (Some((era, lsn)), _) if era == self.eras.len() => Some(lsn),
            (streamed, Some(era)) => streamed.map(|(_, lsn)| lsn).max(era.from_lsn),
            (streamed, None) => streamed.map(|(_, lsn)| lsn),
        }
    }

    /// Era and LSN of the last streamed change.
    fn last_streamed(&self) -> Option<(usize, i64)> {
        let later = self.eras.iter().enumerate().rev();
        let later = later.filter_map(|(index, era)| era.streamed.keys().next_back().map(|&lsn| (index + 1, lsn)));
        later.chain(self.first.keys().next_back().map(|&lsn| (0, lsn))).next()
    }

    /// The last change of the last era, which makes the row's state.
    fn last(&self) -> Option<&Change> {
        match self.eras.last() {
            Some(era) => Some(era.streamed.values().next_back().unwrap_or(&era.snapshot)),
            None => self.first.values().next_back(),
        }
    }

    /// All changes in order.
    pub(crate) fn resolved(&self) -> Vec<Resolved> {
        let later = self.eras.iter().flat_map(|era| std::iter::once(&era.snapshot).chain(era.streamed.values()));
        let mut resolved: Vec<Resolved> = vec![];
        for change in self.first.values().chain(later) {
            let predecessor = resolved.last().and_then(|earlier| earlier.after.as_ref());
            let after = change.after.clone().map(|row| row.filled_from(predecessor).or_null());
            resolved.push(Resolved { origin: change.origin, ts_ms: change.ts_ms, after });
        }
        resolved
    }

    /// The row as it is now, if it exists.
    pub(crate) fn state(&self) -> Option<Row> {
        self.resolved().pop()?.after
    }
}
