//! Instants as epoch microseconds: the one textual form that inputs may use, and the spans that the rules name.
//! Time zones by name, clocks and calendars other than the Gregorian are not known here.

/// Microseconds in a millisecond.
pub(crate) const MILLI_MICROS: i64 = 1_000;
/// Milliseconds in an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Milliseconds in a day, which is also the dedup horizon, the sessions' grace and their greatest length.
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// Reads `YYYY-MM-DDTHH:MM:SS[.1–9 digits](Z|±HH:MM)`, cut to microseconds; anything else is none (rule 5).
pub(crate) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (date_time, rest) = bytes.split_at_checked(19)?;
    for (index, separator) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if date_time[index] != separator {
            return None;
        }
    }
    let part = |from: usize, to: usize| digits(&date_time[from..to]);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let valid_day = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !valid_day || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, zone) = fraction(rest)?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset_seconds(zone)?;
    Some(seconds * 1_000_000 + micros)
}

/// Writes an instant in UTC with as many digits of a second as asked for, from none to six.
pub(crate) fn format(micros: i64, fraction_digits: usize) -> String {
    let (days, in_day) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (year, month, day) = civil_from_days(days);
    let seconds = in_day / 1_000_000;
    let mut text = format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction_digits > 0 {
        let fraction = format!("{:06}", in_day % 1_000_000);
        text.push('.');
        text.push_str(&fraction[..fraction_digits]);
    }
    text.push('Z');
    text
}

/// The number that some decimal digits stand for; none if there is anything else.
fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// The microseconds of an optional fraction, and what follows it.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(after_point) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let length = after_point.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let kept = &after_point[..length.min(6)];
    Some((digits(kept)? * 10_i64.pow(6 - kept.len() as u32), &after_point[length..]))
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let seconds = hours * 3_600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
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

/// Days since 1970-01-01. Years begin in March here, so that the leap day is a year's last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, in_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let day_of_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_textual_form_is_read_and_cut_to_microseconds() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.1Z", 100_000),
            ("1970-01-01T00:00:00.123456789Z", 123_456),
            ("1970-01-01T01:30:00+01:30", 0),
            ("1969-12-31T23:59:59.999999-00:00", -1),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("2026-01-05T12:34:56.789Z", 1_767_616_496_789_000),
            ("2026-01-05T12:34:56.789-05:00", 1_767_634_496_789_000),
        ] {
            assert_eq!(parse(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_timestamp() {
        for text in [
            "",
            "infinity",
            "2026-01-05",
            "2026-01-05T12:34:56",
            "2026-01-05T12:34:60Z",
            "2026-01-05T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-05T12:34:56.Z",
            "2026-01-05T12:34:56.1234567890Z",
            "2026-01-05 12:34:56Z",
            "2026-01-05T12:34:56z",
            "2026-01-05T12:34:56+0100",
            "2026-01-05T12:34:56+24:00",
            "2026-01-05T12:34:56+01",
            " 2026-01-05T12:34:56Z",
            "2026-01-05T12:34:56Z ",
            "2026-01-05T1２:34:56Z",
            "02026-01-05T12:34:56Z",
            "1767616496789",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for day in (-800_000..2_000_000).step_by(997) {
            let micros = day * 86_400_000_000 + 45_296_789_012;
            if (0..10_000).contains(&civil_from_days(day).0) {
                assert_eq!(parse(&format(micros, 6)), Some(micros));
            }
        }
        assert_eq!(format(1_767_616_496_789_000, 3), "2026-01-05T12:34:56.789Z");
        assert_eq!(format(1_767_616_496_789_000, 0), "2026-01-05T12:34:56Z");
    }
}
