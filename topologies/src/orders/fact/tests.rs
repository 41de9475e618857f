//! Rules 38 to 41: components and the facts they add up to, and properties over orders of arrival.

use proptest::prelude::*;

use super::*;
use crate::cdc::rows::Amount;
use crate::cdc::{Cell, Change, ItemRow, Op, OrderRow, RowState};
use crate::orders::component::{apply_item, apply_order};
use crate::payments::line::{Kind, LineVersion, Provider};
use crate::payments::versions::LineState;

const ORDER: &str = "17";

fn order() -> OrderColumns {
    OrderColumns {
        shop_id: "s1".into(),
        customer_id: Some(3),
        status: Some("new".into()),
        currency: "EUR".into(),
        exponent: 2,
        discount_minor: 150,
        shipping_minor: 500,
        tax_minor: 50,
        placed_at: 1,
    }
}

fn item(quantity: i64, unit_price: &str) -> ItemPrice {
    ItemPrice { quantity, unit_price: Amount::parse(unit_price).unwrap() }
}

fn key(shop_id: &str, line_id: &str) -> LineKey {
    LineKey { shop_id: shop_id.into(), provider: Provider::Stripe, line_id: line_id.into() }
}

fn line(kind: Kind, gross_minor: i64) -> LineAmounts {
    LineAmounts { kind, currency: "EUR".into(), gross_minor, fee_minor: 0, occurred_at: 100 }
}

fn state(components: impl IntoIterator<Item = Component>) -> OrderState {
    let mut state = OrderState::default();
    for component in components {
        state.apply(ComponentUpdate { order_id: ORDER.into(), changed_at: 10, component });
    }
    state
}

/// The fact of shop s1 for an order that costs 1000, its items aside if there are none, and these lines.
fn fact_of(order: Option<OrderColumns>, items: &[ItemPrice], lines: &[LineAmounts]) -> FactColumns {
    let items = items.iter().enumerate().map(|(id, item)| Component::Item(id as i64, Some(item.clone())));
    let lines = lines.iter().enumerate().map(|(id, line)| Component::Line(key("s1", &id.to_string()), Some(line.clone())));
    state(order.map(|order| Component::Order(Some(order))).into_iter().chain(items).chain(lines))
        .facts(ORDER)
        .remove("s1")
        .expect("a fact of s1")
}

fn costs(gross_minor: i64) -> OrderColumns {
    OrderColumns { discount_minor: 0, shipping_minor: gross_minor, tax_minor: 0, ..order() }
}

#[test]
fn rule_39_items_are_rounded_each_and_summed() {
    let fact = fact_of(Some(order()), &[item(1, "0.335"), item(2, "0.335"), item(3, "9.99"), item(-1, "0.005")], &[]);
    assert_eq!((fact.lines, fact.units, fact.items_minor), (4, 5, 34 + 67 + 2_997 - 1));
    assert_eq!((fact.discount_minor, fact.shipping_minor, fact.tax_minor), (150, 500, 50));
    assert_eq!(fact.gross_minor, 3_097 - 150 + 500 + 50);
    let yen = OrderColumns { currency: "JPY".into(), exponent: 0, ..order() };
    assert_eq!(fact_of(Some(yen), &[item(1, "0.5"), item(1, "0.4")], &[]).items_minor, 1);
}

#[test]
fn rule_40_each_kind_enters_its_sum() {
    let with_fee = |kind, gross, fee| LineAmounts { fee_minor: fee, ..line(kind, gross) };
    let lines = [
        with_fee(Kind::Charge, 1_000, 30),
        with_fee(Kind::Charge, 200, 0),
        with_fee(Kind::Refund, -100, -3),
        with_fee(Kind::Dispute, -50, 15),
        with_fee(Kind::DisputeReversal, 20, 0),
        with_fee(Kind::Fee, -7, 0),
        with_fee(Kind::Payout, -9_000, 1),
        with_fee(Kind::Adjustment, 77, 2),
        with_fee(Kind::Other, 88, 4),
    ];
    let fact = fact_of(Some(order()), &[], &lines);
    assert_eq!((fact.paid_minor, fact.refunded_minor, fact.disputed_minor), (1_200, 100, 30));
    assert_eq!(fact.fees_minor, 30 - 3 + 15 + 1 + 2 + 4 + 7);
    assert_eq!(fact.net_minor, 1_200 - 100 - 30 - 56);
    assert_eq!(fact.payments, 9);
}

