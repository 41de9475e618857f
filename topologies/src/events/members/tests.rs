//! The one pass over a record, against `serde_json` looking each member up in a tree.

use proptest::prelude::*;
use serde_json::Value as Tree;

use super::{Members, read};
use crate::events::json::Value;

/// Whether a value that was found is the one that the tree has at a path.
fn same(found: Value<'_>, tree: &Tree, path: &str) -> Result<(), TestCaseError> {
    let expected = tree.pointer(path);
    let agrees = match (found, expected) {
        (Value::Missing, None)
        | (Value::Null, Some(Tree::Null))
        | (Value::Bool, Some(Tree::Bool(_)))
        | (Value::Array, Some(Tree::Array(_))) => true,
        (Value::Number(digits), Some(Tree::Number(number))) => digits == number.to_string(),
        (Value::String(text), Some(Tree::String(expected))) => text.decode().as_deref() == Some(expected),
        (Value::Object(slice), Some(Tree::Object(expected))) => {
            serde_json::from_str::<Tree>(slice).ok().and_then(|slice| slice.as_object().cloned()).as_ref() == Some(expected)
        }
        _ => false,
    };
    prop_assert!(agrees, "{path}: found {found:?}, the tree has {expected:?}");
    Ok(())
}

fn paths<'a>(members: &Members<'a>) -> Vec<(Value<'a>, &'static str)> {
    let Members { context, properties, .. } = members;
    vec![
        (members.kind, "/type"),
        (members.message_id, "/messageId"),
        (members.shop_id, "/shopId"),
        (members.write_key, "/writeKey"),
        (members.received_at, "/receivedAt"),
        (members.sent_at, "/sentAt"),
        (members.original_timestamp, "/originalTimestamp"),
        (members.timestamp, "/timestamp"),
        (members.anonymous_id, "/anonymousId"),
        (members.user_id, "/userId"),
        (members.event, "/event"),
        (context.whole, "/context"),
        (context.page.path, "/context/page/path"),
        (context.page.url, "/context/page/url"),
        (context.page.referrer, "/context/page/referrer"),
        (context.campaign.source, "/context/campaign/source"),
        (context.campaign.medium, "/context/campaign/medium"),
        (context.campaign.name, "/context/campaign/name"),
        (context.library.name, "/context/library/name"),
        (context.library.version, "/context/library/version"),
        (context.ip, "/context/ip"),
        (context.user_agent, "/context/userAgent"),
        (context.locale, "/context/locale"),
        (properties.whole, "/properties"),
        (properties.page.path, "/properties/path"),
        (properties.page.url, "/properties/url"),
        (properties.page.referrer, "/properties/referrer"),
        (properties.order_id, "/properties/order_id"),
        (properties.currency, "/properties/currency"),
        (properties.revenue, "/properties/revenue"),
        (properties.total, "/properties/total"),
        (properties.product_id, "/properties/product_id"),
    ]
}

const NAMES: [&str; 36] = [
    "type",
    "messageId",
    "shopId",
    "writeKey",
    "receivedAt",
    "sentAt",
    "originalTimestamp",
    "timestamp",
    "anonymousId",
    "userId",
    "event",
    "context",
    "context",
    "context",
    "properties",
    "properties",
    "properties",
    "page",
    "page",
    "campaign",
    "library",
    "path",
    "url",
    "referrer",
    "source",
    "medium",
    "name",
    "version",
    "ip",
    "userAgent",
    "locale",
    "order_id",
    "currency",
    "product_id",
    "products",
    "other",
];

/// Documents of the names that matter, at whatever place.
fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "\"[a-z]{0,2}\"",
        "[1-9][0-9]{0,2}",
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"\\u0061\"".to_owned())
    ];
    let value = leaf.prop_recursive(4, 60, 8, |inner| {
        let member = (prop::sample::select(&NAMES), inner.clone()).prop_map(|(name, value)| format!("{name:?}:{value}"));
        prop_oneof![
            4 => prop::collection::vec(member, 0..8).prop_map(|members| format!("{{{}}}", members.join(","))),
            1 => prop::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
        ]
    });
    let member = (prop::sample::select(&NAMES), value).prop_map(|(name, value)| format!("{name:?}:{value}"));
    prop::collection::vec(member, 0..12).prop_map(|members| format!("{{{}}}", members.join(", ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn rule_19_every_member_is_found_where_a_tree_has_it(text in document()) {
        let tree: Tree = serde_json::from_str(&text).expect("generated JSON");
        let members = read(&text).expect("generated JSON").expect("an object");
        for (found, path) in paths(&members) {
            same(found, &tree, path)?;
        }
        let listed = tree.pointer("/properties/products").and_then(Tree::as_array);
        prop_assert_eq!(members.properties.products.as_ref().map(Vec::len), listed.map(Vec::len));
        for (place, id) in members.properties.products.iter().flatten().enumerate() {
            same(*id, &tree, &format!("/properties/products/{place}/product_id"))?;
        }
    }
}

#[test]
fn rule_19_the_limit_of_nesting_is_the_same_at_every_place() {
    for frame in [
        "{\"x\":#}",
        "{\"type\":#}",
        "{\"context\":#}",
        "{\"context\":{\"x\":#}}",
        "{\"context\":{\"ip\":#}}",
        "{\"context\":{\"page\":#}}",
        "{\"context\":{\"page\":{\"path\":#}}}",
        "{\"context\":{\"campaign\":{\"name\":#}}}",
        "{\"context\":{\"library\":{\"name\":#}}}",
        "{\"properties\":{\"path\":#}}",
        "{\"properties\":{\"x\":#}}",
        "{\"properties\":{\"products\":#}}",
        "{\"properties\":{\"products\":[#]}}",
        "{\"properties\":{\"products\":[{\"product_id\":#}]}}",
    ] {
        let outer = frame.matches(['{', '[']).count();
        for (levels, is_json) in [(127, true), (128, false)] {
            for (open, close) in [("[", "]"), ("{\"path\":", "}")] {
                let inner = levels - outer;
                let text = frame.replace('#', &format!("{}1{}", open.repeat(inner), close.repeat(inner)));
                assert_eq!(read(&text).is_ok(), is_json, "{levels} levels of {open} in {frame}");
                assert_eq!(serde_json::from_str::<Tree>(&text).is_ok(), is_json);
            }
        }
    }
}
