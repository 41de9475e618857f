//! What all curated rows have in common: a key, a version, a time of writing, and how a row says that its key is no more.
//! Not who counts the versions: that is the sink's store.

use highwater::dsl::{Row, RowStamp};

use crate::catalogue::TopicRecord;
use crate::{
    CustomerKey, CustomerRow, CustomerVersion, CustomerVersionKey, OrderFact, OrderFactKey, QualityKey, QualityRow, SessionKey,
    SessionRow,
};

/// A key of a curated topic.
pub trait TopicKey: TopicRecord {
    /// The key's columns joined by `|`, times as microseconds since 1970: the text whose hash chooses the partition.
    ///
    /// The key's bytes would not do, as they hold a schema id, which differs between registries.
    ///
    /// ```
    /// use shoppulse_avro::{CustomerVersionKey, TopicKey};
    ///
    /// let key = CustomerVersionKey { shop_id: "s1".into(), customer_id: "7".into(), valid_from: 1_000_000 };
    /// assert_eq!(key.partition_text(), "s1|7|1000000");
    /// ```
    fn partition_text(&self) -> String;
}

/// A value of a curated topic.
pub trait TopicRow: TopicRecord {
    /// The topic's key.
    type Key: TopicKey;

    /// The key that the row repeats.
    fn key(&self) -> Self::Key;

    /// Gives the row its version and its time of writing (microseconds since 1970).
    fn stamp(&mut self, row_version: i64, processed_at: i64);

    /// Empties the personal columns, as what is kept of a person who was deleted must say nothing about them.
    fn erase(&mut self);

    /// Makes it the last row of its key: marked as deleted, without its personal columns.
    ///
    /// ```
    /// use shoppulse_avro::{CustomerRow, TopicRow};
    ///
    /// let mut row = CustomerRow { email: Some("a@example.com".into()), country: Some("DE".into()), ..CustomerRow::default() };
    /// row.delete();
    /// assert!(row.is_deleted && row.email.is_none() && row.country.is_some());
    /// ```
    fn delete(&mut self);
}

macro_rules! keys {
    ($($key:ident = $first:ident $(, $column:ident)*;)*) => {$(
        impl TopicKey for $key {
            fn partition_text(&self) -> String {
                let mut text = self.$first.to_string();
                $(
                    text.push('|');
                    text.push_str(&self.$column.to_string());
                )*
                text
            }
        }
    )*};
}

keys! {
    SessionKey = shop_id, session_id;
    OrderFactKey = shop_id, order_id;
    CustomerKey = shop_id, customer_id;
    CustomerVersionKey = shop_id, customer_id, valid_from;
    QualityKey = minute, topology, topic, partition, outcome, reason;
}

macro_rules! rows {
    ($($row:ident: $key:ident { $($column:ident),* } personal { $($personal:ident),* };)*) => {$(
        impl TopicRow for $row {
            type Key = $key;

            fn key(&self) -> $key {
                $key { $($column: self.$column.clone()),* }
            }

            fn stamp(&mut self, row_version: i64, processed_at: i64) {
                self.row_version = row_version;
                self.processed_at = processed_at;
            }

            fn erase(&mut self) {
                $(self.$personal = None;)*
            }

            fn delete(&mut self) {
                self.is_deleted = true;
                self.erase();
            }
        }

        impl Row for $row {
            type Key = $key;

            fn key(&self) -> $key {
                TopicRow::key(self)
            }

            fn stamp(&mut self, stamp: RowStamp) {
                TopicRow::stamp(self, stamp.row_version, stamp.processed_at.as_millis().saturating_mul(1_000));
                if stamp.is_deleted {
                    self.delete();
                    self.updated_at = stamp.timestamp.as_millis().saturating_mul(1_000);
                }
            }
        }
    )*};
}

rows! {
    SessionRow: SessionKey { shop_id, session_id } personal { user_id };
    OrderFact: OrderFactKey { shop_id, order_id } personal {};
    CustomerRow: CustomerKey { shop_id, customer_id } personal { email, name, phone };
    CustomerVersion: CustomerVersionKey { shop_id, customer_id, valid_from } personal { email, name, phone };
    QualityRow: QualityKey { minute, topology, topic, partition, outcome, reason } personal {};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_key_is_its_columns() {
        let quality = QualityKey {
            minute: 60_000_000,
            topology: "clean".into(),
            topic: "raw.events".into(),
            partition: 3,
            outcome: "in".into(),
            reason: String::new(),
        };
        assert_eq!(quality.partition_text(), "60000000|clean|raw.events|3|in|");
        let row = SessionRow { shop_id: "s".into(), session_id: "0f".into(), ..SessionRow::default() };
        assert_eq!(TopicRow::key(&row).partition_text(), "s|0f");
    }
}
