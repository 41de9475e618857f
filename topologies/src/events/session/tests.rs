//! Sessions against a model that keeps all events and sorts them.

use proptest::prelude::*;

use super::super::fixture::Json;
use super::super::raw::RawEvent;
use super::{Mark, RevenueRow, Session, SessionDecodeError, SessionEvent, SessionRow, session_id};

const KEY: &str = "s1|a7";

fn event<'a>(occurred_ms: i64, offset: i64, kind: &'a str, name: Option<&'a str>) -> SessionEvent<'a> {
    SessionEvent {
        mark: Mark { occurred_ms, offset },
        shop_id: "s1",
        kind,
        event: name,
        user_id: None,
        page_path: None,
        referrer: None,
        utm: [None; 3],
        order_id: None,
        currency: None,
        revenue_minor: None,
    }
}

fn sum<'a>(events: impl IntoIterator<Item = SessionEvent<'a>>) -> Session {
    events.into_iter().fold(Session::open(), |mut session, event| {
        session.add(&event);
        session
    })
}

fn row(session: &Session) -> SessionRow {
    session.row(KEY, 0, 0)
}

/// What the rules say, read off all events in order of time and partition.
fn model(events: &[SessionEvent<'_>]) -> SessionRow {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|event| event.mark);
    let text = |found: Option<&str>| found.map(str::to_owned);
    let count = |test: &dyn Fn(&SessionEvent<'_>) -> bool| sorted.iter().filter(|event| test(event)).count() as i64;
    let named = |name: &str| count(&|event| event.kind == "track" && event.event == Some(name));
    let completed = || sorted.iter().filter(|event| event.kind == "track" && event.event == Some("Order Completed"));
    let mut currencies: Vec<&str> =
        completed().filter(|event| event.revenue_minor.is_some()).filter_map(|event| event.currency).collect();
    currencies.sort_unstable();
    currencies.dedup();
    let mut order_ids: Vec<String> = Vec::new();
    for id in completed().filter_map(|event| event.order_id) {
        if !order_ids.iter().any(|known| known == id) {
            order_ids.push(id.to_owned());
        }
    }
    let utm = sorted.iter().map(|event| event.utm).find(|utm| utm.iter().any(Option::is_some)).unwrap_or_default();
    SessionRow {
        shop_id: "s1".to_owned(),
        session_id: session_id(KEY, 0),
        visitor: "a7".to_owned(),
        user_id: text(sorted.iter().rev().find_map(|event| event.user_id)),
        started_at: 0,
        ended_at: 0,
        events: count(&|_| true),
        page_views: count(&|event| event.kind == "page" || event.kind == "screen"),
        product_views: named("Product Viewed"),
        cart_adds: named("Product Added"),
        checkouts: named("Checkout Started"),
        orders: named("Order Completed"),
        revenue: currencies
            .into_iter()
            .map(|currency| RevenueRow {
                currency: currency.to_owned(),
                amount_minor: completed()
                    .filter(|event| event.currency == Some(currency))
                    .filter_map(|event| event.revenue_minor)
                    .sum(),
            })
            .collect(),
        entry_page: text(sorted.iter().find_map(|event| event.page_path)),
        exit_page: text(sorted.iter().rev().find_map(|event| event.page_path)),
        referrer: text(sorted.iter().find_map(|event| event.referrer)),
        utm_source: text(utm[0]),
        utm_medium: text(utm[1]),
        utm_campaign: text(utm[2]),
        order_ids,
        updated_at: 0,
    }
}

#[test]
fn rule_28_the_id_is_half_a_hash_of_key_and_start() {
    for (key, started_ms, id) in [
        ("s1|a7", 0, "57697b8360bf5e3a35a54137fbec2a3c"),
        ("s1|a7", 1_787_306_400_000, "d5e71d57347da5a5d5becc922a741ee5"),
        ("shop-é|user:00ff", 1, "5b4503853009a35311c4c5d87d3259a5"),
    ] {
        assert_eq!(session_id(key, started_ms), id, "{key}|{started_ms}");
    }
}

#[test]
fn rule_28_a_session_ends_and_is_updated_with_its_last_event() {
    let row = sum([event(5, 0, "page", None), event(9, 1, "page", None)]).row(KEY, 5, 9);
    assert_eq!((row.started_at, row.ended_at, row.updated_at), (5_000, 9_000, 9_000));
    assert_eq!((row.shop_id.as_str(), row.visitor.as_str(), row.session_id), ("s1", "a7", session_id(KEY, 5)));
}

#[test]
fn rule_28_shop_and_visitor_are_split_where_the_events_say() {
    for (key, shop_id, visitor) in
        [("s1|a7", "s1", "a7"), ("s|1|a|7", "s|1", "a|7"), ("s|1|a|7", "s", "1|a|7"), ("é|ü", "é", "ü")]
    {
        let row = sum([SessionEvent { shop_id, ..event(0, 0, "page", None) }]).row(key, 0, 0);
        assert_eq!((row.shop_id.as_str(), row.visitor.as_str()), (shop_id, visitor));
    }
}

#[test]
fn rule_30_events_are_counted_by_kind_and_name() {
    let session = sum([
        event(0, 0, "page", None),
        event(0, 1, "screen", None),
        event(0, 2, "identify", None),
        event(0, 3, "group", None),
        event(0, 4, "alias", None),
        event(0, 5, "track", Some("Product Viewed")),
        event(0, 6, "track", Some("Product Added")),
        event(0, 7, "track", Some("Product Added")),
        event(0, 8, "track", Some("Checkout Started")),
        event(0, 9, "track", Some("Order Completed")),
        event(0, 10, "track", Some("order completed")),
        event(0, 11, "track", Some("Cart Viewed")),
        event(0, 12, "page", Some("Order Completed")),
    ]);
    let row = row(&session);
    assert_eq!((row.events, row.page_views, row.product_views), (13, 3, 1));
    assert_eq!((row.cart_adds, row.checkouts, row.orders), (2, 1, 1));
}

#[test]
fn rule_29_first_and_last_go_by_time_and_within_a_millisecond_by_partition_order() {
    let page = |occurred_ms, offset, path| SessionEvent { page_path: Some(path), ..event(occurred_ms, offset, "page", None) };
    for (why, events, entry, exit) in [
        ("one", vec![page(5, 0, "/a")], "/a", "/a"),
        ("time before arrival", vec![page(9, 0, "/late"), page(5, 1, "/early")], "/early", "/late"),
        ("arrival within a millisecond", vec![page(5, 3, "/b"), page(5, 4, "/c"), page(5, 2, "/a")], "/a", "/c"),
        (
            "an event without a page changes nothing",
            vec![event(1, 0, "track", None), page(5, 1, "/a"), event(9, 2, "track", None)],
            "/a",
            "/a",
        ),
    ] {
        let row = row(&sum(events));
        assert_eq!((row.entry_page.as_deref(), row.exit_page.as_deref()), (Some(entry), Some(exit)), "{why}");
    }
    let user = |occurred_ms, offset, id| SessionEvent { user_id: Some(id), ..event(occurred_ms, offset, "identify", None) };
    assert_eq!(row(&sum([user(9, 0, "last"), user(5, 1, "first"), event(10, 2, "page", None)])).user_id.as_deref(), Some("last"));
    let from =
        |occurred_ms, offset, referrer| SessionEvent { referrer: Some(referrer), ..event(occurred_ms, offset, "page", None) };
    assert_eq!(row(&sum([from(9, 0, "r9"), from(5, 1, "r5"), event(1, 2, "page", None)])).referrer.as_deref(), Some("r5"));
}

#[test]
fn rule_29_the_utm_triple_stays_together() {
    let with_utm = |occurred_ms, offset, utm| SessionEvent { utm, ..event(occurred_ms, offset, "page", None) };
    let row = row(&sum([
        with_utm(9, 0, [Some("s9"), Some("m9"), Some("n9")]),
        with_utm(5, 1, [None, Some("m5"), None]),
        with_utm(1, 2, [None, None, None]),
    ]));
    assert_eq!((row.utm_source, row.utm_medium.as_deref(), row.utm_campaign), (None, Some("m5"), None));
}

#[test]
fn rule_30_revenue_is_by_currency_where_zero_counts_and_null_does_not() {
    let order = |offset, currency, revenue_minor| SessionEvent {
        currency,
        revenue_minor,
        ..event(0, offset, "track", Some("Order Completed"))
    };
    let revenue = |events: Vec<SessionEvent<'_>>| {
        let rows = row(&sum(events)).revenue;
        rows.into_iter().map(|entry| (entry.currency, entry.amount_minor)).collect::<Vec<_>>()
    };
    assert_eq!(revenue(vec![order(0, Some("EUR"), None), order(1, None, None)]), []);
    assert_eq!(revenue(vec![order(0, Some("EUR"), Some(0))]), [("EUR".to_owned(), 0)]);
    assert_eq!(
        revenue(vec![
            order(0, Some("USD"), Some(5)),
            order(1, Some("EUR"), Some(-7)),
            order(2, Some("USD"), Some(6)),
            order(3, Some("BHD"), Some(1))
        ]),
        [("BHD".to_owned(), 1), ("EUR".to_owned(), -7), ("USD".to_owned(), 11)]
    );
    assert_eq!(
        revenue(vec![order(0, Some("EUR"), Some(i64::MAX)), order(1, Some("EUR"), Some(1)), order(2, Some("EUR"), Some(-1))]),
        [("EUR".to_owned(), i64::MAX)]
    );
    assert_eq!(
        revenue(vec![order(0, Some("EUR"), Some(i64::MIN)), order(1, Some("EUR"), Some(-1))]),
        [("EUR".to_owned(), i64::MIN)]
    );
    let other = SessionEvent { currency: Some("EUR"), revenue_minor: Some(5), ..event(0, 0, "track", Some("Order Refunded")) };
    assert_eq!(revenue(vec![other]), [], "revenue is of completed orders");
}

#[test]
fn rule_30_order_ids_are_distinct_by_first_time_though_orders_count_events() {
    let order = |occurred_ms, offset, id| SessionEvent {
        order_id: Some(id),
        ..event(occurred_ms, offset, "track", Some("Order Completed"))
    };
    let started = SessionEvent { order_id: Some("started"), ..event(0, 9, "track", Some("Checkout Started")) };
    let row = row(&sum([order(7, 0, "b"), order(7, 1, "c"), order(9, 2, "a"), order(5, 3, "a"), order(8, 4, "b"), started]));
    assert_eq!(row.order_ids, ["a", "b", "c"]);
    assert_eq!(row.orders, 5);
}

#[test]
fn rule_29_a_row_of_clean_events_is_added_as_it_stands() {
    let text = Json::track("Order Completed")
        .with("userId", "\"u\"")
        .with("context", r#"{"page":{"path":"/thanks","referrer":"r"},"campaign":{"medium":"mail"}}"#)
        .with("properties", r#"{"order_id":17,"currency":"JPY","revenue":"120"}"#)
        .text();
    let clean = RawEvent::parse(Some(KEY.as_bytes()), Some(text.as_bytes())).expect("valid").into_clean(0);
    let row = sum([SessionEvent::of(&clean, 3)]).row(KEY, clean.occurred_at / 1_000, clean.occurred_at / 1_000);
    assert_eq!((row.started_at, row.orders, row.order_ids), (clean.occurred_at, 1, vec!["17".to_owned()]));
    assert_eq!(row.revenue, [RevenueRow { currency: "JPY".to_owned(), amount_minor: 120 }]);
    assert_eq!(
        [row.user_id, row.exit_page, row.referrer, row.utm_medium].map(Option::unwrap_or_default),
        ["u", "/thanks", "r", "mail"]
    );
}

#[test]
fn rule_29_stored_sessions_are_read_back_and_what_is_no_session_is_told() {
    let session =
        sum([SessionEvent { page_path: Some("/a"), order_id: Some("o"), ..event(5, 6, "track", Some("Order Completed")) }]);
    let mut bytes = Vec::new();
    session.encode(&mut bytes);
    assert_eq!(Session::decode(&bytes), Ok(session));
    assert_eq!(Session::decode(&[]), Err(SessionDecodeError::Empty));
    assert_eq!(Session::decode(&[9, 0]), Err(SessionDecodeError::UnknownFormat(9)));
    for cut in 1..bytes.len() {
        assert!(matches!(Session::decode(&bytes[..cut]), Err(SessionDecodeError::Malformed(_))), "{cut}");
    }
    bytes.push(0);
    assert_eq!(Session::decode(&bytes), Err(SessionDecodeError::Trailing(1)));
}

#[test]
fn rule_29_the_stored_format_never_changes_unnoticed() {
    let session = sum([SessionEvent {
        user_id: Some("u"),
        page_path: Some("/a"),
        referrer: Some("r"),
        utm: [Some("s"), None, Some("n")],
        order_id: Some("o"),
        currency: Some("EUR"),
        revenue_minor: Some(-2),
        ..event(1_000, 3, "track", Some("Order Completed"))
    }]);
    let mut bytes = Vec::new();
    session.encode(&mut bytes);
    let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex.join(" "),
        "01 01 00 00 00 00 01 01 02 01 d0 0f 06 01 75 01 d0 0f 06 02 2f 61 01 d0 0f 06 02 2f 61 01 d0 0f 06 01 72 \
         01 d0 0f 06 01 01 73 00 01 01 6e 01 03 45 55 52 03 01 d0 0f 06 01 6f"
    );
}

const NAMES: [&str; 5] = ["Product Viewed", "Product Added", "Checkout Started", "Order Completed", "Other"];
const KINDS: [&str; 6] = ["track", "identify", "page", "screen", "group", "alias"];
const TEXTS: [&str; 4] = ["a", "b", "c", "d"];
const CURRENCIES: [&str; 3] = ["EUR", "JPY", "USD"];

/// Events in partition order whose times collide often.
fn events() -> impl Strategy<Value = Vec<SessionEvent<'static>>> {
    let text = || prop::option::of(prop::sample::select(&TEXTS));
    let event = (
        (0..4_i64, prop::sample::select(&KINDS), prop::sample::select(&NAMES)),
        (text(), text(), text(), [text(), text(), text()], text()),
        (prop::option::of(prop::sample::select(&CURRENCIES)), prop::option::of(-5..5_i64)),
    );
    let event = event.prop_map(
        |((occurred_ms, kind, name), (user_id, page_path, referrer, utm, order_id), (currency, revenue_minor))| SessionEvent {
            mark: Mark { occurred_ms, offset: 0 },
            shop_id: "s1",
            kind,
            event: (kind == "track").then_some(name),
            user_id,
            page_path,
            referrer,
            utm,
            order_id,
            currency,
            revenue_minor: currency.and(revenue_minor),
        },
    );
    prop::collection::vec(event, 0..24).prop_map(|mut events| {
        events.iter_mut().zip(0..).for_each(|(event, offset)| event.mark.offset = offset);
        events
    })
}

proptest! {
    #[test]
    fn rule_29_a_session_is_what_its_sorted_events_say(events in events()) {
        prop_assert_eq!(row(&sum(events.iter().copied())), model(&events));
    }

    #[test]
    fn rule_29_any_order_of_adding_and_merging_gives_the_same_session(
        (events, shuffled, parts) in events().prop_flat_map(|events| {
            let parts = prop::collection::vec(0..4_usize, events.len());
            (Just(events.clone()), Just(events).prop_shuffle(), parts)
        }),
    ) {
        let whole = sum(events);
        let mut sessions = vec![Session::open(); 4];
        for (event, part) in shuffled.iter().zip(parts) {
            sessions[part].add(event);
        }
        let mut merged = Session::open();
        for session in sessions {
            let mut bytes = Vec::new();
            session.encode(&mut bytes);
            merged.merge(Session::decode(&bytes).expect("just written"));
        }
        prop_assert_eq!(&merged, &whole);
    }

    #[test]
    fn rule_29_no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let with_format = [&[1][..], &bytes].concat();
        if let Ok(session) = Session::decode(&with_format) {
            drop(session.row(KEY, 0, 0));
        }
    }
}
