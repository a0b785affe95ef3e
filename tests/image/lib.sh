# lib.sh - what the tests of verbs that read a heap share; sourced by each after ../tool/lib.sh.
# shellcheck shell=sh

# run_on_freehold COMMAND...: starts a helper that says "ready"; its id is in $pid. `stop` ends it.
run_on_freehold() {
    start env LD_PRELOAD="$LIBRARY" "$@"
}

# ok COMMAND...: it must end well; what it wrote is in `out`.
ok() {
    "$@" >out 2>err </dev/null || fail "$*: status $?: $(cat err)"
}

# says WORDS: the last `ok` or `fails_with` wrote that.
says() {
    grep -q -- "$1" out || fail "not said: '$1', but: $(head -20 out)"
}

# exits STATUS COMMAND...
exits() {
    want=$1
    shift
    "$@" >out 2>err </dev/null
    got=$?
    [ "$got" = "$want" ] || fail "$*: status $got, not $want: $(cat err)"
}

narrow() {
    awk 'length > 80 { print; bad = 1 } END { exit bad }' out || fail "$*: over 80 columns"
}
