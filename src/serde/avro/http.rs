//! The registry's REST calls, one function each, and what its refusals mean. Remembers nothing.

use std::error::Error;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder};
use schema_registry_converter::blocking::schema_registry::{SrSettings, perform_sr_call};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, RawRegisteredSchema, SrCall};
use serde_json::{Value, json};

use super::registry::{RegistryError, SchemaId};

/// How one proves who one is.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum RegistryAuth {
    /// Not at all.
    #[default]
    None,
    /// By user name and password (or API key and secret).
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// By a bearer token.
    Bearer(String),
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secrets do not belong in logs.
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
        })
    }
}

/// Versions of a subject must read what all earlier ones wrote.
const COMPATIBILITY: &str = "BACKWARD_TRANSITIVE";

/// The calls.
#[derive(Debug)]
pub(super) struct Calls {
    url: String,
    settings: SrSettings,
    client: Client,
    auth: RegistryAuth,
}

/// An answer that is no success.
#[derive(Debug)]
struct Refusal {
    /// The HTTP status; 0 if there was no answer.
    status: u32,
    /// Whether a registry said so, in its own form, rather than a proxy or a server of something else.
    is_registry: bool,
    message: String,
}

impl Refusal {
    /// Whether the registry says that it knows no such subject, version or schema.
    const fn is_not_found(&self) -> bool {
        self.status == 404 && self.is_registry
    }
}

