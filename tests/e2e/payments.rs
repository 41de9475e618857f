//! Payment reports through the binary into a real Kafka, and on to order facts. The files are in the providers' formats, and ours.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use highwater::time::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::POLL_EVERY;
use crate::cluster::{Cluster, one_at_a_time};
use crate::process::Process;

/// With a byte order mark, `\r\n`, a line break within a field, a line of nonsense, and columns in an order of their own.
const STRIPE: &str = "\u{feff}reporting_category,balance_transaction_id,gross,fee,net,currency,created_utc,description,customer_email,payment_metadata[order_id]\r\n\
    charge,txn_1,25.00,0.95,24.05,usd,2026-01-30 10:11:12,\"Two\r\nlines\",ada@example.com,1001\r\n\
    refund,txn_2,-5.00,0.00,-5.00,usd,2026-01-31 10:11:12,,ada@example.com,1001\r\n\
    charge,txn_3,1000,36,964,jpy,2026-01-30 10:11:12,,,1002\r\n\
    charge,txn_4,12.3456,0,12.3456,kwd,2026-01-30 10:11:12,,,1003\r\n\
    payout,txn_5,-19.05,0.00,-19.05,usd,2026-02-02 00:00:00,,,\r\n";
/// The same transactions as the other report has them.
const STRIPE_AGAIN: &str = "automatic_payout_id,balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,payment_metadata[order_id]\n\
    po_1,txn_1,2026-01-30 10:11:12,USD,25,0.95,24.05,charge,1001\n\
    po_1,txn_2,2026-01-31 10:11:12,USD,-5,0,-5,refund,1001\n";
const ADYEN: &str = "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,\
Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),Commission (NC),\
Markup (NC),Scheme Fees (NC),Interchange (NC),Batch Number\n\
    Shop,ShopCOM,8535000000000001,2001,visa,2026-02-18 16:10:51,PST,Settled,8535000000000011,EUR,,40.00,1,EUR,,39.00,1.00,,,,7\n\
    Shop,ShopCOM,8535000000000002,2001,visa,2026-02-18 16:20:51,MARS,Settled,8535000000000012,EUR,,9.00,1,EUR,,9.00,,,,,7\n\
    Shop,ShopCOM,,,,2026-02-19 00:00:00,CET,MerchantPayout,,,,,,EUR,48.00,,,,,,7\n";

fn rows(cluster: &Cluster, topic: &str) -> Vec<Value> {
    let printed = cluster.succeed(&["tail", topic, "--from-beginning", "--until-end"]);
    printed.lines().map(|line| serde_json::from_str(line).expect("a line of `tail` is JSON")).collect()
}

/// The files' leading spaces are the source text's.
fn write(cluster: &Cluster, folder: &str, name: &str, text: &str) -> String {
    let folder = cluster.path(folder);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    std::fs::write(folder.join(name), text.replace("\n    ", "\n")).expect("a file can be written");
    folder.to_str().expect("a path of text").to_owned()
}

fn load(cluster: &Cluster, provider: &str, arguments: &[&str]) -> String {
    cluster.succeed(&[&["load-payments", "--provider", provider, "--shop", "s1"], arguments].concat())
}

#[test]
fn reports_become_order_facts_once() {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(1);
    let stripe = write(&cluster, "stripe", "balance.csv", STRIPE);
    write(&cluster, "stripe", "payouts.csv", STRIPE_AGAIN);
    let adyen = write(&cluster, "adyen", "batch-7.csv", ADYEN);
    let dry = load(&cluster, "stripe", &[&stripe, "--dry-run"]);
    assert!(dry.contains("total        files=2  lines=7  written=0  dead_lettered=1"), "{dry}");
    let early = cluster.shoppulse("tools", &["load-payments", "--provider", "stripe", "--shop", "s1", &stripe]).output();
    let early = early.expect("the binary runs");
    assert_eq!(early.status.code(), Some(78), "topics are missing");
    assert!(String::from_utf8_lossy(&early.stderr).contains("topics apply --execute"));

    cluster.succeed(&["topics", "apply", "--execute"]);
    for again in [false, true] {
        let said = [load(&cluster, "stripe", &[&stripe]), load(&cluster, "adyen", &[&format!("file://{adyen}/")])].concat();
        assert!(said.contains("adding_up=1  without_payout=0"), "{said}");
        assert!(said.contains(if again { "files=2  lines=7  written=0" } else { "files=2  lines=7  written=7" }), "{said}");
    }
    check_records(&cluster);
    cluster.succeed(&["run", "--topologies", "orders", "--until-end"]);
    check_facts(&cluster);
    let mut books: BTreeMap<String, i64> = BTreeMap::new();
    for row in rows(&cluster, "ops.quality").iter().map(|row| &row["value"]).filter(|row| row["topic"] == "raw.payments") {
        let name = format!("{} {} {}", row["partition"], row["minute"], row["outcome"].as_str().unwrap_or_default());
        books.insert(format!("{name} {}", row["reason"]), row["count"].as_i64().unwrap_or_default());
    }
    let sum = |outcome: &str| books.iter().filter(|(name, _)| name.contains(outcome)).map(|(_, count)| count).sum::<i64>();
    assert_eq!((sum(" in "), sum(" duplicate "), sum(" dead_lettered ")), (8, 2, 0), "{books:?}");
}

