#!/bin/sh
# SQLite: a database in memory; inserts, indexes, joins, window functions, blobs, deletes, VACUUM, and a dump.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3

cat >work.sql <<'SQL'
.bail on
pragma cache_size = 2000;
create table person (id integer primary key, name text, town integer, notes blob);
create table town (id integer primary key, name text unique);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 400)
    insert into town select i, 'town ' || i from n;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
    insert into person select i, printf('name %d', (i * 7919) % 60013), (i * 104729) % 400 + 1, zeroblob(i % 700)
    from n;
create index person_town on person (town, name);
create index person_name on person (name);
select 'rows', count(*), sum(length(notes)) from person;
select t.name, count(*), min(p.name), max(p.name) from person p join town t on t.id = p.town
    group by t.name order by count(*) desc, t.name limit 20;
select name, town, rank() over (partition by town order by name) r from person
    where town < 12 order by town, r limit 50;
begin;
update person set notes = cast(name || hex(notes) as text) where id % 3 = 0;
delete from person where id % 5 = 0;
savepoint s;
delete from person where town > 100;
rollback to s;
commit;
select 'after', count(*), sum(length(notes)), sum(id * length(name) % 1009) from person;
select 'together', length(group_concat(name, ', ')) from person;
select 'json', json_array_length(json_group_array(json_object('n', name, 't', town))) from person where id < 20000;
select p.town, count(distinct q.name) from person p join person q on q.town = p.town and q.id < p.id
    where p.id < 3000 and q.id < 3000 group by p.town order by p.town limit 30;
vacuum;
pragma integrity_check;
.mode csv
select id, name, town, length(notes) from person where id % 17 = 0 order by name;
SQL

on_system expected sqlite3 -batch :memory: '.read work.sql'
check_at_exit
on_freehold got sqlite3 -batch :memory: '.read work.sql'
same expected got "the output of sqlite3"
ran_on got.err sqlite3
binds sqlite3 :memory: 'select 1'