impl Calls {
    pub(super) fn new(url: &str, auth: RegistryAuth, timeout: Duration) -> Result<Self, RegistryError> {
        let url = url.trim_end_matches('/').to_owned();
        let invalid = |cause: String| RegistryError::Invalid { what: format!("the schema registry's address {url}"), cause };
        if reqwest::Url::parse(&url).is_ok_and(|parsed| !matches!(parsed.scheme(), "http" | "https")) {
            return Err(invalid("it must begin with http:// or https://".to_owned()));
        }
        let client = Client::builder().timeout(timeout).build().map_err(|error| invalid(chain(&error)))?;
        let mut builder = SrSettings::new_builder(url.clone());
        builder.set_timeout(timeout);
        match &auth {
            RegistryAuth::None => {}
            RegistryAuth::Basic { user, password } => drop(builder.set_basic_authorization(user, Some(password))),
            RegistryAuth::Bearer(token) => drop(builder.set_token_authorization(token)),
        }
        let settings = builder.build().map_err(|error| invalid(error.to_string()))?;
        Ok(Self { url, settings, client, auth })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The id of `schema` under `subject`, if it is registered already. Needs the right to read only.
    pub(super) fn lookup(&self, subject: &str, schema: &str) -> Result<Option<SchemaId>, RegistryError> {
        let body = body(schema);
        match self.call(SrCall::PostForVersion(subject, &body)) {
            Ok(answer) => self.id(subject, &answer).map(Some),
            Err(refusal) if refusal.is_not_found() || refusal.status == 405 => Ok(None),
            Err(refusal) => Err(self.error(subject, refusal)),
        }
    }

    /// Registers `schema` as the newest version of `subject`.
    pub(super) fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError> {
        let body = body(schema);
        let register = || self.call(SrCall::PostNew(subject, &body));
        // Of two processes that bring a new subject at the same moment, a registry may refuse one as in conflict with the other.
        // To register twice is harmless; what is really incompatible is refused again.
        let answer = register().or_else(|refusal| if refusal.status == 409 { register() } else { Err(refusal) });
        self.id(subject, &answer.map_err(|refusal| self.error(subject, refusal))?)
    }

    /// The text of schema `id`.
    pub(super) fn schema(&self, id: SchemaId) -> Result<String, RegistryError> {
        let what = format!("schema {id}");
        let answer = self.call(SrCall::GetById(id.0)).map_err(|refusal| match refusal {
            refusal if refusal.is_not_found() => RegistryError::UnknownId { id },
            // A record must not be judged by what a proxy says.
            Refusal { status: 404, message, .. } => RegistryError::Unreachable { url: self.url.clone(), cause: message },
            refusal => self.error(&what, refusal),
        })?;
        if answer.schema_type.is_some_and(|kind| kind != "AVRO") {
            return Err(RegistryError::Invalid { what, cause: "it is not an Avro schema".to_owned() });
        }
        answer.schema.ok_or_else(|| RegistryError::Invalid { what, cause: "the registry's answer holds no schema".to_owned() })
    }

    /// Sets the subject's compatibility where it has none of its own; whether it holds now (a registry may want a version first).
    pub(super) fn require_compatibility(&self, subject: &str) -> Result<bool, RegistryError> {
        let address = format!("{}/config/{}", self.url, subject.replace('/', "%2F"));
        match self.json(self.client.get(&address)) {
            Ok(answer) if level(&answer).is_some_and(|level| level != "NONE") => return Ok(true),
            Ok(_) => {}
            Err(refusal) if refusal.status == 404 => {}
            Err(refusal) => return Err(self.error(subject, refusal)),
        }
        match self.json(self.client.put(&address).json(&json!({ "compatibility": COMPATIBILITY }))) {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.status == 404 => Ok(false),
            Err(refusal) => Err(self.error(subject, refusal)),
        }
    }

    fn call(&self, call: SrCall<'_>) -> Result<RawRegisteredSchema, Refusal> {
        perform_sr_call(&self.settings, call).map_err(|error| Refusal::of(&error))
    }

    fn json(&self, request: RequestBuilder) -> Result<Value, Refusal> {
        let request = match &self.auth {
            RegistryAuth::None => request,
            RegistryAuth::Basic { user, password } => request.basic_auth(user, Some(password)),
            RegistryAuth::Bearer(token) => request.bearer_auth(token),
        };
        let answer = request.send().map_err(|error| Refusal { status: 0, is_registry: false, message: chain(&error) })?;
        let status = u32::from(answer.status().as_u16());
        let success = answer.status().is_success();
        let value = answer.json::<Value>().unwrap_or_default();
        if success {
            return Ok(value);
        }
        let message = value.get("message").and_then(Value::as_str);
        Err(Refusal { status, is_registry: message.is_some(), message: message.unwrap_or("no message").to_owned() })
    }

    fn id(&self, subject: &str, answer: &RawRegisteredSchema) -> Result<SchemaId, RegistryError> {
        answer.id.map(SchemaId).ok_or_else(|| RegistryError::Invalid {
            what: format!("the answer of {} about {subject}", self.url),
            cause: "it holds no id".to_owned(),
        })
    }

    fn error(&self, what: &str, refusal: Refusal) -> RegistryError {
        let Refusal { status, is_registry, message } = refusal;
        let what = what.to_owned();
        match status {
            0 | 408 | 429 | 500.. => RegistryError::Unreachable { url: self.url.clone(), cause: message },
            401 | 403 => RegistryError::Denied { url: self.url.clone(), what, cause: message },
            409 => RegistryError::Incompatible { subject: what, reason: message },
            404 if !is_registry => RegistryError::Invalid {
                what: format!("the schema registry's address {}", self.url),
                cause: "what answers there is no registry; does the address hold the API's path, such as /apis/ccompat/v7?"
                    .to_owned(),
            },
            _ => RegistryError::Invalid { what, cause: format!("the registry at {} answers {status}: {message}", self.url) },
        }
    }
}

impl Refusal {
    /// The client keeps the status in its sentence, and the registry's own code (whose first three digits are a status) as the source.
    fn of(error: &SRCError) -> Self {
        let status =
            error.error.rsplit_once("status ").and_then(|(_, tail)| tail.get(..3)).and_then(|digits| digits.parse().ok());
        match error.source().and_then(|source| source.downcast_ref::<RawError>()) {
            Some(raw) => Self {
                status: status.unwrap_or_else(|| first_three_digits(raw.error_code)),
                is_registry: raw.error_code != 0,
                message: raw.message.clone(),
            },
            None => Self {
                status: status.unwrap_or(if error.retriable { 0 } else { 200 }),
                is_registry: false,
                message: error
                    .source()
                    .map_or_else(|| error.error.clone(), |source| format!("{}: {}", error.error, chain(source))),
            },
        }
    }
}

const fn first_three_digits(mut code: u32) -> u32 {
    while code > 999 {
        code /= 10;
    }
    code
}

fn body(schema: &str) -> String {
    json!({ "schema": schema, "schemaType": "AVRO" }).to_string()
}

fn level(answer: &Value) -> Option<&str> {
    // `GET` and `PUT` name it differently.
    answer.get("compatibilityLevel").or_else(|| answer.get("compatibility")).and_then(Value::as_str)
}

/// The error and its causes, as the outermost one seldom says what happened.
fn chain(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_sentence = inner.to_string();
        if !sentence.contains(&inner_sentence) {
            sentence.push_str(": ");
            sentence.push_str(&inner_sentence);
        }
        cause = inner.source();
    }
    sentence
}
