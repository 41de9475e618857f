//! How a customer's changes lie in a store: each as its difference from the one before.
//!
//! An update of one column costs some twenty bytes instead of the whole row. It is a form on disk only; nothing computes with it.

use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::cdc::{Cell, CustomerRow};
use crate::customers::history::{CustomerState, Entry};
use crate::stored::Stored;

impl Stored for CustomerState {
    const FORMAT: u8 = 2;
}

#[derive(Serialize, Deserialize)]
struct Packed {
    entries: Vec<PackedEntry>,
}

/// Numbers are differences from the entry before; they wrap around, so that every number has one.
#[derive(Serialize, Deserialize)]
struct PackedEntry {
    lsn: Option<i64>,
    from_lsn: Option<i64>,
    ts_ms: i64,
    row: Option<PackedRow>,
}

/// Columns that are as in the row before are `None`; a row without one before says all its columns.
#[derive(Serialize, Deserialize)]
struct PackedRow {
    shop_id: Option<String>,
    email: Option<Cell>,
    name: Option<Cell>,
    phone: Option<Cell>,
    country: Option<Cell>,
    marketing_opt_in: bool,
    created_at: i64,
    updated_at: i64,
}

impl Serialize for CustomerState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut lsn, mut ts_ms, mut row) = (0_i64, 0_i64, None);
        let entries = self.entries.iter().map(|entry| {
            let packed = PackedEntry {
                lsn: entry.lsn.map(|own| own.wrapping_sub(lsn)),
                from_lsn: entry.from_lsn.map(|own| own.wrapping_sub(lsn)),
                ts_ms: entry.ts_ms.wrapping_sub(ts_ms),
                row: entry.row.as_ref().map(|own| pack(own, row)),
            };
            (lsn, ts_ms, row) = (entry.lsn.unwrap_or(lsn), entry.ts_ms, entry.row.as_ref().or(row));
            packed
        });
        Packed { entries: entries.collect() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CustomerState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = Packed::deserialize(deserializer)?;
        let (mut lsn, mut ts_ms, mut row) = (0_i64, 0_i64, None);
        let mut entries = Vec::with_capacity(packed.entries.len());
        for own in packed.entries {
            let entry = Entry {
                lsn: own.lsn.map(|own| own.wrapping_add(lsn)),
                from_lsn: own.from_lsn.map(|own| own.wrapping_add(lsn)),
                ts_ms: own.ts_ms.wrapping_add(ts_ms),
                row: match own.row {
                    Some(own) => Some(unpack(own, row.as_ref()).ok_or_else(|| D::Error::custom("the first row is not whole"))?),
                    None => None,
                },
            };
            (lsn, ts_ms) = (entry.lsn.unwrap_or(lsn), entry.ts_ms);
            row = entry.row.clone().or(row);
            entries.push(entry);
        }
        Ok(Self { entries })
    }
}

fn pack(row: &CustomerRow, before: Option<&CustomerRow>) -> PackedRow {
    fn news<T: PartialEq + Clone>(own: &T, before: Option<&T>) -> Option<T> {
        (before != Some(own)).then(|| own.clone())
    }
    PackedRow {
        shop_id: news(&row.shop_id, before.map(|row| &row.shop_id)),
        email: news(&row.email, before.map(|row| &row.email)),
        name: news(&row.name, before.map(|row| &row.name)),
        phone: news(&row.phone, before.map(|row| &row.phone)),
        country: news(&row.country, before.map(|row| &row.country)),
        marketing_opt_in: row.marketing_opt_in,
        created_at: row.created_at.wrapping_sub(before.map_or(0, |row| row.created_at)),
        updated_at: row.updated_at.wrapping_sub(before.map_or(0, |row| row.updated_at)),
    }
}

fn unpack(row: PackedRow, before: Option<&CustomerRow>) -> Option<CustomerRow> {
    Some(CustomerRow {
        shop_id: row.shop_id.or_else(|| before.map(|row| row.shop_id.clone()))?,
        email: row.email.or_else(|| before.map(|row| row.email.clone()))?,
        name: row.name.or_else(|| before.map(|row| row.name.clone()))?,
        phone: row.phone.or_else(|| before.map(|row| row.phone.clone()))?,
        country: row.country.or_else(|| before.map(|row| row.country.clone()))?,
        marketing_opt_in: row.marketing_opt_in,
        created_at: row.created_at.wrapping_add(before.map_or(0, |row| row.created_at)),
        updated_at: row.updated_at.wrapping_add(before.map_or(0, |row| row.updated_at)),
    })
}
