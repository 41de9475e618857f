//! Starts that cannot succeed: each must say why, and end with the exit code that a supervisor goes by.

use std::collections::BTreeMap;
use std::time::Duration;

use highwater::kafka::{Admin, Kafka, NewTopic};
use highwater::time::{Clock as _, SystemClock};

use crate::cluster::{Cluster, one_at_a_time};
use crate::process::Process;
use crate::{POLL_EVERY, REQUEST};

/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

/// What is set beside the usual, the exit code, and a part of what is said.
type Case<'a> = (&'a [&'a str], i32, &'a str);

#[test]
fn a_start_that_cannot_succeed_says_why() {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(1);
    expect_refusals(&cluster, &[(&[], 78, "run `shoppulse topics apply --execute`")]);
    cluster.succeed(&["topics", "apply", "--execute"]);
    let file = cluster.path("a-file");
    std::fs::write(&file, "").expect("a file can be written");
    let inside_a_file = format!("state_dir={}", file.join("state").display());
    let no_broker = format!("kafka.bootstrap_servers={NOWHERE}");
    let no_registry = format!("schema_registry.url=http://{NOWHERE}");
    expect_refusals(
        &cluster,
        &[
            (&[&no_broker, "kafka.connect_timeout_ms=1500"], 69, NOWHERE),
            (&["treads=4"], 78, "did you mean"),
            (&["threads=many"], 78, "`threads`"),
            (&["topologies=sesions"], 78, "there is no topology `sesions`"),
            (&[&no_registry, "schema_registry.timeout_ms=1500"], 69, NOWHERE),
            (&[&inside_a_file], 78, "cannot be used"),
        ],
    );
    replace(&mut *cluster.kafka().admin().expect("an admin client"), "clean.events", 3);
    expect_refusals(&cluster, &[(&[], 78, "partitions")]);
}

fn expect_refusals(cluster: &Cluster, cases: &[Case<'_>]) {
    for (settings, code, part) in cases {
        let mut arguments = vec!["run", "--until-end"];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        let mut process = Process::start(cluster.shoppulse("one", &arguments), cluster.log("refused"));
        let ended = process.wait(Duration::from_mins(1));
        let said = process.last_words();
        assert_eq!(ended, Some(*code), "{settings:?}:\n{said}");
        let last = said.lines().filter(|line| line.starts_with("shoppulse: ")).collect::<Vec<_>>().join("\n");
        assert!(last.contains(part), "{settings:?}: {part:?} is not in:\n{said}");
    }
}

/// Makes a topic anew with so many partitions. Kafka deletes in the background.
fn replace(admin: &mut dyn Admin, name: &str, partitions: i32) {
    const ATTEMPTS: usize = 300;
    admin.delete_topics(&[name], REQUEST).expect("it can be deleted");
    for _ in 0..ATTEMPTS {
        let topic = NewTopic { name: name.to_owned(), partitions, replication_factor: 1, config: BTreeMap::new() };
        // While the old one is still going, this fails or finds that one.
        let _ = admin.create_topics(&[topic], REQUEST);
        let described = admin.describe_topics(&[name], REQUEST).expect("topics can be described");
        if described.into_iter().flatten().any(|topic| topic.partitions == partitions) {
            return;
        }
        SystemClock.sleep(POLL_EVERY);
    }
    panic!("{name} was not made anew within half a minute");
}
