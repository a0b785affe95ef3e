#!/bin/sh
# Redis, driven by redis-benchmark and by a fixed list of commands: the digest of the data set must be the one that the
# system's malloc gives, before and after a BGSAVE (a fork) and a restart from the saved file.
#
# Debian's redis-server is linked with the shared libjemalloc, under the plain names; the preload goes first, so its
# malloc is freehold's all the same, which `binds` shows. One with a jemalloc of its own inside fails there.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need redis-server redis-server
need redis-benchmark redis-tools
need redis-cli redis-tools
need awk mawk

awk 'BEGIN {
    for (i = 0; i < 4000; i++) {
        n = (i * 7919) % 10007
        printf "SET string:%d %0*d\n", n, n % 400 + 1, i
        printf "HSET hash:%d field%d value%d\n", n % 500, i % 90, i
        printf "RPUSH list:%d item%d\n", n % 300, i
        printf "ZADD board:%d %d member%d\n", n % 40, n, i % 900
        if (i % 3 == 0) printf "APPEND string:%d tail%d\n", n, i
        if (i % 4 == 0) printf "DEL string:%d hash:%d\n", (n * 3) % 10007, n % 500
        if (i % 5 == 0) printf "SADD set:%d %d\nXADD stream:%d %d-1 k v%d\n", n % 50, n, n % 20, i + 1, i
    }
}' >commands

cli() {
    limited redis-cli -s "$work/$side.sock" "$@"
}

# starts RUNNER: a server for this side; it saves only when told.
start() {
    "$1" redis-server --port 0 --unixsocket "$work/$side.sock" --unixsocketperm 700 --save "" --appendonly no \
        --dir "$work" --dbfilename "$side.rdb" --daemonize no --enable-debug-command yes --io-threads 2 \
        --lazyfree-lazy-server-del yes --activerehashing yes >"$side.log" 2>"$side.log.err" &
    server=$!
    server_pids="$server_pids $server"
    wait_until "redis to answer" cli ping
}

# No `exec` may be lost between this shell and the server: $! must be the server itself.
as_it_is() { exec "$@"; }
with_freehold() { exec env LD_PRELOAD="$lib" "$proof_env" "$@"; }

# The file gets its name when it is whole.
saved() {
    cli info persistence | tr -d '\r' >replied
    [ -s "$side.rdb" ] && grep -q -x 'rdb_bgsave_in_progress:0' replied &&
        grep -q -x 'rdb_last_bgsave_status:ok' replied
}

drive() {
    side=$1
    start "$2"
    [ "$side" = expected ] || mapped_in "$server"
    cli <commands >"$side.replies"
    {
        cksum <"$side.replies"
        cli debug digest
        cli dbsize
    } >"$side"
    cli bgsave >/dev/null
    # The server forks while it serves.
    "$3" "$side.bench" redis-benchmark -s "$work/$side.sock" -q -n "$4" -c 20 -P 8 -d 300 -r 3000 --threads 2 \
        -t set,rpop,lpush,hset,lrange_100
    wait_until "the background save" saved
    cli shutdown nosave >/dev/null 2>&1 || :
    ended "$server" redis-server
    start "$2"
    {
        cli debug digest
        cli dbsize
    } >>"$side"
    cli flushall async >/dev/null
    kill -TERM "$server"
    ended "$server" redis-server
}

binds redis-server --version
drive expected as_it_is on_system 2000
drive got with_freehold on_freehold 20000
same expected got "the digests of the data set"
[ "$(sed -n 2p got)" = "$(sed -n 4p got)" ] || fail "the restarted server's data set is another one"
complaints got.log.err
ran_on got.log.err 'redis-server'
ran_on got.bench.err 'redis-benchmark'
