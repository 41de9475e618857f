//! CPU seconds per million events of `collect`: HTTP, reading, splicing, the producer, and waiting for all in-sync replicas, beside a
//! control: the same HTTP server, which reads the body and drops it.
//!
//! `eval "$(dev/kafka up --no-registry)"` first, then `cargo bench --bench collect_cpu -- [EVENTS]`. Requests come from a process of
//! their own, so CPU is that of the server's alone, with its client's threads; the broker's is not in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use highwater::kafka::rdkafka::RdKafka;
use highwater::kafka::{Kafka, NewTopic, Sender, SenderSettings};
use highwater::time::SystemClock;
use shoppulse::collect::{Collector, Destinations, KeyFile, Server, ServerSettings, router};
use shoppulse::config::{Config, Sources};
use shoppulse::summary::cpu_time;

const EVENTS: u64 = 1_000_000;
const BATCH_EVENTS: u64 = 100;
const PARTITIONS: i32 = 6;
const CONNECTIONS: u64 = 16;
/// Different bodies, sent in turn.
const BODIES: u64 = 32;
const SEND: &str = "--send";
const TIMEOUT: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == SEND) {
        return send_all(&arguments[at + 1], arguments[at + 2].parse().expect("a number"));
    }
    let events = arguments.iter().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(EVENTS);
    #[expect(clippy::disallowed_methods, reason = "where the cluster is, as dev/kafka says it")]
    let Ok(servers) = std::env::var("SHOPPULSE__KAFKA__BOOTSTRAP_SERVERS") else {
        // `cargo test --benches` runs this too, and there is nothing to measure then.
        report("start a cluster with `eval \"$(dev/kafka up --no-registry)\"`");
        return ExitCode::SUCCESS;
    };
    for _ in 0..2 {
        let control = Router::new().fallback(async |request: Request| {
            let body = axum::body::to_bytes(request.into_body(), 1 << 21).await.unwrap_or_default();
            drop(body);
            r#"{"success":true}"#
        });
        measure("control: the body is dropped", control, events);
        collect(&servers, events);
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "a bench reports to its reader")]
fn report(line: &str) {
    println!("{line}");
}

/// The whole way, with the defaults of all settings.
fn collect(servers: &str, events: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let keys = dir.path().join("keys.toml");
    std::fs::write(&keys, "wk_bench = \"shop-1\"").expect("keys can be written");
    let flags = vec![("collect.key_secret".to_owned(), "secret".to_owned(), "the bench".to_owned())];
    let config = Config::load(&Sources { flags, ..Sources::default() }).expect("the settings are right").collect;
    let kafka = RdKafka::new(servers, BTreeMap::new()).expect("no properties");
    let topics = ["events", "dlq"].map(|name| Arc::<str>::from(format!("bench-{name}-{}", std::process::id())));
    let new = topics.each_ref().map(|name| NewTopic {
        name: name.to_string(),
        partitions: PARTITIONS,
        replication_factor: -1,
        config: BTreeMap::new(),
    });
    kafka.admin().and_then(|mut admin| admin.create_topics(&new, TIMEOUT)).expect("topics");
    let sender: Arc<dyn Sender> = Arc::from(
        kafka
            .sender(&SenderSettings {
                client_id: "bench".to_owned(),
                topics: topics.to_vec(),
                linger: config.linger,
                delivery_timeout: config.acknowledge_timeout,
                queue_max_bytes: config.queue_max_bytes,
            })
            .expect("a sender"),
    );
    let [events_topic, dead_letters] = topics.map(|topic| (topic, PARTITIONS));
    let keys = Arc::new(KeyFile::open(keys).expect("the keys are right"));
    let destinations = Destinations { events: events_topic, dead_letters };
    let collector = Collector::new(config, keys, Arc::clone(&sender), destinations, Arc::new(SystemClock));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                sender.serve(Duration::from_millis(100));
            }
        });
        measure("collect", router(collector), events);
        is_done.store(true, Ordering::Relaxed);
    });
}

