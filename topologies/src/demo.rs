//! `demo`: the whole pipeline in one process, on the embedded cluster, checked against the generator's own expectation.
//!
//! Traffic with every kind of disorder flows in; in the middle the power fails, with a transaction open, and comes back while
//! traffic goes on; at the end every row is compared with what the oracle makes of the same input. Not a test of Kafka: the
//! embedded cluster keeps nothing, and nobody outside this process can reach it.
//!
//! Start with [`play`], the script. `crew` runs the topologies and `outage` cuts their power, `feed` is the world that sends,
//! `view` shows, `reading` and `check` find out what came of it, [`Verdict`] says so.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use highwater::Timestamp;
use highwater::kafka::memory::{MemoryCluster, MemorySettings};
use highwater::runtime::ProcessingGuarantee;
use highwater::time::{Clock, SystemClock};
use shoppulse_oracle::{InputRecord, expect};

use crate::exit::Failure;

mod books;
mod check;
mod cost;
mod crew;
mod feed;
mod input;
mod interrupt;
mod outage;
mod progress;
mod reading;
mod state_dir;
mod tally;
mod verdict;
mod view;

use cost::Meter;
use crew::Crew;
use feed::Feed;
pub use interrupt::Interrupt;
use progress::Progress;
use state_dir::StateDir;
use verdict::Story;
pub use verdict::Verdict;
use view::View;

/// Partitions of every topic of the demo.
const PARTITIONS: i32 = 4;
/// What the embedded cluster may hold.
const CLUSTER_MAX_BYTES: usize = 3 << 30;
/// How often a curated row is written at most: a person is watching.
const EMIT_EVERY: Duration = Duration::from_secs(1);
/// How often the view is refreshed and the course of things is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the topologies are gone: long enough to see what waits for them, and how fast they catch up.
const DARK_FOR: Duration = Duration::from_millis(1_500);
/// How long what is left may take after the last record was fed.
const FINISH_WITHIN: Duration = Duration::from_mins(2);

/// Options of `demo`.
#[derive(Clone, Copy, Debug, Args)]
pub struct DemoArgs {
    /// How long to feed traffic, in seconds
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// How many records to feed a second
    #[arg(long, value_name = "EVENTS_PER_S", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub rate: u32,
    /// Break a guarantee on purpose: commit positions apart from outputs. The verdict must notice
    #[arg(long)]
    pub sabotage: bool,
    /// Leave the state directory behind, to look at with `state inspect`
    #[arg(long)]
    pub keep_state: bool,
}

impl DemoArgs {
    fn guarantee(&self) -> ProcessingGuarantee {
        if self.sabotage { ProcessingGuarantee::AtLeastOnce } else { ProcessingGuarantee::ExactlyOnce }
    }
}

/// Runs the demo, shows it on stderr, and prints the verdict on stdout.
///
/// # Errors
///
/// A failure with exit code 1 if a guarantee was broken on purpose, or if the rows differ from what is expected or the books do
/// not balance.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let verdict = play(args, &interrupt)?;
    verdict.print()?;
    match (verdict.holds(), args.sabotage) {
        (true, false) => Ok(()),
        (false, false) => Err(Failure::failed("the verdict does not hold")),
        (false, true) => Err(Failure::failed("the verdict does not hold, which is what --sabotage is for")),
        (true, true) => Err(Failure::failed("a guarantee was broken on purpose, and nothing came of it")),
    }
}

/// Feeds, cuts the power, starts again, finishes, judges.
///
/// # Errors
///
/// If there is more traffic than fits into memory, if a topology ends before its input does, or on an interrupt. That rows differ is
/// not an error, but what the verdict says.
pub fn play(args: &DemoArgs, interrupt: &Interrupt) -> Result<Verdict, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let meter = Meter::start(clock.now());
    let records = input::generate(args, clock.now().as_millis())?;
    let settings = MemorySettings { max_bytes: CLUSTER_MAX_BYTES, ..MemorySettings::default() };
    let cluster = MemoryCluster::new(Arc::clone(&clock), settings);
    reading::create_topics(&cluster)?;
    let state_dir = StateDir::make(clock.now(), args.keep_state)?;
    let mut crew = Crew::hire(cluster.clone(), args.guarantee(), state_dir.path())?;
    let mut view = View::open(records.len());
    view.say("four topologies on an embedded cluster, all in this process");
    perform(args, &records, &mut crew, &mut view, interrupt)?;
    let cost = meter.read(clock.now());
    view.say("every row is compared with what the oracle makes of the same input");
    let expected = expect(&records);
    let found = reading::read(&cluster, crew.schemas())?;
    let checks = check::run(&expected, &found);
    view.close();
    let story = Story {
        guarantee: args.guarantee(),
        seconds: args.seconds,
        inputs: input::by_topic(&records),
        crashes: crew.tally().crashes,
        commits: crew.tally().commits,
        taken_back: reading::hidden_records(&cluster),
        cost,
        kept_state: state_dir.kept(),
    };
    Ok(Verdict::new(story, found.books, checks))
}

/// What happens between the first record and the last commit.
fn perform(
    args: &DemoArgs,
    records: &[InputRecord],
    crew: &mut Crew,
    view: &mut View,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    crew.start()?;
    let feed = Feed::new(crew.cluster(), records, args.rate);
    let mut progress = Progress::new(SystemClock.now());
    std::thread::scope(|scope| {
        let world = scope.spawn(|| feed.run(&SystemClock));
        let watched = watch(&feed, crew, view, &mut progress, interrupt);
        feed.stop();
        let ended = world.join().unwrap_or_else(|_| Err(Failure::failed("the feed panicked")));
        watched.and(ended)
    })?;
    view.say("the traffic has ended; what is under way is finished");
    crew.finish(FINISH_WITHIN, |tally| {
        view.show(&progress.at(SystemClock.now(), &feed, tally));
        interrupt.check()
    })?;
    crew.leave()
}

/// Whether the topologies have had their outage.
#[derive(Clone, Copy)]
enum Act {
    Before,
    Dark(Timestamp),
    After,
}

/// Watches the traffic until its end; in the middle the power fails.
fn watch(
    feed: &Feed<'_>,
    crew: &mut Crew,
    view: &mut View,
    progress: &mut Progress,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut act = Act::Before;
    loop {
        interrupt.check()?;
        let now = SystemClock.now();
        act = match act {
            Act::Before if feed.is_half_done() => {
                let outage = crew.cut_power();
                view.say(&outage.to_string());
                Act::Dark(SystemClock.now())
            }
            Act::Dark(since) if now >= since.plus(DARK_FOR) => {
                crew.start()?;
                view.say("START: each topology goes on from what is committed");
                Act::After
            }
            Act::After if feed.is_over() => return Ok(()),
            act => act,
        };
        crew.check()?;
        view.show(&progress.at(SystemClock.now(), feed, &crew.tally()));
        SystemClock.sleep(LOOK_EVERY);
    }
}
