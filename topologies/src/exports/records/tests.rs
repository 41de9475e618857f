//! Framing against what the format says, and against a model where bytes are made of known records.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;

/// Gives one to seven bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let taken = self.1.min(self.0.len()).min(buffer.len());
        buffer[..taken].copy_from_slice(&self.0[..taken]);
        self.0 = &self.0[taken..];
        Ok(taken)
    }
}

type Seen = (Found, u64, Vec<String>, String);

fn read_all(bytes: &[u8], width: Option<usize>) -> Vec<Seen> {
    let mut records = Records::new(Trickle(bytes, 0)).unwrap();
    let mut seen = Vec::new();
    loop {
        let found = records.advance(width).unwrap();
        if found == Found::End {
            assert_eq!(records.position(), bytes.len() as u64, "every byte is accounted for");
            let digest: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(records.fingerprint(), digest.concat());
            return seen;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = (0..records.width()).map(|index| text(records.field(index).unwrap())).collect();
        assert_eq!(records.field(records.width()), None);
        seen.push((found, records.line(), fields, text(records.raw())));
        if found == Found::TooLong {
            records.finish_line().unwrap();
        }
    }
}

/// Found, line, fields joined by `;`, raw bytes.
fn summary(bytes: &str, width: Option<usize>) -> Vec<String> {
    let seen = read_all(bytes.as_bytes(), width);
    seen.into_iter().map(|(found, line, fields, raw)| format!("{found:?} {line} {} <{raw}>", fields.join(";"))).collect()
}

#[test]
fn records_are_cut_as_the_format_says() {
    let cases: [(&str, &[&str]); 12] = [
        ("", &[]),
        ("\u{feff}", &[]),
        ("a,b\nc,d\n", &["Record 1 a;b <a,b>", "Record 2 c;d <c,d>"]),
        ("\u{feff}\"a\",b\r\nc,d\r\n", &["Record 1 a;b <\"a\",b>", "Record 2 c;d <c,d>"]),
        ("a,b\nc,d", &["Record 1 a;b <a,b>", "Record 2 c;d <c,d>"]),
        ("\n\r\na,b\n\n\nc,d\n\n", &["Record 3 a;b <a,b>", "Record 6 c;d <c,d>"]),
        ("\"x\ny\",b\nc,d\n", &["Record 1 x\ny;b <\"x\ny\",b>", "Record 3 c;d <c,d>"]),
        ("\"x\r\ny\",b\r\nc,d", &["Record 1 x\r\ny;b <\"x\r\ny\",b>", "Record 3 c;d <c,d>"]),
        ("\"say \"\"a, b\"\"\",b\n", &["Record 1 say \"a, b\";b <\"say \"\"a, b\"\"\",b>"]),
        ("a\"b,c\n", &["Record 1 a\"b;c <a\"b,c>"]),
        (",\n,", &["Record 1 ; <,>", "Record 2 ; <,>"]),
        ("a,b\rc,d\r", &["Record 1 a;b <a,b>", "Record 1 c;d <c,d>"]),
    ];
    for (bytes, expected) in cases {
        assert_eq!(summary(bytes, Some(2)), expected, "{bytes:?}");
    }
}

#[test]
fn what_breaks_costs_its_own_line_and_no_other() {
    let cases: [(&str, &[&str]); 4] = [
        // A quote that never closes would take all that follows.
        ("a,\"b\nc,d\ne,f\n", &["Broken 1  <a,\"b>", "Record 2 c;d <c,d>", "Record 3 e;f <e,f>"]),
        // One that is closed by a later line's takes the lines between.
        ("a,\"b\nc,d\ne,\"f\"\n", &["Broken 1  <a,\"b>", "Record 2 c;d <c,d>", "Record 3 e;f <e,\"f\">"]),
        ("a,b\nc,\"d", &["Record 1 a;b <a,b>", "Broken 2  <c,\"d>"]),
        ("a,b,c\nd\n", &["Record 1 a;b;c <a,b,c>", "Record 2 d <d>"]),
    ];
    for (bytes, expected) in cases {
        assert_eq!(summary(bytes, Some(2)), expected, "{bytes:?}");
    }
}

#[test]
fn a_line_without_end_takes_no_memory_and_no_other_line() {
    let long = "x".repeat(3 * MAX_VALUE_BYTES);
    let seen = read_all(format!("a,b\n{long}\nc,d\n").as_bytes(), Some(2));
    let kinds: Vec<_> = seen.iter().map(|(found, line, _, raw)| (*found, *line, raw.len())).collect();
    assert_eq!(kinds, [(Found::Record, 1, 3), (Found::TooLong, 2, MAX_VALUE_BYTES), (Found::Record, 3, 3)]);
    let open = format!("a,\"b\n{}", "c,d\n".repeat(200_000));
    let mut records = Records::new(open.as_bytes()).unwrap();
    let mut count = 0;
    while records.advance(Some(2)).unwrap() != Found::End {
        count += 1;
        assert!(records.window.len() <= 2 * MAX_VALUE_BYTES, "{}", records.window.len());
        assert!(records.fields.len() <= 2 * MAX_VALUE_BYTES);
    }
    assert_eq!(count, 200_001);
}

fn field() -> impl Strategy<Value = String> {
    "[a-z0-9 ,\"\r\n€-]{0,12}"
}

fn quoted(field: &str, always: bool) -> String {
    if always || field.contains([',', '"', '\r', '\n']) || field.is_empty() {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

proptest! {
    #[test]
    fn what_was_written_is_what_is_read(
        rows in prop::collection::vec(prop::collection::vec((field(), any::<bool>()), 3), 0..12),
        with_mark in any::<bool>(), line_end in prop::sample::select(vec!["\n", "\r\n"]), ends in any::<bool>(),
    ) {
        let line = |row: &Vec<(String, bool)>| row.iter().map(|(text, always)| quoted(text, *always)).collect::<Vec<_>>().join(",");
        let lines: Vec<String> = rows.iter().map(line).collect();
        let mut text = if with_mark { "\u{feff}".to_owned() } else { String::new() };
        text.push_str(&lines.join(line_end));
        if ends && !lines.is_empty() {
            text.push_str(line_end);
        }
        let seen = read_all(text.as_bytes(), Some(3));
        prop_assert_eq!(seen.len(), rows.len());
        let mut number = 1;
        for ((found, line, fields, raw), (row, written)) in seen.iter().zip(rows.iter().zip(&lines)) {
            prop_assert_eq!(*found, Found::Record);
            prop_assert_eq!(*line, number);
            prop_assert_eq!(fields, &row.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>());
            prop_assert_eq!(raw, written);
            number += written.matches('\n').count() as u64 + 1;
        }
    }

    #[test]
    fn whatever_comes_is_accounted_for_byte_by_byte(bytes in "[a,\"\r\n]{0,60}") {
        let seen = read_all(bytes.as_bytes(), Some(2));
        let kept: usize = seen.iter().map(|(_, _, _, raw)| raw.bytes().filter(|byte| !b"\r\n".contains(byte)).count()).sum();
        prop_assert_eq!(kept, bytes.bytes().filter(|byte| !b"\r\n".contains(byte)).count());
    }
}
