//! Write keys and the shops that they write for: a file that is read again when it changes.
//!
//! The file is TOML, a line for each key: `wk_3kfh2 = "shop-1"`; several keys may write for one shop. A version that is wrong leaves
//! the one before in force.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use figment::Figment;
use figment::providers::{Format as _, Toml};

/// The longest write key or shop id, in bytes.
const NAME_MAX_BYTES: usize = 200;

/// Which shop each key writes for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteKeys(BTreeMap<String, Arc<str>>);

impl WriteKeys {
    /// Reads the file's text, or says what is wrong with it.
    ///
    /// ```
    /// use shoppulse::collect::WriteKeys;
    ///
    /// let keys = WriteKeys::parse("wk_a = \"shop-1\"\n\"wk.b\" = \"shop-1\"").unwrap();
    /// assert_eq!(keys.shop("wk.b").as_deref(), Some("shop-1"));
    /// assert_eq!(keys.shop("wk_c"), None);
    /// assert!(WriteKeys::parse("wk_a = 5").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let keys: BTreeMap<String, Arc<str>> = Figment::from(Toml::string(text)).extract().map_err(|error| error.to_string())?;
        for (key, shop) in &keys {
            for (what, name) in [("write key", key.as_str()), ("shop", shop)] {
                if name.trim().is_empty() || name.len() > NAME_MAX_BYTES || name.chars().any(char::is_control) {
                    return Err(format!("{what} {name:?}: it needs 1 to {NAME_MAX_BYTES} bytes of printable text"));
                }
            }
            if shop.contains('|') {
                return Err(format!("shop {shop:?} contains `|`, which parts shop and visitor in keys of records"));
            }
            if key.contains(':') {
                return Err(format!("write key {key:?} contains `:`, which ends a user's name in HTTP's basic authentication"));
            }
        }
        Ok(Self(keys))
    }

    /// The shop that a key writes for.
    pub fn shop(&self, write_key: &str) -> Option<Arc<str>> {
        self.0.get(write_key).map(Arc::clone)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A file of write keys, and what it said when it was last right.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    keys: RwLock<Arc<WriteKeys>>,
    seen: RwLock<Option<Version>>,
}

/// What tells one version of a file from the next: when it was written, its size, and which file it is, since whoever
/// mounts secrets puts a link in its place.
type Version = (i64, i64, u64, u64);

impl KeyFile {
    /// Reads the file; it must be there, be right, and hold a key.
    pub fn open(path: PathBuf) -> Result<Self, String> {
        let file = Self { path, keys: RwLock::default(), seen: RwLock::default() };
        file.refresh()?;
        if file.keys().is_empty() {
            return Err(format!("{} holds no write key", file.path.display()));
        }
        Ok(file)
    }

    /// What is in force.
    pub fn keys(&self) -> Arc<WriteKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again if it has changed; tells how many keys there are then.
    pub fn refresh(&self) -> Result<Option<usize>, String> {
        let unusable = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let metadata = std::fs::metadata(&self.path).map_err(unusable)?;
        let version = (metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino());
        if *self.seen.read().unwrap_or_else(PoisonError::into_inner) == Some(version) {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&self.path).map_err(unusable)?;
        // A version that is wrong is told once.
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(version);
        let keys = WriteKeys::parse(&text).map_err(|error| format!("{}: {error}", self.path.display()))?;
        let count = keys.len();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(Some(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        for (text, part) in [
            ("a = 1", "invalid type"),
            ("a = \"\"", "shop \"\""),
            ("a = \"x|y\"", "contains `|`"),
            ("\"a:b\" = \"x\"", "contains `:`"),
            ("\" \" = \"x\"", "write key"),
            ("a = \"x\"\na = \"y\"", "duplicate"),
            ("a", "TOML"),
        ] {
            let said = WriteKeys::parse(text).unwrap_err();
            assert!(said.contains(part) || part == "TOML", "{text}: {said} lacks {part}");
        }
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_wrong_one_leaves_the_former_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        let replace = |text: &str| {
            // As secrets are mounted: another file takes the place.
            let next = dir.path().join("next");
            std::fs::write(&next, text).unwrap();
            std::fs::rename(&next, &path).unwrap();
        };
        assert!(KeyFile::open(path.clone()).unwrap_err().contains("keys.toml"));
        replace("");
        assert!(KeyFile::open(path.clone()).unwrap_err().contains("no write key"));
        replace("a = \"s1\"");
        let file = KeyFile::open(path.clone()).unwrap();
        assert_eq!(file.refresh(), Ok(None), "nothing has changed");
        replace("a = \"s1\"\nbb = \"s2\"");
        assert_eq!(file.refresh(), Ok(Some(2)));
        assert_eq!(file.keys().shop("bb").as_deref(), Some("s2"));
        replace("a = 5");
        assert!(file.refresh().is_err());
        assert_eq!(file.refresh(), Ok(None), "it is told once");
        assert_eq!(file.keys().shop("a").as_deref(), Some("s1"), "the former version counts");
    }
}
