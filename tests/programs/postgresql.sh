#!/bin/sh
# PostgreSQL: initdb, pgbench from four clients, and queries with a fixed answer (sorts, hashes, parallel workers, XML,
# JSON, regular expressions, PL/pgSQL), by a user who is not root, over a Unix socket.
# shellcheck disable=SC2086 # $as is a list of words
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"

for directory in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
    [ -x "$directory/initdb" ] && PATH=$directory:$PATH
done
need initdb postgresql
need postgres postgresql
need pgbench postgresql
need psql postgresql-client

# The server refuses to run as root, and its user may be unable to read the build directory.
as=
if [ "$(id -u)" -eq 0 ]; then
    need setpriv util-linux
    as="setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all"
fi
if [ -n "$as" ]; then
    cp "$(readlink -f "$lib")" "$work/$(basename "$lib")"
    lib=$work/$(basename "$lib")
fi
mkdir home
[ -z "$as" ] || chown 65534:65534 home
HOME=$work/home PGHOST=$work/home PGUSER=postgres PGDATABASE=postgres PSQLRC=/dev/null PSQL_HISTORY=/dev/null
export HOME PGHOST PGUSER PGDATABASE PSQLRC PSQL_HISTORY
unset PGPORT PGDATA PGSERVICE PGPASSFILE PGOPTIONS
cd "$work/home" || exit 1

cat >queries.sql <<'SQL'
create table item (id int primary key, town int, name text, tags text[], doc jsonb);
insert into item select i, i * 7919 % 311, 'name ' || md5(i::text), array[i % 7, i % 11, i % 13]::text[],
    jsonb_build_object('n', i, 'list', array[i, i + 1], 'deep', jsonb_build_object('m', md5(i::text)))
    from generate_series(1, 30000) i;
create index on item (town, name);
create index on item using gin (tags);
analyze item;
select count(*), sum(length(name)), min(name), max(name) from item;
set work_mem = '64kB';
select md5(string_agg(name, ',' order by name desc)) from item;
set work_mem = '32MB';
select town, count(*), md5(string_agg(doc ->> 'n', '/' order by id)) from item group by town order by town limit 20;
set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
set max_parallel_workers_per_gather = 2;
select count(*), sum(a.id::bigint * b.town) from item a join item b on a.town = b.town and b.id % 50 = 0;
select name, rank() over (partition by town order by name) from item where town < 3 order by name limit 30;
select count(*) from item where tags @> array['3', '5'];
select count(*) from item where name ~ '^name [0-9a-f]*(abc|d{2,}|(.)\2\2)';
select md5(jsonb_agg(doc order by id)::text) from item where id < 3000;
do $$ declare r record; t text := ''; begin
    for r in select * from item where id < 2000 order by id loop t := t || left(r.name, r.id % 20); end loop;
    raise notice '%', md5(t);
    begin perform 1 / 0; exception when division_by_zero then raise notice 'caught'; end;
end $$;
with recursive walk(a, b, n) as (
    select 0::numeric, 1::numeric, 1 union all select b, a + b, n + 1 from walk where n < 800)
    select max(a) from walk;
update item set doc = doc || '{"seen": true}' where id % 3 = 0;
delete from item where id % 4 = 0;
vacuum full item;
select count(*), md5(string_agg(doc::text, '' order by id)) from item;
SQL

drive() {
    side=$1 runner=$2
    "$runner" "$side.initdb" $as initdb -D "$work/home/$side.data" -U postgres -A trust -E UTF8 --locale=C --no-sync
    if [ "$side" = got ]; then
        $as env LD_PRELOAD="$lib" "$proof_env" postgres -D "$work/home/$side.data" -k "$PGHOST" \
            -c listen_addresses= -c fsync=off -c shared_buffers=16MB -c jit=off >"$side.log" 2>"$side.log.err" &
    else
        $as postgres -D "$work/home/$side.data" -k "$PGHOST" \
            -c listen_addresses= -c fsync=off -c shared_buffers=16MB -c jit=off >"$side.log" 2>"$side.log.err" &
    fi
    server=$!
    server_pids="$server_pids $server"
    wait_until "postgres to answer" psql -X -q -c 'select 1'
    if [ "$side" = got ]; then
        mapped_in "$server"
        # The backend of a connection is a fork of the server: it looks into its own mappings.
        backend=$(psql -X -q -A -t -c "select count(*) > 0 from regexp_split_to_table(
            pg_read_file('/proc/self/maps', 0, 200000), E'\n') line where line like '%$(basename "$lib")%'")
        [ "$backend" = t ] || fail "the server's backend runs without $lib"
    fi
    "$runner" "$side.pgbench-i" $as pgbench -i -q -s 1
    "$runner" "$side.pgbench" $as pgbench -c 4 -j 2 -t "$3" -n
    grep -q "number of transactions actually processed: $((4 * $3))/" "$side.pgbench" ||
        fail "pgbench lost transactions"
    "$runner" "$side" $as psql -X -q -v ON_ERROR_STOP=1 -f queries.sql
    kill -INT "$server"
    ended "$server" postgres
}

binds "$(command -v postgres)" --version
drive expected on_system 50
check_at_exit
drive got on_freehold 250
same expected got "the answers of PostgreSQL"
grep -h 'NOTICE' expected.err >expected.notices
grep -h 'NOTICE' got.err >got.notices
same expected.notices got.notices "the notices of PostgreSQL"
sed -i '/FATAL:  the database system is starting up$/d' got.log.err # what wait_until asks too early
if grep -E 'PANIC|FATAL|was terminated by signal' got.log.err >&2; then fail "the server was in trouble"; fi
complaints got.log.err
ran_on got.initdb.err initdb postgres
ran_on got.pgbench.err pgbench
ran_on got.log.err postgres
