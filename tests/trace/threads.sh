#!/bin/sh
# threads.sh - threads are kept apart, and a block that another thread frees is named rightly, whatever the timing.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"

value() { # FILE NAME: a number of --stat --json
    sed "s/.*\"$2\":\([0-9]*\).*/\1/" "$1"
}

for threads in 2 5; do
    "$FREEHOLD" record -o t -- "$HELPERS/threads" $threads 40000 20 || fail "threads ended with $?"
    "$HELPERS/dump" --check t >checked || fail "$threads threads: $(cat checked)"
    grep -q ' 0 unresolved' checked || fail "$threads threads: $(cat checked)"
    "$FREEHOLD" replay --stat --json t >stat
    [ "$(value stat threads)" = $((threads + 21)) ] || fail "$(value stat threads) threads"
    [ "$(value stat other_thread)" = $((threads * 40000)) ] || fail "$(value stat other_thread) blocks of others"
    [ "$(value stat unknown_block)" = 0 ] || fail "$(value stat unknown_block) unknown blocks"
    # 8,000 of the blocks of each are reallocated; everything that the threads made is freed.
    [ "$(value stat realloc)" = $((threads * 8000)) ] || fail "$(value stat realloc) reallocs"
    left=$(value stat end_live_blocks)
    [ "$left" -le 10 ] || fail "$left blocks are left"
    for with in freehold glibc; do
        "$FREEHOLD" replay t --json --with $with >replayed || fail "replay on $with"
        [ "$(value replayed failures)" = 0 ] || fail "$with: failures"
        [ "$(value replayed threads)" = $((threads + 21)) ] || fail "$with: $(value replayed threads) threads"
    done
done
finish