#[test]
fn rule_41_the_payment_state_is_the_first_that_holds() {
    use Kind::{Charge, Dispute, DisputeReversal, Refund};
    let dollars = LineAmounts { currency: "USD".into(), ..line(Charge, 5) };
    for (name, order, items, lines, expected) in [
        ("nothing", Some(costs(1_000)), &[][..], vec![], "unpaid"),
        ("nothing due, no items", Some(costs(0)), &[], vec![], "unpaid"),
        ("nothing due, a free item", Some(costs(0)), &[item(1, "0")], vec![], "paid"),
        ("less than nothing due", Some(costs(-10)), &[item(1, "0")], vec![], "paid"),
        ("less than nothing due, no items", Some(costs(-10)), &[], vec![], "unpaid"),
        ("paid back more than paid, free", Some(costs(0)), &[item(1, "0")], vec![line(Charge, -5)], "paid"),
        ("a free order that is paid", Some(costs(0)), &[item(1, "0")], vec![line(Charge, 5)], "overpaid"),
        ("some", Some(costs(1_000)), &[], vec![line(Charge, 999)], "partial"),
        ("all", Some(costs(1_000)), &[], vec![line(Charge, 400), line(Charge, 600)], "paid"),
        ("more", Some(costs(1_000)), &[], vec![line(Charge, 1_001)], "overpaid"),
        ("partly refunded", Some(costs(1_000)), &[], vec![line(Charge, 1_000), line(Refund, -999)], "paid"),
        ("refunded", Some(costs(1_000)), &[], vec![line(Charge, 1_000), line(Refund, -1_000)], "refunded"),
        ("refunded without charge", Some(costs(1_000)), &[], vec![line(Refund, -1)], "refunded"),
        (
            "disputed before refunded",
            Some(costs(1_000)),
            &[],
            vec![line(Charge, 5), line(Refund, -5), line(Dispute, -1)],
            "disputed",
        ),
        (
            "a dispute reversed",
            Some(costs(1_000)),
            &[],
            vec![line(Charge, 1_000), line(Dispute, -5), line(DisputeReversal, 5)],
            "paid",
        ),
        ("another currency", Some(costs(1_000)), &[], vec![line(Dispute, -5), dollars.clone()], "currency_mismatch"),
        ("no order, paid", None, &[], vec![line(Charge, 5)], "paid"),
        ("no order, nothing paid", None, &[], vec![line(Kind::Fee, -5)], "unpaid"),
        ("no order, refunded", None, &[], vec![line(Charge, 5), line(Refund, -5)], "refunded"),
        ("no order, two currencies", None, &[], vec![line(Charge, 5), dollars], "currency_mismatch"),
    ] {
        assert_eq!(fact_of(order, items, &lines).payment_state.as_str(), expected, "{name}");
    }
}

#[test]
fn rule_41_times_are_those_of_all_currencies() {
    let at = |kind, currency: &str, occurred_at| LineAmounts { currency: currency.into(), occurred_at, ..line(kind, 5) };
    let lines = [at(Kind::Fee, "EUR", 1), at(Kind::Charge, "USD", 2), at(Kind::Charge, "EUR", 3), at(Kind::Payout, "USD", 9)];
    let fact = fact_of(Some(order()), &[], &lines);
    assert_eq!((fact.first_paid_at, fact.last_payment_at, fact.paid_minor, fact.payments), (Some(2), Some(9), 5, 4));
    let fact = fact_of(Some(order()), &[], &[at(Kind::Refund, "EUR", 4)]);
    assert_eq!((fact.first_paid_at, fact.last_payment_at), (None, Some(4)));
    let fact = fact_of(Some(order()), &[], &[]);
    assert_eq!((fact.first_paid_at, fact.last_payment_at, fact.customer_id.as_deref()), (None, None, Some("3")));
}

