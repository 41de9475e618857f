//! How keys and values lie in a store and in its log. Pure functions over bytes; the golden tests hold them to the letter.

pub(crate) mod dedup;
pub(crate) mod expiry;
pub(crate) mod session;
pub(crate) mod window;

use smallvec::SmallVec;

/// A key that is put together for one call; it rarely needs the heap.
pub(crate) type KeyBuffer = SmallVec<[u8; 96]>;

/// The hour of a time, also before 1970.
pub(crate) fn hour_of_ms(time_ms: i64) -> i64 {
    time_ms.div_euclid(3_600_000)
}

/// The first millisecond of an hour; hours beyond the range of milliseconds end at its ends.
pub(crate) fn hour_start_ms(hour: i64) -> i64 {
    hour.saturating_mul(3_600_000)
}

/// Eight bytes that sort as the number does.
pub(crate) fn ordered_i64(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

/// The number of [`ordered_i64`]'s bytes.
pub(crate) fn from_ordered_i64(bytes: [u8; 8]) -> i64 {
    i64::from_be_bytes(bytes) ^ i64::MIN
}

/// Takes the first `N` bytes off a slice.
pub(crate) fn split_array<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk::<N>().map(|(head, rest)| (*head, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_numbers_sort_as_numbers() {
        let numbers = [i64::MIN, -3_600_001, -1, 0, 1, 3_600_000, i64::MAX];
        let bytes: Vec<_> = numbers.iter().map(|&number| ordered_i64(number)).collect();
        assert!(bytes.is_sorted());
        assert_eq!(bytes.iter().map(|&bytes| from_ordered_i64(bytes)).collect::<Vec<_>>(), numbers);
        assert_eq!(ordered_i64(1), [0x80, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn hours_are_floored() {
        for (time_ms, hour) in [(0, 0), (3_599_999, 0), (3_600_000, 1), (-1, -1), (-3_600_000, -1), (-3_600_001, -2)] {
            assert_eq!(hour_of_ms(time_ms), hour, "{time_ms}");
        }
    }
}
