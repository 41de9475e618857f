//! Senders: what a receipt says, and when.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use highwater::Headers;
use highwater::kafka::{Isolation, Kafka, KafkaError, KafkaErrorKind, Outgoing, Receipt, Sender, SenderSettings};

use crate::harness::{CALL, Reading, a_minute_ago, create, eventually};

/// A step of serving.
const STEP: Duration = Duration::from_millis(50);

fn sender(kafka: &dyn Kafka, topic: &Arc<str>) -> Box<dyn Sender> {
    let settings = SenderSettings {
        client_id: "sender".into(),
        topics: vec![Arc::clone(topic)],
        linger: Duration::from_millis(5),
        delivery_timeout: CALL,
        queue_max_bytes: 16 << 20,
    };
    kafka.sender(&settings).unwrap()
}

fn receipt() -> (Arc<Receipt>, Receiver<Result<(), KafkaError>>) {
    let (told, news) = channel();
    (Receipt::new(move |outcome| drop(told.send(outcome))), news)
}

fn send(sender: &dyn Sender, topic: &Arc<str>, value: &str, receipt: &Arc<Receipt>) {
    let headers = Headers::new();
    let (key, value, timestamp) = (Some(b"k".as_slice()), Some(value.as_bytes()), a_minute_ago());
    sender.send(&Outgoing { topic, partition: 0, key, value, timestamp, headers: &headers, track: false }, receipt).unwrap();
}

/// Serves until it is told.
fn outcome(sender: &dyn Sender, news: &Receiver<Result<(), KafkaError>>) -> Result<(), KafkaError> {
    eventually("the receipt is told", || {
        sender.serve(STEP);
        news.try_recv().ok()
    })
}

pub(crate) fn a_receipt_is_told_when_all_of_its_records_are_in_the_log(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let sender = sender(kafka, &topic);
    let (first, first_news) = receipt();
    let (second, second_news) = receipt();
    let sent: Vec<String> = (0..300).map(|number| format!("v{number}")).collect();
    for (index, value) in sent.iter().enumerate() {
        send(&*sender, &topic, value, if index % 3 == 0 { &first } else { &second });
    }
    second.close();
    assert_eq!(outcome(&*sender, &second_news), Ok(()));
    sender.flush(CALL).unwrap();
    assert_eq!(first_news.try_recv(), Err(TryRecvError::Empty), "it may get more records");
    first.close();
    assert_eq!(outcome(&*sender, &first_news), Ok(()));
    let reading = Reading::of(kafka, &topic, Isolation::ReadCommitted).at_least(sent.len());
    assert_eq!(reading.texts(), sent);
    assert_eq!(sender.failure(), None);
}

pub(crate) fn a_refused_record_fails_its_own_receipt_and_no_other(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[("max.message.bytes", "1000")]);
    let sender = sender(kafka, &topic);
    let large: String =
        (0..3_000_u32).map(|number| char::from(b'a' + (number.wrapping_mul(2_654_435_761) >> 24) as u8 % 26)).collect();
    let (refused, refused_news) = receipt();
    send(&*sender, &topic, &large, &refused);
    refused.close();
    assert_eq!(outcome(&*sender, &refused_news).unwrap_err().kind, KafkaErrorKind::RecordRefused);
    let (taken, taken_news) = receipt();
    send(&*sender, &topic, "small", &taken);
    taken.close();
    assert_eq!(outcome(&*sender, &taken_news), Ok(()));
}
