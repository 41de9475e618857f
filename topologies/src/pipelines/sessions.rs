//! `sessions`: a visitor's events become visits.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use highwater::dsl::{Emit, Grouped, Materialized, RecordPosition, SessionWindows, Windowed};
use highwater::serde::avro::AvroSerde;
use highwater::serde::{Decode, Encode, Serde, SerdeError, SharedSerde, StringSerde};
use highwater::{Consumed, Error, Record, Timestamp, Topology};
use serde::Deserialize;
use shoppulse_avro::{CleanEvent, Revenue, SessionRow};

use super::{builder, curated};
use crate::events::{MAX_SESSION_MS, Mark, SESSION_GAP_MS, Session, SessionEvent};
use crate::schemas::Schemas;
use crate::topic_names::{CLEAN_EVENTS, LATE_EVENTS, SESSIONS};

/// How late an event may be and still count.
const GRACE: Duration = Duration::from_hours(24);

/// `clean.events` → session windows by visitor → one row a session in `curated.sessions`.
///
/// A late event may move a session's start or join two; the ids that are gone are deleted.
pub fn build(schemas: &Schemas) -> Result<Topology, Error> {
    let builder = builder("sessions", schemas)?;
    let windows = SessionWindows::inactivity(Duration::from_millis(SESSION_GAP_MS as u64))
        .max_length(Duration::from_millis(MAX_SESSION_MS as u64))
        .grace(GRACE)
        .late_to(LATE_EVENTS)
        .identified_by_start();
    let visits: SharedSerde<Visit> = Arc::new(VisitSerde(schemas.serde()?));
    let events = Consumed::with(CLEAN_EVENTS, Arc::new(StringSerde), visits.clone())
        .timestamp(|_, visit, _| Timestamp::from_millis(visit.occurred_ms))
        .subtopology("visitors");
    let store = Materialized::with("sessions", Arc::new(StringSerde), Arc::new(SessionSerde))
        .emit(Emit::AtMostEvery(schemas.emit_every()));
    builder
        .stream(events)
        .group_with(Grouped::with(Arc::new(StringSerde), visits))
        .windowed_by(windows)
        .aggregate_records(store, Session::open, add, merge)
        .to_rows(row)
        .to(curated::<SessionRow>(schemas, SESSIONS)?);
    builder.build()
}

fn add(record: &Record<String, Visit>, position: RecordPosition, session: &mut Session) {
    session.add(&record.value.event(position.offset));
}

fn merge(_: &String, mut one: Session, other: Session) -> Session {
    one.merge(other);
    one
}

fn row(key: &Windowed<String>, session: &Session) -> SessionRow {
    let row = session.row(&key.key, key.start.as_millis(), key.end.as_millis());
    SessionRow {
        shop_id: row.shop_id,
        session_id: row.session_id,
        visitor: row.visitor,
        user_id: row.user_id,
        started_at: row.started_at,
        ended_at: row.ended_at,
        events: row.events,
        page_views: row.page_views,
        product_views: row.product_views,
        cart_adds: row.cart_adds,
        checkouts: row.checkouts,
        orders: row.orders,
        revenue: row.revenue.into_iter().map(|sum| Revenue { currency: sum.currency, amount_minor: sum.amount_minor }).collect(),
        entry_page: row.entry_page,
        exit_page: row.exit_page,
        referrer: row.referrer,
        utm_source: row.utm_source,
        utm_medium: row.utm_medium,
        utm_campaign: row.utm_campaign,
        order_ids: row.order_ids,
        updated_at: row.updated_at,
        ..SessionRow::default()
    }
}

/// What a session wants to know of an event.
#[derive(Clone, Debug)]
struct Visit {
    occurred_ms: i64,
    shop_id: Box<str>,
    kind: Box<str>,
    event: Option<Box<str>>,
    user_id: Option<Box<str>>,
    page_path: Option<Box<str>>,
    referrer: Option<Box<str>>,
    utm: [Option<Box<str>>; 3],
    order_id: Option<Box<str>>,
    currency: Option<Box<str>>,
    revenue_minor: Option<i64>,
}

impl Visit {
    fn event(&self, offset: i64) -> SessionEvent<'_> {
        SessionEvent {
            mark: Mark { occurred_ms: self.occurred_ms, offset },
            shop_id: &self.shop_id,
            kind: &self.kind,
            event: self.event.as_deref(),
            user_id: self.user_id.as_deref(),
            page_path: self.page_path.as_deref(),
            referrer: self.referrer.as_deref(),
            utm: self.utm.each_ref().map(Option::as_deref),
            order_id: self.order_id.as_deref(),
            currency: self.currency.as_deref(),
            revenue_minor: self.revenue_minor,
        }
    }
}

/// The columns of `clean.events` that a session reads; the rest is skipped.
#[derive(Debug, Deserialize)]
struct Columns<'a> {
    shop_id: &'a str,
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

/// Reads what a session wants of a row of `clean.events`.
#[derive(Debug)]
struct VisitSerde(Arc<AvroSerde<CleanEvent>>);

impl Decode<Visit> for VisitSerde {
    fn decode(&self, bytes: &[u8]) -> Result<Visit, SerdeError> {
        let mut scratch = BytesMut::new();
        let columns: Columns<'_> = self.0.decode_as(bytes, &mut scratch)?;
        let own = |text: Option<&str>| text.map(Box::from);
        Ok(Visit {
            occurred_ms: columns.occurred_at.div_euclid(1_000),
            shop_id: columns.shop_id.into(),
            kind: columns.r#type.into(),
            event: own(columns.event),
            user_id: own(columns.user_id),
            page_path: own(columns.page_path),
            referrer: own(columns.referrer),
            utm: [own(columns.utm_source), own(columns.utm_medium), own(columns.utm_campaign)],
            order_id: own(columns.order_id),
            currency: own(columns.currency),
            revenue_minor: columns.revenue_minor,
        })
    }
}

impl Encode<Visit> for VisitSerde {
    fn encode(&self, _: &Visit, _: &mut BytesMut) -> Result<(), SerdeError> {
        Err(SerdeError::new("internal", "visits are read, never written"))
    }
}

impl Serde<Visit> for VisitSerde {}

/// A session in the store.
#[derive(Debug)]
struct SessionSerde;

impl Encode<Session> for SessionSerde {
    fn encode(&self, session: &Session, out: &mut BytesMut) -> Result<(), SerdeError> {
        let mut bytes = Vec::with_capacity(256);
        session.encode(&mut bytes);
        out.extend_from_slice(&bytes);
        Ok(())
    }
}

impl Decode<Session> for SessionSerde {
    fn decode(&self, bytes: &[u8]) -> Result<Session, SerdeError> {
        Session::decode(bytes).map_err(|error| SerdeError::new("internal", error.to_string()))
    }
}

impl Serde<Session> for SessionSerde {}