#[test]
fn rule_40_without_order_the_first_lines_currency_rules() {
    let at = |currency: &str, occurred_at| LineAmounts { currency: currency.into(), occurred_at, ..line(Kind::Charge, 5) };
    let adyen = LineKey { provider: Provider::Adyen, ..key("s1", "z") };
    for (name, lines, expected) in [
        ("by time", vec![(key("s1", "a"), at("EUR", 2)), (key("s1", "b"), at("USD", 1))], "USD"),
        ("then by provider", vec![(key("s1", "a"), at("EUR", 1)), (adyen, at("USD", 1))], "USD"),
        ("then by line id", vec![(key("s1", "b"), at("EUR", 1)), (key("s1", "a"), at("USD", 1))], "USD"),
    ] {
        let state = state(lines.into_iter().map(|(key, line)| Component::Line(key, Some(line))));
        let fact = &state.facts(ORDER)["s1"];
        assert_eq!((fact.currency.as_deref(), fact.paid_minor, fact.payments), (Some(expected), 5, 2), "{name}");
        assert_eq!(fact.payment_state, PaymentState::CurrencyMismatch, "{name}");
    }
}

#[test]
fn rule_38_a_payments_only_fact_has_no_order_columns() {
    let state = state([Component::Item(1, Some(item(2, "5"))), Component::Line(key("s1", "a"), Some(line(Kind::Charge, 5)))]);
    let expected = FactColumns {
        shop_id: "s1".into(),
        order_id: ORDER.into(),
        customer_id: None,
        status: None,
        currency: Some("EUR".into()),
        placed_at: None,
        lines: 0,
        units: 0,
        items_minor: 0,
        discount_minor: 0,
        shipping_minor: 0,
        tax_minor: 0,
        gross_minor: 0,
        paid_minor: 5,
        refunded_minor: 0,
        disputed_minor: 0,
        fees_minor: 0,
        net_minor: 5,
        payment_state: PaymentState::Paid,
        payments: 1,
        first_paid_at: Some(100),
        last_payment_at: Some(100),
        has_order: false,
        is_deleted: false,
        updated_at: 10,
    };
    assert_eq!(state.facts(ORDER), BTreeMap::from([("s1".to_owned(), expected)]));
    assert_eq!(self::state([Component::Item(1, Some(item(2, "5")))]).facts(ORDER), BTreeMap::new(), "items alone are no fact");
}

/// Applies an update and describes what must be written: `shop` a row, `-shop` a delete, with what of the order it shows.
fn told(state: &mut OrderState, changed_at: i64, component: Component) -> Vec<String> {
    let before = state.facts(ORDER);
    state.apply(ComponentUpdate { order_id: ORDER.into(), changed_at, component });
    let one = |fact: FactColumns| {
        let sign = if fact.is_deleted { "-" } else { "" };
        format!(
            "{sign}{} order={} items={} payments={} @{}",
            fact.shop_id, fact.has_order, fact.lines, fact.payments, fact.updated_at
        )
    };
    state.differences(&before, ORDER).into_iter().map(one).collect()
}

#[test]
fn rule_38_facts_come_and_go_with_what_they_are_made_of() {
    let mut state = OrderState::default();
    let s2 = OrderColumns { shop_id: "s2".into(), ..order() };
    for (changed_at, component, expected) in [
        (10, Component::Item(1, Some(item(1, "5"))), vec![]),
        (20, Component::Order(Some(order())), vec!["s1 order=true items=1 payments=0 @20"]),
        (20, Component::Order(Some(order())), vec![]),
        (30, Component::Line(key("s2", "a"), Some(line(Kind::Charge, 5))), vec!["s2 order=false items=0 payments=1 @30"]),
        (25, Component::Line(key("s1", "b"), Some(line(Kind::Charge, 5))), vec!["s1 order=true items=1 payments=1 @25"]),
        (40, Component::Item(1, None), vec!["s1 order=true items=0 payments=1 @40"]),
        (35, Component::Item(2, Some(item(1, "5"))), vec!["s1 order=true items=1 payments=1 @40"]),
        (50, Component::Order(Some(s2)), vec!["s1 order=false items=0 payments=1 @50", "s2 order=true items=1 payments=1 @50"]),
        (60, Component::Line(key("s1", "b"), None), vec!["-s1 order=false items=0 payments=1 @60"]),
        (70, Component::Order(None), vec!["s2 order=false items=0 payments=1 @70"]),
        (80, Component::Line(key("s2", "a"), None), vec!["-s2 order=false items=0 payments=1 @80"]),
        (90, Component::Item(2, None), vec![]),
        (5, Component::Order(Some(order())), vec!["s1 order=true items=0 payments=0 @90"]),
        (6, Component::Order(None), vec!["-s1 order=true items=0 payments=0 @60"]),
    ] {
        assert_eq!(told(&mut state, changed_at, component.clone()), expected, "{component:?}");
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        assert_eq!(OrderState::decode(&bytes), Ok(state.clone()));
    }
}

