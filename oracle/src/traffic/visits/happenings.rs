//! What visitors do: pages, products, carts, orders in several currencies, and the rest of the SDK's vocabulary.

use crate::traffic::members::{Members, quoted};
use crate::traffic::message::Happening;
use crate::traffic::stage::Stage;

/// An event of a visit, drawn from what is likely at this step.
pub(super) fn draw(stage: &mut Stage, at_ms: i64, step: i64) -> Happening {
    match stage.random.below(20) + step.min(3) as u64 {
        0..6 => page_view(stage, at_ms),
        6..10 => track(stage, at_ms, "Product Viewed", product),
        10..13 => track(stage, at_ms, "Product Added", product),
        13 => track(stage, at_ms, "Checkout Started", cart),
        14..17 => track(stage, at_ms, "Order Completed", purchase),
        17 => identify(stage, at_ms),
        18 => track(stage, at_ms, "Banner Clicked", banner),
        19 => bare(stage, at_ms, "screen"),
        _ => {
            let kind = stage.random.pick(&["group", "alias", "page", "screen"]);
            bare(stage, at_ms, kind)
        }
    }
}

/// A page view: what was seen is said in the context, in the properties, or in both.
pub(in crate::traffic) fn page_view(stage: &mut Stage, at_ms: i64) -> Happening {
    let mut happening = bare(stage, at_ms, "page");
    let page = page(stage);
    if stage.random.chance(300) {
        happening.properties = Some(page);
    } else {
        happening.page = Some(page);
        happening.properties = stage.random.chance(500).then(|| {
            let mut properties = Members::new();
            properties.set_text("path", "/from-properties").set_text("title", "Schuhe für Mädchen 👟");
            properties
        });
    }
    happening
}

fn bare(stage: &mut Stage, at_ms: i64, kind: &'static str) -> Happening {
    let message_id = format!("ajs-next-{at_ms}-{:012x}", stage.next_id());
    let campaign = stage.random.chance(80).then(|| campaign(stage));
    Happening { message_id, at_ms, kind, event: None, properties: None, page: None, campaign }
}

fn track(stage: &mut Stage, at_ms: i64, event: &'static str, describe: fn(&mut Stage, &mut Members)) -> Happening {
    let mut happening = bare(stage, at_ms, "track");
    happening.event = Some(event);
    happening.page = stage.random.chance(800).then(|| page(stage));
    let mut properties = Members::new();
    describe(stage, &mut properties);
    happening.properties = Some(properties);
    happening
}

fn identify(stage: &mut Stage, at_ms: i64) -> Happening {
    bare(stage, at_ms, "identify")
}

fn page(stage: &mut Stage) -> Members {
    let number = stage.random.below(500);
    let mut page = Members::new();
    page.set_text("path", &format!("/products/{number}")).set_text("title", "A product that everybody wants");
    page.set_text("url", &format!("https://www.shop.example/products/{number}?ref=mail&user=someone%40mail.example"));
    match stage.random.below(4) {
        0 => page.set_text("referrer", "https://search.example/"),
        1 => page.set("referrer", "\"\""),
        2 => page.set("referrer", "\"\\ud800\""),
        _ => page.set("referrer", "17"),
    };
    page
}

fn campaign(stage: &mut Stage) -> Members {
    let mut campaign = Members::new();
    for (name, value) in [("source", "newsletter"), ("medium", "email"), ("name", "black friday"), ("term", "shoes")] {
        if stage.random.chance(700) {
            campaign.set_text(name, value);
        }
    }
    campaign
}

fn product(stage: &mut Stage, properties: &mut Members) {
    properties.set_text("product_id", &format!("sku-{}", stage.random.below(400)));
    properties.set("price", " 19.990").set_text("name", "Running shoe").set_text("category", "Shoes/Running");
}

fn banner(stage: &mut Stage, properties: &mut Members) {
    properties.set_plain("position", stage.random.below(9)).set("nested", r#"{"a":[1,2,{"b":"\ud83d\ude00"}]}"#);
}

fn cart(stage: &mut Stage, properties: &mut Members) {
    let products: Vec<String> = (0..stage.random.between(0, 4))
        .map(|_| match stage.random.below(12) {
            0 => "null".to_owned(),
            1 => r#"{"sku":"without an id"}"#.to_owned(),
            _ => format!(r#"{{"product_id":"sku-{}","quantity":1,"price":10.5}}"#, stage.random.below(400)),
        })
        .collect();
    properties.set("products", format!("[{}]", products.join(",")));
}

fn purchase(stage: &mut Stage, properties: &mut Members) {
    cart(stage, properties);
    match stage.random.below(12) {
        0 => {}
        1..4 => _ = properties.set_plain("order_id", stage.random.below(5_000)),
        _ => _ = properties.set("order_id", quoted(&format!("W-{}", stage.random.below(5_000)))),
    }
    let currency = stage.random.pick(&["EUR", "EUR", "USD", "JPY", "KWD", " usd ", "eur", "XXX", "CLF", ""]);
    if !currency.is_empty() {
        properties.set_text("currency", currency);
    }
    let amount = format!("{}.{:03}", stage.random.below(900), stage.random.below(1_000));
    match stage.random.below(12) {
        0 => properties.set("revenue", quoted(&amount)),
        1 => properties.set("total", amount),
        2 => properties.set("revenue", "\"n/a\"").set("total", quoted(&amount)),
        3 => properties.set("revenue", "0"),
        4 => properties.set("revenue", "-12.345"),
        5 => properties.set("revenue", "1.2345e2"),
        6 => properties.set("revenue", "1e30"),
        7 => properties.set("revenue", "null").set("total", "[1]"),
        _ => properties.set("revenue", amount).set("total", "1.00"),
    };
}
