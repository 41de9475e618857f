-- What the shop's administrator does once, in the shop's database, so that Debezium can follow the three tables of `schema.sql`.
--
--     psql -d shop -v ON_ERROR_STOP=1 -f schema.sql -f access.sql
--
-- Before it the server needs `wal_level = logical`. On Amazon RDS that is the parameter `rds.logical_replication = 1`, and there the role gets
-- its right to replicate by `grant rds_replication to shoppulse_cdc` instead of the attribute.

-- It may read what it follows, and nothing else. Its password is set apart: `\password shoppulse_cdc`.
create role shoppulse_cdc login replication;
grant usage on schema public to shoppulse_cdc;
grant select on customers, orders, order_items to shoppulse_cdc;

-- A row of `signal` asks the connector for a snapshot of a table, and the connector marks there what it has read so far.
-- It writes `heartbeat`, so that the slot moves on while the shop's tables rest and others write.
create schema cdc;
create table cdc.signal (id varchar(64) primary key, type varchar(32) not null, data varchar(2048));
create table cdc.heartbeat (id int primary key, beat_at timestamptz not null);
insert into cdc.heartbeat values (1, now());
grant usage on schema cdc to shoppulse_cdc;
grant select, insert, delete on cdc.signal to shoppulse_cdc;
grant select, update on cdc.heartbeat to shoppulse_cdc;

-- The publication is made here and not by the connector, which would have to own the tables for that. It names what is followed.
create publication shoppulse for table customers, orders, order_items, cdc.signal, cdc.heartbeat;

-- With FULL the log holds the whole row before a change. Without it, a large value that a change does not touch is not in the log, and is lost
-- where the row's key changes in the same moment. It costs the size of the old row for each update.
alter table customers replica identity full;
alter table orders replica identity full;
alter table order_items replica identity full;

-- A truncate names no rows, so nothing that follows the log can undo them one by one.
create function cdc.refuse_truncate() returns trigger language plpgsql as $$
begin
    raise exception 'truncate of % can''t be followed row by row: use delete', tg_table_name
        using hint = 'if it must be, disable the trigger refuse_truncate, and see the guide on Debezium for what follows';
end $$;
create trigger refuse_truncate before truncate on customers execute function cdc.refuse_truncate();
create trigger refuse_truncate before truncate on orders execute function cdc.refuse_truncate();
create trigger refuse_truncate before truncate on order_items execute function cdc.refuse_truncate();
