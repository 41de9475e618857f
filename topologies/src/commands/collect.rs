//! `collect`: serves SDKs until asked to stop, and then answers what is under way. What a request becomes is in
//! [`collect`](crate::collect).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use highwater::kafka::{Sender, SenderSettings};
use highwater::time::{Clock as _, SystemClock};

use super::cluster::Cluster;
use super::run::signals::Stop;
use crate::collect::{Certificate, Collector, Destinations, KeyFile, Server, ServerSettings, describe, router};
use crate::config::Config;
use crate::exit::Failure;
use crate::http;
use crate::topic_names::{DEAD_LETTERS, RAW_EVENTS};

/// How often signals and files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So many looks lie between two of the files.
const LOOKS_A_FILE: u32 = 10;
/// How long what is under way may take to be answered, and then what is queued to be acknowledged; a supervisor kills after 10 s.
const ANSWER_WITHIN: Duration = Duration::from_millis(8_500);
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// Collects until asked to stop.
pub fn run(config: &Config) -> Result<(), Failure> {
    let keys = open_keys(config)?;
    let certificate = open_certificate(config)?;
    let mut cluster = Cluster::connect(config)?;
    let destinations = destinations(&mut cluster)?;
    let sender: Arc<dyn Sender> = Arc::from(cluster.kafka.sender(&sender_settings(config, &destinations))?);
    http::install_recorder()?;
    describe();
    let collector = Collector::new(config.collect.clone(), keys, Arc::clone(&sender), destinations, Arc::new(SystemClock));
    let stop = Stop::default();
    let settings = ServerSettings {
        listen: config.http.listen.clone(),
        threads: config.collect.threads,
        connections_max: config.collect.connections_max,
        read_timeout: config.collect.read_timeout,
    };
    let receipts = Receipts::start(Arc::clone(&sender))?;
    let server = Server::start(&settings, router(Arc::clone(&collector)), certificate.clone(), stop.clone().watch())?;
    tracing::info!(http = %server.address(), tls = certificate.is_some(), "collecting");
    let outcome = watch_over(&collector, &server, &stop, certificate.as_deref(), &*sender);
    collector.stop();
    let answered = server.end(ANSWER_WITHIN);
    let flushed = sender.flush(FLUSH_WITHIN);
    drop(receipts);
    if !answered || flushed.is_err() {
        tracing::warn!("not all that was under way could be stored in time; it was not acknowledged, and comes again");
    }
    outcome
}

fn open_keys(config: &Config) -> Result<Arc<KeyFile>, Failure> {
    let path = config.collect.keys_file.clone().ok_or_else(|| {
        Failure::config("setting `collect.keys_file` is not set: name a file with a line `write_key = \"shop_id\"` for each key")
    })?;
    if config.collect.key_secret.is_empty() {
        return Err(Failure::config(
            "setting `collect.key_secret` is not set: it keys the pseudonyms of users in keys of records; choose a random text, give it to \
             every collector, and never change it",
        ));
    }
    let file = KeyFile::open(path).map_err(|error| Failure::config(format!("setting `collect.keys_file`: {error}")))?;
    Ok(Arc::new(file))
}

fn open_certificate(config: &Config) -> Result<Option<Arc<Certificate>>, Failure> {
    let files: (Option<PathBuf>, Option<PathBuf>) =
        (config.collect.tls_certificate_file.clone(), config.collect.tls_key_file.clone());
    match files {
        (None, None) => Ok(None),
        (Some(chain), Some(key)) => {
            let opened = Certificate::open(chain, key);
            opened.map(|certificate| Some(Arc::new(certificate))).map_err(|error| {
                Failure::config(format!("settings `collect.tls_certificate_file` and `collect.tls_key_file`: {error}"))
            })
        }
        _ => Err(Failure::config("TLS needs both `collect.tls_certificate_file` and `collect.tls_key_file`, and one is not set")),
    }
}

/// The topics must be there: nobody else may make them, with other settings.
fn destinations(cluster: &mut Cluster) -> Result<Destinations, Failure> {
    let names = [RAW_EVENTS, DEAD_LETTERS];
    let described = cluster.admin.describe_topics(&names, cluster.timeout)?;
    let found = names.iter().zip(described).map(|(name, topic)| {
        let topic = topic
            .ok_or_else(|| Failure::config(format!("topic `{name}` does not exist: run `shoppulse topics apply --execute`")))?;
        Ok((topic.name, topic.partitions))
    });
    let mut found = found.collect::<Result<Vec<_>, Failure>>()?.into_iter();
    let (Some(events), Some(dead_letters)) = (found.next(), found.next()) else {
        return Err(Failure::failed("the cluster described fewer topics than it was asked for"));
    };
    Ok(Destinations { events, dead_letters })
}

fn sender_settings(config: &Config, destinations: &Destinations) -> SenderSettings {
    SenderSettings {
        client_id: format!("{}-collect", config.application_id),
        topics: vec![Arc::clone(&destinations.events.0), Arc::clone(&destinations.dead_letters.0)],
        linger: config.collect.linger,
        delivery_timeout: config.collect.acknowledge_timeout,
        queue_max_bytes: config.collect.queue_max_bytes,
    }
}

/// The thread on which receipts are told.
struct Receipts {
    is_done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Receipts {
    fn start(sender: Arc<dyn Sender>) -> Result<Self, Failure> {
        let is_done = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&is_done);
        let serve = move || {
            while !watched.load(Ordering::Relaxed) {
                sender.serve(LOOK_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("receipts".to_owned()).spawn(serve);
        let thread = thread.map_err(|error| Failure::failed(format!("a thread cannot be started: {error}")))?;
        Ok(Self { is_done, thread: Some(thread) })
    }
}

impl Drop for Receipts {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Looks after everything until there is a reason to end.
fn watch_over(
    collector: &Collector,
    server: &Server,
    stop: &Stop,
    certificate: Option<&Certificate>,
    sender: &dyn Sender,
) -> Result<(), Failure> {
    for look in 1_u32.. {
        if stop.is_asked() {
            tracing::info!("asked to stop");
            return Ok(());
        }
        if let Some(failure) = sender.failure() {
            return Err(Failure::failed(format!("the Kafka producer is of no more use, start again: {failure}")));
        }
        collector.show(server.connections());
        if look % LOOKS_A_FILE == 0 {
            collector.refresh_keys();
            match certificate.map(Certificate::refresh) {
                Some(Ok(true)) => tracing::info!("the certificate was read again"),
                Some(Err(error)) => tracing::warn!(%error, "the certificate cannot be read again; the former one is offered"),
                Some(Ok(false)) | None => {}
            }
        }
        SystemClock.sleep(LOOK_EVERY);
    }
    Ok(())
}
