//! `topology`: what the topologies are, without a cluster and without settings.

use super::output::Output;
use crate::catalogue::ALL;
use crate::cli::TopologyCommand;
use crate::exit::Failure;

/// Lists, describes, compares.
pub fn run(command: &TopologyCommand) -> Result<(), Failure> {
    let mut output = Output::open();
    match command {
        TopologyCommand::List => {
            let width = ALL.iter().map(|pipeline| pipeline.name.len()).max().unwrap_or_default();
            for pipeline in ALL {
                output.line(format_args!("{:width$}  {}", pipeline.name, pipeline.about))?;
            }
        }
        TopologyCommand::Describe { .. } | TopologyCommand::Diff { .. } => {
            return Err(Failure::failed("descriptions are not built yet"));
        }
    }
    output.flush()
}