fn measure(what: &str, router: Router, events: u64) {
    let settings = ServerSettings {
        listen: "127.0.0.1:0".to_owned(),
        threads: 2,
        connections_max: 1_000,
        read_timeout: Duration::from_secs(30),
    };
    let server = Server::start(&settings, router, None, async { Ok(()) }).expect("it starts");
    let address = server.address().to_string();
    send_from_elsewhere(&address, events / 10);
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    let (began, cpu) = (Instant::now(), cpu_time());
    send_from_elsewhere(&address, events);
    let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_time().saturating_sub(cpu).as_secs_f64());
    let per_million = cpu * 1e6 / events as f64;
    report(&format!(
        "{what:30} {per_million:6.2} CPU-s per million events · {:8.0} events a CPU-second · {:8.0} events/s on this machine",
        1e6 / per_million,
        events as f64 / took
    ));
    assert!(server.end(TIMEOUT), "everything was answered");
}

fn send_from_elsewhere(address: &str, events: u64) {
    let this = std::env::current_exe().expect("this program has a path");
    let sent = Command::new(this).args([SEND, address, &events.to_string()]).status().expect("it runs");
    assert!(sent.success(), "all requests were answered with 200");
}

/// The other process: batches over some connections, each of which waits for its answers.
fn send_all(address: &str, events: u64) -> ExitCode {
    let address: SocketAddr = address.parse().expect("an address");
    let requests: Vec<Vec<u8>> = (0..BODIES).map(request).collect();
    let batches = events.div_ceil(BATCH_EVENTS).div_ceil(CONNECTIONS);
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let requests = &requests;
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).expect("it listens");
                stream.set_nodelay(true).expect("an option");
                let mut answer = [0; 1024];
                for batch in 0..batches {
                    stream.write_all(&requests[((batch + connection) % BODIES) as usize]).expect("it takes");
                    let count = stream.read(&mut answer).expect("it answers");
                    assert!(answer[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..count]));
                }
            });
        }
    });
    ExitCode::SUCCESS
}

fn request(number: u64) -> Vec<u8> {
    let events: Vec<String> = (0..BATCH_EVENTS).map(|index| event(number * BATCH_EVENTS + index)).collect();
    let body = format!(r#"{{"batch":[{}],"sentAt":"2026-08-21T10:00:00.000Z","writeKey":"wk_bench"}}"#, events.join(","));
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: bench\r\nauthorization: Basic d2tfYmVuY2g6\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

/// An event of 1.1 KB, as a page sends it.
fn event(number: u64) -> String {
    let noise = |salt: u64| number.wrapping_add(salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut products = String::new();
    for product in 0..3 {
        let comma = if product == 0 { "" } else { "," };
        write!(
            products,
            r#"{comma}{{"product_id":"p-{}","sku":"sku-{:08x}","price":{}.5,"quantity":1}}"#,
            product,
            noise(product) as u32,
            product
        )
        .expect("a string takes everything");
    }
    let mut event = format!(
        r#"{{"type":"track","event":"Order Completed","messageId":"ajs-next-1795379230762-{:016x}{:016x}","anonymousId":"{:016x}","userId":null,"timestamp":"2026-08-21T09:59:59.123Z","properties":{{"order_id":"o-{:08x}","currency":"EUR","revenue":{}.95,"products":[{products}]}},"context":{{"page":{{"path":"/checkout/thanks","url":"https://shop.example/checkout/thanks?order={:08x}","referrer":"https://shop.example/checkout","title":"Thank you"}},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36","locale":"de-DE","library":{{"name":"analytics.js","version":"npm:next-1.84.3"}},"campaign":{{"source":"news","medium":"mail","name":"may"}}}},"integrations":{{"Segment.io":true}},"note":""#,
        noise(11),
        noise(12),
        noise(13),
        noise(14) as u32,
        number % 100,
        noise(15) as u32
    );
    while event.len() < 1_098 {
        write!(event, "{:x}", noise(event.len() as u64)).expect("a string takes everything");
    }
    event.truncate(1_098);
    event.push_str("\"}");
    event
}
