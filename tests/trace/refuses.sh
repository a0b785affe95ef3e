#!/bin/sh
# refuses.sh - what record and replay say to a command line or file that they can't use.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"

expect 2 "" "freehold record: -o FILE is missing: where the trace goes; see freehold help record" \
    "$FREEHOLD" record -- true
expect 2 "" "freehold record: a command to record is missing; see freehold help record" "$FREEHOLD" record -o t
expect 2 "" "freehold record: unknown option --childern (did you mean --children?); see freehold help record" \
    "$FREEHOLD" record --childern -o t -- true
expect 127 "" "freehold record: no-such-program: not found in PATH; check the spelling, \
or give its path" "$FREEHOLD" record -o t -- no-such-program
[ -e t ] && fail "a file was made for nothing"
mkdir folder
expect 125 "" "freehold record: folder: cannot be written: Is a directory" "$FREEHOLD" record -o folder -- true
expect 125 "" "freehold record: /dev/null: not a regular file; a trace is written in more than one place of it" \
    "$FREEHOLD" record -o /dev/null -- true
# Its status is the program's.
expect 3 "" "" "$FREEHOLD" record -o t -- sh -c 'exit 3'

expect 2 "" "freehold replay: a trace is missing; freehold record makes one; see freehold help replay" \
    "$FREEHOLD" replay
expect 2 "" "freehold replay: one trace at a time, not 'u' as well; see freehold help replay" "$FREEHOLD" replay t u
expect 2 "" "freehold replay: --with names no allocator; see freehold help replay" "$FREEHOLD" replay t --with ,
expect 1 "" "freehold replay: none: cannot be opened: No such file or directory; freehold record -o FILE -- COMMAND \
makes a trace" "$FREEHOLD" replay none
expect 1 "" "freehold replay: folder: not a regular file" "$FREEHOLD" replay folder
: >empty
expect 1 "" "freehold replay: empty: not a trace; freehold record -o FILE -- COMMAND makes one" \
    "$FREEHOLD" replay empty
expect 1 "" "freehold replay: empty: not a trace; freehold record -o FILE -- COMMAND makes one" \
    "$FREEHOLD" replay --stat empty
TMPDIR=/no/such expect 1 "" "freehold replay: cannot make a scratch file in /no/such: \
No such file or directory; TMPDIR names another place for it" "$FREEHOLD" replay t
if [ -c /dev/full ]; then
    expect 1 "" "freehold replay: cannot write scratch data: No space left on device; TMPDIR names another place for \
it" \
        "$FREEHOLD" replay t --plan /dev/full
fi
finish
