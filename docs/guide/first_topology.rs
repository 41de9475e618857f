//! `page-views`: how often each page of each shop was seen in each hour.

use std::sync::Arc;
use std::time::Duration;

use highwater::dsl::{Emit, Materialized, TimeWindows, Windowed};
use highwater::serde::{JsonSerde, StringSerde};
use highwater::{Consumed, Error, Produced, StreamsBuilder, Topology};
use serde::{Deserialize, Serialize};
use shoppulse::schemas::Schemas;
use shoppulse::topic_names::{CLEAN_EVENTS, DEAD_LETTERS};
use shoppulse_avro::CleanEvent;

/// The topic that it writes.
pub const PAGE_VIEWS: &str = "page.views";

/// Clean events → views of pages → one count for each page and hour.
pub fn build(schemas: &Schemas) -> Result<Topology, Error> {
    let builder = StreamsBuilder::new("page-views");
    builder.dead_letters(DEAD_LETTERS);
    let events = Consumed::with(CLEAN_EVENTS, Arc::new(StringSerde), schemas.shared::<CleanEvent>()?);
    let hours = TimeWindows::tumbling(Duration::from_hours(1)).grace(Duration::from_hours(24));
    builder
        .stream(events.subtopology("events"))
        .filter(|_, event| event.r#type == "page")
        .flat_map(|_, event| event.page_path.map(|path| (format!("{}|{path}", event.shop_id), ())))
        .group_by_key()
        .windowed_by(hours)
        .count(Materialized::named("hours").emit(Emit::AtMostEvery(schemas.emit_every())))
        .to_stream()
        .present()
        .map(|window, views| (key(&window), row(&window, views)))
        .to(Produced::with(PAGE_VIEWS, Arc::new(StringSerde), Arc::new(JsonSerde::new())));
    builder.build()
}

/// A row of the output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageViews {
    /// The shop's id, a bar, and the page's path.
    pub page: String,
    /// When the hour began, in milliseconds since 1970.
    pub hour_ms: i64,
    /// How often it was seen.
    pub views: u64,
}

fn row(window: &Windowed<String>, views: u64) -> PageViews {
    PageViews { page: window.key.clone(), hour_ms: window.start.as_millis(), views }
}

fn key(window: &Windowed<String>) -> String {
    format!("{}|{}", window.key, window.start)
}
