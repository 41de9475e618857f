//! What a schema registry is to a serde: ids for schemas, schemas for ids. The HTTP client and the offline one implement it.

use std::fmt;
use std::sync::Arc;

/// The number that a registry gives a schema; it stands in every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(pub u32);

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Gives schemas ids, and ids schemas. Asked at start and for ids not seen before, never per record.
pub trait Registry: fmt::Debug + Send + Sync + 'static {
    /// The id of `schema` under `subject`, registered if it is new; an error if earlier versions of the subject forbid it.
    fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError>;

    /// The schema that has `id`.
    fn schema(&self, id: SchemaId) -> Result<Arc<str>, RegistryError>;
}

/// A registry shared by all serdes of a process.
pub type SharedRegistry = Arc<dyn Registry>;

/// What a registry refused, or why it did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No answer, or one that says "later".
    #[error(
        "the schema registry at {url} does not answer: {cause}; check its address and that it runs \
         (ids once learnt are kept in the state directory, so only a first start needs it)"
    )]
    Unreachable {
        /// Its address.
        url: String,
        /// What the network or the server said.
        cause: String,
    },
    /// The schema breaks readers or writers of the subject's earlier versions.
    #[error(
        "the schema of {subject} is incompatible with its earlier versions: {reason}; give new fields a default, and keep the names and types of the others"
    )]
    Incompatible {
        /// Topic and part.
        subject: String,
        /// What the registry says.
        reason: String,
    },
    /// The credentials are missing or do not suffice.
    #[error(
        "the schema registry at {url} refused access to {what}: {cause}; check its credentials, and that they may read and write the subject"
    )]
    Denied {
        /// Its address.
        url: String,
        /// Subject or id.
        what: String,
        /// What the registry says.
        cause: String,
    },
    /// The registry knows no schema of this id.
    #[error("no schema has the id {id}: the record was written with another registry, or is no Avro")]
    UnknownId {
        /// The id asked for.
        id: SchemaId,
    },
    /// The registry assigns another id to a key's schema than the records in the topic carry.
    #[error(
        "{subject} has the id {assigned} in the registry, but its records were written with {known}: keys would change, and compaction would keep both. \
         Was the registry replaced? Restore it, or delete {cache} to accept the new id, and rebuild the topic"
    )]
    Moved {
        /// Topic and part.
        subject: String,
        /// The id that the registry gives now.
        assigned: SchemaId,
        /// The id used so far.
        known: SchemaId,
        /// The file that remembers the ids.
        cache: String,
    },
    /// Not a schema, not an Avro schema, or not an answer of a registry.
    #[error("{what} is not usable: {cause}")]
    Invalid {
        /// Subject, id or setting.
        what: String,
        /// Why.
        cause: String,
    },
}

impl RegistryError {
    /// Whether the same question may be answered later.
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// `schema` without the blanks between its tokens, so that layout makes no new version.
pub(super) fn compact(schema: &str) -> String {
    let mut compact = String::with_capacity(schema.len());
    let (mut quoted, mut escaped) = (false, false);
    for letter in schema.chars() {
        if quoted || !letter.is_ascii_whitespace() {
            compact.push(letter);
        }
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_between_tokens_and_stay_in_strings() {
        let table = [
            ("{ \"a\" : [ 1 , 2 ] }\n", r#"{"a":[1,2]}"#),
            (r#"{ "doc": "two  words" }"#, r#"{"doc":"two  words"}"#),
            (r#"{ "doc": "a \" b", "c": "\\" , "d": 1 }"#, r#"{"doc":"a \" b","c":"\\","d":1}"#),
        ];
        for (text, expected) in table {
            assert_eq!(compact(text), expected);
        }
    }
}
