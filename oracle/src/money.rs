//! Exact decimals and currencies: from the text of a number to minor units, half away from zero, and never through a float.

const NO_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const TWO_DECIMALS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF \
    CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF \
    IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR \
    MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC \
    SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG";
const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";
const FOUR_DECIMALS: &str = "CLF UYW";

/// The number of decimals of an active ISO 4217 currency; none for unknown codes and for those without decimals defined,
/// such as gold.
pub(crate) fn exponent(currency: &str) -> Option<u32> {
    if currency.len() != 3 {
        return None;
    }
    [(NO_DECIMALS, 0), (TWO_DECIMALS, 2), (THREE_DECIMALS, 3), (FOUR_DECIMALS, 4)]
        .into_iter()
        .find(|(codes, _)| codes.split_ascii_whitespace().any(|code| code == currency))
        .map(|(_, exponent)| exponent)
}

/// An exact decimal: `coefficient × 10^exponent`, in the one form without trailing zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a plain decimal: an optional minus, digits, and optionally a point and digits.
    pub(crate) fn plain(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        (all_digits(whole) && all_digits(fraction))
            .then(|| Self::new(text.starts_with('-'), &format!("{whole}{fraction}"), -(fraction.len() as i64)))
    }

    /// Reads the text of a JSON number, which may have an exponent.
    pub(crate) fn json_number(text: &str) -> Option<Self> {
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let mut decimal = Self::plain(mantissa)?;
        // An exponent beyond 64 bits is as good as the greatest one: the number is zero or fits nowhere.
        let limit = if power.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let power = power.parse().unwrap_or(limit);
        if !decimal.digits.is_empty() {
            decimal.exponent = decimal.exponent.saturating_add(power);
        }
        Some(decimal)
    }

    fn new(negative: bool, digits: &str, exponent: i64) -> Self {
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        let dropped = digits.len() - digits.trim_end_matches('0').len();
        if significant.is_empty() {
            return Self { negative: false, digits: String::new(), exponent: 0 };
        }
        Self { negative, digits: significant.to_owned(), exponent: exponent + dropped as i64 }
    }

    /// The decimal `times` over.
    pub(crate) fn times(&self, times: i64) -> Option<Self> {
        let digits = i128::from(times.unsigned_abs()).checked_mul(self.magnitude()?)?;
        Some(Self::new(self.negative != (times < 0), &digits.to_string(), self.exponent))
    }

    fn magnitude(&self) -> Option<i128> {
        if self.digits.is_empty() { Some(0) } else { self.digits.parse().ok() }
    }

    /// The amount in units of `10^-decimals`, rounded half away from zero; none beyond 64 bits.
    pub(crate) fn minor(&self, decimals: u32) -> Option<i64> {
        let shift = self.exponent.saturating_add(i64::from(decimals));
        let length = self.digits.len() as i64;
        if self.digits.is_empty() || length.saturating_add(shift) < 0 {
            return Some(0);
        }
        if length.saturating_add(shift) > 19 {
            return None;
        }
        let kept = length + shift.min(0);
        let mut magnitude: i128 = self.digits[..kept as usize].parse().unwrap_or(0);
        if shift >= 0 {
            magnitude *= 10_i128.pow(shift as u32);
        } else if self.digits.as_bytes()[kept as usize] >= b'5' {
            magnitude += 1;
        }
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_half_away_from_zero() {
        for (text, decimals, minor) in [
            ("0", 2, Some(0)),
            ("-0.00", 2, Some(0)),
            ("12.34", 2, Some(1_234)),
            ("12.345", 2, Some(1_235)),
            ("-12.345", 2, Some(-1_235)),
            ("12.3449999999999999999999999999999999999999", 2, Some(1_234)),
            ("0.005", 2, Some(1)),
            ("0.0049", 2, Some(0)),
            ("0.05", 0, Some(0)),
            ("0.5", 0, Some(1)),
            ("-0.5", 0, Some(-1)),
            ("1999.5", 0, Some(2_000)),
            ("1.2345", 3, Some(1_235)),
            ("100", 2, Some(10_000)),
            ("92233720368547758.07", 2, Some(i64::MAX)),
            ("92233720368547758.08", 2, None),
            ("-92233720368547758.08", 2, Some(i64::MIN)),
            ("1000000000000000000000", 0, None),
        ] {
            assert_eq!(Decimal::plain(text).expect(text).minor(decimals), minor, "{text}");
        }
    }

    #[test]
    fn only_plain_text_is_a_decimal() {
        for text in ["", "-", ".", "NaN", "1.", ".5", "1e2", "1,5", " 1", "1 ", "0x1", "１", "--1", "Infinity"] {
            assert_eq!(Decimal::plain(text), None, "{text}");
        }
    }

    #[test]
    fn json_numbers_may_have_exponents() {
        for (text, minor) in [
            ("1e2", Some(10_000)),
            ("1.5E+1", Some(1_500)),
            ("12345e-3", Some(1_235)),
            ("1e999999999999999999999", None),
            ("1e-999999999999999999999", Some(0)),
            ("0e999999999999999999999", Some(0)),
        ] {
            assert_eq!(Decimal::json_number(text).expect(text).minor(2), minor, "{text}");
        }
    }

    #[test]
    fn trailing_zeros_do_not_distinguish_decimals() {
        assert_eq!(Decimal::plain("10.00"), Decimal::plain("10"));
        assert_ne!(Decimal::plain("10.01"), Decimal::plain("10.1"));
        assert_eq!(Decimal::plain("3.335").and_then(|price| price.times(3)).and_then(|sum| sum.minor(2)), Some(1_001));
        assert_eq!(Decimal::plain("2.5").and_then(|price| price.times(-1)).and_then(|sum| sum.minor(0)), Some(-3));
    }

    #[test]
    fn currencies_have_their_decimals() {
        for (currency, decimals) in [
            ("JPY", Some(0)),
            ("EUR", Some(2)),
            ("KWD", Some(3)),
            ("CLF", Some(4)),
            ("XAU", None),
            ("DEM", None),
            ("eur", None),
            ("", None),
            ("EUR ", None),
            ("R E", None),
        ] {
            assert_eq!(exponent(currency), decimals, "{currency}");
        }
    }
}
