-- The facts of all orders as the rules have them (R38 to R41), of the shop's tables and of `payment_lines`: one JSON object a line.
with minor as (
    select *, id::text as order_id, case currency when 'JPY' then 0 when 'KWD' then 3 else 2 end as digits from orders
), goods as (
    select o.order_id, o.shop_id, count(i.id) as lines, coalesce(sum(i.quantity), 0) as units,
           coalesce(sum(round(i.quantity * i.unit_price, digits) * 10 ^ digits), 0)::bigint as items,
           (round(discount, digits) * 10 ^ digits)::bigint as discount,
           (round(shipping, digits) * 10 ^ digits)::bigint as shipping,
           (round(tax, digits) * 10 ^ digits)::bigint as tax
    from minor o left join order_items i on i.order_id = o.id
    group by o.order_id, o.shop_id, o.digits, o.discount, o.shipping, o.tax
), priced as (
    select *, items - discount + shipping + tax as gross from goods
), first_lines as (
    select distinct on (shop_id, order_id) shop_id, order_id, currency from payment_lines
    where order_id is not null order by shop_id, order_id, occurred_at, line_id
), facts as (
    select coalesce(o.shop_id, f.shop_id) as shop_id, coalesce(o.order_id, f.order_id) as order_id, o.id is not null as has_order,
           coalesce(o.currency, f.currency) as currency, o.customer_id, o.status, o.placed_at
    from minor o full join first_lines f using (shop_id, order_id)
), sums as (
    select f.shop_id, f.order_id, count(l.line_id) as payments, coalesce(bool_or(l.currency <> f.currency), false) as is_mixed,
           coalesce(sum(l.gross_minor) filter (where l.kind = 'charge' and l.currency = f.currency), 0) as paid,
           coalesce(-sum(l.gross_minor) filter (where l.kind = 'refund' and l.currency = f.currency), 0) as refunded,
           coalesce(-sum(l.gross_minor) filter (where l.kind in ('dispute', 'dispute_reversal') and l.currency = f.currency), 0) as disputed,
           coalesce(sum(l.fee_minor - case l.kind when 'fee' then l.gross_minor else 0 end) filter (where l.currency = f.currency), 0) as fees,
           min(l.occurred_at) filter (where l.kind = 'charge') as first_paid_at, max(l.occurred_at) as last_payment_at
    from facts f left join payment_lines l using (shop_id, order_id)
    group by f.shop_id, f.order_id
)
select json_build_object(
    'shop_id', shop_id, 'order_id', order_id, 'customer_id', customer_id::text, 'status', status, 'currency', currency,
    'placed_at', (extract(epoch from placed_at) * 1000000)::bigint,
    'lines', coalesce(lines, 0), 'units', coalesce(units, 0), 'items_minor', coalesce(items, 0), 'discount_minor', coalesce(discount, 0),
    'shipping_minor', coalesce(shipping, 0), 'tax_minor', coalesce(tax, 0), 'gross_minor', coalesce(gross, 0),
    'paid_minor', paid, 'refunded_minor', refunded, 'disputed_minor', disputed, 'fees_minor', fees,
    'net_minor', paid - refunded - disputed - fees, 'payments', payments,
    'payment_state', case
        when is_mixed then 'currency_mismatch'
        when disputed > 0 then 'disputed'
        when refunded > 0 and refunded >= paid then 'refunded'
        when not has_order then case when paid > 0 then 'paid' else 'unpaid' end
        when paid <= 0 then case when lines > 0 and gross <= 0 then 'paid' else 'unpaid' end
        when paid < gross then 'partial'
        when paid = gross then 'paid'
        else 'overpaid' end,
    'first_paid_at', first_paid_at, 'last_payment_at', last_payment_at, 'has_order', has_order, 'is_deleted', false)
from facts join sums using (shop_id, order_id) left join priced using (shop_id, order_id);
