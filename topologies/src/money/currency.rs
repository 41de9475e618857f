//! Currencies that count money in minor units: the active ISO 4217 codes that have an exponent.
//!
//! The list is that of `iso_currency`; where its data and the standard's list of active codes part, this module follows the standard. It knows
//! no symbols, names or countries.

use std::fmt;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

const LETTERS: usize = 26;
/// Marks a code that counts no money: unknown, withdrawn or without an exponent.
const NO_EXPONENT: u8 = u8::MAX;

/// Codes that `iso_currency` calls superseded though the standard still lists them as active: Venezuela's VES stands beside VED, which is the same
/// money in other units.
const ACTIVE_ALL_THE_SAME: [&str; 1] = ["VES"];

/// One exponent for each of the 17 576 possible codes, so that looking one up costs an index instead of a walk through the list.
static EXPONENTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let letters = || b'A'..=b'Z';
    let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
    codes.map(|code| listed_exponent(code).unwrap_or(NO_EXPONENT)).collect()
});

fn listed_exponent(code: [u8; 3]) -> Option<u8> {
    let text = str::from_utf8(&code).ok()?;
    let listed = iso_currency::Currency::from_code(text)?;
    if listed.is_superseded().is_some() && !ACTIVE_ALL_THE_SAME.contains(&text) {
        return None;
    }
    u8::try_from(listed.exponent()?).ok()
}

/// An active ISO 4217 currency with minor units.
///
/// Withdrawn codes (HRK, BGN, ANG, ZWL, CUC, SLL …) are none, nor are codes without an exponent (XAU, XDR, XTS, XXX …). Codes for funds and units
/// of account that have an exponent (CLF, UYW, XAD …) are.
///
/// ```
/// use shoppulse::money::Currency;
///
/// let yen = Currency::parse(" jpy ").expect("an active code");
/// assert_eq!((yen.as_str(), yen.exponent()), ("JPY", 0));
/// assert_eq!(Currency::parse("XAU"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

impl Currency {
    /// The currency a text names once it is trimmed (of Unicode white space) and its ASCII letters are upper-cased.
    pub fn parse(text: &str) -> Option<Self> {
        let code = <[u8; 3]>::try_from(text.trim().as_bytes()).ok()?.map(|letter| letter.to_ascii_uppercase());
        if !code.iter().all(u8::is_ascii_uppercase) {
            return None;
        }
        let index = code.iter().fold(0, |sum, letter| sum * LETTERS + usize::from(letter - b'A'));
        match EXPONENTS.get(index) {
            None | Some(&NO_EXPONENT) => None,
            Some(&exponent) => Some(Self { code, exponent }),
        }
    }

    /// How many decimal digits a major unit has in minor ones.
    pub const fn exponent(self) -> u8 {
        self.exponent
    }

    /// The three upper-case letters.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.code).expect("a currency's code is three ASCII letters")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Currency, EXPONENTS, NO_EXPONENT};

    #[test]
    fn rule_23_codes_are_trimmed_and_upper_cased() {
        for text in ["EUR", "eur", "Eur", " EUR", "EUR\n", "\u{a0}eur\u{2003}"] {
            assert_eq!(Currency::parse(text).map(|currency| currency.to_string()).as_deref(), Some("EUR"), "{text:?}");
        }
    }

    #[test]
    fn rule_23_exponents_are_those_of_the_standard() {
        for (exponent, codes) in [
            (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
            (3, "BHD IQD JOD KWD LYD OMR TND"),
            (4, "CLF UYW"),
        ] {
            for code in codes.split(' ') {
                assert_eq!(Currency::parse(code).map(Currency::exponent), Some(exponent), "{code}");
            }
        }
    }

    #[test]
    fn rule_23_every_active_code_with_an_exponent_is_known_and_no_other() {
        let active = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP \
             CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD \
             IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV \
             MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN \
             SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XCD XCG XOF XPF YER ZAR \
             ZMW ZWG";
        let expected: Vec<&str> = active.split_whitespace().collect();
        let letters = || b'A'..=b'Z';
        let all = letters()
            .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| String::from_utf8(vec![a, b, c]).unwrap())));
        let known: Vec<String> = all.filter(|code| Currency::parse(code).is_some()).collect();
        assert_eq!(known, expected);
        assert_eq!(EXPONENTS.iter().filter(|&&exponent| exponent != NO_EXPONENT).count(), expected.len());
    }

    #[test]
    fn rule_23_withdrawn_codes_and_codes_without_an_exponent_are_refused() {
        let withdrawn = "HRK BGN ANG ZWL CUC SLL DEM FRF ITL LTL EEK BYR MRO STD VEF GHC ZMK TRL ROL MZM AZM SKK";
        let without_exponent = "XAU XAG XPT XPD XDR XSU XUA XBA XBB XBC XBD XTS XXX";
        for code in withdrawn.split(' ').chain(without_exponent.split(' ')) {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }

    #[test]
    fn rule_23_what_is_no_code_is_refused() {
        for text in ["", " ", "E", "EU", "EURO", "E R", "978", "€", "EU\u{212a}", "ＥＵＲ", "E\0R", "US$", "EUR,"] {
            assert_eq!(Currency::parse(text), None, "{text:?}");
        }
    }
}
