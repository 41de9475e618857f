//! Brings a datum of another schema into the reader's layout: Avro's schema resolution, on bytes. Reads no Rust values.
//!
//! What differs is decided once per writer schema; then a datum costs a walk over the writer's fields and a copy. Supported is what
//! a compatible change of a schema can do: fields added with a default, removed, moved or renamed by an alias; `int` to `long`;
//! a type to its union with null and back; `string` to `bytes` and back.

use bytes::{BufMut, BytesMut};
use smallvec::SmallVec;

use super::cursor::Cursor;
use super::fault::Fault;
use super::read::skip;
use super::shape::{RecordShape, Shape};
use super::write::put_long;

/// How data of one schema become data of another one.
#[derive(Debug)]
pub(super) struct Resolution {
    writer: Shape,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The same bytes.
    Copy,
    /// Bytes that must be UTF-8 now.
    CheckText,
    /// A value that may be null now.
    Wrap {
        null_index: u8,
        some: Box<Self>,
    },
    /// A value that may not be null any more.
    Unwrap {
        null_index: u8,
        some: Box<Self>,
    },
    /// May be null before and after.
    Union {
        writer_null_index: u8,
        reader_null_index: u8,
        some: Box<Self>,
    },
    Array(Box<Self>),
    /// The reader's fields, in its order.
    Record(Vec<Source>),
}

/// Where a field of the reader comes from.
#[derive(Debug)]
enum Source {
    Field { index: usize, step: Step },
    Default(Vec<u8>),
}

impl Resolution {
    /// How to read with `reader` what `writer` wrote; an error if it can't be.
    pub(super) fn between(writer: Shape, reader: &Shape) -> Result<Self, Fault> {
        let step = Step::between(&writer, reader)?;
        Ok(Self { writer, step })
    }

    /// Whether both lay out every datum alike.
    pub(super) const fn is_copy(&self) -> bool {
        matches!(self.step, Step::Copy)
    }

    /// Appends all of `datum`, in the reader's layout, to `out`.
    pub(super) fn resolve(&self, datum: &[u8], out: &mut BytesMut) -> Result<(), Fault> {
        let mut cursor = Cursor::new(datum);
        self.step.run(&self.writer, &mut cursor, out)?;
        cursor.finish()
    }
}

impl Step {
    fn between(writer: &Shape, reader: &Shape) -> Result<Self, Fault> {
        Ok(match (writer, reader) {
            (Shape::Null, Shape::Null)
            | (Shape::Boolean, Shape::Boolean)
            | (Shape::Int, Shape::Int | Shape::Long)
            | (Shape::Long, Shape::Long)
            | (Shape::Float, Shape::Float)
            | (Shape::Double, Shape::Double)
            | (Shape::String, Shape::String | Shape::Bytes)
            | (Shape::Bytes, Shape::Bytes) => Self::Copy,
            (Shape::Bytes, Shape::String) => Self::CheckText,
            (Shape::Array(writer), Shape::Array(reader)) => match Self::between(writer, reader)? {
                Self::Copy => Self::Copy,
                items => Self::Array(Box::new(items)),
            },
            (Shape::Nullable { null_index: from, some: writer }, Shape::Nullable { null_index: to, some: reader }) => {
                match Self::between(writer, reader)? {
                    Self::Copy if from == to => Self::Copy,
                    some => Self::Union { writer_null_index: *from, reader_null_index: *to, some: Box::new(some) },
                }
            }
            (writer, Shape::Nullable { null_index, some }) => {
                Self::Wrap { null_index: *null_index, some: Box::new(Self::between(writer, some)?) }
            }
            (Shape::Nullable { null_index, some }, reader) => {
                Self::Unwrap { null_index: *null_index, some: Box::new(Self::between(some, reader)?) }
            }
            (Shape::Record(writer), Shape::Record(reader)) => Self::records(writer, reader)?,
            (writer, reader) => {
                return Err(Fault::new(format!("a {} can't be read as a {}", writer.name(), reader.name())));
            }
        })
    }

