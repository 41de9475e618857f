//! The way from a shop's real PostgreSQL through a real Debezium and a real Kafka to the curated rows, with everything on it that goes wrong in
//! a year. At the end the rows equal what a query says of the database. What each record means is tested beside the code.

#[path = "../e2e/cluster.rs"]
#[expect(dead_code, reason = "the tests of the whole binary use more of it")]
mod cluster;
mod curated;
mod database;
#[path = "../e2e/process.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod process;
#[path = "../support/real_kafka.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod real_kafka;
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
    let cluster = Cluster::start(1);
    cluster.succeed(&["topics", "apply", "--execute"]);
    let mut shop = Workload::new(SEED);
    let database = Database::start(&cluster);
    database.write("before", &shop.transactions(60, 0)).finish();
    let mut pipeline = Process::start(cluster.shoppulse("one", &RUN), cluster.log("live"));

    changes_go_on_while_the_first_snapshot_is_taken(&database, &mut shop);
    a_worker_stutters_and_dies_while_a_snapshot_runs_beside_the_changes(&database, &mut shop);
    // Before another snapshot mends what these two may have cost.
    wait_for_equal_rows(&cluster, &database, &mut pipeline);
    pipeline.kill();
    the_slot_is_lost_and_rows_go_unseen(&database, &mut shop);
    let mut pipeline = Process::start(cluster.shoppulse("one", &RUN), cluster.log("live-again"));
    items_are_truncated(&database, &mut shop);
    database.write("after", &shop.transactions(30, 0)).finish();
    database.wait_until_followed();

    wait_for_equal_rows(&cluster, &database, &mut pipeline);
    pipeline.terminate();
    assert_eq!(pipeline.wait(Duration::from_secs(30)), Some(0), "it leaves in order:\n{}", pipeline.last_words());
    expect_one_dead_letter_and_repetitions(&cluster);
}

/// Everything that a snapshot could miss is committed between the moment in which it begins to see and the one that it gives as its time.
fn changes_go_on_while_the_first_snapshot_is_taken(database: &Database<'_>, shop: &mut Workload) {
    let writer = database.write("first", &shop.transactions(250, 30));
    database.follow(PARTITIONS);
    writer.finish();
}

fn a_worker_stutters_and_dies_while_a_snapshot_runs_beside_the_changes(database: &Database<'_>, shop: &mut Workload) {
    database.sql("alter table customers replica identity default; alter table order_items replica identity default");
    shop.has_full_identity = false;
    let writer = database.write("beside", &shop.transactions(300, 20));
    // A connector that falls behind gives a snapshot row a time that is later than changes which come behind it.
    for _ in 0..6 {
        database.sql(SIGNAL);
        pause(150);
        database.worker("pause");
        pause(700);
        database.worker("resume");
        pause(150);
    }
    writer.finish();
    // It sleeps for five seconds alone, however long the above has taken.
    let mut writer = database.write("alone", &shop.transactions(200, 25));
    database.sql(SIGNAL);
    pause(150);
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

/// The database rests, so the rows have to become equal to it, and then stay so.
fn wait_for_equal_rows(cluster: &Cluster, database: &Database<'_>, pipeline: &mut Process) {
    const ATTEMPTS: usize = 60;
    // Nothing was paid.
    let facts = [include_str!("../../oracle/sql/payment_lines.sql"), include_str!("../../oracle/sql/order_facts.sql")].concat();
    let facts = Curated::of_query(&database.sql(&facts));
    let customers = Curated::of_query(&database.sql(include_str!("../../oracle/sql/customers.sql")));
    assert!(
        facts.len() > 40 && customers.len() > 40,
        "there is something left to compare: {} and {}",
        facts.len(),
        customers.len()
    );
    let differences = || {
        let curated = |topic: &str, left_out: &[&str]| Curated::of_tail(&read(cluster, topic), left_out);
        let history = curated("curated.customer_history", &["updated_at", "valid_from", "valid_to"]);
        [
            facts.differences(&curated("curated.order_facts", &["updated_at"]), "facts"),
            customers.differences(&curated("curated.customers", &["updated_at", "valid_from"]), "customers"),
            customers.differences(&history.current_versions(), "current versions"),
        ]
        .concat()
    };
    for _ in 0..ATTEMPTS {
        if differences().is_empty() {
            break;
        }
        assert_eq!(pipeline.exit_code(), None, "it runs all the time:\n{}", pipeline.last_words());
        pause(1_000);
    }
    pause(2_000);
    let lasting = differences();
    assert!(lasting.is_empty(), "rows differ for good:\n{}\n{}", lasting.join("\n"), pipeline.last_words());
}

fn expect_one_dead_letter_and_repetitions(cluster: &Cluster) {
    let letters = read(cluster, "dlq.shoppulse");
    let letters: Vec<&str> = letters.lines().collect();
    assert_eq!(letters.len(), 1, "the truncate and nothing else is dead-lettered: {letters:?}");
    assert!(letters[0].contains("unsupported_op") && letters[0].contains("cdc.shop.public.order_items"), "{}", letters[0]);
    let repetitions = curated::repetitions(&read(cluster, "ops.quality"));
    assert!(repetitions > 0, "a worker that was killed sends some changes again, and they are counted");
}

fn read(cluster: &Cluster, topic: &str) -> String {
    cluster.succeed(&["tail", topic, "--from-beginning", "--until-end"])
}
