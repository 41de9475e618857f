//! What is made of Stripe's lines.

use crate::exports::{Entry, ExportLine, ExportReader, Layout, Zones};
use crate::payments::{Kind, LineVersion, Provider};
use crate::rejection::Reason;

fn layout() -> Layout {
    Layout {
        provider: Provider::Stripe,
        order_columns: super::ORDER_COLUMNS.split(',').map(str::to_owned).collect(),
        time_zone: "UTC".to_owned(),
        zones: Zones::default(),
    }
}

fn read_with(layout: Layout, file: &[u8]) -> Vec<Result<ExportLine, Reason>> {
    let mut reader = ExportReader::open(file, layout).unwrap();
    let mut lines = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        lines.push(match entry {
            Entry::Line { line, .. } => Ok(line),
            Entry::Bad { rejection, .. } => Err(rejection.reason),
        });
    }
    lines
}

fn read(file: &str) -> Vec<Result<ExportLine, Reason>> {
    read_with(layout(), file.as_bytes())
}

const HEADER: &str =
    "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,payment_metadata[order_id]";

fn line(line: &str) -> Result<ExportLine, Reason> {
    let mut lines = read(&format!("{HEADER}\n{line}\n"));
    assert_eq!(lines.len(), 1, "{line}");
    lines.remove(0)
}

#[test]
fn a_line_says_what_stripe_says() {
    let charge = line("txn_1,2026-01-30 10:11:12,2026-02-01 00:00:00,usd,25,0.95,24.05,charge,1001").unwrap();
    let expected = ExportLine {
        line_id: "txn_1".into(),
        version: LineVersion {
            order_id: Some("1001".into()),
            kind: Kind::Charge,
            currency: "USD".into(),
            gross_minor: 2_500,
            fee_minor: 95,
            net_minor: 2_405,
            occurred_at: 1_769_767_872_000_000,
            available_on: Some(1_769_904_000_000_000),
        },
    };
    assert_eq!(charge, expected);
}

#[test]
fn a_category_says_what_the_money_moves_for() {
    for (category, kind) in [
        ("charge", Kind::Charge),
        ("charge_failure", Kind::Charge),
        ("refund", Kind::Refund),
        ("refund_failure", Kind::Refund),
        ("dispute", Kind::Dispute),
        ("dispute_reversal", Kind::DisputeReversal),
        ("fee", Kind::Fee),
        ("payout", Kind::Payout),
        ("payout_reversal", Kind::Payout),
        ("other_adjustment", Kind::Adjustment),
        ("transfer", Kind::Other),
        ("something_new", Kind::Other),
    ] {
        let read = line(&format!("txn_1,2026-01-30 10:11:12,,EUR,-1.5,0,-1.50,{category},")).unwrap();
        assert_eq!(
            (read.version.kind, read.version.gross_minor, read.version.net_minor, read.version.order_id),
            (kind, -150, -150, None),
            "{category}"
        );
    }
}

#[test]
fn amounts_have_the_decimals_of_their_currency_and_no_others() {
    for (currency, text, minor) in [
        ("JPY", "1000", Some(1_000)),
        ("JPY", "1000.00", Some(1_000)),
        ("JPY", "1000.5", None),
        ("KWD", "1.234", Some(1_234)),
        ("KWD", "1.2345", None),
        ("EUR", "-0.01", Some(-1)),
        ("EUR", "0.015", None),
        ("EUR", "1,00", None),
        ("EUR", "1e2", None),
        ("EUR", "92233720368547758.07", Some(i64::MAX)),
        ("EUR", "92233720368547758.08", None),
    ] {
        let read = line(&format!("txn_1,2026-01-30 10:11:12,,{currency},\"{text}\",0,0,charge,1"));
        assert_eq!(read.map(|line| line.version.gross_minor), minor.ok_or(Reason::BadValue), "{currency} {text}");
    }
}

