//! What every page of the repository points to is there: linked files and headings, paths, `make` targets, tests, quoted code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of this repository that a path in a page begins with.
const ROOTS: [&str; 11] =
    ["platform/", "src/", "state/", "avro/", "topologies/", "oracle/", "tests/", "benches/", "dev/", "docs/", ".ci/"];
/// Folders that are not the repository's.
const SKIPPED: [&str; 8] = [".git", "target", "bin", ".kafka", ".postgres", ".connect", ".demo-full", "node_modules"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let is_skipped = SKIPPED.iter().any(|skipped| entry.file_name() == *skipped);
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && !is_skipped => folders.push(path),
                kind if kind.is_file() && path.extension().is_some_and(|has| has == extension) => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// Its path as a reader of a failure wants it.
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap().display().to_string()
    }

    /// Its lines outside blocks of code.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut in_code = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.trim_start().starts_with("```");
            in_code ^= is_fence;
            !in_code && !is_fence
        })
    }

    /// What stands in backticks, in prose.
    fn spans(&self) -> impl Iterator<Item = &str> {
        self.prose().flat_map(|line| line.split('`').skip(1).step_by(2))
    }

    /// All that looks like code: spans, and lines of blocks.
    fn code(&self) -> Vec<&str> {
        let prose: BTreeSet<*const u8> = self.prose().map(str::as_ptr).collect();
        let blocks = self.text.lines().filter(|line| !prose.contains(&line.as_ptr()));
        self.spans().chain(blocks).collect()
    }

    /// Where its links lead.
    fn links(&self) -> Vec<&str> {
        let mut links = Vec::new();
        for line in self.prose() {
            links.extend(line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link));
        }
        links
    }

    /// The names by which its headings can be linked to.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose().filter(|line| line.starts_with('#'));
        headings.map(|heading| anchor(heading.trim_start_matches('#').trim())).collect()
    }
}

/// A heading as a link names it: lower case, spaces as hyphens, nothing else but letters, digits and `_`.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).flat_map(char::to_lowercase).collect()
}

fn pages() -> Vec<Page> {
    let read = |path: PathBuf| Page { text: fs::read_to_string(&path).unwrap(), path };
    let pages: Vec<Page> = files("md").into_iter().map(read).collect();
    assert!(pages.iter().any(|page| page.name() == "README.md"), "the pages are looked for in the right place");
    pages
}

fn assert_none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading_of_it() {
    let mut wrong = Vec::new();
    for page in pages() {
        for link in page.links() {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(file) };
            let leads = match heading {
                None => target.exists(),
                Some(heading) => {
                    fs::read_to_string(&target).is_ok_and(|text| Page { path: target.clone(), text }.anchors().contains(heading))
                }
            };
            if !leads {
                wrong.push(format!("{}: {link}", page.name()));
            }
        }
    }
    assert_none("links that lead nowhere", &wrong);
}

#[test]
fn every_path_that_a_page_names_exists() {
    let mut wrong = Vec::new();
    for page in pages() {
        for word in page.spans().flat_map(str::split_whitespace) {
            let path = word.trim_matches(|letter: char| "\"'$(),:;".contains(letter)).trim_end_matches('/');
            let is_path = ROOTS.iter().any(|root| path.starts_with(root)) && !path.contains(['*', '{', '<', '…', '[']);
            if is_path && !root().join(path).exists() {
                wrong.push(format!("{}: {path}", page.name()));
            }
        }
    }
    assert_none("paths that do not exist", &wrong);
}

#[test]
fn every_make_target_and_script_that_a_page_names_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for code in page.code() {
            let words: Vec<&str> = code.split_whitespace().collect();
            let targets = words.windows(2).filter(|pair| pair[0] == "make").map(|pair| pair[1]);
            for target in targets.filter(|target| target.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')) {
                seen += 1;
                if !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))) {
                    wrong.push(format!("{}: make {target}", page.name()));
                }
            }
            let scripts = words.iter().map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()));
            for script in scripts.filter(|word| word.starts_with("dev/")) {
                seen += 1;
                if !root().join(script).exists() {
                    wrong.push(format!("{}: {script}", page.name()));
                }
            }
        }
    }
    assert!(seen > 5, "commands are found at all");
    assert_none("commands that do not exist", &wrong);
}

/// Tests are named in backticks, as sentences with underscores.
#[test]
fn every_test_that_a_page_names_exists() {
    let sources: Vec<String> = files("rs").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut wrong = Vec::new();
    for page in pages() {
        for span in page.spans() {
            let is_sentence = !span.starts_with("rd_kafka_")
                && span.matches('_').count() >= 4
                && span.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let definition = format!("fn {span}(");
            if is_sentence && !sources.iter().any(|source| source.contains(&definition)) {
                wrong.push(format!("{}: {span}", page.name()));
            }
        }
    }
    assert_none("tests that do not exist", &wrong);
}

/// A block of code below `<!-- all of PATH -->` is that file; one below `<!-- from PATH -->` stands in it.
#[test]
fn quoted_code_is_the_code_of_its_file() {
    let mut quotes = 0;
    for page in pages() {
        for (at, _) in page.text.match_indices("<!-- ") {
            let comment = &page.text[at + "<!-- ".len()..];
            let Some((words, rest)) = comment.split_once(" -->\n```rust\n") else { continue };
            let Some((how, path)) = words.rsplit_once(' ') else { continue };
            if words.contains('\n') || !matches!(how, "all of" | "from") {
                continue;
            }
            let (quote, _) = rest.split_once("```").expect("a block of code ends");
            let file = fs::read_to_string(root().join(path)).unwrap_or_else(|_| panic!("{} quotes {path}", page.name()));
            let is_same = if how == "all of" { file == quote } else { file.contains(quote) };
            assert!(is_same, "{} quotes {how} {path}, which differs", page.name());
            quotes += 1;
        }
    }
    assert!(quotes >= 2, "quotes are found at all");
}

#[test]
fn every_metric_stands_in_the_operators_page_as_the_program_describes_it() {
    let page = fs::read_to_string(root().join("docs/guide/operations.md")).unwrap();
    let row = |metric: &highwater::metrics::Metric| {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} |", metric.name, labels.join(", "), metric.about)
    };
    let rows = highwater::metrics::ALL.iter().map(row);
    assert_none("rows that are missing", &rows.filter(|row| !page.lines().any(|line| line == row)).collect::<Vec<_>>());
}
