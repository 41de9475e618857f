//! What encoding and decoding an event costs, in nanoseconds, beside the reference implementation. No test: a tool for decisions.
//!
//! `cargo run -p shoppulse-avro --example codec_cost [MEASUREMENT]`

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use bytes::BytesMut;
use highwater::serde::avro::{MemoryRegistry, SharedRegistry};
use highwater::serde::{Decode, Encode};
use serde::Deserialize;
use shoppulse_avro::{CLEAN_EVENTS_VALUE, CleanEvent, CleanEventRef, serde};

/// Rounds of each measurement; the best one counts, as the others met other work on the machine.
const ROUNDS: usize = 9;
const CALLS: u32 = 20_000;

/// What `sessions` needs of an event.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only its reading is measured")]
struct SessionPart<'a> {
    user_id: Option<&'a str>,
    r#type: &'a str,
    event: Option<&'a str>,
    occurred_at: i64,
    page_path: Option<&'a str>,
    referrer: Option<&'a str>,
    utm_source: Option<&'a str>,
    utm_medium: Option<&'a str>,
    utm_campaign: Option<&'a str>,
    order_id: Option<&'a str>,
    currency: Option<&'a str>,
    revenue_minor: Option<i64>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let event = event();
    let registry: SharedRegistry = Arc::new(MemoryRegistry::new());
    let serde = serde::<CleanEvent>(&registry)?;
    let mut bytes = BytesMut::new();
    serde.encode(&event, &mut bytes)?;
    let bytes = bytes.freeze();
    let mut out = BytesMut::with_capacity(bytes.len());
    let borrowed = CleanEventRef::from(&event);
    report(&format!("an event of {} bytes", bytes.len()), None)?;
    measure("encode", || {
        out.clear();
        serde.encode(&event, &mut out).is_ok()
    })?;
    measure("encode, borrowing form", || {
        out.clear();
        serde.encode_as(&borrowed, &mut out).is_ok()
    })?;
    measure("decode, owned", || serde.decode(&bytes).is_ok())?;
    let mut scratch = BytesMut::new();
    measure("decode, borrowing form", || serde.decode_as::<CleanEventRef<'_>>(&bytes, &mut scratch).is_ok())?;
    let mut scratch = BytesMut::new();
    measure("decode, 12 borrowed fields", || serde.decode_as::<SessionPart<'_>>(&bytes, &mut scratch).is_ok())?;
    measure("clone", || !black_box(event.clone()).properties.is_empty())?;
    reference(&event, &bytes[5..])
}

/// The same by `apache-avro`.
fn reference(event: &CleanEvent, datum: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let schema = Schema::parse_str(CLEAN_EVENTS_VALUE.text)?;
    let writer = GenericDatumWriter::builder(&schema).build()?;
    let reader = GenericDatumReader::builder(&schema).build()?;
    let mut out = Vec::with_capacity(datum.len());
    measure("apache-avro: encode, direct", || {
        out.clear();
        writer.write_ser(&mut out, event).is_ok()
    })?;
    measure("apache-avro: decode, direct", || reader.read_deser::<CleanEvent>(&mut &datum[..]).is_ok())?;
    measure("apache-avro: encode, by value", || {
        out.clear();
        apache_avro::to_value(event).and_then(|value| writer.write_value(&mut out, value)).is_ok()
    })?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn measure(what: &str, mut call: impl FnMut() -> bool) -> std::io::Result<()> {
    if std::env::args().nth(1).is_some_and(|only| only != what) {
        return Ok(());
    }
    let mut best_ns = f64::MAX;
    for _ in 0..ROUNDS {
        let start = std::time::Instant::now();
        for _ in 0..CALLS {
            assert!(black_box(call()), "{what}");
        }
        best_ns = best_ns.min(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    report(what, Some(best_ns))
}

fn report(what: &str, ns: Option<f64>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match ns {
        Some(ns) => writeln!(out, "{what:32} {ns:6.0} ns"),
        None => writeln!(out, "{what}"),
    }
}

fn event() -> CleanEvent {
    let text = |text: &str| Some(text.to_owned());
    CleanEvent {
        message_id: "9d3f2a1e-0c7b-4f57-8f3e-2b1c9a7d6e5f".to_owned(),
        shop_id: "shop-42".to_owned(),
        anonymous_id: text("1f7c2f0a-7a34-4c1c-9b6f-6c9e5d3b2a10"),
        user_id: text("customer-123456"),
        r#type: "track".to_owned(),
        event: text("Order Completed"),
        occurred_at: 1_760_000_000_123_000,
        original_timestamp: 1_760_000_000_023_456,
        sent_at: Some(1_760_000_001_023_456),
        received_at: 1_760_000_001_123_456,
        clock_skew_ms: 100,
        page_path: text("/checkout/thank-you"),
        page_url: text("https://shop.example.com/checkout/thank-you?order=1000123"),
        referrer: text("https://www.example.org/"),
        utm_source: text("google"),
        utm_medium: text("cpc"),
        utm_campaign: text("autumn-sale"),
        ip: text("203.0.113.77"),
        user_agent: text("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0"),
        locale: text("de-DE"),
        library: text("analytics.js/2.11.1"),
        order_id: text("1000123"),
        currency: text("EUR"),
        revenue_minor: Some(12_999),
        product_ids: vec!["sku-1001".to_owned(), "sku-2002".to_owned(), "sku-3003".to_owned()],
        properties: r#"{"order_id":"1000123","currency":"EUR","revenue":129.99,"products":[{"product_id":"sku-1001","price":49.99},{"product_id":"sku-2002","price":30.00,"quantity":2},{"product_id":"sku-3003","price":20.00}]}"#.to_owned(),
        processed_at: 1_760_000_001_200_000,
    }
}
