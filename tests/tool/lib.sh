# lib.sh - what the tests of the program `freehold` share; sourced by each.
#
# The build gives: FREEHOLD (the program), LIBRARY (libfreehold.so.0), HELPERS (the folder of the helper programs),
# SCRATCH (a folder that this test may fill).
# shellcheck shell=sh

set -u
: "${FREEHOLD:?}" "${LIBRARY:?}" "${HELPERS:?}" "${SCRATCH:?}"
unset LD_PRELOAD FREEHOLD_LIBRARY FREEHOLD_REPORT
LC_ALL=C
export LC_ALL
umask 022

rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
cd "$SCRATCH" || exit 1
failures=0

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$*"
}

# expect STATUS OUTPUT ERRORS COMMAND...: what the command must end with and write, exactly but for the last newline.
expect() {
    want_status=$1 want_out=$2 want_err=$3
    shift 3
    "$@" >out 2>err </dev/null
    got_status=$?
    got_out=$(cat out) got_err=$(cat err)
    if [ "$got_status" != "$want_status" ]; then
        fail "$*: status $got_status, not $want_status"
    fi
    if [ "$got_out" != "$want_out" ]; then
        fail "$*: wrote to stdout"
        printf '  got:  %s\n  want: %s\n' "$got_out" "$want_out"
    fi
    if [ "$got_err" != "$want_err" ]; then
        fail "$*: wrote to stderr"
        printf '  got:  %s\n  want: %s\n' "$got_err" "$want_err"
    fi
}

# start COMMAND...: runs a helper that says "ready" and waits, in the background; its id is in $pid. `stop` ends it.
start() {
    rm -f ready
    mkfifo ready
    "$@" >ready 2>&1 &
    pid=$!
    read -r answer <ready
    [ "$answer" = ready ] || fail "$*: said '$answer', not 'ready'"
}

stop() {
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
}

skip() {
    printf 'SKIPPED: %s\n' "$*"
    exit 77
}

# Not a failure, but said: one part of a test that this machine cannot do.
skip_part() {
    printf 'skipped a part: %s\n' "$*"
}

finish() {
    [ "$failures" = 0 ] || { printf '%s failures\n' "$failures"; exit 1; }
    exit 0
}