#[test]
fn sums_beyond_64_bits_stay_at_the_end_of_the_range() {
    let lines = [
        line(Kind::Charge, i64::MAX),
        line(Kind::Charge, i64::MAX),
        line(Kind::Refund, i64::MIN),
        line(Kind::Refund, i64::MIN),
        line(Kind::Fee, i64::MIN),
    ];
    let fact = fact_of(Some(costs(i64::MAX)), &[item(i64::MAX, "99999999999.99"), item(i64::MAX, "99999999999.99")], &lines);
    assert_eq!((fact.items_minor, fact.gross_minor, fact.units), (i64::MAX, i64::MAX, i64::MAX));
    assert_eq!((fact.paid_minor, fact.refunded_minor, fact.fees_minor, fact.net_minor), (i64::MAX, i64::MAX, i64::MAX, i64::MIN));
    assert_eq!(fact.payment_state, PaymentState::Refunded);
}

/// One partition's worth of history: what one row or line goes through, in order.
#[derive(Debug, Clone)]
enum History {
    Order(Vec<Change<OrderRow>>),
    Item(Vec<Change<ItemRow>>),
    Line(LineKey, Vec<LineVersion>),
}

impl History {
    fn updates(&self) -> Vec<ComponentUpdate> {
        match self {
            Self::Order(changes) => {
                let mut state = RowState::default();
                changes.iter().flat_map(|change| apply_order(&mut state, change.clone()).1).collect()
            }
            Self::Item(changes) => {
                let mut state = RowState::default();
                changes.iter().flat_map(|change| apply_item(&mut state, change.clone()).1).collect()
            }
            Self::Line(key, versions) => {
                let mut state = LineState::default();
                versions.iter().flat_map(|version| state.apply(key, version.clone()).1).collect()
            }
        }
    }

    /// The same history with everything from one place on delivered once more.
    fn redelivered(&self, from: usize) -> Self {
        fn again<T: Clone>(log: &[T], from: usize) -> Vec<T> {
            log.iter().chain(&log[from.min(log.len())..]).cloned().collect()
        }
        match self {
            Self::Order(changes) => Self::Order(again(changes, from)),
            Self::Item(changes) => Self::Item(again(changes, from)),
            Self::Line(key, versions) => Self::Line(key.clone(), again(versions, from)),
        }
    }
}

fn changes<R: Clone + std::fmt::Debug + 'static>(
    id: i64,
    row: impl Strategy<Value = R> + 'static,
) -> impl Strategy<Value = Vec<Change<R>>> {
    let change = (row, 0..5_u8, 1..6_i64);
    proptest::collection::vec(change, 0..5).prop_map(move |log| {
        let mut ts_ms = 100;
        let place = |(lsn, (row, kind, step)): (usize, (R, u8, i64))| {
            ts_ms += step;
            let lsn = lsn as i64;
            let op = match kind {
                0 => Op::Delete { lsn },
                1 => Op::Snapshot { row, place: None },
                _ => Op::Upsert { lsn, row },
            };
            Change { id, ts_ms, op }
        };
        log.into_iter().enumerate().map(place).collect()
    })
}

fn an_order() -> impl Strategy<Value = OrderRow> {
    let amount = || "[0-9]{1,2}\\.[0-9]{3}".prop_map(|text| Amount::parse(&text).unwrap());
    ("s[12]", prop_oneof![Just(("EUR", 2_u8)), Just(("JPY", 0))], amount(), amount(), 0..50_i64).prop_map(
        |(shop_id, (currency, exponent), discount, tax, at)| {
            let status = Cell::Text("new".into());
            let shipping = Amount::parse("0").unwrap();
            OrderRow {
                shop_id,
                customer_id: None,
                status,
                currency: currency.into(),
                exponent,
                discount,
                shipping,
                tax,
                placed_at: 0,
                updated_at: at * 1_000,
            }
        },
    )
}

