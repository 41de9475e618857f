//! What a session adds up: a value that grows by events and by other sessions, in any order, to the same result.
//!
//! Which events belong together is [`choose`](super::choose)'s and the engine's affair; start and end are kept by the window, not here.

use serde::{Deserialize, Serialize};

use super::clean::{CleanFields, ORDER_COMPLETED};

mod codec;
mod row;

pub use codec::SessionDecodeError;
pub use row::{RevenueRow, SessionRow, session_id};

/// The place of an event in its visitor's history: by time, and within one millisecond by partition order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// When it happened.
    pub occurred_ms: i64,
    /// Its record's offset.
    pub offset: i64,
}

/// What a session takes from an event of `clean.events`.
#[derive(Debug, Clone, Copy)]
pub struct SessionEvent<'a> {
    /// The event's place in the order.
    pub mark: Mark,
    /// The column `shop_id`.
    pub shop_id: &'a str,
    /// The column `type`.
    pub kind: &'a str,
    /// The column `event`.
    pub event: Option<&'a str>,
    /// The column `user_id`.
    pub user_id: Option<&'a str>,
    /// The column `page_path`.
    pub page_path: Option<&'a str>,
    /// The column `referrer`.
    pub referrer: Option<&'a str>,
    /// The columns `utm_source`, `utm_medium` and `utm_campaign`.
    pub utm: [Option<&'a str>; 3],
    /// The column `order_id`.
    pub order_id: Option<&'a str>,
    /// The column `currency`.
    pub currency: Option<&'a str>,
    /// The column `revenue_minor`.
    pub revenue_minor: Option<i64>,
}

impl<'a> SessionEvent<'a> {
    /// The view of a row of `clean.events` that stands at `offset`.
    pub fn of(row: &'a CleanFields<'_>, offset: i64) -> Self {
        Self {
            mark: Mark { occurred_ms: row.occurred_at.div_euclid(1_000), offset },
            shop_id: &row.shop_id,
            kind: row.kind.as_str(),
            event: row.event.as_deref(),
            user_id: row.user_id.as_deref(),
            page_path: row.page_path.as_deref(),
            referrer: row.referrer.as_deref(),
            utm: [row.utm_source.as_deref(), row.utm_medium.as_deref(), row.utm_campaign.as_deref()],
            order_id: row.order_id.as_deref(),
            currency: row.currency.as_ref().map(crate::money::Currency::as_str),
            revenue_minor: row.revenue_minor,
        }
    }

    fn is_completed_order(&self) -> bool {
        self.kind == "track" && self.event == Some(ORDER_COMPLETED)
    }
}

/// How many events of which kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All events.
    pub events: u64,
    /// Pages and screens.
    pub page_views: u64,
    /// `Product Viewed`.
    pub product_views: u64,
    /// `Product Added`.
    pub cart_adds: u64,
    /// `Checkout Started`.
    pub checkouts: u64,
    /// `Order Completed`.
    pub orders: u64,
}

impl Counts {
    fn add(&mut self, event: &SessionEvent<'_>) {
        self.events += 1;
        match (event.kind, event.event) {
            ("page" | "screen", _) => self.page_views += 1,
            ("track", Some("Product Viewed")) => self.product_views += 1,
            ("track", Some("Product Added")) => self.cart_adds += 1,
            ("track", Some("Checkout Started")) => self.checkouts += 1,
            ("track", Some(ORDER_COMPLETED)) => self.orders += 1,
            _ => {}
        }
    }

    fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.page_views += other.page_views;
        self.product_views += other.product_views;
        self.cart_adds += other.cart_adds;
        self.checkouts += other.checkouts;
        self.orders += other.orders;
    }
}

/// The sum of a session's events.
///
/// Every part is a count, a sum, or what the first or last event says, with its [`Mark`]; so the result depends on which events were added, and not
/// on the order of adding and merging.
///
/// ```
/// use shoppulse::events::{Mark, RawEvent, Session, SessionEvent};
///
/// let value = br#"{"type":"page","messageId":"m-1","shopId":"s1","writeKey":"w","anonymousId":"a7","receivedAt":"1970-01-01T00:00:05Z",
///     "context":{"page":{"path":"/cart"}}}"#;
/// let row = RawEvent::parse(Some(b"s1|a7"), Some(value)).expect("a valid event").into_clean(0);
/// let mut session = Session::open();
/// session.add(&SessionEvent::of(&row, 17));
/// let row = session.row("s1|a7", 5_000, 5_000);
/// assert_eq!((row.visitor.as_str(), row.page_views, row.entry_page.as_deref()), ("a7", 1, Some("/cart")));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    counts: Counts,
    /// How much of the record's key is the shop; the rest is the visitor.
    shop_id_bytes: Option<u64>,
    user_id: Option<Marked<String>>,
    entry_page: Option<Marked<String>>,
    exit_page: Option<Marked<String>>,
    referrer: Option<Marked<String>>,
    utm: Option<Marked<[Option<String>; 3]>>,
    /// By currency; wide, so that no order of adding overflows on the way.
    revenue: Vec<(String, i128)>,
    /// Distinct, by the first event that has it.
    order_ids: Vec<Marked<String>>,
}

