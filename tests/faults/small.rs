//! A small world for one property: some topics, one topology, one instance.

use std::sync::Arc;

use highwater::kafka::memory::{MemoryCluster, MemorySettings};
use highwater::runtime::{KafkaStreams, RunningStreams, Settings};
use highwater::time::SystemClock;
use highwater::{Error, Timestamp, Topology};

use crate::app::{settings_for, wait};

/// A cluster with these topics, and an application on it.
pub(crate) struct Small {
    pub(crate) cluster: MemoryCluster,
    pub(crate) state: tempfile::TempDir,
}

impl Small {
    pub(crate) fn new(topics: &[(&str, i32)]) -> Self {
        let cluster = MemoryCluster::new(Arc::new(SystemClock), MemorySettings::default());
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions).expect("topics can be created");
        }
        Self { cluster, state: tempfile::tempdir().expect("a directory can be made") }
    }

    pub(crate) fn send(&self, topic: &str, partition: i32, value: &str, at_ms: i64) {
        let sent = self.cluster.append(topic, partition, Some(b"k"), Some(value.as_bytes()), Timestamp::from_millis(at_ms));
        sent.expect("there is room");
    }

    pub(crate) fn settings(&self) -> Settings {
        settings_for("0", self.state.path())
    }

    pub(crate) fn start(&self, topology: Topology) -> RunningStreams {
        self.try_start(topology, self.settings()).expect("it starts")
    }

    pub(crate) fn try_start(&self, topology: Topology, settings: Settings) -> Result<RunningStreams, Error> {
        KafkaStreams::new(topology, settings, Arc::new(self.cluster.clone())).start()
    }

    /// Starts it and waits for the error that ends it.
    pub(crate) fn failure(&self, topology: Topology, settings: Settings) -> Error {
        let running = match self.try_start(topology, settings) {
            Ok(running) => running,
            Err(error) => return error,
        };
        wait("it fails", || running.is_finished());
        running.join().expect_err("it failed")
    }

    pub(crate) fn values(&self, topic: &str) -> Vec<String> {
        self.cluster.read_committed(topic).iter().map(|record| record.value_text().to_owned()).collect()
    }
}
