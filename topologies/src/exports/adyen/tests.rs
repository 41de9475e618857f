//! What is made of Adyen's lines, and of their batches.

use crate::exports::{Entry, ExportLine, ExportReader, Layout, Zones};
use crate::payments::{Kind, LineVersion, Provider};
use crate::rejection::Reason;

const HEADER: &str = "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,\
                      Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),\
                      Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Batch Number";

fn layout() -> Layout {
    Layout {
        provider: Provider::Adyen,
        order_columns: super::ORDER_COLUMNS.split(',').map(str::to_owned).collect(),
        time_zone: "UTC".to_owned(),
        zones: Zones::default(),
    }
}

fn reader(lines: &[&str]) -> ExportReader<std::io::Cursor<Vec<u8>>> {
    let file = format!("{HEADER}\n{}\n", lines.join("\n"));
    ExportReader::open(std::io::Cursor::new(file.into_bytes()), layout()).unwrap()
}

fn read(lines: &[&str]) -> Vec<Result<ExportLine, (Reason, String)>> {
    let mut reader = reader(lines);
    let mut read = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        read.push(match entry {
            Entry::Line { line, .. } => Ok(line),
            Entry::Bad { rejection, .. } => Err((rejection.reason, rejection.error)),
        });
    }
    read
}

/// A line of batch 2 with this type and these amounts: gross debit, gross credit, net debit, net credit, and four fees.
fn line(line_type: &str, currencies: [&str; 2], amounts: &str) -> String {
    let [gross, net] = currencies;
    let [gd, gc, nd, nc, a, b, c, d] = amounts.split(' ').collect::<Vec<_>>()[..] else { panic!("{amounts}") };
    let none = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
    let [gd, gc, nd, nc, a, b, c, d] = [gd, gc, nd, nc, a, b, c, d].map(none);
    format!(
        "Shop,ShopCOM,8535000000000001,1001,visa,2026-02-18 16:10:51,PST,{line_type},8535000000000002,{gross},{gd},{gc},1,{net},{nd},{nc},\
         {a},{b},{c},{d},2"
    )
}

#[test]
fn a_line_says_what_adyen_says() {
    let settled = line("Settled", ["USD", "USD"], "- 1.00 - 0.76 - - 0.02 0.22");
    let expected = ExportLine {
        line_id: "ShopCOM/2/Settled/8535000000000001/8535000000000002".into(),
        version: LineVersion {
            order_id: Some("1001".into()),
            kind: Kind::Charge,
            currency: "USD".into(),
            gross_minor: 100,
            fee_minor: 24,
            net_minor: 76,
            // 16:10:51 in PST is 00:10:51 of the next day in UTC.
            occurred_at: 1_771_459_851_000_000,
            available_on: None,
        },
    };
    assert_eq!(read(&[&settled]), [Ok(expected)]);
}

