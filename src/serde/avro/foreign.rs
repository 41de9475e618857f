//! Plans for the ids that a topic's records carry besides the serde's own. Reads no record.

use std::collections::BTreeMap;
use std::sync::Arc;

use apache_avro::Schema;

use super::registry::{Registry, RegistryError, SchemaId};
use super::resolve::Resolution;
use super::shape::Shape;
use crate::serde::SerdeError;

/// Ids remembered, beyond which all are forgotten: damaged records may carry any.
const MAX_IDS: usize = 4096;

/// How to read an id's data, or why they can't be read.
pub(super) type Plan = Result<Resolution, String>;

/// The plans made so far.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    plans: BTreeMap<SchemaId, Arc<Plan>>,
}

impl Foreign {
    pub(super) fn get(&self, id: SchemaId) -> Option<Arc<Plan>> {
        self.plans.get(&id).cloned()
    }

    /// Keeps a plan; of two threads that made one, the first one's.
    pub(super) fn learn(&mut self, id: SchemaId, plan: Plan) -> Arc<Plan> {
        if self.plans.len() >= MAX_IDS {
            self.plans.clear();
        }
        Arc::clone(self.plans.entry(id).or_insert_with(|| Arc::new(plan)))
    }
}

/// No plan yet, since the registry does not answer, or refuses to.
#[derive(Debug)]
pub(super) struct Undecided {
    id: SchemaId,
    error: RegistryError,
}

impl Undecided {
    /// The error of a record, which says nothing about the record itself.
    pub(super) fn of(self, subject: &str) -> SerdeError {
        SerdeError::unavailable(format!("{subject}: schema {} is not known here, and {}", self.id, self.error))
    }
}

/// Asks for the schema of `id` and compares it with the reader's. Only what the registry itself says of the id is final.
pub(super) fn plan(registry: &dyn Registry, id: SchemaId, reader: &Shape) -> Result<Plan, Undecided> {
    match registry.schema(id) {
        Ok(text) => Ok(compare(id, &text, reader)),
        Err(error @ (RegistryError::UnknownId { .. } | RegistryError::Invalid { .. })) => Ok(Err(error.to_string())),
        Err(error) => Err(Undecided { id, error }),
    }
}

fn compare(id: SchemaId, text: &str, reader: &Shape) -> Plan {
    let schema = Schema::parse_str(text).map_err(|error| format!("schema {id} is no Avro schema: {error}"))?;
    let cause = |fault| format!("schema {id} can't be read as this one: {fault}");
    let writer = Shape::of(&schema).map_err(cause)?;
    Resolution::between(writer, reader).map_err(cause)
}
