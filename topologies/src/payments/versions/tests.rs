//! Rule 42, versions: what counts, and which orders hear of it.

use super::*;
use crate::payments::line::{Kind, Provider};

fn key() -> LineKey {
    LineKey { shop_id: "s1".into(), provider: Provider::Stripe, line_id: "txn_1".into() }
}

fn version(order_id: Option<&str>, gross_minor: i64) -> LineVersion {
    LineVersion {
        order_id: order_id.map(str::to_owned),
        kind: Kind::Charge,
        currency: "EUR".into(),
        gross_minor,
        fee_minor: 0,
        net_minor: gross_minor,
        occurred_at: 1_000 + gross_minor,
        available_on: None,
    }
}

/// `17=100` says that order 17 has the line with a gross of 100, `17-` that it lost it.
fn told(updates: &[ComponentUpdate]) -> String {
    let one = |update: &ComponentUpdate| match &update.component {
        Component::Line(_, Some(amounts)) => format!("{}={}", update.order_id, amounts.gross_minor),
        Component::Line(_, None) => format!("{}-", update.order_id),
        other => panic!("no line: {other:?}"),
    };
    updates.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn rule_42_the_newest_version_counts_and_repetitions_do_not() {
    let mut state = LineState::default();
    for (order_id, gross, verdict, expected) in [
        (Some("17"), 100, Verdict::Processed, "17=100"),
        (Some("17"), 100, Verdict::DUPLICATE_LINE, ""),
        (Some("17"), 200, Verdict::Corrected, "17=200"),
        (Some("17"), 100, Verdict::DUPLICATE_LINE, ""),
        (Some("18"), 200, Verdict::Corrected, "17- 18=200"),
        (None, 200, Verdict::NO_ORDER, "18-"),
        (None, 200, Verdict::DUPLICATE_LINE, ""),
        (None, 300, Verdict::NO_ORDER, ""),
        (Some("18"), 300, Verdict::Corrected, "18=300"),
        (Some("017"), 300, Verdict::Corrected, "18- 017=300"),
    ] {
        let (found, updates) = state.apply(&key(), version(order_id, gross));
        assert_eq!((found, told(&updates).as_str()), (verdict, expected), "{order_id:?} {gross}");
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        assert_eq!(LineState::decode(&bytes), Ok(state.clone()));
    }
    let mut state = LineState::default();
    assert_eq!(state.apply(&key(), version(None, 1)).0, Verdict::NO_ORDER);
    assert_eq!(state.apply(&key(), version(Some("17"), 1)).0, Verdict::Corrected);
}

#[test]
fn rule_42_eight_versions_are_remembered() {
    let mut state = LineState::default();
    for gross in 1..=8 {
        state.apply(&key(), version(Some("17"), gross));
    }
    assert_eq!(
        state.apply(&key(), version(Some("17"), 1)).0,
        Verdict::DUPLICATE_LINE,
        "the eighth from the end, the current one among them"
    );
    assert_eq!(state.apply(&key(), version(Some("17"), 9)).0, Verdict::Corrected);
    assert_eq!(state.apply(&key(), version(Some("17"), 2)).0, Verdict::DUPLICATE_LINE, "a duplicate doesn't push one out");
    let (verdict, updates) = state.apply(&key(), version(Some("17"), 1));
    assert_eq!((verdict, told(&updates).as_str()), (Verdict::Corrected, "17=1"), "the ninth from the end is forgotten");
}

#[test]
fn rule_42_versions_differ_by_any_column_but_where_they_were_found() {
    let base = version(Some("17"), 100);
    for changed in [
        LineVersion { kind: Kind::Other, ..base.clone() },
        LineVersion { currency: "USD".into(), ..base.clone() },
        LineVersion { fee_minor: 1, ..base.clone() },
        LineVersion { net_minor: 1, ..base.clone() },
        LineVersion { occurred_at: 1, ..base.clone() },
        LineVersion { available_on: Some(1), ..base.clone() },
    ] {
        let mut state = LineState::default();
        state.apply(&key(), base.clone());
        let (verdict, updates) = state.apply(&key(), changed.clone());
        assert_eq!((verdict, told(&updates).as_str()), (Verdict::Corrected, "17=100"), "{changed:?}");
        assert_eq!(updates[0].changed_at, changed.occurred_at);
    }
}