#[test]
fn what_is_wrong_with_a_line_is_told_by_its_reason() {
    for (text, reason) in [
        (",2026-01-30 10:11:12,,EUR,1,0,1,charge,1", Reason::MissingField),
        ("txn_1,,,EUR,1,0,1,charge,1", Reason::MissingField),
        ("txn_1,2026-01-30 10:11:12,,,1,0,1,charge,1", Reason::MissingField),
        ("txn_1,2026-01-30 10:11:12,,EUR,,0,1,charge,1", Reason::MissingField),
        ("txn_1,2026-01-30 10:11:12,,EUR,1,0,1,,1", Reason::MissingField),
        ("txn_1,2026-01-30 10:11:12,,EUR,1,0,1", Reason::MissingField),
        ("txn_1,2026-01-30 10:11:12,,EUR,1,0,1,charge,1,more", Reason::BadValue),
        ("txn_1,2026-01-30 10:11:12,,XXX,1,0,1,charge,1", Reason::UnknownCurrency),
        ("txn_1,2026-13-30 10:11:12,,EUR,1,0,1,charge,1", Reason::BadTimestamp),
        ("txn_1,30.01.2026,,EUR,1,0,1,charge,1", Reason::BadTimestamp),
        ("txn_1,1969-12-31 23:59:59,,EUR,1,0,1,charge,1", Reason::BadTimestamp),
        ("txn_1,2026-01-30 10:11:12,soon,EUR,1,0,1,charge,1", Reason::BadTimestamp),
        // Of several faults the contract's first is told.
        ("txn_1,soon,,EUR,x,0,1,charge,1", Reason::BadValue),
        ("txn_1,2026-01-30 10:11:12,,EUR,1,0,1,charge,\"never closed", Reason::BadValue),
    ] {
        assert_eq!(line(text), Err(reason), "{text}");
    }
}

#[test]
fn a_transaction_is_the_same_in_both_reports() {
    let change = "balance_transaction_id,created_utc,created,available_on_utc,available_on,currency,gross,fee,net,reporting_category,\
                  source_id,description,customer_email,payment_metadata[order_id]\n\
                  txn_7,2026-07-01 22:00:00,2026-07-02 00:00:00,2026-07-03 00:00:00,2026-07-03 02:00:00,eur,10.00,0.50,9.50,charge,\
                  ch_7,Order,ada@example.com,42\n";
    let payout = "automatic_payout_id,automatic_payout_effective_at,balance_transaction_id,created_utc,created,available_on_utc,\
                  available_on,currency,gross,fee,net,reporting_category,order_id,trace_id,payment_metadata[order_id]\n\
                  po_1,2026-07-04 00:00:00,txn_7,2026-07-01 22:00:00,2026-07-02 00:00:00,2026-07-03 00:00:00,2026-07-03 02:00:00,EUR,\
                  10,0.5,9.5,charge,order_of_stripe,,42\n";
    assert_eq!(read(change), read(payout));
}

#[test]
fn a_time_without_utc_beside_it_is_in_the_zone_that_is_set() {
    let file =
        "balance_transaction_id,created,currency,gross,fee,net,reporting_category\ntxn_1,2026-07-01 12:00:00,EUR,1,0,1,charge\n";
    let hour = 3_600_000_000;
    for (zone, later) in [("UTC", 0), ("CEST", -2), ("PDT", 7), ("-03:30", 3)] {
        let lines = read_with(Layout { time_zone: zone.to_owned(), ..layout() }, file.as_bytes());
        let at = lines[0].as_ref().unwrap().version.occurred_at;
        assert_eq!((at - 1_782_907_200_000_000) / hour, later, "{zone}");
    }
}

#[test]
fn the_order_is_in_the_first_column_that_names_one() {
    let file = "refund_metadata[order_id],payment_metadata[order_id],balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category\n\
                a,b,txn_1,2026-07-01 12:00:00,EUR,1,0,1,charge\n\
                a,,txn_2,2026-07-01 12:00:00,EUR,1,0,1,charge\n\
                ,\" \",txn_3,2026-07-01 12:00:00,EUR,1,0,1,charge\n";
    let orders: Vec<Option<String>> = read(file).into_iter().map(|line| line.unwrap().version.order_id).collect();
    assert_eq!(orders, [Some("b".to_owned()), Some("a".to_owned()), None]);
    let other = Layout { order_columns: vec!["REFUND_METADATA[order_id]".to_owned()], ..layout() };
    assert_eq!(read_with(other, file.as_bytes())[0].as_ref().unwrap().version.order_id.as_deref(), Some("a"));
}

#[test]
fn bytes_that_are_no_text_harm_only_where_they_are_read() {
    let file = |name: &[u8], id: &[u8]| {
        let mut file = b"customer_name,balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category\n".to_vec();
        file.extend_from_slice(name);
        file.push(b',');
        file.extend_from_slice(id);
        file.extend_from_slice(b",2026-07-01 12:00:00,EUR,1,0,1,charge\n");
        read_with(layout(), &file).remove(0).map(|line| line.line_id)
    };
    assert_eq!(file(b"Zo\xeb", b"txn_1"), Ok("txn_1".to_owned()));
    assert_eq!(file(b"Zoe", b"txn_\xeb"), Err(Reason::NotUtf8));
}
