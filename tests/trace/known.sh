#!/bin/sh
# known.sh - a program of known calls: exactly these are in the trace, and each free names the right allocation.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"

"$FREEHOLD" record -o t -- "$HELPERS/known" || fail "known ended with $?"
cat >want <<'END'
malloc 1 40
calloc 2 150
realloc 1 3 400
aligned 4 128 64
free 2
free 3
malloc 5 9
realloc 5 6 21
usable 6
malloc 7 0
refused 9223372036854775807
refused 18446744073709551614
refused 9223372036854775807
free 4
aligned 8 100 4096
free 6
aligned 9 10 64
realloc 7 10 100
realloc 10 11 1000
realloc 11 12 10000
trim
free 8
free 9
free 12
malloc 13 33
aligned 14 100 128
free 13
free 14
malloc 15 1048576
touched 15 PAGES
realloc 15 16 2097152
touched 16 PAGES
free 16
END
"$HELPERS/dump" --marked t >got
# A large block begins 16 bytes into a page, and 3 pages from there touch 4; with pages of another size it is 1.
sed 's/^\(touched [0-9]*\) [1-4]$/\1 PAGES/' got >got.pages
diff want got.pages || fail "the events are not those of the program (< is right)"
"$HELPERS/dump" --check t >checked || fail "$(cat checked)"

# The same calls, and no others, when it is recorded again.
"$FREEHOLD" record -o t2 "$HELPERS/known"
"$HELPERS/dump" --marked t2 | diff - got || fail "a second recording differs"

# What was allocated before main, and after: everything is in the trace, so nothing is unknown.
"$HELPERS/dump" t | grep -c ' foreign' | grep -qx 0 || fail "a free of an unknown block"

# Every call of the trace is made again.
calls=$("$FREEHOLD" replay t --with freehold --json | sed 's/.*"operations":\([0-9]*\).*/\1/')
want_calls=$("$HELPERS/dump" t | grep -cvE ' (end|touched|refused|foreign)')
[ "$calls" = "$want_calls" ] || fail "$calls calls in the replay, $want_calls in the trace"
finish
