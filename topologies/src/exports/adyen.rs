//! Adyen's settlement detail report. `docs/guide/payments.md` says what is made of which type, and why.
//!
//! Debit and credit are two columns, in two currencies: gross in what the shopper paid, net in what is settled. A line of ours has one
//! currency, the shopper's where there is one, since orders are in it.

use std::collections::BTreeMap;
use std::io::Read;

use super::batches::{BatchKey, Batches, Movement};
use super::cells::Cells;
use super::header::{Column, Header};
use super::line::ExportLine;
use super::reader::Layout;
use crate::money::Currency;
use crate::payments::{Kind, LineVersion};
use crate::rejection::{Reason, Rejection};

/// What a report must have.
pub(super) const REQUIRED: &[&str] = &[
    "Merchant Account",
    "Psp Reference",
    "Creation Date",
    "TimeZone",
    "Type",
    "Modification Reference",
    "Gross Currency",
    "Gross Debit (GC)",
    "Gross Credit (GC)",
    "Net Currency",
    "Net Debit (NC)",
    "Net Credit (NC)",
    "Batch Number",
];
/// Where the order is, unless it is set otherwise.
pub(crate) const ORDER_COLUMNS: &str = "Merchant Order Reference,Merchant Reference";
/// What a provider's fees are made of, in the currency of the settlement.
const FEES: [&str; 4] = ["Commission (NC)", "Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)"];
/// Lines without a reference of their own are told apart by counting; so many different ones are counted at most.
const COUNTED_MAX_LINES: usize = 200_000;

/// Where a report has what, and what spans its lines.
#[derive(Debug)]
pub(super) struct Adyen {
    merchant: Column,
    psp_reference: Column,
    created: Column,
    zone: Column,
    line_type: Column,
    modification: Column,
    gross_currency: Column,
    gross: [Column; 2],
    net_currency: Column,
    net: [Column; 2],
    fees: [Column; 4],
    batch: Column,
    orders: Vec<Column>,
    counted: BTreeMap<String, u32>,
    pub(super) batches: Batches,
}

/// What the amounts of a line say.
struct Amounts {
    currency: Currency,
    gross: i64,
    fee: i64,
    net: i64,
}

/// Both sides of a line, each with its currency; `None` where it is empty.
struct Sides {
    gross: Option<(Currency, i64)>,
    net: Option<(Currency, i64)>,
    /// In the net currency.
    fees: Option<i64>,
    net_currency: Option<Currency>,
}

impl Adyen {
    pub(super) fn new(header: &Header, layout: &Layout) -> Self {
        Self {
            merchant: header.column("Merchant Account"),
            psp_reference: header.column("Psp Reference"),
            created: header.column("Creation Date"),
            zone: header.column("TimeZone"),
            line_type: header.column("Type"),
            modification: header.column("Modification Reference"),
            gross_currency: header.column("Gross Currency"),
            gross: ["Gross Credit (GC)", "Gross Debit (GC)"].map(|name| header.column(name)),
            net_currency: header.column("Net Currency"),
            net: ["Net Credit (NC)", "Net Debit (NC)"].map(|name| header.column(name)),
            fees: FEES.map(|name| header.column(name)),
            batch: header.column("Batch Number"),
            orders: layout.order_columns.iter().map(|name| header.column(name)).collect(),
            counted: BTreeMap::new(),
            batches: Batches::default(),
        }
    }

    /// Whether any column can name an order.
    pub(super) fn names_orders(&self) -> bool {
        self.orders.iter().any(|column| column.index.is_some())
    }

    /// Whether more had to be remembered than may be.
    pub(super) fn is_over_limit(&self) -> bool {
        self.counted.len() > COUNTED_MAX_LINES || self.batches.is_over_limit()
    }

    /// Reads the current line; the rejection is the one that the contract's order of tests finds first.
    pub(super) fn read<R: Read>(&mut self, mut cells: Cells<'_, R>, layout: &Layout) -> Result<ExportLine, Rejection> {
        let line = self.line(&mut cells, layout);
        cells.faults.settle(line)
    }

    fn line<R: Read>(&mut self, cells: &mut Cells<'_, R>, layout: &Layout) -> Option<ExportLine> {
        let merchant = cells.required(&self.merchant);
        let batch = cells.required(&self.batch);
        let line_type = cells.required(&self.line_type);
        let psp_reference = cells.text(&self.psp_reference);
        let modification = cells.text(&self.modification);
        let order_id = cells.first_of(&self.orders).map(str::to_owned);
        let zone = cells.text(&self.zone);
        cells.required(&self.created);
        let occurred_at = cells.time(&self.created, zone, &layout.zones);
        let (net_currency, sides) = self.sides(cells);
        // The number and the sums are taken of every line that says where it belongs, also if something else is wrong with it: a
        // correction of that must not change the names of others.
        let line_id = self.line_id(merchant?, batch?, line_type?, psp_reference, modification);
        self.batches.book(BatchKey::new(merchant?, batch?, net_currency), movement(line_type?, sides.as_ref().ok()));
        let sides = sides.ok()?;
        if sides.gross.is_none() && sides.net.is_none() {
            cells.faults.note(Reason::MissingField, || "it has neither a gross nor a net amount".to_owned());
        }
        let amounts = amounts(&sides, line_type?);
        if amounts.is_none() {
            cells.faults.note(Reason::BadValue, || "its amounts are outside 64 bits".to_owned());
        }
        let amounts = amounts?;
        Some(ExportLine {
            line_id,
            version: LineVersion {
                order_id,
                kind: kind_of(line_type?),
                currency: amounts.currency.as_str().to_owned(),
                gross_minor: amounts.gross,
                fee_minor: amounts.fee,
                net_minor: amounts.net,
                occurred_at: occurred_at?,
                available_on: None,
            },
        })
    }

