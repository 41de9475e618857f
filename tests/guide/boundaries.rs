//! The boundaries that `docs/ARCHITECTURE.md` draws: which words the sources of each part never use. Reads text, not meaning.

use std::fs;
use std::path::{Path, PathBuf};

/// The Rust files below a folder of the repository, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

/// The lines of code and its documentation, without tests at a file's end, that contain one of the words and lie in no excepted
/// file.
fn uses(folders: &[&str], words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in folders.iter().flat_map(|folder| sources(folder)) {
        if except.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in production.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) && !line.trim_start().starts_with("//") {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

fn assert_unused(folders: &[&str], words: &[&str], except: &[&str]) {
    let found = uses(folders, words, except);
    assert!(found.is_empty(), "{words:?} in {folders:?}:\n{}", found.join("\n"));
}

// covers: I12
#[test]
fn one_module_each_names_the_kafka_client_and_the_database() {
    assert_unused(&["src"], &["rdkafka::bindings", "::rdkafka::client", "rd_kafka_"], &["src/kafka/rdkafka"]);
    assert_unused(&["src", "topologies/src", "avro/src"], &["rocksdb"], &[]);
    assert_unused(&["state/src"], &["rocksdb::"], &["state/src/rocks"]);
    assert_unused(&["state/src"], &["kafka", "Kafka", "topic"], &[]);
    assert!(!uses(&["src/kafka", "state/src"], &["rdkafka::bindings", "rocksdb::"], &[]).is_empty(), "the words are right");
}

// covers: I12
#[test]
fn the_engine_names_no_business_and_the_oracle_no_engine() {
    assert_unused(&["src", "state/src"], &["shoppulse", "ShopPulse", "curated.", "order_facts"], &[]);
    assert_unused(&["oracle/src"], &["highwater", "apache_avro", "shoppulse_avro"], &[]);
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/Cargo.toml")).unwrap();
    assert!(!manifest.contains("highwater"), "the oracle depends on nothing that it judges");
}

// covers: I7
#[test]
fn no_record_is_erased() {
    // Where edges are wired, where a table's view is found again, where a panic's message is read, and a cluster's own tokens.
    let except = ["src/topology/instantiate.rs", "src/dsl/builder.rs", "src/task.rs", "src/kafka"];
    assert_unused(&["src"], &["dyn Any", "dyn std::any::Any"], &except);
}

// covers: I6
#[test]
fn the_path_of_a_record_awaits_nothing_takes_no_lock_and_reads_no_clock() {
    let words = [".await", "async fn", "Mutex", "RwLock", "Condvar", "SystemTime", "Instant", "dyn Clock"];
    assert_unused(&["src/task", "src/dsl/ops", "state/src"], &words, &[]);
    assert!(!uses(&["src/runtime"], &words, &[]).is_empty(), "the words are right");
}