#[test]
fn a_type_says_what_the_money_moves_for_and_its_sign_comes_from_the_column() {
    let cases = [
        ("Settled", "- 10 - 9.5 0.5 - - -", Kind::Charge, (1_000, 50, 950)),
        ("Refunded", "10 - 10.2 - 0.2 - - -", Kind::Refund, (-1_000, 20, -1_020)),
        ("RefundedReversed", "- 10 - 10 - - - -", Kind::Refund, (1_000, 0, 1_000)),
        ("Chargeback", "10 - 25 - - 15 - -", Kind::Dispute, (-1_000, 1_500, -2_500)),
        ("SecondChargeback", "10 - 10 - - - - -", Kind::Dispute, (-1_000, 0, -1_000)),
        ("ChargebackReversed", "- 10 - 10 - - - -", Kind::DisputeReversal, (1_000, 0, 1_000)),
        ("Fee", "- - 3.10 - - - - -", Kind::Fee, (-310, 0, -310)),
        ("MiscCosts", "- - 1 - - - - -", Kind::Fee, (-100, 0, -100)),
        ("InvoiceDeduction", "- - 1 - - - - -", Kind::Fee, (-100, 0, -100)),
        ("MerchantPayout", "- - 900 - - - - -", Kind::Payout, (-90_000, 0, -90_000)),
        ("DepositCorrection", "- - - 5 - - - -", Kind::Adjustment, (500, 0, 500)),
        ("BalanceTransfer", "- - 5 - - - - -", Kind::Other, (-500, 0, -500)),
        ("SomethingNew", "- - 5 - - - - -", Kind::Other, (-500, 0, -500)),
        // What another party settles has no net side; its fees are charged all the same.
        ("SettledExternally", "- 10 - - 0.5 - - -", Kind::Charge, (1_000, 50, 950)),
        ("SettledExternally", "- 10 0.5 - 0.5 - - -", Kind::Charge, (1_000, 50, 950)),
        ("RefundedExternally", "10 - - - - - - -", Kind::Refund, (-1_000, 0, -1_000)),
    ];
    for (line_type, amounts, kind, expected) in cases {
        let gross = if amounts.starts_with("- - ") { "" } else { "EUR" };
        let read = read(&[&line(line_type, [gross, "EUR"], amounts)]).remove(0).unwrap().version;
        let got = (read.kind, (read.gross_minor, read.fee_minor, read.net_minor), &*read.currency);
        assert_eq!(got, (kind, expected, "EUR"), "{line_type} {amounts}");
    }
}

#[test]
fn a_line_in_two_currencies_is_told_in_the_shoppers() {
    // 100.00 EUR are 110.00 USD gross, of which 2.20 USD, two per cent, are fees: 2.00 EUR.
    for (currencies, amounts, expected) in [
        (["EUR", "USD"], "- 100.00 - 107.80 - 1.10 0.60 0.50", (10_000, 200, 9_800)),
        (["JPY", "USD"], "- 10000 - 66.15 1.35 - - -", (10_000, 200, 9_800)),
        (["KWD", "USD"], "- 1.000 - 3.20 0.06 - - -", (1_000, 18, 982)),
        (["EUR", "USD"], "100.00 - 112.20 - 2.20 - - -", (-10_000, 200, -10_200)),
        (["EUR", "USD"], "- 100.00 - 110.00 - - - -", (10_000, 0, 10_000)),
    ] {
        let read = read(&[&line("Settled", currencies, amounts)]).remove(0).unwrap().version;
        assert_eq!((read.gross_minor, read.fee_minor, read.net_minor), expected, "{currencies:?} {amounts}");
        assert_eq!(read.currency, currencies[0]);
    }
}

