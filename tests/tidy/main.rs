//! The house rules that a compiler cannot see, checked over the source text: how files open, how long they are, who may name
//! whom. What clippy sees is left to it.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file before its tests.
const FILE_MAX_LINES: usize = 600;
/// Where Rust is kept.
const ROOTS: [&str; 8] = ["src", "state", "avro", "oracle", "topologies", "tests", "benches", "examples"];
/// Words of the business that this engine happens to serve. (A visitor is serde's, too.)
const BUSINESS_WORDS: [&str; 11] =
    ["shop", "shoppulse", "customer", "customers", "payment", "payments", "checkout", "cart", "revenue", "refund", "invoice"];
/// What the path of a record may not use.
const WAITING_WORDS: [&str; 9] =
    ["await", "async", "Mutex", "RwLock", "Condvar", "Instant", "SystemTime", "SystemClock", "VirtualClock"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A source file: where it is below the root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_below(&self, path: &str) -> bool {
        self.path.starts_with(path)
    }

    /// The words of its code and its prose, with the line of each.
    fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().flat_map(|(index, line)| {
            line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').map(move |word| (index + 1, word))
        })
    }

    /// Where it names one of these words.
    fn naming(&self, unwanted: &[&str], is_same: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let named = self.words().filter(|(_, word)| unwanted.iter().any(|unwanted| is_same(unwanted, word)));
        named.map(|(line, word)| format!("{}:{line} names `{word}`", self.path)).collect()
    }
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ROOTS {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).expect("a source file can be read"),
        path: path.strip_prefix(root()).expect("it is below the root").to_string_lossy().into_owned(),
    };
    files.into_iter().map(read).collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Checks every file; what is wrong is told all at once.
fn check(complaints: impl FnMut(Source) -> Vec<String>) {
    let sources = sources();
    assert!(sources.len() > 100, "the source files are found");
    let all: Vec<String> = sources.into_iter().flat_map(complaints).collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn every_file_says_first_what_it_is() {
    check(|source| {
        let opens = source.text.starts_with("//!");
        (!opens).then(|| format!("{} does not open with `//!`", source.path)).into_iter().collect()
    });
}

#[test]
fn no_file_is_longer_than_can_be_read() {
    check(|source| {
        let lines = source.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        let is_long = lines > FILE_MAX_LINES;
        is_long.then(|| format!("{} has {lines} lines, and {FILE_MAX_LINES} are allowed", source.path)).into_iter().collect()
    });
}

#[test]
fn modules_are_files_of_their_own_name() {
    check(|source| {
        let is_mod = source.path.ends_with("/mod.rs");
        is_mod.then(|| format!("{}: a module is `name.rs`, its parts are in `name/`", source.path)).into_iter().collect()
    });
}

// covers: I12
#[test]
fn only_the_adapter_names_the_kafka_client() {
    check(|source| {
        let may = !source.is_below("src/") || source.is_below("src/kafka/rdkafka");
        if may {
            return Vec::new();
        }
        // The module of the adapter has the client's name; whoever names the module uses nothing of the client.
        let uses = |line: &str| {
            let line = line.replace("super::rdkafka::", "").replace("kafka::rdkafka", "").replace("[`rdkafka", "");
            line.contains("rdkafka::") || line.contains("rdkafka_sys")
        };
        let uses = source.text.lines().enumerate().filter(|(_, line)| uses(line));
        uses.map(|(index, line)| format!("{}:{}: {line}", source.path, index + 1)).collect()
    });
}

// covers: I12
#[test]
fn only_the_backend_names_the_database() {
    check(|source| {
        let may = !(source.is_below("state/") || source.is_below("src/")) || source.is_below("state/src/rocks");
        if may {
            return Vec::new();
        }
        let uses = source.text.lines().enumerate().filter(|(_, line)| line.contains("rocksdb::"));
        uses.map(|(index, line)| format!("{}:{}: {line}", source.path, index + 1)).collect()
    });
}

// covers: I12
#[test]
fn state_does_not_know_the_log_that_it_follows() {
    check(
        |source| {
            if source.is_below("state/") { source.naming(&["kafka", "rdkafka"], str::eq_ignore_ascii_case) } else { Vec::new() }
        },
    );
    let manifest = fs::read_to_string(root().join("state/Cargo.toml")).expect("the crate has a manifest");
    for dependency in ["rdkafka", "highwater"] {
        let depends = manifest
            .lines()
            .any(|line| line.starts_with(&format!("{dependency}.")) || line.starts_with(&format!("{dependency} ")));
        assert!(!depends, "state depends on {dependency}");
    }
}

// covers: I8, I12
#[test]
fn the_engine_does_not_know_the_business() {
    check(|source| {
        let is_engine = source.is_below("src/") || source.is_below("state/");
        if is_engine { source.naming(&BUSINESS_WORDS, str::eq_ignore_ascii_case) } else { Vec::new() }
    });
}

// covers: I6
#[test]
fn the_record_path_waits_for_nothing_locks_nothing_and_reads_no_clock() {
    check(|source| {
        let is_on_path = source.is_below("src/task") || source.is_below("src/dsl") || source.is_below("src/processor");
        if !is_on_path {
            return Vec::new();
        }
        source.naming(&WAITING_WORDS, |unwanted, word| unwanted == word)
    });
}

// covers: I7
#[test]
fn records_are_never_erased() {
    check(|source| {
        let is_engine = source.is_below("src/task") || source.is_below("src/dsl/ops") || source.is_below("src/kafka");
        if !is_engine {
            return Vec::new();
        }
        let erased =
            source.text.lines().enumerate().filter(|(_, line)| line.contains("Box<dyn Any") || line.contains("Rc<dyn Any"));
        erased.map(|(index, line)| format!("{}:{}: {line}", source.path, index + 1)).collect()
    });
}

#[test]
fn only_the_adapter_is_unsafe() {
    check(|source| {
        if source.is_below("src/kafka/rdkafka") {
            return Vec::new();
        }
        let code = source.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        let is_unsafe = |line: &str| line.contains("unsafe {") || line.contains("unsafe fn") || line.contains("unsafe impl");
        let code = code.filter(|(_, line)| is_unsafe(line) && !line.contains("line.contains"));
        code.map(|(index, line)| format!("{}:{}: {line}", source.path, index + 1)).collect()
    });
}
