//! The guide's first topology, run record by record.

use std::sync::Arc;
use std::time::Duration;

use highwater::TopologyTestDriver;
use highwater::serde::{JsonSerde, StringSerde};
use shoppulse::schemas::Schemas;
use shoppulse_avro::CleanEvent;

use crate::first_topology::{PAGE_VIEWS, PageViews, build};

const HOUR_MS: i64 = 3_600_000;

fn event(r#type: &str, shop_id: &str, page_path: Option<&str>) -> CleanEvent {
    let (r#type, shop_id, page_path) = (r#type.to_owned(), shop_id.to_owned(), page_path.map(str::to_owned));
    CleanEvent { r#type, shop_id, page_path, ..CleanEvent::default() }
}

fn rows(driver: &mut TopologyTestDriver) -> Vec<(String, PageViews)> {
    let mut output = driver.output(PAGE_VIEWS);
    let records =
        output.read_records_with::<String, PageViews>(&(Arc::new(StringSerde) as _), &(Arc::new(JsonSerde::new()) as _));
    records.into_iter().map(|record| (record.key, record.value)).collect()
}

#[test]
fn the_first_topology_counts_views_by_page_and_hour() {
    let schemas = Schemas::in_memory();
    let serde = schemas.serde::<CleanEvent>().unwrap();
    let mut driver = TopologyTestDriver::with_partitions(&build(&schemas).unwrap(), 2);
    for (visitor, at_ms, event) in [
        ("ada", 0, event("page", "shop", Some("/"))),
        ("bob", HOUR_MS - 1, event("page", "shop", Some("/"))),
        ("ada", HOUR_MS, event("page", "shop", Some("/"))),
        ("ada", HOUR_MS, event("page", "other", Some("/"))),
        ("ada", HOUR_MS, event("track", "shop", Some("/"))),
        ("ada", HOUR_MS, event("page", "shop", None)),
    ] {
        let mut value = bytes::BytesMut::new();
        highwater::serde::Encode::encode(&*serde, &event, &mut value).unwrap();
        driver.input("clean.events").send_bytes(Some(visitor.as_bytes()), Some(&value), at_ms);
    }
    assert!(rows(&mut driver).is_empty(), "rows wait for their 30 seconds");

    driver.advance_wall_clock(Duration::from_secs(31));
    let mut rows = rows(&mut driver);
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    let row = |key: &str, page: &str, hour_ms, views| (key.to_owned(), PageViews { page: page.to_owned(), hour_ms, views });
    let expected = [
        row("other|/|3600000", "other|/", HOUR_MS, 1),
        row("shop|/|0", "shop|/", 0, 2),
        row("shop|/|3600000", "shop|/", HOUR_MS, 1),
    ];
    assert_eq!(rows, expected);
}
