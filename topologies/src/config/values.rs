//! Checks every value against what its setting takes, and reads them by type. What is read was checked, so reading cannot fail.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::keys::{KEYS, Kind, PROPERTIES, find, variable};
use super::layers::{Entries, Entry};
use super::problem::{Problem, Problems};

/// How alike a wrong name and a right one must be for the right one to be what was meant.
const ALIKE: f64 = 0.75;
const FILE: &str = "_file";

/// Checked values.
#[derive(Debug)]
pub(super) struct Values(BTreeMap<String, String>);

impl Values {
    /// Checks all entries; tells all that is wrong at once.
    pub(super) fn check(entries: Entries) -> Result<Self, Problems> {
        let mut values = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, entry) in entries {
            match check(&name, &entry) {
                Ok((name, value)) => drop(values.insert(name, value)),
                Err(what) => problems.push(Problem { key: name, source: entry.source, what }),
            }
        }
        if problems.is_empty() { Ok(Self(values)) } else { Err(Problems(problems)) }
    }

    /// Whether somebody set it.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A value, or the default.
    pub(super) fn text(&self, name: &str) -> String {
        self.optional(name).unwrap_or_default()
    }

    /// A value, or the default, if there is one.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        let key = find(name).expect("settings are read by names of the list");
        self.0.get(name).map_or(key.default, String::as_str).to_owned().into_option()
    }

    pub(super) fn number(&self, name: &str) -> i64 {
        self.text(name).trim().parse().expect("numbers are checked, and so are defaults by a test")
    }

    pub(super) fn millis(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name) as u64)
    }

    pub(super) fn hours(&self, name: &str) -> Duration {
        Duration::from_secs(self.number(name) as u64 * 3600)
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.text(name).split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// The C client's properties.
    pub(super) fn properties(&self) -> BTreeMap<String, String> {
        let of_client = self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(PROPERTIES)?, value)));
        of_client.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }
}

trait IntoOption {
    fn into_option(self) -> Option<String>;
}

impl IntoOption for String {
    fn into_option(self) -> Option<String> {
        if self.is_empty() { None } else { Some(self) }
    }
}

/// The setting that an entry sets and its value, or what is wrong.
fn check(name: &str, entry: &Entry) -> Result<(String, String), String> {
    let secret = name
        .strip_suffix(FILE)
        .filter(|base| base.starts_with(PROPERTIES) || find(base).is_some_and(|key| key.kind == Kind::Secret));
    if let Some(base) = secret {
        let content =
            super::read_file(Path::new(&entry.text)).map_err(|error| format!("file `{}` cannot be read: {error}", entry.text))?;
        return Ok((base.to_owned(), content.trim_end_matches(['\r', '\n']).to_owned()));
    }
    if name.strip_prefix(PROPERTIES).is_some_and(|property| !property.is_empty() && property != "*") {
        return Ok((name.to_owned(), entry.text.clone()));
    }
    let Some(key) = find(name).filter(|key| !key.name.ends_with('*')) else {
        return Err(unknown(name, entry.is_variable));
    };
    if !fits(key.kind, &entry.text) {
        let shown = if key.kind == Kind::Secret { String::new() } else { format!("{:?} is wrong: ", entry.text) };
        return Err(format!("{shown}it takes {}", key.kind.values()));
    }
    Ok((name.to_owned(), entry.text.trim().to_owned()))
}

fn unknown(name: &str, is_variable: bool) -> String {
    let spelt = |name: &str| if is_variable { variable(name) } else { name.to_owned() };
    let alike = |key: &&str| strsim::jaro_winkler(key, name).max(tail_alike(key, name));
    let names = KEYS.iter().map(|key| key.name).filter(|name| !name.ends_with('*'));
    let nearest = names.max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|name| alike(name) >= ALIKE);
    let hint = nearest.map_or_else(
        || "`docs/guide/settings.md` lists all of them".to_owned(),
        |name| format!("did you mean `{}`?", spelt(name)),
    );
    format!("there is no such setting; {hint}")
}

/// Somebody may have forgotten the section, or put one too many.
fn tail_alike(key: &str, name: &str) -> f64 {
    let tail = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    strsim::normalized_damerau_levenshtein(&tail(key), &tail(name)) * 0.95
}

fn fits(kind: Kind, text: &str) -> bool {
    let text = text.trim();
    let is_address = |text: &str| {
        text.rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && !host.contains([' ', '/']) && port.parse::<u16>().is_ok())
    };
    let is_name = |text: &str| {
        !text.is_empty() && text.len() <= 100 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    match kind {
        Kind::Text => !text.is_empty(),
        Kind::Secret => true,
        Kind::Name => is_name(text),
        Kind::Names => text.split(',').all(|part| part.trim().is_empty() || is_name(part.trim())),
        // Neither none nor a negative number of copies makes sense, but for -1.
        Kind::Number(-1, max) => text.parse::<i64>().is_ok_and(|number| number == -1 || (1..=max).contains(&number)),
        Kind::Number(min, max) => text.parse::<i64>().is_ok_and(|number| (min..=max).contains(&number)),
        Kind::OneOf(choices) => choices.contains(&text),
        Kind::Address => is_address(text),
        Kind::Addresses => text.split(',').all(|part| is_address(part.trim().rsplit("://").next().unwrap_or_default())),
        Kind::Url => text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).is_some_and(|rest| !rest.is_empty()),
    }
}
