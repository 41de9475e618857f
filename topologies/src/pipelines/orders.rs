//! `orders`: an order, its items and its payments become one fact.

use std::sync::Arc;

use bytes::Bytes;
use highwater::dsl::{Emit, Materialized};
use highwater::processor::{Context, KvHandle, KvStore, ProcessError, Processor, ProcessorSupplier, StoreRef, TaskContext};
use highwater::serde::StringSerde;
use highwater::{Error, Record, Repartitioned, StreamsBuilder, Topology};
use shoppulse_avro::{OrderFact, OrderFactKey};

use super::{builder, curated, enter, kafka_time, raw};
use crate::cdc::{self, Change, ItemRow, OrderRow, Row, RowState};
use crate::orders::component::{apply_item, apply_order};
use crate::orders::{ComponentUpdate, FactColumns, OrderState};
use crate::payments::{self, LineKey, LineState};
use crate::schemas::Schemas;
use crate::stored::{Stored, StoredSerde};
use crate::topic_names::{CDC_ORDER_ITEMS, CDC_ORDERS, ORDER_FACTS, RAW_PAYMENTS};
use crate::verdict::Verdict;

/// Changes of orders and items, and payment lines, each ordered where it comes in → by order → one fact an order.
///
/// The parts of an order come from partitions that know nothing of each other. Each part's own history is settled first; then
/// what is left of it travels to the order, where only the last of each part counts, so it does not matter which came first.
pub fn build(schemas: &Schemas) -> Result<Topology, Error> {
    let builder = builder("orders", schemas)?;
    let stores = Stores::declare(&builder);
    let orders =
        builder.stream(raw(CDC_ORDERS).subtopology("order-rows")).process("order-changes", Rows(stores.orders, apply_order));
    let items =
        builder.stream(raw(CDC_ORDER_ITEMS).subtopology("item-rows")).process("item-changes", Rows(stores.items, apply_item));
    let lines = builder.stream(raw(RAW_PAYMENTS).subtopology("payment-lines")).process("payment-versions", Lines(stores.lines));
    let by_order = Repartitioned::with("by-order", Arc::new(StringSerde), StoredSerde::<ComponentUpdate>::shared());
    let rows = Materialized::with("order-fact-rows", schemas.shared::<OrderFactKey>()?, schemas.shared::<OrderFact>()?);
    builder
        .repartition([orders, items, lines], by_order)
        .process("facts", Facts(stores.facts))
        .upsert_rows(rows, Emit::AtMostEvery(schemas.emit_every()))
        .to(curated::<OrderFact>(schemas, ORDER_FACTS)?);
    builder.build()
}

struct Stores {
    orders: KvHandle<i64, RowState<OrderRow>>,
    items: KvHandle<i64, RowState<ItemRow>>,
    lines: KvHandle<LineKey, LineState>,
    facts: KvHandle<String, OrderState>,
}

impl Stores {
    fn declare(builder: &StreamsBuilder) -> Self {
        let id = || Arc::new(highwater::serde::I64Serde);
        Self {
            orders: builder.key_value_store_with("orders", id(), StoredSerde::shared()),
            items: builder.key_value_store_with("order-items", id(), StoredSerde::shared()),
            lines: builder.key_value_store_with("payment-lines", StoredSerde::shared(), StoredSerde::shared()),
            facts: builder.key_value_store_with("order-parts", Arc::new(StringSerde), StoredSerde::shared()),
        }
    }
}

/// What a change of a row comes to: a verdict, and what the orders concerned are told.
type Apply<R> = fn(&mut RowState<R>, Change<R>) -> (Verdict, Vec<ComponentUpdate>);

/// Settles the history of each row of a table.
struct Rows<R>(KvHandle<i64, RowState<R>>, Apply<R>);

struct RowsOfTask<R>(KvStore<i64, RowState<R>>, Apply<R>);

impl<R: Row + Send + 'static> ProcessorSupplier<Option<Bytes>, Option<Bytes>> for Rows<R>
where
    RowState<R>: Stored + Clone + Default + Send,
{
    type Processor = RowsOfTask<R>;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> RowsOfTask<R> {
        RowsOfTask(task.open(&self.0), self.1)
    }
}

