#!/bin/sh
# map_programs.sh - freehold map on python3, redis-server and gcc.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/tool/map_lib.sh
. "$(dirname "$0")/map_lib.sh"

start "$FREEHOLD" run -- env PYTHONMALLOC=malloc python3 -c '
import time
kept = [{"number": i, "list": [i] * 20} for i in range(20000)]
del kept[::3]
print("ready", flush=True)
time.sleep(100)'
everything python3 "$pid"
stop
if command -v redis-server >/dev/null; then
    port=$((20000 + $$ % 20000))
    "$FREEHOLD" run -- redis-server --port $port --bind 127.0.0.1 --save '' --appendonly no >redis.log 2>&1 &
    pid=$!
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        grep -q 'Ready to accept' redis.log && break
        sleep 0.2
    done
    i=0
    while [ $i -lt 3000 ]; do
        printf 'SET key:%d %0200d\r\n' $i 0
        i=$((i + 1))
    done | redis-cli -p $port --pipe >/dev/null 2>&1 || fail "redis-cli"
    kill -STOP "$pid" # its timer allocates
    everything redis-server "$pid"
    kill -CONT "$pid"
    stop
else
    skip_part "no redis-server"
fi
# gcc in the middle of a file: the compiler proper waits for the rest of it.
mkfifo source.c
"$FREEHOLD" run -- "${CC:-cc}" -O1 -x c -S -o out.s - <source.c >/dev/null 2>&1 &
driver=$!
exec 9>source.c
python3 -c '
for i in range(20):
    print("int f%d(int a) { int b[8]; for (int i = 0; i < a; i++) b[i & 7] = a * i; return b[a & 7]; }" % i)
print("\n" * 70000)' >&9
compiler=''
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    compiler=$(cat /proc/$driver/task/$driver/children)
    compiler=${compiler%% *}
    [ -n "$compiler" ] && grep -q 'S (sleeping)' "/proc/$compiler/status" && break
    sleep 0.2
done
name=$(cat "/proc/$compiler/comm") || fail "no compiler"
case $name in
cc1) everything cc1 "$compiler" ;;
*) skip_part "the compiler is $name, not gcc's" ;;
esac
exec 9>&-
wait $driver || fail "gcc"
finish
