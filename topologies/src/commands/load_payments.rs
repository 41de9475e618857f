//! `load-payments`: a provider's reports into `raw.payments`. How files are read and loaded is in `exports`.

use std::io::IsTerminal as _;

use highwater::time::SystemClock;
use indicatif::{ProgressBar, ProgressStyle};

use super::cluster::Cluster;
use super::output::Output;
use crate::cli::{LoadPaymentsArgs, ProviderName};
use crate::config::Config;
use crate::exit::Failure;
use crate::exports::load::{Export as _, LoadError, LoadSettings, Loaded, Loader, Partitions, examine};
use crate::exports::source::{self, SourceFile};
use crate::exports::{Layout, Zones};
use crate::payments::Provider;
use crate::topic_names as topics;

mod report;

use report::Report;

/// Loads all files, each whatever became of the others, and says what came of each.
pub fn run(config: &Config, args: &LoadPaymentsArgs) -> Result<(), Failure> {
    let settings = settings(config, args)?;
    let sources = source::find(&args.files)?;
    let mut report = Report::new(Output::open(), args.dry_run);
    report.passed_over(sources.passed_over)?;
    if args.dry_run {
        return load_all(sources.files, &mut report, |file| examine(file, &settings.layout));
    }
    let mut cluster = Cluster::connect(config)?;
    let partitions = partitions(&mut cluster)?;
    let clock = SystemClock;
    let loader = Loader::new(&*cluster.kafka, &clock, &settings, partitions);
    load_all(sources.files, &mut report, |file| loader.load(file))
}

fn load_all(
    files: Vec<SourceFile>,
    report: &mut Report,
    load: impl Fn(&SourceFile) -> Result<Loaded, LoadError>,
) -> Result<(), Failure> {
    for mut file in files {
        let bar = bar(&file);
        file.show(bar.clone());
        let outcome = load(&file);
        bar.finish_and_clear();
        match outcome {
            Ok(loaded) => report.loaded(file.location(), &loaded)?,
            Err(LoadError::File(why)) => report.refused(file.location(), &why)?,
            Err(LoadError::Kafka(error)) => return Err(Failure::from(error).context(file.location())),
        }
    }
    report.end()
}

/// A bar for people; nothing where nobody looks.
fn bar(file: &SourceFile) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::new(file.size_bytes()).with_message(file.name().to_owned());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn settings(config: &Config, args: &LoadPaymentsArgs) -> Result<LoadSettings, Failure> {
    let shop_id = args.shop.trim();
    if shop_id.is_empty() || shop_id.contains('|') || shop_id.contains(char::is_control) {
        return Err(Failure::usage("--shop takes a shop's id: some text without `|`, since keys are `shop|provider:line`"));
    }
    let payments = &config.payments;
    let zones =
        Zones::with(&payments.time_zones).map_err(|why| Failure::config(format!("setting `payments.time_zones`: {why}")))?;
    if zones.offset_seconds(&payments.stripe_time_zone).is_none() {
        let zone = &payments.stripe_time_zone;
        return Err(Failure::config(format!(
            "setting `payments.stripe_time_zone`: {zone:?} is not known; give an offset like `+01:00`, or add it to `payments.time_zones`"
        )));
    }
    let (provider, order_columns) = match args.provider {
        ProviderName::Stripe => (Provider::Stripe, &payments.stripe_order_columns),
        ProviderName::Adyen => (Provider::Adyen, &payments.adyen_order_columns),
    };
    Ok(LoadSettings {
        application_id: config.application_id.clone(),
        shop_id: shop_id.to_owned(),
        layout: Layout { provider, order_columns: order_columns.clone(), time_zone: payments.stripe_time_zone.clone(), zones },
        chunk_lines: payments.chunk_lines,
        request_timeout: config.kafka.request_timeout,
        transaction_timeout: config.timeouts.transaction,
        give_up_after: config.timeouts.give_up_after,
        reload: args.reload,
    })
}

/// How many partitions the topics have; all of them must be there.
fn partitions(cluster: &mut Cluster) -> Result<Partitions, Failure> {
    let names = [topics::RAW_PAYMENTS, topics::DEAD_LETTERS, topics::LOADS];
    let described = cluster.admin.describe_topics(&names, cluster.timeout)?;
    let missing: Vec<String> =
        names.iter().zip(&described).filter(|(_, found)| found.is_none()).map(|(name, _)| format!("`{name}`")).collect();
    let found: Vec<i32> = described.into_iter().flatten().map(|topic| topic.partitions).collect();
    let [payments, dead_letters, loads] = found[..] else {
        return Err(Failure::config(format!(
            "topics {} do not exist; run `shoppulse topics apply --execute`",
            missing.join(", ")
        )));
    };
    Ok(Partitions { payments, dead_letters, loads })
}
