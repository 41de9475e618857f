//! `Change`: what flows between tables, a value that takes another's place. And its bytes, for tables that are grouped anew.

use bytes::{Buf, BufMut, BytesMut};

use crate::serde::{Data, Decode, Encode, Serde, SerdeError, SharedSerde};

/// One change of a table's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<V> {
    /// What the row was; told for a deletion, and otherwise where somebody behind needs it.
    pub old: Option<V>,
    /// What the row is now; `None` is a deletion.
    pub new: Option<V>,
    /// Whether it came to nothing; see [`void`](Self::void).
    pub(crate) is_void: bool,
}

impl<V> Change<V> {
    pub(crate) fn new(old: Option<V>, new: Option<V>) -> Self {
        Self { old, new, is_void: false }
    }

    /// Of a row that came and went before anything was told of it: only a join that saw it meanwhile needs to know.
    pub(crate) fn void() -> Self {
        Self { old: None, new: None, is_void: true }
    }
}

const HAS_NEW: u8 = 1;
const HAS_OLD: u8 = 2;

/// Both values of a change in one record: flags (1 byte), the length of the new value (4) and its bytes, the old value's bytes.
pub(crate) struct ChangeSerde<V>(pub(crate) SharedSerde<V>);

impl<V: Data> Encode<Change<V>> for ChangeSerde<V> {
    fn encode(&self, change: &Change<V>, out: &mut BytesMut) -> Result<(), SerdeError> {
        let flag = |value: &Option<V>, flag: u8| if value.is_some() { flag } else { 0 };
        out.put_u8(flag(&change.new, HAS_NEW) | flag(&change.old, HAS_OLD));
        if let Some(new) = &change.new {
            let at = out.len();
            out.put_u32(0);
            self.0.encode(new, out)?;
            let length = (out.len() - at - 4) as u32;
            out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }
        change.old.as_ref().map_or(Ok(()), |old| self.0.encode(old, out))
    }
}

impl<V: Data> Decode<Change<V>> for ChangeSerde<V> {
    fn decode(&self, mut bytes: &[u8]) -> Result<Change<V>, SerdeError> {
        let damaged = || SerdeError::new("bad_value", "the bytes are not a table's change");
        let flags = bytes.try_get_u8().map_err(|_| damaged())?;
        let mut new = None;
        if flags & HAS_NEW != 0 {
            let length = bytes.try_get_u32().map_err(|_| damaged())? as usize;
            let (value, rest) = bytes.split_at_checked(length).ok_or_else(damaged)?;
            new = Some(self.0.decode(value)?);
            bytes = rest;
        }
        let old = if flags & HAS_OLD == 0 { None } else { Some(self.0.decode(bytes)?) };
        Ok(Change::new(old, new))
    }
}

impl<V: Data> Serde<Change<V>> for ChangeSerde<V> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serde::DefaultSerde;

    #[test]
    fn a_change_comes_back_from_its_bytes() {
        let serde = ChangeSerde(String::default_serde());
        let text = |text: &str| Some(text.to_owned());
        for change in [
            Change::new(None, None),
            Change::new(text("a"), None),
            Change::new(None, text("bc")),
            Change::new(text(""), text("d")),
        ] {
            let mut bytes = BytesMut::new();
            serde.encode(&change, &mut bytes).unwrap();
            assert_eq!(serde.decode(&bytes), Ok(change));
        }
        assert!(serde.decode(b"").is_err() && serde.decode(b"\x01\0\0\0\x09x").is_err());
    }
}
