//! The identities of the last hours in memory, the running transaction's included: most lookups end here.
//! It knows from which hour on it is complete, so that a miss may need no look at the disk. It does not know transactions.

use std::collections::BTreeMap;

use hashbrown::HashTable;

/// A bucket of the table and its control byte.
const BUCKET_BYTES: usize = size_of::<Entry>() + 1;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Two halves, since a `u128` would align the entry to 16 bytes.
    id: [u64; 2],
    hour: i32,
}

/// A bounded table from identity to hour.
#[derive(Debug)]
pub(crate) struct Front {
    table: HashTable<Entry>,
    max_entries: usize,
    complete_from_hour: i64,
}

impl Front {
    /// A front that uses about this much memory, and holds all identities there are from this hour on.
    pub(crate) fn new(limit_bytes: usize, complete_from_hour: i64) -> Self {
        let buckets = limit_bytes / BUCKET_BYTES;
        let buckets = if buckets == 0 { 0 } else { 1 << buckets.ilog2() };
        Self { table: HashTable::new(), max_entries: buckets / 8 * 7, complete_from_hour }
    }

    /// How many identities there is room for.
    pub(crate) fn max_entries(&self) -> usize {
        self.max_entries
    }

    /// The hour from which on a miss says that there is no such identity.
    pub(crate) fn complete_from_hour(&self) -> i64 {
        self.complete_from_hour
    }

    pub(crate) fn set_complete_from_hour(&mut self, hour: i64) {
        self.complete_from_hour = hour;
    }

    pub(crate) fn get(&self, id: u128) -> Option<i32> {
        let halves = halves(id);
        self.table.find(hash(halves), |entry| entry.id == halves).map(|entry| entry.hour)
    }

    /// Sets the hour of an identity and returns the one before.
    pub(crate) fn set(&mut self, id: u128, hour: i32) -> Option<i32> {
        use hashbrown::hash_table::Entry as Place;
        let halves = halves(id);
        match self.table.entry(hash(halves), |entry| entry.id == halves, |entry| hash(entry.id)) {
            Place::Occupied(mut held) => Some(std::mem::replace(&mut held.get_mut().hour, hour)),
            Place::Vacant(place) => {
                place.insert(Entry { id: halves, hour });
                None
            }
        }
    }

    /// Takes an identity out.
    pub(crate) fn remove(&mut self, id: u128) {
        let halves = halves(id);
        if let Ok(held) = self.table.find_entry(hash(halves), |entry| entry.id == halves) {
            held.remove();
        }
    }

    /// Makes room when little is left: expired hours go first, then the oldest ones until half is free. Only between
    /// transactions, since what goes must be on disk.
    pub(crate) fn trim(&mut self, horizon: i64) {
        if self.table.len() <= self.max_entries - self.max_entries / 8 {
            return;
        }
        let mut counts = BTreeMap::<i64, usize>::new();
        for entry in &self.table {
            *counts.entry(i64::from(entry.hour)).or_default() += 1;
        }
        let mut cut = horizon;
        let mut left: usize = counts.range(horizon..).map(|(_, count)| count).sum();
        for (&hour, count) in counts.range(horizon..) {
            if left <= self.max_entries / 2 {
                break;
            }
            left -= count;
            cut = hour + 1;
        }
        // Half is free then, so the table can sort out its deleted places without growing.
        self.table.retain(|entry| i64::from(entry.hour) >= cut);
        self.complete_from_hour = self.complete_from_hour.max(cut);
    }
}

fn halves(id: u128) -> [u64; 2] {
    [(id >> 64) as u64, id as u64]
}

/// Identities are hashes mostly, but need not be: one folded multiplication mixes both halves.
fn hash([high, low]: [u64; 2]) -> u64 {
    let product = u128::from(high ^ 0x9e37_79b9_7f4a_7c15) * u128::from(low ^ 0xd1b5_4a32_d192_ed03);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trimming_drops_expired_hours_first_and_says_from_where_it_is_complete() {
        let mut front = Front::new(1 << 20, i64::MIN);
        let capacity = front.max_entries() as u128;
        for n in 0..capacity {
            front.set(n * n + 7, (n % 10) as i32);
        }
        front.trim(6);
        assert_eq!(front.complete_from_hour(), 6);
        assert_eq!(front.get(3 * 3 + 7), None);
        assert_eq!(front.get(8 * 8 + 7), Some(8));
        for n in 0..capacity {
            front.set((1 << 90) + n, 9);
        }
        front.trim(6);
        assert_eq!(front.complete_from_hour(), 10, "one hour alone does not fit");
        assert_eq!(front.get(1 << 90), None);
    }

    #[test]
    fn a_front_without_memory_is_emptied_by_trimming() {
        let mut front = Front::new(0, i64::MIN);
        assert_eq!(front.set(5, 1), None);
        assert_eq!(front.set(5, 2), Some(1));
        front.trim(i64::MIN);
        assert_eq!((front.get(5), front.complete_from_hour()), (None, 3));
    }
}
