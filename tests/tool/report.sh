#!/bin/sh
# report.sh - freehold report: one page of a process, of snapshots, and of a trace, with what the other verbs say.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/tool/map_lib.sh
. "$(dirname "$0")/map_lib.sh"
grouped() { python3 -c 'import sys; print(f"{int(sys.argv[1]):,}")' "$1"; }

start "$FREEHOLD" run -- "$HELPERS/helper_map"
"$FREEHOLD" explain --json "$pid" >account.json || fail "explain"
"$FREEHOLD" report -o heap.html "$pid" || fail "report of a process"
live=$(sed 's/.*"account": {"live_bytes": \([0-9]*\).*/\1/' account.json)
advice=$(python3 -c 'import json; print(json.load(open("account.json"))["advice"][0]["text"])')
check html heap.html "process $pid (helper_map)" "What dominates" "$advice" Account "$(grouped "$live")" \
    "never given out" "1,048,576 to 2,097,151" "$pid (helper_map)" "keep" Heaps FREEHOLD_MMAP_THRESHOLD 131,072 , \
    cells heap.html account.json
if command -v node >/dev/null; then
    for script in heap.html.*.js; do
        node --check "$script" || fail "$script is no script"
    done
else
    skip_part "no node: the page's scripts are not parsed"
fi

# --- snapshots and a trace on one page ---
"$FREEHOLD" record -o trace -- "$HELPERS/helper_show" >/dev/null 2>&1
[ -s trace ] || fail "no trace"
"$FREEHOLD" report -o trace.html trace --with freehold || fail "report of a trace"
check html trace.html "Over time" "Latency of malloc" helper_show
if "$FREEHOLD" snapshot "$pid" -o before.snap >/dev/null 2>err; then
    kill -USR1 "$pid"
    while [ ! -e freed ]; do sleep 0.1; done
    "$FREEHOLD" snapshot "$pid" -o after.snap >/dev/null || fail "snapshot"
    "$FREEHOLD" explain --json after.snap >after.explain || fail "explain after.snap"
    "$FREEHOLD" report -o both.html after.snap trace before.snap --with freehold || fail "report of all"
    check html both.html "snapshot of process $pid" "2 snapshots" "Over time" Pins , cells both.html after.explain
else
    skip_part "$(cat err)"
fi
stop

# --- mistakes ---
expect 2 '' 'freehold report: -o FILE.html is missing; see freehold help report' "$FREEHOLD" report trace
expect 2 '' 'freehold report: a process ID, a snapshot, a core file or a trace is missing; see freehold help report' \
    "$FREEHOLD" report -o page.html
expect 2 '' "freehold report: one trace at a time, not 'trace' as well; see freehold help report" \
    "$FREEHOLD" report -o page.html trace trace
expect 2 '' "freehold report: 'r.pdf' does not end in .html; see freehold help report" \
    "$FREEHOLD" report -o r.pdf trace
[ -e r.pdf ] && fail "r.pdf was written"
expect 1 '' 'freehold report: ./no/page.html: cannot be written: No such file or directory' \
    "$FREEHOLD" report -o ./no/page.html trace --with freehold
finish
