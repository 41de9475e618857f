//! A window store's key: the length of the record key (4 bytes), the record key, the window's start (8 bytes that sort as the
//! number). So all windows of a key lie together in order of time, and no key's windows lie between another's. The log has the
//! same keys.

use super::{KeyBuffer, from_ordered_i64, ordered_i64, split_array};

/// The key of one window.
pub(crate) fn encode(key: &[u8], start_ms: i64) -> KeyBuffer {
    let mut buffer = KeyBuffer::new();
    buffer.extend_from_slice(&(key.len() as u32).to_be_bytes());
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(&ordered_i64(start_ms));
    buffer
}

/// The record key and the start of a window's key.
pub(crate) fn decode(bytes: &[u8]) -> Option<(&[u8], i64)> {
    let (length, rest) = split_array::<4>(bytes)?;
    let (key, start) = rest.split_last_chunk::<8>()?;
    (key.len() == u32::from_be_bytes(length) as usize).then(|| (key, from_ordered_i64(*start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_length_key_and_start() {
        let bytes = encode(b"ab", 1);
        assert_eq!(bytes.as_slice(), [0, 0, 0, 2, b'a', b'b', 0x80, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(decode(&bytes), Some((&b"ab"[..], 1)));
        assert_eq!(decode(&encode(b"", i64::MIN)), Some((&b""[..], i64::MIN)));
    }

    #[test]
    fn other_bytes_are_no_window() {
        for bytes in [&b""[..], b"\0\0\0\x02ab", b"\0\0\0\x01ab\x80\0\0\0\0\0\0\x01"] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
