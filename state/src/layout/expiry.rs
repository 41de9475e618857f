//! A key of the expiry index: the store's number (2 bytes), the hour (8 bytes that sort as the number), the record key. It has no
//! value. The index says "this key had something in this hour"; whether it still has is asked of the store. It is not logged: a
//! restore derives it.

use super::{KeyBuffer, from_ordered_i64, ordered_i64, split_array};

/// The place of a store's hour, which is the prefix of all its keys.
pub(crate) fn prefix(store_number: u16, hour: i64) -> KeyBuffer {
    let mut buffer = KeyBuffer::new();
    buffer.extend_from_slice(&store_number.to_be_bytes());
    buffer.extend_from_slice(&ordered_i64(hour));
    buffer
}

/// The entry of one key in one hour.
pub(crate) fn encode(store_number: u16, hour: i64, key: &[u8]) -> KeyBuffer {
    let mut buffer = prefix(store_number, hour);
    buffer.extend_from_slice(key);
    buffer
}

/// The store's number, the hour and the record key.
pub(crate) fn decode(bytes: &[u8]) -> Option<(u16, i64, &[u8])> {
    let (number, rest) = split_array::<2>(bytes)?;
    let (hour, key) = split_array::<8>(rest)?;
    Some((u16::from_be_bytes(number), from_ordered_i64(hour), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_number_hour_and_key() {
        let bytes = encode(3, 2, b"k");
        assert_eq!(bytes.as_slice(), [0, 3, 0x80, 0, 0, 0, 0, 0, 0, 2, b'k']);
        assert_eq!(decode(&bytes), Some((3, 2, &b"k"[..])));
        assert_eq!(decode(b"short"), None);
    }
}
