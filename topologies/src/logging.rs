//! Logs: on stderr, as text for people and JSON for machines. Results never go there, nor logs to stdout.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};
use crate::exit::Failure;

/// Begins to log.
pub fn start(config: &LogConfig) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| {
        Failure::config(format!(
            "setting `log`: {:?} is wrong: {error}; it takes `error`, `warn`, `info`, `debug`, `trace`, or directives",
            config.filter
        ))
    })?;
    let as_text = match config.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start within a process, as in tests, keeps the first one's settings.
    let _ = if as_text {
        builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    Ok(())
}
