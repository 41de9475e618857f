//! The input of a demo: generated before it begins and kept until the verdict, so it is bounded. What the records mean is not here.

use std::collections::BTreeMap;

use shoppulse_oracle::{InputRecord, Traffic, TrafficSettings};

use super::{DemoArgs, PARTITIONS};
use crate::exit::Failure;
use crate::topic_names as topics;

/// Records that a demo generates at most.
const RECORDS_MAX: u64 = 1_000_000;
/// Records that a sabotaged demo needs, so that some of them surely lie between two commits when the power fails.
const SABOTAGE_MIN_RECORDS: u64 = 200;
/// What all of them may hold together. The cluster holds them a second time, and what comes of them.
const INPUT_MAX_BYTES: usize = 768 << 20;

/// The topics of the input, and what they hold.
pub(super) const TOPICS: [(&str, &str); 5] = [
    (topics::RAW_EVENTS, "what browsers and apps send"),
    (topics::CDC_ORDERS, "changes of orders"),
    (topics::CDC_ORDER_ITEMS, "changes of their items"),
    (topics::CDC_CUSTOMERS, "changes of customers"),
    (topics::RAW_PAYMENTS, "lines of payment exports"),
];

/// How much of the input is in one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// Makes the input that these options ask for.
pub(super) fn generate(args: &DemoArgs, now_ms: i64) -> Result<Vec<InputRecord>, Failure> {
    let (seconds, rate) = (u64::from(args.seconds), u64::from(args.rate));
    let count = seconds * rate;
    if count > RECORDS_MAX {
        return Err(Failure::usage(format!(
            "a demo keeps its input in memory, at most {RECORDS_MAX} records; {seconds} s at {rate} a second are {count}: \
             lower --seconds or --rate"
        )));
    }
    if args.sabotage && count < SABOTAGE_MIN_RECORDS {
        return Err(Failure::usage(format!(
            "a sabotage that shows needs {SABOTAGE_MIN_RECORDS} records; {seconds} s at {rate} a second are {count}: raise --seconds or --rate"
        )));
    }
    let settings = TrafficSettings { partitions: PARTITIONS, ..TrafficSettings::demo(seconds, rate, now_ms) };
    let (mut records, mut total_bytes) = (Vec::with_capacity(count as usize), 0);
    for record in Traffic::new(settings) {
        total_bytes += bytes(&record);
        if total_bytes > INPUT_MAX_BYTES {
            return Err(Failure::usage(format!("the input takes more than {INPUT_MAX_BYTES} bytes: lower --seconds or --rate")));
        }
        records.push(record);
    }
    Ok(records)
}

/// How much is in which topic.
pub(super) fn by_topic(records: &[InputRecord]) -> BTreeMap<String, Share> {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for record in records {
        if !shares.contains_key(&record.topic) {
            shares.insert(record.topic.clone(), Share::default());
        }
        if let Some(share) = shares.get_mut(&record.topic) {
            share.records += 1;
            share.bytes += bytes(record) as u64;
        }
    }
    shares
}

fn bytes(record: &InputRecord) -> usize {
    let headers = record.headers.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len));
    record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len) + headers.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_records_as_asked_for_are_made_unless_they_would_not_fit() {
        let args = DemoArgs { seconds: 3, rate: 200, sabotage: false, keep_state: false };
        let records = generate(&args, 1_767_571_200_000).unwrap();
        assert_eq!(records.len(), 600);
        let shares = by_topic(&records);
        assert_eq!(shares.values().map(|share| share.records).sum::<u64>(), 600);
        let known: Vec<&str> = TOPICS.iter().map(|(topic, _)| *topic).collect();
        assert!(shares.keys().all(|topic| known.contains(&topic.as_str())), "{shares:?}");
        let refused = generate(&DemoArgs { seconds: 600, rate: 20_000, ..args }, 0).unwrap_err();
        assert!(refused.message.contains("lower --seconds"), "{refused}");
        let refused = generate(&DemoArgs { rate: 10, sabotage: true, ..args }, 0).unwrap_err();
        assert!(refused.message.contains("raise --seconds"), "{refused}");
    }
}
