-- All customers as they are, as the rules have them: one JSON object a line.
select json_build_object(
    'shop_id', shop_id, 'customer_id', id::text, 'email', email, 'name', name, 'phone', phone, 'country', nullif(rtrim(country), ''),
    'marketing_opt_in', marketing_opt_in,
    'created_at', (extract(epoch from created_at) * 1000000)::bigint,
    'source_updated_at', (extract(epoch from updated_at) * 1000000)::bigint,
    'is_deleted', false)
from customers;
