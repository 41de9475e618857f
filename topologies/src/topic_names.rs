//! The names of the topics, each in one place.

/// What shops' web sites and apps send.
pub const RAW_EVENTS: &str = "raw.events";
/// Lines of payment exports.
pub const RAW_PAYMENTS: &str = "raw.payments";
/// Changes of the table `orders`.
pub const CDC_ORDERS: &str = "cdc.shop.public.orders";
/// Changes of the table `order_items`.
pub const CDC_ORDER_ITEMS: &str = "cdc.shop.public.order_items";
/// Changes of the table `customers`.
pub const CDC_CUSTOMERS: &str = "cdc.shop.public.customers";
/// Events that are valid, corrected and counted once.
pub const CLEAN_EVENTS: &str = "clean.events";
/// Visits.
pub const SESSIONS: &str = "curated.sessions";
/// Orders with their items and payments.
pub const ORDER_FACTS: &str = "curated.order_facts";
/// Customers as they are.
pub const CUSTOMERS: &str = "curated.customers";
/// Customers as they were.
pub const CUSTOMER_HISTORY: &str = "curated.customer_history";
/// Records that came too late to count.
pub const LATE_EVENTS: &str = "late.events";
/// Records that cannot be processed.
pub const DEAD_LETTERS: &str = "dlq.shoppulse";
/// The books.
pub const QUALITY: &str = "ops.quality";
/// How far payment exports have been loaded.
pub const LOADS: &str = "ops.loads";