fn check_records(cluster: &Cluster) {
    let payments = rows(cluster, "raw.payments");
    assert_eq!(payments.len(), 8);
    assert!(!format!("{payments:?}").contains("ada@"), "nothing personal is copied");
    let reasons: BTreeMap<String, Value> = rows(cluster, "dlq.shoppulse")
        .iter()
        .map(|letter| {
            let headers = &letter["headers"];
            let at = [&headers["dlq.topic"], &headers["dlq.partition"], &headers["dlq.offset"]];
            (at.map(|part| part.as_str().unwrap_or_default()).join(" "), headers["dlq.reason"].clone())
        })
        .collect();
    let expected = [("balance.csv -1 6", "bad_value"), ("batch-7.csv -1 3", "bad_timestamp")];
    assert_eq!(reasons, expected.map(|(at, reason)| (at.to_owned(), json!(reason))).into());
    let marks = rows(cluster, "ops.loads");
    assert_eq!(marks.len(), 3, "one mark for each file");
    assert!(marks.iter().all(|mark| mark["value"]["is_complete"] == json!(true)), "{marks:?}");
}

fn check_facts(cluster: &Cluster) {
    let facts: BTreeMap<String, Value> = rows(cluster, "curated.order_facts")
        .into_iter()
        .map(|row| (row["value"]["order_id"].as_str().unwrap_or_default().to_owned(), row["value"].clone()))
        .collect();
    for (order, currency, paid, refunded, fees, net, payments) in [
        ("1001", "USD", 2_500, 500, 95, 1_905, 2),
        ("1002", "JPY", 1_000, 0, 36, 964, 1),
        ("2001", "EUR", 4_000, 0, 100, 3_900, 1),
    ] {
        let fact = &facts[order];
        let got =
            ["paid_minor", "refunded_minor", "fees_minor", "net_minor", "payments"].map(|name| fact[name].as_i64().unwrap_or(-1));
        assert_eq!((got, &fact["currency"]), ([paid, refunded, fees, net, payments], &json!(currency)), "{order}: {fact}");
    }
    assert_eq!(facts.len(), 3);
}

#[test]
fn a_load_that_is_killed_goes_on_and_writes_each_line_once() {
    const LINES: usize = 120_000;
    let _turn = one_at_a_time();
    let cluster = Cluster::start(1);
    cluster.succeed(&["topics", "apply", "--execute"]);
    let mut file =
        "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,payment_metadata[order_id]\n".to_owned();
    for number in 0..LINES {
        writeln!(file, "txn_{number},2026-01-30 10:11:12,eur,1.00,0.10,0.90,charge,{}", number / 2).expect("text grows");
    }
    let folder = write(&cluster, "big", "big.csv", &file);
    let arguments = ["load-payments", "--provider", "stripe", "--shop", "s1", &folder, "--set", "payments.chunk_lines=500"];
    let mut first = Process::start(cluster.shoppulse("one", &arguments), cluster.log("first"));
    while rows(&cluster, "ops.loads").is_empty() {
        assert_eq!(first.exit_code(), None, "it ended before it could be killed:\n{}", first.last_words());
        SystemClock.sleep(POLL_EVERY);
    }
    first.kill();
    let killed_at = rows(&cluster, "ops.loads").len();
    assert!(killed_at * 500 < LINES, "it was killed in the middle");
    let mut second = Process::start(cluster.shoppulse("one", &arguments), cluster.log("second"));
    assert_eq!(second.wait(Duration::from_mins(2)), Some(0), "{}", second.last_words());
    assert!(second.last_words().contains("continued"), "{}", second.last_words());
    let keys: Vec<String> = rows(&cluster, "raw.payments").iter().map(|row| row["key"].to_string()).collect();
    let distinct: std::collections::BTreeSet<&String> = keys.iter().collect();
    assert_eq!((keys.len(), distinct.len()), (LINES, LINES), "each line once");
}
