//! The command line: what can be said, and who does it. What the commands do is in `commands`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;
use crate::config::{Config, Sources};
use crate::demo::{self, DemoArgs};
use crate::exit::{Code, Failure};
use crate::logging;

/// The data pipeline of a retail `SaaS`: events, changes and payments in, curated rows out.
#[derive(Debug, Parser)]
#[command(name = "shoppulse", version, about, max_term_width = 120, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
struct Global {
    /// File of settings [default: shoppulse.toml, if it is there]
    #[arg(long, env = "SHOPPULSE_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Sets a setting, as in `--set kafka.bootstrap_servers=broker:9092`
    #[arg(long, value_name = "SETTING=VALUE", global = true)]
    set: Vec<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole pipeline on an embedded cluster, with a crash in the middle, and check the result
    Demo(DemoArgs),
    /// Run topologies until asked to stop
    Run(RunArgs),
    /// Load a payment provider's reports into raw.payments, each line once
    LoadPayments(LoadPaymentsArgs),
    /// Take events from SDKs over HTTP, until asked to stop
    Collect(CollectArgs),
    /// Look at topologies, without a cluster
    #[command(subcommand)]
    Topology(TopologyCommand),
    /// Compare the cluster's topics with what they should be, and create or change them
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Print a topic's records as lines of JSON
    Tail(TailArgs),
    /// Look at local state, without a cluster
    #[command(subcommand)]
    State(StateCommand),
    /// Process the input again from an earlier point, with empty state
    Reset(ResetArgs),
    /// Check configuration, brokers, topics, registry and disk
    Doctor,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub topologies: Vec<String>,
    /// Stream threads of each topology
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Process what is there now and all that comes of it, then exit
    #[arg(long)]
    pub until_end: bool,
}

/// Options of `load-payments`.
#[derive(Debug, Args)]
pub struct LoadPaymentsArgs {
    /// Whose reports: balance change or payout reconciliation of Stripe, settlement details of Adyen
    #[arg(long, value_enum)]
    pub provider: ProviderName,
    /// The shop that the lines are for
    #[arg(long, value_name = "ID")]
    pub shop: String,
    /// Read and check everything, write nothing; needs no cluster
    #[arg(long)]
    pub dry_run: bool,
    /// Load files again that were loaded, as after a reset
    #[arg(long)]
    pub reload: bool,
    /// Files, folders with all .csv and .csv.gz below them, or URLs such as `s3://bucket/folder/`
    #[arg(required = true, value_name = "FILE|DIR|URL")]
    pub files: Vec<String>,
}

/// Who writes reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProviderName {
    /// Stripe.
    Stripe,
    /// Adyen.
    Adyen,
}

/// Options of `collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Where to listen, for SDKs as well as for health and metrics [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
}

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// A diagram for Markdown.
    Mermaid,
    /// For programs, and for `topology diff`.
    Json,
}

/// What to do with topologies.
#[derive(Debug, Subcommand)]
pub enum TopologyCommand {
    /// Names and what they do
    List,
    /// Inputs, operators, stores and outputs
    Describe {
        /// Which; all by default
        name: Option<String>,
        /// How to print it
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// What a new version keeps, adds and loses; exit 1 if it breaks state or positions
    Diff {
        /// What `describe --format json` of the old version printed
        old: PathBuf,
        /// The same of the new version
        new: PathBuf,
    },
}

/// What to do with topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Say what would be created or changed
    Plan,
    /// Create and change; only says what it would do without --execute
    Apply {
        /// Do it
        #[arg(long)]
        execute: bool,
    },
}

/// Options of `tail`.
#[derive(Debug, Args)]
pub struct TailArgs {
    /// The topic
    pub topic: String,
    /// From the oldest record on [default: only what comes from now on]
    #[arg(long)]
    pub from_beginning: bool,
    /// End where the topic ends now
    #[arg(long)]
    pub until_end: bool,
    /// End after so many records
    #[arg(long, value_name = "N")]
    pub max: Option<u64>,
}

/// What to do with local state.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Tasks, their stores, how far they have followed their changelogs
    Inspect {
        /// Only this task, such as `clean.main_3`
        #[arg(long, value_name = "TASK")]
        task: Option<String>,
    },
}

