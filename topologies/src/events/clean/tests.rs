//! The rules of the clean row's columns.

use super::super::fixture::Json;
use super::super::raw::RawEvent;
use super::CleanFields;

const KEY: &str = "s1|a7";

/// Checks a row made of a record; rows borrow from the record, so they can't be returned.
fn check<T>(json: &Json, column: impl Fn(&CleanFields<'_>) -> T) -> T {
    let text = json.text();
    let row = RawEvent::parse(Some(KEY.as_bytes()), Some(text.as_bytes())).expect("valid").into_clean(99);
    column(&row)
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

#[test]
fn rule_22_pages_come_from_the_context_and_for_page_calls_else_from_the_properties() {
    let context = r#"{"page":{"path":"/c","url":"https://c","referrer":"https://rc"}}"#;
    let partly = r#"{"page":{"path":"","url":7,"referrer":null}}"#;
    let broken = r#"{"page":{"path":"\ud800","url":"https://c"}}"#;
    let properties = r#"{"path":"/p","url":"https://p","referrer":"https://rp"}"#;
    for (kind, context, expected) in [
        ("page", context, (Some("/c"), Some("https://c"), Some("https://rc"))),
        ("screen", context, (Some("/c"), Some("https://c"), Some("https://rc"))),
        ("page", "{}", (Some("/p"), Some("https://p"), Some("https://rp"))),
        ("page", "null", (Some("/p"), Some("https://p"), Some("https://rp"))),
        ("page", r#"{"page":"/x"}"#, (Some("/p"), Some("https://p"), Some("https://rp"))),
        ("page", partly, (Some("/p"), Some("https://p"), Some("https://rp"))),
        ("page", broken, (Some("/p"), Some("https://c"), Some("https://rp"))),
        ("screen", "{}", (None, None, None)),
        ("identify", "{}", (None, None, None)),
        ("track", "{}", (None, None, None)),
        ("track", context, (Some("/c"), Some("https://c"), Some("https://rc"))),
    ] {
        let json = Json::of(kind).with("event", "\"E\"").with("context", context).with("properties", properties);
        let found =
            check(&json, |row| (owned(row.page_path.as_deref()), owned(row.page_url.as_deref()), owned(row.referrer.as_deref())));
        assert_eq!(found, (owned(expected.0), owned(expected.1), owned(expected.2)), "{kind} with {context}");
    }
}

#[test]
fn rule_22_campaign_and_client_come_from_the_context() {
    let context = r#"{"campaign":{"source":"news","medium":"mail","name":"may","term":"t"},"ip":"10.0.0.1","userAgent":"Moz\"illa","locale":"de-DE"}"#;
    let json = Json::of("page").with("context", context);
    check(&json, |row| {
        assert_eq!(
            [row.utm_source.as_deref(), row.utm_medium.as_deref(), row.utm_campaign.as_deref()],
            [Some("news"), Some("mail"), Some("may")]
        );
        assert_eq!(
            [row.ip.as_deref(), row.user_agent.as_deref(), row.locale.as_deref()],
            [Some("10.0.0.1"), Some("Moz\"illa"), Some("de-DE")]
        );
    });
    let wrong = r#"{"campaign":{"source":1,"medium":"","name":"\udead"},"ip":null,"userAgent":["x"],"locale":{}}"#;
    check(&Json::of("page").with("context", wrong), |row| {
        assert_eq!([&row.utm_source, &row.utm_medium, &row.utm_campaign, &row.ip, &row.user_agent, &row.locale], [&None; 6]);
    });
}

#[test]
fn rule_22_the_library_is_name_and_version_or_its_name() {
    for (library, expected) in [
        (r#"{"name":"analytics.js","version":"2.1.0"}"#, Some("analytics.js/2.1.0")),
        (r#"{"version":"2.1.0","name":"a\u0062c"}"#, Some("abc/2.1.0")),
        (r#"{"name":"js"}"#, Some("js")),
        (r#"{"name":"js","version":""}"#, Some("js")),
        (r#"{"name":"js","version":2}"#, Some("js")),
        (r#"{"version":"2.1.0"}"#, None),
        (r#"{"name":"","version":"2"}"#, None),
        ("\"js/2\"", None),
        ("{}", None),
    ] {
        let json = Json::of("page").with("context", &format!(r#"{{"library":{library}}}"#));
        assert_eq!(check(&json, |row| owned(row.library.as_deref())).as_deref(), expected, "{library}");
    }
}

#[test]
fn rule_23_an_order_id_is_a_string_or_a_whole_number() {
    for (raw, expected) in [
        ("\"o-1\"", Some("o-1")),
        ("\" o\"", Some(" o")),
        ("17", Some("17")),
        ("12345678901234567890123", Some("12345678901234567890123")),
        ("17.0", None),
        ("1e3", None),
        ("\"\"", None),
        ("\"\\ud800\"", None),
        ("null", None),
        ("true", None),
        ("[\"o\"]", None),
    ] {
        let properties = format!(r#"{{"order_id":{raw}}}"#);
        let track = Json::track("Anything").with("properties", &properties);
        assert_eq!(check(&track, |row| owned(row.order_id.as_deref())).as_deref(), expected, "{raw}");
        let page = Json::of("page").with("properties", &properties);
        assert_eq!(check(&page, |row| owned(row.order_id.as_deref())), None, "track only");
    }
}

#[test]
fn rule_23_product_ids_come_from_the_list_or_else_from_the_one() {
    for (properties, expected) in [
        (r#"{"products":[{"product_id":"b"},{"product_id":"a"},{"product_id":"b"}]}"#, vec!["b", "a", "b"]),
        (
            r#"{"products":[{"product_id":"a","sku":"x"},{"sku":"y"},7,null,[{"product_id":"n"}],{"product_id":""},{"product_id":9}]}"#,
            vec!["a"],
        ),
        (r#"{"products":[{"product_id":"\ud800"},{"product_id":"\u00e9"}]}"#, vec!["é"]),
        (r#"{"products":[],"product_id":"p"}"#, vec![]),
        (r#"{"products":[{"x":{"product_id":"deep"}}],"product_id":"p"}"#, vec![]),
        (r#"{"product_id":"p"}"#, vec!["p"]),
        (r#"{"products":{"product_id":"o"},"product_id":"p"}"#, vec!["p"]),
        (r#"{"products":null,"product_id":"p"}"#, vec!["p"]),
        (r#"{"products":"x","product_id":5}"#, vec![]),
        (r#"{"product_id":""}"#, vec![]),
        ("{}", vec![]),
    ] {
        let found = check(&Json::track("Any").with("properties", properties), |row| {
            row.product_ids.iter().map(ToString::to_string).collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{properties}");
        assert!(check(&Json::of("page").with("properties", properties), |row| row.product_ids.is_empty()), "track only");
    }
}

#[test]
fn rule_23_the_currency_is_an_active_code_or_null_and_the_event_is_kept() {
    for (raw, expected) in [
        ("\"EUR\"", Some("EUR")),
        ("\" eur \"", Some("EUR")),
        ("\"JPY\"", Some("JPY")),
        ("\"XXX\"", None),
        ("\"HRK\"", None),
        ("\"euro\"", None),
        ("\"\"", None),
        ("978", None),
        ("null", None),
    ] {
        let properties = format!(r#"{{"currency":{raw},"revenue":10}}"#);
        let currency = |row: &CleanFields<'_>| (row.currency.map(|currency| currency.to_string()), row.revenue_minor);
        let (found, revenue) = check(&Json::track("Order Completed").with("properties", &properties), currency);
        assert_eq!((found.as_deref(), revenue.is_some()), (expected, expected.is_some()), "{raw}");
        let (found, revenue) = check(&Json::track("Order Refunded").with("properties", &properties), currency);
        assert_eq!((found.as_deref(), revenue), (expected, None), "revenue is of completed orders only");
        assert_eq!(check(&Json::of("page").with("properties", &properties), currency), (None, None), "track only");
    }
}

#[test]
fn rule_24_revenue_is_the_first_usable_of_revenue_and_total() {
    for (properties, expected) in [
        (r#"{"currency":"EUR","revenue":12.345,"total":99}"#, Some(1_235)),
        (r#"{"currency":"EUR","revenue":"12.345","total":99}"#, Some(1_235)),
        (r#"{"currency":"EUR","revenue":-12.345}"#, Some(-1_235)),
        (r#"{"currency":"EUR","revenue":1.234e1}"#, Some(1_234)),
        (r#"{"currency":"EUR","revenue":0,"total":99}"#, Some(0)),
        (r#"{"currency":"EUR","revenue":"0.00","total":99}"#, Some(0)),
        (r#"{"currency":"EUR","revenue":0.1,"total":99}"#, Some(10)),
        (r#"{"currency":"EUR","revenue":4.35}"#, Some(435)),
        (r#"{"currency":"EUR","revenue":1.005}"#, Some(101)),
        (r#"{"currency":"JPY","revenue":1234.5}"#, Some(1_235)),
        (r#"{"currency":"KWD","revenue":"1.2345"}"#, Some(1_235)),
        (r#"{"currency":"CLF","revenue":1}"#, Some(10_000)),
        (r#"{"currency":"EUR","total":5}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":null,"total":5}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":"","total":5}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":"1e2","total":5}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":"1,50","total":"5"}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":" 7","total":"5"}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":"$7","total":"5"}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":true,"total":"5"}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":[7],"total":"5"}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":"\ud800","total":"5"}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":1e30,"total":"5"}"#, Some(500)),
        (r#"{"currency":"EUR","revenue":92233720368547758.07}"#, Some(i64::MAX)),
        (r#"{"currency":"EUR","revenue":92233720368547758.08}"#, None),
        (r#"{"currency":"EUR","revenue":"x","total":{}}"#, None),
        (r#"{"currency":"EUR"}"#, None),
        (r#"{"revenue":5}"#, None),
        (r#"{"currency":"XAU","revenue":5}"#, None),
    ] {
        let json = Json::track("Order Completed").with("properties", properties);
        assert_eq!(check(&json, |row| row.revenue_minor), expected, "{properties}");
        for other in ["order completed", "Order Completed ", "Order Refunded", "Checkout Started"] {
            assert_eq!(check(&Json::track(other).with("properties", properties), |row| row.revenue_minor), None, "{other}");
        }
    }
}

#[test]
fn rule_25_properties_are_the_exact_bytes() {
    for raw in
        ["{}", "{ }", "{\"b\":1,\"a\":1.00e+1,\"a\":\"\\u00e9\\ud800\"}", "{\n\t\"x\" : [ 1 , 2 ]\r\n}", "{\"😀\":\"\\/\"}"]
    {
        let text = Json::of("page").text().replace("\"w\"", &format!("\"w\", \"properties\" :\n {raw} "));
        let row = RawEvent::parse(Some(KEY.as_bytes()), Some(text.as_bytes())).expect("valid").into_clean(0);
        assert_eq!(row.properties, raw);
    }
    for raw in ["null", "\"\""] {
        assert_eq!(check(&Json::of("page").with("properties", raw), |row| row.properties.to_owned()), "{}");
    }
    assert_eq!(check(&Json::of("page"), |row| row.properties.to_owned()), "{}");
}

#[test]
fn rule_01_times_of_the_row_follow_the_client_clock() {
    let json = Json::of("page")
        .with("receivedAt", "\"1970-01-01T01:00:00.000250Z\"")
        .with("sentAt", "\"1970-01-01T00:00:10.000999Z\"")
        .with("originalTimestamp", "\"1970-01-01T00:00:05.000500Z\"")
        .with("timestamp", "\"1970-01-01T00:00:07Z\"");
    check(&json, |row| {
        assert_eq!((row.occurred_at, row.original_timestamp), (3_594_999_000, 5_000_500), "3 594 999 751 µs, floored");
        assert_eq!((row.sent_at, row.received_at, row.clock_skew_ms), (Some(10_000_999), 3_600_000_250, 3_589_999));
    });
    check(&json.clone().with("originalTimestamp", "null"), |row| assert_eq!(row.original_timestamp, 7_000_000));
    check(&json.clone().with("originalTimestamp", "\"\""), |row| assert_eq!(row.original_timestamp, 7_000_000));
    check(&json.clone().without("sentAt"), |row| {
        assert_eq!((row.occurred_at, row.sent_at, row.clock_skew_ms), (5_000_000, None, 0));
    });
    check(&json.without("originalTimestamp").without("timestamp"), |row| {
        assert_eq!((row.occurred_at, row.original_timestamp), (3_600_000_000, 3_600_000_250));
    });
}

#[test]
fn rule_22_columns_have_their_names_and_their_order() {
    let json = Json::track("Order Completed")
        .with("userId", "12")
        .with("sentAt", "\"2026-08-21T09:59:59Z\"")
        .with("timestamp", "\"2026-08-21T09:59:58.5Z\"")
        .with("context", r#"{"page":{"path":"/a","url":"u","referrer":"r"},"campaign":{"source":"s","medium":"m","name":"n"},"ip":"i","userAgent":"ua","locale":"l","library":{"name":"n"}}"#)
        .with("properties", r#"{"order_id":"o","currency":"eur","revenue":1,"products":[{"product_id":"p"}]}"#);
    let line = check(&json, |row| serde_json::to_string(row).expect("a row is plain data"));
    let expected = r#"{"message_id":"m-1","shop_id":"s1","anonymous_id":"a7","user_id":"12","type":"track","event":"Order Completed","occurred_at":1787306399500000,"original_timestamp":1787306398500000,"sent_at":1787306399000000,"received_at":1787306400000000,"clock_skew_ms":1000,"page_path":"/a","page_url":"u","referrer":"r","utm_source":"s","utm_medium":"m","utm_campaign":"n","ip":"i","user_agent":"ua","locale":"l","library":"n","order_id":"o","currency":"EUR","revenue_minor":100,"product_ids":["p"],"properties":"{\"order_id\":\"o\",\"currency\":\"eur\",\"revenue\":1,\"products\":[{\"product_id\":\"p\"}]}","processed_at":99}"#;
    assert_eq!(line, expected);
}
