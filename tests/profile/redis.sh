#!/bin/sh
# redis.sh - a profile of a server at work: redis-server keeps 20,000 values of 1,000 bytes and is told to drop half of
# them. What the profile says of that must be near what is known, and name the functions.
# shellcheck source=tests/profile/lib.sh
. "$(dirname "$0")/lib.sh"
need redis-server redis-server
need redis-cli redis-tools
need python3 python3
export FREEHOLD_PROFILE_INTERVAL=16k

work=$(mktemp -d) # the name of a socket must be short
server=
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
cli() {
    redis-cli -s "$work/sock" "$@"
}
"$FREEHOLD" run --profile=out.pb -- redis-server --port 0 --unixsocket "$work/sock" --save "" --appendonly no \
    --dir "$work" --daemonize no >log 2>&1 &
server=$!
tries=0
until cli ping >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || { fail "redis does not answer: $(cat log)"; finish; }
    sleep 0.1
done
awk 'BEGIN { for (i = 0; i < 20000; i++) printf "SET key:%d %01000d\n", i, i }' | cli >replies
awk 'BEGIN { for (i = 0; i < 20000; i += 2) printf "DEL key:%d\n", i }' | cli >>replies
[ "$(cli dbsize)" = 10000 ] || fail "redis has $(cli dbsize) keys"
"$FREEHOLD" profile --json "$server" >live.json || fail "profile of the process: status $?"
"$FREEHOLD" stats --json "$server" >stats.json || fail "stats: status $?"
cli shutdown nosave
wait "$server" || fail "redis-server ended with status $?: $(cat log)"
server=
"$FREEHOLD" profile --json out.pb >end.json || fail "profile of the file: status $?"
python3 - <<'END' || fail "the profile is off"
import json

def read(path):
    profile = json.load(open(path))
    total = {name: sum(stack[name] for stack in profile["stacks"]) for name in ("alloc_space", "inuse_space")}
    named = {}
    for stack in profile["stacks"]:
        for name in {frame["function"] for frame in stack["frames"]}:
            named[name] = named.get(name, 0) + stack["alloc_space"]
    return total, named

def near(what, got, known):
    # 10 MB in blocks of 1 KB are 640 samples: a fifth off is five standard deviations.
    assert abs(got - known) < known / 5, (what, got, known)

(live, named), (end, named_at_end) = read("live.json"), read("end.json")
stats = json.load(open("stats.json"))
near("live, as counted", live["inuse_space"], stats["live_bytes"])
assert live["inuse_space"] > 10e6 and live["alloc_space"] > live["inuse_space"] + 9e6, live
assert end["alloc_space"] >= live["alloc_space"], (live, end)
for names in named, named_at_end:
    assert names["main"] > 0.9 * live["alloc_space"], names
    near("read as values", names["processMultibulkBuffer"], sum((20e6, 20000 * 60)))
END
finish
