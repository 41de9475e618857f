//! One suite of cases over the ports to Kafka, run against each adapter: the embedded cluster and a real
//! one. A case passes on both or one adapter is wrong. What only the embedded cluster can do is in `embedded`.

#![expect(clippy::unwrap_used, reason = "a case fails by panicking, in its helpers too")]

mod administration;
mod embedded;
mod groups;
mod harness;
#[path = "../support/real_kafka.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod real_kafka;
mod records;
mod sending;
mod transactions;

use std::collections::BTreeMap;

use highwater::kafka::rdkafka::RdKafka;

/// A real cluster to run the cases against.
fn real_cluster() -> RdKafka {
    RdKafka::new(real_kafka::bootstrap_servers(), BTreeMap::new()).expect("no properties")
}

/// Makes a test of each case for each adapter.
macro_rules! cases {
    ($($module:ident: $($case:ident),+;)+) => {
        mod on_the_embedded_cluster {
            $($(#[test]
            fn $case() {
                crate::$module::$case(&crate::embedded::cluster(), stringify!($case));
            })+)+
        }

        mod on_a_real_cluster {
            $($(#[test]
            fn $case() {
                // A cluster that is used again remembers the names of earlier runs.
                let unique = format!("{}-{}", stringify!($case), std::process::id());
                crate::$module::$case(&crate::real_cluster(), &unique);
            })+)+
        }
    };
}

cases! {
    records:
        records_come_back_in_order_with_keys_values_times_and_headers,
        a_poll_brings_at_most_as_much_as_asked,
        reading_from_the_end_brings_only_what_follows,
        an_oversized_record_is_refused_and_the_transaction_can_be_aborted,
        watermarks_tell_the_end_and_the_last_stable_offset,
        deleted_records_are_out_of_range,
        offsets_are_found_by_time,
        an_unknown_topic_is_told_as_such;
    sending:
        a_receipt_is_told_when_all_of_its_records_are_in_the_log,
        a_refused_record_fails_its_own_receipt_and_no_other;
    transactions:
        ends_of_partitions_count_markers,
        only_uncommitted_readers_see_what_was_aborted,
        an_open_transaction_holds_committed_readers_back,
        a_newer_producer_fences_the_older_and_aborts_its_transaction,
        positions_commit_with_the_outputs_or_not_at_all,
        committed_positions_are_stable,
        an_empty_transaction_commits_without_a_trace,
        acknowledged_positions_never_overtake_the_log,
        a_clean_commit_is_not_doubtful;
    groups:
        members_share_partitions_and_hand_them_over,
        co_partitions_come_along_without_a_subscription,
        a_restarted_static_member_finds_its_partitions_again,
        a_member_that_rejoins_makes_the_group_share_out_anew,
        a_second_member_with_the_same_instance_id_fences_the_first,
        positions_of_an_older_generation_are_refused,
        positions_of_partitions_of_others_are_accepted,
        a_member_commits_outside_transactions_too,
        a_paused_partition_rests_and_a_seek_repeats,
        an_unassigned_partition_brings_nothing_more,
        an_empty_poll_returns_in_time;
    administration:
        a_topic_is_created_once_and_described,
        settings_of_a_topic_are_read_and_changed,
        a_wrong_topic_is_refused,
        positions_of_a_group_are_set_only_while_it_is_empty,
        a_deleted_topic_is_told_to_its_readers,
        brokers_are_counted;
}

/// What the embedded cluster does not do, and better so.
#[test]
fn a_static_member_that_returns_between_two_rounds_leaves_a_partition_to_nobody() {
    let unique = format!("between-two-rounds-{}", std::process::id());
    groups::a_static_member_that_returns_between_two_rounds_leaves_a_partition_to_nobody(&real_cluster(), &unique);
}
