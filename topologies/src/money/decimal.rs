//! Decimal text read exactly, and its rounding to minor units.
//!
//! It is no arithmetic library: it reads, multiplies by a whole number, and rounds half away from zero. No float is ever involved.

/// Significant digits kept. Money has at most 19 digits before its point and 4 behind it, so digits cut off here can't reach a rounding.
const MAX_DIGITS: u32 = 38;

/// An exact decimal number: sign × magnitude × 10^−scale.
///
/// ```
/// use shoppulse::money::Decimal;
///
/// let price = Decimal::parse_plain("19.995").expect("a decimal");
/// assert_eq!(price.to_minor(2), Some(2_000));
/// assert_eq!(price.times(3).and_then(|sum| sum.to_minor(2)), Some(5_999));
/// assert_eq!(Decimal::parse_json_number("1.5e1").and_then(|number| number.to_minor(0)), Some(15));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    magnitude: u128,
    scale: i64,
    /// Whether digits beyond the kept ones were lost; rounding doesn't see them, a product could.
    cut: bool,
}

impl Decimal {
    /// Reads `[-]digits[.digits]` and nothing else: no `+`, no spaces, no exponent, no bare point.
    pub fn parse_plain(text: &str) -> Option<Self> {
        let (negative, unsigned) = strip_minus(text);
        let (whole, fraction) = split_point(unsigned)?;
        Some(Self::from_digits(negative, whole, fraction, 0))
    }

    /// Reads a number as JSON writes it, with or without an exponent.
    pub fn parse_json_number(text: &str) -> Option<Self> {
        let (negative, unsigned) = strip_minus(text);
        let (digits, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..])?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = split_point(digits)?;
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        Some(Self::from_digits(negative, whole, fraction, exponent))
    }

    fn from_digits(negative: bool, whole: &str, fraction: &str, exponent: i64) -> Self {
        let mut number = Self { negative, magnitude: 0, scale: exponent.saturating_neg(), cut: false };
        let mut kept = 0;
        for (digits, behind_point) in [(whole, false), (fraction, true)] {
            for digit in digits.bytes().map(|byte| u128::from(byte - b'0')) {
                let room = kept < MAX_DIGITS;
                if room {
                    number.magnitude = number.magnitude * 10 + digit;
                    kept += u32::from(number.magnitude != 0);
                } else {
                    number.cut |= digit != 0;
                }
                // A digit kept behind the point raises the scale; a digit cut before the point lowers it.
                let step = i64::from(room) * i64::from(behind_point) - i64::from(!room) * i64::from(!behind_point);
                number.scale = number.scale.saturating_add(step);
            }
        }
        number
    }

    /// The number in units of 10^−`exponent`, rounded half away from zero; `None` outside 64 bits.
    pub fn to_minor(self, exponent: u8) -> Option<i64> {
        let shift = i64::from(exponent).saturating_sub(self.scale);
        let rounded = if self.magnitude == 0 {
            0
        } else if shift >= 0 {
            self.magnitude.checked_mul(power_of_ten(shift)?)?
        } else {
            round_off(self.magnitude, shift.saturating_neg())
        };
        let rounded = i128::try_from(rounded).ok()?;
        i64::try_from(if self.negative { -rounded } else { rounded }).ok()
    }

    /// The number in units of 10^−`exponent`; `None` where that is not a whole number, or outside 64 bits.
    pub fn to_minor_exactly(self, exponent: u8) -> Option<i64> {
        let behind = self.scale.saturating_sub(i64::from(exponent));
        let is_whole =
            self.magnitude == 0 || behind <= 0 || power_of_ten(behind).is_some_and(|unit| self.magnitude.is_multiple_of(unit));
        if is_whole && !self.cut { self.to_minor(exponent) } else { None }
    }

    /// The exact product with a whole number; `None` where it would not be exact.
    pub fn times(self, factor: i64) -> Option<Self> {
        if self.cut {
            return None;
        }
        let magnitude = self.magnitude.checked_mul(u128::from(factor.unsigned_abs()))?;
        Some(Self { negative: self.negative != (factor < 0), magnitude, ..self })
    }
}

