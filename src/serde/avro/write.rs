//! Writes a Rust value as a datum of a shape, by serde, in one pass. Not the wire format: the datum alone.
//!
//! The value's type must equal the schema: the same fields in the same order. It is checked field by field, as it costs less than a
//! tenth of the writing.

use bytes::{BufMut, BytesMut};
use serde::ser::{Impossible, Serialize, SerializeSeq, SerializeStruct, Serializer};

use super::fault::Fault;
use super::shape::{RecordShape, Shape};

/// Appends `value` to `out`.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, shape: &Shape, out: &mut BytesMut) -> Result<(), Fault> {
    value.serialize(Writer { shape, out })
}

/// A zigzag varint.
#[inline]
pub(super) fn put_long(value: i64, out: &mut BytesMut) {
    let mut bits = ((value << 1) ^ (value >> 63)) as u64;
    if bits < 0x80 {
        out.put_u8(bits as u8);
        return;
    }
    let mut buffer = [0_u8; 10];
    let mut length = 0;
    for slot in &mut buffer {
        length += 1;
        if bits < 0x80 {
            *slot = bits as u8;
            break;
        }
        *slot = bits as u8 | 0x80;
        bits >>= 7;
    }
    out.extend_from_slice(&buffer[..length]);
}

#[inline]
fn put_bytes(bytes: &[u8], out: &mut BytesMut) {
    if bytes.len() < 64 {
        out.put_u8((bytes.len() << 1) as u8);
    } else {
        put_long(bytes.len() as i64, out);
    }
    out.extend_from_slice(bytes);
}

struct Writer<'w> {
    shape: &'w Shape,
    out: &'w mut BytesMut,
}

impl Writer<'_> {
    /// Steps into a union with null, for a value that is not null though its type is no `Option`.
    #[inline]
    fn some(self) -> Self {
        match self.shape {
            Shape::Nullable { null_index, some } => {
                self.out.put_u8((1 - null_index) << 1);
                Self { shape: some, out: self.out }
            }
            _ => self,
        }
    }

    #[cold]
    fn mismatch(&self, found: &str) -> Fault {
        Fault::new(format!("the schema has a {}, the value a {found}", self.shape.name()))
    }

    #[inline]
    fn integer(self, value: i64) -> Result<(), Fault> {
        if let Shape::Long = self.shape {
            put_long(value, self.out);
            return Ok(());
        }
        let this = self.some();
        match this.shape {
            Shape::Long => {}
            Shape::Int if i32::try_from(value).is_ok() => {}
            Shape::Int => return Err(Fault::fixed("an integer does not fit the schema's 32 bits")),
            _ => return Err(this.mismatch("integer")),
        }
        put_long(value, this.out);
        Ok(())
    }
}

macro_rules! integers {
    ($($method:ident $type:ty),*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Fault> {
            self.integer(i64::from(value))
        }
    )*};
}