/// A value and the event it comes from. The mark stands first, so that order is by mark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Marked<T> {
    mark: Mark,
    value: T,
}

impl Session {
    /// A session without events.
    pub fn open() -> Self {
        Self::default()
    }

    /// Adds an event.
    pub fn add(&mut self, event: &SessionEvent<'_>) {
        let mark = event.mark;
        self.counts.add(event);
        self.note_shop(event.shop_id.len() as u64);
        keep_last(&mut self.user_id, mark, event.user_id);
        keep_first(&mut self.entry_page, mark, event.page_path);
        keep_last(&mut self.exit_page, mark, event.page_path);
        keep_first(&mut self.referrer, mark, event.referrer);
        if event.utm.iter().any(Option::is_some) && self.utm.as_ref().is_none_or(|utm| mark < utm.mark) {
            self.utm = Some(Marked { mark, value: event.utm.map(|part| part.map(str::to_owned)) });
        }
        if event.is_completed_order() {
            if let (Some(currency), Some(amount)) = (event.currency, event.revenue_minor) {
                self.add_revenue(currency, i128::from(amount));
            }
            if let Some(order_id) = event.order_id {
                self.note_order(Marked { mark, value: order_id.to_owned() });
            }
        }
    }

    /// Takes in another session of the same visitor.
    pub fn merge(&mut self, other: Self) {
        self.counts.merge(other.counts);
        other.shop_id_bytes.into_iter().for_each(|bytes| self.note_shop(bytes));
        take_last(&mut self.user_id, other.user_id);
        take_first(&mut self.entry_page, other.entry_page);
        take_last(&mut self.exit_page, other.exit_page);
        take_first(&mut self.referrer, other.referrer);
        take_first(&mut self.utm, other.utm);
        for (currency, amount) in other.revenue {
            self.add_revenue(&currency, amount);
        }
        for order in other.order_ids {
            self.note_order(order);
        }
    }

    /// How many events there are, of which kind.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// One key can be split differently only by shop ids that hold a bar; then the shorter one counts, whatever came first.
    fn note_shop(&mut self, bytes: u64) {
        self.shop_id_bytes = Some(self.shop_id_bytes.map_or(bytes, |known| known.min(bytes)));
    }

    fn add_revenue(&mut self, currency: &str, amount: i128) {
        match self.revenue.binary_search_by(|(known, _)| known.as_str().cmp(currency)) {
            Ok(at) => self.revenue[at].1 += amount,
            Err(at) => self.revenue.insert(at, (currency.to_owned(), amount)),
        }
    }

    fn note_order(&mut self, order: Marked<String>) {
        match self.order_ids.iter().position(|known| known.value == order.value) {
            Some(at) if self.order_ids[at].mark <= order.mark => return,
            Some(at) => drop(self.order_ids.remove(at)),
            None => {}
        }
        let at = self.order_ids.partition_point(|known| *known < order);
        self.order_ids.insert(at, order);
    }
}

fn keep_first(slot: &mut Option<Marked<String>>, mark: Mark, value: Option<&str>) {
    if let Some(value) = value
        && slot.as_ref().is_none_or(|kept| mark < kept.mark)
    {
        overwrite(slot, mark, value);
    }
}

fn keep_last(slot: &mut Option<Marked<String>>, mark: Mark, value: Option<&str>) {
    if let Some(value) = value
        && slot.as_ref().is_none_or(|kept| mark > kept.mark)
    {
        overwrite(slot, mark, value);
    }
}

/// Reuses the kept string: the last page changes with nearly every event.
fn overwrite(slot: &mut Option<Marked<String>>, mark: Mark, value: &str) {
    match slot {
        Some(kept) => {
            kept.mark = mark;
            kept.value.clear();
            kept.value.push_str(value);
        }
        None => *slot = Some(Marked { mark, value: value.to_owned() }),
    }
}

fn take_first<T>(slot: &mut Option<Marked<T>>, other: Option<Marked<T>>) {
    if let Some(other) = other
        && slot.as_ref().is_none_or(|kept| other.mark < kept.mark)
    {
        *slot = Some(other);
    }
}

fn take_last<T>(slot: &mut Option<Marked<T>>, other: Option<Marked<T>>) {
    if let Some(other) = other
        && slot.as_ref().is_none_or(|kept| other.mark > kept.mark)
    {
        *slot = Some(other);
    }
}

#[cfg(test)]
mod tests;
