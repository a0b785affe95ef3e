#!/bin/sh
# metrics.sh - `freehold metrics` and `freehold stats`: what they say from outside is what the process says of itself,
# other people's parsers take it, and it adds up.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"
judge=$(cd "$(dirname "$0")" && pwd)/openmetrics.py
export PYTHONDONTWRITEBYTECODE=1
command -v python3 >/dev/null || skip "python3 is not installed"
cd "$SCRATCH" || exit 1

check() { # openmetrics.py's arguments
    python3 "$judge" "$@" >said 2>&1 || fail "$*: $(cat said)"
}

start "$FREEHOLD" run "$HELPERS/helper_stats" inside.json inside.text
"$FREEHOLD" metrics "$pid" >outside.text || fail "metrics: status $?"
"$FREEHOLD" stats --json "$pid" >outside.json || fail "stats --json: status $?"
"$FREEHOLD" stats "$pid" >table || fail "stats: status $?"
"$FREEHOLD" metrics "$pid" "$pid" 2>/dev/null && fail "metrics takes two processes"
"$FREEHOLD" stats 2>/dev/null && fail "stats takes no process"
stop

for text in inside.text outside.text; do
    check rules $text
    parser=none
    for python in python3 /usr/bin/python3; do
        $python "$judge" parser $text >said 2>&1
        case $? in
        0) parser=ok ;;
        77) ;;
        *) fail "prometheus_client does not take $text: $(cat said)" ;;
        esac
    done
    [ $parser = ok ] || skip_part "python3-prometheus-client is not installed"
done
check same inside.text outside.text
check same_json inside.json outside.json
check agree outside.text outside.json

# The account adds up in what is seen from outside too, and some numbers are known.
python3 - <<'END' || fail "the numbers of the helper are not as known"
import json
for name in "inside.json", "outside.json":
    c = json.load(open(name))
    items = sum(c[i + "_bytes"] for i in ("live", "rounding", "cached", "free", "untouched", "metadata"))
    assert items == c["obtained_bytes"] - c["returned_bytes"], (name, items)
    assert c["process"] == "helper_stats" and c["threads"] == 1 and c["states"] == 2, name
    assert c["large_blocks"] == 1 and 3000000 <= c["large_bytes"] < 3100000, name
    assert 400000 <= c["warm_bytes"] < 500000 and c["obtain_calls"] > 4 and c["return_calls"] > 0, name
    assert c["live_blocks"] > 14000 and 3000000 < c["resident_bytes"] < 500000000, name
    for k in c["class"]:
        assert k["carved"] == k["live"] + k["cached"] + k["listed"] <= k["capacity"], (name, k)
END
awk 'length > 80 { print; bad = 1 } END { exit bad }' table || fail "stats: over 80 columns"
grep -q '^  live_bytes  *[0-9,]*  held by the program$' table || fail "stats lacks live_bytes"

# A program that is in no good state for it.
start "$HELPERS/helper_sleep"
for verb in metrics stats; do
    "$FREEHOLD" $verb "$pid" >out 2>err
    status=$?
    [ $status = 1 ] || fail "$verb of a process on another malloc: status $status"
    grep -q "does not run on freehold; start it with: freehold run" err || fail "$verb gives no remedy: $(cat err)"
done
stop
finish
