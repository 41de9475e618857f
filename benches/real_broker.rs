//! What `shoppulse run --until-end` costs on a real broker: events of about 1.1 KB through `clean` and `sessions`, exactly once.
//! The closing summary of the run is the result; CPU and memory are those of that process alone, brokers and generator are others.
//!
//! `make build`, then `cargo bench --profile dev --bench real_broker -- [RECORDS]`. It starts and ends its own broker and registry.

use std::process::ExitCode;
use std::time::Duration;

use shoppulse_oracle::{InputRecord, Traffic, TrafficSettings};

#[path = "../tests/e2e/cluster.rs"]
#[expect(dead_code, reason = "a test needs more of it")]
mod cluster;
#[path = "../tests/support/real_kafka.rs"]
#[expect(dead_code, reason = "a test needs more of it")]
mod real_kafka;
#[path = "../tests/e2e/traffic.rs"]
mod traffic;

use cluster::Cluster;

const PARTITIONS: i32 = 4;
const REQUEST: Duration = Duration::from_secs(30);
/// What a message of a browser weighs, with its context.
const EVENT_BYTES: usize = 1_100;
/// Records that are made and sent at once.
const CHUNK_RECORDS: usize = 50_000;

fn main() -> ExitCode {
    // `cargo test --benches` runs this too, and there is nothing to measure then.
    let Some(records) = std::env::args().find_map(|argument| argument.parse::<usize>().ok()) else {
        report("give a number of records");
        return ExitCode::SUCCESS;
    };
    let cluster = Cluster::start(1);
    cluster.succeed(&["topics", "apply", "--execute"]);
    let bytes = load(&cluster, records);
    report(&format!("{records} events loaded, of {} bytes on average", bytes / records.max(1)));
    let run = cluster.shoppulse("bench", &["run", "--until-end", "--topologies", "clean,sessions"]).status();
    if run.expect("the binary runs").success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stderr, reason = "beside the summary, which the run prints there")]
fn report(line: &str) {
    eprintln!("{line}");
}

/// Writes generated events, and nothing else; tells how large their values are together.
fn load(cluster: &Cluster, records: usize) -> usize {
    let settings = TrafficSettings {
        orders_permille: 0,
        customers_permille: 0,
        visitors: (records / 10).max(5) as u32,
        ..TrafficSettings::test(records + records / 4, 1)
    };
    let mut events = Traffic::new(settings).filter(|record| record.topic == "raw.events").map(padded).take(records);
    let kafka = cluster.kafka();
    let mut bytes = 0;
    loop {
        let chunk: Vec<InputRecord> = events.by_ref().take(CHUNK_RECORDS).collect();
        if chunk.is_empty() {
            return bytes;
        }
        bytes += chunk.iter().filter_map(|record| record.value.as_ref()).map(Vec::len).sum::<usize>();
        traffic::produce(&kafka, &chunk);
    }
}

/// The same event with a member that nobody asks for, as SDKs send many.
fn padded(mut record: InputRecord) -> InputRecord {
    let Some(value) = record.value.as_mut().filter(|value| value.len() < EVENT_BYTES && value.first() == Some(&b'{')) else {
        return record;
    };
    let mut member = String::from("\"integrations\":{\"All\":true");
    for number in 0_u64.. {
        let entry = format!(",\"Destination {number}\":{{\"session\":\"{:016x}\"}}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if value.len() + member.len() + entry.len() > EVENT_BYTES {
            break;
        }
        member.push_str(&entry);
    }
    member.push_str("},");
    value.splice(1..1, member.into_bytes());
    record
}
