//! The topologies that the binary runs. A new one is a file in `pipelines`, with a function `build`, and a line in [`ALL`].

use highwater::{Error, Topology};

use crate::exit::Failure;
use crate::pipelines;
use crate::schemas::Schemas;

/// A topology that can be run.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline {
    /// Its name on the command line, in groups and in internal topics.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// Makes it.
    pub build: fn(&Schemas) -> Result<Topology, Error>,
}

/// All of them, in the order in which data flows.
pub const ALL: &[Pipeline] = &[
    Pipeline {
        name: "clean",
        about: "validates events, corrects their time, lets each pass once",
        build: pipelines::clean::build,
    },
    Pipeline { name: "sessions", about: "makes visits of a visitor's events", build: pipelines::sessions::build },
    Pipeline { name: "orders", about: "makes one fact of an order, its items and its payments", build: pipelines::orders::build },
    Pipeline {
        name: "customers",
        about: "makes customers as they are and as they were of their changes",
        build: pipelines::customers::build,
    },
];

/// The pipelines of these names, in the order of the catalogue; all of them if none is named.
///
/// ```
/// use shoppulse::catalogue::select;
///
/// assert!(!select(&[])?.is_empty());
/// assert!(select(&["claen".to_owned()]).unwrap_err().message.contains("clean"));
/// # Ok::<(), shoppulse::exit::Failure>(())
/// ```
pub fn select(names: &[String]) -> Result<Vec<Pipeline>, Failure> {
    let known: Vec<&str> = ALL.iter().map(|pipeline| pipeline.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Failure::config(format!("there is no topology `{unknown}`; there are {}", known.join(", "))));
    }
    Ok(ALL.iter().filter(|pipeline| names.is_empty() || names.iter().any(|name| name == pipeline.name)).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pipeline_can_be_built_and_has_the_name_of_its_topology() {
        let schemas = Schemas::in_memory();
        for pipeline in ALL {
            assert_eq!((pipeline.build)(&schemas).unwrap().name(), pipeline.name);
        }
    }

    #[test]
    fn some_can_be_chosen_and_come_in_the_order_of_the_catalogue() {
        let names = |chosen: &[&str]| -> Vec<&str> {
            let chosen: Vec<String> = chosen.iter().map(|name| (*name).to_owned()).collect();
            select(&chosen).unwrap().iter().map(|pipeline| pipeline.name).collect()
        };
        assert_eq!(names(&["orders", "clean"]), ["clean", "orders"]);
        assert_eq!(names(&[]).len(), ALL.len());
    }
}
