//! What each layer does, and what is said about each mistake.

use super::*;

fn sources(environment: &[(&str, &str)], file: &str) -> (Sources, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shoppulse.toml");
    std::fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    (Sources { file: Some(path), environment, ..Sources::default() }, dir)
}

fn problems(environment: &[(&str, &str)], file: &str) -> String {
    let (sources, _dir) = sources(environment, file);
    Config::load(&sources).unwrap_err().to_string()
}

#[test]
fn a_later_layer_wins() {
    let file = "threads = 2\npartitions = 3\ncommit_interval_ms = 50\n[kafka]\nbootstrap_servers = \"a:1\"";
    let (mut sources, _dir) = sources(&[("SHOPPULSE__THREADS", "4"), ("SHOPPULSE__PARTITIONS", "5"), ("PATH", "/bin")], file);
    sources.flags = vec![("threads".to_owned(), "8".to_owned(), "--threads".to_owned())];
    let config = Config::load(&sources).unwrap();
    assert_eq!((config.threads, config.partitions, config.commit_interval.as_millis()), (8, 5, 50));
    assert_eq!(config.kafka.bootstrap_servers, "a:1");
    assert_eq!(config.emit_every.as_secs(), 30, "nobody set it");
    assert!(!config.http.is_chosen);
}

#[test]
fn every_default_fits_its_own_setting() {
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        let (sources, _dir) = sources(&[(&key.variable(), key.default)], "");
        Config::load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    }
    Config::load(&Sources::default()).unwrap();
}

#[test]
fn the_contracts_names_are_understood() {
    let environment = [
        ("SHOPPULSE__KAFKA__BOOTSTRAP_SERVERS", "b1:9092,b2:9093"),
        ("SHOPPULSE__KAFKA__PROPERTIES__SECURITY__PROTOCOL", "plaintext"),
        ("SHOPPULSE__KAFKA__PROPERTIES__LINGER__MS", "7"),
        ("SHOPPULSE__SCHEMA_REGISTRY__URL", "http://r:8081"),
        ("SHOPPULSE__APPLICATION_ID", "app"),
        ("SHOPPULSE__STATE_DIR", "/tmp/s"),
        ("SHOPPULSE__THREADS", "2"),
        ("SHOPPULSE__PROCESSING_GUARANTEE", "at_least_once"),
        ("SHOPPULSE__COMMIT_INTERVAL_MS", "100"),
        ("SHOPPULSE__MEMORY_BUDGET_BYTES", "2147483648"),
        ("SHOPPULSE__INSTANCE_ID", "i-1"),
        ("SHOPPULSE__HTTP__LISTEN", "0.0.0.0:0"),
        ("SHOPPULSE__PARTITIONS", "12"),
        ("SHOPPULSE__REPLICATION_FACTOR", "3"),
        ("SHOPPULSE__LOG", "warn"),
    ];
    let (sources, _dir) = sources(&environment, "[kafka.properties]\n\"linger.ms\" = 3\n\"client.rack\" = \"eu-1\"");
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.kafka.bootstrap_servers, "b1:9092,b2:9093");
    let properties: Vec<(&str, &str)> = config.kafka.properties.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(properties, [("client.rack", "eu-1"), ("linger.ms", "7"), ("security.protocol", "plaintext")]);
    assert_eq!((&*config.registry.url, &*config.application_id), ("http://r:8081", "app"));
    assert_eq!((config.state_dir.as_path(), config.threads), (Path::new("/tmp/s"), 2));
    assert_eq!(config.guarantee, ProcessingGuarantee::AtLeastOnce);
    assert_eq!((config.commit_interval.as_millis(), config.memory_budget_bytes), (100, 2_147_483_648));
    assert_eq!((config.instance_id.as_deref(), &*config.http.listen), (Some("i-1"), "0.0.0.0:0"));
    assert_eq!((config.partitions, config.replication_factor, &*config.log.filter), (12, 3, "warn"));
}

