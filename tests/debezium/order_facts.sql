-- The facts of all orders, as the rules have them, without payments: one JSON object a line.
with minor as (
    select *, case currency when 'JPY' then 0 when 'KWD' then 3 else 2 end as digits from orders
), sums as (
    select o.id, count(i.id) as lines, coalesce(sum(i.quantity), 0) as units,
           coalesce(sum(round(i.quantity * i.unit_price, digits) * 10 ^ digits), 0)::bigint as items,
           (round(discount, digits) * 10 ^ digits)::bigint as discount,
           (round(shipping, digits) * 10 ^ digits)::bigint as shipping,
           (round(tax, digits) * 10 ^ digits)::bigint as tax
    from minor o left join order_items i on i.order_id = o.id
    group by o.id, o.digits, o.discount, o.shipping, o.tax
)
select json_build_object(
    'shop_id', shop_id, 'order_id', o.id::text, 'customer_id', customer_id::text, 'status', status, 'currency', currency,
    'placed_at', (extract(epoch from placed_at) * 1000000)::bigint,
    'lines', lines, 'units', units, 'items_minor', items, 'discount_minor', s.discount, 'shipping_minor', s.shipping, 'tax_minor', s.tax,
    'gross_minor', items - s.discount + s.shipping + s.tax,
    'paid_minor', 0, 'refunded_minor', 0, 'disputed_minor', 0, 'fees_minor', 0, 'net_minor', 0, 'payments', 0,
    'payment_state', case when lines > 0 and items - s.discount + s.shipping + s.tax <= 0 then 'paid' else 'unpaid' end,
    'first_paid_at', null, 'last_payment_at', null, 'has_order', true, 'is_deleted', false)
from orders o join sums s using (id);
