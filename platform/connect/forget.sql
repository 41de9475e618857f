-- Tells the pipeline of rows that are gone from the shop's tables without a delete in the log: after a truncate, and after a slot was lost while
-- rows were deleted. Every id of the range that no row has is inserted and deleted in one transaction, and the two changes go the way of all
-- changes. For a row that the pipeline never knew, that says nothing.
--
--     psql -d shop -v ON_ERROR_STOP=1 -v table=order_items -v first=1 -v last=250000 -f forget.sql
--
-- Run it as an administrator: foreign keys and triggers are left aside, since no row stays.
begin;
set local session_replication_role = replica;
create temporary table gone on commit drop as
    select id from generate_series(:first::bigint, :last::bigint) id where not exists (select from public.:"table" live where live.id = id.id);

select :'table' = 'customers' as customers, :'table' = 'orders' as orders, :'table' = 'order_items' as order_items \gset
\if :customers
insert into customers (id, shop_id, created_at, updated_at) select id, '-', now(), now() from gone;
\elif :orders
insert into orders (id, shop_id, status, currency, placed_at, updated_at) select id, '-', 'gone', 'EUR', now(), now() from gone;
\elif :order_items
insert into order_items (id, order_id, sku, quantity, unit_price) select id, 0, '-', 0, 0 from gone;
\endif
delete from public.:"table" live using gone where live.id = gone.id;
commit;
