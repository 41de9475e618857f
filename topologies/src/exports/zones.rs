//! Time zones by the abbreviations that reports use: an explicit list, since abbreviations are not unique and no library may guess.
//!
//! An abbreviation is an offset, whatever the season: a report says PDT in summer and PST in winter. No zone by a city's name.

use std::collections::BTreeMap;

const HOUR: i64 = 3_600;
const HALF: i64 = 1_800;

/// What is known without being told. Not here, as they mean several places: IST (India, Ireland, Israel) and AST (Atlantic, Arabia). CST is North
/// America's, and BST Britain's.
const KNOWN: &[(&str, i64)] = &[
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("WET", 0),
    ("WEST", HOUR),
    ("BST", HOUR),
    ("CET", HOUR),
    ("CEST", 2 * HOUR),
    ("MET", HOUR),
    ("MEST", 2 * HOUR),
    ("EET", 2 * HOUR),
    ("EEST", 3 * HOUR),
    ("SAST", 2 * HOUR),
    ("MSK", 3 * HOUR),
    ("TRT", 3 * HOUR),
    ("GST", 4 * HOUR),
    ("PKT", 5 * HOUR),
    ("ICT", 7 * HOUR),
    ("WIB", 7 * HOUR),
    ("SGT", 8 * HOUR),
    ("HKT", 8 * HOUR),
    ("MYT", 8 * HOUR),
    ("PHT", 8 * HOUR),
    ("AWST", 8 * HOUR),
    ("JST", 9 * HOUR),
    ("KST", 9 * HOUR),
    ("ACST", 9 * HOUR + HALF),
    ("ACDT", 10 * HOUR + HALF),
    ("AEST", 10 * HOUR),
    ("AEDT", 11 * HOUR),
    ("NZST", 12 * HOUR),
    ("NZDT", 13 * HOUR),
    ("HST", -10 * HOUR),
    ("AKST", -9 * HOUR),
    ("AKDT", -8 * HOUR),
    ("PST", -8 * HOUR),
    ("PDT", -7 * HOUR),
    ("MST", -7 * HOUR),
    ("MDT", -6 * HOUR),
    ("CST", -6 * HOUR),
    ("CDT", -5 * HOUR),
    ("EST", -5 * HOUR),
    ("EDT", -4 * HOUR),
    ("ADT", -3 * HOUR),
    ("NST", -3 * HOUR - HALF),
    ("NDT", -2 * HOUR - HALF),
    ("BRT", -3 * HOUR),
    ("BRST", -2 * HOUR),
    ("ART", -3 * HOUR),
    ("CLT", -4 * HOUR),
    ("CLST", -3 * HOUR),
    ("COT", -5 * HOUR),
    ("PET", -5 * HOUR),
];

/// Offsets by abbreviation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zones {
    added: BTreeMap<String, i64>,
}

impl Zones {
    /// The known ones, and these: `IST=+05:30,AST=-04:00`, which also may give a known one another offset.
    ///
    /// ```
    /// use shoppulse::exports::Zones;
    ///
    /// let zones = Zones::with("IST=+05:30")?;
    /// assert_eq!(zones.offset_seconds("IST"), Some(19_800));
    /// assert_eq!(zones.offset_seconds("PDT"), Some(-25_200));
    /// assert_eq!(zones.offset_seconds("AST"), None);
    /// # Ok::<(), String>(())
    /// ```
    pub fn with(added: &str) -> Result<Self, String> {
        let mut zones = Self::default();
        for entry in added.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let parsed = entry.split_once('=').and_then(|(name, offset)| Some((name.trim(), numeric(offset.trim())?)));
            let (name, offset) =
                parsed.filter(|(name, _)| !name.is_empty()).ok_or_else(|| format!("{entry:?} is not like `IST=+05:30`"))?;
            zones.added.insert(name.to_ascii_uppercase(), offset);
        }
        Ok(zones)
    }

    /// Seconds east of Greenwich, of an abbreviation or of an offset such as `+05:30`.
    pub fn offset_seconds(&self, zone: &str) -> Option<i64> {
        let name = zone.to_ascii_uppercase();
        let known = || KNOWN.iter().find(|(known, _)| *known == name).map(|(_, offset)| *offset);
        self.added.get(&name).copied().or_else(known).or_else(|| numeric(zone))
    }
}

/// `±HH:MM`.
fn numeric(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':')?;
    let two = |text: &str, max: i64| {
        let is_pair = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| is_pair && *number <= max)
    };
    Some(sign * (two(hours, 18)? * HOUR + two(minutes, 59)? * 60))
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Zones};

    #[test]
    fn each_abbreviation_is_known_once_and_within_a_day_of_greenwich() {
        for (index, (name, offset)) in KNOWN.iter().enumerate() {
            assert!(KNOWN.iter().skip(index + 1).all(|(other, _)| other != name), "{name}");
            assert!(offset.abs() <= 14 * 3_600 && offset % 1_800 == 0, "{name}");
        }
    }

    #[test]
    fn summer_time_is_an_hour_later_than_standard_time() {
        let zones = Zones::default();
        for (standard, summer) in
            [("PST", "PDT"), ("MST", "MDT"), ("CST", "CDT"), ("EST", "EDT"), ("CET", "CEST"), ("EET", "EEST"), ("AEST", "AEDT")]
        {
            let offsets = [standard, summer].map(|zone| zones.offset_seconds(zone).unwrap());
            assert_eq!(offsets[1] - offsets[0], 3_600, "{standard} {summer}");
        }
    }

    #[test]
    fn what_is_not_known_is_nothing_and_what_is_added_holds() {
        let zones = Zones::with(" ist=+05:30, CST=+08:00 ,").unwrap();
        for (zone, offset) in [
            ("IST", Some(19_800)),
            ("cst", Some(28_800)),
            ("+01:00", Some(3_600)),
            ("-03:30", Some(-12_600)),
            ("AST", None),
            ("Mars", None),
            ("", None),
            ("+1", None),
            ("+19:00", None),
            ("+01:60", None),
        ] {
            assert_eq!(zones.offset_seconds(zone), offset, "{zone}");
        }
        for wrong in ["IST", "IST=5", "=+05:30", "IST=+05:30 AST=-04:00"] {
            assert!(Zones::with(wrong).is_err(), "{wrong}");
        }
    }
}