#[test]
fn a_mistake_is_told_with_key_source_and_mend() {
    /// Environment, file, and what the message says.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (
            &[("SHOPPULSE__TREADS", "4")],
            "",
            &["`treads`", "environment variable `SHOPPULSE__TREADS`", "did you mean `SHOPPULSE__THREADS`?"],
        ),
        (&[("SHOPPULSE__BOOTSTRAP_SERVERS", "a:1")], "", &["did you mean `SHOPPULSE__KAFKA__BOOTSTRAP_SERVERS`?"]),
        (&[("SHOPPULSE__KAFKA__THREADS", "1")], "", &["`kafka.threads`", "did you mean `SHOPPULSE__THREADS`?"]),
        (&[("SHOPPULSE__XYZZY", "1")], "", &["there is no such setting", "docs/guide/settings.md"]),
        (
            &[],
            "comit_interval_ms = 5",
            &["`comit_interval_ms`", "file `", "shoppulse.toml`", "did you mean `commit_interval_ms`?"],
        ),
        (&[("SHOPPULSE__THREADS", "many")], "", &["`threads`", "\"many\" is wrong", "a whole number from 1 to 256"]),
        (&[("SHOPPULSE__THREADS", "0")], "", &["a whole number from 1 to 256"]),
        (&[], "threads = 1.5", &["`threads`", "\"1.5\" is wrong"]),
        (&[], "threads = { a = 1 }", &["`threads.a`", "did you mean `threads`?"]),
        (&[("SHOPPULSE__REPLICATION_FACTOR", "0")], "", &["`replication_factor`"]),
        (&[("SHOPPULSE__PROCESSING_GUARANTEE", "exactly-once")], "", &["`exactly_once` or `at_least_once`"]),
        (&[("SHOPPULSE__KAFKA__BOOTSTRAP_SERVERS", "localhost")], "", &["`host:port`"]),
        (&[("SHOPPULSE__SCHEMA_REGISTRY__URL", "registry:8081")], "", &["begins with `http://`"]),
        (&[("SHOPPULSE__APPLICATION_ID", "a b")], "", &["letters, digits"]),
        (
            &[("SHOPPULSE__SCHEMA_REGISTRY__PASSWORD_FILE", "/nonexistent/x")],
            "",
            &["`schema_registry.password_file`", "cannot be read"],
        ),
        (&[], "threads 4", &["is not TOML"]),
    ];
    for (environment, file, expected) in cases {
        let said = problems(environment, file);
        for part in *expected {
            assert!(said.contains(part), "{environment:?} {file:?}: {said}\nlacks {part}");
        }
    }
    let two = problems(&[("SHOPPULSE__THREADS", "x"), ("SHOPPULSE__PARTITIONS", "y")], "");
    assert_eq!(two.lines().count(), 2, "all mistakes are told at once: {two}");
}

#[test]
fn secrets_come_from_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "s3cret\n").unwrap();
    let path = path.to_str().unwrap();
    let environment = [
        ("SHOPPULSE__SCHEMA_REGISTRY__USER", "u"),
        ("SHOPPULSE__SCHEMA_REGISTRY__PASSWORD_FILE", path),
        ("SHOPPULSE__KAFKA__PROPERTIES__SASL__PASSWORD_FILE", path),
    ];
    let (sources, _dir) = sources(&environment, "");
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.registry.auth, RegistryAuth::Basic { user: "u".to_owned(), password: "s3cret".to_owned() });
    assert_eq!(config.kafka.properties["sasl.password"], "s3cret");
}

#[test]
fn a_named_file_must_exist_and_the_default_one_need_not() {
    let named = Sources { file: Some(PathBuf::from("/nonexistent/x.toml")), ..Sources::default() };
    assert!(Config::load(&named).unwrap_err().to_string().contains("no such file"));
    let default = Sources { default_file: Some(PathBuf::from("/nonexistent/x.toml")), ..Sources::default() };
    Config::load(&default).unwrap();
}

#[test]
fn the_manual_lists_every_setting() {
    let page = include_str!("../../../docs/guide/settings.md");
    let table = settings_table();
    let begin = page.find("| setting |").expect("the page has the table");
    assert!(page[begin..].trim_end() == table.trim_end(), "docs/guide/settings.md is behind; put this there:\n{table}");
}
