#!/bin/sh
# replay.sh - replays on several allocators: the figures, and how they are shown.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"

"$FREEHOLD" record -o t -- "$HELPERS/forever" 50000 >/dev/null
"$FREEHOLD" replay t >out 2>err || fail "replay: $(cat err)"
[ -s err ] && fail "replay said: $(cat err)"
awk 'length > 80 { print; bad = 1 } END { exit bad }' out || fail "over 80 columns"
for word in freehold glibc p99.99 peak/live malloc free; do
    grep -q "$word" out || fail "no $word in the text"
done
"$FREEHOLD" replay --stat t >out
awk 'length > 80 { print; bad = 1 } END { exit bad }' out || fail "--stat: over 80 columns"

"$FREEHOLD" replay t --json --with freehold,glibc --html t.html >out || fail "--json"
[ "$(grep -o '"failures":0' out | wc -l)" = 2 ] || fail "failures: $(cat out)"
[ "$(grep -o '"operations":[0-9]*' out | sort -u | wc -l)" = 1 ] || fail "the allocators did not do the same"
# 1,000 blocks of 10 to 3,009 bytes are live: their pages are resident, and not ten times as much.
for peak in $(grep -o '"peak_rss_bytes":[0-9]*' out | cut -d: -f2); do
    [ "$peak" -gt 1500000 ] && [ "$peak" -lt 15000000 ] || fail "a peak of $peak bytes"
done
if command -v python3 >/dev/null; then
    python3 -m json.tool <out >/dev/null || fail "not JSON: $(cat out)"
    "$FREEHOLD" replay --stat --json t | python3 -m json.tool >/dev/null || fail "--stat: not JSON"
fi
grep -q '<svg' t.html || fail "no chart in the page"
grep -oE '(src|href)=|https?://[^'"'"']*' t.html | grep -vx 'http://www.w3.org/2000/svg' &&
    fail "the page needs a network"

expect 1 "" "freehold replay: nonesuch.so: no allocator that could be preloaded; give the file of a library with \
malloc in it" sh -c '"$0" replay t --with nonesuch.so 2>&1 | grep -v "^ERROR: ld.so" >&2; exit 1' "$FREEHOLD"
expect 1 "" "freehold replay: ./nonesuch.so: No such file or directory" "$FREEHOLD" replay t --with ./nonesuch.so

# Options may stand on either side of the trace.
"$FREEHOLD" replay --with glibc --json t >/dev/null || fail "options first"

# A plan that is kept can be replayed without the tool.
"$FREEHOLD" replay t --plan t.plan || fail "--plan"
"$(dirname "$FREEHOLD")/freehold-replay" t.plan >out || fail "freehold-replay"
grep -q '^operations [0-9]' out || fail "freehold-replay said: $(cat out)"
expect 1 "" "freehold-replay: t: not a plan of freehold replay" "$(dirname "$FREEHOLD")/freehold-replay" t
finish
