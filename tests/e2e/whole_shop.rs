//! Everything at once, through the command that shows it to people: visitors with real SDKs, orders by SQL in a real PostgreSQL followed by a
//! real Debezium, payments by files, and the curated rows. What is done and what must come of it are written in `dev/demo.d`.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::cluster::{binary, one_at_a_time};

const CHECKS: [&str; 6] = ["sessions", "order facts", "customers", "customer history", "dead letters", "books"];

fn demo_full(home: &Path, options: &[&str]) -> Output {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dev/demo-full"))
        .arg("--dir")
        .arg(home)
        .arg("--binary")
        .arg(binary())
        .args(options)
        .stdin(Stdio::null())
        .output()
        .expect("the script runs")
}

/// Whether a check holds; it must have been made.
fn holds(said: &str, check: &str) -> bool {
    let has = |mark: &str| said.lines().any(|line| line.trim_start().starts_with(&format!("{mark} {check} ")));
    assert!(has("✔") || has("✘"), "{check} is checked:\n{said}");
    has("✔")
}

#[test]
fn a_day_of_two_shops_comes_out_as_it_was_and_a_sabotaged_one_does_not() {
    let _turn = one_at_a_time();
    let home = tempfile::tempdir().expect("a directory");
    let place = home.path().join("demo");

    let output = demo_full(&place, &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for check in CHECKS {
        assert!(holds(&said, check), "{said}");
    }
    assert!(said.contains("VERDICT: holds"), "{said}");
    assert!(!place.exists(), "nothing is left behind");

    // Two visitors do not come, one file is not loaded, the database's last changes are not followed; that is all.
    let output = demo_full(&place, &["--sabotage"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let found = CHECKS.map(|check| holds(&said, check));
    assert_eq!(found, [false, false, false, false, true, true], "{said}");
    assert!(said.contains("VERDICT: does not hold"), "{said}");
    assert!(!place.exists(), "nothing is left behind");
}
