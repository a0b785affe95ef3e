#!/bin/sh
# killed.sh - a process that is killed leaves a trace that can be used; so does one whose file is cut anywhere.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"

size() {
    wc -c <"$1"
}

"$FREEHOLD" record -o t -- "$HELPERS/forever" &
pid=$!
tries=0
while [ "$(size t 2>/dev/null || echo 0)" -lt 300000 ] && [ $tries -lt 600 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
kill -9 $pid
wait $pid 2>/dev/null
[ "$(size t)" -ge 300000 ] || fail "only $(size t) bytes in the trace"
"$HELPERS/dump" --check t >checked || fail "killed: $(cat checked)"
"$FREEHOLD" replay --stat t >stat || fail "--stat of a killed process's trace"
# Killed between two writes, or in the middle of one.
grep -qE 'without its end: the process was killed, or still runs|cut off within a block' stat ||
    fail "said: $(sed -n 3p stat)"
"$FREEHOLD" replay t --with freehold --json >out 2>err || fail "replay of a killed process's trace"
grep -q '"failures":0' out || fail "replay: $(cat out)"
ends='(without its end: the process was killed or still runs|cut off within a block)'
grep -qE "^freehold replay: t: $ends; replaying the [0-9]* events" err || fail "said: $(cat err)"

# Cut off anywhere.
whole=$(size t)
for part in 1 7 63 100 1000 65000 70000 200001; do
    head -c $((whole - part)) t >cut.t
    "$HELPERS/dump" --check cut.t >checked || fail "cut by $part: $(cat checked)"
    "$FREEHOLD" replay --stat cut.t >stat 2>err || fail "cut by $part: $(cat err)"
    [ $part != 1 ] || grep -q 'cut off within a block' stat || fail "cut by 1: $(sed -n 3p stat)"
done
"$FREEHOLD" replay cut.t --with glibc >out 2>err || fail "replay of a trace that was cut: $(cat err)"
[ "$(wc -l <err)" = 1 ] || fail "more than a line: $(cat err)"
finish
