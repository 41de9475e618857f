//! Headers, columns in any order, amounts against whole-number arithmetic.

use proptest::prelude::*;

use super::*;

fn layout(provider: Provider) -> Layout {
    Layout { provider, order_columns: vec!["order".to_owned()], time_zone: "UTC".to_owned(), zones: Zones::default() }
}

fn open(provider: Provider, file: &str) -> Result<ExportReader<&[u8]>, String> {
    ExportReader::open(file.as_bytes(), layout(provider)).map_err(|error| error.to_string())
}

#[test]
fn a_file_without_the_columns_stops_with_their_names_and_what_there_is() {
    let adyen = adyen::REQUIRED.join(",");
    for (provider, file, parts) in [
        (Provider::Stripe, "", &["not even a header"][..]),
        (Provider::Stripe, "\n\n", &["not even a header"]),
        (
            Provider::Stripe,
            "balance_transaction_id,created,currency,gross,fee,reporting_category\n",
            &["lacks `net`", "it has balance_transaction_id, created, currency", "ask the provider"],
        ),
        (
            Provider::Stripe,
            "payout_id,effective_at_utc,currency,gross,fee,net,reporting_category\npo_1,2026-01-01 00:00:00,eur,1,0,1,payout\n",
            &["lacks `balance_transaction_id`, `created_utc` or `created`; it has payout_id"],
        ),
        (Provider::Stripe, &adyen, &["report of adyen: use --provider adyen"]),
        (Provider::Adyen, &adyen.replace(",TimeZone", ""), &["lacks `TimeZone`", "it has Merchant Account, Psp Reference"]),
    ] {
        let told = open(provider, file).map(drop).unwrap_err();
        for part in parts {
            assert!(told.contains(part), "{part} is in {told}");
        }
    }
}

#[test]
fn a_header_may_have_a_line_about_the_report_before_it() {
    let header = "balance_transaction_id,created,currency,gross,fee,net,reporting_category";
    let file = format!("Report of January,2026\n{header}\ntxn_1,2026-01-01 00:00:00,EUR,1,0,1,charge\n");
    let mut reader = open(Provider::Stripe, &file).unwrap();
    assert!(matches!(reader.next().unwrap(), Some(Entry::Line { number: 3, .. })));
    assert!(reader.next().unwrap().is_none());
    assert_eq!((reader.position(), reader.tally().total()), (file.len() as u64, 1));
}

#[test]
fn a_line_that_is_too_long_is_one_dead_letter_with_its_beginning() {
    let header = "balance_transaction_id,created,currency,gross,fee,net,reporting_category";
    let good = "txn_1,2026-01-01 00:00:00,EUR,1,0,1,charge\n";
    let file = format!("{header}\n{}\n{good}", "y".repeat(2 * MAX_VALUE_BYTES));
    let mut reader = open(Provider::Stripe, &file).unwrap();
    let Some(Entry::Bad { rejection, raw, number: 2 }) = reader.next().unwrap() else { panic!("a dead letter comes first") };
    assert_eq!((rejection.reason, raw.len()), (Reason::TooLarge, MAX_VALUE_BYTES));
    assert!(matches!(reader.next().unwrap(), Some(Entry::Line { number: 3, .. })));
    assert!(reader.next().unwrap().is_none());
}

/// A column's name and what stands in it.
const COLUMNS: [(&str, &str); 12] = [
    ("balance_transaction_id", "txn_1"),
    ("created_utc", "2026-01-01 00:00:00"),
    ("created", "2026-01-01 01:00:00"),
    ("available_on_utc", "2026-01-03 00:00:00"),
    ("currency", "Eur"),
    ("gross", "12.34"),
    ("fee", "0.34"),
    ("net", "12"),
    ("reporting_category", "charge"),
    ("customer_email", "ada@example.com"),
    ("description", "a \"quoted\", broken\nline"),
    ("order", "17"),
];

fn cell(text: &str, quote: bool) -> String {
    if quote || text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

proptest! {
    #[test]
    fn columns_may_stand_in_any_order(
        order in Just((0..COLUMNS.len()).collect::<Vec<_>>()).prop_shuffle(), quotes in prop::collection::vec(any::<bool>(), 12),
        line_end in prop::sample::select(vec!["\n", "\r\n"]), with_mark in any::<bool>(), ends in any::<bool>(),
    ) {
        let row = |which: fn(&(&'static str, &'static str)) -> &'static str| {
            let cells = order.iter().zip(&quotes).map(|(index, quote)| cell(which(&COLUMNS[*index]), *quote));
            cells.collect::<Vec<_>>().join(",")
        };
        let mark = if with_mark { "\u{feff}" } else { "" };
        let file = format!("{mark}{}{line_end}{}{}", row(|(name, _)| name), row(|(_, text)| text), if ends { line_end } else { "" });
        let mut reader = open(Provider::Stripe, &file).unwrap();
        let expected = ExportLine {
            line_id: "txn_1".into(),
            version: crate::payments::LineVersion {
                order_id: Some("17".into()),
                kind: crate::payments::Kind::Charge,
                currency: "EUR".into(),
                gross_minor: 1_234,
                fee_minor: 34,
                net_minor: 1_200,
                occurred_at: 1_767_225_600_000_000,
                available_on: Some(1_767_398_400_000_000),
            },
        };
        prop_assert_eq!(reader.next().unwrap(), Some(Entry::Line { line: expected.clone(), number: 2 }));
        prop_assert!(reader.next().unwrap().is_none());
        let value = expected.record_value("s", Provider::Stripe, "f.csv", 2);
        prop_assert!(!String::from_utf8(value).unwrap().contains("ada"), "nothing personal is written");
    }

    #[test]
    fn amounts_agree_with_whole_number_arithmetic(
        minor in any::<i64>(), more_zeros in 0..4_usize, code in prop::sample::select(vec![("JPY", 0_usize), ("EUR", 2), ("KWD", 3), ("CLF", 4)]),
    ) {
        let (currency, exponent) = code;
        let digits = format!("{:0width$}", minor.unsigned_abs(), width = exponent + 1);
        let (whole, fraction) = digits.split_at(digits.len() - exponent);
        let fraction = format!("{fraction}{}", "0".repeat(more_zeros));
        let point = if fraction.is_empty() { "" } else { "." };
        let sign = if minor < 0 { "-" } else { "" };
        let file = format!(
            "balance_transaction_id,created,currency,gross,fee,net,reporting_category\n\
             txn_1,2026-01-01 00:00:00,{currency},{sign}{whole}{point}{fraction},0,0,charge\n"
        );
        let mut reader = open(Provider::Stripe, &file).unwrap();
        let Some(Entry::Line { line, .. }) = reader.next().unwrap() else { panic!("{file}") };
        prop_assert_eq!(line.version.gross_minor, minor, "{}", file);
    }
}
