//! A value as it lies in memory: a slice of the overlay or of a table, or a block that RocksDB keeps pinned. Never a copy.

use std::fmt;
use std::ops::Deref;

use crate::rocks::PinnedValue;

/// A borrowed value of a store; it derefs to its bytes.
pub struct ValueRef<'a>(Inner<'a>);

enum Inner<'a> {
    Slice(&'a [u8]),
    Pinned(PinnedValue<'a>),
}

impl<'a> ValueRef<'a> {
    pub(crate) fn slice(bytes: &'a [u8]) -> Self {
        Self(Inner::Slice(bytes))
    }

    pub(crate) fn pinned(value: PinnedValue<'a>) -> Self {
        Self(Inner::Pinned(value))
    }
}

impl Deref for ValueRef<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Inner::Slice(bytes) => bytes,
            Inner::Pinned(value) => value,
        }
    }
}

impl AsRef<[u8]> for ValueRef<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueRef").field(&&**self).finish()
    }
}

impl PartialEq<[u8]> for ValueRef<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}
