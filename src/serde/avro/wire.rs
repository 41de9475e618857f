//! The registry's wire format: a zero byte, the schema's id in four bytes (big-endian), the datum. Knows no schema.

use super::registry::SchemaId;
use crate::serde::SerdeError;

/// What every record begins with.
pub(super) const MAGIC: u8 = 0;

/// Bytes before the datum.
pub(super) const PREFIX_BYTES: usize = 5;

/// The prefix of records written with schema `id`.
pub(super) const fn prefix(id: SchemaId) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = id.0.to_be_bytes();
    [MAGIC, a, b, c, d]
}

/// The schema's id and the datum of a record.
pub(super) fn split(bytes: &[u8]) -> Result<(SchemaId, &[u8]), SerdeError> {
    let Some((prefix, datum)) = bytes.split_first_chunk::<PREFIX_BYTES>() else {
        let message =
            format!("{} bytes are too few for a zero byte and a schema id: not a record of a schema registry", bytes.len());
        return Err(SerdeError::new("bad_value", message));
    };
    let &[magic, a, b, c, d] = prefix;
    if magic != MAGIC {
        let message = format!("the first byte is {magic:#04x}, not zero: not a record of a schema registry");
        return Err(SerdeError::new("bad_value", message));
    }
    Ok((SchemaId(u32::from_be_bytes([a, b, c, d])), datum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_magic_id_and_datum() {
        assert_eq!(prefix(SchemaId(0x0102_0304)), [0, 1, 2, 3, 4]);
        assert_eq!(split(&[0, 1, 2, 3, 4, 9, 9]).unwrap(), (SchemaId(0x0102_0304), &[9, 9][..]));
        for bad in [&[][..], &[0], &[0, 0, 0, 1], &[1, 0, 0, 0, 1, 2], b"{\"a\":1}"] {
            assert_eq!(split(bad).unwrap_err().reason, "bad_value", "{bad:x?}");
        }
    }
}