    fn records(writer: &RecordShape, reader: &RecordShape) -> Result<Self, Fault> {
        let mut sources = Vec::with_capacity(reader.fields.len());
        let mut is_copy = writer.fields.len() == reader.fields.len();
        for (position, field) in reader.fields.iter().enumerate() {
            let names = || std::iter::once(&*field.name).chain(field.aliases.iter().map(String::as_str));
            let found = names().find_map(|name| writer.fields.iter().position(|written| *written.name == *name));
            let source = match (found, &field.default) {
                (Some(index), _) => {
                    let step = Self::between(&writer.fields[index].shape, &field.shape)
                        .map_err(|fault| Fault::new(format!("{}: {fault}", field.name)))?;
                    is_copy &= index == position && matches!(step, Self::Copy);
                    Source::Field { index, step }
                }
                (None, Some(default)) => {
                    is_copy = false;
                    Source::Default(default.clone())
                }
                (None, None) => return Err(Fault::new(format!("{}: the writer lacks it, and it has no default", field.name))),
            };
            sources.push(source);
        }
        Ok(if is_copy { Self::Copy } else { Self::Record(sources) })
    }

    fn run(&self, writer: &Shape, cursor: &mut Cursor<'_>, out: &mut BytesMut) -> Result<(), Fault> {
        match (self, writer) {
            (Self::Copy, _) => out.extend_from_slice(skipped(writer, cursor)?),
            (Self::CheckText, _) => {
                let mut ahead = cursor.clone();
                ahead.text()?;
                out.extend_from_slice(skipped(writer, cursor)?);
            }
            (Self::Wrap { null_index, some }, _) => {
                out.put_u8((1 - null_index) << 1);
                some.run(writer, cursor, out)?;
            }
            (Self::Unwrap { null_index, some }, Shape::Nullable { some: writer, .. }) => {
                if cursor.is_null(*null_index)? {
                    return Err(Fault::fixed("a value is null where the reader's schema allows none"));
                }
                some.run(writer, cursor, out)?;
            }
            (Self::Union { writer_null_index, reader_null_index, some }, Shape::Nullable { some: writer, .. }) => {
                if cursor.is_null(*writer_null_index)? {
                    out.put_u8(reader_null_index << 1);
                } else {
                    out.put_u8((1 - reader_null_index) << 1);
                    some.run(writer, cursor, out)?;
                }
            }
            (Self::Array(step), Shape::Array(items)) => step.run_items(items, cursor, out)?,
            (Self::Record(sources), Shape::Record(record)) => run_fields(sources, record, cursor, out)?,
            _ => return Err(Fault::fixed("a resolution is used with another schema than it was made for")),
        }
        Ok(())
    }

    fn run_items(&self, items: &Shape, cursor: &mut Cursor<'_>, out: &mut BytesMut) -> Result<(), Fault> {
        let mut left = cursor.block_items()?;
        while left > 0 {
            put_long(i64::try_from(left).map_err(|_| Fault::truncated())?, out);
            for _ in 0..left {
                self.run(items, cursor, out)?;
            }
            left = cursor.block_items()?;
        }
        out.put_u8(0);
        Ok(())
    }
}

fn run_fields(sources: &[Source], record: &RecordShape, cursor: &mut Cursor<'_>, out: &mut BytesMut) -> Result<(), Fault> {
    let mut written = SmallVec::<[Cursor<'_>; 40]>::new();
    for field in &record.fields {
        written.push(cursor.clone());
        skip(&field.shape, cursor)?;
    }
    for source in sources {
        match source {
            Source::Field { index, step } => step.run(&record.fields[*index].shape, &mut written[*index], out)?,
            Source::Default(bytes) => out.extend_from_slice(bytes),
        }
    }
    Ok(())
}

/// The bytes of a value, moving past it.
fn skipped<'de>(shape: &Shape, cursor: &mut Cursor<'de>) -> Result<&'de [u8], Fault> {
    let before = cursor.rest();
    skip(shape, cursor)?;
    Ok(&before[..before.len() - cursor.rest().len()])
}
