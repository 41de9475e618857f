//! Reads a datum of a shape into a Rust value, by serde, in one pass; text and bytes can be borrowed from the datum.
//!
//! A struct whose fields equal the record's is filled by position; any other one by name, and what it does not name is skipped.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::cursor::Cursor;
use super::fault::Fault;
use super::shape::{RecordShape, Shape};

/// The value that all of `datum` stands for.
pub(super) fn read<'de, T: Deserialize<'de>>(datum: &'de [u8], shape: &Shape) -> Result<T, Fault> {
    let mut cursor = Cursor::new(datum);
    let value = T::deserialize(Reader { shape, cursor: &mut cursor });
    let value = value.and_then(|value| cursor.finish().map(|()| value));
    value.map_err(|fault| fault.at(datum.len() - cursor.rest().len()))
}

/// Moves past a value.
pub(super) fn skip(shape: &Shape, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    match shape {
        Shape::Null => {}
        Shape::Boolean => drop(cursor.boolean()?),
        Shape::Int => drop(cursor.int()?),
        Shape::Long => drop(cursor.long()?),
        Shape::Float => drop(cursor.take(4)?),
        Shape::Double => drop(cursor.take(8)?),
        Shape::Bytes | Shape::String => drop(cursor.bytes()?),
        Shape::Array(items) => {
            let mut left = cursor.block_items()?;
            while left > 0 {
                for _ in 0..left {
                    skip(items, cursor)?;
                }
                left = cursor.block_items()?;
            }
        }
        Shape::Nullable { null_index, some } => {
            if !cursor.is_null(*null_index)? {
                skip(some, cursor)?;
            }
        }
        Shape::Record(record) => {
            for field in &record.fields {
                skip(&field.shape, cursor)?;
            }
        }
    }
    Ok(())
}

struct Reader<'r, 'de> {
    shape: &'r Shape,
    cursor: &'r mut Cursor<'de>,
}

impl Reader<'_, '_> {
    /// Steps into a union with null, for a type that is no `Option`.
    #[inline]
    fn some(self) -> Result<Self, Fault> {
        match self.shape {
            Shape::Nullable { null_index, some } => {
                if self.cursor.is_null(*null_index)? {
                    return Err(Fault::fixed("a value is null where the type allows none"));
                }
                Ok(Self { shape: some, cursor: self.cursor })
            }
            _ => Ok(self),
        }
    }

    #[cold]
    fn mismatch(&self, wanted: &str) -> Fault {
        Fault::new(format!("the schema has a {}, the type wants a {wanted}", self.shape.name()))
    }
}

macro_rules! as_any {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.some()?.deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_, 'de> {
    type Error = Fault;

    as_any!(deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_bytes deserialize_byte_buf
        deserialize_seq deserialize_map deserialize_identifier);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.shape {
            Shape::Null => visitor.visit_unit(),
            Shape::Boolean => visitor.visit_bool(self.cursor.boolean()?),
            Shape::Int => visitor.visit_i32(self.cursor.int()?),
            Shape::Long => visitor.visit_i64(self.cursor.long()?),
            Shape::Float => visitor.visit_f32(f32::from_le_bytes(self.cursor.array()?)),
            Shape::Double => visitor.visit_f64(f64::from_le_bytes(self.cursor.array()?)),
            Shape::Bytes => visitor.visit_borrowed_bytes(self.cursor.bytes()?),
            Shape::String => visitor.visit_borrowed_str(self.cursor.text()?),
            Shape::Array(shape) => {
                let left = self.cursor.block_items()?;
                visitor.visit_seq(Items { shape, left, cursor: self.cursor })
            }
            Shape::Nullable { .. } => self.deserialize_option(visitor),
            Shape::Record(record) => visitor.visit_map(Fields { record, next: 0, cursor: self.cursor }),
        }
    }

    // The kinds of most fields do without the general match.

    #[inline]
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.shape {
            Shape::Long => visitor.visit_i64(self.cursor.long()?),
            _ => self.some()?.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.shape {
            Shape::String => visitor.visit_borrowed_str(self.cursor.text()?),
            _ => self.some()?.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.shape {
            Shape::Nullable { null_index, some } => {
                if self.cursor.is_null(*null_index)? {
                    visitor.visit_none()
                } else {
                    visitor.visit_some(Reader { shape: some, cursor: self.cursor })
                }
            }
            Shape::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.shape {
            Shape::Null => visitor.visit_unit(),
            Shape::Nullable { null_index, .. } if self.cursor.is_null(*null_index)? => visitor.visit_unit(),
            _ => Err(self.mismatch("null")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(self.mismatch("tuple"))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(self.mismatch("tuple"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let this = self.some()?;
        let Shape::Record(record) = this.shape else { return Err(this.mismatch("struct")) };
        let fields_read = Fields { record, next: 0, cursor: this.cursor };
        if record.equals(fields) { visitor.visit_seq(fields_read) } else { visitor.visit_map(fields_read) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let this = self.some()?;
        let Shape::String = this.shape else { return Err(this.mismatch("name of a variant")) };
        visitor.visit_enum(BorrowedStrDeserializer::new(this.cursor.text()?))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        skip(self.shape, self.cursor)?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Items of an array, block by block.
struct Items<'r, 'de> {
    shape: &'r Shape,
    left: u64,
    cursor: &'r mut Cursor<'de>,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        let item = seed.deserialize(Reader { shape: self.shape, cursor: self.cursor })?;
        self.left -= 1;
        if self.left == 0 {
            self.left = self.cursor.block_items()?;
        }
        Ok(Some(item))
    }

    fn size_hint(&self) -> Option<usize> {
        // An item takes a byte at least, so no count makes a reader reserve more than the datum's own length.
        Some(self.cursor.rest().len().min(self.left.try_into().unwrap_or(usize::MAX)))
    }
}

/// Fields of a record: by position as a sequence, by name as a map.
struct Fields<'r, 'de> {
    record: &'r RecordShape,
    next: usize,
    cursor: &'r mut Cursor<'de>,
}

impl<'de> Fields<'_, 'de> {
    #[inline]
    fn value<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(field) = self.record.fields.get(self.next) else { return Ok(None) };
        self.next += 1;
        match seed.deserialize(Reader { shape: &field.shape, cursor: self.cursor }) {
            Ok(value) => Ok(Some(value)),
            Err(fault) => Err(Fault::new(format!("{}: {fault}", field.name))),
        }
    }
}

impl<'de> SeqAccess<'de> for Fields<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.value(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.record.fields.len() - self.next)
    }
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(field) = self.record.fields.get(self.next) else { return Ok(None) };
        seed.deserialize(StrDeserializer::new(&field.name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        self.value(seed)?.ok_or_else(|| Fault::fixed("a record has no more fields"))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.record.fields.len() - self.next)
    }
}
