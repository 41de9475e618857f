//! `customers`: changes of customers become rows as they are and as they were.
//!
//! Not by the engine's `scd2`, which goes by event time alone: these changes go by their place in the log, and a deletion erases the past.

use std::sync::Arc;

use bytes::Bytes;
use highwater::dsl::{Emit, Materialized};
use highwater::processor::{Context, KvHandle, KvStore, ProcessError, Processor, ProcessorSupplier, StoreRef, TaskContext};
use highwater::serde::I64Serde;
use highwater::{Error, Record, Topology};
use shoppulse_avro::{CustomerKey, CustomerRow, CustomerVersion, CustomerVersionKey};

use super::{builder, curated, enter, kafka_time, raw};
use crate::cdc;
use crate::customers::{CustomerColumns, CustomerState, CustomerVersionColumns, RowChange};
use crate::schemas::Schemas;
use crate::stored::StoredSerde;
use crate::topic_names::{CDC_CUSTOMERS, CUSTOMER_HISTORY, CUSTOMERS};

/// Changes of customers, put in their order → the current row of each, and the rows of all times.
pub fn build(schemas: &Schemas) -> Result<Topology, Error> {
    let builder = builder("customers", schemas)?;
    let histories = builder.key_value_store_with("customers", Arc::new(I64Serde), StoredSerde::<CustomerState>::shared());
    let emit = Emit::AtMostEvery(schemas.emit_every());
    let changes = builder.stream(raw(CDC_CUSTOMERS).subtopology("customer-rows")).process("history", Histories(histories));
    changes
        .flat_map(|_, change| if let RowChange::Current(row) = change { Some(current(row)) } else { None })
        .upsert_rows(
            Materialized::with("customer-rows", schemas.shared::<CustomerKey>()?, schemas.shared::<CustomerRow>()?),
            emit,
        )
        .to(curated::<CustomerRow>(schemas, CUSTOMERS)?);
    let versions = Materialized::with(
        "customer-version-rows",
        schemas.shared::<CustomerVersionKey>()?,
        schemas.shared::<CustomerVersion>()?,
    );
    changes
        .flat_map(|_, change| if let RowChange::Version(row) = change { Some(version(row)) } else { None })
        .upsert_rows(versions, emit)
        .to(curated::<CustomerVersion>(schemas, CUSTOMER_HISTORY)?);
    builder.build()
}

/// Keeps the history of each customer.
struct Histories(KvHandle<i64, CustomerState>);

struct HistoriesOfTask(KvStore<i64, CustomerState>);

impl ProcessorSupplier<Option<Bytes>, Option<Bytes>> for Histories {
    type Processor = HistoriesOfTask;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> HistoriesOfTask {
        HistoriesOfTask(task.open(&self.0))
    }
}

impl Processor<Option<Bytes>, Option<Bytes>> for HistoriesOfTask {
    type KeyOut = i64;
    type ValueOut = RowChange;

    fn process(
        &mut self,
        record: Record<Option<Bytes>, Option<Bytes>>,
        cx: &mut Context<'_, i64, RowChange>,
    ) -> Result<(), ProcessError> {
        let message = cdc::read::<cdc::CustomerRow>(record.key.as_deref(), record.value.as_deref())?;
        let change = match message.into_change() {
            Ok(change) => change,
            Err(verdict) => return enter(verdict, cx),
        };
        let id = change.id;
        let mut state = self.0.get(cx, &id)?.unwrap_or_default();
        let (verdict, changes) = state.apply(change);
        enter(verdict, cx)?;
        self.0.put(cx, &id, &state)?;
        for change in changes {
            let updated_at = match &change {
                RowChange::Current(row) => row.updated_at,
                RowChange::Version(row) => row.updated_at,
            };
            cx.forward(Record::new(id, change, kafka_time(updated_at)))?;
        }
        Ok(())
    }
}

fn current(row: CustomerColumns) -> (CustomerKey, Option<CustomerRow>) {
    let key = CustomerKey { shop_id: row.shop_id.clone(), customer_id: row.customer_id.clone() };
    let value = (!row.is_deleted).then(|| CustomerRow {
        shop_id: row.shop_id,
        customer_id: row.customer_id,
        email: row.email,
        name: row.name,
        phone: row.phone,
        country: row.country,
        marketing_opt_in: row.marketing_opt_in,
        created_at: row.created_at,
        source_updated_at: row.source_updated_at,
        valid_from: row.valid_from,
        updated_at: row.updated_at,
        ..CustomerRow::default()
    });
    (key, value)
}

fn version(row: CustomerVersionColumns) -> (CustomerVersionKey, Option<CustomerVersion>) {
    let key =
        CustomerVersionKey { shop_id: row.shop_id.clone(), customer_id: row.customer_id.clone(), valid_from: row.valid_from };
    let value = (!row.is_deleted).then(|| CustomerVersion {
        shop_id: row.shop_id,
        customer_id: row.customer_id,
        valid_from: row.valid_from,
        email: row.email,
        name: row.name,
        phone: row.phone,
        country: row.country,
        marketing_opt_in: row.marketing_opt_in,
        created_at: row.created_at,
        source_updated_at: row.source_updated_at,
        valid_to: row.valid_to,
        is_current: row.is_current,
        updated_at: row.updated_at,
        ..CustomerVersion::default()
    });
    (key, value)
}