#[test]
fn lines_without_a_reference_are_numbered_among_their_equals() {
    let fee = |line_type: &str, batch: u8, modification: &str| {
        format!("Shop,ShopCOM,,,,2026-02-18 16:10:51,CET,{line_type},{modification},,,,,EUR,1.00,,,,,,{batch}")
    };
    let lines = [
        fee("Fee", 2, ""),
        fee("Fee", 2, ""),
        fee("Fee", 3, ""),
        fee("Fee", 2, "a/b%"),
        fee("MiscCosts", 2, ""),
        fee("Fee", 2, ""),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let ids: Vec<String> = read(&lines).into_iter().map(|line| line.unwrap().line_id).collect();
    let expected = [
        "ShopCOM/2/Fee///1",
        "ShopCOM/2/Fee///2",
        "ShopCOM/3/Fee///1",
        "ShopCOM/2/Fee//a%2Fb%25/1",
        "ShopCOM/2/MiscCosts///1",
        "ShopCOM/2/Fee///3",
    ];
    assert_eq!(ids, expected);
}

#[test]
fn a_line_that_is_refused_does_not_rename_those_behind_it() {
    let fee = |date: &str| format!("Shop,ShopCOM,,,,{date},CET,Fee,,,,,,EUR,1.00,,,,,,2");
    let lines = [fee("2026-02-18 16:10:51"), fee("nonsense"), fee("2026-02-18 16:10:51")];
    let read = read(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let ids: Vec<Option<String>> = read.into_iter().map(|line| line.ok().map(|line| line.line_id)).collect();
    assert_eq!(ids, [Some("ShopCOM/2/Fee///1".to_owned()), None, Some("ShopCOM/2/Fee///3".to_owned())]);
}

#[test]
fn what_is_wrong_with_a_line_is_told_by_its_reason() {
    let good = line("Settled", ["EUR", "EUR"], "- 10 - 9.5 0.5 - - -");
    for (from, to, reason, part) in [
        ("PST", "XYZ", Reason::BadTimestamp, "`XYZ`"),
        ("PST", "", Reason::BadTimestamp, "has no time zone"),
        ("PST", "IST", Reason::BadTimestamp, "`payments.time_zones`"),
        ("PST", "call ada@example.com", Reason::BadTimestamp, "(no name)"),
        ("2026-02-18 16:10:51", "2026-02-30 16:10:51", Reason::BadTimestamp, "`Creation Date`"),
        ("2026-02-18 16:10:51", "", Reason::MissingField, "`Creation Date`"),
        ("ShopCOM", "", Reason::MissingField, "`Merchant Account`"),
        (",Settled,", ",,", Reason::MissingField, "`Type`"),
        (",2", ",", Reason::MissingField, "`Batch Number`"),
        (",EUR,,10,", ",XXX,,10,", Reason::UnknownCurrency, "`Gross Currency`"),
        (",EUR,,10,", ",,,10,", Reason::MissingField, "`Gross Credit (GC)` has no currency"),
        (",10,", ",ten,", Reason::BadValue, "`Gross Credit (GC)`"),
        (",9.5,", ",9.505,", Reason::BadValue, "`Net Credit (NC)`"),
        (",10,1,EUR,,9.5,", ",,1,EUR,,,", Reason::MissingField, "neither a gross nor a net amount"),
    ] {
        // The last occurrence, as the batch number's is.
        let at = good.rfind(from).unwrap_or_else(|| panic!("{from} is in {good}"));
        let bad = format!("{}{to}{}", &good[..at], &good[at + from.len()..]);
        let Err((told, sentence)) = read(&[&bad]).remove(0) else { panic!("{bad} is refused") };
        assert_eq!(told, reason, "{bad}: {sentence}");
        assert!(sentence.contains(part), "{part} is in {sentence}");
    }
}

#[test]
fn a_batch_must_pay_out_what_its_lines_sum_up_to() {
    let settled = line("Settled", ["USD", "USD"], "- 10.00 - 9.50 0.50 - - -");
    let refunded = line("Refunded", ["USD", "USD"], "4.00 - 4.00 - - - - -");
    let payout = |amount: &str| format!("Shop,ShopCOM,,,,2026-02-19 00:00:00,CET,MerchantPayout,,,,,,USD,{amount},,,,,,2");
    for (lines, adding_up, mismatches) in [
        (vec![settled.clone(), refunded.clone(), payout("5.50")], (1, 0), 0),
        (vec![payout("5.50"), settled.clone(), refunded.clone()], (1, 0), 0),
        (vec![settled.clone(), refunded.clone(), payout("3.00"), payout("2.50")], (1, 0), 0),
        (vec![settled.clone(), payout("5.50")], (0, 0), 1),
        (vec![settled.clone(), refunded.clone(), payout("5.51")], (0, 0), 1),
        // A date that is wrong does not take an amount out of the sum, an amount that is wrong does.
        (vec![settled.replace("2026-02-18", "soon"), refunded.clone(), payout("5.50")], (1, 0), 0),
        (vec![settled.replace("9.50", "9.5o"), refunded.clone(), payout("5.50")], (0, 0), 1),
        (vec![settled, refunded], (0, 1), 0),
    ] {
        let mut reader = reader(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        while reader.next().unwrap().is_some() {}
        assert_eq!((reader.batches(), reader.mismatches().len()), (adding_up, mismatches), "{lines:?}");
    }
}
