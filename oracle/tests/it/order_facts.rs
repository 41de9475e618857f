//! Rules 38–41: what an order comes to, and how far it is paid.

use serde_json::{Value, json};
use shoppulse_oracle::{InputRecord, expect};

use crate::payments::line;
use crate::records::{change, rows, verdicts};

fn order(op: &str, lsn: i64, columns: Value) -> InputRecord {
    let mut after = json!({
        "shop_id": "s", "customer_id": 3, "status": "new", "currency": "EUR", "discount": "1.005", "shipping": "2.5",
        "tax": "0.004", "placed_at": "1970-01-01T00:00:01Z", "updated_at": "1970-01-01T00:00:02Z",
    });
    for (name, value) in columns.as_object().unwrap() {
        after[name] = value.clone();
    }
    change("orders", 5, op, (op != "r").then_some(lsn), lsn, if op == "d" { Value::Null } else { after })
}

fn item(id: i64, lsn: i64, order_id: i64, quantity: i64, price: &str) -> InputRecord {
    let after = json!({"order_id": order_id, "sku": "k", "title": null, "quantity": quantity, "unit_price": price});
    change("order_items", id, "c", Some(lsn), lsn, after)
}

#[test]
fn the_whole_row_of_an_order() {
    let records = [
        item(1, 1, 5, 3, "3.335"),
        item(2, 2, 5, 1, "0.005"),
        item(3, 3, 6, 1, "100.000"),
        line("a", json!({"occurred_at": "1970-01-01T00:00:20Z"})),
        order("c", 4, json!({})),
        line("b", json!({"kind": "refund", "gross_minor": -100, "fee_minor": 0, "occurred_at": "1970-01-01T00:00:15Z"})),
        line("c", json!({"kind": "fee", "gross_minor": -25, "fee_minor": 1})),
        line("d", json!({"kind": "payout", "gross_minor": -7777, "fee_minor": 2})),
    ];
    let expected = expect(&records);
    // items 10.005 → 10.01 and 0.005 → 0.01; discount 1.005 → 1.01; gross = 1002 − 101 + 250 + 0.
    let wanted = json!({
        "shop_id": "s", "order_id": "5", "customer_id": "3", "status": "new", "currency": "EUR", "placed_at": 1_000_000,
        "lines": 2, "units": 4, "items_minor": 1002, "discount_minor": 101, "shipping_minor": 250, "tax_minor": 0,
        "gross_minor": 1151, "paid_minor": 1000, "refunded_minor": 100, "disputed_minor": 0, "fees_minor": 58,
        "net_minor": 842, "payment_state": "partial", "payments": 4, "first_paid_at": 20_000_000,
        "last_payment_at": 20_000_000, "has_order": true, "is_deleted": false,
    });
    assert_eq!(expected.tables["curated.order_facts"][r#"{"order_id":"5","shop_id":"s"}"#], wanted);
    assert_eq!(expected.tables["curated.order_facts"].len(), 1);
}

#[test]
fn payments_without_an_order_make_a_fact_of_their_own() {
    let records = [
        line("b", json!({"occurred_at": "1970-01-01T00:00:30Z", "currency": "USD"})),
        line("a", json!({"occurred_at": "1970-01-01T00:00:20Z"})),
        item(1, 1, 5, 3, "3.335"),
    ];
    let columns = ["currency", "has_order", "lines", "gross_minor", "paid_minor", "payment_state", "status", "payments"];
    let fact = rows(&expect(&records), "curated.order_facts", &columns);
    assert_eq!(fact, [json!(["EUR", false, 0, 0, 1000, "currency_mismatch", null, 2])]);
    // A deleted order leaves the same; without payments it leaves nothing.
    let lived = [order("c", 1, json!({})), order("d", 2, json!({}))];
    let with_payments: Vec<_> = records.iter().chain(&lived).cloned().collect();
    assert_eq!(rows(&expect(&with_payments), "curated.order_facts", &columns), fact);
    assert_eq!(rows(&expect(&lived), "curated.order_facts", &columns), [] as [Value; 0]);
}

#[test]
fn an_order_of_another_shop_is_another_fact() {
    let records = [order("c", 1, json!({"shop_id": "t"})), line("a", json!({}))];
    let found = rows(&expect(&records), "curated.order_facts", &["shop_id", "has_order", "paid_minor"]);
    assert_eq!(found, [json!(["s", false, 1000]), json!(["t", true, 0])]);
}

#[test]
fn the_first_payment_state_that_holds_counts() {
    let charge = |minor: i64| ("charge", minor, "EUR");
    for (price, lines, state) in [
        (Some("10"), vec![], "unpaid"),
        (Some("10"), vec![charge(0)], "unpaid"),
        (Some("10"), vec![charge(999)], "partial"),
        (Some("10"), vec![charge(500), charge(500)], "paid"),
        (Some("10"), vec![charge(1001)], "overpaid"),
        (Some("10"), vec![charge(1000), ("refund", -999, "EUR")], "paid"),
        (Some("10"), vec![charge(1000), ("refund", -1000, "EUR")], "refunded"),
        (Some("10"), vec![("refund", -1, "EUR")], "refunded"),
        (Some("10"), vec![charge(1000), ("refund", -1000, "EUR"), ("dispute", -1, "EUR")], "disputed"),
        (Some("10"), vec![charge(1000), ("dispute", -1000, "EUR"), ("dispute_reversal", 1000, "EUR")], "paid"),
        (Some("10"), vec![charge(1000), ("dispute", -1000, "EUR"), ("charge", 1, "JPY")], "currency_mismatch"),
        (Some("0"), vec![], "paid"),
        (None, vec![], "unpaid"),
        (None, vec![charge(1)], "overpaid"),
    ] {
        let free = json!({"discount": "0", "shipping": "0", "tax": "0"});
        let goods = price.map(|price| item(1, 2, 5, 1, price));
        let payments = lines.iter().enumerate().map(|(index, (kind, gross, currency))| {
            line(&index.to_string(), json!({"kind": kind, "gross_minor": gross, "currency": currency}))
        });
        let records: Vec<_> = [order("c", 1, free)].into_iter().chain(goods).chain(payments).collect();
        let found = rows(&expect(&records), "curated.order_facts", &["payment_state", "payments"]);
        assert_eq!(found, [json!([state, lines.len()])], "{price:?} {lines:?}");
    }
    for (lines, state) in [(vec![("charge", 1)], "paid"), (vec![("fee", -5)], "unpaid"), (vec![("refund", -5)], "refunded")] {
        let records: Vec<_> = lines.iter().map(|(kind, gross)| line("a", json!({"kind": kind, "gross_minor": gross}))).collect();
        assert_eq!(rows(&expect(&records), "curated.order_facts", &["payment_state"]), [json!([state])], "{lines:?}");
    }
}

#[test]
fn minor_units_are_the_currencys() {
    for (currency, gross) in [("JPY", 3 + 3 - 1), ("KWD", 2_500 + 2_505 - 1_005 + 4), ("CLF", 25_000 + 25_050 - 10_050 + 40)] {
        let records = [order("c", 1, json!({"currency": currency})), item(1, 2, 5, 1, "2.505")];
        assert_eq!(rows(&expect(&records), "curated.order_facts", &["gross_minor"]), [json!([gross])], "{currency}");
    }
}

#[test]
fn what_is_not_the_last_change_is_stale() {
    let status = |op: &str, lsn: i64, status: &str| order(op, lsn, json!({"status": status}));
    let records = [
        status("c", 10, "a"),
        status("u", 30, "c"),
        status("u", 20, "b"),
        status("u", 30, "c"),
        status("r", 30, "x"),
        status("r", 40, "d"),
        status("u", 35, "e"),
        status("u", 41, "f"),
        order("d", 50, json!({})),
        status("u", 45, "g"),
        status("c", 60, "h"),
    ];
    assert_eq!(
        verdicts(&records),
        [
            "processed",
            "processed",
            "filtered stale",
            "duplicate lsn",
            "filtered stale",
            "processed",
            "filtered stale",
            "processed",
            "processed",
            "filtered stale",
            "processed",
        ]
    );
    for (count, state) in [(1, Some("a")), (5, Some("c")), (7, Some("d")), (8, Some("f")), (10, None), (11, Some("h"))] {
        let found = rows(&expect(&records[..count]), "curated.order_facts", &["status"]);
        assert_eq!(found, state.map(|state| json!([state])).into_iter().collect::<Vec<_>>(), "{count}");
    }
}

#[test]
fn an_item_moves_between_orders_and_goes() {
    let mut records = vec![order("c", 1, json!({})), item(1, 2, 6, 1, "1"), item(1, 3, 5, 2, "1")];
    let lines = |records: &[InputRecord]| rows(&expect(records), "curated.order_facts", &["lines", "units"]);
    assert_eq!(lines(&records[..2]), [json!([0, 0])]);
    assert_eq!(lines(&records), [json!([1, 2])]);
    records.push(change("order_items", 1, "d", Some(4), 4, Value::Null));
    assert_eq!(lines(&records), [json!([0, 0])]);
}