impl<'w> Serializer for Writer<'w> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = SequenceWriter<'w>;
    type SerializeTuple = Impossible<(), Fault>;
    type SerializeTupleStruct = Impossible<(), Fault>;
    type SerializeTupleVariant = Impossible<(), Fault>;
    type SerializeMap = Impossible<(), Fault>;
    type SerializeStruct = StructWriter<'w>;
    type SerializeStructVariant = Impossible<(), Fault>;

    integers!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_u8 u8, serialize_u16 u16, serialize_u32 u32);

    fn serialize_u64(self, value: u64) -> Result<(), Fault> {
        self.integer(i64::try_from(value).map_err(|_| Fault::fixed("an integer does not fit the schema's 64 bits"))?)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        let this = self.some();
        let Shape::Boolean = this.shape else { return Err(this.mismatch("boolean")) };
        this.out.put_u8(u8::from(value));
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Fault> {
        let this = self.some();
        match this.shape {
            Shape::Float => this.out.put_f32_le(value),
            Shape::Double => this.out.put_f64_le(f64::from(value)),
            _ => return Err(this.mismatch("32-bit float")),
        }
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Fault> {
        let this = self.some();
        let Shape::Double = this.shape else { return Err(this.mismatch("64-bit float")) };
        this.out.put_f64_le(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Fault> {
        if let Shape::String = self.shape {
            put_bytes(value.as_bytes(), self.out);
            return Ok(());
        }
        let this = self.some();
        let Shape::String = this.shape else { return Err(this.mismatch("string")) };
        put_bytes(value.as_bytes(), this.out);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Fault> {
        let this = self.some();
        let Shape::Bytes = this.shape else { return Err(this.mismatch("byte string")) };
        put_bytes(value, this.out);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Fault> {
        match self.shape {
            Shape::Nullable { null_index, .. } => self.out.put_u8(null_index << 1),
            Shape::Null => {}
            _ => return Err(self.mismatch("null")),
        }
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        match self.shape {
            Shape::Nullable { null_index, some } => {
                self.out.put_u8((1 - null_index) << 1);
                value.serialize(Writer { shape: some, out: self.out })
            }
            _ => Err(self.mismatch("value that may be null")),
        }
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Fault> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Fault> {
        Err(self.mismatch("variant with a value"))
    }

    fn serialize_seq(self, items: Option<usize>) -> Result<SequenceWriter<'w>, Fault> {
        let this = self.some();
        let Shape::Array(shape) = this.shape else { return Err(this.mismatch("sequence")) };
        if let Some(items @ 1..) = items {
            put_long(items as i64, this.out);
        }
        Ok(SequenceWriter { shape, announced: items, written: 0, out: this.out })
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Fault> {
        Err(self.mismatch("tuple"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Fault> {
        Err(self.mismatch("tuple"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Fault> {
        Err(self.mismatch("variant with a value"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Fault> {
        Err(self.mismatch("map"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<StructWriter<'w>, Fault> {
        let this = self.some();
        let Shape::Record(record) = this.shape else { return Err(this.mismatch("struct")) };
        Ok(StructWriter { record, next: 0, out: this.out })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Fault> {
        Err(self.mismatch("variant with a value"))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Items of an array: one block if their number is known beforehand, else a block for each.
struct SequenceWriter<'w> {
    shape: &'w Shape,
    announced: Option<usize>,
    written: usize,
    out: &'w mut BytesMut,
}

impl SerializeSeq for SequenceWriter<'_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        if self.announced.is_none() {
            put_long(1, self.out);
        }
        self.written += 1;
        value.serialize(Writer { shape: self.shape, out: self.out })
    }

    fn end(self) -> Result<(), Fault> {
        if self.announced.is_some_and(|announced| announced != self.written) {
            return Err(Fault::fixed("a sequence has another length than it said"));
        }
        self.out.put_u8(0);
        Ok(())
    }
}

/// Fields of a record, in the schema's order.
struct StructWriter<'w> {
    record: &'w RecordShape,
    next: usize,
    out: &'w mut BytesMut,
}

impl StructWriter<'_> {
    #[cold]
    fn misplaced(&self, key: &str) -> Fault {
        match self.record.fields.get(self.next) {
            Some(field) => Fault::new(format!("field {} of the schema is {}, of the value {key}", self.next, field.name)),
            None => Fault::new(format!("the value has a field {key} after the schema's last one")),
        }
    }
}

impl SerializeStruct for StructWriter<'_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Fault> {
        let field = self.record.fields.get(self.next).filter(|field| field.is_named(key)).ok_or_else(|| self.misplaced(key))?;
        self.next += 1;
        value.serialize(Writer { shape: &field.shape, out: self.out }).map_err(|fault| Fault::new(format!("{key}: {fault}")))
    }

    fn skip_field(&mut self, key: &'static str) -> Result<(), Fault> {
        self.serialize_field(key, &None::<()>)
    }

    fn end(self) -> Result<(), Fault> {
        match self.record.fields.get(self.next) {
            None => Ok(()),
            Some(field) => Err(Fault::new(format!("the value has no field {}", field.name))),
        }
    }
}