/// Options of `reset`.
#[derive(Debug, Args)]
pub struct ResetArgs {
    /// To the oldest records that the input topics hold
    #[arg(long, required_unless_present = "to_datetime", conflicts_with = "to_datetime")]
    pub to_earliest: bool,
    /// To the first records stamped with this time or a later one, such as 2026-01-31T06:00:00Z
    #[arg(long, value_name = "TIME")]
    pub to_datetime: Option<String>,
    /// Which topologies, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub topologies: Vec<String>,
    /// Do it; only says what it would do without
    #[arg(long)]
    pub execute: bool,
}

/// Parses the process's arguments, does what they say, and tells how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            failure.code.into()
        }
    }
}

/// The last word, on stderr, also where logs are off.
#[expect(clippy::print_stderr, reason = "what went wrong is for whoever called, in whatever form logs have")]
fn report(failure: &Failure) {
    if failure.code != Code::Ok && !failure.message.is_empty() {
        for line in failure.message.lines() {
            eprintln!("shoppulse: {line}");
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let sources = Sources::of_process(cli.global.config.clone(), flags(&cli)?);
    let loaded = Config::load(&sources);
    // Looking at topologies needs no settings, so wrong ones don't stop it. A doctor says what is wrong himself.
    match (cli.command, loaded) {
        (Command::Topology(command), _) => commands::topology::run(&command),
        (Command::Demo(args), _) => demo::run(&args),
        (Command::Doctor, Err(problems)) => commands::doctor::misconfigured(&problems),
        (command, loaded) => {
            let config = loaded?;
            logging::start(&config.log)?;
            with_config(command, &config)
        }
    }
}

fn with_config(command: Command, config: &Config) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => commands::run::run(config, args.until_end),
        Command::LoadPayments(args) => commands::load_payments::run(config, &args),
        Command::Collect(_) => commands::collect::run(config),
        Command::Topology(command) => commands::topology::run(&command),
        Command::Topics(command) => commands::topics::run(config, &command),
        Command::Tail(args) => commands::tail::run(config, &args),
        Command::State(StateCommand::Inspect { task }) => commands::state::inspect(config, task.as_deref()),
        Command::Reset(args) => commands::reset::run(config, &args),
        Command::Doctor => commands::doctor::run(config),
    }
}

/// Settings that flags give: name, value, the flag.
fn flags(cli: &Cli) -> Result<Vec<(String, String, String)>, Failure> {
    let mut flags = Vec::new();
    for assignment in &cli.global.set {
        let Some((name, value)) = assignment.split_once('=') else {
            return Err(Failure::usage(format!("--set takes SETTING=VALUE, and got {assignment:?}")));
        };
        flags.push((name.trim().to_owned(), value.to_owned(), "--set".to_owned()));
    }
    let topologies = match &cli.command {
        Command::Run(args) => {
            flags.extend(args.threads.map(|threads| ("threads".to_owned(), threads.to_string(), "--threads".to_owned())));
            &args.topologies
        }
        Command::Reset(args) => &args.topologies,
        Command::Collect(args) => {
            flags.extend(args.listen.clone().map(|listen| ("http.listen".to_owned(), listen, "--listen".to_owned())));
            return Ok(flags);
        }
        _ => return Ok(flags),
    };
    if !topologies.is_empty() {
        flags.push(("topologies".to_owned(), topologies.join(","), "--topologies".to_owned()));
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_reset_needs_one_point_to_go_back_to() {
        let table = [
            (vec!["--to-earliest"], true),
            (vec!["--to-earliest", "--execute", "--topologies", "clean"], true),
            (vec!["--to-datetime", "2026-01-31T06:00:00Z", "--execute"], true),
            (vec!["--execute"], false),
            (vec!["--to-earliest", "--to-datetime", "2026-01-31T06:00:00Z"], false),
        ];
        for (arguments, is_right) in table {
            let line = ["shoppulse", "reset"].iter().chain(&arguments);
            assert_eq!(Cli::try_parse_from(line).is_ok(), is_right, "{arguments:?}");
        }
    }

    #[test]
    fn flags_become_settings() {
        let cli = Cli::parse_from(["shoppulse", "run", "--set", "partitions=3", "--threads", "2", "--topologies", "a,b"]);
        let names: Vec<(String, String)> = flags(&cli).unwrap().into_iter().map(|(name, value, _)| (name, value)).collect();
        let expected = [("partitions", "3"), ("threads", "2"), ("topologies", "a,b")];
        assert_eq!(names, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
