//! `tail`: a topic's committed records as lines of JSON.

use highwater::TopicPartition;
use highwater::kafka::{FetchedRecord, Isolation, OffsetSpec};

use super::cluster::Cluster;
use super::output::Output;
use super::scan::{Scan, partitions_of};
use crate::cli::TailArgs;
use crate::config::Config;
use crate::exit::Failure;
use crate::schemas::open_registry;

mod avro;
mod compact;
mod decode;
mod line;

use decode::Decoder;
use line::Line;

/// Prints records until the end, the maximum, or for ever.
pub fn run(config: &Config, args: &TailArgs) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(config)?;
    let topic = &args.topic;
    let partitions = partitions_of(&mut cluster, topic)?.ok_or_else(|| {
        Failure::config(format!("topic `{topic}` does not exist; check its name, and that this is the right cluster"))
    })?;
    let spec = if args.from_beginning { OffsetSpec::Earliest } else { OffsetSpec::Latest(Isolation::ReadUncommitted) };
    let offsets = cluster.admin.list_offsets(&partitions, spec, cluster.timeout)?;
    let starts: Vec<_> = partitions.into_iter().zip(offsets).collect();
    let mut decoder = Decoder::new(open_registry(config, false)?);
    let mut output = Output::open();
    let mut left = args.max.unwrap_or(u64::MAX);
    if left == 0 {
        return Ok(());
    }
    let mut scan = Scan::start(&*cluster.kafka, &starts)?;
    let mut print = |partition: &TopicPartition, record: &FetchedRecord, output: &mut Output| {
        output.json(&Line::of(partition, record, &mut decoder)?)?;
        left -= 1;
        Ok(left > 0)
    };
    if args.until_end {
        scan.read_to_end(&mut cluster, &starts, |partition, record| print(partition, record, &mut output))?;
        return output.flush();
    }
    while scan.poll(|partition, record| print(partition, record, &mut output))? {
        output.flush()?;
    }
    output.flush()
}
