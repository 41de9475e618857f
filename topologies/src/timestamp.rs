//! The one timestamp syntax that inputs may use, read into microseconds since 1970.
//!
//! It is a strict reader of `YYYY-MM-DDTHH:MM:SS[.1–9 digits](Z|±HH:MM)` and no general date library: it formats nothing, knows no time zones
//! by name and judges no value. Written by hand because every event carries three of these.

const SECONDS_A_DAY: i64 = 86_400;
const MICROS_A_SECOND: i64 = 1_000_000;

/// Microseconds since 1970-01-01T00:00:00Z; digits below a microsecond are cut off, never rounded.
///
/// `None` for anything but the one syntax: a missing offset, a lower-case `t` or `z`, a 30 February, second 60 and hour 24 all count as
/// malformed. A time before 1970 is well-formed and comes out negative, so that callers can tell it from a malformed one.
///
/// ```
/// use shoppulse::timestamp::parse_micros;
///
/// assert_eq!(parse_micros("1970-01-01T00:00:01.5Z"), Some(1_500_000));
/// assert_eq!(parse_micros("1970-01-01T01:00:00+02:00"), Some(-3_600_000_000));
/// assert_eq!(parse_micros("1970-01-01T00:00:01"), None);
/// ```
pub fn parse_micros(text: &str) -> Option<i64> {
    let (head, rest) = text.as_bytes().split_first_chunk::<19>()?;
    let seconds = seconds_of(head)?;
    let (micros, zone) = split_fraction(rest)?;
    let offset_seconds = offset_of(zone)?;
    Some((seconds - offset_seconds) * MICROS_A_SECOND + micros)
}

/// Local seconds of `YYYY-MM-DDTHH:MM:SS`.
fn seconds_of(head: &[u8; 19]) -> Option<i64> {
    if [head[4], head[7], head[10], head[13], head[16]] != *b"--T::" {
        return None;
    }
    let year = pair(head[0], head[1])? * 100 + pair(head[2], head[3])?;
    let month = pair(head[5], head[6])?;
    let day = pair(head[8], head[9])?;
    let hour = pair(head[11], head[12])?;
    let minute = pair(head[14], head[15])?;
    let second = pair(head[17], head[18])?;
    let exists = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !exists || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days_before(year, month, day) * SECONDS_A_DAY + hour * 3_600 + minute * 60 + second)
}

/// Splits `.123456Z` into microseconds and what follows the digits.
fn split_fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = rest.split_first() else {
        return Some((0, rest));
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let (fraction, zone) = digits.split_at(count);
    let micros = (0..6).fold(0, |sum, place| sum * 10 + fraction.get(place).map_or(0, |digit| i64::from(digit - b'0')));
    Some((micros, zone))
}

fn offset_of(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3_600 + minutes * 60;
            Some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn pair(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; years start in March here, so that the leap day is a year's last.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_to_month = (153 * month + 2) / 5;
    year * 365 + leap_days + days_to_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::parse_micros;

    #[test]
    fn rule_05_well_formed_times_are_cut_to_microseconds() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("1970-01-01T00:00:00.0000019Z", 1),
            ("1970-01-01T00:00:00.999999999Z", 999_999),
            ("1970-01-01T00:00:00.1Z", 100_000),
            ("1970-01-01T00:00:00+00:00", 0),
            ("1970-01-01T00:00:00-00:00", 0),
            ("1970-01-01T05:30:00+05:30", 0),
            ("1969-12-31T14:00:00-10:00", 0),
            ("1970-01-01T23:59:00+23:59", 0),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("2026-08-21T12:34:56.789Z", 1_787_315_696_789_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] {
            assert_eq!(parse_micros(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn rule_05_times_before_1970_are_negative_and_their_fraction_still_counts_forward() {
        for (text, micros) in [
            ("1969-12-31T23:59:59.9999999Z", -1),
            ("1969-12-31T23:59:59Z", -1_000_000),
            ("1970-01-01T00:00:00+00:01", -60_000_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
        ] {
            assert_eq!(parse_micros(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn rule_05_anything_else_is_malformed() {
        for text in [
            "",
            "2026-08-21",
            "2026-08-21T12:34Z",
            "2026-08-21T12:34:56",
            "2026-08-21 12:34:56Z",
            "2026-08-21t12:34:56Z",
            "2026-08-21T12:34:56z",
            "2026-08-21T12:34:60Z",
            "2016-12-31T23:59:60Z",
            "2026-08-21T24:00:00Z",
            "2026-08-21T12:60:00Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-13-10T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "2026-08-21T12:34:56.Z",
            "2026-08-21T12:34:56,5Z",
            "2026-08-21T12:34:56.1234567890Z",
            "2026-08-21T12:34:56.12a4Z",
            "2026-08-21T12:34:56+0000",
            "2026-08-21T12:34:56+00",
            "2026-08-21T12:34:56+24:00",
            "2026-08-21T12:34:56+00:60",
            "2026-08-21T12:34:56\u{2212}01:00",
            "2026-08-21T12:34:56+00:00Z",
            "2026-08-21T12:34:56ZZ",
            "2026-08-21T12:34:56Z ",
            " 2026-08-21T12:34:56Z",
            "+2026-08-21T12:34:56Z",
            "-0001-08-21T12:34:56Z",
            "12026-08-21T12:34:56Z",
            "2026-8-21T12:34:56Z",
            "20260821T123456Z",
            "2026-08-21T12:34:56 Z",
            "٢٠٢٦-08-21T12:34:56Z",
            "infinity",
            "1755779696789",
            "2026-W34-5T12:34:56Z",
        ] {
            assert_eq!(parse_micros(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn rule_05_any_date_agrees_with_a_calendar_library(
            year in 0..=9999_u32, month in 0..=13_u32, day in 0..=32_u32, hour in 0..=24_u32, minute in 0..=60_u32, second in 0..=59_u32,
            fraction in "(\\.[0-9]{1,9})?", zone in "(Z|[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9])",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
            let model = DateTime::parse_from_rfc3339(&text).ok().map(|time| time.timestamp_micros());
            prop_assert_eq!(parse_micros(&text), model, "{}", text);
        }

        #[test]
        fn rule_05_one_changed_character_never_panics_nor_reads_more_than_the_library(at in 0..30_usize, byte in 0..128_u8) {
            let mut bytes = b"2026-08-21T12:34:56.789012+05:30".to_vec();
            bytes[at] = byte;
            let text = String::from_utf8(bytes).expect("ASCII");
            if let Some(micros) = parse_micros(&text) {
                let model = DateTime::parse_from_rfc3339(&text).expect("the library reads what we read");
                prop_assert_eq!(micros, model.timestamp_micros());
            }
        }
    }
}
