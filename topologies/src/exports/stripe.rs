//! Stripe's reports `balance_change_from_activity` and `payout_reconciliation`, itemised: a line of either means the same.
//!
//! A balance transaction is in both reports. Only columns that both have are read, and `_utc` ones where they are, so that both say the same of
//! it and the second is a duplicate. `docs/guide/payments.md` says what is made of which category, and why.

use std::io::Read;

use super::cells::Cells;
use super::header::{Column, Header};
use super::line::ExportLine;
use super::reader::Layout;
use crate::payments::{Kind, LineVersion};
use crate::rejection::Rejection;

/// What a report must have.
pub(super) const REQUIRED: &[&str] =
    &["balance_transaction_id", "created_utc|created", "currency", "gross", "fee", "net", "reporting_category"];
/// Where the order is, unless it is set otherwise.
pub(crate) const ORDER_COLUMNS: &str = "payment_metadata[order_id],refund_metadata[order_id],transfer_metadata[order_id]";

/// Where a report has what.
#[derive(Debug)]
pub(super) struct Stripe {
    id: Column,
    created: [Column; 2],
    available: [Column; 2],
    currency: Column,
    gross: Column,
    fee: Column,
    net: Column,
    category: Column,
    orders: Vec<Column>,
}

impl Stripe {
    pub(super) fn new(header: &Header, layout: &Layout) -> Self {
        let pair = |utc: &str, local: &str| [header.column(utc), header.column(local)];
        Self {
            id: header.column("balance_transaction_id"),
            created: pair("created_utc", "created"),
            available: pair("available_on_utc", "available_on"),
            currency: header.column("currency"),
            gross: header.column("gross"),
            fee: header.column("fee"),
            net: header.column("net"),
            category: header.column("reporting_category"),
            orders: layout.order_columns.iter().map(|name| header.column(name)).collect(),
        }
    }

    /// Whether any column can name an order.
    pub(super) fn names_orders(&self) -> bool {
        self.orders.iter().any(|column| column.index.is_some())
    }

    pub(super) fn read<R: Read>(&self, cells: &mut Cells<'_, R>, layout: &Layout) -> Option<ExportLine> {
        let line_id = cells.required(&self.id);
        let currency = cells.currency(&self.currency);
        cells.required(&self.currency);
        let [gross, fee, net] = [&self.gross, &self.fee, &self.net].map(|column| cells.required_amount(column, currency));
        let category = cells.required(&self.category);
        let occurred_at = time(cells, &self.created, layout);
        let [utc, local] = &self.created;
        if cells.text(utc).is_none() {
            cells.required(local);
        }
        let available_on = time(cells, &self.available, layout);
        let order_id = cells.first_of(&self.orders).map(str::to_owned);
        Some(ExportLine {
            line_id: line_id?.to_owned(),
            version: LineVersion {
                order_id,
                kind: kind_of(category?),
                currency: currency?.as_str().to_owned(),
                gross_minor: gross?,
                fee_minor: fee?,
                net_minor: net?,
                occurred_at: occurred_at?,
                available_on,
            },
        })
    }
}

/// The time in UTC if there is one, else the local one in the zone that the report was asked for.
fn time<R: Read>(cells: &mut Cells<'_, R>, [utc, local]: &[Column; 2], layout: &Layout) -> Option<i64> {
    if cells.text(utc).is_some() {
        return cells.time(utc, Some("UTC"), &layout.zones);
    }
    cells.time(local, Some(&layout.time_zone), &layout.zones)
}

/// What a category moves money for. Signs are Stripe's own: what reverses a payment or a refund has the other sign and the same kind, so sums come
/// out right. A category that is not known moves no order's money, but its fee.
fn kind_of(category: &str) -> Kind {
    match category {
        "charge" | "charge_failure" | "partial_capture_reversal" => Kind::Charge,
        "refund" | "refund_failure" => Kind::Refund,
        "dispute" => Kind::Dispute,
        "dispute_reversal" => Kind::DisputeReversal,
        "fee" | "network_cost" | "tax" => Kind::Fee,
        "payout" | "payout_reversal" | "payout_failure" | "payout_minimum_balance_hold" | "payout_minimum_balance_release" => {
            Kind::Payout
        }
        "adjustment" | "other_adjustment" => Kind::Adjustment,
        _ => Kind::Other,
    }
}

/// Reads the current line; the rejection is the one that the contract's order of tests finds first.
pub(super) fn read<R: Read>(stripe: &Stripe, mut cells: Cells<'_, R>, layout: &Layout) -> Result<ExportLine, Rejection> {
    let line = stripe.read(&mut cells, layout);
    cells.faults.settle(line)
}

#[cfg(test)]
mod tests;
