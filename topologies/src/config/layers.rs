//! Where values come from: a file, the environment, flags; a later one wins. What the values mean is not known here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Provider};

use super::problem::{Problem, Problems};

/// What the names of environment variables begin with.
pub(super) const PREFIX: &str = "SHOPPULSE__";

/// Where to read settings from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A file that must exist.
    pub file: Option<PathBuf>,
    /// A file that may exist; read if none is named.
    pub default_file: Option<PathBuf>,
    /// Environment variables; others than `SHOPPULSE__…` are ignored.
    pub environment: Vec<(String, String)>,
    /// Settings, values, and the flags that gave them.
    pub flags: Vec<(String, String, String)>,
}

impl Sources {
    /// The process's environment, and the default file in its directory.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(String, String, String)>) -> Self {
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self {
            file,
            default_file: Some(PathBuf::from(super::DEFAULT_FILE)),
            environment: std::env::vars_os().filter_map(text).collect(),
            flags,
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) text: String,
    pub(super) source: String,
    /// Whether it came from the environment, whose names look different.
    pub(super) is_variable: bool,
}

/// All values that are set, by name.
pub(super) type Entries = BTreeMap<String, Entry>;

/// Reads all layers, the weakest first.
pub(super) fn read(sources: &Sources) -> Result<Entries, Problems> {
    let mut entries = Entries::new();
    let default_file = sources.default_file.as_ref().filter(|path| path.exists());
    if let Some(path) = sources.file.as_ref().or(default_file) {
        if !path.is_file() {
            let what = "no such file: check the path, or leave it out to go without".to_owned();
            return Err(Problem { key: "--config".to_owned(), source: path.display().to_string(), what }.into());
        }
        read_file(path, &mut entries)?;
    }
    for (name, value) in &sources.environment {
        if let Some(key) = name.strip_prefix(PREFIX) {
            let source = format!("environment variable `{name}`");
            entries.insert(key.to_lowercase().replace("__", "."), Entry { text: value.clone(), source, is_variable: true });
        }
    }
    for (key, value, flag) in &sources.flags {
        entries.insert(key.clone(), Entry { text: value.clone(), source: format!("flag `{flag}`"), is_variable: false });
    }
    Ok(entries)
}

fn read_file(path: &std::path::Path, entries: &mut Entries) -> Result<(), Problems> {
    let source = format!("file `{}`", path.display());
    let figment = Figment::from(Toml::file_exact(path));
    let data = figment.data().map_err(|error| Problem {
        key: "--config".to_owned(),
        source: source.clone(),
        what: format!("is not TOML: {error}"),
    })?;
    let mut problems = Vec::new();
    for dict in data.values() {
        flatten(dict, "", &mut |key, value| match scalar(value) {
            Some(text) => drop(entries.insert(key, Entry { text, source: source.clone(), is_variable: false })),
            None => problems.push(Problem {
                key,
                source: source.clone(),
                what: "must be a text, a number or a list of texts".to_owned(),
            }),
        });
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

fn flatten(dict: &Dict, prefix: &str, visit: &mut impl FnMut(String, &Value)) {
    for (name, value) in dict {
        let key = format!("{prefix}{name}");
        match value {
            Value::Dict(_, inner) => flatten(inner, &format!("{key}."), visit),
            value => visit(key, value),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Char(_, letter) => Some(letter.to_string()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_u128().map(|number| number.to_string()))
            .or_else(|| number.to_f64().map(|number| number.to_string())),
        Value::Array(_, values) => values.iter().map(scalar).collect::<Option<Vec<_>>>().map(|texts| texts.join(",")),
        Value::Empty(..) | Value::Dict(..) => None,
    }
}
