//! Which files are found, and that their bytes are the same however they lie there.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn content(file: &SourceFile) -> String {
    let mut text = String::new();
    file.open().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Two exports, one in a folder below, and what is none.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("b")).unwrap();
    for (name, bytes) in [
        ("c.csv", b"plain".to_vec()),
        ("b/a.CSV.gz", packed("packed")),
        ("notes.txt", b"none".to_vec()),
        (".hidden.csv", b"none".to_vec()),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn a_folder_and_its_url_hold_the_same_files_in_order() {
    let folder = folder();
    let path = folder.path().canonicalize().unwrap().to_str().unwrap().to_owned();
    for (name, prefix) in [(path.clone(), ""), (format!("file://{path}"), "file://"), (format!("file://{path}/"), "file://")] {
        let found = find(&[name]).unwrap();
        let seen: Vec<_> = found.files.iter().map(|file| (file.name(), file.location().to_owned(), content(file))).collect();
        let at = |name: &str| format!("{prefix}{path}/{name}");
        let expected = [("a.CSV.gz", at("b/a.CSV.gz"), "packed".to_owned()), ("c.csv", at("c.csv"), "plain".to_owned())];
        assert_eq!((seen.as_slice(), found.passed_over), (expected.as_slice(), 2));
    }
}

#[test]
fn a_file_that_is_named_is_taken_whatever_its_ending() {
    let folder = folder();
    let path = folder.path().join("notes.txt").to_str().unwrap().to_owned();
    for name in [path.clone(), format!("file://{path}")] {
        let found = find(&[name]).unwrap();
        assert_eq!((content(&found.files[0]), found.files[0].size_bytes(), found.passed_over), ("none".to_owned(), 4, 0));
        assert_eq!(content(&found.files[0]), "none", "a file can be opened again");
    }
    for missing in ["/nonexistent/report.csv", "file:///nonexistent/report.csv", "ftp://host/report.csv"] {
        let refused = find(&[missing.to_owned()]).unwrap_err();
        assert!(refused.message.contains("nonexistent") || refused.message.contains("no store"), "{refused}");
    }
}

#[test]
fn a_file_behind_a_url_that_is_replaced_meanwhile_is_refused_and_not_mixed() {
    let folder = folder();
    let path = folder.path().join("c.csv");
    let found = find(&[format!("file://{}", path.display())]).unwrap();
    std::fs::write(folder.path().join("new"), "plain and more").unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    let mut text = String::new();
    let outcome = found.files[0].open().and_then(|mut file| file.read_to_string(&mut text));
    assert!(outcome.is_err(), "{text}");
}

#[test]
fn packed_bytes_are_told_by_what_they_begin_with() {
    let two = [packed("one,"), packed("two")].concat();
    for (bytes, text) in [(b"".as_slice(), ""), (b"a", "a"), (&packed("a,b\n"), "a,b\n"), (&two, "one,two")] {
        let mut unpacked = String::new();
        unpack(bytes).unwrap().read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
    }
    let whole = packed(&"a,b\n".repeat(1_000));
    let mut rest = Vec::new();
    assert!(unpack(&whole[..whole.len() / 2]).unwrap().read_to_end(&mut rest).is_err(), "a file that was cut off is told");
}