impl<R: Row + Send + 'static> Processor<Option<Bytes>, Option<Bytes>> for RowsOfTask<R>
where
    RowState<R>: Stored + Clone + Default + Send,
{
    type KeyOut = String;
    type ValueOut = ComponentUpdate;

    fn process(
        &mut self,
        record: Record<Option<Bytes>, Option<Bytes>>,
        cx: &mut Context<'_, String, ComponentUpdate>,
    ) -> Result<(), ProcessError> {
        let message = cdc::read::<R>(record.key.as_deref(), record.value.as_deref())?;
        let change = match message.into_change() {
            Ok(change) => change,
            Err(verdict) => return enter(verdict, cx),
        };
        let id = change.id;
        let mut state = self.0.get(cx, &id)?.unwrap_or_default();
        let (verdict, updates) = (self.1)(&mut state, change);
        enter(verdict, cx)?;
        self.0.put(cx, &id, &state)?;
        tell_orders(updates, cx)
    }
}

/// Settles the versions of each payment line.
struct Lines(KvHandle<LineKey, LineState>);

struct LinesOfTask(KvStore<LineKey, LineState>);

impl ProcessorSupplier<Option<Bytes>, Option<Bytes>> for Lines {
    type Processor = LinesOfTask;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> LinesOfTask {
        LinesOfTask(task.open(&self.0))
    }
}

impl Processor<Option<Bytes>, Option<Bytes>> for LinesOfTask {
    type KeyOut = String;
    type ValueOut = ComponentUpdate;

    fn process(
        &mut self,
        record: Record<Option<Bytes>, Option<Bytes>>,
        cx: &mut Context<'_, String, ComponentUpdate>,
    ) -> Result<(), ProcessError> {
        let (key, version) = payments::read(record.key.as_deref(), record.value.as_deref())?;
        let mut state = self.0.get(cx, &key)?.unwrap_or_default();
        let (verdict, updates) = state.apply(&key, version);
        enter(verdict, cx)?;
        self.0.put(cx, &key, &state)?;
        tell_orders(updates, cx)
    }
}

fn tell_orders(updates: Vec<ComponentUpdate>, cx: &mut Context<'_, String, ComponentUpdate>) -> Result<(), ProcessError> {
    for update in updates {
        let timestamp = kafka_time(update.changed_at);
        cx.forward(Record::new(update.order_id.clone(), update, timestamp))?;
    }
    Ok(())
}

/// Puts the parts of an order together.
struct Facts(KvHandle<String, OrderState>);

struct FactsOfTask(KvStore<String, OrderState>);

impl ProcessorSupplier<String, ComponentUpdate> for Facts {
    type Processor = FactsOfTask;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> FactsOfTask {
        FactsOfTask(task.open(&self.0))
    }
}

impl Processor<String, ComponentUpdate> for FactsOfTask {
    type KeyOut = OrderFactKey;
    type ValueOut = Option<OrderFact>;

    fn process(
        &mut self,
        record: Record<String, ComponentUpdate>,
        cx: &mut Context<'_, OrderFactKey, Option<OrderFact>>,
    ) -> Result<(), ProcessError> {
        let order_id = record.key;
        let mut state = self.0.get(cx, &order_id)?.unwrap_or_default();
        let before = state.facts(&order_id);
        state.apply(record.value);
        self.0.put(cx, &order_id, &state)?;
        for fact in state.differences(&before, &order_id) {
            let timestamp = kafka_time(fact.updated_at);
            let key = OrderFactKey { shop_id: fact.shop_id.clone(), order_id: fact.order_id.clone() };
            let value = (!fact.is_deleted).then(|| row(fact));
            cx.forward(Record::new(key, value, timestamp))?;
        }
        Ok(())
    }
}

fn row(fact: FactColumns) -> OrderFact {
    OrderFact {
        shop_id: fact.shop_id,
        order_id: fact.order_id,
        customer_id: fact.customer_id,
        status: fact.status,
        currency: fact.currency,
        placed_at: fact.placed_at,
        lines: fact.lines,
        units: fact.units,
        items_minor: fact.items_minor,
        discount_minor: fact.discount_minor,
        shipping_minor: fact.shipping_minor,
        tax_minor: fact.tax_minor,
        gross_minor: fact.gross_minor,
        paid_minor: fact.paid_minor,
        refunded_minor: fact.refunded_minor,
        disputed_minor: fact.disputed_minor,
        fees_minor: fact.fees_minor,
        net_minor: fact.net_minor,
        payment_state: fact.payment_state.as_str().to_owned(),
        payments: fact.payments,
        first_paid_at: fact.first_paid_at,
        last_payment_at: fact.last_payment_at,
        has_order: fact.has_order,
        updated_at: fact.updated_at,
        ..OrderFact::default()
    }
}