fn an_item() -> impl Strategy<Value = ItemRow> {
    (17..19_i64, 0..4_i64, "[0-9]\\.[0-9]{3}").prop_map(|(order_id, quantity, price)| ItemRow {
        order_id,
        sku: Cell::Null,
        title: Cell::Null,
        quantity,
        unit_price: Amount::parse(&price).unwrap(),
    })
}

fn a_version() -> impl Strategy<Value = LineVersion> {
    let kind = prop_oneof![3 => Just(Kind::Charge), 1 => Just(Kind::Refund), 1 => Just(Kind::Dispute), 1 => Just(Kind::Fee)];
    (proptest::option::weighted(0.9, "1[78]"), kind, prop_oneof!["EUR", "JPY"], -20..50_i64, 0..3_i64).prop_map(
        |(order_id, kind, currency, gross_minor, at)| LineVersion {
            order_id,
            kind,
            currency,
            gross_minor,
            fee_minor: 1,
            net_minor: 0,
            occurred_at: at,
            available_on: None,
        },
    )
}

fn histories() -> impl Strategy<Value = Vec<History>> {
    let orders = (changes(17, an_order()), changes(18, an_order())).prop_map(|(a, b)| vec![History::Order(a), History::Order(b)]);
    let items = (changes(1, an_item()), changes(2, an_item()), changes(3, an_item()))
        .prop_map(|(a, b, c)| [a, b, c].map(History::Item).to_vec());
    let lines = proptest::collection::vec((prop_oneof!["s1", "s2"], "[ab]", proptest::collection::vec(a_version(), 1..6)), 0..3);
    (orders, items, lines).prop_map(|(orders, items, lines)| {
        // A line's versions meet in one partition, so each key has one history.
        let lines: BTreeMap<_, _> =
            lines.into_iter().map(|(shop_id, line_id, versions)| (key(&shop_id, &line_id), versions)).collect();
        let lines = lines.into_iter().map(|(key, versions)| History::Line(key, versions));
        orders.into_iter().chain(items).chain(lines).collect()
    })
}

type Facts = BTreeMap<(String, String), FactColumns>;

/// Merges the histories by these picks, each history's own order kept, and returns the facts as an outside reader has them.
fn facts(histories: &[History], picks: &[usize]) -> Facts {
    let mut queues: Vec<_> = histories.iter().map(|history| history.updates().into_iter()).collect();
    let mut states: BTreeMap<String, OrderState> = BTreeMap::new();
    let mut facts = Facts::new();
    let mut picks = picks.iter().copied().cycle();
    while queues.iter().any(|queue| queue.len() > 0) {
        let waiting: Vec<usize> = (0..queues.len()).filter(|at| queues[*at].len() > 0).collect();
        let pick = waiting[picks.next().unwrap_or(0) % waiting.len()];
        let update = queues[pick].next().unwrap();
        let state = states.entry(update.order_id.clone()).or_default();
        let (order_id, before) = (update.order_id.clone(), state.facts(&update.order_id));
        state.apply(update);
        for fact in state.differences(&before, &order_id) {
            let key = (fact.shop_id.clone(), order_id.clone());
            if fact.is_deleted {
                assert!(facts.remove(&key).is_some(), "what is deleted was there");
            } else {
                drop(facts.insert(key, fact));
            }
        }
    }
    let now: Facts = states
        .iter()
        .flat_map(|(id, state)| state.facts(id).into_iter().map(|(shop, fact)| ((shop, id.clone()), fact)))
        .collect();
    assert_eq!(facts, now, "what was written is what there is");
    facts
}

proptest! {
    #[test]
    fn rule_38_the_order_in_which_topics_are_read_changes_no_fact(
        histories in histories(), picks in proptest::collection::vec(0..8_usize, 1..40), others in proptest::collection::vec(0..8_usize, 1..40),
    ) {
        prop_assert_eq!(facts(&histories, &picks), facts(&histories, &others));
    }

    #[test]
    fn rule_33_redelivery_of_a_partitions_suffix_changes_no_fact(histories in histories(), which in 0..8_usize, from in 0..6_usize) {
        let mut again = histories.clone();
        let which = which % again.len();
        again[which] = histories[which].redelivered(from);
        prop_assert_eq!(facts(&histories, &[0]), facts(&again, &[0]));
    }
}
