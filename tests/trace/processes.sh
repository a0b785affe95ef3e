#!/bin/sh
# processes.sh - one process is recorded: not its children, unless asked; the program that it puts in its place; and
# the file is found again by a process that has closed all descriptors.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"

count() { # FILE SIZE: mallocs of that size
    "$HELPERS/dump" "$1" | grep -cE "^[0-9]+ malloc [0-9]+ $2\$"
}
is() { # FILE SIZE COUNT
    [ "$(count "$1" "$2")" = "$3" ] || fail "$1: $(count "$1" "$2") mallocs of $2 bytes, not $3"
}

"$FREEHOLD" record -o alone -- "$HELPERS/processes" || fail "processes: $?"
is alone 1001 10
is alone 1009 30
is alone 1007 0
"$HELPERS/dump" --check alone >checked || fail "alone: $(cat checked)"
set -- alone.*
[ -e "$1" ] && fail "a child was recorded: $1"

"$FREEHOLD" record --children -o all -- "$HELPERS/processes" || fail "processes, with children: $?"
is all 1009 30
is all 1007 0
set -- all.*
[ $# = 1 ] && [ -e "$1" ] || fail "traces of children: $*"
is "$1" 1007 20000
is "$1" 1009 0
# What the child inherited is not in its trace; that it freed it, is.
[ "$("$HELPERS/dump" "$1" | grep -c ' foreign')" = 1 ] || fail "the inherited block"
"$FREEHOLD" replay "$1" --with freehold >/dev/null || fail "replay of a child's trace"

"$FREEHOLD" record -o exec -- "$HELPERS/processes" exec "$HELPERS/known" || fail "exec: $?"
is exec 1001 0
is exec 77777 2
# Through env and a shell, which are replaced as well.
"$FREEHOLD" record -o env -- env sh -c 'exec "$0"' "$HELPERS/known" || fail "env: $?"
is env 77777 2

"$FREEHOLD" record -o closed -- "$HELPERS/processes" close || fail "close: $?"
is closed 1003 100000
"$HELPERS/dump" --check closed >checked || fail "closed: $(cat checked)"

# dash and others end by _exit.
"$FREEHOLD" record -o dash -- sh -c ':'
"$FREEHOLD" replay --stat dash | grep -q '^ *complete$' || fail "a program that ends by _exit"
finish