fn strip_minus(text: &str) -> (bool, &str) {
    text.strip_prefix('-').map_or((false, text), |rest| (true, rest))
}

fn split_point(text: &str) -> Option<(&str, &str)> {
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => (all_digits(whole) && all_digits(fraction)).then_some((whole, fraction)),
        None => all_digits(text).then_some((text, "")),
    }
}

/// An exponent; one too large for 64 bits saturates, since it decides the result as well as the exact one would.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.bytes().fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if negative { magnitude.saturating_neg() } else { magnitude })
}

fn power_of_ten(power: i64) -> Option<u128> {
    10_u128.checked_pow(u32::try_from(power).ok()?)
}

/// Drops `places` decimal places, rounding half up (the sign is kept apart, so this is half away from zero).
fn round_off(magnitude: u128, places: i64) -> u128 {
    // The power above all magnitudes overflows: everything is dropped, and is less than a half.
    let Some(divisor) = power_of_ten(places) else { return 0 };
    let (quotient, remainder) = (magnitude / divisor, magnitude % divisor);
    quotient + u128::from(remainder >= divisor.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Decimal;

    fn plain(text: &str, exponent: u8) -> Option<i64> {
        Decimal::parse_plain(text)?.to_minor(exponent)
    }

    fn json(text: &str, exponent: u8) -> Option<i64> {
        Decimal::parse_json_number(text)?.to_minor(exponent)
    }

    #[test]
    fn rule_24_plain_text_is_exact_and_rounded_half_away_from_zero() {
        for (text, exponent, minor) in [
            ("0", 2, 0),
            ("-0", 2, 0),
            ("-0.00", 2, 0),
            ("12", 2, 1_200),
            ("12.3", 2, 1_230),
            ("12.34", 2, 1_234),
            ("12.345", 2, 1_235),
            ("-12.345", 2, -1_235),
            ("12.344999999999999999999999999999999999999999999999999", 2, 1_234),
            ("12.345000000000000000000000000000000000000000000000001", 2, 1_235),
            ("0.004", 2, 0),
            ("0.005", 2, 1),
            ("-0.005", 2, -1),
            ("-0.004", 2, 0),
            ("1.005", 2, 101),
            ("1.5", 0, 2),
            ("2.5", 0, 3),
            ("-2.5", 0, -3),
            ("0.49999999999999999999999999999999999999999", 0, 0),
            ("1.2345", 3, 1_235),
            ("1.23456", 4, 12_346),
            ("007.50", 2, 750),
            ("000000000000000000000000000000000000000000000000000000000001.5", 2, 150),
            ("0.000000000000000000000000000000000000000000000000000000000001", 2, 0),
            ("92233720368547758.07", 2, i64::MAX),
            ("92233720368547758.074", 2, i64::MAX),
            ("-92233720368547758.08", 2, i64::MIN),
            ("-92233720368547758.084", 2, i64::MIN),
        ] {
            assert_eq!(plain(text, exponent), Some(minor), "{text}");
        }
    }

    #[test]
    fn rule_24_what_does_not_fit_64_bits_is_nothing() {
        for (text, exponent) in [
            ("92233720368547758.075", 2),
            ("92233720368547758.08", 2),
            ("-92233720368547758.085", 2),
            ("9223372036854775807.5", 0),
            ("100000000000000000000", 0),
            ("99999999999999999999999999999999999999999999999999999999999999", 2),
        ] {
            assert_eq!(plain(text, exponent), None, "{text}");
        }
    }

    #[test]
    fn rule_24_plain_text_is_digits_with_at_most_a_minus_and_a_point() {
        for text in [
            "", "-", ".", "-.", "5.", ".5", "+5", "1e2", "1E2", " 5", "5 ", "5\n", "1,5", "1_000", "1'000", "0x10", "NaN",
            "Infinity", "--5", "1.2.3", "٣", "$5", "5€", "1-", "½",
        ] {
            assert_eq!(Decimal::parse_plain(text), None, "{text:?}");
        }
    }

    #[test]
    fn rule_24_json_numbers_may_have_an_exponent() {
        for (text, minor) in [
            ("1e2", 10_000),
            ("1E+2", 10_000),
            ("1e0", 100),
            ("1e-0", 100),
            ("123e-2", 123),
            ("1.005e0", 101),
            ("1.5e-2", 2),
            ("-1.5e-2", -2),
            ("4e-3", 0),
            ("5e-3", 1),
            ("1e-400", 0),
            ("9e-99999999999999999999999", 0),
            ("0e99999999999999999999999", 0),
            ("0.00e400", 0),
            ("0.000000000000000000000000000000000000000000000000000000000012e58", 12),
            ("1234567890123456789012345678901234567890123456789012345678901234567890e-60", 123_456_789_012),
        ] {
            assert_eq!(json(text, 2), Some(minor), "{text}");
        }
        for text in ["1e400", "1e17", "-1e17", "1e99999999999999999999999"] {
            assert!(Decimal::parse_json_number(text).is_some(), "{text}");
            assert_eq!(json(text, 2), None, "{text}");
        }
        for text in ["", "01", "-01", "1e", "1e+", "e1", "1e1.5", "1ee1", "+1", "1.", ".1", "1.e1", "NaN", "1e1 ", "0x1"] {
            assert_eq!(Decimal::parse_json_number(text), None, "{text:?}");
        }
    }

    #[test]
    fn exact_minor_units_are_whole_or_nothing() {
        for (text, exponent, minor) in [
            ("12.30", 2, Some(1_230)),
            ("12.300000", 2, Some(1_230)),
            ("-0.001", 3, Some(-1)),
            ("100.00", 0, Some(100)),
            ("0.000000000000000000000000000000000000000000000000000", 0, Some(0)),
            ("0.995", 2, None),
            ("1.5", 0, None),
            ("0.0001", 3, None),
            ("12.300000000000000000000000000000000000000000000000001", 2, None),
            ("92233720368547758.08", 2, None),
        ] {
            assert_eq!(Decimal::parse_plain(text).and_then(|number| number.to_minor_exactly(exponent)), minor, "{text}");
        }
    }

    #[test]
    fn rule_39_a_product_is_exact_before_it_is_rounded() {
        for (price, quantity, exponent, minor) in [
            ("0.335", 3, 2, Some(101)),
            ("0.333", 3, 2, Some(100)),
            ("-1.005", 1, 2, Some(-101)),
            ("1.005", -1, 2, Some(-101)),
            ("-1.005", -1, 2, Some(101)),
            ("1.5", 0, 2, Some(0)),
            ("0.001", i64::MIN, 3, Some(i64::MIN)),
            ("99999999999.999", 92_233, 3, Some(9_223_299_999_999_907_767)),
            ("99999999999.999", 2_147_483_647, 3, None),
        ] {
            let product = Decimal::parse_plain(price).and_then(|price| price.times(quantity)).expect("exact");
            assert_eq!(product.to_minor(exponent), minor, "{quantity} × {price}");
        }
        let too_long = Decimal::parse_plain("1.00000000000000000000000000000000000000001").expect("a decimal");
        assert_eq!(too_long.times(2), None);
    }

    proptest! {
        #[test]
        fn rule_24_rounding_agrees_with_whole_number_arithmetic(units in any::<i64>(), places in 0..10_u32, exponent in 0..5_u8) {
            let power = 10_i128.pow(places);
            let (sign, magnitude) = (if units < 0 { "-" } else { "" }, i128::from(units).abs());
            let text = if places == 0 {
                format!("{sign}{magnitude}")
            } else {
                format!("{sign}{}.{:0width$}", magnitude / power, magnitude % power, width = places as usize)
            };
            let scaled = magnitude * 10_i128.pow(u32::from(exponent)) * 2;
            let rounded = (scaled + power) / (power * 2);
            let model = i64::try_from(if units < 0 { -rounded } else { rounded }).ok();
            prop_assert_eq!(plain(&text, exponent), model, "{}", text);
            prop_assert_eq!(json(&text, exponent), model, "{}", text);
            prop_assert_eq!(json(&format!("{sign}{magnitude}e-{places}"), exponent), model);
        }
    }
}
