//! `doctor`: checks what a start would stumble over, and more, one line each. It changes nothing but what every start does first: it
//! makes the state directory, and registers schemas that the registry lacks.

use std::collections::BTreeMap;
use std::path::Path;

use highwater::kafka::TopicDescription;

use super::cluster::Cluster;
use super::output::Output;
use super::run::lock::StateLock;
use crate::catalogue::ALL;
use crate::config::{Config, Problems};
use crate::exit::Failure;
use crate::schemas::{Schemas, open_registry};
use crate::topics::{Planned, Step, check_changes, check_retention};

/// Less free disk than this will not last.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// What a check found: good news, or what is wrong and its mend.
type Finding = Result<String, String>;

/// Says what is wrong with the configuration; nothing else can be checked then.
pub fn misconfigured(problems: &Problems) -> Result<(), Failure> {
    let mut report = Report { output: Output::open(), failed: 0 };
    for problem in &problems.0 {
        report.tell("config", Err(problem.to_string()))?;
    }
    report.end()
}

/// Checks everything.
pub fn run(config: &Config) -> Result<(), Failure> {
    let mut report = Report { output: Output::open(), failed: 0 };
    report.tell("config", check_retention(&config.retention).map(|()| format!("application `{}`", config.application_id)))?;
    match Cluster::connect(config) {
        Ok(mut cluster) => {
            report.tell("brokers", Ok(format!("{} at {}", cluster.brokers, config.kafka.bootstrap_servers)))?;
            for (name, finding) in topics(&mut cluster, config)? {
                report.tell(&name, finding)?;
            }
        }
        Err(failure) => report.tell("brokers", Err(failure.message))?,
    }
    report.tell("registry", registry(config))?;
    report.tell("state", state_dir(&config.state_dir))?;
    report.tell("disk", disk(&config.state_dir))?;
    report.end()
}

struct Report {
    output: Output,
    failed: usize,
}

impl Report {
    fn tell(&mut self, what: &str, finding: Finding) -> Result<(), Failure> {
        match finding {
            Ok(news) => self.output.line(format_args!("ok    {what}: {news}")),
            Err(mend) => {
                self.failed += 1;
                self.output.line(format_args!("FAIL  {what}: {}", mend.replace('\n', "; ")))
            }
        }
    }

    fn end(mut self) -> Result<(), Failure> {
        self.output.flush()?;
        if self.failed == 0 { Ok(()) } else { Err(Failure::failed(String::new())) }
    }
}

fn topics(cluster: &mut Cluster, config: &Config) -> Result<Vec<(String, Finding)>, Failure> {
    let mut findings = Vec::new();
    for planned in super::topics::look(cluster, config)? {
        let settings = match planned.step {
            Step::Create(_) => BTreeMap::new(),
            _ => cluster.admin.topic_config(&planned.name, cluster.timeout)?,
        };
        findings.push((format!("topic {}", planned.name), topic(&planned, &settings)));
    }
    let pair = ["raw.events", "clean.events"];
    let described = cluster.admin.describe_topics(&pair, cluster.timeout)?;
    findings.push(("partitions".to_owned(), equal_partitions(&described)));
    Ok(findings)
}

fn topic(planned: &Planned, settings: &BTreeMap<String, String>) -> Finding {
    const MEND: &str = "run `shoppulse topics apply --execute`";
    match &planned.step {
        Step::Create(_) => Err(format!("does not exist: {MEND}")),
        Step::Fits => Ok("is as it should be".to_owned()),
        Step::Alter(differing) => {
            check_changes(&planned.name, settings)?;
            let differing: Vec<String> =
                differing.iter().map(|(key, is, should)| format!("{key}={is}, should be {should}")).collect();
            Err(format!("{}: {MEND}", differing.join("; ")))
        }
    }
}

/// A clean event lies in the partition number of its raw event.
fn equal_partitions(described: &[Option<TopicDescription>]) -> Finding {
    let [Some(raw), Some(clean)] = described else { return Err("raw.events or clean.events does not exist".to_owned()) };
    if raw.partitions != clean.partitions {
        return Err(format!(
            "topics `raw.events` and `clean.events` need equally many partitions, and have {} and {}: recreate one of them",
            raw.partitions, clean.partitions
        ));
    }
    Ok(format!("raw.events and clean.events have {}", raw.partitions))
}

/// Builds every topology, which registers its schemas if they are new.
fn registry(config: &Config) -> Finding {
    let registry = open_registry(config, false).map_err(|error| error.to_string())?;
    let schemas = Schemas::new(registry, config.emit_every);
    for pipeline in ALL {
        (pipeline.build)(&schemas).map_err(|error| error.to_string())?;
    }
    Ok(format!("schemas of {} topologies are known at {}", ALL.len(), config.registry.url))
}

fn state_dir(path: &Path) -> Finding {
    match StateLock::take(path) {
        Ok(_lock) => Ok(format!("{} is free and can be written", path.display())),
        Err(failure) => Err(failure.message),
    }
}

fn disk(path: &Path) -> Finding {
    let disk = rustix::fs::statvfs(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < FREE_BYTES_MIN {
        return Err(format!("{free} bytes are free at {}; make room, state and compaction need some", path.display()));
    }
    Ok(format!("{} MiB are free", free >> 20))
}
