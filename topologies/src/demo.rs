//! `demo`: the whole pipeline in one process, on the embedded cluster, checked against the generator's own expectation.
//!
//! Traffic with every kind of disorder flows in; in the middle all topologies crash, with transactions open, and start again; at
//! the end every row is compared with what the oracle makes of the same input. Not a test of Kafka: the embedded cluster keeps
//! nothing, and nobody outside this process can reach it.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use highwater::kafka::memory::{MemoryCluster, MemorySettings};
use highwater::runtime::ProcessingGuarantee;
use highwater::time::{Clock, SystemClock};
use shoppulse_oracle::{InputRecord, Traffic, TrafficSettings};

use crate::exit::Failure;

mod crew;
mod feed;
mod judge;
mod view;

use crew::Crew;
use feed::Feed;
use judge::Verdict;
use view::View;

/// Partitions of every topic of the demo.
const PARTITIONS: i32 = 4;
/// What the embedded cluster may hold.
const CLUSTER_MAX_BYTES: usize = 3 << 30;
/// Records that a demo generates at most; they are kept until the verdict.
const RECORDS_MAX: u64 = 1_000_000;
/// How often a curated row is written at most: a person is watching.
const EMIT_EVERY: Duration = Duration::from_secs(1);
/// How often the view is refreshed and the feed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long what is left may take after the last record was fed.
const FINISH_WITHIN: Duration = Duration::from_mins(2);

/// Options of `demo`.
#[derive(Clone, Copy, Debug, Args)]
pub struct DemoArgs {
    /// How long to feed traffic, in seconds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// How many records to feed a second
    #[arg(long, value_name = "RECORDS", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub rate: u32,
    /// Break a guarantee on purpose: commit positions apart from outputs. The verdict must notice
    #[arg(long)]
    pub sabotage: bool,
}

/// Runs the demo, shows it on stderr, and prints the verdict on stdout.
///
/// # Errors
///
/// A failure with exit code 1 if the rows differ from what is expected or the books do not balance.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    let verdict = play(args)?;
    verdict.print().map_err(|error| Failure::failed(format!("writing the verdict: {error}")))?;
    if verdict.holds() { Ok(()) } else { Err(Failure::failed("the verdict does not hold")) }
}

/// Feeds, crashes, restarts, finishes, judges.
pub fn play(args: &DemoArgs) -> Result<Verdict, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let began = clock.now();
    let records = generate(args, began.as_millis())?;
    let cluster =
        MemoryCluster::new(Arc::clone(&clock), MemorySettings { max_bytes: CLUSTER_MAX_BYTES, ..MemorySettings::default() });
    crew::create_topics(&cluster)?;
    let guarantee = if args.sabotage { ProcessingGuarantee::AtLeastOnce } else { ProcessingGuarantee::ExactlyOnce };
    let mut crew = Crew::hire(cluster.clone(), guarantee)?;
    let mut view = View::open(records.len());
    view.say("four topologies on an embedded cluster: nothing of it outlives this process, and nobody outside can reach it");
    crew.start()?;
    let crash_at = records.len() / 2;
    let mut feed = Feed::new(&cluster, &records, args.rate, clock.now());
    while !feed.is_done() {
        feed.send_due(clock.now(), if crew.has_crashed() { records.len() } else { crash_at })?;
        if !crew.has_crashed() && feed.sent() >= crash_at && crew.has_uncommitted_work(args.sabotage) {
            view.say("crash: all topologies are gone, without a commit and without closing");
            crew.crash_and_restart()?;
            view.say("restart: each goes on from what is committed");
        }
        view.show(feed.sent(), &crew.tally());
        clock.sleep(LOOK_EVERY);
    }
    view.say("the traffic has ended; what is under way is finished");
    crew.finish(FINISH_WITHIN, |tally| view.show(records.len(), tally))?;
    let tally = crew.tally();
    crew.leave()?;
    view.close();
    let wall = Duration::from_millis((clock.now().as_millis() - began.as_millis()).max(0) as u64);
    judge::judge(args, &cluster, crew.schemas(), &records, &tally, wall)
}

fn generate(args: &DemoArgs, now_ms: i64) -> Result<Vec<InputRecord>, Failure> {
    let count = u64::from(args.seconds) * u64::from(args.rate);
    if count > RECORDS_MAX {
        return Err(Failure::usage(format!("a demo keeps its input in memory: {count} records are more than {RECORDS_MAX}")));
    }
    let settings = TrafficSettings::demo(u64::from(args.seconds), u64::from(args.rate), now_ms);
    Ok(Traffic::new(TrafficSettings { partitions: PARTITIONS, ..settings }).collect())
}
