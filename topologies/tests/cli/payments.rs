//! `load-payments` without a cluster: dry runs, refusals, exit codes, memory.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use crate::shoppulse::Shoppulse;

const STRIPE: &str = "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,payment_metadata[order_id]\n";
const ADYEN: &str = "Merchant Account,Psp Reference,Merchant Reference,Creation Date,TimeZone,Type,Modification Reference,Gross Currency,\
                     Gross Debit (GC),Gross Credit (GC),Net Currency,Net Debit (NC),Net Credit (NC),Batch Number\n";

fn dry_run<'a>(provider: &'a str, file: &'a str) -> Vec<&'a str> {
    vec!["load-payments", "--provider", provider, "--shop", "s", "--dry-run", file]
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_dry_run_checks_reports_and_needs_no_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let shoppulse = Shoppulse::with_state(&dir.path().join("state"));
    let good = format!("{STRIPE}txn_1,2026-01-30 10:11:12,eur,10,0.5,9.5,charge,17\ntxn_2,soon,eur,1,0,1,fee,\n");
    let good = written(dir.path(), "good.csv", &good);
    shoppulse.say(&dry_run("stripe", &good)).expect(
        0,
        &["checked      ", "lines=2  written=0  with_order=1  charge=1  dead_lettered=1  bad_timestamp=1", "nothing was written"],
    );
    shoppulse
        .say(&dry_run("adyen", &good))
        .expect(1, &["refused      ", "lacks `Merchant Account`", "use --provider stripe", "could not be loaded"]);
    let unnamed = format!("{}\ntxn_1,2026-01-30 10:11:12,eur,10,0.5,9.5,charge\n", STRIPE.trim_end().rsplit_once(',').unwrap().0);
    let unnamed = written(dir.path(), "unnamed.csv", &unnamed);
    shoppulse.say(&dry_run("stripe", &unnamed)).expect(0, &["no orders    ", "`payments.stripe_order_columns`"]);
    let batch = format!(
        "{ADYEN}M,p1,17,2026-01-30 10:11:12,CET,Settled,m1,EUR,,10.00,EUR,,9.50,3\nM,,,2026-01-30 10:11:12,CET,MerchantPayout,,,,,EUR,9.00,,3\n"
    );
    let batch = written(dir.path(), "batch.csv", &batch);
    shoppulse.say(&dry_run("adyen", &batch)).expect(
        1,
        &[
            "mismatch     ",
            "batch 3 of M: its lines sum up to 9.50 EUR, and it pays out 9.00: 0.50 too much",
            "1 of Adyen's batches do not add up",
        ],
    );
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let shoppulse = Shoppulse::with_state(&dir.path().join("state"));
    let file = written(dir.path(), "good.csv", STRIPE);
    shoppulse.say(&["load-payments", "--provider", "paypal", "--shop", "s", &file]).expect(2, &["paypal"]);
    shoppulse.say(&["load-payments", "--provider", "stripe", "--shop", "s"]).expect(2, &[]);
    shoppulse.say(&["load-payments", "--provider", "stripe", "--shop", "a|b", &file]).expect(2, &["--shop"]);
    shoppulse.say(&dry_run("stripe", "/nonexistent.csv")).expect(1, &["/nonexistent.csv cannot be read"]);
    let zones = shoppulse.clone().set("PAYMENTS__TIME_ZONES", "IST");
    zones.say(&dry_run("stripe", &file)).expect(78, &["`payments.time_zones`", "IST=+05:30"]);
    let zone = shoppulse.clone().set("PAYMENTS__STRIPE_TIME_ZONE", "Europe/Berlin");
    zone.say(&dry_run("stripe", &file)).expect(78, &["`payments.stripe_time_zone`"]);
    let away = shoppulse.set("KAFKA__CONNECT_TIMEOUT_MS", "500");
    away.say(&["load-payments", "--provider", "stripe", "--shop", "s", &file]).expect(69, &["no broker at 127.0.0.1:9"]);
}

/// The most memory that a process has had, in KiB.
fn peak_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

#[test]
#[ignore = "writes a file of 1 GB"]
fn a_file_of_a_gigabyte_takes_no_more_memory_than_a_small_one() {
    const FILE_BYTES: usize = 1 << 30;
    const PEAK_MAX_KIB: u64 = 64 << 10;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.csv");
    let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
    file.write_all(STRIPE.as_bytes()).unwrap();
    let (mut bytes, mut lines) = (STRIPE.len(), 0_u64);
    while bytes < FILE_BYTES {
        let line = format!("txn_{lines:024},2026-01-30 10:11:12,eur,10.00,0.50,9.50,charge,{lines}\n");
        file.write_all(line.as_bytes()).unwrap();
        (bytes, lines) = (bytes + line.len(), lines + 1);
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let shoppulse = Shoppulse::with_state(&dir.path().join("state"));
    let mut child = shoppulse.start(&dry_run("stripe", path.to_str().unwrap()));
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak_kib(child.id()).unwrap_or(peak).max(peak);
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(&format!("lines={lines}  written=0")), "{said}");
    assert!((1..PEAK_MAX_KIB).contains(&peak), "{peak} KiB at most");
    writeln!(std::io::stderr(), "{lines} lines, at most {peak} KiB").unwrap();
}
