//! The way from a shop's real PostgreSQL through a real Debezium and a real Kafka to the curated rows, with everything on it that goes wrong in
//! a year. At the end the rows equal what a query says of the database. What each record means is tested beside the code.

#[path = "../e2e/cluster.rs"]
#[expect(dead_code, reason = "the tests of the whole binary use more of it")]
mod cluster;
mod curated;
mod database;
#[path = "../e2e/process.rs"]
#[expect(dead_code, reason = "the tests of the whole binary use more of it")]
mod process;
mod workload;

use std::time::Duration;

use cluster::Cluster;
use curated::Curated;
use database::{Database, pause};
use process::Process;
use workload::Workload;

const PARTITIONS: i32 = 4;
const POLL_EVERY: Duration = Duration::from_millis(100);
const SEED: u64 = 15;
const RUN: [&str; 5] = ["run", "--topologies", "orders,customers", "--set", "emit_every_ms=500"];
/// Asks for a snapshot of all three tables beside the stream.
const SIGNAL: &str = r#"insert into cdc.signal values (gen_random_uuid(), 'execute-snapshot',
    '{"type": "INCREMENTAL", "data-collections": ["public.customers", "public.orders", "public.order_items"]}')"#;

// covers: R31, R32, R33, R34, R35, R36, R37, R38, R39
#[test]
fn curated_rows_equal_a_query_on_the_database_after_all_that_can_go_wrong_between() {
    let Some(cluster) = Cluster::start(1) else { return };
    cluster.succeed(&["topics", "apply", "--execute"]);
    let mut shop = Workload::new(SEED);
    let database = Database::start(&cluster);
    database.write("before", &shop.transactions(60, 0)).finish();
    let mut pipeline = Process::start(cluster.shoppulse("one", &RUN), cluster.log("live"));

    changes_go_on_while_the_first_snapshot_is_taken(&database, &mut shop);
    a_worker_dies_while_a_snapshot_runs_beside_the_changes(&database, &mut shop);
    assert_eq!(pipeline.exit_code(), None, "it runs all the time:\n{}", pipeline.last_words());
    pipeline.kill();
    the_slot_is_lost_and_rows_go_unseen(&database, &mut shop);
    items_are_truncated(&database, &mut shop);
    database.write("after", &shop.transactions(30, 0)).finish();
    database.wait_until_followed();

    let mut rest = Process::start(cluster.shoppulse("one", &[&RUN[..], &["--until-end"]].concat()), cluster.log("rest"));
    assert_eq!(rest.wait(Duration::from_mins(2)), Some(0), "it comes to the end:\n{}", rest.last_words());
    compare(&cluster, &database);
}

/// Everything that a snapshot could miss is committed between the moment in which it begins to see and the one that it gives as its time.
fn changes_go_on_while_the_first_snapshot_is_taken(database: &Database<'_>, shop: &mut Workload) {
    let writer = database.write("first", &shop.transactions(250, 30));
    database.follow(PARTITIONS);
    writer.finish();
}

fn a_worker_dies_while_a_snapshot_runs_beside_the_changes(database: &Database<'_>, shop: &mut Workload) {
    database.sql("alter table customers replica identity default; alter table order_items replica identity default");
    shop.has_full_identity = false;
    let mut writer = database.write("beside", &shop.transactions(250, 30));
    database.sql(SIGNAL);
    pause(1_500);
    database.worker("kill");
    assert!(writer.is_writing(), "changes are made while nobody follows");
    database.worker("start");
    database.sql(SIGNAL);
    writer.finish();
    database.wait_until_followed();
    database.sql("alter table customers replica identity full; alter table order_items replica identity full");
    shop.has_full_identity = true;
}

/// What is changed meanwhile is mended by the snapshot that the connector then takes by itself; what is deleted, only by telling.
fn the_slot_is_lost_and_rows_go_unseen(database: &Database<'_>, shop: &mut Workload) {
    database.connector("stop");
    database.wait_for("select active from pg_replication_slots", "f");
    database.sql("select pg_drop_replication_slot('shoppulse')");
    database.write("unseen", &shop.transactions(40, 0)).finish();
    let writer = database.write("again", &shop.transactions(100, 30));
    database.connector("resume");
    database.wait_for("select active from pg_replication_slots", "t");
    writer.finish();
    for table in ["customers", "orders", "order_items"] {
        database.forget(table, shop.last_id());
    }
}

fn items_are_truncated(database: &Database<'_>, shop: &mut Workload) {
    let refusal = database.refuse("truncate order_items");
    assert!(refusal.contains("can't be followed row by row"), "{refusal}");
    database.sql("alter table order_items disable trigger refuse_truncate; truncate order_items");
    database.sql("alter table order_items enable trigger refuse_truncate");
    let last = shop.last_id();
    shop.lose_items();
    database.write("onwards", &shop.transactions(20, 0)).finish();
    database.forget("order_items", last);
}

fn compare(cluster: &Cluster, database: &Database<'_>) {
    let curated = |topic: &str, columns: &[&str]| {
        Curated::of_tail(&cluster.succeed(&["tail", topic, "--from-beginning", "--until-end"]), columns)
    };
    let facts = Curated::of_query(&database.sql(include_str!("order_facts.sql")));
    let customers = Curated::of_query(&database.sql(include_str!("customers.sql")));
    assert!(
        facts.len() > 40 && customers.len() > 40,
        "there is something left to compare: {} and {}",
        facts.len(),
        customers.len()
    );
    facts.assert_equals(&curated("curated.order_facts", &["updated_at"]), "facts");
    customers.assert_equals(&curated("curated.customers", &["updated_at", "valid_from"]), "customers");
    let history = curated("curated.customer_history", &["updated_at", "valid_from", "valid_to"]);
    customers.assert_equals(&history.current_versions(), "current versions");

    let letters = cluster.succeed(&["tail", "dlq.shoppulse", "--from-beginning", "--until-end"]);
    let letters: Vec<&str> = letters.lines().collect();
    assert_eq!(letters.len(), 1, "the truncate and nothing else is dead-lettered: {letters:?}");
    assert!(letters[0].contains("unsupported_op") && letters[0].contains("cdc.shop.public.order_items"), "{}", letters[0]);
    assert!(curated::repetitions(&cluster.succeed(&["tail", "ops.quality", "--from-beginning", "--until-end"])) > 0);
}
