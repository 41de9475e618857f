//! The C client's handles of the topics that a producer sends to, and the acknowledged positions of tracked partitions.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rdkafka::bindings::{self, rd_kafka_topic_t};

use super::errors::{c_string, from_code};
use super::native::Native;
use crate::kafka::KafkaError;

/// No acknowledgement yet.
const NONE: i64 = -1;

/// Handles by topic; freed before the client is.
#[derive(Debug)]
pub(super) struct Destinations {
    topics: HashMap<Arc<str>, Destination, FixedState>,
    /// The topic that was sent to last. The key of its entry keeps the name at its address.
    recent: Option<(*const u8, NonNull<rd_kafka_topic_t>)>,
}

// SAFETY: handles of topics may be used from any thread.
unsafe impl Send for Destinations {}

#[derive(Debug)]
struct Destination {
    topic: NonNull<rd_kafka_topic_t>,
    /// By partition. Boxed, since the C client holds pointers to them.
    positions: Vec<Option<Box<AtomicI64>>>,
}

impl Destinations {
    pub(super) fn new() -> Self {
        Self { topics: HashMap::with_hasher(FixedState::default()), recent: None }
    }

    /// The handle of a topic.
    pub(super) fn topic(&mut self, client: &Native, name: &Arc<str>) -> Result<NonNull<rd_kafka_topic_t>, KafkaError> {
        if let Some((recent, topic)) = self.recent
            && ptr::eq(recent, name.as_ptr())
        {
            return Ok(topic);
        }
        let (key, topic) = self.entry(client, name)?;
        self.recent = Some((key, topic));
        Ok(topic)
    }

    fn entry(&mut self, client: &Native, name: &Arc<str>) -> Result<(*const u8, NonNull<rd_kafka_topic_t>), KafkaError> {
        if let Some((key, found)) = self.topics.get_key_value(name) {
            return Ok((key.as_ptr(), found.topic));
        }
        let name_c = c_string(name)?;
        // SAFETY: client and name are alive; without a configuration the client's own is taken.
        let topic = unsafe { bindings::rd_kafka_topic_new(client.as_ptr(), name_c.as_ptr(), ptr::null_mut()) };
        let Some(topic) = NonNull::new(topic) else {
            // SAFETY: takes nothing.
            let code = unsafe { bindings::rd_kafka_last_error() };
            return Err(from_code(code as i32, &format!("using topic {name}")));
        };
        self.topics.insert(Arc::clone(name), Destination { topic, positions: Vec::new() });
        Ok((name.as_ptr(), topic))
    }

    /// Where acknowledgements of this partition are written to, for the C client to hold. The topic has been used before.
    pub(super) fn position(&mut self, name: &Arc<str>, partition: i32) -> *mut c_void {
        let positions = &mut self.topics.get_mut(name).expect("the handle was made before").positions;
        let index = usize::try_from(partition).expect("partitions count from 0");
        if positions.len() <= index {
            positions.resize_with(index + 1, || None);
        }
        let position = positions[index].get_or_insert_with(|| Box::new(AtomicI64::new(NONE)));
        ptr::from_mut(position.as_mut()).cast()
    }

    /// The position behind the last acknowledged record since [`Destinations::forget_positions`].
    pub(super) fn acknowledged(&self, name: &Arc<str>, partition: i32) -> Option<i64> {
        let index = usize::try_from(partition).ok()?;
        let position = self.topics.get(name)?.positions.get(index)?.as_ref()?.load(Ordering::Acquire);
        (position != NONE).then_some(position)
    }

    pub(super) fn forget_positions(&self) {
        for position in self.topics.values().flat_map(|destination| &destination.positions).flatten() {
            position.store(NONE, Ordering::Release);
        }
    }
}

impl Destinations {
    /// Gives the handles back. The positions stay, since records under way point to them.
    fn release_topics(&mut self) {
        self.recent = None;
        for destination in self.topics.values() {
            // SAFETY: one reference each, and the client is still alive.
            unsafe { bindings::rd_kafka_topic_destroy(destination.topic.as_ptr()) }
        }
    }
}

/// A client with its handles: topics are released, then the client destroyed, then the positions freed.
#[derive(Debug)]
pub(super) struct ProducingClient {
    pub(super) destinations: Destinations,
    /// Taken on drop.
    native: Option<Native>,
}

impl ProducingClient {
    pub(super) fn new(native: Native) -> Self {
        Self { destinations: Destinations::new(), native: Some(native) }
    }

    pub(super) fn native(&self) -> &Native {
        self.native.as_ref().expect("taken on drop only")
    }

    /// The handle of a topic.
    pub(super) fn topic(&mut self, name: &Arc<str>) -> Result<NonNull<rd_kafka_topic_t>, KafkaError> {
        let native = self.native.as_ref().expect("taken on drop only");
        self.destinations.topic(native, name)
    }
}

impl Drop for ProducingClient {
    fn drop(&mut self) {
        self.destinations.release_topics();
        drop(self.native.take());
    }
}
