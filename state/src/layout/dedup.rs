//! A dedup store's entry: the identity (16 bytes) and the hour in which it was kept (4 bytes). Its log packs many identities of
//! one hour into a record. Key: the hour (8 bytes). Value: a version byte, the hour (4 bytes), the number of identities (4
//! bytes), the identities, and XXH3-64 of all that. Which identities share a record means nothing.

use xxhash_rust::xxh3::xxh3_64;

use super::{KeyBuffer, split_array};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 9;
const SUM_BYTES: usize = 8;
const ID_BYTES: usize = 16;

/// The value of an identity that was kept in this hour.
pub(crate) fn encode_hour(hour: i32) -> [u8; 4] {
    hour.to_be_bytes()
}

/// The hour of an identity's value.
pub(crate) fn decode_hour(value: &[u8]) -> Option<i64> {
    <[u8; 4]>::try_from(value).ok().map(|bytes| i64::from(i32::from_be_bytes(bytes)))
}

/// The key of a record of the log.
pub(crate) fn record_key(hour: i32) -> KeyBuffer {
    KeyBuffer::from_slice(&i64::from(hour).to_be_bytes())
}

/// Writes the value of a record of the log.
pub(crate) fn pack(hour: i32, ids: impl ExactSizeIterator<Item = u128>, into: &mut Vec<u8>) {
    into.clear();
    into.reserve(HEAD_BYTES + ids.len() * ID_BYTES + SUM_BYTES);
    into.push(VERSION);
    into.extend_from_slice(&hour.to_be_bytes());
    into.extend_from_slice(&(ids.len() as u32).to_be_bytes());
    for id in ids {
        into.extend_from_slice(&id.to_be_bytes());
    }
    let sum = xxh3_64(into);
    into.extend_from_slice(&sum.to_be_bytes());
}

/// The hour and the identities of a record of the log, or what is wrong with it.
pub(crate) fn unpack(value: &[u8]) -> Result<(i32, impl ExactSizeIterator<Item = u128>), &'static str> {
    let (body, sum) = value.split_last_chunk::<SUM_BYTES>().ok_or("it is too short")?;
    if xxh3_64(body) != u64::from_be_bytes(*sum) {
        return Err("its checksum does not match");
    }
    let ([version], rest) = split_array::<1>(body).ok_or("it is too short")?;
    if version != VERSION {
        return Err("its version is unknown");
    }
    let (hour, rest) = split_array::<4>(rest).ok_or("it is too short")?;
    let (count, rest) = split_array::<4>(rest).ok_or("it is too short")?;
    let (ids, tail) = rest.as_chunks::<ID_BYTES>();
    if !tail.is_empty() || ids.len() != u32::from_be_bytes(count) as usize {
        return Err("its length does not match its count");
    }
    Ok((i32::from_be_bytes(hour), ids.iter().map(|id| u128::from_be_bytes(*id))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_version_hour_count_ids_and_sum() {
        let mut value = Vec::new();
        pack(486_000, [1, u128::MAX].into_iter(), &mut value);
        let (body, sum) = value.split_last_chunk::<8>().unwrap();
        assert_eq!(body[..9], [1, 0, 7, 0x6a, 0x70, 0, 0, 0, 2]);
        assert_eq!(body[9..25], 1_u128.to_be_bytes());
        assert_eq!(body[25..], [0xff; 16]);
        assert_eq!(u64::from_be_bytes(*sum), xxh3_64(body));
        assert_eq!(record_key(486_000).as_slice(), [0, 0, 0, 0, 0, 7, 0x6a, 0x70]);
        assert_eq!(encode_hour(486_000), [0, 7, 0x6a, 0x70]);
        assert_eq!(decode_hour(&encode_hour(-3)), Some(-3));
    }

    #[test]
    fn packed_ids_come_back() {
        let ids: Vec<u128> = (0..1000).map(|n| n * 7_777_777_777_777_777_777).collect();
        let mut value = Vec::new();
        pack(-5, ids.iter().copied(), &mut value);
        let (hour, unpacked) = unpack(&value).unwrap();
        assert_eq!((hour, unpacked.collect::<Vec<_>>()), (-5, ids));
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let mut value = Vec::new();
        pack(9, [3, 4, 5].into_iter(), &mut value);
        for at in 0..value.len() {
            value[at] ^= 0x10;
            assert!(unpack(&value).is_err(), "byte {at}");
            value[at] ^= 0x10;
        }
        assert!(unpack(&value[..value.len() - 1]).is_err());
        assert!(unpack(b"").is_err());
    }
}
