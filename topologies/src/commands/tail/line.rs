//! A record as a line of JSON.

use std::collections::BTreeMap;

use highwater::kafka::FetchedRecord;
use highwater::{Headers, TopicPartition};
use serde::Serialize;

use super::decode::{Decoder, Shown, text_or_base64};
use crate::exit::Failure;

/// A record, decoded.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    /// Milliseconds since 1970; null if the record has none.
    timestamp: Option<i64>,
    key: Shown,
    value: Shown,
    headers: BTreeMap<Box<str>, HeaderValue>,
}

/// One value, or all values of a name that repeats.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum HeaderValue {
    One(Shown),
    Many(Vec<Shown>),
}

impl<'a> Line<'a> {
    pub(super) fn of(partition: &'a TopicPartition, record: &FetchedRecord, decoder: &mut Decoder) -> Result<Self, Failure> {
        Ok(Self {
            topic: &partition.topic,
            partition: partition.partition,
            offset: record.offset,
            timestamp: Some(record.timestamp.as_millis()).filter(|millis| *millis >= 0),
            key: decoder.show(record.key())?,
            value: decoder.show(record.value())?,
            headers: headers(&record.headers()),
        })
    }
}

fn headers(headers: &Headers) -> BTreeMap<Box<str>, HeaderValue> {
    let mut by_name: BTreeMap<Box<str>, HeaderValue> = BTreeMap::new();
    for header in headers {
        let shown = header.value.as_deref().map_or(Shown::Null, text_or_base64);
        let value = match by_name.remove(&header.key) {
            None => HeaderValue::One(shown),
            Some(HeaderValue::One(first)) => HeaderValue::Many(vec![first, shown]),
            Some(HeaderValue::Many(mut all)) => {
                all.push(shown);
                HeaderValue::Many(all)
            }
        };
        by_name.insert(header.key.clone(), value);
    }
    by_name
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn headers_are_text_and_a_repeated_name_is_a_list() {
        let mut all = Headers::new();
        all.push_text("reason", "late");
        all.push("x", Some(Bytes::from_static(b"1")));
        all.push("x", None);
        all.push("x", Some(Bytes::from_static(&[0xff])));
        let shown = serde_json::to_string(&headers(&all)).unwrap();
        assert_eq!(shown, r#"{"reason":"late","x":["1",null,{"base64":"/w=="}]}"#);
    }
}
