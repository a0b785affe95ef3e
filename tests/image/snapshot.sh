#!/bin/sh
# snapshot.sh - a snapshot tells the same as the process, holds nothing of what blocks hold, and is complete or not
# there.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"
# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

for sites in 0 1; do
    FREEHOLD_SITES=$sites
    export FREEHOLD_SITES
    run_on_freehold env FREEHOLD_HUGE_PAGES=999g FREEHOLD_CACHE_BYTES=64k "$HELPERS/mixed"
    # Pages of the library's data that were never touched are resident once somebody has read them.
    ok "$FREEHOLD" explain --json "$pid"
    ok "$FREEHOLD" snapshot "$pid" -o $sites.snap
    ok "$FREEHOLD" snapshot --stop "$pid" -o $sites.snap
    says "^$sites.snap: heap of process $pid (mixed), "
    for how in "" --json; do
        "$FREEHOLD" explain $how "$pid" >process
        "$FREEHOLD" explain $how $sites.snap | sed '1s/^snapshot of //' >file
        cmp -s process file || fail "explain $how: $(diff process file)"
    done
    # Every counter but what the kernel says of the process now.
    "$FREEHOLD" stats --json "$pid" | tr ',{' '\n\n' | grep -v '"resident_bytes"' >process
    "$FREEHOLD" stats --json $sites.snap | tr ',{' '\n\n' | grep -v '"resident_bytes"' >file
    cmp -s process file || fail "stats: $(diff process file)"
    # Threads, by the kernel's ids and names.
    if [ "$(uname -m)" = x86_64 ]; then
        third=$(grep -lx 'worker 3' /proc/"$pid"/task/*/comm | cut -d/ -f5)
        for image in "$pid" $sites.snap; do
            ok "$FREEHOLD" pins $image
            says " $pid (mixed)"
            says " $third (worker 3)"
            ok "$FREEHOLD" map -o map.html $image
            grep -q "$third (worker 3)" map.html || fail "map $image: does not name thread $third"
            "$FREEHOLD" explain --json $image >out
            says 'Thread [0-9]* ([a-z 0-9]*) keeps most'
        done
    fi
    ok "$FREEHOLD" pins $sites.snap
    grep -q FREEHOLD_RETURN out && fail "pins: an option that nobody has set: $(cat out)"
    ok "$FREEHOLD" explain $sites.snap
    says "^  = from the kernel"
    awk 'length > 80 { bad = 1 } END { exit bad }' out || fail "explain: over 80 columns: $(cat out)"
    if grep -q "the ledger says" out; then
        fail "sites $sites: the account does not add up: $(cat out)"
    fi
    ok "$FREEHOLD" check $sites.snap
    ok "$FREEHOLD" snapshot "$pid" -o running.snap
    if command -v zstd >/dev/null; then
        ok zstd -t $sites.snap
        zstd -dc $sites.snap | grep -q "BLOCK-HOLDS" && fail "the snapshot holds what blocks hold"
    fi
    stop
done
unset FREEHOLD_SITES

# A snapshot of a core, and of a snapshot.
if command -v gcore >/dev/null; then
    run_on_freehold "$HELPERS/mixed"
    core_pid=$pid
    gcore -o core "$pid" >/dev/null 2>&1
    ok "$FREEHOLD" snapshot "core.$pid" -o core.snap
    "$FREEHOLD" explain "core.$pid" | sed 1d >process
    "$FREEHOLD" explain core.snap | sed 1d >file
    cmp -s process file || fail "of a core: $(diff process file)"
    stop
    rm -f "core.$pid"
fi
ok "$FREEHOLD" snapshot 1.snap -o again.snap
"$FREEHOLD" explain 1.snap >process
"$FREEHOLD" explain again.snap >file
cmp -s process file || fail "of a snapshot: $(diff process file)"
if [ "$(uname -m)" = x86_64 ]; then
    ok "$FREEHOLD" pins again.snap
    says " (worker 3)"
fi
if [ -s core.snap ]; then # a core knows the threads' ids, and the name of the first
    ok "$FREEHOLD" pins core.snap
    grep -q " $core_pid (mixed)\$" out || fail "no thread has the core's id $core_pid: $(cat out)"
fi

# Nothing is left of one that could not be written, and what was there stays.
echo precious >kept.snap
(
    trap '' XFSZ
    ulimit -f 1
    "$FREEHOLD" snapshot 1.snap -o kept.snap >out 2>err
    echo $? >status
)
[ "$(cat status)" = 1 ] || fail "beyond the limit: status $(cat status)"
grep -q "cannot write 'kept.snap': File too large; nothing of it was left" err || fail "said: $(cat err)"
[ "$(cat kept.snap)" = precious ] || fail "what was there is gone"
ls ./*.partial >/dev/null 2>&1 && fail "a part was left: $(ls)"
expect 1 "" "freehold snapshot: cannot write 'no/x': No such file or directory; nothing of it was left" \
    "$FREEHOLD" snapshot 1.snap -o no/x
expect 1 "" "freehold snapshot: '/dev/null' is not an ordinary file; name one to be written" \
    "$FREEHOLD" snapshot 1.snap -o /dev/null
expect 2 "" "freehold snapshot: -o FILE is missing: where to write the snapshot; see freehold help snapshot" \
    "$FREEHOLD" snapshot 1

# Cut short, or changed in a byte.
bytes=$(wc -c <1.snap)
for part in 8 121 $((bytes / 2)) $((bytes - 1)); do
    head -c "$part" 1.snap >cut.snap
    "$FREEHOLD" explain cut.snap >out 2>err && fail "cut to $part bytes: explained"
done
grep -q "snapshot 'cut.snap' is cut short or damaged; copy it again, or take a new one" err || fail "said: $(cat err)"
finish
