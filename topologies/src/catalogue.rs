//! The topologies that the binary runs. A new one is a module beside this one, with a function `build`, and a line in [`ALL`].

use highwater::{Error, Topology};

use crate::exit::Failure;
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
    Pipeline { name: "clean", about: "validates events, corrects their time, lets each pass once", build: placeholder::clean },
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

/// Stands in until the topologies are here.
mod placeholder {
    use highwater::{Error, StreamsBuilder, Topology};

    use crate::schemas::Schemas;

    pub(super) fn clean(schemas: &Schemas) -> Result<Topology, Error> {
        let value = schemas.serde::<shoppulse_avro::CleanEvent>()?;
        let builder = StreamsBuilder::new("clean");
        builder.dead_letters("dlq.shoppulse");
        builder
            .stream::<String, String>("raw.events")
            .repartition("through")
            .map_values(|key, properties| shoppulse_avro::CleanEvent { message_id: key.clone(), properties, ..Default::default() })
            .to(highwater::Produced::with("clean.events", std::sync::Arc::new(highwater::serde::StringSerde), value));
        builder.build()
    }
}
