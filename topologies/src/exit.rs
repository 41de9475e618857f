//! How a command ends: the exit codes, and one sentence that names the cause and the mend. Not how errors are logged.

use std::fmt;
use std::process::ExitCode;

use highwater::kafka::KafkaError;
use highwater::serde::avro::RegistryError;
use highwater::{Error, ErrorKind};

/// Why a command did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: Code,
    /// What is wrong and what mends it; empty if there is nothing to say.
    pub message: String,
}

/// The exit codes, as `sysexits.h` has them where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// It went well; here for a reader of our output who has seen enough.
    Ok = 0,
    /// It failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A dependency stayed down.
    Unavailable = 69,
    /// The configuration, or what it names, is wrong.
    Config = 78,
}

impl Failure {
    /// The work itself failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: Code::Failed, message: message.into() }
    }

    /// The command line does not make sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: Code::Usage, message: message.into() }
    }

    /// A dependency stayed down.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { code: Code::Unavailable, message: message.into() }
    }

    /// A setting, or what it names, is wrong.
    pub fn config(message: impl Into<String>) -> Self {
        Self { code: Code::Config, message: message.into() }
    }

    /// The same failure, told with what was being done.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Config => Code::Config,
            ErrorKind::Unavailable => Code::Unavailable,
            _ => Code::Failed,
        };
        Self { code, message: error.to_string() }
    }
}

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Self {
        Error::from(error).into()
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let code = if error.is_retriable() { Code::Unavailable } else { Code::Config };
        Self { code, message: error.to_string() }
    }
}

/// What was being written could not be. Whoever closed our output early, as `head` does, has what they wanted.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self { code: Code::Ok, message: String::new() };
        }
        Self::failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_is_decides_the_exit_code() {
        let unreachable = RegistryError::Unreachable { url: "u".to_owned(), cause: "c".to_owned() };
        let invalid = RegistryError::Invalid { what: "w".to_owned(), cause: "c".to_owned() };
        let cases: [(Failure, u8); 7] = [
            (Error::config("x").into(), 78),
            (Error::new(ErrorKind::Unavailable, "x").into(), 69),
            (Error::internal("x").into(), 1),
            (Error::topology("x").into(), 1),
            (unreachable.into(), 69),
            (invalid.into(), 78),
            (std::io::Error::from(std::io::ErrorKind::BrokenPipe).into(), 0),
        ];
        for (failure, code) in cases {
            assert_eq!(failure.code as u8, code, "{failure}");
        }
    }
}
