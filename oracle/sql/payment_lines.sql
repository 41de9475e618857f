-- The payment lines that `order_facts.sql` counts: whoever asks for facts makes this table first and fills it. It is of the question, not of
-- the shop's database. Amounts are in the smallest unit of the currency, the time is in microseconds.
create temporary table payment_lines (
    line_id text, shop_id text, order_id text, kind text, currency text, gross_minor bigint, fee_minor bigint, occurred_at bigint
);
