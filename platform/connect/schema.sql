-- The tables of the shop's database that ShopPulse reads. They are the shop's own: this is what the pipeline relies on, and what
-- developers and tests start from. More tables and more columns do no harm; nothing here may go, or change its type.

create table customers (
    id               bigint primary key,
    shop_id          text not null,
    email            text,
    name             text,
    phone            text,
    country          char(2),
    marketing_opt_in boolean not null default false,
    created_at       timestamptz not null,
    updated_at       timestamptz not null
);

create table orders (
    id          bigint primary key,
    shop_id     text not null,
    customer_id bigint,
    status      text not null,
    currency    char(3) not null,
    discount    numeric(14, 3) not null default 0,
    shipping    numeric(14, 3) not null default 0,
    tax         numeric(14, 3) not null default 0,
    placed_at   timestamptz not null,
    updated_at  timestamptz not null
);

create table order_items (
    id         bigint primary key,
    order_id   bigint not null,
    sku        text not null,
    title      text,
    quantity   int not null,
    unit_price numeric(14, 3) not null
);