    /// The currency of the settlement, and both sides; an error if there is an amount that can't be read.
    fn sides<R: Read>(&self, cells: &mut Cells<'_, R>) -> (Option<Currency>, Result<Sides, ()>) {
        let gross_currency = cells.currency(&self.gross_currency);
        let net_currency = cells.currency(&self.net_currency);
        let gross = difference(cells, &self.gross, &self.gross_currency, gross_currency);
        let net = difference(cells, &self.net, &self.net_currency, net_currency);
        let mut fees: Result<Option<i64>, ()> = Ok(None);
        for column in &self.fees {
            if cells.text(column).is_some() {
                let fee = cells.amount(column, net_currency).ok_or(());
                fees = fees.and_then(|sum| sum.unwrap_or(0).checked_add(fee?).map(Some).ok_or(()));
            }
        }
        let sides = || {
            let gross = gross?.and_then(|gross| Some((gross_currency?, gross)));
            let net = net?.and_then(|net| Some((net_currency?, net)));
            Ok(Sides { gross, net, fees: fees?, net_currency })
        };
        (net_currency, sides())
    }

    /// The line's identity: what Adyen identifies it by, and for a line without a reference of its own its number among its equals.
    fn line_id(&mut self, merchant: &str, batch: &str, line_type: &str, psp: Option<&str>, modification: Option<&str>) -> String {
        let parts = [merchant, batch, line_type, psp.unwrap_or_default(), modification.unwrap_or_default()];
        let id = parts.map(|part| part.replace('%', "%25").replace('/', "%2F")).join("/");
        if psp.is_some() {
            return id;
        }
        let number = self.counted.entry(id.clone()).or_default();
        *number += 1;
        format!("{id}/{number}")
    }
}

/// What a line does to its batch.
fn movement(line_type: &str, sides: Option<&Sides>) -> Movement {
    match sides {
        None => Movement::Unreadable,
        Some(Sides { net: Some((_, net)), .. }) if kind_of(line_type) == Kind::Payout => Movement::Payout(-i128::from(*net)),
        Some(sides) => Movement::Line(sides.net.map_or(0, |(_, net)| i128::from(net))),
    }
}

/// Credit less debit; `None` if both are empty, an error if one can't be read.
fn difference<R: Read>(
    cells: &mut Cells<'_, R>,
    columns: &[Column; 2],
    currency_column: &Column,
    currency: Option<Currency>,
) -> Result<Option<i64>, ()> {
    let [credit, debit] = columns.each_ref().map(|column| {
        if cells.text(column).is_none() {
            return Ok(None);
        }
        if cells.text(currency_column).is_none() {
            cells.faults.note(Reason::MissingField, || format!("`{}` has no currency beside it", column.name));
        }
        cells.amount(column, currency).map(Some).ok_or(())
    });
    match (credit?, debit?) {
        (None, None) => Ok(None),
        (credit, debit) => credit.unwrap_or(0).checked_sub(debit.unwrap_or(0)).map(Some).ok_or(()),
    }
}

/// One currency's view of a line.
///
/// * Only a net side (fees, payouts, transfers): that is the gross, and there is no fee beside it.
/// * Both in one currency: the fee is what lies between them, so that it is right whatever columns of fees there are.
/// * No net side, or a line that another party settles: the fee is the sum of the columns.
/// * Two currencies: the fee is the same part of the gross that it is of the net side's gross, rounded half away from zero.
fn amounts(sides: &Sides, line_type: &str) -> Option<Amounts> {
    let is_settled = !line_type.to_ascii_lowercase().contains("external");
    let (currency, gross) = match (sides.gross, sides.net) {
        (Some(gross), _) => gross,
        (None, Some((currency, net))) => return Some(Amounts { currency, gross: net, fee: 0, net }),
        (None, None) => return None,
    };
    let fee = match (sides.net, sides.fees) {
        (Some((net_currency, net)), _) if net_currency == currency && is_settled => gross.checked_sub(net)?,
        (_, Some(fees)) if sides.net_currency == Some(currency) => fees,
        (Some((_, net)), Some(fees)) => share(gross, fees, i128::from(net) + i128::from(fees))?,
        _ => 0,
    };
    Some(Amounts { currency, gross, fee, net: gross.checked_sub(fee)? })
}

/// `gross × part ÷ whole`, rounded half away from zero.
fn share(gross: i64, part: i64, whole: i128) -> Option<i64> {
    if whole == 0 {
        return Some(0);
    }
    let product = i128::from(gross) * i128::from(part);
    let sign = if (product < 0) == (whole < 0) { 1 } else { -1 };
    let (product, whole) = (product.unsigned_abs(), whole.unsigned_abs());
    let rounded = product / whole + u128::from(product % whole >= whole.div_ceil(2));
    i64::try_from(i128::try_from(rounded).ok()? * sign).ok()
}

/// What a type moves money for. One that is not known moves no order's money.
fn kind_of(line_type: &str) -> Kind {
    match line_type.to_ascii_lowercase().as_str() {
        "settled" | "settledexternally" | "settledreversed" | "settledexternallyreversed" => Kind::Charge,
        "refunded" | "refundedexternally" | "refundedreversed" | "refundedexternallyreversed" => Kind::Refund,
        "chargeback" | "chargebackexternally" | "secondchargeback" | "secondchargebackexternally" => Kind::Dispute,
        "chargebackreversed" | "chargebackreversedexternally" | "chargebackexternallyreversed" => Kind::DisputeReversal,
        "fee" | "misccosts" | "invoicededuction" | "paymentcost" => Kind::Fee,
        "merchantpayout" => Kind::Payout,
        "depositcorrection" | "manualcorrected" | "reserveadjustment" => Kind::Adjustment,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests;
